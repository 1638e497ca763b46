//! Runs sessions: one I/O thread per runtime drives the core's state machines over a transport, and the engine talks
//! to them through plain structs.
//!
//! For: turning `Host` and `Peer` (pure, told the time) into sessions that live in real time beside an engine's own
//! threads. Never: calls the engine, lets it wait for a lock that the I/O thread holds, keeps a global (but for the
//! moment that [`now_ns`] counts from). Called by the C ABI, by Rust programs and by tests.
//!
//! ```text
//! engine thread                                        I/O thread
//! HostSession.tick  -- sealed tick, in a ring + wake -> Host   -- packets -> transport
//! HostSession.poll  <- events, in a ring -------------- Host   <- packets -- transport
//! info, statistics, inputs, frames, clock  <- snapshots, swapped atomically
//! ```
//!
//! Values cross in single-producer rings or as immutable snapshots behind an atomic pointer. A ring that the engine
//! does not drain never stops the I/O thread: events that only repeat what the roster and the frames say are dropped
//! and a `Resync` says so; all others wait.
//!
//! A panic while a session is driven ends that session alone ([`EventKind::Faulted`]); its neighbours go on. A panic of
//! the I/O thread itself ends its runtime: every session of it says so, and other runtimes go on.
//!
//! | file | concern |
//! |---|---|
//! | `thread` | the I/O thread: start, supervision, shutdown |
//! | `host`, `join` | the engine's side of a session |
//! | `drive_host`, `drive_join` | the I/O thread's side of it |
//! | `event` | events and their ring |
//! | `published` | what any thread may look at: roster, statistics, frames |
//! | `sampler` | values at a render time |
//! | `clock` | process time, ticks due, render tick |

mod backoff;
mod clock;
mod drive_host;
mod drive_join;
mod event;
mod host;
mod join;
mod published;
mod sampler;
mod thread;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use theta_core::schema::Schema;
use theta_core::session::admission::AdmissionError;
use theta_core::session::keys::Key;
use theta_core::session::ticket::TicketError;
use theta_core::types::PeerId;
use theta_core::world::WorldError;

use crate::transport::TransportError;

pub use clock::now_ns;
pub use event::{EventKind, SessionEvent};
pub use host::{HostOptions, HostSession};
pub use join::{JoinOptions, JoinSession};
pub use published::{
    FRAMES_KEPT, FrameHistory, HostView, LinkStatistics, PeerEntry, PublishedFrame, SessionInfo,
    SessionState, SessionView,
};
pub use sampler::Sampler;
pub use thread::{Runtime, RuntimeConfig, ShutdownReport};

/// Sessions that one runtime may have open at once.
pub const MAX_SESSIONS: usize = 256;

/// Why a call on a runtime or a session fails.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The I/O thread cannot be started.
    #[error("the I/O thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// The transport cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Not an address that can be used.
    #[error("\"{text}\" is no usable address: {reason}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The dev mode admits without tickets, so it listens on this machine only.
    #[error("the dev mode listens on loopback addresses only, not on {0}")]
    NotLoopback(SocketAddr),
    /// A bound is reached.
    #[error("{what}: the limit of {limit} is reached")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// An option is out of its range.
    #[error("{what} is {value}, the limit is {limit}")]
    Range {
        /// Which.
        what: &'static str,
        /// What was given.
        value: usize,
        /// The bound.
        limit: usize,
    },
    /// The session is over.
    #[error("the session is over")]
    Disconnected,
    /// The session is not live yet.
    #[error("the session is not live yet")]
    NotLive,
    /// No such member, or nobody who waits for an answer.
    #[error("peer {} is not there", .0.0)]
    PeerUnknown(PeerId),
    /// No tick is complete yet.
    #[error("no tick is complete yet")]
    NoFrame,
    /// The runtime was shut down.
    #[error("the runtime was shut down")]
    ShutDown,
    /// The runtime's thread panicked; nothing runs on it any more.
    #[error("the runtime's thread panicked ({0}); shut it down and report this text")]
    Faulted(String),
    /// The runtime has its own thread (or, for a step, has none).
    #[error("only a host-driven runtime is stepped")]
    NotHostDriven,
    /// The world refuses.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The ticket is none.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// A change of invites or bans that cannot be made.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// Fresh secret bytes from the system.
fn random_seed() -> Result<[u8; 32], RuntimeError> {
    let mut seed = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut seed).map_err(|_| RuntimeError::Random)?;
    Ok(seed)
}

/// The key of a seed, or a fresh one.
fn key<K>(seed: Option<[u8; 32]>) -> Result<Key<K>, RuntimeError> {
    Ok(Key::from_seed(&seed.map_or_else(random_seed, Ok)?))
}

impl Runtime {
    /// Starts hosting. The socket is bound when this returns; ticks are the caller's.
    #[allow(clippy::needless_pass_by_value)] // options are made for one call, here and in `join`
    pub fn host(&self, schema: Arc<Schema>, options: HostOptions) -> Result<HostSession, RuntimeError> {
        host::start(self, schema, &options)
    }

    /// Starts joining. What follows comes as events.
    pub fn join(&self, schema: Arc<Schema>, options: JoinOptions) -> Result<JoinSession, RuntimeError> {
        join::start(self, schema, options)
    }

    /// Ends every session (the other sides are told), then the thread. Waits at most `deadline`; what had not ended by
    /// then is named in the report and ends by itself. Later calls report nothing more.
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.shutdown_after(deadline, || {})
    }

    /// As [`Runtime::shutdown`]; `release` lets go of the sessions' owners, after it was noted which sessions are open
    /// (dropping an owner ends its session at once) and before anything is waited for.
    pub(crate) fn shutdown_after(&self, deadline: Duration, release: impl FnOnce()) -> ShutdownReport {
        self.stop(Some(deadline), release)
    }

    /// Ends everything without waiting: the thread tells the other sides and then ends by itself.
    pub fn detach(&self) {
        self.stop(None, || {});
    }
}
