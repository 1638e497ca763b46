//! The C functions as pointers that the compiler cannot see through: a program has them from the dynamic linker, and
//! nothing of a call may be inlined into its caller.

use std::ffi::c_void;
use std::hint::black_box;

use theta_sdk::ffi::event::{theta_event, theta_session_poll};
use theta_sdk::ffi::frame::{
    theta_entity_row, theta_frame, theta_frame_acquire, theta_frame_entities, theta_frame_read,
    theta_frame_release,
};
use theta_sdk::ffi::library::theta_abi_version;
use theta_sdk::ffi::sample::theta_session_sample;
use theta_sdk::ffi::session::{theta_session, theta_session_info, theta_session_info_get};
use theta_sdk::ffi::time::{theta_now_ns, theta_session_render_tick, theta_session_ticks_due};
use theta_sdk::ffi::write::{
    theta_write, theta_write_begin, theta_write_commit, theta_write_report, theta_write_rows,
};

type Status = i32;

/// As the header declares them.
pub type Rows = unsafe extern "C" fn(
    theta_write,
    u64,
    u32,
    *const u64,
    u32,
    *const c_void,
    u64,
    *mut theta_write_report,
) -> Status;
/// As the header declares it.
pub type Read = unsafe extern "C" fn(theta_frame, u64, u32, u32, *mut c_void, u64, u32, *mut u32) -> Status;
/// As the header declares it.
pub type Entities =
    unsafe extern "C" fn(theta_frame, u64, *mut theta_entity_row, u32, u32, *mut u32) -> Status;
/// As the header declares it.
pub type Sample =
    unsafe extern "C" fn(theta_session, u64, u32, *const u64, u32, f64, *mut c_void, u64, *mut u8) -> Status;
/// As the header declares it.
pub type Poll = unsafe extern "C" fn(theta_session, *mut theta_event, u32, u32, *mut u32) -> Status;
/// As the header declares it.
pub type Begin = unsafe extern "C" fn(theta_session, *mut theta_write) -> Status;
/// As the header declares it.
pub type Acquire = unsafe extern "C" fn(theta_session, u32, *mut theta_frame) -> Status;
/// As the header declares it.
pub type Render = unsafe extern "C" fn(theta_session, u64, *mut f64) -> Status;
/// As the header declares it.
pub type Due = unsafe extern "C" fn(theta_session, u64, u32, *mut u32) -> Status;
/// As the header declares it.
pub type Info = unsafe extern "C" fn(theta_session, *mut theta_session_info) -> Status;

/// One pointer for each function that is measured.
#[derive(Clone, Copy)]
pub struct Pointers {
    pub abi_version: extern "C" fn() -> u32,
    pub now_ns: extern "C" fn() -> u64,
    pub render_tick: Render,
    pub ticks_due: Due,
    pub poll: Poll,
    pub info_get: Info,
    pub write_begin: Begin,
    pub write_rows: Rows,
    pub write_commit: extern "C" fn(theta_write) -> Status,
    pub frame_acquire: Acquire,
    pub frame_release: extern "C" fn(theta_frame) -> Status,
    pub frame_read: Read,
    pub frame_entities: Entities,
    pub sample: Sample,
}

impl Pointers {
    /// All of them.
    pub fn new() -> Self {
        black_box(Self {
            abi_version: theta_abi_version,
            now_ns: theta_now_ns,
            render_tick: theta_session_render_tick,
            ticks_due: theta_session_ticks_due,
            poll: theta_session_poll,
            info_get: theta_session_info_get,
            write_begin: theta_write_begin,
            write_rows: theta_write_rows,
            write_commit: theta_write_commit,
            frame_acquire: theta_frame_acquire,
            frame_release: theta_frame_release,
            frame_read: theta_frame_read,
            frame_entities: theta_frame_entities,
            sample: theta_session_sample,
        })
    }
}
