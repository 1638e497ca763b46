//! Why a link ends, on its way from the check that failed to the transport that closes.

use crate::types::Lane;
use crate::wire::WireError;
use crate::wire::codes::DisconnectCode;
use crate::wire::limits::MAX_TEXT_BYTES;
use crate::wire::message::MessageType;

/// Cuts a sentence to what a message can carry, at a character: an application's long words must not keep the code
/// from arriving.
pub(crate) fn clip(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        let whole = (0..=MAX_TEXT_BYTES).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(whole.unwrap_or(0));
    }
}

/// A reason to end one link: the code a program reads and the sentence a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Why, as a number.
    pub code: DisconnectCode,
    /// Why, as a sentence, with what to do about it.
    pub reason: String,
}

impl Closing {
    /// Ends with the code's own sentence and hint.
    #[must_use]
    pub fn new(code: DisconnectCode) -> Self {
        Self { code, reason: format!("{} {}", code.sentence(), code.hint()) }
    }

    /// Ends with the code's sentence and what was found in particular.
    #[must_use]
    pub fn because(code: DisconnectCode, detail: impl core::fmt::Display) -> Self {
        Self { code, reason: format!("{} {detail}. {}", code.sentence(), code.hint()) }
    }

    /// A client's word for why it goes. What only a host can say of somebody (thrown out, banned, no place) is no reason
    /// of a client's, and the others are told that it left.
    pub(crate) fn by_client(self) -> Self {
        use DisconnectCode as Code;
        let code = match self.code {
            Code::Kicked
            | Code::ShuttingDown
            | Code::AwayTimeout
            | Code::Replaced
            | Code::DuplicateIdentity
            | Code::MessageForbidden
            | Code::RateLimited
            | Code::InviteUsed
            | Code::AdmissionRequired
            | Code::AdmissionRefused
            | Code::Banned
            | Code::ServerFull
            | Code::DeniedByApplication
            | Code::ResumeRefused => Code::Left,
            own => own,
        };
        Self { code, ..self }
    }

    /// What a message that does not decode means for the link it came on.
    #[must_use]
    pub fn from_message(error: &WireError) -> Self {
        let code = match error {
            WireError::OverLimit { .. } => DisconnectCode::LimitExceeded,
            _ => DisconnectCode::BadMessage,
        };
        Self::because(code, error)
    }

    /// What a packet that fails its checks means on a reliable lane, which must not have holes.
    #[must_use]
    pub fn from_packet(error: &WireError) -> Self {
        let code = match error {
            WireError::BadCrc => DisconnectCode::BadCrc,
            _ => DisconnectCode::BadEnvelope,
        };
        Self::because(code, error)
    }

    /// A message on a lane that is not its own.
    pub(crate) fn misplaced(message: MessageType, lane: Lane) -> Self {
        Self::because(DisconnectCode::ProtocolViolation, format!("{message:?} came on lane {lane:?}"))
    }
}
