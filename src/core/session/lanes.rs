//! What has come in on each lane of one link: sequences, replay windows, and in which session epoch each lane is.
//!
//! The host changes the epoch of a session that lives, and lanes go over one by one: nothing orders a datagram or a
//! stream with another stream. So each lane has its own epoch, which only rises. A reliable lane goes over with
//! sequence 1 of the newer epoch, however late, and never back. A datagram lane takes what is late of the epoch before,
//! each sequence once, until it has seen as many sequences of the newer epoch as a window remembers. No lane takes
//! anything older.

use std::collections::BTreeMap;

use super::closing::Closing;
use crate::mutants::{Mutant, Mutants};
use crate::types::Lane;
use crate::wire::codes::DisconnectCode;
use crate::wire::limits::REPLAY_WINDOW;
use crate::wire::message::LaneCount;
use crate::wire::replay::{Freshness, ReplayWindow};

/// Bulk lanes of one link whose sequences are remembered; the transports let fewer be open at once.
pub(super) const MAX_BULK_LANES: usize = 64;

/// What a packet's place says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not seen before: act on it.
    New,
    /// A datagram that was seen before, or is too old to tell.
    Replayed,
    /// A datagram of an epoch that this lane does not take (any more).
    Foreign,
}

#[derive(Debug, Default)]
struct Incoming {
    epoch: u16,
    window: ReplayWindow,
    received: u32,
    newest: u32,
    /// What was seen of the epoch before, while late datagrams of it are taken.
    before: Option<ReplayWindow>,
}

impl Incoming {
    fn go_over(&mut self, epoch: u16) {
        let follows = self.epoch.checked_add(1) == Some(epoch) && self.newest > 0;
        let before = follows.then(|| core::mem::take(&mut self.window));
        *self = Self { epoch, before, ..Self::default() };
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct IncomingLanes {
    /// The epoch that the handshake agreed on; zero before. None below it is of this link.
    first: u16,
    /// The newest epoch that was announced or seen.
    newest: u16,
    /// The other end may begin the next epoch.
    is_led: bool,
    /// The epoch of the control lane as the other end announced it there; only where it leads.
    announced: u16,
    lanes: BTreeMap<Lane, Incoming>,
    pub mutants: Mutants,
}

impl IncomingLanes {
    /// The handshake agreed on this epoch: sequences begin again. `is_led`: the other end announces the next one.
    pub fn agree(&mut self, epoch: u16, is_led: bool) {
        *self = Self {
            first: epoch,
            newest: epoch,
            is_led,
            announced: epoch,
            mutants: self.mutants,
            ..Self::default()
        };
    }

    /// The newest epoch; zero while the handshake lasts.
    pub const fn epoch(&self) -> u16 {
        self.newest
    }

    /// We announced this epoch: the other end may go over.
    pub fn expect(&mut self, epoch: u16) {
        self.newest = epoch;
    }

    /// The other end announced, on control, that the lane goes over to this epoch behind the announcement.
    ///
    /// # Errors
    /// When it is not the next epoch of that lane.
    pub fn announced(&mut self, epoch: u16) -> Result<(), Closing> {
        if !self.is_led || self.announced.checked_add(1) != Some(epoch) {
            let detail = format!("epoch {epoch} was announced after {}", self.announced);
            return Err(Closing::because(DisconnectCode::ProtocolViolation, detail));
        }
        self.announced = epoch;
        self.newest = self.newest.max(epoch);
        Ok(())
    }

    /// Notes a packet that passed every other check.
    ///
    /// # Errors
    /// On a reliable lane, what is not the next packet of it ends the link; so do too many lanes.
    pub fn accept(&mut self, lane: Lane, epoch: u16, sequence: u32) -> Result<Place, Closing> {
        let is_first = !self.lanes.contains_key(&lane);
        if is_first && matches!(lane, Lane::Bulk(_)) {
            let bulk = self.lanes.keys().filter(|lane| matches!(lane, Lane::Bulk(_))).count();
            if bulk >= MAX_BULK_LANES {
                return Err(Closing::because(DisconnectCode::LimitExceeded, "too many bulk lanes"));
            }
        }
        let foreign = || {
            if lane.is_reliable() {
                Err(Closing::new(DisconnectCode::EpochFenced))
            } else {
                Ok(Place::Foreign)
            }
        };
        if !self.is_of_now(lane, epoch) || (lane == Lane::Control && self.is_led && epoch != self.announced) {
            return foreign();
        }
        if self.newest != 0 {
            self.newest = self.newest.max(epoch);
        }
        let first = self.first;
        let known =
            self.lanes.entry(lane).or_insert_with(|| Incoming { epoch: first, ..Incoming::default() });
        if epoch > known.epoch {
            known.go_over(epoch);
        }
        if lane.is_reliable() {
            if epoch != known.epoch {
                return foreign();
            }
            if sequence != known.newest.wrapping_add(1) && !self.mutants.active(Mutant::AcceptLaneHole) {
                let detail = format!("sequence {sequence} after {}", known.newest);
                return Err(Closing::because(DisconnectCode::BadEnvelope, detail));
            }
        } else if epoch < known.epoch && !self.mutants.active(Mutant::AcceptOldEpoch) {
            let is_before = epoch.checked_add(1) == Some(known.epoch);
            let Some(window) = known.before.as_mut().filter(|_| is_before) else { return foreign() };
            let is_new =
                window.accept(sequence) == Freshness::New || self.mutants.active(Mutant::SkipReplayWindow);
            return Ok(if is_new { Place::New } else { Place::Replayed });
        } else if known.window.accept(sequence) != Freshness::New
            && !self.mutants.active(Mutant::SkipReplayWindow)
        {
            return Ok(Place::Replayed);
        }
        known.received = known.received.wrapping_add(1);
        known.newest = known.newest.max(sequence);
        if known.newest as usize >= REPLAY_WINDOW {
            known.before = None;
        }
        Ok(Place::New)
    }

    /// This link's epochs of now: the newest, the one before it, and the one that the other end may begin. What waits in
    /// a reliable lane may be older; it cannot come twice.
    fn is_of_now(&self, lane: Lane, epoch: u16) -> bool {
        if self.mutants.active(Mutant::AcceptOldEpoch) && epoch < self.newest {
            return true;
        }
        let follows = self.is_led && self.newest != 0 && self.newest.checked_add(1) == Some(epoch);
        let is_late = epoch >= self.first
            && epoch < self.newest
            && (lane.is_reliable() || epoch.checked_add(1) == Some(self.newest));
        epoch == self.newest || is_late || follows
    }

    /// True once the other end's control lane is in the newest epoch: it has heard of it.
    pub fn has_gone_over(&self) -> bool {
        self.lanes.get(&Lane::Control).is_some_and(|control| control.epoch == self.newest)
    }

    /// The highest sequence of any lane in its epoch.
    pub fn highest_sequence(&self) -> u32 {
        self.lanes.values().map(|lane| lane.newest).max().unwrap_or(0)
    }

    /// Packets received by lane, for heartbeats.
    pub fn counts(&self) -> Vec<LaneCount> {
        let counts = self.lanes.iter().filter(|(lane, _)| !matches!(lane, Lane::Bulk(_)));
        counts
            .map(|(lane, incoming)| LaneCount {
                lane: lane.wire_id(),
                received: incoming.received,
                newest: incoming.newest,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(epoch: u16) -> IncomingLanes {
        let mut lanes = IncomingLanes::default();
        lanes.agree(epoch, true);
        lanes
    }

    #[test]
    fn a_datagram_lane_takes_what_is_late_once() {
        let mut lanes = led(3);
        for sequence in [1, 2, 5] {
            assert_eq!(lanes.accept(Lane::State, 3, sequence), Ok(Place::New));
        }
        assert_eq!(lanes.accept(Lane::State, 4, 1), Ok(Place::New), "the first packet announces it");
        assert_eq!(lanes.epoch(), 4);
        assert_eq!(lanes.accept(Lane::State, 3, 4), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::State, 3, 4), Ok(Place::Replayed));
        assert_eq!(lanes.accept(Lane::State, 3, 5), Ok(Place::Replayed), "seen before the change");
        assert_eq!(lanes.accept(Lane::State, 4, 1024), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::State, 3, 6), Ok(Place::Foreign), "too late now");
        assert_eq!(lanes.accept(Lane::State, 5, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::State, 3, 7), Ok(Place::Foreign), "two epochs ago");
        assert_eq!(lanes.accept(Lane::State, 7, 1), Ok(Place::Foreign), "nobody skips one");
    }

    #[test]
    fn a_lane_that_was_quiet_goes_over_too() {
        let mut lanes = led(1);
        assert_eq!(lanes.accept(Lane::State, 1, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::State, 2, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::State, 3, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::Presence, 2, 1), Ok(Place::New), "the one before");
        assert_eq!(lanes.accept(Lane::Presence, 3, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::Input, 1, 1), Ok(Place::Foreign), "older than that");
        assert_eq!(lanes.accept(Lane::Input, 0, 1), Ok(Place::Foreign), "the handshake's");
    }

    #[test]
    fn a_reliable_lane_goes_over_with_its_first_packet_and_never_back() {
        let code = |outcome: Result<Place, Closing>| outcome.map_err(|closing| closing.code);
        let mut lanes = led(3);
        assert_eq!(code(lanes.accept(Lane::Replication, 3, 1)), Ok(Place::New));
        assert_eq!(code(lanes.accept(Lane::Replication, 4, 1)), Ok(Place::New));
        assert_eq!(code(lanes.accept(Lane::Replication, 3, 2)), Err(DisconnectCode::EpochFenced));
        assert_eq!(code(lanes.accept(Lane::Replication, 4, 3)), Err(DisconnectCode::BadEnvelope));
        // The control lane says it first.
        assert_eq!(code(lanes.accept(Lane::Control, 3, 1)), Ok(Place::New));
        assert_eq!(code(lanes.accept(Lane::Control, 4, 1)), Err(DisconnectCode::EpochFenced));
        assert_eq!(lanes.announced(4), Ok(()));
        assert_eq!(code(lanes.accept(Lane::Control, 3, 2)), Err(DisconnectCode::EpochFenced));
        assert_eq!(code(lanes.accept(Lane::Control, 4, 1)), Ok(Place::New));
        assert_eq!(lanes.announced(6).unwrap_err().code, DisconnectCode::ProtocolViolation);
        // A stream that was slow may skip an epoch in which nothing was sent on it, or be behind by two.
        assert_eq!(lanes.announced(5), Ok(()));
        assert_eq!(code(lanes.accept(Lane::Replication, 4, 2)), Ok(Place::New));
        assert_eq!(code(lanes.accept(Lane::Bulk(0), 3, 1)), Ok(Place::New));
        assert_eq!(code(lanes.accept(Lane::Bulk(0), 5, 1)), Ok(Place::New));
        assert_eq!(
            code(lanes.accept(Lane::Bulk(1), 2, 1)),
            Err(DisconnectCode::EpochFenced),
            "not of this link"
        );
    }

    #[test]
    fn who_leads_takes_the_next_epoch_only_when_it_announced_it() {
        let mut lanes = IncomingLanes::default();
        lanes.agree(1, false);
        assert_eq!(lanes.accept(Lane::Input, 1, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::Input, 2, 1), Ok(Place::Foreign));
        lanes.expect(2);
        assert!(!lanes.has_gone_over());
        assert_eq!(lanes.accept(Lane::Input, 1, 2), Ok(Place::New), "it has not heard of it yet");
        assert_eq!(lanes.accept(Lane::Input, 2, 1), Ok(Place::New));
        assert_eq!(lanes.accept(Lane::Control, 2, 1), Ok(Place::New));
        assert!(lanes.has_gone_over());
    }
}
