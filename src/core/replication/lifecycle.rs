//! What came, went and changed hands between two frames.
//!
//! Events are the difference of consecutive published frames, so each happens exactly once, whatever the network did.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::entity_field;
use crate::types::{ChunkId, EntityId, PeerId, Tick};
use crate::world::{Chunk, Frame, RowRef};

/// One entity's change between two published frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It is here now, with all its values.
    Spawned {
        /// Since this tick.
        tick: Tick,
        /// Which.
        entity: EntityId,
        /// The application's type (prefab).
        type_id: u32,
        /// The peer that owns it.
        owner: PeerId,
    },
    /// It is gone.
    Despawned {
        /// Since this tick.
        tick: Tick,
        /// Which.
        entity: EntityId,
    },
    /// Another peer owns it.
    OwnerChanged {
        /// Since this tick.
        tick: Tick,
        /// Which.
        entity: EntityId,
        /// Who did.
        from: PeerId,
        /// Who does.
        to: PeerId,
    },
    /// It is under another parent, or under none.
    ParentChanged {
        /// Since this tick.
        tick: Tick,
        /// Which.
        entity: EntityId,
        /// Who was.
        from: EntityId,
        /// Who is.
        to: EntityId,
    },
}

fn rows<'a>(chunks: impl Iterator<Item = &'a Arc<Chunk>>) -> BTreeMap<EntityId, RowRef<'a>> {
    chunks
        .flat_map(|chunk| chunk.slots().map(move |slot| (chunk.entities[slot], RowRef { chunk, slot })))
        .collect()
}

/// The difference of two frames: despawns, then spawns, then changes, each ascending by entity id.
pub fn difference(old: &Frame, new: &Frame) -> Vec<Lifecycle> {
    let tick = new.tick;
    let old_chunks: BTreeMap<ChunkId, &Arc<Chunk>> =
        old.chunks.iter().map(|chunk| (chunk.id, chunk)).collect();
    let new_chunks: BTreeMap<ChunkId, &Arc<Chunk>> =
        new.chunks.iter().map(|chunk| (chunk.id, chunk)).collect();
    // Versions share what did not change: most ticks move values, and neither rows nor owners nor parents.
    let touched = |chunk: &&Arc<Chunk>, others: &BTreeMap<ChunkId, &Arc<Chunk>>| {
        others.get(&chunk.id).is_none_or(|other| {
            let shares = |column: usize| Arc::ptr_eq(&chunk.columns[column], &other.columns[column]);
            let is_same = chunk.occupancy == other.occupancy
                && Arc::ptr_eq(&chunk.entities, &other.entities)
                && shares(entity_field::OWNER)
                && shares(entity_field::PARENT);
            !is_same
        })
    };
    let before = rows(old.chunks.iter().filter(|chunk| touched(chunk, &new_chunks)));
    let after = rows(new.chunks.iter().filter(|chunk| touched(chunk, &old_chunks)));
    let mut events: Vec<Lifecycle> = before
        .keys()
        .filter(|entity| !after.contains_key(entity))
        .map(|entity| Lifecycle::Despawned { tick, entity: *entity })
        .collect();
    for (entity, row) in &after {
        if !before.contains_key(entity) {
            let info = row.info();
            events.push(Lifecycle::Spawned {
                tick,
                entity: *entity,
                type_id: info.type_id,
                owner: info.owner,
            });
        }
    }
    for (entity, row) in &after {
        if let Some(old) = before.get(entity) {
            let (old, new) = (old.info(), row.info());
            if old.owner != new.owner {
                events.push(Lifecycle::OwnerChanged {
                    tick,
                    entity: *entity,
                    from: old.owner,
                    to: new.owner,
                });
            }
            if old.parent != new.parent {
                events.push(Lifecycle::ParentChanged {
                    tick,
                    entity: *entity,
                    from: old.parent,
                    to: new.parent,
                });
            }
        }
    }
    events
}
