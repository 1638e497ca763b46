//! The host's hashes of past ticks: what reports are compared with, and what names a difference.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::schema::{ENTITY_COMPONENT, Schema, component_id};
use crate::types::{ChunkId, ComponentId, Tick};
use crate::world::{Archetype, SealedTick};

/// What a comparison of folds says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same state.
    Equal,
    /// Not the same state.
    Different,
    /// The tick is too old, or not sealed yet.
    Unknown,
}

/// The hashes of one chunk at a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHashes {
    /// Which chunk.
    pub chunk: ChunkId,
    /// Its hash.
    pub hash: u64,
    /// Those of its columns; empty where only the chunk's was asked for.
    pub columns: Vec<u64>,
}

/// Where a peer's state differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In which chunk.
    pub chunk: ChunkId,
    /// In which component.
    pub component: ComponentId,
    /// In which field of it; zero when the entities themselves differ.
    pub field: u16,
    /// Both by name, for a person.
    pub text: String,
}

#[derive(Clone, Debug)]
struct Version {
    tick: Tick,
    hash: u64,
    is_empty: bool,
    columns: Arc<[u64]>,
    archetype: Arc<Archetype>,
}

/// Hashes of the newest ticks.
#[derive(Clone, Debug)]
pub struct History {
    folds: VecDeque<(Tick, u64)>,
    chunks: BTreeMap<ChunkId, VecDeque<Version>>,
    ticks: usize,
}

impl History {
    /// A history of this many ticks.
    pub const fn new(ticks: usize) -> Self {
        Self { folds: VecDeque::new(), chunks: BTreeMap::new(), ticks }
    }

    /// Takes a sealed tick in.
    pub fn push(&mut self, sealed: &SealedTick) {
        self.folds.push_back((sealed.tick, sealed.frame.fold()));
        while self.folds.len() > self.ticks {
            self.folds.pop_front();
        }
        let oldest = self.folds.front().map_or(Tick::ZERO, |(tick, _)| *tick);
        for chunk in &sealed.changed {
            let versions = self.chunks.entry(chunk.id).or_default();
            versions.push_back(Version {
                tick: chunk.tick,
                hash: chunk.hash,
                is_empty: chunk.is_empty(),
                columns: Arc::clone(&chunk.column_hashes),
                archetype: Arc::clone(&chunk.archetype),
            });
            // The newest version that the oldest kept tick needs stays.
            while versions.get(1).is_some_and(|second| second.tick <= oldest) {
                versions.pop_front();
            }
        }
    }

    /// The fold of a tick.
    pub fn fold(&self, tick: Tick) -> Option<u64> {
        self.folds.binary_search_by_key(&tick, |(tick, _)| *tick).ok().map(|at| self.folds[at].1)
    }

    /// Compares a reported fold.
    pub fn compare(&self, tick: Tick, fold: u64) -> Verdict {
        match self.fold(tick) {
            None => Verdict::Unknown,
            Some(own) if own == fold => Verdict::Equal,
            Some(_) => Verdict::Different,
        }
    }

    fn at(&self, chunk: ChunkId, tick: Tick) -> Option<&Version> {
        let versions = self.chunks.get(&chunk)?;
        let after = versions.partition_point(|version| version.tick <= tick);
        after.checked_sub(1).map(|at| &versions[at])
    }

    /// Chunks whose hash is not the host's, ascending: those that differ, those the host has and the report does not
    /// (up to the last one reported, as a report may be cut), and those only the report has.
    pub fn differing_chunks(&self, tick: Tick, reported: &[ChunkHashes], is_cut: bool) -> Vec<ChunkId> {
        if self.fold(tick).is_none() {
            return Vec::new();
        }
        let theirs: BTreeMap<ChunkId, u64> =
            reported.iter().map(|hashes| (hashes.chunk, hashes.hash)).collect();
        let last = theirs.last_key_value().map(|(chunk, _)| *chunk);
        let mut differing: Vec<ChunkId> = self
            .chunks
            .keys()
            .copied()
            .filter(|chunk| {
                let own =
                    self.at(*chunk, tick).filter(|version| !version.is_empty).map(|version| version.hash);
                let seen = !is_cut || last.is_some_and(|last| *chunk <= last);
                seen && own != theirs.get(chunk).copied()
            })
            .collect();
        differing.extend(theirs.keys().filter(|chunk| !self.chunks.contains_key(chunk)));
        differing.sort_unstable();
        differing
    }

    /// What differs in the reported chunks, by component and field.
    pub fn differences(&self, schema: &Schema, tick: Tick, reported: &[ChunkHashes]) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.fold(tick).is_none() {
            return found;
        }
        for hashes in reported {
            let chunk = hashes.chunk;
            let entities = |problem: &str| Difference {
                chunk,
                component: component_id(ENTITY_COMPONENT),
                field: 0,
                text: format!("{problem} of {chunk:?} at {tick}"),
            };
            let Some(own) = self.at(chunk, tick) else {
                found.push(entities("the existence"));
                continue;
            };
            if own.hash == hashes.hash {
                continue;
            }
            if own.columns.len() != hashes.columns.len() {
                found.push(entities("the archetype, or the existence,"));
                continue;
            }
            let before = found.len();
            for ((own_hash, hash), shape) in
                own.columns.iter().zip(&hashes.columns).zip(&own.archetype.columns)
            {
                if own_hash != hash {
                    let component = schema.component(shape.component);
                    let field = &component.fields[shape.field as usize].desc;
                    found.push(Difference {
                        chunk,
                        component: component.id,
                        field: field.id,
                        text: format!("{}.{} in {chunk:?} at {tick}", component.name(), field.name),
                    });
                }
            }
            if found.len() == before {
                found.push(entities("the entities"));
            }
        }
        found
    }
}
