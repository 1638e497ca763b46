//! A replica from outside: the hashes of its frames, and a fault for simulations.

use std::sync::Arc;

use super::Replica;
use crate::replication::history::ChunkHashes;
use crate::types::{ChunkId, ComponentId, Tick};
use crate::wire::limits::MAX_COLUMN_HASHES;
use crate::world::{CellRef, Chunk};

impl Replica {
    /// The hashes of a kept frame: of all its chunks without columns, or (where `chunks` names some) of these with
    /// them, as many as one report holds. A named chunk that is not here has hash 0 and no columns.
    pub fn hash_details(&self, tick: Tick, chunks: &[ChunkId]) -> Vec<ChunkHashes> {
        let Some(frame) = self.frame(tick) else { return Vec::new() };
        if chunks.is_empty() {
            let all = frame.chunks.iter();
            return all
                .map(|chunk| ChunkHashes { chunk: chunk.id, hash: chunk.hash, columns: Vec::new() })
                .collect();
        }
        let mut room = MAX_COLUMN_HASHES;
        let mut found = Vec::new();
        for id in chunks {
            let hashes = match frame.chunk(*id) {
                Some(chunk) => {
                    ChunkHashes { chunk: *id, hash: chunk.hash, columns: chunk.column_hashes.to_vec() }
                }
                None => ChunkHashes { chunk: *id, hash: 0, columns: Vec::new() },
            };
            let Some(left) = room.checked_sub(hashes.columns.len()) else { break };
            room = left;
            found.push(hashes);
        }
        found
    }

    /// Injects a fault: flips the lowest bit of one quantised lane in the newest version of a chunk, both picked by
    /// `seed`, as a bug in a delta would have. For simulations: the comparison of hashes must find and repair it.
    /// Gives what was hit; `None` without rows.
    pub(crate) fn corrupt(&mut self, seed: u64) -> Option<(ChunkId, ComponentId, u16)> {
        let mut places = Vec::new();
        for known in self.chunks.values() {
            if let Some(chunk) = known.newest() {
                let columns = chunk.archetype.columns.iter().enumerate();
                let fixed = columns.filter(|(_, shape)| shape.lanes.first().is_some_and(|lane| lane.max > 0));
                places.extend(
                    fixed.flat_map(|(column, _)| chunk.slots().map(move |slot| (chunk.id, column, slot))),
                );
            }
        }
        let (id, column, slot) = *places.get((seed % places.len().max(1) as u64) as usize)?;
        let known = self.chunks.get_mut(&id)?;
        let (newest, _) = known.versions.back_mut()?;
        let shape = &newest.archetype.columns[column];
        let (component, field) = (shape.component, shape.field as usize);
        *newest = Arc::new(corrupted(newest, column, slot));
        let component = self.schema.component(component);
        Some((id, component.id, component.fields[field].desc.id))
    }

    /// Injects a fault that nothing but a comparison of hashes can find: flips the lowest bit of this field where it
    /// has rested for longest, in every version that may still be a baseline. What later deltas leave alone stays wrong
    /// until it is repaired. Gives the chunk that was hit, `None` when nothing here has this field or its bits vary with its
    /// value. A part of the library as it is shipped, for the tests of games: the experimental C function of this name is
    /// its only caller.
    #[doc(hidden)]
    pub fn plant_divergence(&mut self, component: ComponentId, field: u16) -> Option<ChunkId> {
        let schema = &self.schema;
        let column_of = |chunk: &Chunk| {
            chunk.archetype.columns.iter().position(|shape| {
                let owner = schema.component(shape.component);
                owner.id == component
                    && owner.fields[shape.field as usize].desc.id == field
                    && shape.lanes.first().is_some_and(|lane| lane.max > 0)
            })
        };
        let (_, id, archetype, column, slot) = self
            .chunks
            .values()
            .filter_map(|known| {
                let chunk = known.newest()?;
                Some((chunk.tick, chunk.id, chunk.archetype.id, column_of(chunk)?, chunk.slots().next()?))
            })
            .min()?;
        for (version, _) in &mut self.chunks.get_mut(&id)?.versions {
            // A version from before the chunk had these components has other columns.
            if version.archetype.id == archetype && version.slots().any(|other| other == slot) {
                *version = Arc::new(corrupted(version, column, slot));
            }
        }
        Some(id)
    }
}

/// A copy in which one bit of one cell's first lane is another; its hashes are those of what it holds.
fn corrupted(chunk: &Chunk, column: usize, slot: usize) -> Chunk {
    let mut copy = chunk.clone();
    let max = copy.archetype.columns[column].lanes[0].max;
    let mut lanes = copy.lanes(column, slot).to_vec();
    // The largest value of a lane has no neighbour above it.
    lanes[0] = if lanes[0] == max { lanes[0] - 1 } else { lanes[0] + 1 };
    copy.set_cell(column, slot, CellRef::Lanes(&lanes));
    copy.rehash(Some(chunk));
    copy
}
