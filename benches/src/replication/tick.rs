//! What a tick costs the host and each peer, for worlds of several sizes, shares of moving bodies, and peers.

use std::hint::black_box;

use super::session::{Cost, Path, Session, TickCost};
use crate::clock::thread_cpu_ns;
use crate::contest::{median, percentile};
use crate::report::{Beside, Report, Table, number};
use crate::scene::{NAIVE_ROW_BYTES, Scene, schema};
use crate::settings::Settings;

/// A round trip of about 44 ms, nothing lost.
const CLEAN: Path = Path { one_way_ticks: 2, lost_per_mille: 0 };
/// Ticks before anything counts: joins are over, baselines flow.
const WARM_UP_TICKS: usize = 60;

/// A case.
#[derive(Clone, Copy)]
struct Case {
    entities: usize,
    moving: usize,
    peers: usize,
    /// Every peer with a path of its own, from 22 ms round trip up, with 1 % loss each way.
    is_mixed: bool,
}

/// Medians over the measured ticks, and what stands beside them.
struct Result {
    write_us: f64,
    seal_us: f64,
    send_us: f64,
    acknowledge_us: f64,
    host_us: f64,
    host_p99_us: f64,
    apply_us: f64,
    bytes_per_peer: f64,
    packets_per_peer: f64,
    host_allocations: f64,
    peer_allocations: f64,
    complete: f64,
    naive_us: f64,
    worst_error: (f64, f64),
}

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let mut cases = Vec::new();
    for entities in [400, 2000, 10_000] {
        for moving in [entities, entities / 10, 0] {
            cases.push(Case { entities, moving, peers: 3, is_mixed: false });
        }
    }
    for peers in [1, 7] {
        cases.push(Case { entities: 2000, moving: 2000, peers, is_mixed: false });
    }
    let title = "A tick, by moving share: round trip 44 ms, no loss (us of CPU, medians; bytes are packets)";
    table(title, &cases, settings, report);

    let published = [1000, 100, 0].map(|moving| Case { entities: 1000, moving, peers: 8, is_mixed: true });
    let title =
        "The published comparison: 1000 bodies, 8 peers at 22 to 178 ms round trip, 1 % loss each way";
    let worst = table(title, &published, settings, report);
    println!("  worst error of the values: {:.1} mm, {:.1} mrad", worst.0 * 1e3, worst.1 * 1e3);
    report.note(title, "worst_position_error", worst.0 * 1e3, "mm", None);
    report.note(title, "worst_rotation_error", worst.1 * 1e3, "mrad", None);

    let idle = [Case { entities: 10_000, moving: 0, peers: 16, is_mixed: false }];
    table("An idle world: nothing moves", &idle, settings, report);
}

fn table(title: &str, cases: &[Case], settings: &Settings, report: &mut Report) -> (f64, f64) {
    let columns = [
        "bodies, moving, peers",
        "write",
        "seal",
        "send",
        "acks",
        "host",
        "host p99",
        "apply/peer",
        "B/peer",
        "packets",
        "B/moving",
        "naive B",
        "naive us",
        "host allocs",
        "peer allocs",
        "complete",
    ];
    let mut table = Table::new(title, &columns);
    let mut worst = (0.0f64, 0.0f64);
    for case in cases {
        let result = run_case(*case, settings);
        let name = format!("{}, {}, {}", case.entities, case.moving, case.peers);
        let naive_bytes = (case.moving * NAIVE_ROW_BYTES) as f64;
        let per_moving = result.bytes_per_peer / case.moving.max(1) as f64;
        table.row([
            name.clone(),
            number(result.write_us),
            number(result.seal_us),
            number(result.send_us),
            number(result.acknowledge_us),
            number(result.host_us),
            number(result.host_p99_us),
            number(result.apply_us),
            number(result.bytes_per_peer),
            number(result.packets_per_peer),
            if case.moving == 0 { String::new() } else { number(per_moving) },
            number(naive_bytes),
            number(result.naive_us),
            number(result.host_allocations),
            number(result.peer_allocations),
            format!("{:.1} %", result.complete * 100.0),
        ]);
        let case_name = format!("tick: {name}{}", if case.is_mixed { ", mixed paths, 1 % loss" } else { "" });
        let bytes = Some(Beside { name: "moving bodies as plain quantised structs", value: naive_bytes });
        let copy = Some(Beside { name: "copying those structs for every peer", value: result.naive_us });
        report.note(&case_name, "bytes_per_peer_per_tick", result.bytes_per_peer, "B", bytes);
        report.note(&case_name, "host_cpu_per_tick", result.host_us, "us", copy);
        report.note(&case_name, "host_cpu_per_tick_p99", result.host_p99_us, "us", None);
        report.note(&case_name, "write_cpu", result.write_us, "us", None);
        report.note(&case_name, "seal_cpu", result.seal_us, "us", None);
        report.note(&case_name, "send_cpu", result.send_us, "us", None);
        report.note(&case_name, "acknowledge_cpu", result.acknowledge_us, "us", None);
        report.note(&case_name, "apply_cpu_per_peer", result.apply_us, "us", None);
        report.note(&case_name, "host_allocations_per_tick", result.host_allocations, "", None);
        report.note(&case_name, "peer_allocations_per_tick", result.peer_allocations, "", None);
        worst = (worst.0.max(result.worst_error.0), worst.1.max(result.worst_error.1));
    }
    table.print();
    worst
}

fn run_case(case: Case, settings: &Settings) -> Result {
    let ticks: usize = settings.either(180, 30);
    let mut scene = Scene::new(case.entities, 7);
    let mut session = Session::new(schema());
    let mut folds = vec![0];
    let mut seal = |scene: &mut Scene, cost: &mut Cost| {
        let tick = scene.world.tick().next();
        let sealed = cost.of(|| scene.world.seal(tick).expect("ticks ascend"));
        folds.push(sealed.frame.fold());
        sealed
    };
    session.tick(seal(&mut scene, &mut Cost::default()));
    for peer in 0..case.peers {
        let mixed = Path { one_way_ticks: 1 + peer as u64, lost_per_mille: 10 };
        session.connect(if case.is_mixed { mixed } else { CLEAN });
    }
    let mut joining = 0;
    while !session.all_live() {
        session.tick(seal(&mut scene, &mut Cost::default()));
        joining += 1;
        assert!(joining < 2000, "the peers do not become live");
    }
    let (mut write, mut sealing, mut costs) = (Vec::new(), Vec::new(), Vec::<TickCost>::new());
    let mut frames_before = 0;
    let mut first = 0;
    for at in 0..WARM_UP_TICKS + ticks {
        if at == WARM_UP_TICKS {
            frames_before = session.frames();
        }
        let moved = scene.push(first, case.moving);
        first = (first + case.moving) % case.entities;
        let (mut writing, mut seal_cost) = (Cost::default(), Cost::default());
        writing.of(|| scene.write(&moved));
        let sealed = seal(&mut scene, &mut seal_cost);
        let cost = session.tick(sealed);
        if at >= WARM_UP_TICKS {
            write.push(writing);
            sealing.push(seal_cost);
            costs.push(cost);
        }
    }
    session.check(&folds);
    let complete = (session.frames() - frames_before) as f64 / (ticks * case.peers) as f64;
    let us = |values: &mut dyn Iterator<Item = u64>| -> f64 {
        median(&mut values.map(|ns| ns as f64 / 1000.0).collect::<Vec<_>>())
    };
    let mut host: Vec<f64> = write
        .iter()
        .zip(&sealing)
        .zip(&costs)
        .map(|((write, seal), cost)| {
            (write.cpu_ns + seal.cpu_ns + cost.send.cpu_ns + cost.acknowledge.cpu_ns) as f64 / 1000.0
        })
        .collect();
    let peers = case.peers as f64;
    let mean = |total: u64| total as f64 / ticks as f64;
    let host_allocations: u64 =
        write.iter().zip(&sealing).map(|(write, seal)| write.allocations + seal.allocations).sum::<u64>()
            + costs.iter().map(|cost| cost.send.allocations + cost.acknowledge.allocations).sum::<u64>();
    Result {
        write_us: us(&mut write.iter().map(|cost| cost.cpu_ns)),
        seal_us: us(&mut sealing.iter().map(|cost| cost.cpu_ns)),
        send_us: us(&mut costs.iter().map(|cost| cost.send.cpu_ns)),
        acknowledge_us: us(&mut costs.iter().map(|cost| cost.acknowledge.cpu_ns)),
        host_us: median(&mut host),
        host_p99_us: percentile(&mut host, 99.0),
        apply_us: us(&mut costs.iter().map(|cost| cost.apply.cpu_ns)) / peers,
        bytes_per_peer: mean(costs.iter().map(|cost| cost.bytes).sum()) / peers,
        packets_per_peer: mean(costs.iter().map(|cost| cost.packets).sum()) / peers,
        host_allocations: mean(host_allocations),
        peer_allocations: mean(costs.iter().map(|cost| cost.apply.allocations).sum()) / peers,
        complete,
        naive_us: naive_us(case, ticks),
        worst_error: if case.moving == case.entities { scene.worst_error() } else { (0.0, 0.0) },
    }
}

/// The limit: the moving bodies as plain structs, copied into a buffer for every peer.
fn naive_us(case: Case, ticks: usize) -> f64 {
    // Many copies to a reading: one alone is shorter than the clock's own cost.
    const TIMES: u32 = 64;
    let source = vec![7u8; case.moving * NAIVE_ROW_BYTES];
    let mut buffers = vec![vec![0u8; source.len()]; case.peers];
    let mut samples = Vec::with_capacity(ticks);
    for _ in 0..ticks {
        let began = thread_cpu_ns();
        for _ in 0..TIMES {
            for buffer in &mut buffers {
                buffer.copy_from_slice(black_box(&source));
            }
            black_box(&mut buffers);
        }
        samples.push((thread_cpu_ns() - began) as f64 / 1000.0 / f64::from(TIMES));
    }
    median(&mut samples)
}
