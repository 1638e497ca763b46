//! Peers: who is in the session, who may come in, and how their links do.

use std::ffi::c_char;

use super::boundary::boundary;
use super::error::Error;
use super::handle;
use super::session::theta_session;
use super::side::{Session, role_from_number};
use super::sized::{self, element, sized};
use super::status::*;
use super::view::{self, Out};
use crate::core::types::PeerId;
use crate::core::wire::limits::{MAX_APPLICATION_BYTES, MAX_TEXT_BYTES};

/// A member of the session. Element of an array with an element size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_peer_info {
    /// Its number, from 1.
    pub peer: u32,
    /// `THETA_ROLE_*`.
    pub role: u32,
    /// `THETA_STATE_*` as far as this side knows it.
    pub state: u32,
    /// Bytes of `name`.
    pub name_length: u32,
    /// Its name, UTF-8, zero-filled.
    pub name: [c_char; 64],
    /// Its Ed25519 public key.
    pub identity_key: [u8; 32],
    /// Zero.
    pub reserved: [u64; 2],
}
element!(theta_peer_info: 128 reserved);

/// Counters of a link since it opened. Output; begins with its size.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct theta_statistics {
    /// `sizeof(theta_statistics)`; after the call, the bytes written.
    pub struct_size: u32,
    /// Whose link.
    pub peer: u32,
    /// Smoothed round trip, in microseconds.
    pub rtt_us: u32,
    /// Mean deviation of the round trip, in microseconds.
    pub jitter_us: u32,
    /// The other side's clock minus ours, in microseconds.
    pub clock_offset_us: i64,
    /// Packets (envelopes) sent.
    pub packets_sent: u64,
    /// Packets (envelopes) received.
    pub packets_received: u64,
    /// UDP payload bytes sent, as the transport counts them.
    pub bytes_sent: u64,
    /// UDP payload bytes received, as the transport counts them.
    pub bytes_received: u64,
    /// Datagrams dropped because they failed a check.
    pub packets_dropped_bad: u64,
    /// Datagrams dropped because they were old or repeated.
    pub packets_dropped_replay: u64,
    /// Datagrams of a past tick that were purged before they were sent.
    pub datagrams_purged: u64,
    /// Packets the transport declared lost.
    pub packets_lost: u64,
    /// Joined: ticks that became complete.
    pub ticks_complete: u64,
    /// Joined: ticks of which something arrived.
    pub ticks_started: u64,
    /// Repairs that were made.
    pub repairs: u64,
    /// Divergences that were found.
    pub divergences: u64,
    /// Values that were clamped when written here.
    pub values_clamped: u64,
    /// Values that were not a number when written here, or that a codec refused.
    pub values_nan: u64,
    /// Events that were coalesced because nobody polled.
    pub events_dropped: u64,
    /// Host: inputs received from the peer.
    pub inputs_received: u64,
    /// The newest tick that was compared equal.
    pub confirmed_tick: u32,
    /// 99th percentile of the round trip, in microseconds.
    pub rtt_p99_us: u32,
    /// Median of the round trip, in microseconds.
    pub rtt_p50_us: u32,
    /// Zero.
    pub reserved: u32,
    /// Host: inputs of the peer that were left out because they were for a tick more than two seconds ahead.
    pub inputs_refused: u64,
}
sized!(theta_statistics: 168 reserved);

/// Longest reason of a refusal, in bytes.
const MAX_REASON_BYTES: u64 = MAX_TEXT_BYTES as u64;

/// A member's number as the core has it.
pub(crate) fn peer_id(number: u32) -> Result<PeerId, Error> {
    u16::try_from(number).map(PeerId).map_err(|_| Error::PeerUnknown { peer: number })
}

/// Lets a peer in that a JOIN_REQUEST event announced.
///
/// `session`: a host's. `role`: `THETA_ROLE_*`, cut to what its ticket grants. `application`: `length` bytes for the
/// peer, at most 4096; they come with its ADMITTED event.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
/// THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_admit(
    session: theta_session,
    peer: u32,
    role: u32,
    application: *const u8,
    length: u32,
) -> theta_status {
    boundary!(theta_session_admit, {
        let mut session = Session::open(session.bits)?;
        let host = session.parts().1.host()?;
        let limit = MAX_APPLICATION_BYTES as u64;
        // SAFETY: the caller's promise about `application`.
        let application = unsafe { view::slice(application, length as u64, limit, "application") }?;
        host.admit(peer_id(peer)?, role_from_number(role, "role")?, application)?;
        Ok(THETA_OK)
    })
}

/// Turns a peer away that a JOIN_REQUEST event announced.
///
/// `session`: a host's. `reason`: `length` bytes, a sentence for the person, UTF-8, at most 1024.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT,
/// THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_deny(
    session: theta_session,
    peer: u32,
    reason: *const c_char,
    length: u32,
) -> theta_status {
    boundary!(theta_session_deny, {
        let mut session = Session::open(session.bits)?;
        let host = session.parts().1.host()?;
        // SAFETY: the caller's promise about `reason`.
        let reason = unsafe { view::text(reason, length as u64, MAX_REASON_BYTES, "reason") }?;
        host.deny(peer_id(peer)?, reason)?;
        Ok(THETA_OK)
    })
}

/// Removes a peer from the session.
///
/// `session`: a host's. `reason`: `length` bytes, a sentence for the person, UTF-8, at most 1024.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT,
/// THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_kick(
    session: theta_session,
    peer: u32,
    reason: *const c_char,
    length: u32,
) -> theta_status {
    boundary!(theta_session_kick, {
        let mut session = Session::open(session.bits)?;
        let host = session.parts().1.host()?;
        // SAFETY: the caller's promise about `reason`.
        let reason = unsafe { view::text(reason, length as u64, MAX_REASON_BYTES, "reason") }?;
        host.kick(peer_id(peer)?, reason)?;
        Ok(THETA_OK)
    })
}

/// The other members of the session; on a host also those who wait to be admitted (THETA_STATE_HANDSHAKE).
///
/// `out`: `capacity` elements, `element_size` (sizeof(theta_peer_info)) bytes apart; null with capacity 0 asks for the
/// count. `count` receives the number of members there are.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_peers(
    session: theta_session,
    out: *mut theta_peer_info,
    element_size: u32,
    capacity: u32,
    count: *mut u32,
) -> theta_status {
    boundary!(theta_session_peers, {
        // SAFETY: the caller's promise about its pointers.
        let (mut out, count) =
            unsafe { (sized::outputs(out, element_size, capacity)?, Out::new(count, "count")?) };
        let peers = handle::pin::<Session>(session.bits)?.peers();
        for (index, peer) in peers.iter().take(out.capacity()).enumerate() {
            out.set(index, peer);
        }
        count.set(peers.len() as u32);
        Ok(if peers.len() > out.capacity() { THETA_TRUNCATED } else { THETA_OK })
    })
}

/// Counters of a link, at most a tenth of a second old.
///
/// `peer`: on a host a member's number; on a joined session 0, its own link. `out`: an output of `out->struct_size`
/// bytes.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_PEER_UNKNOWN. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_statistics(
    session: theta_session,
    peer: u32,
    out: *mut theta_statistics,
) -> theta_status {
    boundary!(theta_session_statistics, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { sized::output(out) }?;
        out.set(handle::pin::<Session>(session.bits)?.statistics(peer)?);
        Ok(THETA_OK)
    })
}
