//! Heartbeat: clocks, progress and loss, both ways, a few times a second.

use super::hello::LogPosition;
use super::{Builder, at_most, fb, limits};
use crate::types::Tick;
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// What has arrived on one lane since the session epoch began: with the sender's own count it gives the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneCount {
    /// The lane's wire number.
    pub lane: u8,
    /// Valid packets received, wrapping.
    pub received: u32,
    /// Newest sequence among them.
    pub newest: u32,
}

/// Keeps a session alive and measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Sender's clock when it sent this, microseconds.
    pub sent_us: u64,
    /// `sent_us` of the newest heartbeat received; zero before the first.
    pub echo_sent_us: u64,
    /// How long the sender had held that one, microseconds: round trip = now - echo - held.
    pub echo_held_us: u32,
    /// Newest complete tick at the sender.
    pub newest_tick: Tick,
    /// Newest confirmed tick; never goes back.
    pub confirmed_tick: Tick,
    /// Newest log entry at the sender.
    pub log_head: LogPosition,
    /// Hash of the newest log block; absent without a log.
    #[serde(with = "cbor::optional")]
    pub block_hash: Option<[u8; 32]>,
    /// Receive counts, at most one a lane.
    pub lanes: Vec<LaneCount>,
    /// Session time, microseconds; the host's is the truth, a peer sends its estimate.
    pub host_time_us: u64,
    /// The tick at that time.
    pub host_tick: Tick,
}

impl Heartbeat {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_LANE_COUNTS", self.lanes.len(), limits::MAX_LANE_COUNTS)?;
        if self.lanes.iter().any(|count| crate::types::Lane::from_wire(count.lane, 0).is_none()) {
            return Err(WireError::Malformed("heartbeat lane"));
        }
        Ok(())
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::Heartbeat<'static>> {
        let lanes = (!self.lanes.is_empty()).then(|| {
            let counts =
                self.lanes.iter().map(|count| fb::LaneCount::new(count.received, count.newest, count.lane));
            builder.create_vector_from_iter(counts)
        });
        let block_hash = self.block_hash.as_ref().map(fb::Bytes32::new);
        fb::Heartbeat::create(
            builder,
            &fb::HeartbeatArgs {
                sent_us: self.sent_us,
                echo_sent_us: self.echo_sent_us,
                echo_held_us: self.echo_held_us,
                newest_tick: self.newest_tick.0,
                confirmed_tick: self.confirmed_tick.0,
                log_head: Some(&self.log_head.to_fb()),
                block_hash: block_hash.as_ref(),
                lanes,
                host_time_us: self.host_time_us,
                host_tick: self.host_tick.0,
            },
        )
    }

    pub(super) fn read(table: fb::Heartbeat<'_>) -> Result<Self, WireError> {
        let heartbeat = Self {
            sent_us: table.sent_us(),
            echo_sent_us: table.echo_sent_us(),
            echo_held_us: table.echo_held_us(),
            newest_tick: Tick(table.newest_tick()),
            confirmed_tick: Tick(table.confirmed_tick()),
            log_head: LogPosition::from_fb(table.log_head()),
            block_hash: table.block_hash().map(|bytes| bytes.bytes().into()),
            lanes: table.lanes().map_or_else(Vec::new, |lanes| {
                lanes
                    .iter()
                    .map(|count| LaneCount {
                        lane: count.lane(),
                        received: count.received(),
                        newest: count.newest(),
                    })
                    .collect()
            }),
            host_time_us: table.host_time_us(),
            host_tick: Tick(table.host_tick()),
        };
        heartbeat.check()?;
        Ok(heartbeat)
    }
}
