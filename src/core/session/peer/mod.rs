//! The peer: one link to a host, and a replica of its world. A state machine without I/O.
//!
//! | file | concern |
//! |---|---|
//! | `mod` | the machine, its configuration, handshake |
//! | `control` | what the host says besides state |
//! | `inputs` | our input |
//! | `layout` | a host with other components: its manifest, and its world shown in ours |
//! | `rest` | away and back, on this link or a new one |
//! | `sync` | snapshots, deltas, acknowledgements and hashes |

mod control;
mod inputs;
mod layout;
mod rest;
mod sync;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::mutants::{Mutant, Mutants};
use crate::replication::{Replica, ReplicaLimits};
use crate::schema::Schema;
use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::envelope::RawMessage;
use crate::wire::message::{CompressionKind, Ending, Heartbeat, Message, MessageType, Role, SessionControl};

use super::clock::TickClock;
use super::closing::{Closing, clip};
use super::closing_of_transport;
use super::courier::{Courier, PacketCounters, SharedCompressor};
use super::handshake::{Agreement, ClientTerms, check_acknowledge, client_hello};
use super::heart::Heart;
use super::io::{Binding, LinkInput, PeerEvent, PeerInfo, PeerOutput, PeerState};
use super::keys::Entropy;
use super::role::travels_on;
use inputs::Inputs;
use layout::Layout;
use rest::{Phase, Rest};
use sync::Sync;

/// How a peer behaves.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Who we are, whom we expect, what we ask for.
    pub terms: ClientTerms,
    /// Wait for [`Peer::loaded`] before the world is asked for.
    pub manual_loaded: bool,
    /// A session that is not admitted after this long is given up.
    pub handshake_timeout_ms: u64,
    /// A host that is silent for this long is given up.
    pub idle_timeout_ms: u64,
    /// How long a lost link is looked for again while somebody is there; zero: as long as the host keeps our place. The
    /// capability Resume, among those of the terms, says whether it is at all.
    pub resume_timeout_ms: u64,
}

/// What is known of the link to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStatistics {
    /// Smoothed round trip, microseconds.
    pub rtt_us: u32,
    /// The newest round trip, microseconds.
    pub last_rtt_us: u32,
    /// How many round trips were measured.
    pub rtt_samples: u64,
    /// Its variation, microseconds.
    pub jitter_us: u32,
    /// The host's clock minus ours, microseconds.
    pub clock_offset_us: i64,
    /// Packets by outcome.
    pub packets: PacketCounters,
    /// Ticks of which something arrived.
    pub ticks_started: u64,
    /// Ticks published whole.
    pub ticks_complete: u64,
    /// Repairs applied.
    pub repairs: u64,
    /// The newest tick the host has confirmed to us.
    pub confirmed_tick: Tick,
}

/// See the module.
pub struct Peer {
    config: PeerConfig,
    schema: Arc<Schema>,
    entropy: Entropy,
    /// How far the link is.
    state: PeerState,
    /// What the application was told.
    reported: PeerState,
    rest: Rest,
    /// The other members, and which of them are away.
    roster: BTreeMap<PeerId, (PeerInfo, bool)>,
    binding: Option<Binding>,
    is_loopback: bool,
    deadline: Time,
    hello: Vec<u8>,
    agreement: Option<Agreement>,
    slot: PeerId,
    role: Role,
    courier: Courier,
    heart: Heart,
    tick_clock: TickClock,
    replica: Replica,
    layout: Layout,
    sync: Sync,
    inputs: Inputs,
    confirmed: Tick,
    /// Our direction of the replication lane is open.
    replication_open: bool,
    outputs: VecDeque<PeerOutput>,
    scratch: Vec<u8>,
    mutants: Mutants,
}

impl core::fmt::Debug for Peer {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Peer").field("state", &self.state).field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Peer {
    /// A peer that waits for its transport. `seed` must be secret and fresh: the nonce comes from it.
    #[must_use]
    pub fn new(
        config: PeerConfig,
        schema: Arc<Schema>,
        now: Time,
        seed: [u8; 32],
        compressor: Option<SharedCompressor>,
    ) -> Self {
        let mut config = config;
        config.terms.dictionary_hash =
            compressor.as_ref().map_or(0, |compressor| compressor.dictionary_hash());
        Self {
            deadline: now.plus_ms(config.handshake_timeout_ms),
            heart: Heart::new(now, config.idle_timeout_ms),
            replica: Replica::new(Arc::clone(&schema), ReplicaLimits::default()),
            config,
            schema,
            entropy: Entropy::new(seed),
            state: PeerState::Connecting,
            reported: PeerState::Connecting,
            rest: Rest::default(),
            roster: BTreeMap::new(),
            binding: None,
            is_loopback: false,
            hello: Vec::new(),
            agreement: None,
            slot: PeerId::HOST,
            role: Role::Viewer,
            courier: Courier::new(compressor),
            tick_clock: TickClock::new(90),
            layout: Layout::default(),
            sync: Sync::default(),
            inputs: Inputs::default(),
            confirmed: Tick::ZERO,
            replication_open: false,
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            mutants: Mutants::NONE,
        }
    }

    /// Where we stand.
    #[must_use]
    pub const fn state(&self) -> PeerState {
        match self.rest.phase {
            _ if matches!(self.state, PeerState::Closed) => PeerState::Closed,
            Phase::Present => self.state,
            Phase::Away => PeerState::Away,
            Phase::Resuming => PeerState::Resuming,
        }
    }

    /// What both sides agreed on; `None` before the host has proved itself.
    #[must_use]
    pub const fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// The session epoch of what the host sends now; zero while the handshake lasts.
    #[must_use]
    pub const fn epoch(&self) -> u16 {
        self.courier.epoch_in()
    }

    /// Takes in what the transport reports.
    pub fn handle(&mut self, now: Time, input: LinkInput<'_>) {
        if self.state == PeerState::Closed || self.rest.is_without_link() {
            return;
        }
        let outcome = match input {
            LinkInput::Opened { binding, max_datagram_bytes, is_loopback, .. } => {
                self.opened(binding, max_datagram_bytes, is_loopback)
            }
            LinkInput::StreamOpened { lane, schema_hash } => {
                let checked = self.courier.check_preface(lane, schema_hash);
                if checked.is_ok() && lane == Lane::Replication && !self.replication_open {
                    self.replication_open = true;
                    // The host opened the stream; our direction of it begins with our own preface.
                    self.courier.open_lane(Lane::Replication);
                }
                checked
            }
            LinkInput::DatagramLimit(bytes) => {
                self.courier.set_max_datagram_bytes(bytes);
                Ok(())
            }
            LinkInput::Packet { lane, bytes } => self.packet(now, lane, bytes),
            LinkInput::Closed { code, reason } => {
                self.courier.transport_closed();
                Err(closing_of_transport(code, reason))
            }
        };
        if let Err(closing) = outcome {
            self.fail(now, &closing);
        }
        self.flush(now);
    }

    /// Does what is due by now: heartbeats, acknowledgements, timeouts.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.state {
            PeerState::Closed => return,
            _ if self.rest.is_without_link() => self.give_up_looking(now),
            PeerState::Connecting if now >= self.deadline => {
                let address = &self.config.terms.ticket.endpoint;
                let nobody =
                    format!("Nobody answers at {address}: no host runs there, or UDP does not reach it");
                self.fail(now, &Closing::because(DisconnectCode::HandshakeTimeout, nobody));
            }
            PeerState::Handshake if now >= self.deadline => {
                self.fail(now, &Closing::new(DisconnectCode::HandshakeTimeout));
            }
            PeerState::Connecting | PeerState::Handshake => {}
            _ => {
                if self.heart.is_idle(now) {
                    self.fail(now, &Closing::new(DisconnectCode::IdleTimeout));
                } else if let Some(stamps) = self.heart.beat(now) {
                    let heartbeat = Heartbeat {
                        newest_tick: self.replica.newest_complete(),
                        confirmed_tick: self.confirmed,
                        lanes: self.courier.lane_counts(),
                        ..stamps
                    };
                    self.send(Lane::Control, &Message::Heartbeat(heartbeat));
                }
                self.await_manifest(now);
            }
        }
        self.flush(now);
    }

    /// When to call [`Peer::handle_timeout`] next; nothing is due before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        match self.state {
            PeerState::Closed => None,
            _ if self.rest.is_without_link() => self.rest.next_wake(),
            PeerState::Connecting | PeerState::Handshake => Some(self.deadline),
            _ => Some(self.heart.next_wake().min(self.sync.next_wake()).min(self.layout.next_wake())),
        }
    }

    fn opened(
        &mut self,
        binding: Binding,
        max_datagram_bytes: usize,
        is_loopback: bool,
    ) -> Result<(), Closing> {
        if self.binding.is_some() {
            return Err(Closing::because(DisconnectCode::InternalFault, "the link was opened twice"));
        }
        self.binding = Some(binding);
        self.is_loopback = is_loopback;
        self.courier.set_max_datagram_bytes(max_datagram_bytes);
        self.courier.open_lane(Lane::Control);
        let nonce = self.entropy.draw();
        let mut hello = client_hello(&self.config.terms, &self.schema, &binding, nonce);
        self.introduce(&mut hello);
        let hello = Message::SessionHello(hello);
        self.hello =
            hello.encode().map_err(|error| Closing::because(DisconnectCode::InternalFault, error))?;
        self.send(Lane::Control, &hello);
        self.enter(PeerState::Handshake);
        Ok(())
    }

    fn packet(&mut self, now: Time, lane: Lane, bytes: &[u8]) -> Result<(), Closing> {
        let mut scratch = core::mem::take(&mut self.scratch);
        let outcome = match self.courier.receive(lane, bytes, &mut scratch) {
            Ok(Some(packet)) => {
                self.heart.heard(now);
                let (epoch, mut sequence) = (packet.header().epoch, packet.header().sequence);
                if epoch > self.courier.epoch_out() {
                    self.follow_epoch(now, epoch);
                } else if epoch < self.courier.epoch_out() {
                    // Late, of the epoch before: taken, and never acknowledged, since acknowledgements speak of ours.
                    sequence = 0;
                }
                packet.messages().try_for_each(|raw| self.message(now, lane, sequence, raw))
            }
            Ok(None) => Ok(()),
            Err(closing) => Err(closing),
        };
        self.scratch = scratch;
        outcome
    }

    fn message(&mut self, now: Time, lane: Lane, sequence: u32, raw: RawMessage<'_>) -> Result<(), Closing> {
        if self.state == PeerState::Closed {
            return Ok(());
        }
        let message = raw.decode().map_err(|error| Closing::from_message(&error))?;
        let admitted = self.state >= PeerState::Admitted;
        let in_handshake = self.courier.epoch_in() == 0;
        match message {
            Message::SessionAcknowledge(acknowledge)
                if self.state == PeerState::Handshake
                    && self.agreement.is_none()
                    && lane == Lane::Control =>
            {
                let Some(binding) = self.binding else { return Ok(()) };
                let (agreement, confirm) = check_acknowledge(
                    &self.config.terms,
                    &self.hello,
                    &acknowledge,
                    &binding.for_transcript(self.mutants),
                    self.is_loopback,
                    self.mutants,
                )?;
                self.check_resumed(&agreement)?;
                self.send(Lane::Control, &Message::SessionConfirm(confirm));
                let compress = agreement.compression != CompressionKind::None;
                self.courier.agree_outgoing(agreement.epoch, agreement.schema_hash, compress);
                self.courier.await_incoming(agreement.epoch, agreement.schema_hash);
                // Who comes back to a host whose components it has read knows them.
                if !matches!(self.layout, Layout::Mapped(_)) {
                    self.layout = Layout::of(agreement.schema_hash, self.schema.hash());
                }
                if self.tick_clock.rate_hz() != agreement.tick_rate_hz {
                    self.tick_clock = TickClock::new(agreement.tick_rate_hz);
                }
                self.agreement = Some(agreement);
                Ok(())
            }
            // An unsigned refusal is a hint to a person; nothing is tried again with less because of it.
            Message::SessionControl(SessionControl::Denied(ending) | SessionControl::Close(ending))
                if in_handshake && lane == Lane::Control =>
            {
                Err(closing_of(&ending))
            }
            // Only who proved its key may say anything else.
            _ if in_handshake => Err(unexpected(raw.message_type)),
            other if !travels_on(other.message_type(), lane) => {
                Err(Closing::misplaced(other.message_type(), lane))
            }
            Message::SessionControl(SessionControl::Manifest(part)) if admitted && lane == Lane::Control => {
                self.manifest(now, part)
            }
            Message::SessionControl(control) => self.control(now, lane, control),
            Message::Heartbeat(heartbeat) if admitted => {
                self.heartbeat(now, &heartbeat);
                Ok(())
            }
            // The world comes when it was asked for, and its changes when it is here.
            Message::WorldSnapshot(snapshot) if self.state >= PeerState::Joining => self.snapshot(&snapshot),
            // After a lost link they may go on from where they were.
            Message::ComponentDelta(delta)
                if self.state == PeerState::Live
                    || (self.state == PeerState::Joining && self.is_resumed()) =>
            {
                self.delta(now, lane, sequence, &delta)
            }
            other => Err(unexpected(other.message_type())),
        }
    }

    /// The host has begun the next epoch: so do we, with a last word about the packets of the old one.
    pub(super) fn follow_epoch(&mut self, now: Time, epoch: u16) {
        self.acknowledge_last(now);
        self.courier.begin_epoch(epoch);
    }

    fn heartbeat(&mut self, now: Time, heartbeat: &Heartbeat) {
        self.heart.on_heartbeat(now, heartbeat);
        self.confirmed = self.confirmed.max(heartbeat.confirmed_tick);
        if let Some(offset_us) = self.heart.clock().offset_us()
            && heartbeat.host_tick > Tick::ZERO
            && !self.mutants.active(Mutant::IgnoreClockAnchor)
        {
            self.tick_clock.on_anchor(heartbeat.host_tick, heartbeat.host_time_us, offset_us);
        }
    }

    /// The application has loaded its level: the world may come, as soon as the host's components are known. Without effect in any other state than admitted.
    pub fn loaded(&mut self) {
        let may_load = self.state == PeerState::Admitted;
        self.rest.has_loaded |= may_load;
        if may_load && !self.layout.keep_loaded() {
            self.send(Lane::Control, &Message::SessionControl(SessionControl::Loaded));
            self.enter(PeerState::Joining);
        }
    }

    /// Ends the session.
    pub fn leave(&mut self, reason: &str) {
        if self.state >= PeerState::Admitted && self.state != PeerState::Closed {
            let mut words = Ending::from_code(DisconnectCode::Left);
            reason.clone_into(&mut words.text);
            clip(&mut words.text);
            self.send(Lane::Control, &Message::SessionControl(SessionControl::Leave(words)));
        }
        self.close(&Closing::new(DisconnectCode::Left));
    }

    fn send(&mut self, lane: Lane, message: &Message<'_>) {
        self.send_all(lane, core::slice::from_ref(message));
    }

    fn send_all(&mut self, lane: Lane, messages: &[Message<'_>]) {
        if let Err(closing) = self.courier.send(lane, messages) {
            self.close(&closing);
        }
    }

    fn close(&mut self, closing: &Closing) {
        self.courier.close(closing);
        self.end(closing);
    }

    fn end(&mut self, closing: &Closing) {
        if self.state != PeerState::Closed {
            self.enter(PeerState::Closed);
            self.event(PeerEvent::Disconnected { code: closing.code, reason: closing.reason.clone() });
        }
    }

    fn enter(&mut self, state: PeerState) {
        self.state = state;
        self.report();
    }

    /// Tells the application where the session stands, when that has changed.
    fn report(&mut self) {
        let state = self.state();
        if self.reported != state {
            self.reported = state;
            self.event(PeerEvent::StateChanged(state));
        }
    }

    fn event(&mut self, event: PeerEvent) {
        self.outputs.push_back(PeerOutput::Event(event));
    }

    fn flush(&mut self, now: Time) {
        self.acknowledge(now);
        while let Some(output) = self.courier.poll() {
            self.outputs.push_back(PeerOutput::Link(output));
        }
    }

    /// Plants a bug, for tests of the tests.
    #[cfg(feature = "mutants")]
    pub fn set_mutant(&mut self, mutant: Option<crate::mutants::Mutant>) {
        self.mutants = mutant.into();
        self.courier.set_mutants(self.mutants);
        self.replica.set_mutant(mutant);
    }

    /// Injects a fault into the replica, as a bug in a delta would: see [`Replica::corrupt`].
    pub(crate) fn corrupt(
        &mut self,
        seed: u64,
    ) -> Option<(crate::types::ChunkId, crate::types::ComponentId, u16)> {
        self.replica.corrupt(seed)
    }

    /// Injects a fault into what this peer holds of a field: see [`Replica::plant_divergence`].
    #[doc(hidden)]
    pub fn plant_divergence(
        &mut self,
        component: crate::types::ComponentId,
        field: u16,
    ) -> Option<crate::types::ChunkId> {
        self.replica.plant_divergence(component, field)
    }

    /// The next thing to do or to tell; call until there is none.
    pub fn poll_output(&mut self) -> Option<PeerOutput> {
        if self.outputs.is_empty() {
            // Calls such as `loaded` queue without a `handle` after them.
            while let Some(output) = self.courier.poll() {
                self.outputs.push_back(PeerOutput::Link(output));
            }
        }
        self.outputs.pop_front()
    }

    /// The host's tick at our time `at`, with its fraction; `None` before the clocks are known to each other.
    #[must_use]
    pub fn host_tick_at(&self, at: Time) -> Option<f64> {
        self.tick_clock.tick_at(at)
    }

    /// How the link is doing.
    #[must_use]
    pub fn statistics(&self) -> PeerStatistics {
        let clock = self.heart.clock();
        PeerStatistics {
            rtt_us: clock.rtt_us(),
            last_rtt_us: clock.last_rtt_us(),
            rtt_samples: clock.echoes() as u64,
            jitter_us: clock.jitter_us(),
            clock_offset_us: clock.offset_us().unwrap_or(0),
            packets: *self.courier.counters(),
            ticks_started: self.sync.ticks_started(),
            ticks_complete: self.sync.ticks_complete(),
            repairs: self.sync.repairs(),
            confirmed_tick: self.confirmed,
        }
    }

    /// Packets that passed every check.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.courier.counters().received
    }

    /// The replica, for tests and tools.
    #[must_use]
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }
}

fn unexpected(message: MessageType) -> Closing {
    Closing::because(DisconnectCode::ProtocolViolation, format!("{message:?} came"))
}

fn closing_of(ending: &Ending) -> Closing {
    Closing { code: ending.code, reason: format!("{} {}", ending.text, ending.hint) }
}
