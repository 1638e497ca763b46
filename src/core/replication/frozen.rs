//! What is kept for a link at whose other end nobody is: the baseline it is known to hold, frozen.
//!
//! Chunk versions are shared with the world until the world changes them, so that a frozen baseline costs what changed
//! since, and no more than [`super::HostLimits::frozen_bytes`]: beyond it the baseline is purged, and the link begins
//! with a snapshot when somebody is back. Nothing that was on its way when the link froze counts as arrived.

use std::sync::Arc;

use super::assembly::own_bytes;
use super::host::{HostReplication, LinkChunk, LinkKey, LinkState};
use crate::mutants::Mutant;
use crate::world::Chunk;

/// A link at whose other end nobody is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frozen {
    /// Of versions that the world no longer has.
    bytes: usize,
    is_purged: bool,
}

impl LinkState {
    /// The world is about to let go of these versions: what the link holds of them is its own from now on.
    pub(super) fn keep(&mut self, changed: &[Arc<Chunk>], limit: usize) {
        let Some(frozen) = &mut self.frozen else { return };
        if frozen.is_purged {
            return;
        }
        for chunk in changed {
            if let Some(state) = self.chunks.get_mut(&chunk.id)
                && !state.is_kept
                && let Some(acked) = &state.acked
            {
                state.is_kept = true;
                frozen.bytes += own_bytes(acked, None);
            }
        }
        if frozen.bytes > limit {
            *frozen = Frozen { bytes: 0, is_purged: true };
            self.chunks.clear();
        }
    }
}

impl HostReplication {
    /// Nothing more is sent on a link, and what it is known to hold is kept. Again without effect.
    pub fn freeze(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if link.frozen.is_some() {
            return;
        }
        link.frozen = Some(Frozen::default());
        link.in_flight.clear();
        // A join snapshot is all there is to say; a repair that is under way is given up.
        link.snapshots.retain(|_, snapshot| snapshot.is_join);
        // Definitions go with the first tick again: they may not have arrived, and do no harm twice.
        link.archetypes_sent = 0;
        for state in link.chunks.values_mut() {
            *state = LinkChunk {
                acked: state.acked.take(),
                generation: state.generation + 1,
                sent: state.sent,
                ..LinkChunk::default()
            };
        }
    }

    /// Somebody is there again: deltas go on against what was kept. False when that was purged, or was never there; the
    /// link then begins with a snapshot.
    pub fn thaw(&mut self, key: LinkKey) -> bool {
        let Some(link) = self.links.get_mut(&key) else { return false };
        if link.frozen.is_some_and(|frozen| frozen.is_purged) {
            if !self.mutants.active(Mutant::ThawStale) {
                return false;
            }
            let newest = self.chunks.iter();
            link.chunks = newest.map(|(id, chunk)| (*id, LinkChunk::holding(chunk))).collect();
        }
        link.frozen = None;
        link.chunks.values_mut().for_each(|state| state.is_kept = false);
        true
    }

    /// Bytes that are kept for a frozen link beyond what the world has: what tests bound.
    pub fn frozen_bytes(&self, key: LinkKey) -> usize {
        self.links.get(&key).and_then(|link| link.frozen).map_or(0, |frozen| frozen.bytes)
    }
}
