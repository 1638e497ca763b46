//! Replicated state: snapshots, deltas, their acknowledgements and their hashes. The packed rows inside belong to the
//! replication room; here they are bytes.

use super::roster::{ArchetypeDefinition, RosterPeer};
use super::{Builder, WireEnum, at_most, bytes_of, cow_of, fb, limits, put_bytes};
use crate::types::{ChunkId, Tick};
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Why a snapshot is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum SnapshotReason {
    /// The peer joined, or came back too late for a delta.
    Join = 0,
    /// What the peer sees changed at once: level, role, teleport.
    Topology = 1,
    /// A hash differed; only the chunks named are in it.
    Repair = 2,
}

impl WireEnum for SnapshotReason {
    const ALL: &'static [Self] = &[Self::Join, Self::Topology, Self::Repair];
    const NAME: &'static str = "snapshot reason";

    fn number(self) -> u16 {
        self as u16
    }
}

/// A piece of a full state, on a bulk lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldSnapshot<'a> {
    /// Names the snapshot; [`StateAck::snapshot_id`] acknowledges the whole of it. Never zero.
    pub snapshot_id: u32,
    /// The tick it shows.
    pub tick: Tick,
    /// Term of the log prefix it contains.
    pub log_term: u32,
    /// Index of the log prefix it contains.
    pub log_index: u32,
    /// Which piece, from zero.
    pub chunk: u32,
    /// Of how many; at least one.
    pub chunk_count: u32,
    /// Why it is sent.
    pub reason: SnapshotReason,
    /// The members; in the first piece only.
    pub roster: Vec<RosterPeer>,
    /// Archetypes that this piece or a later one names.
    pub archetypes: Vec<ArchetypeDefinition>,
    /// Packed rows without baseline (docs/protocol.md, "Packed rows").
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
}

impl<'a> WorldSnapshot<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_SNAPSHOT_CHUNKS", self.chunk_count as usize, limits::MAX_SNAPSHOT_CHUNKS)?;
        at_most("MAX_ROSTER", self.roster.len(), limits::MAX_ROSTER)?;
        if self.snapshot_id == 0 || self.chunk >= self.chunk_count {
            return Err(WireError::Malformed("snapshot numbering"));
        }
        if self.chunk > 0 && !self.roster.is_empty() {
            return Err(WireError::Malformed("roster after the first piece"));
        }
        self.roster.iter().try_for_each(RosterPeer::check)?;
        ArchetypeDefinition::check_all(&self.archetypes)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::WorldSnapshot<'static>> {
        let roster: Vec<_> = self.roster.iter().map(|peer| peer.write(builder)).collect();
        let roster = (!roster.is_empty()).then(|| builder.create_vector(&roster));
        let archetypes = ArchetypeDefinition::write_all(&self.archetypes, builder);
        let payload = put_bytes(builder, &self.payload);
        let head = fb::WorldSnapshotHead::new(
            self.snapshot_id,
            self.tick.0,
            self.log_term,
            self.log_index,
            self.chunk,
            self.chunk_count,
            fb::SnapshotReason(self.reason as u8),
        );
        let args = fb::WorldSnapshotArgs { head: Some(&head), roster, archetypes, payload };
        fb::WorldSnapshot::create(builder, &args)
    }

    pub(super) fn read(table: fb::WorldSnapshot<'a>) -> Result<Self, WireError> {
        let head = table.head();
        let roster = table.roster();
        at_most("MAX_ROSTER", roster.map_or(0, |roster| roster.len()), limits::MAX_ROSTER)?;
        let snapshot = Self {
            snapshot_id: head.snapshot_id(),
            tick: Tick(head.tick()),
            log_term: head.log_term(),
            log_index: head.log_index(),
            chunk: head.chunk(),
            chunk_count: head.chunk_count(),
            reason: SnapshotReason::from_number(head.reason().0 as u16)?,
            roster: roster.iter().flatten().map(RosterPeer::read).collect::<Result<_, _>>()?,
            archetypes: ArchetypeDefinition::read_all(table.archetypes())?,
            payload: cow_of(table.payload()),
        };
        snapshot.check()?;
        Ok(snapshot)
    }
}

/// What a delta is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum DeltaMode {
    /// A state the peer acknowledged.
    Ack = 0,
    /// The previous frame sent.
    Chain = 1,
}

impl WireEnum for DeltaMode {
    const ALL: &'static [Self] = &[Self::Ack, Self::Chain];
    const NAME: &'static str = "delta mode";

    fn number(self) -> u16 {
        self as u16
    }
}

/// What changed, or a part of it: a tick is complete when all `part_count` parts have been applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentDelta<'a> {
    /// The tick it leads to.
    pub tick: Tick,
    /// Term of the log prefix the tick contains.
    pub log_term: u32,
    /// Index of the log prefix the tick contains.
    pub log_index: u32,
    /// What the rows are relative to.
    pub mode: DeltaMode,
    /// Newest input of this peer that the tick contains.
    pub last_input_tick: Tick,
    /// By how many thousandths the peer should run faster (or, below zero, slower) so that its input arrives in time.
    pub input_speed_hint: i8,
    /// Which part of the tick, from zero.
    pub part: u16,
    /// Of how many; at least one.
    pub part_count: u16,
    /// Packed rows (docs/protocol.md, "Packed rows").
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
}

impl<'a> ComponentDelta<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_PARTS", self.part_count as usize, limits::MAX_PARTS)?;
        if self.part >= self.part_count { Err(WireError::Malformed("delta numbering")) } else { Ok(()) }
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::ComponentDelta<'static>> {
        let payload = put_bytes(builder, &self.payload);
        let head = fb::ComponentDeltaHead::new(
            self.tick.0,
            self.log_term,
            self.log_index,
            self.last_input_tick.0,
            self.part,
            self.part_count,
            fb::DeltaMode(self.mode as u8),
            self.input_speed_hint,
            0,
        );
        fb::ComponentDelta::create(builder, &fb::ComponentDeltaArgs { head: Some(&head), payload })
    }

    pub(super) fn read(table: fb::ComponentDelta<'a>) -> Result<Self, WireError> {
        let head = table.head();
        if head.reserved() != 0 {
            return Err(WireError::Malformed("reserved bits of a delta"));
        }
        let delta = Self {
            tick: Tick(head.tick()),
            log_term: head.log_term(),
            log_index: head.log_index(),
            mode: DeltaMode::from_number(head.mode().0 as u16)?,
            last_input_tick: Tick(head.last_input_tick()),
            input_speed_hint: head.input_speed_hint(),
            part: head.part(),
            part_count: head.part_count(),
            payload: cow_of(table.payload()),
        };
        delta.check()?;
        Ok(delta)
    }
}

/// Which packets of the state lane have arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateAck<'a> {
    /// Newest sequence received; zero before the first.
    pub newest_sequence: u32,
    /// Newest tick of which all parts have been applied.
    pub complete_tick: Tick,
    /// The snapshot that has been applied whole; zero for none.
    pub snapshot_id: u32,
    /// Bit i (least significant first) says that `newest_sequence - 1 - i` has arrived.
    #[serde(with = "cbor::bytes")]
    pub mask: Cow<'a, [u8]>,
}

impl<'a> StateAck<'a> {
    /// Whether this acknowledges the packet with that sequence.
    pub fn acknowledges(&self, sequence: u32) -> bool {
        if sequence == 0 || sequence > self.newest_sequence {
            return false;
        }
        let Some(back) = (self.newest_sequence - sequence).checked_sub(1) else { return true };
        self.mask.get(back as usize / 8).is_some_and(|byte| byte >> (back % 8) & 1 == 1)
    }

    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_ACK_MASK_BYTES", self.mask.len(), limits::MAX_ACK_MASK_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::StateAck<'static>> {
        let payload = put_bytes(builder, &self.mask);
        let head = fb::StateAckHead::new(self.newest_sequence, self.complete_tick.0, self.snapshot_id);
        fb::StateAck::create(builder, &fb::StateAckArgs { head: Some(&head), payload })
    }

    pub(super) fn read(table: fb::StateAck<'a>) -> Result<Self, WireError> {
        let head = table.head();
        let ack = Self {
            newest_sequence: head.newest_sequence(),
            complete_tick: Tick(head.complete_tick()),
            snapshot_id: head.snapshot_id(),
            mask: Cow::Borrowed(bytes_of(table.payload())),
        };
        ack.check()?;
        Ok(ack)
    }
}

/// The hashes of one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkDetail {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its hash.
    pub hash: u64,
    /// The hash of each of its columns.
    pub columns: Vec<u64>,
}

/// The hash of a complete tick; the parts under it only when they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHashReport {
    /// The tick.
    pub tick: Tick,
    /// The fold over all chunks.
    pub fold: u64,
    /// The parts, ascending by chunk; empty unless they were asked for.
    pub details: Vec<ChunkDetail>,
}

impl StateHashReport {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_HASH_CHUNKS", self.details.len(), limits::MAX_HASH_CHUNKS)?;
        let columns = self.details.iter().map(|detail| detail.columns.len()).sum();
        at_most("MAX_COLUMN_HASHES", columns, limits::MAX_COLUMN_HASHES)?;
        if self.details.windows(2).any(|pair| pair[0].chunk >= pair[1].chunk) {
            return Err(WireError::Malformed("hash report order"));
        }
        Ok(())
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::StateHashReport<'static>> {
        let mut args =
            fb::StateHashReportArgs { tick: self.tick.0, fold: self.fold, chunks: None, column_hashes: None };
        if !self.details.is_empty() {
            let chunks = self
                .details
                .iter()
                .map(|detail| fb::ChunkHash::new(detail.hash, detail.chunk.0, detail.columns.len() as u32));
            args.chunks = Some(builder.create_vector_from_iter(chunks));
            let columns: Vec<u64> =
                self.details.iter().flat_map(|detail| detail.columns.iter().copied()).collect();
            args.column_hashes = Some(builder.create_vector(&columns));
        }
        fb::StateHashReport::create(builder, &args)
    }

    pub(super) fn read(table: fb::StateHashReport<'_>) -> Result<Self, WireError> {
        let chunks = table.chunks();
        at_most("MAX_HASH_CHUNKS", chunks.map_or(0, |chunks| chunks.len()), limits::MAX_HASH_CHUNKS)?;
        let mut hashes = table.column_hashes().iter().flatten().collect::<Vec<u64>>().into_iter();
        at_most("MAX_COLUMN_HASHES", hashes.len(), limits::MAX_COLUMN_HASHES)?;
        let mut details = Vec::with_capacity(chunks.map_or(0, |chunks| chunks.len()));
        for chunk in chunks.iter().flatten() {
            let count = chunk.columns() as usize;
            if count > hashes.len() {
                return Err(WireError::Malformed("column hash count"));
            }
            let columns = hashes.by_ref().take(count).collect();
            details.push(ChunkDetail { chunk: ChunkId(chunk.chunk()), hash: chunk.hash(), columns });
        }
        if hashes.len() > 0 {
            return Err(WireError::Malformed("column hash count"));
        }
        let report = Self { tick: Tick(table.tick()), fold: table.fold(), details };
        report.check()?;
        Ok(report)
    }
}
