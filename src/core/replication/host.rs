//! The host's side: what every link has acknowledged, what is on its way, and the parts of each tick.
//!
//! The session calls [`HostReplication::ingest`] once per sealed tick, then [`HostReplication::build`] for each link,
//! says under which sequence it sent each part, and passes acknowledgements on.
//!
//! A chunk whose rows do not fit datagrams goes on the reliable lane. While it is on its way the link's deltas of that
//! chunk are coded against it, in datagrams of their own: the first one that is acknowledged proves that it arrived,
//! so the reliable lane needs no acknowledgement. Only so many bytes are on that lane at a time; the rest waits.

mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ReplicationError;
use super::assembly::own_bytes;
use super::codec::{self, SlotRange};
use super::entry::{self, Baseline, Header};
use super::frozen::Frozen;
use super::history::{ChunkHashes, Difference, History, Verdict};
use super::limits::{HEADER_BYTES, HostLimits, PIECE_BYTES};
use super::snapshot::Snapshot;
use crate::mutants::{Mutant, Mutants};
use crate::schema::Schema;
use crate::types::{ChunkId, Tick};
use crate::wire::bits::BitWriter;
use crate::wire::limits::MAX_HASH_CHUNKS;
use crate::world::{Archetype, ArchetypeDef, ArchetypeId, Chunk, SealedTick, hash};
pub use parts::{DeltaPart, LinkTick};

/// A link as the session names it. Never reused while the host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey(pub u64);

/// What a snapshot shows.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Everything: deltas begin after its acknowledgement.
    World,
    /// These chunks, which differ: their deltas pause until its acknowledgement.
    Chunks(&'a [ChunkId]),
}

/// Which chunk versions a packet carries. Given back to [`HostReplication::on_sent`].
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    items: Vec<ReceiptItem>,
}

#[derive(Clone, Debug)]
struct ReceiptItem {
    chunk: Arc<Chunk>,
    range: SlotRange,
    generation: u32,
}

/// A version on its way on the reliable lane.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    chunk: Arc<Chunk>,
    since: Tick,
    bytes: usize,
}

/// What a link has of one chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct LinkChunk {
    /// The newest version that it acknowledged whole.
    pub(super) acked: Option<Arc<Chunk>>,
    /// Slots it acknowledged of a newer version.
    pub(super) partial: Option<(Tick, u64)>,
    /// A version that is on its way on the reliable lane.
    pub(super) pending: Option<Pending>,
    /// Raised when what was sent before says nothing any more.
    pub(super) generation: u32,
    /// It may have a version, even if none is acknowledged.
    pub(super) sent: bool,
    /// A repair is on its way.
    pub(super) is_paused: bool,
    /// It is frozen and `acked` is no longer the world's.
    pub(super) is_kept: bool,
    /// The version acknowledged before `acked`, for [`Mutant::ReuseStaleBaseline`].
    #[cfg(feature = "mutants")]
    pub(super) stale: Option<Arc<Chunk>>,
}

impl LinkChunk {
    /// What was acknowledged, or is on its way, as something that a version with this archetype can be coded against. A
    /// chunk that was empty may have been given another archetype: its rows have other columns then.
    fn baseline(&self, archetype: ArchetypeId) -> Option<&Arc<Chunk>> {
        self.acked.as_ref().filter(|acked| acked.archetype.id == archetype)
    }

    /// Of this version, as far as the host knows.
    pub(super) fn holding(chunk: &Arc<Chunk>) -> Self {
        Self { acked: Some(Arc::clone(chunk)), sent: true, ..Self::default() }
    }

    fn hold(&mut self, chunk: &Arc<Chunk>) {
        if self.acked.as_ref().is_some_and(|acked| acked.tick >= chunk.tick) {
            return;
        }
        #[cfg(feature = "mutants")]
        {
            self.stale.clone_from(&self.acked);
        }
        self.acked = Some(Arc::clone(chunk));
        if self.pending.as_ref().is_some_and(|pending| pending.chunk.tick <= chunk.tick) {
            self.pending = None;
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct SentSnapshot {
    chunks: Vec<Arc<Chunk>>,
    pub(super) is_join: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct LinkState {
    /// Deltas flow.
    is_live: bool,
    pub(super) chunks: BTreeMap<ChunkId, LinkChunk>,
    pub(super) in_flight: BTreeMap<u64, (Tick, Receipt)>,
    pub(super) snapshots: BTreeMap<u32, SentSnapshot>,
    /// Archetypes below this number were sent.
    pub(super) archetypes_sent: u32,
    /// Nobody is there, see `frozen`.
    pub(super) frozen: Option<Frozen>,
}

/// The rows of one chunk version against one baseline, in ranges that fit.
#[derive(Clone, Debug)]
struct Encoding {
    version: Tick,
    baseline: Tick,
    budget: usize,
    reliable: bool,
    ranges: Vec<(SlotRange, Vec<u8>)>,
}

impl Encoding {
    fn bytes(&self) -> usize {
        self.ranges.iter().map(|(_, body)| body.len()).sum()
    }
}

/// The host's replication to all links.
#[derive(Clone, Debug)]
pub struct HostReplication {
    pub(super) mutants: Mutants,
    pub(super) links: BTreeMap<LinkKey, LinkState>,
    pub(super) chunks: BTreeMap<ChunkId, Arc<Chunk>>,
    schema: Arc<Schema>,
    limits: HostLimits,
    tick: Tick,
    archetypes: Vec<Arc<Archetype>>,
    cache: BTreeMap<ChunkId, Vec<Arc<Encoding>>>,
    history: History,
    writer: BitWriter,
}

impl HostReplication {
    /// No tick, no link.
    pub fn new(schema: Arc<Schema>, limits: HostLimits) -> Self {
        Self {
            schema,
            tick: Tick::ZERO,
            chunks: BTreeMap::new(),
            archetypes: Vec::new(),
            links: BTreeMap::new(),
            cache: BTreeMap::new(),
            history: History::new(limits.history_ticks),
            writer: BitWriter::new(),
            mutants: Mutants::NONE,
            limits,
        }
    }

    /// Plants a bug.
    #[cfg(feature = "mutants")]
    pub fn set_mutant(&mut self, mutant: Option<Mutant>) {
        self.mutants = mutant.into();
    }

    /// The newest tick.
    pub const fn tick(&self) -> Tick {
        self.tick
    }

    /// Takes a sealed tick in. One that is not newer than the last is ignored.
    pub fn ingest(&mut self, sealed: &SealedTick) {
        if sealed.tick <= self.tick {
            return;
        }
        self.tick = sealed.tick;
        for chunk in &sealed.changed {
            self.chunks.insert(chunk.id, Arc::clone(chunk));
            self.cache.remove(&chunk.id);
        }
        if self.archetypes.len() != sealed.archetypes.len() {
            self.archetypes.clone_from(&sealed.archetypes);
        }
        self.history.push(sealed);
        let expired = self.tick.0.saturating_sub(self.limits.in_flight_ticks);
        for link in self.links.values_mut() {
            link.in_flight.retain(|_, (tick, _)| tick.0 >= expired);
            link.keep(&sealed.changed, self.limits.frozen_bytes);
        }
    }

    /// Begins a link anew: it holds nothing.
    pub fn add_link(&mut self, key: LinkKey) {
        self.links.insert(key, LinkState::default());
    }

    /// Forgets a link.
    pub fn remove_link(&mut self, key: LinkKey) {
        self.links.remove(&key);
    }

    /// True once the link acknowledged its join snapshot.
    pub fn is_live(&self, key: LinkKey) -> bool {
        self.links.get(&key).is_some_and(|link| link.is_live)
    }

    /// A snapshot of the newest tick. Deltas (of the chunks in scope) wait for its acknowledgement.
    ///
    /// # Errors
    /// Without such a link, before the first tick, or with too many snapshots under way.
    pub fn begin_snapshot(
        &mut self,
        key: LinkKey,
        id: u32,
        scope: Scope<'_>,
    ) -> Result<Snapshot, ReplicationError> {
        if self.tick == Tick::ZERO {
            return Err(ReplicationError::NoTick(self.tick));
        }
        let link = self.links.get_mut(&key).ok_or(ReplicationError::NoLink(key.0))?;
        if link.snapshots.len() >= self.limits.snapshots {
            return Err(ReplicationError::OverLimit {
                what: "snapshots under way",
                actual: link.snapshots.len() + 1,
                limit: self.limits.snapshots,
            });
        }
        let mut chunks: Vec<Arc<Chunk>> = match scope {
            Scope::World => self.chunks.values().filter(|chunk| !chunk.is_empty()).cloned().collect(),
            Scope::Chunks(ids) => {
                let ids: BTreeSet<ChunkId> = ids.iter().copied().collect();
                ids.iter().filter_map(|id| self.chunks.get(id)).cloned().collect()
            }
        };
        chunks.sort_by_key(|chunk| chunk.id);
        let is_join = matches!(scope, Scope::World);
        if is_join {
            let sent = core::mem::take(link);
            // What was on its way before says nothing about the new state; numbers go on.
            link.chunks = sent.chunks;
            link.chunks.values_mut().for_each(|chunk| {
                *chunk = LinkChunk { generation: chunk.generation + 1, ..LinkChunk::default() };
            });
        } else {
            for chunk in &chunks {
                let state = link.chunks.entry(chunk.id).or_default();
                *state = LinkChunk {
                    generation: state.generation + 1,
                    is_paused: true,
                    sent: true,
                    ..LinkChunk::default()
                };
            }
        }
        let sent = link.archetypes_sent;
        let archetypes = self.archetypes.iter().filter(|archetype| archetype.id.0 >= sent);
        let archetypes: Vec<ArchetypeDef> = archetypes.map(|archetype| archetype.definition()).collect();
        link.archetypes_sent = self.archetypes.last().map_or(0, |last| last.id.0 + 1);
        link.snapshots.insert(id, SentSnapshot { chunks: chunks.clone(), is_join });
        let fold = hash::fold(chunks.iter().map(|chunk| (chunk.id, chunk.hash)));
        let pieces = self.pieces(&chunks, fold);
        Ok(Snapshot { id, tick: self.tick, archetypes, pieces })
    }

    fn pieces(&mut self, chunks: &[Arc<Chunk>], fold: u64) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        let mut piece = fold.to_le_bytes().to_vec();
        let mut previous = None;
        for chunk in chunks {
            let encoding = self.encode(chunk, None, PIECE_BYTES - 64);
            for (range, body) in &encoding.ranges {
                let header = Header {
                    chunk: chunk.id,
                    version: chunk.tick,
                    baseline: Baseline::None(chunk.archetype.id),
                    range: *range,
                    hash: Some(chunk.hash),
                };
                // A payload names a chunk once; its next range begins the next piece.
                if previous == Some(chunk.id) || piece.len() + HEADER_BYTES + 8 + body.len() > PIECE_BYTES {
                    pieces.push(core::mem::replace(&mut piece, fold.to_le_bytes().to_vec()));
                    previous = None;
                }
                entry::put(previous, self.tick, &header, body, &mut piece);
                previous = Some(chunk.id);
            }
        }
        pieces.push(piece);
        pieces
    }

    /// The peer holds this snapshot whole. True when it was awaited.
    pub fn on_snapshot_ack(&mut self, key: LinkKey, id: u32) -> bool {
        let Some(link) = self.links.get_mut(&key) else { return false };
        let Some(snapshot) = link.snapshots.remove(&id) else { return false };
        for chunk in &snapshot.chunks {
            let state = link.chunks.entry(chunk.id).or_default();
            state.sent = true;
            state.is_paused = false;
            state.hold(chunk);
        }
        link.is_live |= snapshot.is_join;
        true
    }

    /// The rows of `chunk` against `base`, in ranges whose bodies fit `budget` bytes where one row alone does.
    fn encode(&mut self, chunk: &Arc<Chunk>, base: Option<&Arc<Chunk>>, budget: usize) -> Arc<Encoding> {
        let baseline = base.map_or(Tick::ZERO, |base| base.tick);
        let known = self.cache.get(&chunk.id).and_then(|known| {
            known
                .iter()
                .find(|known| (known.version, known.baseline, known.budget) == (chunk.tick, baseline, budget))
        });
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let mut encoding =
            Encoding { version: chunk.tick, baseline, budget, reliable: false, ranges: Vec::new() };
        let mut limit = budget;
        let mut stack = vec![SlotRange::ALL];
        while let Some(range) = stack.pop() {
            self.writer.clear();
            codec::encode(chunk, base.map(|base| &**base), range, self.mutants, &mut self.writer);
            let body = self.writer.bytes();
            if body.len() > limit {
                if let Some((low, high)) = range.halves() {
                    stack.extend([high, low]);
                    continue;
                }
                if !encoding.reliable {
                    // One row is too much for a datagram: the whole chunk takes the reliable lane.
                    encoding.reliable = true;
                    encoding.ranges.clear();
                    limit = PIECE_BYTES - 64;
                    stack = vec![SlotRange::ALL];
                    continue;
                }
            }
            encoding.ranges.push((range, body.to_vec()));
        }
        let encoding = Arc::new(encoding);
        let cached = self.cache.entry(chunk.id).or_default();
        if cached.len() >= self.limits.cached_encodings {
            cached.remove(0);
        }
        cached.push(Arc::clone(&encoding));
        encoding
    }

    /// Notes under which number a part went out in a datagram; numbers rise. Parts on the reliable lane need no note.
    pub fn on_sent(&mut self, key: LinkKey, number: impl Into<u64>, receipt: Receipt) {
        let number = number.into();
        let (tick, limit, skip) =
            (self.tick, self.limits.in_flight, self.mutants.active(Mutant::SkipAckCheck));
        let Some(link) = self.links.get_mut(&key) else { return };
        link.in_flight.insert(number, (tick, receipt));
        while link.in_flight.len() > limit {
            link.in_flight.pop_first();
        }
        if skip {
            self.on_ack(key, number);
        }
    }

    /// The peer applied everything in the packet with this number. An unknown one is ignored: it was acknowledged
    /// before, or has expired.
    pub fn on_ack(&mut self, key: LinkKey, number: impl Into<u64>) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let Some((_, receipt)) = link.in_flight.remove(&number.into()) else { return };
        for item in receipt.items {
            let Some(state) = link.chunks.get_mut(&item.chunk.id) else { continue };
            if state.generation != item.generation || state.is_paused {
                continue;
            }
            let mask = item.range.mask();
            let covered = match state.partial {
                Some((tick, covered)) if tick == item.chunk.tick => covered | mask,
                Some((tick, _)) if tick > item.chunk.tick && mask != u64::MAX => continue,
                _ => mask,
            };
            if covered == u64::MAX {
                state.partial = state.partial.filter(|(tick, _)| *tick > item.chunk.tick);
                state.hold(&item.chunk);
            } else {
                state.partial = Some((item.chunk.tick, covered));
            }
        }
    }

    /// The packet with this number is lost for certain: nothing will acknowledge it.
    pub fn on_lost(&mut self, key: LinkKey, number: impl Into<u64>) {
        if let Some(link) = self.links.get_mut(&key) {
            link.in_flight.remove(&number.into());
        }
    }

    /// The peer has no baseline for this chunk: it gets the whole of it with the next tick. A chunk that is on its way
    /// on the reliable lane, or in a repair, comes anyway; unless it has been on that lane for so long that it must
    /// have come, and was of no use there.
    pub fn reset_chunk(&mut self, key: LinkKey, chunk: ChunkId) {
        let (tick, patience) = (self.tick, self.limits.in_flight_ticks);
        let Some(state) = self.links.get_mut(&key).and_then(|link| link.chunks.get_mut(&chunk)) else {
            return;
        };
        let comes = state.pending.as_ref().is_some_and(|pending| tick.since(pending.since) < patience);
        if !comes && !state.is_paused {
            *state = LinkChunk { generation: state.generation + 1, sent: true, ..LinkChunk::default() };
        }
    }

    /// The definitions of these archetypes, as far as there are such.
    pub fn definitions(&self, wanted: &BTreeSet<u32>) -> Vec<ArchetypeDef> {
        let found = self.archetypes.iter().filter(|archetype| wanted.contains(&archetype.id.0));
        found.map(|archetype| archetype.definition()).collect()
    }

    /// The fold of a tick, while it is kept.
    pub fn fold(&self, tick: Tick) -> Option<u64> {
        self.history.fold(tick)
    }

    /// Compares the fold that a link reports. Every link sees everything so far, so all are compared with the same.
    pub fn compare(&self, key: LinkKey, tick: Tick, fold: u64) -> Verdict {
        if self.links.contains_key(&key) { self.history.compare(tick, fold) } else { Verdict::Unknown }
    }

    /// Chunks whose reported hash is not the host's. A report as long as messages allow counts as cut: chunks behind
    /// its last one are not missed.
    pub fn differing_chunks(&self, tick: Tick, reported: &[ChunkHashes]) -> Vec<ChunkId> {
        self.history.differing_chunks(tick, reported, reported.len() >= MAX_HASH_CHUNKS)
    }

    /// The chunks behind `last`, ascending; all of them without one.
    pub fn chunks_after(&self, last: Option<ChunkId>) -> Vec<ChunkId> {
        self.chunks.keys().copied().filter(|chunk| last.is_none_or(|last| *chunk > last)).collect()
    }

    /// How many of these chunks, from the first, have at most so many bytes together; at least one.
    pub fn chunks_within(&self, chunks: &[ChunkId], bytes: usize) -> usize {
        let mut sum = 0;
        let fits = |chunk: &&ChunkId| {
            sum += self.chunks.get(chunk).map_or(0, |chunk| own_bytes(chunk, None));
            sum <= bytes
        };
        chunks.iter().take_while(fits).count().max(1)
    }

    /// What differs in the reported chunks, by component and field.
    pub fn chunk_differences(&self, tick: Tick, reported: &[ChunkHashes]) -> Vec<Difference> {
        self.history.differences(&self.schema, tick, reported)
    }
}
