//! Why sessions end, requests are refused and capabilities are not granted: one table each.
//!
//! Each code has a sentence for the log and a hint for the person; docs/protocol.md prints both, and a test compares.
//! Codes are never reused; from the first tagged release values are only appended.

use super::message::WireEnum;
use serde::{Deserialize, Serialize};

/// Why a session ended, or did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum DisconnectCode {
    /// The session ended as planned.
    Normal = 0,
    /// The peer left.
    Left = 1,
    /// The host removed the peer.
    Kicked = 2,
    /// The host is shutting down.
    ShuttingDown = 3,
    /// The transport lost the link.
    LinkLost = 4,
    /// Nothing arrived for longer than the idle timeout.
    IdleTimeout = 5,
    /// The peer was away for longer than its grace window.
    AwayTimeout = 6,
    /// A newer connection of the same peer took over.
    Replaced = 7,
    /// The packet belongs to a session epoch that has ended.
    EpochFenced = 8,
    /// A peer with this key is already in the session.
    DuplicateIdentity = 9,
    /// A packet on a reliable lane had no valid envelope.
    BadEnvelope = 16,
    /// A packet on a reliable lane failed its CRC.
    BadCrc = 17,
    /// A message did not verify.
    BadMessage = 18,
    /// A message passed a limit of the protocol.
    LimitExceeded = 19,
    /// A message came that this state of the session does not allow.
    ProtocolViolation = 20,
    /// The peer kept sending messages that its role forbids.
    MessageForbidden = 21,
    /// The peer sent more than its rate limit allows.
    RateLimited = 22,
    /// A lane ran out of sequence numbers before the epoch changed.
    SequenceExhausted = 23,
    /// The two protocol versions have nothing in common.
    VersionMismatch = 32,
    /// The other side's version is below the floor set here.
    VersionFloor = 33,
    /// The components of the two sides cannot be reconciled.
    SchemaMismatch = 34,
    /// The transport is not among those allowed here.
    TransportFloor = 35,
    /// The security mode offered is below the floor set here.
    SecurityFloor = 36,
    /// The host serves another document than the one asked for.
    WrongDocument = 37,
    /// The host's signature does not fit the transcript.
    BadHostProof = 48,
    /// The client's signature does not fit the transcript.
    BadClientProof = 49,
    /// The host key is not certified for this document and term.
    BadHostCertificate = 50,
    /// The proof is bound to another transport connection.
    BindingMismatch = 51,
    /// The binding kind does not fit the transport.
    BindingUnsupported = 52,
    /// The handshake took too long.
    HandshakeTimeout = 53,
    /// The host has too many handshakes open.
    TooManyHandshakes = 54,
    /// The host's term is below one that this client has seen for the document.
    StaleTerm = 55,
    /// The ticket does not verify.
    TicketInvalid = 64,
    /// The ticket or invite has expired.
    TicketExpired = 65,
    /// The ticket names another client key.
    TicketWrongKey = 66,
    /// The ticket is for another document.
    TicketWrongDocument = 67,
    /// The invite was used by somebody else or was revoked.
    InviteUsed = 68,
    /// The host admits nobody without a ticket.
    AdmissionRequired = 69,
    /// The bearer token was refused by the outside verifier.
    AdmissionRefused = 70,
    /// The key is banned from this document.
    Banned = 71,
    /// The session has no free place.
    ServerFull = 72,
    /// The application refused the peer.
    DeniedByApplication = 73,
    /// The resume token finds no parked state.
    ResumeRefused = 74,
    /// The states differ and could not be repaired.
    Desynchronised = 80,
    /// The other side failed.
    InternalFault = 81,
}

impl WireEnum for DisconnectCode {
    const ALL: &'static [Self] = &[
        Self::Normal,
        Self::Left,
        Self::Kicked,
        Self::ShuttingDown,
        Self::LinkLost,
        Self::IdleTimeout,
        Self::AwayTimeout,
        Self::Replaced,
        Self::EpochFenced,
        Self::DuplicateIdentity,
        Self::BadEnvelope,
        Self::BadCrc,
        Self::BadMessage,
        Self::LimitExceeded,
        Self::ProtocolViolation,
        Self::MessageForbidden,
        Self::RateLimited,
        Self::SequenceExhausted,
        Self::VersionMismatch,
        Self::VersionFloor,
        Self::SchemaMismatch,
        Self::TransportFloor,
        Self::SecurityFloor,
        Self::WrongDocument,
        Self::BadHostProof,
        Self::BadClientProof,
        Self::BadHostCertificate,
        Self::BindingMismatch,
        Self::BindingUnsupported,
        Self::HandshakeTimeout,
        Self::TooManyHandshakes,
        Self::StaleTerm,
        Self::TicketInvalid,
        Self::TicketExpired,
        Self::TicketWrongKey,
        Self::TicketWrongDocument,
        Self::InviteUsed,
        Self::AdmissionRequired,
        Self::AdmissionRefused,
        Self::Banned,
        Self::ServerFull,
        Self::DeniedByApplication,
        Self::ResumeRefused,
        Self::Desynchronised,
        Self::InternalFault,
    ];
    const NAME: &'static str = "disconnect code";

    fn number(self) -> u16 {
        self as u16
    }
}

impl DisconnectCode {
    /// What happened, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Normal => "The session ended as planned.",
            Self::Left => "The peer left.",
            Self::Kicked => "The host removed the peer.",
            Self::ShuttingDown => "The host is shutting down.",
            Self::LinkLost => "The transport lost the link.",
            Self::IdleTimeout => "Nothing arrived for longer than the idle timeout.",
            Self::AwayTimeout => "The peer was away for longer than its grace window.",
            Self::Replaced => "A newer connection of the same peer took over.",
            Self::EpochFenced => "The packet belongs to a session epoch that has ended.",
            Self::DuplicateIdentity => "A peer with this key is already in the session.",
            Self::BadEnvelope => "A packet on a reliable lane had no valid envelope.",
            Self::BadCrc => "A packet on a reliable lane failed its CRC.",
            Self::BadMessage => "A message did not verify.",
            Self::LimitExceeded => "A message passed a limit of the protocol.",
            Self::ProtocolViolation => "A message came that this state of the session does not allow.",
            Self::MessageForbidden => "The peer kept sending messages that its role forbids.",
            Self::RateLimited => "The peer sent more than its rate limit allows.",
            Self::SequenceExhausted => "A lane ran out of sequence numbers before the epoch changed.",
            Self::VersionMismatch => "The two protocol versions have nothing in common.",
            Self::VersionFloor => "The other side's version is below the floor set here.",
            Self::SchemaMismatch => "The components of the two sides cannot be reconciled.",
            Self::TransportFloor => "The transport is not among those allowed here.",
            Self::SecurityFloor => "The security mode offered is below the floor set here.",
            Self::WrongDocument => "The host serves another document than the one asked for.",
            Self::BadHostProof => "The host's signature does not fit the transcript.",
            Self::BadClientProof => "The client's signature does not fit the transcript.",
            Self::BadHostCertificate => "The host key is not certified for this document and term.",
            Self::BindingMismatch => "The proof is bound to another transport connection.",
            Self::BindingUnsupported => "The binding kind does not fit the transport.",
            Self::HandshakeTimeout => "The handshake took too long.",
            Self::TooManyHandshakes => "The host has too many handshakes open.",
            Self::StaleTerm => "Another host has taken over the document since this one's term.",
            Self::TicketInvalid => "The ticket does not verify.",
            Self::TicketExpired => "The ticket or invite has expired.",
            Self::TicketWrongKey => "The ticket names another client key.",
            Self::TicketWrongDocument => "The ticket is for another document.",
            Self::InviteUsed => "The invite was used by somebody else or was revoked.",
            Self::AdmissionRequired => "The host admits nobody without a ticket.",
            Self::AdmissionRefused => "The bearer token was refused by the outside verifier.",
            Self::Banned => "The key is banned from this document.",
            Self::ServerFull => "The session has no free place.",
            Self::DeniedByApplication => "The application refused the peer.",
            Self::ResumeRefused => "The resume token finds no parked state.",
            Self::Desynchronised => "The states differ and could not be repaired.",
            Self::InternalFault => "The other side failed.",
        }
    }

    /// What a person can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Normal => "Nothing to do.",
            Self::Left => "Nothing to do.",
            Self::Kicked => "Ask the host's administrator.",
            Self::ShuttingDown => "Join again when the host is back.",
            Self::LinkLost => "Check the network; resume with the token.",
            Self::IdleTimeout => "Check the network; resume with the token.",
            Self::AwayTimeout => "Join again.",
            Self::Replaced => "Nothing to do here; the newer connection is the session.",
            Self::EpochFenced => "Drop this connection; resume on a new one.",
            Self::DuplicateIdentity => "Leave there first, or join with another key.",
            Self::BadEnvelope => "Report it: one side writes wrong packets.",
            Self::BadCrc => "Check for a middle box that changes bytes; report it if there is none.",
            Self::BadMessage => "Report it: one side writes wrong messages.",
            Self::LimitExceeded => "Send less at once; docs/protocol.md lists the limits.",
            Self::ProtocolViolation => "Report it: one side does not follow the protocol.",
            Self::MessageForbidden => "Ask for another role.",
            Self::RateLimited => "Send less often.",
            Self::SequenceExhausted => "Join again; report it.",
            Self::VersionMismatch => "Update the older side.",
            Self::VersionFloor => "Update the other side, or lower the floor.",
            Self::SchemaMismatch => {
                "Build both sides from the same components; the message names those that differ."
            }
            Self::TransportFloor => "Connect with an allowed transport.",
            Self::SecurityFloor => "Turn on the security mode on both sides, or lower the floor.",
            Self::WrongDocument => "Check the ticket's document id and address.",
            Self::BadHostProof => "Do not trust this address; somebody may stand between.",
            Self::BadClientProof => "Join again; somebody may stand between.",
            Self::BadHostCertificate => "Get a fresh ticket from the document's administrator.",
            Self::BindingMismatch => "Do not trust this address; somebody stands between.",
            Self::BindingUnsupported => "Update the older side.",
            Self::HandshakeTimeout => "Try again; check the network.",
            Self::TooManyHandshakes => "Try again in a few seconds.",
            Self::StaleTerm => "Do not trust this address; get a fresh ticket for the present host.",
            Self::TicketInvalid => "Get a fresh ticket.",
            Self::TicketExpired => "Get a fresh ticket.",
            Self::TicketWrongKey => "Join with the key the ticket was made for.",
            Self::TicketWrongDocument => "Get a ticket for this document.",
            Self::InviteUsed => "Get a fresh invite; if you did not share it, tell the administrator.",
            Self::AdmissionRequired => "Get a ticket.",
            Self::AdmissionRefused => "Sign in again.",
            Self::Banned => "Ask the document's administrator.",
            Self::ServerFull => "Try again later.",
            Self::DeniedByApplication => "The message says why.",
            Self::ResumeRefused => "Join anew.",
            Self::Desynchronised => "Join again; report it with the message's details.",
            Self::InternalFault => "Try again; report it.",
        }
    }
}

impl core::fmt::Display for DisconnectCode {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.sentence())
    }
}

/// Why one message was not acted on, in a session that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum RefusalReason {
    /// The sender's role does not allow this message.
    RoleForbids = 1,
    /// The sender's role does not allow this command type.
    CommandForbidden = 2,
    /// The sender does not own the entity.
    NotOwner = 3,
    /// The component takes input only; its state is the host's.
    InputOnly = 4,
    /// The entity does not exist.
    UnknownEntity = 5,
    /// The addressed peer is not in the session.
    UnknownPeer = 6,
    /// The message passed the sender's rate limit.
    RateLimited = 7,
    /// The message passed a size limit of the session.
    TooLarge = 8,
    /// The session is not in a state that takes this message.
    WrongState = 9,
    /// The capability was not granted to this link.
    NotGranted = 10,
    /// A signature inside the message does not verify.
    BadSignature = 11,
    /// The message belongs to a term that has ended.
    StaleTerm = 12,
    /// The entry depends on history that was compacted.
    BelowCut = 13,
    /// The receiver cannot take the message now.
    Busy = 14,
}

impl WireEnum for RefusalReason {
    const ALL: &'static [Self] = &[
        Self::RoleForbids,
        Self::CommandForbidden,
        Self::NotOwner,
        Self::InputOnly,
        Self::UnknownEntity,
        Self::UnknownPeer,
        Self::RateLimited,
        Self::TooLarge,
        Self::WrongState,
        Self::NotGranted,
        Self::BadSignature,
        Self::StaleTerm,
        Self::BelowCut,
        Self::Busy,
    ];
    const NAME: &'static str = "refusal reason";

    fn number(self) -> u16 {
        self as u16
    }
}

impl RefusalReason {
    /// What happened, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::RoleForbids => "The sender's role does not allow this message.",
            Self::CommandForbidden => "The sender's role does not allow this command type.",
            Self::NotOwner => "The sender does not own the entity.",
            Self::InputOnly => "The component takes input only; its state is the host's.",
            Self::UnknownEntity => "The entity does not exist.",
            Self::UnknownPeer => "The addressed peer is not in the session.",
            Self::RateLimited => "The message passed the sender's rate limit.",
            Self::TooLarge => "The message passed a size limit of the session.",
            Self::WrongState => "The session is not in a state that takes this message.",
            Self::NotGranted => "The capability was not granted to this link.",
            Self::BadSignature => "A signature inside the message does not verify.",
            Self::StaleTerm => "The message belongs to a term that has ended.",
            Self::BelowCut => "The entry depends on history that was compacted.",
            Self::Busy => "The receiver cannot take the message now.",
        }
    }

    /// What a person can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::RoleForbids => "Ask for another role.",
            Self::CommandForbidden => "Ask for another role.",
            Self::NotOwner => "Request ownership first.",
            Self::InputOnly => "Send input instead of state.",
            Self::UnknownEntity => "It may have been despawned; look at the roster.",
            Self::UnknownPeer => "It may have left; look at the roster.",
            Self::RateLimited => "Send less often.",
            Self::TooLarge => "Send less at once.",
            Self::WrongState => "Wait for the event that the message needs.",
            Self::NotGranted => "The acknowledgement says why.",
            Self::BadSignature => "Check the key the message was signed with.",
            Self::StaleTerm => "Fetch the newest term first.",
            Self::BelowCut => "Rebase it on the newest state.",
            Self::Busy => "Try again later.",
        }
    }
}

impl core::fmt::Display for RefusalReason {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.sentence())
    }
}

/// Why a capability that was asked for was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CapabilityReason {
    /// This build does not have the capability.
    NotSupported = 1,
    /// The host's configuration turns it off.
    DisabledByHost = 2,
    /// The role the ticket grants does not include it.
    RoleForbids = 3,
    /// The transport of this link cannot carry it.
    TransportCannot = 4,
    /// The two sides share no compression dictionary.
    MissingDictionary = 5,
    /// The version of the link does not have it.
    VersionTooLow = 6,
    /// It needs another capability that was not granted.
    NeedsOther = 7,
}

impl WireEnum for CapabilityReason {
    const ALL: &'static [Self] = &[
        Self::NotSupported,
        Self::DisabledByHost,
        Self::RoleForbids,
        Self::TransportCannot,
        Self::MissingDictionary,
        Self::VersionTooLow,
        Self::NeedsOther,
    ];
    const NAME: &'static str = "capability reason";

    fn number(self) -> u16 {
        self as u16
    }
}

impl CapabilityReason {
    /// What happened, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotSupported => "This build does not have the capability.",
            Self::DisabledByHost => "The host's configuration turns it off.",
            Self::RoleForbids => "The role the ticket grants does not include it.",
            Self::TransportCannot => "The transport of this link cannot carry it.",
            Self::MissingDictionary => "The two sides share no compression dictionary.",
            Self::VersionTooLow => "The version of the link does not have it.",
            Self::NeedsOther => "It needs another capability that was not granted.",
        }
    }

    /// What a person can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NotSupported => "Use a build that has it.",
            Self::DisabledByHost => "Turn it on at the host.",
            Self::RoleForbids => "Ask for another role.",
            Self::TransportCannot => "Connect with another transport.",
            Self::MissingDictionary => "Ship the host's dictionary with the client.",
            Self::VersionTooLow => "Update the older side.",
            Self::NeedsOther => "Request that one as well.",
        }
    }
}

impl core::fmt::Display for CapabilityReason {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.sentence())
    }
}
