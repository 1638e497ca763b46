//! Events: entities that come and go at the peer, taken one batch after the other.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Mutex;

use theta_sdk::ffi::event::theta_event;
use theta_sdk::ffi::status::THETA_NOTHING_NEW;

use super::pair::{CPair, RustPair};
use super::pointers::Pointers;
use crate::allocation;
use crate::clock::thread_cpu_ns;
use crate::contest::{Measured, Part, percentile};
use crate::report::Report;
use crate::settings::Settings;

/// Entities that come in one tick, and go in another.
const CHURN: usize = 500;

struct Samples {
    name: &'static str,
    part: Part,
    ns: Vec<f64>,
    events: u64,
    allocations: u64,
}

impl Samples {
    fn new(name: &'static str, part: Part) -> Self {
        Self { name, part, ns: Vec::with_capacity(256), events: 0, allocations: 0 }
    }

    /// Measures one drain, which gives the number of its events.
    fn add(&mut self, drain: impl FnOnce() -> usize) {
        let (allocations, began) = (allocation::count(), thread_cpu_ns());
        let events = drain();
        let took = thread_cpu_ns() - began;
        self.allocations += allocation::count() - allocations;
        self.events += events as u64;
        if events > 0 {
            self.ns.push(took as f64 / events as f64);
        }
    }

    fn result(mut self) -> Measured {
        Measured {
            name: self.name.to_owned(),
            part: self.part,
            bytes: size_of::<theta_event>(),
            median_ns: percentile(&mut self.ns, 50.0),
            p99_ns: percentile(&mut self.ns, 99.0),
            allocations: self.allocations as f64 / self.events.max(1) as f64,
        }
    }
}

/// Runs it.
pub fn run(c: &mut CPair, rust: &mut RustPair, settings: &Settings, report: &mut Report) {
    let rounds: usize = settings.either(100, 10);
    let mut typical = Samples::new("a Mutex around a queue, one event at a time", Part::Peer);
    let mut direct = Samples::new("JoinSession::poll in Rust, one event at a time", Part::Peer);
    let mut ours = Samples::new("theta_session_poll, 64 events at a time", Part::Ours);
    let mut one_by_one = Samples::new("theta_session_poll, one event at a time", Part::Ours);
    let queue = Mutex::new(VecDeque::<theta_event>::with_capacity(CHURN));
    let poll = Pointers::new().poll;
    let mut events = [theta_event::default(); 64];
    c.drain();
    rust.drain();
    for round in 0..rounds {
        let (mut new, mut new_in_rust) = (Vec::new(), Vec::new());
        for _ in 0..CHURN {
            new.push(c.spawn());
            new_in_rust.push(rust.spawn());
        }
        for is_coming in [true, false] {
            if !is_coming {
                for entity in &new {
                    c.despawn(*entity);
                }
                for entity in &new_in_rust {
                    rust.host.world_mut().despawn(*entity).expect("it lives");
                }
            }
            let tick = c.tick();
            c.wait_for(tick);
            let rust_tick = rust.host.tick().expect("ticks").0;
            rust.wait_for(rust_tick);
            // The frame is published a little before its events are in the ring.
            std::thread::sleep(std::time::Duration::from_millis(2));
            queue.lock().expect("nobody panics").extend((0..CHURN).map(|_| theta_event::default()));
            typical.add(|| {
                let pop = || queue.lock().ok()?.pop_front();
                std::iter::from_fn(pop).map(black_box).count()
            });
            direct.add(|| std::iter::from_fn(|| rust.joined.poll()).map(black_box).count());
            let (capacity, samples) = if round % 2 == 0 { (64, &mut ours) } else { (1, &mut one_by_one) };
            let (joined, size) = (c.joined, size_of::<theta_event>() as u32);
            samples.add(|| {
                let (mut total, mut count) = (0, 0u32);
                // SAFETY: `capacity` events, at most as many as there are, and a place for their number.
                while unsafe { poll(joined, events.as_mut_ptr(), size, capacity, &raw mut count) }
                    != THETA_NOTHING_NEW
                {
                    total += count as usize;
                }
                total
            });
        }
        c.drain();
        rust.drain();
    }
    assert!(ours.events > 0 && one_by_one.events > 0 && direct.events > 0, "events came");
    let results: Vec<Measured> = [typical, direct, ours, one_by_one].map(Samples::result).into();
    report.contest("Poll an event (64 B; 500 entities come or go; per event)", &results);
}
