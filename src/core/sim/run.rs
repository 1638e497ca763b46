//! The loop: one host, its peers and the network under one virtual clock, with the checker watching every output.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use super::checker::{PeerChecker, Truth, Violation};
use super::engine::Engine;
use super::network::{Arrival, Conditions, End, Fault, Network};
use super::plan::{Plan, TICK_US};
use super::rest::Thief;
use super::rng::Rng;
use crate::schema::Schema;
use crate::session::genesis::Genesis;
use crate::session::handshake::OpenDoor;
use crate::session::input::InputSample;
use crate::session::keys::{AdminKey, HostKey, Identity};
use crate::session::{
    Host, HostCommand, HostConfig, HostOutput, LinkId, LinkInput, LinkOutput, Peer, PeerState,
};
use crate::types::{PeerId, Tick, Time};
use crate::wire::message::Role;

/// Unix time of every simulated session, in seconds.
pub(super) const UNIX_S: u64 = 1_800_000_000;

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

pub(super) struct Player {
    pub(super) index: u32,
    pub(super) machine: Option<Peer>,
    pub(super) link: LinkId,
    pub(super) checker: PeerChecker,
    pub(super) slot: Option<PeerId>,
    pub(super) role: Role,
    /// The components of its build.
    pub(super) schema: Arc<Schema>,
    pub(super) identity: Identity,
    /// Its clock is `now * (1 + skew) + offset`.
    pub(super) skew_ppm: i64,
    pub(super) offset_us: u64,
    pub(super) paused_until: Time,
    pub(super) silent_from: Time,
    pub(super) silent_until: Time,
    pub(super) parked: Vec<Arrival>,
    pub(super) rejoin_at: Tick,
    /// The end of its session was arranged: by itself, the plan, or a fault that leads to it.
    pub(super) may_end: bool,
    pub(super) inputs: u64,
    pub(super) epoch: u16,
    /// Its session can be resumed.
    pub(super) resumes: bool,
    /// When it is to be back from being away.
    pub(super) back_at: Option<Tick>,
    /// When it tries the next link.
    pub(super) reconnect_at: Option<Tick>,
    pub(super) token: Vec<u8>,
    pub(super) old_token: Vec<u8>,
}

impl Player {
    pub(super) fn local(&self, now: Time) -> Time {
        let skewed = now.0 as i64 + now.0 as i64 * self.skew_ppm / 1_000_000;
        Time(skewed as u64 + self.offset_us)
    }
}

/// See the module.
pub(super) struct Simulation {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) network: Network,
    pub(super) host: Host,
    pub(super) engine: Engine,
    pub(super) authority: AdminKey,
    pub(super) truth: Truth,
    pub(super) players: Vec<Player>,
    pub(super) thieves: Vec<Thief>,
    pub(super) next_link: u32,
    pub(super) digest: SipHasher24,
    pub(super) outcome: Outcome,
    pub(super) tick: Tick,
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
        let authority = AdminKey::from_seed(&rng.bytes_32());
        let genesis = Genesis::plain(&authority, [0x5e; 32]);
        let mut config = HostConfig::new(genesis, authority.clone(), HostKey::from_seed(&rng.bytes_32()));
        config.door = OpenDoor::Closed;
        config.manual_admission = plan.seed.is_multiple_of(3);
        config.sequences_per_epoch = plan.sequences_per_epoch;
        config.resume_grace_ms = plan.grace_ms;
        config.frozen_bytes = plan.frozen_bytes;
        let mut host = Host::new(config, Arc::clone(engine.schema()), rng.bytes_32(), Box::new(|| None));
        host.set_unix_time(UNIX_S);
        #[cfg(feature = "mutants")]
        host.set_mutant(plan.mutant);
        let players = plan.builds.iter().zip(0..plan.peers);
        let players = players
            .map(|(build, index)| Self::player(index, build.schema(engine.schema()), &mut rng))
            .collect();
        Self {
            network: Network::new(rng.fork()),
            rng,
            now: Time(0),
            host,
            engine,
            authority,
            truth: Truth::default(),
            players,
            thieves: Vec::new(),
            next_link: 1,
            digest: SipHasher24::new(),
            outcome: Outcome::default(),
            tick: Tick::ZERO,
            plan,
        }
    }

    fn player(index: u32, schema: Arc<Schema>, rng: &mut Rng) -> Player {
        Player {
            index,
            machine: None,
            link: LinkId(0),
            checker: PeerChecker::default(),
            slot: None,
            schema,
            role: if index % 4 == 3 { Role::Viewer } else { Role::Editor },
            identity: Identity::from_seed(&rng.bytes_32()),
            skew_ppm: rng.between(0, 400) as i64 - 200,
            offset_us: rng.below(1 << 40),
            paused_until: Time(0),
            silent_from: Time(0),
            silent_until: Time(0),
            parked: Vec::new(),
            rejoin_at: Tick(1 + index * 7),
            may_end: false,
            inputs: 0,
            epoch: 0,
            resumes: index % 3 != 2,
            back_at: None,
            reconnect_at: None,
            token: Vec::new(),
            old_token: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, what: &str) {
        *self.outcome.counts.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn violate(&mut self, text: String) {
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
        if let Arrival::Packet(lane, bytes) = &arrival
            && self.tell_thief(link, *lane, bytes)
        {
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
            self.hand_to_player(index, &arrival);
        }
    }

    fn hand_to_player(&mut self, index: usize, arrival: &Arrival) {
        let player = &mut self.players[index];
        let local = player.local(self.now);
        let Some(machine) = &mut player.machine else { return };
        match arrival {
            Arrival::StreamOpened(lane, schema_hash) => {
                machine.handle(local, LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash });
            }
            Arrival::Packet(lane, bytes) => machine.handle(local, LinkInput::Packet { lane: *lane, bytes }),
            Arrival::Closed(code, reason) => machine.handle(local, LinkInput::Closed { code: *code, reason }),
        }
        self.drain_player(index);
    }

    pub(super) fn transmit(&mut self, link: LinkId, to: End, output: LinkOutput) {
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

    pub(super) fn drain_host(&mut self) {
        while let Some(output) = self.host.poll_output() {
            match output {
                HostOutput::Link(link, output) => self.transmit(link, End::Peer, output),
                HostOutput::Event(event) => self.host_event(event),
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
            let epoch = self.players[index].machine.as_ref().map_or(0, Peer::epoch);
            let before = core::mem::replace(&mut self.players[index].epoch, epoch);
            if before > 0 && epoch > before {
                self.count("peer followed an epoch");
            }
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
pub(super) const HEALED: Conditions = Conditions {
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
