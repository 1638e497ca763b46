//! Players that go away and come back, links that are lost under them, and a thief with somebody's token.

use super::incidents::FIRST_SOURCE;
use super::network::End;
use super::run::{HEALED, Simulation, UNIX_S};
use crate::mutants::Mutants;
use crate::session::courier::Courier;
use crate::session::handshake::{ClientTerms, check_acknowledge, client_hello, supported_capabilities};
use crate::session::keys::Identity;
use crate::session::ticket::{MemberTicket, Pass, Ticket};
use crate::session::{Binding, LinkId, LinkInput, LinkOutput, Peer, PeerState, SourceId};
use crate::types::{Lane, Tick};
use crate::wire::limits::MAX_DATAGRAM_BYTES;
use crate::wire::message::{BindingKind, Message, SessionControl};

/// Where thieves come from.
const THIEVES_SOURCE: SourceId = SourceId(8);

/// Somebody who has a token that is not (or no longer) worth anything, and says hello with it.
pub(super) struct Thief {
    link: LinkId,
    identity: Identity,
    binding: Binding,
    hello: Vec<u8>,
    courier: Courier,
    agreed: bool,
}

impl Simulation {
    /// The player takes its headset off for a while; sometimes its whole application stops, too.
    pub(super) fn go_away(&mut self, index: usize) {
        let long_ticks = self.rng.between(10, 700) as u32;
        let sleeps = self.rng.chance_ppm(300_000);
        let back_at = (self.tick.0 + long_ticks).min(self.plan.heal_tick);
        let player = &mut self.players[index];
        player.back_at = Some(Tick(back_at));
        // Its place may be given up, and nothing it says in time may arrive in time.
        player.may_end = true;
        if sleeps {
            self.players[index].paused_until = self.now.plus_ms(u64::from(back_at - self.tick.0) * 11);
        }
        self.with_player(index, |machine, local| {
            machine.suspend(local);
        });
    }

    /// The link ends, and one end, the other, or both learn of it at once.
    pub(super) fn lose_link(&mut self, index: usize) {
        let link = self.players[index].link;
        self.players[index].may_end = true;
        // A peer that is not told finds out by silence, or once the network is well (`tell_of_lost_links`).
        let who = self.rng.below(3);
        self.cut_link(link);
        let lost = LinkInput::Closed { code: 4, reason: "simulated" };
        if who != 0 {
            self.with_player(index, |machine, local| machine.handle(local, lost));
        }
        if who != 1 {
            self.host.handle(self.now, link, lost);
            self.drain_host();
        }
    }

    /// The peer opens a new link while the old one is alive at both ends, and still carries packets.
    pub(super) fn race(&mut self, index: usize) {
        self.reconnect(index);
    }

    /// What is due for players that are away or without a link.
    pub(super) fn come_back(&mut self, index: usize) {
        let player = &mut self.players[index];
        if player.back_at.is_some_and(|at| at <= self.tick) && self.now >= player.paused_until {
            player.back_at = None;
            self.count("incident back");
            self.with_player(index, Peer::resume);
        }
        if self.players[index].lose_at.is_some_and(|at| at <= self.tick) {
            self.players[index].lose_at = None;
            if self.tick.0 < self.plan.heal_tick {
                self.count("incident link lost again");
                self.lose_link(index);
            }
        }
        let wants = self.players[index].machine.as_ref().is_some_and(Peer::wants_link);
        let player = &mut self.players[index];
        if !wants || self.now < player.paused_until {
            return;
        }
        match player.reconnect_at {
            None => player.reconnect_at = Some(Tick(self.tick.0 + self.rng.between(2, 60) as u32)),
            Some(at) if at <= self.tick => self.reconnect(index),
            Some(_) => {}
        }
    }

    fn reconnect(&mut self, index: usize) {
        let link = LinkId(self.next_link);
        let local = self.players[index].local(self.now);
        let Some(machine) = &mut self.players[index].machine else { return };
        if !machine.reconnect(local) {
            return;
        }
        self.next_link += 1;
        self.drain_player(index);
        let conditions = if self.tick.0 >= self.plan.heal_tick { HEALED } else { self.plan.links[index] };
        self.network.set_conditions(link.0, conditions);
        let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
        let opened = LinkInput::Opened {
            binding,
            max_datagram_bytes: MAX_DATAGRAM_BYTES,
            is_loopback: false,
            source: Some(SourceId(FIRST_SOURCE + index as u64)),
        };
        let player = &mut self.players[index];
        player.reconnect_at = None;
        player.parked.clear();
        player.link = link;
        player.links.insert(link);
        player.datagram_limit = MAX_DATAGRAM_BYTES;
        self.count("incident reconnect");
        if self.rng.chance_ppm(200_000) {
            self.players[index].lose_at = Some(Tick(self.tick.0 + self.rng.between(1, 10) as u32));
        }
        self.host.handle(self.now, link, opened);
        self.drain_host();
        self.with_player(index, |machine, local| machine.handle(local, opened));
    }

    /// Somebody comes with the token of a player: with another key, or, where that player has had an older one, as a copy
    /// of the player itself.
    pub(super) fn steal(&mut self, index: usize) {
        let player = &self.players[index];
        let Some(machine) = player.machine.as_ref().filter(|machine| machine.state() == PeerState::Live)
        else {
            return;
        };
        let is_replay = !player.old_token.is_empty() && !self.tick.0.is_multiple_of(4);
        let (token, key) = if is_replay {
            (player.old_token.clone(), player.identity.clone())
        } else {
            (machine.resume_token().to_vec(), Identity::from_seed(&[0xbb; 32]))
        };
        if token.is_empty() {
            return;
        }
        let victim = player.identity.clone();
        self.count(if is_replay { "incident old token" } else { "incident stolen token" });
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.network.set_conditions(link.0, HEALED);
        let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
        let opened = LinkInput::Opened {
            binding,
            max_datagram_bytes: MAX_DATAGRAM_BYTES,
            is_loopback: false,
            source: Some(THIEVES_SOURCE),
        };
        self.host.handle(self.now, link, opened);
        self.drain_host();
        let mut hello =
            client_hello(&self.thief_terms(&victim), self.engine.schema(), &binding, self.rng.bytes_32());
        hello.resume_token = token;
        hello.last_tick = self.tick;
        let message = Message::SessionHello(hello);
        let Ok(bytes) = message.encode() else { return };
        let mut courier = Courier::new(None);
        if courier.send(Lane::Control, &[message]).is_ok() {
            let thief = Thief { link, identity: key, binding, hello: bytes, courier, agreed: false };
            self.thieves.push(thief);
            self.say_stolen(self.thieves.len() - 1);
        }
    }

    fn thief_terms(&self, identity: &Identity) -> ClientTerms {
        let role = crate::wire::message::Role::Editor;
        let member = MemberTicket::issue(
            &self.authority,
            self.host.pin().document,
            identity.public_key(),
            role,
            UNIX_S + 60,
        );
        ClientTerms {
            identity: identity.clone(),
            name: "thief".into(),
            application: Vec::new(),
            ticket: Ticket {
                endpoint: "simulated:1".into(),
                pin: Some(self.host.pin()),
                pass: Pass::Member(member.encode()),
            },
            bearer: None,
            least_term: 0,
            floors: crate::session::handshake::Floors::default(),
            capabilities: supported_capabilities(),
            dictionary_hash: 0,
        }
    }

    fn say_stolen(&mut self, at: usize) {
        while let Some(output) = self.thieves[at].courier.poll() {
            if let LinkOutput::Transmit { .. } = output {
                self.transmit(self.thieves[at].link, End::Host, output);
            }
        }
    }

    /// What the host says to a thief; true when the link is one's.
    pub(super) fn tell_thief(&mut self, link: LinkId, lane: Lane, bytes: &[u8]) -> bool {
        let Some(at) = self.thieves.iter().position(|thief| thief.link == link) else { return false };
        let mut scratch = Vec::new();
        let mut said = Vec::new();
        let schema = std::sync::Arc::clone(self.engine.schema());
        let terms = self.thief_terms(&self.thieves[at].identity.clone());
        let thief = &mut self.thieves[at];
        if let Ok(Some(packet)) = thief.courier.receive(lane, bytes, &mut scratch) {
            for raw in packet.messages() {
                match raw.decode() {
                    Ok(Message::SessionAcknowledge(acknowledge)) if !thief.agreed => {
                        let checked = check_acknowledge(
                            &terms,
                            &thief.hello,
                            &acknowledge,
                            &thief.binding,
                            false,
                            Mutants::NONE,
                        );
                        if let Ok((agreement, confirm)) = checked {
                            thief.agreed = true;
                            said.push((agreement, confirm));
                        }
                    }
                    Ok(Message::SessionControl(SessionControl::Admitted(admitted))) => {
                        let text = format!("a token let somebody in as {:?}", admitted.peer);
                        self.violate(text);
                        return true;
                    }
                    _ => {}
                }
            }
        }
        for (agreement, confirm) in said {
            let courier = &mut self.thieves[at].courier;
            let sent = courier.send(Lane::Control, &[Message::SessionConfirm(confirm)]);
            courier.await_incoming(agreement.epoch, schema.hash());
            if sent.is_ok() {
                self.say_stolen(at);
            }
        }
        true
    }

    /// Notes each token that a player has, so that an older one can be tried.
    pub(super) fn note_token(&mut self, index: usize) {
        let player = &mut self.players[index];
        let Some(machine) = &player.machine else { return };
        // Under its newest token it has been heard once it is live.
        if machine.state() == PeerState::Live && machine.resume_token() != player.token {
            player.old_token = core::mem::replace(&mut player.token, machine.resume_token().to_vec());
            if !player.old_token.is_empty() && self.rng.chance_ppm(700_000) {
                player.theft_at = Some(Tick(self.tick.0 + self.rng.between(1, 200) as u32));
            }
        }
        if self.players[index].theft_at.is_some_and(|at| at <= self.tick) {
            self.players[index].theft_at = None;
            self.steal(index);
        }
    }
}
