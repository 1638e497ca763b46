//! What the C functions cost: the real ones, called through pointers that the compiler cannot see through, as a program
//! calls the shared library; beside the same done directly in Rust, and beside an empty call.

mod calls;
mod data;
mod events;
mod pair;
mod pointers;

use crate::report::Report;
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    let mut c = pair::CPair::start();
    let mut rust = pair::RustPair::start();
    calls::run(&c, settings, report);
    data::run(&mut c, &mut rust, settings, report);
    events::run(&mut c, &mut rust, settings, report);
    c.end();
    rust.end();
}
