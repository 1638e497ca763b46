//! Every bound of replication, in one table.

/// Parts of one tick's delta.
pub const MAX_PARTS: usize = 4096;
/// Payload bytes of one piece of a snapshot, and of one delta part on the reliable lane.
pub const PIECE_BYTES: usize = 32 * 1024;
/// Pieces of one snapshot.
pub const MAX_PIECES: u32 = 65_536;
/// Bytes in front of a chunk's rows in a payload, at most.
pub const HEADER_BYTES: usize = 24;
/// Least room a datagram part is built for; a path below it is no path.
pub const MIN_PART_BYTES: usize = 128;

/// The host's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Packets of one link whose acknowledgement is awaited; the oldest counts as lost beyond that.
    pub in_flight: usize,
    /// Ticks after which a packet counts as lost.
    pub in_flight_ticks: u32,
    /// Ticks whose hashes are kept for comparing.
    pub history_ticks: usize,
    /// Encodings of one chunk version (against different baselines) that are kept for other links.
    pub cached_encodings: usize,
    /// Snapshots under way on one link.
    pub snapshots: usize,
    /// Rows on their way to one link on the reliable lane, in bytes; more wait. One chunk goes whatever its size.
    pub pending_bytes: usize,
    /// Bytes of chunk versions that are kept for one link that is frozen, beyond what the world has.
    pub frozen_bytes: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            in_flight: 2048,
            in_flight_ticks: 256,
            history_ticks: 256,
            cached_encodings: 16,
            snapshots: 8,
            pending_bytes: 1 << 20,
            frozen_bytes: 1 << 20,
        }
    }
}

/// The peer's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// Entities alive in one tick.
    pub entities: usize,
    /// Archetypes.
    pub archetypes: usize,
    /// Ticks of frames kept for sampling and hash details.
    pub frames: usize,
    /// Versions of one chunk kept as baselines.
    pub versions: usize,
    /// Chunk versions under assembly from slot ranges, per chunk.
    pub assemblies: usize,
    /// Incomplete ticks under watch.
    pub open_ticks: usize,
    /// Bytes of all chunk versions, and apart from them of a snapshot under assembly; frames go early before this is an
    /// error.
    pub state_bytes: usize,
}

impl Default for ReplicaLimits {
    fn default() -> Self {
        Self {
            entities: crate::world::limits::MAX_ENTITIES,
            archetypes: crate::world::limits::MAX_ARCHETYPES,
            frames: 96,
            versions: 192,
            assemblies: 4,
            open_ticks: 64,
            state_bytes: 512 << 20,
        }
    }
}
