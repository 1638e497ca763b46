//! Typed messages: what the rooms above send and receive.
//!
//! [`Message::decode`] takes bytes nobody trusts: the FlatBuffers verifier runs first with tight bounds (depth, tables,
//! apparent size), then every number is turned into its enum or newtype and every count and length is held against
//! [`super::limits`]. [`MessageEncoder`] holds messages we send to the same limits, so that nothing leaves which the
//! other side must refuse. Hot payloads are borrowed from the packet; everything else is owned, for it is rare.
//!
//! One file per group of messages. Called by the session, replication, command and collaboration rooms; it knows no
//! session, so whether a sender may send a message is not decided here.

mod acknowledge;
mod application;
mod collaboration;
mod control;
mod heartbeat;
mod hello;
mod interest;
mod roster;
mod state;
mod telemetry;

use super::generated::theta::wire as fb;
use super::{WireError, limits};
use flatbuffers::{FlatBufferBuilder, Vector, VerifierOptions, WIPOffset};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub use acknowledge::{
    AcknowledgeCore, Admission, AdmissionKind, BindingKind, CapabilityBit, CompressionKind, HostCertificate,
    RefusedCapability, SecurityMode, SessionAcknowledge, SessionConfirm, TransportKind,
};
pub use application::{AppMessage, AppTarget, InputPredictiveState};
pub use collaboration::{
    AssetKind, AssetStatus, AssetTransfer, CommandLogEntry, EditorEvent, EditorEventKind, EntryKind,
};
pub use control::{
    Admitted, ControlKind, Ending, HashDetailsRequest, LevelChange, ManifestPart, Refusal, SessionControl,
};
pub use heartbeat::{Heartbeat, LaneCount};
pub use hello::{Capability, ComponentLayout, LogPosition, SessionHello, Version};
pub use interest::{
    InterestFocus, InterestKind, InterestScope, InterestSet, NackKind, NackRequest, Ownership, OwnershipKind,
    OwnershipReason,
};
pub use roster::{ArchetypeDefinition, Role, RosterPeer};
pub use state::{
    ChunkDetail, ComponentDelta, DeltaMode, SnapshotReason, StateAck, StateHashReport, WorldSnapshot,
};
pub use telemetry::{TelemetryReport, TelemetrySample};

/// An enum with a number on the wire.
pub trait WireEnum: Copy + 'static {
    /// Every value, so that tables and tests can walk them.
    const ALL: &'static [Self];
    /// The field's name in errors.
    const NAME: &'static str;

    /// The value's number.
    fn number(self) -> u16;

    /// The value with this number.
    ///
    /// # Errors
    /// [`WireError::UnknownValue`] where there is none.
    fn from_number(number: u16) -> Result<Self, WireError> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.number() == number)
            .ok_or(WireError::UnknownValue { field: Self::NAME, value: number as u64 })
    }

    /// The value's bit in a mask.
    fn bit(self) -> u64 {
        1 << self.number()
    }
}

/// What a message header's type byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum MessageType {
    /// The client's opening.
    SessionHello = 1,
    /// The host's signed answer.
    SessionAcknowledge = 2,
    /// The client's proof and admission.
    SessionConfirm = 3,
    /// Clocks, progress and loss, both ways.
    Heartbeat = 4,
    /// A piece of a full state.
    WorldSnapshot = 5,
    /// What changed since a baseline.
    ComponentDelta = 6,
    /// Which packets have arrived.
    StateAck = 7,
    /// The hash of a complete tick.
    StateHashReport = 8,
    /// What a peer wants to see.
    InterestSet = 9,
    /// Requests for entities and the arbiter's answers.
    Ownership = 10,
    /// One signed record of the command log.
    CommandLogEntry = 11,
    /// Poses and inputs of one tick.
    InputPredictiveState = 12,
    /// Presence of an editor: cursor, selection, drag.
    EditorEvent = 13,
    /// Offer, request and content of assets.
    AssetTransfer = 14,
    /// Counters of a peer.
    TelemetryReport = 15,
    /// Admission, membership, endings.
    SessionControl = 16,
    /// A request to send something again.
    NackRequest = 17,
    /// The application's own message.
    AppMessage = 18,
}

impl WireEnum for MessageType {
    const ALL: &'static [Self] = &[
        Self::SessionHello,
        Self::SessionAcknowledge,
        Self::SessionConfirm,
        Self::Heartbeat,
        Self::WorldSnapshot,
        Self::ComponentDelta,
        Self::StateAck,
        Self::StateHashReport,
        Self::InterestSet,
        Self::Ownership,
        Self::CommandLogEntry,
        Self::InputPredictiveState,
        Self::EditorEvent,
        Self::AssetTransfer,
        Self::TelemetryReport,
        Self::SessionControl,
        Self::NackRequest,
        Self::AppMessage,
    ];
    const NAME: &'static str = "message type";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One message, checked. Hot payloads borrow from the packet they came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // handed on by reference, or matched at once; a box would cost an allocation a message
pub enum Message<'a> {
    /// See [`SessionHello`].
    SessionHello(SessionHello),
    /// See [`SessionAcknowledge`].
    SessionAcknowledge(SessionAcknowledge),
    /// See [`SessionConfirm`].
    SessionConfirm(SessionConfirm),
    /// See [`Heartbeat`].
    Heartbeat(Heartbeat),
    /// See [`WorldSnapshot`].
    WorldSnapshot(WorldSnapshot<'a>),
    /// See [`ComponentDelta`].
    ComponentDelta(ComponentDelta<'a>),
    /// See [`StateAck`].
    StateAck(StateAck<'a>),
    /// See [`StateHashReport`].
    StateHashReport(StateHashReport),
    /// See [`InterestSet`].
    InterestSet(InterestSet),
    /// See [`Ownership`].
    Ownership(Ownership),
    /// See [`CommandLogEntry`].
    CommandLogEntry(CommandLogEntry<'a>),
    /// See [`InputPredictiveState`].
    InputPredictiveState(InputPredictiveState<'a>),
    /// See [`EditorEvent`].
    EditorEvent(EditorEvent<'a>),
    /// See [`AssetTransfer`].
    AssetTransfer(AssetTransfer<'a>),
    /// See [`TelemetryReport`].
    TelemetryReport(TelemetryReport),
    /// See [`SessionControl`].
    SessionControl(SessionControl),
    /// See [`NackRequest`].
    NackRequest(NackRequest),
    /// See [`AppMessage`].
    AppMessage(AppMessage<'a>),
}

impl<'a> Message<'a> {
    /// The type that goes into the message header.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::SessionHello(_) => MessageType::SessionHello,
            Self::SessionAcknowledge(_) => MessageType::SessionAcknowledge,
            Self::SessionConfirm(_) => MessageType::SessionConfirm,
            Self::Heartbeat(_) => MessageType::Heartbeat,
            Self::WorldSnapshot(_) => MessageType::WorldSnapshot,
            Self::ComponentDelta(_) => MessageType::ComponentDelta,
            Self::StateAck(_) => MessageType::StateAck,
            Self::StateHashReport(_) => MessageType::StateHashReport,
            Self::InterestSet(_) => MessageType::InterestSet,
            Self::Ownership(_) => MessageType::Ownership,
            Self::CommandLogEntry(_) => MessageType::CommandLogEntry,
            Self::InputPredictiveState(_) => MessageType::InputPredictiveState,
            Self::EditorEvent(_) => MessageType::EditorEvent,
            Self::AssetTransfer(_) => MessageType::AssetTransfer,
            Self::TelemetryReport(_) => MessageType::TelemetryReport,
            Self::SessionControl(_) => MessageType::SessionControl,
            Self::NackRequest(_) => MessageType::NackRequest,
            Self::AppMessage(_) => MessageType::AppMessage,
        }
    }

    /// Reads and checks one message body.
    ///
    /// # Errors
    /// Any structural fault, unknown value or passed limit. A fault in a body is the sender's, never the network's:
    /// the packet's CRC was right.
    pub fn decode(message_type: MessageType, body: &'a [u8]) -> Result<Self, WireError> {
        Ok(match message_type {
            MessageType::SessionHello => Self::SessionHello(SessionHello::read(root(message_type, body)?)?),
            MessageType::SessionAcknowledge => {
                Self::SessionAcknowledge(SessionAcknowledge::read(root(message_type, body)?)?)
            }
            MessageType::SessionConfirm => {
                Self::SessionConfirm(SessionConfirm::read(root(message_type, body)?)?)
            }
            MessageType::Heartbeat => Self::Heartbeat(Heartbeat::read(root(message_type, body)?)?),
            MessageType::WorldSnapshot => {
                Self::WorldSnapshot(WorldSnapshot::read(root(message_type, body)?)?)
            }
            MessageType::ComponentDelta => {
                Self::ComponentDelta(ComponentDelta::read(root(message_type, body)?)?)
            }
            MessageType::StateAck => Self::StateAck(StateAck::read(root(message_type, body)?)?),
            MessageType::StateHashReport => {
                Self::StateHashReport(StateHashReport::read(root(message_type, body)?)?)
            }
            MessageType::InterestSet => Self::InterestSet(InterestSet::read(root(message_type, body)?)?),
            MessageType::Ownership => Self::Ownership(Ownership::read(root(message_type, body)?)?),
            MessageType::CommandLogEntry => {
                Self::CommandLogEntry(CommandLogEntry::read(root(message_type, body)?)?)
            }
            MessageType::InputPredictiveState => {
                Self::InputPredictiveState(InputPredictiveState::read(root(message_type, body)?)?)
            }
            MessageType::EditorEvent => Self::EditorEvent(EditorEvent::read(root(message_type, body)?)?),
            MessageType::AssetTransfer => {
                Self::AssetTransfer(AssetTransfer::read(root(message_type, body)?)?)
            }
            MessageType::TelemetryReport => {
                Self::TelemetryReport(TelemetryReport::read(root(message_type, body)?)?)
            }
            MessageType::SessionControl => {
                Self::SessionControl(SessionControl::read(root(message_type, body)?)?)
            }
            MessageType::NackRequest => Self::NackRequest(NackRequest::read(root(message_type, body)?)?),
            MessageType::AppMessage => Self::AppMessage(AppMessage::read(root(message_type, body)?)?),
        })
    }

    /// Holds the message against its limits and its own rules; decoding has done so already.
    pub fn check(&self) -> Result<(), WireError> {
        match self {
            Self::SessionHello(message) => message.check(),
            Self::SessionAcknowledge(message) => message.check(),
            Self::SessionConfirm(message) => message.check(),
            Self::Heartbeat(message) => message.check(),
            Self::WorldSnapshot(message) => message.check(),
            Self::ComponentDelta(message) => message.check(),
            Self::StateAck(message) => message.check(),
            Self::StateHashReport(message) => message.check(),
            Self::InterestSet(message) => message.check(),
            Self::Ownership(_) => Ok(()),
            Self::CommandLogEntry(message) => message.check(),
            Self::InputPredictiveState(message) => message.check(),
            Self::EditorEvent(message) => message.check(),
            Self::AssetTransfer(message) => message.check(),
            Self::TelemetryReport(message) => message.check(),
            Self::SessionControl(message) => message.check(),
            Self::NackRequest(message) => message.check(),
            Self::AppMessage(message) => message.check(),
        }
    }

    /// The body as a fresh buffer. On a hot path keep a [`MessageEncoder`] instead.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        MessageEncoder::new().encode(self).map(<[u8]>::to_vec)
    }
}

/// Writes message bodies; keep one, its buffers are reused.
#[derive(Default)]
pub struct MessageEncoder {
    builder: Builder,
}

impl core::fmt::Debug for MessageEncoder {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("MessageEncoder").finish_non_exhaustive()
    }
}

/// The builder all `write` functions take.
type Builder = FlatBufferBuilder<'static>;

impl MessageEncoder {
    /// An encoder without a buffer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the body; it stays valid until the next call.
    ///
    /// # Errors
    /// A message that passes a limit or breaks its own rule: the caller's mistake.
    pub fn encode(&mut self, message: &Message<'_>) -> Result<&[u8], WireError> {
        message.check()?;
        let builder = &mut self.builder;
        builder.reset();
        match message {
            Message::SessionHello(message) => finish(message.write(builder), builder),
            Message::SessionAcknowledge(message) => finish(message.write(builder), builder),
            Message::SessionConfirm(message) => finish(message.write(builder), builder),
            Message::Heartbeat(message) => finish(message.write(builder), builder),
            Message::WorldSnapshot(message) => finish(message.write(builder), builder),
            Message::ComponentDelta(message) => finish(message.write(builder), builder),
            Message::StateAck(message) => finish(message.write(builder), builder),
            Message::StateHashReport(message) => finish(message.write(builder), builder),
            Message::InterestSet(message) => finish(message.write(builder), builder),
            Message::Ownership(message) => finish(message.write(builder), builder),
            Message::CommandLogEntry(message) => finish(message.write(builder), builder),
            Message::InputPredictiveState(message) => finish(message.write(builder), builder),
            Message::EditorEvent(message) => finish(message.write(builder), builder),
            Message::AssetTransfer(message) => finish(message.write(builder), builder),
            Message::TelemetryReport(message) => finish(message.write(builder), builder),
            Message::SessionControl(message) => finish(message.write(builder), builder),
            Message::NackRequest(message) => finish(message.write(builder), builder),
            Message::AppMessage(message) => finish(message.write(builder), builder),
        }
        let body = builder.finished_data();
        at_most("message body", body.len(), limits::MAX_MESSAGE_BYTES)?;
        Ok(body)
    }
}

fn finish<T>(root: WIPOffset<T>, builder: &mut Builder) {
    builder.finish_minimal(root);
}

/// Bounds for the FlatBuffers verifier. The apparent size counts shared parts as often as they are named, so offsets
/// that all point to one long string cannot make decoding allocate many times the packet.
const VERIFIER: VerifierOptions = VerifierOptions {
    max_depth: limits::MAX_TABLE_DEPTH,
    max_tables: limits::MAX_TABLES,
    max_apparent_size: limits::MAX_APPARENT_BYTES,
    ignore_missing_null_terminator: false,
};

/// The verified root table of a body.
fn root<'a, T>(message_type: MessageType, body: &'a [u8]) -> Result<T, WireError>
where
    T: flatbuffers::Follow<'a, Inner = T> + flatbuffers::Verifiable + 'a,
{
    at_most("message body", body.len(), limits::MAX_MESSAGE_BYTES)?;
    flatbuffers::root_with_opts::<T>(&VERIFIER, body).map_err(|_| WireError::Unverifiable(message_type))
}

fn at_most(field: &'static str, actual: usize, limit: usize) -> Result<(), WireError> {
    if actual > limit { Err(WireError::OverLimit { field, actual, limit }) } else { Ok(()) }
}

fn bytes_of(vector: Option<Vector<'_, u8>>) -> &[u8] {
    vector.map_or(&[], |vector| vector.bytes())
}

fn cow_of(vector: Option<Vector<'_, u8>>) -> Cow<'_, [u8]> {
    Cow::Borrowed(bytes_of(vector))
}

fn text_of(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A byte vector, left out when empty.
fn put_bytes(builder: &mut Builder, bytes: &[u8]) -> Option<WIPOffset<Vector<'static, u8>>> {
    (!bytes.is_empty()).then(|| builder.create_vector(bytes))
}

/// A string, left out when empty.
fn put_text(builder: &mut Builder, text: &str) -> Option<WIPOffset<&'static str>> {
    (!text.is_empty()).then(|| builder.create_string(text))
}
