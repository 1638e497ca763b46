//! What stands behind a session handle: a host or a joined session of the runtime, and what this room adds to it.
//!
//! Two parts. What any thread may use at any time ([`Shared`], the runtime's view) is immutable or atomic; what
//! session-serial functions use ([`Serially`]) is reached through `handle::Serial` alone. The runtime's events become
//! C's here.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::basis::Basis;
use super::boundary::Fault;
use super::codec::{CodecMap, Codecs};
use super::elements::{Elements, FrameElements};
use super::error::Error;
use super::event::*;
use super::handle::{self, Kind, Noun, Serial, SerialNoun};
use super::peer::{peer_id, theta_peer_info, theta_statistics};
use super::rows::Conversions;
use super::session::*;
use super::status::*;
use super::tags::Tags;
use super::view::fixed_text;
use crate::core::replication::Lifecycle;
use crate::core::schema::{Mapping, MappingNote, NoteKind, Schema};
use crate::core::session::input::InputSample;
use crate::core::types::{PeerId, Tick};
use crate::core::wire::codes::DisconnectCode;
use crate::core::wire::message::{Role, WireEnum};
use crate::core::world::WriteReport;
use crate::runtime::{
    self, EventKind, HostSession, JoinSession, LinkStatistics, PeerEntry, PublishedFrame, Sampler,
    SessionEvent, SessionState, SessionView,
};

/// What several threads use of a session at once; frames and writes keep it alive.
pub(crate) struct Shared {
    pub(crate) schema: Arc<Schema>,
    pub(crate) codecs: Codecs,
    pub(crate) conversions: Conversions,
    pub(crate) tags: Tags,
    pub(crate) frames_held: AtomicU32,
    pub(crate) fault: Arc<Fault>,
    basis: Basis,
    values_clamped: AtomicU64,
    values_nan: AtomicU64,
}

impl Shared {
    fn new(schema: Arc<Schema>, basis: Basis, codecs: &CodecMap) -> Arc<Self> {
        Arc::new(Self {
            codecs: Codecs::new(&schema, codecs),
            conversions: Conversions::new(&schema, basis),
            schema,
            tags: Tags::new(),
            frames_held: AtomicU32::new(0),
            fault: Arc::default(),
            basis,
            values_clamped: AtomicU64::new(0),
            values_nan: AtomicU64::new(0),
        })
    }

    /// Adds a commit's values to the statistics.
    pub(crate) fn count_values(&self, report: &WriteReport) {
        self.values_clamped.fetch_add(report.clamped as u64, Ordering::Relaxed);
        self.values_nan.fetch_add(report.not_a_number as u64, Ordering::Relaxed);
    }
}

/// What a session handle names.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    view: SessionView,
    /// Joined sessions only.
    sampler: Option<Sampler>,
    state: UnsafeCell<Serially>,
}

/// What one thread at a time may do with a session.
pub(crate) struct Serially {
    side: Side,
    pub(crate) elements: Elements,
    pub(crate) texts: Texts,
    /// Host: the tick of each peer's input that was handed out last.
    inputs_seen: HashMap<PeerId, Tick>,
    fault_told: bool,
}

// One per session, behind a pointer already.
#[allow(clippy::large_enum_variant)]
enum Side {
    Host(HostSession),
    Joined(JoinSession),
}

// SAFETY: `state` is reached through `handle::Serial` only, which is one thread at a time; the rest is Sync by itself,
// which `is_sync` below asks the compiler.
unsafe impl Sync for Session {}

const fn is_sync<T: Sync>() {}
const _: () = is_sync::<(Arc<Shared>, SessionView, Option<Sampler>)>();

// SAFETY: no other type has this kind.
unsafe impl Noun for Session {
    const KIND: Kind = Kind::Session;

    fn fault(&self) {
        self.shared.fault.raise();
    }
}

impl SerialNoun for Session {
    type State = Serially;

    fn state(&self) -> &UnsafeCell<Serially> {
        &self.state
    }
}

const JOINED: Error = Error::WrongRole { needed: "hosts", is: "joined another" };
const HOSTS: Error = Error::WrongRole { needed: "joined sessions", is: "is a host" };

impl Session {
    /// A hosted session.
    pub(crate) fn host(host: HostSession, schema: Arc<Schema>, basis: Basis, codecs: &CodecMap) -> Self {
        let (shared, view) = (Shared::new(schema, basis, codecs), host.view());
        Self { shared, view, sampler: None, state: Serially::new(Side::Host(host)) }
    }

    /// A joined session.
    pub(crate) fn joined(joined: JoinSession, schema: Arc<Schema>, basis: Basis, codecs: &CodecMap) -> Self {
        let (shared, sampler) = (Shared::new(schema, basis, codecs), joined.sampler());
        let (view, state) = (sampler.view(), Serially::new(Side::Joined(joined)));
        Self { shared, view, sampler: Some(sampler), state }
    }

    /// The session for a session-serial call: one thread at a time, and not after a panic.
    #[inline]
    pub(crate) fn open(bits: u64) -> Result<Serial<Self>, Error> {
        let mut session = handle::serial::<Self>(bits)?;
        let noun = session.parts().0;
        noun.shared.fault.check()?;
        if noun.view.is_faulted() {
            return Err(Error::ThreadPanicked);
        }
        Ok(session)
    }

    /// The basis of the program's values.
    pub(crate) fn basis(&self) -> Basis {
        self.shared.basis
    }

    /// Refuses a joined session.
    pub(crate) fn require_host(&self) -> Result<(), Error> {
        self.shared.fault.check()?;
        if self.sampler.is_none() { Ok(()) } else { Err(JOINED) }
    }

    /// What samples a joined session.
    pub(crate) fn sampler(&self) -> Result<&Sampler, Error> {
        self.shared.fault.check()?;
        self.sampler.as_ref().ok_or(HOSTS)
    }

    /// Where the session stands.
    pub(crate) fn info(&self) -> theta_session_info {
        let info = self.view.info();
        let state = if self.shared.fault.is_raised() { SessionState::Faulted } else { info.state };
        theta_session_info {
            struct_size: 0,
            state: state_number(state),
            is_host: u32::from(info.is_host),
            local_peer: info.local_peer.0 as u32,
            role: info.role.map_or(0, role_number),
            tick_rate_hz: info.tick_rate_hz,
            peer_count: info.peer_count as u32,
            port: info.local_addr.map_or(0, |address| address.port() as u32),
            tick: info.tick.0,
            confirmed_tick: info.confirmed_tick.0,
            entity_count: info.entity_count as u32,
            disconnect_code: info.disconnect.map_or(0, |code| code.number() as u32),
            schema_hash: info.schema_hash,
            session_id: info.session_id,
            document_id: info.document_id,
            authority_key: info.authority_key,
            term: info.term,
            resume_grace_ms: info.resume_grace_ms,
            version_major: info.version.major,
            version_minor: info.version.minor,
            version_patch: info.version.patch,
            least_major: info.least_version.major,
            least_minor: info.least_version.minor,
            least_patch: info.least_version.patch,
            reserved: 0,
        }
    }

    /// The other members.
    pub(crate) fn peers(&self) -> Vec<theta_peer_info> {
        let row = |entry: &PeerEntry| {
            let mut name = [0; 64];
            theta_peer_info {
                peer: entry.info.peer.0 as u32,
                role: role_number(entry.info.role),
                state: state_number(entry.state),
                name_length: fixed_text(&entry.info.name, &mut name),
                name,
                identity_key: entry.info.identity_key,
                reserved: [0; 2],
            }
        };
        self.view.peers().iter().map(row).collect()
    }

    /// A link's counters.
    pub(crate) fn statistics(&self, peer: u32) -> Result<theta_statistics, Error> {
        let found = match self.view.statistics(peer_id(peer)?) {
            Some(found) => found,
            // Our own link before it is up.
            None if self.sampler.is_some() && peer == 0 => LinkStatistics::default(),
            None => return Err(Error::PeerUnknown { peer }),
        };
        Ok(theta_statistics {
            struct_size: 0,
            peer,
            rtt_us: found.rtt_us,
            jitter_us: found.jitter_us,
            clock_offset_us: found.clock_offset_us,
            packets_sent: found.packets_sent,
            packets_received: found.packets_received,
            bytes_sent: found.bytes_sent,
            bytes_received: found.bytes_received,
            packets_dropped_bad: found.packets_dropped_bad,
            packets_dropped_replay: found.packets_dropped_replay,
            datagrams_purged: found.datagrams_purged,
            packets_lost: found.packets_lost,
            ticks_complete: found.ticks_complete,
            ticks_started: found.ticks_started,
            repairs: found.repairs,
            divergences: found.divergences,
            values_clamped: self.shared.values_clamped.load(Ordering::Relaxed),
            values_nan: self.shared.values_nan.load(Ordering::Relaxed),
            events_dropped: found.events_dropped,
            inputs_received: found.inputs_received,
            confirmed_tick: found.confirmed_tick.0,
            rtt_p99_us: found.rtt_p99_us,
            rtt_p50_us: found.rtt_p50_us,
            reserved: 0,
            inputs_refused: found.inputs_refused,
        })
    }
}

impl Serially {
    fn new(side: Side) -> UnsafeCell<Self> {
        UnsafeCell::new(Self {
            side,
            elements: Elements::default(),
            texts: Texts::default(),
            inputs_seen: HashMap::new(),
            fault_told: false,
        })
    }

    /// The host, or THETA_E_WRONG_ROLE.
    pub(crate) fn host(&mut self) -> Result<&mut HostSession, Error> {
        match &mut self.side {
            Side::Host(host) => Ok(host),
            Side::Joined(_) => Err(JOINED),
        }
    }

    /// The joined session, or THETA_E_WRONG_ROLE.
    pub(crate) fn joined(&mut self) -> Result<&mut JoinSession, Error> {
        match &mut self.side {
            Side::Host(_) => Err(HOSTS),
            Side::Joined(joined) => Ok(joined),
        }
    }

    /// Ticks to run now.
    pub(crate) fn ticks_due(&mut self, now_ns: u64, cap: u32) -> u32 {
        match &mut self.side {
            Side::Host(host) => host.ticks_due(now_ns, cap),
            Side::Joined(joined) => joined.ticks_due(now_ns, cap),
        }
    }

    /// The newest complete tick, or the next one in order; with codecs, of those that were decoded.
    pub(crate) fn frame(
        &mut self,
        shared: &Shared,
        in_order: bool,
    ) -> Option<(PublishedFrame, Arc<FrameElements>)> {
        if shared.codecs.is_empty() {
            return self.published(in_order).map(|found| (found, Arc::default()));
        }
        self.elements.frame(in_order)
    }

    /// Seals a tick: what was written as elements is encoded before, and decoded as this program reads it after.
    pub(crate) fn tick(&mut self, shared: &Shared) -> Result<Tick, Error> {
        if let Side::Host(host) = &mut self.side {
            self.elements.encode(shared, host.world_mut())?;
        }
        let tick = self.host()?.tick()?;
        self.follow(shared)?;
        Ok(tick)
    }

    /// Decodes the elements of every frame that is new.
    pub(crate) fn follow(&mut self, shared: &Shared) -> Result<(), Error> {
        if !shared.codecs.is_empty() {
            while let Some(published) = self.published(true) {
                self.elements.decode(shared, published)?;
            }
        }
        Ok(())
    }

    fn published(&mut self, in_order: bool) -> Option<PublishedFrame> {
        match (&mut self.side, in_order) {
            (Side::Host(host), false) => host.newest_frame(),
            (Side::Host(host), true) => host.next_frame(),
            (Side::Joined(joined), false) => joined.newest_frame(),
            (Side::Joined(joined), true) => joined.next_frame(),
        }
    }

    /// A peer's newest input, and whether it was not handed out before.
    pub(crate) fn newest_input(&mut self, peer: u32) -> Result<Option<(Arc<InputSample>, bool)>, Error> {
        let id = peer_id(peer)?;
        let Some(sample) = self.host()?.newest_input(id)? else { return Ok(None) };
        let before = self.inputs_seen.insert(id, sample.input_tick);
        let is_new = before != Some(sample.input_tick);
        Ok(Some((sample, is_new)))
    }

    /// Leaves, or closes the session for everybody.
    pub(crate) fn leave(&mut self) {
        match &mut self.side {
            Side::Host(host) => host.leave(),
            Side::Joined(joined) => joined.leave(),
        }
    }

    /// The next thing that happened, as C's record; its text is kept until the next poll.
    pub(crate) fn next_event(&mut self, shared: &Shared) -> Option<theta_event> {
        if shared.fault.is_raised() {
            return self.tell_fault(&shared.fault);
        }
        if let Some((mut event, text)) = self.elements.next_event(shared) {
            self.texts.keep(text.into_bytes(), &mut event);
            return Some(event);
        }
        let event = match &mut self.side {
            Side::Host(host) => host.poll(),
            Side::Joined(joined) => joined.poll(),
        };
        event.map(|event| self.record(event))
    }

    /// A faulted session says so once and nothing else: what is inside may be half done.
    fn tell_fault(&mut self, fault: &Fault) -> Option<theta_event> {
        if std::mem::replace(&mut self.fault_told, true) {
            return None;
        }
        let (kind, code, time_ns) = (THETA_EVENT_FAULTED, THETA_E_PANIC, runtime::now_ns());
        let mut out = theta_event { kind, code, time_ns, ..theta_event::default() };
        self.texts.keep(fault.text().as_bytes().to_vec(), &mut out);
        Some(out)
    }

    /// The runtime's event as C's record.
    fn record(&mut self, event: SessionEvent) -> theta_event {
        let mut out = theta_event { time_ns: event.time_ns, ..theta_event::default() };
        let mut text = Vec::new();
        match event.kind {
            EventKind::StateChanged(state) => {
                (out.kind, out.code) = (THETA_EVENT_STATE_CHANGED, state_number(state) as i32);
            }
            EventKind::JoinRequest { info, application, bearer } => {
                out.kind = THETA_EVENT_JOIN_REQUEST;
                (out.peer, out.code) = (info.peer.0 as u32, role_number(info.role) as i32);
                out.value = self.texts.keep_more(bearer.unwrap_or_default()) as u64;
                text = application;
            }
            EventKind::InviteBound { invite, key } => {
                out.kind = THETA_EVENT_INVITE_BOUND;
                text = [invite.as_slice(), &key].concat();
            }
            EventKind::PeerJoined(info) => {
                out.kind = THETA_EVENT_PEER_JOINED;
                (out.peer, out.code) = (info.peer.0 as u32, role_number(info.role) as i32);
                text = info.name.into_bytes();
            }
            EventKind::PeerLive(peer) => (out.kind, out.peer) = (THETA_EVENT_PEER_LIVE, peer.0 as u32),
            EventKind::PeerAway { peer, grace_ms } => {
                (out.kind, out.peer) = (THETA_EVENT_PEER_AWAY, peer.0 as u32);
                out.value = grace_ms.into();
            }
            EventKind::PeerBack(peer) => (out.kind, out.peer) = (THETA_EVENT_PEER_BACK, peer.0 as u32),
            EventKind::PeerLeft { peer, code, reason } => {
                out.kind = THETA_EVENT_PEER_LEFT;
                (out.peer, out.code) = (peer.0 as u32, code.number() as i32);
                text = reason_of(code, reason);
                self.inputs_seen.remove(&peer);
            }
            EventKind::Admitted { peer, role, application, resume_grace_ms, .. } => {
                out.kind = THETA_EVENT_ADMITTED;
                (out.peer, out.code) = (peer.0 as u32, role_number(role) as i32);
                out.value = resume_grace_ms.into();
                text = application;
            }
            EventKind::SchemaMapped(mapping) => {
                out.kind = THETA_EVENT_SCHEMA_MAPPED;
                (out.value, out.code) = (mapping.notes().len() as u64, changed_values(&mapping) as i32);
                text = describe_mapping(&mapping).into_bytes();
            }
            EventKind::JoinProgress { received, total } => {
                out.kind = THETA_EVENT_JOIN_PROGRESS;
                (out.value, out.code) = (received as u64, total as i32);
            }
            EventKind::Lifecycle(change) => lifecycle(&mut out, &change),
            EventKind::Diverged { peer, divergence } => {
                out.kind = THETA_EVENT_DIVERGED;
                (out.peer, out.tick) = (peer.0 as u32, divergence.tick.0);
                (out.value, out.code) = (divergence.component.0, divergence.field as i32);
                text = divergence.text.into_bytes();
            }
            EventKind::Repaired { peer, tick } => {
                (out.kind, out.peer, out.tick) = (THETA_EVENT_REPAIRED, peer.0 as u32, tick.0);
            }
            EventKind::Refused { reason, text: sentence } => {
                (out.kind, out.code) = (THETA_EVENT_REFUSED, reason.number() as i32);
                text = sentence.into_bytes();
            }
            EventKind::Disconnected { code, reason } => {
                (out.kind, out.code) = (THETA_EVENT_DISCONNECTED, code.number() as i32);
                text = reason_of(code, reason);
            }
            EventKind::HandshakeFailed { code, reason } => {
                (out.kind, out.code) = (THETA_EVENT_LOG, LOG_WARNING);
                text = format!("an attempt to join failed: {reason} ({})", code.sentence()).into_bytes();
            }
            EventKind::Resync => out.kind = THETA_EVENT_RESYNC,
            EventKind::Faulted { text: panic } => {
                (out.kind, out.code) = (THETA_EVENT_FAULTED, THETA_E_PANIC);
                text = panic.into_bytes();
            }
        }
        self.texts.keep(text, &mut out);
        out
    }
}

/// A log line's level, as THETA_EVENT_LOG has it.
const LOG_WARNING: i32 = 2;

/// The sentence the other side gave, or the code's own.
fn reason_of(code: DisconnectCode, reason: String) -> Vec<u8> {
    if reason.is_empty() { code.sentence().into() } else { reason.into_bytes() }
}

/// What happened to an entity, as C's record.
fn lifecycle(out: &mut theta_event, change: &Lifecycle) {
    let (kind, tick, entity) = match *change {
        Lifecycle::Spawned { tick, entity, type_id, owner } => {
            (out.value, out.peer) = (type_id as u64, owner.0 as u32);
            (THETA_EVENT_ENTITY_SPAWNED, tick, entity)
        }
        Lifecycle::Despawned { tick, entity } => (THETA_EVENT_ENTITY_DESPAWNED, tick, entity),
        Lifecycle::OwnerChanged { tick, entity, to, .. } => {
            out.peer = to.0 as u32;
            (THETA_EVENT_OWNER_CHANGED, tick, entity)
        }
        Lifecycle::ParentChanged { tick, entity, to, .. } => {
            out.value = to.0;
            (THETA_EVENT_PARENT_CHANGED, tick, entity)
        }
    };
    (out.kind, out.tick, out.entity) = (kind, tick.0, entity.0);
}

fn state_number(state: SessionState) -> u32 {
    match state {
        SessionState::Connecting => THETA_STATE_CONNECTING,
        SessionState::Handshake => THETA_STATE_HANDSHAKE,
        SessionState::Admitted => THETA_STATE_ADMITTED,
        SessionState::Joining => THETA_STATE_JOINING,
        SessionState::Live => THETA_STATE_LIVE,
        SessionState::Away => THETA_STATE_AWAY,
        SessionState::Resuming => THETA_STATE_RESUMING,
        SessionState::Closed => THETA_STATE_CLOSED,
        SessionState::Faulted => THETA_STATE_FAULTED,
    }
}

/// The role of a `THETA_ROLE_*` number.
pub(crate) fn role_from_number(number: u32, what: &'static str) -> Result<Role, Error> {
    Ok(match number {
        THETA_ROLE_VIEWER => Role::Viewer,
        THETA_ROLE_COMMENTER => Role::Commenter,
        THETA_ROLE_EDITOR => Role::Editor,
        THETA_ROLE_ADMIN => Role::Admin,
        _ => return Err(Error::Argument { what: format!("{what} is {number}, it is one of THETA_ROLE_*") }),
    })
}

/// The `THETA_ROLE_*` number of a role.
pub(crate) fn role_number(role: Role) -> u32 {
    match role {
        Role::Viewer => THETA_ROLE_VIEWER,
        Role::Commenter => THETA_ROLE_COMMENTER,
        Role::Editor => THETA_ROLE_EDITOR,
        Role::Admin => THETA_ROLE_ADMIN,
    }
}

/// Lines of the text of a mapping.
const MAX_MAPPING_LINES: usize = 200;

/// How many fields of ours do not hold what the host wrote, bit for bit.
fn changed_values(mapping: &Mapping) -> usize {
    let changed =
        |note: &&MappingNote| matches!(note.kind, NoteKind::FieldConverted | NoteKind::FieldDefaulted);
    mapping.notes().iter().filter(changed).count()
}

/// What is not the same at the host, a line each.
fn describe_mapping(mapping: &Mapping) -> String {
    let notes = mapping.notes();
    let mut lines: Vec<String> = notes.iter().take(MAX_MAPPING_LINES).map(|note| note.text.clone()).collect();
    if notes.len() > MAX_MAPPING_LINES {
        lines.push(format!("and {} more", notes.len() - MAX_MAPPING_LINES));
    }
    lines.join("\n")
}
