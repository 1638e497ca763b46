//! Which entity ids live, and where their rows are.
//!
//! An id is an index and a generation: an index is used again after its entity is gone, with the next generation, so
//! that an old id never means a new entity. Indices are reused in the order in which they became free, which keeps
//! generations low and the outcome the same on every run.

use std::collections::VecDeque;

use super::WorldError;
use crate::types::EntityId;

/// Where an entity's row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Position of its chunk in the world's list.
    pub chunk: u32,
    /// The row.
    pub slot: u8,
}

#[derive(Clone, Debug)]
struct Record {
    generation: u32,
    location: Option<Location>,
    host_tag: u64,
    children: Vec<EntityId>,
}

/// The table of a world's entities.
#[derive(Clone, Debug)]
pub struct EntityTable {
    records: Vec<Record>,
    free: VecDeque<u32>,
    alive: usize,
    limit: usize,
}

impl EntityTable {
    /// An empty table for at most `limit` living entities.
    pub fn new(limit: usize) -> Self {
        Self { records: Vec::new(), free: VecDeque::new(), alive: 0, limit }
    }

    /// How many live.
    pub fn len(&self) -> usize {
        self.alive
    }

    /// True when none lives.
    pub fn is_empty(&self) -> bool {
        self.alive == 0
    }

    /// Gives out an id.
    pub(super) fn add(&mut self, location: Location, host_tag: u64) -> Result<EntityId, WorldError> {
        if self.alive >= self.limit {
            return Err(WorldError::OverLimit { what: "entities", limit: self.limit });
        }
        self.alive += 1;
        if let Some(index) = self.free.pop_front() {
            let record = &mut self.records[index as usize];
            record.generation += 1;
            record.location = Some(location);
            record.host_tag = host_tag;
            return Ok(EntityId::new(index, record.generation));
        }
        let index = self.records.len() as u32;
        self.records.push(Record { generation: 1, location: Some(location), host_tag, children: Vec::new() });
        Ok(EntityId::new(index, 1))
    }

    /// Takes an id back. Gives its children, which are now without a parent.
    pub(super) fn remove(&mut self, entity: EntityId) -> Result<(Location, Vec<EntityId>), WorldError> {
        let record = self.record_mut(entity).ok_or(WorldError::NoEntity(entity))?;
        let location = record.location.take().ok_or(WorldError::NoEntity(entity))?;
        let children = core::mem::take(&mut record.children);
        self.alive -= 1;
        // An index whose generations are used up is retired.
        if entity.generation() < EntityId::MAX_GENERATION {
            self.free.push_back(entity.index());
        }
        Ok((location, children))
    }

    fn record(&self, entity: EntityId) -> Option<&Record> {
        self.records.get(entity.index() as usize).filter(|record| {
            record.location.is_some() && EntityId::new(entity.index(), record.generation) == entity
        })
    }

    fn record_mut(&mut self, entity: EntityId) -> Option<&mut Record> {
        self.records.get_mut(entity.index() as usize).filter(|record| {
            record.location.is_some() && EntityId::new(entity.index(), record.generation) == entity
        })
    }

    /// Where an entity's row is; `None` when it does not live.
    pub fn locate(&self, entity: EntityId) -> Option<Location> {
        self.record(entity).and_then(|record| record.location)
    }

    /// Notes that a row moved.
    pub(super) fn relocate(&mut self, entity: EntityId, location: Location) {
        if let Some(record) = self.record_mut(entity) {
            record.location = Some(location);
        }
    }

    /// The application's local number of an entity.
    pub fn host_tag(&self, entity: EntityId) -> Option<u64> {
        self.record(entity).map(|record| record.host_tag)
    }

    /// Sets the application's local number.
    pub(super) fn set_host_tag(&mut self, entity: EntityId, tag: u64) -> Result<(), WorldError> {
        self.record_mut(entity).ok_or(WorldError::NoEntity(entity))?.host_tag = tag;
        Ok(())
    }

    /// Notes that `child` moved from under `old` to under `new` (either may be none).
    pub(super) fn move_child(&mut self, child: EntityId, old: EntityId, new: EntityId) {
        if let Some(record) = self.record_mut(old) {
            record.children.retain(|other| *other != child);
        }
        if let Some(record) = self.record_mut(new) {
            record.children.push(child);
        }
    }

    /// Who is directly under an entity, in the order in which they came.
    pub fn children(&self, entity: EntityId) -> &[EntityId] {
        self.record(entity).map_or(&[], |record| &record.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Location = Location { chunk: 0, slot: 0 };

    #[test]
    fn an_old_id_never_means_a_new_entity() {
        let mut table = EntityTable::new(2);
        let first = table.add(HERE, 7).unwrap();
        let second = table.add(HERE, 0).unwrap();
        assert!(matches!(table.add(HERE, 0), Err(WorldError::OverLimit { .. })));
        table.remove(first).unwrap();
        assert_eq!(table.remove(first), Err(WorldError::NoEntity(first)));
        let third = table.add(HERE, 9).unwrap();
        assert_eq!((third.index(), third.generation()), (first.index(), 2));
        assert_eq!((table.host_tag(first), table.host_tag(third)), (None, Some(9)));
        assert!(
            table.locate(EntityId::NONE).is_none() && table.locate(EntityId(1 << 63 | second.0)).is_none()
        );
    }
}
