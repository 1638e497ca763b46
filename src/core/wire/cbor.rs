//! Every message as CBOR: for debug builds that negotiate it, for `theta inspect` and for tests.
//!
//! Same types, same limits: what CBOR decodes is checked as a FlatBuffer's content is. Never on a release build's hot
//! path; it allocates. The text is bounded in size before and in depth while it is read.

use super::message::{Message, MessageType};
use super::{WireError, limits};
use crate::types::{ChunkId, ComponentId, EntityId, PeerId, Tick};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The message as CBOR: a map with the message's name as its one key.
pub fn to_cbor(message: &Message<'_>) -> Result<Vec<u8>, WireError> {
    message.check()?;
    let mut text = Vec::new();
    ciborium::into_writer(message, &mut text).map_err(|error| WireError::Cbor(error.to_string()))?;
    Ok(text)
}

/// Reads and checks a message.
///
/// # Errors
/// [`WireError::OverLimit`] for a text that is too long, [`WireError::Cbor`] for one that is malformed, too deep or
/// followed by more bytes, and whatever [`Message::check`] finds.
pub fn from_cbor(mut text: &[u8]) -> Result<Message<'static>, WireError> {
    if text.len() > limits::MAX_CBOR_BYTES {
        let (actual, limit) = (text.len(), limits::MAX_CBOR_BYTES);
        return Err(WireError::OverLimit { field: "CBOR text", actual, limit });
    }
    let message: Message<'static> =
        ciborium::de::from_reader_with_recursion_limit(&mut text, limits::MAX_CBOR_DEPTH)
            .map_err(|error| WireError::Cbor(error.to_string()))?;
    if !text.is_empty() {
        return Err(WireError::TrailingBytes);
    }
    message.check()?;
    Ok(message)
}

/// As [`from_cbor`], and the message must be of the type its header said.
pub fn from_cbor_as(message_type: MessageType, text: &[u8]) -> Result<Message<'static>, WireError> {
    let message = from_cbor(text)?;
    if message.message_type() == message_type {
        Ok(message)
    } else {
        Err(WireError::Malformed("CBOR message type"))
    }
}

/// Byte strings: CBOR byte strings, and hexadecimal in texts that people read.
pub(super) mod bytes {
    use super::*;

    pub fn serialize<S: Serializer, B: AsRef<[u8]>>(bytes: &B, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() {
            out.serialize_str(&hex(bytes.as_ref()))
        } else {
            out.serialize_bytes(bytes.as_ref())
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>, B: From<Vec<u8>>>(input: D) -> Result<B, D::Error> {
        if input.is_human_readable() {
            unhex(&String::deserialize(input)?)
                .map(B::from)
                .ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
        } else {
            serde_bytes::ByteBuf::deserialize(input).map(|bytes| B::from(bytes.into_vec()))
        }
    }
}

/// Byte strings of one exact length.
pub(super) mod fixed {
    use super::*;

    pub fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], out: S) -> Result<S::Ok, S::Error> {
        super::bytes::serialize(bytes, out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(input: D) -> Result<[u8; N], D::Error> {
        let bytes: Vec<u8> = super::bytes::deserialize(input)?;
        <[u8; N]>::try_from(bytes)
            .map_err(|bytes| serde::de::Error::invalid_length(bytes.len(), &"a fixed length"))
    }
}

/// Byte strings of one exact length that may be absent.
pub(super) mod optional {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Fixed<const N: usize>(#[serde(with = "super::fixed")] [u8; N]);

    #[allow(clippy::ref_option)] // serde's signature
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &Option<[u8; N]>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.map(Fixed).serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        input: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        Ok(Option::<Fixed<N>>::deserialize(input)?.map(|fixed| fixed.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| DIGITS[nibble as usize] as char)
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

// The shared newtypes are plain numbers in CBOR.

impl Serialize for Tick {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u32::deserialize(input).map(Self)
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u16::deserialize(input).map(Self)
    }
}

impl Serialize for ChunkId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u32::deserialize(input).map(Self)
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u64::deserialize(input).map(Self)
    }
}

impl Serialize for ComponentId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for ComponentId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u64::deserialize(input).map(Self)
    }
}
