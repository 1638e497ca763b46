//! Full states in pieces: what a joiner gets first, and what repairs chunks that differ.
//!
//! A piece is the snapshot's fold (8 bytes) and entries without baseline, each with its chunk's hash. The peer assembles
//! all pieces aside, compares every chunk's hash and the fold over all of them, and only then lets go of what it had:
//! a snapshot is applied whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ReplicationError;
use super::assembly::Assembly;
use super::entry::{Baseline, Entries};
use super::limits::MAX_PIECES;
use crate::types::{ChunkId, Tick};
use crate::wire::WireError;
use crate::world::{ArchetypeDef, ArchetypeTable, Chunk, hash};

/// Bytes of the fold in front of each piece.
pub const FOLD_BYTES: usize = 8;

/// A snapshot ready to be sent.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its number.
    pub id: u32,
    /// The tick it shows.
    pub tick: Tick,
    /// Archetypes that the peer needs for it and does not have.
    pub archetypes: Vec<ArchetypeDef>,
    /// Payloads, in order; at least one.
    pub pieces: Vec<Vec<u8>>,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotProgress {
    /// More pieces are to come.
    Wait {
        /// Pieces here.
        received: u32,
        /// Pieces in all.
        total: u32,
    },
    /// It was applied.
    Complete {
        /// The tick it showed.
        tick: Tick,
    },
}

#[derive(Clone, Debug)]
struct Partial {
    assembly: Assembly,
    hash: u64,
}

/// A snapshot under assembly.
#[derive(Clone, Debug)]
pub(super) struct Assembling {
    pub id: u32,
    pub tick: Tick,
    pub is_repair: bool,
    count: u32,
    next: u32,
    fold: u64,
    chunks: BTreeMap<ChunkId, Partial>,
    /// Of all chunks so far.
    bytes: usize,
}

impl Assembling {
    pub fn new(id: u32, tick: Tick, count: u32, is_repair: bool) -> Result<Self, ReplicationError> {
        if count == 0 || count > MAX_PIECES {
            return Err(ReplicationError::OverLimit {
                what: "pieces of a snapshot",
                actual: count as usize,
                limit: MAX_PIECES as usize,
            });
        }
        if tick == Tick::ZERO {
            return Err(ReplicationError::BadMessage("a snapshot of no tick"));
        }
        Ok(Self { id, tick, is_repair, count, next: 0, fold: 0, chunks: BTreeMap::new(), bytes: 0 })
    }

    /// Takes the next piece; true when it was the last. At most `max_chunks` chunks of `max_bytes` bytes in all.
    pub fn add(
        &mut self,
        index: u32,
        count: u32,
        payload: &[u8],
        archetypes: &ArchetypeTable,
        max_chunks: usize,
        max_bytes: usize,
    ) -> Result<bool, ReplicationError> {
        if index != self.next || count != self.count {
            return Err(ReplicationError::BadMessage("a piece of a snapshot that is not the next one"));
        }
        let Some((fold, entries)) = payload.split_first_chunk::<FOLD_BYTES>() else {
            return Err(WireError::Truncated.into());
        };
        let fold = u64::from_le_bytes(*fold);
        if index == 0 {
            self.fold = fold;
        } else if self.fold != fold {
            return Err(ReplicationError::BadMessage("pieces of different snapshots"));
        }
        for entry in Entries::new(entries, self.tick, true) {
            let entry = entry?;
            let header = entry.header;
            let bad = |problem| ReplicationError::BadRows { chunk: header.chunk, problem };
            let Baseline::None(archetype) = header.baseline else {
                return Err(bad("a baseline in a snapshot"));
            };
            let archetype =
                archetypes.get(archetype).ok_or_else(|| bad("an archetype that is not defined"))?;
            if self.chunks.len() >= max_chunks && !self.chunks.contains_key(&header.chunk) {
                return Err(ReplicationError::OverLimit {
                    what: "chunks",
                    actual: self.chunks.len() + 1,
                    limit: max_chunks,
                });
            }
            let hash = header.hash.unwrap_or(0);
            let partial = self.chunks.entry(header.chunk).or_insert_with(|| Partial {
                assembly: Assembly::new(header.chunk, archetype, header.version, None),
                hash,
            });
            let same = partial.assembly.version == header.version
                && partial.hash == hash
                && partial.assembly.archetype().id == archetype.id;
            if !same || partial.assembly.is_whole() {
                return Err(bad("two versions in one snapshot"));
            }
            let before = partial.assembly.bytes();
            partial.assembly.add(None, header.range, entry.body)?;
            self.bytes += partial.assembly.bytes().saturating_sub(before);
            if self.bytes > max_bytes {
                return Err(ReplicationError::OverLimit {
                    what: "bytes of a snapshot",
                    actual: self.bytes,
                    limit: max_bytes,
                });
            }
        }
        self.next += 1;
        Ok(self.next == self.count)
    }

    pub const fn progress(&self) -> SnapshotProgress {
        SnapshotProgress::Wait { received: self.next, total: self.count }
    }

    /// All chunks, checked against their hashes and the fold.
    pub fn finish(self) -> Result<Vec<Arc<Chunk>>, ReplicationError> {
        let id = self.id;
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for partial in self.chunks.into_values() {
            if !partial.assembly.is_whole() {
                return Err(ReplicationError::BadMessage("a snapshot with a part of a chunk"));
            }
            let chunk = partial.assembly.finish()?;
            if chunk.hash != partial.hash {
                return Err(ReplicationError::BadSnapshotHash { id });
            }
            chunks.push(chunk);
        }
        if hash::fold(chunks.iter().map(|chunk| (chunk.id, chunk.hash))) != self.fold {
            return Err(ReplicationError::BadSnapshotHash { id });
        }
        Ok(chunks)
    }
}
