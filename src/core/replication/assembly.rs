//! One chunk version under assembly from entries that speak of ranges of its slots.
//!
//! Every entry says what is in its range at that version, so entries against different baselines fit together: what
//! counts is which slots are covered.

use std::sync::Arc;

use super::ReplicationError;
use super::codec::{self, SlotRange};
use crate::types::{ChunkId, Tick};
use crate::world::chunk::slots;
use crate::world::limits::SLOTS;
use crate::world::{Archetype, Chunk, Column};

/// Bytes of the columns of `chunk` that it does not share with `other`.
pub(super) fn own_bytes(chunk: &Chunk, other: Option<&Chunk>) -> usize {
    let shared = |at: usize| {
        other.is_some_and(|other| other.columns.get(at).is_some_and(|o| Arc::ptr_eq(o, &chunk.columns[at])))
    };
    let columns =
        chunk.columns.iter().enumerate().filter(|(at, _)| !shared(*at)).map(|(_, column)| match &**column {
            Column::Fixed { cells, .. } => cells.len() * 8,
            Column::Variable { cells } => cells.iter().map(|cell| cell.len() + 16).sum(),
        });
    size_of::<Chunk>() + chunk.columns.len() * 16 + columns.sum::<usize>()
}

#[derive(Clone, Debug)]
pub(super) struct Assembly {
    pub version: Tick,
    chunk: Chunk,
    /// The version that `chunk` began as.
    start: Option<Arc<Chunk>>,
    covered: u64,
}

impl Assembly {
    pub fn new(id: ChunkId, archetype: &Arc<Archetype>, version: Tick, base: Option<&Arc<Chunk>>) -> Self {
        let chunk = base.map_or_else(|| Chunk::empty(id, Arc::clone(archetype)), |base| Chunk::clone(base));
        Self { version, chunk, start: base.cloned(), covered: 0 }
    }

    pub const fn archetype(&self) -> &Arc<Archetype> {
        &self.chunk.archetype
    }

    /// Takes an entry's rows. On an error the assembly is not to be used.
    pub fn add(
        &mut self,
        base: Option<&Arc<Chunk>>,
        range: SlotRange,
        body: &[u8],
    ) -> Result<(), ReplicationError> {
        let same_start = match (&self.start, base) {
            (None, None) => true,
            (Some(start), Some(base)) => Arc::ptr_eq(start, base),
            _ => false,
        };
        if !same_start || self.covered & range.mask() != 0 {
            self.copy_rows(base, range);
        }
        codec::decode(body, range, &mut self.chunk)?;
        self.covered |= range.mask();
        Ok(())
    }

    /// Makes the rows of a range those of `base`.
    fn copy_rows(&mut self, base: Option<&Arc<Chunk>>, range: SlotRange) {
        slots(self.chunk.occupancy & range.mask()).for_each(|slot| self.chunk.remove_entity(slot));
        let Some(base) = base else { return };
        for slot in slots(base.occupancy & range.mask()) {
            self.chunk.put_entity(slot, base.entities[slot]);
            for (column, cells) in base.columns.iter().enumerate() {
                self.chunk.set_cell(column, slot, cells.get(slot));
            }
        }
    }

    /// Bytes that it holds for itself.
    pub fn bytes(&self) -> usize {
        own_bytes(&self.chunk, self.start.as_deref())
    }

    pub const fn is_whole(&self) -> bool {
        self.covered == u64::MAX
    }

    /// The version, hashed.
    pub fn finish(mut self) -> Result<Arc<Chunk>, ReplicationError> {
        let mut entities = [crate::types::EntityId::NONE; SLOTS];
        let mut count = 0;
        for slot in self.chunk.slots() {
            entities[count] = self.chunk.entities[slot];
            count += 1;
        }
        entities[..count].sort_unstable();
        if entities[..count].windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ReplicationError::BadRows {
                chunk: self.chunk.id,
                problem: "one entity in two rows",
            });
        }
        self.chunk.tick = self.version;
        self.chunk.rehash(self.start.as_deref());
        Ok(Arc::new(self.chunk))
    }
}
