//! Lanes over QUIC and over memory. A session names a lane; a transport decides what carries it.
//!
//! For: moving packets between two machines (or two ends in one process) with the promise of each lane, bounded in
//! memory, with events in and commands out. Never: looks into a packet beyond its length, knows a session, a role or a
//! key, waits in a command. Called by the runtime's I/O thread and by tests; everything here runs inside a tokio
//! runtime.
//!
//! | lane | QUIC | memory |
//! |---|---|---|
//! | control | the client's first bidirectional stream (id 0) | a queue |
//! | replication | the server's first bidirectional stream (id 1) | a queue |
//! | state, input, presence | datagrams: one byte lane number, then the packet | a queue with purge |
//! | bulk n | one unidirectional stream each | a queue each |
//!
//! **Who is at the other end is not decided here.** The QUIC certificate is made anew for each endpoint and accepted
//! whatever it is; identity is proved one level up, by signatures over a transcript that contains the
//! [`Binding`] which [`TransportEvent::Connected`] carries. A node in the middle that ends both TLS connections has two
//! different bindings and cannot forward the proofs.
//!
//! **Back-pressure.** Inbound, a driver that does not take events stops the readers, and with them the other end's
//! flow-control window. Outbound, each reliable lane has a queue with a limit in bytes; when the other end reads so
//! slowly that the queue overflows, the connection is closed with [`Fault::SlowReader`]. Datagram lanes hold one
//! batch (tick), see `datagrams`.
//!
//! | file | concern |
//! |---|---|
//! | `config` | every limit, in one table |
//! | `conditioner` | loss, latency and jitter on purpose |
//! | `fault` | why a transport ends a connection, and the code it gives |
//! | `link` | one connection as the commands see it |
//! | `outbox` | bounded queue of a reliable lane |
//! | `datagrams` | one-tick queue with purge |
//! | `throttle` | attempts per address |
//! | [`quic`] | QUIC by quinn |
//! | [`memory`] | two ends in one process |

mod conditioner;
mod config;
mod datagrams;
mod fault;
mod link;
pub mod memory;
mod outbox;
pub mod quic;
mod throttle;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use theta_core::session::Binding;
use theta_core::types::Lane;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

pub use conditioner::{
    ConditionerCounters, LinkConditioner, LinkConditions, MAX_CONDITION_US, NARROW_QUEUE_BYTES,
};
pub use config::TransportConfig;
pub use fault::Fault;
pub use throttle::Network;

use link::Link;

/// One connection of one transport. Never reused by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// Where the other end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// At this UDP address.
    Address(SocketAddr),
    /// In this process.
    Memory,
}

impl Remote {
    /// What one customer of a network usually has to itself: an IPv4 address, the first 64 bits of an IPv6 address. None for
    /// this machine.
    pub fn network(self) -> Option<Network> {
        match self {
            Self::Address(address) if !self.is_loopback() => Some(Network::of(address.ip())),
            _ => None,
        }
    }

    /// True when the other end is this machine.
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Address(address) => address.ip().to_canonical().is_loopback(),
            Self::Memory => true,
        }
    }
}

/// What a transport reports. Per connection: `Connected` first (unless the attempt fails), `Closed` last, once.
#[derive(Debug)]
pub enum TransportEvent {
    /// A connection is up, after the transport's own handshake.
    Connected {
        /// Which.
        connection: ConnectionId,
        /// What proofs of identity bind themselves to.
        binding: Binding,
        /// Largest packet a datagram lane takes now, in bytes.
        max_datagram_bytes: usize,
        /// Where the other end is.
        remote: Remote,
    },
    /// The other end opened its direction of a reliable lane.
    StreamOpened {
        /// On which connection.
        connection: ConnectionId,
        /// Which lane.
        lane: Lane,
        /// The schema hash in the preface.
        schema_hash: u64,
    },
    /// A whole packet arrived. Its length is what its first two bytes say; nothing else of it was checked.
    Packet {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// The path's limit for datagram lanes changed.
    DatagramLimit {
        /// On which connection.
        connection: ConnectionId,
        /// The new limit in bytes.
        max_datagram_bytes: usize,
    },
    /// Unsent packets were dropped, because a newer batch replaced them or their lane's queue was full.
    Purged {
        /// On which connection.
        connection: ConnectionId,
        /// On which lane.
        lane: Lane,
        /// How many packets.
        packets: u32,
        /// How many bytes.
        bytes: u64,
    },
    /// The connection is over, whoever ended it; what the other end had sent before has been reported.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// The code that the closing end gave, or the code of a [`Fault`].
        code: u16,
        /// Its reason: a sentence.
        reason: String,
    },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The socket cannot be bound.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The TLS set-up failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The connection attempt cannot even begin.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The other end.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// No such connection, or not any more, or not yet up.
    #[error("connection {} is not up", .0.0)]
    NotConnected(ConnectionId),
    /// The connection is being closed.
    #[error("the connection is being closed")]
    Closing,
    /// A reliable lane must be opened before packets are sent on it.
    #[error("lane {0:?} is not open")]
    LaneNotOpen(Lane),
    /// The lane was opened before.
    #[error("lane {0:?} is open already")]
    LaneOpen(Lane),
    /// Datagram lanes are always open and never finished.
    #[error("lane {0:?} is a datagram lane")]
    NotReliable(Lane),
    /// More lanes than one connection may have.
    #[error("a connection has at most {0} lanes")]
    TooManyLanes(usize),
    /// The packet does not fit the lane.
    #[error("a packet of {bytes} bytes is over the lane's limit of {limit}")]
    TooLarge {
        /// The packet's size.
        bytes: usize,
        /// What the lane takes now.
        limit: usize,
    },
    /// The lane's queue is over its limit; the connection is closed with [`Fault::SlowReader`].
    #[error("the queue of lane {0:?} is full: the other end reads too slowly")]
    QueueFull(Lane),
}

/// Counters of one connection, as the transport counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// UDP packets sent (packets on memory).
    pub packets_sent: u64,
    /// UDP packets received.
    pub packets_received: u64,
    /// UDP payload bytes sent.
    pub bytes_sent: u64,
    /// UDP payload bytes received.
    pub bytes_received: u64,
    /// Packets that the transport found lost.
    pub packets_lost: u64,
    /// Datagrams dropped unsent.
    pub datagrams_purged: u64,
    /// The transport's own round-trip estimate in microseconds; zero on memory.
    pub rtt_us: u64,
    /// Bytes that wait in the queues of reliable lanes.
    pub queued_bytes: u64,
}

/// What all tasks of one transport share.
#[derive(Debug)]
struct Shared {
    config: TransportConfig,
    links: Mutex<HashMap<ConnectionId, Arc<Link>>>,
    next_id: AtomicU32,
    events: mpsc::Sender<TransportEvent>,
    connections: Arc<Semaphore>,
    half_open: Arc<Semaphore>,
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Link>>> {
        // No code panics while it holds the lock.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> ConnectionId {
        ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Announces a connection; commands find it from now on.
    async fn connected(&self, link: &Arc<Link>, binding: Binding) -> Result<(), Fault> {
        self.links().insert(link.id, Arc::clone(link));
        let max_datagram_bytes = link.max_datagram_bytes();
        let (connection, remote) = (link.id, link.remote);
        let event = TransportEvent::Connected { connection, binding, max_datagram_bytes, remote };
        self.events.send(event).await.map_err(|_| Fault::Abandoned)
    }

    /// Reports the end of a connection.
    async fn closed(&self, connection: ConnectionId, code: u16, reason: String) {
        self.links().remove(&connection);
        // Nobody listens any more when the transport itself is gone; then nobody needs to know.
        let _ = self.events.send(TransportEvent::Closed { connection, code, reason }).await;
    }
}

#[derive(Debug)]
enum Backend {
    Quic(quinn::Endpoint),
    Memory(Option<memory::Door>),
}

/// One end point: a UDP socket with QUIC, or a place in memory. Accepts connections, or makes them, or both.
///
/// Commands never wait. Events come from [`Transport::next_event`], in the order in which things happened.
#[derive(Debug)]
pub struct Transport {
    shared: Arc<Shared>,
    events: mpsc::Receiver<TransportEvent>,
    /// Events that a command itself caused; they go first.
    caused: VecDeque<TransportEvent>,
    connecting: HashMap<ConnectionId, AbortHandle>,
    acceptor: Option<AbortHandle>,
    backend: Backend,
    batch: u32,
}

impl Transport {
    fn new(config: TransportConfig, backend: impl FnOnce(&Arc<Shared>) -> Backend) -> Self {
        let (sender, events) = mpsc::channel(config.event_capacity.max(1));
        let shared = Arc::new(Shared {
            connections: Arc::new(Semaphore::new(config.max_connections)),
            half_open: Arc::new(Semaphore::new(config.max_half_open)),
            config,
            links: Mutex::default(),
            next_id: AtomicU32::new(1),
            events: sender,
        });
        let backend = backend(&shared);
        Self {
            shared,
            events,
            caused: VecDeque::new(),
            connecting: HashMap::new(),
            acceptor: None,
            backend,
            batch: 0,
        }
    }

    /// A QUIC end point on this UDP address (port 0: any free one) that accepts connections. Inside a tokio runtime.
    pub fn quic_server(address: SocketAddr, config: TransportConfig) -> Result<Self, TransportError> {
        quic::bind(address, true, config)
    }

    /// A QUIC end point that only makes connections.
    pub fn quic_client(address: SocketAddr, config: TransportConfig) -> Result<Self, TransportError> {
        quic::bind(address, false, config)
    }

    /// An end point in memory that accepts connections through its [`Transport::door`]. Inside a tokio runtime.
    pub fn memory_server(config: TransportConfig) -> Self {
        memory::server(config)
    }

    /// An end point in memory that only makes connections.
    pub fn memory_client(config: TransportConfig) -> Self {
        memory::client(config)
    }

    /// The UDP address of a QUIC end point.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.backend {
            Backend::Quic(endpoint) => endpoint.local_addr().ok(),
            Backend::Memory(_) => None,
        }
    }

    /// Where others connect to an accepting memory end point.
    pub fn door(&self) -> Option<memory::Door> {
        match &self.backend {
            Backend::Memory(door) => door.clone(),
            Backend::Quic(_) => None,
        }
    }

    /// Begins a QUIC connection; `Connected` or `Closed` follows as an event.
    pub fn connect(&mut self, address: SocketAddr) -> Result<ConnectionId, TransportError> {
        let Backend::Quic(endpoint) = &self.backend else {
            let reason = "a memory end point has no addresses".to_owned();
            return Err(TransportError::Connect { address, reason });
        };
        let (id, task) = quic::connect(endpoint, address, &self.shared)?;
        self.connecting.insert(id, task);
        Ok(id)
    }

    /// Goes on from another UDP socket, on any free port of any address, as after a change of the network: connections
    /// that this end made stay up and move. In memory there is nothing to do.
    pub fn rebind(&mut self) -> Result<(), TransportError> {
        match &self.backend {
            Backend::Quic(endpoint) => quic::rebind(endpoint),
            Backend::Memory(_) => Ok(()),
        }
    }

    /// Begins a connection in memory. Both ends get `binding` as their [`Binding`] bytes; `max_datagram_bytes` limits
    /// the datagram lanes of both.
    pub fn connect_memory(
        &mut self,
        door: &memory::Door,
        binding: [u8; 32],
        max_datagram_bytes: usize,
    ) -> ConnectionId {
        let (id, task) = memory::connect(door, binding, max_datagram_bytes, &self.shared);
        self.connecting.insert(id, task);
        id
    }

    /// The next event; waits for it. Cancel-safe.
    pub async fn next_event(&mut self) -> TransportEvent {
        if let Some(event) = self.caused.pop_front() {
            return event;
        }
        let event = match self.events.recv().await {
            Some(event) => event,
            // `shared` holds a sender as long as this lives.
            None => std::future::pending().await,
        };
        self.note(&event);
        event
    }

    /// The next event that is there already.
    pub fn try_next_event(&mut self) -> Option<TransportEvent> {
        if let Some(event) = self.caused.pop_front() {
            return Some(event);
        }
        let event = self.events.try_recv().ok()?;
        self.note(&event);
        Some(event)
    }

    fn note(&mut self, event: &TransportEvent) {
        if let TransportEvent::Connected { connection, .. } | TransportEvent::Closed { connection, .. } =
            event
        {
            self.connecting.remove(connection);
        }
    }

    fn link(&self, connection: ConnectionId) -> Result<Arc<Link>, TransportError> {
        let link = self.shared.links().get(&connection).cloned();
        let link = link.ok_or(TransportError::NotConnected(connection))?;
        if link.is_closing() { Err(TransportError::Closing) } else { Ok(link) }
    }

    /// Opens this end's direction of a reliable lane; its preface carries `schema_hash`.
    pub fn open_lane(
        &mut self,
        connection: ConnectionId,
        lane: Lane,
        schema_hash: u64,
    ) -> Result<(), TransportError> {
        self.link(connection)?.open(lane, schema_hash, &self.shared.config)
    }

    /// From here on packets belong to a newer batch: unsent state and input packets of older ones are purged when the
    /// first of the new ones is sent. Call it once per tick.
    pub fn begin_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
    }

    /// Sends one packet (its first two bytes are its length, little-endian).
    pub fn send(
        &mut self,
        connection: ConnectionId,
        lane: Lane,
        packet: Vec<u8>,
    ) -> Result<(), TransportError> {
        let link = self.link(connection)?;
        if lane.is_reliable() {
            let sent = link.send_reliable(lane, packet);
            if matches!(sent, Err(TransportError::QueueFull(_))) {
                link.close_for(&Fault::SlowReader(lane));
            }
            return sent;
        }
        if let Some(max_datagram_bytes) = link.refresh_datagram_limit() {
            self.caused.push_back(TransportEvent::DatagramLimit { connection, max_datagram_bytes });
        }
        let purge = link.send_datagram(lane, self.batch, packet)?;
        if purge.packets > 0 {
            let (packets, bytes) = (purge.packets, purge.bytes);
            self.caused.push_back(TransportEvent::Purged { connection, lane, packets, bytes });
        }
        Ok(())
    }

    /// Nothing more will be sent on this reliable lane.
    pub fn finish(&mut self, connection: ConnectionId, lane: Lane) -> Result<(), TransportError> {
        self.link(connection)?.finish(lane)
    }

    /// Closes a connection after what was sent on reliable lanes has arrived, or after
    /// [`TransportConfig::linger`]. The other end gets the code and the sentence (cut to 256 bytes). `Closed` follows
    /// here too. Closing what is closed does nothing.
    pub fn close(&mut self, connection: ConnectionId, code: u16, reason: &str) {
        if let Some(task) = self.connecting.remove(&connection)
            && !self.shared.links().contains_key(&connection)
        {
            task.abort();
            let reason = reason.to_owned();
            self.caused.push_back(TransportEvent::Closed { connection, code, reason });
            return;
        }
        if let Some(link) = self.shared.links().get(&connection) {
            link.close(code, reason, true);
        }
    }

    /// Counters of a connection that is up.
    pub fn counters(&self, connection: ConnectionId) -> Option<LinkCounters> {
        Some(self.shared.links().get(&connection)?.counters())
    }

    /// Connections that are up.
    pub fn connection_count(&self) -> usize {
        self.shared.links().len()
    }

    /// Closes every connection and waits, at most `deadline`, until the other ends have been told. True when they all
    /// have.
    pub async fn shut_down(mut self, code: u16, reason: &str, deadline: Duration) -> bool {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.abort();
        }
        for task in self.connecting.values() {
            task.abort();
        }
        for link in self.shared.links().values() {
            link.close(code, reason, true);
        }
        let finished = async {
            while self.connection_count() > 0 {
                let _ = self.events.recv().await;
            }
            if let Backend::Quic(endpoint) = &self.backend {
                endpoint.wait_idle().await;
            }
        };
        tokio::time::timeout(deadline, finished).await.is_ok()
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(acceptor) = &self.acceptor {
            acceptor.abort();
        }
        for task in self.connecting.values() {
            task.abort();
        }
        for link in self.shared.links().values() {
            link.close_for(&Fault::Abandoned);
        }
    }
}
