//! Component ids: SipHash-2-4 of the component's stable name, computable at compile time.
//!
//! The same function hashes schemas. It is written here because a `const fn` is needed (a Rust type's id is a
//! constant); tests hold it against the paper's vectors and the `siphasher` crate. It must never change: ids stand in
//! saved sessions.
//!
//! Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.

use crate::types::ComponentId;

/// The key of every published hash: bytes 00 to 0f, as in the paper's test vectors. Not a secret: the hash is a name.
pub const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The id of the component with this stable name (UTF-8).
#[must_use]
pub const fn component_id(name: &str) -> ComponentId {
    ComponentId(siphash_2_4(&KEY, name.as_bytes()))
}

/// SipHash-2-4 of `data` under `key`, as the little-endian number of the paper's 8 output bytes.
#[must_use]
pub const fn siphash_2_4(key: &[u8; 16], data: &[u8]) -> u64 {
    let k0 = word(key, 0);
    let k1 = word(key, 8);
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut at = 0;
    while at + 8 <= data.len() {
        let m = word(data, at);
        v[3] ^= m;
        v = round(round(v));
        v[0] ^= m;
        at += 8;
    }
    // The last word: what is left of the data, and the length's low byte on top.
    let mut last = (data.len() as u64) << 56;
    let mut shift = 0;
    while at < data.len() {
        last |= (data[at] as u64) << shift;
        shift += 8;
        at += 1;
    }
    v[3] ^= last;
    v = round(round(v));
    v[0] ^= last;
    v[2] ^= 0xff;
    v = round(round(round(round(v))));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

const fn word(bytes: &[u8], at: usize) -> u64 {
    let mut value = 0;
    let mut index = 0;
    while index < 8 {
        value |= (bytes[at + index] as u64) << (8 * index);
        index += 1;
    }
    value
}

const fn round(v: [u64; 4]) -> [u64; 4] {
    let [mut a, mut b, mut c, mut d] = v;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use proptest::prelude::*;
    use siphasher::sip::SipHasher24;

    use super::*;

    /// The reference implementation's `vectors_sip64`: hash of the bytes 00, 01, .. of length 0 to 63.
    const VECTORS: [u64; 64] = [
        0x726fdb47dd0e0e31,
        0x74f839c593dc67fd,
        0x0d6c8009d9a94f5a,
        0x85676696d7fb7e2d,
        0xcf2794e0277187b7,
        0x18765564cd99a68d,
        0xcbc9466e58fee3ce,
        0xab0200f58b01d137,
        0x93f5f5799a932462,
        0x9e0082df0ba9e4b0,
        0x7a5dbbc594ddb9f3,
        0xf4b32f46226bada7,
        0x751e8fbc860ee5fb,
        0x14ea5627c0843d90,
        0xf723ca908e7af2ee,
        0xa129ca6149be45e5,
        0x3f2acc7f57c29bdb,
        0x699ae9f52cbe4794,
        0x4bc1b3f0968dd39c,
        0xbb6dc91da77961bd,
        0xbed65cf21aa2ee98,
        0xd0f2cbb02e3b67c7,
        0x93536795e3a33e88,
        0xa80c038ccd5ccec8,
        0xb8ad50c6f649af94,
        0xbce192de8a85b8ea,
        0x17d835b85bbb15f3,
        0x2f2e6163076bcfad,
        0xde4daaaca71dc9a5,
        0xa6a2506687956571,
        0xad87a3535c49ef28,
        0x32d892fad841c342,
        0x7127512f72f27cce,
        0xa7f32346f95978e3,
        0x12e0b01abb051238,
        0x15e034d40fa197ae,
        0x314dffbe0815a3b4,
        0x027990f029623981,
        0xcadcd4e59ef40c4d,
        0x9abfd8766a33735c,
        0x0e3ea96b5304a7d0,
        0xad0c42d6fc585992,
        0x187306c89bc215a9,
        0xd4a60abcf3792b95,
        0xf935451de4f21df2,
        0xa9538f0419755787,
        0xdb9acddff56ca510,
        0xd06c98cd5c0975eb,
        0xe612a3cb9ecba951,
        0xc766e62cfcadaf96,
        0xee64435a9752fe72,
        0xa192d576b245165a,
        0x0a8787bf8ecb74b2,
        0x81b3e73d20b49b6f,
        0x7fa8220ba3b2ecea,
        0x245731c13ca42499,
        0xb78dbfaf3a8d83bd,
        0xea1ad565322a1a0b,
        0x60e61c23a3795013,
        0x6606d7e446282b93,
        0x6ca4ecb15c5f91e1,
        0x9f626da15c9625f3,
        0xe51b38608ef25f57,
        0x958a324ceb064572,
    ];

    #[test]
    fn agrees_with_the_papers_vectors() {
        let bytes: Vec<u8> = (0..64).collect();
        for (length, expected) in VECTORS.iter().enumerate() {
            assert_eq!(siphash_2_4(&KEY, &bytes[..length]), *expected, "length {length}");
        }
    }

    #[test]
    fn is_a_constant() {
        const POSE: ComponentId = component_id("demo.pose");
        assert_eq!(POSE, component_id(&String::from("demo.pose")));
    }

    proptest! {
        #[test]
        fn agrees_with_siphasher(key in any::<[u8; 16]>(), data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut other = SipHasher24::new_with_key(&key);
            other.write(&data);
            prop_assert_eq!(siphash_2_4(&key, &data), other.finish());
        }
    }
}
