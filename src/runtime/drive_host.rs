//! The I/O thread's side of a hosted session: between the core's `Host` and a transport.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use theta_core::session::{
    Host, HostCommand, HostEvent, HostOutput, LinkId, LinkInput, LinkOutput, SourceId,
};
use theta_core::types::{PeerId, Tick, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::world::SealedTick;

use super::clock;
use super::event::{EventKind, EventSink};
use super::published::{Admission, LinkStatistics, Links, PeerEntry, RttRing, SessionState, Shared};
use super::thread::Drive;
use crate::transport::{ConnectionId, LinkCounters, Remote, Transport, TransportError, TransportEvent};

/// What the engine asks.
#[derive(Debug)]
pub(super) enum HostRequest {
    Tick(SealedTick),
    Command(HostCommand),
}

/// How often statistics are published.
const REPORT_INTERVAL_MS: u64 = 100;
/// Transport events taken in before outputs go out: bounds how long one busy link can hold up a tick.
pub(super) const EVENTS_PER_TURN: usize = 128;
/// How long an ending session waits until the other sides have been told.
pub(super) const FAREWELL: Duration = Duration::from_millis(1500);

/// One hosted session on the I/O thread.
pub(super) struct HostDriver {
    host: Host,
    transport: Option<Transport>,
    requests: rtrb::Consumer<HostRequest>,
    events: EventSink,
    shared: Arc<Shared>,
    rtts: BTreeMap<PeerId, RttRing>,
    /// Connections that are up, whoever is at their other end.
    connections: BTreeSet<ConnectionId>,
    next_report: Time,
    /// Changes of invites and bans that the engine asked for and the host has made.
    admission_changes: u64,
    /// Keys the hash that tells the core of sources without telling it addresses.
    sources: RandomState,
}

impl HostDriver {
    pub(super) fn new(
        host: Host,
        transport: Transport,
        requests: rtrb::Consumer<HostRequest>,
        events: EventSink,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            host,
            transport: Some(transport),
            requests,
            events,
            shared,
            rtts: BTreeMap::new(),
            connections: BTreeSet::new(),
            next_report: Time(0),
            admission_changes: 0,
            sources: RandomState::new(),
        }
    }

    /// Everything that can be done without waiting.
    fn drive(&mut self, transport: &mut Transport) {
        while let Ok(request) = self.requests.pop() {
            let now = clock::now();
            match request {
                HostRequest::Tick(sealed) => {
                    transport.begin_batch();
                    self.host.command(now, HostCommand::Tick(sealed));
                }
                HostRequest::Command(command) => {
                    let is_admission = matches!(command, HostCommand::Admission(_));
                    self.host.command(now, command);
                    if is_admission {
                        self.admission_changes += 1;
                        self.publish_admission();
                    }
                }
            }
        }
        for _ in 0..EVENTS_PER_TURN {
            let Some(event) = transport.try_next_event() else { break };
            self.take(&event);
        }
        let now = clock::now();
        if self.host.next_wake().is_some_and(|wake| wake <= now) {
            self.host.handle_timeout(now);
        }
        self.drain(transport);
        if now >= self.next_report {
            self.next_report = now.plus_ms(REPORT_INTERVAL_MS);
            self.report(transport);
        }
        self.events.flush();
    }

    fn take(&mut self, event: &TransportEvent) {
        let now = clock::now();
        match event {
            TransportEvent::Connected { connection, .. } => {
                self.connections.insert(*connection);
                // A handshake ends soon after it begins; that is fresh enough for a ticket's expiry.
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.host.set_unix_time(unix.as_secs());
            }
            TransportEvent::Closed { connection, .. } => {
                self.connections.remove(connection);
            }
            _ => {}
        }
        let sources = &self.sources;
        let source_of = |remote: Remote| remote.network().map(|network| SourceId(sources.hash_one(network)));
        if let Some((connection, input)) = link_input(event, source_of) {
            self.host.handle(now, LinkId(connection.0), input);
        }
    }

    fn drain(&mut self, transport: &mut Transport) {
        while let Some(output) = self.host.poll_output() {
            match output {
                HostOutput::Link(link, output) => carry_out(transport, ConnectionId(link.0), output),
                HostOutput::Event(event) => self.tell(event),
            }
        }
    }

    fn tell(&mut self, event: HostEvent) {
        let kind = match event {
            HostEvent::JoinRequest { info, application, bearer } => {
                let entry = PeerEntry { info: info.clone(), state: SessionState::Handshake };
                self.shared.update_standing(|standing| {
                    standing.pending.insert(info.peer, entry);
                });
                EventKind::JoinRequest { info, application, bearer }
            }
            HostEvent::InviteBound { invite, key } => {
                self.publish_admission();
                EventKind::InviteBound { invite, key }
            }
            HostEvent::PeerJoined(info) => {
                let entry = PeerEntry { info: info.clone(), state: SessionState::Admitted };
                self.shared.update_standing(|standing| {
                    standing.pending.remove(&info.peer);
                    standing.peers.insert(info.peer, entry);
                });
                EventKind::PeerJoined(info)
            }
            HostEvent::PeerLive(peer) => {
                self.note_state(peer, SessionState::Live);
                EventKind::PeerLive(peer)
            }
            HostEvent::PeerLeft { peer, code, reason } => {
                self.forget(peer);
                EventKind::PeerLeft { peer, code, reason }
            }
            HostEvent::PeerAway { peer, grace_ms } => {
                self.note_state(peer, SessionState::Away);
                EventKind::PeerAway { peer, grace_ms }
            }
            HostEvent::PeerBack(peer) => {
                // Live when it has been told what changed.
                self.note_state(peer, SessionState::Resuming);
                EventKind::PeerBack(peer)
            }
            HostEvent::HandshakeFailed { code, reason, .. } => {
                self.forget_failed();
                EventKind::HandshakeFailed { code, reason }
            }
            HostEvent::Input { peer, sample } => {
                let mut inputs = BTreeMap::clone(&self.shared.inputs.load());
                inputs.insert(peer, Arc::new(sample));
                self.shared.inputs.store(Arc::new(inputs));
                return;
            }
            HostEvent::Diverged { peer, divergence } => EventKind::Diverged { peer, divergence },
            HostEvent::Repaired { peer, tick } => EventKind::Repaired { peer, tick },
            // Read with the statistics.
            HostEvent::Confirmed { .. } => return,
        };
        self.events.push(kind);
    }

    /// Lets the engine see invites and bans as they are now.
    fn publish_admission(&self) {
        let (state, changes) = (self.host.admission().clone(), self.admission_changes);
        self.shared.admission.store(Arc::new(Admission { state, changes }));
    }

    fn note_state(&self, peer: PeerId, state: SessionState) {
        self.shared.update_standing(|standing| {
            if let Some(entry) = standing.peers.get_mut(&peer) {
                entry.state = state;
            }
        });
    }

    fn forget(&mut self, peer: PeerId) {
        self.rtts.remove(&peer);
        self.shared.update_standing(|standing| {
            standing.peers.remove(&peer);
            standing.pending.remove(&peer);
        });
        let mut inputs = BTreeMap::clone(&self.shared.inputs.load());
        if inputs.remove(&peer).is_some() {
            self.shared.inputs.store(Arc::new(inputs));
        }
    }

    /// Some handshake failed: whoever waited and has no link any more does not wait any more.
    fn forget_failed(&mut self) {
        let standing = self.shared.standing.load();
        if standing.pending.keys().all(|peer| self.host.statistics(*peer).is_some()) {
            return;
        }
        let host = &self.host;
        self.shared
            .update_standing(|standing| standing.pending.retain(|peer, _| host.statistics(*peer).is_some()));
    }

    fn report(&mut self, transport: &Transport) {
        let mut links = Links::default();
        let of_peer: BTreeMap<PeerId, ConnectionId> =
            self.connections.iter().filter_map(|id| Some((self.host.peer_of(LinkId(id.0))?, *id))).collect();
        let live: Vec<_> = self.shared.standing.load().peers.iter().map(|(id, e)| (*id, e.state)).collect();
        let mut confirmed: Option<Tick> = None;
        for (peer, state) in live {
            let Some(seen) = self.host.statistics(peer) else { continue };
            let rtts = self.rtts.entry(peer).or_default();
            rtts.note(seen.rtt_samples, seen.last_rtt_us);
            let (rtt_p50_us, rtt_p99_us) = rtts.percentiles();
            let counters = of_peer.get(&peer).and_then(|connection| transport.counters(*connection));
            if state == SessionState::Live {
                confirmed = Some(confirmed.map_or(seen.confirmed_tick, |all| all.min(seen.confirmed_tick)));
            }
            let statistics = LinkStatistics {
                rtt_us: seen.rtt_us,
                jitter_us: seen.jitter_us,
                rtt_p50_us,
                rtt_p99_us,
                clock_offset_us: seen.clock_offset_us,
                packets_sent: seen.packets.sent,
                packets_received: seen.packets.received,
                packets_dropped_bad: seen.packets.dropped_malformed + seen.packets.dropped_foreign,
                packets_dropped_replay: seen.packets.dropped_replayed,
                repairs: seen.repairs,
                divergences: seen.divergences,
                inputs_received: seen.inputs,
                inputs_refused: seen.inputs_refused,
                confirmed_tick: seen.confirmed_tick,
                ..of_transport(counters.unwrap_or_default())
            };
            links.by_peer.insert(peer, statistics);
        }
        links.confirmed_tick = confirmed.unwrap_or_default();
        self.shared.confirmed.store(links.confirmed_tick.0, std::sync::atomic::Ordering::Relaxed);
        self.shared.links.store(Arc::new(links));
    }

    fn next_wake(&self) -> Time {
        self.host.next_wake().map_or(self.next_report, |wake| wake.min(self.next_report))
    }
}

impl Drive for HostDriver {
    async fn run(&mut self) {
        let Some(mut transport) = self.transport.take() else { return };
        let shared = Arc::clone(&self.shared);
        loop {
            self.drive(&mut transport);
            if shared.is_leaving() {
                break;
            }
            tokio::select! {
                () = shared.wake.notified() => {}
                event = transport.next_event() => self.take(&event),
                () = sleep_until(self.next_wake()) => {}
            }
        }
        let code = DisconnectCode::ShuttingDown;
        let reason = code.sentence().to_owned();
        self.host.command(clock::now(), HostCommand::Shutdown { reason });
        self.drain(&mut transport);
        transport.shut_down(code as u16, code.sentence(), FAREWELL).await;
        shared.update_standing(|standing| {
            standing.state = SessionState::Closed;
            standing.disconnect = Some(code);
            standing.peers.clear();
            standing.pending.clear();
        });
        self.events.push(EventKind::StateChanged(SessionState::Closed));
    }

    fn events(&mut self) -> &mut EventSink {
        &mut self.events
    }
}

/// Waits until a time of the process clock.
pub(super) async fn sleep_until(wake: Time) {
    tokio::time::sleep(Duration::from_micros(wake.since_us(clock::now()))).await;
}

/// A transport's event as the core takes it in; `None` for those it need not know.
pub(super) fn link_input(
    event: &TransportEvent,
    source_of: impl FnOnce(Remote) -> Option<SourceId>,
) -> Option<(ConnectionId, LinkInput<'_>)> {
    Some(match event {
        TransportEvent::Connected { connection, binding, max_datagram_bytes, remote } => {
            let is_loopback = remote.is_loopback();
            let source = source_of(*remote);
            let (binding, max_datagram_bytes) = (*binding, *max_datagram_bytes);
            (*connection, LinkInput::Opened { binding, max_datagram_bytes, is_loopback, source })
        }
        TransportEvent::StreamOpened { connection, lane, schema_hash } => {
            (*connection, LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash })
        }
        TransportEvent::Packet { connection, lane, bytes } => {
            (*connection, LinkInput::Packet { lane: *lane, bytes })
        }
        TransportEvent::DatagramLimit { connection, max_datagram_bytes } => {
            (*connection, LinkInput::DatagramLimit(*max_datagram_bytes))
        }
        TransportEvent::Closed { connection, code, reason } => {
            (*connection, LinkInput::Closed { code: *code, reason })
        }
        // Counted; what is purged is simply never acknowledged.
        TransportEvent::Purged { .. } => return None,
    })
}

/// Does what the core wants done to a link.
pub(super) fn carry_out(transport: &mut Transport, connection: ConnectionId, output: LinkOutput) {
    let done = match output {
        LinkOutput::OpenLane { lane, schema_hash } => transport.open_lane(connection, lane, schema_hash),
        LinkOutput::Transmit { lane, packet } => transport.send(connection, lane, packet),
        LinkOutput::FinishLane(lane) => transport.finish(connection, lane),
        LinkOutput::Close { code, reason } => {
            transport.close(connection, code as u16, &reason);
            Ok(())
        }
    };
    match done {
        // A connection that is gone or going reports its end as an event; a datagram over a limit that has just
        // fallen is one lost datagram, and the new limit is on its way to the core.
        Ok(())
        | Err(
            TransportError::NotConnected(_)
            | TransportError::Closing
            | TransportError::QueueFull(_)
            | TransportError::TooLarge { .. },
        ) => {}
        Err(error) => {
            // The core opened a lane twice, or sent before it opened one: our fault, and never to be papered over.
            transport.close(connection, DisconnectCode::InternalFault as u16, &error.to_string());
        }
    }
}

/// The transport's part of a link's counters.
pub(super) fn of_transport(counters: LinkCounters) -> LinkStatistics {
    LinkStatistics {
        bytes_sent: counters.bytes_sent,
        bytes_received: counters.bytes_received,
        packets_lost: counters.packets_lost,
        datagrams_purged: counters.datagrams_purged,
        ..LinkStatistics::default()
    }
}
