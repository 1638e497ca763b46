//! What happens to players besides the weather on their links: they join, leave, crash, pause and are thrown out.

use std::sync::Arc;

use super::checker::PeerChecker;
use super::network::{Arrival, Conditions, End, Fault, Lanes};
use super::plan::{Moment, TICK_US};
use super::run::{HEALED, Simulation, UNIX_S};
use crate::session::admission::{AdmissionChange, Invite, InviteKey};
use crate::session::handshake::{ClientTerms, Floors, supported_capabilities};
use crate::session::keys::{PublicKey, sha256};
use crate::session::ticket::{MemberTicket, Pass, Ticket};
use crate::session::{Binding, Host, HostCommand, LinkId, LinkInput, Peer, PeerConfig, PeerState, SourceId};
use crate::types::{Tick, Time};
use crate::wire::limits::MAX_DATAGRAM_BYTES;
use crate::wire::message::{BindingKind, Capability, Role, WireEnum};

/// Each player comes from somewhere else, from this number on.
pub(super) const FIRST_SOURCE: u64 = 100;
/// How long a peer that lost its session waits before it joins again.
const REJOIN_DELAY_TICKS: u32 = 45;
/// How long a player is gone whose program has crashed: back before its host has noticed, or long after.
const SHORT_ABSENCE_TICKS: (u64, u64) = (REJOIN_DELAY_TICKS as u64, 500);
const LONG_ABSENCE_TICKS: (u64, u64) = (520, 1000);
/// No impostor is met so shortly before the network heals: its victim must find its way back.
const IMPOSTOR_TICKS: u32 = 300;
/// Nor does the host crash: by silence alone that takes five seconds to notice.
const HOST_CRASH_TICKS: u32 = 400;

impl Simulation {
    /// The player's session is over on its side; it joins again after a while.
    pub(super) fn end_session(&mut self, index: usize) {
        let tick = self.tick;
        let frames = self.players[index].checker.frames();
        *self.outcome.counts.entry("frames of ended sessions".into()).or_default() += frames;
        let player = &mut self.players[index];
        player.checker = PeerChecker::default();
        player.rejoin_at = Tick(tick.0 + REJOIN_DELAY_TICKS);
        player.parked.clear();
        // How the host lets go of the old link is no news of the next session.
        player.slot = None;
        player.roster.clear();
    }

    /// With what a player comes: every third with an invite, which it uses again when it comes back.
    fn pass(&mut self, index: usize, key: PublicKey, role: Role) -> Pass {
        if index % 3 != 1 {
            let member =
                MemberTicket::issue(&self.authority, self.host.pin().document, key, role, UNIX_S + 60);
            return Pass::Member(member.encode());
        }
        let mut invite = InviteKey { id: [0; 16], secret: sha256(&key) };
        invite.id.copy_from_slice(&key[..16]);
        if self.host.admission().find(&invite.id).is_none() {
            let fresh = Invite::new(invite, role, 1, UNIX_S + 60);
            self.host.command(self.now, HostCommand::Admission(AdmissionChange::Invite(fresh)));
        }
        Pass::Invite(invite)
    }

    pub(super) fn join(&mut self, index: usize) {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        let role = self.players[index].role;
        let conditions = if self.tick.0 >= self.plan.heal_tick { HEALED } else { self.plan.links[index] };
        self.network.set_conditions(link.0, conditions);
        let key = self.players[index].identity.public_key();
        let pass = self.pass(index, key, role);
        let player = &mut self.players[index];
        let config = PeerConfig {
            terms: ClientTerms {
                identity: player.identity.clone(),
                name: format!("player {}", player.index),
                application: vec![9; 16],
                ticket: Ticket { endpoint: "simulated:1".into(), pin: Some(self.host.pin()), pass },
                bearer: None,
                least_term: 0,
                floors: Floors::default(),
                capabilities: if player.resumes {
                    supported_capabilities()
                } else {
                    supported_capabilities() & !Capability::Resume.bit()
                },
                dictionary_hash: 0,
            },
            manual_loaded: player.index % 2 == 1,
            handshake_timeout_ms: 5000,
            idle_timeout_ms: 5000,
            resume_timeout_ms: 30_000,
        };
        let local = player.local(self.now);
        let schema = Arc::clone(&player.schema);
        let mut machine = Peer::new(config, schema, local, self.rng.bytes_32(), None);
        #[cfg(feature = "mutants")]
        machine.set_mutant(self.plan.mutant);
        player.link = link;
        player.links.insert(link);
        player.may_end = false;
        (player.back_at, player.reconnect_at, player.lose_at) = (None, None, None);
        (player.token, player.old_token, player.theft_at) = (Vec::new(), Vec::new(), None);
        player.checker = PeerChecker::default();
        player.paused_until = Time(0);
        (player.silent_from, player.silent_until) = (Time(0), Time(0));
        // What came for the old session while it was paused and over belongs to nobody.
        player.parked.clear();
        player.state = PeerState::Connecting;
        player.roster.clear();
        player.datagram_limit = MAX_DATAGRAM_BYTES;
        // Both ends of the simulated link see the same channel.
        let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
        let source = Some(SourceId(FIRST_SOURCE + index as u64));
        let opened = |max_datagram_bytes| LinkInput::Opened {
            binding,
            max_datagram_bytes,
            is_loopback: false,
            source,
        };
        machine.handle(local, opened(MAX_DATAGRAM_BYTES));
        player.machine = Some(machine);
        self.count("incident join");
        self.count(format!("build {:?}", self.plan.builds[index]));
        // Not late: who comes then must be in when the run ends.
        if self.tick.0 + IMPOSTOR_TICKS < self.plan.heal_tick && self.rng.chance_ppm(self.plan.impostor_ppm) {
            self.players[index].may_end = true;
            self.meet_impostor(link, binding);
        } else {
            self.host.handle(self.now, link, opened(MAX_DATAGRAM_BYTES));
        }
        self.drain_host();
        self.drain_player(index);
    }

    /// What befalls the peers this tick.
    pub(super) fn incidents(&mut self) {
        let healed = self.tick.0 >= self.plan.heal_tick;
        if self.tick.0 == self.plan.heal_tick {
            for link in 1..self.next_link {
                self.network.set_conditions(link, HEALED);
                self.network.partition(link, End::Host, Lanes::All, self.now);
                self.network.partition(link, End::Peer, Lanes::All, self.now);
            }
            for player in &mut self.players {
                player.paused_until = self.now;
                player.back_at = player.back_at.map(|_| self.tick);
            }
            self.tell_of_lost_links();
        }
        self.check_limits();
        if self.now < self.host_paused_until {
            return;
        }
        self.plan_of_the_host();
        for index in 0..self.players.len() {
            let state = self.players[index].machine.as_ref().map(Peer::state);
            if state.is_none_or(|state| state == PeerState::Closed) {
                if self.tick >= self.players[index].rejoin_at {
                    self.join(index);
                }
                continue;
            }
            self.note_token(index);
            self.come_back(index);
            if state == Some(PeerState::Admitted) && self.rng.chance_ppm(200_000) {
                self.with_player(index, |machine, _| machine.loaded());
            }
            if self.plan.corruptions.contains(&(index as u32, self.tick.0)) {
                self.corrupt(index);
            }
            if !healed && self.rng.chance_ppm(self.plan.incident_ppm) {
                self.incident(index);
            }
        }
    }

    /// Once packets arrive again, the other end's transport answers those of a connection that it no longer knows.
    fn tell_of_lost_links(&mut self) {
        for index in 0..self.players.len() {
            if self.network.is_cut(self.players[index].link.0) {
                let lost = LinkInput::Closed { code: 4, reason: "simulated" };
                self.with_player(index, |machine, local| machine.handle(local, lost));
            }
        }
    }

    pub(super) fn with_player(&mut self, index: usize, act: impl FnOnce(&mut Peer, Time)) {
        let player = &mut self.players[index];
        let local = player.local(self.now);
        if let Some(machine) = &mut player.machine {
            act(machine, local);
        }
        self.drain_player(index);
    }

    fn corrupt(&mut self, index: usize) {
        let seed = self.rng.next_u64();
        let player = &mut self.players[index];
        // One at a time: of what is repaired then, nothing is left.
        if !player.checker.corrupted
            && let Some(machine) = &mut player.machine
            && machine.corrupt(seed).is_some()
        {
            player.checker.corrupt();
            self.count("fault corrupted");
        }
    }

    fn until_healed_ms(&self) -> u64 {
        u64::from(self.plan.heal_tick.saturating_sub(self.tick.0)) * TICK_US / 1000
    }

    /// Nothing is heard of a player for a while, or by it. Silence as long as the idle timeout, less what a link may
    /// take to get going again, ends its session rightly; so do two that follow each other closely.
    fn silence(&mut self, index: usize, long_ms: u64) {
        let (now, player) = (self.now, &mut self.players[index]);
        if now > player.silent_until.plus_ms(1000) {
            player.silent_from = now;
        }
        player.silent_until = player.silent_until.max(now.plus_ms(long_ms));
        player.may_end |= player.silent_until.since_us(player.silent_from) > 3_500_000;
    }

    fn incident(&mut self, index: usize) {
        let all: u64 = INCIDENTS.iter().map(|incident| incident.weight).sum();
        let mut drawn = self.rng.below(all);
        for incident in INCIDENTS {
            if drawn < incident.weight {
                self.count(incident.name);
                (incident.happen)(self, index);
                return;
            }
            drawn -= incident.weight;
        }
    }

    fn leave(&mut self, index: usize) {
        self.players[index].may_end = true;
        self.with_player(index, |machine, _| machine.leave("had enough"));
    }

    /// No word, no close: the host must find out by silence, unless the player is back before that.
    fn crash(&mut self, index: usize) {
        let link = self.players[index].link;
        self.cut_link(link);
        self.leave_impostor(link, None);
        self.players[index].may_end = true;
        self.players[index].machine = None;
        self.end_session(index);
        let absence = if self.rng.chance_ppm(650_000) { LONG_ABSENCE_TICKS } else { SHORT_ABSENCE_TICKS };
        let back = self.tick.0 + self.rng.between(absence.0, absence.1) as u32;
        self.players[index].rejoin_at = Tick(back.min(self.plan.heal_tick.max(self.tick.0)));
    }

    fn kick(&mut self, index: usize) {
        if let Some(peer) = self.players[index].slot {
            self.players[index].may_end = true;
            self.host.command(self.now, HostCommand::Kick { peer, reason: "simulated".into() });
            self.drain_host();
            if self.host.peer_of(self.players[index].link).is_some() {
                self.violate(format!("{peer:?} was thrown out and has its place"));
            }
        }
    }

    fn pause(&mut self, index: usize) {
        let long_ms = self.rng.between(1000, self.plan.longest_pause_ms).min(self.until_healed_ms());
        self.silence(index, long_ms);
        self.players[index].paused_until = self.now.plus_ms(long_ms);
    }

    /// What waits behind a partition is sent when it ends, so it must not outlast the bad network.
    fn part(&mut self, index: usize, ends: &[End], lanes: Lanes) {
        let long_ms = self.rng.between(100, 6000).min(self.until_healed_ms());
        // Heartbeats are on a reliable lane: with datagrams alone gone, nobody falls silent.
        if lanes != Lanes::Datagrams {
            self.silence(index, long_ms);
        }
        let (link, until) = (self.players[index].link, self.now.plus_ms(long_ms));
        for end in ends {
            self.network.partition(link.0, *end, lanes, until);
        }
    }

    fn partition(&mut self, index: usize) {
        self.part(index, &[End::Host, End::Peer], Lanes::All);
    }

    fn partition_one_way(&mut self, index: usize) {
        let end = self.either_end();
        self.part(index, &[end], Lanes::All);
    }

    fn partition_datagrams(&mut self, index: usize) {
        let end = self.either_end();
        self.part(index, &[end], Lanes::Datagrams);
    }

    fn partition_streams(&mut self, index: usize) {
        let end = self.either_end();
        self.part(index, &[end], Lanes::Streams);
    }

    fn either_end(&mut self) -> End {
        if self.rng.chance_ppm(500_000) { End::Host } else { End::Peer }
    }

    fn limit_datagrams(&mut self, index: usize) {
        let bytes = self.rng.between(600, 1400) as usize;
        self.tell_limit(index, bytes);
    }

    fn tell_limit(&mut self, index: usize, bytes: usize) {
        let link = self.players[index].link;
        self.players[index].datagram_limit = bytes.min(MAX_DATAGRAM_BYTES);
        self.host.handle(self.now, link, LinkInput::DatagramLimit(bytes));
        self.drain_host();
        let player = &mut self.players[index];
        let local = player.local(self.now);
        if let Some(machine) = &mut player.machine {
            machine.handle(local, LinkInput::DatagramLimit(bytes));
        }
        self.drain_player(index);
    }

    /// The peer comes from another address: a moment of nothing, another way, another limit, the same connection.
    fn change_address(&mut self, index: usize) {
        let (link, long_ms) =
            (self.players[index].link, self.rng.between(20, 800).min(self.until_healed_ms()));
        self.silence(index, long_ms);
        let until = self.now.plus_ms(long_ms);
        for end in [End::Host, End::Peer] {
            self.network.partition(link.0, end, Lanes::All, until);
        }
        let latency_us = self.rng.between(500, 90_000) as u32;
        self.network.set_conditions(link.0, Conditions { latency_us, ..self.plan.links[index] });
        let bytes = self.rng.between(1000, 1200) as usize;
        self.tell_limit(index, bytes);
    }

    /// The peer's clock is set forward or back. As long as it was set, nothing is heard of it or by it.
    fn jump_clock(&mut self, index: usize) {
        let jump_us = self.rng.between(20_000, 2_000_000);
        self.silence(index, jump_us / 1000);
        let is_forward = self.rng.chance_ppm(500_000);
        let player = &mut self.players[index];
        player.offset_us =
            if is_forward { player.offset_us + jump_us } else { player.offset_us.saturating_sub(jump_us) };
    }

    /// A transport that breaks its promise ends the session, whatever it was.
    fn break_lane(&mut self, index: usize) {
        let end = self.either_end();
        let fault = [Fault::LaneLost, Fault::LaneRepeated, Fault::LaneAltered][self.rng.below(3) as usize];
        self.players[index].may_end = true;
        self.network.sabotage(self.players[index].link.0, end, fault);
    }

    /// The host's program stands still: no tick, no packet, and everything at once afterwards.
    fn pause_host(&mut self, _: usize) {
        let long_ms = self.rng.between(200, 2500).min(self.until_healed_ms());
        self.host_paused_until = self.now.plus_ms(long_ms);
        (0..self.players.len()).for_each(|index| self.silence(index, long_ms));
        // Whom it has to end, it ends so much later.
        for attacker in &mut self.attackers {
            attacker.deadline = attacker.deadline.plus_ms(long_ms);
        }
    }

    /// What the plan has for the host, and for all at once.
    fn plan_of_the_host(&mut self) {
        if self.plan.storm_tick == Some(self.tick.0) {
            self.count("incident join storm");
            for index in 0..self.players.len() {
                self.leave(index);
                self.players[index].rejoin_at = self.tick.next();
            }
        }
        let Some((tick, moment)) = self.plan.host_crash else { return };
        let is_in =
            |state| self.players.iter().any(|player| player.machine.is_some() && player.state == state);
        let (is_now, name) = match moment {
            Moment::Now => (true, "incident host crash"),
            Moment::Handshake => (is_in(PeerState::Handshake), "incident host crash in a handshake"),
            Moment::Snapshot => (is_in(PeerState::Joining), "incident host crash in a snapshot"),
        };
        let healed = self.tick.0 + HOST_CRASH_TICKS >= self.plan.heal_tick;
        if self.tick.0 == tick && moment != Moment::Now && !is_now {
            // Somebody who comes, so that there is such a moment.
            let index = self.rng.below(self.players.len() as u64) as usize;
            self.leave(index);
            self.players[index].rejoin_at = self.tick.next();
        }
        if self.tick.0 >= tick && is_now && !healed {
            self.plan.host_crash = None;
            self.count(name);
            self.crash_host();
        }
    }

    /// The host's process dies and another starts: same document and keys, another session. Sometimes its machine
    /// says that nobody is there, sometimes nothing does.
    fn crash_host(&mut self) {
        let is_silent = self.rng.chance_ppm(500_000);
        for link in 1..self.next_link {
            if is_silent {
                self.network.cut(link);
            } else {
                let reset = Arrival::Closed(u16::MAX, "connection reset".into());
                self.network.send(self.now, link, End::Peer, reset);
            }
        }
        let schema = Arc::clone(self.engine.schema());
        self.host = Host::new(self.host_config.clone(), schema, self.rng.bytes_32(), Box::new(|| None));
        self.host.set_unix_time(UNIX_S);
        #[cfg(feature = "mutants")]
        self.host.set_mutant(self.plan.mutant);
        self.host_is_new = true;
        self.cut.clear();
        self.attackers.clear();
        self.thieves.clear();
        for player in &mut self.players {
            player.may_end = true;
            player.slot = None;
        }
    }

    fn worsen(&mut self, index: usize) {
        let worse = Conditions { latency_us: 120_000, loss_ppm: 200_000, ..self.plan.links[index] };
        self.network.set_conditions(self.players[index].link.0, worse);
    }
}

/// What can befall a player.
struct Incident {
    /// As it is counted.
    name: &'static str,
    /// How often it is drawn, beside the others.
    weight: u64,
    happen: fn(&mut Simulation, usize),
}

const fn incident(name: &'static str, weight: u64, happen: fn(&mut Simulation, usize)) -> Incident {
    Incident { name, weight, happen }
}

/// One line for each.
const INCIDENTS: &[Incident] = &[
    incident("incident leave", 1, Simulation::leave),
    incident("incident crash", 4, Simulation::crash),
    incident("incident kick", 1, Simulation::kick),
    incident("incident pause", 1, Simulation::pause),
    incident("incident partition", 1, Simulation::partition),
    incident("incident one-way partition", 1, Simulation::partition_one_way),
    incident("incident partition of datagrams", 1, Simulation::partition_datagrams),
    incident("incident partition of streams", 1, Simulation::partition_streams),
    incident("incident datagram limit", 1, Simulation::limit_datagrams),
    incident("incident address change", 1, Simulation::change_address),
    incident("incident clock jump", 1, Simulation::jump_clock),
    incident("incident broken transport", 3, Simulation::break_lane),
    incident("incident host pause", 1, Simulation::pause_host),
    incident("incident other conditions", 1, Simulation::worsen),
    incident("incident away", 3, Simulation::go_away),
    incident("incident link lost", 3, Simulation::lose_link),
    incident("incident resume race", 1, Simulation::race),
    incident("incident theft", 2, Simulation::steal),
];
