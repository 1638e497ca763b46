//! A host made by hand in front of a real peer machine: it answers the handshake as the page says, or as a test wants.

use std::borrow::Cow;
use std::collections::BTreeMap;

use theta_core::session::handshake::{HostTerms, Offer, answer_hello};
use theta_core::session::keys::{AdminKey, HostKey, certify_host, server_statement, transcript};
use theta_core::session::{
    Binding, LinkInput, LinkOutput, Peer, PeerConfig, PeerEvent, PeerOutput, PeerState,
};
use theta_core::types::{Lane, PeerId, Tick, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope::{self, PacketHeader};
use theta_core::wire::message::{
    AcknowledgeCore, Admitted, BindingKind, ComponentDelta, DeltaMode, Message, Role, SessionAcknowledge,
    SessionControl, SessionHello, Version,
};

use super::venue::{
    Arrival, authority, binding, document, genesis, host_identity, made_up, packet, person, schema, tap,
};

pub struct Impostor {
    pub peer: Peer,
    pub events: Vec<PeerEvent>,
    /// What the peer sent.
    pub heard: Vec<(Lane, Vec<u8>)>,
    /// The lanes the peer opened.
    pub opened: Vec<Lane>,
    /// How the peer closed the link.
    pub closed: Option<(DisconnectCode, String)>,
    pub now: Time,
    pub terms: HostTerms,
    pub bound: Binding,
    header: PacketHeader,
    sequences: BTreeMap<Lane, u32>,
}

/// The terms of the real host.
pub fn real_terms() -> HostTerms {
    terms_of(&host_identity(), &authority())
}

/// The terms of somebody with these keys.
pub fn terms_of(identity: &HostKey, certifier: &AdminKey) -> HostTerms {
    HostTerms {
        identity: identity.clone(),
        certificate: certify_host(certifier, document(), identity.public_key(), 1),
        genesis: genesis().encode(),
        least_version: Version::default(),
        session_id: [0x5e; 16],
        tick_rate_hz: 90,
        resume: true,
        dictionary_hash: 0,
    }
}

impl Impostor {
    /// A peer that has said hello.
    pub fn meet(terms: HostTerms) -> Self {
        Self::meet_guest(terms, Arrival::honest(&person(7), Role::Editor))
    }

    pub fn meet_guest(terms: HostTerms, arrival: Arrival) -> Self {
        let config = PeerConfig {
            terms: arrival.terms,
            manual_loaded: arrival.manual_loaded,
            handshake_timeout_ms: 5000,
            idle_timeout_ms: 5000,
            resume_timeout_ms: 30_000,
        };
        let bound = binding(BindingKind::Memory, 0x42);
        let now = Time(1_000_000);
        let mut peer = Peer::new(config, arrival.schema, now, [0x21; 32], None);
        #[cfg(feature = "mutants")]
        peer.set_mutant(super::venue::PLANTED.get());
        peer.handle(
            now,
            LinkInput::Opened { binding: bound, max_datagram_bytes: 1150, is_loopback: false, source: None },
        );
        let mut impostor = Self {
            peer,
            events: Vec::new(),
            heard: Vec::new(),
            opened: Vec::new(),
            closed: None,
            now,
            terms,
            bound,
            header: PacketHeader::default(),
            sequences: BTreeMap::new(),
        };
        impostor.drain();
        impostor
    }

    /// A peer that is admitted and, unless it loads by hand, waits for the world.
    pub fn host(arrival: Arrival) -> Self {
        let mut impostor = Self::meet_guest(real_terms(), arrival);
        let acknowledge = impostor.acknowledgement(|_| ());
        impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
        assert!(impostor.peer.agreement().is_some(), "{:?}", impostor.closed);
        impostor.agree(1);
        let admitted = Admitted {
            peer: PeerId(1),
            role: Role::Editor,
            tick_rate_hz: 90,
            host_tick: Tick(1),
            ..Admitted::default()
        };
        impostor.say(Lane::Control, &Message::SessionControl(SessionControl::Admitted(admitted)));
        let lane = Lane::Replication;
        impostor.input(LinkInput::StreamOpened { lane, schema_hash: schema().hash() });
        assert!(impostor.peer.state() >= PeerState::Admitted && impostor.closed.is_none());
        impostor
    }

    /// The hello, its bytes as they came and what they say.
    pub fn hello(&self) -> (Vec<u8>, SessionHello) {
        let mut scratch = Vec::new();
        let opened = envelope::open(&self.heard[0].1, None, &mut scratch).expect("a packet of ours");
        let raw = opened.messages().next().expect("a message");
        match raw.decode() {
            Ok(Message::SessionHello(hello)) => (raw.body.to_vec(), hello),
            other => panic!("{other:?} instead of a hello"),
        }
    }

    /// What the host remembers, and the acknowledgement it would send.
    pub fn answer(&self) -> (Offer, SessionAcknowledge) {
        let (bytes, hello) = self.hello();
        answer_hello(1, &self.terms, &schema(), &bytes, &hello, &self.bound, [0x44; 32])
            .expect("a right hello")
    }

    /// An acknowledgement whose core was changed before it was signed.
    pub fn acknowledgement(&self, change: impl FnOnce(&mut AcknowledgeCore)) -> SessionAcknowledge {
        let (_, acknowledge) = self.answer();
        let mut core = AcknowledgeCore::decode(&acknowledge.core).expect("our own");
        change(&mut core);
        let core = core.encode().expect("within limits");
        let transcript = transcript(&self.hello().0, &core, &self.bound);
        let signature = self.terms.identity.sign(&server_statement(&transcript));
        SessionAcknowledge { core, signature }
    }

    /// Packets from now on are those of an agreed link.
    pub fn agree(&mut self, epoch: u16) {
        self.header = PacketHeader { epoch, schema: schema().hash() as u16, ..PacketHeader::default() };
        self.sequences.clear();
    }

    pub fn next_header(&mut self, lane: Lane) -> PacketHeader {
        let sequence = self.sequences.entry(lane).or_insert(0);
        *sequence += 1;
        PacketHeader { sequence: *sequence, ..self.header }
    }

    pub fn say(&mut self, lane: Lane, message: &Message<'_>) {
        self.say_all(lane, core::slice::from_ref(message));
    }

    pub fn say_all(&mut self, lane: Lane, messages: &[Message<'_>]) {
        let bytes = packet(self.next_header(lane), messages);
        self.deliver(lane, &bytes);
    }

    pub fn deliver(&mut self, lane: Lane, bytes: &[u8]) {
        made_up(bytes);
        self.input(LinkInput::Packet { lane, bytes });
    }

    pub fn input(&mut self, input: LinkInput<'_>) {
        self.peer.handle(self.now, input);
        self.drain();
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            if let PeerOutput::Link(output) = &output {
                tap(output);
            }
            match output {
                PeerOutput::Event(event) => self.events.push(event),
                PeerOutput::Link(LinkOutput::Transmit { lane, packet }) => self.heard.push((lane, packet)),
                PeerOutput::Link(LinkOutput::Close { code, reason }) => self.closed = Some((code, reason)),
                PeerOutput::Link(LinkOutput::OpenLane { lane, .. }) => self.opened.push(lane),
                PeerOutput::Link(LinkOutput::FinishLane(_)) => {}
            }
        }
    }

    /// The peer ended the link with this code, and told its application so once.
    pub fn assert_closed(&self, code: DisconnectCode) {
        assert_eq!(self.closed.as_ref().map(|(code, _)| *code), Some(code), "{:?}", self.closed);
        let told = self.events.iter().filter(|event| match event {
            PeerEvent::Disconnected { code: told, .. } => *told == code,
            _ => false,
        });
        assert_eq!(told.count(), 1);
        assert_eq!(self.peer.state(), PeerState::Closed);
    }

    /// The peer turned away before it gave away a proof or believed in a session.
    pub fn assert_turned_away(&self, code: DisconnectCode) {
        self.assert_closed(code);
        assert!(self.peer.agreement().is_none());
        assert!(!self.events.iter().any(|event| matches!(event, PeerEvent::Admitted { .. })));
        for (_, bytes) in &self.heard {
            let mut scratch = Vec::new();
            let opened = envelope::open(bytes, None, &mut scratch).expect("a packet of ours");
            let hello = opened.messages().all(|raw| matches!(raw.decode(), Ok(Message::SessionHello(_))));
            assert!(hello, "it said more than hello");
        }
    }
}

/// One part of a tick, with whatever inside.
pub fn delta_message(tick: Tick, part: u16, part_count: u16, payload: Cow<'_, [u8]>) -> Message<'_> {
    Message::ComponentDelta(ComponentDelta {
        tick,
        log_term: 1,
        log_index: 0,
        mode: DeltaMode::Ack,
        last_input_tick: Tick::ZERO,
        input_speed_hint: 0,
        part,
        part_count,
        payload,
    })
}
