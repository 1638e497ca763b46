//! The UDP socket under QUIC, with a link conditioner in it: packets are lost and held back on their way out and on
//! their way in, where quinn cannot tell it from a network.
//!
//! For: everything that [`LinkConditioner`] decides. Never: waits, or costs more than a look while there are no
//! conditions. Called by quinn alone: its end point's task polls for packets, and the same turn sends what is due. What
//! is still held when the end point goes is lost, as on a network whose cable is pulled.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::{Instant, Sleep};

use crate::transport::conditioner::{DelayLine, LinkConditioner};

/// How long a packet waits that was due and found the socket's own queue full.
const FULL_SOCKET_WAIT: Duration = Duration::from_millis(1);
/// Batches that are taken in before packets that are due go up: under a flood those must not starve.
const BATCHES_PER_POLL: usize = 8;

/// A packet that is held back, out or in.
#[derive(Debug)]
struct Packet {
    /// Where it goes, or where it came from.
    peer: SocketAddr,
    /// Our address: the one it is to be sent from, or was sent to.
    local: Option<IpAddr>,
    ecn: Option<EcnCodepoint>,
    bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Held {
    out: DelayLine<Packet>,
    into: DelayLine<Packet>,
    timer: Pin<Box<Sleep>>,
    /// The task that polls for packets; a packet on its way out may be due before anything it waits for.
    waker: Option<Waker>,
}

impl Held {
    fn next_due(&self) -> Option<Instant> {
        [self.out.next_due(), self.into.next_due()].into_iter().flatten().min()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct ConditionedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    conditioner: LinkConditioner,
    held: Mutex<Held>,
}

impl ConditionedSocket {
    /// Around this socket; inside a tokio runtime.
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, conditioner: LinkConditioner) -> Self {
        let (out, into) = conditioner.socket();
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let held = Mutex::new(Held { out, into, timer, waker: None });
        Self { inner, conditioner, held }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // No code panics while it holds the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is due.
    fn send_due(&self, held: &mut Held, now: Instant) {
        while let Some((bytes, packet)) = held.out.due(now) {
            let transmit = Transmit {
                destination: packet.peer,
                ecn: packet.ecn,
                contents: &packet.bytes,
                segment_size: None,
                src_ip: packet.local,
            };
            // Any other error is a packet lost on the way, and nobody is there any more whom it could be told.
            if let Err(error) = self.inner.try_send(&transmit)
                && error.kind() == io::ErrorKind::WouldBlock
            {
                held.out.put_back(now + FULL_SOCKET_WAIT, bytes, packet);
                return;
            }
        }
    }

    /// Takes in what has come to the socket; true when there may be more.
    fn take_in(
        &self,
        held: &mut Held,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> io::Result<bool> {
        for _ in 0..BATCHES_PER_POLL {
            let Poll::Ready(received) = self.inner.poll_recv(cx, bufs, meta) else { return Ok(false) };
            let now = Instant::now();
            for (meta, buffer) in meta.iter().zip(bufs.iter()).take(received?) {
                for segment in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    held.into.take(now, segment.len(), || Packet {
                        peer: meta.addr,
                        local: meta.dst_ip,
                        ecn: meta.ecn,
                        bytes: segment.into(),
                    });
                }
            }
        }
        Ok(true)
    }
}

/// Hands up what is due, a packet for each buffer; says how many.
fn hand_up(held: &mut Held, now: Instant, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
    let mut count = 0;
    for (buffer, meta) in bufs.iter_mut().zip(meta) {
        let Some((len, packet)) = held.into.due(now) else { break };
        // It came out of a buffer of this size; a shorter one would cut it, and a cut packet is as good as lost.
        let len = len.min(buffer.len());
        buffer[..len].copy_from_slice(&packet.bytes[..len]);
        *meta = RecvMeta { addr: packet.peer, len, stride: len, ecn: packet.ecn, dst_ip: packet.local };
        count += 1;
    }
    count
}

impl AsyncUdpSocket for ConditionedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        if !self.conditioner.is_active() {
            return self.inner.try_send(transmit);
        }
        let now = Instant::now();
        let mut held = self.held();
        let before = held.next_due();
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for bytes in transmit.contents.chunks(segment) {
            held.out.take(now, bytes.len(), || Packet {
                peer: transmit.destination,
                local: transmit.src_ip,
                ecn: transmit.ecn,
                bytes: bytes.into(),
            });
        }
        let waker = if held.next_due() == before { None } else { held.waker.clone() };
        drop(held);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut held = self.held();
        if held.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            held.waker = Some(cx.waker().clone());
        }
        if !self.conditioner.is_active() && held.next_due().is_none() {
            drop(held);
            return self.inner.poll_recv(cx, bufs, meta);
        }
        loop {
            self.send_due(&mut held, Instant::now());
            let more = match self.take_in(&mut held, cx, bufs, meta) {
                Ok(more) => more,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let count = hand_up(&mut held, Instant::now(), bufs, meta);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            if more {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(due) = held.next_due() else { return Poll::Pending };
            held.timer.as_mut().reset(due);
            if held.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
