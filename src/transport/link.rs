//! One connection as the commands see it: its lanes' queues, its datagram queue, its limit and its counters. Shared
//! between the driver, which pushes, and the connection's tasks, which carry things away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use theta_core::types::Lane;
use tokio::sync::{Notify, mpsc};

use super::config::MAX_LANES;
use super::datagrams::{DatagramQueue, Purge};
use super::memory::MemoryWire;
use super::outbox::Outbox;
use super::{ConnectionId, Fault, LinkCounters, Remote, TransportConfig, TransportError};

/// Longest reason that travels with a close, in bytes.
const MAX_REASON_BYTES: usize = 256;

/// What a driver asks of a connection's supervisor.
#[derive(Debug)]
pub(super) enum Request {
    /// Open our direction of a lane and write its preface, then what its queue holds.
    Open { lane: Lane, schema_hash: u64, outbox: Arc<Outbox> },
    /// End the connection; with `linger` after reliable lanes have delivered.
    Close { code: u16, reason: String, linger: bool },
    /// The other end of a memory connection has closed.
    Ended { code: u16, reason: String },
}

/// What carries the packets.
#[derive(Debug)]
pub(super) enum Wire {
    Quic(quinn::Connection),
    Memory(MemoryWire),
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) remote: Remote,
    pub(super) wire: Wire,
    lanes: Mutex<HashMap<Lane, Arc<Outbox>>>,
    datagrams: Mutex<DatagramQueue>,
    /// Wakes the datagram pump: there is something to send, or what it holds was purged.
    pub(super) datagram_wake: Notify,
    requests: mpsc::UnboundedSender<Request>,
    limit: AtomicUsize,
    closing: AtomicBool,
    purged: AtomicU64,
}

impl Link {
    /// The link and the requests that its supervisor serves. The channel is not bounded by itself, but by the number
    /// of lanes and by one close.
    pub(super) fn new(
        id: ConnectionId,
        remote: Remote,
        wire: Wire,
        config: &TransportConfig,
        requests: mpsc::UnboundedSender<Request>,
    ) -> Arc<Self> {
        let link = Self {
            id,
            remote,
            limit: AtomicUsize::new(wire.datagram_limit()),
            wire,
            lanes: Mutex::default(),
            datagrams: Mutex::new(DatagramQueue::new(config.datagram_queue_bytes)),
            datagram_wake: Notify::new(),
            requests,
            closing: AtomicBool::new(false),
            purged: AtomicU64::new(0),
        };
        Arc::new(link)
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Arc<Outbox>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn datagrams(&self) -> MutexGuard<'_, DatagramQueue> {
        self.datagrams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(super) fn max_datagram_bytes(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Reads the path's limit anew; the new one if it changed.
    pub(super) fn refresh_datagram_limit(&self) -> Option<usize> {
        let now = self.wire.datagram_limit();
        (self.limit.swap(now, Ordering::Relaxed) != now).then_some(now)
    }

    pub(super) fn open(
        &self,
        lane: Lane,
        schema_hash: u64,
        config: &TransportConfig,
    ) -> Result<(), TransportError> {
        if !lane.is_reliable() {
            return Err(TransportError::NotReliable(lane));
        }
        let mut lanes = self.lanes();
        if lanes.contains_key(&lane) {
            return Err(TransportError::LaneOpen(lane));
        }
        if lanes.len() >= MAX_LANES {
            return Err(TransportError::TooManyLanes(MAX_LANES));
        }
        let outbox = Arc::new(Outbox::new(config.queue_bytes(lane)));
        let request = Request::Open { lane, schema_hash, outbox: Arc::clone(&outbox) };
        self.requests.send(request).map_err(|_| TransportError::Closing)?;
        lanes.insert(lane, outbox);
        Ok(())
    }

    pub(super) fn send_reliable(&self, lane: Lane, packet: Vec<u8>) -> Result<(), TransportError> {
        check_length(&packet)?;
        let outbox = self.lanes().get(&lane).cloned().ok_or(TransportError::LaneNotOpen(lane))?;
        outbox.push(packet).map_err(|_| TransportError::QueueFull(lane))
    }

    /// Queues a datagram, hands down what there is room for, and says what was purged.
    pub(super) fn send_datagram(
        &self,
        lane: Lane,
        batch: u32,
        packet: Vec<u8>,
    ) -> Result<Purge, TransportError> {
        check_length(&packet)?;
        let limit = self.max_datagram_bytes();
        if packet.len() > limit {
            return Err(TransportError::TooLarge { bytes: packet.len(), limit });
        }
        let mut queue = self.datagrams();
        let held = queue.is_held();
        let purge = queue.push(lane, batch, packet);
        self.purged.fetch_add(u64::from(purge.packets), Ordering::Relaxed);
        self.wire.drain(&mut queue);
        let wake = !queue.is_empty() || held != queue.is_held();
        drop(queue);
        if wake {
            self.datagram_wake.notify_one();
        }
        Ok(purge)
    }

    /// The lane's queue ends; its number can be opened again (bulk ordinals are not reused in practice).
    pub(super) fn finish(&self, lane: Lane) -> Result<(), TransportError> {
        if !lane.is_reliable() {
            return Err(TransportError::NotReliable(lane));
        }
        let outbox = self.lanes().remove(&lane).ok_or(TransportError::LaneNotOpen(lane))?;
        outbox.finish();
        Ok(())
    }

    /// Ends every lane's queue, so that the writers end when they have delivered.
    pub(super) fn finish_all(&self) {
        for (_, outbox) in self.lanes().drain() {
            outbox.finish();
        }
    }

    pub(super) fn close(&self, code: u16, reason: &str, linger: bool) {
        if self.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut end = reason.len().min(MAX_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason[..end].to_owned();
        // A supervisor that is gone has closed already.
        let _ = self.requests.send(Request::Close { code, reason, linger });
    }

    pub(super) fn close_for(&self, fault: &Fault) {
        self.close(fault.code(), &fault.to_string(), false);
    }

    pub(super) fn counters(&self) -> LinkCounters {
        let mut counters = self.wire.counters();
        counters.datagrams_purged = self.purged.load(Ordering::Relaxed);
        counters.queued_bytes = self.lanes().values().map(|outbox| outbox.queued_bytes() as u64).sum();
        counters
    }
}

/// A packet says its own length in its first two bytes; a stream cannot be split where it lies.
fn check_length(packet: &[u8]) -> Result<(), TransportError> {
    let stated = packet.first_chunk::<2>().map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)));
    if stated == packet.len() {
        Ok(())
    } else {
        Err(TransportError::TooLarge { bytes: packet.len(), limit: stated })
    }
}

impl Wire {
    /// Largest packet a datagram takes now; zero when the path carries none.
    fn datagram_limit(&self) -> usize {
        match self {
            // One byte names the lane.
            Self::Quic(connection) => connection.max_datagram_size().unwrap_or(0).saturating_sub(1),
            Self::Memory(wire) => wire.max_datagram_bytes,
        }
    }

    /// Hands down queued datagrams as long as there is room below: nothing may be dropped out of our sight.
    fn drain(&self, queue: &mut DatagramQueue) {
        match self {
            Self::Quic(connection) => {
                while let Some(bytes) = queue.next_bytes() {
                    if connection.datagram_send_buffer_space() < bytes + 1 {
                        return;
                    }
                    let Some((lane, packet)) = queue.take() else { return };
                    let sent = connection.send_datagram(super::quic::frame_datagram(lane, &packet).into());
                    queue.sent();
                    if sent.is_err() {
                        // Closed, or the limit fell between check and send; either way it counts as lost.
                        return;
                    }
                }
            }
            Self::Memory(wire) => wire.drain(queue),
        }
    }

    fn counters(&self) -> LinkCounters {
        match self {
            Self::Quic(connection) => {
                let stats = connection.stats();
                LinkCounters {
                    packets_sent: stats.udp_tx.datagrams,
                    packets_received: stats.udp_rx.datagrams,
                    bytes_sent: stats.udp_tx.bytes,
                    bytes_received: stats.udp_rx.bytes,
                    packets_lost: stats.path.lost_packets,
                    rtt_us: stats.path.rtt.as_micros() as u64,
                    ..LinkCounters::default()
                }
            }
            Self::Memory(wire) => wire.counters(),
        }
    }
}
