//! The link conditioner: a bad network in front of a good one, so that a game can be tested on its developer's machine.
//!
//! For: deciding what happens to each packet (lost, or held back for a while) and holding it until then; the same seed
//! decides the same for the same sequence of packets. Never: looks into a packet, makes one arrive twice, holds more
//! than a bound. Called by the sockets of a transport; set by the runtime while they are in use.
//!
//! Reordering is what jitter does: a packet that is held for longer is overtaken by those sent after it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use theta_core::sim::rng::Rng;
use tokio::time::Instant;

/// Packets that one direction of a socket holds back at most; what comes on top is lost, as in a router's full queue.
const MAX_HELD_PACKETS: usize = 8192;
/// Their bytes at most.
const MAX_HELD_BYTES: usize = 8 << 20;
/// Longest latency, and widest jitter, in microseconds.
pub const MAX_CONDITION_US: u32 = 10_000_000;

/// The queue in front of a direction that lets through only so much: 64 KiB, as a home router has.
pub const NARROW_QUEUE_BYTES: u64 = 64 << 10;

/// What a network does to the packets of a socket, each way. The default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkConditions {
    /// Of a million packets in each direction, how many are lost, each by itself; at most 1 000 000, which is all.
    pub loss_ppm: u32,
    /// For how long a packet is held back in each direction, in microseconds, at most [`MAX_CONDITION_US`]; a round trip
    /// takes twice that.
    pub latency_us: u32,
    /// By how much that varies: evenly between `latency_us - jitter_us` (not below zero) and `latency_us + jitter_us`.
    /// At most [`MAX_CONDITION_US`].
    pub jitter_us: u32,
    /// What a direction lets through, in bytes per second; 0 = everything. What comes faster waits in a queue of
    /// [`NARROW_QUEUE_BYTES`], and what does not fit into that is lost.
    pub rate_bytes_per_s: u32,
    /// Decides which packets are lost and how long each takes.
    pub seed: u64,
}

impl LinkConditions {
    /// True when packets pass as they are.
    pub const fn is_none(&self) -> bool {
        self.loss_ppm == 0 && self.latency_us == 0 && self.jitter_us == 0 && self.rate_bytes_per_s == 0
    }
}

/// What a conditioner has done so far, all its sockets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConditionerCounters {
    /// Packets lost on purpose.
    pub lost: u64,
    /// Packets held back for their time.
    pub held: u64,
    /// Packets lost because a direction held all that it may.
    pub overflowed: u64,
}

#[derive(Debug, Default)]
struct Setting {
    conditions: LinkConditions,
    /// How often conditions were set before: new ones begin their sequence of decisions anew.
    generation: u64,
}

#[derive(Debug, Default)]
struct Inner {
    setting: ArcSwap<Setting>,
    is_active: AtomicBool,
    sockets: AtomicU64,
    lost: AtomicU64,
    held: AtomicU64,
    overflowed: AtomicU64,
}

/// The conditions of all sockets that were given a clone of this. They can be set anew at any time, from any thread.
#[derive(Clone, Debug, Default)]
pub struct LinkConditioner(Arc<Inner>);

impl LinkConditioner {
    /// Conditions for every packet from now on; what is held back already arrives when it was to. Values above their
    /// limits are taken as the limits.
    pub fn set(&self, conditions: LinkConditions) {
        let conditions = LinkConditions {
            loss_ppm: conditions.loss_ppm.min(1_000_000),
            latency_us: conditions.latency_us.min(MAX_CONDITION_US),
            jitter_us: conditions.jitter_us.min(MAX_CONDITION_US),
            rate_bytes_per_s: conditions.rate_bytes_per_s,
            seed: conditions.seed,
        };
        self.0.setting.rcu(|old| Setting { conditions, generation: old.generation + 1 });
        self.0.is_active.store(!conditions.is_none(), Ordering::Release);
    }

    /// What was set last.
    pub fn conditions(&self) -> LinkConditions {
        self.0.setting.load().conditions
    }

    /// What it has done.
    pub fn counters(&self) -> ConditionerCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConditionerCounters {
            lost: read(&self.0.lost),
            held: read(&self.0.held),
            overflowed: read(&self.0.overflowed),
        }
    }

    /// False while packets pass as they are.
    pub(super) fn is_active(&self) -> bool {
        self.0.is_active.load(Ordering::Acquire)
    }

    /// The two directions of one more socket: out and in.
    pub(super) fn socket<T>(&self) -> (DelayLine<T>, DelayLine<T>) {
        let number = self.0.sockets.fetch_add(1, Ordering::Relaxed);
        (DelayLine::new(self.clone(), 2 * number), DelayLine::new(self.clone(), 2 * number + 1))
    }
}

#[derive(Debug)]
struct Held<T> {
    due: Instant,
    /// Packets of the same moment leave in the order in which they came.
    order: u64,
    bytes: usize,
    item: T,
}

impl<T> Held<T> {
    fn key(&self) -> (Instant, u64) {
        (self.due, self.order)
    }
}

impl<T> PartialEq for Held<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Held<T> {}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Held<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// One direction of a socket: takes packets in and gives them out when they are due.
#[derive(Debug)]
pub(super) struct DelayLine<T> {
    conditioner: LinkConditioner,
    /// Distinguishes the decisions of this direction from those of all others under one seed.
    number: u64,
    generation: u64,
    rng: Rng,
    held: BinaryHeap<Reverse<Held<T>>>,
    held_bytes: usize,
    taken: u64,
    /// When the last packet will have passed the narrow place, if there is one.
    passed: Option<Instant>,
}

impl<T> DelayLine<T> {
    fn new(conditioner: LinkConditioner, number: u64) -> Self {
        Self {
            conditioner,
            number,
            generation: 0,
            rng: Rng::new(0),
            held: BinaryHeap::new(),
            held_bytes: 0,
            taken: 0,
            passed: None,
        }
    }

    /// Takes a packet of so many bytes, unless it is lost; only then is it made.
    pub(super) fn take(&mut self, now: Instant, bytes: usize, item: impl FnOnce() -> T) {
        let setting = self.conditioner.0.setting.load();
        let conditions = setting.conditions;
        if setting.generation != self.generation {
            self.generation = setting.generation;
            // The number goes through the generator, so that neighbours have nothing in common.
            self.rng = Rng::new(conditions.seed ^ Rng::new(self.number).next_u64());
        }
        drop(setting);
        // Two numbers for each packet, whatever becomes of it: so the loss of one does not change the others' times.
        let (is_lost, delay_us) =
            (self.rng.chance_ppm(conditions.loss_ppm), delay_us(conditions, &mut self.rng));
        let counters = &self.conditioner.0;
        if is_lost {
            counters.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.held.len() >= MAX_HELD_PACKETS || self.held_bytes + bytes > MAX_HELD_BYTES {
            counters.overflowed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(passed) = pass(&mut self.passed, now, bytes, conditions.rate_bytes_per_s) else {
            counters.overflowed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let due = passed + Duration::from_micros(delay_us);
        counters.held.fetch_add(u64::from(due > now), Ordering::Relaxed);
        self.put_back(due, bytes, item());
    }

    /// Holds a packet until then, whatever the conditions are.
    pub(super) fn put_back(&mut self, due: Instant, bytes: usize, item: T) {
        self.held_bytes += bytes;
        self.held.push(Reverse(Held { due, order: self.taken, bytes, item }));
        self.taken += 1;
    }

    /// The next packet whose time has come, with its size.
    pub(super) fn due(&mut self, now: Instant) -> Option<(usize, T)> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(held) = self.held.pop()?;
        self.held_bytes -= held.bytes;
        Some((held.bytes, held.item))
    }

    /// When the next packet is due; `None` when none is held.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.held.peek().map(|Reverse(held)| held.due)
    }
}

/// When a packet has passed the narrow place behind those before it; `None` if the queue in front of it is full.
fn pass(last: &mut Option<Instant>, now: Instant, bytes: usize, rate_bytes_per_s: u32) -> Option<Instant> {
    if rate_bytes_per_s == 0 {
        *last = None;
        return Some(now);
    }
    let took = |bytes: u64| Duration::from_nanos(bytes * 1_000_000_000 / u64::from(rate_bytes_per_s));
    let begins = last.map_or(now, |last| last.max(now));
    if begins - now > took(NARROW_QUEUE_BYTES) {
        return None;
    }
    let passed = begins + took(bytes as u64);
    *last = Some(passed);
    Some(passed)
}

/// How long one packet takes.
fn delay_us(conditions: LinkConditions, rng: &mut Rng) -> u64 {
    let (latency, jitter) = (u64::from(conditions.latency_us), u64::from(conditions.jitter_us));
    // Even on both sides of the latency, so that jitter does not change what a packet takes on average.
    (latency + rng.between(0, 2 * jitter)).saturating_sub(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: LinkConditions = LinkConditions {
        loss_ppm: 20_000,
        latency_us: 30_000,
        jitter_us: 10_000,
        rate_bytes_per_s: 0,
        seed: 7,
    };

    fn line(conditions: LinkConditions) -> (LinkConditioner, DelayLine<u32>) {
        let conditioner = LinkConditioner::default();
        conditioner.set(conditions);
        let (out, _) = conditioner.socket();
        (conditioner, out)
    }

    /// Sends packets a millisecond apart; gives which arrived and after how many microseconds.
    fn passed(line: &mut DelayLine<u32>, packets: u32) -> Vec<(u32, u64)> {
        let began = Instant::now();
        let sent = |n: u32| began + Duration::from_millis(u64::from(n));
        for n in 0..packets {
            line.take(sent(n), 100, || n);
        }
        let mut arrived = Vec::new();
        while let Some(due) = line.next_due() {
            assert_eq!(line.due(due - Duration::from_micros(1)), None, "not before its time");
            let (bytes, n) = line.due(due).expect("due");
            assert_eq!(bytes, 100);
            arrived.push((n, due.duration_since(sent(n)).as_micros() as u64));
        }
        assert_eq!(line.held_bytes, 0);
        arrived
    }

    #[test]
    fn loss_latency_and_jitter_are_what_was_asked_for() {
        let (conditioner, mut line) = line(BAD);
        let arrived = passed(&mut line, 8000);
        let lost = 8000 - arrived.len();
        assert!((120..=200).contains(&lost), "{lost} of 8000 lost at 2 %");
        let delays: Vec<_> = arrived.iter().map(|(_, delay_us)| *delay_us).collect();
        let average = delays.iter().sum::<u64>() / delays.len() as u64;
        assert!((29_700..=30_300).contains(&average), "{average} us on average");
        assert!(delays.iter().all(|delay| (20_000..=40_000).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 20_500) && delays.iter().any(|delay| *delay > 39_500));
        assert!(arrived.windows(2).any(|pair| pair[0].0 > pair[1].0), "jitter reorders");
        let counters = conditioner.counters();
        assert_eq!(
            (counters.lost, counters.held, counters.overflowed),
            (lost as u64, arrived.len() as u64, 0)
        );
    }

    #[test]
    fn one_seed_decides_the_same_and_another_something_else() {
        let with = |seed| passed(&mut line(LinkConditions { seed, ..BAD }).1, 500);
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
        let conditioner = LinkConditioner::default();
        conditioner.set(BAD);
        let (mut out, mut into) = conditioner.socket();
        assert_ne!(passed(&mut out, 500), passed(&mut into, 500), "directions are independent");
    }

    #[test]
    fn without_jitter_nothing_is_overtaken_and_without_conditions_nothing_waits() {
        let (_, mut steady) = line(LinkConditions { jitter_us: 0, loss_ppm: 0, ..BAD });
        let arrived = passed(&mut steady, 300);
        assert_eq!(arrived, (0..300).map(|n| (n, 30_000)).collect::<Vec<_>>());
        let (conditioner, mut line) = line(LinkConditions::default());
        assert!(!conditioner.is_active());
        let now = Instant::now();
        line.take(now, 1, || 3);
        assert_eq!(line.due(now), Some((1, 3)));
    }

    #[test]
    fn jitter_above_the_latency_never_delivers_before_sending() {
        let (_, mut line) =
            line(LinkConditions { latency_us: 1000, jitter_us: 4000, seed: 3, ..LinkConditions::default() });
        let arrived = passed(&mut line, 2000);
        assert!(arrived.iter().all(|(_, delay_us)| *delay_us <= 5000));
        assert!(arrived.iter().any(|(_, delay_us)| *delay_us == 0));
    }

    #[test]
    fn a_narrow_place_lets_through_so_much_and_queues_so_much() {
        let narrow = LinkConditions { rate_bytes_per_s: 100_000, ..LinkConditions::default() };
        let (conditioner, mut line) = line(narrow);
        // Three times what passes: 300 bytes a millisecond.
        let now = Instant::now();
        for n in 0..3000 {
            line.take(now + Duration::from_millis(u64::from(n)), 300, || n);
        }
        let mut arrived = Vec::new();
        while let Some(due) = line.next_due() {
            arrived.push((line.due(due).expect("due").1, due));
        }
        let seconds = arrived.last().expect("some arrive").1.duration_since(now).as_secs_f64();
        let rate = arrived.len() as f64 * 300.0 / seconds;
        assert!((99_000.0..=101_000.0).contains(&rate), "{rate} bytes per second");
        let longest =
            arrived.iter().map(|(n, due)| due.duration_since(now).as_millis() as u64 - u64::from(*n)).max();
        assert!((650..=665).contains(&longest.expect("some")), "the queue holds 655 ms: {longest:?}");
        assert_eq!(conditioner.counters().overflowed as usize, 3000 - arrived.len());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (conditioner, mut line) =
            line(LinkConditions { latency_us: 1_000_000, ..LinkConditions::default() });
        let now = Instant::now();
        for n in 0..MAX_HELD_PACKETS as u32 + 5 {
            line.take(now, 10, || n);
        }
        assert_eq!(conditioner.counters().overflowed, 5);
        let mut large = conditioner.socket::<u32>().0;
        for n in 0..3 {
            large.take(now, MAX_HELD_BYTES / 2, || n);
        }
        assert_eq!(conditioner.counters().overflowed, 6);
    }

    #[test]
    fn conditions_are_cut_to_their_limits_and_can_change() {
        let (conditioner, mut line) = line(LinkConditions { loss_ppm: 2_000_000, ..BAD });
        assert_eq!(conditioner.conditions().loss_ppm, 1_000_000);
        assert_eq!(passed(&mut line, 50), []);
        let far = LinkConditions { latency_us: u32::MAX, jitter_us: u32::MAX, ..LinkConditions::default() };
        conditioner.set(far);
        assert_eq!(conditioner.conditions().latency_us, MAX_CONDITION_US);
        conditioner.set(LinkConditions::default());
        assert!(!conditioner.is_active());
        assert_eq!(passed(&mut line, 50).len(), 50);
    }
}
