//! What is printed at the end, for somebody who sees Theta for the first time.

use crate::judge::{Check, Run};
use crate::paint::{Cell, Ink, Style, decimal, grouped, table};
use crate::play::{HOST, Plan};
use crate::screen::{HEADING, TICK_MS, kilobytes, language_name, share, verdict};

/// A host that is this far from its rate is worth a note.
const ODD_HZ: f64 = 0.5;
/// The rate the samples run at.
const RATE_HZ: f64 = 90.0;

fn list(languages: &[&str]) -> String {
    match languages {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The languages of a plan, once each, as people write them.
pub fn languages(plan: &Plan) -> String {
    let mut names: Vec<&str> = Vec::new();
    for peer in &plan.peers {
        let name = language_name(&peer.language);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    list(&names)
}

/// The whole text.
pub fn summary(run: &Run, plan: &Plan, checks: &[Check], load: Option<&str>, style: Style) -> Vec<String> {
    let server = &run.server;
    let peers = run.peers.len();
    let mut lines = vec![
        format!(
            " {} processes shared one world over QUIC: a C++ {HOST} and {peers} {} in {}.",
            peers + 1,
            if peers == 1 { "peer" } else { "peers" },
            languages(plan)
        ),
        format!(
            " For {:.1} s the {HOST} simulated {} entities at {} Hz; a tick took {} of {TICK_MS} ms (99 %: {} ms).",
            server.seconds,
            grouped(server.entities),
            style.ink(Ink::Bold, &format!("{:.2}", server.tick_hz)),
            decimal(server.tick_ms_p50, 1),
            decimal(server.tick_ms_p99, 1),
        ),
        format!(
            " The players' heads and hands pushed {} of {} cubes about.",
            style.ink(Ink::Bold, &grouped(server.entities_moved)),
            grouped(run.cubes)
        ),
    ];
    if let Some(network) = run.network.describe() {
        lines.push(format!(" The network between them was a bad one on purpose: {network}."));
    }
    lines.push(String::new());
    lines.extend(table(style, &HEADING, 3, &rows(run)));
    lines.push(String::new());
    lines.extend(proof(run));
    lines.extend(
        notes(run, load).iter().map(|note| format!(" {}", style.ink(Ink::Odd, &format!("note: {note}")))),
    );
    lines.push(String::new());
    let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
    lines.extend(failed.iter().map(|check| format!(" {} {}", style.mark(false), check.sentence)));
    lines.push(if failed.is_empty() {
        format!(" {} all {} checks passed", style.mark(true), checks.len())
    } else {
        format!(" {} of {} checks failed", failed.len(), checks.len())
    });
    lines
}

fn rows(run: &Run) -> Vec<Vec<Cell>> {
    let row = |peer: &crate::judge::PeerRun| {
        let report = &peer.report;
        vec![
            Cell::new(&*report.name).ink(Ink::Bold),
            Cell::new(language_name(&report.language)),
            Cell::new(&*report.transport).ink(Ink::Dim),
            Cell::new(decimal(report.rtt_ms_p50, 2)),
            Cell::new(kilobytes(report.in_bytes_per_s)),
            Cell::new(kilobytes(report.out_bytes_per_s)),
            Cell::new(decimal(report.pose_error_mm_p50, 2)),
            Cell::new(decimal(report.pose_error_mm_p99, 2)),
            Cell::new(share(report.complete_ticks, report.started_ticks)),
            verdict(peer.comparison.compared, peer.comparison.diverged),
        ]
    };
    run.peers.iter().map(row).collect()
}

/// What was proved, in two sentences.
fn proof(run: &Run) -> Vec<String> {
    let sum = |count: fn(&crate::compare::Comparison) -> u64| {
        run.peers.iter().map(|peer| count(&peer.comparison)).sum::<u64>()
    };
    let (compared, diverged) = (sum(|comparison| comparison.compared), sum(|comparison| comparison.diverged));
    let values = |value: fn(&crate::report::ClientReport) -> Option<f64>| {
        run.peers
            .iter()
            .filter_map(|peer| value(&peer.report))
            .fold(None, |worst: Option<f64>, value| Some(worst.map_or(value, |worst| worst.max(value))))
    };
    let result =
        if diverged == 0 { "none differs".to_owned() } else { format!("{} DIFFER", grouped(diverged)) };
    let mut lines = vec![format!(
        " Same world: each peer read every value of every tick through its own language and hashed it. \
         {} ticks were",
        grouped(compared)
    )];
    lines.push(format!(" compared with the {HOST}'s, bit for bit; {result}."));
    if let (Some(p50), Some(p99)) =
        (values(|report| report.pose_error_mm_p50), values(|report| report.pose_error_mm_p99))
    {
        lines.push(format!(
            " Smooth world: at the moment of drawing, other players' heads and hands were {p50:.1} mm from their true place"
        ));
        lines.push(format!(
            " (99 % below {p99:.1} mm), rounding, network and interpolation included; the worst peer counts."
        ));
    }
    lines
}

/// What a reader should know before judging the numbers.
fn notes(run: &Run, load: Option<&str>) -> Vec<String> {
    let server = &run.server;
    let mut notes = Vec::new();
    let late = server.deadline_misses;
    let is_slow = (server.tick_hz - RATE_HZ).abs() > ODD_HZ;
    if is_slow {
        notes.push(format!("the {HOST} ran at {:.1} Hz instead of {RATE_HZ}", server.tick_hz));
    }
    if late > 0 {
        notes.push(format!(
            "{} of the {HOST}'s {} ticks began more than a tick late or took longer than {TICK_MS} ms",
            grouped(late),
            grouped(run.host.count() as u64)
        ));
    }
    if let (true, Some(load)) = (is_slow || late > 0, load) {
        notes.push(load.to_owned());
    }
    notes
}

/// How busy the machine is, as a sentence; `None` where it does not say.
pub fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let cores = std::thread::available_parallelism().ok()?;
    let load = text.split_ascii_whitespace().next()?;
    Some(format!("{load} processes wanted to run on {cores} cores on average of the last minute"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversity::Network;
    use crate::compare::{Comparison, HostTicks};
    use crate::judge::PeerRun;
    use crate::report::{ClientReport, ServerReport};

    const PLAIN: Style = Style { colour: false, unicode: false };

    fn run() -> (Run, Plan) {
        let plan = Plan::new(20.0, 2, 400);
        let peer = |name: &str, language: &str| PeerRun {
            report: ClientReport {
                name: name.to_owned(),
                language: language.to_owned(),
                pose_error_mm_p50: Some(0.4),
                pose_error_mm_p99: Some(0.9),
                complete_ticks: 1800,
                started_ticks: 1800,
                ..ClientReport::default()
            },
            comparison: {
                let mut comparison = Comparison::default();
                comparison.compared = 1800;
                comparison
            },
        };
        let server = ServerReport {
            ok: true,
            seconds: 21.3,
            tick_hz: 90.01,
            entities: 402,
            ..ServerReport::default()
        };
        let peers = vec![peer("cpp-0", "cpp"), peer("csharp-1", "csharp")];
        let (network, planted) = (Network::NONE, None);
        (Run { seconds: 20.0, cubes: 400, network, planted, server, host: HostTicks::default(), peers }, plan)
    }

    #[test]
    fn a_good_run() {
        let (run, plan) = run();
        let checks = [Check { passed: true, sentence: "fine".to_owned() }];
        let lines = summary(&run, &plan, &checks, Some("busy"), PLAIN);
        let all = lines.join("\n");
        for part in [
            "3 processes",
            "2 peers in C++ and C#",
            "at 90.01 Hz",
            "3 600 ticks",
            "none differs",
            "all 1 checks",
        ] {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
        assert!(!all.contains("note"), "{all}");
        assert!(lines.iter().all(|line| line.chars().count() <= 110), "{all}");
    }

    #[test]
    fn what_is_odd_or_wrong_is_said() {
        let (mut run, plan) = run();
        run.server.deadline_misses = 7;
        run.server.tick_hz = 71.0;
        run.peers[1].comparison.diverged = 2;
        let checks = [Check { passed: false, sentence: "csharp-1 saw something else".to_owned() }];
        let all = summary(&run, &plan, &checks, Some("busy"), PLAIN).join("\n");
        for part in [
            "71.0 Hz instead of 90",
            "7 of the host's",
            "note: busy",
            "2 DIFFER",
            "BAD csharp-1 saw",
            "1 of 1 checks failed",
        ] {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
    }
}
