//! Members that do harm: each comes with a ticket that is right (or with somebody else's words), and then sends what an
//! honest peer never would. The host must end those that break a rule, by a code; the others notice nothing.
//!
//! An attack is a line in [`ATTACKS`] and the function that carries it out, once a tick.

use std::borrow::Cow;
use std::sync::Arc;

use super::network::{Arrival, Conditions, End};
use super::rng::Rng;
use super::run::{Simulation, UNIX_S};
use crate::mutants::Mutants;
use crate::schema::Schema;
use crate::session::courier::Courier;
use crate::session::handshake::{
    ClientTerms, Floors, check_acknowledge, client_hello, supported_capabilities,
};
use crate::session::keys::Identity;
use crate::session::ticket::{MemberTicket, Pass, Ticket};
use crate::session::{Binding, LinkId, LinkInput, LinkOutput, SourceId};
use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::envelope::PacketHeader;
use crate::wire::limits::MAX_DATAGRAM_BYTES;
use crate::wire::message::{
    BindingKind, Heartbeat, InputPredictiveState, Message, MessageType, NackKind, NackRequest, Role,
    SessionControl, StateAck, StateHashReport,
};
use crate::wire::packet::PacketBuilder;

/// How an attack goes.
struct Attack {
    name: &'static str,
    role: Role,
    /// How the host must end it; empty where nothing forbids what it does, and it goes by itself.
    ends: &'static [DisconnectCode],
    /// From the opening of its link to its end, at most.
    within_ms: u64,
    act: fn(&mut Attacker, Tick, &mut Rng),
}

const fn attack(
    name: &'static str,
    role: Role,
    ends: &'static [DisconnectCode],
    within_ms: u64,
    act: fn(&mut Attacker, Tick, &mut Rng),
) -> Attack {
    Attack { name, role, ends, within_ms, act }
}

use DisconnectCode as Code;

/// One line for each; the last two are [`THIEF`] and [`SILENT`].
const ATTACKS: &[Attack] = &[
    attack("attacker malformed", Role::Editor, &[Code::BadMessage], 3000, Attacker::malformed),
    attack("attacker garbage datagrams", Role::Editor, &[], 3000, Attacker::garbage),
    attack("attacker forbidden", Role::Viewer, &[Code::MessageForbidden], 4000, Attacker::forbidden),
    attack("attacker acks never sent", Role::Editor, &[Code::ProtocolViolation], 3000, Attacker::false_ack),
    attack(
        "attacker hash of the future",
        Role::Editor,
        &[Code::ProtocolViolation],
        3000,
        Attacker::future_hash,
    ),
    attack("attacker hash lies", Role::Editor, &[Code::Desynchronised], 8000, Attacker::hash_lies),
    attack("attacker endless nacks", Role::Editor, &[], 3000, Attacker::nacks),
    attack("attacker replayed", Role::Editor, &[], 3000, Attacker::replay),
    attack("attacker flood", Role::Editor, &[Code::RateLimited], 4000, Attacker::flood),
    attack("attacker thief", Role::Editor, &[Code::BadClientProof, Code::ResumeRefused], 3000, wait),
    attack("attacker silent", Role::Editor, &[Code::HandshakeTimeout], 6000, wait),
];

/// How many attacks a plan draws from.
pub const ATTACK_COUNT: usize = ATTACKS.len();
/// Silent links of a siege: more than a host lets wait.
const SIEGE_LINKS: usize = 40;
/// Where a siege comes from that comes from one place.
const SIEGE_SOURCE: SourceId = SourceId(7);
/// The attack that repeats what somebody else said, and the one that says nothing.
const THIEF: usize = ATTACK_COUNT - 2;
const SILENT: usize = ATTACK_COUNT - 1;

/// See the module.
pub(super) struct Attacker {
    attack: &'static Attack,
    pub link: LinkId,
    pub identity: Identity,
    terms: ClientTerms,
    binding: Binding,
    courier: Courier,
    hello: Vec<u8>,
    is_admitted: bool,
    snapshot: u32,
    /// The newest tick that the host has told of.
    newest_tick: Tick,
    pub deadline: Time,
    has_left: bool,
    /// Sent besides what the courier seals.
    raw: Vec<(Lane, Vec<u8>)>,
    /// Somebody else's hello and confirmation, for the thief.
    stolen: Option<(Vec<u8>, Vec<u8>)>,
    details: Vec<Tick>,
    schema: Arc<Schema>,
}

impl Attacker {
    fn say(&mut self, lane: Lane, message: &Message<'_>) {
        // What cannot be sealed is not said.
        let _unsent = self.courier.send(lane, core::slice::from_ref(message));
    }

    fn hear(&mut self, lane: Lane, bytes: &[u8]) {
        let mut scratch = Vec::new();
        let mut said = Vec::new();
        if let Ok(Some(packet)) = self.courier.receive(lane, bytes, &mut scratch) {
            said.extend(packet.messages().filter_map(|raw| raw.decode().ok().map(Self::owned)).flatten());
        }
        for heard in said {
            match heard {
                Heard::Acknowledge(acknowledge) => {
                    let (hello, terms) = (core::mem::take(&mut self.hello), self.terms.clone());
                    let checked =
                        check_acknowledge(&terms, &hello, &acknowledge, &self.binding, false, Mutants::NONE);
                    let Ok((agreement, confirm)) = checked else { return };
                    self.say(Lane::Control, &Message::SessionConfirm(confirm));
                    self.courier.agree_outgoing(agreement.epoch, self.schema.hash(), false);
                    self.courier.await_incoming(agreement.epoch, self.schema.hash());
                }
                Heard::Admitted => {
                    self.is_admitted = true;
                    self.say(Lane::Control, &Message::SessionControl(SessionControl::Loaded));
                }
                Heard::Snapshot(id) => {
                    self.snapshot = id;
                    let ack = Self::ack(0, id);
                    self.say(Lane::State, &ack);
                }
                Heard::Details(tick) => self.details.push(tick),
                Heard::Epoch(epoch) => {
                    // As an honest peer: what it says later must not be dropped for its epoch.
                    if self.courier.epoch_announced(epoch).is_ok() {
                        self.courier.begin_epoch(epoch);
                    }
                }
                Heard::Tick(tick) => self.newest_tick = self.newest_tick.max(tick),
            }
        }
    }

    fn owned(message: Message<'_>) -> Option<Heard> {
        Some(match message {
            Message::SessionAcknowledge(acknowledge) => Heard::Acknowledge(acknowledge),
            Message::SessionControl(SessionControl::Admitted(_)) => Heard::Admitted,
            Message::SessionControl(SessionControl::RequestHashDetails(request)) => {
                Heard::Details(request.tick)
            }
            Message::SessionControl(SessionControl::EpochChange { epoch }) => Heard::Epoch(epoch),
            Message::Heartbeat(heartbeat) => Heard::Tick(heartbeat.newest_tick),
            Message::WorldSnapshot(snapshot) if snapshot.chunk + 1 == snapshot.chunk_count => {
                Heard::Snapshot(snapshot.snapshot_id)
            }
            _ => return None,
        })
    }

    const fn ack(newest_sequence: u32, snapshot_id: u32) -> Message<'static> {
        Message::StateAck(StateAck {
            newest_sequence,
            complete_tick: Tick::ZERO,
            snapshot_id,
            mask: Cow::Borrowed(&[]),
        })
    }

    fn beat(&mut self, now: Time) {
        self.say(
            Lane::Control,
            &Message::Heartbeat(Heartbeat { sent_us: now.0.max(1), ..Heartbeat::default() }),
        );
    }

    /// A packet that is right, around a body that is not.
    fn malformed(&mut self, _: Tick, rng: &mut Rng) {
        let mut packet = PacketBuilder::new(1150);
        let header = PacketHeader {
            sequence: self.courier.newest_sent(Lane::Control) + 1,
            epoch: self.courier.epoch_out(),
            schema: self.schema.hash() as u16,
            ..PacketHeader::default()
        };
        let mut bytes = Vec::new();
        let body = rng.bytes_32();
        if packet.push_encoded(MessageType::Heartbeat, &body).is_ok()
            && packet.seal(&header, None, &mut bytes).is_ok()
        {
            self.raw.push((Lane::Control, bytes));
        }
        // Its courier knows nothing of that packet, and would say the next one under the same sequence.
        self.is_admitted = false;
    }

    fn garbage(&mut self, _: Tick, rng: &mut Rng) {
        for _ in 0..20 {
            let bytes = (0..rng.below(40)).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
            self.raw.push((Lane::State, bytes));
        }
    }

    fn forbidden(&mut self, tick: Tick, _: &mut Rng) {
        for number in 0..20 {
            let input = InputPredictiveState {
                input_tick: Tick(tick.0 + number),
                view_tick: tick,
                sampled_at_us: 1,
                display_after_us: 0,
                horizon_us: 0,
                payload: Cow::Borrowed(&[0; 8]),
            };
            self.say(Lane::Input, &Message::InputPredictiveState(input));
        }
    }

    fn false_ack(&mut self, _: Tick, _: &mut Rng) {
        self.say(Lane::State, &Self::ack(1_000_000, self.snapshot));
    }

    fn future_hash(&mut self, tick: Tick, _: &mut Rng) {
        let report = StateHashReport { tick: Tick(tick.0 + 1000), fold: 1, details: Vec::new() };
        self.say(Lane::State, &Message::StateHashReport(report));
    }

    /// Its state is never the host's: asked for the chunks, it names none; asked again, none again.
    fn hash_lies(&mut self, _: Tick, rng: &mut Rng) {
        for tick in core::mem::take(&mut self.details) {
            let report = StateHashReport { tick, fold: 1, details: Vec::new() };
            self.say(Lane::Control, &Message::StateHashReport(report));
            let hash = rng.next_u64();
            let detail = crate::wire::message::ChunkDetail {
                chunk: crate::types::ChunkId(1),
                hash,
                columns: vec![hash],
            };
            let report = StateHashReport { tick, fold: 1, details: vec![detail] };
            self.say(Lane::Control, &Message::StateHashReport(report));
        }
        let report = StateHashReport { tick: self.newest_tick, fold: 1, details: Vec::new() };
        self.say(Lane::State, &Message::StateHashReport(report));
    }

    /// Everything, again, in every tick.
    fn nacks(&mut self, _: Tick, _: &mut Rng) {
        let request = NackRequest { kind: NackKind::SnapshotChunks, subject: 0, ids: (1..=1024).collect() };
        self.say(Lane::Control, &Message::NackRequest(request));
    }

    fn replay(&mut self, _: Tick, _: &mut Rng) {
        self.say(Lane::State, &Self::ack(0, self.snapshot));
        while let Some(output) = self.courier.poll() {
            if let LinkOutput::Transmit { lane, packet } = output {
                let copies = if lane.is_reliable() { 1 } else { 4 };
                self.raw.extend(core::iter::repeat_n((lane, packet), copies));
            }
        }
    }

    fn flood(&mut self, tick: Tick, _: &mut Rng) {
        for _ in 0..100 {
            self.beat(Time(u64::from(tick.0)));
            self.say(Lane::State, &Self::ack(0, self.snapshot));
        }
    }
}

/// Its words were all at the beginning: another peer's hello and proof, or none.
const fn wait(_: &mut Attacker, _: Tick, _: &mut Rng) {}

/// What an attacker listens for.
enum Heard {
    Acknowledge(crate::wire::message::SessionAcknowledge),
    Admitted,
    Snapshot(u32),
    Details(Tick),
    Epoch(u16),
    Tick(Tick),
}

impl Simulation {
    /// Attackers that are due come; those that are in act; those whose time is over must be gone.
    pub(super) fn attack(&mut self) {
        let due: Vec<usize> = {
            let tick = self.tick.0;
            self.plan.attackers.iter().filter(|(at, _)| *at == tick).map(|(_, which)| *which).collect()
        };
        for which in due {
            self.admit_attacker(which, None);
        }
        if self.plan.siege_tick == Some(self.tick.0) {
            self.count("incident siege");
            let source = self.plan.is_siege_from_one_source.then_some(SIEGE_SOURCE);
            if source.is_some() {
                // There is room at the door for others.
                self.count("incident siege from one source");
            } else {
                self.besieged_until = self.now.plus_ms(7000);
            }
            for _ in 0..SIEGE_LINKS {
                self.admit_attacker(SILENT, source);
            }
        }
        let mut attackers = core::mem::take(&mut self.attackers);
        attackers.retain_mut(|attacker| self.drive(attacker));
        self.attackers = attackers;
    }

    /// True while there is more to come of it.
    fn drive(&mut self, attacker: &mut Attacker) -> bool {
        if self.now >= attacker.deadline {
            if attacker.attack.ends.is_empty() {
                if !attacker.has_left {
                    attacker.has_left = true;
                    let close = Arrival::Closed(Code::Left as u16, "done".into());
                    self.network.send(self.now, attacker.link.0, End::Host, close);
                }
            } else {
                self.violate(format!("{} goes on", attacker.attack.name));
            }
            return false;
        }
        if attacker.is_admitted {
            attacker.beat(self.now);
            let mut rng = self.rng.fork();
            (attacker.attack.act)(attacker, self.tick, &mut rng);
        }
        self.drain_attacker(attacker);
        true
    }

    fn admit_attacker(&mut self, which: usize, source: Option<SourceId>) {
        let attack = &ATTACKS[which];
        let stolen = self.recording.clone().and_then(|(hello, confirm)| Some((hello, confirm?)));
        let is_thief = which == THIEF;
        if is_thief && stolen.is_none() {
            return;
        }
        self.count(attack.name);
        let link = LinkId(self.next_link);
        self.next_link += 1;
        let conditions = Conditions { latency_us: 15_000, burst_end_ppm: 1_000_000, ..Conditions::default() };
        self.network.set_conditions(link.0, conditions);
        let identity = Identity::from_seed(&self.rng.bytes_32());
        let key = identity.public_key();
        let member =
            MemberTicket::issue(&self.authority, self.host.pin().document, key, attack.role, UNIX_S + 60);
        let terms = ClientTerms {
            identity: identity.clone(),
            name: "somebody".into(),
            application: Vec::new(),
            ticket: Ticket {
                endpoint: "simulated:1".into(),
                pin: Some(self.host.pin()),
                pass: Pass::Member(member.encode()),
            },
            bearer: None,
            least_term: 0,
            floors: Floors::default(),
            capabilities: supported_capabilities(),
            dictionary_hash: 0,
        };
        let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
        let schema = Arc::clone(self.engine.schema());
        let mut attacker = Attacker {
            attack,
            link,
            identity,
            binding,
            courier: Courier::new(None),
            hello: Vec::new(),
            is_admitted: false,
            snapshot: 0,
            newest_tick: Tick::ZERO,
            // A host that stands still ends nobody meanwhile.
            deadline: self.now.max(self.host_paused_until).plus_ms(attack.within_ms),
            has_left: false,
            raw: Vec::new(),
            stolen: stolen.filter(|_| is_thief),
            details: Vec::new(),
            terms,
            schema,
        };
        self.host.handle(
            self.now,
            link,
            LinkInput::Opened { binding, max_datagram_bytes: MAX_DATAGRAM_BYTES, is_loopback: false, source },
        );
        if let Some((hello, confirm)) = attacker.stolen.take() {
            attacker.raw.extend([(Lane::Control, hello), (Lane::Control, confirm)]);
        } else if which != SILENT {
            let hello = client_hello(&attacker.terms, &attacker.schema, &binding, self.rng.bytes_32());
            let hello = Message::SessionHello(hello);
            attacker.hello = hello.encode().unwrap_or_default();
            attacker.say(Lane::Control, &hello);
        }
        self.drain_attacker(&mut attacker);
        self.attackers.push(attacker);
        self.drain_host();
    }

    fn drain_attacker(&mut self, attacker: &mut Attacker) {
        let (now, link) = (self.now, attacker.link);
        while let Some(output) = attacker.courier.poll() {
            if let LinkOutput::Transmit { lane, packet } = output {
                self.network.send(now, link.0, End::Host, Arrival::Packet(lane, packet));
            }
        }
        for (lane, packet) in core::mem::take(&mut attacker.raw) {
            self.network.send(now, link.0, End::Host, Arrival::Packet(lane, packet));
        }
    }

    /// True when this link was an attacker's, which has heard it.
    pub(super) fn attacker_hears(&mut self, link: LinkId, arrival: &Arrival) -> bool {
        let Some(at) = self.attackers.iter().position(|attacker| attacker.link == link) else { return false };
        match arrival {
            Arrival::StreamOpened(..) => {}
            Arrival::Packet(lane, bytes) | Arrival::Altered(lane, bytes) => {
                let mut attacker = self.attackers.swap_remove(at);
                attacker.hear(*lane, bytes);
                self.drain_attacker(&mut attacker);
                self.attackers.push(attacker);
            }
            Arrival::Closed(code, reason) => {
                let attacker = self.attackers.swap_remove(at);
                let is_right = attacker.attack.ends.iter().any(|end| *end as u16 == *code);
                // A host that is besieged, or crashed, turns everybody away.
                let is_turned_away = *code == Code::TooManyHandshakes as u16 || *code == u16::MAX;
                if !is_right && !is_turned_away {
                    self.violate(format!("{} was ended with {code}: {reason}", attacker.attack.name));
                }
                self.count(if is_right { "attacker ended by code" } else { "attacker turned away" });
            }
        }
        true
    }

    /// True for the slot or the key of somebody who came to do harm.
    pub(super) fn is_attackers(&self, peer: PeerId, key: Option<[u8; 32]>) -> bool {
        let by_key = |attacker: &Attacker| key == Some(attacker.identity.public_key());
        self.attackers
            .iter()
            .any(|attacker| by_key(attacker) || self.host.peer_of(attacker.link) == Some(peer))
    }
}
