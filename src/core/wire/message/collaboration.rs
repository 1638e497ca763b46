//! Records of the command log, presence of editors, assets. What is inside belongs to the rooms above; here sizes,
//! kinds and signatures' places are settled.

use super::{Builder, WireEnum, at_most, bytes_of, cow_of, fb, limits, put_bytes};
use crate::types::{EntityId, PeerId};
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a record of the command log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum EntryKind {
    /// A member's commands.
    Entry = 1,
    /// The host's ordering of entries.
    Block = 2,
    /// The host's notice that an entry has no effect.
    Refusal = 3,
    /// A member's signature under somebody else's record.
    Attestation = 4,
}

impl WireEnum for EntryKind {
    const ALL: &'static [Self] = &[Self::Entry, Self::Block, Self::Refusal, Self::Attestation];
    const NAME: &'static str = "entry kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One signed record of the command log, its bytes exactly as signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLogEntry<'a> {
    /// What it is.
    pub kind: EntryKind,
    /// Header bytes.
    #[serde(with = "cbor::bytes")]
    pub header: Cow<'a, [u8]>,
    /// Payload bytes.
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
    /// Signature by the author's replica key, or the host key.
    #[serde(with = "cbor::fixed")]
    pub signature: [u8; 64],
}

impl<'a> CommandLogEntry<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_ENTRY_HEADER_BYTES", self.header.len(), limits::MAX_ENTRY_HEADER_BYTES)?;
        at_most("MAX_ENTRY_PAYLOAD_BYTES", self.payload.len(), limits::MAX_ENTRY_PAYLOAD_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::CommandLogEntry<'static>> {
        let header = builder.create_vector(&self.header);
        let payload = put_bytes(builder, &self.payload);
        fb::CommandLogEntry::create(
            builder,
            &fb::CommandLogEntryArgs {
                kind: fb::EntryKind(self.kind as u8),
                header: Some(header),
                payload,
                signature: Some(&fb::Signature::new(&self.signature)),
            },
        )
    }

    pub(super) fn read(table: fb::CommandLogEntry<'a>) -> Result<Self, WireError> {
        let entry = Self {
            kind: EntryKind::from_number(table.kind().0 as u16)?,
            header: Cow::Borrowed(table.header().bytes()),
            payload: cow_of(table.payload()),
            signature: table.signature().bytes().into(),
        };
        entry.check()?;
        Ok(entry)
    }
}

/// What a presence value shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum EditorEventKind {
    /// Where the author points.
    Cursor = 1,
    /// What it has selected.
    Selection = 2,
    /// Which tool it holds.
    Tool = 3,
    /// A drag before its release.
    Gizmo = 4,
    /// Which panel it works in.
    Panel = 5,
    /// An advisory lease.
    Lock = 6,
    /// The key has no value any more.
    Cleared = 7,
}

impl WireEnum for EditorEventKind {
    const ALL: &'static [Self] =
        &[Self::Cursor, Self::Selection, Self::Tool, Self::Gizmo, Self::Panel, Self::Lock, Self::Cleared];
    const NAME: &'static str = "editor event kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One presence value: the newest revision of (author, key) wins, until its time to live is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditorEvent<'a> {
    /// What it shows.
    pub kind: EditorEventKind,
    /// Whose it is; set by the host when it relays, whatever the sender wrote.
    pub author: PeerId,
    /// The value's key.
    pub key: u64,
    /// Counts the author's values of this key.
    pub revision: u32,
    /// How long it lives without a newer one, milliseconds.
    pub time_to_live_ms: u32,
    /// The entity it is about, if any.
    pub entity: EntityId,
    /// The application's bytes.
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
}

impl<'a> EditorEvent<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_EDITOR_EVENT_BYTES", self.payload.len(), limits::MAX_EDITOR_EVENT_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::EditorEvent<'static>> {
        let payload = put_bytes(builder, &self.payload);
        fb::EditorEvent::create(
            builder,
            &fb::EditorEventArgs {
                kind: fb::EditorEventKind(self.kind as u8),
                author: self.author.0,
                key: self.key,
                revision: self.revision,
                time_to_live_ms: self.time_to_live_ms,
                entity: self.entity.0,
                payload,
            },
        )
    }

    pub(super) fn read(table: fb::EditorEvent<'a>) -> Result<Self, WireError> {
        let event = Self {
            kind: EditorEventKind::from_number(table.kind().0 as u16)?,
            author: PeerId(table.author()),
            key: table.key(),
            revision: table.revision(),
            time_to_live_ms: table.time_to_live_ms(),
            entity: EntityId(table.entity()),
            payload: cow_of(table.payload()),
        };
        event.check()?;
        Ok(event)
    }
}

/// A step of an asset's transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum AssetKind {
    /// I have it; `total_bytes` is its size.
    Offer = 1,
    /// Send it, from `offset` on, or what the `resume_token` says is missing.
    Request = 2,
    /// `data` is a piece of its manifest.
    Manifest = 3,
    /// `data` is chunk `chunk`, at `offset`.
    Chunk = 4,
    /// `data` is a bitmap of the chunks the sender has.
    Have = 5,
    /// Stop sending it.
    Cancel = 6,
    /// All of it has verified.
    Complete = 7,
    /// It does not arrive, for `status`.
    Failed = 8,
}

impl WireEnum for AssetKind {
    const ALL: &'static [Self] = &[
        Self::Offer,
        Self::Request,
        Self::Manifest,
        Self::Chunk,
        Self::Have,
        Self::Cancel,
        Self::Complete,
        Self::Failed,
    ];
    const NAME: &'static str = "asset kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// What went wrong with a transfer; nothing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum AssetStatus {
    /// Nothing.
    #[default]
    Ok = 0,
    /// The sender does not have it.
    NotFound = 1,
    /// A chunk was not at its place.
    WrongOffset = 2,
    /// A chunk's hash is not the manifest's.
    WrongChecksum = 3,
    /// The size is not the declared one.
    WrongSize = 4,
    /// The resume token has expired or does not verify.
    TokenExpired = 5,
    /// The role does not allow it.
    Forbidden = 6,
    /// The receiver's disk is full.
    DiskFull = 7,
}

impl WireEnum for AssetStatus {
    const ALL: &'static [Self] = &[
        Self::Ok,
        Self::NotFound,
        Self::WrongOffset,
        Self::WrongChecksum,
        Self::WrongSize,
        Self::TokenExpired,
        Self::Forbidden,
        Self::DiskFull,
    ];
    const NAME: &'static str = "asset status";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One step of an asset's transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetTransfer<'a> {
    /// SHA-256 of the whole asset: its name.
    #[serde(with = "cbor::fixed")]
    pub asset: [u8; 32],
    /// The step.
    pub kind: AssetKind,
    /// What went wrong, in [`AssetKind::Failed`].
    pub status: AssetStatus,
    /// Higher goes first.
    pub priority: u8,
    /// The chunk.
    pub chunk: u32,
    /// Its place in the asset, bytes.
    pub offset: u64,
    /// The asset's declared size, bytes.
    pub total_bytes: u64,
    /// SHA-256 of the chunk.
    #[serde(with = "cbor::optional")]
    pub chunk_hash: Option<[u8; 32]>,
    /// Lets an interrupted transfer go on.
    #[serde(with = "cbor::bytes")]
    pub resume_token: Cow<'a, [u8]>,
    /// Content, manifest or bitmap.
    #[serde(with = "cbor::bytes")]
    pub data: Cow<'a, [u8]>,
}

impl<'a> AssetTransfer<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_TOKEN_BYTES", self.resume_token.len(), limits::MAX_TOKEN_BYTES)?;
        at_most("MAX_ASSET_DATA_BYTES", self.data.len(), limits::MAX_ASSET_DATA_BYTES)?;
        if self.total_bytes > limits::MAX_ASSET_BYTES || self.offset > self.total_bytes {
            return Err(WireError::Malformed("asset size or offset"));
        }
        Ok(())
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::AssetTransfer<'static>> {
        let resume_token = put_bytes(builder, &self.resume_token);
        let data = put_bytes(builder, &self.data);
        let chunk_hash = self.chunk_hash.as_ref().map(fb::Bytes32::new);
        fb::AssetTransfer::create(
            builder,
            &fb::AssetTransferArgs {
                asset: Some(&fb::Bytes32::new(&self.asset)),
                kind: fb::AssetKind(self.kind as u8),
                status: fb::AssetStatus(self.status as u8),
                priority: self.priority,
                chunk: self.chunk,
                offset: self.offset,
                total_bytes: self.total_bytes,
                chunk_hash: chunk_hash.as_ref(),
                resume_token,
                data,
            },
        )
    }

    pub(super) fn read(table: fb::AssetTransfer<'a>) -> Result<Self, WireError> {
        let transfer = Self {
            asset: table.asset().bytes().into(),
            kind: AssetKind::from_number(table.kind().0 as u16)?,
            status: AssetStatus::from_number(table.status().0 as u16)?,
            priority: table.priority(),
            chunk: table.chunk(),
            offset: table.offset(),
            total_bytes: table.total_bytes(),
            chunk_hash: table.chunk_hash().map(|bytes| bytes.bytes().into()),
            resume_token: Cow::Borrowed(bytes_of(table.resume_token())),
            data: cow_of(table.data()),
        };
        transfer.check()?;
        Ok(transfer)
    }
}
