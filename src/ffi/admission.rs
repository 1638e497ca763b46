//! Invites and bans: who else may come into a host's session, and who may not.

use std::ffi::c_char;

use super::boundary::boundary;
use super::error::Error;
use super::peer::peer_id;
use super::session::theta_session;
use super::side::{Session, role_from_number, role_number};
use super::sized::{self, element, sized};
use super::status::*;
use super::ticket::{endpoint_of, expiry_of};
use super::view::{self, Buffer, Out};
use crate::core::session::admission::Invite;
use crate::core::session::ticket::MAX_TICKET_CHARS;

/// An invite to make. Input; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_invite_desc {
    /// `sizeof(theta_invite_desc)`.
    pub struct_size: u32,
    /// The highest role it grants, `THETA_ROLE_*`; never admin.
    pub role: u32,
    /// From when on it lets nobody in, in seconds of Unix time; 0 = 24 hours from now.
    pub expires_unix_s: u64,
    /// Where the host can be reached from outside, `host:port`, UTF-8, at most 256 bytes; empty = the listening address.
    pub endpoint: *const c_char,
    /// Bytes of `endpoint`.
    pub endpoint_length: u32,
    /// How many keys it admits, 1 to 256; 0 = 1.
    pub uses: u32,
}
sized!(theta_invite_desc: 32);

/// An invite that was made. Element of an array with an element size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_invite_info {
    /// Its id.
    pub id: [u8; 16],
    /// The highest role it grants, `THETA_ROLE_*`.
    pub role: u32,
    /// How many keys it admits.
    pub uses: u32,
    /// How many keys it is bound to already.
    pub used: u32,
    /// 1 when it was revoked.
    pub is_revoked: u32,
    /// From when on it lets nobody in, in seconds of Unix time.
    pub expires_unix_s: u64,
    /// Zero.
    pub reserved: [u64; 2],
}
element!(theta_invite_info: 56 reserved);

impl theta_invite_info {
    fn of(invite: &Invite) -> Self {
        Self {
            id: invite.key.id,
            role: role_number(invite.role),
            uses: invite.uses as u32,
            used: invite.bound.len() as u32,
            is_revoked: invite.is_revoked as u32,
            expires_unix_s: invite.expires_unix_s,
            reserved: [0; 2],
        }
    }
}

/// Makes an invite: a ticket text that lets in whoever comes with it first, and binds itself to that key, which may come
/// back. The secret in it never crosses the session's wire; an unused one admits whoever holds it, so hand it over as you
/// would a key.
///
/// `session`: a host's. `desc`: input of `desc->struct_size` bytes. `id`: receives 16 bytes that name the invite; may be
/// null. `out`: `capacity` bytes, at least 1024; `length` receives the bytes of the text, not null-terminated.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8, THETA_E_RANGE (role, uses,
/// capacity), THETA_E_TICKET (endpoint), THETA_E_LIMIT (1024 invites), THETA_E_DISCONNECTED, the handle errors,
/// THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_IO, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_create_invite(
    session: theta_session,
    desc: *const theta_invite_desc,
    id: *mut u8,
    out: *mut c_char,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_session_create_invite, {
        // SAFETY: the caller's promise about its pointers, here and below.
        let (desc, buffer) = unsafe { (sized::input(desc)?, Buffer::new(out.cast(), capacity, length)?) };
        // SAFETY: as above.
        let id = unsafe { Out::optional(id.cast::<[u8; 16]>()) };
        // SAFETY: as above.
        let endpoint = unsafe { endpoint_of(desc.endpoint, desc.endpoint_length) }?;
        let uses = u16::try_from(desc.uses.max(1)).unwrap_or(u16::MAX);
        let mut session = Session::open(session.bits)?;
        let host = session.parts().1.host()?;
        // An invite whose text did not fit would be lost: it is made only when it can be handed over.
        if capacity < MAX_TICKET_CHARS as u64 {
            let what = format!("capacity is {capacity}, a ticket has up to {MAX_TICKET_CHARS} bytes");
            return Err(Error::Argument { what });
        }
        let role = role_from_number(desc.role, "role")?;
        let (name, ticket) = host.create_invite(role, uses, expiry_of(desc.expires_unix_s), endpoint)?;
        if let Some(id) = id {
            id.set(name);
        }
        Ok(buffer.fill(ticket.to_string().as_bytes()))
    })
}

/// Takes an invite back: it lets nobody in any more. Who came in by it stays; see `theta_session_ban`.
///
/// `session`: a host's. `id`: 16 bytes.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_TICKET (no such invite), THETA_E_LIMIT, THETA_E_DISCONNECTED, the handle
/// errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_revoke_invite(session: theta_session, id: *const u8) -> theta_status {
    boundary!(theta_session_revoke_invite, {
        // SAFETY: the caller's promise about `id`.
        let bytes = unsafe { view::slice(id, 16, 16, "id") }?;
        let mut name = [0; 16];
        name.copy_from_slice(bytes);
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.revoke_invite(name)?;
        Ok(THETA_OK)
    })
}

/// The invites that were made, used, revoked and expired ones too, by id.
///
/// `session`: a host's. `out`: `capacity` elements, `element_size` (sizeof(theta_invite_info)) bytes apart; null with
/// capacity 0 asks for the count. `count` receives the number of invites there are, at most 1024.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_CONCURRENT,
/// THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_invites(
    session: theta_session,
    out: *mut theta_invite_info,
    element_size: u32,
    capacity: u32,
    count: *mut u32,
) -> theta_status {
    boundary!(theta_session_invites, {
        // SAFETY: the caller's promise about its pointers.
        let (mut out, count) =
            unsafe { (sized::outputs(out, element_size, capacity)?, Out::new(count, "count")?) };
        let mut session = Session::open(session.bits)?;
        let state = session.parts().1.host()?.admission();
        for (index, invite) in state.invites().take(out.capacity()).enumerate() {
            out.set(index, &theta_invite_info::of(invite));
        }
        count.set(state.invites().len() as u32);
        Ok(if state.invites().len() > out.capacity() { THETA_TRUNCATED } else { THETA_OK })
    })
}

/// Puts out who holds this key, at once, and does not let it in again, whatever ticket it has.
///
/// `session`: a host's. `key`: 32 bytes, an Ed25519 public key, whether its holder is here or not.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_LIMIT (16384 keys), THETA_E_DISCONNECTED, the handle errors,
/// THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_ban(session: theta_session, key: *const u8) -> theta_status {
    boundary!(theta_session_ban, {
        // SAFETY: the caller's promise about `key`.
        let key = unsafe { view::key(key, "key") }?.ok_or(Error::Null { what: "key" })?;
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.ban(key)?;
        Ok(THETA_OK)
    })
}

/// Bans the key of a peer that is in the session or waits to be admitted.
///
/// `session`: a host's. `peer`: its number. `key`: receives the 32 bytes of its key; may be null.
///
/// Returns as `theta_session_ban`, and THETA_E_PEER_UNKNOWN. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_ban_peer(
    session: theta_session,
    peer: u32,
    key: *mut u8,
) -> theta_status {
    boundary!(theta_session_ban_peer, {
        // SAFETY: the caller's promise about `key`.
        let out = unsafe { Out::optional(key.cast::<[u8; 32]>()) };
        let mut session = Session::open(session.bits)?;
        let key = session.parts().1.host()?.ban_peer(peer_id(peer)?)?;
        if let Some(out) = out {
            out.set(key);
        }
        Ok(THETA_OK)
    })
}

/// Lets a banned key in again, by what admits it. A key that was not banned is no error.
///
/// `session`: a host's. `key`: 32 bytes.
///
/// Returns as `theta_session_ban`. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_unban(session: theta_session, key: *const u8) -> theta_status {
    boundary!(theta_session_unban, {
        // SAFETY: the caller's promise about `key`.
        let key = unsafe { view::key(key, "key") }?.ok_or(Error::Null { what: "key" })?;
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.unban(key)?;
        Ok(THETA_OK)
    })
}

/// Invites with what they are bound to, and bans, as bytes for `theta_host_config.admission` of the document's next
/// host. The secrets of the invites are in it: keep it as you keep keys, after each change and each INVITE_BOUND event.
///
/// `session`: a host's. `out`: `capacity` bytes, or null with capacity 0 to ask for the length, which is at most 9 MiB.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_admission(
    session: theta_session,
    out: *mut u8,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_session_admission, {
        // SAFETY: the caller's promise about its pointers.
        let buffer = unsafe { Buffer::new(out, capacity, length) }?;
        let mut session = Session::open(session.bits)?;
        Ok(buffer.fill(&session.parts().1.host()?.admission().encode()))
    })
}
