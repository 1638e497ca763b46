//! SessionControl: admission, membership, and every way a session ends.

use super::roster::{ArchetypeDefinition, Role, RosterPeer};
use super::{Builder, MessageType, WireEnum, at_most, bytes_of, fb, limits, put_bytes, put_text, text_of};
use crate::types::{ChunkId, PeerId, Tick};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// Which [`SessionControl`] it is, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[allow(missing_docs)] // each is the variant of `SessionControl` with its name
pub enum ControlKind {
    Admitted = 1,
    Denied = 2,
    Loaded = 3,
    Leave = 4,
    Kick = 5,
    Refusal = 6,
    PeerJoined = 7,
    PeerLeft = 8,
    Away = 9,
    Back = 10,
    EpochChange = 11,
    RequestHashDetails = 12,
    ArchetypeDefinitions = 13,
    Close = 14,
    RoleChanged = 15,
    LevelChange = 16,
    ResumeToken = 17,
    Manifest = 18,
}

impl WireEnum for ControlKind {
    const ALL: &'static [Self] = &[
        Self::Admitted,
        Self::Denied,
        Self::Loaded,
        Self::Leave,
        Self::Kick,
        Self::Refusal,
        Self::PeerJoined,
        Self::PeerLeft,
        Self::Away,
        Self::Back,
        Self::EpochChange,
        Self::RequestHashDetails,
        Self::ArchetypeDefinitions,
        Self::Close,
        Self::RoleChanged,
        Self::LevelChange,
        Self::ResumeToken,
        Self::Manifest,
    ];
    const NAME: &'static str = "control kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// The host's welcome. The client loads its level and answers [`SessionControl::Loaded`]; the snapshot follows that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The client's slot.
    pub peer: PeerId,
    /// What it may do.
    pub role: Role,
    /// The application's team.
    pub team: u16,
    /// Ticks per second.
    pub tick_rate_hz: u16,
    /// The level to load, as the application names it.
    pub level: String,
    /// From the application.
    #[serde(with = "cbor::bytes")]
    pub application: Vec<u8>,
    /// Finds this session again after a lost link; empty where resuming is off.
    #[serde(with = "cbor::bytes")]
    pub resume_token: Vec<u8>,
    /// Session time, microseconds, when this was sent.
    pub host_time_us: u64,
    /// The tick at that time.
    pub host_tick: Tick,
    /// How long the client's place is kept while it is away or its link is lost, milliseconds; zero where resuming is off.
    pub resume_grace_ms: u32,
}

/// How a session ends, or why it does not begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The code.
    pub code: DisconnectCode,
    /// What happened here, for people: versions, names of components, what the application said.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

impl Ending {
    /// An ending that says what the code's table says.
    pub fn from_code(code: DisconnectCode) -> Self {
        Self { code, text: code.sentence().to_owned(), hint: code.hint().to_owned() }
    }
}

/// The signed answer to a message that was not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Type of the refused message.
    pub message_type: MessageType,
    /// Command type within it; zero for messages that are no commands.
    pub command_type: u32,
    /// Why.
    pub reason: RefusalReason,
    /// Wire number of the lane the message came on.
    pub lane: u8,
    /// Sequence of the packet it came in.
    pub sequence: u32,
    /// For people.
    pub text: String,
    /// The host key's signature over [`Refusal::signed_bytes`].
    #[serde(with = "cbor::fixed")]
    pub signature: [u8; 64],
}

impl Refusal {
    /// Purpose prefix of the signature.
    pub const PURPOSE: &'static [u8] = b"theta/1 refusal\0";

    /// What the host signs: purpose, session id, message type, command type, reason, lane, sequence, text; integers
    /// little-endian, the text to the end.
    pub fn signed_bytes(&self, session_id: &[u8; 16]) -> Vec<u8> {
        [
            Self::PURPOSE,
            session_id,
            &[self.message_type as u8],
            &self.command_type.to_le_bytes(),
            &self.reason.number().to_le_bytes(),
            &[self.lane],
            &self.sequence.to_le_bytes(),
            self.text.as_bytes(),
        ]
        .concat()
    }
}

/// The host asks a peer for the hashes under a fold that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashDetailsRequest {
    /// The tick.
    pub tick: Tick,
    /// The chunks; empty asks for all.
    pub chunks: Vec<ChunkId>,
}

/// Everybody loads another level: the same gate as at joining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// The level to load, as the application names it.
    pub level: String,
    /// From the application.
    #[serde(with = "cbor::bytes")]
    pub application: Vec<u8>,
}

/// A piece of the host's compact schema manifest, for a peer whose layouts differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// SHA-256 of the whole.
    #[serde(with = "cbor::fixed")]
    pub checksum: [u8; 32],
    /// Which piece, from zero.
    pub part: u16,
    /// Of how many.
    pub part_count: u16,
    /// The piece.
    #[serde(with = "cbor::bytes")]
    pub bytes: Vec<u8>,
}

/// Control of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionControl {
    /// Host: you are in.
    Admitted(Admitted),
    /// Host: you are not let in.
    Denied(Ending),
    /// Client: my level is up, send the snapshot.
    Loaded,
    /// Client: I leave.
    Leave(Ending),
    /// Host: you are removed.
    Kick(Ending),
    /// Host: a message of yours was not acted on.
    Refusal(Refusal),
    /// Host: somebody joined.
    PeerJoined(RosterPeer),
    /// Host: somebody left for good.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// How.
        code: DisconnectCode,
    },
    /// Client: my headset is off (`peer` is the sender). Host: so is that one's.
    Away {
        /// Who.
        peer: PeerId,
        /// How long its place is kept, milliseconds; in a client's message: how long it asks for.
        grace_ms: u32,
    },
    /// The end of [`SessionControl::Away`].
    Back {
        /// Who.
        peer: PeerId,
    },
    /// Host: packets after this one carry the new epoch, sequences begin again at 1.
    EpochChange {
        /// The new epoch.
        epoch: u16,
    },
    /// Host: send the hashes under that fold.
    RequestHashDetails(HashDetailsRequest),
    /// Host: deltas from now on may name these.
    ArchetypeDefinitions(Vec<ArchetypeDefinition>),
    /// Either: the session ends for this reason.
    Close(Ending),
    /// Host: a member's role changed.
    RoleChanged {
        /// Who.
        peer: PeerId,
        /// Its role from now on.
        role: Role,
    },
    /// Host: load another level, then answer [`SessionControl::Loaded`].
    LevelChange(LevelChange),
    /// Host: the token for the next resume.
    ResumeToken(#[serde(with = "cbor::bytes")] Vec<u8>),
    /// Host: a piece of the schema manifest.
    Manifest(ManifestPart),
}

impl SessionControl {
    /// The kind as a number.
    pub const fn kind(&self) -> ControlKind {
        match self {
            Self::Admitted(_) => ControlKind::Admitted,
            Self::Denied(_) => ControlKind::Denied,
            Self::Loaded => ControlKind::Loaded,
            Self::Leave(_) => ControlKind::Leave,
            Self::Kick(_) => ControlKind::Kick,
            Self::Refusal(_) => ControlKind::Refusal,
            Self::PeerJoined(_) => ControlKind::PeerJoined,
            Self::PeerLeft { .. } => ControlKind::PeerLeft,
            Self::Away { .. } => ControlKind::Away,
            Self::Back { .. } => ControlKind::Back,
            Self::EpochChange { .. } => ControlKind::EpochChange,
            Self::RequestHashDetails(_) => ControlKind::RequestHashDetails,
            Self::ArchetypeDefinitions(_) => ControlKind::ArchetypeDefinitions,
            Self::Close(_) => ControlKind::Close,
            Self::RoleChanged { .. } => ControlKind::RoleChanged,
            Self::LevelChange(_) => ControlKind::LevelChange,
            Self::ResumeToken(_) => ControlKind::ResumeToken,
            Self::Manifest(_) => ControlKind::Manifest,
        }
    }

    pub(super) fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Admitted(admitted) => {
                at_most("MAX_NAME_BYTES", admitted.level.len(), limits::MAX_NAME_BYTES)?;
                at_most("MAX_APPLICATION_BYTES", admitted.application.len(), limits::MAX_APPLICATION_BYTES)?;
                at_most("MAX_TOKEN_BYTES", admitted.resume_token.len(), limits::MAX_TOKEN_BYTES)
            }
            Self::Denied(ending) | Self::Leave(ending) | Self::Kick(ending) | Self::Close(ending) => {
                at_most("MAX_TEXT_BYTES", ending.text.len(), limits::MAX_TEXT_BYTES)?;
                at_most("MAX_TEXT_BYTES", ending.hint.len(), limits::MAX_TEXT_BYTES)
            }
            Self::Refusal(refusal) => at_most("MAX_TEXT_BYTES", refusal.text.len(), limits::MAX_TEXT_BYTES),
            Self::PeerJoined(peer) => peer.check(),
            Self::RequestHashDetails(request) => {
                at_most("MAX_HASH_CHUNKS", request.chunks.len(), limits::MAX_HASH_CHUNKS)
            }
            Self::ArchetypeDefinitions(definitions) => ArchetypeDefinition::check_all(definitions),
            Self::LevelChange(change) => {
                at_most("MAX_NAME_BYTES", change.level.len(), limits::MAX_NAME_BYTES)?;
                at_most("MAX_APPLICATION_BYTES", change.application.len(), limits::MAX_APPLICATION_BYTES)
            }
            Self::ResumeToken(token) => at_most("MAX_TOKEN_BYTES", token.len(), limits::MAX_TOKEN_BYTES),
            Self::Manifest(part) => {
                at_most("MAX_MANIFEST_PARTS", part.part_count as usize, limits::MAX_MANIFEST_PARTS)?;
                at_most("MAX_MANIFEST_PART_BYTES", part.bytes.len(), limits::MAX_MANIFEST_PART_BYTES)?;
                if part.part < part.part_count { Ok(()) } else { Err(WireError::Malformed("manifest part")) }
            }
            Self::Loaded
            | Self::PeerLeft { .. }
            | Self::Away { .. }
            | Self::Back { .. }
            | Self::EpochChange { .. }
            | Self::RoleChanged { .. } => Ok(()),
        }
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::SessionControl<'static>> {
        let mut args =
            fb::SessionControlArgs { kind: fb::ControlKind(self.kind() as u8), ..Default::default() };
        match self {
            Self::Admitted(admitted) => args.admitted = Some(write_admitted(admitted, builder)),
            Self::Denied(ending) | Self::Leave(ending) | Self::Kick(ending) | Self::Close(ending) => {
                let (text, hint) = (put_text(builder, &ending.text), put_text(builder, &ending.hint));
                let ending = fb::EndingArgs { code: ending.code.number(), text, hint };
                args.ending = Some(fb::Ending::create(builder, &ending));
            }
            Self::Loaded => {}
            Self::Refusal(refusal) => args.refusal = Some(write_refusal(refusal, builder)),
            Self::PeerJoined(peer) => args.joined = Some(peer.write(builder)),
            Self::PeerLeft { peer, code } => {
                let gone = fb::PeerGoneArgs { peer: peer.0, code: code.number() };
                args.gone = Some(fb::PeerGone::create(builder, &gone));
            }
            Self::Away { peer, grace_ms } => {
                let away = fb::PeerAwayArgs { peer: peer.0, grace_ms: *grace_ms };
                args.away = Some(fb::PeerAway::create(builder, &away));
            }
            Self::Back { peer } => {
                let away = fb::PeerAwayArgs { peer: peer.0, grace_ms: 0 };
                args.away = Some(fb::PeerAway::create(builder, &away));
            }
            Self::EpochChange { epoch } => {
                args.epoch = Some(fb::EpochChange::create(builder, &fb::EpochChangeArgs { epoch: *epoch }));
            }
            Self::RequestHashDetails(request) => {
                let chunks = (!request.chunks.is_empty())
                    .then(|| builder.create_vector_from_iter(request.chunks.iter().map(|chunk| chunk.0)));
                let request = fb::HashDetailsRequestArgs { tick: request.tick.0, chunks };
                args.hash_details = Some(fb::HashDetailsRequest::create(builder, &request));
            }
            Self::ArchetypeDefinitions(definitions) => {
                args.archetypes = ArchetypeDefinition::write_all(definitions, builder);
            }
            Self::RoleChanged { peer, role } => {
                let change = fb::RoleChangeArgs { peer: peer.0, role: fb::Role(*role as u8) };
                args.role = Some(fb::RoleChange::create(builder, &change));
            }
            Self::LevelChange(change) => {
                let (level, application) =
                    (put_text(builder, &change.level), put_bytes(builder, &change.application));
                args.level =
                    Some(fb::LevelChange::create(builder, &fb::LevelChangeArgs { level, application }));
            }
            Self::ResumeToken(token) => args.resume_token = put_bytes(builder, token),
            Self::Manifest(part) => {
                let bytes = put_bytes(builder, &part.bytes);
                args.manifest = Some(fb::ManifestPart::create(
                    builder,
                    &fb::ManifestPartArgs {
                        checksum: Some(&fb::Bytes32::new(&part.checksum)),
                        part: part.part,
                        part_count: part.part_count,
                        bytes,
                    },
                ));
            }
        }
        fb::SessionControl::create(builder, &args)
    }

    pub(super) fn read(table: fb::SessionControl<'_>) -> Result<Self, WireError> {
        const MISSING: WireError = WireError::Missing("the table its control kind names");
        let control = match ControlKind::from_number(table.kind().0 as u16)? {
            ControlKind::Admitted => Self::Admitted(read_admitted(table.admitted().ok_or(MISSING)?)?),
            ControlKind::Denied => Self::Denied(read_ending(table.ending().ok_or(MISSING)?)?),
            ControlKind::Loaded => Self::Loaded,
            ControlKind::Leave => Self::Leave(read_ending(table.ending().ok_or(MISSING)?)?),
            ControlKind::Kick => Self::Kick(read_ending(table.ending().ok_or(MISSING)?)?),
            ControlKind::Refusal => Self::Refusal(read_refusal(table.refusal().ok_or(MISSING)?)?),
            ControlKind::PeerJoined => Self::PeerJoined(RosterPeer::read(table.joined().ok_or(MISSING)?)?),
            ControlKind::PeerLeft => {
                let gone = table.gone().ok_or(MISSING)?;
                Self::PeerLeft { peer: PeerId(gone.peer()), code: DisconnectCode::from_number(gone.code())? }
            }
            ControlKind::Away => {
                let away = table.away().ok_or(MISSING)?;
                Self::Away { peer: PeerId(away.peer()), grace_ms: away.grace_ms() }
            }
            ControlKind::Back => Self::Back { peer: PeerId(table.away().ok_or(MISSING)?.peer()) },
            ControlKind::EpochChange => Self::EpochChange { epoch: table.epoch().ok_or(MISSING)?.epoch() },
            ControlKind::RequestHashDetails => {
                let request = table.hash_details().ok_or(MISSING)?;
                Self::RequestHashDetails(HashDetailsRequest {
                    tick: Tick(request.tick()),
                    chunks: request
                        .chunks()
                        .map_or_else(Vec::new, |chunks| chunks.iter().map(ChunkId).collect()),
                })
            }
            ControlKind::ArchetypeDefinitions => {
                Self::ArchetypeDefinitions(ArchetypeDefinition::read_all(table.archetypes())?)
            }
            ControlKind::Close => Self::Close(read_ending(table.ending().ok_or(MISSING)?)?),
            ControlKind::RoleChanged => {
                let change = table.role().ok_or(MISSING)?;
                let role = Role::from_number(change.role().0 as u16)?;
                Self::RoleChanged { peer: PeerId(change.peer()), role }
            }
            ControlKind::LevelChange => {
                let change = table.level().ok_or(MISSING)?;
                Self::LevelChange(LevelChange {
                    level: text_of(change.level()),
                    application: bytes_of(change.application()).to_vec(),
                })
            }
            ControlKind::ResumeToken => Self::ResumeToken(bytes_of(table.resume_token()).to_vec()),
            ControlKind::Manifest => {
                let part = table.manifest().ok_or(MISSING)?;
                Self::Manifest(ManifestPart {
                    checksum: part.checksum().bytes().into(),
                    part: part.part(),
                    part_count: part.part_count(),
                    bytes: bytes_of(part.bytes()).to_vec(),
                })
            }
        };
        control.check()?;
        Ok(control)
    }
}

fn write_admitted(admitted: &Admitted, builder: &mut Builder) -> WIPOffset<fb::Admitted<'static>> {
    let level = put_text(builder, &admitted.level);
    let application = put_bytes(builder, &admitted.application);
    let resume_token = put_bytes(builder, &admitted.resume_token);
    fb::Admitted::create(
        builder,
        &fb::AdmittedArgs {
            peer: admitted.peer.0,
            role: fb::Role(admitted.role as u8),
            team: admitted.team,
            tick_rate_hz: admitted.tick_rate_hz,
            level,
            application,
            resume_token,
            host_time_us: admitted.host_time_us,
            host_tick: admitted.host_tick.0,
            resume_grace_ms: admitted.resume_grace_ms,
        },
    )
}

fn read_admitted(table: fb::Admitted<'_>) -> Result<Admitted, WireError> {
    Ok(Admitted {
        peer: PeerId(table.peer()),
        role: Role::from_number(table.role().0 as u16)?,
        team: table.team(),
        tick_rate_hz: table.tick_rate_hz(),
        level: text_of(table.level()),
        application: bytes_of(table.application()).to_vec(),
        resume_token: bytes_of(table.resume_token()).to_vec(),
        host_time_us: table.host_time_us(),
        host_tick: Tick(table.host_tick()),
        resume_grace_ms: table.resume_grace_ms(),
    })
}

fn read_ending(table: fb::Ending<'_>) -> Result<Ending, WireError> {
    Ok(Ending {
        code: DisconnectCode::from_number(table.code())?,
        text: text_of(table.text()),
        hint: text_of(table.hint()),
    })
}

fn write_refusal(refusal: &Refusal, builder: &mut Builder) -> WIPOffset<fb::Refusal<'static>> {
    let text = put_text(builder, &refusal.text);
    fb::Refusal::create(
        builder,
        &fb::RefusalArgs {
            message_type: refusal.message_type as u8,
            command_type: refusal.command_type,
            reason: refusal.reason.number(),
            lane: refusal.lane,
            sequence: refusal.sequence,
            text,
            signature: Some(&fb::Signature::new(&refusal.signature)),
        },
    )
}

fn read_refusal(table: fb::Refusal<'_>) -> Result<Refusal, WireError> {
    Ok(Refusal {
        message_type: MessageType::from_number(table.message_type() as u16)?,
        command_type: table.command_type(),
        reason: RefusalReason::from_number(table.reason())?,
        lane: table.lane(),
        sequence: table.sequence(),
        text: text_of(table.text()),
        signature: table.signature().bytes().into(),
    })
}
