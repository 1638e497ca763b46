//! `./x bench`: what Theta costs, beside limits and peers that are measured in the same run on the same work.
//!
//! For: docs/benchmarks.md, and whoever changes a hot path. Never: a test, because times differ from machine to machine
//! and from minute to minute; what must hold is counted in tests. Called by scripts/bench.sh.
//!
//! | file | concern |
//! |---|---|
//! | [`settings`] | the command line |
//! | [`contest`] | small operations against each other |
//! | [`report`] | tables and rows |
//! | [`clock`], [`allocation`] | CPU time and allocations of a thread |
//! | [`placement`] | which core a thread runs on |
//! | [`scene`] | the moving world that several benchmarks use |
//! | [`codec`] | bits, rows, envelopes, messages, compression, hashes |
//! | [`transport`] | lanes, beside UDP, TCP and bare quinn |
//! | [`ffi`] | the C functions |
//! | [`handshake`] | what strangers cost a host |
//! | [`replication`] | ticks of host and peers, joins, a recording |

mod allocation;
mod clock;
mod codec;
mod contest;
mod ffi;
mod handshake;
mod placement;
mod replication;
mod report;
mod scene;
mod settings;
mod transport;

use std::process::ExitCode;

use report::Report;
use settings::{Settings, USAGE};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

fn main() -> ExitCode {
    let settings = match Settings::parse(std::env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    print_machine();
    let mut report = Report::default();
    for name in &settings.names {
        report.begin(name);
        println!("\n== {name} ==  load {}", load());
        match *name {
            "codec" => codec::run(&settings, &mut report),
            "transport" => transport::run(&settings, &mut report),
            "ffi" => ffi::run(&settings, &mut report),
            "handshake" => handshake::run(&settings, &mut report),
            _ => replication::run(&settings, &mut report),
        }
        println!("\nload after {name}: {}", load());
    }
    if let Some(path) = &settings.json {
        let rows = report.rows().iter().map(ToString::to_string).collect::<Vec<_>>().join(",\n");
        if let Err(error) = std::fs::write(path, format!("[\n{rows}\n]\n")) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{} rows in {}", report.rows().len(), path.display());
    }
    ExitCode::SUCCESS
}

fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let virtual_cores = if cpuinfo.contains(" hypervisor") { "virtual " } else { "" };
    println!("{cores} {virtual_cores}cores, {model}, {} {}", std::env::consts::OS, std::env::consts::ARCH);
    println!("clock: {}, a reading costs {:.0} ns", clock::NAME, clock::cost_ns());
    if cfg!(debug_assertions) {
        println!("NOT A RELEASE BUILD: the figures mean nothing");
    }
}

/// The machine's load over one minute: figures beside a high one are worth less.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
