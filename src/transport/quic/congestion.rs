//! How much of one connection may be under way: Cubic, with a floor that only congestion takes away.
//!
//! Cubic reads every lost packet as a full queue and answers by sending less. A session's state is small, comes every
//! tick and is worthless later, and a wireless network loses packets without being full: at 2 % loss and 60 ms of round
//! trip Cubic leaves room for ten packets, which is less than a tick a tick. So a floor stands under its window. What
//! does speak of a full network lowers it, by half at a time and down to nothing: much loss, a round trip that has grown
//! long, a mark by a router. Bulk streams share the window and yield to datagrams inside it.
//!
//! For: [`Controller`]s for quinn. Never: looks at lanes; a lane's share is the queues' business.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// Where the floor begins: 64 KiB a round trip, which at 60 ms is nine packets a tick.
const FLOOR_AT_FIRST_BYTES: u64 = 64 << 10;
/// Where it ends.
const FLOOR_LIMIT_BYTES: u64 = 256 << 10;
/// By how much it rises after a quiet interval.
const FLOOR_STEP_BYTES: u64 = 16 << 10;
/// Loss below which an interval is quiet, and above which the network is full, in percent: radio
/// loses the former, and under wide jitter packets that are only late count as lost until they come.
const QUIET_LOSS_PERCENT: u64 = 5;
const FULL_LOSS_PERCENT: u64 = 15;
/// A round trip that is longer by this much than the shortest one waits in a queue.
const STANDING_QUEUE: Duration = Duration::from_millis(100);
/// What is judged at once: long and large enough that a share of loss means something.
const INTERVAL: Duration = Duration::from_millis(500);
const INTERVAL_BYTES: u64 = 16 << 10;
/// As few packets as Cubic itself never goes below.
const LEAST_PACKETS: u64 = 2;

/// Makes the controllers of all connections of an end point.
#[derive(Debug)]
pub(super) struct FlooredConfig;

impl ControllerFactory for FlooredConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let cubic = Arc::new(CubicConfig::default()).build(now, current_mtu);
        Box::new(Floored { cubic, floor: Floor::new(now, current_mtu) })
    }
}

struct Floored {
    cubic: Box<dyn Controller>,
    floor: Floor,
}

impl Controller for Floored {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
        self.floor.acknowledged(now, bytes, rtt.get().saturating_sub(rtt.min()));
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_acked: Option<u64>) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent: bool, lost_bytes: u64) {
        self.cubic.on_congestion_event(now, sent, is_persistent, lost_bytes);
        self.floor.lost(lost_bytes, is_persistent);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
        self.floor.mtu_bytes = new_mtu.into();
    }

    fn window(&self) -> u64 {
        self.cubic.window().max(self.floor.bytes)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self { cubic: self.cubic.clone_box(), floor: self.floor.clone() })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window().max(FLOOR_AT_FIRST_BYTES)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Bytes that may be under way whatever Cubic says.
#[derive(Clone, Debug)]
struct Floor {
    bytes: u64,
    mtu_bytes: u64,
    /// Since when it is judged anew, and what was seen since.
    since: Instant,
    acknowledged_bytes: u64,
    lost_bytes: u64,
    is_full: bool,
}

impl Floor {
    fn new(now: Instant, mtu: u16) -> Self {
        Self {
            bytes: FLOOR_AT_FIRST_BYTES,
            mtu_bytes: mtu.into(),
            since: now,
            acknowledged_bytes: 0,
            lost_bytes: 0,
            is_full: false,
        }
    }

    /// A packet arrived. `waited`: by how much the round trip is longer than the shortest one.
    fn acknowledged(&mut self, now: Instant, bytes: u64, waited: Duration) {
        self.acknowledged_bytes += bytes;
        self.is_full |= waited > STANDING_QUEUE;
        let seen_bytes = self.acknowledged_bytes + self.lost_bytes;
        if now.saturating_duration_since(self.since) < INTERVAL || seen_bytes < INTERVAL_BYTES {
            return;
        }
        let lost_percent = self.lost_bytes * 100 / seen_bytes;
        if self.is_full || lost_percent > FULL_LOSS_PERCENT {
            self.bytes = (self.bytes / 2).max(self.least_bytes());
        } else if lost_percent <= QUIET_LOSS_PERCENT {
            self.bytes = (self.bytes + FLOOR_STEP_BYTES).min(FLOOR_LIMIT_BYTES);
        }
        *self = Self { since: now, acknowledged_bytes: 0, lost_bytes: 0, is_full: false, ..*self };
    }

    /// Packets were lost, or, with no bytes, marked by a router. `is_persistent`: nothing at all arrived for long.
    fn lost(&mut self, bytes: u64, is_persistent: bool) {
        self.lost_bytes += bytes;
        self.is_full |= bytes == 0;
        if is_persistent {
            self.bytes = self.least_bytes();
        }
    }

    const fn least_bytes(&self) -> u64 {
        LEAST_PACKETS * self.mtu_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET_BYTES: u64 = 1200;

    /// Four packets a tick for so many seconds; of a hundred packets `lost_of_100` are lost, evenly.
    fn run(controller: &mut Floored, now: &mut Instant, seconds: u64, lost_of_100: u64, waited: Duration) {
        let mut owed = 0;
        for _ in 0..seconds * 360 {
            let sent = *now;
            *now += Duration::from_micros(2778);
            owed += lost_of_100;
            if owed >= 100 {
                owed -= 100;
                controller.on_congestion_event(*now, sent, false, PACKET_BYTES);
            } else {
                controller.floor.acknowledged(*now, PACKET_BYTES, waited);
            }
        }
    }

    fn controller(now: Instant) -> Floored {
        let cubic = Arc::new(CubicConfig::default()).build(now, PACKET_BYTES as u16);
        Floored { cubic, floor: Floor::new(now, PACKET_BYTES as u16) }
    }

    #[test]
    fn what_radio_loses_leaves_room_for_every_tick() {
        let mut now = Instant::now();
        let mut controller = controller(now);
        run(&mut controller, &mut now, 10, 3, Duration::from_millis(30));
        assert_eq!(controller.window(), FLOOR_LIMIT_BYTES);
        assert!(controller.cubic.window() < 10 * PACKET_BYTES, "Cubic alone would not");
        run(&mut controller, &mut now, 10, 8, Duration::ZERO);
        assert_eq!(controller.window(), FLOOR_LIMIT_BYTES, "more loss holds it where it is");
    }

    #[test]
    fn a_full_network_leaves_cubic_alone_and_an_emptier_one_brings_the_floor_back() {
        for (lost_of_100, waited) in [(30, Duration::ZERO), (0, Duration::from_millis(150))] {
            let mut now = Instant::now();
            let mut controller = controller(now);
            run(&mut controller, &mut now, 5, 1, Duration::ZERO);
            run(&mut controller, &mut now, 5, lost_of_100, waited);
            assert_eq!(controller.floor.bytes, 2 * PACKET_BYTES);
            assert_eq!(controller.window(), controller.cubic.window().max(2 * PACKET_BYTES));
            run(&mut controller, &mut now, 3, 0, Duration::ZERO);
            assert!(controller.floor.bytes > FLOOR_AT_FIRST_BYTES);
        }
    }

    #[test]
    fn a_mark_halves_it_once_an_interval_and_silence_takes_it_at_once() {
        let mut now = Instant::now();
        let mut controller = controller(now);
        for _ in 0..5 {
            controller.on_congestion_event(now, now, false, 0);
        }
        run(&mut controller, &mut now, 1, 0, Duration::ZERO);
        assert_eq!(controller.floor.bytes, FLOOR_AT_FIRST_BYTES / 2 + FLOOR_STEP_BYTES);
        controller.on_congestion_event(now, now, true, PACKET_BYTES);
        assert_eq!(controller.floor.bytes, 2 * PACKET_BYTES);
    }

    #[test]
    fn few_packets_prove_nothing() {
        let mut now = Instant::now();
        let mut floor = Floor::new(now, PACKET_BYTES as u16);
        floor.lost(3 * PACKET_BYTES, false);
        now += Duration::from_secs(2);
        floor.acknowledged(now, PACKET_BYTES, Duration::ZERO);
        assert_eq!(floor.bytes, FLOOR_AT_FIRST_BYTES);
    }
}
