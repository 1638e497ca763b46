//! Packed rows: deltas against what a replica holds, and snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use theta_core::mutants::Mutants;
use theta_core::replication::codec::{self, SlotRange};
use theta_core::replication::entry::{self, Baseline, Entries, Header};
use theta_core::replication::{PartOutcome, Replica};
use theta_core::types::{ChunkId, Tick};
use theta_core::wire::bits::BitWriter;
use theta_core::world::{Chunk, hash};

use super::allocation::measure;
use super::bytes::Bytes;
use super::stage::stage;

/// What docs/protocol.md states that packed rows may ask for: for each byte of payload, and beside that.
const ROWS_BYTES_PER_BYTE: usize = 1024;
const ROWS_BYTES: usize = 256 * 1024;
/// Pieces of one snapshot here.
const MAX_PIECES: usize = 8;

/// What a replica holds, as far as it shows.
fn standing(replica: &Replica) -> (Tick, (usize, usize), usize, bool, Option<u64>) {
    let newest = replica.newest_complete();
    (newest, replica.held(), replica.state_bytes(), replica.has_joined(), replica.fold(newest))
}

fn within_limits(asked: usize, bytes: usize) {
    assert!(asked <= ROWS_BYTES + ROWS_BYTES_PER_BYTE * bytes, "{asked} bytes asked for by {bytes}");
}

/// A part of a tick's delta: before which step of the golden session, tick, part, part count, payload.
pub fn rows(data: &[u8]) {
    let mut input = Bytes(data);
    let mut replica = stage().replica(input.u8());
    let before = standing(&replica);
    let (tick, part, count) = (Tick(input.u16().into()), u16::from(input.u8()), u16::from(input.u8()));
    let payload = input.0;
    bodies(&replica, tick, payload);
    let (outcome, asked) = measure(|| replica.delta(tick, part, count, payload));
    within_limits(asked, payload.len());
    match outcome {
        Err(_) => assert_eq!(standing(&replica), before, "an error that changed something"),
        Ok(PartOutcome::Applied) => {
            let after = standing(&replica);
            let again = replica.delta(tick, part, count, payload).expect("it was right before");
            assert!(!matches!(again, PartOutcome::Missing { .. }), "it was here before");
            assert_eq!(standing(&replica), after, "what was applied before changes nothing");
        }
        Ok(_) => assert_eq!(replica.newest_complete(), before.0, "only what is applied completes a tick"),
    }
    let ascending = |last: Tick, frame: &Tick| (last < *frame).then_some(*frame);
    let frames: Vec<Tick> = std::iter::from_fn(|| replica.poll_frame()).map(|frame| frame.tick).collect();
    assert!(frames.iter().try_fold(Tick::ZERO, ascending).is_some(), "{frames:?}");
}

/// Each entry's rows by themselves, against whatever the newest frame has in that chunk.
fn bodies(replica: &Replica, tick: Tick, payload: &[u8]) {
    let newest = replica.frame(replica.newest_complete());
    for entry in Entries::new(payload, tick, false) {
        let Ok(entry) = entry else { return };
        let range = entry.header.range;
        match entry.header.baseline {
            Baseline::None(archetype) => {
                let Some(archetype) = stage().archetypes.get(archetype) else { continue };
                let empty = Chunk::empty(entry.header.chunk, Arc::clone(archetype));
                body(&empty, None, range, entry.body);
            }
            Baseline::Tick(_) => {
                let Some(base) = newest.and_then(|frame| frame.chunk(entry.header.chunk)) else { continue };
                body(base, Some(base), range, entry.body);
            }
        }
    }
}

/// A body that decodes is the one that an encoder makes of the same rows.
fn body(start: &Chunk, base: Option<&Chunk>, range: SlotRange, body: &[u8]) {
    let mut target = start.clone();
    if codec::decode(body, range, &mut target).is_err() {
        return;
    }
    let mut again = BitWriter::new();
    codec::encode(&target, base, range, Mutants::NONE, &mut again);
    assert_eq!(again.into_bytes(), body, "rows have one spelling");
}

/// A snapshot: before which step of the golden session, whether it is a repair, its tick, its pieces. It comes as it
/// is, and with the hashes that its rows have.
pub fn snapshot(data: &[u8]) {
    let mut input = Bytes(data);
    let replica = stage().replica(input.u8());
    let (repair, tick) = (input.u8() & 1 == 1, Tick(input.u16().into()));
    let mut pieces = Vec::new();
    while !input.is_empty() && pieces.len() < MAX_PIECES {
        pieces.push(input.part().to_vec());
    }
    apply(replica.clone(), repair, tick, &pieces);
    if let Some((honest, fold)) = reseal(tick, &pieces) {
        let applied = apply(replica, repair, tick, &honest);
        assert!(repair || applied.is_none_or(|applied| applied == fold), "it shows what was sent");
    }
}

/// Gives the replica all pieces; the fold of what it shows then, if it took them as a whole.
fn apply(mut replica: Replica, repair: bool, tick: Tick, pieces: &[Vec<u8>]) -> Option<u64> {
    let before = standing(&replica);
    let count = pieces.len() as u32;
    for (index, piece) in (0..).zip(pieces) {
        let (read, asked) = measure(|| replica.snapshot_piece(77, tick, index, count, repair, piece));
        // The last one hashes everything.
        within_limits(asked, pieces.iter().map(Vec::len).sum());
        if read.is_err() {
            assert_eq!(standing(&replica), before, "an error that changed something");
            return None;
        }
        if index + 1 < count {
            assert_eq!(standing(&replica), before, "a snapshot is applied as a whole");
        }
    }
    if count == 0 || tick <= before.0 {
        return None;
    }
    replica.fold(tick)
}

/// The same rows with the hashes and the fold that they have, and that fold over the chunks with rows; nothing if some
/// do not decode.
fn reseal(tick: Tick, pieces: &[Vec<u8>]) -> Option<(Vec<Vec<u8>>, u64)> {
    let mut chunks = BTreeMap::<ChunkId, Chunk>::new();
    let mut entries: Vec<Vec<(Header, &[u8])>> = Vec::new();
    for piece in pieces {
        let mut list = Vec::new();
        for entry in Entries::new(piece.get(8..)?, tick, true) {
            let entry = entry.ok()?;
            let Baseline::None(archetype) = entry.header.baseline else { return None };
            let archetype = stage().archetypes.get(archetype)?;
            let chunk = chunks
                .entry(entry.header.chunk)
                .or_insert_with(|| Chunk::empty(entry.header.chunk, Arc::clone(archetype)));
            body(&Chunk::empty(chunk.id, Arc::clone(archetype)), None, entry.header.range, entry.body);
            if chunk.archetype.id != archetype.id {
                return None;
            }
            codec::decode(entry.body, entry.header.range, chunk).ok()?;
            chunk.tick = entry.header.version;
            list.push((entry.header, entry.body));
        }
        entries.push(list);
    }
    for chunk in chunks.values_mut() {
        let occupancy = chunk.occupancy;
        chunk.column_hashes =
            chunk.columns.iter().map(|column| hash::column_hash(column, occupancy)).collect();
        chunk.hash = hash::chunk_hash(chunk);
    }
    let fold = hash::fold(chunks.values().map(|chunk| (chunk.id, chunk.hash)));
    let shown = chunks.values().filter(|chunk| !chunk.is_empty());
    let shown = hash::fold(shown.map(|chunk| (chunk.id, chunk.hash)));
    let honest = entries.into_iter().map(|list| {
        let mut piece = fold.to_le_bytes().to_vec();
        let mut previous = None;
        for (header, body) in list {
            let header = Header { hash: Some(chunks[&header.chunk].hash), ..header };
            entry::put(previous, tick, &header, body, &mut piece);
            previous = Some(header.chunk);
        }
        piece
    });
    Some((honest.collect(), shown))
}
