//! Runtimes: the library's one thread and everything that lives on it. A process may have many.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use super::boundary::boundary;
use super::error::Error;
use super::handle::{self, Epoch, Kind, Noun};
use super::library::THETA_ABI_VERSION;
use super::sized::{self, sized};
use super::status::*;
use super::view::{Out, fixed_text};
use crate::runtime;

/// A runtime handle. Zero is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_runtime {
    /// Opaque.
    pub bits: u64,
}

/// How to start a runtime. Input; begins with its size. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_runtime_config {
    /// `sizeof(theta_runtime_config)`.
    pub struct_size: u32,
    /// THETA_ABI_VERSION of the header the program was built with.
    pub abi_version: u32,
    /// Zero.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}
sized!(theta_runtime_config: 16 reserved);

/// What a shutdown did. Output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_shutdown_report {
    /// `sizeof(theta_shutdown_report)`; after the call, the bytes written.
    pub struct_size: u32,
    /// Threads that have ended.
    pub threads_joined: u32,
    /// Threads that had not ended when the deadline came; `text` names them.
    pub threads_left: u32,
    /// Sessions that were open and are closed now.
    pub sessions_closed: u32,
    /// Handles that became invalid, the runtime's included.
    pub handles_invalidated: u32,
    /// Bytes of `text`.
    pub text_length: u32,
    /// Names of the threads that were left, UTF-8, zero-filled.
    pub text: [c_char; 128],
}
sized!(theta_shutdown_report: 152);

/// What a runtime handle names.
pub(crate) struct Runtime {
    pub(crate) inner: Arc<runtime::Runtime>,
}

// SAFETY: no other type has this kind.
unsafe impl Noun for Runtime {
    const KIND: Kind = Kind::Runtime;
}

/// Starts a runtime: one thread of the library, and nothing else. A process may have many (editor play modes, rooms of
/// a server); handles of different runtimes do not mix.
///
/// `config`: input of `config->struct_size` bytes, with THETA_ABI_VERSION. `out` receives the handle; end it with
/// `theta_runtime_shutdown` or `theta_runtime_detach`.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_ABI_MISMATCH (build against
/// the header that came with the library), THETA_E_LIMIT (65535 in the life of a process), THETA_E_IO. [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_runtime_create(
    config: *const theta_runtime_config,
    out: *mut theta_runtime,
) -> theta_status {
    boundary!(theta_runtime_create, {
        // SAFETY: the caller's promise about its pointers.
        let (config, out) = unsafe { (sized::input(config)?, Out::new(out, "out")?) };
        if config.abi_version != THETA_ABI_VERSION {
            return Err(Error::AbiMismatch { program: config.abi_version, library: THETA_ABI_VERSION });
        }
        if config.flags != 0 {
            return Err(Error::UnknownFlags { what: "theta_runtime_config.flags", bits: config.flags });
        }
        let inner = Arc::new(runtime::Runtime::start(runtime::RuntimeConfig::default())?);
        out.set(theta_runtime { bits: handle::insert(Epoch::begin()?, Runtime { inner })? });
        Ok(THETA_OK)
    })
}

/// Ends a runtime: closes its sessions, tells the other sides, joins its threads, and makes every handle of it answer
/// THETA_E_SHUT_DOWN from then on.
///
/// `deadline_ms`: how long to wait for the threads, at most 60000. `report` may be null; else an output of
/// `report->struct_size` bytes that says what was joined and what was not.
///
/// Returns THETA_OK, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle errors, THETA_E_SHUT_DOWN (already). [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_runtime_shutdown(
    runtime: theta_runtime,
    deadline_ms: u32,
    report: *mut theta_shutdown_report,
) -> theta_status {
    boundary!(theta_runtime_shutdown, {
        // SAFETY: the caller's promise about `report`.
        let report = unsafe { sized::optional_output(report) }?;
        if deadline_ms > MAX_DEADLINE_MS {
            let limit = MAX_DEADLINE_MS as u64;
            return Err(Error::Range { what: "deadline_ms", value: deadline_ms as u64, limit });
        }
        let inner = take(runtime)?;
        // Its own handle is gone already.
        let mut handles = 1;
        let deadline = Duration::from_millis(deadline_ms as u64);
        let found = inner.shutdown_after(deadline, || handles += Epoch::of(runtime.bits).end());
        if let Some(out) = report {
            let mut text = [0; 128];
            let text_length = fixed_text(&found.threads_left.join(", "), &mut text);
            out.set(theta_shutdown_report {
                struct_size: 0,
                threads_joined: found.threads_joined as u32,
                threads_left: found.threads_left.len() as u32,
                sessions_closed: found.sessions_closed as u32,
                handles_invalidated: handles,
                text_length,
                text,
            });
        }
        Ok(THETA_OK)
    })
}

/// Ends a runtime at once, for an editor's domain reload: handles answer THETA_E_SHUT_DOWN, the other sides are told as
/// far as that takes no waiting, and the thread ends by itself.
///
/// Returns THETA_OK, the handle errors, THETA_E_SHUT_DOWN (already). [any], never waits.
#[unsafe(no_mangle)]
pub extern "C" fn theta_runtime_detach(runtime: theta_runtime) -> theta_status {
    boundary!(theta_runtime_detach, {
        let inner = take(runtime)?;
        Epoch::of(runtime.bits).end();
        inner.detach();
        Ok(THETA_OK)
    })
}

/// Longest wait of a shutdown, in milliseconds.
const MAX_DEADLINE_MS: u32 = 60_000;

/// Takes the runtime's handle away from everybody else; its epoch is the caller's to end.
fn take(runtime: theta_runtime) -> Result<Arc<runtime::Runtime>, Error> {
    let inner = handle::pin::<Runtime>(runtime.bits)?.inner.clone();
    // Of two threads that shut one runtime down, the second finds no handle any more.
    handle::destroy::<Runtime>(runtime.bits)?;
    Ok(inner)
}
