//! Theta's own queue in front of a transport's datagrams: one tick deep per lane, with purge.
//!
//! A packet of an older batch (tick) that is still unsent when a newer one comes is worthless: it is dropped here and
//! reported, so that the sender knows at once what will never arrive. The transport below must never drop by itself,
//! which is why a packet is handed down only when there is room for it.

use std::collections::VecDeque;

use theta_core::types::Lane;

/// Lanes in the order in which they are sent.
const ORDER: [Lane; 3] = [Lane::State, Lane::Input, Lane::Presence];

#[derive(Debug)]
struct Queued {
    batch: u32,
    packet: Vec<u8>,
}

/// What a push dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Purge {
    pub(super) packets: u32,
    pub(super) bytes: u64,
}

impl Purge {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

#[derive(Clone, Copy, Debug)]
struct InHand {
    lane: usize,
    batch: u32,
    bytes: usize,
}

/// The datagram queues of one connection.
#[derive(Debug)]
pub(super) struct DatagramQueue {
    lanes: [VecDeque<Queued>; 3],
    lane_bytes: [usize; 3],
    limit_bytes: usize,
    /// The packet the pump waits with; it still belongs to the queue, so it can be purged under the pump's hands.
    in_hand: Option<InHand>,
}

/// The place of a datagram lane in [`ORDER`]; `None` for reliable lanes.
fn place(lane: Lane) -> Option<usize> {
    ORDER.iter().position(|candidate| *candidate == lane)
}

impl DatagramQueue {
    /// `limit_bytes` bounds what one lane may hold of one batch.
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { lanes: Default::default(), lane_bytes: [0; 3], limit_bytes, in_hand: None }
    }

    /// Queues a packet and says what it replaced. State and input packets of older batches go; presence (voice,
    /// cursors) is a stream of its own stamps, so there only the limit drops, the oldest first.
    pub(super) fn push(&mut self, lane: Lane, batch: u32, packet: Vec<u8>) -> Purge {
        let mut purge = Purge::default();
        let Some(at) = place(lane) else { return purge };
        if lane != Lane::Presence {
            if let Some(held) = self.in_hand.filter(|held| held.lane == at && held.batch != batch) {
                purge.add(held.bytes);
                self.in_hand = None;
            }
            while self.lanes[at].front().is_some_and(|oldest| oldest.batch != batch) {
                self.drop_oldest(at, &mut purge);
            }
        }
        while !self.lanes[at].is_empty() && self.lane_bytes[at] + packet.len() > self.limit_bytes {
            self.drop_oldest(at, &mut purge);
        }
        self.lane_bytes[at] += packet.len();
        self.lanes[at].push_back(Queued { batch, packet });
        purge
    }

    fn drop_oldest(&mut self, at: usize, purge: &mut Purge) {
        if let Some(gone) = self.lanes[at].pop_front() {
            self.lane_bytes[at] -= gone.packet.len();
            purge.add(gone.packet.len());
        }
    }

    /// Size of the packet that goes next, if the pump's hand is empty.
    pub(super) fn next_bytes(&self) -> Option<usize> {
        if self.in_hand.is_some() {
            return None;
        }
        self.lanes.iter().find_map(|lane| lane.front()).map(|queued| queued.packet.len())
    }

    /// Takes the next packet into the hand; [`DatagramQueue::sent`] follows, unless it is purged meanwhile.
    pub(super) fn take(&mut self) -> Option<(Lane, Vec<u8>)> {
        if self.in_hand.is_some() {
            return None;
        }
        let at = self.lanes.iter().position(|lane| !lane.is_empty())?;
        let Queued { batch, packet } = self.lanes[at].pop_front()?;
        self.lane_bytes[at] -= packet.len();
        self.in_hand = Some(InHand { lane: at, batch, bytes: packet.len() });
        Some((ORDER[at], packet))
    }

    /// False once the packet in the hand was purged: it must not be sent any more.
    pub(super) fn is_held(&self) -> bool {
        self.in_hand.is_some()
    }

    /// The packet in the hand has gone down.
    pub(super) fn sent(&mut self) {
        self.in_hand = None;
    }

    /// True when nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.in_hand.is_none() && self.lanes.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_batch_purges_the_older_one_of_its_lane_only() {
        let mut queue = DatagramQueue::new(1000);
        assert_eq!(queue.push(Lane::State, 1, vec![1; 10]), Purge::default());
        assert_eq!(queue.push(Lane::State, 1, vec![1; 20]), Purge::default());
        assert_eq!(queue.push(Lane::Input, 1, vec![2; 5]), Purge::default());
        assert_eq!(queue.push(Lane::State, 2, vec![3; 7]), Purge { packets: 2, bytes: 30 });
        assert_eq!(queue.take(), Some((Lane::State, vec![3; 7])));
        queue.sent();
        assert_eq!(queue.take(), Some((Lane::Input, vec![2; 5])));
        queue.sent();
        assert!(queue.is_empty());
    }

    #[test]
    fn the_packet_in_hand_is_purged_too() {
        let mut queue = DatagramQueue::new(1000);
        queue.push(Lane::State, 1, vec![1; 10]);
        assert!(queue.take().is_some());
        assert!(queue.is_held() && queue.next_bytes().is_none() && queue.take().is_none());
        assert_eq!(queue.push(Lane::State, 2, vec![2; 4]), Purge { packets: 1, bytes: 10 });
        assert!(!queue.is_held());
        assert_eq!(queue.next_bytes(), Some(4));
    }

    #[test]
    fn state_goes_before_presence_and_presence_keeps_older_batches() {
        let mut queue = DatagramQueue::new(100);
        queue.push(Lane::Presence, 1, vec![1; 60]);
        assert_eq!(queue.push(Lane::Presence, 2, vec![2; 30]), Purge::default());
        assert_eq!(queue.push(Lane::Presence, 3, vec![3; 30]), Purge { packets: 1, bytes: 60 });
        queue.push(Lane::State, 3, vec![4]);
        assert_eq!(queue.take(), Some((Lane::State, vec![4])));
        queue.sent();
        assert_eq!(queue.take(), Some((Lane::Presence, vec![2; 30])));
    }

    #[test]
    fn reliable_lanes_are_not_its_business() {
        let mut queue = DatagramQueue::new(100);
        assert_eq!(queue.push(Lane::Control, 1, vec![1]), Purge::default());
        assert!(queue.is_empty());
    }
}
