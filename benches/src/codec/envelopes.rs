//! Sealing and opening packets, beside the CRC and the copy that cannot be left out.

use std::borrow::Cow;
use std::hint::black_box;

use theta_core::types::Tick;
use theta_core::wire::envelope::{ENVELOPE_BYTES, PacketHeader, open, seal};
use theta_core::wire::message::{ComponentDelta, DeltaMode, Message};
use theta_core::wire::packet::PacketBuilder;

use crate::contest::Contest;
use crate::report::Report;
use crate::scene::Random;
use crate::settings::Settings;

/// Body sizes: a heartbeat, a full datagram, a page, the largest packet.
const BODY_BYTES: [usize; 4] = [64, 1134, 4096, 65_000];

const HEADER: PacketHeader =
    PacketHeader { sequence: 9, epoch: 1, schema: 0x1234, end_to_end: false, trace: None };

/// A delta with so many bytes that look packed.
pub fn delta(bytes: usize) -> Message<'static> {
    let mut random = Random::new(3);
    let payload: Vec<u8> = (0..bytes).map(|_| random.next() as u8).collect();
    Message::ComponentDelta(ComponentDelta {
        tick: Tick(9000),
        log_term: 1,
        log_index: 0,
        mode: DeltaMode::Ack,
        last_input_tick: Tick(8990),
        input_speed_hint: 0,
        part: 0,
        part_count: 3,
        payload: Cow::Owned(payload),
    })
}

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    for bytes in BODY_BYTES {
        // One message that fills the body: opening walks the headers.
        let mut body = vec![0x5a; bytes];
        body[0] = 6;
        body[1..3].copy_from_slice(&((bytes - 3) as u16).to_le_bytes());
        let mut packet = Vec::new();
        seal(&HEADER, &body, None, &mut packet).expect("a packet");
        let total = packet.len();
        let (mut copied, mut sealed, mut scratch) = (vec![0; total], Vec::with_capacity(total), Vec::new());
        let results = Contest::new()
            .limit("crc32fast over the packet", total, || crc32fast::hash(black_box(&packet)))
            .limit("copy of the packet", total, || copied.copy_from_slice(black_box(&packet)))
            .ours("seal (copy of the body included)", total, || {
                sealed.clear();
                seal(&HEADER, black_box(&body), None, &mut sealed)
            })
            .ours("open (all checks, message headers walked)", total, || {
                open(black_box(&packet), None, &mut scratch).map(|packet| packet.messages().count())
            })
            .run(settings);
        report.contest(&format!("Envelope, {bytes} B body"), &results);
    }
    whole_packets(settings, report);
}

/// A packet of 4 KB from typed message to bytes and back: what "envelope and verify" means end to end.
fn whole_packets(settings: &Settings, report: &mut Report) {
    let message = delta(4096 - ENVELOPE_BYTES - 3 - 56);
    let mut builder = PacketBuilder::new(65_535);
    let mut packet = Vec::new();
    builder.push(&message).expect("fits");
    builder.seal(&HEADER, None, &mut packet).expect("seals");
    let total = packet.len();
    let (mut copied, mut out, mut scratch) = (vec![0; total], Vec::with_capacity(total), Vec::new());
    let results = Contest::new()
        .limit("copy of the packet", total, || copied.copy_from_slice(black_box(&packet)))
        .ours("message to sealed packet", total, || {
            out.clear();
            builder.push(black_box(&message))?;
            builder.seal(&HEADER, None, &mut out)
        })
        .ours("packet to verified message", total, || {
            let packet = open(black_box(&packet), None, &mut scratch)?;
            packet.messages().try_for_each(|raw| raw.decode().map(|message| drop(black_box(message))))
        })
        .run(settings);
    report.contest("A packet of one ComponentDelta, 4 KB", &results);
}
