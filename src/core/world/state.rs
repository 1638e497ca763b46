//! The host's world: what the engine thread writes into and seals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::archetype::{Archetype, ArchetypeId, ArchetypeTable};
use super::chunk::Chunk;
use super::column::CellRef;
use super::entity::{EntityTable, Location};
use super::frame::{Frame, RowRef};
use super::limits::{MAX_CHUNKS, MAX_COMPONENTS_PER_ENTITY, MAX_PARENT_DEPTH, WorldLimits};
use super::staged::{StagedCells, StagedWrite, WriteOrigin, WriteReport};
use super::WorldError;
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
            return Err(WorldError::OverLimit { what: "components of an entity", limit: MAX_COMPONENTS_PER_ENTITY });
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

    /// Where the next row of an archetype goes: the lowest free slot of the lowest chunk that has one.
    fn place(&mut self, archetype: &Arc<Archetype>) -> Result<Location, WorldError> {
        if let Some(chunk) = self.open.get(&archetype.id).and_then(BTreeSet::first) {
            let slot = self.chunks[*chunk as usize].chunk.occupancy.trailing_ones() as u8;
            return Ok(Location { chunk: *chunk, slot });
        }
        let limit = self.limits.chunks().min(MAX_CHUNKS);
        if self.chunks.len() >= limit {
            return Err(WorldError::OverLimit { what: "chunks", limit });
        }
        let index = self.chunks.len() as u32;
        self.chunks.push(LiveChunk { chunk: Chunk::empty(ChunkId(index + 1), Arc::clone(archetype)), sealed: None });
        self.open.entry(archetype.id).or_default().insert(index);
        Ok(Location { chunk: index, slot: 0 })
    }

    fn occupy(&mut self, entity: EntityId, location: Location) {
        let live = &mut self.chunks[location.chunk as usize];
        live.chunk.put_entity(location.slot as usize, entity);
        if live.chunk.occupancy == u64::MAX {
            self.open.entry(live.chunk.archetype.id).or_default().remove(&location.chunk);
        }
        self.dirty.insert(location.chunk);
    }

    fn vacate(&mut self, location: Location) {
        let live = &mut self.chunks[location.chunk as usize];
        live.chunk.remove_entity(location.slot as usize);
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
        let kept = core::iter::once(&self.schema.entity_component()).chain(&*archetype.components).copied().collect::<Vec<_>>();
        for index in kept {
            if let (Some(from), Some(to)) = (source.archetype.first_column(index), archetype.first_column(index)) {
                for at in 0..self.schema.component(index).fields.len() {
                    target.set_cell(to + at, new.slot as usize, source.columns[from + at].get(old.slot as usize));
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
        let staged =
            StagedWrite::quantise(&self.schema, component, field, entities, data, stride, WriteOrigin::Engine)?;
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
                        StagedCells::Fixed { lanes, cells } => CellRef::Lanes(&cells[row * lanes..(row + 1) * lanes]),
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
            if let Some(sealed) = &live.sealed
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
            if live.sealed.is_none() && live.chunk.is_empty() {
                continue;
            }
            live.chunk.tick = tick;
            live.chunk.rehash(live.sealed.as_deref());
            let sealed = Arc::new(live.chunk.clone());
            live.sealed = Some(Arc::clone(&sealed));
            changed.push(sealed);
        }
        let chunks = if changed.is_empty() {
            self.frame.chunks.clone()
        } else {
            self.chunks.iter().filter_map(|live| live.sealed.clone()).filter(|chunk| !chunk.is_empty()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::component_id;
    use crate::world::testing::{Busy, LIFE, NOTE, POSE, row, schema};

    fn world() -> World {
        World::new(schema(), WorldLimits::default())
    }

    fn posed(world: &mut World, position: [f32; 3]) -> EntityId {
        let mut row = world.schema().component(world.schema().index_of(component_id(POSE)).unwrap()).default_row();
        for (part, out) in position.iter().zip(row.chunks_exact_mut(4)) {
            out.copy_from_slice(&part.to_le_bytes());
        }
        let components = [(component_id(POSE), Some(row.as_slice()))];
        world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap()
    }

    fn positions(world: &World) -> Vec<[f32; 3]> {
        let mut out = vec![0; world.frame().entity_count() * 12];
        let count =
            world.frame().read_engine(world.schema(), component_id(POSE), Some(1), &mut out, 12).unwrap();
        out.chunks_exact(12)
            .take(count)
            .map(|row| core::array::from_fn(|at| f32::from_le_bytes([row[at * 4], row[at * 4 + 1], row[at * 4 + 2], row[at * 4 + 3]])))
            .collect()
    }

    fn bytes(position: [f32; 3]) -> Vec<u8> {
        position.iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    #[test]
    fn an_entity_appears_with_its_values_and_only_when_sealed() {
        let mut world = world();
        let entity = posed(&mut world, [1.0, 2.0, 3.0]);
        assert_eq!(world.frame().entity_count(), 0);
        let sealed = world.seal(Tick(1)).unwrap();
        assert_eq!(sealed.changed.len(), 1);
        assert_eq!(sealed.frame.find(entity).unwrap().entity(), entity);
        assert_eq!(positions(&world), [[1.0, 2.0, 3.0]]);
        assert_eq!(world.seal(Tick(1)).unwrap_err(), WorldError::OldTick { sealed: Tick(1), asked: Tick(1) });
    }

    #[test]
    fn only_a_changed_lane_is_a_change() {
        let mut world = world();
        let entity = posed(&mut world, [1.0, 2.0, 3.0]);
        world.seal(Tick(1)).unwrap();
        let mut write = |position: [f32; 3]| {
            world.write_rows(component_id(POSE), Some(1), &[entity], &bytes(position), 12).unwrap()
        };
        assert_eq!(write([1.0001, 2.0, 3.0]).changed, 0, "less than half a step is no change");
        assert_eq!(write([1.5, 2.0, 3.0]).changed, 1);
        assert_eq!(write([1.0, 2.0, 3.0]).changed, 1, "and back");
        assert!(world.seal(Tick(2)).unwrap().changed.is_empty(), "what was written back did not change");
    }

    #[test]
    fn what_is_no_value_keeps_the_old_one_and_is_counted() {
        let mut world = world();
        let entity = posed(&mut world, [1.0, 2.0, 3.0]);
        let gone = posed(&mut world, [0.0; 3]);
        let bare = world.spawn(&SpawnDesc::default()).unwrap();
        world.despawn(gone).unwrap();
        let data = [bytes([f32::NAN, 0.0, 0.0]), bytes([99.0, 2.0, 3.0]), bytes([1.0; 3]), bytes([1.0; 3])].concat();
        let report = world.write_rows(component_id(POSE), Some(1), &[entity, entity, gone, bare], &data, 12).unwrap();
        assert_eq!(
            report,
            WriteReport { changed: 1, clamped: 1, not_a_number: 1, unknown: 1, missing: 1, first_bad: Some(entity) }
        );
        world.seal(Tick(1)).unwrap();
        assert_eq!(positions(&world), [[31.9990234375, 2.0, 3.0]]);
    }

    #[test]
    fn bad_calls_are_refused() {
        let mut world = world();
        let entity = posed(&mut world, [0.0; 3]);
        let pose = component_id(POSE);
        for result in [
            world.write_rows(component_id("nobody"), None, &[entity], &[0; 100], 100),
            world.write_rows(pose, Some(9), &[entity], &[0; 100], 100),
            world.write_rows(pose, None, &[entity], &[0; 39], 40),
            world.write_rows(pose, None, &[entity, entity], &[0; 79], 40),
            world.write_rows(pose, None, &[entity, entity], &[0; 80], 39),
            world.write_rows(component_id(crate::schema::ENTITY_COMPONENT), None, &[entity], &[0; 400], 400),
            world.write_rows(component_id(NOTE), Some(4), &[entity], &[0; 4], 4),
        ] {
            assert!(result.is_err(), "{result:?}");
        }
        assert!(world.spawn(&SpawnDesc { payload: &[0; 257], ..SpawnDesc::default() }).is_err());
        assert!(world.spawn(&SpawnDesc { parent: EntityId(99), ..SpawnDesc::default() }).is_err());
        let twice = [(pose, None), (pose, None)];
        assert!(world.spawn(&SpawnDesc { components: &twice, ..SpawnDesc::default() }).is_err());
        assert_eq!(world.entity_count(), 1);
    }

    #[test]
    fn document_fields_belong_to_the_log() {
        let mut world = world();
        let components = [(component_id(NOTE), None)];
        let entity = world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap();
        let schema = Arc::clone(world.schema());
        let mut whole = vec![0; schema.component(schema.index_of(component_id(NOTE)).unwrap()).size_bytes];
        let field = &schema.component(schema.index_of(component_id(NOTE)).unwrap()).fields[3];
        whole[field.offset_bytes..field.offset_bytes + 4].copy_from_slice(&0.5f32.to_le_bytes());
        assert_eq!(world.write_rows(component_id(NOTE), None, &[entity], &whole, whole.len()).unwrap().changed, 0);
        let staged = StagedWrite::quantise(
            &schema, component_id(NOTE), Some(4), &[entity], &0.5f32.to_le_bytes(), 4, WriteOrigin::Log,
        );
        assert_eq!(world.apply(&staged.unwrap()).changed, 1);
    }

    #[test]
    fn children_outlive_their_parent() {
        let mut world = world();
        let parent = posed(&mut world, [0.0; 3]);
        let child = world.spawn(&SpawnDesc { parent, ..SpawnDesc::default() }).unwrap();
        let grandchild = world.spawn(&SpawnDesc { parent: child, ..SpawnDesc::default() }).unwrap();
        assert!(matches!(world.set_parent(parent, grandchild), Err(WorldError::BadParent { .. })));
        assert_eq!(world.children(parent), [child]);
        world.despawn(parent).unwrap();
        assert_eq!(world.parent(child), Some(EntityId::NONE));
        assert_eq!(world.parent(grandchild), Some(child));
        let mut deep = EntityId::NONE;
        for level in 0..200 {
            match world.spawn(&SpawnDesc { parent: deep, ..SpawnDesc::default() }) {
                Ok(entity) => deep = entity,
                Err(error) => {
                    assert!(matches!(error, WorldError::BadParent { .. }));
                    assert!(level > MAX_PARENT_DEPTH / 2);
                    return;
                }
            }
        }
        panic!("parents nest without end");
    }

    #[test]
    fn slots_are_used_again() {
        let mut world = world();
        let all: Vec<_> = (0..130).map(|_| posed(&mut world, [0.0; 3])).collect();
        assert_eq!(world.seal(Tick(1)).unwrap().frame.chunks.len(), 3);
        for entity in &all[..64] {
            world.despawn(*entity).unwrap();
        }
        let sealed = world.seal(Tick(2)).unwrap();
        assert_eq!((sealed.changed.len(), sealed.frame.chunks.len()), (1, 2), "an empty chunk is told, and not shown");
        let again: Vec<_> = (0..64).map(|_| posed(&mut world, [0.0; 3])).collect();
        let sealed = world.seal(Tick(3)).unwrap();
        assert_eq!((sealed.changed.len(), sealed.frame.chunks.len()), (1, 3));
        assert_eq!(sealed.frame.rows().next().unwrap().entity(), again[0]);
        assert_eq!(sealed.frame.entity_count(), 130);
    }

    #[test]
    fn components_come_and_go_without_a_new_entity() {
        let mut world = world();
        let entity = posed(&mut world, [5.0, 6.0, 7.0]);
        world.seal(Tick(1)).unwrap();
        world.set_components(entity, &[component_id(LIFE), component_id(POSE)]).unwrap();
        let sealed = world.seal(Tick(2)).unwrap();
        assert_eq!(sealed.changed.len(), 2);
        assert_eq!(positions(&world), [[5.0, 6.0, 7.0]]);
        let mut health = [0; 2];
        world.frame().read_engine(world.schema(), component_id(LIFE), Some(1), &mut health, 2).unwrap();
        assert_eq!(i16::from_le_bytes(health), 100);
        assert_eq!(sealed.frame.entity_count(), 1);
    }

    #[test]
    fn hashes_are_those_of_the_content() {
        let mut busy = Busy::new(5);
        for tick in 1..60 {
            busy.step(30);
            let sealed = busy.world.seal(Tick(tick)).unwrap();
            let mut entities = 0;
            for chunk in &sealed.frame.chunks {
                let mut fresh = Chunk::clone(chunk);
                fresh.rehash(None);
                assert_eq!((fresh.hash, &fresh.column_hashes), (chunk.hash, &chunk.column_hashes));
                entities += chunk.len();
            }
            assert_eq!(entities, busy.alive.len());
            for entity in &busy.alive {
                let row = sealed.frame.find(*entity).unwrap().info();
                assert_eq!(row.parent, busy.world.parent(*entity).unwrap());
                assert!(row.parent.is_none() || busy.world.contains(row.parent));
            }
        }
    }

    #[test]
    fn quantised_rows_read_back_as_they_were() {
        let mut busy = Busy::new(9);
        let schema = Arc::clone(busy.world.schema());
        for name in [POSE, LIFE, NOTE] {
            let component = schema.component(schema.index_of(component_id(name)).unwrap());
            for _ in 0..200 {
                let row = row(&schema, name, &mut busy.random, true);
                let (cells, _) = component.quantise_row(&row).unwrap();
                let mut back = component.default_row();
                for (field, cell) in component.fields.iter().zip(&cells) {
                    if let Some(cell) = cell {
                        field.store(cell, &mut back[field.offset_bytes..]);
                    }
                }
                let (again, clamped) = component.quantise_row(&back).unwrap();
                assert_eq!(clamped, 0);
                for (cell, again) in cells.iter().zip(&again) {
                    assert!(cell.is_none() || cell == again);
                }
            }
        }
    }
}
