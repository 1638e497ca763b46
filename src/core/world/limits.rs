//! Every bound of a world, in one table. The host keeps to them when it writes; a peer refuses a host that does not.

/// Entities that may be alive at once.
pub const MAX_ENTITIES: usize = 1 << 18;
/// Different sets of components: what one message can define.
pub const MAX_ARCHETYPES: usize = 1024;
/// Components of one entity, the built-in one not counted.
pub const MAX_COMPONENTS_PER_ENTITY: usize = 64;
/// Columns (fields) of one chunk, the built-in ones included.
pub const MAX_COLUMNS: usize = 256;
/// Packed bytes of the largest possible row of an archetype: what must fit one packet of a reliable lane.
pub const MAX_ROW_BYTES: usize = 24 * 1024;
/// Rows of one chunk.
pub const SLOTS: usize = 64;
/// Chunks of a world: a full one per 64 entities, and a started one per archetype.
pub const MAX_CHUNKS: usize = MAX_ENTITIES / SLOTS + MAX_ARCHETYPES;
/// Parents above one entity.
pub const MAX_PARENT_DEPTH: usize = 64;

/// The bounds that a session may lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorldLimits {
    /// Entities alive at once, at most [`MAX_ENTITIES`].
    pub entities: usize,
    /// Archetypes, at most [`MAX_ARCHETYPES`].
    pub archetypes: usize,
}

impl Default for WorldLimits {
    fn default() -> Self {
        Self { entities: MAX_ENTITIES, archetypes: MAX_ARCHETYPES }
    }
}

impl WorldLimits {
    /// Chunks that these limits can lead to.
    pub fn chunks(&self) -> usize {
        (self.entities / SLOTS + self.archetypes).min(MAX_CHUNKS)
    }
}
