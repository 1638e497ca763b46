//! Every limit of the transport room, in one table.

use std::time::Duration;

use theta_core::types::Lane;

use super::conditioner::LinkConditioner;

/// Bulk lanes with this ordinal or a higher one carry assets and yield to those below, which carry snapshots.
pub const FIRST_ASSET_ORDINAL: u16 = 0x8000;

/// Reliable lanes that one connection may open in one direction: control, replication, and bulk lanes.
pub(super) const MAX_LANES: usize = 34;

/// Bulk lanes that the other end of a connection may have open at once.
pub(super) const MAX_INBOUND_BULK: u32 = 16;

/// From this share of the half-open places on (one in so many), an attempt must first prove its address.
pub(super) const RETRY_SHARE: usize = 2;

/// Limits and times of a transport; docs/protocol.md has the defaults in a table that a test compares. The defaults suit a session of up to 64 members.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Connections at once; attempts above it are refused.
    pub max_connections: usize,
    /// Accepted connections that have not yet opened their control lane. From half of it on ([`RETRY_SHARE`]), an attempt
    /// must first prove its address (stateless retry).
    pub max_half_open: usize,
    /// Attempts that one address may make at once; more are ignored.
    pub attempts_burst: u32,
    /// Attempts per second and address in the long run.
    pub attempts_per_second: u32,
    /// From the first packet to an open control lane.
    pub handshake_timeout: Duration,
    /// Silence after which a connection is given up. Heartbeats of the session keep it alive; the transport sends none.
    pub idle_timeout: Duration,
    /// How long a closing connection may still deliver what was sent on reliable lanes.
    pub linger: Duration,
    /// Events that wait for the driver before readers stop.
    pub event_capacity: usize,
    /// Queue of the control lane in bytes.
    pub control_queue_bytes: usize,
    /// Queue of the replication lane in bytes.
    pub replication_queue_bytes: usize,
    /// Queue of each bulk lane in bytes. A join snapshot is queued as a whole, so this bounds a world's size.
    pub bulk_queue_bytes: usize,
    /// What one datagram lane may hold of one batch, in bytes.
    pub datagram_queue_bytes: usize,
    /// A bad network on purpose, under QUIC at the socket; does nothing until it is told to.
    pub conditioner: LinkConditioner,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            max_connections: 64,
            max_half_open: 32,
            attempts_burst: 128,
            attempts_per_second: 32,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            linger: Duration::from_secs(1),
            event_capacity: 512,
            control_queue_bytes: 512 << 10,
            replication_queue_bytes: 4 << 20,
            bulk_queue_bytes: 64 << 20,
            datagram_queue_bytes: 256 << 10,
            conditioner: LinkConditioner::default(),
        }
    }
}

impl TransportConfig {
    /// The queue limit of a reliable lane.
    pub(super) fn queue_bytes(&self, lane: Lane) -> usize {
        match lane {
            Lane::Control => self.control_queue_bytes,
            Lane::Replication => self.replication_queue_bytes,
            Lane::Bulk(_) => self.bulk_queue_bytes,
            Lane::State | Lane::Input | Lane::Presence => self.datagram_queue_bytes,
        }
    }
}

/// The send priority of a reliable lane; higher goes first. Datagrams go before all of them.
pub(super) fn priority(lane: Lane) -> i32 {
    match lane {
        Lane::Control => 30,
        Lane::Replication => 20,
        Lane::Bulk(ordinal) if ordinal < FIRST_ASSET_ORDINAL => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::throttle::MAX_NETWORKS;

    /// The rows of the page's table of this transport's limits: name and value.
    fn rows() -> Vec<(String, String)> {
        let page = include_str!("../../docs/protocol.md");
        let table = page.split_once("### Limits of QUIC connections\n").expect("the section").1;
        let lines = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        let cells = |line: &str| -> Vec<String> {
            line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        };
        let rows = lines.take_while(|line| line.starts_with('|')).map(cells);
        rows.map(|row| (row[1].clone(), row[2].clone())).collect()
    }

    #[test]
    fn the_page_has_these_limits() {
        let config = TransportConfig::default();
        let ms = |time: Duration| time.as_millis() as usize;
        let limits = [
            ("attempts_burst", config.attempts_burst as usize),
            ("attempts_per_second", config.attempts_per_second as usize),
            ("MAX_NETWORKS", MAX_NETWORKS),
            ("max_half_open", config.max_half_open),
            ("retry from", config.max_half_open / RETRY_SHARE),
            ("max_connections", config.max_connections),
            ("handshake_timeout", ms(config.handshake_timeout)),
            ("idle_timeout", ms(config.idle_timeout)),
            ("linger", ms(config.linger)),
            ("MAX_INBOUND_BULK", MAX_INBOUND_BULK as usize),
            ("MAX_LANES", MAX_LANES),
            ("control_queue_bytes", config.control_queue_bytes),
            ("replication_queue_bytes", config.replication_queue_bytes),
            ("bulk_queue_bytes", config.bulk_queue_bytes),
            ("datagram_queue_bytes", config.datagram_queue_bytes),
            ("event_capacity", config.event_capacity),
        ];
        let code: Vec<_> = limits.map(|(name, value)| (name.to_owned(), value.to_string())).into();
        assert_eq!(rows(), code);
    }
}
