//! Bit packing, least significant bit first.
//!
//! The first bit written is bit 0 of byte 0; a value's low bit goes first; a value may cross bytes. So a block reads the
//! same on every machine, and aligning is a matter of skipping the rest of a byte. Replication packs rows with it,
//! the input lane poses. The reader never trusts a length: reading past the end is [`WireError::Truncated`], and
//! nothing here allocates but the writer's own buffer, which its caller reuses.

use super::WireError;

/// Most bytes a variable-length integer takes (7 bits each, 64 bits in all).
pub const MAX_VARINT_BYTES: usize = 10;

/// Packs integers into bytes. Keep one and [`BitWriter::clear`] it: its buffer is reused.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// Bits not yet in `bytes`, the next free one at `held_bits`.
    held: u64,
    held_bits: u32,
}

impl BitWriter {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was written, keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.held = 0;
        self.held_bits = 0;
    }

    /// Writes the low `bits` bits of `value`; higher bits of `value` are ignored.
    ///
    /// # Panics
    /// If `bits` exceeds 64: a width is the caller's own, never the wire's.
    #[inline]
    pub fn put(&mut self, value: u64, bits: u32) {
        assert!(bits <= 64, "a value has at most 64 bits");
        if bits == 0 {
            return;
        }
        let value = value & (u64::MAX >> (64 - bits));
        // `held_bits` is below 8 here, so 56 bits always fit; a wider value goes in two parts.
        if bits > 56 {
            self.put_narrow(value & 0xffff_ffff, 32);
            self.put_narrow(value >> 32, bits - 32);
        } else {
            self.put_narrow(value, bits);
        }
    }

    #[inline]
    fn put_narrow(&mut self, value: u64, bits: u32) {
        self.held |= value << self.held_bits;
        self.held_bits += bits;
        let whole = (self.held_bits / 8) as usize;
        self.bytes.extend_from_slice(&self.held.to_le_bytes()[..whole]);
        // 56 + 7 bits is the most that is ever held, so `whole` is at most 7 and the shift below 64.
        self.held >>= whole * 8;
        self.held_bits -= whole as u32 * 8;
    }

    /// Writes one bit.
    #[inline]
    pub fn put_bool(&mut self, value: bool) {
        self.put(value as u64, 1);
    }

    /// Writes a signed value as zigzag (0, -1, 1, -2, ...) in `bits` bits.
    #[inline]
    pub fn put_zigzag(&mut self, value: i64, bits: u32) {
        self.put(zigzag(value), bits);
    }

    /// Writes an unsigned LEB128 integer at the current bit: 7 bits a byte, low bits first, high bit = more follow.
    #[inline]
    pub fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    /// Fills the current byte with zero bits.
    #[inline]
    pub fn align(&mut self) {
        if self.held_bits > 0 {
            self.bytes.push(self.held as u8);
            self.held = 0;
            self.held_bits = 0;
        }
    }

    /// Aligns, then appends whole bytes.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.align();
        self.bytes.extend_from_slice(bytes);
    }

    /// Bits written so far.
    pub fn bit_len(&self) -> usize {
        self.bytes.len() * 8 + self.held_bits as usize
    }

    /// Bytes that [`BitWriter::bytes`] would give now.
    pub fn byte_len(&self) -> usize {
        self.bytes.len() + usize::from(self.held_bits > 0)
    }

    /// Aligns and shows all bytes.
    pub fn bytes(&mut self) -> &[u8] {
        self.align();
        &self.bytes
    }

    /// Aligns and hands over the buffer.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote, from bytes nobody trusts.
#[derive(Clone, Copy, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit, from the start of `bytes`.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Reads from the first bit of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bits not yet read.
    pub const fn remaining_bits(&self) -> usize {
        self.bytes.len() * 8 - self.position
    }

    /// Bits read so far.
    pub const fn bit_position(&self) -> usize {
        self.position
    }

    /// Reads `bits` bits.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when fewer are left; [`WireError::Malformed`] for a width over 64. Nothing is consumed
    /// then.
    #[inline]
    pub fn get(&mut self, bits: u32) -> Result<u64, WireError> {
        if bits > 64 {
            return Err(WireError::Malformed("bit width"));
        }
        if self.remaining_bits() < bits as usize {
            return Err(WireError::Truncated);
        }
        if bits == 0 {
            return Ok(0);
        }
        let first = self.position / 8;
        let shift = (self.position % 8) as u32;
        let value = if let Some(window) = self.bytes.get(first..first + 16) {
            let mut wide = [0; 16];
            wide.copy_from_slice(window);
            u128::from_le_bytes(wide) >> shift
        } else {
            let mut wide = [0; 16];
            let tail = &self.bytes[first..];
            wide[..tail.len()].copy_from_slice(tail);
            u128::from_le_bytes(wide) >> shift
        };
        self.position += bits as usize;
        Ok(value as u64 & (u64::MAX >> (64 - bits)))
    }

    /// Reads one bit.
    #[inline]
    pub fn get_bool(&mut self) -> Result<bool, WireError> {
        Ok(self.get(1)? != 0)
    }

    /// Reads a zigzag value of `bits` bits.
    #[inline]
    pub fn get_zigzag(&mut self, bits: u32) -> Result<i64, WireError> {
        Ok(unzigzag(self.get(bits)?))
    }

    /// Reads an unsigned LEB128 integer. Only the shortest form is accepted, so every value has one spelling.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end of the bytes, [`WireError::Malformed`] for a padded or an over-long form.
    #[inline]
    pub fn get_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for index in 0..MAX_VARINT_BYTES {
            let byte = self.get(8)?;
            let part = byte & 0x7f;
            if index == MAX_VARINT_BYTES - 1 && byte > 1 {
                return Err(WireError::Malformed("varint over 64 bits"));
            }
            value |= part << (7 * index as u32);
            if byte & 0x80 == 0 {
                if part == 0 && index > 0 {
                    return Err(WireError::Malformed("varint not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(WireError::Malformed("varint over 64 bits"))
    }

    /// Skips to the next whole byte. The skipped bits must be zero, so that one value has one spelling.
    #[inline]
    pub fn align(&mut self) -> Result<(), WireError> {
        let used = (self.position % 8) as u32;
        if used > 0 && self.get(8 - used)? != 0 {
            return Err(WireError::Malformed("padding bits"));
        }
        Ok(())
    }

    /// Aligns, then takes `count` whole bytes.
    pub fn get_bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        self.align()?;
        let first = self.position / 8;
        let end = first.checked_add(count).ok_or(WireError::Truncated)?;
        let taken = self.bytes.get(first..end).ok_or(WireError::Truncated)?;
        self.position += count * 8;
        Ok(taken)
    }

    /// Checks that only zero padding of the last byte is left.
    pub fn finish(mut self) -> Result<(), WireError> {
        self.align()?;
        if self.remaining_bits() == 0 { Ok(()) } else { Err(WireError::TrailingBytes) }
    }
}

/// Maps small magnitudes of either sign to small unsigned numbers.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// Undoes [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Put(u64, u32),
        Varint(u64),
        Zigzag(i64),
        Align,
        Bytes(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (any::<u64>(), 0u32..=64).prop_map(|(value, bits)| Step::Put(value, bits)),
            any::<u64>().prop_map(Step::Varint),
            (0u64..300).prop_map(Step::Varint),
            any::<i64>().prop_map(Step::Zigzag),
            Just(Step::Align),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(Step::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(steps in proptest::collection::vec(step(), 0..80)) {
            let mut writer = BitWriter::new();
            for step in &steps {
                match step {
                    Step::Put(value, bits) => writer.put(*value, *bits),
                    Step::Varint(value) => writer.put_varint(*value),
                    Step::Zigzag(value) => writer.put_zigzag(*value, 64),
                    Step::Align => writer.align(),
                    Step::Bytes(bytes) => writer.put_bytes(bytes),
                }
            }
            let length = writer.byte_len();
            let bytes = writer.into_bytes();
            prop_assert_eq!(bytes.len(), length);
            let mut reader = BitReader::new(&bytes);
            for step in &steps {
                match step {
                    Step::Put(value, bits) => {
                        let mask = if *bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
                        prop_assert_eq!(reader.get(*bits)?, value & mask);
                    }
                    Step::Varint(value) => prop_assert_eq!(reader.get_varint()?, *value),
                    Step::Zigzag(value) => prop_assert_eq!(reader.get_zigzag(64)?, *value),
                    Step::Align => reader.align()?,
                    Step::Bytes(bytes) => prop_assert_eq!(reader.get_bytes(bytes.len())?, &bytes[..]),
                }
            }
            reader.finish()?;
        }

        #[test]
        fn any_bytes_are_an_error_or_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..40), widths in proptest::collection::vec(0u32..70, 0..60)) {
            let mut reader = BitReader::new(&bytes);
            for width in widths {
                let before = reader.bit_position();
                match width {
                    65 => drop(reader.get_varint()),
                    66 => drop(reader.align()),
                    67 => drop(reader.get_bytes(3)),
                    _ => {
                        if reader.get(width).is_err() {
                            prop_assert_eq!(reader.bit_position(), before);
                        }
                    }
                }
                prop_assert!(reader.bit_position() <= bytes.len() * 8);
            }
        }
    }

    #[test]
    fn the_first_bit_is_the_lowest() {
        let mut writer = BitWriter::new();
        writer.put(1, 1);
        writer.put(0b10, 2);
        writer.put(0x1ff, 9);
        assert_eq!(writer.bytes(), [0b1111_1101, 0x0f]);
    }

    #[test]
    fn a_varint_has_one_spelling() {
        assert_eq!(
            BitReader::new(&[0x80, 0x00]).get_varint(),
            Err(WireError::Malformed("varint not in its shortest form"))
        );
        assert_eq!(
            BitReader::new(&[0xff; 10]).get_varint(),
            Err(WireError::Malformed("varint over 64 bits"))
        );
        assert_eq!(BitReader::new(&[0xff; 9]).get_varint(), Err(WireError::Truncated));
    }

    #[test]
    fn padding_must_be_zero() {
        let mut reader = BitReader::new(&[0b0000_0011]);
        assert_eq!(reader.get(1), Ok(1));
        assert_eq!(reader.finish(), Err(WireError::Malformed("padding bits")));
    }
}
