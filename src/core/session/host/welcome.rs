//! How a link becomes a member: hello, confirmation, a place, admission.

use crate::mutants::Mutant;
use std::collections::btree_map::Entry;

use crate::types::{Lane, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::envelope::RawMessage;
use crate::wire::message::{
    Admitted, Capability, CompressionKind, Message, MessageType, Role, SessionControl, WireEnum,
};

use super::super::closing::Closing;
use super::super::handshake::{Gate, Grant, answer_hello, check_confirm, check_proof};
use super::super::heart::Heart;
use super::super::io::{HostEvent, PeerInfo};
use super::link::{HostLink, Stage};
use super::seats::Seat;
use super::{Announcement, Common};

impl HostLink {
    pub(super) fn hello(
        &mut self,
        common: &mut Common,
        lane: Lane,
        raw: RawMessage<'_>,
    ) -> Result<(), Closing> {
        let binding = self.binding;
        let (MessageType::SessionHello, Lane::Control, Some(binding)) = (raw.message_type, lane, binding)
        else {
            return Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "the first message is SessionHello",
            ));
        };
        let Message::SessionHello(hello) = raw.decode().map_err(|error| Closing::from_message(&error))?
        else {
            return Err(Closing::new(DisconnectCode::ProtocolViolation));
        };
        // A member that comes back takes its own place, once it has proved to be that member.
        if common.free_slot().is_none() && !common.is_seated(&hello.client_key) {
            return Err(Closing::new(DisconnectCode::ServerFull));
        }
        let (claim, epoch) = if hello.resume_token.is_empty() {
            (None, 1)
        } else {
            let claim = common.claim(&hello.resume_token, &hello.client_key, hello.last_tick)?;
            (Some(claim), common.next_epoch(&claim)?)
        };
        let nonce = common.entropy.draw();
        let binding = binding.for_transcript(common.mutants);
        let (offer, acknowledge) =
            answer_hello(epoch, &common.terms, &common.schema, raw.body, &hello, &binding, nonce)?;
        if offer.needs_manifest && common.manifest.is_none() {
            let detail = "The components differ, and those of the host are too many to be told";
            return Err(Closing::because(DisconnectCode::SchemaMismatch, detail));
        }
        self.needs_manifest = offer.needs_manifest;
        if claim.is_some() && offer.agreement.capabilities & Capability::Resume.bit() == 0 {
            return Err(Closing::because(DisconnectCode::ResumeRefused, "The capability was not asked for"));
        }
        self.stage = Stage::AwaitConfirm { offer: Box::new(offer), claim };
        self.send(common, Lane::Control, &Message::SessionAcknowledge(acknowledge));
        Ok(())
    }

    pub(super) fn confirm(
        &mut self,
        common: &mut Common,
        lane: Lane,
        raw: RawMessage<'_>,
    ) -> Result<(), Closing> {
        let (MessageType::SessionConfirm, Lane::Control) = (raw.message_type, lane) else {
            return Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "the second message is SessionConfirm",
            ));
        };
        let Message::SessionConfirm(confirm) = raw.decode().map_err(|error| Closing::from_message(&error))?
        else {
            return Err(Closing::new(DisconnectCode::ProtocolViolation));
        };
        let Stage::AwaitConfirm { offer, claim } = core::mem::replace(&mut self.stage, Stage::AwaitHello)
        else {
            return Err(Closing::new(DisconnectCode::ProtocolViolation));
        };
        let granted = if claim.is_some() {
            // Who comes back was let in before, and has the role it had; its key is proved anew.
            let is_skipped = common.mutants.active(Mutant::ResumeWithoutProof);
            check_proof(&offer, &confirm, common.mutants)
                .or_else(|error| if is_skipped { Ok(()) } else { Err(error) })?;
            Grant::of(Role::Viewer)
        } else {
            let mut gate = Gate {
                door: common.config.door,
                bearer: common.config.bearer,
                is_loopback: self.is_loopback,
                now_unix_s: common.now_unix_s,
                state: &mut common.admission,
                mutants: common.mutants,
            };
            check_confirm(&common.terms, &offer, &confirm, &mut gate)?
        };
        if let Some(invite) = granted.invite.filter(|invite| invite.is_new) {
            common.event(HostEvent::InviteBound { invite: invite.id, key: offer.client_key });
        }
        self.may_resume = offer.agreement.capabilities & Capability::Resume.bit() != 0;
        let compress = offer.agreement.compression != CompressionKind::None;
        self.courier.agree_outgoing(offer.agreement.epoch, common.schema.hash(), compress);
        self.courier.agree_incoming(offer.agreement.epoch, common.schema.hash());
        common.announcements.push_back(Announcement::Proved { key: offer.client_key, link: self.id });
        self.stage = Stage::AwaitPlace { granted, offer, claim };
        Ok(())
    }

    /// Gives a client that has proved itself a slot, if there is one, and asks the application.
    pub(super) fn take_place(&mut self, common: &mut Common, now: Time) {
        let Stage::AwaitPlace { granted, offer, .. } = core::mem::replace(&mut self.stage, Stage::AwaitHello)
        else {
            return;
        };
        let Some(peer) = common.free_slot() else {
            self.close(common, &Closing::new(DisconnectCode::ServerFull));
            return;
        };
        common.slots.insert(peer, Seat::new(self.id, offer.client_key, offer.agreement.epoch));
        let Grant { role, bearer, .. } = granted;
        let info = PeerInfo { peer, role, name: offer.client_name, identity_key: offer.client_key };
        let has_bearer = bearer.is_some();
        self.stage = Stage::AwaitAdmission { granted: role, info: info.clone(), has_bearer };
        if common.config.manual_admission || has_bearer {
            common.event(HostEvent::JoinRequest { info, application: offer.application, bearer });
        } else {
            self.admit(common, now, None, &[]);
        }
    }

    /// Lets the peer in, with at most the role its ticket grants.
    pub(super) fn admit(&mut self, common: &mut Common, now: Time, role: Option<Role>, application: &[u8]) {
        // The peer may have left while the application thought about it, or be in already.
        let Stage::AwaitAdmission { granted, info, .. } = &self.stage else { return };
        let (granted, info) = (*granted, info.clone());
        let info = PeerInfo { role: role.map_or(granted, |role| role.min(granted)), ..info };
        let (mut resume_token, mut resume_grace_ms) = (Vec::new(), 0);
        if let Some(seat) = common.slots.get_mut(&info.peer) {
            seat.member = Some(info.clone());
            common.departed.remove(&info.peer);
            if self.may_resume {
                resume_token = common.entropy.draw().to_vec();
                resume_grace_ms = common.config.grace_ms();
                seat.hand_over(None, &resume_token);
            }
        }
        let admitted = Admitted {
            peer: info.peer,
            role: info.role,
            tick_rate_hz: common.terms.tick_rate_hz,
            application: application.to_vec(),
            resume_token,
            host_time_us: common.newest_sealed_at.0,
            host_tick: common.newest_tick,
            resume_grace_ms,
            ..Admitted::default()
        };
        self.leave_half_open(common);
        self.heart = Heart::new(now, common.config.idle_timeout_ms);
        self.stage = Stage::Loading(info.clone());
        self.send(common, Lane::Control, &Message::SessionControl(SessionControl::Admitted(admitted)));
        if self.needs_manifest {
            self.send_manifest(common, &[]);
        }
        self.courier.open_lane(Lane::Replication);
        common.event(HostEvent::PeerJoined(info.clone()));
        common.announcements.push_back(Announcement::Joined(info));
    }

    pub(super) fn leave_half_open(&mut self, common: &mut Common) {
        if core::mem::take(&mut self.half_open) {
            common.half_open -= 1;
            if let Some(source) = self.source
                && let Entry::Occupied(mut there) = common.half_open_sources.entry(source)
            {
                *there.get_mut() -= 1;
                if *there.get() == 0 {
                    there.remove();
                }
            }
        }
    }
}
