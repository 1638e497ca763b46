//! The peer's side: chunk versions as they arrive, ticks as they become complete, frames as they are published.
//!
//! A part of a tick brings chunk versions; they are kept as baselines and never shown by themselves. When all parts of
//! a tick were applied, its state is the newest version of each chunk that is not newer than the tick, and that is a
//! frame. Frames come in ascending ticks; a tick that becomes complete after a later one is not shown.
//!
//! What the host says is checked: contradictions are errors and change nothing. A baseline that is not here (it may
//! have been lost with an acknowledgement) is no error: the part is not acknowledged and the chunk is asked for.

mod inspect;
mod versions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::ReplicationError;
use super::assembly::{Assembly, own_bytes};
use super::entry::{Baseline, Entries, Entry};
use super::lifecycle::{self, Lifecycle};
use super::limits::{MAX_PARTS, ReplicaLimits};
use super::snapshot::{Assembling, SnapshotProgress};
use crate::mutants::{Mutant, Mutants};
use crate::schema::Schema;
use crate::types::{ChunkId, Tick};
use crate::world::limits::SLOTS;
use crate::world::{ArchetypeDef, ArchetypeId, ArchetypeTable, Chunk, Frame, WorldLimits};
use versions::ReplicaChunk;

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOutcome {
    /// All of it is applied: acknowledge its packet.
    Applied,
    /// It was applied before: acknowledge its packet.
    Duplicate,
    /// It is too old to matter.
    Stale,
    /// Not all of it could be applied: do not acknowledge its packet.
    Missing {
        /// Chunks whose baseline is not here: ask for them.
        chunks: Vec<ChunkId>,
        /// Archetypes whose definition is not here yet: it is on its way.
        archetypes: Vec<ArchetypeId>,
    },
}

/// Which parts of a tick are here.
#[derive(Clone, Debug)]
struct OpenTick {
    count: u16,
    received: Vec<u64>,
    missing: u16,
}

/// A peer's replica of the host's world.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: Arc<Schema>,
    limits: ReplicaLimits,
    archetypes: ArchetypeTable,
    chunks: BTreeMap<ChunkId, ReplicaChunk>,
    ticks: BTreeMap<Tick, OpenTick>,
    assembling: Option<Assembling>,
    has_joined: bool,
    /// Ticks before it were overtaken by a snapshot.
    floor: Tick,
    newest_complete: Tick,
    frames: VecDeque<Arc<Frame>>,
    published: VecDeque<Arc<Frame>>,
    events: VecDeque<Lifecycle>,
    state_bytes: usize,
    mutants: Mutants,
}

impl Replica {
    /// Holds nothing until a join snapshot is complete.
    pub fn new(schema: Arc<Schema>, limits: ReplicaLimits) -> Self {
        Self {
            archetypes: ArchetypeTable::new(Arc::clone(&schema), limits.archetypes),
            schema,
            chunks: BTreeMap::new(),
            ticks: BTreeMap::new(),
            assembling: None,
            has_joined: false,
            floor: Tick::ZERO,
            newest_complete: Tick::ZERO,
            frames: VecDeque::new(),
            published: VecDeque::new(),
            events: VecDeque::new(),
            state_bytes: 0,
            mutants: Mutants::NONE,
            limits,
        }
    }

    /// The planted bug of the machine that this replica belongs to.
    pub(crate) const fn set_mutants(&mut self, mutants: Mutants) {
        self.mutants = mutants;
    }

    /// Plants a bug.
    #[cfg(feature = "mutants")]
    pub fn set_mutant(&mut self, mutant: Option<Mutant>) {
        self.mutants = mutant.into();
    }

    /// What its components are.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Takes archetype definitions. Known ones are compared.
    pub fn add_archetypes(&mut self, definitions: &[ArchetypeDef]) -> Result<(), ReplicationError> {
        definitions
            .iter()
            .try_for_each(|definition| self.archetypes.define(definition))
            .map_err(ReplicationError::from)
    }

    /// Takes a piece of a snapshot. Pieces come in order; the first of another snapshot drops one under assembly.
    ///
    /// # Errors
    /// Whatever contradicts itself; then nothing was applied, and the replica is what it was.
    pub fn snapshot_piece(
        &mut self,
        id: u32,
        tick: Tick,
        index: u32,
        count: u32,
        is_repair: bool,
        payload: &[u8],
    ) -> Result<SnapshotProgress, ReplicationError> {
        if index == 0 {
            if is_repair && !self.has_joined {
                return Err(ReplicationError::BadMessage("a repair before the join snapshot"));
            }
            self.assembling = Some(Assembling::new(id, tick, count, is_repair)?);
        }
        let max_chunks = self.max_chunks();
        let Some(assembling) = &mut self.assembling else {
            return Err(ReplicationError::BadMessage("a piece of a snapshot whose first one is not here"));
        };
        if (assembling.id, assembling.tick, assembling.is_repair) != (id, tick, is_repair) {
            self.assembling = None;
            return Err(ReplicationError::BadMessage("a piece of another snapshot"));
        }
        let max_bytes = self.limits.state_bytes;
        match assembling.add(index, count, payload, &self.archetypes, max_chunks, max_bytes) {
            Ok(false) => Ok(assembling.progress()),
            Ok(true) => {
                let chunks = self.assembling.take().map_or_else(|| Ok(Vec::new()), Assembling::finish)?;
                self.apply_snapshot(tick, is_repair, chunks)?;
                Ok(SnapshotProgress::Complete { tick })
            }
            Err(error) => {
                self.assembling = None;
                Err(error)
            }
        }
    }

    fn max_chunks(&self) -> usize {
        WorldLimits { entities: self.limits.entities, archetypes: self.limits.archetypes }.chunks()
    }

    fn apply_snapshot(
        &mut self,
        tick: Tick,
        is_repair: bool,
        mut chunks: Vec<Arc<Chunk>>,
    ) -> Result<(), ReplicationError> {
        if is_repair && self.mutants.active(Mutant::SkipRepair) {
            return Ok(());
        }
        if self.mutants.active(Mutant::ApplyHalfSnapshot) {
            chunks.truncate(chunks.len() / 2);
        }
        if is_repair {
            self.check_growth(&chunks)?;
        } else {
            self.check_entities(chunks.iter())?;
            self.chunks.clear();
            self.ticks.clear();
            self.state_bytes = 0;
            self.has_joined = true;
        }
        for chunk in chunks {
            let known = self.chunks.entry(chunk.id).or_default();
            self.state_bytes -= known.bytes();
            let bytes = own_bytes(&chunk, None);
            self.state_bytes += bytes;
            *known = ReplicaChunk::of(chunk, bytes);
        }
        // Ticks before it cannot be told any more.
        self.floor = self.floor.max(tick);
        self.ticks = self.ticks.split_off(&self.floor);
        if !is_repair && tick > self.newest_complete {
            self.publish(tick);
        }
        self.shrink()
    }

    /// Refuses new versions that would lead to too many chunks or entities.
    fn check_growth(&self, new: &[Arc<Chunk>]) -> Result<(), ReplicationError> {
        let ids: BTreeSet<ChunkId> = new.iter().map(|chunk| chunk.id).collect();
        self.check_chunks(ids.iter())?;
        let kept = self.chunks.iter().filter(|(id, _)| !ids.contains(id));
        self.check_entities(kept.filter_map(|(_, known)| known.newest()).chain(new))
    }

    fn check_chunks<'a>(&self, new: impl Iterator<Item = &'a ChunkId>) -> Result<(), ReplicationError> {
        let actual = self.chunks.len() + new.filter(|id| !self.chunks.contains_key(id)).count();
        let limit = self.max_chunks();
        if actual > limit {
            return Err(ReplicationError::OverLimit { what: "chunks", actual, limit });
        }
        Ok(())
    }

    fn check_entities<'a>(
        &self,
        chunks: impl Iterator<Item = &'a Arc<Chunk>>,
    ) -> Result<(), ReplicationError> {
        let count: usize = chunks.map(|chunk| chunk.len()).sum();
        if count > self.limits.entities {
            return Err(ReplicationError::OverLimit {
                what: "entities",
                actual: count,
                limit: self.limits.entities,
            });
        }
        Ok(())
    }

    /// Takes part `part` of `part_count` of a tick's delta.
    ///
    /// # Errors
    /// Whatever contradicts itself or passes a limit; then nothing of the part was applied.
    pub fn delta(
        &mut self,
        tick: Tick,
        part: u16,
        part_count: u16,
        payload: &[u8],
    ) -> Result<PartOutcome, ReplicationError> {
        if tick == Tick::ZERO || part >= part_count || part_count as usize > MAX_PARTS {
            return Err(ReplicationError::BadMessage("the part's number, count or tick"));
        }
        let too_old = tick.0.saturating_add(self.limits.frames as u32) < self.newest_complete.0;
        if !self.has_joined || too_old {
            return Ok(PartOutcome::Stale);
        }
        if let Some(open) = self.ticks.get(&tick) {
            if open.count != part_count {
                return Err(ReplicationError::BadMessage("two part counts of one tick"));
            }
            if open.received[part as usize / 64] >> (part % 64) & 1 == 1 {
                return Ok(PartOutcome::Duplicate);
            }
        }
        let (mut chunks, mut archetypes) = (Vec::new(), Vec::new());
        let mut assemblies = Vec::new();
        let mut is_stale = false;
        for entry in Entries::new(payload, tick, false) {
            match self.stage(&entry?)? {
                Staged::Known => {}
                Staged::Assembly(id, baseline, assembly) => assemblies.push((id, baseline, *assembly)),
                Staged::NoBaseline(chunk) => chunks.push(chunk),
                Staged::NoArchetype(archetype) => archetypes.push(archetype),
                Staged::Stale => is_stale = true,
            }
        }
        self.commit(assemblies)?;
        if !chunks.is_empty() || !archetypes.is_empty() {
            return Ok(PartOutcome::Missing { chunks, archetypes });
        }
        if is_stale {
            return Ok(PartOutcome::Stale);
        }
        if tick > self.newest_complete && tick >= self.floor {
            self.note_part(tick, part, part_count);
        }
        Ok(PartOutcome::Applied)
    }

    /// Decodes one entry beside the state.
    fn stage(&self, entry: &Entry<'_>) -> Result<Staged, ReplicationError> {
        let header = &entry.header;
        let known = self.chunks.get(&header.chunk);
        let newest = known.and_then(ReplicaChunk::newest);
        if known.is_some_and(|known| known.version(header.version).is_some()) {
            return Ok(Staged::Known);
        }
        let (base, archetype) = match header.baseline {
            Baseline::None(id) => match self.archetypes.get(id) {
                None => return Ok(Staged::NoArchetype(id)),
                Some(archetype) => (None, archetype),
            },
            Baseline::Tick(tick) => {
                let mut base = known.and_then(|known| known.version(tick));
                if self.mutants.active(Mutant::AcceptStaleDelta) {
                    base = newest;
                }
                match base {
                    Some(base) => (Some(base), &base.archetype),
                    // A version older than what is here is of no use; a newer one is.
                    None if newest.is_some_and(|newest| newest.tick > header.version) => {
                        return Ok(Staged::Stale);
                    }
                    None => return Ok(Staged::NoBaseline(header.chunk)),
                }
            }
        };
        let begun =
            known.and_then(|known| known.assemblies.iter().find(|other| other.version == header.version));
        if begun.is_none() && known.is_some_and(|known| header.version <= known.given_up) {
            return Ok(Staged::Stale);
        }
        let mut assembly = match begun {
            Some(begun) if begun.archetype().id != archetype.id => {
                return Err(ReplicationError::BadRows { chunk: header.chunk, problem: "two archetypes" });
            }
            Some(begun) => begun.clone(),
            None => Assembly::new(header.chunk, archetype, header.version, base),
        };
        match assembly.add(base, header.range, entry.body) {
            // Whichever side is wrong, the chunk as a whole puts it right.
            Err(ReplicationError::Misfit(chunk)) => return Ok(Staged::NoBaseline(chunk)),
            added => added?,
        }
        let baseline = if let Baseline::Tick(tick) = header.baseline { tick } else { Tick::ZERO };
        Ok(Staged::Assembly(header.chunk, baseline, Box::new(assembly)))
    }

    /// Makes decoded entries part of the state: all of them, or, on an error, none.
    fn commit(&mut self, assemblies: Vec<(ChunkId, Tick, Assembly)>) -> Result<(), ReplicationError> {
        let mut finished = Vec::with_capacity(assemblies.len());
        let mut begun = Vec::new();
        for (id, baseline, assembly) in assemblies {
            if assembly.is_whole() {
                finished.push((baseline, assembly.finish()?));
            } else {
                begun.push((id, baseline, assembly));
            }
        }
        let new = finished.iter().map(|(_, chunk)| &chunk.id).chain(begun.iter().map(|(id, ..)| id));
        self.check_chunks(new)?;
        if finished.iter().any(|(_, chunk)| {
            self.chunks
                .get(&chunk.id)
                .is_none_or(|known| known.newest().map_or(0, |old| old.len()) < chunk.len())
        }) {
            let new: Vec<Arc<Chunk>> = finished.iter().map(|(_, chunk)| Arc::clone(chunk)).collect();
            self.check_growth(&new)?;
        }
        for (id, baseline, assembly) in begun {
            let known = self.chunks.entry(id).or_default();
            known.newest_baseline = known.newest_baseline.max(baseline);
            self.state_bytes -= known.drop_assembly(assembly.version);
            self.state_bytes += assembly.bytes();
            known.assemblies.push(assembly);
            known.assemblies.sort_by_key(|other| other.version);
            if known.assemblies.len() > self.limits.assemblies {
                let oldest = known.assemblies.remove(0);
                self.state_bytes -= oldest.bytes();
                known.given_up = known.given_up.max(oldest.version);
            }
        }
        for (baseline, chunk) in finished {
            self.insert(baseline, chunk);
        }
        self.shrink()
    }

    fn insert(&mut self, baseline: Tick, chunk: Arc<Chunk>) {
        // The oldest tick that a kept or coming frame can still ask for.
        let horizon = self.frames.front().map_or(self.newest_complete, |frame| frame.tick);
        let limit = self.limits.versions;
        let known = self.chunks.entry(chunk.id).or_default();
        known.newest_baseline = known.newest_baseline.max(baseline);
        self.state_bytes -= known.bytes();
        let overtaken = known.insert(chunk, horizon, self.newest_complete, limit);
        self.state_bytes += known.bytes();
        // The state of a tick before that is gone: it cannot be shown any more, whatever still comes of it.
        if overtaken > self.floor {
            self.floor = overtaken;
            self.ticks = self.ticks.split_off(&overtaken);
        }
    }

    /// Keeps the bytes of all versions within their limit, at the cost of history.
    fn shrink(&mut self) -> Result<(), ReplicationError> {
        let limit = self.limits.state_bytes;
        while self.state_bytes > limit && self.frames.len() > 2 {
            self.frames.pop_front();
            let horizon = self.frames[0].tick;
            for known in self.chunks.values_mut() {
                while known.versions.len() > 2 && known.versions[1].0.tick <= horizon {
                    self.state_bytes -= known.versions.pop_front().map_or(0, |(_, bytes)| bytes);
                }
            }
        }
        if self.state_bytes > limit {
            return Err(ReplicationError::OverLimit {
                what: "bytes of state",
                actual: self.state_bytes,
                limit,
            });
        }
        Ok(())
    }

    fn note_part(&mut self, tick: Tick, part: u16, part_count: u16) {
        let open = self.ticks.entry(tick).or_insert_with(|| OpenTick {
            count: part_count,
            received: vec![0; (part_count as usize).div_ceil(64)],
            missing: part_count,
        });
        open.received[part as usize / 64] |= 1 << (part % 64);
        open.missing -= 1;
        if open.missing == 0 {
            self.publish(tick);
        } else if self.ticks.len() > self.limits.open_ticks {
            self.ticks.pop_first();
        }
    }

    /// The tick is complete: its state is a frame, and what came and went are events.
    fn publish(&mut self, tick: Tick) {
        self.newest_complete = tick;
        self.ticks = self.ticks.split_off(&tick.next());
        let chunks =
            self.chunks.values().filter_map(|known| known.at(tick)).filter(|chunk| !chunk.is_empty());
        let frame = Arc::new(Frame::new(tick, chunks.cloned().collect()));
        let empty = Frame::empty(Tick::ZERO);
        let before = self.frames.back().map_or(&empty, |frame| &**frame);
        let mut changes = lifecycle::difference(before, &frame);
        if self.mutants.active(Mutant::DropOwnerChange) {
            changes.retain(|change| !matches!(change, Lifecycle::OwnerChanged { .. }));
        }
        if self.mutants.active(Mutant::SpawnTwice) {
            let spawns = changes.iter().filter(|change| matches!(change, Lifecycle::Spawned { .. }));
            changes.extend(spawns.copied().collect::<Vec<_>>());
        }
        self.events.extend(changes);
        self.frames.push_back(Arc::clone(&frame));
        while self.frames.len() > self.limits.frames {
            self.frames.pop_front();
        }
        self.published.push_back(frame);
        // Frames that nobody takes are not kept for them: the newest ones matter.
        while self.published.len() > self.limits.frames {
            self.published.pop_front();
        }
    }

    /// The next frame that was not handed out yet; ascending ticks.
    pub fn poll_frame(&mut self) -> Option<Arc<Frame>> {
        self.published.pop_front()
    }

    /// The next event; each belongs to the frame of its tick.
    pub fn poll_lifecycle(&mut self) -> Option<Lifecycle> {
        self.events.pop_front()
    }

    /// The newest complete tick; [`Tick::ZERO`] before the join snapshot.
    pub const fn newest_complete(&self) -> Tick {
        self.newest_complete
    }

    /// True once a join snapshot was applied.
    pub const fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// Kept frames, ascending.
    pub const fn frames(&self) -> &VecDeque<Arc<Frame>> {
        &self.frames
    }

    /// A kept frame.
    pub fn frame(&self, tick: Tick) -> Option<&Arc<Frame>> {
        self.frames.binary_search_by_key(&tick, |frame| frame.tick).ok().map(|at| &self.frames[at])
    }

    /// The fold of a kept frame.
    pub fn fold(&self, tick: Tick) -> Option<u64> {
        self.frame(tick).map(|frame| frame.fold())
    }

    /// Bytes of all chunk versions and of those under assembly, roughly.
    pub const fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// The most versions and the most assemblies of one chunk: what limits bound.
    pub fn most_held(&self) -> (usize, usize) {
        let versions = self.chunks.values().map(|known| known.versions.len()).max();
        let assemblies = self.chunks.values().map(|known| known.assemblies.len()).max();
        (versions.unwrap_or(0), assemblies.unwrap_or(0))
    }

    /// Chunk versions and assemblies held: what tests bound.
    pub fn held(&self) -> (usize, usize) {
        let versions = self.chunks.values().map(|known| known.versions.len()).sum();
        (versions, self.chunks.values().map(|known| known.assemblies.len()).sum())
    }
}

enum Staged {
    /// It is here already.
    Known,
    /// Decoded.
    Assembly(ChunkId, Tick, Box<Assembly>),
    NoBaseline(ChunkId),
    NoArchetype(ArchetypeId),
    /// Older than what is here, and its baseline is gone.
    Stale,
}

const _: () = assert!(SLOTS == 64, "slot masks are one u64");
