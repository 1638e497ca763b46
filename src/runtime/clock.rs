//! Time in the runtime: the process clock, how many ticks a display frame owes, and the tick to show.

use std::sync::OnceLock;
use std::time::Instant;

use theta_core::types::Time;

/// The moment the process clock counts from. The only global of this crate outside the C ABI's slot table: every
/// runtime and every engine thread must read the same clock.
static EPOCH: OnceLock<Instant> = OnceLock::new();

/// The clock of this process: monotonic, nanoseconds since a moment shortly before its first use. On Linux it stands
/// still while the device sleeps. Any thread.
pub fn now_ns() -> u64 {
    // The clock never shows zero, which events and heartbeats take for "no time".
    EPOCH.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1000
}

/// The same clock as the core counts it.
pub(super) fn now() -> Time {
    Time(now_ns() / 1000)
}

/// Serves a session's tick rate from a display's frames.
#[derive(Debug, Default)]
pub(super) struct TickPacer {
    rate_hz: u32,
    origin_ns: u64,
    taken: u64,
}

impl TickPacer {
    /// How many ticks are due at `now_ns`, at most `cap`; they count as run. What goes beyond the cap is dropped: after
    /// a stall time does not run after itself. The first call (and the first after a change of rate) begins to count.
    pub(super) fn due(&mut self, now_ns: u64, cap: u32, rate_hz: u32) -> u32 {
        if rate_hz == 0 {
            return 0;
        }
        if self.rate_hz != rate_hz {
            *self = Self { rate_hz, origin_ns: now_ns, taken: 0 };
        }
        let elapsed_ns = u128::from(now_ns.saturating_sub(self.origin_ns));
        let all = (elapsed_ns * u128::from(rate_hz) / 1_000_000_000) as u64;
        let due = all.saturating_sub(self.taken);
        self.taken = self.taken.max(all);
        u32::try_from(due).unwrap_or(u32::MAX).min(cap)
    }
}

/// The host's tick as this side shows it: a line through a point, steered towards the estimate, never stepped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RenderClock {
    at_us: u64,
    tick: f64,
    ticks_per_us: f64,
}

/// Fastest correction: 2 % of the tick rate.
const MAX_SLEW: f64 = 0.02;
/// An error is worked off in about this long, if the slew allows.
const CORRECTION_US: f64 = 500_000.0;
/// An error above this is a jump (a host that stood still, the first estimate), taken at once.
const JUMP_US: f64 = 250_000.0;

impl RenderClock {
    /// The first estimate.
    pub(super) fn start(now: Time, estimate: f64, rate_hz: u32) -> Self {
        Self { at_us: now.0, tick: estimate, ticks_per_us: f64::from(rate_hz) / 1e6 }
    }

    /// The tick at a time, with its fraction.
    pub(super) fn tick_at(&self, at_us: f64) -> f64 {
        self.tick + (at_us - self.at_us as f64) * self.ticks_per_us
    }

    /// Continues from where this clock is at `now`, a little faster or slower, towards `estimate`.
    pub(super) fn steer(&self, now: Time, estimate: f64, rate_hz: u32) -> Self {
        let rate = f64::from(rate_hz) / 1e6;
        let here = self.tick_at(now.0 as f64);
        let error = estimate - here;
        if error.abs() > JUMP_US * rate {
            return Self::start(now, estimate, rate_hz);
        }
        let slew = (error / (CORRECTION_US * rate)).clamp(-MAX_SLEW, MAX_SLEW);
        Self { at_us: now.0, tick: here, ticks_per_us: rate * (1.0 + slew) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_clock_runs_forward_and_is_never_zero() {
        let first = now_ns();
        assert!(first > 0 && now_ns() >= first);
    }

    #[test]
    fn any_display_gets_the_sessions_rate() {
        for display_hz in [60_u64, 72, 80, 90, 120, 144] {
            let mut pacer = TickPacer::default();
            let ticks: u32 = (0..=display_hz * 10)
                .map(|frame| pacer.due(5 * MS + frame * 1_000_000_000 / display_hz, 8, 90))
                .sum();
            assert!((899..=900).contains(&ticks), "{display_hz} Hz: {ticks}");
        }
    }

    #[test]
    fn a_stall_is_capped_and_not_made_up_for() {
        let mut pacer = TickPacer::default();
        assert_eq!(pacer.due(0, 4, 90), 0);
        assert_eq!(pacer.due(10_000 * MS, 4, 90), 4);
        assert_eq!(pacer.due(10_000 * MS, 4, 90), 0);
        assert_eq!(pacer.due(10_012 * MS, 4, 90), 1);
        assert_eq!(pacer.due(0, 4, 90), 0, "a clock that went backwards owes nothing");
        assert_eq!(pacer.due(1, 4, 0), 0, "before the rate is known");
    }

    #[test]
    fn the_render_clock_is_steered_gently_and_never_backwards() {
        let rate = 90;
        let mut clock = RenderClock::start(Time(0), 100.0, rate);
        let mut shown = clock.tick_at(0.0);
        // The estimate is 5 ticks ahead, then 3 behind, with noise, read at every frame and steered every 50 ms.
        for ms in 1..20_000_u64 {
            let now = Time(ms * 1000);
            let truth = 100.0 + ms as f64 * 0.09;
            let bias = if ms < 10_000 { 5.0 } else { -3.0 };
            let noise = if ms % 100 < 50 { 0.4 } else { -0.4 };
            if ms % 50 == 0 {
                clock = clock.steer(now, truth + bias + noise, rate);
            }
            let next = clock.tick_at(now.0 as f64);
            let step = next - shown;
            assert!(step > 0.09 * 0.979 && step < 0.09 * 1.021, "{step} at {ms} ms");
            shown = next;
        }
        assert!((shown - (100.0 + 19_999.0 * 0.09 - 3.0)).abs() < 1.0, "{shown}");
    }

    #[test]
    fn a_jump_is_taken_at_once() {
        let clock = RenderClock::start(Time(0), 100.0, 90).steer(Time(1000), 400.0, 90);
        assert!((clock.tick_at(1000.0) - 400.0).abs() < 1e-9);
    }
}
