//! The wire's building blocks: bits, rows, envelopes, messages, compression, hashes.

mod envelopes;
mod hashes;
mod messages;
mod rows;
mod zstandard;

use crate::report::Report;
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    rows::run(settings, report);
    envelopes::run(settings, report);
    messages::run(settings, report);
    zstandard::run(settings, report);
    hashes::run(settings, report);
}
