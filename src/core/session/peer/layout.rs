//! A host with other components than ours: its manifest is collected and read, and from then on the replica is in its
//! components and the application sees ours. Until then we do not say that we have loaded, so no state comes.

use std::sync::Arc;

use crate::replication::{Replica, ReplicaLimits};
use crate::schema::{Mapping, compact};
use crate::types::{Lane, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{
    Ending, ManifestPart, Message, MessageType, NackKind, NackRequest, SessionControl,
};
use crate::world::{Frame, Translator};

use super::super::closing::{Closing, clip};
use super::super::io::{PeerEvent, PeerState};
use super::super::keys::sha256;
use super::{Peer, unexpected};

/// A manifest of which nothing came for this long is asked for again.
const PATIENCE_MS: u64 = 2000;
/// How often it is asked for before the host is given up.
const MAX_ASKED: u32 = 3;

/// Whose components the world comes in.
#[derive(Debug, Default)]
pub(super) enum Layout {
    /// Ours, which are the host's.
    #[default]
    Own,
    /// The host's, which we do not know yet.
    Awaited(Awaited),
    /// The host's, shown as ours.
    Mapped(Box<Translator>),
}

/// A manifest on its way.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    checksum: [u8; 32],
    /// Empty before the first part.
    parts: Vec<Option<Vec<u8>>>,
    /// When it is asked for again.
    due: Option<Time>,
    asked: u32,
    /// The application has loaded its level; the host is told when the manifest is here.
    has_loaded: bool,
}

impl Layout {
    /// The components of a host with this schema hash.
    pub fn of(host_hash: u64, own_hash: u64) -> Self {
        if host_hash == own_hash { Self::Own } else { Self::Awaited(Awaited::default()) }
    }

    pub fn next_wake(&self) -> Time {
        match self {
            Self::Awaited(awaited) => awaited.due.unwrap_or(Time(u64::MAX)),
            _ => Time(u64::MAX),
        }
    }

    /// Remembers that the application has loaded; false when the host may be told at once.
    pub fn keep_loaded(&mut self) -> bool {
        match self {
            Self::Awaited(awaited) => {
                awaited.has_loaded = true;
                true
            }
            _ => false,
        }
    }

    /// The frame as the application sees it.
    pub fn show(&mut self, frame: Arc<Frame>) -> Arc<Frame> {
        match self {
            Self::Mapped(translator) => translator.frame(&frame),
            _ => frame,
        }
    }
}

impl Peer {
    /// Takes a part of the host's manifest.
    pub(super) fn manifest(&mut self, now: Time, part: ManifestPart) -> Result<(), Closing> {
        let awaited = match &mut self.layout {
            Layout::Awaited(awaited) => awaited,
            // It was asked for again, and came twice.
            Layout::Mapped(_) => return Ok(()),
            Layout::Own => return Err(unexpected(MessageType::SessionControl)),
        };
        awaited.due = Some(now.plus_ms(PATIENCE_MS));
        let count = usize::from(part.part_count);
        if awaited.parts.is_empty() {
            awaited.checksum = part.checksum;
            awaited.parts = vec![None; count];
        }
        if (awaited.checksum, awaited.parts.len()) != (part.checksum, count) {
            return Err(Closing::because(DisconnectCode::BadMessage, "parts of two manifests"));
        }
        // The part's number is below its count: decoding has checked that.
        awaited.parts[usize::from(part.part)] = Some(part.bytes);
        if awaited.parts.iter().any(Option::is_none) {
            return Ok(());
        }
        let bytes: Vec<u8> = core::mem::take(&mut awaited.parts).into_iter().flatten().flatten().collect();
        if sha256(&bytes) != awaited.checksum {
            return self.ask_manifest(now);
        }
        let has_loaded = awaited.has_loaded;
        self.adopt(&bytes)?;
        if has_loaded {
            self.loaded();
        }
        Ok(())
    }

    /// The manifest is whole: from now on the world is in the host's components.
    fn adopt(&mut self, bytes: &[u8]) -> Result<(), Closing> {
        let host =
            compact::parse(bytes).map_err(|error| Closing::because(DisconnectCode::BadMessage, error))?;
        if self.agreement.as_ref().map(|agreement| agreement.schema_hash) != Some(host.hash()) {
            let detail = "the manifest is of another schema than the one that the host signed";
            return Err(Closing::because(DisconnectCode::BadMessage, detail));
        }
        let mapping = match Mapping::new(Arc::new(host), Arc::clone(&self.schema)) {
            Ok(mapping) => Arc::new(mapping),
            Err(differences) => {
                let closing = Closing::because(DisconnectCode::SchemaMismatch, differences);
                // The host's people learn by name what the two builds do not share.
                let mut text = closing.reason.clone();
                clip(&mut text);
                let words = Ending { code: closing.code, text, hint: closing.code.hint().to_owned() };
                self.send(Lane::Control, &Message::SessionControl(SessionControl::Close(words)));
                return Err(closing);
            }
        };
        self.replica = Replica::new(Arc::clone(mapping.host()), ReplicaLimits::default());
        self.replica.set_mutants(self.mutants);
        self.layout = Layout::Mapped(Box::new(Translator::new(Arc::clone(&mapping), self.mutants)));
        self.event(PeerEvent::SchemaMapped(mapping));
        Ok(())
    }

    /// Asks for what is missing of the manifest, or gives the host up.
    fn ask_manifest(&mut self, now: Time) -> Result<(), Closing> {
        let Layout::Awaited(awaited) = &mut self.layout else { return Ok(()) };
        awaited.asked += 1;
        awaited.due = Some(now.plus_ms(PATIENCE_MS));
        if awaited.asked > MAX_ASKED {
            let detail = "The host's components are not ours, and its manifest did not come whole";
            return Err(Closing::because(DisconnectCode::HandshakeTimeout, detail));
        }
        // None names all of it.
        let missing = awaited.parts.iter().zip(0u32..).filter(|(part, _)| part.is_none());
        let request =
            NackRequest { kind: NackKind::Manifest, subject: 0, ids: missing.map(|(_, at)| at).collect() };
        self.send(Lane::Control, &Message::NackRequest(request));
        Ok(())
    }

    /// Does what is due by now for a manifest that is on its way.
    pub(super) fn await_manifest(&mut self, now: Time) {
        let Layout::Awaited(awaited) = &mut self.layout else { return };
        if self.state != PeerState::Admitted {
            return;
        }
        if now >= *awaited.due.get_or_insert(now.plus_ms(PATIENCE_MS))
            && let Err(closing) = self.ask_manifest(now)
        {
            self.close(&closing);
        }
    }

    /// How the host's components are read as ours; `None` where they are the same, or not known yet.
    #[must_use]
    pub fn mapping(&self) -> Option<&Arc<Mapping>> {
        match &self.layout {
            Layout::Mapped(translator) => Some(translator.mapping()),
            _ => None,
        }
    }
}
