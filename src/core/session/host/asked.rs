//! What a peer lacks and asks for: chunks whole, archetype definitions, the manifest. What it may not ask for, or not so
//! often, it is told.

use std::collections::BTreeSet;

use crate::types::{ChunkId, Lane, Time};
use crate::wire::codes::RefusalReason;
use crate::wire::limits::MAX_MANIFEST_PART_BYTES;
use crate::wire::message::{ManifestPart, Message, MessageType, NackKind, NackRequest, SessionControl};

use super::super::closing::Closing;
use super::super::keys::sha256;
use super::super::rate::Window;
use super::Common;
use super::link::HostLink;
use super::sync::batches;
use crate::schema::{Schema, SchemaError};

/// Requests of one peer that are answered within a second. A peer asks for chunks at most twenty times; what a slow
/// network holds back and lets go at once is a little more.
const MAX_REQUESTS_PER_S: u32 = 64;
/// How often the whole manifest may be sent on one link: once unasked, and as often as a peer asks again.
const MAX_MANIFESTS: usize = 4;

/// The host's compact manifest, for all links.
#[derive(Debug)]
pub(in super::super) struct Manifest {
    checksum: [u8; 32],
    bytes: Vec<u8>,
}

impl Manifest {
    pub fn new(schema: &Schema) -> Result<Self, SchemaError> {
        let bytes = schema.compact_manifest()?;
        Ok(Self { checksum: sha256(&bytes), bytes })
    }

    fn parts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks(MAX_MANIFEST_PART_BYTES)
    }
}

/// What one link has asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    requests: Window,
    manifest_parts: usize,
}

impl HostLink {
    /// Sends these parts of the manifest, or all of them; false when this link has had it often enough.
    pub(super) fn send_manifest(&mut self, common: &mut Common, wanted: &[u32]) -> bool {
        let Some(manifest) = common.manifest.clone() else { return false };
        let parts = manifest.parts();
        let count = parts.len();
        for (part, (bytes, number)) in parts.zip(0u32..).enumerate() {
            if !wanted.is_empty() && !wanted.contains(&number) {
                continue;
            }
            if self.asked.manifest_parts >= count * MAX_MANIFESTS {
                return false;
            }
            self.asked.manifest_parts += 1;
            let control = SessionControl::Manifest(ManifestPart {
                checksum: manifest.checksum,
                part: part as u16,
                part_count: count as u16,
                bytes: bytes.to_vec(),
            });
            self.send(common, Lane::Control, &Message::SessionControl(control));
        }
        true
    }

    /// The peer lacks something: it gets it, or hears why not.
    pub(super) fn nack(
        &mut self,
        common: &mut Common,
        now: Time,
        lane: Lane,
        sequence: u32,
        request: &NackRequest,
    ) -> Result<(), Closing> {
        let refusal = if self.asked.requests.count(now, 1_000_000) > MAX_REQUESTS_PER_S {
            Some(RefusalReason::RateLimited)
        } else {
            self.answer(common, request)
        };
        if let Some(reason) = refusal {
            self.refuse(common, now, lane, sequence, MessageType::NackRequest, reason)?;
        }
        Ok(())
    }

    fn answer(&mut self, common: &mut Common, request: &NackRequest) -> Option<RefusalReason> {
        match request.kind {
            NackKind::SnapshotChunks => {
                for chunk in &request.ids {
                    common.replication.reset_chunk(self.key(), ChunkId(*chunk));
                }
                None
            }
            NackKind::Archetypes => {
                let wanted: BTreeSet<u32> = request.ids.iter().copied().collect();
                for batch in batches(&common.replication.definitions(&wanted)) {
                    let control = SessionControl::ArchetypeDefinitions(batch);
                    self.send(common, Lane::Replication, &Message::SessionControl(control));
                }
                None
            }
            NackKind::Manifest if common.manifest.is_none() => Some(RefusalReason::NotGranted),
            NackKind::Manifest => {
                (!self.send_manifest(common, &request.ids)).then_some(RefusalReason::RateLimited)
            }
            // There is no log, and there are no assets, to have entries or chunks of.
            NackKind::LogEntries | NackKind::AssetChunks => Some(RefusalReason::NotGranted),
        }
    }
}
