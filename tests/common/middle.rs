//! A node in the middle that ends QUIC on both sides and forwards everything else untouched: every byte of every
//! stream, every datagram, every close. To the client it is the server, to the server it is the client; only the TLS
//! keys differ, which is exactly what channel binding must notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt};
use theta_sdk::transport::TransportConfig;
use theta_sdk::transport::quic::tls;

/// The node; it lives until it is dropped.
pub struct Middle {
    /// Where a client connects to it.
    pub address: SocketAddr,
    /// Stream bytes and datagrams that went through, both ways.
    pub forwarded: Arc<Forwarded>,
    task: tokio::task::JoinHandle<()>,
}

/// What went through.
#[derive(Default)]
pub struct Forwarded {
    pub stream_bytes: AtomicU64,
    pub datagrams: AtomicU64,
    pub connections: AtomicU64,
}

impl Middle {
    /// Stands between whoever connects to it and `server`. Inside a tokio runtime.
    pub fn before(server: SocketAddr) -> Self {
        let limits = TransportConfig::default();
        let loopback: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let front = Endpoint::server(tls::server_config(&limits).expect("server settings"), loopback)
            .expect("a front socket");
        let mut back = Endpoint::client(loopback).expect("a back socket");
        back.set_default_client_config(tls::client_config(&limits).expect("client settings"));
        let address = front.local_addr().expect("an address");
        let forwarded = Arc::new(Forwarded::default());
        let counted = Arc::clone(&forwarded);
        let task = tokio::spawn(async move {
            while let Some(incoming) = front.accept().await {
                let (back, counted) = (back.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(client) = incoming.await else { return };
                    let Ok(connecting) = back.connect(server, tls::SERVER_NAME) else { return };
                    let Ok(server) = connecting.await else { return };
                    counted.connections.fetch_add(1, Ordering::Relaxed);
                    forward(client, server, &counted).await;
                });
            }
        });
        Self { address, forwarded, task }
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(client: Connection, server: Connection, counted: &Arc<Forwarded>) {
    let tasks = [
        tokio::spawn(streams(client.clone(), server.clone(), Arc::clone(counted))),
        tokio::spawn(streams(server.clone(), client.clone(), Arc::clone(counted))),
        tokio::spawn(datagrams(client.clone(), server.clone(), Arc::clone(counted))),
        tokio::spawn(datagrams(server.clone(), client.clone(), Arc::clone(counted))),
    ];
    let (reason, other) = tokio::select! {
        reason = client.closed() => (reason, &server),
        reason = server.closed() => (reason, &client),
    };
    // What was on its way when one side closed still goes through.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    if let ConnectionError::ApplicationClosed(close) = reason {
        other.close(close.error_code, &close.reason);
    } else {
        other.close(VarInt::from_u32(4), b"the other side is gone");
    }
    for task in tasks {
        task.abort();
    }
}

/// Mirrors every stream that `from` opens.
async fn streams(from: Connection, to: Connection, counted: Arc<Forwarded>) {
    loop {
        tokio::select! {
            bidirectional = from.accept_bi() => {
                let Ok((answer, question)) = bidirectional else { return };
                let Ok((forward, back)) = to.open_bi().await else { return };
                tokio::spawn(copy(question, forward, Arc::clone(&counted)));
                tokio::spawn(copy(back, answer, Arc::clone(&counted)));
            }
            one_way = from.accept_uni() => {
                let Ok(receive) = one_way else { return };
                let Ok(send) = to.open_uni().await else { return };
                tokio::spawn(copy(receive, send, Arc::clone(&counted)));
            }
        }
    }
}

async fn copy(mut from: RecvStream, mut to: SendStream, counted: Arc<Forwarded>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(Some(bytes)) = from.read(&mut buffer).await {
        counted.stream_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
    let _ = to.finish();
    let _ = to.stopped().await;
}

async fn datagrams(from: Connection, to: Connection, counted: Arc<Forwarded>) {
    while let Ok(datagram) = from.read_datagram().await {
        counted.datagrams.fetch_add(1, Ordering::Relaxed);
        if to.send_datagram(datagram).is_err() {
            return;
        }
    }
}

/// The node on a thread of its own, for tests that have no tokio runtime.
pub struct MiddleThread {
    /// Where a client connects to it.
    pub address: SocketAddr,
    /// What went through.
    pub forwarded: Arc<Forwarded>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl MiddleThread {
    /// Stands between whoever connects to it and `server`.
    pub fn before(server: SocketAddr) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
            reactor.block_on(async {
                let middle = Middle::before(server);
                tell.send((middle.address, Arc::clone(&middle.forwarded))).expect("the test is there");
                let _ = stopped.await;
            });
        });
        let (address, forwarded) = told.recv().expect("the node is up");
        Self { address, forwarded, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for MiddleThread {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
