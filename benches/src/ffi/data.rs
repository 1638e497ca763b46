//! Rows in and out: writes, frames, samples.

use std::hint::black_box;

use theta_core::replication::sample::SampleCode;
use theta_core::types::EntityId;
use theta_core::world::{SpawnDesc, World, WorldLimits};
use theta_sdk::ffi::basis::THETA_BASIS_UNITY;
use theta_sdk::ffi::frame::{THETA_FRAME_NEWEST, theta_entity_row, theta_frame};
use theta_sdk::ffi::sample::THETA_SAMPLE_INTERPOLATED;
use theta_sdk::ffi::session::theta_session;
use theta_sdk::ffi::status::THETA_OK;
use theta_sdk::ffi::write::theta_write;

use super::pair::{CPair, ENTITIES, RustPair, rows};
use super::pointers::Pointers;
use crate::contest::Contest;
use crate::report::Report;
use crate::scene::{ROW_BYTES, body, schema};
use crate::settings::Settings;

/// Runs it.
pub fn run(c: &mut CPair, rust: &mut RustPair, settings: &Settings, report: &mut Report) {
    writes(c, settings, report);
    frames(c, rust, settings, report);
    samples(c, rust, settings, report);
}

/// Two sets of rows by turns, so that every write changes every value.
struct Turns {
    sets: [Vec<u8>; 2],
    turn: usize,
}

impl Turns {
    fn new() -> Self {
        Self { sets: [rows(2), rows(3)], turn: 0 }
    }

    fn next(&mut self, count: usize) -> &[u8] {
        self.turn ^= 1;
        &self.sets[self.turn][..count * ROW_BYTES]
    }
}

fn write_by(c: &Pointers, host: theta_session, component: u64, entities: &[u64], data: &[u8]) -> i32 {
    let mut write = theta_write { bits: 0 };
    let (count, stride, none) = (entities.len() as u32, ROW_BYTES as u64, std::ptr::null_mut());
    let (ids, data) = (entities.as_ptr(), data.as_ptr().cast());
    // SAFETY: live places, and rows as the counts say.
    unsafe {
        (c.write_begin)(host, &raw mut write);
        let staged = (c.write_rows)(write, component, 0, ids, count, data, stride, none);
        staged | (c.write_commit)(write)
    }
}

fn writes(c: &CPair, settings: &Settings, report: &mut Report) {
    let mut world = World::new(schema(), WorldLimits::default());
    let own: Vec<EntityId> = rows(0)
        .chunks_exact(ROW_BYTES)
        .map(|row| {
            let components = [(body(), Some(row))];
            world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("room")
        })
        .collect();
    let pointers = Pointers::new();
    let (unity_host, unity_entities) = c.host_in_basis(THETA_BASIS_UNITY);
    for count in [1, 100, ENTITIES] {
        let bytes = count * ROW_BYTES;
        let (mut ours, mut direct, mut unity) = (Turns::new(), Turns::new(), Turns::new());
        let source = rows(2);
        let mut copied = vec![0u8; bytes];
        assert_eq!(
            write_by(&pointers, c.host, c.component, &c.entities[..count], ours.next(count)),
            THETA_OK
        );
        let results = Contest::new()
            .peer("World::write_rows in Rust", bytes, || {
                world.write_rows(body(), None, &own[..count], direct.next(count), ROW_BYTES)
            })
            .limit("copy of the rows", bytes, || copied.copy_from_slice(black_box(&source[..bytes])))
            .ours("theta_write_begin, _rows, _commit", bytes, || {
                write_by(&pointers, c.host, c.component, &c.entities[..count], ours.next(count))
            })
            .ours("the same from Unity's basis", bytes, || {
                write_by(&pointers, unity_host, c.component, &unity_entities[..count], unity.next(count))
            })
            .run(settings);
        report.contest(&format!("Write {count} rows of {{vec3, quat}}, every value changes"), &results);
    }
}

fn frames(c: &CPair, rust: &mut RustPair, settings: &Settings, report: &mut Report) {
    let frame = rust.joined.newest_frame().expect("a frame").frame;
    let rust_schema = schema();
    let bytes = ENTITIES * 12;
    let (mut positions, mut direct, mut copied) = (vec![0u8; bytes], vec![0u8; bytes], vec![0u8; bytes]);
    let (mut whole, source) = (vec![0u8; ENTITIES * ROW_BYTES], vec![7u8; bytes]);
    let mut listed = vec![theta_entity_row::default(); ENTITIES];
    let pointers = Pointers::new();
    let release = pointers.frame_release;
    let hold = || {
        let mut held = theta_frame { bits: 0 };
        // SAFETY: a live place for the handle.
        unsafe { (pointers.frame_acquire)(c.joined, THETA_FRAME_NEWEST, &raw mut held) };
        held
    };
    let (capacity, component) = (ENTITIES as u32, c.component);
    let results = Contest::new()
        .peer("Frame::read_engine in Rust, positions", bytes, || {
            frame.read_engine(&rust_schema, body(), Some(1), &mut direct, 12)
        })
        .limit("copy of 1000 positions", bytes, || copied.copy_from_slice(black_box(&source)))
        .ours("theta_frame_acquire, _release", 0, || release(hold()))
        .ours("acquire, theta_frame_read of 1000 positions, release", bytes, || {
            let (held, mut count) = (hold(), 0);
            // SAFETY: room for the rows that are asked for.
            let status = unsafe {
                (pointers.frame_read)(
                    held,
                    component,
                    1,
                    0,
                    positions.as_mut_ptr().cast(),
                    12,
                    capacity,
                    &raw mut count,
                )
            };
            status | release(held)
        })
        .ours("acquire, theta_frame_read of 1000 whole rows, release", ENTITIES * ROW_BYTES, || {
            let (held, mut count) = (hold(), 0);
            let (out, stride) = (whole.as_mut_ptr().cast(), ROW_BYTES as u64);
            // SAFETY: as above.
            let status = unsafe {
                (pointers.frame_read)(held, component, 0, 0, out, stride, capacity, &raw mut count)
            };
            status | release(held)
        })
        .ours("acquire, theta_frame_entities of 1000, release", size_of_val(&listed[..]), || {
            let (held, mut count) = (hold(), 0);
            let size = size_of::<theta_entity_row>() as u32;
            // SAFETY: as above.
            let status = unsafe {
                (pointers.frame_entities)(
                    held,
                    component,
                    listed.as_mut_ptr(),
                    size,
                    capacity,
                    &raw mut count,
                )
            };
            status | release(held)
        })
        .run(settings);
    assert!(listed.iter().all(|row| row.id != 0), "every entity was listed");
    report.contest("Read a frame of 1000 entities", &results);
}

fn samples(c: &CPair, rust: &mut RustPair, settings: &Settings, report: &mut Report) {
    let pointers = Pointers::new();
    // Two ticks that differ, so that there is something between them.
    let newest = c.tick();
    c.wait_for(newest);
    let data = rows(9);
    write_by(&pointers, c.host, c.component, &c.entities, &data);
    let newest = c.tick();
    c.wait_for(newest);
    let rust_newest = {
        rust.host
            .world_mut()
            .write_rows(body(), None, &rust.entities, &data, ROW_BYTES)
            .expect("rows of the component");
        rust.host.tick().expect("ticks").0
    };
    rust.wait_for(rust_newest);
    let (at, rust_at) = (f64::from(newest) - 0.5, f64::from(rust_newest) - 0.5);
    let sampler = rust.joined.sampler();
    let mut direct = vec![0u8; ROW_BYTES];
    let found = sampler.sample(body(), None, rust.entities[0], rust_at, &mut direct).expect("a sample");
    assert_eq!(found.code, SampleCode::Interpolated);
    for count in [1, ENTITIES] {
        let (mut out, mut codes) = (vec![0u8; count * ROW_BYTES], vec![9u8; count]);
        let entities = &rust.entities[..count];
        let results = Contest::new()
            .peer("Sampler::sample in Rust, for each", count * ROW_BYTES, || {
                for entity in entities {
                    let found = sampler.sample(body(), None, *entity, rust_at, &mut direct);
                    black_box(found.is_ok());
                }
            })
            .ours("theta_session_sample", count * ROW_BYTES, || {
                let (ids, results) = (c.entities.as_ptr(), codes.as_mut_ptr());
                let (out, stride) = (out.as_mut_ptr().cast(), ROW_BYTES as u64);
                // SAFETY: as many ids, rows and results as are asked for.
                unsafe {
                    (pointers.sample)(c.joined, c.component, 0, ids, count as u32, at, out, stride, results)
                }
            })
            .run(settings);
        assert!(
            codes.iter().all(|code| u32::from(*code) == THETA_SAMPLE_INTERPOLATED),
            "all were between ticks"
        );
        report.contest(&format!("Sample {count} entities between two ticks"), &results);
    }
}
