//! The wire room: packets, streams, messages.

use theta_core::wire::envelope::{self, ENVELOPE_BYTES};
use theta_core::wire::frame::FrameSplitter;
use theta_core::wire::limits::MAX_PACKET_BYTES;
use theta_core::wire::message::{AcknowledgeCore, Message, MessageType, WireEnum};
use theta_core::wire::preface::{PREFACE_BYTES, Preface};
use theta_core::wire::{WireError, cbor as text};

use super::allocation::measure;
use super::bytes::Bytes;

/// What decoding one message body may ask for, however it was made.
const MESSAGE_BYTES: usize = 2 << 20;
/// What reading a CBOR text may ask for: beside the message, for each byte of the text.
const CBOR_BYTES_PER_BYTE: usize = 64;

/// Makes length and CRC right, as an attacker would.
fn reseal(packet: &mut [u8]) {
    if !(ENVELOPE_BYTES..=MAX_PACKET_BYTES).contains(&packet.len()) {
        return;
    }
    let length = packet.len() as u16;
    packet[..2].copy_from_slice(&length.to_le_bytes());
    packet[2] = envelope::ENVELOPE_VERSION;
    packet[4..8].fill(0);
    let crc = crc32fast::hash(packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// A packet, as it is and with length, version and CRC made right.
pub fn envelope(data: &[u8]) {
    open(data);
    let mut packet = data.to_vec();
    reseal(&mut packet);
    open(&packet);
}

fn open(packet: &[u8]) {
    let mut scratch = Vec::new();
    let (opened, asked) = measure(|| envelope::open(packet, None, &mut scratch));
    assert_eq!(asked, 0, "opening a plain packet allocates nothing");
    if let Ok(opened) = opened {
        let mut again = Vec::new();
        envelope::seal(opened.header(), opened.body(), None, &mut again).expect("it was one");
        assert_eq!(again, packet, "an envelope has one spelling");
        opened.messages().for_each(|raw| decode(raw.message_type, raw.body));
        return;
    }
    #[cfg(not(target_family = "wasm"))]
    open_compressed(packet);
}

/// What did not open as a plain packet.
#[cfg(not(target_family = "wasm"))]
fn open_compressed(packet: &[u8]) {
    use super::compression::ZstdCompressor;
    use theta_core::wire::envelope::Compressor;
    use theta_core::wire::limits::MAX_RAW_BODY_BYTES;

    let mut scratch = Vec::new();
    let mut zstd = ZstdCompressor::new().expect("zstd");
    let (opened, asked) = measure(|| envelope::open(packet, Some(&mut zstd), &mut scratch));
    assert!(asked <= 2 * MAX_RAW_BODY_BYTES, "{asked} bytes asked for");
    let Ok(opened) = opened else { return };
    assert!(opened.was_compressed(), "it did not open as a plain packet");
    assert!(opened.body().len() <= MAX_RAW_BODY_BYTES);
    let (header, body) = (*opened.header(), opened.body().to_vec());
    opened.messages().for_each(|raw| decode(raw.message_type, raw.body));
    // zstd has many spellings; what a body says survives ours. A body of the largest size may not fit in a packet.
    let mut again = Vec::new();
    let compressor: &mut dyn Compressor = &mut zstd;
    if envelope::seal(&header, &body, Some(compressor), &mut again).is_ok() {
        let mut scratch = Vec::new();
        let opened = envelope::open(&again, Some(&mut zstd), &mut scratch).expect("our own");
        assert_eq!((*opened.header(), opened.body()), (header, &body[..]));
    }
}

/// A stream: the first byte says how long the pieces are in which the rest arrives.
pub fn frame(data: &[u8]) {
    let mut input = Bytes(data);
    let piece = usize::from(input.u8()) + 1;
    let (whole, cut) = (split(&[input.0]), split(&input.0.chunks(piece).collect::<Vec<_>>()));
    assert_eq!(whole, cut, "where a stream is cut is no matter");
    let (packets, pending) = whole;
    let taken: usize = packets.iter().map(Vec::len).sum();
    assert!(input.0.starts_with(&packets.concat()), "packets are the stream's bytes");
    if let Some(pending) = pending {
        assert_eq!(taken + pending, input.0.len(), "no byte is lost");
        assert!(pending <= MAX_PACKET_BYTES);
    }
}

/// The packets of a stream and how many bytes are held at its end; nothing held where the stream died.
fn split(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<usize>) {
    let (mut splitter, mut packets) = (FrameSplitter::new(), Vec::new());
    for mut piece in pieces.iter().copied() {
        loop {
            match splitter.next(&mut piece) {
                Ok(Some(packet)) => packets.push(packet.to_vec()),
                Ok(None) => break,
                Err(_) => return (packets, None),
            }
        }
        assert!(piece.is_empty(), "it says that it needs more and has not taken all");
    }
    (packets, Some(splitter.pending_bytes()))
}

/// The first bytes of a stream.
pub fn preface(data: &[u8]) {
    let (preface, asked) = measure(|| Preface::decode(data));
    assert_eq!(asked, 0);
    if let Ok(preface) = preface {
        assert_eq!(preface.encode()[..], data[..PREFACE_BYTES], "a preface has one spelling");
    }
}

/// A message body behind a byte with its type; zero is the signed core of an acknowledgement.
pub fn message(data: &[u8]) {
    let mut input = Bytes(data);
    let number = input.u8();
    if number == 0 {
        let (core, asked) = measure(|| AcknowledgeCore::decode(input.0));
        assert!(asked <= MESSAGE_BYTES, "{asked} bytes asked for");
        if let Ok(core) = core {
            let encoded = core.encode().expect("what was decoded is within limits");
            assert_eq!(AcknowledgeCore::decode(&encoded), Ok(core));
        }
    } else if let Ok(message_type) = MessageType::from_number(number.into()) {
        decode(message_type, input.0);
    }
}

fn decode(message_type: MessageType, body: &[u8]) {
    let (message, asked) = measure(|| Message::decode(message_type, body));
    assert!(asked <= MESSAGE_BYTES, "{message_type:?}: {asked} bytes asked for");
    let Ok(message) = message else { return };
    assert_eq!(message.message_type(), message_type);
    assert_eq!(message.check(), Ok(()), "decoding has checked");
    let encoded = match message.encode() {
        Ok(encoded) => encoded,
        // Parts that the buffer shared stand alone in ours.
        Err(WireError::OverLimit { field: "message body", .. }) => return,
        Err(error) => panic!("{message_type:?} is not encoded again: {error}"),
    };
    let again = Message::decode(message_type, &encoded).expect("our own");
    same(&message, &again);
    assert_eq!(again.encode().expect("our own"), encoded);
}

/// A message is what it was, but for floats that are not even equal to themselves.
fn same(message: &Message<'_>, again: &Message<'_>) {
    #[allow(clippy::eq_op, reason = "NaN is what this asks for")]
    let has_nan = message != message;
    assert!(has_nan || message == again, "{message:?} became {again:?}");
}

/// A message as CBOR.
pub fn cbor(data: &[u8]) {
    let (message, asked) = measure(|| text::from_cbor(data));
    let limit = MESSAGE_BYTES + CBOR_BYTES_PER_BYTE * data.len();
    assert!(asked <= limit, "{asked} bytes asked for by {}", data.len());
    let Ok(message) = message else { return };
    let written = text::to_cbor(&message).expect("what was read is within limits");
    same(&message, &text::from_cbor(&written).expect("our own"));
}
