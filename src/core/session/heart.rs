//! What keeps a link alive and measured: heartbeats, echoes, the idle timeout.

use super::clock::LinkClock;
use crate::types::Time;
use crate::wire::message::Heartbeat;

/// How often a heartbeat is sent, in milliseconds.
pub const HEARTBEAT_INTERVAL_MS: u64 = 100;

/// One link's pulse. Told the time; never reads it.
#[derive(Clone, Debug)]
pub struct Heart {
    idle_timeout_ms: u64,
    next_beat: Time,
    last_heard: Time,
    clock: LinkClock,
    /// The other end's newest stamp and when it came, until it is echoed.
    to_echo: Option<(u64, Time)>,
}

impl Heart {
    /// A pulse that starts now and stops after this long without a packet.
    #[must_use]
    pub fn new(now: Time, idle_timeout_ms: u64) -> Self {
        Self { idle_timeout_ms, next_beat: now, last_heard: now, clock: LinkClock::default(), to_echo: None }
    }

    /// Any valid packet came.
    pub fn heard(&mut self, now: Time) {
        self.last_heard = now;
    }

    /// A heartbeat came: takes in its echo of ours, and keeps its stamp to echo.
    pub fn on_heartbeat(&mut self, now: Time, heartbeat: &Heartbeat) {
        if heartbeat.echo_sent_us != 0 {
            self.clock.on_echo(now, Time(heartbeat.echo_sent_us), heartbeat.echo_held_us, heartbeat.sent_us);
        }
        self.to_echo = Some((heartbeat.sent_us, now));
    }

    /// The stamps of a heartbeat when one is due; the caller fills in the rest and sends it.
    pub fn beat(&mut self, now: Time) -> Option<Heartbeat> {
        if now < self.next_beat {
            return None;
        }
        self.next_beat = now.plus_ms(HEARTBEAT_INTERVAL_MS);
        let (echo_sent_us, held) = self.to_echo.take().unwrap_or((0, now));
        Some(Heartbeat {
            // Zero on the wire means "no stamp to echo", and a clock may start at zero.
            sent_us: now.0.max(1),
            echo_sent_us,
            echo_held_us: u32::try_from(now.since_us(held)).unwrap_or(u32::MAX),
            ..Heartbeat::default()
        })
    }

    /// True when the other end has been silent for too long.
    #[must_use]
    pub const fn is_idle(&self, now: Time) -> bool {
        now.since_us(self.last_heard) >= self.idle_timeout_ms * 1000
    }

    /// When to come back without an input.
    #[must_use]
    pub fn next_wake(&self) -> Time {
        self.next_beat.min(self.last_heard.plus_ms(self.idle_timeout_ms))
    }

    /// Round trip, jitter and offset.
    #[must_use]
    pub const fn clock(&self) -> &LinkClock {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hearts_measure_the_trip_and_the_offset() {
        // The other clock is 5 s ahead; each way takes 10 ms; the answer is held for 30 ms.
        let mut ours = Heart::new(Time(0), 5000);
        let mut theirs = Heart::new(Time(5_000_000), 5000);
        let beat = ours.beat(Time(1_000_000)).unwrap();
        theirs.on_heartbeat(Time(6_010_000), &beat);
        let answer = theirs.beat(Time(6_040_000)).unwrap();
        ours.on_heartbeat(Time(1_050_000), &answer);
        assert_eq!(ours.clock().rtt_us(), 20_000);
        assert_eq!(ours.clock().offset_us(), Some(5_000_000));
    }

    #[test]
    fn beats_come_at_their_interval_and_echo_once() {
        let mut heart = Heart::new(Time(0), 5000);
        heart.on_heartbeat(Time(0), &Heartbeat { sent_us: 77, ..Heartbeat::default() });
        assert_eq!(heart.beat(Time(0)).unwrap().echo_sent_us, 77);
        assert_eq!(heart.beat(Time(99_999)), None);
        assert_eq!(heart.beat(Time(100_000)).unwrap().echo_sent_us, 0);
    }

    #[test]
    fn silence_is_noticed_to_the_microsecond() {
        let mut heart = Heart::new(Time(0), 5);
        heart.heard(Time(1000));
        assert!(!heart.is_idle(Time(5999)));
        assert!(heart.is_idle(Time(6000)));
    }
}
