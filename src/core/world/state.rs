//! The host's world: what the engine thread writes into and seals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::WorldError;
use super::archetype::{Archetype, ArchetypeId, ArchetypeTable};
use super::chunk::Chunk;
use super::column::CellRef;
use super::entity::{EntityTable, Location};
use super::frame::{Frame, RowRef};
use super::limits::{MAX_CHUNKS, MAX_COMPONENTS_PER_ENTITY, MAX_PARENT_DEPTH, WorldLimits};
use super::staged::{StagedCells, StagedWrite, WriteOrigin, WriteReport};
use crate::schema::{ComponentIndex, Schema, entity_field};
use crate::types::{ChunkId, ComponentId, EntityId, PeerId, Tick};

/// What a new entity is. Its first values come with it: no tick ever shows it without them.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpawnDesc<'a> {
    /// The application's type (prefab).
    pub type_id: u32,
    /// The peer that owns it.
    pub owner: PeerId,
    /// Its parent, or none.
    pub parent: EntityId,
    /// The application's stable id of a scene-placed object, or zero.
    pub persistent_id: u64,
    /// The application's local number; never sent.
    pub host_tag: u64,
    /// For the application, at most [`entity_field::MAX_PAYLOAD_BYTES`].
    pub payload: &'a [u8],
    /// Its components, each with its first engine row or `None` for the defaults.
    pub components: &'a [(ComponentId, Option<&'a [u8]>)],
}

/// A tick that nothing can change any more.
#[derive(Clone, Debug)]
pub struct SealedTick {
    /// Which.
    pub tick: Tick,
    /// The chunks whose quantised state changed, in ascending id; one without rows has lost its last.
    pub changed: Vec<Arc<Chunk>>,
    /// All archetypes there are, in ascending number.
    pub archetypes: Vec<Arc<Archetype>>,
    /// The whole state.
    pub frame: Arc<Frame>,
}

#[derive(Clone, Debug)]
struct LiveChunk {
    /// What is being written.
    chunk: Chunk,
    /// What was last sealed.
    sealed: Option<Arc<Chunk>>,
}

/// The host's replicated state.
#[derive(Clone, Debug)]
pub struct World {
    schema: Arc<Schema>,
    limits: WorldLimits,
    archetypes: ArchetypeTable,
    entities: EntityTable,
    chunks: Vec<LiveChunk>,
    /// Chunks with a free slot, by archetype.
    open: BTreeMap<ArchetypeId, BTreeSet<u32>>,
    /// Chunks without rows.
    empty: BTreeSet<u32>,
    /// Chunks that were written since the last seal.
    dirty: BTreeSet<u32>,
    tick: Tick,
    frame: Arc<Frame>,
}

impl World {
    /// An empty world.
    pub fn new(schema: Arc<Schema>, limits: WorldLimits) -> Self {
        Self {
            archetypes: ArchetypeTable::new(Arc::clone(&schema), limits.archetypes),
            entities: EntityTable::new(limits.entities),
            chunks: Vec::new(),
            open: BTreeMap::new(),
            empty: BTreeSet::new(),
            dirty: BTreeSet::new(),
            tick: Tick::ZERO,
            frame: Arc::new(Frame::empty(Tick::ZERO)),
            schema,
            limits,
        }
    }

    /// What its components are.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The newest sealed tick.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The newest sealed state.
    pub fn frame(&self) -> &Arc<Frame> {
        &self.frame
    }

    /// How many entities live, unsealed spawns included.
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// True while an entity lives.
    pub fn contains(&self, entity: EntityId) -> bool {
        self.entities.locate(entity).is_some()
    }

    /// An entity's row as written so far, unsealed.
    pub fn row(&self, entity: EntityId) -> Option<(&Chunk, usize)> {
        let location = self.entities.locate(entity)?;
        Some((&self.chunks[location.chunk as usize].chunk, location.slot as usize))
    }

    /// An entity's owner.
    pub fn owner(&self, entity: EntityId) -> Option<PeerId> {
        let (chunk, slot) = self.row(entity)?;
        Some(PeerId(chunk.lanes(entity_field::OWNER, slot)[0] as u16))
    }

    /// An entity's parent; [`EntityId::NONE`] when it has none.
    pub fn parent(&self, entity: EntityId) -> Option<EntityId> {
        let (chunk, slot) = self.row(entity)?;
        Some(EntityId(chunk.lanes(entity_field::PARENT, slot)[0]))
    }

    /// Who is directly under an entity.
    pub fn children(&self, entity: EntityId) -> &[EntityId] {
        self.entities.children(entity)
    }

    /// The application's local number of an entity.
    pub fn host_tag(&self, entity: EntityId) -> Option<u64> {
        self.entities.host_tag(entity)
    }

    /// Sets the application's local number of an entity.
    pub fn set_host_tag(&mut self, entity: EntityId, tag: u64) -> Result<(), WorldError> {
        self.entities.set_host_tag(entity, tag)
    }

    /// Makes an entity with its first values. A first value that is none (NaN) is the field's default instead; one
    /// out of range is clamped.
    pub fn spawn(&mut self, desc: &SpawnDesc<'_>) -> Result<EntityId, WorldError> {
        let limit = entity_field::MAX_PAYLOAD_BYTES as usize;
        if desc.payload.len() > limit {
            return Err(WorldError::OverLimit { what: "bytes of a spawn payload", limit });
        }
        if !desc.parent.is_none() && !self.contains(desc.parent) {
            return Err(WorldError::NoEntity(desc.parent));
        }
        self.check_depth(EntityId::NONE, desc.parent)?;
        if desc.components.len() > MAX_COMPONENTS_PER_ENTITY {
            return Err(WorldError::OverLimit {
                what: "components of an entity",
                limit: MAX_COMPONENTS_PER_ENTITY,
            });
        }
        // Everything that can fail comes before the first change.
        let mut components = Vec::with_capacity(desc.components.len());
        for (id, row) in desc.components {
            let index = self.schema.index_of(*id).ok_or(WorldError::NoComponent(*id))?;
            let cells = match row {
                Some(row) => self.schema.component(index).quantise_row(row)?.0,
                None => Vec::new(),
            };
            components.push((index, *id, cells));
        }
        components.sort_by_key(|(index, ..)| *index);
        if let Some(pair) = components.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(WorldError::DuplicateComponent(pair[0].1));
        }
        let indices: Vec<ComponentIndex> = components.iter().map(|(index, ..)| *index).collect();
        let archetype = self.archetypes.get_or_add(&indices)?;
        let location = self.place(&archetype)?;
        let entity = self.entities.add(location, desc.host_tag)?;
        self.occupy(entity, location);
        let slot = location.slot as usize;
        let chunk = &mut self.chunks[location.chunk as usize].chunk;
        for (field, value) in [
            (entity_field::TYPE_ID, u64::from(desc.type_id)),
            (entity_field::OWNER, u64::from(desc.owner.0)),
            (entity_field::PARENT, desc.parent.0),
            (entity_field::PERSISTENT_ID, desc.persistent_id),
        ] {
            chunk.set_cell(field, slot, CellRef::Lanes(&[value]));
        }
        chunk.set_cell(entity_field::PAYLOAD, slot, CellRef::Bytes(desc.payload));
        for (index, _, cells) in &components {
            let first = archetype.first_column(*index).unwrap_or(0);
            for (at, cell) in cells.iter().enumerate() {
                if let Some(cell) = cell {
                    chunk.set_cell(first + at, slot, CellRef::from(cell));
                }
            }
        }
        self.entities.move_child(entity, EntityId::NONE, desc.parent);
        Ok(entity)
    }

    /// Where the next row of an archetype goes: the lowest free slot of the lowest chunk that has one, else an empty chunk
    /// of another archetype, else a new one.
    fn place(&mut self, archetype: &Arc<Archetype>) -> Result<Location, WorldError> {
        if let Some(chunk) = self.open.get(&archetype.id).and_then(BTreeSet::first) {
            let slot = self.chunks[*chunk as usize].chunk.occupancy.trailing_ones() as u8;
            return Ok(Location { chunk: *chunk, slot });
        }
        if let Some(index) = self.empty.first().copied() {
            return Ok(self.reuse(index, archetype));
        }
        let limit = self.limits.chunks().min(MAX_CHUNKS);
        if self.chunks.len() >= limit {
            return Err(WorldError::OverLimit { what: "chunks", limit });
        }
        let index = self.chunks.len() as u32;
        self.chunks
            .push(LiveChunk { chunk: Chunk::empty(ChunkId(index + 1), Arc::clone(archetype)), sealed: None });
        self.open.entry(archetype.id).or_default().insert(index);
        self.empty.insert(index);
        Ok(Location { chunk: index, slot: 0 })
    }

    /// Gives an empty chunk another archetype, so that components that come and go do not use up the chunks there may be.
    fn reuse(&mut self, index: u32, archetype: &Arc<Archetype>) -> Location {
        let live = &mut self.chunks[index as usize];
        if let Some(open) = self.open.get_mut(&live.chunk.archetype.id) {
            open.remove(&index);
        }
        live.chunk = Chunk::empty(live.chunk.id, Arc::clone(archetype));
        self.open.entry(archetype.id).or_default().insert(index);
        Location { chunk: index, slot: 0 }
    }

    fn occupy(&mut self, entity: EntityId, location: Location) {
        let live = &mut self.chunks[location.chunk as usize];
        live.chunk.put_entity(location.slot as usize, entity);
        self.empty.remove(&location.chunk);
        if live.chunk.occupancy == u64::MAX {
            self.open.entry(live.chunk.archetype.id).or_default().remove(&location.chunk);
        }
        self.dirty.insert(location.chunk);
    }

    fn vacate(&mut self, location: Location) {
        let live = &mut self.chunks[location.chunk as usize];
        live.chunk.remove_entity(location.slot as usize);
        if live.chunk.is_empty() {
            self.empty.insert(location.chunk);
        }
        self.open.entry(live.chunk.archetype.id).or_default().insert(location.chunk);
        self.dirty.insert(location.chunk);
    }

    /// Ends an entity. Its children stay and have no parent from then on; references to it stay what they are and
    /// name nobody.
    pub fn despawn(&mut self, entity: EntityId) -> Result<(), WorldError> {
        let parent = self.parent(entity).ok_or(WorldError::NoEntity(entity))?;
        self.entities.move_child(entity, parent, EntityId::NONE);
        let (location, children) = self.entities.remove(entity)?;
        self.vacate(location);
        for child in children {
            self.set_entity_lane(child, entity_field::PARENT, EntityId::NONE.0);
        }
        Ok(())
    }

    fn set_entity_lane(&mut self, entity: EntityId, field: usize, value: u64) {
        if let Some(location) = self.entities.locate(entity) {
            let chunk = &mut self.chunks[location.chunk as usize].chunk;
            if chunk.set_cell(field, location.slot as usize, CellRef::Lanes(&[value])) {
                self.dirty.insert(location.chunk);
            }
        }
    }

    /// Hands an entity to a peer.
    pub fn set_owner(&mut self, entity: EntityId, owner: PeerId) -> Result<(), WorldError> {
        if !self.contains(entity) {
            return Err(WorldError::NoEntity(entity));
        }
        self.set_entity_lane(entity, entity_field::OWNER, u64::from(owner.0));
        Ok(())
    }

    /// Puts an entity under another, or under none.
    pub fn set_parent(&mut self, entity: EntityId, parent: EntityId) -> Result<(), WorldError> {
        let old = self.parent(entity).ok_or(WorldError::NoEntity(entity))?;
        if !parent.is_none() && !self.contains(parent) {
            return Err(WorldError::NoEntity(parent));
        }
        self.check_depth(entity, parent)?;
        self.entities.move_child(entity, old, parent);
        self.set_entity_lane(entity, entity_field::PARENT, parent.0);
        Ok(())
    }

    /// Walks up from `parent`: `child` must not be there, and the top not too far.
    fn check_depth(&self, child: EntityId, parent: EntityId) -> Result<(), WorldError> {
        let mut above = parent;
        for _ in 0..=MAX_PARENT_DEPTH {
            if above.is_none() {
                return Ok(());
            }
            if above == child {
                return Err(WorldError::BadParent { child, parent, problem: "it is its own ancestor then" });
            }
            above = self.parent(above).unwrap_or(EntityId::NONE);
        }
        Err(WorldError::BadParent { child, parent, problem: "too many parents above it" })
    }

    /// Gives an entity more components, or takes some away. Values of those it keeps stay; new ones begin at their
    /// defaults. The entity stays the same one, on every peer, in one tick.
    pub fn set_components(&mut self, entity: EntityId, components: &[ComponentId]) -> Result<(), WorldError> {
        let old = self.entities.locate(entity).ok_or(WorldError::NoEntity(entity))?;
        let mut indices = Vec::with_capacity(components.len());
        for id in components {
            indices.push(self.schema.index_of(*id).ok_or(WorldError::NoComponent(*id))?);
        }
        indices.sort_unstable();
        if let Some(pair) = indices.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(WorldError::DuplicateComponent(self.schema.component(pair[0]).id));
        }
        let archetype = self.archetypes.get_or_add(&indices)?;
        let source = self.chunks[old.chunk as usize].chunk.clone();
        if source.archetype.id == archetype.id {
            return Ok(());
        }
        let new = self.place(&archetype)?;
        self.occupy(entity, new);
        let target = &mut self.chunks[new.chunk as usize].chunk;
        let kept = core::iter::once(&self.schema.entity_component())
            .chain(&*archetype.components)
            .copied()
            .collect::<Vec<_>>();
        for index in kept {
            if let (Some(from), Some(to)) =
                (source.archetype.first_column(index), archetype.first_column(index))
            {
                for at in 0..self.schema.component(index).fields.len() {
                    target.set_cell(
                        to + at,
                        new.slot as usize,
                        source.columns[from + at].get(old.slot as usize),
                    );
                }
            }
        }
        self.vacate(old);
        self.entities.relocate(entity, new);
        Ok(())
    }

    /// Quantises rows and applies them at once: [`StagedWrite::quantise`], then [`World::apply`].
    pub fn write_rows(
        &mut self,
        component: ComponentId,
        field: Option<u16>,
        entities: &[EntityId],
        data: &[u8],
        stride: usize,
    ) -> Result<WriteReport, WorldError> {
        let staged = StagedWrite::quantise(
            &self.schema,
            component,
            field,
            entities,
            data,
            stride,
            WriteOrigin::Engine,
        )?;
        Ok(self.apply(&staged))
    }

    /// Applies a quantised batch, in its rows' order.
    pub fn apply(&mut self, staged: &StagedWrite) -> WriteReport {
        let mut report = staged.report;
        for (row, entity) in staged.entities.iter().enumerate() {
            let Some(location) = self.entities.locate(*entity) else {
                report.unknown += 1;
                report.first_bad = report.first_bad.or(Some(*entity));
                continue;
            };
            let chunk = &mut self.chunks[location.chunk as usize].chunk;
            let Some(first) = chunk.archetype.first_column(staged.component) else {
                report.missing += 1;
                report.first_bad = report.first_bad.or(Some(*entity));
                continue;
            };
            let mut changed = 0;
            for field in &staged.fields {
                if field.valid[row] {
                    let cell = match &field.cells {
                        StagedCells::Fixed { lanes, cells } => {
                            CellRef::Lanes(&cells[row * lanes..(row + 1) * lanes])
                        }
                        StagedCells::Variable(cells) => CellRef::Bytes(&cells[row]),
                    };
                    changed += usize::from(chunk.set_cell(first + field.field, location.slot as usize, cell));
                }
            }
            if changed > 0 {
                report.changed += changed;
                self.dirty.insert(location.chunk);
            }
        }
        report
    }

    /// The state as of now, as this tick. Chunks whose quantised state is what it was are not in it.
    ///
    /// # Errors
    /// [`WorldError::OldTick`] unless ticks ascend.
    pub fn seal(&mut self, tick: Tick) -> Result<SealedTick, WorldError> {
        if tick <= self.tick {
            return Err(WorldError::OldTick { sealed: self.tick, asked: tick });
        }
        self.tick = tick;
        let mut changed = Vec::new();
        for index in core::mem::take(&mut self.dirty) {
            let live = &mut self.chunks[index as usize];
            let is_reused =
                live.sealed.as_ref().is_some_and(|sealed| sealed.archetype.id != live.chunk.archetype.id);
            if let Some(sealed) = &live.sealed
                && !is_reused
                && sealed.occupancy == live.chunk.occupancy
                && sealed.entities == live.chunk.entities
            {
                // A column that was written back to what it was is taken from the sealed version again.
                let mut same = true;
                for (column, old) in live.chunk.columns.iter_mut().zip(&sealed.columns) {
                    if Arc::ptr_eq(column, old) {
                        continue;
                    }
                    if column.same_rows(old, sealed.occupancy) {
                        *column = Arc::clone(old);
                    } else {
                        same = false;
                    }
                }
                if same {
                    continue;
                }
            }
            // A chunk that came and went between two ticks was never there.
            let was_empty = live.sealed.as_ref().is_none_or(|sealed| sealed.is_empty());
            if was_empty && live.chunk.is_empty() {
                continue;
            }
            live.chunk.tick = tick;
            live.chunk.rehash(live.sealed.as_deref().filter(|_| !is_reused));
            let sealed = Arc::new(live.chunk.clone());
            live.sealed = Some(Arc::clone(&sealed));
            changed.push(sealed);
        }
        let chunks = if changed.is_empty() {
            self.frame.chunks.clone()
        } else {
            self.chunks
                .iter()
                .filter_map(|live| live.sealed.clone())
                .filter(|chunk| !chunk.is_empty())
                .collect()
        };
        self.frame = Arc::new(Frame::new(tick, chunks));
        Ok(SealedTick {
            tick,
            changed,
            archetypes: self.archetypes.iter().cloned().collect(),
            frame: Arc::clone(&self.frame),
        })
    }

    /// An entity's row in the newest sealed tick.
    pub fn sealed_row(&self, entity: EntityId) -> Option<RowRef<'_>> {
        let location = self.entities.locate(entity)?;
        let chunk = self.chunks[location.chunk as usize].sealed.as_ref()?;
        let slot = location.slot as usize;
        (chunk.entities[slot] == entity).then_some(RowRef { chunk, slot })
    }
}
