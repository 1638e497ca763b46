//! Whole ticks of host and peers, joins, and a recording: the session machines as they are, without sockets.

mod cubes;
mod join;
mod parts;
mod session;
mod tick;

use crate::report::Report;
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    tick::run(settings, report);
    parts::run(settings, report);
    join::run(settings, report);
    cubes::run(settings, report);
}
