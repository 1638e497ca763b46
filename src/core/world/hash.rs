//! What host and peer compare: hashes over the quantised state, so that equal hashes mean equal bits.
//!
//! Published in docs/protocol.md, "Packed rows". All are SipHash-2-4 under the key 00 to 0f, numbers little-endian:
//! - *column*: for each occupied slot, ascending: the slot (1 byte), then each lane (8 bytes), or the length (4 bytes)
//!   and the bytes of a variable cell;
//! - *chunk*: chunk id (4), archetype (4), occupancy (8), the entity id (8) of each occupied slot, ascending, then each
//!   column's hash (8);
//! - *fold* of a tick: for each chunk that has rows, ascending by id: chunk id (4), chunk hash (8).
//!
//! The tick's number is not part of its fold: the fold of an idle world stays the same.

use siphasher::sip::SipHasher24;

use super::chunk::{Chunk, slots};
use super::column::{CellRef, Column};
use crate::schema::id::KEY;
use crate::types::ChunkId;

fn hash(bytes: &[u8]) -> u64 {
    SipHasher24::new_with_key(&KEY).hash(bytes)
}

/// The hash of one column's occupied rows.
pub fn column_hash(column: &Column, occupancy: u64) -> u64 {
    let mut bytes = Vec::with_capacity(64 * 9);
    for slot in slots(occupancy) {
        bytes.push(slot as u8);
        match column.get(slot) {
            CellRef::Lanes(lanes) => {
                for lane in lanes {
                    bytes.extend_from_slice(&lane.to_le_bytes());
                }
            }
            CellRef::Bytes(cell) => {
                bytes.extend_from_slice(&(cell.len() as u32).to_le_bytes());
                bytes.extend_from_slice(cell);
            }
        }
    }
    hash(&bytes)
}

/// The hash of a chunk from its column hashes.
pub fn chunk_hash(chunk: &Chunk) -> u64 {
    let mut bytes = Vec::with_capacity(16 + 64 * 8 + chunk.column_hashes.len() * 8);
    bytes.extend_from_slice(&chunk.id.0.to_le_bytes());
    bytes.extend_from_slice(&chunk.archetype.id.0.to_le_bytes());
    bytes.extend_from_slice(&chunk.occupancy.to_le_bytes());
    for slot in slots(chunk.occupancy) {
        bytes.extend_from_slice(&chunk.entities[slot].0.to_le_bytes());
    }
    for column in chunk.column_hashes.iter() {
        bytes.extend_from_slice(&column.to_le_bytes());
    }
    hash(&bytes)
}

/// The fold of a tick over its chunks that have rows, in ascending id.
pub fn fold(chunks: impl IntoIterator<Item = (ChunkId, u64)>) -> u64 {
    let mut bytes = Vec::new();
    for (id, hash) in chunks {
        bytes.extend_from_slice(&id.0.to_le_bytes());
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
    hash(&bytes)
}
