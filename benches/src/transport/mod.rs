//! Lanes over QUIC and memory, beside UDP, TCP and bare quinn on the same machine in the same run.
//!
//! Every server is a thread with an event loop of its own, as the runtime's I/O thread is, and echoes. Each side has a
//! core of its own, as two machines would. Loopback has no wire: what is measured is software, and the system's waking
//! of a thread that waits.

mod bulk;
mod echo;
mod fanout;
mod pipes;
mod server;

use crate::placement;
use crate::report::Report;
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    let measuring = std::thread::scope(|scope| {
        // A thread of its own, so that the other benchmarks are not pinned.
        scope
            .spawn(|| {
                placement::pin(0);
                echo::run(settings, report);
                fanout::run(settings, report);
                bulk::run(settings, report);
            })
            .join()
    });
    if let Err(panic) = measuring {
        std::panic::resume_unwind(panic);
    }
}
