//! The envelope: the 16 bytes before every packet, the optional trace extension, and the checks that let a packet in.
//!
//! [`open`] checks in this order: length, version, CRC, flags; only then does it believe a field, decompress (bounded)
//! and walk the message headers. A [`VerifiedPacket`] exists only after that. Whether sequence, epoch and schema are
//! the expected ones is the session's business. Opening an uncompressed packet allocates nothing.

use super::message::{Message, MessageType, WireEnum};
use super::{WireError, limits};
use crate::mutants::{Mutant, Mutants};

/// Bytes of an envelope.
pub const ENVELOPE_BYTES: usize = 16;
/// Bytes of the trace extension.
pub const TRACE_BYTES: usize = 25;
/// Bytes before each message's body: type and length.
pub const MESSAGE_HEADER_BYTES: usize = 3;
/// The envelope version this code speaks.
pub const ENVELOPE_VERSION: u8 = 1;

/// Bits 0 and 1 of the flags: compression kind.
const FLAG_COMPRESSION: u8 = 0b0000_0011;
/// Bit 2: the trace extension follows the envelope.
const FLAG_TRACE: u8 = 0b0000_0100;
/// Bit 3: payloads inside are encrypted for members only.
const FLAG_END_TO_END: u8 = 0b0000_1000;

/// A W3C trace context, carried by a packet when both sides agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Names the trace.
    pub trace_id: [u8; 16],
    /// Names the sender's span.
    pub span_id: [u8; 8],
    /// Trace flags (bit 0: sampled).
    pub flags: u8,
}

/// What an envelope says beyond its own consistency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PacketHeader {
    /// Counts the packets of a lane, direction and epoch, from 1.
    pub sequence: u32,
    /// The session epoch; zero in handshake packets.
    pub epoch: u16,
    /// Low 16 bits of the link's schema hash; zero in handshake packets.
    pub schema: u16,
    /// Payloads inside are encrypted for members only.
    pub end_to_end: bool,
    /// The trace this packet belongs to.
    pub trace: Option<TraceContext>,
}

impl PacketHeader {
    /// Bytes before the body.
    pub const fn bytes(&self) -> usize {
        if self.trace.is_some() { ENVELOPE_BYTES + TRACE_BYTES } else { ENVELOPE_BYTES }
    }
}

/// Compression of packet bodies, implemented outside the core.
pub trait Compressor {
    /// Appends the compressed form of `raw` to `out`; false (and `out` unchanged) when it would not be smaller.
    fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<bool, WireError>;

    /// Appends exactly `raw_len` bytes to `out`, or fails. Never writes more, whatever `packed` claims.
    fn decompress(&mut self, packed: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), WireError>;

    /// Names the dictionary; both sides of a link must have the same.
    fn dictionary_hash(&self) -> u64;
}

/// CRC-32 (ISO-HDLC) over a packet with its CRC field, bytes 4..8, taken as zero.
///
/// # Panics
/// On fewer than [`ENVELOPE_BYTES`] bytes: callers have checked the length.
fn packet_crc(packet: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&packet[..4]);
    hasher.update(&[0; 4]);
    hasher.update(&packet[8..]);
    hasher.finalize()
}

/// Writes a whole packet to the end of `out`, compressed when that is smaller.
///
/// # Errors
/// [`WireError::OverLimit`] when body or packet are too long, or whatever the compressor says; `out` is then unchanged.
pub fn seal(
    header: &PacketHeader,
    body: &[u8],
    compressor: Option<&mut dyn Compressor>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let start = out.len();
    let result = seal_at(start, header, body, compressor, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn seal_at(
    start: usize,
    header: &PacketHeader,
    body: &[u8],
    compressor: Option<&mut dyn Compressor>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    if body.len() > limits::MAX_RAW_BODY_BYTES {
        let (actual, limit) = (body.len(), limits::MAX_RAW_BODY_BYTES);
        return Err(WireError::OverLimit { field: "MAX_RAW_BODY_BYTES", actual, limit });
    }
    let mut flags = 0;
    out.extend_from_slice(&[0; ENVELOPE_BYTES]);
    if let Some(trace) = &header.trace {
        flags |= FLAG_TRACE;
        out.extend_from_slice(&trace.trace_id);
        out.extend_from_slice(&trace.span_id);
        out.push(trace.flags);
    }
    if header.end_to_end {
        flags |= FLAG_END_TO_END;
    }
    let body_start = out.len();
    let mut packed = false;
    if let Some(compressor) = compressor {
        out.extend_from_slice(&(body.len() as u16).to_le_bytes());
        // The two bytes of the raw length count as well: what is not smaller as a whole goes as it is.
        packed = compressor.compress(body, out)? && out.len() - body_start < body.len();
        if !packed {
            out.truncate(body_start);
        }
    }
    if packed {
        flags |= 1;
    } else {
        out.extend_from_slice(body);
    }
    let length = out.len() - start;
    if length > limits::MAX_PACKET_BYTES {
        return Err(WireError::OverLimit {
            field: "MAX_PACKET_BYTES",
            actual: length,
            limit: limits::MAX_PACKET_BYTES,
        });
    }
    let packet = &mut out[start..];
    packet[0..2].copy_from_slice(&(length as u16).to_le_bytes());
    packet[2] = ENVELOPE_VERSION;
    packet[3] = flags;
    packet[8..12].copy_from_slice(&header.sequence.to_le_bytes());
    packet[12..14].copy_from_slice(&header.epoch.to_le_bytes());
    packet[14..16].copy_from_slice(&header.schema.to_le_bytes());
    let crc = packet_crc(packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// A packet that passed every check an envelope allows; its message headers are known to fit.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedPacket<'a> {
    header: PacketHeader,
    body: &'a [u8],
    compressed: bool,
}

impl<'a> VerifiedPacket<'a> {
    /// What the envelope says.
    pub const fn header(&self) -> &PacketHeader {
        &self.header
    }

    /// The body, decompressed.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether it came compressed.
    pub const fn was_compressed(&self) -> bool {
        self.compressed
    }

    /// The messages, undecoded, so that a role can be judged before a decoder runs.
    pub const fn messages(&self) -> RawMessages<'a> {
        RawMessages { rest: self.body }
    }
}

/// One message as it stands in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// Its type.
    pub message_type: MessageType,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> RawMessage<'a> {
    /// Decodes the body.
    pub fn decode(&self) -> Result<Message<'a>, WireError> {
        Message::decode(self.message_type, self.body)
    }
}

/// Iterator over the messages of a [`VerifiedPacket`].
#[derive(Clone, Debug)]
pub struct RawMessages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawMessages<'a> {
    type Item = RawMessage<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (message, rest) = split_message(self.rest).ok()??;
        self.rest = rest;
        Some(message)
    }
}

/// The first message and the rest; `None` at the end.
fn split_message(body: &[u8]) -> Result<Option<(RawMessage<'_>, &[u8])>, WireError> {
    if body.is_empty() {
        return Ok(None);
    }
    let Some((head, rest)) = body.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
        return Err(WireError::Truncated);
    };
    let number = head[0];
    let length = u16::from_le_bytes([head[1], head[2]]) as usize;
    if rest.len() < length {
        return Err(WireError::Truncated);
    }
    let (body, rest) = rest.split_at(length);
    let message_type =
        MessageType::from_number(number as u16).map_err(|_| WireError::UnknownMessage(number))?;
    Ok(Some((RawMessage { message_type, body }, rest)))
}

/// Checks one whole packet.
///
/// `compressor` is the link's, or `None` where no compression was agreed; `scratch` takes the decompressed body and is
/// reused by the caller.
///
/// # Errors
/// In this order: [`WireError::Truncated`] or [`WireError::BadLength`], [`WireError::BadVersion`],
/// [`WireError::BadCrc`], [`WireError::BadFlags`], then compression and message headers.
pub fn open<'a>(
    packet: &'a [u8],
    compressor: Option<&mut dyn Compressor>,
    scratch: &'a mut Vec<u8>,
) -> Result<VerifiedPacket<'a>, WireError> {
    open_as(packet, compressor, scratch, Mutants::NONE)
}

/// [`open`], with a planted bug where the build has any.
pub(crate) fn open_as<'a>(
    packet: &'a [u8],
    compressor: Option<&mut dyn Compressor>,
    scratch: &'a mut Vec<u8>,
    mutants: Mutants,
) -> Result<VerifiedPacket<'a>, WireError> {
    if packet.len() < ENVELOPE_BYTES {
        return Err(WireError::Truncated);
    }
    let field = u16::from_le_bytes([packet[0], packet[1]]) as usize;
    if field != packet.len() {
        return Err(WireError::BadLength { field, actual: packet.len() });
    }
    if packet[2] != ENVELOPE_VERSION {
        return Err(WireError::BadVersion(packet[2]));
    }
    let crc = u32::from_le_bytes([packet[4], packet[5], packet[6], packet[7]]);
    if crc != packet_crc(packet) && !mutants.active(Mutant::SkipCrc) {
        return Err(WireError::BadCrc);
    }
    let flags = packet[3];
    let compression = flags & FLAG_COMPRESSION;
    if flags & !(FLAG_COMPRESSION | FLAG_TRACE | FLAG_END_TO_END) != 0 || compression > 1 {
        return Err(WireError::BadFlags(flags));
    }
    let mut header = PacketHeader {
        sequence: u32::from_le_bytes([packet[8], packet[9], packet[10], packet[11]]),
        epoch: u16::from_le_bytes([packet[12], packet[13]]),
        schema: u16::from_le_bytes([packet[14], packet[15]]),
        end_to_end: flags & FLAG_END_TO_END != 0,
        trace: None,
    };
    let mut rest = &packet[ENVELOPE_BYTES..];
    if flags & FLAG_TRACE != 0 {
        let Some((trace, body)) = rest.split_first_chunk::<TRACE_BYTES>() else {
            return Err(WireError::Truncated);
        };
        let mut context = TraceContext { flags: trace[24], ..TraceContext::default() };
        context.trace_id.copy_from_slice(&trace[..16]);
        context.span_id.copy_from_slice(&trace[16..24]);
        header.trace = Some(context);
        rest = body;
    }
    let compressed = compression == 1;
    let body = if compressed { decompress(rest, compressor, scratch)? } else { rest };
    let mut walk = body;
    let mut count = 0;
    while let Some((_, after)) = split_message(walk)? {
        walk = after;
        count += 1;
        if count > limits::MAX_MESSAGES_PER_PACKET {
            return Err(WireError::OverLimit {
                field: "MAX_MESSAGES_PER_PACKET",
                actual: count,
                limit: limits::MAX_MESSAGES_PER_PACKET,
            });
        }
    }
    Ok(VerifiedPacket { header, body, compressed })
}

fn decompress<'a>(
    packed: &[u8],
    compressor: Option<&mut dyn Compressor>,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], WireError> {
    let compressor = compressor.ok_or(WireError::BadCompression("none was agreed on this link"))?;
    let Some((raw_len, frame)) = packed.split_first_chunk::<2>() else {
        return Err(WireError::Truncated);
    };
    let raw_len = u16::from_le_bytes(*raw_len) as usize;
    scratch.clear();
    compressor.decompress(frame, raw_len, scratch)?;
    if scratch.len() == raw_len {
        Ok(scratch)
    } else {
        Err(WireError::BadCompression("not the size it names"))
    }
}

/// The envelope's own first two bytes, once they are there: how long the packet says it is.
///
/// # Errors
/// [`WireError::BadLength`] when that is less than an envelope.
pub(super) fn declared_length(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Some(field) = bytes.first_chunk::<2>() else { return Ok(None) };
    let field = u16::from_le_bytes(*field) as usize;
    if field < ENVELOPE_BYTES {
        Err(WireError::BadLength { field, actual: bytes.len() })
    } else {
        Ok(Some(field))
    }
}
