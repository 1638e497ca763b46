//! The three-message handshake, both sides, as functions of bytes: hello, acknowledgement, confirmation.
//!
//! Each side proves its key over the same transcript: the hello and the acknowledged core as they crossed the wire,
//! and the channel that carried them. A node in the middle that ends the transport on both sides has another channel;
//! one that changes a byte has another transcript; one that replays has another nonce. None can sign.
//!
//! Called by the host and peer machines. Nothing here keeps state, sends or waits.

use crate::schema::{ENTITY_COMPONENT, Schema, reconcile};
use crate::wire::codes::{CapabilityReason, DisconnectCode};
use crate::wire::message::{
    AcknowledgeCore, Admission, BindingKind, Capability, CapabilityBit, ComponentLayout, CompressionKind,
    HostCertificate, RefusedCapability, Role, SecurityMode, SessionAcknowledge, SessionConfirm, SessionHello,
    TransportKind, Version, WireEnum,
};

use super::admission::{AdmissionState, InviteGrant};
use super::closing::Closing;
use super::genesis::{Genesis, LIMITS_VERSION};
use super::io::Binding;
use super::keys::{
    ClientProof, HostKey, Identity, Statement, certificate_statement, client_statement, server_statement,
    sha256, transcript, verify,
};
use super::ticket::{MemberTicket, Pass, Pin, Ticket, TicketError};
use crate::mutants::{Mutant, Mutants};

/// The capabilities this build has, as a mask.
#[must_use]
pub fn supported_capabilities() -> u64 {
    Capability::Datagrams.bit()
        | Capability::Compression.bit()
        | Capability::PredictiveInput.bit()
        | Capability::Resume.bit()
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The lower of the two protocol versions.
    pub version: Version,
    /// What was asked for and is supported.
    pub capabilities: u64,
    /// What was asked for and is not, with the reason.
    pub refused: Vec<RefusedCapability>,
    /// How packet bodies may be compressed.
    pub compression: CompressionKind,
    /// Names the session; new for every start of a host.
    pub session_id: [u8; 16],
    /// The host's simulation rate.
    pub tick_rate_hz: u32,
    /// The epoch of all packets after the handshake.
    pub epoch: u16,
    /// The host's key, proved.
    pub host_key: [u8; 32],
    /// The host's term: a client keeps the highest it has seen for a document.
    pub term: u32,
    /// The schema hash of the link, which is the host's.
    pub schema_hash: u64,
}

/// What the host brings to every handshake.
#[derive(Clone, Debug)]
pub struct HostTerms {
    /// The key that acknowledges.
    pub identity: HostKey,
    /// The document's genesis record.
    pub genesis: Vec<u8>,
    /// A client of a lower version is refused.
    pub least_version: Version,
    /// What makes that key a host of this document.
    pub certificate: HostCertificate,
    /// This run of the host.
    pub session_id: [u8; 16],
    /// Simulation rate.
    pub tick_rate_hz: u16,
    /// Places are kept for members that are away, or whose link is lost.
    pub resume: bool,
    /// Hash of the compression dictionary; zero without one.
    pub dictionary_hash: u64,
}

impl HostTerms {
    /// Whom a client should expect.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        Pin { document: self.certificate.document_id, authority: self.certificate.authority_key }
    }
}

/// A hello that can be answered: what the host must remember until the confirmation.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What was agreed.
    pub agreement: Agreement,
    /// The client's key, claimed.
    pub client_key: [u8; 32],
    /// The client's display name.
    pub client_name: String,
    /// What the client sent for the application to judge.
    pub application: Vec<u8>,
    transcript: [u8; 32],
    client_statement: Statement<ClientProof>,
    /// The client was built with other components: it decodes by the host's manifest.
    pub needs_manifest: bool,
}

/// The host answers a hello: an offer to remember and the acknowledgement to send. The session begins in `epoch`, which is 1
/// when it is new.
pub fn answer_hello(
    epoch: u16,
    terms: &HostTerms,
    schema: &Schema,
    hello_bytes: &[u8],
    hello: &SessionHello,
    binding: &Binding,
    server_nonce: [u8; 32],
) -> Result<(Offer, SessionAcknowledge), Closing> {
    let version = agree_version(hello.version)?;
    check_version_floor(version, terms.least_version)?;
    check_transport(hello, binding.kind)?;
    let needs_manifest = !check_schema(schema, hello)?;
    if hello.security_modes & SecurityMode::Transport.bit() as u32 == 0 {
        return Err(Closing::new(DisconnectCode::SecurityFloor));
    }
    if hello.document_id.is_some_and(|document| document != terms.certificate.document_id) {
        return Err(Closing::new(DisconnectCode::WrongDocument));
    }
    let compression = agree_compression(terms, hello);
    let (capabilities, refused) = agree_capabilities(hello.capabilities, compression, terms.resume);
    let agreement = Agreement {
        version,
        capabilities,
        refused,
        compression,
        session_id: terms.session_id,
        tick_rate_hz: u32::from(terms.tick_rate_hz),
        epoch,
        host_key: terms.identity.public_key(),
        term: terms.certificate.term,
        schema_hash: schema.hash(),
    };
    let core = AcknowledgeCore {
        version,
        server_nonce,
        session_id: terms.session_id,
        document_id: terms.certificate.document_id,
        host_key: agreement.host_key,
        certificate: terms.certificate.clone(),
        term: terms.certificate.term,
        session_epoch: agreement.epoch,
        schema_hash: schema.hash(),
        capabilities,
        refused: agreement.refused.clone(),
        binding: binding.kind,
        x25519_key: None,
        compression,
        dictionary_hash: if compression == CompressionKind::None { 0 } else { terms.dictionary_hash },
        security_mode: SecurityMode::Transport,
        tick_rate_hz: terms.tick_rate_hz,
        genesis: terms.genesis.clone(),
    };
    let core = core.encode().map_err(|error| Closing::because(DisconnectCode::InternalFault, error))?;
    let transcript = transcript(hello_bytes, &core, binding);
    let signature = terms.identity.sign(&server_statement(&transcript));
    let offer = Offer {
        agreement,
        client_key: hello.client_key,
        client_name: hello.client_name.clone(),
        application: hello.application.clone(),
        transcript,
        needs_manifest,
        client_statement: client_statement(&transcript, &signature),
    };
    Ok((offer, SessionAcknowledge { core, signature }))
}

/// How a host decides on admission without a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenDoor {
    /// Nobody enters without a ticket.
    Closed,
    /// Whoever is on this machine enters with this role: the dev mode.
    Loopback(Role),
}

/// The host checks that the client holds the key it claims.
pub fn check_proof(offer: &Offer, confirm: &SessionConfirm, mutants: Mutants) -> Result<(), Closing> {
    let is_proved = verify(&offer.client_key, &offer.client_statement, &confirm.signature);
    if is_proved || mutants.active(Mutant::SkipClientSignature) {
        Ok(())
    } else {
        Err(Closing::new(DisconnectCode::BadClientProof))
    }
}

/// By what a host admits, now.
#[derive(Debug)]
pub struct Gate<'a> {
    /// Who enters without a ticket.
    pub door: OpenDoor,
    /// The highest role of who comes with a bearer token; without one none is taken.
    pub bearer: Option<Role>,
    /// True when the client is on this machine.
    pub is_loopback: bool,
    /// The wall clock.
    pub now_unix_s: u64,
    /// Invites and bans; an invite that lets somebody in is bound to its key.
    pub state: &'a mut AdmissionState,
    /// A planted bug.
    pub mutants: Mutants,
}

/// What a client that has proved its key may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The highest role.
    pub role: Role,
    /// A token that the application's verifier has to accept first.
    pub bearer: Option<Vec<u8>>,
    /// The invite that let it in.
    pub invite: Option<InviteGrant>,
}

impl Grant {
    pub(crate) const fn of(role: Role) -> Self {
        Self { role, bearer: None, invite: None }
    }
}

/// The host checks the client's proof and what it asks to be let in with: what it may have, or why not.
pub fn check_confirm(
    terms: &HostTerms,
    offer: &Offer,
    confirm: &SessionConfirm,
    gate: &mut Gate<'_>,
) -> Result<Grant, Closing> {
    let key = &offer.client_key;
    check_proof(offer, confirm, gate.mutants)?;
    // After the proof: who holds no banned key learns nothing about which are.
    if gate.state.is_banned(key) && !gate.mutants.active(Mutant::IgnoreBan) {
        return Err(Closing::new(DisconnectCode::Banned));
    }
    match &confirm.admission {
        Admission::MemberTicket(bytes) => MemberTicket::decode(bytes)
            .and_then(|ticket| ticket.grant(&terms.pin(), key, gate.now_unix_s))
            .map(Grant::of)
            .map_err(|error| Closing::because(ticket_code(&error), error)),
        Admission::Invite(proof) => gate
            .state
            .redeem(proof, &offer.transcript, key, gate.now_unix_s, gate.mutants)
            .map(|invite| Grant { invite: Some(invite), ..Grant::of(invite.role) })
            .map_err(|error| Closing::because(error.code(), error)),
        Admission::Bearer(token) => match gate.bearer {
            Some(role) => Ok(Grant { bearer: Some(token.clone()), ..Grant::of(role) }),
            None => Err(Closing::because(DisconnectCode::AdmissionRequired, "It takes no bearer tokens")),
        },
        Admission::None => match gate.door {
            OpenDoor::Loopback(role) if gate.is_loopback => Ok(Grant::of(role)),
            _ => Err(Closing::new(DisconnectCode::AdmissionRequired)),
        },
    }
}

const fn ticket_code(error: &TicketError) -> DisconnectCode {
    match error {
        TicketError::Expired => DisconnectCode::TicketExpired,
        TicketError::Key => DisconnectCode::TicketWrongKey,
        TicketError::Document => DisconnectCode::TicketWrongDocument,
        _ => DisconnectCode::TicketInvalid,
    }
}

/// The least that a client settles for. Held against what the host has signed, never against an unsigned word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floors {
    /// The lowest protocol version.
    pub version: Version,
    /// Mask of [`TransportKind`].
    pub transports: u64,
    /// Mask of [`SecurityMode`].
    pub security_modes: u64,
}

impl Default for Floors {
    /// Everything that this build can do.
    fn default() -> Self {
        Self {
            version: Version::default(),
            transports: TransportKind::ALL.iter().fold(0, |mask, kind| mask | kind.bit()),
            security_modes: SecurityMode::Transport.bit(),
        }
    }
}

/// What a client brings to a handshake.
#[derive(Clone, Debug)]
pub struct ClientTerms {
    /// The client's key.
    pub identity: Identity,
    /// Display name.
    pub name: String,
    /// For the host's application to judge.
    pub application: Vec<u8>,
    /// Whom to expect, and what lets us in.
    pub ticket: Ticket,
    /// A token for the host's outside verifier, shown instead of what the ticket has, and only to a host that has proved
    /// itself; at most [`crate::wire::limits::MAX_ADMISSION_BYTES`].
    pub bearer: Option<Vec<u8>>,
    /// The highest term seen for the document; a host of a lower one is refused. Zero before the first.
    pub least_term: u32,
    /// The least we settle for.
    pub floors: Floors,
    /// Capabilities to ask for.
    pub capabilities: u64,
    /// Hash of the compression dictionary; zero without one.
    pub dictionary_hash: u64,
}

/// The client's opening.
#[must_use]
pub fn client_hello(
    terms: &ClientTerms,
    schema: &Schema,
    binding: &Binding,
    client_nonce: [u8; 32],
) -> SessionHello {
    let mut compressions = CompressionKind::None.bit();
    let mut dictionaries = Vec::new();
    if terms.dictionary_hash != 0 {
        compressions |= CompressionKind::ZstdDictionary.bit();
        dictionaries.push(terms.dictionary_hash);
    }
    SessionHello {
        version: Version::CURRENT,
        client_nonce,
        client_key: terms.identity.public_key(),
        schema_hash: schema.hash(),
        components: schema
            .components()
            .iter()
            .map(|component| ComponentLayout {
                id: component.id,
                layout_hash: component.layout_hash,
                name: component.name().to_owned(),
            })
            .collect(),
        manifest_checksum: Some(sha256(schema.manifest().as_bytes())),
        document_id: terms.ticket.pin.map(|pin| pin.document),
        transports: transport_of(binding.kind).bit() as u32,
        compressions: compressions as u32,
        security_modes: SecurityMode::Transport.bit() as u32,
        capabilities: terms.capabilities,
        dictionaries,
        client_name: terms.name.clone(),
        application: terms.application.clone(),
        ..SessionHello::default()
    }
}

/// The client checks who answered and what was agreed: the agreement and the proof to send.
pub fn check_acknowledge(
    terms: &ClientTerms,
    hello_bytes: &[u8],
    acknowledge: &SessionAcknowledge,
    binding: &Binding,
    is_loopback: bool,
    mutants: Mutants,
) -> Result<(Agreement, SessionConfirm), Closing> {
    let core = AcknowledgeCore::decode(&acknowledge.core).map_err(|error| Closing::from_message(&error))?;
    if core.binding != binding.kind {
        return Err(Closing::new(DisconnectCode::BindingMismatch));
    }
    let transcript = transcript(hello_bytes, &acknowledge.core, binding);
    let is_proved = verify(&core.host_key, &server_statement(&transcript), &acknowledge.signature);
    if !is_proved && !mutants.active(Mutant::SkipHostSignature) {
        return Err(Closing::new(DisconnectCode::BadHostProof));
    }
    // From here on the core is what the holder of `host_key` said, on this channel, to this hello. Who is that?
    let host = check_host(terms, &core, is_loopback, mutants);
    if !mutants.active(Mutant::SkipHostCertificate) {
        host?;
    }
    if core.version.major != Version::CURRENT.major || core.version > Version::CURRENT {
        return Err(Closing::because(DisconnectCode::VersionMismatch, versions(core.version)));
    }
    check_version_floor(core.version, terms.floors.version)?;
    if terms.floors.transports & transport_of(core.binding).bit() == 0 {
        return Err(Closing::new(DisconnectCode::TransportFloor));
    }
    let is_offered = core.security_mode == SecurityMode::Transport;
    if !is_offered || terms.floors.security_modes & core.security_mode.bit() == 0 {
        return Err(Closing::new(DisconnectCode::SecurityFloor));
    }
    // What was neither asked for nor offered cannot be agreed: somebody changed it, or the host is broken.
    let refused = core.refused.iter().fold(0, |mask, refused| mask | refused.capability.bit());
    if core.capabilities & refused != 0 || core.capabilities | refused != terms.capabilities {
        return Err(Closing::because(
            DisconnectCode::ProtocolViolation,
            "the agreed capabilities are not those asked for",
        ));
    }
    let compressed = core.compression != CompressionKind::None;
    let with_ours = terms.dictionary_hash != 0 && core.dictionary_hash == terms.dictionary_hash;
    if compressed != (core.capabilities & Capability::Compression.bit() != 0) || (compressed && !with_ours) {
        return Err(Closing::because(
            DisconnectCode::ProtocolViolation,
            "compression that was not agreed, or with another dictionary",
        ));
    }
    if core.session_epoch == 0 || core.tick_rate_hz == 0 {
        return Err(Closing::because(DisconnectCode::ProtocolViolation, "an epoch or a tick rate of zero"));
    }
    let agreement = Agreement {
        version: core.version,
        capabilities: core.capabilities,
        refused: core.refused,
        compression: core.compression,
        session_id: core.session_id,
        tick_rate_hz: u32::from(core.tick_rate_hz),
        epoch: core.session_epoch,
        host_key: core.host_key,
        term: core.term,
        schema_hash: core.schema_hash,
    };
    let signature = terms.identity.sign(&client_statement(&transcript, &acknowledge.signature));
    let admission = admission_of(terms, &transcript);
    Ok((agreement, SessionConfirm { signature, admission }))
}

/// What a client asks to be let in with. The secret of an invite stays here.
#[must_use]
pub fn admission_of(terms: &ClientTerms, transcript: &[u8; 32]) -> Admission {
    match (&terms.bearer, &terms.ticket.pass) {
        (Some(token), _) => Admission::Bearer(token.clone()),
        (None, Pass::None) => Admission::None,
        (None, Pass::Member(ticket)) => Admission::MemberTicket(ticket.clone()),
        (None, Pass::Invite(invite)) => Admission::Invite(invite.prove(transcript).to_vec()),
    }
}

/// Is the holder of `host_key` a host of the document that the client means, in a term that has not ended?
fn check_host(
    terms: &ClientTerms,
    core: &AcknowledgeCore,
    is_loopback: bool,
    mutants: Mutants,
) -> Result<(), Closing> {
    let certificate = &core.certificate;
    let fits = certificate.host_key == core.host_key
        && certificate.document_id == core.document_id
        && certificate.term == core.term
        && verify(&certificate.authority_key, &certificate_statement(certificate), &certificate.signature);
    if !fits {
        return Err(Closing::new(DisconnectCode::BadHostCertificate));
    }
    match terms.ticket.pin {
        Some(pin) if pin.document != core.document_id => {
            return Err(Closing::new(DisconnectCode::WrongDocument));
        }
        Some(pin) if pin.authority != certificate.authority_key => {
            return Err(uncertified("another authority certified this host"));
        }
        Some(_) => {}
        None if is_loopback => {}
        None => {
            return Err(uncertified("the ticket names no authority, and the host is not on this machine"));
        }
    }
    check_genesis(core)?;
    if core.term < terms.least_term && !mutants.active(Mutant::AcceptOldTerm) {
        let detail = format!("Its term is {}, and {} has been seen", core.term, terms.least_term);
        return Err(Closing::because(DisconnectCode::StaleTerm, detail));
    }
    Ok(())
}

/// What the document's founder laid down, against what the host says.
fn check_genesis(core: &AcknowledgeCore) -> Result<(), Closing> {
    let genesis = Genesis::decode(&core.genesis).map_err(|error| uncertified(&error.to_string()))?;
    if genesis.document() != core.document_id || !genesis.is_signed() {
        return Err(uncertified("the genesis record is not this document's"));
    }
    if genesis.founder != core.certificate.authority_key {
        return Err(uncertified("who certified this host did not found the document"));
    }
    if !genesis.may_host(&core.host_key) {
        return Err(uncertified("the document's founder did not name it among its hosts"));
    }
    if genesis.limits_version > LIMITS_VERSION {
        let detail = format!("The document has limits of version {}", genesis.limits_version);
        return Err(Closing::because(DisconnectCode::VersionMismatch, detail));
    }
    if genesis.charter.is_end_to_end && core.security_mode != SecurityMode::EndToEnd {
        let detail = "The document was founded for members only, and the host offers less";
        return Err(Closing::because(DisconnectCode::SecurityFloor, detail));
    }
    Ok(())
}

fn uncertified(detail: &str) -> Closing {
    Closing::because(DisconnectCode::BadHostCertificate, detail)
}

fn agree_version(theirs: Version) -> Result<Version, Closing> {
    if theirs.major == Version::CURRENT.major {
        Ok(theirs.min(Version::CURRENT))
    } else {
        Err(Closing::because(DisconnectCode::VersionMismatch, versions(theirs)))
    }
}

fn check_version_floor(agreed: Version, floor: Version) -> Result<(), Closing> {
    if agreed < floor {
        let detail = format!("The version of this link would be {agreed}, the floor is {floor}");
        return Err(Closing::because(DisconnectCode::VersionFloor, detail));
    }
    Ok(())
}

fn versions(theirs: Version) -> String {
    format!("This side speaks {}, the other {theirs}", Version::CURRENT)
}

const fn transport_of(binding: BindingKind) -> TransportKind {
    match binding {
        BindingKind::Memory => TransportKind::Memory,
        BindingKind::TlsExporter => TransportKind::Quic,
        BindingKind::DtlsCertificates => TransportKind::WebRtc,
        BindingKind::PinnedCertificate => TransportKind::WebTransport,
    }
}

fn check_transport(hello: &SessionHello, binding: BindingKind) -> Result<(), Closing> {
    if u64::from(hello.transports) & transport_of(binding).bit() == 0 {
        return Err(Closing::new(DisconnectCode::BindingUnsupported));
    }
    Ok(())
}

fn agree_compression(terms: &HostTerms, hello: &SessionHello) -> CompressionKind {
    let shared = terms.dictionary_hash != 0
        && hello.capabilities & Capability::Compression.bit() != 0
        && u64::from(hello.compressions) & CompressionKind::ZstdDictionary.bit() != 0
        && hello.dictionaries.contains(&terms.dictionary_hash);
    if shared { CompressionKind::ZstdDictionary } else { CompressionKind::None }
}

fn agree_capabilities(
    asked: u64,
    compression: CompressionKind,
    resume: bool,
) -> (u64, Vec<RefusedCapability>) {
    let mut granted = asked & supported_capabilities();
    if compression == CompressionKind::None {
        granted &= !Capability::Compression.bit();
    }
    if !resume {
        granted &= !Capability::Resume.bit();
    }
    // Each bit has its answer, also one that only a newer client knows.
    let refused = (0..u64::BITS as u8)
        .filter(|number| (asked & !granted) >> number & 1 == 1)
        .filter_map(|number| CapabilityBit::from_number(number).ok())
        .map(|capability| {
            let reason = match capability {
                CapabilityBit::Known(Capability::Compression) => CapabilityReason::MissingDictionary,
                CapabilityBit::Known(Capability::Resume) => CapabilityReason::DisabledByHost,
                _ => CapabilityReason::NotSupported,
            };
            RefusedCapability { capability, reason }
        })
        .collect();
    (granted, refused)
}

/// Compares component by component. True when both have the same ones; false when they differ and the client has to
/// decode by the host's manifest. Which fields differ, and whether they can be reconciled, only the client can tell:
/// it has both.
///
/// # Errors
/// What no manifest can bridge, by name: another built-in component, or nothing in common.
fn check_schema(schema: &Schema, hello: &SessionHello) -> Result<bool, Closing> {
    if hello.schema_hash == schema.hash() {
        return Ok(true);
    }
    let mut differences = Vec::new();
    let (mut in_common, mut is_known) = (0, false);
    for ours in schema.components() {
        let is_built_in = ours.name() == ENTITY_COMPONENT;
        match hello.components.iter().find(|theirs| theirs.id == ours.id) {
            None => differences.push(format!("{:?} is missing at the peer", ours.name())),
            Some(theirs) if theirs.layout_hash != ours.layout_hash => {
                differences.push(format!("{:?} has other fields", ours.name()));
                in_common += usize::from(!is_built_in);
            }
            Some(_) if is_built_in => is_known = true,
            Some(_) => in_common += 1,
        }
    }
    for theirs in &hello.components {
        if schema.index_of(theirs.id).is_none() {
            // Quoted as debug text: a stranger's name must not write lines into a log.
            differences.push(format!("{:?} is missing at the host", theirs.name));
        }
    }
    // Who has no components of its own, or a host without any, shares nothing and misses nothing.
    let nothing_to_share = hello.components.len() <= 1 || schema.components().len() <= 1;
    if is_known && (in_common > 0 || nothing_to_share) && !differences.is_empty() {
        return Ok(false);
    }
    if differences.is_empty() {
        differences.push("the hashes differ although the listed components agree".to_owned());
    }
    Err(Closing::because(DisconnectCode::SchemaMismatch, reconcile::list(differences)))
}
