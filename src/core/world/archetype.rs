//! Sets of components, and the columns they make.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::WorldError;
use super::limits::{MAX_COLUMNS, MAX_COMPONENTS_PER_ENTITY, MAX_ROW_BYTES};
use crate::schema::{Cell, ComponentIndex, FieldKind, LaneShape, Schema};

/// A set of components by number: host-assigned, from 0, one for the whole session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchetypeId(pub u32);

/// An archetype as the wire names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchetypeDef {
    /// Its number.
    pub id: u32,
    /// Its components in ascending [`ComponentIndex`] order, without the built-in one.
    pub components: Vec<u16>,
}

/// One column of a chunk: one field, with what codec and hash need of it.
#[derive(Clone, Debug)]
pub struct ColumnShape {
    /// Of which component.
    pub component: ComponentIndex,
    /// Its position among the component's fields.
    pub field: u16,
    /// Its kind.
    pub kind: FieldKind,
    /// Its lanes; empty for variable kinds.
    pub lanes: Box<[LaneShape]>,
    /// True where changes are written whole.
    pub codes_whole: bool,
    /// What a fresh row holds.
    pub default_cell: Cell,
}

/// A set of components. Its columns are the fields of the built-in component, then those of the others, both in order.
#[derive(Debug)]
pub struct Archetype {
    /// Its number.
    pub id: ArchetypeId,
    /// Its components in ascending order, without the built-in one.
    pub components: Box<[ComponentIndex]>,
    /// Its columns.
    pub columns: Box<[ColumnShape]>,
    /// The first column of each of `components`.
    first_columns: Box<[u16]>,
    entity_component: ComponentIndex,
}

impl Archetype {
    /// The archetype of these components (ascending, without the built-in one).
    pub fn new(id: ArchetypeId, components: &[ComponentIndex], schema: &Schema) -> Result<Self, WorldError> {
        Self::check(id, components, schema)?;
        let archetype = Self::of_view(id, components, schema);
        if archetype.columns.len() > MAX_COLUMNS {
            return Err(WorldError::OverLimit { what: "fields of an entity", limit: MAX_COLUMNS });
        }
        let row_bits: usize = archetype.columns.iter().map(|shape| shape.kind.max_packed_bits() + 2).sum();
        // The entity's id stands in front of its values.
        if (row_bits + 128).div_ceil(8) > MAX_ROW_BYTES {
            return Err(WorldError::OverLimit { what: "packed bytes of an entity", limit: MAX_ROW_BYTES });
        }
        Ok(archetype)
    }

    fn check(id: ArchetypeId, components: &[ComponentIndex], schema: &Schema) -> Result<(), WorldError> {
        let bad = |problem| WorldError::BadArchetype { id: id.0, problem };
        if components.len() > MAX_COMPONENTS_PER_ENTITY {
            return Err(WorldError::OverLimit {
                what: "components of an entity",
                limit: MAX_COMPONENTS_PER_ENTITY,
            });
        }
        if !components.is_sorted_by(|a, b| a < b) {
            return Err(bad("its components are not in ascending order"));
        }
        for index in components {
            if schema.get(*index).is_none() {
                return Err(bad("it names a component the schema has not"));
            }
            if *index == schema.entity_component() {
                return Err(bad("it names the built-in component"));
            }
        }
        Ok(())
    }

    /// What a peer sees of an archetype of the host's: these components of its own (ascending, without the built-in
    /// one, all of them in the schema). Its rows are read and never packed, so their size has no limit of its own.
    pub(crate) fn of_view(id: ArchetypeId, components: &[ComponentIndex], schema: &Schema) -> Self {
        let entity_component = schema.entity_component();
        let mut columns = Vec::new();
        let mut first_columns = Vec::with_capacity(components.len());
        for index in core::iter::once(&entity_component).chain(components) {
            if !columns.is_empty() {
                first_columns.push(columns.len() as u16);
            }
            for (field_index, field) in schema.component(*index).fields.iter().enumerate() {
                columns.push(ColumnShape {
                    component: *index,
                    field: field_index as u16,
                    kind: field.desc.kind,
                    lanes: field.lanes.clone(),
                    codes_whole: field.codes_whole(),
                    default_cell: field.default_cell.clone(),
                });
            }
        }
        Self {
            id,
            components: components.into(),
            columns: columns.into(),
            first_columns: first_columns.into(),
            entity_component,
        }
    }

    /// The first column of a component, if the archetype has it.
    pub fn first_column(&self, component: ComponentIndex) -> Option<usize> {
        if component == self.entity_component {
            return Some(0);
        }
        self.components.binary_search(&component).ok().map(|at| self.first_columns[at] as usize)
    }

    /// How the wire names it.
    pub fn definition(&self) -> ArchetypeDef {
        ArchetypeDef { id: self.id.0, components: self.components.iter().map(|index| index.0).collect() }
    }
}

/// The archetypes of a session. The host adds as entities need them, a peer as definitions arrive.
#[derive(Clone, Debug)]
pub struct ArchetypeTable {
    schema: Arc<Schema>,
    by_id: BTreeMap<ArchetypeId, Arc<Archetype>>,
    by_components: BTreeMap<Box<[ComponentIndex]>, ArchetypeId>,
    limit: usize,
}

impl ArchetypeTable {
    /// An empty table.
    pub fn new(schema: Arc<Schema>, limit: usize) -> Self {
        Self { schema, by_id: BTreeMap::new(), by_components: BTreeMap::new(), limit }
    }

    /// The archetype of these components (ascending), made when it is new.
    pub fn get_or_add(&mut self, components: &[ComponentIndex]) -> Result<Arc<Archetype>, WorldError> {
        if let Some(id) = self.by_components.get(components) {
            return Ok(Arc::clone(&self.by_id[id]));
        }
        let id = ArchetypeId(self.by_id.last_key_value().map_or(0, |(last, _)| last.0 + 1));
        self.add(Archetype::new(id, components, &self.schema)?)
    }

    /// Adds a definition from the wire. One that is known already is checked to be the same.
    pub fn define(&mut self, def: &ArchetypeDef) -> Result<(), WorldError> {
        let components: Vec<ComponentIndex> =
            def.components.iter().map(|index| ComponentIndex(*index)).collect();
        if let Some(known) = self.by_id.get(&ArchetypeId(def.id)) {
            return if *known.components == *components {
                Ok(())
            } else {
                Err(WorldError::BadArchetype {
                    id: def.id,
                    problem: "it was defined before, with other components",
                })
            };
        }
        if self.by_components.contains_key(components.as_slice()) {
            return Err(WorldError::BadArchetype {
                id: def.id,
                problem: "its components have another number already",
            });
        }
        self.add(Archetype::new(ArchetypeId(def.id), &components, &self.schema)?).map(drop)
    }

    fn add(&mut self, archetype: Archetype) -> Result<Arc<Archetype>, WorldError> {
        if self.by_id.len() >= self.limit {
            return Err(WorldError::OverLimit { what: "archetypes", limit: self.limit });
        }
        let archetype = Arc::new(archetype);
        self.by_components.insert(archetype.components.clone(), archetype.id);
        self.by_id.insert(archetype.id, Arc::clone(&archetype));
        Ok(archetype)
    }

    /// The archetype with this number.
    pub fn get(&self, id: ArchetypeId) -> Option<&Arc<Archetype>> {
        self.by_id.get(&id)
    }

    /// All of them, in ascending number.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Archetype>> {
        self.by_id.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True before the first.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
