//! Refusals: what a member may not say is answered with a signed reason, never silently and never without limit.

use crate::types::{Lane, Time};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::message::{Message, MessageType, Refusal, SessionControl};

use super::super::closing::Closing;
use super::super::keys::refusal_statement;
use super::Common;
use super::link::HostLink;

/// Refusals sent to one peer within a second; further ones are counted only.
const MAX_REFUSALS_PER_S: u32 = 4;
/// Forbidden messages after which the sender is no longer mistaken but hostile.
const MAX_FORBIDDEN: u32 = 1000;

/// What one link was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusals {
    in_second: u32,
    since: Time,
    forbidden: u32,
}

impl Refusals {
    pub const fn new(now: Time) -> Self {
        Self { in_second: 0, since: now, forbidden: 0 }
    }
}

impl HostLink {
    pub(super) fn forbid(
        &mut self,
        common: &mut Common,
        now: Time,
        lane: Lane,
        sequence: u32,
        message: MessageType,
    ) -> Result<(), Closing> {
        self.refusals.forbidden += 1;
        if self.refusals.forbidden > MAX_FORBIDDEN {
            return Err(Closing::new(DisconnectCode::MessageForbidden));
        }
        self.refuse(common, now, lane, sequence, message, RefusalReason::RoleForbids);
        Ok(())
    }

    /// Answers a message that is not acted on with a signed reason; never silently, never without limit.
    pub(super) fn refuse(
        &mut self,
        common: &mut Common,
        now: Time,
        lane: Lane,
        sequence: u32,
        message_type: MessageType,
        reason: RefusalReason,
    ) {
        if now.since_us(self.refusals.since) >= 1_000_000 {
            self.refusals.since = now;
            self.refusals.in_second = 0;
        }
        self.refusals.in_second += 1;
        if self.refusals.in_second <= MAX_REFUSALS_PER_S {
            let mut refusal = Refusal {
                message_type,
                command_type: 0,
                reason,
                lane: lane.wire_id(),
                sequence,
                text: format!("{} {}", reason.sentence(), reason.hint()),
                signature: [0; 64],
            };
            refusal.signature =
                common.terms.identity.sign(&refusal_statement(&refusal, &common.terms.session_id));
            self.send(common, Lane::Control, &Message::SessionControl(SessionControl::Refusal(refusal)));
        }
    }
}
