//! One QUIC connection: a supervisor that owns its streams, a reader and a writer per lane, and the datagram pump.
//!
//! The supervisor alone decides how the connection ends, and reports it last: what had arrived before is delivered
//! first. Readers wait for the driver, writers for the other end; nothing here is unbounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    ConnectionError, ReadError, ReadExactError, RecvStream, SendDatagramError, SendStream, VarInt, WriteError,
};
use theta_core::session::Binding;
use theta_core::types::Lane;
use theta_core::wire::envelope::ENVELOPE_BYTES;
use theta_core::wire::preface::{PREFACE_BYTES, Preface};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::frame_datagram;
use crate::transport::config::priority;
use crate::transport::link::{Link, Request, Wire};
use crate::transport::memory::purged;
use crate::transport::outbox::Outbox;
use crate::transport::{ConnectionId, Fault, Remote, Shared, TransportEvent};

/// Which end this is.
pub(super) enum Side {
    /// The accepting end, with its share of the limits.
    Server {
        place: OwnedSemaphorePermit,
        half_open: OwnedSemaphorePermit,
    },
    Client,
}

/// How a connection ended.
enum End {
    Here { code: u16, reason: String, linger: bool },
    There(ConnectionError),
}

impl End {
    fn fault(fault: &Fault) -> Self {
        Self::Here { code: fault.code(), reason: fault.to_string(), linger: false }
    }
}

type Tasks = JoinSet<Result<(), Fault>>;

/// The streams of one connection, as the supervisor sees them.
struct Streams {
    link: Arc<Link>,
    shared: Arc<Shared>,
    is_server: bool,
    /// Our halves of streams that the other end opened and we have not used yet.
    idle: HashMap<Lane, SendStream>,
    /// Lanes we were asked to open whose stream the other end has not opened yet.
    waiting: HashMap<Lane, (u64, Arc<Outbox>)>,
    accepted: bool,
    readers: Tasks,
    writers: Tasks,
}

pub(super) async fn supervise(
    connection: quinn::Connection,
    id: ConnectionId,
    binding: Binding,
    side: Side,
    shared: Arc<Shared>,
) {
    let (place, mut half_open) = match side {
        Side::Server { place, half_open } => (Some(place), Some(half_open)),
        Side::Client => (None, None),
    };
    let is_server = place.is_some();
    let (requests, mut served) = mpsc::unbounded_channel();
    let remote = Remote::Address(connection.remote_address());
    let link = Link::new(id, remote, Wire::Quic(connection.clone()), &shared.config, requests);
    if shared.connected(&link, binding).await.is_err() {
        return;
    }
    let mut streams = Streams {
        link: Arc::clone(&link),
        shared: Arc::clone(&shared),
        is_server,
        idle: HashMap::new(),
        waiting: HashMap::new(),
        accepted: false,
        readers: JoinSet::new(),
        writers: JoinSet::new(),
    };
    streams.readers.spawn(read_datagrams(connection.clone(), id, Arc::clone(&shared)));
    let pump = tokio::spawn(pump(connection.clone(), Arc::clone(&link)));
    let control_deadline = tokio::time::Instant::now() + shared.config.handshake_timeout;

    let end = loop {
        tokio::select! {
            request = served.recv() => match request {
                Some(Request::Open { lane, schema_hash, outbox }) => {
                    if let Err(fault) = streams.open(&connection, lane, schema_hash, outbox).await {
                        break End::fault(&fault);
                    }
                }
                Some(Request::Close { code, reason, linger }) => break End::Here { code, reason, linger },
                Some(Request::Ended { .. }) => {}
                None => break End::fault(&Fault::Abandoned),
            },
            Ok((send, receive)) = connection.accept_bi() => {
                if let Err(fault) = streams.accept(send, receive, half_open.take()) {
                    break End::fault(&fault);
                }
            }
            Ok(receive) = connection.accept_uni() => {
                streams.read(receive, None, None);
            }
            Some(read) = streams.readers.join_next() => {
                if let Ok(Err(fault)) = read {
                    break End::fault(&fault);
                }
            }
            Some(written) = streams.writers.join_next() => {
                if let Ok(Err(fault)) = written {
                    break End::fault(&fault);
                }
            }
            () = tokio::time::sleep_until(control_deadline), if is_server && !streams.accepted => {
                break End::fault(&Fault::HandshakeTimeout);
            }
            error = connection.closed() => break End::There(error),
        }
    };
    pump.abort();
    let (code, reason) = match end {
        End::Here { code, reason, linger } => {
            if linger {
                // Each writer ends when the other end has acknowledged its lane's last byte.
                link.finish_all();
                let all = async { while streams.writers.join_next().await.is_some() {} };
                let _ = tokio::time::timeout(shared.config.linger, all).await;
            }
            connection.close(VarInt::from_u32(u32::from(code)), reason.as_bytes());
            // Whoever closes does not want to hear any more.
            streams.readers.abort_all();
            (code, reason)
        }
        End::There(error) => {
            // The readers end by themselves once they have delivered what had arrived.
            while streams.readers.join_next().await.is_some() {}
            ending(&error)
        }
    };
    streams.writers.abort_all();
    shared.closed(id, code, reason).await;
    drop(place);
}

/// The code and reason that a remote ending amounts to.
fn ending(error: &ConnectionError) -> (u16, String) {
    let fault = match error {
        ConnectionError::ApplicationClosed(close) => {
            let reason = String::from_utf8_lossy(&close.reason).into_owned();
            if let Ok(code) = u16::try_from(close.error_code.into_inner()) {
                return (code, reason);
            }
            Fault::Lost(reason)
        }
        ConnectionError::TimedOut => Fault::Idle,
        other => Fault::Lost(other.to_string()),
    };
    (fault.code(), fault.to_string())
}

impl Streams {
    /// Opens our direction of a lane: on a stream of our own, or on the other half of one that was opened to us.
    async fn open(
        &mut self,
        connection: &quinn::Connection,
        lane: Lane,
        schema_hash: u64,
        outbox: Arc<Outbox>,
    ) -> Result<(), Fault> {
        let is_ours = match lane {
            Lane::Control => !self.is_server,
            Lane::Replication | Lane::Bulk(_) => self.is_server,
            Lane::State | Lane::Input | Lane::Presence => return Ok(()),
        };
        match lane {
            Lane::Bulk(_) if is_ours => {
                // May have to wait until the other end has read an earlier bulk lane to its end.
                let connection = connection.clone();
                self.writers.spawn(async move {
                    let send = connection.open_uni().await.map_err(|_| Fault::LaneBroken(lane))?;
                    write(send, lane, schema_hash, outbox).await
                });
            }
            // The mapping gives bulk lanes to the server only.
            Lane::Bulk(_) => return Err(Fault::LaneBroken(lane)),
            _ if is_ours => {
                // Every Theta end grants this one stream from the start, so there is nothing to wait for.
                let opening = tokio::time::timeout(Duration::ZERO, connection.open_bi()).await;
                let Ok(Ok((send, receive))) = opening else { return Err(Fault::LaneBroken(lane)) };
                self.read(receive, Some(lane), None);
                self.writers.spawn(write(send, lane, schema_hash, outbox));
            }
            _ => {
                if let Some(send) = self.idle.remove(&lane) {
                    self.writers.spawn(write(send, lane, schema_hash, outbox));
                } else {
                    self.waiting.insert(lane, (schema_hash, outbox));
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, receive: RecvStream, lane: Option<Lane>, half_open: Option<OwnedSemaphorePermit>) {
        self.readers.spawn(read(receive, self.link.id, lane, half_open, Arc::clone(&self.shared)));
    }

    /// Takes the one bidirectional stream that the other end may open.
    fn accept(
        &mut self,
        send: SendStream,
        receive: RecvStream,
        half_open: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Fault> {
        if self.accepted {
            return Err(Fault::UnexpectedStream);
        }
        self.accepted = true;
        let lane = if self.is_server { Lane::Control } else { Lane::Replication };
        self.read(receive, Some(lane), half_open);
        match self.waiting.remove(&lane) {
            Some((schema_hash, outbox)) => {
                self.writers.spawn(write(send, lane, schema_hash, outbox));
            }
            None => {
                self.idle.insert(lane, send);
            }
        }
        Ok(())
    }
}

/// Carries one reliable lane out.
async fn write(mut send: SendStream, lane: Lane, schema_hash: u64, outbox: Arc<Outbox>) -> Result<(), Fault> {
    let _ = send.set_priority(priority(lane));
    let written = async {
        send.write_all(&Preface { lane, schema_hash }.encode()).await?;
        while let Some(packet) = outbox.next().await {
            send.write_all(&packet).await?;
            outbox.written(packet.len());
        }
        Ok(())
    };
    match written.await {
        Ok(()) => {}
        // The supervisor hears of a lost connection by itself.
        Err(WriteError::ConnectionLost(_)) => return Ok(()),
        Err(_) => return Err(Fault::LaneBroken(lane)),
    }
    if send.finish().is_ok() {
        // Resolves when the other end has acknowledged everything; a graceful close waits for it.
        let _ = send.stopped().await;
    }
    Ok(())
}

/// Takes one stream in: its preface, then packets. `lane` is what must come; `None` for a bulk lane.
async fn read(
    mut receive: RecvStream,
    connection: ConnectionId,
    lane: Option<Lane>,
    half_open: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
) -> Result<(), Fault> {
    let mut first = [0; PREFACE_BYTES];
    let reading = receive.read_exact(&mut first);
    let got = if half_open.is_some() {
        tokio::time::timeout(shared.config.handshake_timeout, reading)
            .await
            .map_err(|_| Fault::HandshakeTimeout)?
    } else {
        reading.await
    };
    match got {
        Ok(()) => {}
        // A direction that was never opened, or a connection that is gone.
        Err(ReadExactError::FinishedEarly(0) | ReadExactError::ReadError(ReadError::ConnectionLost(_))) => {
            return Ok(());
        }
        Err(ReadExactError::FinishedEarly(_)) => {
            return Err(Fault::BadPreface("it ends within its preface".to_owned()));
        }
        Err(ReadExactError::ReadError(_)) => {
            return Err(Fault::BadPreface("it was broken off within its preface".to_owned()));
        }
    }
    let Preface { lane: opened, schema_hash } =
        Preface::decode(&first).map_err(|error| Fault::BadPreface(error.to_string()))?;
    let fits = lane.map_or(matches!(opened, Lane::Bulk(_)), |lane| lane == opened);
    if !fits {
        return Err(Fault::BadPreface(format!("it says {opened:?}, which does not belong here")));
    }
    drop(half_open);
    let lane = opened;
    let event = TransportEvent::StreamOpened { connection, lane, schema_hash };
    if shared.events.send(event).await.is_err() {
        return Ok(());
    }
    let broken = |error| match error {
        ReadExactError::ReadError(ReadError::ConnectionLost(_)) => Ok(()),
        ReadExactError::ReadError(_) => Err(Fault::LaneBroken(lane)),
        ReadExactError::FinishedEarly(_) => Err(Fault::BadFraming(lane)),
    };
    loop {
        let mut length = [0; 2];
        match receive.read_exact(&mut length).await {
            Ok(()) => {}
            Err(ReadExactError::FinishedEarly(0)) => return Ok(()),
            Err(error) => return broken(error),
        }
        let total = usize::from(u16::from_le_bytes(length));
        if total < ENVELOPE_BYTES {
            return Err(Fault::BadFraming(lane));
        }
        let mut bytes = vec![0; total];
        bytes[..2].copy_from_slice(&length);
        if let Err(error) = receive.read_exact(&mut bytes[2..]).await {
            return broken(error);
        }
        // Waits while the driver is behind; the stream's window then closes on the other end.
        if shared.events.send(TransportEvent::Packet { connection, lane, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

/// Takes datagrams in. One that names no datagram lane is noise and is dropped, as the network might have done.
async fn read_datagrams(
    quic: quinn::Connection,
    connection: ConnectionId,
    shared: Arc<Shared>,
) -> Result<(), Fault> {
    while let Ok(datagram) = quic.read_datagram().await {
        let Some((lane, packet)) = datagram.split_first() else { continue };
        let Some(lane) = Lane::from_wire(*lane, 0).filter(|lane| !lane.is_reliable()) else { continue };
        let bytes = packet.to_vec();
        if shared.events.send(TransportEvent::Packet { connection, lane, bytes }).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Sends datagrams for which quinn had no room when they were queued. Only ever waits with one packet in hand, and
/// drops that one too when it is purged.
async fn pump(quic: quinn::Connection, link: Arc<Link>) {
    loop {
        link.datagram_wake.notified().await;
        loop {
            let Some((lane, packet)) = link.datagrams().take() else { break };
            tokio::select! {
                biased;
                () = purged(&link) => {}
                sent = quic.send_datagram_wait(frame_datagram(lane, &packet).into()) => {
                    link.datagrams().sent();
                    if let Err(SendDatagramError::ConnectionLost(_)) = sent {
                        return;
                    }
                }
            }
        }
    }
}
