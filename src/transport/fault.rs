//! Why a transport ends a connection by itself, and the code that both ends see.

use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;

/// A reason that the transport itself has. The session's own reasons pass through as numbers and text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The other end does not read a reliable lane as fast as this end writes it.
    #[error("the queue of lane {0:?} is full: the other end reads too slowly")]
    SlowReader(Lane),
    /// A stream opened with something that is no preface, or with one that does not belong there.
    #[error("a stream opened wrongly: {0}")]
    BadPreface(String),
    /// A stream's bytes are no packets.
    #[error("lane {0:?} carries bytes that are no packets")]
    BadFraming(Lane),
    /// The other end broke a reliable lane off.
    #[error("the other end broke lane {0:?} off")]
    LaneBroken(Lane),
    /// More streams, or other ones, than the mapping has.
    #[error("the other end opened a stream that the mapping does not have")]
    UnexpectedStream,
    /// No control lane in time.
    #[error("the control lane was not opened in time")]
    HandshakeTimeout,
    /// The attempt found nobody, or nobody who speaks this protocol.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The other end has no room for another connection.
    #[error("the other end takes no more connections now")]
    Refused,
    /// Silence for longer than the idle timeout.
    #[error("nothing arrived for longer than the idle timeout")]
    Idle,
    /// The path or the other end's process is gone.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The driver at this end is gone.
    #[error("this end is gone")]
    Abandoned,
}

impl Fault {
    /// The number that goes with it.
    pub fn code(&self) -> u16 {
        let code = match self {
            Self::SlowReader(_) => DisconnectCode::LimitExceeded,
            Self::BadFraming(_) => DisconnectCode::BadEnvelope,
            Self::BadPreface(_) | Self::LaneBroken(_) | Self::UnexpectedStream => {
                DisconnectCode::ProtocolViolation
            }
            Self::HandshakeTimeout => DisconnectCode::HandshakeTimeout,
            Self::Refused => DisconnectCode::TooManyHandshakes,
            Self::Idle => DisconnectCode::IdleTimeout,
            Self::Unreachable(_) | Self::Lost(_) | Self::Abandoned => DisconnectCode::LinkLost,
        };
        code as u16
    }
}
