//! What any thread may look at without waiting: immutable snapshots behind atomic pointers.
//!
//! One side writes each of them (the I/O thread, but for a host's frames, which the engine seals itself); everybody
//! else loads. A snapshot that was loaded stays as it is for as long as it is held.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arc_swap::ArcSwap;
use theta_core::schema::Schema;
use theta_core::session::admission::AdmissionState;
use theta_core::session::input::InputSample;
use theta_core::session::{PeerInfo, PeerState};
use theta_core::types::{PeerId, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{Role, Version};
use theta_core::world::Frame;
use tokio::sync::Notify;

use super::clock::RenderClock;
use super::event::DroppedCount;

/// Complete frames that are kept for readers and samplers: 0.7 s at 90 Hz.
pub const FRAMES_KEPT: usize = 64;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionState {
    /// The transport is not up yet.
    #[default]
    Connecting,
    /// Proofs are under way.
    Handshake,
    /// Let in; the application loads its level.
    Admitted,
    /// The world is arriving.
    Joining,
    /// The world is here. A host is live from its start.
    Live,
    /// Nobody is there, or the link is lost; the host keeps the place for a while.
    Away,
    /// On the way back.
    Resuming,
    /// Over.
    Closed,
    /// Driving it panicked; over.
    Faulted,
}

impl SessionState {
    /// True when nothing will happen any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Faulted)
    }
}

impl From<PeerState> for SessionState {
    fn from(state: PeerState) -> Self {
        match state {
            PeerState::Connecting => Self::Connecting,
            PeerState::Handshake => Self::Handshake,
            PeerState::Admitted => Self::Admitted,
            PeerState::Joining => Self::Joining,
            PeerState::Live => Self::Live,
            PeerState::Away => Self::Away,
            PeerState::Resuming => Self::Resuming,
            PeerState::Closed => Self::Closed,
        }
    }
}

/// A member as this side knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEntry {
    /// Who.
    pub info: PeerInfo,
    /// How far it is. A joined session sees others as live.
    pub state: SessionState,
}

/// Counters of one link since it opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Smoothed round trip, microseconds.
    pub rtt_us: u32,
    /// Its variation, microseconds.
    pub jitter_us: u32,
    /// Median of the last 256 round trips, microseconds.
    pub rtt_p50_us: u32,
    /// Their 99th percentile, microseconds.
    pub rtt_p99_us: u32,
    /// The other side's clock minus ours, microseconds.
    pub clock_offset_us: i64,
    /// Packets (envelopes) sealed.
    pub packets_sent: u64,
    /// Packets that passed every check.
    pub packets_received: u64,
    /// UDP payload bytes sent, as the transport counts them.
    pub bytes_sent: u64,
    /// UDP payload bytes received.
    pub bytes_received: u64,
    /// Datagrams dropped because they failed a check.
    pub packets_dropped_bad: u64,
    /// Datagrams dropped because they were old or came twice.
    pub packets_dropped_replay: u64,
    /// Datagrams of a past tick that were dropped unsent.
    pub datagrams_purged: u64,
    /// Packets the transport declared lost.
    pub packets_lost: u64,
    /// Joined: ticks that became complete.
    pub ticks_complete: u64,
    /// Joined: ticks of which something arrived.
    pub ticks_started: u64,
    /// Repairs.
    pub repairs: u64,
    /// Divergences.
    pub divergences: u64,
    /// Events dropped because nobody polled.
    pub events_dropped: u64,
    /// Host: inputs of the peer.
    pub inputs_received: u64,
    /// Host: inputs left out because they were for a tick too far ahead.
    pub inputs_refused: u64,
    /// The newest tick that was compared equal.
    pub confirmed_tick: Tick,
}

/// What a session is, at one moment.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Where it stands.
    pub state: SessionState,
    /// True on a host.
    pub is_host: bool,
    /// Our number; [`PeerId::HOST`] on a host and before we are admitted.
    pub local_peer: PeerId,
    /// Our role; `None` before we are admitted.
    pub role: Option<Role>,
    /// Ticks per second; zero before we are admitted.
    pub tick_rate_hz: u32,
    /// Members besides us.
    pub peer_count: usize,
    /// Host: where it listens.
    pub local_addr: Option<SocketAddr>,
    /// Host: the last sealed tick. Joined: the newest complete one.
    pub tick: Tick,
    /// The newest tick that was compared equal; on a host, for all live members.
    pub confirmed_tick: Tick,
    /// Entities in `tick`.
    pub entity_count: usize,
    /// Why the session ended.
    pub disconnect: Option<DisconnectCode>,
    /// The schema's hash.
    pub schema_hash: u64,
    /// This run of the host; zero before we are admitted.
    pub session_id: [u8; 16],
    /// The host's term: keep the highest for the document. Zero before we are admitted.
    pub term: u32,
    /// For how many milliseconds the host keeps the place of a member that is away or whose link is lost; zero before we
    /// are admitted, and where it keeps none.
    pub resume_grace_ms: u32,
    /// The protocol version that is spoken; a host's own. Zero before we are admitted.
    pub version: Version,
    /// The lowest version that this side settles for.
    pub least_version: Version,
    /// The document.
    pub document_id: [u8; 32],
    /// The key that signs its tickets.
    pub authority_key: [u8; 32],
}

/// One complete tick, as it was published.
#[derive(Clone, Debug)]
pub struct PublishedFrame {
    /// The state.
    pub frame: Arc<Frame>,
    /// When it was sealed (host) or became complete (joined), on the clock of [`super::now_ns`].
    pub time_ns: u64,
    /// The newest tick that was known to be equal then.
    pub confirmed_tick: Tick,
}

/// The last complete frames, in ascending tick order.
#[derive(Clone, Debug, Default)]
pub struct FrameHistory {
    frames: Vec<Arc<Frame>>,
    times_ns: Vec<u64>,
}

impl FrameHistory {
    /// The frames, oldest first.
    pub fn frames(&self) -> &[Arc<Frame>] {
        &self.frames
    }

    /// The newest frame and its time.
    pub fn newest(&self) -> Option<(&Arc<Frame>, u64)> {
        Some((self.frames.last()?, *self.times_ns.last()?))
    }

    /// The oldest frame after this tick.
    pub fn after(&self, tick: Tick) -> Option<(&Arc<Frame>, u64)> {
        let at = self.frames.partition_point(|frame| frame.tick <= tick);
        Some((self.frames.get(at)?, self.times_ns[at]))
    }

    /// The history with one frame more. A frame that is not newer than the newest begins a new history.
    fn with(&self, frame: Arc<Frame>, time_ns: u64) -> Self {
        let continues = self.frames.last().is_none_or(|newest| newest.tick < frame.tick);
        let keep = if continues { self.frames.len().min(FRAMES_KEPT - 1) } else { 0 };
        let from = self.frames.len() - keep;
        let mut next = Self { frames: Vec::with_capacity(keep + 1), times_ns: Vec::with_capacity(keep + 1) };
        next.frames.extend_from_slice(&self.frames[from..]);
        next.times_ns.extend_from_slice(&self.times_ns[from..]);
        next.frames.push(frame);
        next.times_ns.push(time_ns);
        next
    }
}

/// What the I/O thread knows of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub state: SessionState,
    pub local_peer: PeerId,
    pub role: Option<Role>,
    pub tick_rate_hz: u32,
    pub session_id: [u8; 16],
    pub term: u32,
    pub resume_grace_ms: u32,
    pub version: Version,
    pub least_version: Version,
    pub disconnect: Option<DisconnectCode>,
    pub peers: BTreeMap<PeerId, PeerEntry>,
    /// Host: who waits for an answer of the application.
    pub pending: BTreeMap<PeerId, PeerEntry>,
}

/// The links' counters, by peer; a joined session's own link is under [`PeerId::HOST`].
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pub by_peer: BTreeMap<PeerId, LinkStatistics>,
    pub confirmed_tick: Tick,
}

/// Everything both sides of a session share.
#[derive(Debug)]
pub(super) struct Shared {
    pub is_host: bool,
    pub schema: Arc<Schema>,
    pub document_id: [u8; 32],
    pub authority_key: [u8; 32],
    pub local_addr: Option<SocketAddr>,
    pub standing: ArcSwap<Standing>,
    pub links: ArcSwap<Links>,
    pub frames: ArcSwap<FrameHistory>,
    pub inputs: ArcSwap<BTreeMap<PeerId, Arc<InputSample>>>,
    pub render: ArcSwap<Option<RenderClock>>,
    pub events_dropped: DroppedCount,
    /// The engine wants the session to end.
    pub leaving: AtomicBool,
    /// Wakes the driver.
    pub wake: Notify,
    /// Joined: the newest confirmed tick, for frames.
    pub confirmed: AtomicU32,
    /// Host: invites and bans.
    pub admission: ArcSwap<Admission>,
}

/// Invites and bans as the I/O thread has them.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub state: AdmissionState,
    /// How many of the engine's changes are in it.
    pub changes: u64,
}

impl Shared {
    pub(super) fn new(
        is_host: bool,
        schema: Arc<Schema>,
        events_dropped: DroppedCount,
        document_id: [u8; 32],
        authority_key: [u8; 32],
        local_addr: Option<SocketAddr>,
        standing: Standing,
    ) -> Arc<Self> {
        Arc::new(Self {
            is_host,
            schema,
            document_id,
            authority_key,
            local_addr,
            standing: ArcSwap::from_pointee(standing),
            links: ArcSwap::default(),
            frames: ArcSwap::default(),
            inputs: ArcSwap::default(),
            render: ArcSwap::default(),
            events_dropped,
            leaving: AtomicBool::new(false),
            wake: Notify::new(),
            confirmed: AtomicU32::new(0),
            admission: ArcSwap::default(),
        })
    }

    /// The side that makes frames adds one.
    pub(super) fn publish_frame(&self, frame: Arc<Frame>, time_ns: u64) {
        self.frames.store(Arc::new(self.frames.load().with(frame, time_ns)));
    }

    /// The I/O thread changes the standing.
    pub(super) fn update_standing(&self, change: impl FnOnce(&mut Standing)) {
        let mut standing = Standing::clone(&self.standing.load());
        change(&mut standing);
        self.standing.store(Arc::new(standing));
    }

    pub(super) fn state(&self) -> SessionState {
        self.standing.load().state
    }

    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(super) fn newest_frame(&self) -> Option<PublishedFrame> {
        let frames = self.frames.load();
        frames.newest().map(|(frame, time_ns)| self.published(frame, time_ns))
    }

    pub(super) fn frame_after(&self, tick: Tick) -> Option<PublishedFrame> {
        let frames = self.frames.load();
        frames.after(tick).map(|(frame, time_ns)| self.published(frame, time_ns))
    }

    fn published(&self, frame: &Arc<Frame>, time_ns: u64) -> PublishedFrame {
        let confirmed_tick = Tick(self.confirmed.load(Ordering::Relaxed));
        PublishedFrame { frame: Arc::clone(frame), time_ns, confirmed_tick }
    }
}

/// What any thread may ask of a session. Cloning is cheap; it does not keep the session going.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub(super) shared: Arc<Shared>,
}

/// A host's view.
pub type HostView = SessionView;

impl SessionView {
    /// What the session is, as its own thread saw it last.
    pub fn info(&self) -> SessionInfo {
        let shared = &self.shared;
        let (standing, links) = (shared.standing.load(), shared.links.load());
        let newest = shared.newest_frame();
        SessionInfo {
            state: standing.state,
            is_host: shared.is_host,
            local_peer: standing.local_peer,
            role: standing.role,
            tick_rate_hz: standing.tick_rate_hz,
            peer_count: standing.peers.len(),
            local_addr: shared.local_addr,
            tick: newest.as_ref().map_or(Tick::ZERO, |newest| newest.frame.tick),
            confirmed_tick: links.confirmed_tick,
            entity_count: newest.map_or(0, |newest| newest.frame.entity_count()),
            disconnect: standing.disconnect,
            schema_hash: shared.schema.hash(),
            session_id: standing.session_id,
            term: standing.term,
            resume_grace_ms: standing.resume_grace_ms,
            version: standing.version,
            least_version: standing.least_version,
            document_id: shared.document_id,
            authority_key: shared.authority_key,
        }
    }

    /// True after a panic on the session's own thread.
    pub fn is_faulted(&self) -> bool {
        self.shared.standing.load().state == SessionState::Faulted
    }

    /// The other members, by number; on a host also those who wait to be admitted.
    pub fn peers(&self) -> Vec<PeerEntry> {
        let standing = self.shared.standing.load();
        let mut all: Vec<_> = standing.peers.values().chain(standing.pending.values()).cloned().collect();
        all.sort_by_key(|entry| entry.info.peer);
        all
    }

    /// Counters of a link, at most 100 ms old: on a host a member's, all zero in its first 100 ms; on a joined session
    /// its own, under [`PeerId::HOST`].
    pub fn statistics(&self, peer: PeerId) -> Option<LinkStatistics> {
        let counted = self.shared.links.load().by_peer.get(&peer).copied();
        let is_new = || self.shared.is_host && self.shared.standing.load().peers.contains_key(&peer);
        let mut statistics = counted.or_else(|| is_new().then(LinkStatistics::default))?;
        statistics.events_dropped = self.shared.events_dropped.get();
        Some(statistics)
    }

    /// The last complete frames.
    pub fn frames(&self) -> Arc<FrameHistory> {
        self.shared.frames.load_full()
    }
}

/// The last round trips of a link, for percentiles.
#[derive(Clone, Debug, Default)]
pub(super) struct RttRing {
    samples: Vec<u32>,
    next: usize,
    seen: u64,
}

impl RttRing {
    const SAMPLES: usize = 256;

    /// Takes in the newest round trip if it is a new one: `count` is how many were ever measured.
    pub(super) fn note(&mut self, count: u64, rtt_us: u32) {
        if count == self.seen {
            return;
        }
        self.seen = count;
        if self.samples.len() < Self::SAMPLES {
            self.samples.push(rtt_us);
        } else {
            self.samples[self.next] = rtt_us;
        }
        self.next = (self.next + 1) % Self::SAMPLES;
    }

    /// Median and 99th percentile (nearest rank), zero without samples.
    pub(super) fn percentiles(&self) -> (u32, u32) {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(at).copied().unwrap_or(0)
        };
        (rank(50), rank(99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tick: u32) -> Arc<Frame> {
        Arc::new(Frame::empty(Tick(tick)))
    }

    #[test]
    fn the_history_is_bounded_ascending_and_walked_in_order() {
        let mut history = FrameHistory::default();
        assert!(history.newest().is_none() && history.after(Tick::ZERO).is_none());
        for tick in 1..=200 {
            history = history.with(frame(tick), u64::from(tick) * 10);
        }
        assert_eq!(history.frames().len(), FRAMES_KEPT);
        assert!(history.frames().is_sorted_by(|a, b| a.tick < b.tick));
        assert_eq!(history.newest().map(|(f, t)| (f.tick, t)), Some((Tick(200), 2000)));
        assert_eq!(history.after(Tick(150)).map(|(f, _)| f.tick), Some(Tick(151)));
        assert_eq!(
            history.after(Tick(3)).map(|(f, t)| (f.tick, t)),
            Some((Tick(137), 1370)),
            "too old are left out"
        );
        assert!(history.after(Tick(200)).is_none());
        let again = history.with(frame(1), 1);
        assert_eq!(again.frames().len(), 1);
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let mut ring = RttRing::default();
        assert_eq!(ring.percentiles(), (0, 0));
        for n in 1..=100_u32 {
            ring.note(u64::from(n), n);
            ring.note(u64::from(n), 999_999);
        }
        assert_eq!(ring.percentiles(), (50, 99));
        for n in 101..=1000_u32 {
            ring.note(u64::from(n), 7);
        }
        assert_eq!(ring.percentiles(), (7, 7));
    }
}
