//! Up to 64 rows of one archetype: the unit of encoding, acknowledgement and hashing.
//!
//! A chunk is copy-on-write: its columns are shared with the versions before it until they are written. A sealed
//! chunk (`Arc<Chunk>`) never changes; `(id, tick)` names its content for the whole session.

use std::sync::Arc;

use super::archetype::Archetype;
use super::column::{CellRef, Column};
use super::hash;
use super::limits::SLOTS;
use crate::types::{ChunkId, EntityId, Tick};

/// The set bits of an occupancy, ascending.
pub fn slots(mut occupancy: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        if occupancy == 0 {
            return None;
        }
        let slot = occupancy.trailing_zeros() as usize;
        occupancy &= occupancy - 1;
        Some(slot)
    })
}

/// Rows of one archetype at one tick.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Its number, host-assigned, from 1.
    pub id: ChunkId,
    /// What its rows consist of.
    pub archetype: Arc<Archetype>,
    /// The tick at which it became what it is.
    pub tick: Tick,
    /// Which slots hold a row.
    pub occupancy: u64,
    /// Who stands in each slot; none where there is no row.
    pub entities: Arc<[EntityId; SLOTS]>,
    /// One per column of the archetype.
    pub columns: Vec<Arc<Column>>,
    /// One per column, over the occupied rows.
    pub column_hashes: Arc<[u64]>,
    /// Over all of it.
    pub hash: u64,
}

impl Chunk {
    /// A chunk without rows.
    pub fn empty(id: ChunkId, archetype: Arc<Archetype>) -> Self {
        let columns: Vec<_> = archetype.columns.iter().map(|shape| Arc::new(Column::new(shape))).collect();
        let mut chunk = Self {
            id,
            tick: Tick::ZERO,
            occupancy: 0,
            entities: Arc::new([EntityId::NONE; SLOTS]),
            column_hashes: columns.iter().map(|column| hash::column_hash(column, 0)).collect(),
            columns,
            archetype,
            hash: 0,
        };
        chunk.hash = hash::chunk_hash(&chunk);
        chunk
    }

    /// True when the slot holds a row.
    pub fn is_occupied(&self, slot: usize) -> bool {
        self.occupancy >> slot & 1 == 1
    }

    /// The occupied slots, ascending.
    pub fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        slots(self.occupancy)
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.occupancy.count_ones() as usize
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.occupancy == 0
    }

    /// Puts an entity into a slot, every cell at its default. Hashes are stale afterwards.
    pub(crate) fn put_entity(&mut self, slot: usize, entity: EntityId) {
        self.occupancy |= 1 << slot;
        Arc::make_mut(&mut self.entities)[slot] = entity;
        for (column, shape) in self.columns.iter_mut().zip(&self.archetype.columns) {
            Arc::make_mut(column).set(slot, CellRef::from(&shape.default_cell));
        }
    }

    /// Empties a slot. Hashes are stale afterwards.
    pub(crate) fn remove_entity(&mut self, slot: usize) {
        self.occupancy &= !(1 << slot);
        Arc::make_mut(&mut self.entities)[slot] = EntityId::NONE;
        for column in &mut self.columns {
            Arc::make_mut(column).clear(slot);
        }
    }

    /// Replaces a cell; false when it held the same already. Hashes are stale afterwards.
    pub(crate) fn set_cell(&mut self, column: usize, slot: usize, cell: CellRef<'_>) -> bool {
        if self.columns[column].get(slot) == cell {
            return false;
        }
        Arc::make_mut(&mut self.columns[column]).set(slot, cell);
        true
    }

    /// Makes the hashes those of the content, given a chunk (if any) whose hashes are current: a column it shares
    /// with that one, over the same rows, keeps its hash.
    pub(crate) fn rehash(&mut self, known: Option<&Self>) {
        let same_rows = known.is_some_and(|known| known.occupancy == self.occupancy);
        let hashes: Arc<[u64]> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| match known {
                Some(known) if same_rows && Arc::ptr_eq(column, &known.columns[index]) => {
                    known.column_hashes[index]
                }
                _ => hash::column_hash(column, self.occupancy),
            })
            .collect();
        self.column_hashes = hashes;
        self.hash = hash::chunk_hash(self);
    }

    /// The lanes of a cell; empty for variable kinds.
    pub fn lanes(&self, column: usize, slot: usize) -> &[u64] {
        self.columns[column].lanes(slot)
    }
}
