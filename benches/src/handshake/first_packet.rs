//! Packets over UDP that begin a connection and come to nothing: what somebody who floods a host makes it spend.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{Transport, TransportConfig};

use super::{distribution, table};
use crate::clock::ThreadClock;
use crate::placement;
use crate::report::Report;
use crate::settings::Settings;

const LOOPBACK: &str = "127.0.0.1:0";
/// Packets of one sample: a clock of another thread is read before and after them.
const BATCH: usize = 32;
/// Until a server has done with a batch.
const SETTLE: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_secs(10);

/// How a server answers a first packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It is no QUIC.
    Noise,
    /// Its network has used up its share.
    Ignored,
    /// It must prove its address.
    Retry,
    /// There is no place.
    Refused,
}

pub(super) fn run(settings: &Settings, report: &mut Report) {
    let batches: usize = settings.either(300, 30);
    let title =
        format!("First packets, CPU of the server's thread for each, means of {BATCH}, {batches} times");
    let mut table = table(&title);
    for (answer, case) in [
        (Answer::Noise, "1200 bytes that are no QUIC: dropped"),
        (Answer::Ignored, "an Initial above its network's share: ignored"),
        (Answer::Retry, "an Initial where many are half open: answered by Retry"),
        (Answer::Refused, "an Initial where there is no place: refused"),
    ] {
        distribution(report, &mut table, case, &mut measure(answer, batches));
    }
    table.print();
}

fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop")
}

fn client() -> quinn::Endpoint {
    let mut endpoint = quinn::Endpoint::client(LOOPBACK.parse().expect("an address")).expect("a socket");
    endpoint.set_default_client_config(tls::client_config(&TransportConfig::default()).expect("settings"));
    endpoint
}

/// The first packet of a connection that nobody answers.
fn initial() -> Vec<u8> {
    let nobody = UdpSocket::bind(LOOPBACK).expect("a socket");
    nobody.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = nobody.local_addr().expect("an address");
    event_loop().block_on(async {
        let endpoint = client();
        let _attempt = endpoint.connect(address, tls::SERVER_NAME).expect("an attempt");
        let heard = tokio::task::spawn_blocking(move || {
            let mut packet = vec![0; 2048];
            let bytes = nobody.recv(&mut packet).expect("a first packet");
            packet.truncate(bytes);
            packet
        });
        heard.await.expect("a packet")
    })
}

fn limits(answer: Answer) -> TransportConfig {
    let config = TransportConfig {
        handshake_timeout: Duration::from_secs(120),
        idle_timeout: Duration::from_secs(120),
        ..TransportConfig::default()
    };
    match answer {
        Answer::Noise | Answer::Ignored => {
            TransportConfig { attempts_burst: 0, attempts_per_second: 0, ..config }
        }
        Answer::Retry => TransportConfig { max_half_open: 2, ..config },
        Answer::Refused => TransportConfig {
            max_connections: 1,
            attempts_burst: 1 << 20,
            attempts_per_second: 1 << 20,
            ..config
        },
    }
}

/// CPU microseconds for each packet, a sample for each batch.
fn measure(answer: Answer, batches: usize) -> Vec<f64> {
    let (told, tell) = mpsc::channel();
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        placement::pin(placement::LAST);
        event_loop().block_on(async {
            let address: SocketAddr = LOOPBACK.parse().expect("an address");
            let mut transport = Transport::quic_server(address, limits(answer)).expect("a server");
            let address = transport.local_addr().expect("an address");
            told.send((address, ThreadClock::of_this_thread())).expect("somebody who listens");
            tokio::select! {
                _ = ends => {}
                () = async { loop { transport.next_event().await; } } => {}
            }
        });
    });
    let (address, clock) = tell.recv_timeout(PATIENCE).expect("a server");
    let holding = event_loop();
    // Somebody who has a place and never opens a lane.
    let _held = matches!(answer, Answer::Retry | Answer::Refused).then(|| {
        holding.block_on(async {
            let endpoint = client();
            let connection = endpoint.connect(address, tls::SERVER_NAME).expect("an attempt").await;
            (endpoint, connection.expect("a connection"))
        })
    });
    let packet = if answer == Answer::Noise { vec![0x15; 1200] } else { initial() };
    let socket = UdpSocket::bind(LOOPBACK).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not block");
    let mut heard = 0;
    let mut batch = || {
        let began = clock.now_ns();
        for _ in 0..BATCH {
            socket.send_to(&packet, address).expect("a packet leaves");
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(SETTLE);
        let spent_ns = clock.now_ns() - began;
        while socket.recv(&mut [0; 2048]).is_ok() {
            heard += 1;
        }
        spent_ns as f64 / 1000.0 / BATCH as f64
    };
    for _ in 0..batches / 10 {
        batch();
    }
    let samples = (0..batches).map(|_| batch()).collect();
    let is_answered = matches!(answer, Answer::Retry | Answer::Refused);
    assert_eq!(heard > 0, is_answered, "{heard} answers");
    let _ = end.send(());
    server.join().expect("a server that ends");
    samples
}
