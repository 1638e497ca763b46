//! A host and its peers in one thread under a virtual clock: the two machines of the core, with packets that take a
//! given number of ticks each way and get lost at a given rate. Every call is timed apart.

use std::collections::VecDeque;
use std::sync::Arc;

use theta_core::schema::Schema;
use theta_core::session::courier::SharedCompressor;
use theta_core::session::genesis::Genesis;
use theta_core::session::handshake::{ClientTerms, Floors, OpenDoor, supported_capabilities};
use theta_core::session::keys::{AdminKey, HostKey, Identity};
use theta_core::session::ticket::{Pass, Ticket};
use theta_core::session::{
    Binding, Host, HostCommand, HostConfig, HostEvent, HostOutput, LinkId, LinkInput, LinkOutput, Peer,
    PeerConfig, PeerEvent, PeerOutput, PeerState,
};
use theta_core::types::{Lane, Tick, Time};
use theta_core::wire::message::{BindingKind, Role};
use theta_core::world::SealedTick;
use theta_sdk::compression::ZstdCompressor;

use crate::allocation;
use crate::clock::thread_cpu_ns;
use crate::scene::Random;

/// What QUIC's own limit leaves for a packet on loopback.
const MAX_DATAGRAM_BYTES: usize = 1150;
/// 90 Hz.
const TICK_US: u64 = 11_111;

/// A path to a peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path {
    /// Ticks that a packet takes, each way. Zero: it is there in the same tick.
    pub one_way_ticks: u64,
    /// Datagrams lost, in thousandths.
    pub lost_per_mille: u64,
}

/// CPU and allocations of a kind of call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// CPU nanoseconds.
    pub cpu_ns: u64,
    /// Allocations.
    pub allocations: u64,
}

impl Cost {
    /// Runs and measures.
    pub fn of<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let (allocations, began) = (allocation::count(), thread_cpu_ns());
        let result = run();
        self.cpu_ns += thread_cpu_ns() - began;
        self.allocations += allocation::count() - allocations;
        result
    }
}

/// What one tick took.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickCost {
    /// The host's machine: deltas for all peers, sealed into packets.
    pub send: Cost,
    /// The host's machine: acknowledgements and reports of all peers taken in.
    pub acknowledge: Cost,
    /// All peers: packets opened, rows applied, frames published, acknowledgements made.
    pub apply: Cost,
    /// Bytes of packets to all peers (envelopes included, QUIC and UDP not).
    pub bytes: u64,
    /// Packets to all peers.
    pub packets: u64,
}

/// Something under way: when it arrives, on which lane, the packet.
type Travelling = (u64, LinkInputOwned);

enum LinkInputOwned {
    Stream(Lane, u64),
    Packet(Lane, Vec<u8>),
}

struct Member {
    machine: Peer,
    path: Path,
    down: VecDeque<Travelling>,
    up: VecDeque<Travelling>,
    random: Random,
    frames: u64,
    newest: Option<(Tick, u64)>,
}

/// See the module.
pub struct Session {
    host: Host,
    members: Vec<Member>,
    schema: Arc<Schema>,
    now: u64,
    live: usize,
}

fn compressor() -> Option<SharedCompressor> {
    ZstdCompressor::new().ok().map(|zstd| Box::new(zstd) as SharedCompressor)
}

const fn time(tick: u64) -> Time {
    // A second before the first tick, so that no time is zero.
    Time(1_000_000 + tick * TICK_US)
}

impl Session {
    /// A host that admits whoever comes, without members.
    pub fn new(schema: Arc<Schema>) -> Self {
        let authority = AdminKey::from_seed(&[1; 32]);
        let genesis = Genesis::plain(&authority, [2; 32]);
        let mut config = HostConfig::new(genesis, authority, HostKey::from_seed(&[3; 32]));
        config.door = OpenDoor::Loopback(Role::Editor);
        config.max_peers = 64;
        config.max_half_open = 64;
        let host = Host::new(config, Arc::clone(&schema), [4; 32], Box::new(compressor));
        Self { host, members: Vec::new(), schema, now: 0, live: 0 }
    }

    /// Opens the link of another member. It joins as packets go back and forth.
    pub fn connect(&mut self, path: Path) {
        let number = self.members.len() as u8 + 1;
        let ticket = Ticket { endpoint: "bench:1".into(), pin: Some(self.host.pin()), pass: Pass::None };
        let terms = ClientTerms {
            bearer: None,
            least_term: 0,
            floors: Floors::default(),
            identity: Identity::from_seed(&[number + 100; 32]),
            name: format!("peer {number}"),
            application: Vec::new(),
            ticket,
            capabilities: supported_capabilities(),
            dictionary_hash: 0,
        };
        let config = PeerConfig {
            terms,
            manual_loaded: false,
            handshake_timeout_ms: 60_000,
            idle_timeout_ms: 60_000,
            resume_timeout_ms: 0,
        };
        let schema = Arc::clone(&self.schema);
        let machine = Peer::new(config, schema, time(self.now), [number; 32], compressor());
        self.members.push(Member {
            machine,
            path,
            down: VecDeque::new(),
            up: VecDeque::new(),
            random: Random::new(u64::from(number)),
            frames: 0,
            newest: None,
        });
        let binding = Binding { kind: BindingKind::Memory, bytes: [number; 32] };
        let opened = LinkInput::Opened {
            binding,
            max_datagram_bytes: MAX_DATAGRAM_BYTES,
            is_loopback: true,
            source: None,
        };
        let link = self.members.len() - 1;
        self.host.handle(time(self.now), LinkId(link as u32), opened);
        self.members[link].machine.handle(time(self.now), opened);
    }

    /// Sends a sealed tick and everything that is due, and notes what it took.
    pub fn tick(&mut self, sealed: SealedTick) -> TickCost {
        let mut cost = TickCost::default();
        self.now += 1;
        let now = time(self.now);
        let mut outputs = Vec::with_capacity(4096);
        cost.send.of(|| {
            self.host.command(now, HostCommand::Tick(sealed));
            while let Some(output) = self.host.poll_output() {
                outputs.push(output);
            }
        });
        self.dispatch(outputs, &mut cost);
        self.exchange(&mut cost);
        cost
    }

    /// Delivers what is due until nothing is.
    pub fn exchange(&mut self, cost: &mut TickCost) {
        let now = time(self.now);
        self.host.handle_timeout(now);
        loop {
            let mut outputs = Vec::new();
            while let Some(output) = self.host.poll_output() {
                outputs.push(output);
            }
            let mut progress = !outputs.is_empty();
            self.dispatch(outputs, cost);
            for at in 0..self.members.len() {
                self.members[at].machine.handle_timeout(now);
                progress |= self.deliver_down(at, cost);
                progress |= self.deliver_up(at, cost);
            }
            if !progress {
                return;
            }
        }
    }

    fn deliver_down(&mut self, at: usize, cost: &mut TickCost) -> bool {
        let now = time(self.now);
        let member = &mut self.members[at];
        let mut outputs = Vec::with_capacity(64);
        while member.down.front().is_some_and(|(due, _)| *due <= self.now) {
            let Some((_, input)) = member.down.pop_front() else { break };
            cost.apply.of(|| {
                member.machine.handle(now, borrowed(&input));
                while let Some(output) = member.machine.poll_output() {
                    outputs.push(output);
                }
            });
        }
        while let Some(output) = member.machine.poll_output() {
            outputs.push(output);
        }
        let any = !outputs.is_empty();
        for output in outputs {
            match output {
                PeerOutput::Link(output) => member.send_up(output, self.now),
                PeerOutput::Event(PeerEvent::Frame(frame)) => {
                    member.frames += 1;
                    member.newest = Some((frame.tick, frame.fold()));
                }
                PeerOutput::Event(PeerEvent::Disconnected { code, reason }) => {
                    panic!("peer {at} was disconnected: {code:?}, {reason}")
                }
                PeerOutput::Event(_) => {}
            }
        }
        any
    }

    fn deliver_up(&mut self, at: usize, cost: &mut TickCost) -> bool {
        let mut any = false;
        while self.members[at].up.front().is_some_and(|(due, _)| *due <= self.now) {
            let Some((_, input)) = self.members[at].up.pop_front() else { break };
            any = true;
            cost.acknowledge.of(|| self.host.handle(time(self.now), LinkId(at as u32), borrowed(&input)));
        }
        any
    }

    fn dispatch(&mut self, outputs: Vec<HostOutput>, cost: &mut TickCost) {
        for output in outputs {
            match output {
                HostOutput::Link(link, output) => {
                    let member = &mut self.members[link.0 as usize];
                    let due = self.now + member.path.one_way_ticks;
                    match output {
                        LinkOutput::Transmit { lane, packet } => {
                            cost.bytes += packet.len() as u64;
                            cost.packets += 1;
                            if lane.is_reliable() || !member.is_lost() {
                                member.down.push_back((due, LinkInputOwned::Packet(lane, packet)));
                            }
                        }
                        LinkOutput::OpenLane { lane, schema_hash } => {
                            member.down.push_back((due, LinkInputOwned::Stream(lane, schema_hash)));
                        }
                        LinkOutput::FinishLane(_) => {}
                        LinkOutput::Close { code, reason } => panic!("the host closed: {code:?}, {reason}"),
                    }
                }
                HostOutput::Event(HostEvent::PeerLive(_)) => self.live += 1,
                HostOutput::Event(HostEvent::Diverged { divergence, .. }) => {
                    panic!("a replica diverged: {}", divergence.text)
                }
                HostOutput::Event(_) => {}
            }
        }
    }

    /// Members that hold the world and receive deltas.
    pub const fn live(&self) -> usize {
        self.live
    }

    /// True when every member's machine is live.
    pub fn all_live(&self) -> bool {
        self.live == self.members.len()
            && self.members.iter().all(|member| member.machine.state() == PeerState::Live)
    }

    /// Frames that all members have published.
    pub fn frames(&self) -> u64 {
        self.members.iter().map(|member| member.frames).sum()
    }

    /// Asserts that the newest frame of every member is the host's, given the host's fold of each tick (index: tick).
    pub fn check(&self, folds: &[u64]) {
        for (at, member) in self.members.iter().enumerate() {
            let (tick, fold) = member.newest.expect("a frame");
            assert_eq!(folds[tick.0 as usize], fold, "peer {at} at {tick} has another state");
        }
    }
}

fn borrowed(input: &LinkInputOwned) -> LinkInput<'_> {
    match input {
        LinkInputOwned::Stream(lane, schema_hash) => {
            LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash }
        }
        LinkInputOwned::Packet(lane, bytes) => LinkInput::Packet { lane: *lane, bytes },
    }
}

impl Member {
    fn is_lost(&mut self) -> bool {
        self.path.lost_per_mille > 0 && self.random.below(1000) < self.path.lost_per_mille
    }

    fn send_up(&mut self, output: LinkOutput, now: u64) {
        let due = now + self.path.one_way_ticks;
        match output {
            LinkOutput::Transmit { lane, packet } => {
                if lane.is_reliable() || !self.is_lost() {
                    self.up.push_back((due, LinkInputOwned::Packet(lane, packet)));
                }
            }
            LinkOutput::OpenLane { lane, schema_hash } => {
                self.up.push_back((due, LinkInputOwned::Stream(lane, schema_hash)));
            }
            LinkOutput::FinishLane(_) => {}
            LinkOutput::Close { code, reason } => panic!("a peer closed: {code:?}, {reason}"),
        }
    }
}
