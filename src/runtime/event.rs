//! What happens in a session, and the ring that carries it from the I/O thread to the engine.
//!
//! The ring is bounded and the I/O thread never waits. When the engine does not poll, events that only say what the
//! roster and the frames say as well are dropped, and one `Resync` in their place says: list again. Everything else
//! (admission, states, endings) waits in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use theta_core::replication::Lifecycle;
use theta_core::schema::Mapping;
use theta_core::session::admission::InviteId;
use theta_core::session::{Divergence, PeerInfo};
use theta_core::types::{PeerId, Tick};
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::message::Role;

use super::clock::now_ns;
use super::published::SessionState;

/// Events that wait in the ring.
const RING_EVENTS: usize = 2048;
/// Events that must not be lost and wait behind a full ring. Past it the oldest of them is dropped and counted, and a
/// `Resync` follows: the application has been away for longer than anything it could still answer.
const BACKLOG_EVENTS: usize = 1024;

/// One event.
#[derive(Clone, Debug)]
pub struct SessionEvent {
    /// When the I/O thread observed it, on the clock of [`super::now_ns`].
    pub time_ns: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The session moved on.
    StateChanged(SessionState),
    /// Host: a peer asks to join.
    JoinRequest {
        /// Who; the role is the highest it can get.
        info: PeerInfo,
        /// What it sent for the application to judge.
        application: Vec<u8>,
        /// A token for an outside verifier; with one the application always decides.
        bearer: Option<Vec<u8>>,
    },
    /// Host: an invite was used by a key that had not used it before. Keep [`super::HostSession::admission`].
    InviteBound {
        /// Which invite.
        invite: InviteId,
        /// The key that it lets in from now on.
        key: [u8; 32],
    },
    /// A member joined, or was there before us.
    PeerJoined(PeerInfo),
    /// Host: a member has the world.
    PeerLive(PeerId),
    /// A member left.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why.
        code: DisconnectCode,
        /// A sentence.
        reason: String,
    },
    /// A member is away, or its link is lost; it keeps its place for a while.
    PeerAway {
        /// Who.
        peer: PeerId,
        /// For how many milliseconds from when it went; zero where it was away before we came.
        grace_ms: u32,
    },
    /// A member is back, in its place.
    PeerBack(PeerId),
    /// Joined: the host let us in.
    Admitted {
        /// Our number.
        peer: PeerId,
        /// What we may do.
        role: Role,
        /// The host's tick rate.
        tick_rate_hz: u32,
        /// The host application's bytes.
        application: Vec<u8>,
        /// For how many milliseconds the host keeps our place while we are away or our link is lost; zero: not at all.
        resume_grace_ms: u32,
    },
    /// Joined: the host has other components than ours; how its world is shown in ours.
    SchemaMapped(Arc<Mapping>),
    /// Joined: the world is arriving.
    JoinProgress {
        /// Pieces here.
        received: u32,
        /// Pieces in all.
        total: u32,
    },
    /// Joined: an entity came, went or changed hands.
    Lifecycle(Lifecycle),
    /// A replica differed from the host; the peer is [`PeerId::HOST`] on a joined session.
    Diverged {
        /// Whose.
        peer: PeerId,
        /// Where.
        divergence: Divergence,
    },
    /// The repair was applied.
    Repaired {
        /// Whose.
        peer: PeerId,
        /// With the state of this tick.
        tick: Tick,
    },
    /// Joined: the host refused a message of ours.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// A sentence.
        text: String,
    },
    /// Joined: the session is over.
    Disconnected {
        /// Why.
        code: DisconnectCode,
        /// A sentence, and what to do.
        reason: String,
    },
    /// Host: an attempt to join ended without a member.
    HandshakeFailed {
        /// Why.
        code: DisconnectCode,
        /// A sentence.
        reason: String,
    },
    /// Events were dropped because nobody polled: the roster and the frames are the truth, list them again.
    Resync,
    /// Driving the session panicked; it is over.
    Faulted {
        /// What the panic said.
        text: String,
    },
}

impl EventKind {
    /// True when the roster or the frames say the same, so that a resync can stand for it.
    fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Self::PeerJoined(_)
                | Self::PeerLive(_)
                | Self::PeerLeft { .. }
                | Self::PeerAway { .. }
                | Self::PeerBack(_)
                | Self::Lifecycle(_)
                | Self::JoinProgress { .. }
                | Self::HandshakeFailed { .. }
                | Self::Repaired { .. }
        )
    }
}

#[derive(Debug, Default)]
struct Signals {
    /// Something waits behind the ring: the engine's next poll wakes the I/O thread.
    waiting: AtomicBool,
    dropped: AtomicU64,
}

/// The I/O thread's end.
#[derive(Debug)]
pub(super) struct EventSink {
    ring: rtrb::Producer<SessionEvent>,
    backlog: VecDeque<SessionEvent>,
    resync: bool,
    signals: Arc<Signals>,
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct EventSource {
    ring: rtrb::Consumer<SessionEvent>,
    signals: Arc<Signals>,
}

/// Counts dropped events for statistics.
#[derive(Clone, Debug)]
pub(super) struct DroppedCount(Arc<Signals>);

impl DroppedCount {
    pub(super) fn get(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

pub(super) fn channel() -> (EventSink, EventSource) {
    with_capacity(RING_EVENTS)
}

fn with_capacity(events: usize) -> (EventSink, EventSource) {
    let (producer, consumer) = rtrb::RingBuffer::new(events);
    let signals = Arc::new(Signals::default());
    let sink =
        EventSink { ring: producer, backlog: VecDeque::new(), resync: false, signals: Arc::clone(&signals) };
    (sink, EventSource { ring: consumer, signals })
}

impl EventSink {
    pub(super) fn dropped_count(&self) -> DroppedCount {
        DroppedCount(Arc::clone(&self.signals))
    }

    /// Hands an event over, now or later; never waits.
    pub(super) fn push(&mut self, kind: EventKind) {
        self.flush();
        let event = SessionEvent { time_ns: now_ns(), kind };
        // Repeatable events do not overtake a resync that is still due: they are part of what it stands for.
        let event = if self.backlog.is_empty() && !(self.resync && event.kind.is_repeatable()) {
            match self.ring.push(event) {
                Ok(()) => return,
                Err(rtrb::PushError::Full(event)) => event,
            }
        } else {
            event
        };
        if event.kind.is_repeatable() {
            self.drop_one();
        } else {
            if self.backlog.len() >= BACKLOG_EVENTS {
                self.backlog.pop_front();
                self.drop_one();
            }
            self.backlog.push_back(event);
        }
        self.signals.waiting.store(true, Ordering::Release);
    }

    fn drop_one(&mut self) {
        self.resync = true;
        self.signals.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves what waited into the ring as far as there is room.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(event)) = self.ring.push(event) {
                self.backlog.push_front(event);
                return;
            }
        }
        if self.resync && self.ring.push(SessionEvent { time_ns: now_ns(), kind: EventKind::Resync }).is_ok()
        {
            self.resync = false;
        }
        if !self.resync {
            self.signals.waiting.store(false, Ordering::Release);
        }
    }
}

impl EventSource {
    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<SessionEvent> {
        self.ring.pop().ok()
    }

    /// True when the I/O thread has more for which the ring had no room.
    pub(super) fn more_waits(&self) -> bool {
        self.signals.waiting.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use theta_core::types::EntityId;

    fn spawned(n: u32) -> EventKind {
        EventKind::Lifecycle(Lifecycle::Despawned { tick: Tick(n), entity: EntityId::new(n, 1) })
    }

    fn refused(n: u32) -> EventKind {
        EventKind::Refused { reason: RefusalReason::Busy, text: n.to_string() }
    }

    /// Polls as an engine does: until nothing comes, with the I/O thread flushing between.
    fn drain(sink: &mut EventSink, source: &mut EventSource) -> Vec<EventKind> {
        let mut all = Vec::new();
        loop {
            while let Some(event) = source.pop() {
                all.push(event.kind);
            }
            if !source.more_waits() {
                return all;
            }
            sink.flush();
        }
    }

    #[test]
    fn in_order_while_there_is_room() {
        let (mut sink, mut source) = with_capacity(8);
        for n in 0..8 {
            sink.push(if n % 2 == 0 { spawned(n) } else { refused(n) });
        }
        assert_eq!(drain(&mut sink, &mut source).len(), 8);
        assert_eq!(sink.dropped_count().get(), 0);
    }

    #[test]
    fn a_stall_coalesces_what_can_be_listed_and_keeps_the_rest_in_order() {
        let (mut sink, mut source) = with_capacity(8);
        for n in 0..500 {
            sink.push(if n % 10 == 9 { refused(n) } else { spawned(n) });
        }
        let all = drain(&mut sink, &mut source);
        let texts: Vec<_> = all
            .iter()
            .filter_map(|event| match event {
                EventKind::Refused { text, .. } => Some(text.parse::<u32>().expect("a number")),
                _ => None,
            })
            .collect();
        assert_eq!(texts, (0..500).filter(|n| n % 10 == 9).collect::<Vec<_>>(), "none of these is lost");
        let resyncs = all.iter().filter(|event| matches!(event, EventKind::Resync)).count();
        assert_eq!(resyncs, 1, "one resync stands for all that was dropped");
        assert!(matches!(all.last(), Some(EventKind::Resync)));
        let lifecycles = all.len() - texts.len() - resyncs;
        assert_eq!(sink.dropped_count().get(), 450 - lifecycles as u64);
        sink.push(spawned(1000));
        assert!(matches!(drain(&mut sink, &mut source)[..], [EventKind::Lifecycle(_)]), "and it goes on");
    }

    #[test]
    fn memory_stays_bounded_when_nobody_ever_polls() {
        let (mut sink, mut source) = with_capacity(8);
        for n in 0..5000 {
            sink.push(refused(n));
        }
        assert_eq!(sink.backlog.len(), BACKLOG_EVENTS);
        let all = drain(&mut sink, &mut source);
        assert_eq!(all.len(), 8 + BACKLOG_EVENTS + 1);
        assert!(matches!(all.last(), Some(EventKind::Resync)));
    }
}
