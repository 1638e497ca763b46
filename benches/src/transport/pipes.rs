//! One way to send packets and take them in: what the echo is measured over.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use theta_core::types::Lane;
use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{ConnectionId, Transport, TransportConfig, TransportEvent};

/// A socket of this machine, on any free port.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// What does not arrive within this was lost, which loopback does not do.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One end of a connection.
pub enum Pipe {
    /// Blocking UDP of the standard library.
    StdUdp(UdpSocket),
    /// UDP on tokio.
    TokioUdp(tokio::net::UdpSocket),
    /// A quinn connection with this project's TLS and QUIC settings, its datagrams alone.
    Quinn {
        /// Keeps the socket.
        _endpoint: quinn::Endpoint,
        /// The connection.
        connection: quinn::Connection,
    },
    /// A lane of this project.
    Lane {
        /// Its transport.
        transport: Transport,
        /// The connection.
        connection: ConnectionId,
        /// The lane.
        lane: Lane,
    },
}

impl Pipe {
    /// Sends a packet.
    pub async fn send(&mut self, packet: Vec<u8>) {
        match self {
            Self::StdUdp(socket) => {
                socket.send(&packet).expect("a packet leaves");
            }
            Self::TokioUdp(socket) => {
                socket.send(&packet).await.expect("a packet leaves");
            }
            Self::Quinn { connection, .. } => {
                // Waits for room: quinn's other way drops the oldest datagram where its buffer is full.
                connection.send_datagram_wait(packet.into()).await.expect("a datagram leaves");
            }
            Self::Lane { transport, connection, lane } => {
                transport.send(*connection, *lane, packet).expect("a packet leaves");
            }
        }
    }

    /// The next packet, or `None` when the other end is gone.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::StdUdp(socket) => {
                let mut buffer = vec![0; 2048];
                let bytes = socket.recv(&mut buffer).ok()?;
                buffer.truncate(bytes);
                Some(buffer)
            }
            Self::TokioUdp(socket) => {
                let mut buffer = vec![0; 2048];
                let bytes = socket.recv(&mut buffer).await.ok()?;
                buffer.truncate(bytes);
                Some(buffer)
            }
            Self::Quinn { connection, .. } => Some(connection.read_datagram().await.ok()?.to_vec()),
            Self::Lane { transport, .. } => loop {
                match transport.next_event().await {
                    TransportEvent::Packet { bytes, .. } => return Some(bytes),
                    TransportEvent::Closed { .. } => return None,
                    TransportEvent::Purged { packets, .. } => panic!("{packets} packets were purged"),
                    _ => {}
                }
            },
        }
    }
}

/// The transport's defaults; only that a connection may wait while others are measured.
pub fn limits() -> TransportConfig {
    TransportConfig { idle_timeout: Duration::from_secs(120), ..TransportConfig::default() }
}

/// A quinn end point with this project's settings, to accept or to connect.
pub fn quinn_endpoint(accepts: bool) -> quinn::Endpoint {
    let limits = limits();
    if accepts {
        let config = tls::server_config(&limits).expect("server settings");
        quinn::Endpoint::server(config, LOOPBACK).expect("a socket")
    } else {
        let mut endpoint = quinn::Endpoint::client(LOOPBACK).expect("a socket");
        endpoint.set_default_client_config(tls::client_config(&limits).expect("client settings"));
        endpoint
    }
}

/// The connection, once it is up.
pub async fn connected(transport: &mut Transport) -> ConnectionId {
    loop {
        if let TransportEvent::Connected { connection, .. } = transport.next_event().await {
            return connection;
        }
    }
}

/// A packet of so many bytes (at least 16), its length in front as lanes want it; `is_last` asks the server to end.
pub fn packet(bytes: usize, is_last: bool) -> Vec<u8> {
    let mut packet = vec![0; bytes];
    packet[..2].copy_from_slice(&(bytes as u16).to_le_bytes());
    packet[2] = u8::from(is_last);
    packet
}

/// True for the packet that ends a server.
pub fn is_last(packet: &[u8]) -> bool {
    packet.get(2) == Some(&1)
}
