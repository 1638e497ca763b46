//! Echo servers: each in a thread of its own with an event loop of its own.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread::JoinHandle;

use theta_core::types::Lane;
use theta_sdk::transport::Transport;
use theta_sdk::transport::memory::Door;

use super::pipes::{LOOPBACK, PATIENCE, Pipe, connected, is_last, limits, packet, quinn_endpoint};
use crate::clock::ThreadClock;
use crate::placement;

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Blocking UDP.
    StdUdp,
    /// UDP on tokio.
    TokioUdp,
    /// Datagrams of bare quinn.
    Quinn,
    /// A lane over QUIC.
    Quic(Lane),
    /// A lane over memory.
    Memory(Lane),
}

/// Where a server is.
enum Address {
    Socket(SocketAddr),
    Memory(Door),
}

/// A server, and the client's end of a connection to it.
pub struct Echo {
    /// The client's end.
    pub pipe: Pipe,
    /// What drives it.
    pub runtime: tokio::runtime::Runtime,
    /// The CPU clock of the server's thread.
    pub server_clock: ThreadClock,
    server: Option<JoinHandle<()>>,
}

/// An event loop in the calling thread.
pub fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop")
}

impl Echo {
    /// Starts a server and connects to it.
    pub fn start(over: Over) -> Self {
        let (told, tell) = mpsc::channel();
        let server = std::thread::Builder::new()
            .name(format!("{over:?}"))
            .spawn(move || event_loop().block_on(serve(over, told)))
            .expect("a thread");
        let (address, server_clock) = tell.recv_timeout(PATIENCE).expect("a server");
        let runtime = event_loop();
        let pipe = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, connect(over, address)).await.expect("a connection in time")
        });
        Self { pipe, runtime, server_clock, server: Some(server) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The process ends, and the server with it.
            return;
        }
        self.runtime.block_on(async {
            self.pipe.send(packet(16, true)).await;
            // Answered as the last one, so the server has had it.
            let _ = tokio::time::timeout(PATIENCE, self.pipe.receive()).await;
        });
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

async fn serve(over: Over, told: mpsc::Sender<(Address, ThreadClock)>) {
    placement::pin(placement::LAST);
    let clock = ThreadClock::of_this_thread();
    let tell = |address| told.send((address, clock)).expect("somebody who listens");
    let limits = limits();
    let mut pipe = match over {
        Over::StdUdp | Over::TokioUdp => {
            let socket = UdpSocket::bind(LOOPBACK).expect("a socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            tell(Address::Socket(socket.local_addr().expect("an address")));
            // The first packet says where the client is.
            let (_, client) = socket.recv_from(&mut [0; 2048]).expect("a client");
            socket.connect(client).expect("connects");
            udp(over, socket)
        }
        Over::Quinn => {
            let endpoint = quinn_endpoint(true);
            tell(Address::Socket(endpoint.local_addr().expect("an address")));
            let connection = endpoint.accept().await.expect("an attempt").await.expect("a connection");
            Pipe::Quinn { _endpoint: endpoint, connection }
        }
        Over::Quic(lane) => {
            let mut transport = Transport::quic_server(LOOPBACK, limits).expect("a server");
            tell(Address::Socket(transport.local_addr().expect("an address")));
            let connection = connected(&mut transport).await;
            open(&mut transport, connection, lane);
            Pipe::Lane { transport, connection, lane }
        }
        Over::Memory(lane) => {
            let mut transport = Transport::memory_server(limits);
            tell(Address::Memory(transport.door().expect("a door")));
            let connection = connected(&mut transport).await;
            open(&mut transport, connection, lane);
            Pipe::Lane { transport, connection, lane }
        }
    };
    while let Some(packet) = pipe.receive().await {
        let ends = is_last(&packet);
        pipe.send(packet).await;
        if ends {
            // Until the client has gone, or long enough.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), pipe.receive()).await;
            return;
        }
    }
}

fn udp(over: Over, socket: UdpSocket) -> Pipe {
    if over == Over::StdUdp {
        return Pipe::StdUdp(socket);
    }
    socket.set_nonblocking(true).expect("a socket that does not block");
    Pipe::TokioUdp(tokio::net::UdpSocket::from_std(socket).expect("a socket of the event loop"))
}

fn open(transport: &mut Transport, connection: theta_sdk::transport::ConnectionId, lane: Lane) {
    if lane.is_reliable() {
        transport.open_lane(connection, lane, 0).expect("the lane opens");
    }
}

async fn connect(over: Over, address: Address) -> Pipe {
    let limits = limits();
    match (over, address) {
        (Over::StdUdp | Over::TokioUdp, Address::Socket(address)) => {
            let socket = UdpSocket::bind(LOOPBACK).expect("a socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            socket.connect(address).expect("connects");
            socket.send(&packet(16, false)).expect("the first packet leaves");
            udp(over, socket)
        }
        (Over::Quinn, Address::Socket(address)) => {
            let endpoint = quinn_endpoint(false);
            let connecting = endpoint.connect(address, theta_sdk::transport::quic::tls::SERVER_NAME);
            let connection = connecting.expect("an attempt").await.expect("a connection");
            Pipe::Quinn { _endpoint: endpoint, connection }
        }
        (Over::Quic(lane), Address::Socket(address)) => {
            let mut transport = Transport::quic_client(LOOPBACK, limits).expect("a client");
            transport.connect(address).expect("an attempt");
            let connection = connected(&mut transport).await;
            // A server keeps only connections that open their control lane.
            transport.open_lane(connection, Lane::Control, 0).expect("the lane opens");
            Pipe::Lane { transport, connection, lane }
        }
        (Over::Memory(lane), Address::Memory(door)) => {
            let mut transport = Transport::memory_client(limits);
            transport.connect_memory(&door, [7; 32], 1200);
            let connection = connected(&mut transport).await;
            transport.open_lane(connection, Lane::Control, 0).expect("the lane opens");
            Pipe::Lane { transport, connection, lane }
        }
        _ => unreachable!("a server of another kind"),
    }
}
