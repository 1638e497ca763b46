//! Sessions: one side of a shared world, the host's or a joined peer's.

use std::ffi::c_char;

use super::basis::Basis;
use super::boundary::boundary;
use super::error::Error;
use super::handle::{self, Epoch, Kind};
use super::registry::{Registry, theta_registry};
use super::runtime::{Runtime, theta_runtime};
use super::side::{Session, role_from_number};
use super::sized::{self, sized};
use super::status::*;
use super::view::{self, Out};
use crate::core::session::admission::{AdmissionState, MAX_STATE_BYTES};
use crate::core::session::handshake::Floors;
use crate::core::session::ticket::{MAX_TICKET_CHARS, Ticket};
use crate::core::wire::limits::{MAX_ADMISSION_BYTES, MAX_APPLICATION_BYTES};
use crate::core::wire::message::{Role, SecurityMode, TransportKind, Version};
use crate::runtime::{HostOptions, JoinOptions};

/// Looks only.
pub const THETA_ROLE_VIEWER: u32 = 1;
/// Looks and comments.
pub const THETA_ROLE_COMMENTER: u32 = 2;
/// Plays and edits.
pub const THETA_ROLE_EDITOR: u32 = 3;
/// May do everything.
pub const THETA_ROLE_ADMIN: u32 = 4;

/// Host flag: nobody needs a ticket; loopback addresses only.
pub const THETA_HOST_DEV_MODE: u32 = 1;
/// Host flag: JOIN_REQUEST events wait for `theta_session_admit` or `theta_session_deny`.
pub const THETA_HOST_MANUAL_ADMISSION: u32 = 2;
/// Host flag: peers may come with a bearer token for an outside verifier. Each raises a JOIN_REQUEST event, which waits for
/// `theta_session_admit` or `theta_session_deny`.
pub const THETA_HOST_BEARER: u32 = 4;
/// Join flag: after ADMITTED the snapshot waits for `theta_session_loaded`.
pub const THETA_JOIN_MANUAL_LOADED: u32 = 1;

/// Within the process, over memory.
pub const THETA_TRANSPORT_MEMORY: u32 = 1;
/// Native QUIC.
pub const THETA_TRANSPORT_QUIC: u32 = 2;
/// WebRTC data channels.
pub const THETA_TRANSPORT_WEBRTC: u32 = 4;
/// HTTP/3 WebTransport.
pub const THETA_TRANSPORT_WEBTRANSPORT: u32 = 8;
/// Between both ends of the link: the transport encrypts.
pub const THETA_SECURITY_TRANSPORT: u32 = 1;
/// Members only: payloads are encrypted end to end as well. No host of this version offers it.
pub const THETA_SECURITY_END_TO_END: u32 = 2;

const _: () = {
    assert!(THETA_TRANSPORT_MEMORY as u64 == 1 << TransportKind::Memory as u64);
    assert!(THETA_TRANSPORT_QUIC as u64 == 1 << TransportKind::Quic as u64);
    assert!(THETA_TRANSPORT_WEBRTC as u64 == 1 << TransportKind::WebRtc as u64);
    assert!(THETA_TRANSPORT_WEBTRANSPORT as u64 == 1 << TransportKind::WebTransport as u64);
    assert!(THETA_SECURITY_TRANSPORT as u64 == 1 << SecurityMode::Transport as u64);
    assert!(THETA_SECURITY_END_TO_END as u64 == 1 << SecurityMode::EndToEnd as u64);
};

/// The transport is not up yet.
pub const THETA_STATE_CONNECTING: u32 = 1;
/// Proofs are under way.
pub const THETA_STATE_HANDSHAKE: u32 = 2;
/// Let in: load your level, then `theta_session_loaded`.
pub const THETA_STATE_ADMITTED: u32 = 3;
/// The world is arriving.
pub const THETA_STATE_JOINING: u32 = 4;
/// The world is here and ticks flow. A host is live from its start.
pub const THETA_STATE_LIVE: u32 = 5;
/// Over.
pub const THETA_STATE_CLOSED: u32 = 6;
/// The library panicked in a call on the session or on its thread; it answers nothing but info, poll and destroy.
pub const THETA_STATE_FAULTED: u32 = 7;

/// Longest bearer token, in bytes.
pub const THETA_MAX_BEARER_BYTES: u32 = 8192;
const _: () = assert!(THETA_MAX_BEARER_BYTES as usize == MAX_ADMISSION_BYTES);
/// Joined: nobody is there, or the link is lost; the host keeps our place for a while.
pub const THETA_STATE_AWAY: u32 = 8;
/// Joined: on the way back, in the same place.
pub const THETA_STATE_RESUMING: u32 = 9;

/// A session handle. Zero is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_session {
    /// Opaque.
    pub bits: u64,
}

/// How to host. Input; begins with its size. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_host_config {
    /// `sizeof(theta_host_config)`.
    pub struct_size: u32,
    /// `THETA_HOST_*`.
    pub flags: u32,
    /// Where to listen, `ip:port`, UTF-8; port 0 lets the system choose. Empty = 127.0.0.1:0 in dev mode and
    /// 0.0.0.0:0 otherwise.
    pub bind_address: *const c_char,
    /// Bytes of `bind_address`.
    pub bind_address_length: u32,
    /// Most joined peers, 1 to 1024; 0 = 16.
    pub max_peers: u32,
    /// Ticks per second, 1 to 240; 0 = 90.
    pub tick_rate_hz: u32,
    /// `THETA_BASIS_*`: the basis of this program's values.
    pub basis: u32,
    /// The highest role of peers without a ticket (dev mode, bearer tokens), `THETA_ROLE_*`; 0 = editor.
    pub default_role: u32,
    /// How long the place of a peer is kept that is away, or whose link is lost, in milliseconds, at
    /// most 3600000; 0 = 30000.
    pub resume_grace_ms: u32,
    /// 32 bytes: the Ed25519 seed of the key that signs tickets and the host's certificate; null = a fresh one.
    pub authority_seed: *const u8,
    /// 32 bytes: the Ed25519 seed of this host's key; null = a fresh one.
    pub host_seed: *const u8,
    /// 32 bytes that tell apart the documents of one authority, which founds them; null = zeros. The same authority and
    /// nonce make the same document; `theta_session_info` has its id.
    pub document_nonce: *const u8,
    /// Invites and bans to begin with: what `theta_session_admission` gave, or null for none.
    pub admission: *const u8,
    /// Bytes of `admission`.
    pub admission_length: u64,
    /// This host's term; 0 = 1. Peers refuse a term below one that they have seen for the document.
    pub term: u32,
    /// Zero.
    pub reserved2: u32,
    /// The floor: peers of a lower protocol version (`least_major.least_minor.least_patch`) are refused with VersionFloor
    /// (33). Zeros = every version that this build can speak with; a floor above its own version lets nobody in.
    pub least_major: u16,
    /// Minor number of the floor.
    pub least_minor: u16,
    /// Patch number of the floor.
    pub least_patch: u16,
    /// Zero.
    pub reserved3: u16,
}
sized!(theta_host_config: 64 reserved2 reserved3);

/// How to join. Input; begins with its size. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_join_config {
    /// `sizeof(theta_join_config)`.
    pub struct_size: u32,
    /// `THETA_JOIN_*`.
    pub flags: u32,
    /// The ticket string, UTF-8, at most 1024 bytes: `theta://host:port/document#authority.member`.
    pub ticket: *const c_char,
    /// Bytes of `ticket`.
    pub ticket_length: u32,
    /// `THETA_BASIS_*`: the basis of this program's values.
    pub basis: u32,
    /// The name others see, UTF-8, at most 64 bytes.
    pub name: *const c_char,
    /// Bytes of `name`.
    pub name_length: u32,
    /// Bytes of `application`.
    pub application_length: u32,
    /// Bytes for the host's application to judge, at most 4096.
    pub application: *const u8,
    /// 32 bytes: the Ed25519 seed of this player's key; null = a fresh one.
    pub identity_seed: *const u8,
    /// How far behind the newest tick others are shown, in milliseconds, at most 1000; 0 = 50.
    pub interpolation_delay_ms: u32,
    /// How long the handshake may take, in milliseconds, at most 60000; 0 = 5000.
    pub handshake_timeout_ms: u32,
    /// A token for the host's outside verifier, at most 8192 bytes, shown instead of what the ticket has and only to a host
    /// that has proved itself; null for none.
    pub bearer: *const u8,
    /// Bytes of `bearer`.
    pub bearer_length: u32,
    /// The highest `theta_session_info.term` seen for the document before: a host of a lower one is refused. 0 = none.
    pub least_term: u32,
    /// The floors: what we settle for, held against what the host has signed. A session of a lower protocol version
    /// (`least_major.least_minor.least_patch`) ends with VersionFloor (33). Zeros = every version that this build can speak.
    pub least_major: u16,
    /// Minor number of the lowest version.
    pub least_minor: u16,
    /// Patch number of the lowest version.
    pub least_patch: u16,
    /// Zero.
    pub reserved: u16,
    /// Mask of `THETA_TRANSPORT_*` that will do, else the session ends with TransportFloor (35); 0 = any.
    pub transports: u32,
    /// Mask of `THETA_SECURITY_*` that will do, else the session ends with SecurityFloor (36); 0 = any that this build has.
    pub security_modes: u32,
}
sized!(theta_join_config: 64 reserved);

/// Where a session stands. Output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_session_info {
    /// `sizeof(theta_session_info)`; after the call, the bytes written.
    pub struct_size: u32,
    /// `THETA_STATE_*`.
    pub state: u32,
    /// 1 on a host, 0 on a joined session.
    pub is_host: u32,
    /// Our number in the session; 0 on a host and before ADMITTED.
    pub local_peer: u32,
    /// Our `THETA_ROLE_*`; 0 before ADMITTED.
    pub role: u32,
    /// Ticks per second; 0 before ADMITTED.
    pub tick_rate_hz: u32,
    /// Members besides us.
    pub peer_count: u32,
    /// Host: the UDP port it listens on.
    pub port: u32,
    /// Host: the last sealed tick. Joined: the newest complete one.
    pub tick: u32,
    /// The newest tick that was compared equal. Host: for all live peers.
    pub confirmed_tick: u32,
    /// Entities in `tick`.
    pub entity_count: u32,
    /// Why the session ended, for `theta_disconnect_text`; 0 while it lives.
    pub disconnect_code: u32,
    /// The schema hash of the session's registry.
    pub schema_hash: u64,
    /// The session's id; zero before ADMITTED.
    pub session_id: [u8; 16],
    /// The document's id.
    pub document_id: [u8; 32],
    /// The public key that signs its tickets and certifies its hosts.
    pub authority_key: [u8; 32],
    /// The host's term: keep the highest for the document, as `theta_join_config.least_term`. 0 before ADMITTED.
    pub term: u32,
    /// For how many milliseconds the host keeps the place of a peer that is away, or whose link is lost; 0 before ADMITTED,
    /// and where it keeps none.
    pub resume_grace_ms: u32,
    /// The protocol version that is spoken (a host's own), major number; zeros before ADMITTED.
    pub version_major: u16,
    /// Its minor number.
    pub version_minor: u16,
    /// Its patch number.
    pub version_patch: u16,
    /// The floor of this side, as its configuration said: lowest protocol version, major number.
    pub least_major: u16,
    /// Minor number of the floor.
    pub least_minor: u16,
    /// Patch number of the floor.
    pub least_patch: u16,
    /// Zero.
    pub reserved: u32,
}
sized!(theta_session_info: 136 reserved);

/// Longest `ip:port`, in bytes.
const MAX_ADDRESS_BYTES: u64 = 256;
/// Longest name of a member, in bytes.
const MAX_NAME_BYTES: u64 = 64;

/// Checks flags against the known ones.
fn known_flags(flags: u32, known: u32, what: &'static str) -> Result<(), Error> {
    if flags & !known == 0 { Ok(()) } else { Err(Error::UnknownFlags { what, bits: flags & !known }) }
}

fn at_most(value: u32, limit: u32, what: &'static str) -> Result<u32, Error> {
    if value <= limit {
        Ok(value)
    } else {
        Err(Error::Range { what, value: value as u64, limit: limit as u64 })
    }
}

fn basis(number: u32) -> Result<Basis, Error> {
    Basis::from_number(number).ok_or(Error::Range { what: "basis", value: number as u64, limit: 2 })
}

/// Starts hosting: listens for peers and owns the world. Ticks are the caller's (`theta_session_tick`).
///
/// `registry`: the components, which is sealed by this. `config`: input of `config->struct_size` bytes. `out` receives
/// the handle; end it with `theta_session_destroy`.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
/// THETA_E_RANGE, the handle errors, THETA_E_HANDLE_FOREIGN (two runtimes), THETA_E_CONCURRENT (the registry),
/// THETA_E_COMPONENT_COLLISION, THETA_E_TICKET (admission), THETA_E_ADDRESS (malformed, or not loopback in dev mode),
/// THETA_E_IO (the port is taken), THETA_E_LIMIT, THETA_E_PANIC (the runtime's thread panicked before). [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_host(
    runtime: theta_runtime,
    registry: theta_registry,
    config: *const theta_host_config,
    out: *mut theta_session,
) -> theta_status {
    boundary!(theta_session_host, {
        // SAFETY: the caller's promise about its pointers, here and below.
        let (config, out) = unsafe { (sized::input(config)?, Out::new(out, "out")?) };
        let (owner, mut components) = ingredients(runtime, registry)?;
        let schema = components.parts().1.look()?;
        let basis = basis(config.basis)?;
        // SAFETY: as above.
        let host = owner.inner.host(schema.clone(), unsafe { host_options(&config) }?)?;
        let session = Session::host(host, schema.clone(), basis, components.parts().1.codecs());
        out.set(theta_session { bits: handle::insert(Epoch::of(runtime.bits), session)? });
        components.parts().1.seal(schema);
        Ok(THETA_OK)
    })
}

/// Starts joining: the handshake runs in the background and its steps come as events.
///
/// `registry`: the components, which is sealed by this. `config`: input of `config->struct_size` bytes. `out` receives
/// the handle; end it with `theta_session_destroy`.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
/// THETA_E_RANGE, the handle errors, THETA_E_HANDLE_FOREIGN (two runtimes), THETA_E_CONCURRENT (the registry),
/// THETA_E_COMPONENT_COLLISION, THETA_E_TICKET, THETA_E_ADDRESS, THETA_E_IO, THETA_E_LIMIT, THETA_E_PANIC (the
/// runtime's thread panicked before). [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_join(
    runtime: theta_runtime,
    registry: theta_registry,
    config: *const theta_join_config,
    out: *mut theta_session,
) -> theta_status {
    boundary!(theta_session_join, {
        // SAFETY: the caller's promise about its pointers, here and below.
        let (config, out) = unsafe { (sized::input(config)?, Out::new(out, "out")?) };
        let (owner, mut components) = ingredients(runtime, registry)?;
        let schema = components.parts().1.look()?;
        let basis = basis(config.basis)?;
        // SAFETY: as above.
        let joined = owner.inner.join(schema.clone(), unsafe { join_options(&config) }?)?;
        let session = Session::joined(joined, schema.clone(), basis, components.parts().1.codecs());
        out.set(theta_session { bits: handle::insert(Epoch::of(runtime.bits), session)? });
        components.parts().1.seal(schema);
        Ok(THETA_OK)
    })
}

/// What a new session is made of. The registry is held until the session exists and sealed only then: a call that
/// fails leaves it open.
fn ingredients(
    runtime: theta_runtime,
    registry: theta_registry,
) -> Result<(handle::Pin<Runtime>, handle::Serial<Registry>), Error> {
    let owner = handle::pin::<Runtime>(runtime.bits)?;
    let components = handle::serial::<Registry>(registry.bits)?;
    handle::same_runtime(runtime.bits, registry.bits, Kind::Registry)?;
    Ok((owner, components))
}

/// # Safety
/// Every pointer of `config` is null or has what its length says.
unsafe fn host_options(config: &theta_host_config) -> Result<HostOptions, Error> {
    let known = THETA_HOST_DEV_MODE | THETA_HOST_MANUAL_ADMISSION | THETA_HOST_BEARER;
    known_flags(config.flags, known, "theta_host_config.flags")?;
    // SAFETY: the caller's promise, here and below.
    let address = unsafe {
        view::text(
            config.bind_address,
            config.bind_address_length as u64,
            MAX_ADDRESS_BYTES,
            "bind_address_length",
        )
    }?;
    // SAFETY: as above.
    let admission = unsafe {
        let limit = MAX_STATE_BYTES as u64;
        view::slice(config.admission, config.admission_length, limit, "admission_length")
    }?;
    Ok(HostOptions {
        takes_bearer: config.flags & THETA_HOST_BEARER != 0,
        admission: match admission {
            [] => AdmissionState::new(),
            bytes => AdmissionState::decode(bytes)?,
        },
        dev_mode: config.flags & THETA_HOST_DEV_MODE != 0,
        manual_admission: config.flags & THETA_HOST_MANUAL_ADMISSION != 0,
        bind: (!address.is_empty()).then(|| address.to_owned()),
        in_memory: false,
        max_peers: at_most(config.max_peers, 1024, "max_peers")? as u16,
        tick_rate_hz: at_most(config.tick_rate_hz, 240, "tick_rate_hz")?,
        default_role: match config.default_role {
            0 => Role::Editor,
            number => role_from_number(number, "default_role")?,
        },
        resume_grace_ms: at_most(config.resume_grace_ms, 3_600_000, "resume_grace_ms")?,
        // SAFETY: as above.
        authority_seed: unsafe { view::key(config.authority_seed, "authority_seed") }?,
        // SAFETY: as above.
        host_seed: unsafe { view::key(config.host_seed, "host_seed") }?,
        // SAFETY: as above.
        document_nonce: unsafe { view::key(config.document_nonce, "document_nonce") }?.unwrap_or_default(),
        genesis: None,
        term: config.term,
        least_version: version(config.least_major, config.least_minor, config.least_patch),
    })
}

const fn version(major: u16, minor: u16, patch: u16) -> Version {
    Version { major, minor, patch }
}

/// What a client settles for; an empty mask means the default.
fn floors(config: &theta_join_config) -> Result<Floors, Error> {
    let transports =
        THETA_TRANSPORT_MEMORY | THETA_TRANSPORT_QUIC | THETA_TRANSPORT_WEBRTC | THETA_TRANSPORT_WEBTRANSPORT;
    known_flags(config.transports, transports, "theta_join_config.transports")?;
    let modes = THETA_SECURITY_TRANSPORT | THETA_SECURITY_END_TO_END;
    known_flags(config.security_modes, modes, "theta_join_config.security_modes")?;
    let default = Floors::default();
    let or_default = |mask: u32, default: u64| if mask == 0 { default } else { mask.into() };
    Ok(Floors {
        version: version(config.least_major, config.least_minor, config.least_patch),
        transports: or_default(config.transports, default.transports),
        security_modes: or_default(config.security_modes, default.security_modes),
    })
}

/// # Safety
/// As [`host_options`].
unsafe fn join_options(config: &theta_join_config) -> Result<JoinOptions, Error> {
    known_flags(config.flags, THETA_JOIN_MANUAL_LOADED, "theta_join_config.flags")?;
    // SAFETY: the caller's promise, here and below.
    let ticket = unsafe {
        view::text(config.ticket, config.ticket_length as u64, MAX_TICKET_CHARS as u64, "ticket_length")
    }?;
    // SAFETY: as above.
    let name = unsafe { view::text(config.name, config.name_length as u64, MAX_NAME_BYTES, "name_length") }?;
    // SAFETY: as above.
    let application = unsafe {
        view::slice(
            config.application,
            config.application_length as u64,
            MAX_APPLICATION_BYTES as u64,
            "application_length",
        )
    }?;
    // SAFETY: as above.
    let bearer = unsafe {
        let limit = MAX_ADMISSION_BYTES as u64;
        view::slice(config.bearer, config.bearer_length as u64, limit, "bearer_length")
    }?;
    Ok(JoinOptions {
        bearer: (!bearer.is_empty()).then(|| bearer.to_vec()),
        least_term: config.least_term,
        floors: floors(config)?,
        ticket: Ticket::parse(ticket)?,
        door: None,
        name: name.to_owned(),
        application: application.to_vec(),
        manual_loaded: config.flags & THETA_JOIN_MANUAL_LOADED != 0,
        // SAFETY: as above.
        identity_seed: unsafe { view::key(config.identity_seed, "identity_seed") }?,
        interpolation_delay_ms: at_most(config.interpolation_delay_ms, 1000, "interpolation_delay_ms")?,
        handshake_timeout_ms: at_most(config.handshake_timeout_ms, 60_000, "handshake_timeout_ms")?,
        resume_timeout_ms: 0,
    })
}

/// Ends the session's handle and leaves in the background: a host closes for everybody, a peer says goodbye. A call
/// that another thread is in the middle of finishes first; frames that are held stay readable.
///
/// Returns THETA_OK, the handle errors. [any], never waits.
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_destroy(session: theta_session) -> theta_status {
    boundary!(theta_session_destroy, {
        handle::destroy::<Session>(session.bits)?;
        Ok(THETA_OK)
    })
}

/// Leaves, and keeps the handle so that the last events can be polled. On a host this closes the session for everybody.
/// Once is enough; again is fine.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_leave(session: theta_session) -> theta_status {
    boundary!(theta_session_leave, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.leave();
        Ok(THETA_OK)
    })
}

/// Where the session stands, as its own thread saw it last.
///
/// `out`: an output of `out->struct_size` bytes.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_info_get(
    session: theta_session,
    out: *mut theta_session_info,
) -> theta_status {
    boundary!(theta_session_info_get, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { sized::output(out) }?;
        let session = handle::pin::<Session>(session.bits)?;
        out.set(session.info());
        Ok(THETA_OK)
    })
}

/// Says that the level is up, so that the world may arrive. Needed with THETA_JOIN_MANUAL_LOADED only.
///
/// `session`: a joined one, after its ADMITTED event.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_loaded(session: theta_session) -> theta_status {
    boundary!(theta_session_loaded, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.joined()?.loaded();
        Ok(THETA_OK)
    })
}

/// Says that nobody is there any more: a headset was taken off, the application goes to sleep (Unity's
/// OnApplicationPause). The host keeps the place for its grace window and sends nothing meanwhile, the others see
/// PEER_AWAY. The state becomes THETA_STATE_AWAY. Should the link be lost meanwhile, it is looked for after
/// `theta_session_resume`; should the window pass, the session ends with DISCONNECTED, AwayTimeout (6) where the link still
/// stands, and can be joined anew. Without effect before ADMITTED, where the host does not offer it, and a second time.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_suspend(session: theta_session) -> theta_status {
    boundary!(theta_session_suspend, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.joined()?.suspend();
        Ok(THETA_OK)
    })
}

/// Says that somebody is there again after `theta_session_suspend`: the session goes on in the same place, on the same
/// link or, should it be lost, on a new one, and gets what changed meanwhile. The state becomes THETA_STATE_RESUMING, then
/// THETA_STATE_LIVE; or the session ends with DISCONNECTED, ResumeRefused (74), when the place was kept no longer. Without
/// effect unless the session was suspended.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_resume(session: theta_session) -> theta_status {
    boundary!(theta_session_resume, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.joined()?.resume();
        Ok(THETA_OK)
    })
}

/// Says that the system has another network (Wi-Fi to mobile, another access point): the session goes on from a new
/// socket at once, rather than when silence tells. Nobody else notices.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_session_network_changed(session: theta_session) -> theta_status {
    boundary!(theta_session_network_changed, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.joined()?.network_changed();
        Ok(THETA_OK)
    })
}
