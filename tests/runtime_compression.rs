//! The compression dictionary: the program that trains it, the proof that it helps, and what damaged packets cost.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;

use common::messages::{Seeded, body};
use theta_core::wire::envelope::{Compressor, PacketHeader, open, seal};
use theta_core::wire::limits::MAX_RAW_BODY_BYTES;
use theta_sdk::compression::{DICTIONARY, ZstdCompressor};

const TRAINING_SEEDS: std::ops::Range<u64> = 0..6000;
const DICTIONARY_BYTES: usize = 12 << 10;

/// Writes src/compression/dictionary.bin anew, and the golden packet made with it:
/// `cargo test --test runtime_compression -- --ignored train`, twice, as the second run compresses with what the first
/// wrote. DICTIONARY_HASH in src/compression.rs and the golden packet change with it, and with them the protocol.
#[test]
#[ignore = "writes the committed dictionary"]
fn train() {
    let samples: Vec<_> = TRAINING_SEEDS.map(|seed| body(&mut Seeded::new(seed))).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY_BYTES).expect("trains");
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::write(format!("{root}/src/compression/dictionary.bin"), dictionary).expect("writes");

    let golden = body(&mut Seeded::new(1_000_000));
    let header = PacketHeader { sequence: 7, epoch: 2, schema: 0xbeef, ..Default::default() };
    let mut packet = Vec::new();
    seal(&header, &golden, Some(&mut ZstdCompressor::new().expect("zstd")), &mut packet).expect("seals");
    let mut text = String::from(
        "# A compressed packet (kind 1: zstd with src/compression/dictionary.bin), then the body inside it.\n\
         # sequence 7, epoch 2, schema 0xbeef\n",
    );
    for bytes in [&packet, &golden] {
        for byte in bytes {
            write!(text, "{byte:02x}").expect("writes");
        }
        text.push('\n');
    }
    std::fs::write(format!("{root}/tests/vectors/compressed_envelope.hex"), text).expect("writes");
}

#[test]
fn the_dictionary_helps_packets_it_has_not_seen() {
    let mut with = ZstdCompressor::new().expect("zstd");
    let mut without = zstd::bulk::Compressor::new(1).expect("zstd");
    let (mut raw_bytes, mut with_bytes, mut without_bytes) = (0, 0, 0);
    for seed in 2_000_000..2_000_500 {
        let raw = body(&mut Seeded::new(seed));
        let mut packed = Vec::new();
        let smaller = with.compress(&raw, &mut packed).expect("compresses");
        raw_bytes += raw.len();
        with_bytes += if smaller { packed.len() } else { raw.len() };
        without_bytes += without.compress(&raw).expect("compresses").len().min(raw.len());
    }
    println!(
        "{raw_bytes} bytes raw, {without_bytes} with zstd alone, {with_bytes} with the dictionary of {} bytes",
        DICTIONARY.len()
    );
    assert!(with_bytes * 100 < without_bytes * 85, "{with_bytes} against {without_bytes}");
    assert!(with_bytes * 100 < raw_bytes * 75, "{with_bytes} of {raw_bytes}");
}

/// Counts what this thread asks of Rust's allocator.
struct Counting;

thread_local! {
    static REQUESTED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and nothing to measure.
    let _ = REQUESTED.try_with(|requested| requested.set(requested.get() + bytes));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches only a thread-local integer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The packet of tests/vectors/compressed_envelope.hex and the body inside it.
fn golden() -> [Vec<u8>; 2] {
    let text = include_str!("vectors/compressed_envelope.hex");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let bytes = lines.map(|line| {
        let digits = (0..line.len()).step_by(2);
        digits.map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hex")).collect()
    });
    bytes.collect::<Vec<_>>().try_into().expect("two lines")
}

/// CRC-32, ISO-HDLC, a bit at a time: as docs/protocol.md says it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        (0..8).fold(crc ^ u32::from(*byte), step)
    })
}

/// Makes length and CRC right again, as an attacker would.
fn reseal(packet: &mut [u8]) {
    if packet.len() < 16 {
        return;
    }
    let length = packet.len() as u16;
    packet[..2].copy_from_slice(&length.to_le_bytes());
    packet[4..8].fill(0);
    let crc = crc32(packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn damaged_compressed_packets_are_errors_or_bodies_of_the_size_they_name() {
    let [packet, body] = golden();
    let mut zstd = ZstdCompressor::new().expect("zstd");
    let mut scratch = Vec::new();
    let (mut opened, mut decoded, mut resealed) = (0, 0, 0);
    let mut attempt = |changed: &[u8], made_right: bool| {
        // A scratch that is already large enough would hide what is asked for.
        scratch = Vec::new();
        let before = REQUESTED.with(Cell::get);
        let result = open(changed, Some(&mut zstd), &mut scratch);
        let asked = REQUESTED.with(Cell::get) - before;
        resealed += usize::from(made_right);
        let Ok(verified) = result else {
            assert!(asked <= MAX_RAW_BODY_BYTES, "{asked} bytes asked for by an error");
            return;
        };
        assert!(made_right, "a CRC finds every flipped bit and every truncation");
        let named = usize::from(u16::from_le_bytes([changed[16], changed[17]]));
        if verified.was_compressed() {
            assert_eq!(verified.body().len(), named);
            assert!(asked <= named, "{asked} bytes asked for, {named} named");
        }
        opened += 1;
        decoded += usize::from(verified.messages().all(|message| message.decode().is_ok()));
    };
    for length in 0..packet.len() {
        let mut cut = packet[..length].to_vec();
        attempt(&cut, false);
        reseal(&mut cut);
        attempt(&cut, true);
    }
    for bit in 0..packet.len() * 8 {
        let mut flipped = packet.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        attempt(&flipped, false);
        reseal(&mut flipped);
        attempt(&flipped, true);
    }
    println!("{opened} of {resealed} opened, {decoded} decoded; the body has {} bytes", body.len());
    // Many are another body of the same size: most of a frame is literals, and a payload byte may be anything.
    assert!(decoded > 0 && decoded <= opened && opened < resealed, "{decoded}, {opened} of {resealed}");
}

#[test]
fn a_bomb_costs_no_more_than_a_body() {
    // 64 MB of zeros in a few kilobytes, sealed as a packet that says it is the largest body there is, or none.
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).expect("compresses");
    let mut zstd = ZstdCompressor::new().expect("zstd");
    for raw in [0u16, 1, u16::MAX] {
        let mut packet = vec![0, 0, 1, 1];
        packet.resize(16, 0);
        packet.extend_from_slice(&raw.to_le_bytes());
        packet.extend_from_slice(&bomb);
        reseal(&mut packet);
        let mut scratch = Vec::new();
        let before = REQUESTED.with(Cell::get);
        assert!(open(&packet, Some(&mut zstd), &mut scratch).is_err());
        let asked = REQUESTED.with(Cell::get) - before;
        assert!(asked <= 256, "{asked} bytes asked for: more than an error's own");
    }
}
