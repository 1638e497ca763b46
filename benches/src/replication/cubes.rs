//! A recording of 901 physics cubes through the session's own schema, world and encoder.
//!
//! Each frame is 901 times eight little-endian 32-bit numbers: largest part of the rotation, its three other parts at 9
//! bits, position at 512 per metre, and whether a player touches the cube; 60 Hz. The decoder gets only what is six
//! frames old, and the packet. What it decodes is compared number by number.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use theta_core::replication::{HostLimits, HostReplication, LinkKey, Replica, ReplicaLimits, Scope};
use theta_core::schema::quantise::{dequantise_quat, quantise_quat};
use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind, Range, Registry, Schema, component_id};
use theta_core::types::{EntityId, Tick};
use theta_core::world::{SpawnDesc, World, WorldLimits};

use super::session::Cost;
use crate::contest::median;
use crate::report::{Beside, Report, Table, number};
use crate::settings::Settings;

const CUBES: usize = 901;
const FRAME_BYTES: usize = CUBES * 32;
const NAME: &str = "bench.cube";
/// Position, rotation, interacting.
const ROW_BYTES: usize = 32;
/// Frames from a state to the acknowledgement that makes it a baseline.
const AGE: usize = 6;
/// Where scoring starts: the cubes have fallen.
const FROM: usize = 1000;
/// What goes into a datagram; the published figures count no headers, so the parts are as large as they get.
const ROOM_BYTES: usize = 1067;
/// Published for frames six old, on this recording: Fiedler's hand bit-packing.
const BIT_PACKING_BYTES: f64 = 256.0;

type Frame = Vec<[i32; 8]>;

/// Runs it, where there is a recording.
pub fn run(settings: &Settings, report: &mut Report) {
    let Some(path) = &settings.recording else {
        println!("\nCubes: left out, there is no recording (--data FILE, or THETA_DATA)");
        return;
    };
    match load(path) {
        Ok(frames) => measure(&frames, settings, report),
        Err(problem) => println!("\nCubes: left out, {}: {problem}", path.display()),
    }
}

fn load(path: &Path) -> Result<Vec<Frame>, String> {
    let bytes = if path.extension().is_some_and(|extension| extension == "xz") {
        let output = Command::new("xz").arg("-dc").arg(path).output();
        let output = output.map_err(|error| format!("xz cannot be started: {error}"))?;
        if !output.status.success() {
            return Err("xz cannot decompress it".into());
        }
        output.stdout
    } else {
        std::fs::read(path).map_err(|error| error.to_string())?
    };
    if bytes.len() < FRAME_BYTES * (FROM + AGE + 1) || !bytes.len().is_multiple_of(FRAME_BYTES) {
        return Err(format!("{} bytes are not enough whole frames of {FRAME_BYTES}", bytes.len()));
    }
    let number = |bytes: &[u8]| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let cube = |bytes: &[u8]| -> [i32; 8] { std::array::from_fn(|at| number(&bytes[at * 4..])) };
    Ok(bytes.chunks_exact(FRAME_BYTES).map(|frame| frame.chunks_exact(32).map(cube).collect()).collect())
}

/// Positions as whole lanes of 1/512 m; bounds from the recording, as a level designer would know them.
fn schema(frames: &[Frame]) -> Arc<Schema> {
    let mut bounds = (i32::MAX, i32::MIN);
    for value in frames.iter().flatten().flat_map(|cube| &cube[4..7]) {
        bounds = (bounds.0.min(*value), bounds.1.max(*value));
    }
    let metres = Range::new(f64::from(bounds.0) / 512.0, f64::from(bounds.1) / 512.0, 1.0 / 512.0);
    let cube = ComponentDesc::new(NAME)
        .field(FieldDesc::new(1, "position", FieldKind::vec3(metres)))
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 9 }))
        .field(FieldDesc::new(3, "interacting", FieldKind::Flags { bits: 1 }));
    let mut registry = Registry::new();
    registry.add(cube).expect("a valid component");
    Arc::new(registry.freeze().expect("a valid schema"))
}

/// The recording's rotation as ours: its 9 bits count 0 to 511, ours 0 to 510 (so that zero is exact), and what
/// differs next to a tie follows our rule. So the comparison is against the lanes that went in.
fn row(cube: &[i32; 8]) -> [u8; ROW_BYTES] {
    let part = |value: i32| (value.clamp(0, 510)) as u64;
    let lanes = [cube[0] as u64, part(cube[1]), part(cube[2]), part(cube[3])];
    let rotation = dequantise_quat(lanes, 9);
    let mut row = [0; ROW_BYTES];
    let floats = cube[4..7].iter().map(|value| *value as f32 / 512.0).chain(rotation);
    for (out, float) in row.chunks_exact_mut(4).zip(floats) {
        out.copy_from_slice(&float.to_le_bytes());
    }
    row[28] = u8::from(cube[7] != 0);
    row
}

fn measure(frames: &[Frame], settings: &Settings, report: &mut Report) {
    let last = if settings.is_quick { (FROM + 200).min(frames.len()) } else { frames.len() };
    let schema = schema(frames);
    let component = component_id(NAME);
    let mut world = World::new(Arc::clone(&schema), WorldLimits::default());
    let entities: Vec<EntityId> = frames[0]
        .iter()
        .map(|cube| {
            let row = row(cube);
            let components = [(component, Some(row.as_slice()))];
            world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("room")
        })
        .collect();
    let key = LinkKey(1);
    let mut host = HostReplication::new(Arc::clone(&schema), HostLimits::default());
    let mut replica = Replica::new(Arc::clone(&schema), ReplicaLimits::default());
    host.ingest(&world.seal(Tick(1)).expect("the first tick"));
    host.add_link(key);
    let snapshot = host.begin_snapshot(key, 1, Scope::World).expect("a snapshot");
    replica.add_archetypes(&snapshot.archetypes).expect("definitions");
    for (index, piece) in snapshot.pieces.iter().enumerate() {
        let count = snapshot.pieces.len() as u32;
        replica.snapshot_piece(1, snapshot.tick, index as u32, count, false, piece).expect("a piece");
    }
    host.on_snapshot_ack(key, 1);

    let mut unacknowledged: VecDeque<Vec<u32>> = VecDeque::new();
    let (mut sequence, mut changed_lanes) = (0, 0usize);
    let (mut payload_bytes, mut parts, mut encode, mut apply) = (0usize, 0usize, Vec::new(), Vec::new());
    for (at, frame) in frames[..last].iter().enumerate().skip(1) {
        let rows: Vec<u8> = frame.iter().flat_map(row).collect();
        world.write_rows(component, None, &entities, &rows, ROW_BYTES).expect("rows of the component");
        let tick = Tick(at as u32 + 1);
        let sealed = world.seal(tick).expect("ticks ascend");
        // The baseline of this frame is the state six frames before it.
        if unacknowledged.len() == AGE {
            unacknowledged.pop_front().into_iter().flatten().for_each(|sequence| host.on_ack(key, sequence));
        }
        let (mut encoding, mut applying) = (Cost::default(), Cost::default());
        let built = encoding.of(|| {
            host.ingest(&sealed);
            host.build(key, ROOM_BYTES)
        });
        let mut sequences = Vec::new();
        for part in built.parts {
            applying.of(|| replica.delta(tick, part.index, part.count, &part.payload).expect("a part"));
            if at >= FROM {
                payload_bytes += part.payload.len();
                parts += 1;
            }
            sequence += 1;
            sequences.push(sequence);
            host.on_sent(key, sequence, part.receipt);
        }
        unacknowledged.push_back(sequences);
        let decoded = replica.frame(tick).expect("the tick is complete");
        assert_eq!(decoded.fold(), sealed.frame.fold(), "frame {at} came out differently");
        changed_lanes += frame.iter().filter(|cube| differs(cube)).count();
        if at >= FROM {
            encode.push(encoding.cpu_ns as f64 / 1000.0);
            apply.push(applying.cpu_ns as f64 / 1000.0);
        }
    }
    let scored = encode.len();
    let bytes = payload_bytes as f64 / scored as f64;
    let mut table = Table::new(
        "Cubes: 901 physics cubes, baseline six frames old, every frame",
        &[
            "frames scored",
            "payload B/frame",
            "hand bit-packing B",
            "ratio",
            "encode us",
            "apply us",
            "parts",
        ],
    );
    table.row([
        scored.to_string(),
        number(bytes),
        number(BIT_PACKING_BYTES),
        number(bytes / BIT_PACKING_BYTES),
        number(median(&mut encode)),
        number(median(&mut apply)),
        number(parts as f64 / scored as f64),
    ]);
    table.print();
    println!(
        "  rotations that our 9 bits spell differently: {:.3} % of all",
        changed_lanes as f64 * 100.0 / (last * CUBES) as f64
    );
    let beside = Some(Beside { name: "hand bit-packing (published)", value: BIT_PACKING_BYTES });
    report.note("cubes: frames six old", "payload_bytes_per_frame", bytes, "B", beside);
    report.note("cubes: frames six old", "encode_cpu", median(&mut encode), "us", None);
    report.note("cubes: frames six old", "apply_cpu", median(&mut apply), "us", None);
}

/// True where our rotation has other numbers than the recording's.
fn differs(cube: &[i32; 8]) -> bool {
    let lanes = [cube[0] as u64, cube[1] as u64, cube[2] as u64, cube[3] as u64];
    quantise_quat(dequantise_quat(lanes, 9), 9) != Some(lanes)
}
