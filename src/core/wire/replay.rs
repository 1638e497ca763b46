//! Which sequences of a datagram lane have been seen: each packet is acted on once.
//!
//! A sliding window as in RFC 4303, section 3.4.3, of 1024 sequences. One per lane, direction and session epoch; a new
//! epoch begins with a new window. On reliable lanes the sequence must simply be the next one.

use super::limits::REPLAY_WINDOW;

const WORDS: usize = REPLAY_WINDOW / 64;

/// What a sequence is to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not seen before: act on it.
    New,
    /// Seen before: drop it.
    Repeated,
    /// Older than the window remembers, or zero: drop it.
    TooOld,
}

/// The sequences seen lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayWindow {
    newest: u32,
    received: u32,
    /// Bit `sequence % REPLAY_WINDOW` is set for each sequence seen in `newest - REPLAY_WINDOW + 1 ..= newest`.
    seen: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayWindow {
    /// A window that has seen nothing; sequences begin at 1.
    pub const fn new() -> Self {
        Self { newest: 0, received: 0, seen: [0; WORDS] }
    }

    /// Newest sequence seen; zero before the first.
    pub const fn newest(&self) -> u32 {
        self.newest
    }

    /// Packets accepted, wrapping.
    pub const fn received(&self) -> u32 {
        self.received
    }

    /// What `sequence` would be, without remembering it.
    pub const fn judge(&self, sequence: u32) -> Freshness {
        if sequence == 0 {
            return Freshness::TooOld;
        }
        if sequence > self.newest {
            return Freshness::New;
        }
        if self.newest - sequence >= REPLAY_WINDOW as u32 {
            return Freshness::TooOld;
        }
        if self.has(sequence) { Freshness::Repeated } else { Freshness::New }
    }

    /// Remembers `sequence` if it is new. Call it only for packets that passed every other check, else a forged
    /// packet could make a real one look repeated.
    pub const fn accept(&mut self, sequence: u32) -> Freshness {
        let freshness = self.judge(sequence);
        if matches!(freshness, Freshness::New) {
            if sequence > self.newest {
                self.advance(sequence);
            }
            let slot = sequence as usize % REPLAY_WINDOW;
            self.seen[slot / 64] |= 1 << (slot % 64);
            self.received = self.received.wrapping_add(1);
        }
        freshness
    }

    /// Writes the acknowledgement mask: bit i says that `newest - 1 - i` was seen; `bytes` bytes, at most the window's.
    pub fn write_mask(&self, bytes: usize, mask: &mut Vec<u8>) {
        let bytes = bytes.min(REPLAY_WINDOW / 8);
        mask.clear();
        mask.resize(bytes, 0);
        for back in 0..(bytes * 8).min(REPLAY_WINDOW - 1) {
            let Some(sequence) = self.newest.checked_sub(1 + back as u32).filter(|sequence| *sequence > 0)
            else {
                break;
            };
            if self.has(sequence) {
                mask[back / 8] |= 1 << (back % 8);
            }
        }
    }

    const fn has(&self, sequence: u32) -> bool {
        let slot = sequence as usize % REPLAY_WINDOW;
        self.seen[slot / 64] >> (slot % 64) & 1 == 1
    }

    /// Moves the window's front, forgetting the slots it passes.
    const fn advance(&mut self, newest: u32) {
        let step = newest - self.newest;
        if step as usize >= REPLAY_WINDOW {
            self.seen = [0; WORDS];
        } else {
            let mut passed = self.newest;
            while passed < newest {
                passed += 1;
                let slot = passed as usize % REPLAY_WINDOW;
                self.seen[slot / 64] &= !(1 << (slot % 64));
            }
        }
        self.newest = newest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The window agrees with a set that remembers everything.
        #[test]
        fn agrees_with_a_set(steps in proptest::collection::vec((0i64..3000, any::<bool>()), 1..400)) {
            let mut window = ReplayWindow::new();
            let mut all = BTreeSet::new();
            let mut newest = 0i64;
            for (offset, back) in steps {
                let sequence = if back { (newest - offset).max(0) } else { newest + offset / 100 } as u32;
                let expected = if sequence == 0 || newest - sequence as i64 >= REPLAY_WINDOW as i64 {
                    Freshness::TooOld
                } else if all.contains(&sequence) {
                    Freshness::Repeated
                } else {
                    Freshness::New
                };
                prop_assert_eq!(window.accept(sequence), expected);
                if expected == Freshness::New {
                    all.insert(sequence);
                    newest = newest.max(sequence as i64);
                }
            }
            prop_assert_eq!(window.newest() as i64, newest);
            prop_assert_eq!(window.received() as usize, all.len());
            let mut mask = Vec::new();
            window.write_mask(128, &mut mask);
            for back in 0..1023i64 {
                let sequence = newest - 1 - back;
                let expected = sequence > 0 && all.contains(&(sequence as u32));
                prop_assert_eq!(mask[back as usize / 8] >> (back % 8) & 1 == 1, expected);
            }
        }
    }

    #[test]
    fn the_last_sequence_is_a_sequence() {
        let mut window = ReplayWindow::new();
        assert_eq!(window.accept(u32::MAX), Freshness::New);
        assert_eq!(window.accept(u32::MAX), Freshness::Repeated);
        assert_eq!(window.accept(1), Freshness::TooOld);
        assert_eq!(window.accept(u32::MAX - 1023), Freshness::New);
    }
}
