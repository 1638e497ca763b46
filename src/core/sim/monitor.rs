//! What a machine acted on, against what its link brought: no packet twice, none that was altered on its way, none of
//! an epoch that is over, and no reliable lane with a hole.
//!
//! The monitor reads the plain fields of the envelope (docs/protocol.md, "Envelope") and nothing of the machine but
//! that it took the packet. How long a packet of an older epoch may still be taken is that page's table, "A new epoch".

use std::collections::{BTreeMap, BTreeSet};

use crate::types::Lane;

/// With this sequence of the newer epoch a datagram lane is done with the one before.
const LAST_OVERLAP_SEQUENCE: u32 = 1024;

/// One direction of one link, as its receiver acted on it.
#[derive(Debug, Default)]
pub struct Monitor {
    /// The epoch that the handshake agreed on, once a packet of it was taken.
    first: u16,
    lanes: BTreeMap<Lane, Taken>,
}

/// What was acted on of one lane.
#[derive(Debug, Default)]
struct Taken {
    epoch: u16,
    newest: u32,
    /// Of datagrams, by epoch.
    seen: BTreeSet<(u16, u32)>,
}

impl Monitor {
    /// The receiver took this packet for valid.
    pub fn on_taken(&mut self, lane: Lane, packet: &[u8], is_altered: bool) -> Result<(), String> {
        if is_altered {
            return Err(format!("a packet that was altered on its way was acted on ({lane:?})"));
        }
        let (Some(sequence), Some(epoch)) = (packet.get(8..12), packet.get(12..14)) else {
            return Err(format!("{} bytes were taken for a packet", packet.len()));
        };
        let sequence = sequence.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let epoch = u16::from_le_bytes([epoch[0], epoch[1]]);
        if self.first == 0 {
            self.first = epoch;
        }
        if epoch < self.first {
            return Err(format!(
                "a packet of epoch {epoch} was acted on, on a link that began in {}",
                self.first
            ));
        }
        let taken = self.lanes.entry(lane).or_default();
        let is_over = taken.epoch > epoch
            && (lane.is_reliable() || taken.epoch - epoch > 1 || taken.newest >= LAST_OVERLAP_SEQUENCE);
        if is_over {
            let now = taken.epoch;
            return Err(format!("{lane:?} is in epoch {now}, and a packet of epoch {epoch} was acted on"));
        }
        if epoch > taken.epoch {
            (taken.epoch, taken.newest) = (epoch, 0);
        }
        if lane.is_reliable() {
            if sequence != taken.newest + 1 {
                return Err(format!("{lane:?} went on with {sequence} after {}", taken.newest));
            }
        } else if !taken.seen.insert((epoch, sequence)) {
            return Err(format!("packet {sequence} of {lane:?} in epoch {epoch} was acted on twice"));
        }
        if epoch == taken.epoch {
            taken.newest = taken.newest.max(sequence);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u32, epoch: u16) -> Vec<u8> {
        let mut packet = vec![0; 16];
        packet[8..12].copy_from_slice(&sequence.to_le_bytes());
        packet[12..14].copy_from_slice(&epoch.to_le_bytes());
        packet
    }

    #[test]
    fn what_must_not_be_taken() {
        let mut monitor = Monitor::default();
        let mut take = |lane, sequence, epoch| monitor.on_taken(lane, &packet(sequence, epoch), false);
        assert_eq!(take(Lane::Control, 1, 0), Ok(()));
        assert_eq!(take(Lane::Control, 1, 1), Ok(()), "sequences begin again with an epoch");
        assert_eq!(take(Lane::State, 7, 1), Ok(()));
        assert_eq!(take(Lane::State, 5, 1), Ok(()), "datagrams come in any order");
        assert!(take(Lane::State, 7, 1).is_err(), "twice");
        assert!(take(Lane::Control, 3, 1).is_err(), "a hole");
        assert!(take(Lane::State, 8, 0).is_err(), "the handshake's epoch");
        assert!(monitor.on_taken(Lane::State, &packet(9, 1), true).is_err(), "altered");
    }

    #[test]
    fn an_epoch_that_has_passed_is_taken_for_a_while_on_datagram_lanes() {
        let mut monitor = Monitor::default();
        let mut take = |lane, sequence, epoch| monitor.on_taken(lane, &packet(sequence, epoch), false);
        assert_eq!(take(Lane::Replication, 1, 4), Ok(()));
        assert_eq!(take(Lane::State, 1, 4), Ok(()));
        assert_eq!(take(Lane::State, 1, 5), Ok(()));
        assert_eq!(take(Lane::Replication, 2, 4), Ok(()), "lanes go over one by one");
        assert_eq!(take(Lane::Replication, 1, 5), Ok(()));
        assert!(take(Lane::Replication, 3, 4).is_err(), "and reliable ones never back");
        assert_eq!(take(Lane::State, 2, 4), Ok(()), "late, once");
        assert!(take(Lane::State, 2, 4).is_err());
        assert_eq!(take(Lane::State, 1024, 5), Ok(()));
        assert!(take(Lane::State, 3, 4).is_err(), "too late");
        assert_eq!(take(Lane::State, 1, 6), Ok(()));
        assert!(take(Lane::State, 4, 4).is_err(), "two epochs ago");
        assert!(take(Lane::Input, 1, 3).is_err(), "before this link");
    }
}
