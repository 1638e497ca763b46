//! What a host pays to send one packet to each of eight peers ninety times a second.

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use theta_core::types::Lane;
use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{Transport, TransportConfig, TransportEvent};

use super::pipes::{LOOPBACK, PATIENCE, connected, packet, quinn_endpoint};
use super::server::event_loop;
use crate::clock::thread_cpu_ns;
use crate::contest::median;
use crate::placement;
use crate::report::{Beside, Report, Table, number};
use crate::settings::Settings;

const PEERS: usize = 8;
const PACKET_BYTES: usize = 1024;
const TICK: Duration = Duration::from_micros(11_111);

/// Its name, and so many ticks of it: CPU microseconds per packet.
type Contestant = (&'static str, fn(u32) -> f64);

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let ticks: u32 = settings.either(270, 45);
    let rounds: usize = settings.either(5, 1);
    let contestants: [Contestant; 3] = [
        ("UDP send_to (limit: no crypto, no acknowledgements)", udp),
        ("quinn datagrams alone", quinn),
        ("QUIC, state lane", lanes),
    ];
    let mut samples = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((_, run), samples) in contestants.iter().zip(&mut samples) {
            samples.push(run(ticks));
        }
    }
    let title = format!(
        "Fan-out: one thread sends {PACKET_BYTES} B to {PEERS} peers at 90 Hz, {ticks} ticks, {rounds} times"
    );
    let mut table = Table::new(&title, &["over", "sender CPU us/packet", "% of a core", "x UDP"]);
    let mut limit = 0.0;
    for ((name, _), samples) in contestants.iter().zip(&mut samples) {
        let us = median(samples);
        if limit == 0.0 {
            limit = us;
        }
        let share = us * (PEERS as f64 * 90.0) / 1e6 * 100.0;
        table.row([(*name).to_owned(), number(us), number(share), number(us / limit)]);
        let beside = Some(Beside { name: contestants[0].0, value: limit });
        report.note(&format!("fan-out: {name}"), "sender_cpu_per_packet", us, "us", beside);
    }
    table.print();
}

/// CPU microseconds per packet of the calling thread, while `tick` sends.
async fn paced(ticks: u32, mut tick: impl AsyncFnMut(Instant)) -> f64 {
    let mut due = Instant::now() + TICK;
    // The first ticks belong to warm-up.
    let mut began = 0;
    for number in 0..ticks + 9 {
        if number == 9 {
            began = thread_cpu_ns();
        }
        tick(due).await;
        due += TICK;
    }
    (thread_cpu_ns() - began) as f64 / 1000.0 / f64::from(ticks) / PEERS as f64
}

fn udp(ticks: u32) -> f64 {
    let receivers: Vec<UdpSocket> =
        (0..PEERS).map(|_| UdpSocket::bind(LOOPBACK).expect("a socket")).collect();
    let addresses: Vec<_> = receivers.iter().map(|socket| socket.local_addr().expect("an address")).collect();
    let readers: Vec<_> = receivers
        .into_iter()
        .map(|socket| {
            std::thread::spawn(move || {
                placement::pin(placement::LAST);
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let mut buffer = [0; 2048];
                while socket.recv(&mut buffer).is_ok_and(|bytes| bytes == PACKET_BYTES) {}
            })
        })
        .collect();
    let socket = UdpSocket::bind(LOOPBACK).expect("a socket");
    let message = packet(PACKET_BYTES, false);
    let us = event_loop().block_on(paced(ticks, async |due: Instant| {
        tokio::time::sleep_until(due.into()).await;
        for address in &addresses {
            socket.send_to(&message, address).expect("a packet leaves");
        }
    }));
    for address in &addresses {
        socket.send_to(&[0], address).expect("the last packet leaves");
    }
    for reader in readers {
        reader.join().expect("a reader");
    }
    us
}

fn quinn(ticks: u32) -> f64 {
    let server_loop = event_loop();
    let endpoint = server_loop.block_on(async { quinn_endpoint(true) });
    let address = endpoint.local_addr().expect("an address");
    let clients = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        event_loop().block_on(async {
            let mut readers = tokio::task::JoinSet::new();
            for _ in 0..PEERS {
                let endpoint = quinn_endpoint(false);
                let connecting = endpoint.connect(address, tls::SERVER_NAME).expect("an attempt");
                let connection = connecting.await.expect("a connection");
                readers.spawn(async move {
                    while connection.read_datagram().await.is_ok() {}
                    drop(endpoint);
                });
            }
            while readers.join_next().await.is_some() {}
        });
    });
    let us = server_loop.block_on(async {
        let mut connections = Vec::new();
        while connections.len() < PEERS {
            connections.push(endpoint.accept().await.expect("an attempt").await.expect("a connection"));
        }
        let us = paced(ticks, async |due: Instant| {
            tokio::time::sleep_until(due.into()).await;
            for connection in &connections {
                connection.send_datagram(packet(PACKET_BYTES, false).into()).expect("a datagram leaves");
            }
        })
        .await;
        endpoint.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        us
    });
    clients.join().expect("the clients");
    us
}

fn lanes(ticks: u32) -> f64 {
    let server_loop = event_loop();
    let mut server = server_loop
        .block_on(async { Transport::quic_server(LOOPBACK, TransportConfig::default()) })
        .expect("a server");
    let address = server.local_addr().expect("an address");
    let (ready, is_ready) = mpsc::channel();
    let clients = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        event_loop().block_on(async {
            let mut readers = tokio::task::JoinSet::new();
            for _ in 0..PEERS {
                let mut client =
                    Transport::quic_client(LOOPBACK, TransportConfig::default()).expect("a client");
                client.connect(address).expect("an attempt");
                let connection = connected(&mut client).await;
                client.open_lane(connection, Lane::Control, 0).expect("the lane opens");
                readers.spawn(async move {
                    while !matches!(client.next_event().await, TransportEvent::Closed { .. }) {}
                });
            }
            ready.send(()).expect("somebody who listens");
            while readers.join_next().await.is_some() {}
        });
    });
    let us = server_loop.block_on(async {
        let mut connections = Vec::new();
        while connections.len() < PEERS {
            connections.push(connected(&mut server).await);
        }
        let us = paced(ticks, async |due: Instant| {
            // The driver takes events while it waits, as the I/O thread does.
            while tokio::time::timeout_at(due.into(), server.next_event()).await.is_ok() {}
            server.begin_batch();
            for connection in &connections {
                server.send(*connection, Lane::State, packet(PACKET_BYTES, false)).expect("a packet leaves");
            }
        })
        .await;
        assert!(server.shut_down(1, "measured", PATIENCE).await, "the clients hear of the end");
        us
    });
    is_ready.recv_timeout(PATIENCE).expect("the clients were up");
    clients.join().expect("the clients");
    us
}
