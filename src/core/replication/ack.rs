//! Which packets of the state lane were applied: noted by the peer, told as newest sequence and mask, read by the host.
//!
//! A packet is acknowledged when everything in it was applied, not when it arrived. Bit i of the mask (least
//! significant first) says that `newest - 1 - i` was applied.

/// Sequences before the newest that an acknowledgement covers: what is in flight at ten packets a tick and a round
/// trip of 250 ms, or many more ticks of less. One that falls out unacknowledged counts as lost.
pub const WINDOW: u32 = 256;

const WORDS: usize = WINDOW as usize / 64;

/// The peer's side.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckTracker {
    newest: u32,
    /// Bit i of the whole: `newest - 1 - i`.
    mask: [u64; WORDS],
}

impl AckTracker {
    /// Notes that everything in the packet with this sequence (from 1) was applied.
    pub fn record(&mut self, sequence: u32) {
        if sequence == 0 {
            return;
        }
        if sequence > self.newest {
            let by = sequence - self.newest;
            self.shift(by);
            // The one that was newest until now.
            if self.newest != 0 && by <= WINDOW {
                self.set(by - 1);
            }
            self.newest = sequence;
        } else if sequence < self.newest && self.newest - sequence <= WINDOW {
            self.set(self.newest - sequence - 1);
        }
    }

    fn set(&mut self, bit: u32) {
        self.mask[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn shift(&mut self, by: u32) {
        let (words, bits) = (by as usize / 64, by % 64);
        for word in (0..WORDS).rev() {
            let from = |at: Option<usize>| at.map_or(0, |at| self.mask[at]);
            let low = from(word.checked_sub(words));
            let high = if bits == 0 { 0 } else { from(word.checked_sub(words + 1)) >> (64 - bits) };
            self.mask[word] = low << bits | high;
        }
    }

    /// The newest sequence; zero before the first.
    pub const fn newest(&self) -> u32 {
        self.newest
    }

    /// Appends the mask, without trailing zero bytes.
    pub fn mask_bytes(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.mask.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        while out.len() > start && out.last() == Some(&0) {
            out.pop();
        }
    }
}

/// The host's side: the sequences that an acknowledgement names, newest first.
pub fn decode(newest: u32, mask: &[u8]) -> impl Iterator<Item = u32> {
    let older = mask.iter().enumerate().flat_map(move |(at, byte)| {
        (0..8)
            .filter(move |bit| byte >> bit & 1 == 1)
            .filter_map(move |bit| newest.checked_sub(at as u32 * 8 + bit + 1))
    });
    core::iter::once(newest).chain(older).filter(|sequence| *sequence != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn says_what_was_recorded(steps in proptest::collection::vec((any::<bool>(), 0u32..400), 0..300)) {
            let mut tracker = AckTracker::default();
            let mut recorded = BTreeSet::new();
            let mut newest = 0u32;
            for (forward, by) in steps {
                let sequence = if forward { newest + by % 90 } else { newest.saturating_sub(by) };
                tracker.record(sequence);
                if sequence > 0 && sequence + WINDOW >= newest {
                    recorded.insert(sequence);
                }
                newest = newest.max(sequence);
            }
            let mut mask = Vec::new();
            tracker.mask_bytes(&mut mask);
            prop_assert_eq!(tracker.newest(), newest);
            let told: BTreeSet<u32> = decode(newest, &mask).collect();
            let expected: BTreeSet<u32> = recorded.into_iter().filter(|sequence| sequence + WINDOW >= newest).collect();
            prop_assert_eq!(told, expected);
        }

        #[test]
        fn any_mask_names_earlier_sequences(newest in any::<u32>(), mask in proptest::collection::vec(any::<u8>(), 0..200)) {
            for sequence in decode(newest, &mask) {
                prop_assert!(sequence > 0 && sequence <= newest);
            }
        }
    }
}
