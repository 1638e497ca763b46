//! A host, honest guests and strangers, and the wire between them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use theta_core::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, Range, Registry, Schema, component_id,
};
use theta_core::session::genesis::Genesis;
use theta_core::session::handshake::{ClientTerms, Floors, OpenDoor, supported_capabilities};
use theta_core::session::keys::{AdminKey, DocumentId, HostKey, Identity};
use theta_core::session::ticket::{MemberTicket, Pass, Pin, Ticket};
use theta_core::session::{
    Binding, Host, HostCommand, HostConfig, HostEvent, HostOutput, LinkId, LinkInput, LinkOutput, Peer,
    PeerConfig, PeerEvent, PeerOutput, PeerState, SourceId,
};
use theta_core::types::{EntityId, Lane, Tick, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope::{self, PacketHeader};
use theta_core::wire::message::{BindingKind, Message, MessageType, Role, SessionControl};
use theta_core::wire::packet::PacketBuilder;
use theta_core::world::{SpawnDesc, World, WorldLimits};

/// The wall clock of every host here, in Unix seconds.
pub const UNIX_S: u64 = 1_700_000_000;
/// The component that moves.
const BODY: &str = "gate.body";

#[cfg(feature = "mutants")]
thread_local! {
    /// The bug that machines made by this thread have.
    pub static PLANTED: std::cell::Cell<Option<theta_core::mutants::Mutant>> = const { std::cell::Cell::new(None) };
}

pub fn authority() -> AdminKey {
    AdminKey::from_seed(&[1; 32])
}

/// Somebody who would like to be an authority.
pub fn admin(seed: u8) -> AdminKey {
    AdminKey::from_seed(&[seed; 32])
}

pub fn host_identity() -> HostKey {
    HostKey::from_seed(&[2; 32])
}

/// Somebody who would like to be a host.
pub fn host_key(seed: u8) -> HostKey {
    HostKey::from_seed(&[seed; 32])
}

/// What the founder of every host's document laid down.
pub fn genesis() -> Genesis {
    Genesis::plain(&authority(), [9; 32])
}

/// The document that every host here serves.
pub fn document() -> DocumentId {
    genesis().document()
}

/// Somebody with a key of their own.
pub fn person(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

pub fn pin() -> Pin {
    Pin { document: document(), authority: authority().public_key() }
}

/// The usual components, and so many more that entities may have or not.
pub fn schema_of_kinds(kinds: usize) -> Arc<Schema> {
    let mut registry = Registry::new();
    for component in schema().components().iter().filter(|component| component.name() != "theta.entity") {
        registry.add(component.desc.clone()).expect("a component");
    }
    for kind in 0..kinds {
        let flag = FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 });
        registry.add(ComponentDesc::new(kind_name(kind)).field(flag)).expect("a component");
    }
    Arc::new(registry.freeze().expect("a schema"))
}

/// The name of one of [`schema_of_kinds`].
pub fn kind_name(kind: usize) -> String {
    format!("kind.{kind:04}")
}

/// A schema of these components.
pub fn schema_of(components: impl IntoIterator<Item = ComponentDesc>) -> Arc<Schema> {
    let mut registry = Registry::new();
    for component in components {
        registry.add(component).expect("a component");
    }
    Arc::new(registry.freeze().expect("a schema"))
}

/// The components of a session.
pub fn schema() -> Arc<Schema> {
    let metres = Range::new(-64.0, 64.0, 1.0 / 256.0);
    let body = ComponentDesc::new(BODY).field(FieldDesc::new(1, "position", FieldKind::vec3(metres)));
    let health = FieldKind::Int { ty: IntType::U8, min: 0, max: 100 };
    let life = ComponentDesc::new("gate.life").field(FieldDesc::new(1, "health", health));
    schema_of([body, life])
}

/// A member ticket that is right in everything.
pub fn member(identity: &Identity, role: Role) -> MemberTicket {
    MemberTicket::issue(&authority(), document(), identity.public_key(), role, UNIX_S + 60)
}

pub fn ticket_of(member: &MemberTicket) -> Ticket {
    Ticket { endpoint: "192.0.2.1:4433".into(), pin: Some(pin()), pass: Pass::Member(member.encode()) }
}

pub fn client_terms(identity: &Identity, ticket: Ticket) -> ClientTerms {
    ClientTerms {
        identity: identity.clone(),
        name: format!("guest {:02x}", identity.public_key()[0]),
        application: b"hello".to_vec(),
        ticket,
        bearer: None,
        least_term: 0,
        floors: Floors::default(),
        capabilities: supported_capabilities(),
        dictionary_hash: 0,
    }
}

pub fn binding(kind: BindingKind, fill: u8) -> Binding {
    Binding { kind, bytes: [fill; 32] }
}

/// Seals messages into one packet.
pub fn packet(header: PacketHeader, messages: &[Message<'_>]) -> Vec<u8> {
    let mut builder = PacketBuilder::new(65_535);
    for message in messages {
        builder.push(message).expect("fits");
    }
    let mut bytes = Vec::new();
    builder.seal(&header, None, &mut bytes).expect("seals");
    bytes
}

/// Seals one body of a type into one packet.
pub fn packet_of(header: PacketHeader, message_type: MessageType, body: &[u8]) -> Vec<u8> {
    let mut builder = PacketBuilder::new(65_535);
    builder.push_encoded(message_type, body).expect("fits");
    let mut bytes = Vec::new();
    builder.seal(&header, None, &mut bytes).expect("seals");
    bytes
}

/// The header of the first packet of a handshake.
pub fn first_header() -> PacketHeader {
    PacketHeader { sequence: 1, ..PacketHeader::default() }
}

/// Makes a changed packet's CRC right again, as an attacker would.
pub fn reseal(packet: &mut [u8]) {
    packet[4..8].fill(0);
    let crc = crc32fast::hash(packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// The first thing that `find` sees in the messages of these packets.
pub fn first_in<T>(
    packets: &[(Lane, Vec<u8>)],
    mut find: impl FnMut(Lane, Message<'_>) -> Option<T>,
) -> Option<T> {
    packets.iter().find_map(|(lane, bytes)| {
        let mut scratch = Vec::new();
        let opened = envelope::open(bytes, None, &mut scratch).expect("a packet of ours");
        opened.messages().find_map(|raw| find(*lane, raw.decode().expect("a message of ours")))
    })
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToHost,
    ToGuest,
}

/// Sees every packet of one guest's link and says what arrives instead of it.
pub type Tamper = Box<dyn FnMut(Way, Lane, Vec<u8>) -> Vec<(Lane, Vec<u8>)>>;

/// Keeps what a machine under test puts on a wire, where `THETA_TAP` names a file: kind (0 a packet, 1 the code of a
/// close), length, bytes. The test `seen_on_a_wire` reads it.
pub fn tap(output: &LinkOutput) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let open = || std::env::var_os("THETA_TAP").map(|path| Mutex::new(File::create(path).expect("a file")));
    let Some(file) = FILE.get_or_init(open) else { return };
    let (kind, bytes) = match output {
        LinkOutput::Transmit { packet, .. } => (0, packet.clone()),
        LinkOutput::Close { code, .. } if PUT_IN_ITS_MOUTH.with_borrow(|said| said.contains(code)) => return,
        LinkOutput::Close { code, .. } => (1, (*code as u16).to_le_bytes().to_vec()),
        _ => return,
    };
    let record = [&[kind], &(bytes.len() as u32).to_le_bytes()[..], &bytes].concat();
    file.lock().expect("nobody panics here").write_all(&record).expect("the scratch folder is writable");
}

thread_local! {
    static PUT_IN_ITS_MOUTH: RefCell<Vec<DisconnectCode>> = const { RefCell::new(Vec::new()) };
}

/// A packet that a test made up: a machine that closes with a code from it only repeats what it was told, which says
/// nothing of when it would say that itself.
pub fn made_up(bytes: &[u8]) {
    let mut scratch = Vec::new();
    let Ok(opened) = envelope::open(bytes, None, &mut scratch) else { return };
    for raw in opened.messages() {
        if let Ok(Message::SessionControl(
            SessionControl::Close(words)
            | SessionControl::Denied(words)
            | SessionControl::Kick(words)
            | SessionControl::Leave(words),
        )) = raw.decode()
        {
            PUT_IN_ITS_MOUTH.with_borrow_mut(|said| said.push(words.code));
        }
    }
}

/// Leaves everything as it is.
pub fn untouched() -> Tamper {
    Box::new(|_, lane, bytes| vec![(lane, bytes)])
}

/// How somebody comes.
pub struct Arrival {
    pub terms: ClientTerms,
    pub schema: Arc<Schema>,
    /// What the host's transport says the link is bound to.
    pub at_host: Binding,
    /// What the guest's transport says.
    pub at_guest: Binding,
    pub is_loopback: bool,
    /// Where the host's transport sees it come from.
    pub source: Option<SourceId>,
    pub manual_loaded: bool,
    pub tamper: Tamper,
}

impl Arrival {
    /// An honest guest with a right ticket.
    pub fn honest(identity: &Identity, role: Role) -> Self {
        Self::with_ticket(identity, ticket_of(&member(identity, role)))
    }

    pub fn with_ticket(identity: &Identity, ticket: Ticket) -> Self {
        let bound = binding(BindingKind::Memory, identity.public_key()[0]);
        Self {
            terms: client_terms(identity, ticket),
            schema: schema(),
            at_host: bound,
            at_guest: bound,
            is_loopback: false,
            source: None,
            manual_loaded: false,
            tamper: untouched(),
        }
    }
}

/// A peer machine and its link.
pub struct Guest {
    pub peer: Peer,
    pub link: LinkId,
    pub events: Vec<PeerEvent>,
    /// Every packet that left an end, before anybody changed it.
    pub recorded: Vec<(Way, Lane, Vec<u8>)>,
    tamper: Tamper,
}

impl Guest {
    /// Why the guest thinks its session ended.
    pub fn ending(&self) -> Option<(DisconnectCode, &str)> {
        self.events.iter().find_map(|event| match event {
            PeerEvent::Disconnected { code, reason } => Some((*code, reason.as_str())),
            _ => None,
        })
    }

    pub fn was_admitted(&self) -> bool {
        self.events.iter().any(|event| matches!(event, PeerEvent::Admitted { .. }))
    }

    pub fn frames(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, PeerEvent::Frame(_))).count()
    }

    /// What crossed the link in this direction.
    pub fn packets(&self, way: Way) -> Vec<(Lane, Vec<u8>)> {
        let mine = self.recorded.iter().filter(|(other, ..)| *other == way);
        mine.map(|(_, lane, bytes)| (*lane, bytes.clone())).collect()
    }
}

/// See the module.
pub struct Venue {
    pub now: Time,
    pub host: Host,
    pub guests: Vec<Guest>,
    /// What the host's application was told.
    pub events: Vec<HostEvent>,
    /// What the host said on links that have no peer machine.
    pub said: BTreeMap<LinkId, Vec<(Lane, Vec<u8>)>>,
    /// How the host closed links.
    pub closed: BTreeMap<LinkId, (DisconnectCode, String)>,
    pub world: World,
    body: EntityId,
    pub tick: Tick,
    next_link: u32,
}

pub fn host_config() -> HostConfig {
    HostConfig { max_peers: 4, ..HostConfig::new(genesis(), authority(), host_identity()) }
}

impl Venue {
    pub fn new() -> Self {
        Self::with(host_config())
    }

    pub fn with(config: HostConfig) -> Self {
        Self::with_schema(config, schema())
    }

    pub fn with_schema(config: HostConfig, schema: Arc<Schema>) -> Self {
        let mut world = World::new(Arc::clone(&schema), WorldLimits::default());
        let components = [(component_id(BODY), None), (component_id("gate.life"), None)];
        let desc = SpawnDesc { components: &components, ..SpawnDesc::default() };
        let body = world.spawn(&desc).expect("spawns");
        let mut host = Host::new(config, schema, [0x77; 32], Box::new(|| None));
        #[cfg(feature = "mutants")]
        host.set_mutant(PLANTED.get());
        host.set_unix_time(UNIX_S);
        let mut venue = Self {
            now: Time(1_000_000),
            host,
            guests: Vec::new(),
            events: Vec::new(),
            said: BTreeMap::new(),
            closed: BTreeMap::new(),
            world,
            body,
            tick: Tick::ZERO,
            next_link: 1,
        };
        venue.tick();
        venue
    }

    /// A host that lets everybody on its own machine in.
    pub fn open_door(role: Role) -> Self {
        Self::with(HostConfig { door: OpenDoor::Loopback(role), ..host_config() })
    }

    /// Opens a link that only the host knows.
    pub fn link(&mut self, binding: Binding, is_loopback: bool) -> LinkId {
        self.link_from(binding, is_loopback, None)
    }

    /// The same, from somewhere.
    pub fn link_from(&mut self, binding: Binding, is_loopback: bool, source: Option<SourceId>) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.said.insert(link, Vec::new());
        let opened = LinkInput::Opened { binding, max_datagram_bytes: 1150, is_loopback, source };
        self.host.handle(self.now, link, opened);
        self.pump();
        link
    }

    /// Somebody comes; the wire runs until it is quiet. Gives the guest's number.
    pub fn arrive(&mut self, arrival: Arrival) -> usize {
        let link = self.link_from(arrival.at_host, arrival.is_loopback, arrival.source);
        self.said.remove(&link);
        let config = PeerConfig {
            terms: arrival.terms,
            manual_loaded: arrival.manual_loaded,
            handshake_timeout_ms: 5000,
            idle_timeout_ms: 5000,
            resume_timeout_ms: 30_000,
        };
        let seed = [link.0 as u8 ^ 0x5a; 32];
        let mut peer = Peer::new(config, arrival.schema, self.now, seed, None);
        #[cfg(feature = "mutants")]
        peer.set_mutant(PLANTED.get());
        let opened = LinkInput::Opened {
            binding: arrival.at_guest,
            max_datagram_bytes: 1150,
            is_loopback: arrival.is_loopback,
            source: None,
        };
        peer.handle(self.now, opened);
        self.guests.push(Guest {
            peer,
            link,
            events: Vec::new(),
            recorded: Vec::new(),
            tamper: arrival.tamper,
        });
        self.pump();
        self.guests.len() - 1
    }

    /// An honest guest with this role, in and live.
    pub fn welcome(&mut self, seed: u8, role: Role) -> usize {
        let guest = self.arrive(Arrival::honest(&person(seed), role));
        self.play(3);
        assert_eq!(self.guests[guest].peer.state(), PeerState::Live, "{:?}", self.guests[guest].ending());
        guest
    }

    /// Hands the host a packet on a link.
    pub fn deliver(&mut self, link: LinkId, lane: Lane, bytes: &[u8]) {
        made_up(bytes);
        self.host.handle(self.now, link, LinkInput::Packet { lane, bytes });
        self.pump();
    }

    /// Moves everything that is waiting, until nothing is.
    pub fn pump(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.host.poll_output() {
                quiet = false;
                match output {
                    HostOutput::Event(event) => self.events.push(event),
                    HostOutput::Link(link, output) => self.host_output(link, output),
                }
            }
            for guest in 0..self.guests.len() {
                while let Some(output) = self.guests[guest].peer.poll_output() {
                    quiet = false;
                    match output {
                        PeerOutput::Event(event) => self.guests[guest].events.push(event),
                        PeerOutput::Link(output) => self.guest_output(guest, output),
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn host_output(&mut self, link: LinkId, output: LinkOutput) {
        let now = self.now;
        tap(&output);
        if let LinkOutput::Close { code, reason } = &output {
            self.closed.insert(link, (*code, reason.clone()));
        }
        let Some(guest) = self.guests.iter_mut().find(|guest| guest.link == link) else {
            if let LinkOutput::Transmit { lane, packet } = output {
                self.said.entry(link).or_default().push((lane, packet));
            }
            return;
        };
        match output {
            LinkOutput::OpenLane { lane, schema_hash } => {
                guest.peer.handle(now, LinkInput::StreamOpened { lane, schema_hash });
            }
            LinkOutput::Transmit { lane, packet } => {
                guest.recorded.push((Way::ToGuest, lane, packet.clone()));
                for (lane, bytes) in (guest.tamper)(Way::ToGuest, lane, packet) {
                    guest.peer.handle(now, LinkInput::Packet { lane, bytes: &bytes });
                }
            }
            LinkOutput::FinishLane(_) => {}
            LinkOutput::Close { code, reason } => {
                guest.peer.handle(now, LinkInput::Closed { code: code as u16, reason: &reason });
            }
        }
    }

    fn guest_output(&mut self, guest: usize, output: LinkOutput) {
        tap(&output);
        let (now, guest) = (self.now, &mut self.guests[guest]);
        let link = guest.link;
        match output {
            LinkOutput::OpenLane { lane, schema_hash } => {
                self.host.handle(now, link, LinkInput::StreamOpened { lane, schema_hash });
            }
            LinkOutput::Transmit { lane, packet } => {
                guest.recorded.push((Way::ToHost, lane, packet.clone()));
                for (lane, bytes) in (guest.tamper)(Way::ToHost, lane, packet) {
                    self.host.handle(now, link, LinkInput::Packet { lane, bytes: &bytes });
                }
            }
            LinkOutput::FinishLane(_) => {}
            LinkOutput::Close { code, reason } => {
                self.host.handle(now, link, LinkInput::Closed { code: code as u16, reason: &reason });
            }
        }
    }

    /// Time passes: what is due is done.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        let now = self.now;
        self.host.handle_timeout(now);
        self.guests.iter_mut().for_each(|guest| guest.peer.handle_timeout(now));
        self.pump();
    }

    /// The next tick, with something that moved in it.
    pub fn tick(&mut self) {
        self.tick = self.tick.next();
        let x = self.tick.0 as f32 / 256.0 % 60.0;
        let mut row = [0; 12];
        row[..4].copy_from_slice(&x.to_le_bytes());
        let body = component_id(BODY);
        self.world.write_rows(body, None, &[self.body], &row, 12).expect("a row");
        let sealed = self.world.seal(self.tick).expect("seals");
        self.host.command(self.now, HostCommand::Tick(sealed));
        self.pump();
    }

    /// So many ticks at 90 Hz.
    pub fn play(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.pass_ms(11);
            self.tick();
        }
        self.pass_ms(11);
    }

    /// The fold of the host's world now.
    pub fn fold(&self) -> u64 {
        self.world.frame().fold()
    }

    /// How the host says that a handshake failed on this link.
    pub fn failure(&self, link: LinkId) -> Option<(DisconnectCode, &str)> {
        self.events.iter().find_map(|event| match event {
            HostEvent::HandshakeFailed { link: other, code, reason } if *other == link => {
                Some((*code, reason.as_str()))
            }
            _ => None,
        })
    }

    /// Nobody was let in: no member, and no word of one to the application.
    pub fn assert_nobody_joined(&self) {
        assert_eq!(self.host.members(), []);
        for event in &self.events {
            assert!(matches!(event, HostEvent::HandshakeFailed { .. }), "{event:?}");
        }
        for guest in &self.guests {
            assert!(!guest.was_admitted());
            assert!(guest.peer.state() < PeerState::Admitted || guest.peer.state() == PeerState::Closed);
            assert_eq!(guest.frames(), 0);
        }
    }

    /// The host ended this link with this code, let nobody in, and serves the next one.
    pub fn assert_refused(&mut self, link: LinkId, code: DisconnectCode) {
        assert_eq!(self.failure(link).map(|(code, _)| code), Some(code), "{:?}", self.events);
        assert_eq!(self.closed.get(&link).map(|(code, _)| *code), Some(code));
        self.assert_nobody_joined();
        self.assert_serves();
    }

    /// The guest turned away with this code; the host let nobody in and serves the next one.
    pub fn assert_turned_away(&mut self, guest: usize, code: DisconnectCode) {
        let ending = self.guests[guest].ending();
        assert_eq!(ending.map(|(code, _)| code), Some(code), "{ending:?}");
        self.assert_nobody_joined();
        self.assert_serves();
    }

    /// Somebody honest comes, sees the world tick by tick as it is, and is the only one who joined since.
    pub fn assert_serves(&mut self) {
        let told = self.events.len();
        let members = self.host.members().len();
        let honest = self.arrive(Arrival::honest(&person(0xee), Role::Editor));
        self.play(4);
        let guest = &self.guests[honest];
        assert_eq!(guest.peer.state(), PeerState::Live, "{:?}", guest.ending());
        assert!(guest.frames() >= 3, "{} frames", guest.frames());
        assert_eq!(guest.peer.replica().fold(self.tick), Some(self.fold()));
        assert_eq!(self.host.members().len(), members + 1);
        let joined =
            self.events[told..].iter().filter(|event| matches!(event, HostEvent::PeerJoined(_))).count();
        assert_eq!(joined, 1);
    }
}
