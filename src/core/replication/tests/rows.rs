//! The packer alone: any version against any earlier one, or against nothing.

use std::sync::Arc;

use proptest::prelude::*;

use crate::mutants::Mutants;
use crate::replication::assembly::Assembly;
use crate::replication::codec::{self, SlotRange};
use crate::types::{ChunkId, Tick};
use crate::wire::bits::BitWriter;
use crate::world::Chunk;
use crate::world::testing::Busy;

/// Versions of chunks over some ticks of a busy world.
fn versions(seed: u64, ticks: u32, percent: u64) -> Vec<Arc<Chunk>> {
    let mut busy = Busy::new(seed);
    busy.big = seed.is_multiple_of(4);
    for _ in 0..30 + seed % 60 {
        busy.spawn();
    }
    let mut versions = Vec::new();
    for tick in 1..=ticks {
        versions.extend(busy.world.seal(Tick(tick)).unwrap().changed);
        busy.step(percent);
    }
    versions
}

/// An earlier version of the same chunk, with the same columns: an emptied chunk can be given others.
fn is_base(other: &Chunk, current: &Chunk) -> bool {
    other.id == current.id && other.tick < current.tick && other.archetype.id == current.archetype.id
}

fn encode(current: &Chunk, base: Option<&Chunk>, range: SlotRange) -> Vec<u8> {
    let mut writer = BitWriter::new();
    codec::encode(current, base, range, Mutants::NONE, &mut writer);
    writer.into_bytes()
}

fn ranges(cuts: &[u8]) -> Vec<SlotRange> {
    let mut starts: Vec<u8> = cuts.iter().map(|cut| cut % 64).chain([0]).collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts[1..].iter().map(|start| start - 1).chain([63]);
    starts.iter().zip(ends).map(|(first, last)| SlotRange { first: *first, last }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_version_comes_back(seed in 1u64..10_000, percent in 1u64..60, cuts in proptest::collection::vec(any::<u8>(), 0..6)) {
        let versions = versions(seed, 8, percent);
        for (at, current) in versions.iter().enumerate() {
            let earlier = versions[..at].iter().filter(|other| is_base(other, current)).map(Some);
            for base in earlier.chain([None]) {
                let mut assembly = Assembly::new(current.id, &current.archetype, current.tick, base);
                for range in ranges(&cuts) {
                    let body = encode(current, base.map(|base| &**base), range);
                    prop_assert_eq!(&body, &encode(current, base.map(|base| &**base), range));
                    assembly.add(base, range, &body)?;
                }
                prop_assert!(assembly.is_whole());
                let back = assembly.finish()?;
                prop_assert_eq!(back.hash, current.hash);
                prop_assert_eq!(&back.column_hashes, &current.column_hashes);
                prop_assert_eq!(&back.entities, &current.entities);
            }
        }
    }

    #[test]
    fn ranges_against_different_baselines_fit_together(seed in 1u64..10_000, cut in 1u8..64) {
        let versions = versions(seed, 10, 20);
        for current in &versions {
            let mut bases: Vec<Option<&Arc<Chunk>>> = versions.iter().filter(|other| is_base(other, current)).map(Some).collect();
            bases.push(None);
            let (low, high) = (bases[0], bases[bases.len() - 1]);
            let ranges = ranges(&[cut]);
            let mut assembly = Assembly::new(current.id, &current.archetype, current.tick, low);
            assembly.add(low, ranges[0], &encode(current, low.map(|base| &**base), ranges[0]))?;
            assembly.add(high, ranges[1], &encode(current, high.map(|base| &**base), ranges[1]))?;
            prop_assert_eq!(assembly.finish()?.hash, current.hash);
        }
    }

    #[test]
    fn cut_and_flipped_rows_are_an_error_or_other_rows(seed in 1u64..10_000, flips in proptest::collection::vec(any::<u32>(), 1..40)) {
        let versions = versions(seed, 4, 30);
        let current = &versions[versions.len() - 1];
        let base = versions.iter().find(|other| is_base(other, current));
        let body = encode(current, base.map(|base| &**base), SlotRange::ALL);
        let decode = |body: &[u8]| {
            let mut assembly = Assembly::new(current.id, &current.archetype, current.tick, base);
            assembly.add(base, SlotRange::ALL, body).and_then(|()| assembly.finish())
        };
        for cut in 0..body.len() {
            prop_assert!(decode(&body[..cut]).is_err(), "cut after {} of {} bytes", cut, body.len());
        }
        let mut longer = body.clone();
        longer.push(0);
        prop_assert!(decode(&longer).is_err());
        for flip in flips {
            let mut changed = body.clone();
            let bit = flip as usize % (body.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(back) = decode(&changed) {
                // Other bits are another state: one state has one spelling.
                prop_assert_ne!(back.hash, current.hash, "bit {} of {} bytes", bit, body.len());
                prop_assert_eq!(&encode(&back, base.map(|base| &**base), SlotRange::ALL), &changed);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_rows(body in proptest::collection::vec(any::<u8>(), 0..200), seed in 1u64..50) {
        let versions = versions(seed, 2, 30);
        for base in &versions {
            let mut assembly = Assembly::new(base.id, &base.archetype, Tick(9), Some(base));
            if assembly.add(Some(base), SlotRange::ALL, &body).is_ok()
                && let Ok(back) = assembly.finish() {
                prop_assert_eq!(&encode(&back, Some(base), SlotRange::ALL), &body);
            }
        }
    }
}

#[test]
fn nothing_changed_is_one_byte() {
    let versions = versions(7, 1, 0);
    for chunk in &versions {
        assert_eq!(encode(chunk, Some(chunk), SlotRange::ALL), [1]);
        assert_eq!(
            encode(&Chunk::empty(ChunkId(1), Arc::clone(&chunk.archetype)), None, SlotRange::ALL),
            [1]
        );
    }
}

#[test]
fn a_row_spawned_again_is_of_another_entity() {
    for base in &versions(7, 1, 0) {
        let slot = base.occupancy.trailing_zeros() as usize;
        let here = base.entities[slot].0;
        let decode = |entity: u64| {
            let mut rows = BitWriter::new();
            // A list of one slot: its row is gone, another one stands in its place, all of it the defaults.
            rows.put_bool(true);
            rows.put(1, 6);
            rows.put(slot as u64, 6);
            rows.put_bool(true);
            rows.put_bool(true);
            rows.put_bool(false);
            rows.put(entity, 64);
            base.columns.iter().for_each(|_| rows.put_bool(false));
            let mut assembly = Assembly::new(base.id, &base.archetype, Tick(9), Some(base));
            let added = assembly.add(Some(base), SlotRange::ALL, &rows.into_bytes());
            added.and_then(|()| assembly.finish())
        };
        assert!(decode(here | 1 << 40).is_ok());
        assert!(decode(here).is_err(), "a change has its own spelling");
    }
}
