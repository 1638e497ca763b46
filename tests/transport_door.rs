//! What a server does with those who only knock, over real sockets: when it demands a proof of address, what that costs it,
//! and what it ignores.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;
use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{Transport, TransportConfig, TransportEvent};

const LOOPBACK: &str = "127.0.0.1:0";

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time") })
}

fn address() -> SocketAddr {
    LOOPBACK.parse().expect("an address")
}

/// Retry of QUIC version 1: a long header of type 3 (RFC 9000, 17.2.5).
fn is_retry(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0xf0 == 0xf0)
}

/// The length of the token in an Initial (RFC 9000, 17.2.2), `None` for other packets.
fn token_bytes(packet: &[u8]) -> Option<u64> {
    if packet.first()? & 0xf0 != 0xc0 {
        return None;
    }
    let destination = usize::from(*packet.get(5)?);
    let source_at = 6 + destination;
    let at = source_at + 1 + usize::from(*packet.get(source_at)?);
    let first = *packet.get(at)?;
    let length = 1 << (first >> 6);
    let rest = packet.get(at + 1..at + length)?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte)))
}

/// Stands between a client and a server, and notes what each says.
struct Wire {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    said: Arc<Mutex<Said>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone, Debug, Default)]
struct Said {
    by_client: Vec<Vec<u8>>,
    by_server: Vec<Vec<u8>>,
}

impl Wire {
    fn before(server: SocketAddr) -> Self {
        let front = UdpSocket::bind(LOOPBACK).expect("a socket");
        let back = UdpSocket::bind(LOOPBACK).expect("a socket");
        for socket in [&front, &back] {
            socket.set_nonblocking(true).expect("set");
        }
        let address = front.local_addr().expect("an address");
        let (ends, said) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Said>>::default());
        let (end, note) = (Arc::clone(&ends), Arc::clone(&said));
        let thread = std::thread::spawn(move || {
            let (mut client, mut bytes) = (None, [0; 4096]);
            while !end.load(Ordering::SeqCst) {
                while let Ok((length, from)) = front.recv_from(&mut bytes) {
                    client = Some(from);
                    note.lock().expect("a note").by_client.push(bytes[..length].to_vec());
                    let _ = back.send_to(&bytes[..length], server);
                }
                while let Ok((length, _)) = back.recv_from(&mut bytes) {
                    note.lock().expect("a note").by_server.push(bytes[..length].to_vec());
                    if let Some(client) = client {
                        let _ = front.send_to(&bytes[..length], client);
                    }
                }
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        Self { address, ends, said, thread: Some(thread) }
    }

    fn said(&self) -> Said {
        self.said.lock().expect("a note").clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn endpoint() -> quinn::Endpoint {
    let mut endpoint = quinn::Endpoint::client(address()).expect("a socket");
    endpoint.set_default_client_config(tls::client_config(&TransportConfig::default()).expect("settings"));
    endpoint
}

/// A connection that never opens its control lane.
async fn half_open(server: SocketAddr) -> (quinn::Endpoint, quinn::Connection) {
    let endpoint = endpoint();
    let connection = endpoint.connect(server, tls::SERVER_NAME).expect("an attempt").await;
    (endpoint, connection.expect("a connection"))
}

/// The first packet of somebody who never says another.
async fn first_packet() -> Vec<u8> {
    let nobody = tokio::net::UdpSocket::bind(LOOPBACK).await.expect("a socket");
    let endpoint = endpoint();
    let attempt = endpoint.connect(nobody.local_addr().expect("an address"), tls::SERVER_NAME);
    let _attempt = attempt.expect("an attempt");
    let mut packet = vec![0; 2048];
    let length = nobody.recv(&mut packet).await.expect("a packet");
    packet.truncate(length);
    packet
}

/// Sends packets from a socket that says nothing more, and gives what comes back within a moment.
fn answers(server: SocketAddr, packet: &[u8], times: usize) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind(LOOPBACK).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    let (mut heard, mut bytes) = (Vec::new(), [0; 2048]);
    for _ in 0..times {
        socket.send_to(packet, server).expect("leaves");
        std::thread::sleep(Duration::from_millis(1));
    }
    while let Ok(length) = socket.recv(&mut bytes) {
        heard.push(bytes[..length].to_vec());
    }
    heard
}

/// A client of ours through a wire: connects, and opens its control lane.
async fn joins(server: SocketAddr) -> Said {
    let wire = Wire::before(server);
    let mut client = Transport::quic_client(address(), TransportConfig::default()).expect("a client");
    let id = client.connect(wire.address).expect("an attempt");
    loop {
        match client.next_event().await {
            TransportEvent::Connected { .. } => break,
            TransportEvent::Closed { code, reason, .. } => panic!("closed with {code}: {reason}"),
            _ => {}
        }
    }
    client.open_lane(id, Lane::Control, 0).expect("opens");
    let said = wire.said();
    // Delivers the lane's preface, and ends the connection at both ends.
    client.shut_down(1, "", Duration::from_secs(5)).await;
    said
}

/// A server in a thread of its own, so that it lives while the test waits.
struct Server {
    address: SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<u32>>,
}

impl Server {
    fn start(config: TransportConfig) -> Self {
        let (told, tell) = std::sync::mpsc::channel();
        let (end, ends) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let mut transport = Transport::quic_server(address(), config).expect("a server");
                told.send(transport.local_addr().expect("an address")).expect("somebody who listens");
                let mut connected = 0;
                let serving = async {
                    loop {
                        let event = transport.next_event().await;
                        connected += u32::from(matches!(event, TransportEvent::Connected { .. }));
                    }
                };
                tokio::select! {
                    _ = ends => {}
                    () = serving => {}
                }
                connected
            })
        });
        let address = tell.recv_timeout(Duration::from_secs(10)).expect("a server");
        Self { address, end: Some(end), thread: Some(thread) }
    }

    /// Ends it: how many connections it took in.
    fn stop(mut self) -> u32 {
        let _ = self.end.take().map(|end| end.send(()));
        self.thread.take().map_or(0, |thread| thread.join().expect("a server that ends"))
    }
}

#[test]
fn a_retry_is_demanded_from_half_of_the_places_on_and_not_before() {
    let server = Server::start(TransportConfig { max_half_open: 4, ..TransportConfig::default() });
    run(async {
        let _first = half_open(server.address).await;
        let calm = joins(server.address).await;
        assert!(!calm.by_server.iter().any(|packet| is_retry(packet)), "one of four is half open");

        let _second = half_open(server.address).await;
        let busy = joins(server.address).await;
        let retries: Vec<_> = busy.by_server.iter().filter(|packet| is_retry(packet)).collect();
        assert_eq!(retries.len(), 1, "two of four are half open");
        assert!(is_retry(&busy.by_server[0]), "it is the first that the server says");
        // One packet, smaller than the one it answers: nobody is flooded through this server.
        assert!(retries[0].len() < busy.by_client[0].len() / 4, "{} bytes", retries[0].len());
        let tokens: Vec<u64> = busy.by_client.iter().filter_map(|packet| token_bytes(packet)).collect();
        assert_eq!(tokens[0], 0, "the first Initial has no token");
        assert!(tokens.iter().any(|bytes| *bytes > 0), "the next one has the Retry's: {tokens:?}");
    });
    assert_eq!(server.stop(), 4);
}

#[test]
fn who_does_not_prove_its_address_takes_no_place() {
    let config = TransportConfig { max_half_open: 4, attempts_burst: 8, ..TransportConfig::default() };
    let server = Server::start(TransportConfig { attempts_per_second: 0, ..config });
    run(async {
        let _first = half_open(server.address).await;
        let _second = half_open(server.address).await;
        let packet = first_packet().await;
        let heard = answers(server.address, &packet, 100);
        assert!(heard.len() > 50, "{} answers to 100 packets", heard.len());
        assert!(heard.iter().all(|packet| is_retry(packet)), "a Retry each, and nothing else");
        // No place is taken by them, and no attempt of this network is counted: six are left of eight.
        for _ in 0..6 {
            joins(server.address).await;
        }
        assert_eq!(answers(server.address, &packet, 1).len(), 1, "still asked for its address first");
    });
    assert_eq!(server.stop(), 8);
}

#[test]
fn a_network_that_begins_too_often_is_ignored() {
    // How a share comes back with time is tested where the clock can be set, beside the throttle.
    let config = TransportConfig { attempts_burst: 3, attempts_per_second: 0, ..TransportConfig::default() };
    let server = Server::start(config);
    run(async {
        for _ in 0..3 {
            joins(server.address).await;
        }
        let packet = first_packet().await;
        assert_eq!(answers(server.address, &packet, 20), Vec::<Vec<u8>>::new(), "not a word");
        let config =
            TransportConfig { handshake_timeout: Duration::from_millis(700), ..TransportConfig::default() };
        let mut client = Transport::quic_client(address(), config).expect("a client");
        client.connect(server.address).expect("an attempt");
        match client.next_event().await {
            TransportEvent::Closed { code, .. } => assert_eq!(code, DisconnectCode::LinkLost as u16),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(server.stop(), 3);
}
