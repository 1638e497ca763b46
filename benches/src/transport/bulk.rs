//! One large transfer: a bulk lane, beside a bare quinn stream and TCP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use theta_core::types::Lane;
use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{Transport, TransportConfig, TransportEvent};

use super::pipes::{LOOPBACK, connected, packet, quinn_endpoint};
use super::server::event_loop;
use crate::contest::median;
use crate::placement;
use crate::report::{Beside, Report, Table, number};
use crate::settings::Settings;

/// A packet as large as a snapshot's.
const PACKET_BYTES: usize = 32 * 1024;

/// Its name, and a transfer of so many packets: megabytes per second.
type Contestant = (&'static str, fn(usize) -> f64);

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    // Below the limit of a bulk lane's queue, which takes a join snapshot whole.
    let packets: usize = settings.either(1536, 256);
    let rounds: usize = settings.either(7, 2);
    let contestants: [Contestant; 3] =
        [("TCP (limit: no crypto)", tcp), ("quinn stream alone", quinn), ("QUIC, bulk lane", lane)];
    let mut samples = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((_, run), samples) in contestants.iter().zip(&mut samples) {
            samples.push(run(packets));
        }
    }
    let megabytes = packets * PACKET_BYTES / 1_000_000;
    let title = format!("One transfer of {megabytes} MB in packets of 32 KiB, {rounds} times (wall time)");
    let mut table = Table::new(&title, &["over", "MB/s", "x quinn stream"]);
    let quinn = median(&mut samples[1]);
    for ((name, _), samples) in contestants.iter().zip(&mut samples) {
        let rate = median(samples);
        table.row([(*name).to_owned(), number(rate), number(rate / quinn)]);
        let beside = Some(Beside { name: contestants[1].0, value: quinn });
        report.note(&format!("bulk: {name}"), "throughput", rate, "MB/s", beside);
    }
    table.print();
}

fn rate(packets: usize, began: Instant) -> f64 {
    (packets * PACKET_BYTES) as f64 / 1e6 / began.elapsed().as_secs_f64()
}

fn tcp(packets: usize) -> f64 {
    let listener = TcpListener::bind(LOOPBACK).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let sender = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        let (mut stream, _) = listener.accept().expect("a client");
        let message = packet(PACKET_BYTES, false);
        for _ in 0..packets {
            stream.write_all(&message).expect("bytes leave");
        }
    });
    let mut stream = TcpStream::connect(address).expect("connects");
    let began = Instant::now();
    let mut buffer = vec![0; PACKET_BYTES];
    for _ in 0..packets {
        stream.read_exact(&mut buffer).expect("a packet");
    }
    let rate = rate(packets, began);
    sender.join().expect("the sender");
    rate
}

fn quinn(packets: usize) -> f64 {
    let (told, tell) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        event_loop().block_on(async {
            let endpoint = quinn_endpoint(true);
            told.send(endpoint.local_addr().expect("an address")).expect("somebody who listens");
            let connection = endpoint.accept().await.expect("an attempt").await.expect("a connection");
            let mut stream = connection.open_uni().await.expect("a stream");
            let message = packet(PACKET_BYTES, false);
            for _ in 0..packets {
                stream.write_all(&message).await.expect("bytes leave");
            }
            stream.finish().expect("the stream ends");
            let _ = stream.stopped().await;
            connection.closed().await;
        });
    });
    let address = tell.recv().expect("a server");
    let rate = event_loop().block_on(async {
        let endpoint = quinn_endpoint(false);
        let connecting = endpoint.connect(address, tls::SERVER_NAME).expect("an attempt");
        let connection = connecting.await.expect("a connection");
        let began = Instant::now();
        let mut stream = connection.accept_uni().await.expect("a stream");
        let mut buffer = vec![0; PACKET_BYTES];
        for _ in 0..packets {
            stream.read_exact(&mut buffer).await.expect("a packet");
        }
        let rate = rate(packets, began);
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        rate
    });
    sender.join().expect("the sender");
    rate
}

fn lane(packets: usize) -> f64 {
    let (told, tell) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        event_loop().block_on(async {
            let mut server = Transport::quic_server(LOOPBACK, TransportConfig::default()).expect("a server");
            told.send(server.local_addr().expect("an address")).expect("somebody who listens");
            let connection = connected(&mut server).await;
            // Made beforehand: what is measured is the lane.
            let messages: Vec<_> = (0..packets).map(|_| packet(PACKET_BYTES, false)).collect();
            loop {
                match server.next_event().await {
                    // The client's first packet says that its clock runs.
                    TransportEvent::Packet { .. } => {
                        server.open_lane(connection, Lane::Bulk(0), 0).expect("the lane opens");
                        for message in &messages {
                            server.send(connection, Lane::Bulk(0), message.clone()).expect("a packet leaves");
                        }
                        server.finish(connection, Lane::Bulk(0)).expect("the lane ends");
                    }
                    TransportEvent::Closed { .. } => return,
                    _ => {}
                }
            }
        });
    });
    let address = tell.recv().expect("a server");
    let rate = event_loop().block_on(async {
        let mut client = Transport::quic_client(LOOPBACK, TransportConfig::default()).expect("a client");
        client.connect(address).expect("an attempt");
        let connection = connected(&mut client).await;
        client.open_lane(connection, Lane::Control, 0).expect("the lane opens");
        let began = Instant::now();
        client.send(connection, Lane::Control, packet(16, false)).expect("a packet leaves");
        let mut received = 0;
        while received < packets {
            if let TransportEvent::Packet { lane: Lane::Bulk(_), .. } = client.next_event().await {
                received += 1;
            }
        }
        let rate = rate(packets, began);
        client.close(connection, 1, "measured");
        while !matches!(client.next_event().await, TransportEvent::Closed { .. }) {}
        rate
    });
    sender.join().expect("the sender");
    rate
}
