//! One link's part in going away and coming back: what stops, what is kept, and how another connection takes over.

use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::message::{Admitted, Message, MessageType, SessionControl};

use super::super::closing::Closing;
use super::super::heart::Heart;
use super::super::io::HostEvent;
use super::link::{HostLink, Stage};
use super::seats::{Parked, key_of};
use super::{Announcement, Common, closing, ending};

/// Times a member may go away or come back within [`AWAY_WINDOW_US`]; every one is told to all others.
const MAX_AWAY_CHANGES: u32 = 16;
const AWAY_WINDOW_US: u64 = 10_000_000;

impl HostLink {
    /// The member says that it is away, or back.
    pub(super) fn away_or_back(
        &mut self,
        common: &mut Common,
        now: Time,
        sequence: u32,
        is_away: bool,
    ) -> Result<(), Closing> {
        let Some(peer) = self.peer().filter(|_| self.may_resume) else {
            // A headset taken off keeps its place only where the session can be resumed.
            let message_type = MessageType::SessionControl;
            let reason = RefusalReason::NotGranted;
            return self.refuse(common, now, Lane::Control, sequence, message_type, reason);
        };
        if is_away == self.is_away {
            return Ok(());
        }
        if self.away_changes.count(now, AWAY_WINDOW_US) > MAX_AWAY_CHANGES {
            return Err(Closing::because(DisconnectCode::RateLimited, "Away and back without end"));
        }
        self.is_away = is_away;
        if is_away {
            self.sync.pause();
            common.replication.freeze(key_of(peer));
            common.set_away(peer);
            return Ok(());
        }
        common.set_back(peer);
        if self.is_playing() { self.go_on(common) } else { Ok(()) }
    }

    /// What the member is sent from now on: what changed since it was last known to hold something, or everything.
    pub(super) fn go_on(&mut self, common: &mut Common) -> Result<(), Closing> {
        let (sync, _) = self.sync();
        if sync.is_live() {
            if common.replication.thaw(self.key()) {
                if let Some(peer) = self.peer() {
                    common.event(HostEvent::PeerLive(peer));
                }
                return Ok(());
            }
            self.sync().0.begin_anew();
        } else if sync.is_joining() {
            // The join snapshot is on its way on this very link.
            common.replication.thaw(self.key());
            return Ok(());
        }
        self.begin_join(common)
    }

    /// The connection is lost: the seat stays for the grace window.
    pub(super) fn park(&mut self, common: &mut Common, peer: PeerId) {
        self.sync.park();
        let parked = Parked { sync: core::mem::take(&mut self.sync), inputs: self.inputs };
        common.replication.freeze(key_of(peer));
        if let Some(seat) = common.slots.get_mut(&peer) {
            seat.link = None;
            seat.parked = Some(Box::new(parked));
        }
    }

    /// A newer connection of the same member has proved itself: this one ends, and leaves the seat to it.
    pub fn surrender(&mut self, common: &mut Common) {
        let words = SessionControl::Close(ending(DisconnectCode::Replaced, ""));
        self.send(common, Lane::Control, &Message::SessionControl(words));
        if let Some(peer) = self.member_info().map(|member| member.peer) {
            self.park(common, peer);
        }
        self.stage = Stage::Ended;
        self.courier.close(&closing(DisconnectCode::Replaced, ""));
    }

    /// Takes a seat that was found by its token, with a proved key: slot, role and what the peer holds go on.
    pub fn take_over(&mut self, common: &mut Common, now: Time) {
        let Stage::AwaitPlace { offer, claim: Some(claim), .. } =
            core::mem::replace(&mut self.stage, Stage::AwaitHello)
        else {
            return;
        };
        let token = common.entropy.draw();
        let Some(seat) = common.slots.get_mut(&claim.peer) else { return };
        let Some(info) = seat.member.clone() else { return };
        seat.link = Some(self.id);
        seat.epoch = offer.agreement.epoch;
        seat.hand_over(Some(claim.token), &token);
        let parked = seat.parked.take().unwrap_or_default();
        (self.sync, self.inputs) = (parked.sync, parked.inputs);
        if claim.last_tick == Tick::ZERO {
            // It says that it holds nothing.
            self.sync.begin_anew();
        }
        self.leave_half_open(common);
        self.heart = Heart::new(now, common.config.idle_timeout_ms);
        self.token_pending = true;
        let admitted = Admitted {
            peer: info.peer,
            role: info.role,
            tick_rate_hz: common.terms.tick_rate_hz,
            resume_token: token.to_vec(),
            host_time_us: common.newest_sealed_at.0,
            host_tick: common.newest_tick,
            resume_grace_ms: common.config.grace_ms(),
            ..Admitted::default()
        };
        self.stage = Stage::Loading(info);
        self.send(common, Lane::Control, &Message::SessionControl(SessionControl::Admitted(admitted)));
        self.courier.open_lane(Lane::Replication);
        if self.needs_manifest {
            self.send_manifest(common, &[]);
        }
        common.set_back(claim.peer);
        common.announcements.push_back(Announcement::Resumed(claim.peer));
    }
}
