//! Thread CPU time: what a benchmark measures on a machine that others use as well.
//!
//! Wall time would count the time in which another program had the core. On systems without a thread clock (all but
//! Linux here) the wall clock stands in, and [`NAME`] says so in every report.

/// Which clock [`ThreadClock`] reads.
#[cfg(target_os = "linux")]
pub const NAME: &str = "thread CPU time";
/// Which clock [`ThreadClock`] reads.
#[cfg(not(target_os = "linux"))]
pub const NAME: &str = "wall time (no thread CPU clock on this system)";

/// The CPU clock of one thread, readable from any other.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(libc::clockid_t);

#[cfg(target_os = "linux")]
impl ThreadClock {
    /// The clock of the calling thread. Reads zero once that thread has ended.
    pub fn of_this_thread() -> Self {
        let mut clock = libc::CLOCK_THREAD_CPUTIME_ID;
        // SAFETY: the thread is the calling one and `clock` is a place for one id.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) } != 0;
        Self(if failed { libc::CLOCK_THREAD_CPUTIME_ID } else { clock })
    }

    /// The clock of this process's thread of this name; of the one that was started last, where there are several.
    pub fn named(name: &str) -> Option<Self> {
        let is_named = |thread: &u32| {
            let told = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
            told.is_ok_and(|told| told.trim_end() == name)
        };
        let threads = std::fs::read_dir("/proc/self/task").ok()?.flatten();
        let numbers = threads.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let thread: u32 = numbers.filter(is_named).max()?;
        // As the C library makes it of a thread: the number's complement, and "of one thread, scheduled time".
        Some(Self((!(thread as libc::clockid_t) << 3) | 6))
    }

    /// CPU nanoseconds its thread has used.
    pub fn now_ns(self) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a place for one value; an id of a thread that is gone gives an error and leaves zero.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

/// CPU nanoseconds of the calling thread.
#[cfg(target_os = "linux")]
pub fn thread_cpu_ns() -> u64 {
    // The constant names whoever asks, and needs no look-up by thread.
    ThreadClock(libc::CLOCK_THREAD_CPUTIME_ID).now_ns()
}

/// Stands in for a thread's clock.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(std::time::Instant);

#[cfg(not(target_os = "linux"))]
impl ThreadClock {
    /// There is none on this system.
    pub fn named(_name: &str) -> Option<Self> {
        None
    }

    /// Begins at zero.
    pub fn of_this_thread() -> Self {
        Self(std::time::Instant::now())
    }

    /// Nanoseconds since it was made.
    pub fn now_ns(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Nanoseconds of the process's monotonic clock.
#[cfg(not(target_os = "linux"))]
pub fn thread_cpu_ns() -> u64 {
    theta_sdk::runtime::now_ns()
}

/// What reading the clock itself costs, in nanoseconds: phases shorter than some of these say little.
pub fn cost_ns() -> f64 {
    const READS: u32 = 10_000;
    let began = thread_cpu_ns();
    for _ in 0..READS {
        std::hint::black_box(thread_cpu_ns());
    }
    (thread_cpu_ns() - began) as f64 / f64::from(READS)
}
