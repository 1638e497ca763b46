//! Small operations against each other: ours, a peer, a limit, on the same work in the same run.
//!
//! Method: each entry is calibrated until one sample takes long enough for the clock, and warmed up on the way. Then
//! rounds: in each, every entry runs one sample, so that a disturbance of the machine meets all of them. Reported are
//! the median and the 99th percentile of the samples' means, in thread CPU time, and allocations per operation.

use std::hint::black_box;

use crate::allocation;
use crate::clock::thread_cpu_ns;
use crate::settings::Settings;

/// What an entry is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// This project's.
    Ours,
    /// Another way to do the same.
    Peer,
    /// What cannot be beaten: a copy, an empty call.
    Limit,
}

impl Part {
    /// For a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
            Self::Limit => "limit",
        }
    }
}

struct Entry<'a> {
    name: String,
    part: Part,
    bytes: usize,
    run: Box<dyn FnMut(u64) + 'a>,
}

/// One entry's result.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What it was.
    pub name: String,
    /// Whose.
    pub part: Part,
    /// Bytes that one operation handles; zero where that says nothing.
    pub bytes: usize,
    /// Median of the samples' means.
    pub median_ns: f64,
    /// 99th percentile of them.
    pub p99_ns: f64,
    /// Allocations of one operation.
    pub allocations: f64,
}

impl Measured {
    /// Millions of bytes per second at the median.
    pub fn megabytes_per_s(&self) -> f64 {
        self.bytes as f64 * 1000.0 / self.median_ns
    }
}

/// Operations on the same work.
#[derive(Default)]
pub struct Contest<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Contest<'a> {
    /// Nobody yet.
    pub fn new() -> Self {
        Self { entries: Vec::new() }
    }

    fn enter<R>(
        mut self,
        part: Part,
        name: impl Into<String>,
        bytes: usize,
        mut operation: impl FnMut() -> R + 'a,
    ) -> Self {
        // The loop is inside, so that the indirect call is paid once per sample.
        let run = Box::new(move |times: u64| {
            for _ in 0..times {
                black_box(operation());
            }
        });
        self.entries.push(Entry { name: name.into(), part, bytes, run });
        self
    }

    /// One of ours; `bytes` is what one operation handles, or zero.
    pub fn ours<R>(self, name: impl Into<String>, bytes: usize, operation: impl FnMut() -> R + 'a) -> Self {
        self.enter(Part::Ours, name, bytes, operation)
    }

    /// Another way to do the same.
    pub fn peer<R>(self, name: impl Into<String>, bytes: usize, operation: impl FnMut() -> R + 'a) -> Self {
        self.enter(Part::Peer, name, bytes, operation)
    }

    /// What cannot be beaten.
    pub fn limit<R>(self, name: impl Into<String>, bytes: usize, operation: impl FnMut() -> R + 'a) -> Self {
        self.enter(Part::Limit, name, bytes, operation)
    }

    /// Runs it.
    pub fn run(mut self, settings: &Settings) -> Vec<Measured> {
        let times: Vec<u64> =
            self.entries.iter_mut().map(|entry| calibrate(entry, settings.sample_ns)).collect();
        // Room for all of them beforehand: the harness must not allocate between two readings.
        let mut samples: Vec<Vec<f64>> = times.iter().map(|_| Vec::with_capacity(settings.rounds)).collect();
        let mut allocations = vec![0; self.entries.len()];
        for _ in 0..settings.rounds {
            for (at, entry) in self.entries.iter_mut().enumerate() {
                let (allocated, began) = (allocation::count(), thread_cpu_ns());
                (entry.run)(times[at]);
                let took = thread_cpu_ns() - began;
                allocations[at] += allocation::count() - allocated;
                samples[at].push(took as f64 / times[at] as f64);
            }
        }
        let results = self.entries.iter().zip(samples).zip(allocations).zip(times);
        results
            .map(|(((entry, mut samples), allocations), times)| Measured {
                name: entry.name.clone(),
                part: entry.part,
                bytes: entry.bytes,
                median_ns: percentile(&mut samples, 50.0),
                p99_ns: percentile(&mut samples, 99.0),
                allocations: allocations as f64 / (times as f64 * settings.rounds as f64),
            })
            .collect()
    }
}

/// How many operations make a sample of at least `sample_ns`.
fn calibrate(entry: &mut Entry<'_>, sample_ns: u64) -> u64 {
    let mut times = 1;
    loop {
        let began = thread_cpu_ns();
        (entry.run)(times);
        let took = (thread_cpu_ns() - began).max(1);
        if took >= sample_ns {
            return times;
        }
        times = (times * 2).max(times * sample_ns / took / 2);
    }
}

/// The nearest-rank percentile; sorts. Zero of nothing.
pub fn percentile(samples: &mut [f64], percent: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * samples.len() as f64).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// The median; sorts.
pub fn median(samples: &mut [f64]) -> f64 {
    percentile(samples, 50.0)
}
