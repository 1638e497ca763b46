//! Calls that do next to nothing: what a handle, a lock on a session and the panic boundary cost.

use std::hint::black_box;
use std::panic::catch_unwind;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use theta_sdk::ffi::event::theta_event;
use theta_sdk::ffi::frame::theta_frame;
use theta_sdk::ffi::session::theta_session_info;
use theta_sdk::ffi::time::theta_now_ns;

use super::pair::{CPair, info, zeroed_with_size};
use super::pointers::Pointers;
use crate::contest::Contest;
use crate::report::Report;
use crate::settings::Settings;

/// What any call costs.
extern "C" fn empty(value: u64) -> u64 {
    value
}

/// A handle table as many libraries have one: a lock, a slot, a counted reference, a panic boundary.
struct Typical(RwLock<Vec<Option<Slot>>>);

/// Generation and object.
type Slot = (u32, Arc<u64>);

impl Typical {
    fn read(&self, handle: u64) -> Option<u64> {
        let outcome = catch_unwind(std::panic::AssertUnwindSafe(|| {
            let slots = self.0.read().ok()?;
            let (generation, object) = slots.get(handle as u32 as usize)?.as_ref()?;
            let object = (*generation == (handle >> 32) as u32).then(|| Arc::clone(object));
            drop(slots);
            object.map(|object| *object)
        }));
        outcome.ok().flatten()
    }
}

/// Runs it.
pub fn run(pair: &CPair, settings: &Settings, report: &mut Report) {
    let (host, joined) = (pair.host, pair.joined);
    let typical = Typical(RwLock::new((0..64).map(|at| Some((7, Arc::new(at)))).collect()));
    let nothing = black_box(empty as extern "C" fn(u64) -> u64);
    let c = Pointers::new();
    let (mut tick, mut ticks, mut count) = (0.0, 0, 0);
    let mut place = info(joined);
    let mut events = [theta_event::default(); 16];
    let at_ns = theta_now_ns();
    let results = Contest::new()
        .limit("an empty extern \"C\" call", 0, || nothing(black_box(7)))
        .peer("a handle by RwLock, Arc and catch_unwind", 0, || typical.read(black_box(7 << 32 | 5)))
        .peer("Instant::now in Rust", 0, Instant::now)
        .ours("theta_abi_version", 0, || (c.abi_version)())
        .ours("theta_now_ns", 0, || (c.now_ns)())
        .ours("theta_session_render_tick: any-thread read", 0, || {
            // SAFETY: a live place for the result, here and below.
            unsafe { (c.render_tick)(black_box(joined), at_ns, &raw mut tick) }
        })
        .ours("theta_session_ticks_due: session-serial call", 0, || {
            // SAFETY: as above.
            unsafe { (c.ticks_due)(black_box(host), at_ns, 8, &raw mut ticks) }
        })
        .ours("theta_session_poll: nothing there", 0, || {
            let size = size_of::<theta_event>() as u32;
            // SAFETY: 16 events and a place for their number.
            unsafe { (c.poll)(black_box(joined), events.as_mut_ptr(), size, 16, &raw mut count) }
        })
        .ours("theta_session_info_get: 136 B", size_of_val(&place), || {
            place = zeroed_with_size!(theta_session_info);
            // SAFETY: a live place of the stated size.
            unsafe { (c.info_get)(black_box(joined), &raw mut place) }
        })
        .ours("theta_frame_release of no frame: an error with its sentence", 0, || {
            (c.frame_release)(black_box(theta_frame { bits: 0 }))
        })
        .run(settings);
    report.contest("Small calls through the C functions", &results);
}
