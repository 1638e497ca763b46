//! Time: from the engine's frames to the session's ticks and back.

use super::boundary::boundary;
use super::error::Error;
use super::handle;
use super::session::theta_session;
use super::side::Session;
use super::status::*;
use super::view::Out;

/// Most ticks that one call may grant.
const MAX_CAP: u32 = 64;

/// The clock of this process: monotonic, in nanoseconds since an arbitrary moment. Events, frames and
/// `theta_session_render_tick` are on it. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_now_ns() -> u64 {
    crate::runtime::now_ns()
}

/// How many ticks the simulation has to run in this display frame, so that a session of one rate serves a display of
/// another. The ticks count as run. What goes beyond `cap` (after a stall) is dropped: time does not run after itself.
///
/// `now_ns`: a time of `theta_now_ns`, not before that of the last call. `cap`: 1 to 64. `due` receives the number.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_ticks_due(
    session: theta_session,
    now_ns: u64,
    cap: u32,
    due: *mut u32,
) -> theta_status {
    boundary!(theta_session_ticks_due, {
        // SAFETY: the caller's promise about `due`.
        let due = unsafe { Out::new(due, "due") }?;
        let mut session = Session::open(session.bits)?;
        if cap == 0 || cap > MAX_CAP {
            return Err(Error::Argument { what: format!("cap is {cap}, it is 1 to {MAX_CAP}") });
        }
        due.set(session.parts().1.ticks_due(now_ns, cap));
        Ok(THETA_OK)
    })
}

/// Seals what was written since the last tick and sends it to every peer. Codecs encode what was written in here, and
/// decode what changed.
///
/// `session`: a host's. `tick` receives the number of the sealed tick, from 1.
///
/// Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_DISCONNECTED
/// (the session was closed), THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_tick(session: theta_session, tick: *mut u32) -> theta_status {
    boundary!(theta_session_tick, {
        // SAFETY: the caller's promise about `tick`.
        let out = unsafe { Out::new(tick, "tick") }?;
        let mut session = Session::open(session.bits)?;
        let (noun, state) = session.parts();
        out.set(state.tick(&noun.shared)?.0);
        Ok(THETA_OK)
    })
}

/// The moment of the session to show at a display time, as a tick and a fraction: the host's clock, as far as it is
/// known here, minus the interpolation delay. It never runs backwards by more than the clock is corrected.
///
/// `session`: a joined one. `display_time_ns`: when the frame will be seen, on the clock of `theta_now_ns`. `tick`
/// receives the moment; 0 until the two clocks know each other, in the first tenths of a second of a session.
///
/// Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_WRONG_ROLE, THETA_E_PANIC. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_render_tick(
    session: theta_session,
    display_time_ns: u64,
    tick: *mut f64,
) -> theta_status {
    boundary!(theta_session_render_tick, {
        // SAFETY: the caller's promise about `tick`.
        let tick = unsafe { Out::new(tick, "tick") }?;
        let session = handle::pin::<Session>(session.bits)?;
        tick.set(session.sampler()?.render_tick(display_time_ns));
        Ok(THETA_OK)
    })
}
