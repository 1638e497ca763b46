//! The loop: one host, its peers and the network under one virtual clock, with the checker watching every output.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use super::checker::{PeerChecker, Truth, Violation};
use super::engine::Engine;
use super::network::{Arrival, Conditions, End, Fault, Network};
use super::plan::{Plan, TICK_US};
use super::rng::Rng;
use crate::session::handshake::{ClientTerms, OpenDoor, supported_capabilities};
use crate::session::input::InputSample;
use crate::session::keys::Identity;
use crate::session::ticket::{MemberTicket, Ticket};
use crate::session::{
    Binding, Host, HostCommand, HostConfig, HostEvent, HostOutput, LinkId, LinkInput, LinkOutput, Peer,
    PeerConfig, PeerEvent, PeerOutput, PeerState,
};
use crate::types::{PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{BindingKind, Role};

/// The document of every simulated session.
const DOCUMENT: [u8; 32] = [0x5e; 32];
/// Unix time of every simulated session, in seconds.
const UNIX_S: u64 = 1_800_000_000;
/// How long a peer that lost its session waits before it joins again.
const REJOIN_DELAY_TICKS: u32 = 45;

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What must not happen and did; a run stops at the first.
    pub violations: Vec<Violation>,
    /// SipHash of every packet sent, in order, with link, lane and time: equal for equal runs.
    pub digest: u64,
    /// How often each fault, incident and transition happened.
    pub counts: BTreeMap<String, u64>,
    /// Frames published by all peers.
    pub frames: u64,
    /// Repairs acknowledged.
    pub repairs: u64,
}

struct Player {
    index: u32,
    machine: Option<Peer>,
    link: LinkId,
    checker: PeerChecker,
    slot: Option<PeerId>,
    role: Role,
    identity: Identity,
    /// Its clock is `now * (1 + skew) + offset`.
    skew_ppm: i64,
    offset_us: u64,
    paused_until: Time,
    parked: Vec<Arrival>,
    rejoin_at: Tick,
    /// The end of its session was arranged: by itself, the plan, or a fault that leads to it.
    may_end: bool,
    inputs: u64,
}

impl Player {
    fn local(&self, now: Time) -> Time {
        let skewed = now.0 as i64 + now.0 as i64 * self.skew_ppm / 1_000_000;
        Time(skewed as u64 + self.offset_us)
    }
}

/// See the module.
struct Simulation {
    plan: Plan,
    rng: Rng,
    now: Time,
    network: Network,
    host: Host,
    engine: Engine,
    authority: Identity,
    truth: Truth,
    players: Vec<Player>,
    next_link: u32,
    digest: SipHasher24,
    outcome: Outcome,
    tick: Tick,
}

/// Runs a plan to its end, or to the first violation.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    Simulation::new(plan.clone()).run()
}

impl Simulation {
    fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let engine = Engine::new(&plan, rng.fork());
        let authority = Identity::from_seed(&rng.bytes_32());
        let mut config = HostConfig::new(DOCUMENT, authority.clone(), Identity::from_seed(&rng.bytes_32()));
        config.door = OpenDoor::Closed;
        config.manual_admission = plan.seed % 3 == 0;
        let mut host = Host::new(config, Arc::clone(engine.schema()), rng.bytes_32(), Box::new(|| None));
        host.set_unix_time(UNIX_S);
        #[cfg(feature = "mutants")]
        host.set_mutant(plan.mutant);
        let players = (0..plan.peers).map(|index| Self::player(index, &mut rng)).collect();
        Self {
            network: Network::new(rng.fork()),
            rng,
            now: Time(0),
            host,
            engine,
            authority,
            truth: Truth::default(),
            players,
            next_link: 1,
            digest: SipHasher24::new(),
            outcome: Outcome::default(),
            tick: Tick::ZERO,
            plan,
        }
    }

    fn player(index: u32, rng: &mut Rng) -> Player {
        Player {
            index,
            machine: None,
            link: LinkId(0),
            checker: PeerChecker::default(),
            slot: None,
            role: if index % 4 == 3 { Role::Viewer } else { Role::Editor },
            identity: Identity::from_seed(&rng.bytes_32()),
            skew_ppm: rng.between(0, 400) as i64 - 200,
            offset_us: rng.below(1 << 40),
            paused_until: Time(0),
            parked: Vec::new(),
            rejoin_at: Tick(1 + index * 7),
            may_end: false,
            inputs: 0,
        }
    }

    fn count(&mut self, what: &str) {
        *self.outcome.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn violate(&mut self, text: String) {
        self.outcome.violations.push(Violation { tick: self.tick, text });
    }

    fn run(mut self) -> Outcome {
        for tick in 1..=self.plan.ticks {
            self.advance_to(Time(u64::from(tick) * TICK_US));
            self.tick = Tick(tick);
            self.incidents();
            self.seal();
            self.play();
            if !self.outcome.violations.is_empty() {
                break;
            }
        }
        if self.outcome.violations.is_empty() {
            self.check_healed();
        }
        for (fault, count) in self.network.faults() {
            *self.outcome.counts.entry(format!("fault {}", fault_name(*fault))).or_default() += count;
        }
        self.outcome.digest = self.digest.finish();
        self.outcome.frames = self.players.iter().map(|player| player.checker.frames()).sum::<u64>()
            + self.outcome.counts.get("frames of ended sessions").copied().unwrap_or(0);
        self.outcome
    }

    /// Lets everything happen that happens before `until`.
    fn advance_to(&mut self, until: Time) {
        loop {
            let next = [self.network.next_arrival(), self.host.next_wake(), self.next_player_wake()]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(until);
            if next >= until {
                self.now = until;
                return;
            }
            // Always forward: a wake that rounding between two clocks places a hair early must not stop time.
            self.now = next.max(self.now.plus_us(1));
            while let Some((link, to, arrival)) = self.network.receive(self.now) {
                self.deliver(LinkId(link), to, arrival);
            }
            if self.host.next_wake().is_some_and(|wake| wake <= self.now) {
                self.host.handle_timeout(self.now);
                self.drain_host();
            }
            for index in 0..self.players.len() {
                self.wake_player(index);
            }
            if !self.outcome.violations.is_empty() {
                return;
            }
        }
    }

    fn next_player_wake(&self) -> Option<Time> {
        let wake = |player: &Player| {
            let local = player.machine.as_ref()?.next_wake()?;
            // Back from the player's clock to ours, never early: one microsecond late is no fault.
            let ours = (local.0.saturating_sub(player.offset_us)) as i64;
            let ours = ours - ours * player.skew_ppm / (1_000_000 + player.skew_ppm) + 1;
            Some(Time(ours.max(0) as u64).max(player.paused_until))
        };
        self.players.iter().filter_map(wake).min()
    }

    fn wake_player(&mut self, index: usize) {
        self.hand_over_parked(index);
        let player = &mut self.players[index];
        if self.now < player.paused_until {
            return;
        }
        let local = player.local(self.now);
        if let Some(machine) = &mut player.machine
            && machine.next_wake().is_some_and(|wake| wake <= local)
        {
            machine.handle_timeout(local);
            self.drain_player(index);
        }
    }

    fn deliver(&mut self, link: LinkId, to: End, arrival: Arrival) {
        if to == End::Host {
            match &arrival {
                Arrival::StreamOpened(lane, schema_hash) => {
                    let input = LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash };
                    self.host.handle(self.now, link, input);
                }
                Arrival::Packet(lane, bytes) => {
                    self.host.handle(self.now, link, LinkInput::Packet { lane: *lane, bytes });
                }
                Arrival::Closed(code, reason) => {
                    self.host.handle(self.now, link, LinkInput::Closed { code: *code, reason });
                }
            }
            self.drain_host();
            return;
        }
        let Some(index) =
            self.players.iter().position(|player| player.link == link && player.machine.is_some())
        else {
            return;
        };
        // Behind whatever waits from a pause that has just ended.
        self.players[index].parked.push(arrival);
        self.hand_over_parked(index);
    }

    fn hand_over_parked(&mut self, index: usize) {
        let player = &mut self.players[index];
        if self.now < player.paused_until {
            return;
        }
        for arrival in core::mem::take(&mut player.parked) {
            self.hand_to_player(index, arrival);
        }
    }

    fn hand_to_player(&mut self, index: usize, arrival: Arrival) {
        let player = &mut self.players[index];
        let local = player.local(self.now);
        let Some(machine) = &mut player.machine else { return };
        match &arrival {
            Arrival::StreamOpened(lane, schema_hash) => {
                machine.handle(local, LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash });
            }
            Arrival::Packet(lane, bytes) => machine.handle(local, LinkInput::Packet { lane: *lane, bytes }),
            Arrival::Closed(code, reason) => machine.handle(local, LinkInput::Closed { code: *code, reason }),
        }
        self.drain_player(index);
    }

    fn transmit(&mut self, link: LinkId, to: End, output: LinkOutput) {
        let arrival = match output {
            LinkOutput::OpenLane { lane, schema_hash } => Arrival::StreamOpened(lane, schema_hash),
            LinkOutput::Transmit { lane, packet } => {
                self.digest.write_u32(link.0);
                self.digest.write_u8(lane.wire_id());
                self.digest.write_u64(self.now.0);
                self.digest.write(&packet);
                Arrival::Packet(lane, packet)
            }
            LinkOutput::FinishLane(_) => return,
            LinkOutput::Close { code, reason } => Arrival::Closed(code as u16, reason),
        };
        self.network.send(self.now, link.0, to, arrival);
    }

    fn drain_host(&mut self) {
        while let Some(output) = self.host.poll_output() {
            match output {
                HostOutput::Link(link, output) => self.transmit(link, End::Peer, output),
                HostOutput::Event(event) => self.host_event(event),
            }
        }
    }

    fn player_of(&mut self, slot: PeerId) -> Option<usize> {
        self.players.iter().position(|player| player.slot == Some(slot))
    }

    fn host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::JoinRequest { info, .. } => {
                self.count("event join request");
                if self.rng.chance_ppm(50_000) {
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

    fn drain_player(&mut self, index: usize) {
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

    fn player_event(
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
            PeerEvent::JoinProgress { .. } => self.count("event join progress"),
            PeerEvent::PeerJoined(_) => self.count("event roster joined"),
            PeerEvent::PeerLeft { .. } => self.count("event roster left"),
            PeerEvent::Frame(frame) => {
                let schema = self.engine.schema();
                self.players[index].checker.on_frame(&frame, &self.truth, schema)?;
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

    /// The player's session is over on its side; it joins again after a while.
    fn end_session(&mut self, index: usize) {
        let tick = self.tick;
        let frames = self.players[index].checker.frames();
        *self.outcome.counts.entry("frames of ended sessions".into()).or_default() += frames;
        let player = &mut self.players[index];
        player.checker = PeerChecker::default();
        player.rejoin_at = Tick(tick.0 + REJOIN_DELAY_TICKS);
        player.parked.clear();
    }

    fn join(&mut self, index: usize) {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        let role = self.players[index].role;
        let conditions = if self.tick.0 >= self.plan.heal_tick { HEALED } else { self.plan.links[index] };
        self.network.set_conditions(link.0, conditions);
        let player = &mut self.players[index];
        let key = player.identity.public_key();
        let member = MemberTicket::issue(&self.authority, DOCUMENT, key, role, UNIX_S + 60);
        let config = PeerConfig {
            terms: ClientTerms {
                identity: player.identity.clone(),
                name: format!("player {}", player.index),
                application: vec![9; 16],
                ticket: Ticket {
                    endpoint: "simulated:1".into(),
                    pin: Some(self.host.pin()),
                    member: Some(member.encode()),
                },
                capabilities: supported_capabilities(),
                dictionary_hash: 0,
            },
            manual_loaded: player.index % 2 == 1,
            handshake_timeout_ms: 5000,
            idle_timeout_ms: 5000,
        };
        let local = player.local(self.now);
        let schema = Arc::clone(self.engine.schema());
        let mut machine = Peer::new(config, schema, local, self.rng.bytes_32(), None);
        #[cfg(feature = "mutants")]
        machine.set_mutant(self.plan.mutant);
        player.link = link;
        player.may_end = false;
        player.checker = PeerChecker::default();
        player.paused_until = Time(0);
        // What came for the old session while it was paused and over belongs to nobody.
        player.parked.clear();
        // Both ends of the simulated link see the same channel.
        let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
        let opened =
            |max_datagram_bytes| LinkInput::Opened { binding, max_datagram_bytes, is_loopback: false };
        machine.handle(local, opened(1150));
        player.machine = Some(machine);
        self.host.handle(self.now, link, opened(1150));
        self.count("incident join");
        self.drain_host();
        self.drain_player(index);
    }

    /// What befalls the peers this tick.
    fn incidents(&mut self) {
        let healed = self.tick.0 >= self.plan.heal_tick;
        if self.tick.0 == self.plan.heal_tick {
            for link in 1..self.next_link {
                self.network.set_conditions(link, HEALED);
                self.network.partition(link, End::Host, self.now);
                self.network.partition(link, End::Peer, self.now);
            }
            for player in &mut self.players {
                player.paused_until = self.now;
            }
        }
        for index in 0..self.players.len() {
            let state = self.players[index].machine.as_ref().map(Peer::state);
            if state.is_none_or(|state| state == PeerState::Closed) {
                if self.tick >= self.players[index].rejoin_at {
                    self.join(index);
                }
                continue;
            }
            if state == Some(PeerState::Admitted) && self.rng.chance_ppm(200_000) {
                self.with_player(index, |machine, _| machine.loaded());
            }
            if self.plan.corruption == Some((index as u32, self.tick.0)) {
                self.corrupt(index);
            }
            if !healed && self.rng.chance_ppm(self.plan.incident_ppm) {
                self.incident(index);
            }
        }
    }

    fn with_player(&mut self, index: usize, act: impl FnOnce(&mut Peer, Time)) {
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
        if let Some(machine) = &mut player.machine
            && machine.corrupt(seed).is_some()
        {
            player.checker.corrupted = true;
            self.count("fault corrupted");
        }
    }

    fn incident(&mut self, index: usize) {
        let link = self.players[index].link;
        let now = self.now;
        match self.rng.below(8) {
            0 => {
                self.count("incident leave");
                self.players[index].may_end = true;
                self.with_player(index, |machine, _| machine.leave("had enough"));
            }
            1 => {
                // No word, no close: the host must find out by silence.
                self.count("incident crash");
                self.network.cut(link.0);
                self.players[index].may_end = true;
                self.players[index].machine = None;
                self.end_session(index);
            }
            2 => {
                if let Some(peer) = self.players[index].slot {
                    self.count("incident kick");
                    self.players[index].may_end = true;
                    self.host.command(now, HostCommand::Kick { peer, reason: "simulated".into() });
                    self.drain_host();
                }
            }
            3 => {
                self.count("incident pause");
                let long_ms = self.rng.between(1000, 7000);
                // Silent for as long as the idle timeout: that ends it, rightly.
                self.players[index].may_end |= long_ms > 4000;
                self.players[index].paused_until = now.plus_ms(long_ms);
            }
            4 | 5 => {
                self.count("incident partition");
                let long_ms = self.rng.between(100, 6000);
                self.players[index].may_end |= long_ms > 3500;
                let ways = self.rng.below(3);
                if ways != 0 {
                    self.network.partition(link.0, End::Host, now.plus_ms(long_ms));
                }
                if ways != 1 {
                    self.network.partition(link.0, End::Peer, now.plus_ms(long_ms));
                }
            }
            6 => {
                self.count("incident datagram limit");
                let bytes = self.rng.between(600, 1400) as usize;
                self.host.handle(now, link, LinkInput::DatagramLimit(bytes));
                self.drain_host();
            }
            _ => {
                self.count("incident other conditions");
                let worse = Conditions { latency_us: 120_000, loss_ppm: 200_000, ..self.plan.links[index] };
                self.network.set_conditions(link.0, worse);
            }
        }
    }

    fn seal(&mut self) {
        let members: Vec<PeerId> = self.host.members().iter().map(|member| member.peer).collect();
        let sealed = self.engine.tick(self.tick, &members);
        self.truth.push(Arc::clone(&sealed.frame));
        self.host.command(self.now, HostCommand::Tick(sealed));
        self.drain_host();
    }

    /// Every player sends its input; viewers try to as well.
    fn play(&mut self) {
        for index in 0..self.players.len() {
            // A viewer tries now and then; one that never stops would be thrown out, rightly.
            let is_mute = self.players[index].role == Role::Viewer && !self.rng.chance_ppm(20_000);
            if self.now < self.players[index].paused_until || is_mute {
                continue;
            }
            let sample =
                InputSample { sampled_at_us: self.now.0, buttons: self.tick.0, ..InputSample::default() };
            self.with_player(index, |machine, local| machine.send_input(local, sample));
        }
    }

    /// Five simulated seconds after the network healed, everybody must be in and confirmed.
    fn check_healed(&mut self) {
        for index in 0..self.players.len() {
            let player = &self.players[index];
            let state = player.machine.as_ref().map(Peer::state);
            if state != Some(PeerState::Live) {
                self.violate(format!("peer {index} is {state:?} after healing"));
                continue;
            }
            let behind = self.tick.since(player.checker.newest());
            let unconfirmed = self.tick.since(player.checker.confirmed());
            let mute = player.role != Role::Viewer && player.inputs == 0;
            if behind > 30 || unconfirmed > 90 {
                self.violate(format!(
                    "peer {index} is {behind} ticks behind, {unconfirmed} unconfirmed, after healing"
                ));
            }
            if mute {
                self.violate(format!("no input of peer {index} reached the host"));
            }
        }
    }
}

/// The network after healing.
const HEALED: Conditions = Conditions {
    latency_us: 10_000,
    jitter_us: 1_000,
    loss_ppm: 0,
    burst_begin_ppm: 0,
    burst_end_ppm: 1_000_000,
    duplicate_ppm: 0,
    reorder_ppm: 0,
    very_late_ppm: 0,
    flip_ppm: 0,
};

const fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Lost => "lost",
        Fault::LostInBurst => "lost in burst",
        Fault::LostInPartition => "lost in partition",
        Fault::Duplicated => "duplicated",
        Fault::Reordered => "reordered",
        Fault::VeryLate => "very late",
        Fault::Flipped => "flipped",
        Fault::Retransmitted => "retransmitted",
    }
}
