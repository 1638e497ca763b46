//! When to look for a lost host again: at once, then ever less often, and never all at the same time.

use std::time::Duration;

use theta_core::session::keys::Entropy;

/// The longest pause after the first failed attempt; it doubles with each further one.
const FIRST_MS: u64 = 250;
/// No pause is longer.
const LONGEST_MS: u64 = 4000;

/// Pauses between attempts, between half and all of what their number allows. Told its randomness.
#[derive(Debug)]
pub(super) struct Backoff {
    entropy: Entropy,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { entropy: Entropy::new(seed), attempts: 0 }
    }

    /// The session is up: the next loss begins anew.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How long to wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let most_ms = FIRST_MS.saturating_mul(1 << self.attempts.min(10)).min(LONGEST_MS);
        let random = self.entropy.draw();
        let drawn = u64::from(u32::from_le_bytes([random[0], random[1], random[2], random[3]]));
        // A host that comes back must not be met by everybody at the same moment, at the first attempt least of all.
        let pause_ms = if self.attempts == 0 { 0 } else { most_ms / 2 };
        self.attempts = self.attempts.saturating_add(1);
        Duration::from_millis(pause_ms + drawn % (most_ms / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let pauses = |fill: u8| {
            let mut backoff = Backoff::new([fill; 32]);
            (0..20).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        let first = pauses(1);
        assert!(first[0] <= Duration::from_millis(125), "{first:?}");
        assert!(first[1] >= Duration::from_millis(250) && first[1] <= Duration::from_millis(500));
        assert!(first[10..].iter().all(|pause| (2000..=4000).contains(&pause.as_millis())), "{first:?}");
        assert_ne!(first, pauses(2));
        let mut backoff = Backoff::new([1; 32]);
        backoff.next();
        backoff.next();
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(125));
    }
}
