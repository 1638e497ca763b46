//! The memory transport: two ends in one process, with the events, limits and back-pressure of the real one.
//!
//! For tests and for members that live in the host's process. The ends may belong to different tokio runtimes. A packet
//! goes from the sender's lane queue into the receiver's event queue; a receiver that takes no events fills the
//! sender's queues, as a slow reader on a network does. Datagrams are never lost here, only purged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use theta_core::session::Binding;
use theta_core::types::Lane;
use theta_core::wire::message::BindingKind;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::datagrams::DatagramQueue;
use super::link::{Link, Request, Wire};
use super::outbox::Outbox;
use super::{
    Backend, ConnectionId, Fault, LinkCounters, Remote, Shared, Transport, TransportConfig, TransportEvent,
};

/// Attempts that wait at a door.
const MAX_KNOCKS: usize = 64;

/// Where others connect to an accepting end point. Clone it, send it to other threads.
#[derive(Clone, Debug)]
pub struct Door {
    knocks: mpsc::Sender<Knock>,
}

/// What one end gives the other.
#[derive(Debug)]
struct End {
    id: ConnectionId,
    events: mpsc::Sender<TransportEvent>,
    requests: mpsc::UnboundedSender<Request>,
    received: Arc<Traffic>,
}

#[derive(Debug)]
struct Knock {
    client: End,
    binding: [u8; 32],
    max_datagram_bytes: usize,
    answer: oneshot::Sender<End>,
}

#[derive(Debug, Default)]
struct Traffic {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    fn count(&self, bytes: usize) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.packets.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The way to the other end.
#[derive(Debug)]
pub(super) struct MemoryWire {
    other: End,
    received: Arc<Traffic>,
    pub(super) max_datagram_bytes: usize,
}

impl MemoryWire {
    fn packet(&self, lane: Lane, bytes: Vec<u8>) -> TransportEvent {
        TransportEvent::Packet { connection: self.other.id, lane, bytes }
    }

    /// Hands over queued datagrams while the other end's event queue has room.
    pub(super) fn drain(&self, queue: &mut DatagramQueue) {
        while queue.next_bytes().is_some() {
            let Ok(place) = self.other.events.try_reserve() else { return };
            let Some((lane, packet)) = queue.take() else { return };
            self.other.received.count(packet.len());
            place.send(self.packet(lane, packet));
            queue.sent();
        }
    }

    pub(super) fn counters(&self) -> LinkCounters {
        let (packets_sent, bytes_sent) = self.other.received.read();
        let (packets_received, bytes_received) = self.received.read();
        LinkCounters { packets_sent, packets_received, bytes_sent, bytes_received, ..LinkCounters::default() }
    }
}

pub(super) fn client(config: TransportConfig) -> Transport {
    Transport::new(config, |_| Backend::Memory(None))
}

pub(super) fn server(config: TransportConfig) -> Transport {
    let (knocks, mut heard) = mpsc::channel::<Knock>(MAX_KNOCKS);
    let mut transport = Transport::new(config, |_| Backend::Memory(Some(Door { knocks })));
    let shared = Arc::clone(&transport.shared);
    let acceptor = tokio::spawn(async move {
        while let Some(knock) = heard.recv().await {
            let Ok(place) = Arc::clone(&shared.connections).try_acquire_owned() else {
                // Dropping the answer is the refusal.
                continue;
            };
            let id = shared.next_id();
            let received = Arc::new(Traffic::default());
            let (requests, served) = mpsc::unbounded_channel();
            let end = End {
                id,
                events: shared.events.clone(),
                requests: requests.clone(),
                received: Arc::clone(&received),
            };
            let wire =
                MemoryWire { other: knock.client, received, max_datagram_bytes: knock.max_datagram_bytes };
            let link = Link::new(id, Remote::Memory, Wire::Memory(wire), &shared.config, requests);
            let entry = Entry { answer: knock.answer, end, place };
            tokio::spawn(supervise(link, knock.binding, Arc::clone(&shared), served, Some(entry)));
        }
    });
    transport.acceptor = Some(acceptor.abort_handle());
    transport
}

pub(super) fn connect(
    door: &Door,
    binding: [u8; 32],
    max_datagram_bytes: usize,
    shared: &Arc<Shared>,
) -> (ConnectionId, AbortHandle) {
    let id = shared.next_id();
    let (door, shared) = (door.clone(), Arc::clone(shared));
    let task = tokio::spawn(async move {
        let received = Arc::new(Traffic::default());
        let (requests, served) = mpsc::unbounded_channel();
        let client = End {
            id,
            events: shared.events.clone(),
            requests: requests.clone(),
            received: Arc::clone(&received),
        };
        let (answer, answered) = oneshot::channel();
        let knock = Knock { client, binding, max_datagram_bytes, answer };
        let fault = match door.knocks.send(knock).await {
            Err(_) => Fault::Unreachable("the accepting end is gone".to_owned()),
            Ok(()) => match answered.await {
                Err(_) => Fault::Refused,
                Ok(other) => {
                    let wire = MemoryWire { other, received, max_datagram_bytes };
                    let link = Link::new(id, Remote::Memory, Wire::Memory(wire), &shared.config, requests);
                    // A task of its own: this one is aborted when the attempt is given up.
                    tokio::spawn(supervise(link, binding, shared, served, None));
                    return;
                }
            },
        };
        shared.closed(id, fault.code(), fault.to_string()).await;
    });
    (id, task.abort_handle())
}

/// How a connection ended, and what the other end is to be told.
enum Ending {
    Here { code: u16, reason: String, linger: bool },
    There { code: u16, reason: String },
}

/// What the accepting end still owes the connecting one.
struct Entry {
    answer: oneshot::Sender<End>,
    end: End,
    place: OwnedSemaphorePermit,
}

async fn supervise(
    link: Arc<Link>,
    binding: [u8; 32],
    shared: Arc<Shared>,
    mut requests: mpsc::UnboundedReceiver<Request>,
    entry: Option<Entry>,
) {
    let Wire::Memory(wire) = &link.wire else { return };
    let binding = Binding { kind: BindingKind::Memory, bytes: binding };
    if shared.connected(&link, binding).await.is_err() {
        return;
    }
    // The other end may run on another thread: it hears of us once we are announced, or what it sends first would be
    // from nobody.
    let place = match entry {
        Some(Entry { answer, end, place }) => {
            if answer.send(end).is_err() {
                let fault = Fault::Lost("the other end is gone".to_owned());
                return shared.closed(link.id, fault.code(), fault.to_string()).await;
            }
            Some(place)
        }
        None => None,
    };
    let mut writers: JoinSet<Result<(), Fault>> = JoinSet::new();
    let pump = tokio::spawn(pump(Arc::clone(&link)));
    let end = loop {
        tokio::select! {
            // The other end says why it ends before it is gone, so what it says is read first.
            biased;
            request = requests.recv() => match request {
                Some(Request::Open { lane, schema_hash, outbox }) => {
                    writers.spawn(write(Arc::clone(&link), lane, schema_hash, outbox));
                }
                Some(Request::Close { code, reason, linger }) => break Ending::Here { code, reason, linger },
                Some(Request::Ended { code, reason }) => break Ending::There { code, reason },
                None => break here(&Fault::Abandoned),
            },
            Some(written) = writers.join_next() => {
                if let Ok(Err(fault)) = written {
                    break here(&fault);
                }
            }
            () = wire.other.requests.closed() => break here(&Fault::Lost("the other end is gone".to_owned())),
        }
    };
    pump.abort();
    let (code, reason) = match end {
        Ending::There { code, reason } => (code, reason),
        Ending::Here { code, reason, linger } => {
            if linger {
                link.finish_all();
                let all = async { while writers.join_next().await.is_some() {} };
                let _ = tokio::time::timeout(shared.config.linger, all).await;
            }
            let _ = wire.other.requests.send(Request::Ended { code, reason: reason.clone() });
            (code, reason)
        }
    };
    writers.abort_all();
    shared.closed(link.id, code, reason).await;
    drop(place);
}

fn here(fault: &Fault) -> Ending {
    Ending::Here { code: fault.code(), reason: fault.to_string(), linger: false }
}

/// Carries one reliable lane.
async fn write(link: Arc<Link>, lane: Lane, schema_hash: u64, outbox: Arc<Outbox>) -> Result<(), Fault> {
    let Wire::Memory(wire) = &link.wire else { return Ok(()) };
    let gone = |_| Fault::Lost("the other end is gone".to_owned());
    let opened = TransportEvent::StreamOpened { connection: wire.other.id, lane, schema_hash };
    wire.other.events.send(opened).await.map_err(gone)?;
    while let Some(packet) = outbox.next().await {
        let bytes = packet.len();
        wire.other.events.send(wire.packet(lane, packet)).await.map_err(gone)?;
        wire.other.received.count(bytes);
        outbox.written(bytes);
    }
    Ok(())
}

/// Carries datagrams that found no room when they were sent.
async fn pump(link: Arc<Link>) {
    let Wire::Memory(wire) = &link.wire else { return };
    loop {
        link.datagram_wake.notified().await;
        loop {
            let Some((lane, packet)) = link.datagrams().take() else { break };
            tokio::select! {
                biased;
                () = purged(&link) => {}
                place = wire.other.events.reserve() => {
                    let Ok(place) = place else { return };
                    let mut queue = link.datagrams();
                    if queue.is_held() {
                        queue.sent();
                        wire.other.received.count(packet.len());
                        place.send(wire.packet(lane, packet));
                    }
                }
            }
        }
    }
}

/// Returns when the packet in the pump's hand was purged.
pub(super) async fn purged(link: &Link) {
    loop {
        if !link.datagrams().is_held() {
            return;
        }
        link.datagram_wake.notified().await;
    }
}
