//! Events: what happened in a session since the last poll, as fixed records; their texts by copy-out.

use super::boundary::boundary;
use super::error::Error;
use super::handle;
use super::session::theta_session;
use super::side::Session;
use super::sized::{self, element};
use super::status::*;
use super::view::{Buffer, Out};

/// The session's state changed: code = new `THETA_STATE_*`.
pub const THETA_EVENT_STATE_CHANGED: u32 = 1;
/// Host: peer asks to join, code = the role its ticket grants, text = its application bytes, value = the text id of its
/// bearer token, 0 without one. With THETA_HOST_MANUAL_ADMISSION, or with a token, answer with `theta_session_admit` or `theta_session_deny`.
pub const THETA_EVENT_JOIN_REQUEST: u32 = 2;
/// A peer is in the session: peer, code = its role, text = its name.
pub const THETA_EVENT_PEER_JOINED: u32 = 3;
/// A peer is gone: peer, code = disconnect code, text = reason.
pub const THETA_EVENT_PEER_LEFT: u32 = 4;
/// Joined: the host let us in. peer = our number, code = our role, value = milliseconds for which the host keeps our place
/// while we are away or our link is lost (0: not at all), text = the host's application bytes. Load your level; with THETA_JOIN_MANUAL_LOADED call `theta_session_loaded` then.
pub const THETA_EVENT_ADMITTED: u32 = 5;
/// Joined: the world is arriving. value = pieces here, code = pieces in all.
pub const THETA_EVENT_JOIN_PROGRESS: u32 = 6;
/// An entity appeared: entity, tick, value = type id, peer = owner.
pub const THETA_EVENT_ENTITY_SPAWNED: u32 = 7;
/// An entity was despawned: entity, tick.
pub const THETA_EVENT_ENTITY_DESPAWNED: u32 = 8;
/// An entity changed hands: entity, tick, peer = new owner.
pub const THETA_EVENT_OWNER_CHANGED: u32 = 9;
/// An entity changed its parent: entity, tick, value = new parent, 0 for none.
pub const THETA_EVENT_PARENT_CHANGED: u32 = 10;
/// A replica differed from the host and is being repaired: peer (host) or 0, tick, value = component id, code =
/// field id, text names both.
pub const THETA_EVENT_DIVERGED: u32 = 11;
/// The repair was applied: peer (host) or 0, tick.
pub const THETA_EVENT_REPAIRED: u32 = 12;
/// Joined: the session is over. code = disconnect code, text = why and what to do.
pub const THETA_EVENT_DISCONNECTED: u32 = 13;
/// Joined: the host refused a message of ours. code = reason, text = sentence.
pub const THETA_EVENT_REFUSED: u32 = 14;
/// Events were coalesced because nobody polled: list peers and entities again, they are the truth.
pub const THETA_EVENT_RESYNC: u32 = 15;
/// The session is faulted: code = status, text = why. Destroy it.
pub const THETA_EVENT_FAULTED: u32 = 16;
/// A line of the log: code = level (1 error, 2 warning, 3 information, 4 debug, 5 trace), text.
pub const THETA_EVENT_LOG: u32 = 17;
/// Host: a member has the world and follows it: peer.
pub const THETA_EVENT_PEER_LIVE: u32 = 18;
/// A peer is away (its headset is off), or its link is lost: peer, value = milliseconds for which it keeps its place, 0
/// where it was away before we came.
pub const THETA_EVENT_PEER_AWAY: u32 = 19;
/// A peer is back, in its place: peer.
pub const THETA_EVENT_PEER_BACK: u32 = 20;
/// Host: an invite was used by a key that had not used it before: text = its id (16 bytes), then the key (32). Keep
/// `theta_session_admission` now.
pub const THETA_EVENT_INVITE_BOUND: u32 = 21;
/// Joined, between ADMITTED and the world: the host has other components than ours, and its world is shown in ours.
/// value = how many things are not the same, code = how many of them are values that are converted or ours by default,
/// text = one line for each (200 at most, then how many more): what is skipped, absent, defaulted, converted, deprecated.
pub const THETA_EVENT_SCHEMA_MAPPED: u32 = 22;

/// A codec refused values: entity = the first, value = component id, code = its status for that one, tick, text = how
/// many and which way. They keep their old values until they change again.
pub const THETA_EVENT_CODEC_FAILED: u32 = 24;

/// Something that happened. Element of an array with an element size; kinds that a program does not know are
/// skipped. Fields that a kind does not name are 0.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct theta_event {
    /// `THETA_EVENT_*`.
    pub kind: u32,
    /// A peer's number.
    pub peer: u32,
    /// A tick.
    pub tick: u32,
    /// A number whose meaning the kind says.
    pub code: i32,
    /// An entity.
    pub entity: u64,
    /// A number whose meaning the kind says.
    pub value: u64,
    /// When it was observed, on the clock of `theta_now_ns`.
    pub time_ns: u64,
    /// Names the text for `theta_session_text`; 0 when there is none.
    pub text_id: u32,
    /// Bytes of the text.
    pub text_length: u32,
    /// Zero.
    pub reserved: [u64; 2],
}
element!(theta_event: 64 reserved);

/// The texts of the events of the last poll.
#[derive(Default)]
pub(crate) struct Texts {
    /// The id of the first; ids run on, so that one of an earlier poll is not mistaken for a new one.
    first_id: u32,
    texts: Vec<Vec<u8>>,
}

impl Texts {
    /// Forgets the texts of the poll before.
    pub(crate) fn begin(&mut self) {
        let used = self.texts.len() as u32;
        self.first_id = self.first_id.wrapping_add(used);
        // Zero says "no text", so the ids of one poll never run over it.
        if self.first_id == 0 || self.first_id > u32::MAX - (1 << 20) {
            self.first_id = 1;
        }
        self.texts.clear();
    }

    /// Keeps a text and names it in the event.
    pub(crate) fn keep(&mut self, text: Vec<u8>, event: &mut theta_event) {
        if !text.is_empty() {
            event.text_id = self.first_id + self.texts.len() as u32;
            event.text_length = text.len() as u32;
            self.texts.push(text);
        }
    }

    /// Keeps a further text and gives its id; 0 for an empty one.
    pub(crate) fn keep_more(&mut self, text: Vec<u8>) -> u32 {
        let mut named = theta_event::default();
        self.keep(text, &mut named);
        named.text_id
    }

    pub(crate) fn get(&self, id: u32) -> Option<&[u8]> {
        let at = id.checked_sub(self.first_id)? as usize;
        self.texts.get(at).map(Vec::as_slice)
    }
}

/// Most events of one poll.
const MAX_EVENTS: u32 = 4096;

/// Takes what happened since the last poll, oldest first. All host code that reacts to events runs between polls, on
/// the calling thread; poll until THETA_NOTHING_NEW. Codecs of a joined session decode new frames in here.
///
/// `out`: `capacity` (1 to 4096) events, `event_size` (sizeof(theta_event)) bytes apart. `count` receives how many were
/// written. Their texts stay readable until the next poll.
///
/// Returns THETA_OK, THETA_NOTHING_NEW (count is 0), THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle
/// errors, THETA_E_CONCURRENT. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_poll(
    session: theta_session,
    out: *mut theta_event,
    event_size: u32,
    capacity: u32,
    count: *mut u32,
) -> theta_status {
    boundary!(theta_session_poll, {
        // SAFETY: the caller's promise about its pointers.
        let (mut out, count) =
            unsafe { (sized::outputs(out, event_size, capacity)?, Out::new(count, "count")?) };
        if capacity == 0 || capacity > MAX_EVENTS {
            return Err(Error::Argument { what: format!("capacity is {capacity}, it is 1 to {MAX_EVENTS}") });
        }
        let mut session = handle::serial::<Session>(session.bits)?;
        let (noun, state) = session.parts();
        let mut written = 0;
        if !noun.shared.fault.is_raised() {
            state.follow(&noun.shared)?;
        }
        state.texts.begin();
        while written < out.capacity() {
            let Some(event) = state.next_event(&noun.shared) else { break };
            out.set(written, &event);
            written += 1;
        }
        count.set(written as u32);
        Ok(if written == 0 { THETA_NOTHING_NEW } else { THETA_OK })
    })
}

/// The text of an event of the last poll: UTF-8, or the application's bytes where the kind says so.
///
/// `text_id`: the event's. `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives
/// the text's bytes.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_RANGE (no text of the last poll), the handle errors,
/// THETA_E_CONCURRENT. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_text(
    session: theta_session,
    text_id: u32,
    out: *mut u8,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_session_text, {
        // SAFETY: the caller's promise about its pointers.
        let buffer = unsafe { Buffer::new(out, capacity, length) }?;
        let mut session = handle::serial::<Session>(session.bits)?;
        let text = session.parts().1.texts.get(text_id).ok_or_else(|| Error::Argument {
            what: format!(
                "text_id {text_id} names no text of the last poll; fetch texts before polling again"
            ),
        })?;
        Ok(buffer.fill(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_an_earlier_poll_is_not_taken_for_a_new_one() {
        let (mut texts, mut event) = (Texts::default(), theta_event::default());
        texts.begin();
        texts.keep(Vec::new(), &mut event);
        assert_eq!((event.text_id, event.text_length), (0, 0));
        texts.keep(b"first".to_vec(), &mut event);
        let old = event.text_id;
        assert_eq!((texts.get(old), event.text_length), (Some(&b"first"[..]), 5));
        texts.begin();
        assert_eq!(texts.get(old), None);
        texts.keep(b"second".to_vec(), &mut event);
        assert_ne!(event.text_id, old);
        assert_eq!(texts.get(event.text_id), Some(&b"second"[..]));
        assert_eq!((texts.get(0), texts.get(u32::MAX)), (None, None));
    }
}
