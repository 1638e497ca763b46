//! Round trips: one packet at a time, then 32 under way.

use std::time::Instant;

use theta_core::types::Lane;

use super::pipes::packet;
use super::server::{Echo, Over};
use crate::clock::thread_cpu_ns;
use crate::contest::{median, percentile};
use crate::report::{Beside, Report, Table, number};
use crate::settings::Settings;

/// The largest is what a datagram lane takes.
const PACKET_BYTES: [usize; 3] = [64, 256, 1150];
/// Packets under way in the second measurement.
const WINDOW: usize = 32;

const CONTESTANTS: [(&str, Over); 7] = [
    ("UDP, blocking (limit)", Over::StdUdp),
    ("UDP on tokio", Over::TokioUdp),
    ("quinn datagrams alone", Over::Quinn),
    ("QUIC, state lane", Over::Quic(Lane::State)),
    ("QUIC, control lane", Over::Quic(Lane::Control)),
    ("memory, state lane", Over::Memory(Lane::State)),
    ("memory, control lane", Over::Memory(Lane::Control)),
];

#[derive(Default)]
struct Samples {
    rtts_us: Vec<f64>,
    per_second: Vec<f64>,
    server_us: Vec<f64>,
    client_us: Vec<f64>,
}

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let rounds: usize = settings.either(7, 2);
    let pings: usize = settings.either(2000, 300);
    let streamed: usize = settings.either(20_000, 3000);
    for bytes in PACKET_BYTES {
        let mut echoes: Vec<Echo> = CONTESTANTS.iter().map(|(_, over)| Echo::start(*over)).collect();
        let mut samples: Vec<Samples> = CONTESTANTS.iter().map(|_| Samples::default()).collect();
        for echo in &mut echoes {
            // Warm-up: path limits, congestion windows, caches.
            exchange(echo, bytes, pings / 2, 1, &mut Samples::default());
            exchange(echo, bytes, streamed / 4, WINDOW, &mut Samples::default());
        }
        for _ in 0..rounds {
            for (echo, samples) in echoes.iter_mut().zip(&mut samples) {
                exchange(echo, bytes, pings, 1, samples);
                exchange(echo, bytes, streamed, WINDOW, samples);
            }
        }
        let title = format!(
            "Echo of {bytes} B on loopback: {pings} single round trips, then {WINDOW} under way, {rounds} times"
        );
        let columns = [
            "over",
            "p50 us",
            "p99 us",
            "p99.9 us",
            "x UDP p50",
            "echoes/s",
            "x UDP",
            "server us/packet",
            "client us/packet",
        ];
        let mut table = Table::new(&title, &columns);
        let mut udp = (0.0, 0.0);
        for ((name, over), samples) in CONTESTANTS.iter().zip(&mut samples) {
            let p50 = median(&mut samples.rtts_us);
            let per_second = median(&mut samples.per_second);
            if *over == Over::StdUdp {
                udp = (p50, per_second);
            }
            let (server_us, client_us) = (median(&mut samples.server_us), median(&mut samples.client_us));
            let p99 = percentile(&mut samples.rtts_us, 99.0);
            table.row([
                (*name).to_owned(),
                number(p50),
                number(p99),
                number(percentile(&mut samples.rtts_us, 99.9)),
                number(p50 / udp.0),
                number(per_second),
                number(per_second / udp.1),
                number(server_us),
                number(client_us),
            ]);
            let case = format!("echo {bytes} B: {name}");
            let beside = |value: f64| Some(Beside { name: CONTESTANTS[0].0, value });
            report.note(&case, "round_trip_p50", p50, "us", beside(udp.0));
            report.note(&case, "round_trip_p99", p99, "us", None);
            report.note(&case, "echoes_per_second", per_second, "1/s", beside(udp.1));
            report.note(&case, "server_cpu_per_packet", server_us, "us", None);
        }
        table.print();
    }
}

/// `count` round trips with `window` packets under way.
fn exchange(echo: &mut Echo, bytes: usize, count: usize, window: usize, samples: &mut Samples) {
    let (server, client, began) = (echo.server_clock.now_ns(), thread_cpu_ns(), Instant::now());
    let pipe = &mut echo.pipe;
    let rtts = &mut samples.rtts_us;
    echo.runtime.block_on(async {
        for _ in 1..window {
            pipe.send(packet(bytes, false)).await;
        }
        for sent in window..=count {
            let began = Instant::now();
            pipe.send(packet(bytes, false)).await;
            let answer = pipe.receive().await.expect("an answer");
            assert_eq!(answer.len(), bytes, "packet {sent}");
            if window == 1 {
                rtts.push(began.elapsed().as_nanos() as f64 / 1000.0);
            }
        }
        for _ in 1..window {
            pipe.receive().await.expect("an answer");
        }
    });
    if window > 1 {
        samples.per_second.push(count as f64 / began.elapsed().as_secs_f64());
        samples.server_us.push((echo.server_clock.now_ns() - server) as f64 / 1000.0 / count as f64);
        samples.client_us.push((thread_cpu_ns() - client) as f64 / 1000.0 / count as f64);
    }
}
