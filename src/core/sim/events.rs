//! What the machines report, and what of it must not be.

use std::hash::Hasher;
use std::sync::Arc;

use super::network::End;
use super::run::{Player, Simulation};
use crate::session::{HostCommand, HostEvent, Peer, PeerEvent, PeerOutput, PeerState};
use crate::types::PeerId;
use crate::wire::codes::DisconnectCode;
use crate::wire::message::Role;

impl Simulation {
    pub(super) fn player_of(&mut self, slot: PeerId) -> Option<usize> {
        self.players.iter().position(|player| player.slot == Some(slot))
    }

    /// The slot's link is one that this player has opened.
    fn came_itself(&self, index: usize, slot: PeerId) -> bool {
        self.players[index].links.iter().any(|link| self.host.peer_of(*link) == Some(slot))
    }

    pub(super) fn host_event(&mut self, event: HostEvent) {
        self.note(&event);
        match event {
            HostEvent::JoinRequest { info, .. } => {
                self.count("event join request");
                // Not at the end: a refused peer comes back after a while, and everybody must be in by then.
                let is_early = self.tick.0 < self.plan.heal_tick;
                let is_honest = !self.is_attackers(info.peer, Some(info.identity_key));
                if is_early && is_honest && self.rng.chance_ppm(80_000) {
                    let key = info.identity_key;
                    if let Some(player) =
                        self.players.iter_mut().find(|player| player.identity.public_key() == key)
                    {
                        player.may_end = true;
                    }
                    self.host
                        .command(self.now, HostCommand::Deny { peer: info.peer, reason: "not today".into() });
                    self.count("incident denied");
                } else {
                    let command =
                        HostCommand::Admit { peer: info.peer, role: info.role, application: vec![1, 2, 3] };
                    self.host.command(self.now, command);
                }
            }
            HostEvent::InviteBound { .. } => self.count("event invite bound"),
            HostEvent::PeerJoined(info) => {
                self.count("event peer joined");
                let found =
                    self.players.iter().position(|player| player.identity.public_key() == info.identity_key);
                match found {
                    // Its own link, or one that was its own until a moment ago.
                    Some(index) if !self.came_itself(index, info.peer) => {
                        self.violate(format!("somebody joined under the key of peer {index}"));
                    }
                    Some(index) if self.players[index].role == info.role => {
                        // On a link that it has left meanwhile it is nobody's place.
                        if self.host.peer_of(self.players[index].link) == Some(info.peer) {
                            self.players[index].slot = Some(info.peer);
                            self.players[index].checker.corrupted = false;
                            self.players[index].newest_input = 0;
                        }
                    }
                    Some(_) => self.violate(format!("{:?} joined with role {:?}", info.peer, info.role)),
                    None if self.is_attackers(info.peer, Some(info.identity_key)) => {}
                    None => self.violate(format!("{:?} joined with a key nobody has", info.peer)),
                }
            }
            HostEvent::PeerLive(_) => self.count("event peer live"),
            HostEvent::PeerLeft { peer, code, .. } => {
                self.count(format!("left {code:?}"));
                if let Some(index) = self.player_of(peer) {
                    self.players[index].slot = None;
                    // The old link of a peer that crashed and came back ends when the new one proves itself.
                    let is_old = code == DisconnectCode::Replaced;
                    if !self.players[index].may_end && !is_old {
                        self.violate(format!("{peer:?} left without a cause: {code:?}"));
                    }
                }
            }
            HostEvent::PeerAway { .. } => self.count("event peer away"),
            HostEvent::PeerBack(_) => self.count("event peer back"),
            HostEvent::HandshakeFailed { code, .. } => self.count(format!("handshake failed {code:?}")),
            HostEvent::Input { peer, sample } => {
                self.count("event input");
                if let Some(index) = self.player_of(peer) {
                    self.players[index].inputs += 1;
                    let newest = core::mem::replace(&mut self.players[index].newest_input, sample.buttons);
                    if sample.buttons <= newest {
                        self.violate(format!("{peer:?}'s input of {} came after {newest}", sample.buttons));
                    }
                    if !self.came_itself(index, peer) {
                        self.violate(format!("{peer:?}'s input came over a link that is not its own"));
                    }
                    if self.players[index].role == Role::Viewer {
                        self.violate("a viewer's input was acted on".into());
                    }
                }
            }
            HostEvent::Diverged { peer, .. } => {
                self.count("event diverged");
                let is_told = self.player_of(peer).is_some_and(|index| self.players[index].checker.corrupted);
                if !is_told && !self.is_attackers(peer, None) {
                    self.violate(format!("{peer:?} diverged without injected corruption"));
                }
            }
            HostEvent::Repaired { peer, .. } => {
                self.count("event repaired");
                self.outcome.repairs += u64::from(!self.is_attackers(peer, None));
                if let Some(index) = self.player_of(peer) {
                    self.players[index].checker.corrupted = false;
                }
            }
            HostEvent::Confirmed { peer, tick } => {
                self.count("event confirmed");
                if let Some(index) = self.player_of(peer)
                    && let Err(text) = self.players[index].checker.on_confirmed(tick)
                {
                    self.violate(text);
                }
            }
        }
    }

    pub(super) fn drain_player(&mut self, index: usize) {
        let link = self.players[index].link;
        // The events of one frame follow it; the roster is compared once they are all in.
        let mut newest = None;
        while let Some(output) = self.players[index].machine.as_mut().and_then(Peer::poll_output) {
            match output {
                PeerOutput::Link(output) => self.transmit(link, End::Host, output),
                PeerOutput::Event(event) => {
                    let outcome = self.player_event(index, event, &mut newest);
                    if let Err(text) = outcome {
                        self.violate(format!("peer {index}: {text}"));
                    }
                }
            }
        }
        let player = &self.players[index];
        if let Some(frame) = newest
            && let Err(text) = player.checker.check_roster(&frame)
        {
            self.violate(format!("peer {index}: {text}"));
        }
    }

    pub(super) fn player_event(
        &mut self,
        index: usize,
        event: PeerEvent,
        newest: &mut Option<Arc<crate::world::Frame>>,
    ) -> Result<(), String> {
        let is_deceived = self.is_deceived(self.players[index].link);
        let is_proved = {
            let player = &self.players[index];
            // A resumed session shows on what it had.
            let before = [PeerState::Connecting, PeerState::Handshake, PeerState::Admitted];
            !before.contains(&player.state) && !self.sees_through(player.link)
        };
        match &event {
            PeerEvent::Frame(frame) => self.note(&frame.tick),
            event => self.note(event),
        }
        match event {
            PeerEvent::StateChanged(state) => {
                let before = core::mem::replace(&mut self.players[index].state, state);
                self.count(format!("peer {before:?} -> {state:?}"));
            }
            PeerEvent::Admitted { .. } if is_deceived => {
                if self.sees_through(self.players[index].link) {
                    return Err("believed somebody who is not the host".into());
                }
            }
            PeerEvent::Admitted { role, .. } => {
                if role != self.players[index].role {
                    return Err(format!("admitted as {role:?}"));
                }
            }
            PeerEvent::SchemaMapped(mapping) => {
                self.count("event schema mapped");
                for note in mapping.notes() {
                    self.count(format!("mapping {:?}", note.kind));
                }
            }
            PeerEvent::JoinProgress { .. } => self.count("event join progress"),
            PeerEvent::PeerJoined(info) => {
                self.count("event roster joined");
                if !self.players[index].roster.insert(info.peer) && !is_deceived {
                    return Err(format!("told of {:?} twice", info.peer));
                }
            }
            PeerEvent::PeerLeft { peer, .. } => {
                self.count("event roster left");
                if !self.players[index].roster.remove(&peer) && !is_deceived {
                    return Err(format!("told that {peer:?} left, and of no such member before"));
                }
            }
            PeerEvent::PeerAway { .. } => self.count("event roster away"),
            PeerEvent::PeerBack(_) => self.count("event roster back"),
            PeerEvent::Frame(_) | PeerEvent::Lifecycle(_) if !is_proved => {
                return Err("shows what came before both had proved themselves".into());
            }
            // What a lying host shows is its own affair.
            PeerEvent::Frame(_) | PeerEvent::Lifecycle(_) if is_deceived => {}
            PeerEvent::Frame(frame) => {
                self.digest.write_u64(frame.fold());
                let schema = self.engine.schema();
                let Player { checker, schema: shown, .. } = &mut self.players[index];
                checker.on_frame(&frame, &self.truth, schema, shown)?;
                *newest = Some(frame);
            }
            PeerEvent::Lifecycle(change) => self.players[index].checker.on_lifecycle(&change)?,
            PeerEvent::Diverged(_) | PeerEvent::Repaired(_) => self.count("peer repaired"),
            PeerEvent::Refused { .. } => self.count("event refused"),
            PeerEvent::Disconnected { code, reason } => {
                self.count(format!("disconnected {code:?}"));
                let is_turned_away =
                    code == DisconnectCode::TooManyHandshakes && self.now < self.besieged_until;
                if !self.players[index].may_end && !is_turned_away {
                    return Err(format!("disconnected without a cause: {code:?}, {reason}"));
                }
                self.leave_impostor(self.players[index].link, Some(code));
                self.end_session(index);
            }
        }
        Ok(())
    }
}
