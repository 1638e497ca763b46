//! What the host says on control besides state: admission, the roster, refusals, endings.

use crate::types::Lane;
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{MessageType, Refusal, RosterPeer, SessionControl};

use super::super::closing::Closing;
use super::super::io::{PeerEvent, PeerInfo, PeerState};
use super::super::keys::{refusal_statement, verify};
use super::{Peer, closing_of, unexpected};

impl Peer {
    pub(super) fn control(&mut self, lane: Lane, control: SessionControl) -> Result<(), Closing> {
        if (lane == Lane::Replication) != matches!(control, SessionControl::ArchetypeDefinitions(_)) {
            return Err(Closing::misplaced(MessageType::SessionControl, lane));
        }
        match control {
            SessionControl::Admitted(admitted) if self.state == PeerState::Handshake => {
                self.slot = admitted.peer;
                self.role = admitted.role;
                self.enter(PeerState::Admitted);
                let tick_rate_hz = self.agreement.as_ref().map_or(0, |agreement| agreement.tick_rate_hz);
                self.event(PeerEvent::Admitted {
                    peer: admitted.peer,
                    role: admitted.role,
                    tick_rate_hz,
                    application: admitted.application,
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
            SessionControl::PeerJoined(peer) => {
                self.event(PeerEvent::PeerJoined(info_of(peer)));
                Ok(())
            }
            SessionControl::PeerLeft { peer, code } => {
                self.event(PeerEvent::PeerLeft { peer, code, reason: code.sentence().to_owned() });
                Ok(())
            }
            SessionControl::Refusal(refusal) => self.refused(&refusal),
            SessionControl::RequestHashDetails(request) => {
                self.hash_details(&request);
                Ok(())
            }
            SessionControl::ArchetypeDefinitions(definitions) => self.archetypes(&definitions),
            _ => Err(unexpected(MessageType::SessionControl)),
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
