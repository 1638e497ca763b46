//! Which core a thread runs on. Two threads that talk to each other are an order of magnitude apart in latency when
//! they share a core and when each has its own, and the scheduler changes its mind in the middle of a measurement.

/// Keeps the calling thread on one core: 0 is the first, [`LAST`] the last. Where that cannot be done (one core, or a
/// system other than Linux) nothing changes.
#[cfg(target_os = "linux")]
pub fn pin(core: usize) {
    // Not `available_parallelism`: that counts what the calling thread was left with, which may be one core already.
    // SAFETY: a question about the system.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    let cores = usize::try_from(online).unwrap_or(1);
    if cores < 2 {
        return;
    }
    // SAFETY: a set of bits of which all patterns are valid; zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core's number is below the set's size, and the set is as large as is said.
    unsafe {
        libc::CPU_SET(core.min(cores - 1), &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Nothing changes on this system.
#[cfg(not(target_os = "linux"))]
pub fn pin(_core: usize) {}

/// The last core there is.
pub const LAST: usize = usize::MAX;
