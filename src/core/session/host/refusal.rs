//! Refusals: what a member may not say is answered with a signed reason, never silently and never without limit.

use crate::mutants::Mutant;
use crate::types::{Lane, Time};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::limits::{MAX_REFUSALS_PER_S, MAX_REFUSED_MESSAGES};
use crate::wire::message::{Message, MessageType, Refusal, SessionControl};

use super::super::closing::Closing;
use super::super::keys::refusal_statement;
use super::super::rate::Window;
use super::Common;
use super::link::HostLink;

/// What one link was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusals {
    answered: Window,
    total: u32,
}

impl Refusals {
    pub const fn new(now: Time) -> Self {
        Self { answered: Window::starting(now), total: 0 }
    }
}

impl HostLink {
    /// Answers a message that is not acted on with a signed reason; never silently, never without limit. Who goes on
    /// sending what its role forbids or the host does not offer loses its session.
    pub(super) fn refuse(
        &mut self,
        common: &mut Common,
        now: Time,
        lane: Lane,
        sequence: u32,
        message_type: MessageType,
        reason: RefusalReason,
    ) -> Result<(), Closing> {
        // What is only too much or too early for the moment does not count: in a long session that adds up.
        let is_wrong = matches!(reason, RefusalReason::RoleForbids | RefusalReason::NotGranted);
        self.refusals.total += u32::from(is_wrong);
        if self.refusals.total > MAX_REFUSED_MESSAGES && !common.mutants.active(Mutant::TolerateForbidden) {
            return Err(Closing::new(DisconnectCode::MessageForbidden));
        }
        if self.refusals.answered.count(now, 1_000_000) <= MAX_REFUSALS_PER_S {
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
        Ok(())
    }
}
