//! The compression dictionary: the program that trains it, and the proof that it helps.

mod common;

use std::fmt::Write as _;

use common::messages::{Seeded, body};
use theta_core::wire::envelope::{Compressor, PacketHeader, seal};
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
