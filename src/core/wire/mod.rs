//! The wire: bytes to values and back, byte by byte as docs/protocol.md writes it down.
//!
//! Nobody below trusts a byte: what comes in is checked in the order length, version, CRC, flags, structure, limits,
//! and ends as a typed value or a [`WireError`]; it never panics, and never allocates more than the packet's own size
//! allows. This room knows no session, role or state; the rooms above decide what a valid message means.
//!
//! | file | concern |
//! |---|---|
//! | [`bits`] | bit packing, least significant bit first |
//! | [`envelope`] | packet header, sealing, opening, compression trait |
//! | [`packet`] | collecting messages into one packet |
//! | [`frame`] | packets out of a byte stream |
//! | [`preface`] | the 16 bytes that open a stream |
//! | [`message`] | typed messages, to FlatBuffers and from them |
//! | [`cbor`] | the same messages as CBOR, for debug builds and tools |
//! | [`replay`] | which datagram sequences have been seen |
//! | [`limits`] | every bound, in one table |
//! | [`codes`] | why sessions end and requests are refused |
//! | `generated` | what flatc wrote from schemas/wire.fbs |

pub mod bits;
pub mod cbor;
pub mod codes;
pub mod envelope;
pub mod frame;
pub mod limits;
pub mod message;
pub mod packet;
pub mod preface;
pub mod replay;

/// Readers and builders written by flatc from schemas/wire.fbs (`./x gen`); never edited.
#[allow(warnings, clippy::all, clippy::pedantic, missing_docs)]
#[rustfmt::skip]
#[path = "generated/wire_generated.rs"]
mod generated;

use message::MessageType;

/// Why bytes are not a packet or a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("the bytes end before the value does")]
    Truncated,
    /// Bytes are left after the value's end.
    #[error("bytes are left after the end of the value")]
    TrailingBytes,
    /// The length field does not fit the bytes, or is below the header's size.
    #[error("packet length field {field} does not fit {actual} bytes")]
    BadLength {
        /// The length field.
        field: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// Another envelope version.
    #[error("envelope version {0} is not known here")]
    BadVersion(u8),
    /// The CRC does not match: bytes changed under way, or were never a packet.
    #[error("the packet's CRC does not match its bytes")]
    BadCrc,
    /// A flag bit this version does not know.
    #[error("unknown envelope flags {0:#04x}")]
    BadFlags(u8),
    /// The stream does not open with a preface.
    #[error("the stream does not open with a Theta preface")]
    BadPreface,
    /// A message type number without a message.
    #[error("message type {0} is not known here")]
    UnknownMessage(u8),
    /// The FlatBuffer does not verify.
    #[error("the {0:?} message's FlatBuffer does not verify")]
    Unverifiable(MessageType),
    /// A number that no enum value has.
    #[error("{field} has no value {value}")]
    UnknownValue {
        /// The field.
        field: &'static str,
        /// Its number.
        value: u64,
    },
    /// A count or length over its limit.
    #[error("{field} is {actual}, the limit is {limit}")]
    OverLimit {
        /// The field, as in the limits table.
        field: &'static str,
        /// What was there.
        actual: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The parts contradict each other, or a value breaks its own rule.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The compressed body does not decompress to the size it names.
    #[error("the compressed body does not decompress: {0}")]
    BadCompression(&'static str),
    /// The CBOR text does not decode to the message.
    #[error("CBOR: {0}")]
    Cbor(String),
    /// The packet has no room for the message.
    #[error("the message needs {needed} bytes, the packet has {room}")]
    NoRoom {
        /// Bytes needed.
        needed: usize,
        /// Bytes left.
        room: usize,
    },
}
