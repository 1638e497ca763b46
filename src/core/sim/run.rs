//! The loop: one host, its peers and the network under one virtual clock, with the checker watching every output.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Write as _};
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use super::attackers::Attacker;
use super::checker::{PeerChecker, Truth, Violation};
use super::engine::Engine;
use super::impostors::Impostor;
use super::monitor::Monitor;
use super::network::{Arrival, Conditions, End, Network};
use super::plan::{Plan, TICK_US, TICKS_PER_SECOND};
use super::rest::Thief;
use super::rng::Rng;
use super::traffic::Traffic;
use crate::schema::Schema;
use crate::session::genesis::Genesis;
use crate::session::handshake::OpenDoor;
use crate::session::input::InputSample;
use crate::session::keys::{AdminKey, HostKey, Identity};
use crate::session::{
    Host, HostCommand, HostConfig, HostOutput, LinkId, LinkInput, LinkOutput, Peer, PeerState,
};
use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::limits::MAX_DATAGRAM_BYTES;
use crate::wire::message::Role;

/// Unix time of every simulated session, in seconds.
pub(super) const UNIX_S: u64 = 1_800_000_000;

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What must not happen and did; a run stops at the first.
    pub violations: Vec<Violation>,
    /// SipHash of every packet that a machine sent and of all that arrived anywhere, with link, lane and time, of every
    /// event, every frame's hash and everything counted, in order: equal for equal runs, on every machine.
    pub digest: u64,
    /// The same after each whole second: the first that differs says when two runs part.
    pub digests: Vec<u64>,
    /// How often each fault, incident and transition happened.
    pub counts: BTreeMap<Cow<'static, str>, u64>,
    /// Frames published by all peers.
    pub frames: u64,
    /// Repairs acknowledged.
    pub repairs: u64,
    /// The most bytes that one link carried in a second: towards the host, and towards the peer.
    pub most_bytes_per_s: [u64; 2],
}

pub(super) struct Player {
    pub(super) index: u32,
    pub(super) machine: Option<Peer>,
    pub(super) link: LinkId,
    /// All that it has opened.
    pub(super) links: BTreeSet<LinkId>,
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
    /// When it loses the link that it has just opened.
    pub(super) lose_at: Option<Tick>,
    pub(super) token: Vec<u8>,
    pub(super) old_token: Vec<u8>,
    /// When somebody tries that one.
    pub(super) theft_at: Option<Tick>,
    /// Where its machine stands.
    pub(super) state: PeerState,
    /// Whom it was told of.
    pub(super) roster: BTreeSet<PeerId>,
    /// When its newest input was sampled, in ticks.
    pub(super) newest_input: u32,
    /// The datagram limit that the host's end was told.
    pub(super) datagram_limit: usize,
}

impl Player {
    pub(super) fn local(&self, now: Time) -> Time {
        let skewed = now.0 as i64 + now.0 as i64 * self.skew_ppm / 1_000_000;
        Time(skewed as u64 + self.offset_us)
    }
}

/// Text on its way into the digest.
struct Noting<'a>(&'a mut SipHasher24);

impl fmt::Write for Noting<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
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
    /// The host as it starts, for when it starts again.
    pub(super) host_config: HostConfig,
    /// A new host has not been given the whole world yet.
    pub(super) host_is_new: bool,
    pub(super) host_paused_until: Time,
    host_parked: Vec<(LinkId, Arrival)>,
    monitors: BTreeMap<(LinkId, End), Monitor>,
    traffic: Traffic,
    pub(super) attackers: Vec<Attacker>,
    pub(super) impostors: Vec<Impostor>,
    /// Until then the host may turn honest peers away, since others wait at its door.
    pub(super) besieged_until: Time,
    /// The newest hello and confirmation that somebody sent, for a thief to repeat.
    pub(super) recording: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// Links that were cut without a word, and until when the host may take them for alive.
    pub(super) cut: Vec<(LinkId, Time)>,
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
        let host_config = config.clone();
        let mut host = Host::new(config, Arc::clone(engine.schema()), rng.bytes_32(), Box::new(|| None));
        host.set_unix_time(UNIX_S);
        #[cfg(feature = "mutants")]
        host.set_mutant(plan.mutant);
        let players = plan.builds.iter().zip(0..plan.peers);
        let players = players
            .map(|(build, index)| Self::player(plan.seed, index, build.schema(engine.schema()), &mut rng))
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
            host_config,
            host_is_new: false,
            host_paused_until: Time(0),
            host_parked: Vec::new(),
            monitors: BTreeMap::new(),
            traffic: Traffic::default(),
            attackers: Vec::new(),
            impostors: Vec::new(),
            besieged_until: Time(0),
            recording: None,
            cut: Vec::new(),
            plan,
        }
    }

    fn player(seed: u64, index: u32, schema: Arc<Schema>, rng: &mut Rng) -> Player {
        Player {
            index,
            machine: None,
            link: LinkId(0),
            links: BTreeSet::new(),
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
            resumes: !(u64::from(index) + seed).is_multiple_of(3),
            back_at: None,
            reconnect_at: None,
            lose_at: None,
            token: Vec::new(),
            old_token: Vec::new(),
            theft_at: None,
            state: PeerState::Connecting,
            roster: BTreeSet::new(),
            newest_input: 0,
            datagram_limit: MAX_DATAGRAM_BYTES,
        }
    }

    pub(super) fn count(&mut self, what: impl Into<Cow<'static, str>>) {
        let what = what.into();
        self.digest.write(what.as_bytes());
        *self.outcome.counts.entry(what).or_default() += 1;
    }

    pub(super) fn violate(&mut self, text: String) {
        self.outcome.violations.push(Violation { tick: self.tick, text });
    }

    fn run(mut self) -> Outcome {
        for tick in 1..=self.plan.ticks {
            self.advance_to(Time(u64::from(tick) * TICK_US));
            self.tick = Tick(tick);
            self.incidents();
            self.attack();
            self.deceive();
            self.seal();
            self.play();
            if tick.is_multiple_of(TICKS_PER_SECOND) {
                self.outcome.digests.push(self.digest.finish());
            }
            if !self.outcome.violations.is_empty() {
                break;
            }
        }
        if self.outcome.violations.is_empty() {
            self.check_healed();
        }
        for (fault, count) in self.network.faults() {
            *self.outcome.counts.entry(fault.name().into()).or_default() += count;
        }
        self.outcome.counts.extend(self.traffic.counts());
        self.outcome.most_bytes_per_s = self.traffic.most();
        self.outcome.digest = self.digest.finish();
        self.outcome.frames = self.players.iter().map(|player| player.checker.frames()).sum::<u64>()
            + self.outcome.counts.get("frames of ended sessions").copied().unwrap_or(0);
        self.outcome
    }

    /// Lets everything happen that happens before `until`.
    fn advance_to(&mut self, until: Time) {
        loop {
            let next = [self.network.next_arrival(), self.next_host_wake(), self.next_player_wake()]
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
                self.note_arrival(link, to, &arrival);
                self.deliver(LinkId(link), to, arrival);
            }
            if self.next_host_wake().is_some_and(|wake| wake <= self.now) {
                self.wake_host();
            }
            // Who is due at the same moment is woken in an order that the seed draws.
            let first = self.rng.below(self.players.len() as u64) as usize;
            for index in (first..self.players.len()).chain(0..first) {
                self.wake_player(index);
            }
            if !self.outcome.violations.is_empty() {
                return;
            }
        }
    }

    fn note_arrival(&mut self, link: u32, to: End, arrival: &Arrival) {
        self.digest.write_u32(link);
        self.digest.write_u8(u8::from(to == End::Host));
        self.digest.write_u64(self.now.0);
        match arrival {
            Arrival::StreamOpened(lane, hash) => self.digest.write_u64(*hash ^ u64::from(lane.wire_id())),
            Arrival::Packet(lane, bytes) | Arrival::Altered(lane, bytes) => {
                self.digest.write_u8(lane.wire_id());
                self.digest.write(bytes);
            }
            Arrival::Closed(code, reason) => {
                self.digest.write_u16(*code);
                self.digest.write(reason.as_bytes());
            }
        }
    }

    /// What a machine told, as part of the run's digest.
    pub(super) fn note(&mut self, event: &impl Debug) {
        // Hashing does not fail.
        let _written = write!(Noting(&mut self.digest), "{event:?}");
    }

    fn next_host_wake(&self) -> Option<Time> {
        if self.now < self.host_paused_until {
            return Some(self.host_paused_until);
        }
        let parked = (!self.host_parked.is_empty()).then_some(self.now);
        parked.or_else(|| self.host.next_wake())
    }

    fn wake_host(&mut self) {
        for (link, arrival) in core::mem::take(&mut self.host_parked) {
            self.hand_to_host(link, &arrival);
        }
        if self.host.next_wake().is_some_and(|wake| wake <= self.now) {
            self.host.handle_timeout(self.now);
            self.drain_host();
        }
    }

    /// A link's packet, and what the host did with it.
    pub(super) fn hand_to_host(&mut self, link: LinkId, arrival: &Arrival) {
        if self.now < self.host_paused_until {
            self.host_parked.push((link, arrival.clone()));
            return;
        }
        let before = self.host.received_on(link);
        match arrival {
            Arrival::StreamOpened(lane, schema_hash) => {
                let input = LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash };
                self.host.handle(self.now, link, input);
            }
            Arrival::Packet(lane, bytes) | Arrival::Altered(lane, bytes) => {
                self.host.handle(self.now, link, LinkInput::Packet { lane: *lane, bytes });
                if self.host.received_on(link) > before {
                    self.monitor(link, End::Host, arrival);
                }
            }
            Arrival::Closed(code, reason) => {
                self.host.handle(self.now, link, LinkInput::Closed { code: *code, reason });
            }
        }
        self.drain_host();
    }

    /// The machine at this end took the packet for valid.
    fn monitor(&mut self, link: LinkId, at: End, arrival: &Arrival) {
        let (lane, bytes, is_altered) = match arrival {
            Arrival::Packet(lane, bytes) => (*lane, bytes, false),
            Arrival::Altered(lane, bytes) => (*lane, bytes, true),
            _ => return,
        };
        if let Err(text) = self.monitors.entry((link, at)).or_default().on_taken(lane, bytes, is_altered) {
            self.violate(format!("link {} at the {at:?}: {text}", link.0));
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
            if !self.impostor_hears(link, &arrival) {
                self.hand_to_host(link, &arrival);
            }
            return;
        }
        if self.attacker_hears(link, &arrival) {
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
        let (local, link) = (player.local(self.now), player.link);
        let Some(machine) = &mut player.machine else { return };
        let mut is_taken = false;
        match arrival {
            Arrival::StreamOpened(lane, schema_hash) => {
                machine.handle(local, LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash });
            }
            Arrival::Packet(lane, bytes) | Arrival::Altered(lane, bytes) => {
                let before = machine.received();
                machine.handle(local, LinkInput::Packet { lane: *lane, bytes });
                is_taken = machine.received() > before;
            }
            Arrival::Closed(code, reason) => machine.handle(local, LinkInput::Closed { code: *code, reason }),
        }
        if is_taken {
            self.monitor(link, End::Peer, arrival);
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
                if let Err(text) = self.traffic.on_sent(self.now, link, to, &packet) {
                    self.violate(text);
                }
                self.look_at(link, to, lane, &packet);
                Arrival::Packet(lane, packet)
            }
            LinkOutput::FinishLane(_) => return,
            LinkOutput::Close { code, reason } => Arrival::Closed(code as u16, reason),
        };
        let link = if to == End::Peer { self.passed_on(link).unwrap_or(link) } else { link };
        self.network.send(self.now, link.0, to, arrival);
    }

    /// What leaves a machine: within what the path takes; and the proofs of honest peers, for those who would steal them.
    fn look_at(&mut self, link: LinkId, to: End, lane: Lane, packet: &[u8]) {
        let Some(player) = self.players.iter().find(|player| player.link == link) else { return };
        if to == End::Peer && !lane.is_reliable() && packet.len() > player.datagram_limit {
            let limit = player.datagram_limit;
            self.violate(format!("a datagram of {} bytes on a path that takes {limit}", packet.len()));
        }
        // Sequence and epoch of the envelope.
        if to == End::Host && lane == Lane::Control && packet[12..14] == [0, 0] {
            match (packet[8], &mut self.recording) {
                (1, recording) => *recording = Some((packet.to_vec(), None)),
                (2, Some((_, confirm))) => *confirm = Some(packet.to_vec()),
                _ => {}
            }
        }
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
        if self.now < self.host_paused_until {
            return;
        }
        let members: Vec<PeerId> = self.host.members().iter().map(|member| member.peer).collect();
        let mut sealed = self.engine.tick(self.tick, &members);
        if core::mem::take(&mut self.host_is_new) {
            sealed.changed.clone_from(&sealed.frame.chunks);
        }
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
    old_epoch_ppm: 0,
};
