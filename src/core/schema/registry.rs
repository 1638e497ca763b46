//! The registry collects descriptions; frozen, it is the [`Schema`] that a session runs on.

use super::SchemaError;
use super::component::{Component, ComponentDesc};
use super::field::FieldDesc;
use super::id::{KEY, component_id, siphash_2_4};
use super::kind::{FieldKind, IntType};
use super::limits::{MAX_COMPONENTS, MAX_NAMES_BYTES};
use crate::types::ComponentId;

/// A component's position in its schema. It is the host's, one for the whole session, and never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentIndex(pub u16);

/// The component every entity has: type, owner, parent, persistent id and spawn payload. It is coded, masked and
/// hashed like any other; applications do not register or write it.
pub const ENTITY_COMPONENT: &str = "theta.entity";

/// Positions of the fields of [`ENTITY_COMPONENT`].
pub mod entity_field {
    /// The application's type (prefab), u32.
    pub const TYPE_ID: usize = 0;
    /// The peer that owns it, u16.
    pub const OWNER: usize = 1;
    /// Its parent, or none.
    pub const PARENT: usize = 2;
    /// The application's stable id of a scene-placed object, or zero.
    pub const PERSISTENT_ID: usize = 3;
    /// What was said at its spawn, at most [`MAX_PAYLOAD_BYTES`].
    pub const PAYLOAD: usize = 4;
    /// How many fields these are.
    pub const COUNT: usize = 5;
    /// Bytes of a spawn payload.
    pub const MAX_PAYLOAD_BYTES: u16 = 256;
}

fn entity_component() -> ComponentDesc {
    ComponentDesc::new(ENTITY_COMPONENT)
        .docs("What every entity has; written by spawn, ownership and parenting, never by rows.")
        .field(FieldDesc::new(1, "type_id", FieldKind::int(IntType::U32)))
        .field(FieldDesc::new(2, "owner", FieldKind::int(IntType::U16)))
        .field(FieldDesc::new(3, "parent", FieldKind::Entity))
        .field(FieldDesc::new(4, "persistent_id", FieldKind::int(IntType::U64)))
        .field(FieldDesc::new(5, "payload", FieldKind::Bytes { max_len: entity_field::MAX_PAYLOAD_BYTES }))
}

/// Collects components, in any order, until it is frozen.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    components: Vec<Component>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks a component and adds it. The same description twice is one component; the linker may collect a
    /// declaration that a call registers too.
    pub fn add(&mut self, desc: ComponentDesc) -> Result<ComponentId, SchemaError> {
        if desc.name == ENTITY_COMPONENT {
            return Err(SchemaError::BadComponent { component: desc.name, problem: "this name is built in" });
        }
        self.add_frozen(Component::freeze(desc)?)
    }

    /// Checks a component of another program and adds it; see [`Component::freeze_foreign`].
    pub(super) fn add_foreign(&mut self, desc: ComponentDesc) -> Result<ComponentId, SchemaError> {
        self.add_frozen(Component::freeze_foreign(desc)?)
    }

    fn add_frozen(&mut self, component: Component) -> Result<ComponentId, SchemaError> {
        let id = component.id;
        insert(&mut self.components, component)?;
        // One place is the built-in component's.
        if self.components.len() >= MAX_COMPONENTS {
            return Err(SchemaError::OverLimit {
                what: "components",
                actual: self.components.len() + 1,
                limit: MAX_COMPONENTS,
            });
        }
        Ok(id)
    }

    /// The schema: sorted by id, the built-in component included.
    pub fn freeze(&self) -> Result<Schema, SchemaError> {
        let mut components = self.components.clone();
        insert(&mut components, Component::freeze(entity_component())?)?;
        let names = components.iter().map(|component| component.desc.name.len() + 48).sum();
        if names > MAX_NAMES_BYTES {
            return Err(SchemaError::OverLimit {
                what: "bytes of component names, with 48 more for each",
                actual: names,
                limit: MAX_NAMES_BYTES,
            });
        }
        let mut bytes = Vec::new();
        for component in &components {
            component.hash_input(&mut bytes);
        }
        let entity = components
            .binary_search_by_key(&component_id(ENTITY_COMPONENT), |component| component.id)
            .unwrap_or_default();
        Ok(Schema {
            hash: siphash_2_4(&KEY, &bytes),
            entity: ComponentIndex(entity as u16),
            components: components.into(),
        })
    }
}

fn insert(components: &mut Vec<Component>, component: Component) -> Result<(), SchemaError> {
    match components.binary_search_by_key(&component.id, |other| other.id) {
        Err(at) => components.insert(at, component),
        Ok(at) => {
            let other = &components[at];
            if other.desc.name != component.desc.name {
                return Err(SchemaError::Collision {
                    id: component.id,
                    first: other.desc.name.clone(),
                    second: component.desc.name,
                });
            }
            if other.desc != component.desc {
                return Err(SchemaError::Redefined(component.desc.name));
            }
        }
    }
    Ok(())
}

/// The components of a session, frozen.
#[derive(Clone, Debug)]
pub struct Schema {
    components: Box<[Component]>,
    hash: u64,
    entity: ComponentIndex,
}

impl Schema {
    /// All components, sorted by id.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Hash of everything that changes bits, in all components.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Each component's id with the hash of what changes its bits, sorted by id: what a handshake compares when the
    /// whole hashes differ.
    pub fn layout_hashes(&self) -> Vec<(ComponentId, u64)> {
        self.components.iter().map(|component| (component.id, component.layout_hash)).collect()
    }

    /// Where the component with this id stands.
    pub fn index_of(&self, id: ComponentId) -> Option<ComponentIndex> {
        self.components
            .binary_search_by_key(&id, |component| component.id)
            .ok()
            .map(|at| ComponentIndex(at as u16))
    }

    /// The component at this position.
    ///
    /// # Panics
    /// If there is none: an index comes from this schema, and one from the wire is checked with [`Schema::get`].
    pub fn component(&self, index: ComponentIndex) -> &Component {
        &self.components[index.0 as usize]
    }

    /// The component at this position, if there is one.
    pub fn get(&self, index: ComponentIndex) -> Option<&Component> {
        self.components.get(index.0 as usize)
    }

    /// Where the built-in component stands.
    pub fn entity_component(&self) -> ComponentIndex {
        self.entity
    }

    /// The canonical `schema_manifest.json`.
    pub fn manifest(&self) -> String {
        super::manifest::write(self)
    }

    /// The compact manifest: what a peer with other components decodes by.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when it has more bytes than a peer takes.
    pub fn compact_manifest(&self) -> Result<Vec<u8>, SchemaError> {
        super::compact::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, bits: u8) -> ComponentDesc {
        ComponentDesc::new(name).field(FieldDesc::new(1, "rotation", FieldKind::Quat { bits }))
    }

    #[test]
    fn order_of_registration_does_not_matter() {
        let names = ["a", "b", "c", "d", "e"];
        let schema = |order: &[usize]| {
            let mut registry = Registry::new();
            for index in order {
                registry.add(component(names[*index], 10)).unwrap();
            }
            registry.freeze().unwrap()
        };
        let (one, two) = (schema(&[0, 1, 2, 3, 4]), schema(&[3, 1, 4, 0, 2]));
        assert_eq!(one.hash(), two.hash());
        assert_eq!(one.manifest(), two.manifest());
        assert!(one.components().is_sorted_by_key(|component| component.id));
        assert_eq!(one.component(one.entity_component()).name(), ENTITY_COMPONENT);
        assert_eq!(one.index_of(component_id("c")), two.index_of(component_id("c")));
        assert_eq!(one.index_of(component_id("z")), None);
    }

    #[test]
    fn two_meanings_of_one_name_are_refused() {
        let mut registry = Registry::new();
        registry.add(component("a", 10)).unwrap();
        registry.add(component("a", 10)).unwrap();
        assert_eq!(registry.add(component("a", 11)), Err(SchemaError::Redefined("a".into())));
        assert!(registry.add(component(ENTITY_COMPONENT, 10)).is_err());
    }

    #[test]
    fn a_collision_names_both() {
        let mut components = vec![Component::freeze(component("a", 10)).unwrap()];
        let mut other = Component::freeze(component("b", 10)).unwrap();
        // Nobody has two short names with one SipHash; plant one.
        other.id = components[0].id;
        let text = insert(&mut components, other).unwrap_err().to_string();
        assert!(text.contains("\"a\"") && text.contains("\"b\""), "{text}");
    }
}
