//! The engine's side of a hosted session: it owns the world, seals ticks and takes events. Nothing here waits.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use theta_core::schema::Schema;
use theta_core::session::admission::{AdmissionChange, AdmissionState, Invite, InviteId, InviteKey};
use theta_core::session::genesis::Genesis;
use theta_core::session::handshake::OpenDoor;
use theta_core::session::input::InputSample;
use theta_core::session::keys::AdminKey;
use theta_core::session::ticket::{MemberTicket, Pass, Pin, Ticket};
use theta_core::session::{Host, HostCommand, HostConfig};
use theta_core::types::{PeerId, Tick};
use theta_core::wire::limits::{MAX_APPLICATION_BYTES, MAX_TEXT_BYTES};
use theta_core::wire::message::{Role, Version};
use theta_core::world::{SealedTick, World, WorldLimits};

use super::clock::TickPacer;
use super::drive_host::{HostDriver, HostRequest};
use super::event::{self, EventSource, SessionEvent};
use super::published::{
    Admission, HostView, LinkStatistics, PeerEntry, PublishedFrame, SessionInfo, SessionState, SessionView,
    Shared, Standing,
};
use super::{Runtime, RuntimeError, clock, drive_join, key, random_seed};
use crate::transport::memory::Door;
use crate::transport::{Transport, TransportConfig};

/// Requests that wait for the I/O thread: most of a second of ticks.
const RING_REQUESTS: usize = 64;
/// Members of one session at most.
const MAX_PEERS: u16 = 1024;
const MAX_TICK_RATE_HZ: u32 = 240;
const DEFAULT_PEERS: u16 = 16;
const DEFAULT_TICK_RATE_HZ: u32 = 90;
const DEFAULT_RESUME_GRACE_MS: u32 = 30_000;

/// How to host. Zero or `None` means the default.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Nobody on this machine needs a ticket; listens on loopback only.
    pub dev_mode: bool,
    /// Each [`super::EventKind::JoinRequest`] waits for [`HostSession::admit`] or [`HostSession::deny`].
    pub manual_admission: bool,
    /// Take bearer tokens; about who comes with one the application always decides, up to `default_role`.
    pub takes_bearer: bool,
    /// Invites and bans to begin with, as [`HostSession::admission`] gave them.
    pub admission: AdmissionState,
    /// `ip:port`; port 0 lets the system choose. Default: 127.0.0.1:0 in dev mode, 0.0.0.0:0 otherwise.
    pub bind: Option<String>,
    /// No socket: members come in through [`HostSession::door`], from this process alone. Without a bind address.
    pub in_memory: bool,
    /// Members at most, 1 to 1024; 0 = 16.
    pub max_peers: u16,
    /// Ticks per second, 1 to 240; 0 = 90.
    pub tick_rate_hz: u32,
    /// The highest role of those who enter without a ticket (dev mode, bearer tokens).
    pub default_role: Role,
    /// How long the place of a member is kept that is away, or whose link is lost, in milliseconds; 0 = 30 000.
    pub resume_grace_ms: u32,
    /// Seed of the key that signs tickets and certifies the host; `None` = a fresh one.
    pub authority_seed: Option<[u8; 32]>,
    /// Seed of the host's own key; `None` = a fresh one.
    pub host_seed: Option<[u8; 32]>,
    /// Tells apart the documents of one authority, when there is no `genesis`: the same two make the same document.
    pub document_nonce: [u8; 32],
    /// What the document's founder laid down; `None` = the authority founds one with nothing laid down.
    pub genesis: Option<Genesis>,
    /// This host's term; 0 = 1. A client refuses a term below one that it has seen for the document.
    pub term: u32,
    /// Clients of a lower protocol version are refused; zeros = every one that this build can speak with.
    pub least_version: Version,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            dev_mode: false,
            manual_admission: false,
            takes_bearer: false,
            admission: AdmissionState::new(),
            bind: None,
            in_memory: false,
            max_peers: 0,
            tick_rate_hz: 0,
            default_role: Role::Editor,
            resume_grace_ms: 0,
            authority_seed: None,
            host_seed: None,
            document_nonce: [0; 32],
            genesis: None,
            term: 0,
            least_version: Version::default(),
        }
    }
}

/// A hosted session, for one engine thread at a time. Dropping it closes the session for everybody, in the background.
#[derive(Debug)]
pub struct HostSession {
    world: World,
    requests: rtrb::Producer<HostRequest>,
    /// What found no room in the ring: the newest state of what changed meanwhile.
    backlog: Option<SealedTick>,
    events: EventSource,
    shared: Arc<Shared>,
    pacer: TickPacer,
    shown: Tick,
    tick_rate_hz: u32,
    authority: AdminKey,
    pin: Pin,
    local_addr: SocketAddr,
    door: Option<Door>,
    /// Changes of invites and bans that the I/O thread may not have made yet, and how many went before them.
    changes: VecDeque<AdmissionChange>,
    changes_settled: u64,
}

fn or_default<T: Copy + PartialEq + Default>(value: T, default: T) -> T {
    if value == T::default() { default } else { value }
}

fn bind_address(options: &HostOptions) -> Result<SocketAddr, RuntimeError> {
    let address = match &options.bind {
        None if options.dev_mode => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        None => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        Some(text) => text.parse().map_err(|error: std::net::AddrParseError| RuntimeError::Address {
            text: text.clone(),
            reason: error.to_string(),
        })?,
    };
    if options.dev_mode && !address.ip().to_canonical().is_loopback() {
        return Err(RuntimeError::NotLoopback(address));
    }
    Ok(address)
}

pub(super) fn start(
    runtime: &Runtime,
    schema: Arc<Schema>,
    options: &HostOptions,
) -> Result<HostSession, RuntimeError> {
    let bind = bind_address(options)?;
    let in_memory = options.in_memory;
    let max_peers = or_default(options.max_peers, DEFAULT_PEERS);
    let tick_rate_hz = or_default(options.tick_rate_hz, DEFAULT_TICK_RATE_HZ);
    if max_peers > MAX_PEERS {
        return Err(RuntimeError::Range {
            what: "max_peers",
            value: max_peers.into(),
            limit: MAX_PEERS.into(),
        });
    }
    if tick_rate_hz > MAX_TICK_RATE_HZ {
        let (value, limit) = (tick_rate_hz as usize, MAX_TICK_RATE_HZ as usize);
        return Err(RuntimeError::Range { what: "tick_rate_hz", value, limit });
    }
    let authority = key(options.authority_seed)?;
    let genesis = match &options.genesis {
        Some(genesis) => genesis.clone(),
        None => Genesis::plain(&authority, options.document_nonce),
    };
    let term = options.term.max(1);
    let least_version = options.least_version;
    let resume_grace_ms = or_default(options.resume_grace_ms, DEFAULT_RESUME_GRACE_MS);
    let config = HostConfig {
        tick_rate_hz: tick_rate_hz as u16,
        max_peers,
        door: if options.dev_mode { OpenDoor::Loopback(options.default_role) } else { OpenDoor::Closed },
        manual_admission: options.manual_admission,
        bearer: options.takes_bearer.then_some(options.default_role),
        admission: options.admission.clone(),
        term,
        resume_grace_ms: resume_grace_ms.into(),
        least_version,
        ..HostConfig::new(genesis, authority.clone(), key(options.host_seed)?)
    };
    let host = Host::new(config, Arc::clone(&schema), random_seed()?, Box::new(drive_join::compressor));
    let pin = host.pin();
    let conditioner = runtime.link_conditioner().clone();
    runtime.launch(move || {
        let limits = TransportConfig {
            // Those who are turned away must get in far enough to be told why.
            max_connections: usize::from(max_peers) + 32,
            conditioner,
            ..TransportConfig::default()
        };
        let transport =
            if in_memory { Transport::memory_server(limits) } else { Transport::quic_server(bind, limits)? };
        let door = transport.door();
        let local_addr = match transport.local_addr() {
            Some(address) => address,
            None if door.is_some() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            None => {
                let reason = "the socket has no address".to_owned();
                return Err(RuntimeError::Address { text: bind.to_string(), reason });
            }
        };
        let (sink, events) = event::channel();
        let standing = Standing {
            state: SessionState::Live,
            role: Some(Role::Admin),
            tick_rate_hz,
            session_id: host.session_id(),
            term,
            resume_grace_ms,
            version: Version::CURRENT,
            least_version,
            ..Standing::default()
        };
        let shared = Shared::new(
            true,
            Arc::clone(&schema),
            sink.dropped_count(),
            pin.document,
            pin.authority,
            Some(local_addr),
            standing,
        );
        shared.admission.store(Arc::new(Admission { state: host.admission().clone(), changes: 0 }));
        let (requests, asked) = rtrb::RingBuffer::new(RING_REQUESTS);
        let driver = HostDriver::new(host, transport, asked, sink, Arc::clone(&shared));
        let session = HostSession {
            world: World::new(schema, WorldLimits::default()),
            requests,
            backlog: None,
            events,
            shared: Arc::clone(&shared),
            pacer: TickPacer::default(),
            shown: Tick::ZERO,
            tick_rate_hz,
            authority,
            pin,
            local_addr,
            door,
            changes: VecDeque::new(),
            changes_settled: 0,
        };
        Ok((session, shared, driver))
    })
}

impl HostSession {
    /// The world as it is being written.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, to write into. What is written goes out with the next [`HostSession::tick`].
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// Seals what was written since the last tick and hands it to the I/O thread.
    ///
    /// Should that thread be behind, ticks are merged on this side: the newest state of everything that changed goes
    /// out as soon as there is room, and intermediate states are never sent.
    pub fn tick(&mut self) -> Result<Tick, RuntimeError> {
        if self.shared.state().is_over() {
            return Err(RuntimeError::Disconnected);
        }
        let sealed = self.world.seal(self.world.tick().next())?;
        let tick = sealed.tick;
        self.shared.publish_frame(Arc::clone(&sealed.frame), clock::now_ns());
        self.backlog = Some(match self.backlog.take() {
            Some(older) => merge(older, sealed),
            None => sealed,
        });
        self.hand_over();
        Ok(tick)
    }

    /// Hands what was sealed to the I/O thread, if there is room.
    fn hand_over(&mut self) {
        if let Some(sealed) = self.backlog.take() {
            if let Err(rtrb::PushError::Full(HostRequest::Tick(sealed))) =
                self.requests.push(HostRequest::Tick(sealed))
            {
                self.backlog = Some(sealed);
            }
            self.shared.wake.notify_one();
        }
    }

    /// How many ticks are due at this time of [`super::now_ns`], at most `cap`; they count as run.
    pub fn ticks_due(&mut self, now_ns: u64, cap: u32) -> u32 {
        self.pacer.due(now_ns, cap, self.tick_rate_hz)
    }

    /// The oldest event; poll until there is none.
    pub fn poll(&mut self) -> Option<SessionEvent> {
        // An engine that pauses its ticks still polls: its last state must not wait for the next tick.
        self.hand_over();
        poll(&mut self.events, &self.shared)
    }

    /// Lets a peer in that asked; `role` is cut to what its ticket grants. `application`: at most 4096 bytes.
    pub fn admit(&mut self, peer: PeerId, role: Role, application: &[u8]) -> Result<(), RuntimeError> {
        if application.len() > MAX_APPLICATION_BYTES {
            let (value, limit) = (application.len(), MAX_APPLICATION_BYTES);
            return Err(RuntimeError::Range { what: "application bytes", value, limit });
        }
        self.require(|standing| standing.pending.contains_key(&peer), peer)?;
        self.ask(HostCommand::Admit { peer, role, application: application.to_vec() })
    }

    /// Turns a peer away that asked, with a sentence of at most 1024 bytes.
    pub fn deny(&mut self, peer: PeerId, reason: &str) -> Result<(), RuntimeError> {
        self.require(|standing| standing.pending.contains_key(&peer), peer)?;
        self.ask(HostCommand::Deny { peer, reason: sentence(reason)? })
    }

    /// Removes a member, with a sentence of at most 1024 bytes.
    pub fn kick(&mut self, peer: PeerId, reason: &str) -> Result<(), RuntimeError> {
        let known =
            |standing: &Standing| standing.peers.contains_key(&peer) || standing.pending.contains_key(&peer);
        self.require(known, peer)?;
        self.ask(HostCommand::Kick { peer, reason: sentence(reason)? })
    }

    fn require(&self, known: impl Fn(&Standing) -> bool, peer: PeerId) -> Result<(), RuntimeError> {
        let standing = self.shared.standing.load();
        if standing.state.is_over() {
            Err(RuntimeError::Disconnected)
        } else if known(&standing) {
            Ok(())
        } else {
            Err(RuntimeError::PeerUnknown(peer))
        }
    }

    fn ask(&mut self, command: HostCommand) -> Result<(), RuntimeError> {
        let pushed = self.requests.push(HostRequest::Command(command));
        self.shared.wake.notify_one();
        pushed.map_err(|_| RuntimeError::Limit { what: "requests that wait", limit: RING_REQUESTS })
    }

    /// The newest input of a member, as the wire carried it; `None` before the first.
    pub fn newest_input(&self, peer: PeerId) -> Result<Option<Arc<InputSample>>, RuntimeError> {
        if !self.shared.standing.load().peers.contains_key(&peer) {
            return Err(RuntimeError::PeerUnknown(peer));
        }
        Ok(self.shared.inputs.load().get(&peer).cloned())
    }

    /// The newest sealed tick; `None` before the first.
    pub fn newest_frame(&mut self) -> Option<PublishedFrame> {
        let newest = self.shared.newest_frame()?;
        self.shown = newest.frame.tick;
        Some(newest)
    }

    /// The tick after the one that was taken last, in order; ticks that are too old to be kept are left out.
    pub fn next_frame(&mut self) -> Option<PublishedFrame> {
        let next = self.shared.frame_after(self.shown)?;
        self.shown = next.frame.tick;
        Some(next)
    }

    /// The open ticket: endpoint, document and authority. In dev mode it is enough to join. An end point that listens on
    /// all addresses is named by loopback, for want of a better one: give the address that others see to
    /// [`HostSession::issue_ticket`].
    pub fn ticket(&self) -> Ticket {
        let mut endpoint = self.local_addr;
        if endpoint.ip().is_unspecified() {
            endpoint.set_ip(match endpoint.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ticket { endpoint: endpoint.to_string(), pin: Some(self.pin), pass: Pass::None }
    }

    /// Signs a member ticket: this key may enter with this role until then. `endpoint`: `host:port` as others see it;
    /// `None` = where it listens.
    pub fn issue_ticket(
        &self,
        client_key: [u8; 32],
        role: Role,
        expires_unix_s: u64,
        endpoint: Option<&str>,
    ) -> Result<Ticket, RuntimeError> {
        let member =
            MemberTicket::issue(&self.authority, self.pin.document, client_key, role, expires_unix_s);
        self.ticket_with(Pass::Member(member.encode()), endpoint)
    }

    fn ticket_with(&self, pass: Pass, endpoint: Option<&str>) -> Result<Ticket, RuntimeError> {
        let mut ticket = Ticket { pass, ..self.ticket() };
        if let Some(endpoint) = endpoint {
            endpoint.clone_into(&mut ticket.endpoint);
        }
        // What others will parse must parse.
        Ok(Ticket::parse(&ticket.to_string())?)
    }

    /// Makes an invite: whoever comes with the ticket first may enter with this role (never admin) until then, and come
    /// back; `uses` keys in all, 1 to 256. An unused one admits whoever holds it: hand it over as you would a key.
    /// `endpoint`: as [`HostSession::issue_ticket`].
    pub fn create_invite(
        &mut self,
        role: Role,
        uses: u16,
        expires_unix_s: u64,
        endpoint: Option<&str>,
    ) -> Result<(InviteId, Ticket), RuntimeError> {
        let mut id = [0; 16];
        id.copy_from_slice(&random_seed()?[..16]);
        let key = InviteKey { id, secret: random_seed()? };
        let ticket = self.ticket_with(Pass::Invite(key), endpoint)?;
        self.change(AdmissionChange::Invite(Invite::new(key, role, uses, expires_unix_s)))?;
        Ok((id, ticket))
    }

    /// Takes an invite back: it lets nobody in any more. Who came in by it stays; see [`HostSession::ban`].
    pub fn revoke_invite(&mut self, invite: InviteId) -> Result<(), RuntimeError> {
        self.change(AdmissionChange::Revoke(invite))
    }

    /// Puts out who holds this key, at once, and does not let it in again.
    pub fn ban(&mut self, key: [u8; 32]) -> Result<(), RuntimeError> {
        self.change(AdmissionChange::Ban(key))
    }

    /// Bans the key of somebody who is in the session, or waits for it.
    pub fn ban_peer(&mut self, peer: PeerId) -> Result<[u8; 32], RuntimeError> {
        let standing = self.shared.standing.load();
        let entry = standing.peers.get(&peer).or_else(|| standing.pending.get(&peer));
        let key = entry.ok_or(RuntimeError::PeerUnknown(peer))?.info.identity_key;
        self.ban(key)?;
        Ok(key)
    }

    /// Lets a banned key in again, by what admits it.
    pub fn unban(&mut self, key: [u8; 32]) -> Result<(), RuntimeError> {
        self.change(AdmissionChange::Unban(key))
    }

    /// Invites and bans as they are, with what was asked here and the I/O thread has still to do. Keep its
    /// [`AdmissionState::encode`] as you keep keys, after each change and each [`super::EventKind::InviteBound`], and
    /// give it to the next host of the document.
    pub fn admission(&mut self) -> AdmissionState {
        let published = self.shared.admission.load();
        while self.changes_settled < published.changes {
            self.changes.pop_front();
            self.changes_settled += 1;
        }
        let mut state = published.state.clone();
        for change in &self.changes {
            // It was possible when it was asked for; what handshakes do meanwhile only binds invites.
            let _ = state.apply(change);
        }
        state
    }

    fn change(&mut self, change: AdmissionChange) -> Result<(), RuntimeError> {
        if self.shared.state().is_over() {
            return Err(RuntimeError::Disconnected);
        }
        self.admission().apply(&change)?;
        self.ask(HostCommand::Admission(change.clone()))?;
        self.changes.push_back(change);
        Ok(())
    }

    /// What any thread may ask.
    pub fn view(&self) -> HostView {
        SessionView { shared: Arc::clone(&self.shared) }
    }

    /// What the session is.
    pub fn info(&self) -> SessionInfo {
        self.view().info()
    }

    /// Members and those who wait.
    pub fn peers(&self) -> Vec<PeerEntry> {
        self.view().peers()
    }

    /// Counters of a member's link; `None` when it is not there.
    pub fn statistics(&self, peer: PeerId) -> Option<LinkStatistics> {
        self.view().statistics(peer)
    }

    /// Where members of this process come in: hosts in memory only ([`HostOptions::in_memory`]).
    pub fn door(&self) -> Option<&Door> {
        self.door.as_ref()
    }

    /// Where it listens; port 0 in memory.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes the session for everybody, in the background. Events can still be polled.
    pub fn leave(&mut self) {
        self.shared.leave();
    }
}

impl Drop for HostSession {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

/// Takes an event out, and wakes the I/O thread when more wait behind the ring.
pub(super) fn poll(events: &mut EventSource, shared: &Shared) -> Option<SessionEvent> {
    let event = events.pop();
    if event.is_none() && events.more_waits() {
        shared.wake.notify_one();
    }
    event
}

fn sentence(text: &str) -> Result<String, RuntimeError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(RuntimeError::Range { what: "reason bytes", value: text.len(), limit: MAX_TEXT_BYTES });
    }
    Ok(text.to_owned())
}

/// Two sealed ticks as one: the newer state, and the newest version of every chunk that changed in either.
fn merge(older: SealedTick, newer: SealedTick) -> SealedTick {
    let changed: BTreeMap<_, _> =
        older.changed.into_iter().chain(newer.changed).map(|chunk| (chunk.id, chunk)).collect();
    SealedTick { changed: changed.into_values().collect(), ..newer }
}
