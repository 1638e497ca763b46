//! What the host says on control besides state: admission, the roster, refusals, endings.

use crate::types::{Lane, PeerId, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::limits::MAX_ROSTER;
use crate::wire::message::{Admitted, MessageType, Refusal, RosterPeer, SessionControl};

use super::super::closing::Closing;
use super::super::handshake::Agreement;
use super::super::io::{PeerEvent, PeerInfo, PeerState};
use super::super::keys::{refusal_statement, verify};
use super::rest::Phase;
use super::{Peer, closing_of, unexpected};

impl Peer {
    pub(super) fn control(&mut self, now: Time, lane: Lane, control: SessionControl) -> Result<(), Closing> {
        if (lane == Lane::Replication) != matches!(control, SessionControl::ArchetypeDefinitions(_)) {
            return Err(Closing::misplaced(MessageType::SessionControl, lane));
        }
        match control {
            SessionControl::Admitted(admitted) if self.state == PeerState::Handshake && self.is_resumed() => {
                self.welcomed_back(&admitted)
            }
            SessionControl::Admitted(admitted) if self.state == PeerState::Handshake => {
                if self.agreement.as_ref().is_some_and(Agreement::may_resume) {
                    self.rest.token = admitted.resume_token;
                    self.rest.grace_ms = admitted.resume_grace_ms;
                }
                self.slot = admitted.peer;
                self.role = admitted.role;
                self.enter(PeerState::Admitted);
                let tick_rate_hz = self.agreement.as_ref().map_or(0, |agreement| agreement.tick_rate_hz);
                self.event(PeerEvent::Admitted {
                    peer: admitted.peer,
                    role: admitted.role,
                    tick_rate_hz,
                    application: admitted.application,
                    resume_grace_ms: self.rest.grace_ms,
                });
                if !self.config.manual_loaded {
                    self.loaded();
                }
                Ok(())
            }
            // The host's own words come before it closes the transport, which carries only a code and a line.
            SessionControl::Denied(ending) | SessionControl::Kick(ending) | SessionControl::Close(ending) => {
                Err(closing_of(&ending))
            }
            _ if self.state < PeerState::Admitted => Err(unexpected(MessageType::SessionControl)),
            SessionControl::PeerJoined(peer) => self.joined(peer),
            SessionControl::PeerLeft { peer, code } => {
                self.left(peer, code);
                Ok(())
            }
            SessionControl::Away { peer, grace_ms } => {
                self.set_away(peer, true, grace_ms);
                Ok(())
            }
            SessionControl::Back { peer } => {
                self.set_away(peer, false, 0);
                Ok(())
            }
            SessionControl::ResumeToken(token) if self.rest.phase == Phase::Present => {
                self.rest.token = token;
                Ok(())
            }
            SessionControl::Refusal(refusal) => self.refused(&refusal),
            SessionControl::RequestHashDetails(request) => {
                self.hash_details(&request);
                Ok(())
            }
            SessionControl::ArchetypeDefinitions(definitions) => self.archetypes(&definitions),
            SessionControl::EpochChange { epoch } => {
                self.courier.epoch_announced(epoch)?;
                if epoch > self.courier.epoch_out() {
                    self.follow_epoch(now, epoch);
                }
                Ok(())
            }
            _ => Err(unexpected(MessageType::SessionControl)),
        }
    }

    /// The host has found our place again.
    fn welcomed_back(&mut self, admitted: &Admitted) -> Result<(), Closing> {
        if (admitted.peer, admitted.role) != (self.slot, self.role) {
            return Err(Closing::because(DisconnectCode::ResumeRefused, "It is another place"));
        }
        self.rest.token.clone_from(&admitted.resume_token);
        self.rest.grace_ms = admitted.resume_grace_ms;
        self.enter(PeerState::Admitted);
        if self.rest.has_loaded {
            self.loaded();
        } else {
            // The application had not loaded its level yet: it does that now.
            self.rest_in(Phase::Present);
        }
        self.stay_away();
        Ok(())
    }

    /// Who is there is told anew after a lost link: what is known already is no news.
    fn joined(&mut self, peer: RosterPeer) -> Result<(), Closing> {
        let (is_away, info) = (peer.away, info_of(peer));
        let slot = info.peer;
        if self.roster.get(&slot).is_none_or(|(known, _)| *known != info) {
            self.left(slot, DisconnectCode::Left);
            if self.roster.len() >= MAX_ROSTER {
                return Err(Closing::because(DisconnectCode::LimitExceeded, "too many members"));
            }
            self.roster.insert(slot, (info.clone(), false));
            self.event(PeerEvent::PeerJoined(info));
        }
        self.set_away(slot, is_away, 0);
        Ok(())
    }

    fn left(&mut self, peer: PeerId, code: DisconnectCode) {
        if self.roster.remove(&peer).is_some() {
            self.event(PeerEvent::PeerLeft { peer, code, reason: code.sentence().to_owned() });
        }
    }

    fn set_away(&mut self, peer: PeerId, is_away: bool, grace_ms: u32) {
        if let Some((_, known)) = self.roster.get_mut(&peer)
            && *known != is_away
        {
            *known = is_away;
            self.event(if is_away {
                PeerEvent::PeerAway { peer, grace_ms }
            } else {
                PeerEvent::PeerBack(peer)
            });
        }
    }

    fn refused(&mut self, refusal: &Refusal) -> Result<(), Closing> {
        let Some(agreement) = &self.agreement else { return Ok(()) };
        if !verify(
            &agreement.host_key,
            &refusal_statement(refusal, &agreement.session_id),
            &refusal.signature,
        ) {
            return Err(Closing::because(
                DisconnectCode::BadHostProof,
                "a refusal that the host did not sign",
            ));
        }
        self.event(PeerEvent::Refused { reason: refusal.reason, text: refusal.text.clone() });
        Ok(())
    }
}

fn info_of(peer: RosterPeer) -> PeerInfo {
    PeerInfo { peer: peer.peer, role: peer.role, name: peer.name, identity_key: peer.key }
}
