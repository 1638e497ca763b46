//! Lanes over QUIC (quinn on tokio, TLS 1.3 by rustls with ring, ALPN `theta/1`, no early data).
//!
//! The control lane is the client's first bidirectional stream (id 0), the replication lane the server's first (id 1),
//! bulk lanes are unidirectional streams of the server. Each direction of each stream opens with the 16-byte preface;
//! after it come packets, each beginning with its length. A datagram is one byte, the lane's wire number, and one
//! packet. Keep-alives are off, because the session's heartbeats do that work and say more.

mod congestion;
mod connection;
mod socket;
pub mod tls;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use quinn::Runtime as _;
use theta_core::session::Binding;
use theta_core::types::Lane;
use theta_core::wire::message::BindingKind;
use tokio::task::AbortHandle;

use self::socket::ConditionedSocket;
use super::config::RETRY_SHARE;
use super::throttle::Throttle;
use super::{Backend, ConnectionId, Fault, Shared, Transport, TransportConfig, TransportError};

pub(super) fn bind(
    address: SocketAddr,
    accepts: bool,
    config: TransportConfig,
) -> Result<Transport, TransportError> {
    let bind_error = |source| TransportError::Bind { address, source };
    let socket = std::net::UdpSocket::bind(address).map_err(bind_error)?;
    let server = if accepts { Some(tls::server_config(&config)?) } else { None };
    let runtime = Arc::new(quinn::TokioRuntime);
    let socket = runtime.wrap_udp_socket(socket).map_err(bind_error)?;
    let socket = Arc::new(ConditionedSocket::new(socket, config.conditioner.clone()));
    let settings = quinn::EndpointConfig::default();
    let mut endpoint =
        quinn::Endpoint::new_with_abstract_socket(settings, server, socket, runtime).map_err(bind_error)?;
    endpoint.set_default_client_config(tls::client_config(&config)?);
    let acceptor_endpoint = endpoint.clone();
    let mut transport = Transport::new(config, |_| Backend::Quic(endpoint));
    if accepts {
        let acceptor = tokio::spawn(accept(acceptor_endpoint, Arc::clone(&transport.shared)));
        transport.acceptor = Some(acceptor.abort_handle());
    }
    Ok(transport)
}

pub(super) fn rebind(endpoint: &quinn::Endpoint) -> Result<(), TransportError> {
    let unbound = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let address = endpoint.local_addr().map_or(unbound, any_address_for);
    let moved = std::net::UdpSocket::bind(address).and_then(|socket| endpoint.rebind(socket));
    moved.map_err(|source| TransportError::Bind { address, source })
}

/// An address of the same family on which a client's socket can be bound.
pub fn any_address_for(remote: SocketAddr) -> SocketAddr {
    let ip = match remote {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

pub(super) fn connect(
    endpoint: &quinn::Endpoint,
    address: SocketAddr,
    shared: &Arc<Shared>,
) -> Result<(ConnectionId, AbortHandle), TransportError> {
    let connecting = endpoint
        .connect(address, tls::SERVER_NAME)
        .map_err(|error| TransportError::Connect { address, reason: error.to_string() })?;
    let id = shared.next_id();
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        let fault = match tokio::time::timeout(shared.config.handshake_timeout, connecting).await {
            Err(_) => Fault::Unreachable("nobody answers at this address".to_owned()),
            Ok(Err(error)) => attempt_fault(&error),
            Ok(Ok(connection)) => match binding(&connection) {
                Ok(binding) => {
                    let client = connection::Side::Client;
                    // A task of its own: this one is aborted when the attempt is given up.
                    tokio::spawn(connection::supervise(connection, id, binding, client, shared));
                    return;
                }
                Err(fault) => fault,
            },
        };
        shared.closed(id, fault.code(), fault.to_string()).await;
    });
    Ok((id, task.abort_handle()))
}

/// Takes connections in, within the limits.
async fn accept(endpoint: quinn::Endpoint, shared: Arc<Shared>) {
    let began = Instant::now();
    let limits = &shared.config;
    let mut throttle = Throttle::new(limits.attempts_burst, limits.attempts_per_second);
    while let Some(incoming) = endpoint.accept().await {
        let half_open = limits.max_half_open.saturating_sub(shared.half_open.available_permits());
        let busy = half_open * RETRY_SHARE >= limits.max_half_open;
        if busy && incoming.may_retry() && !incoming.remote_address_validated() {
            // Costs us one packet and no memory; whoever faked its address never sees it.
            let _ = incoming.retry();
            continue;
        }
        if !throttle.allow(incoming.remote_address().ip(), began.elapsed().as_millis() as u64) {
            incoming.ignore();
            continue;
        }
        let places = (
            Arc::clone(&shared.connections).try_acquire_owned(),
            Arc::clone(&shared.half_open).try_acquire_owned(),
        );
        let (Ok(place), Ok(half_open)) = places else {
            incoming.refuse();
            continue;
        };
        let Ok(connecting) = incoming.accept() else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // An attempt that fails before TLS is done has told the application nothing, so it hears nothing.
            let timeout = shared.config.handshake_timeout;
            let Ok(Ok(connection)) = tokio::time::timeout(timeout, connecting).await else { return };
            let Ok(binding) = binding(&connection) else { return };
            let id = shared.next_id();
            let server = connection::Side::Server { place, half_open };
            connection::supervise(connection, id, binding, server, shared).await;
        });
    }
}

/// The value that only the two ends of this TLS connection know.
fn binding(connection: &quinn::Connection) -> Result<Binding, Fault> {
    let mut bytes = [0; 32];
    connection
        .export_keying_material(&mut bytes, tls::EXPORTER_LABEL, b"")
        .map_err(|_| Fault::Lost("TLS exports no key".to_owned()))?;
    Ok(Binding { kind: BindingKind::TlsExporter, bytes })
}

/// A datagram's bytes: the lane's number, then the packet.
pub(super) fn frame_datagram(lane: Lane, packet: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(packet.len() + 1);
    framed.push(lane.wire_id());
    framed.extend_from_slice(packet);
    framed
}

/// What a failed attempt means.
fn attempt_fault(error: &quinn::ConnectionError) -> Fault {
    match error {
        quinn::ConnectionError::TimedOut => Fault::Unreachable("nobody answers at this address".to_owned()),
        quinn::ConnectionError::ConnectionClosed(close)
            if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
        {
            Fault::Refused
        }
        other => Fault::Unreachable(other.to_string()),
    }
}
