//! One link's view of the world: the join snapshot, the deltas of each tick, what the peer acknowledged, and the
//! hashes that prove (or disprove) that it holds the same state.

use std::borrow::Cow;

use crate::replication::{ArchetypeDef, ChunkHashes, Scope, Verdict, ack};
use crate::types::{ChunkId, Lane, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{
    ArchetypeDefinition, ComponentDelta, DeltaMode, HashDetailsRequest, Message, NackKind, NackRequest,
    SessionControl, SnapshotReason, StateAck, StateHashReport, WorldSnapshot,
};

use super::super::closing::Closing;
use super::super::io::{Divergence, HostEvent};
use super::Common;
use super::link::HostLink;

/// The bulk lane of the join snapshot; assets take the ordinals above.
const JOIN_LANE: Lane = Lane::Bulk(0);
/// Bytes of a delta message around its payload: the inline head and FlatBuffers framing, at most.
const DELTA_FRAMING_BYTES: usize = 64;
/// Chunks that are asked for column by column at once.
const MAX_DETAILED_CHUNKS: usize = 64;

/// Where the comparison of hashes stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Check {
    /// Folds are compared as they come.
    #[default]
    Folds,
    /// A fold differed; the peer was asked which chunks.
    Chunks { tick: Tick },
    /// Chunks differ; the peer was asked which columns.
    Columns { tick: Tick },
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
        let count = snapshot.pieces.len() as u32;
        for (index, piece) in snapshot.pieces.iter().enumerate() {
            let message = Message::WorldSnapshot(WorldSnapshot {
                snapshot_id: id,
                tick: snapshot.tick,
                log_term: common.terms.certificate.term,
                log_index: 0,
                chunk: index as u32,
                chunk_count: count,
                reason,
                roster: Vec::new(),
                archetypes: if index == 0 { definitions(&snapshot.archetypes) } else { Vec::new() },
                payload: Cow::Borrowed(piece),
            });
            self.send(common, lane, &message);
        }
        Ok(id)
    }

    /// Sends what a tick changed for this peer.
    pub fn send_tick(&mut self, common: &mut Common, _now: Time) {
        if !self.is_playing() {
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
        if !built.new_archetypes.is_empty() {
            let control = SessionControl::ArchetypeDefinitions(definitions(&built.new_archetypes));
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
                common.replication.on_sent(self.key(), sequence, part.receipt);
            }
        }
    }

    /// The peer says which packets it has applied, and which snapshot it holds whole.
    pub(super) fn state_ack(&mut self, common: &mut Common, ack: &StateAck<'_>) -> Result<(), Closing> {
        let newest_sent = self.sync().1.newest_sent(Lane::State);
        if ack.newest_sequence > newest_sent {
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
            common.replication.on_ack(key, sequence);
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
        match sync.check {
            Check::Folds if report.details.is_empty() => {
                if report.tick <= sync.ignore_until || report.tick <= sync.confirmed {
                    return Ok(());
                }
                match common.replication.compare(key, report.tick, report.fold) {
                    Verdict::Equal => {
                        sync.confirmed = report.tick;
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
            Check::Chunks { tick } if report.tick == tick && !report.details.is_empty() => {
                let hashes = hashes_of(report);
                let mut differing = common.replication.differing_chunks(tick, &hashes);
                differing.truncate(MAX_DETAILED_CHUNKS);
                if differing.is_empty() {
                    // The fold differed and no chunk does: the peer's report contradicts itself.
                    return Err(Closing::because(
                        DisconnectCode::Desynchronised,
                        "a fold that its own chunks do not give",
                    ));
                }
                self.sync().0.check = Check::Columns { tick };
                self.ask_details(common, tick, differing);
                Ok(())
            }
            Check::Columns { tick } if report.tick == tick && !report.details.is_empty() => {
                self.name_and_repair(common, tick, &hashes_of(report))
            }
            // The peer no longer holds that tick: the next fold begins anew.
            Check::Chunks { tick } | Check::Columns { tick } if report.tick == tick => {
                self.sync().0.check = Check::Folds;
                Ok(())
            }
            // A fold that was under way when the details were asked for.
            _ => Ok(()),
        }
    }

    fn ask_details(&mut self, common: &mut Common, tick: Tick, chunks: Vec<ChunkId>) {
        let request = SessionControl::RequestHashDetails(HashDetailsRequest { tick, chunks });
        self.send(common, Lane::Control, &Message::SessionControl(request));
    }

    fn name_and_repair(
        &mut self,
        common: &mut Common,
        tick: Tick,
        hashes: &[ChunkHashes],
    ) -> Result<(), Closing> {
        let Some(peer) = self.peer() else { return Ok(()) };
        let found = common.replication.chunk_differences(tick, hashes);
        let mut chunks: Vec<ChunkId> = found.iter().map(|difference| difference.chunk).collect();
        chunks.sort_unstable();
        chunks.dedup();
        if chunks.is_empty() {
            self.sync().0.check = Check::Folds;
            return Ok(());
        }
        for difference in found {
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

    /// The peer cannot decode some chunks: it gets them whole.
    pub(super) fn nack(&mut self, common: &mut Common, request: &NackRequest) -> Result<(), Closing> {
        if request.kind != NackKind::SnapshotChunks {
            return Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "a request for what this host does not send",
            ));
        }
        for chunk in &request.ids {
            common.replication.reset_chunk(self.key(), ChunkId(*chunk));
        }
        Ok(())
    }
}

fn definitions(archetypes: &[ArchetypeDef]) -> Vec<ArchetypeDefinition> {
    archetypes
        .iter()
        .map(|archetype| ArchetypeDefinition { id: archetype.id, components: archetype.components.clone() })
        .collect()
}

fn hashes_of(report: &StateHashReport) -> Vec<ChunkHashes> {
    report
        .details
        .iter()
        .map(|detail| ChunkHashes { chunk: detail.chunk, hash: detail.hash, columns: detail.columns.clone() })
        .collect()
}
