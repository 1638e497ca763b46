//! Bytes as a source of decisions: whatever is asked for after the end is zero or empty, so that any input is a whole
//! program and a shorter one is its beginning.

pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// At most so many bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes with their length (two bytes) before them.
    pub fn part(&mut self) -> &'a [u8] {
        let length = self.u16();
        self.take(length.into())
    }
}

/// Writes what [`Bytes::part`] reads.
pub fn put_part(part: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(part.len()).expect("a part is short");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(part);
}
