//! Lanes over QUIC and memory, beside UDP, TCP and bare quinn on the same machine in the same run.
//!
//! Every server is a thread with an event loop of its own, as the runtime's I/O thread is, and echoes; the client is the
//! program's main thread. Loopback has no wire: what is measured is software and the scheduler.

mod bulk;
mod echo;
mod fanout;
mod pipes;
mod server;

use crate::report::Report;
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    echo::run(settings, report);
    fanout::run(settings, report);
    bulk::run(settings, report);
}
