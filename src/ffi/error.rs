//! What can go wrong at the boundary, its status code, and the thread's last error.
//!
//! One enum for the room; errors of the rooms below are mapped to it once, here. Every sentence says what was wrong
//! and what to do. The last error belongs to the calling thread: it is set by every call that returns a negative
//! status and stays until the next one, so a wrapper copies it at once.

use std::cell::RefCell;

use super::handle::Kind;
use super::status::*;
use crate::core::schema::SchemaError;
use crate::core::session::admission::AdmissionError;
use crate::core::session::ticket::TicketError;
use crate::core::world::WorldError;
use crate::runtime::RuntimeError;

/// Why a call did not do what it says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{what} is null; pass an address")]
    Null { what: &'static str },
    #[error("{name}.struct_size is zero; set it to sizeof({name}) before the call")]
    SizeZero { name: &'static str },
    #[error(
        "a size of {stated} bytes is stated for {name}, which has at least {minimum}; set it to sizeof({name})"
    )]
    Size { name: &'static str, stated: u32, minimum: u32 },
    #[error(
        "{name} has a value at byte {offset} that this library does not know; leave it zero or use a newer library"
    )]
    Unsupported { name: &'static str, offset: u32 },
    #[error(
        "{name}.{field} is not zero; it means nothing to this library: clear the struct before you fill it, or use a newer library"
    )]
    ReservedField { name: &'static str, field: &'static str },
    #[error(
        "{what} has bits 0x{bits:x} that this library does not know; leave them zero or use a newer library"
    )]
    UnknownFlags { what: &'static str, bits: u32 },
    #[error("{what} is not UTF-8 from byte {offset} on")]
    Utf8 { what: &'static str, offset: usize },
    #[error("{what} is {value}, the limit is {limit}")]
    Range { what: &'static str, value: u64, limit: u64 },
    #[error("{what}")]
    Argument { what: String },
    #[error("{what} is not aligned to {bytes} bytes")]
    Alignment { what: &'static str, bytes: usize },
    #[error("{what} is not a finite number")]
    NotFinite { what: &'static str },
    #[error(
        "the program was built for ABI {program}, this library has ABI {library}; use the header that came with the library"
    )]
    AbiMismatch { program: u32, library: u32 },

    #[error("the {} handle is zero; create one first and check that creating it succeeded", kind.name())]
    HandleZero { kind: Kind },
    #[error("the {} was destroyed or released before this call; drop the handle when you end what it names", kind.name())]
    HandleStale { kind: Kind },
    #[error("a {} handle is needed, this is {}", expected.name(), found.map_or("not a handle of this library", Kind::name))]
    HandleKind { expected: Kind, found: Option<Kind> },
    #[error("the {} handle belongs to another runtime or another process; use handles of one runtime together", kind.name())]
    HandleForeign { kind: Kind },

    #[error("the runtime of this {} was shut down; create a new runtime", kind.name())]
    ShutDown { kind: Kind },
    #[error("another thread is inside a session-serial function of this {}; call those from one thread at a time", kind.name())]
    Concurrent { kind: Kind },
    #[error("the limit of {limit} {what} is reached")]
    Limit { what: &'static str, limit: u64 },
    #[error("this call is for {needed}; this session {is}")]
    WrongRole { needed: &'static str, is: &'static str },
    #[error("a codec's function called the library; return first, and call when poll or tick has returned")]
    Reentrant,

    #[error("component {id:#018x} is not in the registry of this session; add it before the session starts")]
    ComponentUnknown { id: u64 },
    #[error("component {component} has no field {field}; fields are named by the id of their description")]
    FieldUnknown { component: String, field: u32 },
    #[error("a session uses this registry, so it takes no more components; add them first")]
    RegistrySealed,
    #[error("component {component} has a codec already; add it once")]
    CodecTwice { component: String },
    #[error("component {component} has a codec, and its elements have no in-between; sample its fields")]
    NotSampled { component: String },

    #[error("there is no peer {peer} in the session; theta_session_peers lists who is here")]
    PeerUnknown { peer: u32 },
    #[error("there is no entity {entity:#018x} in the session")]
    EntityUnknown { entity: u64 },

    #[error("the library panicked: {text}; the session is faulted, destroy it and report this text")]
    Panic { text: String },
    #[error("an earlier call on this session panicked ({text}); destroy it and report this text")]
    Faulted { text: String },

    #[error(
        "the library's thread panicked while it drove this session; its last event says where, destroy it"
    )]
    ThreadPanicked,

    /// An error of a room below, with the status it was mapped to.
    #[error("{text}")]
    Room { code: theta_status, text: String },
}

impl Error {
    /// The status of this error: the one place that maps them.
    pub(crate) fn code(&self) -> theta_status {
        match self {
            Self::Null { .. } => THETA_E_NULL,
            Self::SizeZero { .. } | Self::Size { .. } => THETA_E_STRUCT_SIZE,
            Self::Unsupported { .. } | Self::ReservedField { .. } | Self::UnknownFlags { .. } => {
                THETA_E_UNSUPPORTED_FIELD
            }
            Self::Utf8 { .. } => THETA_E_UTF8,
            Self::Range { .. } | Self::Argument { .. } | Self::Alignment { .. } => THETA_E_RANGE,
            Self::NotFinite { .. } => THETA_E_NAN,
            Self::AbiMismatch { .. } => THETA_E_ABI_MISMATCH,
            Self::HandleZero { .. } => THETA_E_HANDLE_ZERO,
            Self::HandleStale { .. } => THETA_E_HANDLE_STALE,
            Self::HandleKind { .. } => THETA_E_HANDLE_KIND,
            Self::HandleForeign { .. } => THETA_E_HANDLE_FOREIGN,
            Self::ShutDown { .. } => THETA_E_SHUT_DOWN,
            Self::Concurrent { .. } => THETA_E_CONCURRENT,
            Self::Limit { .. } => THETA_E_LIMIT,
            Self::WrongRole { .. } => THETA_E_WRONG_ROLE,
            Self::Reentrant => THETA_E_REENTRANT,
            Self::ComponentUnknown { .. } => THETA_E_COMPONENT_UNKNOWN,
            Self::FieldUnknown { .. } => THETA_E_FIELD_UNKNOWN,
            Self::RegistrySealed => THETA_E_REGISTRY_SEALED,
            Self::CodecTwice { .. } => THETA_E_COMPONENT_COLLISION,
            Self::NotSampled { .. } => THETA_E_NOT_SAMPLED,
            Self::PeerUnknown { .. } => THETA_E_PEER_UNKNOWN,
            Self::EntityUnknown { .. } => THETA_E_ENTITY_UNKNOWN,
            Self::Panic { .. } | Self::Faulted { .. } | Self::ThreadPanicked => THETA_E_PANIC,
            Self::Room { code, .. } => *code,
        }
    }
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        let code = match &error {
            SchemaError::Redefined(_) | SchemaError::Collision { .. } => THETA_E_COMPONENT_COLLISION,
            SchemaError::OverLimit { .. } => THETA_E_LIMIT,
            SchemaError::RowSize { .. } => THETA_E_RANGE,
            SchemaError::BadField { .. }
            | SchemaError::BadComponent { .. }
            | SchemaError::DuplicateField { .. }
            | SchemaError::BadManifest { .. }
            | SchemaError::ManifestHash { .. } => THETA_E_COMPONENT_INVALID,
        };
        Self::Room { code, text: error.to_string() }
    }
}

impl From<WorldError> for Error {
    fn from(error: WorldError) -> Self {
        let code = match &error {
            WorldError::Schema(error) => return error.clone().into(),
            WorldError::NoEntity(entity) => return Self::EntityUnknown { entity: entity.0 },
            WorldError::NoComponent(id) => return Self::ComponentUnknown { id: id.0 },
            WorldError::NoField { .. } => THETA_E_FIELD_UNKNOWN,
            WorldError::NotWritable(..) => THETA_E_STATE,
            WorldError::OverLimit { .. } => THETA_E_LIMIT,
            WorldError::ShortData { .. }
            | WorldError::DuplicateComponent(_)
            | WorldError::BadParent { .. } => THETA_E_RANGE,
            WorldError::OldTick { .. } | WorldError::BadArchetype { .. } => THETA_E_INTERNAL,
        };
        Self::Room { code, text: error.to_string() }
    }
}

impl From<TicketError> for Error {
    fn from(error: TicketError) -> Self {
        Self::Room { code: THETA_E_TICKET, text: error.to_string() }
    }
}

impl From<AdmissionError> for Error {
    fn from(error: AdmissionError) -> Self {
        let code = match error {
            AdmissionError::Admin | AdmissionError::Uses | AdmissionError::Taken => THETA_E_RANGE,
            AdmissionError::Unknown | AdmissionError::Damaged(_) => THETA_E_TICKET,
            AdmissionError::TooManyInvites | AdmissionError::TooManyBans => THETA_E_LIMIT,
        };
        Self::Room { code, text: error.to_string() }
    }
}

impl From<RuntimeError> for Error {
    fn from(error: RuntimeError) -> Self {
        let code = match error {
            RuntimeError::World(error) => return error.into(),
            RuntimeError::Ticket(error) => return error.into(),
            RuntimeError::Admission(error) => return error.into(),
            RuntimeError::PeerUnknown(peer) => return Self::PeerUnknown { peer: peer.0 as u32 },
            RuntimeError::Disconnected => THETA_E_DISCONNECTED,
            RuntimeError::ShutDown => THETA_E_SHUT_DOWN,
            RuntimeError::Faulted(_) => THETA_E_PANIC,
            RuntimeError::NotLive | RuntimeError::NotHostDriven => THETA_E_STATE,
            RuntimeError::NoFrame => THETA_E_NOT_SAMPLED,
            RuntimeError::Address { .. } | RuntimeError::NotLoopback(_) => THETA_E_ADDRESS,
            RuntimeError::Limit { .. } => THETA_E_LIMIT,
            RuntimeError::Range { .. } => THETA_E_RANGE,
            RuntimeError::Thread(_) | RuntimeError::Transport(_) | RuntimeError::Random => THETA_E_IO,
        };
        Self::Room { code, text: error.to_string() }
    }
}

/// What `theta_last_error` tells.
#[derive(Default)]
pub(crate) struct LastError {
    /// Zero: no call of this thread has failed.
    pub(crate) code: theta_status,
    /// The exported function that failed.
    pub(crate) function: &'static str,
    /// What was wrong and what to do.
    pub(crate) message: String,
}

thread_local! {
    static LAST: RefCell<LastError> = const {
        RefCell::new(LastError { code: THETA_OK, function: "", message: String::new() })
    };
}

/// Keeps an error as the thread's last one and returns its status.
#[cold]
pub(crate) fn record(function: &'static str, error: &Error) -> theta_status {
    use std::fmt::Write;
    let code = error.code();
    // A thread that is being torn down has no last error any more; the status still says what happened.
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.code = code;
        last.function = function;
        last.message.clear();
        let _ = write!(last.message, "{error}");
    });
    code
}

/// Looks at the thread's last error.
pub(crate) fn last<R>(look: impl FnOnce(&LastError) -> R) -> R {
    LAST.with(|last| look(&last.borrow()))
}

/// Forgets the thread's last error.
#[cfg(test)]
pub(crate) fn clear() {
    LAST.with(|last| *last.borrow_mut() = LastError::default());
}
