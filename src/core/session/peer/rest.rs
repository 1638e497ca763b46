//! Away and back: what a peer keeps while nobody is there or its link is lost, and how it comes back.
//!
//! The replica, our slot, the numbering of inputs and the clock stay as they are; a link does not. The application sees
//! [`PeerState::Away`], [`PeerState::Resuming`] and [`PeerState::Live`] again, or the end of the session. The driver
//! asks [`Peer::wants_link`], brings a new link up and calls [`Peer::reconnect`]; how often it tries is its affair.

use crate::types::{Lane, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{Capability, Message, SessionControl, SessionHello, WireEnum};

use super::super::closing::Closing;
use super::super::courier::Courier;
use super::super::handshake::Agreement;
use super::super::heart::Heart;
use super::super::io::PeerState;
use super::Peer;

/// Whether somebody is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Yes, or the session has only begun.
    #[default]
    Present,
    /// No, or there is no link.
    Away,
    /// Yes again: the host has been told, or is being looked for.
    Resuming,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub phase: Phase,
    /// The application said that nobody is there: nothing is tried meanwhile.
    is_suspended: bool,
    /// There is no link, and none is being brought up.
    is_without_link: bool,
    /// Finds our place again; empty where that was not agreed.
    pub token: Vec<u8>,
    /// For how long the host keeps our place, milliseconds.
    pub grace_ms: u32,
    /// The level is up; it stays up over a lost link.
    pub has_loaded: bool,
    /// What the last link agreed on.
    agreed: Option<Agreement>,
    /// The newest epoch of the last link.
    epoch: u16,
    /// When to stop looking for the host.
    give_up_at: Option<Time>,
    /// Why the last link ended.
    lost: Option<Closing>,
}

impl Rest {
    pub const fn next_wake(&self) -> Option<Time> {
        self.give_up_at
    }

    pub const fn is_without_link(&self) -> bool {
        self.is_without_link
    }
}

impl Peer {
    /// Nobody is there any more (a headset was taken off, the application goes to sleep): the host keeps our place for a
    /// while and sends nothing meanwhile. False, and nothing happens, where that was not agreed on or there is no session.
    pub fn suspend(&mut self, now: Time) -> bool {
        if self.rest.token.is_empty() || self.state == PeerState::Closed {
            return false;
        }
        if !self.rest.is_suspended {
            self.rest.is_suspended = true;
            self.rest.give_up_at = None;
            if self.state >= PeerState::Admitted {
                let away = SessionControl::Away { peer: self.slot, grace_ms: 0 };
                self.send(Lane::Control, &Message::SessionControl(away));
            }
            self.rest_in(Phase::Away);
            self.flush(now);
        }
        true
    }

    /// Somebody is there again. Without effect unless the session was suspended.
    pub fn resume(&mut self, now: Time) {
        if !self.rest.is_suspended || self.state == PeerState::Closed {
            return;
        }
        self.rest.is_suspended = false;
        if !self.rest.is_without_link && self.state >= PeerState::Admitted && self.heart.is_idle(now) {
            // We slept longer than a link lives without a word.
            self.fail(now, &Closing::new(DisconnectCode::IdleTimeout));
        } else if self.rest.is_without_link {
            self.rest.give_up_at = Some(now.plus_ms(self.patience_ms()));
        } else if self.state >= PeerState::Admitted {
            let back = SessionControl::Back { peer: self.slot };
            self.send(Lane::Control, &Message::SessionControl(back));
            // Before the world was here, nothing that follows would say that we are back.
            let waits = matches!(self.state, PeerState::Live);
            self.rest_in(if waits { Phase::Resuming } else { Phase::Present });
        } else {
            self.rest_in(Phase::Resuming);
        }
        self.flush(now);
    }

    /// True when the session is waiting for a new link: see [`Peer::reconnect`].
    #[must_use]
    pub const fn wants_link(&self) -> bool {
        self.rest.is_without_link && !self.rest.is_suspended
    }

    /// Leaves the link there is, if there is one, for a new one, whose `Opened` comes next. Whatever the old one still
    /// reports must not be handed in any more. False, and nothing happens, where there is nothing to resume.
    pub fn reconnect(&mut self, now: Time) -> bool {
        if self.rest.token.is_empty() || self.state == PeerState::Closed {
            return false;
        }
        if !self.rest.is_without_link {
            self.leave_link();
            self.rest.give_up_at = Some(now.plus_ms(self.patience_ms()));
        }
        self.rest.is_without_link = false;
        self.rest_in(Phase::Resuming);
        self.deadline = now.plus_ms(self.config.handshake_timeout_ms);
        self.heart = Heart::new(now, self.config.idle_timeout_ms);
        true
    }

    /// The token that finds our place now; empty where resuming was not agreed on.
    #[must_use]
    pub fn resume_token(&self) -> &[u8] {
        &self.rest.token
    }

    /// What a hello says of where we come from.
    pub(super) fn introduce(&self, hello: &mut SessionHello) {
        if self.rest.agreed.is_some() {
            hello.resume_token.clone_from(&self.rest.token);
            hello.last_tick = self.replica.newest_complete();
        }
    }

    /// Whoever takes our token back must be the same host, in a later epoch.
    pub(super) fn check_resumed(&self, agreement: &Agreement) -> Result<(), Closing> {
        let Some(before) = &self.rest.agreed else { return Ok(()) };
        let same = (before.session_id, before.host_key) == (agreement.session_id, agreement.host_key);
        if !same || agreement.epoch <= self.rest.epoch {
            return Err(Closing::because(DisconnectCode::ResumeRefused, "It is another session"));
        }
        Ok(())
    }

    /// True while this link's handshake is to resume a session.
    pub(super) const fn is_resumed(&self) -> bool {
        self.rest.agreed.is_some()
    }

    /// The link cannot go on: the session waits for another one where it may, and ends where not.
    pub(super) fn fail(&mut self, now: Time, closing: &Closing) {
        if self.rest.token.is_empty() || !may_come_back(closing.code, self.is_resumed()) {
            self.close(closing);
            return;
        }
        self.courier.close(closing);
        self.flush(now);
        self.leave_link();
        self.rest.lost = Some(closing.clone());
        if !self.rest.is_suspended && self.rest.give_up_at.is_none() {
            self.rest.give_up_at = Some(now.plus_ms(self.patience_ms()));
        }
        self.rest_in(Phase::Away);
    }

    /// For how long a lost link is looked for. The host keeps the place from when it notices the loss, which may be a
    /// whole idle timeout after we did.
    const fn patience_ms(&self) -> u64 {
        match self.config.resume_timeout_ms {
            0 => self.rest.grace_ms as u64 + self.config.idle_timeout_ms,
            timeout_ms => timeout_ms,
        }
    }

    /// Forgets everything that belongs to one link.
    fn leave_link(&mut self) {
        if let Some(agreed) = self.agreement.take() {
            // Of an attempt that the host never admitted we know nothing.
            self.rest.epoch = self.rest.epoch.max(self.courier.epoch_in());
            self.rest.agreed = Some(agreed);
        }
        self.rest.is_without_link = true;
        self.state = PeerState::Connecting;
        self.courier = Courier::new(self.courier.take_compressor());
        self.courier.set_mutants(self.mutants);
        self.binding = None;
        self.replication_open = false;
        self.sync.leave_link();
    }

    /// Looked for the host for long enough.
    pub(super) fn give_up_looking(&mut self, now: Time) {
        if self.rest.is_without_link && self.rest.give_up_at.is_some_and(|at| now >= at) {
            let lost = self.rest.lost.take();
            self.end(&lost.unwrap_or_else(|| Closing::new(DisconnectCode::LinkLost)));
        }
    }

    /// Nobody is there although the link is up again: the host is told that, too.
    pub(super) fn stay_away(&mut self) {
        if self.rest.is_suspended {
            let away = SessionControl::Away { peer: self.slot, grace_ms: 0 };
            self.send(Lane::Control, &Message::SessionControl(away));
        }
    }

    /// Deltas flow (again).
    pub(super) fn is_here_again(&mut self) {
        self.rest.give_up_at = None;
        if self.rest.phase == Phase::Resuming {
            self.rest.phase = Phase::Present;
        }
        if self.state == PeerState::Live {
            self.report();
        } else {
            self.enter(PeerState::Live);
        }
    }

    pub(super) fn rest_in(&mut self, phase: Phase) {
        self.rest.phase = phase;
        self.report();
    }
}

impl Agreement {
    /// True when a lost link may be resumed.
    #[must_use]
    pub fn may_resume(&self) -> bool {
        self.capabilities & Capability::Resume.bit() != 0
    }
}

/// A link that ends like this says nothing of the session; an attempt to come back may also meet a host that is busy, or
/// another attempt of our own.
const fn may_come_back(code: DisconnectCode, is_attempt: bool) -> bool {
    match code {
        DisconnectCode::LinkLost | DisconnectCode::IdleTimeout => true,
        DisconnectCode::HandshakeTimeout
        | DisconnectCode::TooManyHandshakes
        | DisconnectCode::EpochFenced => is_attempt,
        _ => false,
    }
}
