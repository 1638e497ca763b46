//! The versions of one chunk: baselines for what comes, and the states of ticks that are not complete yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::replication::assembly::{Assembly, own_bytes};
use crate::types::Tick;
use crate::world::Chunk;

#[derive(Clone, Debug, Default)]
pub(super) struct ReplicaChunk {
    /// Ascending by tick; with the bytes that each has for itself.
    pub versions: VecDeque<(Arc<Chunk>, usize)>,
    /// Versions of which not all slots are here.
    pub assemblies: Vec<Assembly>,
    /// The newest version whose assembly was given up. What is left of it comes too late: to take the rest would
    /// acknowledge a version, and complete a tick, of which a part is gone. The host has newer versions by then.
    pub given_up: Tick,
    /// The newest baseline that the host has used.
    pub newest_baseline: Tick,
}

impl ReplicaChunk {
    /// Holds this version alone, which has so many bytes.
    pub fn of(chunk: Arc<Chunk>, bytes: usize) -> Self {
        Self { versions: [(chunk, bytes)].into(), ..Self::default() }
    }

    pub fn newest(&self) -> Option<&Arc<Chunk>> {
        self.versions.back().map(|(chunk, _)| chunk)
    }

    pub fn version(&self, tick: Tick) -> Option<&Arc<Chunk>> {
        let at = self.versions.binary_search_by_key(&tick, |(chunk, _)| chunk.tick).ok()?;
        Some(&self.versions[at].0)
    }

    /// The newest version that is not newer than `tick`.
    pub fn at(&self, tick: Tick) -> Option<&Arc<Chunk>> {
        let after = self.versions.partition_point(|(chunk, _)| chunk.tick <= tick);
        after.checked_sub(1).map(|at| &self.versions[at].0)
    }

    /// Bytes of all it holds.
    pub fn bytes(&self) -> usize {
        let versions = self.versions.iter().map(|(_, bytes)| bytes).sum::<usize>();
        versions + self.assemblies.iter().map(Assembly::bytes).sum::<usize>()
    }

    /// Lets go of the assembly of a version, if there is one; gives the bytes it held.
    pub fn drop_assembly(&mut self, version: Tick) -> usize {
        let at = self.assemblies.iter().position(|other| other.version == version);
        at.map_or(0, |at| self.assemblies.remove(at).bytes())
    }

    /// Takes a version in, and lets go of what nobody needs: baselines before the one in use, as far as no tick from
    /// `horizon` on shows them, and, past `limit` versions, of some more. Gives the first tick whose state is still
    /// here: one before it must not be shown any more. Mostly that is no tick that could be shown anyway.
    pub fn insert(&mut self, chunk: Arc<Chunk>, horizon: Tick, newest_complete: Tick, limit: usize) -> Tick {
        let at = self.versions.partition_point(|(other, _)| other.tick < chunk.tick);
        let before = at.checked_sub(1).map(|at| &*self.versions[at].0);
        let bytes = own_bytes(&chunk, before);
        self.drop_assembly(chunk.tick);
        self.versions.insert(at, (chunk, bytes));
        let is_second_old = |versions: &VecDeque<(Arc<Chunk>, usize)>| versions[1].0.tick <= horizon;
        while self.versions.len() > 1
            && self.versions[0].0.tick < self.newest_baseline
            && is_second_old(&self.versions)
        {
            self.versions.pop_front();
        }
        // Acknowledgements do not get through: the baseline in use and the newest stay, what is between goes. First what
        // ticks to come do not show, since a newer version is not newer than any of them.
        let mut overtaken = Tick::ZERO;
        while self.versions.len() > limit.max(2) {
            if self.versions[2].0.tick > newest_complete.next() {
                overtaken = overtaken.max(self.versions[2].0.tick);
            }
            self.versions.remove(1);
        }
        overtaken
    }
}
