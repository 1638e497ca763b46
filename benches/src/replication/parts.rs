//! Where a tick's time goes: its steps one by one, for 2000 moving bodies, beside a copy of the same rows.

use std::hint::black_box;
use std::sync::Arc;

use theta_core::mutants::Mutants;
use theta_core::replication::codec::{self, SlotRange};
use theta_core::replication::{
    HostLimits, HostReplication, LinkKey, LinkTick, Replica, ReplicaLimits, Scope,
};
use theta_core::types::Tick;
use theta_core::wire::bits::BitWriter;
use theta_core::world::hash::column_hash;
use theta_core::world::{SealedTick, StagedWrite, WriteOrigin};

use crate::contest::{Contest, median};
use crate::report::{Report, Table, number};
use crate::scene::{NAIVE_ROW_BYTES, ROW_BYTES, Scene, body, schema};
use crate::settings::Settings;

use super::session::Cost;

const BODIES: usize = 2000;
/// Payload that a datagram has room for, as the session reckons it.
const ROOM_BYTES: usize = 1067;

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    machines(settings, report);
    pieces(settings, report);
}

/// The replication room alone: what the session adds around it is the difference to the table above.
fn machines(settings: &Settings, report: &mut Report) {
    let ticks: usize = settings.either(180, 30);
    let mut scene = Scene::new(BODIES, 7);
    let schema = schema();
    let mut host = HostReplication::new(Arc::clone(&schema), HostLimits::default());
    let mut replicas = Vec::new();
    host.ingest(&scene.world.seal(Tick(1)).expect("the first tick"));
    for key in [LinkKey(1), LinkKey(2)] {
        host.add_link(key);
        let snapshot = host.begin_snapshot(key, 1, Scope::World).expect("a snapshot");
        let mut replica = Replica::new(Arc::clone(&schema), ReplicaLimits::default());
        replica.add_archetypes(&snapshot.archetypes).expect("definitions");
        let count = snapshot.pieces.len() as u32;
        for (index, piece) in snapshot.pieces.iter().enumerate() {
            let taken = replica.snapshot_piece(1, snapshot.tick, index as u32, count, false, piece);
            taken.expect("a piece");
        }
        assert!(host.on_snapshot_ack(key, 1), "the snapshot was awaited");
        replicas.push(replica);
    }
    let steps = [
        "write: quantise and apply 2000 rows",
        "seal: hash what changed, share the columns",
        "ingest: the host takes the tick in",
        "build for the first peer: encode and pack",
        "build for a second peer with the same baselines: pack",
        "acknowledgements of both",
        "apply at a peer: decode, hash, publish",
    ];
    let mut costs: [Vec<Cost>; 7] = Default::default();
    let mut sequence = 0;
    for at in 0..ticks + 20 {
        let moved = scene.push(0, BODIES);
        let mut step = [Cost::default(); 7];
        step[0].of(|| scene.write(&moved));
        let tick = scene.world.tick().next();
        let sealed: SealedTick = step[1].of(|| scene.world.seal(tick).expect("ticks ascend"));
        step[2].of(|| host.ingest(&sealed));
        let first: LinkTick = step[3].of(|| host.build(LinkKey(1), ROOM_BYTES));
        let second = step[4].of(|| host.build(LinkKey(2), ROOM_BYTES));
        let payloads: Vec<_> =
            first.parts.iter().map(|part| (part.index, part.count, part.payload.clone())).collect();
        let sequences: Vec<u32> = (sequence + 1..=sequence + first.parts.len() as u32).collect();
        sequence += first.parts.len() as u32;
        step[5].of(|| {
            for (key, built) in [(LinkKey(1), first), (LinkKey(2), second)] {
                for (part, sequence) in built.parts.into_iter().zip(&sequences) {
                    host.on_sent(key, *sequence, part.receipt);
                }
                for sequence in &sequences {
                    host.on_ack(key, *sequence);
                }
            }
        });
        step[6].of(|| {
            for (index, count, payload) in &payloads {
                replicas[0].delta(tick, *index, *count, payload).expect("a part");
            }
            while replicas[0].poll_frame().is_some() {}
            while replicas[0].poll_lifecycle().is_some() {}
        });
        assert_eq!(replicas[0].fold(tick), Some(sealed.frame.fold()), "the peer has another state");
        if at >= 20 {
            costs.iter_mut().zip(step).for_each(|(costs, step)| costs.push(step));
        }
    }
    let mut table = Table::new(
        "The steps of a tick: 2000 bodies, all moving, acknowledged at once",
        &["step", "us", "ns per body", "allocations"],
    );
    for (name, costs) in steps.iter().zip(&costs) {
        let us = median(&mut costs.iter().map(|cost| cost.cpu_ns as f64 / 1000.0).collect::<Vec<_>>());
        let allocations = costs.iter().map(|cost| cost.allocations).sum::<u64>() as f64 / costs.len() as f64;
        table.row([(*name).to_owned(), number(us), number(us * 1000.0 / BODIES as f64), number(allocations)]);
        report.note(&format!("step: {name}"), "cpu", us, "us", None);
        report.note(&format!("step: {name}"), "allocations", allocations, "", None);
    }
    table.print();
}

/// The pieces of those steps, on one chunk of 64 rows.
fn pieces(settings: &Settings, report: &mut Report) {
    let mut scene = Scene::new(64, 7);
    let seal = |scene: &mut Scene| {
        let tick = scene.world.tick().next();
        Arc::clone(&scene.world.seal(tick).expect("ticks ascend").changed[0])
    };
    let before = seal(&mut scene);
    let moved = scene.push(0, 64);
    scene.write(&moved);
    let now = seal(&mut scene);
    let mut writer = BitWriter::new();
    codec::encode(&now, Some(&before), SlotRange::ALL, Mutants::NONE, &mut writer);
    let packed = writer.bytes().to_vec();
    let plain = vec![7u8; 64 * NAIVE_ROW_BYTES];
    let mut copied = vec![0u8; plain.len()];
    let (rows, world_schema) = (scene.rows.clone(), schema());
    let (position, rotation) = (now.columns.len() - 2, now.columns.len() - 1);
    let mut target_slots = 0;
    let results = Contest::new()
        .limit("copy of 64 plain quantised structs", plain.len(), || {
            copied.copy_from_slice(black_box(&plain));
        })
        .ours("quantise 64 rows", rows.len(), || {
            let (rows, origin) = (black_box(&rows), WriteOrigin::Engine);
            StagedWrite::quantise(&world_schema, body(), None, &moved, rows, ROW_BYTES, origin)
        })
        .ours("hash both changed columns", 64 * (25 + 33), || {
            column_hash(black_box(&now.columns[position]), now.occupancy)
                ^ column_hash(black_box(&now.columns[rotation]), now.occupancy)
        })
        .ours("encode 64 changed rows", packed.len(), || {
            writer.clear();
            codec::encode(black_box(&now), Some(&before), SlotRange::ALL, Mutants::NONE, &mut writer);
            writer.bytes().len()
        })
        .ours("decode 64 changed rows (copy of the baseline included)", packed.len(), || {
            let mut target = theta_core::world::Chunk::clone(&before);
            let done = codec::decode(black_box(&packed), SlotRange::ALL, &mut target);
            target_slots += target.slots().count();
            done
        })
        .run(settings);
    assert!(target_slots > 0, "rows were decoded");
    report.contest("The pieces of those steps: one chunk of 64 bodies", &results);
}
