//! Packet compression: zstd with a trained dictionary, behind the core's [`Compressor`].
//!
//! For: snapshots, rosters, handshakes, reports; bit-packed deltas hardly shrink and then go uncompressed. Never: trusts
//! a size that the other side names. Output is bounded by the caller's length before the first byte is written, and one
//! frame must fill it exactly. Called by the runtime, which gives one to each session.
//!
//! The dictionary is committed (`compression/dictionary.bin`) and named by the first eight bytes of its SHA-256, so
//! both sides know that they have the same one; `tests/runtime_compression.rs` holds the program that trains it.

use theta_core::wire::WireError;
use theta_core::wire::envelope::Compressor;
use theta_core::wire::limits::MAX_RAW_BODY_BYTES;
use zstd::zstd_safe::{self, CParameter};

/// The committed dictionary.
pub const DICTIONARY: &[u8] = include_bytes!("compression/dictionary.bin");
/// The first eight bytes of the dictionary's SHA-256, little-endian. A test compares.
pub const DICTIONARY_HASH: u64 = 0xe56fad43c52302e0;
/// Bodies below this size are sent as they are: a zstd frame begins with about ten bytes of its own.
pub const MIN_BODY_BYTES: usize = 48;
/// Fast, as packets are small and many; the dictionary does most of the work.
const LEVEL: i32 = 1;

/// zstd with Theta's dictionary; one per session, reused for all its packets.
pub struct ZstdCompressor {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
    /// Output goes here first: zstd writes to the start of a buffer, the envelope appends.
    scratch: Vec<u8>,
}

impl core::fmt::Debug for ZstdCompressor {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("ZstdCompressor").field("dictionary", &DICTIONARY_HASH).finish_non_exhaustive()
    }
}

impl ZstdCompressor {
    /// A compressor with the committed dictionary. Fails only when memory is short.
    pub fn new() -> Result<Self, WireError> {
        Self::with_dictionary(DICTIONARY)
    }

    fn with_dictionary(dictionary: &[u8]) -> Result<Self, WireError> {
        const FAILED: WireError = WireError::BadCompression("zstd cannot be set up");
        let mut compressor =
            zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary).map_err(|_| FAILED)?;
        // The packet has a CRC, and the handshake names the dictionary.
        for parameter in [CParameter::ChecksumFlag(false), CParameter::DictIdFlag(false)] {
            compressor.set_parameter(parameter).map_err(|_| FAILED)?;
        }
        let decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary).map_err(|_| FAILED)?;
        Ok(Self { compressor, decompressor, scratch: vec![0; MAX_RAW_BODY_BYTES] })
    }
}

impl Compressor for ZstdCompressor {
    fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<bool, WireError> {
        if raw.len() < MIN_BODY_BYTES || raw.len() > MAX_RAW_BODY_BYTES {
            return Ok(false);
        }
        // Room for one byte less than the input: what does not fit is not worth sending, and zstd stops there.
        let room = &mut self.scratch[..raw.len() - 1];
        let Ok(packed) = self.compressor.compress_to_buffer(raw, room) else { return Ok(false) };
        out.extend_from_slice(&self.scratch[..packed]);
        Ok(true)
    }

    fn decompress(&mut self, packed: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
        if raw_len > MAX_RAW_BODY_BYTES {
            return Err(WireError::BadCompression("longer than a body may be"));
        }
        // One whole frame and nothing else: zstd itself would also take several, and skip what it calls skippable.
        if zstd_safe::find_frame_compressed_size(packed) != Ok(packed.len()) {
            return Err(WireError::BadCompression("not one zstd frame"));
        }
        let written = self
            .decompressor
            .decompress_to_buffer(packed, &mut self.scratch[..raw_len])
            .map_err(|_| WireError::BadCompression("damaged, made with another dictionary, or too long"))?;
        if written != raw_len {
            return Err(WireError::BadCompression("shorter than it names"));
        }
        out.extend_from_slice(&self.scratch[..raw_len]);
        Ok(())
    }

    fn dictionary_hash(&self) -> u64 {
        DICTIONARY_HASH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use theta_core::wire::envelope::{PacketHeader, open, seal};

    fn compressor() -> ZstdCompressor {
        ZstdCompressor::new().expect("zstd")
    }

    #[test]
    fn the_hash_is_the_dictionarys() {
        assert!(DICTIONARY.len() <= 16 << 10);
        let digest = theta_core::session::keys::sha256(DICTIONARY);
        let first: [u8; 8] = digest[..8].try_into().expect("eight bytes");
        assert_eq!(DICTIONARY_HASH, u64::from_le_bytes(first), "0x{:016x}", u64::from_le_bytes(first));
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(words in proptest::collection::vec(0u8..12, 0..3000), prefix: Vec<u8>) {
            let (mut zstd, mut packed) = (compressor(), prefix.clone());
            if zstd.compress(&words, &mut packed).expect("compresses") {
                prop_assert!(packed.len() - prefix.len() < words.len());
                let mut out = prefix.clone();
                zstd.decompress(&packed[prefix.len()..], words.len(), &mut out).expect("decompresses");
                prop_assert_eq!(&out[prefix.len()..], &words[..]);
            }
            prop_assert_eq!(&packed[..prefix.len()], &prefix[..]);
        }

        #[test]
        fn noise_is_an_error_or_exactly_as_long_as_it_says(noise: Vec<u8>, raw_len in 0usize..70_000) {
            let mut out = Vec::new();
            if compressor().decompress(&noise, raw_len, &mut out).is_ok() {
                prop_assert_eq!(out.len(), raw_len);
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn noise_is_not_compressed() {
        // A congruential generator is noise enough for zstd.
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(5000)
        .collect();
        let mut out = vec![7];
        assert_eq!(compressor().compress(&noise, &mut out), Ok(false));
        assert_eq!(out, [7]);
    }

    #[test]
    fn bombs_and_lies_do_not_grow() {
        let mut zstd = compressor();
        // 64 MB of zeros in a few kilobytes, claimed to be a body.
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).expect("compresses");
        assert!(bomb.len() < 16 << 10);
        for raw_len in [0, 1, 100, MAX_RAW_BODY_BYTES, MAX_RAW_BODY_BYTES + 1, usize::MAX] {
            let mut out = Vec::new();
            assert!(zstd.decompress(&bomb, raw_len, &mut out).is_err());
            assert_eq!(out.capacity(), 0, "nothing is allocated for a bomb");
        }
        let (body, mut packed) = (vec![b'a'; 1000], Vec::new());
        assert_eq!(zstd.compress(&body, &mut packed), Ok(true));
        let mut out = Vec::new();
        for wrong in [0, 999, 1001] {
            assert!(zstd.decompress(&packed, wrong, &mut out).is_err(), "{wrong}");
        }
        // Two frames, a frame with a tail, and half a frame.
        for damaged in [[&packed[..], &packed].concat(), [&packed[..], b"x"].concat(), packed[..5].to_vec()] {
            assert!(zstd.decompress(&damaged, 1000, &mut out).is_err());
        }
        assert!(out.is_empty());
        assert_eq!(zstd.decompress(&packed, 1000, &mut out), Ok(()), "and still works");
        assert_eq!(out, body);
    }

    #[test]
    fn another_dictionary_does_not_decompress_to_something_else() {
        let body = &DICTIONARY[DICTIONARY.len() - 600..];
        let mut packed = Vec::new();
        assert_eq!(compressor().compress(body, &mut packed), Ok(true));
        let mut stranger = ZstdCompressor::with_dictionary(b"").expect("zstd");
        let mut out = Vec::new();
        assert!(stranger.decompress(&packed, body.len(), &mut out).is_err() || out != body);
    }

    /// The golden packet: hexadecimal, first the sealed packet, then the body inside.
    const VECTOR: &str = include_str!("../tests/vectors/compressed_envelope.hex");

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
            .collect()
    }

    #[test]
    fn the_golden_packet_opens() {
        let lines: Vec<_> =
            VECTOR.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(unhex).collect();
        let [packet, body] = lines.as_slice() else { panic!("two lines") };
        let (mut zstd, mut scratch) = (compressor(), Vec::new());
        let verified = open(packet, Some(&mut zstd), &mut scratch).expect("opens");
        assert!(verified.was_compressed());
        assert_eq!(verified.body(), body);
        assert_eq!(
            *verified.header(),
            PacketHeader { sequence: 7, epoch: 2, schema: 0xbeef, ..Default::default() }
        );
        // The same packet comes out again as long as zstd's encoder stays the same; the format only promises the way in.
        let mut again = Vec::new();
        seal(verified.header(), body, Some(&mut compressor()), &mut again).expect("seals");
        assert!(again.len() <= packet.len() + 16, "{} bytes now, {} then", again.len(), packet.len());
    }
}
