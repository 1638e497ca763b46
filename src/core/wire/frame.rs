//! Whole packets out of a byte stream.
//!
//! A stream gives bytes in pieces of any size; the splitter collects at most one packet and hands it on whole. It
//! checks only that the length field can be true; everything else is [`super::envelope::open`]'s. A stream with a
//! length that cannot be is dead: there is no way to find the next packet.

use super::envelope::declared_length;
use super::{WireError, limits};

/// Splits one direction of one stream into packets. Holds at most one packet's bytes.
#[derive(Debug, Default)]
pub struct FrameSplitter {
    held: Vec<u8>,
    /// True when `held` is a packet that was handed out.
    taken: bool,
}

impl FrameSplitter {
    /// A splitter at the stream's begin, after the preface.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input` until a packet is whole; `None` when more input is needed (then `input`
    /// is empty). Call again with the rest until it says `None`.
    ///
    /// # Errors
    /// [`WireError::BadLength`] for a length below an envelope's; the stream must be given up.
    pub fn next<'s>(&'s mut self, input: &mut &[u8]) -> Result<Option<&'s [u8]>, WireError> {
        if self.taken {
            self.held.clear();
            self.taken = false;
        }
        while self.held.len() < 2 && !input.is_empty() {
            self.take(input, 1);
        }
        let Some(length) = declared_length(&self.held)? else { return Ok(None) };
        debug_assert!(length <= limits::MAX_PACKET_BYTES, "the length field has 16 bits");
        self.take(input, length - self.held.len());
        self.taken = self.held.len() == length;
        Ok(self.taken.then_some(&self.held[..]))
    }

    /// Bytes of an unfinished packet. At the end of a stream this must be zero.
    pub fn pending_bytes(&self) -> usize {
        if self.taken { 0 } else { self.held.len() }
    }

    fn take(&mut self, input: &mut &[u8], count: usize) {
        let (now, later) = input.split_at(count.min(input.len()));
        self.held.extend_from_slice(now);
        *input = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::envelope::{PacketHeader, seal};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_cut_gives_the_same_packets(
            sizes in proptest::collection::vec(0usize..300, 1..8),
            cuts in proptest::collection::vec(1usize..64, 1..64),
        ) {
            let mut stream = Vec::new();
            let mut packets = Vec::new();
            for (index, size) in sizes.iter().enumerate() {
                let start = stream.len();
                let header = PacketHeader { sequence: index as u32 + 1, ..PacketHeader::default() };
                seal(&header, &vec![index as u8; *size], None, &mut stream)?;
                packets.push(stream[start..].to_vec());
            }
            let mut splitter = FrameSplitter::new();
            let mut seen = Vec::new();
            let mut rest = &stream[..];
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let cut = (*cuts.next().expect("cycle")).min(rest.len());
                let (mut piece, later) = rest.split_at(cut);
                rest = later;
                while let Some(packet) = splitter.next(&mut piece)? {
                    seen.push(packet.to_vec());
                }
                prop_assert!(piece.is_empty());
            }
            prop_assert_eq!(seen, packets);
            prop_assert_eq!(splitter.pending_bytes(), 0);
        }

        #[test]
        fn noise_holds_at_most_one_packet(noise in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut splitter = FrameSplitter::new();
            let mut input = &noise[..];
            while let Ok(Some(packet)) = splitter.next(&mut input) {
                prop_assert!(packet.len() >= 16);
            }
            prop_assert!(splitter.pending_bytes() <= limits::MAX_PACKET_BYTES);
        }
    }

    #[test]
    fn a_length_below_an_envelope_kills_the_stream() {
        let mut splitter = FrameSplitter::new();
        let mut input: &[u8] = &[15, 0, 1, 0];
        assert_eq!(splitter.next(&mut input), Err(WireError::BadLength { field: 15, actual: 2 }));
    }
}
