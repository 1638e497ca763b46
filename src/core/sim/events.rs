//! What the machines report, and what of it must not be.

use std::sync::Arc;

use super::network::End;
use super::run::{Player, Simulation};
use crate::session::{HostCommand, HostEvent, Peer, PeerEvent, PeerOutput};
use crate::types::PeerId;
use crate::wire::codes::DisconnectCode;
use crate::wire::message::Role;

impl Simulation {
    pub(super) fn player_of(&mut self, slot: PeerId) -> Option<usize> {
        self.players.iter().position(|player| player.slot == Some(slot))
    }

    pub(super) fn host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::JoinRequest { info, .. } => {
                self.count("event join request");
                // Not at the end: a refused peer comes back after a while, and everybody must be in by then.
                let is_early = self.tick.0 < self.plan.heal_tick;
                if is_early && self.rng.chance_ppm(50_000) {
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
                    Some(index) if self.players[index].role == info.role => {
                        self.players[index].slot = Some(info.peer);
                        self.players[index].checker.corrupted = false;
                    }
                    Some(_) => self.violate(format!("{:?} joined with role {:?}", info.peer, info.role)),
                    None => self.violate(format!("{:?} joined with a key nobody has", info.peer)),
                }
            }
            HostEvent::PeerLive(_) => self.count("event peer live"),
            HostEvent::PeerLeft { peer, code, .. } => {
                self.count(&format!("left {code:?}"));
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
            HostEvent::HandshakeFailed { code, .. } => self.count(&format!("handshake failed {code:?}")),
            HostEvent::Input { peer, .. } => {
                self.count("event input");
                if let Some(index) = self.player_of(peer) {
                    self.players[index].inputs += 1;
                    if self.players[index].role == Role::Viewer {
                        self.violate("a viewer's input was acted on".into());
                    }
                }
            }
            HostEvent::Diverged { peer, .. } => {
                self.count("event diverged");
                if !self.player_of(peer).is_some_and(|index| self.players[index].checker.corrupted) {
                    self.violate(format!("{peer:?} diverged without injected corruption"));
                }
            }
            HostEvent::Repaired { peer, .. } => {
                self.count("event repaired");
                self.outcome.repairs += 1;
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
        match event {
            PeerEvent::StateChanged(state) => self.count(&format!("peer {state:?}")),
            PeerEvent::Admitted { role, .. } => {
                if role != self.players[index].role {
                    return Err(format!("admitted as {role:?}"));
                }
            }
            PeerEvent::SchemaMapped(mapping) => {
                self.count("event schema mapped");
                for note in mapping.notes() {
                    self.count(&format!("mapping {:?}", note.kind));
                }
            }
            PeerEvent::JoinProgress { .. } => self.count("event join progress"),
            PeerEvent::PeerJoined(_) => self.count("event roster joined"),
            PeerEvent::PeerLeft { .. } => self.count("event roster left"),
            PeerEvent::PeerAway { .. } => self.count("event roster away"),
            PeerEvent::PeerBack(_) => self.count("event roster back"),
            PeerEvent::Frame(frame) => {
                let schema = self.engine.schema();
                let Player { checker, schema: shown, .. } = &mut self.players[index];
                checker.on_frame(&frame, &self.truth, schema, shown)?;
                *newest = Some(frame);
            }
            PeerEvent::Lifecycle(change) => self.players[index].checker.on_lifecycle(&change)?,
            PeerEvent::Diverged(_) | PeerEvent::Repaired(_) => self.count("peer repaired"),
            PeerEvent::Refused { .. } => self.count("event refused"),
            PeerEvent::Disconnected { code, reason } => {
                self.count(&format!("disconnected {code:?}"));
                if !self.players[index].may_end {
                    return Err(format!("disconnected without a cause: {code:?}, {reason}"));
                }
                self.end_session(index);
            }
        }
        Ok(())
    }
}
