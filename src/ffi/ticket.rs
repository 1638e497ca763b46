//! Tickets and identities: what a host hands out so that others can join.

use std::ffi::c_char;
use std::time::{SystemTime, UNIX_EPOCH};

use super::boundary::boundary;
use super::error::Error;
use super::session::theta_session;
use super::side::{Session, role_from_number};
use super::sized::{self, sized};
use super::status::*;
use super::view::{self, Buffer, Out};
use crate::core::session::keys::Identity;

/// A ticket to issue. Input; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_ticket_desc {
    /// `sizeof(theta_ticket_desc)`.
    pub struct_size: u32,
    /// The highest role it grants, `THETA_ROLE_*`.
    pub role: u32,
    /// From when on it is worth nothing, in seconds of Unix time; 0 = 24 hours from now.
    pub expires_unix_s: u64,
    /// 32 bytes: the Ed25519 public key that may use it.
    pub client_key: *const u8,
    /// Where the host can be reached from outside, `host:port`, UTF-8, at most 256 bytes; empty = the listening address.
    pub endpoint: *const c_char,
    /// Bytes of `endpoint`.
    pub endpoint_length: u32,
    /// Zero.
    pub reserved: u32,
}
sized!(theta_ticket_desc: 40 reserved);

/// Longest endpoint of a ticket, in bytes.
const MAX_ENDPOINT_BYTES: u64 = 256;
/// How long a ticket is good for when its issuer does not say.
const DEFAULT_LIFE_S: u64 = 24 * 60 * 60;

/// The endpoint that a ticket names; none if its text is empty, and the listening address stands for it.
///
/// # Safety
///
/// `text` has `length` readable bytes for as long as the answer is used.
pub(crate) unsafe fn endpoint_of<'a>(text: *const c_char, length: u32) -> Result<Option<&'a str>, Error> {
    // SAFETY: the caller's promise about its pointer.
    let text = unsafe { view::text(text, length.into(), MAX_ENDPOINT_BYTES, "endpoint_length") }?;
    Ok((!text.is_empty()).then_some(text))
}

/// When a ticket expires, in seconds of Unix time: as given, or a day from now if nothing was.
pub(crate) fn expiry_of(given: u64) -> u64 {
    match given {
        0 => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + DEFAULT_LIFE_S,
        given => given,
    }
}

/// The host's open ticket: endpoint, document id and authority key. It names no client: in dev mode it is enough to
/// join, elsewhere it tells a peer whom to expect.
///
/// `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the bytes of the text,
/// at most 1024, not null-terminated.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_ticket(
    session: theta_session,
    out: *mut c_char,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_session_ticket, {
        // SAFETY: the caller's promise about its pointers.
        let buffer = unsafe { Buffer::new(out.cast(), capacity, length) }?;
        let mut session = Session::open(session.bits)?;
        let ticket = session.parts().1.host()?.ticket();
        Ok(buffer.fill(ticket.to_string().as_bytes()))
    })
}

/// Signs a member ticket: this key may enter this document with this role until then. A stolen one opens nothing
/// without the key.
///
/// `desc`: input of `desc->struct_size` bytes. `out`, `capacity`, `length`: as `theta_session_ticket`.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
/// THETA_E_RANGE (role), THETA_E_TICKET (endpoint), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_issue_ticket(
    session: theta_session,
    desc: *const theta_ticket_desc,
    out: *mut c_char,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_session_issue_ticket, {
        // SAFETY: the caller's promise about its pointers, here and below.
        let (desc, buffer) = unsafe { (sized::input(desc)?, Buffer::new(out.cast(), capacity, length)?) };
        let mut session = Session::open(session.bits)?;
        let host = session.parts().1.host()?;
        // SAFETY: as above.
        let key =
            unsafe { view::key(desc.client_key, "client_key") }?.ok_or(Error::Null { what: "client_key" })?;
        // SAFETY: as above.
        let endpoint = unsafe { endpoint_of(desc.endpoint, desc.endpoint_length) }?;
        let role = role_from_number(desc.role, "role")?;
        let ticket = host.issue_ticket(key, role, expiry_of(desc.expires_unix_s), endpoint)?;
        Ok(buffer.fill(ticket.to_string().as_bytes()))
    })
}

/// The Ed25519 public key of a seed: what a host puts into a ticket for it.
///
/// `seed`: 32 bytes. `out`: 32 bytes.
///
/// Returns THETA_OK, THETA_E_NULL. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_identity_public_key(seed: *const u8, out: *mut u8) -> theta_status {
    boundary!(theta_identity_public_key, {
        // SAFETY: the caller's promise about its pointers.
        let out = unsafe { Out::new(out.cast::<[u8; 32]>(), "out") }?;
        // SAFETY: as above.
        let seed = unsafe { view::key(seed, "seed") }?.ok_or(Error::Null { what: "seed" })?;
        out.set(Identity::from_seed(&seed).public_key());
        Ok(THETA_OK)
    })
}
