//! Replicated state: entities in chunks of quantised columns, the same on host and peer, so that both hash the same.
//!
//! The host's engine thread owns a [`World`]: it spawns, despawns and writes, and seals a tick ([`World::seal`]); the
//! sealed chunks are immutable and shared. A peer has no `World`: its replica assembles the same [`Chunk`]s. What both
//! show to the engine is a [`Frame`]: one tick, no tearing.
//! This room knows no link, packet or baseline. It must never keep a float: what an engine wrote is quantised at the
//! door, and "changed" means that a lane changed.
//!
//! | file | concern |
//! |---|---|
//! | [`archetype`] | sets of components, and the columns they make |
//! | [`column`] | one field of 64 rows |
//! | [`chunk`] | 64 rows of one archetype: the unit of encoding, acknowledgement and hashing |
//! | [`entity`] | which ids live, and where |
//! | [`staged`] | engine rows quantised on any thread |
//! | [`state`] | the host's world |
//! | [`frame`] | one tick of all chunks, read by engines |
//! | [`translate`] | a host's frames as frames of other components |
//! | [`hash`] | column, chunk and tick hashes |
//! | [`limits`] | every bound, in one table |

pub mod archetype;
pub mod chunk;
pub mod column;
pub mod entity;
pub mod frame;
pub mod hash;
pub mod limits;
pub mod staged;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod translate;

pub use archetype::{Archetype, ArchetypeDef, ArchetypeId, ArchetypeTable, ColumnShape};
pub use chunk::Chunk;
pub use column::{CellRef, Column};
pub use frame::{EntityRow, Frame, RowRef};
pub use limits::WorldLimits;
pub use staged::{StagedWrite, WriteOrigin, WriteReport};
pub use state::{SealedTick, SpawnDesc, World};
pub use translate::Translator;

use crate::schema::SchemaError;
use crate::types::{ComponentId, EntityId, Tick};

/// Why the world refuses a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// No such entity lives.
    #[error("{0:?} does not exist")]
    NoEntity(EntityId),
    /// The schema has no such component.
    #[error("{0:?} is not in the schema")]
    NoComponent(ComponentId),
    /// The component has no such field.
    #[error("{component:?} has no field {field}")]
    NoField {
        /// The component.
        component: ComponentId,
        /// The field id.
        field: u16,
    },
    /// Rows do not reach this component or field.
    #[error("{0:?} is not written by rows: {1}")]
    NotWritable(ComponentId, &'static str),
    /// The data does not hold that many rows.
    #[error("{rows} rows at a stride of {stride} need {needed} bytes, {actual} were given")]
    ShortData {
        /// Rows asked for.
        rows: usize,
        /// Bytes from one row to the next.
        stride: usize,
        /// Bytes that takes.
        needed: usize,
        /// Bytes given.
        actual: usize,
    },
    /// One component stands twice in a spawn.
    #[error("{0:?} stands twice")]
    DuplicateComponent(ComponentId),
    /// A bound is reached.
    #[error("{what}: the limit of {limit} is reached")]
    OverLimit {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// An entity would be its own ancestor, or too deep.
    #[error("{child:?} cannot be under {parent:?}: {problem}")]
    BadParent {
        /// The child.
        child: EntityId,
        /// The parent.
        parent: EntityId,
        /// Why not.
        problem: &'static str,
    },
    /// Ticks are sealed in ascending order.
    #[error("{sealed} is sealed already, {asked} is not after it")]
    OldTick {
        /// The newest sealed tick.
        sealed: Tick,
        /// The one asked for.
        asked: Tick,
    },
    /// A definition from the wire contradicts the schema or an earlier one.
    #[error("archetype {id}: {problem}")]
    BadArchetype {
        /// Its number.
        id: u32,
        /// What is wrong.
        problem: &'static str,
    },
    /// The schema refuses the row.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}
