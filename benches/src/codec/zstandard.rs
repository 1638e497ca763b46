//! zstd with the committed dictionary, beside zstd without one: size and time, on the messages of a session.

use std::hint::black_box;

use theta_core::wire::envelope::Compressor;
use theta_sdk::compression::ZstdCompressor;

use super::messages::samples;
use crate::contest::Contest;
use crate::report::{Beside, Report, Table, number};
use crate::settings::Settings;

/// The level that packets are compressed with.
const LEVEL: i32 = 1;

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let columns = [
        "body",
        "raw B",
        "dict B",
        "x smaller",
        "compress us",
        "decompress us",
        "allocations",
        "plain B",
        "x smaller",
        "compress us",
        "decompress us",
    ];
    let title = "zstd level 1: with the dictionary (ours) beside without; \"as is\": it would not be smaller";
    let mut table = Table::new(title, &columns);
    for (name, message) in samples() {
        let raw = message.encode().expect("a valid message");
        let mut ours = ZstdCompressor::new().expect("zstd");
        let mut plain = zstd::bulk::Compressor::new(LEVEL).expect("zstd");
        let mut unplain = zstd::bulk::Decompressor::new().expect("zstd");
        let mut packed = Vec::new();
        let is_smaller = ours.compress(&raw, &mut packed).expect("compresses");
        let plain_packed = plain.compress(&raw).expect("compresses");
        let mut out = Vec::with_capacity(raw.len());
        let mut plain_out = vec![0; raw.len() + 64];
        let mut plain_room = vec![0; raw.len() + 1024];
        let mut unpacker = ZstdCompressor::new().expect("zstd");
        let mut unpacked = Vec::with_capacity(raw.len());
        let results = Contest::new()
            .ours("compress", raw.len(), || {
                out.clear();
                ours.compress(black_box(&raw), &mut out)
            })
            .ours("decompress", raw.len(), || {
                unpacked.clear();
                if is_smaller {
                    unpacker.decompress(black_box(&packed), raw.len(), &mut unpacked)
                } else {
                    Ok(())
                }
            })
            .peer("compress", raw.len(), || plain.compress_to_buffer(black_box(&raw), &mut plain_room))
            .peer("decompress", raw.len(), || {
                unplain.decompress_to_buffer(black_box(&plain_packed), &mut plain_out)
            })
            .run(settings);
        let [compress, decompress, plain_compress, plain_decompress] = &results[..] else {
            unreachable!("four entries")
        };
        let us = |result: &crate::contest::Measured| number(result.median_ns / 1000.0);
        let as_is = |text: String| if is_smaller { text } else { "as is".to_owned() };
        table.row([
            name.to_owned(),
            raw.len().to_string(),
            as_is(packed.len().to_string()),
            as_is(number(raw.len() as f64 / packed.len().max(1) as f64)),
            us(compress),
            as_is(us(decompress)),
            number(compress.allocations + decompress.allocations),
            plain_packed.len().to_string(),
            number(raw.len() as f64 / plain_packed.len() as f64),
            us(plain_compress),
            us(plain_decompress),
        ]);
        let bytes = if is_smaller { packed.len() } else { raw.len() } as f64;
        let case = format!("zstd: {name}");
        let beside = |value: f64| Some(Beside { name: "zstd without a dictionary", value });
        report.note(&case, "bytes", bytes, "B", beside(plain_packed.len() as f64));
        report.note(&case, "compress_time", compress.median_ns, "ns", beside(plain_compress.median_ns));
    }
    table.print();
}
