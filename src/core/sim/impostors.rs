//! Who answers instead of the host: somebody with another authority, somebody who cannot sign, a node that ends the
//! transport on both sides and passes every byte on, and a host that is right in everything and then turns on its
//! peers. A peer must turn away from the first three before it has given anything away, and survive the others.
//!
//! An impostor is a line in [`IMPOSTORS`].

use std::borrow::Cow;

use super::network::{Arrival, End};
use super::run::Simulation;
use crate::session::courier::Courier;
use crate::session::handshake::{HostTerms, answer_hello};
use crate::session::keys::{AdminKey, HostKey, certify_host};
use crate::session::{Binding, LinkId, LinkInput, LinkOutput};
use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode as Code;
use crate::wire::limits::MAX_DATAGRAM_BYTES;
use crate::wire::message::{
    Admitted, BindingKind, ComponentDelta, DeltaMode, Heartbeat, Message, Role, SessionControl,
    SnapshotReason, WorldSnapshot,
};

/// What somebody who is not the host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ForeignAuthority,
    BadSignature,
    MiddleNode,
    Garbage,
    EndlessSnapshot,
    AbsurdTicks,
    HashLies,
}

/// One line for each: its name, and how its peer must end the session. Empty: the impostor gives up first.
const IMPOSTORS: &[(Kind, &str, &[Code])] = &[
    (Kind::ForeignAuthority, "impostor foreign authority", &[Code::BadHostCertificate]),
    (Kind::BadSignature, "impostor bad signature", &[Code::BadHostProof]),
    (Kind::MiddleNode, "impostor middle node", &[Code::BadHostProof]),
    (Kind::Garbage, "impostor garbage deltas", &[Code::BadMessage, Code::ProtocolViolation]),
    (Kind::EndlessSnapshot, "impostor endless snapshot", &[]),
    (Kind::AbsurdTicks, "impostor absurd ticks", &[]),
    (Kind::HashLies, "impostor hash lies", &[Code::BadMessage]),
];

/// How long an impostor goes on.
const PATIENCE_MS: u64 = 3000;

/// See the module.
pub(super) struct Impostor {
    kind: Kind,
    ends: &'static [Code],
    /// The link of the peer that came to it.
    pub link: LinkId,
    /// Its own link to the real host, as a node in the middle.
    pub onward: Option<LinkId>,
    binding: Binding,
    terms: HostTerms,
    courier: Courier,
    is_loaded: bool,
    pieces: u32,
    deadline: Time,
}

impl Simulation {
    /// The player's connection ends at somebody else.
    pub(super) fn meet_impostor(&mut self, link: LinkId, binding: Binding) {
        let (kind, name, ends) = IMPOSTORS[self.rng.below(IMPOSTORS.len() as u64) as usize];
        self.count(name);
        let mut terms = self.host.terms().clone();
        if kind == Kind::ForeignAuthority {
            let authority = AdminKey::from_seed(&self.rng.bytes_32());
            terms.identity = HostKey::from_seed(&self.rng.bytes_32());
            terms.certificate =
                certify_host(&authority, self.host.pin().document, terms.identity.public_key(), 1);
        }
        let mut onward = None;
        if kind == Kind::MiddleNode {
            let there = LinkId(self.next_link);
            self.next_link += 1;
            onward = Some(there);
            let binding = Binding { kind: BindingKind::Memory, bytes: self.rng.bytes_32() };
            let opened = LinkInput::Opened {
                binding,
                max_datagram_bytes: MAX_DATAGRAM_BYTES,
                is_loopback: false,
                source: None,
            };
            self.host.handle(self.now, there, opened);
        }
        self.impostors.push(Impostor {
            kind,
            ends,
            link,
            onward,
            binding,
            terms,
            courier: Courier::new(None),
            is_loaded: false,
            pieces: 0,
            deadline: self.now.plus_ms(PATIENCE_MS),
        });
        self.drain_host();
    }

    /// True while this link ends at somebody who is not the host.
    pub(super) fn is_deceived(&self, link: LinkId) -> bool {
        self.impostors.iter().any(|impostor| impostor.link == link)
    }

    /// True where the peer must turn away before it is admitted.
    pub(super) fn sees_through(&self, link: LinkId) -> bool {
        let kinds = [Kind::ForeignAuthority, Kind::BadSignature, Kind::MiddleNode];
        self.impostors.iter().any(|impostor| impostor.link == link && kinds.contains(&impostor.kind))
    }

    /// Which player's link the real host's words on this one are passed on to.
    pub(super) fn passed_on(&self, onward: LinkId) -> Option<LinkId> {
        self.impostors.iter().find(|impostor| impostor.onward == Some(onward)).map(|impostor| impostor.link)
    }

    /// True when the link ended at an impostor, which has heard it.
    pub(super) fn impostor_hears(&mut self, link: LinkId, arrival: &Arrival) -> bool {
        let Some(at) = self.impostors.iter().position(|impostor| impostor.link == link) else { return false };
        if let Some(onward) = self.impostors[at].onward {
            self.hand_to_host(onward, arrival);
            return true;
        }
        let mut impostor = self.impostors.swap_remove(at);
        if let Arrival::Packet(lane, bytes) = arrival {
            self.impostor_answers(&mut impostor, *lane, bytes);
        }
        self.drain_impostor(&mut impostor);
        self.impostors.push(impostor);
        true
    }

    fn impostor_answers(&mut self, impostor: &mut Impostor, lane: Lane, bytes: &[u8]) {
        let mut scratch = Vec::new();
        let Ok(Some(packet)) = impostor.courier.receive(lane, bytes, &mut scratch) else { return };
        let (mut answers, mut agrees) = (Vec::new(), false);
        for raw in packet.messages() {
            match raw.decode() {
                Ok(Message::SessionHello(hello)) => {
                    let (nonce, schema) = (self.rng.bytes_32(), self.engine.schema());
                    let answer =
                        answer_hello(1, &impostor.terms, schema, raw.body, &hello, &impostor.binding, nonce);
                    let Ok((_, mut acknowledge)) = answer else { return };
                    if impostor.kind == Kind::BadSignature {
                        acknowledge.signature[40] ^= 1;
                    }
                    answers.push(Message::SessionAcknowledge(acknowledge));
                }
                Ok(Message::SessionConfirm(_)) => {
                    agrees = true;
                    answers.push(Message::SessionControl(SessionControl::Admitted(Admitted {
                        peer: PeerId(1),
                        role: Role::Editor,
                        tick_rate_hz: 90,
                        ..Admitted::default()
                    })));
                }
                Ok(Message::SessionControl(SessionControl::Loaded)) => impostor.is_loaded = true,
                _ => {}
            }
        }
        if agrees {
            let hash = self.engine.schema().hash();
            impostor.courier.agree_outgoing(1, hash, false);
            impostor.courier.agree_incoming(1, hash);
            impostor.courier.open_lane(Lane::Replication);
            impostor.courier.open_lane(Lane::Bulk(0));
        }
        for answer in answers {
            impostor.say(Lane::Control, &answer);
        }
    }

    fn drain_impostor(&mut self, impostor: &mut Impostor) {
        while let Some(output) = impostor.courier.poll() {
            let arrival = match output {
                LinkOutput::OpenLane { lane, schema_hash } => Arrival::StreamOpened(lane, schema_hash),
                LinkOutput::Transmit { lane, packet } => Arrival::Packet(lane, packet),
                LinkOutput::FinishLane(_) => continue,
                LinkOutput::Close { code, reason } => Arrival::Closed(code as u16, reason),
            };
            self.network.send(self.now, impostor.link.0, End::Peer, arrival);
        }
    }

    /// Once a tick: what those do who were believed, and the end of those whose time is over.
    pub(super) fn deceive(&mut self) {
        let mut impostors = core::mem::take(&mut self.impostors);
        for impostor in &mut impostors {
            if impostor.is_loaded {
                impostor.harm(self.now, self.tick, self.rng.next_u64());
            }
            self.drain_impostor(impostor);
        }
        let over: Vec<LinkId> = impostors
            .iter()
            .filter(|impostor| self.now >= impostor.deadline && impostor.onward.is_none())
            .map(|impostor| impostor.link)
            .collect();
        self.impostors = impostors;
        for link in over {
            let close = Arrival::Closed(Code::ShuttingDown as u16, "enough".into());
            self.network.send(self.now, link.0, End::Peer, close);
        }
    }

    /// A player left an impostor: with this code, or without a word of its own.
    pub(super) fn leave_impostor(&mut self, link: LinkId, code: Option<Code>) {
        let Some(at) = self.impostors.iter().position(|impostor| impostor.link == link) else { return };
        let impostor = self.impostors.swap_remove(at);
        if let Some(onward) = impostor.onward {
            self.hand_to_host(onward, &Arrival::Closed(u16::MAX, "the middle is gone".into()));
        }
        if code.is_some_and(|code| impostor.ends.contains(&code)) {
            self.count("impostor ended by code");
        }
    }
}

impl Impostor {
    fn say(&mut self, lane: Lane, message: &Message<'_>) {
        // What cannot be sealed is not said.
        let _unsent = self.courier.send(lane, core::slice::from_ref(message));
    }

    fn piece(&mut self, tick: Tick, count: u32, payload: Vec<u8>) {
        let snapshot = WorldSnapshot {
            snapshot_id: 1,
            tick,
            log_term: 1,
            log_index: 0,
            chunk: self.pieces,
            chunk_count: count,
            reason: SnapshotReason::Join,
            roster: Vec::new(),
            archetypes: Vec::new(),
            payload: Cow::Owned(payload),
        };
        self.pieces += 1;
        self.say(Lane::Bulk(0), &Message::WorldSnapshot(snapshot));
    }

    fn delta(&mut self, tick: Tick, part_count: u16, payload: Vec<u8>) {
        let delta = ComponentDelta {
            tick,
            log_term: 1,
            log_index: 0,
            mode: DeltaMode::Ack,
            last_input_tick: Tick::ZERO,
            input_speed_hint: 0,
            part: 0,
            part_count,
            payload: Cow::Owned(payload),
        };
        self.say(Lane::State, &Message::ComponentDelta(delta));
    }

    fn harm(&mut self, now: Time, tick: Tick, noise: u64) {
        // The fold of a world without chunks.
        let empty = crate::world::Frame::empty(tick).fold().to_le_bytes().to_vec();
        let host_tick = if self.kind == Kind::AbsurdTicks { Tick(u32::MAX - 1) } else { tick };
        let beat =
            Heartbeat { sent_us: now.0.max(1), host_time_us: now.0, host_tick, ..Heartbeat::default() };
        self.say(Lane::Control, &Message::Heartbeat(beat));
        match self.kind {
            Kind::EndlessSnapshot => self.piece(tick, 65_536, empty),
            Kind::HashLies if self.pieces == 0 => self.piece(tick, 1, noise.to_le_bytes().to_vec()),
            Kind::Garbage | Kind::AbsurdTicks if self.pieces == 0 => {
                let tick = if self.kind == Kind::AbsurdTicks { Tick(u32::MAX - 5) } else { tick };
                self.piece(tick, 1, empty);
            }
            Kind::Garbage => self.delta(tick, 1, noise.to_le_bytes().repeat(5)),
            Kind::AbsurdTicks => {
                let ticks = [Tick(1), tick, Tick(u32::MAX), Tick(u32::MAX - (noise % 9) as u32)];
                self.delta(ticks[(noise >> 32) as usize % 4], 1 + (noise >> 40) as u16 % 3, Vec::new());
            }
            _ => {}
        }
    }
}
