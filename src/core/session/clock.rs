//! Two clocks made one: round trip, jitter and offset from heartbeats, and the host's tick as a function of time.
//!
//! Each struct is a small machine that is told the time. Nothing here decides what is simulated: these values steer
//! display and input stamps only, so floating point is allowed.

use crate::types::{Tick, Time};

/// How many echoes the offset filter looks back over.
const WINDOW: usize = 16;

/// Round trip, jitter and clock offset of one link, from echoed timestamps.
///
/// The offset is taken from the fastest echo of the last 16: the least delayed packet has the least asymmetry
/// (NTP's clock filter, RFC 5905 section 10). Jitter is RFC 3550's smoothed difference of successive round trips.
#[derive(Clone, Debug, Default)]
pub struct LinkClock {
    samples: [(u32, i64); WINDOW],
    count: usize,
    rtt_us: u32,
    jitter_us: u32,
    last_rtt_us: u32,
}

impl LinkClock {
    /// Takes in an echo that arrived `now`: our stamp `sent`, how long the other end held it, and the other end's
    /// clock when it answered. An impossible echo (from our future, or held longer than the trip) is ignored.
    pub fn on_echo(&mut self, now: Time, sent: Time, held_us: u32, remote_us: u64) {
        let Some(trip_us) = now.0.checked_sub(sent.0).and_then(|trip| trip.checked_sub(u64::from(held_us)))
        else {
            return;
        };
        let Ok(rtt_us) = u32::try_from(trip_us) else { return };
        let offset_us = remote_us.wrapping_sub(now.0.wrapping_sub(u64::from(rtt_us) / 2)) as i64;
        self.samples[self.count % WINDOW] = (rtt_us, offset_us);
        if self.count == 0 {
            self.rtt_us = rtt_us;
        } else {
            self.rtt_us = smooth(self.rtt_us, rtt_us, 8);
            self.jitter_us = smooth(self.jitter_us, rtt_us.abs_diff(self.last_rtt_us), 16);
        }
        self.last_rtt_us = rtt_us;
        self.count += 1;
    }

    /// Smoothed round trip in microseconds; zero before the first echo.
    #[must_use]
    pub const fn rtt_us(&self) -> u32 {
        self.rtt_us
    }

    /// The newest round trip in microseconds.
    #[must_use]
    pub const fn last_rtt_us(&self) -> u32 {
        self.last_rtt_us
    }

    /// Smoothed variation of the round trip, in microseconds.
    #[must_use]
    pub const fn jitter_us(&self) -> u32 {
        self.jitter_us
    }

    /// How many echoes were taken in.
    #[must_use]
    pub const fn echoes(&self) -> usize {
        self.count
    }

    /// What to add to our clock to read theirs, in microseconds; `None` before the first echo.
    #[must_use]
    pub fn offset_us(&self) -> Option<i64> {
        let known = &self.samples[..self.count.min(WINDOW)];
        known.iter().min_by_key(|(rtt_us, _)| *rtt_us).map(|(_, offset_us)| *offset_us)
    }
}

fn smooth(old: u32, new: u32, weight: u32) -> u32 {
    let moved = (i64::from(new) - i64::from(old)) / i64::from(weight);
    (i64::from(old) + moved) as u32
}

/// The host's tick as a function of our time.
///
/// Each heartbeat says which tick was sealed when, on the host's clock. The phase follows those anchors slowly, so
/// that one late seal does not shake what is shown; an error over a quarter second is a jump and is taken at once.
#[derive(Clone, Debug)]
pub struct TickClock {
    rate_hz: f64,
    /// Tick at our time zero, or nothing before the first anchor.
    phase: Option<f64>,
}

impl TickClock {
    /// A clock for a host that ticks this often.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        Self { rate_hz: f64::from(rate_hz.max(1)), phase: None }
    }

    /// Ticks per second.
    #[must_use]
    pub const fn rate_hz(&self) -> u32 {
        self.rate_hz as u32
    }

    /// Takes in that `tick` was sealed at `host_us` on the host's clock, which is ours plus `offset_us`.
    pub fn on_anchor(&mut self, tick: Tick, host_us: u64, offset_us: i64) {
        let ours_us = host_us.wrapping_sub(offset_us as u64) as i64;
        let measured = f64::from(tick.0) - ours_us as f64 * self.rate_hz / 1e6;
        self.phase = Some(match self.phase {
            Some(phase) if (measured - phase).abs() < self.rate_hz / 4.0 => phase + (measured - phase) / 16.0,
            _ => measured,
        });
    }

    /// The host's tick at our time `at`, with its fraction; `None` before the first anchor.
    #[must_use]
    pub fn tick_at(&self, at: Time) -> Option<f64> {
        self.phase.map(|phase| phase + at.0 as f64 * self.rate_hz / 1e6)
    }
}

/// How far ahead of the host's newest tick an input may be, in milliseconds; what is further ahead is refused.
pub const MAX_INPUT_LEAD_MS: u32 = 2000;

/// Numbers a peer's inputs: one tick each, never one twice, and back on the clock after it was set back.
#[derive(Clone, Debug, Default)]
pub struct InputTicks {
    newest: Tick,
    has_held: bool,
}

impl InputTicks {
    /// The tick of an input that is sampled when the clock says `due`; `None` to leave this one out.
    ///
    /// Two samples within a tick are two ticks. When the clock was set back, every other sample is left out until it
    /// has caught up, so that the host goes on getting new ones meanwhile; numbers so far ahead that it refuses them
    /// are given up at once.
    pub fn next(&mut self, due: Tick, rate_hz: u32) -> Option<Tick> {
        let ahead = self.newest.0.saturating_sub(due.0);
        if ahead > rate_hz * MAX_INPUT_LEAD_MS / 1000 {
            self.newest = due;
            return Some(due);
        }
        self.has_held = ahead > 0 && !self.has_held;
        if self.has_held {
            return None;
        }
        // A host that lies about its tick may have led us to the last number there is.
        self.newest = due.max(Tick(self.newest.0.saturating_add(1)));
        Some(self.newest)
    }

    /// The application numbered an input itself.
    pub fn given(&mut self, tick: Tick) {
        self.newest = tick;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_back_to_a_clock_that_was_set_back() {
        let mut ticks = InputTicks::default();
        assert_eq!(ticks.next(Tick(100), 90), Some(Tick(100)));
        assert_eq!(ticks.next(Tick(100), 90), Some(Tick(101)));
        assert_eq!(ticks.next(Tick(101), 90), Some(Tick(102)));
        // 40 ticks back: half rate, always something new, and level again after about 40 more.
        let given: Vec<_> = (62..162).filter_map(|due| ticks.next(Tick(due), 90)).collect();
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
        assert!((55..=65).contains(&given.len()), "{}", given.len());
        assert_eq!(given.last(), Some(&Tick(162)));
        // A clock that was wrong by hours.
        assert_eq!(ticks.next(Tick(1_000_000), 90), Some(Tick(1_000_000)));
        assert_eq!(ticks.next(Tick(170), 90), Some(Tick(170)));
        assert_eq!(ticks.next(Tick(171), 90), Some(Tick(171)));
    }

    #[test]
    fn the_offset_comes_from_the_fastest_echo() {
        let mut clock = LinkClock::default();
        // The remote clock runs 1 s ahead; the first echo was delayed 80 ms on its way back.
        clock.on_echo(Time(100_000), Time(0), 0, 1_010_000);
        clock.on_echo(Time(220_000), Time(200_000), 0, 1_210_000);
        assert_eq!(clock.offset_us(), Some(1_000_000));
        assert_eq!(clock.last_rtt_us(), 20_000);
        assert_eq!(clock.jitter_us(), 5_000);
    }

    #[test]
    fn an_impossible_echo_changes_nothing() {
        let mut clock = LinkClock::default();
        clock.on_echo(Time(100), Time(200), 0, 0);
        clock.on_echo(Time(200), Time(100), 101, 0);
        assert_eq!(clock.offset_us(), None);
        assert_eq!(clock.echoes(), 0);
    }

    #[test]
    fn the_tick_clock_follows_slowly_and_jumps_when_it_must() {
        let mut clock = TickClock::new(90);
        assert_eq!(clock.tick_at(Time(0)), None);
        clock.on_anchor(Tick(90), 1_000_000, 0);
        assert!((clock.tick_at(Time(2_000_000)).unwrap() - 180.0).abs() < 1e-9);
        // One seal 8 ticks late moves the clock by half a tick only.
        clock.on_anchor(Tick(172), 2_000_000, 0);
        assert!((clock.tick_at(Time(2_000_000)).unwrap() - 179.5).abs() < 1e-9);
        clock.on_anchor(Tick(1000), 2_000_000, 0);
        assert!((clock.tick_at(Time(2_000_000)).unwrap() - 1000.0).abs() < 1e-9);
    }
}
