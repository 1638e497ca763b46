//! SessionAcknowledge and SessionConfirm: the host's signed terms and the client's proof.

use super::hello::{Capability, Version};
use super::{Builder, MessageType, WireEnum, at_most, bytes_of, fb, finish, limits, put_bytes, root};
use crate::wire::codes::CapabilityReason;
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// How the transport is tied to the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum BindingKind {
    /// An in-process link: bytes that its two ends share.
    Memory = 1,
    /// QUIC: TLS exporter `EXPORTER-theta-1`, 32 bytes.
    TlsExporter = 2,
    /// WebRTC: SHA-256 of the host's, then the peer's certificate (DER) from the DTLS layer.
    DtlsCertificates = 3,
    /// WebTransport: SHA-256 of the pinned certificate.
    PinnedCertificate = 4,
}

impl WireEnum for BindingKind {
    const ALL: &'static [Self] =
        &[Self::Memory, Self::TlsExporter, Self::DtlsCertificates, Self::PinnedCertificate];
    const NAME: &'static str = "binding kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// What carries the link; bit numbers of the transports mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TransportKind {
    /// Inside one process.
    Memory = 0,
    /// Native QUIC.
    Quic = 1,
    /// WebRTC data channels.
    WebRtc = 2,
    /// HTTP/3 WebTransport.
    WebTransport = 3,
}

impl WireEnum for TransportKind {
    const ALL: &'static [Self] = &[Self::Memory, Self::Quic, Self::WebRtc, Self::WebTransport];
    const NAME: &'static str = "transport kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// Who can read payloads; bit numbers of the security mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum SecurityMode {
    /// Both ends of the link: the transport encrypts.
    #[default]
    Transport = 0,
    /// Members only: payloads are encrypted end to end as well.
    EndToEnd = 1,
}

impl WireEnum for SecurityMode {
    const ALL: &'static [Self] = &[Self::Transport, Self::EndToEnd];
    const NAME: &'static str = "security mode";

    fn number(self) -> u16 {
        self as u16
    }
}

/// How packet bodies may be compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CompressionKind {
    /// Not at all.
    #[default]
    None = 0,
    /// zstd with the dictionary named by its hash.
    ZstdDictionary = 1,
}

impl WireEnum for CompressionKind {
    const ALL: &'static [Self] = &[Self::None, Self::ZstdDictionary];
    const NAME: &'static str = "compression kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// Says that `host_key` may host the document in `term`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCertificate {
    /// SHA-256 of the document's genesis.
    #[serde(with = "cbor::fixed")]
    pub document_id: [u8; 32],
    /// Ed25519 key of the host in this term.
    #[serde(with = "cbor::fixed")]
    pub host_key: [u8; 32],
    /// Ed25519 key that signed; a client pins it or finds it in the document's log.
    #[serde(with = "cbor::fixed")]
    pub authority_key: [u8; 32],
    /// The term.
    pub term: u32,
    /// Signature of the authority over [`HostCertificate::signed_bytes`].
    #[serde(with = "cbor::fixed")]
    pub signature: [u8; 64],
}

impl HostCertificate {
    /// Purpose prefix of the signature.
    pub const PURPOSE: &'static [u8] = b"theta/1 host-certificate\0";

    /// What the authority signs: purpose, document id, host key, term (u32 LE), authority key.
    pub fn signed_bytes(&self) -> Vec<u8> {
        [Self::PURPOSE, &self.document_id, &self.host_key, &self.term.to_le_bytes(), &self.authority_key]
            .concat()
    }

    fn write(&self, builder: &mut Builder) -> WIPOffset<fb::HostCertificate<'static>> {
        fb::HostCertificate::create(
            builder,
            &fb::HostCertificateArgs {
                document_id: Some(&fb::Bytes32::new(&self.document_id)),
                host_key: Some(&fb::Bytes32::new(&self.host_key)),
                authority_key: Some(&fb::Bytes32::new(&self.authority_key)),
                term: self.term,
                signature: Some(&fb::Signature::new(&self.signature)),
            },
        )
    }

    fn read(table: fb::HostCertificate<'_>) -> Self {
        Self {
            document_id: table.document_id().bytes().into(),
            host_key: table.host_key().bytes().into(),
            authority_key: table.authority_key().bytes().into(),
            term: table.term(),
            signature: table.signature().bytes().into(),
        }
    }
}

/// A capability by its bit: one that this version names, or one that only a newer client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CapabilityBit {
    /// One of ours.
    Known(Capability),
    /// The number of another's, below 64.
    Unknown(u8),
}

impl CapabilityBit {
    /// The capability with this number.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for a number that is no bit of a mask.
    pub fn from_number(number: u8) -> Result<Self, WireError> {
        match Capability::from_number(u16::from(number)) {
            Ok(capability) => Ok(Self::Known(capability)),
            Err(_) if u32::from(number) < u64::BITS => Ok(Self::Unknown(number)),
            Err(_) => Err(WireError::Malformed("capability")),
        }
    }

    /// The bit's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Known(capability) => capability as u8,
            Self::Unknown(number) => number,
        }
    }

    /// The mask with this bit alone; none for a number that is no bit.
    #[must_use]
    pub fn bit(self) -> u64 {
        1u64.checked_shl(u32::from(self.number())).unwrap_or(0)
    }
}

/// A capability that was asked for and not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCapability {
    /// Which.
    pub capability: CapabilityBit,
    /// Why not.
    pub reason: CapabilityReason,
}

/// The terms the host signs. Travels as bytes inside [`SessionAcknowledge`] and is hashed exactly as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgeCore {
    /// The protocol version of this link: the lower of the two minors.
    pub version: Version,
    /// Fresh random bytes.
    #[serde(with = "cbor::fixed")]
    pub server_nonce: [u8; 32],
    /// Names the live session.
    #[serde(with = "cbor::fixed")]
    pub session_id: [u8; 16],
    /// SHA-256 of the document's genesis.
    #[serde(with = "cbor::fixed")]
    pub document_id: [u8; 32],
    /// Ed25519 key that signs this core.
    #[serde(with = "cbor::fixed")]
    pub host_key: [u8; 32],
    /// Why that key may host the document.
    pub certificate: HostCertificate,
    /// The host's term.
    pub term: u32,
    /// Epoch of this link; every packet after the handshake carries it.
    pub session_epoch: u16,
    /// Schema hash of the link (the host's).
    pub schema_hash: u64,
    /// Mask of [`Capability`] granted.
    pub capabilities: u64,
    /// What was asked for and not granted.
    pub refused: Vec<RefusedCapability>,
    /// How the transport is tied in.
    pub binding: BindingKind,
    /// X25519 key of the host; absent when end-to-end is off.
    #[serde(with = "cbor::optional")]
    pub x25519_key: Option<[u8; 32]>,
    /// Compression of this link.
    pub compression: CompressionKind,
    /// Hash of its dictionary; zero without one.
    pub dictionary_hash: u64,
    /// Who can read payloads.
    pub security_mode: SecurityMode,
    /// Ticks per second.
    pub tick_rate_hz: u16,
    /// The document's genesis record, undecoded: the session room reads it.
    #[serde(with = "cbor::bytes")]
    pub genesis: Vec<u8>,
}

fn bounded_genesis(genesis: &[u8]) -> Result<&[u8], WireError> {
    at_most("MAX_GENESIS_BYTES", genesis.len(), limits::MAX_GENESIS_BYTES)?;
    Ok(genesis)
}

impl AcknowledgeCore {
    /// The bytes to sign and send.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        at_most("MAX_REFUSED", self.refused.len(), limits::MAX_REFUSED)?;
        bounded_genesis(&self.genesis)?;
        let mut builder = Builder::new();
        let root = self.write(&mut builder);
        finish(root, &mut builder);
        let core = builder.finished_data().to_vec();
        at_most("MAX_ACKNOWLEDGE_CORE_BYTES", core.len(), limits::MAX_ACKNOWLEDGE_CORE_BYTES)?;
        Ok(core)
    }

    /// Reads and checks the bytes inside an acknowledgement.
    pub fn decode(core: &[u8]) -> Result<Self, WireError> {
        at_most("MAX_ACKNOWLEDGE_CORE_BYTES", core.len(), limits::MAX_ACKNOWLEDGE_CORE_BYTES)?;
        let table: fb::AcknowledgeCore<'_> = root(MessageType::SessionAcknowledge, core)?;
        let refused = table.refused();
        at_most("MAX_REFUSED", refused.map_or(0, |refused| refused.len()), limits::MAX_REFUSED)?;
        Ok(Self {
            version: Version::from_fb(*table.version()),
            server_nonce: table.server_nonce().bytes().into(),
            session_id: table.session_id().bytes().into(),
            document_id: table.document_id().bytes().into(),
            host_key: table.host_key().bytes().into(),
            certificate: HostCertificate::read(table.certificate()),
            term: table.term(),
            session_epoch: table.session_epoch(),
            schema_hash: table.schema_hash(),
            capabilities: table.capabilities(),
            refused: refused
                .iter()
                .flatten()
                .map(|refused| {
                    Ok(RefusedCapability {
                        capability: CapabilityBit::from_number(refused.capability().0)?,
                        reason: CapabilityReason::from_number(refused.reason().0 as u16)?,
                    })
                })
                .collect::<Result<_, WireError>>()?,
            binding: BindingKind::from_number(table.binding().0 as u16)?,
            x25519_key: table.x25519_key().map(|bytes| bytes.bytes().into()),
            compression: CompressionKind::from_number(table.compression().0 as u16)?,
            dictionary_hash: table.dictionary_hash(),
            security_mode: SecurityMode::from_number(table.security_mode().0 as u16)?,
            tick_rate_hz: table.tick_rate_hz(),
            genesis: bounded_genesis(table.genesis().bytes())?.to_vec(),
        })
    }

    fn write(&self, builder: &mut Builder) -> WIPOffset<fb::AcknowledgeCore<'static>> {
        let certificate = self.certificate.write(builder);
        let refused: Vec<_> = self
            .refused
            .iter()
            .map(|refused| {
                let args = fb::RefusedCapabilityArgs {
                    capability: fb::Capability(refused.capability.number()),
                    reason: fb::CapabilityReason(refused.reason as u8),
                };
                fb::RefusedCapability::create(builder, &args)
            })
            .collect();
        let refused = (!refused.is_empty()).then(|| builder.create_vector(&refused));
        let x25519_key = self.x25519_key.as_ref().map(fb::Bytes32::new);
        let genesis = builder.create_vector(&self.genesis);
        fb::AcknowledgeCore::create(
            builder,
            &fb::AcknowledgeCoreArgs {
                version: Some(&self.version.to_fb()),
                server_nonce: Some(&fb::Bytes32::new(&self.server_nonce)),
                session_id: Some(&fb::Bytes16::new(&self.session_id)),
                document_id: Some(&fb::Bytes32::new(&self.document_id)),
                host_key: Some(&fb::Bytes32::new(&self.host_key)),
                certificate: Some(certificate),
                term: self.term,
                session_epoch: self.session_epoch,
                schema_hash: self.schema_hash,
                capabilities: self.capabilities,
                refused,
                binding: fb::BindingKind(self.binding as u8),
                x25519_key: x25519_key.as_ref(),
                compression: fb::CompressionKind(self.compression as u8),
                dictionary_hash: self.dictionary_hash,
                security_mode: fb::SecurityMode(self.security_mode as u8),
                tick_rate_hz: self.tick_rate_hz,
                genesis: Some(genesis),
            },
        )
    }
}

/// The host's answer: [`AcknowledgeCore`] as bytes, and the signature over the transcript that contains them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAcknowledge {
    /// The core, undecoded: see [`AcknowledgeCore::decode`].
    #[serde(with = "cbor::bytes")]
    pub core: Vec<u8>,
    /// The host key's signature.
    #[serde(with = "cbor::fixed")]
    pub signature: [u8; 64],
}

impl SessionAcknowledge {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_ACKNOWLEDGE_CORE_BYTES", self.core.len(), limits::MAX_ACKNOWLEDGE_CORE_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::SessionAcknowledge<'static>> {
        let core = builder.create_vector(&self.core);
        let signature = fb::Signature::new(&self.signature);
        let args = fb::SessionAcknowledgeArgs { core: Some(core), signature: Some(&signature) };
        fb::SessionAcknowledge::create(builder, &args)
    }

    pub(super) fn read(table: fb::SessionAcknowledge<'_>) -> Result<Self, WireError> {
        let acknowledge =
            Self { core: table.core().bytes().to_vec(), signature: table.signature().bytes().into() };
        acknowledge.check()?;
        Ok(acknowledge)
    }
}

/// With what the client asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum AdmissionKind {
    /// Nothing: development mode on loopback.
    None = 0,
    /// A ticket that names the client's key.
    MemberTicket = 1,
    /// An invite's id and a proof of its secret.
    Invite = 2,
    /// A token for an outside verifier.
    Bearer = 3,
}

impl WireEnum for AdmissionKind {
    const ALL: &'static [Self] = &[Self::None, Self::MemberTicket, Self::Invite, Self::Bearer];
    const NAME: &'static str = "admission kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// With what the client asks to be let in, and the bytes the session room reads by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Nothing: development mode on loopback.
    None,
    /// A ticket that names the client's key.
    MemberTicket(#[serde(with = "cbor::bytes")] Vec<u8>),
    /// An invite's id and a proof of its secret.
    Invite(#[serde(with = "cbor::bytes")] Vec<u8>),
    /// A token for an outside verifier.
    Bearer(#[serde(with = "cbor::bytes")] Vec<u8>),
}

impl Admission {
    /// Its kind on the wire.
    pub const fn kind(&self) -> AdmissionKind {
        match self {
            Self::None => AdmissionKind::None,
            Self::MemberTicket(_) => AdmissionKind::MemberTicket,
            Self::Invite(_) => AdmissionKind::Invite,
            Self::Bearer(_) => AdmissionKind::Bearer,
        }
    }

    /// Its bytes on the wire.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::MemberTicket(bytes) | Self::Invite(bytes) | Self::Bearer(bytes) => bytes,
        }
    }

    /// The admission of a kind.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for bytes where the kind has none.
    pub fn new(kind: AdmissionKind, bytes: Vec<u8>) -> Result<Self, WireError> {
        match kind {
            AdmissionKind::None if bytes.is_empty() => Ok(Self::None),
            AdmissionKind::None => Err(WireError::Malformed("admission")),
            AdmissionKind::MemberTicket => Ok(Self::MemberTicket(bytes)),
            AdmissionKind::Invite => Ok(Self::Invite(bytes)),
            AdmissionKind::Bearer => Ok(Self::Bearer(bytes)),
        }
    }
}

/// The client's proof and admission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionConfirm {
    /// The client key's signature over the transcript and the host's signature.
    #[serde(with = "cbor::fixed")]
    pub signature: [u8; 64],
    /// With what it asks to be let in.
    pub admission: Admission,
}

impl SessionConfirm {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_ADMISSION_BYTES", self.admission.bytes().len(), limits::MAX_ADMISSION_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::SessionConfirm<'static>> {
        let admission_bytes = put_bytes(builder, self.admission.bytes());
        fb::SessionConfirm::create(
            builder,
            &fb::SessionConfirmArgs {
                signature: Some(&fb::Signature::new(&self.signature)),
                admission: fb::AdmissionKind(self.admission.kind() as u8),
                admission_bytes,
            },
        )
    }

    pub(super) fn read(table: fb::SessionConfirm<'_>) -> Result<Self, WireError> {
        let confirm = Self {
            signature: table.signature().bytes().into(),
            admission: Admission::new(
                AdmissionKind::from_number(table.admission().0 as u16)?,
                bytes_of(table.admission_bytes()).to_vec(),
            )?,
        };
        confirm.check()?;
        Ok(confirm)
    }
}
