//! 64 transforms: engine floats to quantised lanes, lanes to bits, and both back.
//!
//! The work is that of the published comparisons: position 3 x 18 bits, rotation 2 + 3 x 9 bits, velocity 3 x 12 bits,
//! and a 16-bit number per entity, 135 bits a row.

use std::hint::black_box;
use std::sync::Arc;

use theta_core::mutants::Mutants;
use theta_core::replication::codec::{self, SlotRange};
use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind, Range, Registry, component_id};
use theta_core::types::{EntityId, Tick};
use theta_core::wire::bits::{BitReader, BitWriter};
use theta_core::world::{Chunk, SpawnDesc, StagedWrite, World, WorldLimits, WriteOrigin};

use crate::contest::Contest;
use crate::report::Report;
use crate::scene::Random;
use crate::settings::Settings;

const ROWS: usize = 64;
/// Ten floats.
const ROW_BYTES: usize = 40;
/// What a row is as plain memory: an id and ten floats.
const RAW_BYTES: usize = 48 * ROWS;
const NAME: &str = "bench.transform";
const ENTITY_BITS: u32 = 16;
/// Columns of the implicit entity component stand before ours.
const LANE_BITS: [u32; 10] = [18, 18, 18, 2, 9, 9, 9, 12, 12, 12];

/// Two ticks of 64 moving transforms.
struct Pair {
    world: World,
    entities: Vec<EntityId>,
    rows: Vec<u8>,
    before: Arc<Chunk>,
    now: Arc<Chunk>,
}

fn pair() -> Pair {
    let mut registry = Registry::new();
    let metres = Range::new(-1024.0, 1023.9921875, 1.0 / 128.0);
    let speed = Range::new(-20.48, 20.47, 0.01);
    let transform = ComponentDesc::new(NAME)
        .field(FieldDesc::new(1, "position", FieldKind::vec3(metres)))
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 9 }))
        .field(FieldDesc::new(3, "velocity", FieldKind::vec3(speed)));
    registry.add(transform).expect("a valid component");
    let schema = Arc::new(registry.freeze().expect("a valid schema"));
    let mut random = Random::new(5);
    let mut floats: Vec<[f32; 10]> = (0..ROWS)
        .map(|_| {
            std::array::from_fn(|at| match at {
                0..3 => random.unit() * 1000.0,
                3..7 => random.unit() + 1e-3,
                _ => random.unit() * 10.0,
            })
        })
        .collect();
    let bytes = |floats: &[[f32; 10]]| -> Vec<u8> {
        floats.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
    };
    let mut world = World::new(schema, WorldLimits::default());
    let first = bytes(&floats);
    let entities: Vec<EntityId> = first
        .chunks_exact(ROW_BYTES)
        .map(|row| {
            let components = [(component_id(NAME), Some(row))];
            world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("room")
        })
        .collect();
    let before = Arc::clone(&world.seal(Tick(1)).expect("the first tick").changed[0]);
    // 90 Hz: what moves at up to 10 m/s and turns at up to 6 rad/s.
    for row in &mut floats {
        for value in &mut row[..3] {
            *value += random.unit() * 10.0 / 90.0;
        }
        for value in &mut row[3..7] {
            *value += random.unit() * 3.0 / 90.0;
        }
        for value in &mut row[7..] {
            *value += random.unit() * 20.0 / 90.0;
        }
    }
    let rows = bytes(&floats);
    world.write_rows(component_id(NAME), None, &entities, &rows, ROW_BYTES).expect("rows of the component");
    let now = Arc::clone(&world.seal(Tick(2)).expect("the second tick").changed[0]);
    Pair { world, entities, rows, before, now }
}

/// The lanes of each row, as the hand-written loops take them.
fn lanes_of(chunk: &Chunk) -> Vec<[u64; 10]> {
    let first = chunk.columns.len() - 3;
    (0..ROWS)
        .map(|slot| {
            let mut lanes = (first..first + 3).flat_map(|column| chunk.lanes(column, slot).iter().copied());
            std::array::from_fn(|_| lanes.next().expect("ten lanes"))
        })
        .collect()
}

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let pair = pair();
    quantise(&pair, settings, report);
    pack(&pair, settings, report);
    unpack(&pair, settings, report);
}

fn quantise(pair: &Pair, settings: &Settings, report: &mut Report) {
    let (schema, component) = (pair.world.schema(), component_id(NAME));
    let bytes = pair.rows.len();
    let (mut copied, mut by_hand) = (vec![0u8; bytes], vec![[0u64; 10]; ROWS]);
    let mut world = pair.world.clone();
    let older = {
        let mut out = vec![0; bytes];
        let frame = theta_core::world::Frame::new(Tick(1), vec![Arc::clone(&pair.before)]);
        frame.read_engine(schema, component, None, &mut out, ROW_BYTES).expect("rows of the component");
        out
    };
    let mut turn = false;
    let results = Contest::new()
        .limit("copy of the engine rows", bytes, || copied.copy_from_slice(black_box(&pair.rows)))
        .peer("the same arithmetic by hand in f32, without checks", bytes, || {
            quantise_by_hand(black_box(&pair.rows), &mut by_hand);
        })
        .ours("StagedWrite::quantise", bytes, || {
            StagedWrite::quantise(
                schema,
                component,
                None,
                &pair.entities,
                black_box(&pair.rows),
                ROW_BYTES,
                WriteOrigin::Engine,
            )
        })
        .ours("World::write_rows (quantise and apply, every value changes)", bytes, || {
            turn = !turn;
            let rows = if turn { &older } else { &pair.rows };
            world.write_rows(component, None, &pair.entities, rows, ROW_BYTES)
        })
        .run(settings);
    report.contest("Quantise 64 rows of {vec3, quat, vec3}", &results);

    let frame = pair.world.frame();
    let mut out = vec![0u8; bytes];
    let mut copied = vec![0u8; bytes];
    let mut by_hand = vec![0f32; ROWS * 10];
    let lanes = lanes_of(&pair.now);
    let results = Contest::new()
        .limit("copy of the engine rows", bytes, || copied.copy_from_slice(black_box(&pair.rows)))
        .peer("the same arithmetic by hand in f32", bytes, || {
            dequantise_by_hand(black_box(&lanes), &mut by_hand);
        })
        .ours("Frame::read_engine", bytes, || frame.read_engine(schema, component, None, &mut out, ROW_BYTES))
        .run(settings);
    report.contest("Dequantise 64 rows", &results);
}

fn quantise_by_hand(rows: &[u8], out: &mut [[u64; 10]]) {
    for (row, lanes) in rows.chunks_exact(ROW_BYTES).zip(out) {
        let float =
            |at: usize| f32::from_le_bytes([row[at * 4], row[at * 4 + 1], row[at * 4 + 2], row[at * 4 + 3]]);
        for axis in 0..3 {
            lanes[axis] = ((float(axis) + 1024.0) * 128.0 + 0.5).clamp(0.0, 262_143.0) as u64;
            lanes[7 + axis] = ((float(7 + axis) + 20.48) * 100.0 + 0.5).clamp(0.0, 4095.0) as u64;
        }
        let parts = [float(3), float(4), float(5), float(6)];
        let mut largest = 0;
        for at in 1..4 {
            if parts[at].abs() > parts[largest].abs() {
                largest = at;
            }
        }
        let length = parts.iter().map(|part| part * part).sum::<f32>().sqrt();
        let scale = 255.0 * std::f32::consts::SQRT_2 / length.copysign(parts[largest]);
        lanes[3] = largest as u64;
        let mut next = 4;
        for (at, part) in parts.iter().enumerate() {
            if at != largest {
                lanes[next] = (part * scale + 255.5).clamp(0.0, 510.0) as u64;
                next += 1;
            }
        }
    }
}

fn dequantise_by_hand(rows: &[[u64; 10]], out: &mut [f32]) {
    for (lanes, out) in rows.iter().zip(out.chunks_exact_mut(10)) {
        for axis in 0..3 {
            out[axis] = lanes[axis] as f32 / 128.0 - 1024.0;
            out[7 + axis] = lanes[7 + axis] as f32 * 0.01 - 20.48;
        }
        let (mut rest, mut next) = (1.0f32, 4);
        for at in 0..4 {
            if at != lanes[3] as usize {
                let part = (lanes[next] as f32 - 255.0) * (std::f32::consts::FRAC_1_SQRT_2 / 255.0);
                rest -= part * part;
                out[3 + at] = part;
                next += 1;
            }
        }
        out[(3 + lanes[3] as usize) & 7] = rest.max(0.0).sqrt();
    }
}

fn pack(pair: &Pair, settings: &Settings, report: &mut Report) {
    let lanes = lanes_of(&pair.now);
    let raw = vec![7u8; RAW_BYTES];
    let (mut copied, mut by_hand) = (vec![0u8; RAW_BYTES], Vec::with_capacity(2048));
    let (mut plain, mut full, mut delta) = (BitWriter::new(), BitWriter::new(), BitWriter::new());
    let mut same = BitWriter::new();
    pack_by_hand(&lanes, &mut by_hand);
    let hand_bytes = by_hand.len();
    codec::encode(&pair.now, None, SlotRange::ALL, Mutants::NONE, &mut full);
    codec::encode(&pair.now, Some(&pair.before), SlotRange::ALL, Mutants::NONE, &mut delta);
    codec::encode(&pair.now, Some(&pair.now), SlotRange::ALL, Mutants::NONE, &mut same);
    let (full_bytes, delta_bytes, same_bytes) = (full.byte_len(), delta.byte_len(), same.byte_len());
    let results = Contest::new()
        .limit("copy of 64 plain structs", RAW_BYTES, || copied.copy_from_slice(black_box(&raw)))
        .peer("135 bits a row by a hand-written loop", hand_bytes, || {
            by_hand.clear();
            pack_by_hand(black_box(&lanes), &mut by_hand);
        })
        .ours("135 bits a row by BitWriter", hand_bytes, || {
            plain.clear();
            for (at, row) in black_box(&lanes).iter().enumerate() {
                plain.put(at as u64, ENTITY_BITS);
                for (lane, bits) in row.iter().zip(LANE_BITS) {
                    plain.put(*lane, bits);
                }
            }
            plain.bytes().len()
        })
        .ours("codec::encode, whole rows", full_bytes, || {
            full.clear();
            codec::encode(&pair.now, None, SlotRange::ALL, Mutants::NONE, &mut full);
            full.bytes().len()
        })
        .ours("codec::encode against the tick before, all changed", delta_bytes, || {
            delta.clear();
            codec::encode(&pair.now, Some(&pair.before), SlotRange::ALL, Mutants::NONE, &mut delta);
            delta.bytes().len()
        })
        .ours("codec::encode against itself, nothing changed", same_bytes, || {
            same.clear();
            codec::encode(&pair.now, Some(&pair.now), SlotRange::ALL, Mutants::NONE, &mut same);
            same.bytes().len()
        })
        .run(settings);
    report.contest("Pack 64 rows from quantised columns", &results);
}

fn pack_by_hand(rows: &[[u64; 10]], out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u128, 0u32);
    let mut put = |value: u64, width: u32| {
        held |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    };
    for (at, row) in rows.iter().enumerate() {
        put(at as u64, ENTITY_BITS);
        for (lane, width) in row.iter().zip(LANE_BITS) {
            put(*lane, width);
        }
    }
    let rest = bits.div_ceil(8) as usize;
    out.extend_from_slice(&held.to_le_bytes()[..rest]);
}

fn unpack(pair: &Pair, settings: &Settings, report: &mut Report) {
    let lanes = lanes_of(&pair.now);
    let mut packed = Vec::new();
    pack_by_hand(&lanes, &mut packed);
    let encoded = |base: Option<&Chunk>| {
        let mut out = BitWriter::new();
        codec::encode(&pair.now, base, SlotRange::ALL, Mutants::NONE, &mut out);
        out.into_bytes()
    };
    let (full, delta) = (encoded(None), encoded(Some(&pair.before)));
    let mut decoded = Chunk::empty(pair.now.id, Arc::clone(&pair.now.archetype));
    codec::decode(&full, SlotRange::ALL, &mut decoded).expect("what was encoded");
    assert!(lanes_of(&decoded) == lanes, "whole rows come back");
    decoded = Chunk::clone(&pair.before);
    codec::decode(&delta, SlotRange::ALL, &mut decoded).expect("what was encoded");
    assert!(lanes_of(&decoded) == lanes, "changed rows come back");

    let raw = vec![7u8; RAW_BYTES];
    let (mut copied, mut by_hand, mut by_reader) =
        (vec![0u8; RAW_BYTES], vec![[0u64; 11]; ROWS], vec![[0u64; 11]; ROWS]);
    let mut padded = packed.clone();
    padded.extend_from_slice(&[0; 16]);
    let results = Contest::new()
        .limit("copy of 64 plain structs", RAW_BYTES, || copied.copy_from_slice(black_box(&raw)))
        .peer("135 bits a row by a hand-written loop, unchecked", packed.len(), || {
            unpack_by_hand(black_box(&padded), &mut by_hand);
        })
        .ours("135 bits a row by BitReader", packed.len(), || {
            let mut reader = BitReader::new(black_box(&packed));
            for row in &mut by_reader {
                row[10] = reader.get(ENTITY_BITS)?;
                for (lane, bits) in row.iter_mut().zip(LANE_BITS) {
                    *lane = reader.get(bits)?;
                }
            }
            Ok::<_, theta_core::wire::WireError>(())
        })
        .ours("codec::decode, whole rows (into an empty chunk)", full.len(), || {
            let mut target = Chunk::empty(pair.now.id, Arc::clone(&pair.now.archetype));
            codec::decode(black_box(&full), SlotRange::ALL, &mut target)
        })
        .ours("codec::decode, all changed (copy of the baseline included)", delta.len(), || {
            let mut target = Chunk::clone(&pair.before);
            codec::decode(black_box(&delta), SlotRange::ALL, &mut target)
        })
        .run(settings);
    report.contest("Unpack 64 rows", &results);
}

fn unpack_by_hand(packed: &[u8], rows: &mut [[u64; 11]]) {
    let mut at = 0usize;
    let mut get = |width: u32| {
        let start = at / 8;
        let mut word = [0; 8];
        word.copy_from_slice(&packed[start..start + 8]);
        let value = u64::from_le_bytes(word) >> (at % 8) & (u64::MAX >> (64 - width));
        at += width as usize;
        value
    };
    for row in rows {
        row[10] = get(ENTITY_BITS);
        for (lane, width) in row.iter_mut().zip(LANE_BITS) {
            *lane = get(width);
        }
    }
}
