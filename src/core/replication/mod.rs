//! Who gets what, encoded how: the host's deltas against what each peer acknowledged, the peer's replica, and the
//! hashes that prove both equal.
//!
//! The host sends, each tick and to each link, every chunk whose state is newer than what that link acknowledged: all
//! rows that changed since, coded against exactly that version. So any loss heals by itself with the next tick. A
//! tick is complete at a peer when all its parts were applied; only complete ticks become frames.
//! This room knows payload bytes and plain structs; envelopes, lanes and messages are the session's. It must never
//! code against a state the peer has not acknowledged, and never apply a part of a tick to a frame.
//!
//! | file | concern |
//! |---|---|
//! | [`codec`] | rows to bits and back, against a baseline or none |
//! | [`entry`] | chunks in a payload: headers around the rows |
//! | [`host`] | per link: acknowledged versions, what is in flight, the parts of a tick |
//! | `frozen` | what is kept for a link at whose other end nobody is |
//! | [`snapshot`] | full states in pieces: made by the host, assembled by the peer |
//! | [`replica`] | the peer: versions, completeness, frames |
//! | [`lifecycle`] | what came, went and changed hands between two frames |
//! | [`history`] | the host's hashes of past ticks; naming what differs |
//! | [`ack`] | which packets were applied |
//! | [`sample`] | values between and shortly after frames |
//! | [`limits`] | every bound, in one table |

pub mod ack;
mod assembly;
pub mod codec;
pub mod entry;
mod frozen;
pub mod history;
pub mod host;
pub mod lifecycle;
pub mod limits;
pub mod replica;
pub mod sample;
pub mod snapshot;
#[cfg(test)]
mod tests;

pub use history::{ChunkHashes, Difference, Verdict};
pub use host::{DeltaPart, HostReplication, LinkKey, LinkTick, Receipt, Scope};
pub use lifecycle::Lifecycle;
pub use limits::{HostLimits, ReplicaLimits};
pub use replica::{PartOutcome, Replica};
pub use snapshot::{Snapshot, SnapshotProgress};

pub use crate::world::ArchetypeDef;

use crate::types::{ChunkId, Tick};
use crate::wire::WireError;
use crate::world::WorldError;

/// Why a payload or a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicationError {
    /// The bits end too early, or are not spelled as an encoder spells them.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The rows contradict the baseline, the schema or themselves.
    #[error("{chunk:?}: {problem}")]
    BadRows {
        /// In which chunk.
        chunk: ChunkId,
        /// What is wrong.
        problem: &'static str,
    },
    /// A row's change gives a value that cannot be: it was coded against another state than the one held here. With a
    /// host that codes rightly, what is held here is wrong.
    #[error("{0:?}: a change that does not fit the baseline")]
    Misfit(ChunkId),
    /// The message around the payload is wrong.
    #[error("{0}")]
    BadMessage(&'static str),
    /// A snapshot's content does not have the hash it states; nothing of it was applied.
    #[error("snapshot {id}: the content does not have the stated hash")]
    BadSnapshotHash {
        /// Which snapshot.
        id: u32,
    },
    /// A bound is passed.
    #[error("{what}: {actual} is over the limit of {limit}")]
    OverLimit {
        /// Of what.
        what: &'static str,
        /// How much.
        actual: usize,
        /// The bound.
        limit: usize,
    },
    /// An archetype definition is refused.
    #[error(transparent)]
    World(#[from] WorldError),
    /// No such link.
    #[error("link {0} is not known")]
    NoLink(u64),
    /// Nothing was sealed yet.
    #[error("{0} was never sealed")]
    NoTick(Tick),
}
