//! Panics on demand, for the tests that drive the panic boundary from C, C++ and C#. Compiled with the feature
//! `test-panics` alone, which no release has; not part of the header.

use crate::ffi::boundary::boundary;
use crate::ffi::handle;
use crate::ffi::runtime::{Runtime, theta_runtime};
use crate::ffi::session::theta_session;
use crate::ffi::side::Session;
use crate::ffi::status::{THETA_OK, theta_status};

/// Panics inside a session-serial call, in the middle of using the session.
///
/// Returns THETA_E_PANIC, the handle errors, THETA_E_CONCURRENT. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_test_panic_session(session: theta_session) -> theta_status {
    boundary!(theta_test_panic_session, {
        let mut session = Session::open(session.bits)?;
        let _in_use = session.parts();
        panic!("on purpose, in a call")
    })
}

/// Makes the runtime's thread panic outside of any session. The thread does so in its own time.
///
/// Returns THETA_OK, the handle errors. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_test_panic_runtime(runtime: theta_runtime) -> theta_status {
    boundary!(theta_test_panic_runtime, {
        handle::pin::<Runtime>(runtime.bits)?.inner.break_thread();
        Ok(THETA_OK)
    })
}
