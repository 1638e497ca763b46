//! Sealing and opening: any header and body survive, and compression is believed in nothing. The compressor here is a
//! toy that drops trailing zeros; zstd is tested where it is implemented.

use proptest::prelude::*;
use theta_core::wire::WireError;
use theta_core::wire::envelope::{self, Compressor, PacketHeader, TraceContext};
use theta_core::wire::limits;
use theta_core::wire::message::MessageType;
use theta_core::wire::packet::PacketBuilder;

/// Drops trailing zeros; `surplus` makes it lie about what it restores.
#[derive(Default)]
struct DropZeros {
    surplus: isize,
}

impl Compressor for DropZeros {
    fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<bool, WireError> {
        let kept = raw.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if kept == raw.len() {
            return Ok(false);
        }
        out.extend_from_slice(&raw[..kept]);
        Ok(true)
    }

    fn decompress(&mut self, packed: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
        if packed.len() > raw_len {
            return Err(WireError::BadCompression("longer than the size it names"));
        }
        out.extend_from_slice(packed);
        out.resize(raw_len.saturating_add_signed(self.surplus), 0);
        Ok(())
    }

    fn dictionary_hash(&self) -> u64 {
        0
    }
}

fn header() -> impl Strategy<Value = PacketHeader> {
    let trace = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>())
        .prop_map(|(trace_id, span_id, flags)| TraceContext { trace_id, span_id, flags });
    (any::<u32>(), any::<u16>(), any::<u16>(), any::<bool>(), proptest::option::of(trace)).prop_map(
        |(sequence, epoch, schema, end_to_end, trace)| PacketHeader {
            sequence,
            epoch,
            schema,
            end_to_end,
            trace,
        },
    )
}

proptest! {
    #[test]
    fn any_packet_survives(
        header in header(),
        bodies in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..200), 0..10),
        compress: bool,
    ) {
        let mut builder = PacketBuilder::new(limits::MAX_PACKET_BYTES);
        builder.restart(limits::MAX_PACKET_BYTES, header.trace.is_some());
        for body in &bodies {
            builder.push_encoded(MessageType::AppMessage, body)?;
        }
        let uncompressed = builder.packet_bytes();
        let mut compressor = DropZeros::default();
        let mut packet = vec![0xee; 3];
        builder.seal(&header, compress.then_some(&mut compressor as &mut dyn Compressor), &mut packet)?;
        prop_assert_eq!(&packet[..3], &[0xee; 3]);
        prop_assert!(packet.len() - 3 <= uncompressed, "compression never makes a packet longer");
        let mut scratch = Vec::new();
        let opened = envelope::open(&packet[3..], Some(&mut compressor), &mut scratch)?;
        prop_assert_eq!(*opened.header(), header);
        prop_assert_eq!(opened.was_compressed(), packet.len() - 3 < uncompressed);
        let read: Vec<&[u8]> = opened.messages().map(|message| message.body).collect();
        prop_assert_eq!(read, bodies.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn noise_never_opens(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        // One in 2^32 would, by its CRC; none of these lengths and versions ever did.
        prop_assert!(envelope::open(&noise, None, &mut Vec::new()).is_err());
    }
}

fn zeros() -> Vec<u8> {
    let mut packet = Vec::new();
    let mut builder = PacketBuilder::new(1150);
    builder.push_encoded(MessageType::AppMessage, &[0; 500]).expect("fits");
    builder.seal(&PacketHeader::default(), Some(&mut DropZeros::default()), &mut packet).expect("seals");
    packet
}

#[test]
fn a_compressed_body_must_have_the_size_it_names() {
    let packet = zeros();
    assert!(packet.len() < 50, "it was compressed");
    for surplus in [-1, 1, 100_000] {
        let mut liar = DropZeros { surplus };
        let error = envelope::open(&packet, Some(&mut liar), &mut Vec::new()).err();
        assert_eq!(error, Some(WireError::BadCompression("not the size it names")), "{surplus}");
    }
    assert!(envelope::open(&packet, Some(&mut DropZeros::default()), &mut Vec::new()).is_ok());
}

#[test]
fn compression_that_was_not_agreed_is_refused() {
    let error = envelope::open(&zeros(), None, &mut Vec::new()).err();
    assert_eq!(error, Some(WireError::BadCompression("none was agreed on this link")));
}

#[test]
fn a_failed_seal_leaves_nothing_behind() {
    let mut out = vec![1, 2, 3];
    let body = vec![1; limits::MAX_RAW_BODY_BYTES];
    let error = envelope::seal(&PacketHeader::default(), &body, None, &mut out).err();
    let (actual, limit) = (body.len() + envelope::ENVELOPE_BYTES, limits::MAX_PACKET_BYTES);
    assert_eq!(error, Some(WireError::OverLimit { field: "MAX_PACKET_BYTES", actual, limit }));
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn a_packet_has_a_bounded_number_of_messages() {
    let body = [18u8, 0, 0].repeat(limits::MAX_MESSAGES_PER_PACKET + 1);
    let mut packet = Vec::new();
    envelope::seal(&PacketHeader::default(), &body, None, &mut packet).expect("seals");
    assert!(matches!(envelope::open(&packet, None, &mut Vec::new()), Err(WireError::OverLimit { .. })));
}
