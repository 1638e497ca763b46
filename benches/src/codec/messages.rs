//! Typed messages to FlatBuffers and back, beside CBOR of the same message.

use std::borrow::Cow;
use std::hint::black_box;

use theta_core::replication::{HostLimits, HostReplication, LinkKey, Scope};
use theta_core::schema::component_id;
use theta_core::types::Tick;
use theta_core::wire::bits::BitWriter;
use theta_core::wire::cbor::{from_cbor, to_cbor};
use theta_core::wire::message::{
    ArchetypeDefinition, ComponentLayout, Heartbeat, InputPredictiveState, LaneCount, LogPosition, Message,
    MessageEncoder, SessionHello, SnapshotReason, StateAck, Version, WorldSnapshot,
};

use super::envelopes::delta;
use crate::contest::Contest;
use crate::report::{Beside, Report, Table, number};
use crate::scene::Scene;
use crate::settings::Settings;

/// Messages of a session as they are, by name.
pub fn samples() -> Vec<(&'static str, Message<'static>)> {
    vec![
        ("Heartbeat", heartbeat()),
        ("StateAck, 256 packets", acknowledgement()),
        ("InputPredictiveState, 4 poses of 3", input()),
        ("ComponentDelta, 1000 B", delta(1000)),
        ("WorldSnapshot, a piece of 1000 bodies", snapshot()),
        ("SessionHello, 20 components", hello()),
    ]
}

fn heartbeat() -> Message<'static> {
    let lanes = (0..5).map(|lane| LaneCount { lane, received: 9000, newest: 9010 }).collect();
    Message::Heartbeat(Heartbeat {
        sent_us: 1_000_000,
        echo_sent_us: 900_000,
        echo_held_us: 1000,
        newest_tick: Tick(9000),
        confirmed_tick: Tick(8990),
        lanes,
        host_time_us: 1_000_500,
        host_tick: Tick(9001),
        ..Heartbeat::default()
    })
}

fn acknowledgement() -> Message<'static> {
    let mask = Cow::Owned(vec![0xfe; 32]);
    Message::StateAck(StateAck { newest_sequence: 9000, complete_tick: Tick(8999), snapshot_id: 0, mask })
}

fn input() -> Message<'static> {
    use theta_core::session::input::{InputSample, POSE_FLAGS, Pose, pack};
    let pose = Pose {
        position: [0.1, 1.6, -0.2],
        rotation: [0.0, 0.7, 0.0, 0.7],
        linear_velocity: [0.1, 0.0, 0.2],
        angular_velocity: [0.0, 0.5, 0.0],
        flags: POSE_FLAGS,
    };
    let samples: Vec<InputSample> = (0..4)
        .map(|age| InputSample {
            input_tick: Tick(9000 - age),
            sampled_at_us: 1_000_000 - u64::from(age) * 11_111,
            target_display_us: 1_030_000 - u64::from(age) * 11_111,
            poses: [pose; 3],
            buttons: 5,
            ..InputSample::default()
        })
        .collect();
    let mut bits = BitWriter::new();
    pack(&samples, &mut bits);
    Message::InputPredictiveState(InputPredictiveState {
        input_tick: Tick(9000),
        view_tick: Tick(8995),
        sampled_at_us: 1_000_000,
        display_after_us: 30_000,
        horizon_us: 0,
        payload: bits.into_bytes().into(),
    })
}

fn snapshot() -> Message<'static> {
    let mut scene = Scene::new(1000, 1);
    let mut host = HostReplication::new(crate::scene::schema(), HostLimits::default());
    host.ingest(&scene.world.seal(Tick(1)).expect("the first tick"));
    host.add_link(LinkKey(1));
    let made = host.begin_snapshot(LinkKey(1), 1, Scope::World).expect("a snapshot");
    let archetypes = made.archetypes.iter();
    Message::WorldSnapshot(WorldSnapshot {
        snapshot_id: 1,
        tick: made.tick,
        log_term: 1,
        log_index: 0,
        chunk: 0,
        chunk_count: made.pieces.len() as u32,
        reason: SnapshotReason::Join,
        roster: Vec::new(),
        archetypes: archetypes
            .map(|made| ArchetypeDefinition { id: made.id, components: made.components.clone() })
            .collect(),
        payload: Cow::Owned(made.pieces[0].clone()),
    })
}

fn hello() -> Message<'static> {
    let names = [
        "game.pose",
        "game.body",
        "game.velocity",
        "game.health",
        "game.inventory",
        "game.team",
        "game.label",
        "game.door",
        "game.lift",
        "game.light",
        "game.weapon",
        "game.ammunition",
        "game.vehicle",
        "game.seat",
        "game.trigger",
        "game.score",
        "game.avatar.head",
        "game.avatar.left_hand",
        "game.avatar.right_hand",
        "game.avatar.voice",
    ];
    let layout = |name: &&str| {
        let id = component_id(name);
        ComponentLayout { id, layout_hash: id.0.rotate_left(17), name: (*name).to_owned() }
    };
    let mut components: Vec<ComponentLayout> = names.iter().map(layout).collect();
    components.sort_by_key(|component| component.id);
    Message::SessionHello(SessionHello {
        version: Version::CURRENT,
        client_nonce: [7; 32],
        client_key: [9; 32],
        schema_hash: 0x0123_4567_89ab_cdef,
        components,
        manifest_checksum: None,
        document_id: Some([3; 32]),
        resume_token: Vec::new(),
        transports: 1,
        compressions: 3,
        security_modes: 1,
        capabilities: 3,
        dictionaries: vec![theta_sdk::compression::DICTIONARY_HASH],
        last_tick: Tick(0),
        last_log: LogPosition::default(),
        client_name: "a player".to_owned(),
        application: vec![1; 64],
    })
}

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let columns = [
        "message",
        "bytes",
        "encode ns",
        "decode ns",
        "allocations",
        "CBOR bytes",
        "encode ns",
        "decode ns",
        "encode ratio",
        "decode ratio",
    ];
    let mut table =
        Table::new("Messages: FlatBuffers (ours) beside CBOR (allocations: encode + decode)", &columns);
    for (name, message) in samples() {
        let mut encoder = MessageEncoder::new();
        let body = encoder.encode(&message).expect("a valid message").to_vec();
        let text = to_cbor(&message).expect("a valid message");
        let kind = message.message_type();
        assert_eq!(Message::decode(kind, &body).expect("decodes"), message);
        assert_eq!(from_cbor(&text).expect("decodes"), message);
        let results = Contest::new()
            .ours("encode", body.len(), || encoder.encode(black_box(&message)).map(<[u8]>::len))
            .ours("decode", body.len(), || Message::decode(kind, black_box(&body)).map(drop))
            .peer("CBOR encode", text.len(), || to_cbor(black_box(&message)))
            .peer("CBOR decode", text.len(), || from_cbor(black_box(&text)))
            .run(settings);
        let [encode, decode, cbor_encode, cbor_decode] = &results[..] else { unreachable!("four entries") };
        table.row([
            name.to_owned(),
            body.len().to_string(),
            number(encode.median_ns),
            number(decode.median_ns),
            format!("{} + {}", number(encode.allocations), number(decode.allocations)),
            text.len().to_string(),
            number(cbor_encode.median_ns),
            number(cbor_decode.median_ns),
            number(encode.median_ns / cbor_encode.median_ns),
            number(decode.median_ns / cbor_decode.median_ns),
        ]);
        let beside = |value: f64| Some(Beside { name: "CBOR", value });
        report.note(name, "bytes", body.len() as f64, "B", beside(text.len() as f64));
        report.note(name, "encode_time", encode.median_ns, "ns", beside(cbor_encode.median_ns));
        report.note(name, "decode_time", decode.median_ns, "ns", beside(cbor_decode.median_ns));
    }
    table.print();
}
