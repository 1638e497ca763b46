//! How a host behaves.

use super::super::admission::AdmissionState;
use super::super::genesis::Genesis;
use super::super::handshake::OpenDoor;
use super::super::keys::{AdminKey, HostKey};
use crate::wire::limits::{HANDSHAKE_TIMEOUT_MS, IDLE_TIMEOUT_MS, MAX_HALF_OPEN, MAX_HALF_OPEN_PER_SOURCE};
use crate::wire::message::{Role, Version};

/// Sequences that are left when the epoch changes: an hour of a thousand packets a second is 3.6 million.
const EPOCH_MARGIN: u32 = 1 << 22;

/// How a host behaves.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The document the session is about.
    pub genesis: Genesis,
    /// Certifies this host: the document's founder.
    pub authority: AdminKey,
    /// The key this host acknowledges with.
    pub identity: HostKey,
    /// The term of its certificate.
    pub term: u32,
    /// Simulation rate.
    pub tick_rate_hz: u16,
    /// Members at most, without the host: 1 to 1024.
    pub max_peers: u16,
    /// Who enters without a ticket.
    pub door: OpenDoor,
    /// Wait for the application to admit or deny each peer.
    pub manual_admission: bool,
    /// The highest role of who comes with a bearer token, about which the application always decides; without one no
    /// token is taken.
    pub bearer: Option<Role>,
    /// Invites and bans to begin with.
    pub admission: AdmissionState,
    /// A link that has not been admitted after this long is closed.
    pub handshake_timeout_ms: u64,
    /// A link that is silent for this long is closed.
    pub idle_timeout_ms: u64,
    /// Links in their handshake at once.
    pub max_half_open: u16,
    /// Packets of one lane after which the session epoch changes, so that sequences begin again. The rest of a `u32` is
    /// what may be under way until both sides have gone over.
    pub sequences_per_epoch: u32,
    /// How long the place of a member is kept that is away, or whose link is lost; zero keeps none.
    pub resume_grace_ms: u64,
    /// Memory that is kept for each member that is away, so that only what changed is sent when it is back: bytes of
    /// chunk versions that the world has no longer. Beyond it the member gets everything.
    pub frozen_bytes: usize,
    /// Of these, from one source other than this machine.
    pub max_half_open_per_source: u16,
    /// A client of a lower protocol version is refused.
    pub least_version: Version,
}

impl HostConfig {
    /// A host that certifies itself: 90 Hz, 16 peers, nobody without a ticket.
    #[must_use]
    pub fn new(genesis: Genesis, authority: AdminKey, identity: HostKey) -> Self {
        Self {
            genesis,
            authority,
            identity,
            term: 1,
            tick_rate_hz: 90,
            max_peers: 16,
            door: OpenDoor::Closed,
            manual_admission: false,
            bearer: None,
            admission: AdmissionState::new(),
            sequences_per_epoch: u32::MAX - EPOCH_MARGIN,
            resume_grace_ms: 30_000,
            frozen_bytes: 1 << 20,
            handshake_timeout_ms: HANDSHAKE_TIMEOUT_MS,
            idle_timeout_ms: IDLE_TIMEOUT_MS,
            max_half_open: MAX_HALF_OPEN,
            max_half_open_per_source: MAX_HALF_OPEN_PER_SOURCE,
            least_version: Version::default(),
        }
    }

    /// The grace window as messages say it.
    pub(super) fn grace_ms(&self) -> u32 {
        u32::try_from(self.resume_grace_ms).unwrap_or(u32::MAX)
    }
}
