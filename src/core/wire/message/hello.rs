//! SessionHello: what the client is and has, in one message, before anybody is trusted.

use super::{Builder, WireEnum, at_most, bytes_of, fb, limits, put_bytes, put_text, text_of};
use crate::types::{ComponentId, Tick};
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// A semantic version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Raised when N cannot talk to N-1.
    pub major: u16,
    /// Raised by additions; the lower one of a link is spoken.
    pub minor: u16,
    /// Raised by corrections.
    pub patch: u16,
}

impl Version {
    /// The protocol version this code speaks.
    pub const CURRENT: Self = Self { major: 1, minor: 0, patch: 0 };

    pub(super) fn to_fb(self) -> fb::Version {
        fb::Version::new(self.major, self.minor, self.patch)
    }

    pub(super) fn from_fb(version: fb::Version) -> Self {
        Self { major: version.major(), minor: version.minor(), patch: version.patch() }
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A place in the command log: the entry with this index in this term. Zero and zero is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogPosition {
    /// The host's term.
    pub term: u32,
    /// The entry's index in the whole log.
    pub index: u32,
}

impl LogPosition {
    pub(super) fn to_fb(self) -> fb::LogPosition {
        fb::LogPosition::new(self.term, self.index)
    }

    pub(super) fn from_fb(position: Option<&fb::LogPosition>) -> Self {
        position
            .map_or_else(Self::default, |position| Self { term: position.term(), index: position.index() })
    }
}

/// What a link may use beyond the minimum; bit numbers of the capability masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Capability {
    /// The transport carries datagrams.
    Datagrams = 0,
    /// Packet bodies may be compressed.
    Compression = 1,
    /// Deltas may be range coded.
    RangeCoder = 2,
    /// The range coder may use trained priors.
    StaticPriors = 3,
    /// Deltas may be relative to the previous sent frame.
    ChainMode = 4,
    /// Packets may carry a trace extension.
    TraceIds = 5,
    /// Messages may be CBOR (debug builds).
    CborDebug = 6,
    /// The document has a command log.
    CommandLog = 7,
    /// Payloads may be encrypted for members only.
    EndToEnd = 8,
    /// Assets may be transferred.
    Assets = 9,
    /// The input lane is used.
    PredictiveInput = 10,
    /// A dropped link may be resumed.
    Resume = 11,
    /// The peer may report counters.
    Telemetry = 12,
}

impl WireEnum for Capability {
    const ALL: &'static [Self] = &[
        Self::Datagrams,
        Self::Compression,
        Self::RangeCoder,
        Self::StaticPriors,
        Self::ChainMode,
        Self::TraceIds,
        Self::CborDebug,
        Self::CommandLog,
        Self::EndToEnd,
        Self::Assets,
        Self::PredictiveInput,
        Self::Resume,
        Self::Telemetry,
    ];
    const NAME: &'static str = "capability";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One component as the client was built with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLayout {
    /// SipHash of the name.
    pub id: ComponentId,
    /// Hash of everything about the component that changes bits.
    pub layout_hash: u64,
    /// Stable name, so that a mismatch can be reported by name.
    pub name: String,
}

/// The client's opening. Its bytes, as received, go into the transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHello {
    /// Protocol version of the client.
    pub version: Version,
    /// Fresh random bytes.
    #[serde(with = "cbor::fixed")]
    pub client_nonce: [u8; 32],
    /// Ed25519 identity key of the client.
    #[serde(with = "cbor::fixed")]
    pub client_key: [u8; 32],
    /// Schema hash of the client's build.
    pub schema_hash: u64,
    /// The client's components, ascending by id.
    pub components: Vec<ComponentLayout>,
    /// SHA-256 of the client's schema manifest, if it has one.
    #[serde(with = "cbor::optional")]
    pub manifest_checksum: Option<[u8; 32]>,
    /// The document the client means to join; absent: whatever is served.
    #[serde(with = "cbor::optional")]
    pub document_id: Option<[u8; 32]>,
    /// Finds the parked state of a dropped link; empty at a first join.
    #[serde(with = "cbor::bytes")]
    pub resume_token: Vec<u8>,
    /// Mask of [`super::TransportKind`].
    pub transports: u32,
    /// Mask of [`super::CompressionKind`].
    pub compressions: u32,
    /// Mask of [`super::SecurityMode`].
    pub security_modes: u32,
    /// Mask of [`Capability`] the client asks for.
    pub capabilities: u64,
    /// Hashes of the compression dictionaries the client has.
    pub dictionaries: Vec<u64>,
    /// Newest complete tick of a client that returns.
    pub last_tick: Tick,
    /// Newest log entry of a client that returns.
    pub last_log: LogPosition,
    /// Shown to people; proves nothing.
    pub client_name: String,
    /// For the host's application.
    #[serde(with = "cbor::bytes")]
    pub application: Vec<u8>,
}

impl SessionHello {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_COMPONENTS", self.components.len(), limits::MAX_COMPONENTS)?;
        at_most("MAX_TOKEN_BYTES", self.resume_token.len(), limits::MAX_TOKEN_BYTES)?;
        at_most("MAX_DICTIONARIES", self.dictionaries.len(), limits::MAX_DICTIONARIES)?;
        at_most("MAX_NAME_BYTES", self.client_name.len(), limits::MAX_NAME_BYTES)?;
        at_most("MAX_APPLICATION_BYTES", self.application.len(), limits::MAX_APPLICATION_BYTES)?;
        for component in &self.components {
            at_most("MAX_NAME_BYTES", component.name.len(), limits::MAX_NAME_BYTES)?;
        }
        if self.components.windows(2).any(|pair| pair[0].id >= pair[1].id) {
            return Err(WireError::Malformed("component order"));
        }
        Ok(())
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::SessionHello<'static>> {
        let components: Vec<_> = self
            .components
            .iter()
            .map(|component| {
                let name = builder.create_string(&component.name);
                let args = fb::ComponentLayoutArgs {
                    id: component.id.0,
                    layout_hash: component.layout_hash,
                    name: Some(name),
                };
                fb::ComponentLayout::create(builder, &args)
            })
            .collect();
        let components = (!components.is_empty()).then(|| builder.create_vector(&components));
        let resume_token = put_bytes(builder, &self.resume_token);
        let dictionaries = (!self.dictionaries.is_empty()).then(|| builder.create_vector(&self.dictionaries));
        let client_name = put_text(builder, &self.client_name);
        let application = put_bytes(builder, &self.application);
        let manifest_checksum = self.manifest_checksum.as_ref().map(fb::Bytes32::new);
        let document_id = self.document_id.as_ref().map(fb::Bytes32::new);
        fb::SessionHello::create(
            builder,
            &fb::SessionHelloArgs {
                version: Some(&self.version.to_fb()),
                client_nonce: Some(&fb::Bytes32::new(&self.client_nonce)),
                client_key: Some(&fb::Bytes32::new(&self.client_key)),
                schema_hash: self.schema_hash,
                components,
                manifest_checksum: manifest_checksum.as_ref(),
                document_id: document_id.as_ref(),
                resume_token,
                transports: self.transports,
                compressions: self.compressions,
                security_modes: self.security_modes,
                capabilities: self.capabilities,
                dictionaries,
                last_tick: self.last_tick.0,
                last_log: Some(&self.last_log.to_fb()),
                client_name,
                application,
            },
        )
    }

    pub(super) fn read(table: fb::SessionHello<'_>) -> Result<Self, WireError> {
        let hello = Self {
            version: Version::from_fb(*table.version()),
            client_nonce: table.client_nonce().bytes().into(),
            client_key: table.client_key().bytes().into(),
            schema_hash: table.schema_hash(),
            components: table.components().map_or_else(Vec::new, |components| {
                components
                    .iter()
                    .map(|component| ComponentLayout {
                        id: ComponentId(component.id()),
                        layout_hash: component.layout_hash(),
                        name: component.name().to_owned(),
                    })
                    .collect()
            }),
            manifest_checksum: table.manifest_checksum().map(|bytes| bytes.bytes().into()),
            document_id: table.document_id().map(|bytes| bytes.bytes().into()),
            resume_token: bytes_of(table.resume_token()).to_vec(),
            transports: table.transports(),
            compressions: table.compressions(),
            security_modes: table.security_modes(),
            capabilities: table.capabilities(),
            dictionaries: table.dictionaries().map_or_else(Vec::new, |hashes| hashes.iter().collect()),
            last_tick: Tick(table.last_tick()),
            last_log: LogPosition::from_fb(table.last_log()),
            client_name: text_of(table.client_name()),
            application: bytes_of(table.application()).to_vec(),
        };
        hello.check()?;
        Ok(hello)
    }
}
