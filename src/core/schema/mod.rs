//! What a component is: its id, fields, quantisation, engine layout, and the schema that two ends agree on.
//!
//! The application describes components ([`ComponentDesc`], or the [`crate::component!`] macro) and adds them to a
//! [`Registry`]; freezing it gives a [`Schema`]: components sorted by id, with everything the hot paths need worked
//! out, and a hash of all that changes bits. After that nothing here changes, and every other room reads it.
//! This room knows no entity, tick or packet. It must never let an unchecked description through: a [`Component`]
//! exists only after validation.
//!
//! | file | concern |
//! |---|---|
//! | [`id`] | SipHash-2-4 ids, at compile time |
//! | [`kind`] | kinds and their quantisation |
//! | [`field`] | semantics, predictors, defaults |
//! | [`quantise`] | engine value to lanes and back |
//! | [`component`] | descriptions and their validation |
//! | [`layout`] | the engine's C struct; rows to cells and back |
//! | [`registry`] | the frozen schema and its hashes |
//! | [`manifest`] | `schema_manifest.json`, written and parsed |
//! | [`compact`] | the compact manifest, written and parsed |
//! | [`reconcile`] | how a peer reads a host whose components differ |
//! | [`declare`] | the macro for Rust components |
//! | [`limits`] | every bound, in one table |

pub mod compact;
pub mod component;
pub mod declare;
pub mod field;
pub mod id;
mod json;
pub mod kind;
pub mod layout;
pub mod limits;
pub mod manifest;
pub mod quantise;
pub mod reconcile;
pub mod registry;

pub use component::{Component, ComponentDesc};
pub use field::{Authority, Cell, Diff, Field, FieldDesc, Predictor, Semantic, Value};
pub use id::component_id;
pub use kind::{FieldKind, IntType, LaneShape, ListItem, Range};
pub use layout::ComponentLayout;
pub use reconcile::{Mapping, MappingNote, NoteKind};
pub use registry::{ComponentIndex, ENTITY_COMPONENT, Registry, Schema, entity_field};

use crate::types::ComponentId;

/// Why a description is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A field breaks a rule.
    #[error("component {component:?}, field {field:?}: {problem}")]
    BadField {
        /// Of which component.
        component: String,
        /// Which.
        field: String,
        /// The rule.
        problem: &'static str,
    },
    /// A component breaks a rule.
    #[error("component {component:?}: {problem}")]
    BadComponent {
        /// Which.
        component: String,
        /// The rule.
        problem: &'static str,
    },
    /// Two fields have one id or name.
    #[error("component {component:?}: fields {first:?} and {second:?} have the same id or name")]
    DuplicateField {
        /// Of which component.
        component: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// One name was registered twice with different descriptions.
    #[error("component {0:?} is registered twice, with different descriptions")]
    Redefined(String),
    /// Two names hash to one id. Rename one.
    #[error("components {first:?} and {second:?} have the same id {id:?}; rename one of them")]
    Collision {
        /// The id.
        id: ComponentId,
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// More than a schema holds.
    #[error("{what}: {actual} is over the limit of {limit}")]
    OverLimit {
        /// What.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many may be.
        limit: usize,
    },
    /// The text is not a manifest.
    #[error("manifest, byte {at}: {problem}")]
    BadManifest {
        /// Where in the text.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// The manifest's parts do not add up to the hash it states.
    #[error("the manifest states schema hash {stated:#018x} but describes {actual:#018x}")]
    ManifestHash {
        /// What it says.
        stated: u64,
        /// What it is.
        actual: u64,
    },
    /// The bytes are no engine row of this component.
    #[error("an engine row of {component:?} needs {needed} bytes, {actual} were given")]
    RowSize {
        /// Of which component.
        component: String,
        /// Its size.
        needed: usize,
        /// What was given.
        actual: usize,
    },
}
