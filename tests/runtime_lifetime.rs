//! What a runtime leaves behind when it ends: nothing. A file of its own, so that no other test's threads are counted.

mod common;

use std::time::Duration;

use common::sessions::*;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("a Linux process").count()
}

#[test]
fn twenty_rounds_leave_no_thread_and_no_socket() {
    let round = |clean: bool| {
        let (here, there) = (runtime(), runtime());
        let mut host = dev_host(&here);
        let bodies = spawn_bodies(&mut host, 20);
        let joined: Vec<_> = (0..2).map(|n| join(&there, &host, &format!("peer {n}"))).collect();
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
    };
    round(true);
    let (threads, files) = (count("/proc/self/task"), count("/proc/self/fd"));
    for n in 0..20 {
        round(n % 2 == 0);
    }
    assert_eq!((count("/proc/self/task"), count("/proc/self/fd")), (threads, files));
}
