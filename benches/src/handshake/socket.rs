//! Whole handshakes over QUIC on loopback: CPU of the runtime's own thread, from the first packet to the answer.

use std::time::{Duration, Instant};

use theta_core::wire::message::{Role, Version};
use theta_sdk::runtime::{
    HostOptions, HostSession, JoinOptions, JoinSession, Runtime, RuntimeConfig, SessionState,
};

use super::{distribution, table};
use crate::clock::ThreadClock;
use crate::report::Report;
use crate::scene::schema;
use crate::settings::Settings;

/// The runtime's thread, as the system has it.
const IO_THREAD: &str = "theta-io";
/// Attempts at one host: below what one network may begin at once.
const PER_HOST: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);
/// What is still under way after an answer (acknowledgements, the end of a connection) counts as well.
const SETTLE: Duration = Duration::from_millis(4);

pub(super) fn run(settings: &Settings, report: &mut Report) {
    let hosts: usize = settings.either(5, 1);
    let per_host: usize = settings.either(PER_HOST, 20);
    let title = format!(
        "Whole handshakes over QUIC, CPU of the host's I/O thread, {per_host} at each of {hosts} hosts"
    );
    let mut table = table(&title);
    let floor = Version { minor: Version::CURRENT.minor + 1, ..Version::CURRENT };
    let open = HostOptions { dev_mode: true, max_peers: 128, ..HostOptions::default() };
    let cases = [
        ("admitted (QUIC, TLS and session)", open.clone(), SessionState::Admitted),
        (
            "refused at the hello: below the version floor",
            HostOptions { least_version: floor, ..open },
            SessionState::Closed,
        ),
        ("refused at the confirmation: no ticket", closed_door(), SessionState::Closed),
    ];
    for (case, options, end) in cases {
        let mut samples = Vec::new();
        for _ in 0..hosts {
            let Some(more) = at_one_host(&options, end, per_host) else {
                println!("\nno CPU clock of another thread on this system: whole handshakes are left out");
                return;
            };
            samples.extend(more);
        }
        distribution(report, &mut table, case, &mut samples);
    }
    table.print();
}

/// A host on loopback that admits nobody without a ticket.
fn closed_door() -> HostOptions {
    HostOptions { bind: Some("127.0.0.1:0".to_owned()), default_role: Role::Editor, ..HostOptions::default() }
}

/// CPU microseconds of each of so many handshakes. `None` where there is no clock for it.
fn at_one_host(options: &HostOptions, end: SessionState, attempts: usize) -> Option<Vec<f64>> {
    let runtime = Runtime::start(RuntimeConfig::default()).expect("a runtime");
    // A thread gives itself its name, which may be a moment after it was started.
    let began = Instant::now();
    let clock = loop {
        match ThreadClock::named(IO_THREAD) {
            Some(clock) => break clock,
            None if began.elapsed() > Duration::from_secs(1) => return None,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let mut host = runtime.host(schema(), options.clone()).expect("a host");
    host.tick().expect("ticks");
    // The clients' runtime has no thread, so that there is one of that name.
    let clients = Runtime::start(RuntimeConfig { host_driven: true }).expect("a runtime");
    let warm_up = attempts / 10;
    let mut samples = Vec::with_capacity(attempts);
    for number in 0..attempts {
        let ticket = host.ticket();
        let began = clock.now_ns();
        let options = JoinOptions { manual_loaded: true, ..JoinOptions::new(ticket) };
        let mut joined = clients.join(schema(), options).expect("a session");
        drive(&clients, &mut host, &mut joined, |state| state == end);
        let settled = Instant::now();
        while settled.elapsed() < SETTLE {
            clients.step(Duration::from_micros(200)).expect("steps");
        }
        let spent_ns = clock.now_ns() - began;
        if number >= warm_up {
            samples.push(spent_ns as f64 / 1000.0);
        }
        joined.leave();
        drive(&clients, &mut host, &mut joined, SessionState::is_over);
        drop(joined);
        let left = Instant::now();
        while !host.peers().is_empty() && left.elapsed() < PATIENCE {
            clients.step(Duration::from_micros(200)).expect("steps");
        }
    }
    let _ = clients.shutdown(Duration::from_secs(5));
    let _ = runtime.shutdown(Duration::from_secs(5));
    Some(samples)
}

fn drive(
    clients: &Runtime,
    host: &mut HostSession,
    joined: &mut JoinSession,
    is_done: impl Fn(SessionState) -> bool,
) {
    let began = Instant::now();
    while !is_done(joined.info().state) {
        assert!(began.elapsed() < PATIENCE, "the client is {:?}", joined.info());
        clients.step(Duration::from_micros(200)).expect("steps");
        while joined.poll().is_some() {}
        while host.poll().is_some() {}
    }
}
