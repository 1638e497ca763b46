//! What a runtime leaves behind when it ends: nothing. A file of its own with one test, so that no other test's threads and
//! sockets are counted.

mod common;

use std::time::Duration;

use common::sessions::*;
use theta_sdk::ffi::library::THETA_ABI_VERSION;
use theta_sdk::ffi::registry::{
    theta_registry, theta_registry_create, theta_registry_destroy, theta_registry_schema_hash,
};
use theta_sdk::ffi::runtime::{
    theta_runtime, theta_runtime_config, theta_runtime_create, theta_runtime_detach, theta_runtime_shutdown,
    theta_shutdown_report,
};
use theta_sdk::ffi::session::{
    THETA_HOST_DEV_MODE, theta_host_config, theta_join_config, theta_session, theta_session_destroy,
    theta_session_host, theta_session_info, theta_session_info_get, theta_session_join, theta_session_leave,
};
use theta_sdk::ffi::status::{THETA_E_HANDLE_ZERO, THETA_E_SHUT_DOWN, THETA_OK};
use theta_sdk::ffi::ticket::theta_session_ticket;
use theta_sdk::runtime::{HostOptions, JoinOptions};

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("a Linux process").count()
}

/// Rust sessions that play a little; with `clean` they end before their runtimes do.
fn play(in_memory: bool, clean: bool) {
    let (here, there) = (runtime(), runtime());
    let options = HostOptions { dev_mode: true, in_memory, ..HostOptions::default() };
    let mut host = here.host(schema(), options).expect("a host");
    host.tick().expect("ticks");
    let bodies = spawn_bodies(&mut host, 20);
    let join = |n| {
        let options = JoinOptions { door: host.door().cloned(), ..JoinOptions::new(host.ticket()) };
        let name = format!("peer {n}");
        there.join(schema(), JoinOptions { name, ..options }).expect("a session")
    };
    let joined: Vec<_> = (0..2).map(join).collect();
    until_live(&mut host, &joined.iter().collect::<Vec<_>>());
    move_bodies(&mut host, &bodies, 1);
    host.tick().expect("ticks");
    if clean {
        drop(joined);
        drop(host);
    }
    // Otherwise everything is still running when the runtimes are told to end.
    for runtime in [there, here] {
        let report = runtime.shutdown(Duration::from_secs(10));
        assert_eq!((report.threads_joined, report.threads_left), (1, vec![]));
    }
}

/// A host through the C ABI, and with `joins` one who is ended in the middle of joining it; then every handle is none.
fn play_through_c(joins: bool) {
    // SAFETY: every pointer is to a value of this function, every size is its own.
    unsafe {
        let (mut runtime, mut registry) = (theta_runtime { bits: 0 }, theta_registry { bits: 0 });
        let config = theta_runtime_config {
            struct_size: size_of::<theta_runtime_config>() as u32,
            abi_version: THETA_ABI_VERSION,
            flags: 0,
            reserved: 0,
        };
        assert_eq!(theta_runtime_create(&raw const config, &raw mut runtime), THETA_OK);
        assert_eq!(theta_registry_create(runtime, &raw mut registry), THETA_OK);
        let (mut host, mut joined) = (theta_session { bits: 0 }, theta_session { bits: 0 });
        let mut hosting: theta_host_config = std::mem::zeroed();
        hosting.struct_size = size_of::<theta_host_config>() as u32;
        hosting.flags = THETA_HOST_DEV_MODE;
        assert_eq!(theta_session_host(runtime, registry, &raw const hosting, &raw mut host), THETA_OK);
        let (mut ticket, mut length) = ([0; 1024], 0);
        assert_eq!(theta_session_ticket(host, ticket.as_mut_ptr(), 1024, &raw mut length), THETA_OK);
        let mut joining: theta_join_config = std::mem::zeroed();
        joining.struct_size = size_of::<theta_join_config>() as u32;
        (joining.ticket, joining.ticket_length) = (ticket.as_ptr(), length as u32);
        if joins {
            assert_eq!(theta_session_join(runtime, registry, &raw const joining, &raw mut joined), THETA_OK);
        }

        let mut report: theta_shutdown_report = std::mem::zeroed();
        report.struct_size = size_of::<theta_shutdown_report>() as u32;
        assert_eq!(theta_runtime_shutdown(runtime, 10_000, &raw mut report), THETA_OK);
        assert_eq!((report.threads_joined, report.threads_left), (1, 0));
        assert_eq!(report.handles_invalidated, 3 + u32::from(joins), "runtime, registry, host, joined");
        let mut info: theta_session_info = std::mem::zeroed();
        info.struct_size = size_of::<theta_session_info>() as u32;
        let mut hash = 0;
        for status in [
            theta_runtime_shutdown(runtime, 0, std::ptr::null_mut()),
            theta_runtime_detach(runtime),
            theta_registry_schema_hash(registry, &raw mut hash),
            theta_registry_destroy(registry),
            theta_session_info_get(host, &raw mut info),
            theta_session_leave(host),
            theta_session_destroy(host),
        ] {
            assert_eq!(status, THETA_E_SHUT_DOWN);
        }
        let ended = if joins { THETA_E_SHUT_DOWN } else { THETA_E_HANDLE_ZERO };
        assert_eq!((theta_session_leave(joined), theta_session_destroy(joined)), (ended, ended));
    }
}

#[test]
fn two_hundred_rounds_leave_no_thread_no_socket_and_no_valid_handle() {
    let rounds = |rounds: usize| {
        for n in 0..rounds {
            match n % 10 {
                0 => play(false, n % 20 == 0),
                1..6 => play(true, n % 2 == 0),
                // An attempt that is broken off takes a second or so to end.
                _ => play_through_c(n % 20 == 19),
            }
        }
    };
    // The first of each kind may open what the process keeps.
    rounds(10);
    let (threads, files) = (count("/proc/self/task"), count("/proc/self/fd"));
    rounds(200);
    assert_eq!((count("/proc/self/task"), count("/proc/self/fd")), (threads, files));
}
