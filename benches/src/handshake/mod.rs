//! What a stranger costs a host: each handshake that is admitted, each that is refused, each packet that begins one, in CPU
//! of the host's side alone.
//!
//! | file | concern |
//! |---|---|
//! | [`machine`] | the session's part: hello and confirmation, without a network |
//! | [`socket`] | whole handshakes over QUIC, through the runtime's own thread |
//! | [`first_packet`] | first packets over UDP that come to nothing |

mod first_packet;
mod machine;
mod socket;

use crate::contest::percentile;
use crate::report::{Report, Table, number};
use crate::settings::Settings;

/// Runs all of it.
pub fn run(settings: &Settings, report: &mut Report) {
    machine::run(settings, report);
    let measuring = std::thread::scope(|scope| {
        // A thread of its own, so that the other benchmarks are not pinned.
        scope
            .spawn(|| {
                crate::placement::pin(0);
                socket::run(settings, report);
                first_packet::run(settings, report);
            })
            .join()
    });
    if let Err(panic) = measuring {
        std::panic::resume_unwind(panic);
    }
}

/// The columns of [`distribution`].
const COLUMNS: [&str; 5] = ["", "samples", "p50 us", "p90 us", "p99 us"];

fn table(title: &str) -> Table {
    Table::new(title, &COLUMNS)
}

/// Adds samples, in microseconds, to a table and to the report.
fn distribution(report: &mut Report, table: &mut Table, case: &str, samples: &mut [f64]) {
    let [p50, p90, p99] = [50.0, 90.0, 99.0].map(|percent| percentile(samples, percent));
    table.row([case.to_owned(), samples.len().to_string(), number(p50), number(p90), number(p99)]);
    for (metric, value) in [("host_cpu_p50", p50), ("host_cpu_p90", p90), ("host_cpu_p99", p99)] {
        report.note(case, metric, value, "us", None);
    }
}
