//! A host that turns on its guest: everything it can send wrong is counted or ends the session, and nothing wrong is
//! shown.

use std::borrow::Cow;
use std::sync::Arc;

use theta_core::replication::{HostLimits, HostReplication, LinkKey, Scope};
use theta_core::schema::component_id;
use theta_core::session::input::InputSample;
use theta_core::session::{LinkInput, PeerEvent, PeerState};
use theta_core::types::{Lane, PeerId, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope::PacketHeader;
use theta_core::wire::message::{
    Admitted, ArchetypeDefinition, HashDetailsRequest, Heartbeat, Message, Role, SessionControl,
    SnapshotReason, WorldSnapshot,
};
use theta_core::world::{SpawnDesc, World, WorldLimits};

use super::impostor::{Impostor, delta_message};
use super::venue::{Arrival, packet, person, reseal, schema};

/// A guest with the world of tick 1, and the host's means to say more of it.
struct Scene {
    impostor: Impostor,
    replication: HostReplication,
    world: World,
}

const LINK: LinkKey = LinkKey(1);

impl Scene {
    fn new() -> Self {
        let mut world = World::new(schema(), WorldLimits::default());
        let components = [(component_id("gate.body"), None)];
        for _ in 0..3 {
            world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("spawns");
        }
        let mut replication = HostReplication::new(Arc::clone(&schema()), HostLimits::default());
        replication.ingest(&world.seal(Tick(1)).expect("seals"));
        replication.add_link(LINK);
        let mut scene =
            Self { impostor: Impostor::host(Arrival::honest(&person(7), Role::Editor)), replication, world };
        for (lane, message) in scene.snapshot() {
            scene.impostor.say(lane, &message);
        }
        scene.replication.on_snapshot_ack(LINK, 1);
        assert_eq!(scene.impostor.peer.state(), PeerState::Live, "{:?}", scene.impostor.closed);
        assert_eq!(scene.frames(), [Tick(1)]);
        scene
    }

    fn snapshot(&mut self) -> Vec<(Lane, Message<'static>)> {
        let snapshot = self.replication.begin_snapshot(LINK, 1, Scope::World).expect("a snapshot");
        let archetypes: Vec<_> = snapshot
            .archetypes
            .iter()
            .map(|def| ArchetypeDefinition { id: def.id, components: def.components.clone() })
            .collect();
        let count = snapshot.pieces.len() as u32;
        let pieces = snapshot.pieces.into_iter().enumerate();
        pieces
            .map(|(index, piece)| {
                let message = Message::WorldSnapshot(WorldSnapshot {
                    snapshot_id: 1,
                    tick: snapshot.tick,
                    log_term: 1,
                    log_index: 0,
                    chunk: index as u32,
                    chunk_count: count,
                    reason: SnapshotReason::Join,
                    roster: Vec::new(),
                    archetypes: if index == 0 { archetypes.clone() } else { Vec::new() },
                    payload: Cow::Owned(piece),
                });
                (Lane::Bulk(0), message)
            })
            .collect()
    }

    /// The next tick's delta.
    fn delta(&mut self, tick: u32) -> Message<'static> {
        let moved: Vec<u8> = [tick as f32 / 8.0, 0.0, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let entity = self.world.frame().chunks[0].entities[0];
        self.world.write_rows(component_id("gate.body"), None, &[entity], &moved, 12).expect("writes");
        self.replication.ingest(&self.world.seal(Tick(tick)).expect("seals"));
        let built = self.replication.build(LINK, 1000);
        let [part] = &built.parts[..] else { panic!("one part") };
        delta_message(built.tick, part.index, part.count, part.payload.clone().into())
    }

    fn frames(&self) -> Vec<Tick> {
        let frames = self.impostor.events.iter().filter_map(|event| match event {
            PeerEvent::Frame(frame) => Some(frame.tick),
            _ => None,
        });
        frames.collect()
    }

    /// Another delta is taken and shown as the host made it.
    fn assert_goes_on(mut self) {
        assert!(self.impostor.closed.is_none(), "{:?}", self.impostor.closed);
        let tick = self.world.tick().0 + 1;
        let delta = self.delta(tick);
        self.impostor.say(Lane::State, &delta);
        assert_eq!(self.frames().last(), Some(&Tick(tick)));
        assert_eq!(self.impostor.peer.replica().fold(Tick(tick)), Some(self.world.frame().fold()));
    }

    fn assert_ended(self, code: DisconnectCode) {
        self.impostor.assert_closed(code);
        assert_eq!(self.frames(), [Tick(1)], "nothing more was shown");
    }
}

#[test]
fn an_honest_host_is_followed() {
    let mut scene = Scene::new();
    for tick in 2..6 {
        let delta = scene.delta(tick);
        scene.impostor.say(Lane::State, &delta);
    }
    assert_eq!(scene.frames(), [1, 2, 3, 4, 5].map(Tick));
    scene.assert_goes_on();
}

#[test]
fn a_repeated_datagram_is_acted_on_once() {
    let mut scene = Scene::new();
    let delta = scene.delta(2);
    let bytes = packet(scene.impostor.next_header(Lane::State), &[delta]);
    for _ in 0..4 {
        scene.impostor.deliver(Lane::State, &bytes);
    }
    assert_eq!(scene.impostor.peer.statistics().packets.dropped_replayed, 3);
    assert_eq!(scene.frames(), [1, 2].map(Tick));
    scene.assert_goes_on();
}

#[test]
fn another_epoch_or_schema_is_not_acted_on() {
    let right = Scene::new().impostor.next_header(Lane::Presence);
    for header in [
        PacketHeader { epoch: 0, schema: 0, ..right },
        PacketHeader { epoch: right.epoch + 2, ..right },
        PacketHeader { schema: !right.schema, ..right },
    ] {
        let mut scene = Scene::new();
        let delta = scene.delta(2);
        scene.impostor.deliver(
            Lane::State,
            &packet(PacketHeader { sequence: 1, ..header }, core::slice::from_ref(&delta)),
        );
        assert_eq!(scene.impostor.peer.statistics().packets.dropped_foreign, 1);
        assert_eq!(scene.frames(), [Tick(1)]);
        scene.impostor.deliver(Lane::Replication, &packet(PacketHeader { sequence: 1, ..header }, &[delta]));
        scene.assert_ended(DisconnectCode::EpochFenced);
    }
}

#[test]
fn every_bit_of_a_delta_may_be_wrong() {
    // As it was damaged on the way: dropped. As somebody means it: an error, or a state; never a panic.
    let mut scene = Scene::new();
    let delta = scene.delta(2);
    let bytes = packet(scene.impostor.next_header(Lane::State), &[delta]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        scene.impostor.deliver(Lane::State, &damaged);
        assert_eq!(scene.impostor.peer.statistics().packets.dropped_malformed, bit as u64 + 1);
    }
    assert_eq!(scene.frames(), [Tick(1)]);
    scene.impostor.deliver(Lane::State, &bytes);
    assert_eq!(scene.frames(), [1, 2].map(Tick));
    for bit in 0..bytes.len() * 8 {
        let mut scene = Scene::new();
        let mut meant = bytes.clone();
        meant[bit / 8] ^= 1 << (bit % 8);
        reseal(&mut meant);
        scene.impostor.deliver(Lane::State, &meant);
        if let Some((code, _)) = &scene.impostor.closed {
            let expected = [
                DisconnectCode::BadMessage,
                DisconnectCode::ProtocolViolation,
                DisconnectCode::LimitExceeded,
            ];
            assert!(expected.contains(code), "bit {bit}: {code:?}");
        }
    }
}

#[test]
fn a_delta_that_contradicts_itself_ends_the_session() {
    let payloads: [&[u8]; 3] = [&[0xff; 40], &[1, 0], &[0; 9]];
    for payload in payloads {
        let mut scene = Scene::new();
        scene.impostor.say(Lane::State, &delta_message(Tick(2), 0, 1, payload.into()));
        scene.assert_ended(DisconnectCode::BadMessage);
    }
}

#[test]
fn a_snapshot_that_does_not_hash_to_what_it_says_is_not_shown() {
    let mut impostor = Impostor::host(Arrival::honest(&person(7), Role::Editor));
    let pieces = Scene::new().snapshot();
    for (lane, message) in pieces {
        let Message::WorldSnapshot(mut snapshot) = message else { panic!("a snapshot") };
        snapshot.payload.to_mut()[0] ^= 1;
        impostor.say(lane, &Message::WorldSnapshot(snapshot));
    }
    impostor.assert_closed(DisconnectCode::BadMessage);
    assert!(!impostor.events.iter().any(|event| matches!(event, PeerEvent::Frame(_))));
}

#[test]
fn archetypes_that_contradict_what_was_said_end_the_session() {
    let mut scene = Scene::new();
    let definitions = vec![ArchetypeDefinition { id: 0, components: vec![0, 1, 2] }];
    let control = SessionControl::ArchetypeDefinitions(definitions);
    scene.impostor.say(Lane::Replication, &Message::SessionControl(control));
    scene.assert_ended(DisconnectCode::ProtocolViolation);
}

#[test]
fn admission_comes_once() {
    let mut scene = Scene::new();
    let admitted = Admitted { peer: PeerId(9), role: Role::Admin, ..Admitted::default() };
    scene.impostor.say(Lane::Control, &Message::SessionControl(SessionControl::Admitted(admitted)));
    let admissions =
        scene.impostor.events.iter().filter(|event| matches!(event, PeerEvent::Admitted { .. })).count();
    assert_eq!(admissions, 1);
    scene.assert_ended(DisconnectCode::ProtocolViolation);
}

#[test]
fn a_second_acknowledgement_changes_nothing() {
    let mut scene = Scene::new();
    let before = scene.impostor.peer.agreement().cloned();
    let again = scene.impostor.acknowledgement(|core| core.session_epoch = 9);
    scene.impostor.say(Lane::Control, &Message::SessionAcknowledge(again));
    assert_eq!(scene.impostor.peer.agreement().cloned(), before);
    scene.assert_ended(DisconnectCode::ProtocolViolation);
}

#[test]
fn a_stream_opened_again_is_not_answered_again() {
    let mut scene = Scene::new();
    let schema_hash = schema().hash();
    for _ in 0..100 {
        scene.impostor.input(LinkInput::StreamOpened { lane: Lane::Replication, schema_hash });
    }
    assert_eq!(scene.impostor.opened, [Lane::Control, Lane::Replication]);
    scene.assert_goes_on();
    let mut scene = Scene::new();
    scene.impostor.input(LinkInput::StreamOpened { lane: Lane::Bulk(1), schema_hash: 1 });
    scene.assert_ended(DisconnectCode::SchemaMismatch);
}

#[test]
fn a_host_that_lies_about_time_does_not_break_the_clock() {
    let mut scene = Scene::new();
    for (tick, time) in [(u32::MAX, 0), (u32::MAX, u64::MAX), (1, u64::MAX), (u32::MAX, 1)] {
        let beat = Heartbeat {
            sent_us: u64::MAX,
            echo_sent_us: scene.impostor.now.0,
            host_tick: Tick(tick),
            host_time_us: time,
            confirmed_tick: Tick(u32::MAX),
            ..Heartbeat::default()
        };
        scene.impostor.now = scene.impostor.now.plus_ms(100);
        scene.impostor.say(Lane::Control, &Message::Heartbeat(beat));
        // Input numbered by that clock: the numbers may be useless, but there are always some.
        for _ in 0..3 {
            let now = scene.impostor.now;
            scene.impostor.peer.send_input(now, InputSample::default());
            scene.impostor.drain();
        }
    }
    scene.assert_goes_on();
}

#[test]
fn details_of_ticks_and_chunks_that_are_not_here() {
    let mut scene = Scene::new();
    for (tick, chunks) in [(Tick(u32::MAX), vec![]), (Tick(0), vec![7]), (Tick(1), (0..1024).collect())] {
        let chunks = chunks.into_iter().map(theta_core::types::ChunkId).collect();
        let request = SessionControl::RequestHashDetails(HashDetailsRequest { tick, chunks });
        scene.impostor.say(Lane::Control, &Message::SessionControl(request));
    }
    scene.assert_goes_on();
}
