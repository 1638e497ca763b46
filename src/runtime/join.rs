//! The engine's side of a joined session: frames and events out, input in. Nothing here waits.

use std::sync::Arc;

use theta_core::schema::Schema;
use theta_core::session::handshake::{ClientTerms, Floors, supported_capabilities};
use theta_core::session::input::InputSample;
use theta_core::session::ticket::Ticket;
use theta_core::session::{Peer, PeerConfig};
use theta_core::types::{ComponentId, PeerId, Tick};
use theta_core::wire::limits::{MAX_ADMISSION_BYTES, MAX_APPLICATION_BYTES, MAX_NAME_BYTES};

use super::backoff::Backoff;
use super::clock::{self, TickPacer};
use super::drive_join::{JoinDriver, JoinRequest, Way, compressor};
use super::event::{self, EventSource, SessionEvent};
use super::host::poll;
use super::published::{
    LinkStatistics, PeerEntry, PublishedFrame, SessionInfo, SessionState, SessionView, Shared, Standing,
};
use super::sampler::Sampler;
use super::{Runtime, RuntimeError, key, random_seed};
use crate::transport::TransportConfig;
use crate::transport::memory::Door;

const RING_REQUESTS: usize = 64;
const DEFAULT_INTERPOLATION_DELAY_MS: u32 = 50;
const MAX_INTERPOLATION_DELAY_MS: u32 = 1000;
const DEFAULT_HANDSHAKE_TIMEOUT_MS: u32 = 5000;
/// A host that is silent for this long is looked for on a new link.
const IDLE_TIMEOUT_MS: u64 = 5000;

/// How to join. Zero or `None` means the default.
#[derive(Clone, Debug)]
pub struct JoinOptions {
    /// Where the host is, whom to expect there, and what lets us in.
    pub ticket: Ticket,
    /// The host in this process ([`super::HostSession::door`]): no socket, and the ticket's endpoint is not looked at.
    pub door: Option<Door>,
    /// The name others see, at most 255 bytes.
    pub name: String,
    /// For the host's application to judge, at most 4096 bytes.
    pub application: Vec<u8>,
    /// A token for the host's outside verifier, shown instead of what the ticket has, and only to a host that has proved
    /// itself; at most 8192 bytes.
    pub bearer: Option<Vec<u8>>,
    /// The highest [`SessionInfo::term`] seen for the document before: a host of a lower one is refused. 0 = none.
    pub least_term: u32,
    /// The least we settle for.
    pub floors: Floors,
    /// The world waits for [`JoinSession::loaded`].
    pub manual_loaded: bool,
    /// Seed of our key; `None` = a fresh one.
    pub identity_seed: Option<[u8; 32]>,
    /// How far behind the newest tick others are shown, in milliseconds, at most 1000; 0 = 50.
    pub interpolation_delay_ms: u32,
    /// How long the handshake may take, in milliseconds; 0 = 5000.
    pub handshake_timeout_ms: u32,
    /// How long a lost link is looked for again, in milliseconds; 0 = as long as the host keeps our place, which
    /// [`SessionInfo::resume_grace_ms`] says.
    pub resume_timeout_ms: u32,
}

impl JoinOptions {
    /// With this ticket, and defaults for the rest.
    pub fn new(ticket: Ticket) -> Self {
        Self {
            ticket,
            door: None,
            name: String::new(),
            application: Vec::new(),
            bearer: None,
            least_term: 0,
            floors: Floors::default(),
            manual_loaded: false,
            identity_seed: None,
            interpolation_delay_ms: 0,
            handshake_timeout_ms: 0,
            resume_timeout_ms: 0,
        }
    }
}

/// A joined session, for one engine thread at a time. Dropping it leaves, in the background.
#[derive(Debug)]
pub struct JoinSession {
    requests: rtrb::Producer<JoinRequest>,
    events: EventSource,
    shared: Arc<Shared>,
    pacer: TickPacer,
    shown: Tick,
}

pub(super) fn start(
    runtime: &Runtime,
    schema: Arc<Schema>,
    options: JoinOptions,
) -> Result<JoinSession, RuntimeError> {
    let range = |what, value: usize, limit: usize| {
        if value > limit { Err(RuntimeError::Range { what, value, limit }) } else { Ok(()) }
    };
    range("name bytes", options.name.len(), MAX_NAME_BYTES)?;
    range("application bytes", options.application.len(), MAX_APPLICATION_BYTES)?;
    range("bearer bytes", options.bearer.as_ref().map_or(0, Vec::len), MAX_ADMISSION_BYTES)?;
    let delay_ms = match options.interpolation_delay_ms {
        0 => DEFAULT_INTERPOLATION_DELAY_MS,
        delay_ms => delay_ms,
    };
    range("interpolation_delay_ms", delay_ms as usize, MAX_INTERPOLATION_DELAY_MS as usize)?;
    let handshake_timeout_ms = match options.handshake_timeout_ms {
        0 => DEFAULT_HANDSHAKE_TIMEOUT_MS,
        timeout_ms => timeout_ms,
    };
    let way = match options.door {
        Some(door) => Way::Memory { door, binding: random_seed()? },
        None => Way::Quic { endpoint: options.ticket.endpoint.clone() },
    };
    let (document_id, authority_key) =
        options.ticket.pin.map_or(([0; 32], [0; 32]), |pin| (pin.document, pin.authority));
    let least_version = options.floors.version;
    let config = PeerConfig {
        terms: ClientTerms {
            identity: key(options.identity_seed)?,
            name: options.name,
            application: options.application,
            ticket: options.ticket,
            capabilities: supported_capabilities(),
            bearer: options.bearer,
            least_term: options.least_term,
            floors: options.floors,
            dictionary_hash: 0, // the peer fills in its compressor's
        },
        manual_loaded: options.manual_loaded,
        handshake_timeout_ms: u64::from(handshake_timeout_ms),
        idle_timeout_ms: IDLE_TIMEOUT_MS,
        resume_timeout_ms: options.resume_timeout_ms.into(),
    };
    let peer = Peer::new(config, Arc::clone(&schema), clock::now(), random_seed()?, compressor());
    let backoff = Backoff::new(random_seed()?);
    let limits =
        TransportConfig { conditioner: runtime.link_conditioner().clone(), ..TransportConfig::default() };
    runtime.launch(move || {
        let (sink, events) = event::channel();
        let standing = Standing { least_version, ..Standing::default() };
        let shared =
            Shared::new(false, schema, sink.dropped_count(), document_id, authority_key, None, standing);
        let (requests, asked) = rtrb::RingBuffer::new(RING_REQUESTS);
        let driver =
            JoinDriver::new(peer, (way, limits), delay_ms, backoff, asked, sink, Arc::clone(&shared));
        let session = JoinSession {
            requests,
            events,
            shared: Arc::clone(&shared),
            pacer: TickPacer::default(),
            shown: Tick::ZERO,
        };
        Ok((session, shared, driver))
    })
}

impl JoinSession {
    /// The oldest event; poll until there is none.
    pub fn poll(&mut self) -> Option<SessionEvent> {
        poll(&mut self.events, &self.shared)
    }

    /// The newest complete tick; `None` before the first.
    pub fn newest_frame(&mut self) -> Option<PublishedFrame> {
        let newest = self.shared.newest_frame()?;
        self.shown = newest.frame.tick;
        Some(newest)
    }

    /// The complete tick after the one that was taken last, in order; ticks that are too old to be kept are left out.
    pub fn next_frame(&mut self) -> Option<PublishedFrame> {
        let next = self.shared.frame_after(self.shown)?;
        self.shown = next.frame.tick;
        Some(next)
    }

    /// Sends one tick's input. An `input_tick` of zero lets the session number it. [`RuntimeError::NotLive`] before the
    /// world is here. Should the I/O thread be behind by half a second, the input is dropped, as the network might.
    pub fn send_input(&mut self, sample: InputSample) -> Result<(), RuntimeError> {
        match self.shared.state() {
            SessionState::Live => {}
            state if state.is_over() => return Err(RuntimeError::Disconnected),
            _ => return Err(RuntimeError::NotLive),
        }
        let _ = self.requests.push(JoinRequest::Input(Box::new(sample)));
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Says that the level is up, so that the world may arrive. Without effect unless the options asked for it.
    pub fn loaded(&mut self) {
        let _ = self.requests.push(JoinRequest::Loaded);
        self.shared.wake.notify_one();
    }

    /// Makes this session hold something else than its host in one field, for tests of whoever must notice: see
    /// [`theta_core::replication::Replica::plant_divergence`]. Happens soon after the call, on the I/O thread; without
    /// effect when nothing has the field. [`RuntimeError::NotLive`] before the world is here.
    pub fn plant_divergence(&mut self, component: ComponentId, field: u16) -> Result<(), RuntimeError> {
        match self.shared.state() {
            SessionState::Live => {}
            state if state.is_over() => return Err(RuntimeError::Disconnected),
            _ => return Err(RuntimeError::NotLive),
        }
        let pushed = self.requests.push(JoinRequest::PlantDivergence { component, field });
        self.shared.wake.notify_one();
        pushed.map_err(|_| RuntimeError::Limit { what: "requests that wait", limit: RING_REQUESTS })
    }

    /// Nobody is there any more: a headset was taken off, the application goes to sleep. The host keeps our place for its
    /// grace window and sends nothing meanwhile; the others see that we are away. Without effect before we are admitted
    /// and where the host does not offer it. Should the link be lost meanwhile, it is looked for after
    /// [`JoinSession::resume`].
    pub fn suspend(&mut self) {
        self.ask(JoinRequest::Suspend);
    }

    /// Somebody is there again: the session goes on, on the same link or a new one, in the same place.
    pub fn resume(&mut self) {
        self.ask(JoinRequest::Resume);
    }

    /// The system has another network (Wi-Fi to mobile, another access point): goes on from a new socket at once, rather
    /// than when silence tells. The session stays; nobody else notices.
    pub fn network_changed(&mut self) {
        self.ask(JoinRequest::NetworkChanged);
    }

    fn ask(&mut self, request: JoinRequest) {
        let _ = self.requests.push(request);
        self.shared.wake.notify_one();
    }

    /// How many ticks are due at this time of [`super::now_ns`], at most `cap`; they count as run. None before we are
    /// admitted.
    pub fn ticks_due(&mut self, now_ns: u64, cap: u32) -> u32 {
        self.pacer.due(now_ns, cap, self.shared.standing.load().tick_rate_hz)
    }

    /// Samples values on any thread.
    pub fn sampler(&self) -> Sampler {
        Sampler::new(Arc::clone(&self.shared))
    }

    /// The tick to show at a time of [`super::now_ns`]; see [`Sampler::render_tick`].
    pub fn render_tick(&self, at_ns: u64) -> f64 {
        self.sampler().render_tick(at_ns)
    }

    /// What any thread may ask.
    pub fn view(&self) -> SessionView {
        SessionView { shared: Arc::clone(&self.shared) }
    }

    /// What the session is.
    pub fn info(&self) -> SessionInfo {
        self.view().info()
    }

    /// The other members.
    pub fn peers(&self) -> Vec<PeerEntry> {
        self.view().peers()
    }

    /// Counters of our link; `None` before it is up.
    pub fn statistics(&self) -> Option<LinkStatistics> {
        self.view().statistics(PeerId::HOST)
    }

    /// Leaves, in the background. Events can still be polled.
    pub fn leave(&mut self) {
        self.shared.leave();
    }
}

impl Drop for JoinSession {
    fn drop(&mut self) {
        self.shared.leave();
    }
}
