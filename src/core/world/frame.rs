//! One tick of all chunks, immutable: what engines read, on host and peer alike.
//!
//! Rows come in the order (chunk id, slot), the same everywhere. A frame holds chunks that have rows; it shares them
//! with the frames around it, so keeping a hundred costs little more than what changed between them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::chunk::Chunk;
use super::column::CellRef;
use super::{WorldError, hash};
use crate::schema::{Cell, ComponentIndex, Schema, entity_field};
use crate::types::{ChunkId, ComponentId, EntityId, PeerId, Tick};

/// The state of one tick.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which.
    pub tick: Tick,
    /// Chunks that have rows, in ascending id.
    pub chunks: Vec<Arc<Chunk>>,
    /// Where each entity is; made when somebody first asks.
    index: OnceLock<HashMap<EntityId, (u32, u8)>>,
}

/// One row of a frame.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    /// Its chunk.
    pub chunk: &'a Arc<Chunk>,
    /// Where in it.
    pub slot: usize,
}

/// What every entity has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityRow<'a> {
    /// Its id.
    pub entity: EntityId,
    /// The application's type (prefab).
    pub type_id: u32,
    /// The peer that owns it.
    pub owner: PeerId,
    /// Its parent, or none.
    pub parent: EntityId,
    /// The application's stable id of a scene-placed object, or zero.
    pub persistent_id: u64,
    /// What was said at its spawn.
    pub payload: &'a [u8],
}

impl<'a> RowRef<'a> {
    /// Whose row it is.
    pub fn entity(&self) -> EntityId {
        self.chunk.entities[self.slot]
    }

    /// What every entity has.
    pub fn info(&self) -> EntityRow<'a> {
        let lane = |field: usize| self.chunk.columns[field].lanes(self.slot)[0];
        EntityRow {
            entity: self.entity(),
            type_id: lane(entity_field::TYPE_ID) as u32,
            owner: PeerId(lane(entity_field::OWNER) as u16),
            parent: EntityId(lane(entity_field::PARENT)),
            persistent_id: lane(entity_field::PERSISTENT_ID),
            payload: self.chunk.columns[entity_field::PAYLOAD].bytes(self.slot),
        }
    }

    /// The cell of a column.
    pub fn cell(&self, column: usize) -> CellRef<'a> {
        self.chunk.columns[column].get(self.slot)
    }
}

/// Component and field of a reading call, resolved.
pub(crate) struct Selection {
    pub component: ComponentIndex,
    /// Positions of the fields.
    pub fields: core::ops::Range<usize>,
    /// Bytes of one engine row.
    pub row_bytes: usize,
    /// True when rows are the whole struct.
    pub whole: bool,
}

impl Selection {
    pub fn new(schema: &Schema, component: ComponentId, field: Option<u16>) -> Result<Self, WorldError> {
        let index = schema.index_of(component).ok_or(WorldError::NoComponent(component))?;
        let shape = schema.component(index);
        Ok(match field {
            None => Self {
                component: index,
                fields: 0..shape.fields.len(),
                row_bytes: shape.size_bytes,
                whole: true,
            },
            Some(id) => {
                let at = shape.field_index(id).ok_or(WorldError::NoField { component, field: id })?;
                Self {
                    component: index,
                    fields: at..at + 1,
                    row_bytes: shape.fields[at].size_bytes,
                    whole: false,
                }
            }
        })
    }

    /// Writes one row as engine memory.
    pub fn store(&self, schema: &Schema, row: RowRef<'_>, first_column: usize, out: &mut [u8]) {
        let shape = schema.component(self.component);
        for at in self.fields.clone() {
            let field = &shape.fields[at];
            let out = if self.whole { &mut out[field.offset_bytes..] } else { &mut *out };
            match row.cell(first_column + at) {
                CellRef::Lanes(lanes) => field.store_lanes(lanes, out),
                CellRef::Bytes(bytes) => field.store_bytes(bytes, out),
            }
        }
    }
}

impl Frame {
    /// The tick before the first: nothing lives.
    pub fn empty(tick: Tick) -> Self {
        Self::new(tick, Vec::new())
    }

    /// A tick of these chunks: ascending by id, each with rows.
    pub fn new(tick: Tick, chunks: Vec<Arc<Chunk>>) -> Self {
        Self { tick, chunks, index: OnceLock::new() }
    }

    /// The fold of the tick: equal folds mean equal state. See [`hash`].
    pub fn fold(&self) -> u64 {
        hash::fold(self.chunks.iter().map(|chunk| (chunk.id, chunk.hash)))
    }

    /// How many entities live.
    pub fn entity_count(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// The chunk with this id, if it has rows.
    pub fn chunk(&self, id: ChunkId) -> Option<&Arc<Chunk>> {
        self.chunks.binary_search_by_key(&id, |chunk| chunk.id).ok().map(|at| &self.chunks[at])
    }

    /// All rows, in (chunk id, slot) order.
    pub fn rows(&self) -> impl Iterator<Item = RowRef<'_>> {
        self.chunks.iter().flat_map(|chunk| chunk.slots().map(move |slot| RowRef { chunk, slot }))
    }

    /// The rows that have a component, in the same order.
    pub fn rows_of(&self, component: ComponentIndex) -> impl Iterator<Item = RowRef<'_>> {
        self.chunks
            .iter()
            .filter(move |chunk| chunk.archetype.first_column(component).is_some())
            .flat_map(|chunk| chunk.slots().map(move |slot| RowRef { chunk, slot }))
    }

    /// An entity's row.
    pub fn find(&self, entity: EntityId) -> Option<RowRef<'_>> {
        let index = self.index.get_or_init(|| {
            let rows = self.chunks.iter().enumerate().flat_map(|(at, chunk)| {
                chunk.slots().map(move |slot| (chunk.entities[slot], (at as u32, slot as u8)))
            });
            rows.collect()
        });
        let (chunk, slot) = *index.get(&entity)?;
        Some(RowRef { chunk: &self.chunks[chunk as usize], slot: slot as usize })
    }

    /// Copies rows of a component (or of one of its fields) as engine memory, row i at byte `i * stride`, as many as
    /// fit; bytes between rows are left alone. Gives the number of rows there are.
    pub fn read_engine(
        &self,
        schema: &Schema,
        component: ComponentId,
        field: Option<u16>,
        out: &mut [u8],
        stride: usize,
    ) -> Result<usize, WorldError> {
        let selection = Selection::new(schema, component, field)?;
        if stride < selection.row_bytes {
            return Err(WorldError::ShortData {
                rows: 1,
                stride,
                needed: selection.row_bytes,
                actual: stride,
            });
        }
        let mut count = 0;
        for row in self.rows_of(selection.component) {
            let start = count * stride;
            if let Some(bytes) = out.get_mut(start..start + selection.row_bytes) {
                let first = row.chunk.archetype.first_column(selection.component).unwrap_or(0);
                selection.store(schema, row, first, bytes);
            }
            count += 1;
        }
        Ok(count)
    }

    /// Copies the quantised lanes of a component (all its fixed fields, or one), `stride` lanes from row to row, as
    /// many rows as fit. Gives the number of rows there are.
    pub fn read_lanes(
        &self,
        schema: &Schema,
        component: ComponentId,
        field: Option<u16>,
        out: &mut [i64],
        stride: usize,
    ) -> Result<usize, WorldError> {
        let selection = Selection::new(schema, component, field)?;
        let shape = schema.component(selection.component);
        let width: usize = shape.fields[selection.fields.clone()].iter().map(|field| field.lanes.len()).sum();
        if stride < width {
            return Err(WorldError::ShortData { rows: 1, stride, needed: width, actual: stride });
        }
        let mut count = 0;
        for row in self.rows_of(selection.component) {
            if let Some(lanes) = out.get_mut(count * stride..count * stride + width) {
                let first = row.chunk.archetype.first_column(selection.component).unwrap_or(0);
                let cells = selection.fields.clone().flat_map(|at| row.chunk.lanes(first + at, row.slot));
                for (out, lane) in lanes.iter_mut().zip(cells) {
                    *out = *lane as i64;
                }
            }
            count += 1;
        }
        Ok(count)
    }

    /// One value of one entity.
    pub fn cell(
        &self,
        schema: &Schema,
        entity: EntityId,
        component: ComponentId,
        field: u16,
    ) -> Option<Cell> {
        let selection = Selection::new(schema, component, Some(field)).ok()?;
        let row = self.find(entity)?;
        let first = row.chunk.archetype.first_column(selection.component)?;
        Some(match row.cell(first + selection.fields.start) {
            CellRef::Lanes(lanes) => Cell::Lanes(lanes.into()),
            CellRef::Bytes(bytes) => Cell::Bytes(bytes.into()),
        })
    }
}
