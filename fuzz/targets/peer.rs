//! A live peer, in front of a host that does what the bytes say.
//!
//! The first byte says how far the peer is when the program begins: it has said hello, is admitted, or has the world. A
//! step is the host's right next word, or a packet right or wrong in its header with whatever inside, or what the
//! application and the transport do. Whatever comes, frames ascend, the end is told once, and after it nothing is said.

use std::borrow::Cow;

use theta_core::replication::{HostLimits, HostReplication, LinkKey, Scope};
use theta_core::schema::component_id;
use theta_core::session::input::InputSample;
use theta_core::session::{LinkInput, PeerEvent, PeerState};
use theta_core::types::{Lane, PeerId, Tick};
use theta_core::wire::message::{
    Admitted, ArchetypeDefinition, Message, Role, SessionControl, SnapshotReason, WorldSnapshot,
};
use theta_core::world::{SpawnDesc, World, WorldLimits};

use super::allocation::measure;
use super::bytes::Bytes;
use super::impostor::{Impostor, delta_message, real_terms};
use super::packets::{lane, packet};
use super::venue::{Arrival, person, schema};

/// Steps, by number.
pub mod step {
    pub const ACKNOWLEDGE: u8 = 0;
    pub const ADMIT: u8 = 1;
    pub const STREAM: u8 = 2;
    pub const PACKET: u8 = 3;
    pub const RAW: u8 = 4;
    pub const DELTA: u8 = 5;
    pub const SNAPSHOT: u8 = 6;
    pub const DELTA_OF: u8 = 7;
    pub const SNAPSHOT_OF: u8 = 8;
    pub const TIME: u8 = 9;
    pub const LOADED: u8 = 10;
    pub const INPUT: u8 = 11;
    pub const DATAGRAM_LIMIT: u8 = 12;
    pub const CLOSED: u8 = 13;
    pub const COUNT: u8 = 14;
}

const MAX_STEPS: usize = 64;
const LINK: LinkKey = LinkKey(1);
const BODY: &str = "gate.body";
/// What one packet may make the peer ask for: beside what rows may, for each byte.
const DELIVERY_BYTES: usize = 4 << 20;
const DELIVERY_BYTES_PER_BYTE: usize = 1024;

struct Scene {
    impostor: Impostor,
    replication: HostReplication,
    world: World,
    snapshots: u32,
    /// What the peer had said when it was seen to have closed.
    heard: Option<usize>,
}

/// See the module.
pub fn peer(data: &[u8]) {
    let mut input = Bytes(data);
    let mut scene = Scene::new(input.u8());
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        scene.step(&mut input);
        scene.check();
    }
}

impl Scene {
    fn new(begin: u8) -> Self {
        let mut world = World::new(schema(), WorldLimits::default());
        let components = [(component_id(BODY), None)];
        for _ in 0..3 {
            world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("spawns");
        }
        let mut replication = HostReplication::new(schema(), HostLimits::default());
        replication.ingest(&world.seal(Tick(1)).expect("seals"));
        replication.add_link(LINK);
        let arrival = Arrival { manual_loaded: begin & 4 == 4, ..Arrival::honest(&person(7), Role::Editor) };
        let impostor = match begin % 4 {
            0 => Impostor::meet_guest(real_terms(), arrival),
            _ => Impostor::host(arrival),
        };
        let mut scene = Self { impostor, replication, world, snapshots: 0, heard: None };
        if begin % 4 > 1 {
            scene.impostor.peer.loaded();
            scene.impostor.drain();
            scene.snapshot();
            assert_eq!(scene.impostor.peer.state(), PeerState::Live, "{:?}", scene.impostor.closed);
        }
        scene
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let now = self.impostor.now;
        match input.u8() % step::COUNT {
            step::ACKNOWLEDGE => {
                let acknowledge = self.impostor.acknowledgement(|_| ());
                self.impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
                if self.impostor.peer.agreement().is_some() {
                    self.impostor.agree(1);
                }
            }
            step::ADMIT => {
                let admitted = Admitted {
                    peer: PeerId(input.u8().into()),
                    role: Role::Editor,
                    tick_rate_hz: 90,
                    host_tick: self.world.tick(),
                    ..Admitted::default()
                };
                self.impostor
                    .say(Lane::Control, &Message::SessionControl(SessionControl::Admitted(admitted)));
            }
            step::STREAM => {
                let lane = lane(input.u8());
                let schema_hash = [schema().hash(), 0, 1][usize::from(input.u8() % 3)];
                self.impostor.input(LinkInput::StreamOpened { lane, schema_hash });
            }
            step::PACKET => {
                let lane = lane(input.u8());
                let right = self.impostor.next_header(lane);
                if let Some(bytes) = packet(right, input) {
                    self.deliver(lane, &bytes);
                }
            }
            step::RAW => {
                let lane = lane(input.u8());
                self.deliver(lane, input.part());
            }
            step::DELTA => self.delta(),
            step::SNAPSHOT => self.snapshot(),
            step::DELTA_OF => {
                let tick = Tick(input.u16().into());
                let (part, part_count) = (input.u8().into(), input.u8().into());
                self.say(Lane::State, &delta_message(tick, part, part_count, input.part().into()));
            }
            step::SNAPSHOT_OF => {
                let flags = input.u8();
                let (tick, chunk, chunk_count) = (input.u16(), input.u8().into(), input.u8().into());
                let message = Message::WorldSnapshot(WorldSnapshot {
                    snapshot_id: (flags >> 4).into(),
                    tick: Tick(tick.into()),
                    log_term: 1,
                    log_index: 0,
                    chunk,
                    chunk_count,
                    reason: if flags & 1 == 0 { SnapshotReason::Join } else { SnapshotReason::Repair },
                    roster: Vec::new(),
                    archetypes: Vec::new(),
                    payload: input.part().into(),
                });
                self.say(Lane::Bulk((flags >> 1 & 3).into()), &message);
            }
            step::TIME => {
                self.impostor.now = now.plus_ms(u64::from(input.u8()) * 2);
                self.impostor.peer.handle_timeout(self.impostor.now);
            }
            step::LOADED => self.impostor.peer.loaded(),
            step::INPUT => {
                let input_tick = Tick(input.u8().into());
                let sample = InputSample { input_tick, buttons: input.u32(), ..InputSample::default() };
                self.impostor.peer.send_input(now, sample);
            }
            step::DATAGRAM_LIMIT => self.impostor.input(LinkInput::DatagramLimit(input.u16().into())),
            _ => self.impostor.input(LinkInput::Closed { code: input.u16(), reason: "gone" }),
        }
        self.impostor.drain();
    }

    /// Says it, if it can be said at all.
    fn say(&mut self, lane: Lane, message: &Message<'_>) {
        if message.check().is_ok() {
            self.impostor.say(lane, message);
        }
    }

    fn deliver(&mut self, lane: Lane, bytes: &[u8]) {
        let ((), asked) = measure(|| self.impostor.deliver(lane, bytes));
        let limit = DELIVERY_BYTES + DELIVERY_BYTES_PER_BYTE * bytes.len();
        assert!(asked <= limit, "{asked} bytes asked for by a packet of {}", bytes.len());
    }

    /// The world as it is, for a join.
    fn snapshot(&mut self) {
        let id = self.snapshots + 1;
        let Ok(snapshot) = self.replication.begin_snapshot(LINK, id, Scope::World) else { return };
        self.snapshots = id;
        let define = |def: &theta_core::replication::ArchetypeDef| ArchetypeDefinition {
            id: def.id,
            components: def.components.clone(),
        };
        let mut archetypes: Vec<_> = snapshot.archetypes.iter().map(define).collect();
        let count = snapshot.pieces.len() as u32;
        for (chunk, piece) in (0..).zip(snapshot.pieces) {
            let message = Message::WorldSnapshot(WorldSnapshot {
                snapshot_id: id,
                tick: snapshot.tick,
                log_term: 1,
                log_index: 0,
                chunk,
                chunk_count: count,
                reason: SnapshotReason::Join,
                roster: Vec::new(),
                archetypes: core::mem::take(&mut archetypes),
                payload: Cow::Owned(piece),
            });
            self.impostor.say(Lane::Bulk(0), &message);
        }
        self.replication.on_snapshot_ack(LINK, id);
    }

    /// The next tick, in which somebody moved.
    fn delta(&mut self) {
        let tick = self.world.tick().next();
        let moved: Vec<u8> = [tick.0 as f32 / 8.0, 0.0, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let entity = self.world.frame().chunks[0].entities[0];
        self.world.write_rows(component_id(BODY), None, &[entity], &moved, 12).expect("writes");
        self.replication.ingest(&self.world.seal(tick).expect("seals"));
        for part in self.replication.build(LINK, 1000).parts {
            let payload = part.payload.clone();
            self.impostor.say(Lane::State, &delta_message(tick, part.index, part.count, payload.into()));
        }
    }

    fn check(&mut self) {
        let (mut last, mut ends) = (Tick::ZERO, 0);
        for event in &self.impostor.events {
            match event {
                PeerEvent::Frame(frame) => {
                    assert!(frame.tick > last, "{} after {last}", frame.tick);
                    last = frame.tick;
                }
                PeerEvent::Disconnected { .. } => ends += 1,
                _ => {}
            }
        }
        let over = self.impostor.peer.state() == PeerState::Closed;
        assert_eq!(ends, u32::from(over), "the end is told once");
        if over {
            let heard = self.impostor.heard.len();
            assert_eq!(*self.heard.get_or_insert(heard), heard, "it speaks after its end");
        }
    }
}
