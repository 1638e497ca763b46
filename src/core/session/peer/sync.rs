//! The peer's side of replication: what arrives is staged in the replica, what was applied is acknowledged, and the
//! hash of complete ticks is reported.

use std::collections::BTreeMap;

use crate::mutants::Mutant;
use crate::replication::{ArchetypeDef, PartOutcome, SnapshotProgress, ack::AckTracker};
use crate::types::{Lane, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{
    ArchetypeDefinition, ChunkDetail, ComponentDelta, HashDetailsRequest, Message, NackKind, NackRequest,
    SnapshotReason, StateAck, StateHashReport, WorldSnapshot,
};

use crate::world::{ArchetypeId, Frame};

use super::super::closing::Closing;
use super::super::io::{PeerEvent, PeerState};
use super::Peer;

/// A complete tick is reported by its hash every so many ticks: ten times a second at 90 Hz.
const TICKS_PER_HASH_REPORT: u32 = 9;
/// An incomplete tick is acknowledged after this long; a complete one at once.
const ACK_DELAY_US: u64 = 5_000;
/// The acknowledgement of the join snapshot is repeated this often until deltas flow.
const SNAPSHOT_ACK_INTERVAL_US: u64 = 50_000;
/// The same chunks are not asked for again before this.
const NACK_INTERVAL_US: u64 = 50_000;
/// Chunks asked for in one request.
const MAX_NACKED_CHUNKS: usize = 256;
/// A definition that does not come for this long is asked for, again and again.
const ARCHETYPE_PATIENCE_US: u64 = 500_000;
/// Archetypes under watch: a host may name any.
const MAX_MISSING_ARCHETYPES: usize = 256;
/// Chunks whose hashes fit one report.
const MAX_DETAILS: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sync {
    acks: AckTracker,
    /// The snapshot that is here whole, until an acknowledgement has said so.
    snapshot_id: u32,
    /// No delta has followed the join snapshot yet: its acknowledgement may be lost, and is repeated.
    awaiting_first_delta: bool,
    ack_due: Option<Time>,
    ack_at_once: bool,
    newest_started: Tick,
    ticks_started: u64,
    ticks_complete: u64,
    last_reported: Tick,
    nacked_at: Option<Time>,
    /// Archetypes that changes have named and nobody has defined, with the time since when, or of the last request.
    missing_archetypes: BTreeMap<ArchetypeId, Time>,
    repairs: u64,
}

impl Sync {
    pub fn next_wake(&self) -> Time {
        self.ack_due.unwrap_or(Time(u64::MAX))
    }

    /// What was applied was told on a link that is lost, or never will be.
    pub fn leave_link(&mut self) {
        self.acks = AckTracker::default();
        self.awaiting_first_delta = false;
        self.ack_due = None;
        self.ack_at_once = false;
        self.nacked_at = None;
    }

    pub const fn ticks_started(&self) -> u64 {
        self.ticks_started
    }

    pub const fn ticks_complete(&self) -> u64 {
        self.ticks_complete
    }

    pub const fn repairs(&self) -> u64 {
        self.repairs
    }
}

impl Peer {
    pub(super) fn archetypes(&mut self, definitions: &[ArchetypeDefinition]) -> Result<(), Closing> {
        let definitions: Vec<_> = definitions
            .iter()
            .map(|definition| ArchetypeDef { id: definition.id, components: definition.components.clone() })
            .collect();
        for definition in &definitions {
            self.sync.missing_archetypes.remove(&ArchetypeId(definition.id));
        }
        self.replica
            .add_archetypes(&definitions)
            .map_err(|error| Closing::because(DisconnectCode::ProtocolViolation, error))
    }

    pub(super) fn snapshot(&mut self, snapshot: &WorldSnapshot<'_>) -> Result<(), Closing> {
        if !snapshot.archetypes.is_empty() {
            self.archetypes(&snapshot.archetypes)?;
        }
        let repair = snapshot.reason == SnapshotReason::Repair;
        let progress = self
            .replica
            .snapshot_piece(
                snapshot.snapshot_id,
                snapshot.tick,
                snapshot.chunk,
                snapshot.chunk_count,
                repair,
                &snapshot.payload,
            )
            .map_err(|error| Closing::because(DisconnectCode::BadMessage, error))?;
        match progress {
            SnapshotProgress::Wait { received, total } => {
                if !repair {
                    self.event(PeerEvent::JoinProgress { received, total });
                }
            }
            SnapshotProgress::Complete { tick } => {
                self.sync.snapshot_id = snapshot.snapshot_id;
                self.sync.ack_at_once = true;
                if repair {
                    self.sync.repairs += 1;
                    self.event(PeerEvent::Repaired(tick));
                } else {
                    self.event(PeerEvent::JoinProgress {
                        received: snapshot.chunk_count,
                        total: snapshot.chunk_count,
                    });
                    self.sync.awaiting_first_delta = true;
                    self.is_here_again();
                }
                self.publish();
            }
        }
        Ok(())
    }

    pub(super) fn delta(
        &mut self,
        now: Time,
        lane: Lane,
        sequence: u32,
        delta: &ComponentDelta<'_>,
    ) -> Result<(), Closing> {
        self.sync.awaiting_first_delta = false;
        if self.state() != PeerState::Live && delta.tick > self.sync.newest_started {
            self.is_here_again();
        }
        if delta.tick > self.sync.newest_started {
            self.sync.newest_started = delta.tick;
            self.sync.ticks_started += 1;
        }
        let outcome = self
            .replica
            .delta(delta.tick, delta.part, delta.part_count, &delta.payload)
            .map_err(|error| Closing::because(DisconnectCode::BadMessage, error))?;
        match outcome {
            PartOutcome::Applied | PartOutcome::Duplicate => {
                if lane == Lane::State {
                    self.sync.acks.record(sequence);
                    self.sync.ack_due.get_or_insert(now.plus_us(ACK_DELAY_US));
                }
            }
            PartOutcome::Stale => {}
            PartOutcome::Missing { chunks, archetypes } => {
                self.lack_archetypes(now, &archetypes);
                let due = self.sync.nacked_at.is_none_or(|at| now.since_us(at) >= NACK_INTERVAL_US);
                if due && !chunks.is_empty() {
                    self.sync.nacked_at = Some(now);
                    let ids = chunks.iter().take(MAX_NACKED_CHUNKS).map(|chunk| chunk.0).collect();
                    let request = NackRequest { kind: NackKind::SnapshotChunks, subject: 0, ids };
                    self.send(Lane::Control, &Message::NackRequest(request));
                }
            }
        }
        self.publish();
        Ok(())
    }

    /// Definitions travel on a lane of their own and come a little later than what names them. One that does not come
    /// is asked for.
    fn lack_archetypes(&mut self, now: Time, archetypes: &[ArchetypeId]) {
        let missing = &mut self.sync.missing_archetypes;
        for id in archetypes {
            if missing.len() < MAX_MISSING_ARCHETYPES {
                missing.entry(*id).or_insert(now);
            }
        }
        let mut ids = Vec::new();
        for (id, since) in missing.iter_mut() {
            if now.since_us(*since) >= ARCHETYPE_PATIENCE_US {
                *since = now;
                ids.push(id.0);
            }
        }
        if !ids.is_empty() {
            let request = NackRequest { kind: NackKind::Archetypes, subject: 0, ids };
            self.send(Lane::Control, &Message::NackRequest(request));
        }
    }

    /// Hands complete ticks to the application, in order.
    fn publish(&mut self) {
        while let Some(frame) = self.replica.poll_frame() {
            self.sync.ticks_complete += 1;
            self.sync.ack_at_once = true;
            let shown = self.layout.show(frame);
            self.event(PeerEvent::Frame(shown));
        }
        while let Some(change) = self.replica.poll_lifecycle() {
            self.event(PeerEvent::Lifecycle(change));
        }
    }

    /// Says what was applied of the epoch that ends now. The packets of the next one are counted from 1.
    pub(super) fn acknowledge_last(&mut self, now: Time) {
        if self.sync.acks.newest() > 0 {
            self.sync.ack_at_once = true;
            self.acknowledge(now);
        }
        self.sync.acks = AckTracker::default();
    }

    /// Says what was applied, when it is time to.
    pub(super) fn acknowledge(&mut self, now: Time) {
        let due = self.sync.ack_at_once || self.sync.ack_due.is_some_and(|due| now >= due);
        if !due || self.state < PeerState::Joining || self.state == PeerState::Closed {
            return;
        }
        self.sync.ack_at_once = false;
        self.sync.ack_due = self.sync.awaiting_first_delta.then(|| now.plus_us(SNAPSHOT_ACK_INTERVAL_US));
        let complete_tick = self.replica.newest_complete();
        let mut mask = Vec::new();
        self.sync.acks.mask_bytes(&mut mask);
        let ack = Message::StateAck(StateAck {
            newest_sequence: self.sync.acks.newest(),
            complete_tick,
            snapshot_id: self.sync.snapshot_id,
            mask: mask.into(),
        });
        if complete_tick.since(self.sync.last_reported) >= TICKS_PER_HASH_REPORT
            && let Some(fold) = self.reported_fold(complete_tick)
        {
            self.sync.last_reported = complete_tick;
            let report = StateHashReport { tick: complete_tick, fold, details: Vec::new() };
            self.send_all(Lane::State, &[ack, Message::StateHashReport(report)]);
        } else {
            self.send_all(Lane::State, &[ack]);
        }
    }

    /// The hash of a complete tick: of all its chunks, but for [`Mutant::FoldLeavesOutChunk`].
    fn reported_fold(&self, tick: Tick) -> Option<u64> {
        let fold = self.replica.fold(tick)?;
        if !self.mutants.active(Mutant::FoldLeavesOutChunk) {
            return Some(fold);
        }
        let mut chunks = self.replica.frame(tick)?.chunks.clone();
        chunks.pop();
        Some(Frame::new(tick, chunks).fold())
    }

    /// Answers a host that saw our hash differ: chunk by chunk first, column by column where it asks.
    pub(super) fn hash_details(&mut self, request: &HashDetailsRequest) {
        let mut hashes = self.replica.hash_details(request.tick, &request.chunks);
        hashes.truncate(MAX_DETAILS);
        let details = hashes.into_iter().map(|hash| ChunkDetail {
            chunk: hash.chunk,
            hash: hash.hash,
            columns: hash.columns,
        });
        let report = StateHashReport {
            tick: request.tick,
            fold: self.replica.fold(request.tick).unwrap_or(0),
            details: details.collect(),
        };
        self.send(Lane::Control, &Message::StateHashReport(report));
    }
}
