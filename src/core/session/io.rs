//! What goes into the session machines and what comes out: the only types a driver (I/O thread, simulator,
//! test) needs to know.
//!
//! Every call into a machine is followed by draining its outputs. `next_wake` says when to come back without
//! an input. The machines never block, never read a clock and never touch a socket.

use std::sync::Arc;

use crate::mutants::{Mutant, Mutants};
use crate::replication::Lifecycle;
use crate::schema::Mapping;
use crate::types::{ComponentId, Lane, PeerId, Tick};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::message::{BindingKind, Role};
use crate::world::{Frame, SealedTick};

use super::admission::{AdmissionChange, InviteId};
use super::input::InputSample;

/// A transport connection, named by the driver. Never reused while the host still knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// Where a connection comes from, as far as limits care: one number for what one customer of a network usually has (an IPv4
/// address, an IPv6 /64). Opaque and keyed by the driver; the core only compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

/// The channel binding of one connection, as its own transport layer reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which transport fact the bytes are.
    pub kind: BindingKind,
    /// The fact.
    pub bytes: [u8; 32],
}

impl Binding {
    /// What goes into the transcript: the fact as it is, but for [`Mutant::LeaveOutBinding`].
    pub(super) fn for_transcript(self, mutants: Mutants) -> Self {
        if mutants.active(Mutant::LeaveOutBinding) { Self { bytes: [0; 32], ..self } } else { self }
    }
}

/// What a transport reports about one link.
#[derive(Clone, Copy, Debug)]
pub enum LinkInput<'a> {
    /// The transport is up (after its own handshake).
    Opened {
        /// What the proofs are bound to.
        binding: Binding,
        /// Largest datagram the path takes now, in bytes.
        max_datagram_bytes: usize,
        /// True when the other end is this machine; the dev mode admits nobody else.
        is_loopback: bool,
        /// Where the other end is; none for this machine, which is not counted.
        source: Option<SourceId>,
    },
    /// The other end opened (its direction of) a reliable lane with this preface.
    StreamOpened {
        /// Which lane.
        lane: Lane,
        /// The link schema hash of the preface; zero on the control lane before one is agreed.
        schema_hash: u64,
    },
    /// A whole packet arrived.
    Packet {
        /// On which lane.
        lane: Lane,
        /// The packet as received.
        bytes: &'a [u8],
    },
    /// The path's datagram limit changed.
    DatagramLimit(usize),
    /// The transport is gone.
    Closed {
        /// The code the other end gave, or one of the transport's own.
        code: u16,
        /// Its reason text.
        reason: &'a str,
    },
}

/// What a machine wants done to one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Open a reliable lane (or our direction of it) with this preface before the first transmit on it.
    OpenLane {
        /// Which lane.
        lane: Lane,
        /// The hash for the preface.
        schema_hash: u64,
    },
    /// Send one packet.
    Transmit {
        /// On which lane.
        lane: Lane,
        /// The sealed packet.
        packet: Vec<u8>,
    },
    /// Nothing more will be sent on this lane.
    FinishLane(Lane),
    /// Close the transport with this code and sentence, after what was transmitted on reliable lanes has left.
    Close {
        /// Why, as a number.
        code: DisconnectCode,
        /// Why, as a sentence.
        reason: String,
    },
}

/// What the host machine gives its driver.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "the large event is input, the most frequent one: a box each is dearer"
)]
pub enum HostOutput {
    /// Something to do on a link.
    Link(LinkId, LinkOutput),
    /// Something the application should know.
    Event(HostEvent),
}

/// What the peer machine gives its driver.
#[derive(Debug)]
pub enum PeerOutput {
    /// Something to do on the link.
    Link(LinkOutput),
    /// Something the application should know.
    Event(PeerEvent),
}

/// What the application asks of the host.
#[derive(Debug)]
pub enum HostCommand {
    /// The engine sealed a tick: send it.
    Tick(SealedTick),
    /// Let a peer in that a [`HostEvent::JoinRequest`] announced.
    Admit {
        /// Who.
        peer: PeerId,
        /// With which role; never above what its ticket grants.
        role: Role,
        /// Application bytes for the peer, at most [`crate::wire::limits::MAX_APPLICATION_BYTES`].
        application: Vec<u8>,
    },
    /// Turn a peer away that a [`HostEvent::JoinRequest`] announced.
    Deny {
        /// Who.
        peer: PeerId,
        /// A sentence for the person.
        reason: String,
    },
    /// Remove a peer.
    Kick {
        /// Who.
        peer: PeerId,
        /// A sentence for the person.
        reason: String,
    },
    /// Invite, revoke, ban, unban. A change that cannot be made changes nothing: try it on a copy of
    /// [`super::Host::admission`] first.
    Admission(AdmissionChange),
    /// End the session for everybody.
    Shutdown {
        /// A sentence for the people.
        reason: String,
    },
}

/// A member of the session as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its slot.
    pub peer: PeerId,
    /// What it may do.
    pub role: Role,
    /// Its display name, UTF-8.
    pub name: String,
    /// Its Ed25519 identity.
    pub identity_key: [u8; 32],
}

/// Where a replica differed from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// At which tick.
    pub tick: Tick,
    /// In which component.
    pub component: ComponentId,
    /// In which field of it; zero when the entity set itself differed.
    pub field: u16,
    /// Both by name, for a person.
    pub text: String,
}

/// What the host's application learns.
#[derive(Debug)]
pub enum HostEvent {
    /// A peer proved its identity and waits for [`HostCommand::Admit`] or [`HostCommand::Deny`].
    JoinRequest {
        /// Its slot, name, key, and the role its ticket grants.
        info: PeerInfo,
        /// What it sent for the application to judge.
        application: Vec<u8>,
        /// A token for an outside verifier. With one the application is always asked, and its denial says
        /// [`DisconnectCode::AdmissionRefused`].
        bearer: Option<Vec<u8>>,
    },
    /// An invite was used by a key that had not used it before. The admission state has changed: keep it.
    InviteBound {
        /// Which invite.
        invite: InviteId,
        /// The key that it lets in from now on.
        key: [u8; 32],
    },
    /// A peer was admitted.
    PeerJoined(PeerInfo),
    /// A peer holds the world and receives deltas.
    PeerLive(PeerId),
    /// A peer is gone.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why, as a number.
        code: DisconnectCode,
        /// Why, as a sentence.
        reason: String,
    },
    /// A member is away, or its link is lost; its place is kept for so many milliseconds.
    PeerAway {
        /// Who.
        peer: PeerId,
        /// How long its place is kept.
        grace_ms: u32,
    },
    /// A member that was away is back, in its place.
    PeerBack(PeerId),
    /// A handshake ended without a member; for logs.
    HandshakeFailed {
        /// On which link.
        link: LinkId,
        /// Why, as a number.
        code: DisconnectCode,
        /// Why, as a sentence.
        reason: String,
    },
    /// A newer input of a peer.
    Input {
        /// Whose.
        peer: PeerId,
        /// What.
        sample: InputSample,
    },
    /// A peer's state was not the host's.
    Diverged {
        /// Whose.
        peer: PeerId,
        /// Where.
        divergence: Divergence,
    },
    /// A diverged peer acknowledged its repair.
    Repaired {
        /// Who.
        peer: PeerId,
        /// With the state of which tick.
        tick: Tick,
    },
    /// Every visible chunk compared equal at this tick.
    Confirmed {
        /// For whom.
        peer: PeerId,
        /// At which tick.
        tick: Tick,
    },
}

/// Where a joining peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerState {
    /// The transport is not up yet.
    Connecting,
    /// Proofs are under way.
    Handshake,
    /// Let in; the application loads its level.
    Admitted,
    /// The join snapshot is arriving.
    Joining,
    /// The world is here and deltas flow.
    Live,
    /// Nobody is there, or the link is lost; the host keeps our place for a while.
    Away,
    /// On the way back to [`Self::Live`], on this link or a new one.
    Resuming,
    /// Over.
    Closed,
}

/// What a peer's application learns.
#[derive(Debug)]
pub enum PeerEvent {
    /// The session moved on.
    StateChanged(PeerState),
    /// The host let us in.
    Admitted {
        /// Our slot.
        peer: PeerId,
        /// What we may do.
        role: Role,
        /// The host's simulation rate.
        tick_rate_hz: u32,
        /// Application bytes of the host.
        application: Vec<u8>,
        /// For how many milliseconds the host keeps our place while we are away or our link is lost; zero: not at all.
        resume_grace_ms: u32,
    },
    /// The host has other components than ours: how its world is read, and what became of what differs. Told once,
    /// between [`PeerState::Admitted`] and the world.
    SchemaMapped(Arc<Mapping>),
    /// The join snapshot advanced.
    JoinProgress {
        /// Pieces here.
        received: u32,
        /// Pieces in all.
        total: u32,
    },
    /// Another member joined (or was there before us).
    PeerJoined(PeerInfo),
    /// Another member left.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why.
        code: DisconnectCode,
        /// Its sentence.
        reason: String,
    },
    /// Another member is away, or its link is lost; it keeps its place for a while.
    PeerAway {
        /// Who.
        peer: PeerId,
        /// For how many milliseconds from when it went; zero where it was away before we came.
        grace_ms: u32,
    },
    /// Another member is back.
    PeerBack(PeerId),
    /// A tick is complete here; ticks come in increasing order.
    Frame(Arc<Frame>),
    /// An entity came, went or changed hands between two published frames.
    Lifecycle(Lifecycle),
    /// Our state was not the host's; a repair follows.
    Diverged(Divergence),
    /// The repair was applied.
    Repaired(Tick),
    /// The host refused a message of ours.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// A sentence.
        text: String,
    },
    /// The session is over.
    Disconnected {
        /// Why, as a number.
        code: DisconnectCode,
        /// Why, and what to do.
        reason: String,
    },
}
