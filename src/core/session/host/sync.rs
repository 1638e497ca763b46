//! One link's view of the world: the join snapshot, the deltas of each tick, what the peer acknowledged, and the
//! hashes that prove (or disprove) that it holds the same state.

use std::borrow::Cow;

use crate::mutants::Mutant;
use crate::replication::snapshot::FOLD_BYTES;
use crate::replication::{ArchetypeDef, ChunkHashes, Difference, Scope, Verdict, ack};
use crate::types::{ChunkId, Lane, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{
    ArchetypeDefinition, ComponentDelta, DeltaMode, HashDetailsRequest, Message, SessionControl,
    SnapshotReason, StateAck, StateHashReport, WorldSnapshot,
};

use super::super::closing::Closing;
use super::super::courier::packet_number;
use super::super::io::{Divergence, HostEvent};
use super::Common;
use super::link::HostLink;

/// The bulk lane of the join snapshot; assets take the ordinals above.
const JOIN_LANE: Lane = Lane::Bulk(0);
/// Bytes of a delta message around its payload: the inline head and FlatBuffers framing, at most.
const DELTA_FRAMING_BYTES: usize = 64;
/// Chunks that are asked for column by column at once.
const MAX_DETAILED_CHUNKS: usize = 64;
/// Bytes of archetype definitions in one message, beside which a snapshot's piece has room.
const MAX_DEFINITION_BYTES: usize = 24 * 1024;
/// Bytes that one repair may hold: its lane has other things to carry. What differs beyond them is the next repair's.
const MAX_REPAIR_BYTES: usize = 1 << 20;
/// Differences that are named one by one in one repair.
const MAX_NAMED: usize = 32;
/// Repairs without a tick that was equal between them, after which the peer must join again.
const MAX_REPAIRS_IN_VAIN: u32 = 8;

/// Where the comparison of hashes stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Check {
    /// Folds are compared as they come.
    #[default]
    Folds,
    /// A fold differed; the peer was asked which chunks.
    Chunks { tick: Tick },
    /// Chunks differ, or may; the peer was asked for the columns of these.
    Columns { tick: Tick, asked: Vec<ChunkId> },
    /// A targeted snapshot is on its way.
    Repairing { snapshot: u32, tick: Tick },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sync {
    /// The join snapshot that has not been acknowledged yet.
    joining: Option<u32>,
    /// The newest snapshot sent on this link; zero before the first.
    newest_snapshot: u32,
    live: bool,
    check: Check,
    confirmed: Tick,
    /// Folds of ticks up to this one say nothing: a repair has overtaken them.
    ignore_until: Tick,
    divergences: u64,
    repairs: u64,
    /// Repairs since the last equal tick.
    repairs_in_vain: u32,
}

impl Sync {
    pub const fn confirmed(&self) -> Tick {
        self.confirmed
    }

    pub const fn divergences(&self) -> u64 {
        self.divergences
    }

    pub const fn repairs(&self) -> u64 {
        self.repairs
    }

    /// Deltas flow, or would if the member were there.
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// The join snapshot is on its way.
    pub const fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// The member is away: what was being found out about it is given up, see [`crate::replication`].
    pub fn pause(&mut self) {
        self.check = Check::Folds;
    }

    /// The link is lost: nothing that was on its way will arrive.
    pub fn park(&mut self) {
        self.pause();
        self.joining = None;
    }

    /// The member holds nothing that deltas could build on.
    pub fn begin_anew(&mut self) {
        self.live = false;
        self.joining = None;
    }
}

impl HostLink {
    /// Sends the world as it is; deltas follow once the peer has all of it. A peer may be here before the first tick:
    /// its snapshot then waits for that, see [`Self::send_tick`].
    pub(super) fn begin_join(&mut self, common: &mut Common) -> Result<(), Closing> {
        if common.newest_tick == Tick::ZERO {
            return Ok(());
        }
        common.replication.add_link(self.key());
        self.sync().1.open_lane(JOIN_LANE);
        let id = self.send_snapshot(common, JOIN_LANE, SnapshotReason::Join, Scope::World)?;
        self.sync().1.finish_lane(JOIN_LANE);
        self.sync().0.joining = Some(id);
        Ok(())
    }

    fn send_snapshot(
        &mut self,
        common: &mut Common,
        lane: Lane,
        reason: SnapshotReason,
        scope: Scope<'_>,
    ) -> Result<u32, Closing> {
        let id = common.next_snapshot;
        common.next_snapshot = common.next_snapshot.wrapping_add(1).max(1);
        let snapshot = common
            .replication
            .begin_snapshot(self.key(), id, scope)
            .map_err(|error| Closing::because(DisconnectCode::InternalFault, error))?;
        self.sync().0.newest_snapshot = id;
        let mut batches = batches(&snapshot.archetypes);
        // Definitions that do not fit beside the first piece go before it, in pieces without a chunk.
        let fold = snapshot.pieces.first().map_or(&[][..], |piece| &piece[..FOLD_BYTES.min(piece.len())]);
        let leading = batches.len().saturating_sub(1);
        let payloads = core::iter::repeat_n(fold, leading).chain(snapshot.pieces.iter().map(Vec::as_slice));
        let count = (leading + snapshot.pieces.len()) as u32;
        let mut definitions = batches.drain(..);
        for (index, payload) in payloads.enumerate() {
            let message = Message::WorldSnapshot(WorldSnapshot {
                snapshot_id: id,
                tick: snapshot.tick,
                log_term: common.terms.certificate.term,
                log_index: 0,
                chunk: index as u32,
                chunk_count: count,
                reason,
                roster: Vec::new(),
                archetypes: definitions.next().unwrap_or_default(),
                payload: Cow::Borrowed(payload),
            });
            self.send(common, lane, &message);
        }
        Ok(id)
    }

    /// Sends what a tick changed for this peer.
    pub fn send_tick(&mut self, common: &mut Common, _now: Time) {
        if !self.is_playing() || self.is_away {
            return;
        }
        let sync = self.sync().0;
        if !sync.live {
            if sync.joining.is_none()
                && let Err(closing) = self.begin_join(common)
            {
                self.close(common, &closing);
            }
            return;
        }
        let last_input_tick = self.newest_input();
        let room = self.sync().1.datagram_room().saturating_sub(DELTA_FRAMING_BYTES);
        let built = common.replication.build(self.key(), room);
        for batch in batches(&built.new_archetypes) {
            let control = SessionControl::ArchetypeDefinitions(batch);
            self.send(common, Lane::Replication, &Message::SessionControl(control));
        }
        for part in built.parts {
            let message = Message::ComponentDelta(ComponentDelta {
                tick: built.tick,
                log_term: common.terms.certificate.term,
                log_index: 0,
                mode: DeltaMode::Ack,
                last_input_tick,
                input_speed_hint: 0,
                part: part.index,
                part_count: part.count,
                payload: Cow::Borrowed(&part.payload),
            });
            let lane = if part.reliable { Lane::Replication } else { Lane::State };
            let Some(sequence) = self.send(common, lane, &message) else { return };
            if !part.reliable {
                let number = packet_number(self.sync().1.epoch_out(), sequence);
                common.replication.on_sent(self.key(), number, part.receipt);
            }
        }
    }

    /// The peer says which packets it has applied, and which snapshot it holds whole.
    pub(super) fn state_ack(
        &mut self,
        common: &mut Common,
        number: u64,
        ack: &StateAck<'_>,
    ) -> Result<(), Closing> {
        // An acknowledgement speaks of the epoch of the packet that carries it.
        let epoch = (number >> 32) as u16;
        let newest_sent = self.sync().1.newest_sent_in(epoch, Lane::State).unwrap_or(0);
        if ack.newest_sequence > newest_sent && !common.mutants.active(Mutant::AcceptAckOfNeverSent) {
            let detail = format!("sequence {} acknowledged, {newest_sent} sent", ack.newest_sequence);
            return Err(Closing::because(DisconnectCode::ProtocolViolation, detail));
        }
        if ack.complete_tick > common.newest_tick || ack.snapshot_id > self.sync().0.newest_snapshot {
            return Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "A tick or a snapshot was acknowledged that was never sent",
            ));
        }
        let key = self.key();
        if ack.snapshot_id != 0 && common.replication.on_snapshot_ack(key, ack.snapshot_id) {
            self.snapshot_arrived(common, ack.snapshot_id);
        }
        for sequence in ack::decode(ack.newest_sequence, &ack.mask) {
            common.replication.on_ack(key, packet_number(epoch, sequence));
        }
        Ok(())
    }

    fn snapshot_arrived(&mut self, common: &mut Common, id: u32) {
        let Some(peer) = self.peer() else { return };
        let newest = common.newest_tick;
        let sync = self.sync().0;
        if sync.joining == Some(id) {
            sync.joining = None;
            sync.live = true;
            common.event(HostEvent::PeerLive(peer));
        } else if let Check::Repairing { snapshot, tick } = sync.check
            && snapshot == id
        {
            sync.check = Check::Folds;
            // Ticks up to now were built on what has been repaired.
            sync.ignore_until = newest;
            sync.repairs += 1;
            common.event(HostEvent::Repaired { peer, tick });
        }
    }

    /// The peer reports the hash of a tick it holds whole, or the details it was asked for.
    pub(super) fn hash_report(
        &mut self,
        common: &mut Common,
        report: &StateHashReport,
    ) -> Result<(), Closing> {
        let (key, Some(peer)) = (self.key(), self.peer()) else { return Ok(()) };
        if report.tick > common.newest_tick {
            return Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "The hash of a tick that is still to come",
            ));
        }
        let sync = self.sync().0;
        match &sync.check {
            Check::Folds if report.details.is_empty() => {
                let is_old = report.tick <= sync.confirmed;
                if report.tick <= sync.ignore_until
                    || (is_old && !common.mutants.active(Mutant::ConfirmBackwards))
                {
                    return Ok(());
                }
                let verdict = match common.replication.compare(key, report.tick, report.fold) {
                    Verdict::Different if common.mutants.active(Mutant::SkipHashComparison) => Verdict::Equal,
                    verdict => verdict,
                };
                match verdict {
                    Verdict::Equal => {
                        sync.confirmed = report.tick;
                        sync.repairs_in_vain = 0;
                        common.event(HostEvent::Confirmed { peer, tick: report.tick });
                    }
                    Verdict::Different => {
                        sync.divergences += 1;
                        sync.check = Check::Chunks { tick: report.tick };
                        self.ask_details(common, report.tick, Vec::new());
                    }
                    Verdict::Unknown => {}
                }
                Ok(())
            }
            // Without a chunk and with a fold: the peer holds that tick, as an empty world.
            Check::Chunks { tick }
                if report.tick == *tick && !(report.details.is_empty() && report.fold == 0) =>
            {
                let tick = *tick;
                let mut differing = common.replication.differing_chunks(tick, &hashes_of(report));
                if differing.is_empty() {
                    // The report names as many chunks as it can, and they are equal: the difference is in the others.
                    let last = report.details.iter().map(|detail| detail.chunk).max();
                    differing = common.replication.chunks_after(last);
                }
                self.ask_columns(common, tick, differing)
            }
            Check::Columns { tick, asked } if report.tick == *tick && !report.details.is_empty() => {
                let (tick, asked) = (*tick, asked.clone());
                let mut hashes = hashes_of(report);
                hashes.retain(|hashes| asked.binary_search(&hashes.chunk).is_ok());
                hashes.dedup_by_key(|hashes| hashes.chunk);
                let found = common.replication.chunk_differences(tick, &hashes);
                if found.is_empty() {
                    let others = common.replication.chunks_after(asked.last().copied());
                    return self.ask_columns(common, tick, others);
                }
                self.name_and_repair(common, tick, found)
            }
            // The peer no longer holds that tick: the next fold begins anew.
            Check::Chunks { tick } | Check::Columns { tick, .. } if report.tick == *tick => {
                sync.check = Check::Folds;
                Ok(())
            }
            // A fold that was under way when the details were asked for.
            _ => Ok(()),
        }
    }

    fn ask_columns(
        &mut self,
        common: &mut Common,
        tick: Tick,
        mut chunks: Vec<ChunkId>,
    ) -> Result<(), Closing> {
        if common.replication.compare(self.key(), tick, 0) == Verdict::Unknown {
            // It took too long: that tick is history no more.
            self.sync().0.check = Check::Folds;
            return Ok(());
        }
        if chunks.is_empty() {
            // The fold differed and no chunk does: the peer's report contradicts itself.
            return Err(Closing::because(
                DisconnectCode::Desynchronised,
                "a fold that its own chunks do not give",
            ));
        }
        chunks.truncate(MAX_DETAILED_CHUNKS);
        self.sync().0.check = Check::Columns { tick, asked: chunks.clone() };
        self.ask_details(common, tick, chunks);
        Ok(())
    }

    fn ask_details(&mut self, common: &mut Common, tick: Tick, chunks: Vec<ChunkId>) {
        let request = SessionControl::RequestHashDetails(HashDetailsRequest { tick, chunks });
        self.send(common, Lane::Control, &Message::SessionControl(request));
    }

    fn name_and_repair(
        &mut self,
        common: &mut Common,
        tick: Tick,
        found: Vec<Difference>,
    ) -> Result<(), Closing> {
        let Some(peer) = self.peer() else { return Ok(()) };
        let sync = self.sync().0;
        sync.repairs_in_vain += 1;
        if sync.repairs_in_vain > MAX_REPAIRS_IN_VAIN {
            let detail = format!("{MAX_REPAIRS_IN_VAIN} repairs, and not one equal tick");
            return Err(Closing::because(DisconnectCode::Desynchronised, detail));
        }
        let mut chunks: Vec<ChunkId> = found.iter().map(|difference| difference.chunk).collect();
        chunks.sort_unstable();
        chunks.dedup();
        chunks.truncate(common.replication.chunks_within(&chunks, MAX_REPAIR_BYTES));
        for difference in found.into_iter().take(MAX_NAMED) {
            let divergence = Divergence {
                tick,
                component: difference.component,
                field: difference.field,
                text: difference.text,
            };
            common.event(HostEvent::Diverged { peer, divergence });
        }
        let snapshot =
            self.send_snapshot(common, Lane::Replication, SnapshotReason::Repair, Scope::Chunks(&chunks))?;
        self.sync().0.check = Check::Repairing { snapshot, tick: common.newest_tick };
        Ok(())
    }
}

/// Definitions in as many messages as they need.
pub(super) fn batches(archetypes: &[ArchetypeDef]) -> Vec<Vec<ArchetypeDefinition>> {
    let mut batches: Vec<Vec<ArchetypeDefinition>> = Vec::new();
    let mut bytes = 0;
    for archetype in archetypes {
        let definition = ArchetypeDefinition { id: archetype.id, components: archetype.components.clone() };
        // Eight bytes a component and the table around them, at most.
        let own = 48 + 8 * definition.components.len();
        match batches.last_mut() {
            Some(batch) if bytes + own <= MAX_DEFINITION_BYTES => batch.push(definition),
            _ => {
                bytes = 0;
                batches.push(vec![definition]);
            }
        }
        bytes += own;
    }
    batches
}

fn hashes_of(report: &StateHashReport) -> Vec<ChunkHashes> {
    report
        .details
        .iter()
        .map(|detail| ChunkHashes { chunk: detail.chunk, hash: detail.hash, columns: detail.columns.clone() })
        .collect()
}
