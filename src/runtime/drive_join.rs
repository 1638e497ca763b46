//! The I/O thread's side of a joined session: between the core's `Peer` and a transport.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use theta_core::session::courier::SharedCompressor;
use theta_core::session::input::InputSample;
use theta_core::session::{LinkInput, Peer, PeerEvent, PeerOutput, PeerState};
use theta_core::types::{ComponentId, PeerId, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::limits::MAX_DATAGRAM_BYTES;

use super::backoff::Backoff;
use super::clock::{self, RenderClock};
use super::drive_host::{EVENTS_PER_TURN, FAREWELL, carry_out, link_input, of_transport, sleep_until};
use super::event::{EventKind, EventSink};
use super::published::{LinkStatistics, Links, PeerEntry, RttRing, SessionState, Shared};
use super::thread::Drive;
use crate::compression::ZstdCompressor;
use crate::transport::memory::Door;
use crate::transport::quic::any_address_for;
use crate::transport::{ConnectionId, Transport, TransportConfig, TransportError, TransportEvent};

/// What the engine asks.
#[derive(Debug)]
pub(super) enum JoinRequest {
    /// Boxed: the ring holds many and most of the time none.
    Input(Box<InputSample>),
    Loaded,
    /// For tests of what finds divergences.
    PlantDivergence {
        component: ComponentId,
        field: u16,
    },
    Suspend,
    Resume,
    NetworkChanged,
}

/// How a session gets to its host.
#[derive(Debug)]
pub(super) enum Way {
    /// To `host:port`, by QUIC.
    Quic { endpoint: String },
    /// Within the process. The binding is as good as TLS's: only the two ends know it.
    Memory { door: Door, binding: [u8; 32] },
}

/// How often statistics are published and the render clock is steered.
const REPORT_INTERVAL_MS: u64 = 50;

/// A compressor for one link. Without memory for it the session goes on uncompressed.
pub(super) fn compressor() -> Option<SharedCompressor> {
    ZstdCompressor::new().ok().map(|zstd| Box::new(zstd) as SharedCompressor)
}

/// A link: a socket of its own, and the one connection on it.
struct Up {
    transport: Transport,
    connection: ConnectionId,
}

/// One joined session on the I/O thread.
pub(super) struct JoinDriver {
    peer: Peer,
    way: Option<Way>,
    limits: TransportConfig,
    delay_ms: u32,
    backoff: Backoff,
    /// The next attempt to find a host whose link was lost.
    next_try: Option<Time>,
    requests: rtrb::Consumer<JoinRequest>,
    events: EventSink,
    shared: Arc<Shared>,
    rtts: RttRing,
    divergences: u64,
    next_report: Time,
}

impl JoinDriver {
    pub(super) fn new(
        peer: Peer,
        (way, limits): (Way, TransportConfig),
        delay_ms: u32,
        backoff: Backoff,
        requests: rtrb::Consumer<JoinRequest>,
        events: EventSink,
        shared: Arc<Shared>,
    ) -> Self {
        let (rtts, divergences, next_report, next_try) = (RttRing::default(), 0, Time(0), None);
        Self {
            peer,
            way: Some(way),
            limits,
            delay_ms,
            backoff,
            next_try,
            requests,
            events,
            shared,
            rtts,
            divergences,
            next_report,
        }
    }

    /// Everything that can be done without waiting. Without a link there is only time that passes.
    fn drive(&mut self, link: &mut Option<Up>) {
        if let Some(Up { transport, .. }) = link {
            for _ in 0..EVENTS_PER_TURN {
                let Some(event) = transport.try_next_event() else { break };
                if let Some((_, input)) = link_input(&event, |_| None) {
                    self.peer.handle(clock::now(), input);
                }
            }
        }
        let now = clock::now();
        while let Ok(request) = self.requests.pop() {
            match request {
                JoinRequest::Input(sample) => self.peer.send_input(now, *sample),
                JoinRequest::Loaded => self.peer.loaded(),
                JoinRequest::PlantDivergence { component, field } => {
                    self.peer.plant_divergence(component, field);
                }
                JoinRequest::Suspend => {
                    self.peer.suspend(now);
                }
                JoinRequest::Resume => self.peer.resume(now),
                JoinRequest::NetworkChanged => self.change_network(link.as_mut(), now),
            }
        }
        if self.peer.next_wake().is_some_and(|wake| wake <= now) {
            self.peer.handle_timeout(now);
        }
        if let Some(up) = link {
            // What this turn sends says everything that an unsent packet of an earlier turn said, and more.
            up.transport.begin_batch();
        }
        self.drain(link);
        if now >= self.next_report {
            self.next_report = now.plus_ms(REPORT_INTERVAL_MS);
            if let Some(up) = link {
                self.report(&up.transport, up.connection);
            }
            self.steer(now);
        }
        self.events.flush();
    }

    /// Another network: the connection moves to a new socket, and an attempt that waits is made now.
    fn change_network(&mut self, link: Option<&mut Up>, now: Time) {
        if self.next_try.is_some() {
            self.next_try = Some(now);
        }
        if let Some(up) = link {
            // Without any network to bind to, the link goes silent, and is looked for from a new socket then.
            let _ = up.transport.rebind();
        }
    }

    /// Notes that the link is lost, and when to try again.
    fn lose_link(&mut self, link: &mut Option<Up>) {
        if self.peer.state() == PeerState::Live {
            self.backoff.reset();
        }
        if self.peer.wants_link() && self.next_try.is_none() {
            // Whatever the old connection still reports is of no interest. Dropping it tells the host.
            *link = None;
            self.next_try = Some(self.pause());
        }
    }

    fn pause(&mut self) -> Time {
        let pause = self.backoff.next();
        clock::now().plus_us(pause.as_micros() as u64)
    }

    /// Makes the attempt that is due.
    async fn look_again(&mut self, way: &Way) -> Option<Up> {
        if !self.peer.wants_link() {
            self.next_try = None;
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let found = tokio::select! {
            found = connect(way, self.limits.clone()) => found.ok(),
            () = left(&shared) => None,
        };
        match found {
            Some(up) if self.peer.reconnect(clock::now()) => {
                self.next_try = None;
                Some(up)
            }
            _ => {
                self.next_try = Some(self.pause());
                None
            }
        }
    }

    fn drain(&mut self, link: &mut Option<Up>) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                PeerOutput::Link(output) => {
                    if let Some(up) = link {
                        carry_out(&mut up.transport, up.connection, output);
                    }
                }
                PeerOutput::Event(event) => self.tell(event),
            }
        }
    }

    fn tell(&mut self, event: PeerEvent) {
        let kind = match event {
            PeerEvent::StateChanged(state) => {
                self.shared.update_standing(|standing| standing.state = state.into());
                EventKind::StateChanged(state.into())
            }
            PeerEvent::Admitted { peer, role, tick_rate_hz, application, resume_grace_ms } => {
                let agreed = self.peer.agreement();
                let (session_id, term, version) = agreed.map_or(Default::default(), |agreement| {
                    (agreement.session_id, agreement.term, agreement.version)
                });
                self.shared.update_standing(|standing| {
                    standing.local_peer = peer;
                    standing.role = Some(role);
                    standing.tick_rate_hz = tick_rate_hz;
                    standing.session_id = session_id;
                    standing.term = term;
                    standing.version = version;
                    standing.resume_grace_ms = resume_grace_ms;
                });
                EventKind::Admitted { peer, role, tick_rate_hz, application, resume_grace_ms }
            }
            PeerEvent::SchemaMapped(mapping) => EventKind::SchemaMapped(mapping),
            PeerEvent::JoinProgress { received, total } => EventKind::JoinProgress { received, total },
            PeerEvent::PeerJoined(info) => {
                let entry = PeerEntry { info: info.clone(), state: SessionState::Live };
                self.shared.update_standing(|standing| {
                    standing.peers.insert(info.peer, entry);
                });
                EventKind::PeerJoined(info)
            }
            PeerEvent::PeerLeft { peer, code, reason } => {
                self.shared.update_standing(|standing| {
                    standing.peers.remove(&peer);
                });
                EventKind::PeerLeft { peer, code, reason }
            }
            PeerEvent::PeerAway { peer, grace_ms } => {
                self.note_state(peer, SessionState::Away);
                EventKind::PeerAway { peer, grace_ms }
            }
            PeerEvent::PeerBack(peer) => {
                self.note_state(peer, SessionState::Live);
                EventKind::PeerBack(peer)
            }
            PeerEvent::Frame(frame) => {
                self.shared.confirmed.store(self.peer.statistics().confirmed_tick.0, Ordering::Relaxed);
                self.shared.publish_frame(frame, clock::now_ns());
                return;
            }
            PeerEvent::Lifecycle(change) => EventKind::Lifecycle(change),
            PeerEvent::Diverged(divergence) => {
                self.divergences += 1;
                EventKind::Diverged { peer: PeerId::HOST, divergence }
            }
            PeerEvent::Repaired(tick) => EventKind::Repaired { peer: PeerId::HOST, tick },
            PeerEvent::Refused { reason, text } => EventKind::Refused { reason, text },
            PeerEvent::Disconnected { code, reason } => {
                self.shared.update_standing(|standing| {
                    standing.disconnect = Some(code);
                    standing.peers.clear();
                });
                EventKind::Disconnected { code, reason }
            }
        };
        self.events.push(kind);
    }

    fn note_state(&self, peer: PeerId, state: SessionState) {
        self.shared.update_standing(|standing| {
            if let Some(entry) = standing.peers.get_mut(&peer) {
                entry.state = state;
            }
        });
    }

    fn report(&mut self, transport: &Transport, connection: ConnectionId) {
        let Some(counters) = transport.counters(connection) else { return };
        let seen = self.peer.statistics();
        self.rtts.note(seen.rtt_samples, seen.last_rtt_us);
        let (rtt_p50_us, rtt_p99_us) = self.rtts.percentiles();
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
            ticks_complete: seen.ticks_complete,
            ticks_started: seen.ticks_started,
            repairs: seen.repairs,
            divergences: self.divergences,
            confirmed_tick: seen.confirmed_tick,
            ..of_transport(counters)
        };
        let by_peer = [(PeerId::HOST, statistics)].into();
        self.shared.links.store(Arc::new(Links { by_peer, confirmed_tick: seen.confirmed_tick }));
    }

    /// Steers the render clock: the host's tick, minus the trip here, minus the delay that hides jitter.
    fn steer(&mut self, now: Time) {
        let rate_hz = self.shared.standing.load().tick_rate_hz;
        let Some(host_tick) = self.peer.host_tick_at(now) else { return };
        let behind_us = f64::from(self.delay_ms) * 1000.0 + f64::from(self.peer.statistics().rtt_us) / 2.0;
        let target = host_tick - behind_us * f64::from(rate_hz) / 1e6;
        let clock = match **self.shared.render.load() {
            None => RenderClock::start(now, target, rate_hz),
            Some(clock) => clock.steer(now, target, rate_hz),
        };
        self.shared.render.store(Arc::new(Some(clock)));
    }

    fn next_wake(&self) -> Time {
        let wakes = self.peer.next_wake().into_iter().chain(self.next_try);
        wakes.fold(self.next_report, Time::min)
    }

    /// Ends without ever having had a transport.
    fn give_up(&mut self, reason: &str) {
        let code = DisconnectCode::LinkLost as u16;
        self.peer.handle(clock::now(), LinkInput::Closed { code, reason });
        while let Some(output) = self.peer.poll_output() {
            if let PeerOutput::Event(event) = output {
                self.tell(event);
            }
        }
    }
}

/// Finds the host and begins the connection. The sentence of an error is for the person who joins.
async fn connect(way: &Way, limits: TransportConfig) -> Result<Up, String> {
    let endpoint = match way {
        Way::Quic { endpoint } => endpoint,
        Way::Memory { door, binding } => {
            let mut transport = Transport::memory_client(limits);
            let connection = transport.connect_memory(door, *binding, MAX_DATAGRAM_BYTES);
            return Ok(Up { transport, connection });
        }
    };
    let remote = resolve(endpoint).await?;
    let told = |error: TransportError| error.to_string();
    let mut transport = Transport::quic_client(any_address_for(remote), limits).map_err(told)?;
    let connection = transport.connect(remote).map_err(told)?;
    Ok(Up { transport, connection })
}

/// `host:port` as an address; names by the system's resolver, the first address it gives.
async fn resolve(endpoint: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = endpoint.parse() {
        return Ok(address);
    }
    let mut found = tokio::net::lookup_host(endpoint)
        .await
        .map_err(|error| format!("\"{endpoint}\" cannot be resolved: {error}"))?;
    found.next().ok_or_else(|| format!("\"{endpoint}\" has no address"))
}

impl Drive for JoinDriver {
    async fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(way) = self.way.take() else { return };
        let connected = tokio::select! {
            connected = connect(&way, self.limits.clone()) => connected,
            () = left(&shared) => Err("left before the host was found".to_owned()),
        };
        let mut link = match connected {
            Ok(up) => Some(up),
            Err(reason) => return self.give_up(&reason),
        };
        loop {
            self.drive(&mut link);
            if self.peer.state() == PeerState::Closed {
                break;
            }
            if shared.is_leaving() {
                self.peer.leave("");
                self.drain(&mut link);
                break;
            }
            self.lose_link(&mut link);
            if self.next_try.is_some_and(|at| at <= clock::now()) {
                link = self.look_again(&way).await;
                continue;
            }
            tokio::select! {
                () = shared.wake.notified() => {}
                event = next_event(&mut link) => {
                    if let Some((_, input)) = link_input(&event, |_| None) {
                        self.peer.handle(clock::now(), input);
                    }
                }
                () = sleep_until(self.next_wake()) => {}
            }
        }
        // The last words are on their way; give them time.
        let code = DisconnectCode::Left;
        if let Some(up) = link {
            up.transport.shut_down(code as u16, code.sentence(), FAREWELL).await;
        }
    }

    fn events(&mut self) -> &mut EventSink {
        &mut self.events
    }
}

/// The link's next event; never without one.
async fn next_event(link: &mut Option<Up>) -> TransportEvent {
    match link {
        Some(up) => up.transport.next_event().await,
        None => std::future::pending().await,
    }
}

/// Returns when the engine wants to leave.
async fn left(shared: &Shared) {
    while !shared.is_leaving() {
        shared.wake.notified().await;
    }
}
