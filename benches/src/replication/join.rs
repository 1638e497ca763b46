//! Joins: from an open link to a peer that holds the world, in CPU and bytes.

use theta_core::types::Tick;

use super::session::{Path, Session, TickCost};
use crate::report::{Beside, Report, Table, number};
use crate::scene::{NAIVE_ROW_BYTES, Scene, schema};
use crate::settings::Settings;

/// Bodies and peers.
const CASES: [(usize, usize); 4] = [(1000, 1), (10_000, 1), (10_000, 16), (100_000, 1)];

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let columns = [
        "bodies, peers",
        "host ms",
        "host ms/peer",
        "peer ms",
        "both ms",
        "B/peer",
        "B/body",
        "naive B",
        "host allocs",
        "peer allocs",
    ];
    let title = "Joins: everybody at once, nothing moves, no latency (CPU on one core, handshake included)";
    let mut table = Table::new(title, &columns);
    for (bodies, peers) in CASES {
        if settings.is_quick && bodies > 10_000 {
            continue;
        }
        let rounds: usize = settings.either(5, 1);
        let mut runs: Vec<(f64, f64, TickCost)> = (0..rounds).map(|_| join(bodies, peers)).collect();
        runs.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
        let (host_ms, peers_ms, cost) = runs[rounds / 2];
        let per_peer = cost.bytes as f64 / peers as f64;
        let naive = (bodies * NAIVE_ROW_BYTES) as f64;
        table.row([
            format!("{bodies}, {peers}"),
            number(host_ms),
            number(host_ms / peers as f64),
            number(peers_ms / peers as f64),
            number(host_ms + peers_ms),
            number(per_peer),
            number(per_peer / bodies as f64),
            number(naive),
            number(cost.acknowledge.allocations as f64),
            number(cost.apply.allocations as f64 / peers as f64),
        ]);
        let case = format!("join: {bodies} bodies, {peers} peers");
        let beside = Some(Beside { name: "bodies as plain quantised structs", value: naive });
        report.note(&case, "bytes_per_peer", per_peer, "B", beside);
        report.note(&case, "host_cpu", host_ms, "ms", None);
        report.note(&case, "peer_cpu", peers_ms / peers as f64, "ms", None);
    }
    table.print();
}

/// Milliseconds of the host and of all peers.
fn join(bodies: usize, peers: usize) -> (f64, f64, TickCost) {
    let mut scene = Scene::new(bodies, 3);
    let mut session = Session::new(schema());
    let sealed = scene.world.seal(Tick(1)).expect("the first tick");
    let folds = [0, sealed.frame.fold()];
    session.tick(sealed);
    for _ in 0..peers {
        session.connect(Path::default());
    }
    let mut cost = TickCost::default();
    session.exchange(&mut cost);
    assert_eq!(session.live(), peers, "everybody is live");
    session.check(&folds);
    (cost.acknowledge.cpu_ns as f64 / 1e6, cost.apply.cpu_ns as f64 / 1e6, cost)
}
