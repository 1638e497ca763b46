//! Status codes: the one table of every number the C ABI can return, with its name, category and sentence.
//!
//! Zero is success, positive is informative, negative is an error whose hundreds digit is the category. A number is
//! never reused: a retired row stays in the table. The constants stand as plain `pub const`
//! lines because both generators read source text; the tests below hold constants and table together.

/// The result of a call: 0 ok, positive informative, negative an error. See the `THETA_*` constants.
pub type theta_status = i32;

/// Done.
pub const THETA_OK: i32 = 0;
/// Nothing was there: no event, no new frame, no new input.
pub const THETA_NOTHING_NEW: i32 = 1;
/// More was there than the buffer takes; the needed count or length is written, and as much as fits.
pub const THETA_TRUNCATED: i32 = 2;
/// Done; some values were out of range and clamped, or not a number and ignored. The report says how many.
pub const THETA_SOME_CLAMPED: i32 = 3;
/// Done; some entities of the batch are not here, or do not carry the component.
pub const THETA_SOME_MISSING: i32 = 4;

/// A pointer that must point somewhere is null.
pub const THETA_E_NULL: i32 = -101;
/// `struct_size` or an element size is zero or smaller than the first released version of the struct.
pub const THETA_E_STRUCT_SIZE: i32 = -102;
/// A field or flag that this library does not know is not zero.
pub const THETA_E_UNSUPPORTED_FIELD: i32 = -103;
/// Text is not UTF-8.
pub const THETA_E_UTF8: i32 = -104;
/// An argument is outside its documented limits.
pub const THETA_E_RANGE: i32 = -105;
/// A number that must be finite is not.
pub const THETA_E_NAN: i32 = -106;
/// The header and the library have different ABI versions.
pub const THETA_E_ABI_MISMATCH: i32 = -107;

/// The handle is zero.
pub const THETA_E_HANDLE_ZERO: i32 = -201;
/// What the handle named is gone.
pub const THETA_E_HANDLE_STALE: i32 = -202;
/// The handle names something of another kind.
pub const THETA_E_HANDLE_KIND: i32 = -203;
/// The handle belongs to another runtime.
pub const THETA_E_HANDLE_FOREIGN: i32 = -204;

/// The runtime has been shut down.
pub const THETA_E_SHUT_DOWN: i32 = -301;
/// Two threads are inside session-serial functions of one session.
pub const THETA_E_CONCURRENT: i32 = -302;
/// A documented limit is reached.
pub const THETA_E_LIMIT: i32 = -303;
/// The object is not in a state that allows this call.
pub const THETA_E_STATE: i32 = -304;
/// A host's call on a joined session, or the reverse.
pub const THETA_E_WRONG_ROLE: i32 = -305;
/// A function of a codec called the library.
pub const THETA_E_REENTRANT: i32 = -306;

/// Two component names have one id, or one name was registered twice with different descriptions.
pub const THETA_E_COMPONENT_COLLISION: i32 = -401;
/// A component or field description is not valid.
pub const THETA_E_COMPONENT_INVALID: i32 = -402;
/// The component is not in this session's registry.
pub const THETA_E_COMPONENT_UNKNOWN: i32 = -403;
/// The component has no such field.
pub const THETA_E_FIELD_UNKNOWN: i32 = -404;
/// The registry is in use by a session and takes no more components.
pub const THETA_E_REGISTRY_SEALED: i32 = -405;

/// The ticket cannot be read or used.
pub const THETA_E_TICKET: i32 = -501;
/// The session is not connected any more.
pub const THETA_E_DISCONNECTED: i32 = -502;
/// There is no such peer in the session.
pub const THETA_E_PEER_UNKNOWN: i32 = -503;

/// There is no such entity in the session, or not any more.
pub const THETA_E_ENTITY_UNKNOWN: i32 = -601;
/// The component keeps no history to sample from.
pub const THETA_E_NOT_SAMPLED: i32 = -602;

/// An address cannot be read, resolved or used.
pub const THETA_E_ADDRESS: i32 = -701;
/// The operating system refused a socket, a thread or a file.
pub const THETA_E_IO: i32 = -702;

/// The library panicked inside this call, inside an earlier call on this session, or on the runtime's thread.
pub const THETA_E_PANIC: i32 = -901;
/// A promise inside the library was broken; please report it with the last error's text.
pub const THETA_E_INTERNAL: i32 = -902;

/// Status categories: the hundreds digit of an error, `theta_error_info.category`.
pub const THETA_CATEGORY_NONE: u32 = 0;
/// An argument is wrong.
pub const THETA_CATEGORY_ARGUMENT: u32 = 1;
/// A handle is wrong.
pub const THETA_CATEGORY_HANDLE: u32 = 2;
/// The call came at the wrong time or from the wrong thread.
pub const THETA_CATEGORY_LIFECYCLE: u32 = 3;
/// Components and fields.
pub const THETA_CATEGORY_SCHEMA: u32 = 4;
/// Peers, tickets, connection.
pub const THETA_CATEGORY_SESSION: u32 = 5;
/// Entities and their values.
pub const THETA_CATEGORY_WORLD: u32 = 6;
/// The operating system.
pub const THETA_CATEGORY_IO: u32 = 7;
/// The library itself.
pub const THETA_CATEGORY_INTERNAL: u32 = 9;

/// One row of the table.
pub(crate) struct StatusRow {
    pub(crate) code: theta_status,
    #[cfg_attr(not(test), allow(dead_code))] // what tests hold against the constants
    pub(crate) name: &'static str,
    /// What it means and what to do: null-terminated, so that C gets it without a copy.
    pub(crate) sentence: &'static str,
}

macro_rules! rows {
    ($($code:ident: $sentence:literal,)*) => {
        &[$(StatusRow { code: $code, name: stringify!($code), sentence: concat!($sentence, "\0") }),*]
    };
}

/// Every status there is or ever was.
pub(crate) const STATUSES: &[StatusRow] = rows! {
    THETA_OK: "The call did what it says.",
    THETA_NOTHING_NEW: "Nothing new was there: no event, frame or input since the last call. Ask again later.",
    THETA_TRUNCATED: "More was there than the buffer takes; the needed count is written. Call again with a larger buffer.",
    THETA_SOME_CLAMPED: "Some values were out of range and clamped, or not a number and ignored; see the write report.",
    THETA_SOME_MISSING: "Some entities of the batch are not in the session or do not carry the component; the others were done.",
    THETA_E_NULL: "A pointer that must not be null is null. Pass an address, or zero the length where the argument is optional.",
    THETA_E_STRUCT_SIZE: "struct_size or an element size is zero or too small. Set it to sizeof the struct before the call.",
    THETA_E_UNSUPPORTED_FIELD: "A field or flag this library does not know is set. Leave it zero or use a newer library.",
    THETA_E_UTF8: "Text is not valid UTF-8. Convert it before the call.",
    THETA_E_RANGE: "An argument is outside its limits. The last error names it and the limit.",
    THETA_E_NAN: "A number that must be finite is NaN or infinite. The last error names it.",
    THETA_E_ABI_MISMATCH: "The header and the library have different ABI versions. Build against the header that came with this library.",
    THETA_E_HANDLE_ZERO: "The handle is zero. Create the object first, and check that creating it succeeded.",
    THETA_E_HANDLE_STALE: "What the handle named was destroyed or released. Drop the copy you kept.",
    THETA_E_HANDLE_KIND: "The handle names something of another kind. Check the order of the arguments.",
    THETA_E_HANDLE_FOREIGN: "The handle belongs to another runtime or another process. Use handles of one runtime together.",
    THETA_E_SHUT_DOWN: "The runtime of this handle was shut down. Create a new runtime.",
    THETA_E_CONCURRENT: "Another thread is inside a session-serial function of this session. Call those from one thread at a time.",
    THETA_E_LIMIT: "A limit is reached. The last error names it.",
    THETA_E_STATE: "The object is not in a state that allows this call. The last error says which one it needs.",
    THETA_E_WRONG_ROLE: "This call is for the other side: hosts write and admit, joined sessions send input and sample.",
    THETA_E_REENTRANT: "A codec's encode, decode or drop called the library, which it may not. Return first, and call when poll or tick has returned.",
    THETA_E_COMPONENT_COLLISION: "The component's name or id is registered already with another description. Give it another name.",
    THETA_E_COMPONENT_INVALID: "The component description is not valid. The last error names the field and the reason.",
    THETA_E_COMPONENT_UNKNOWN: "The component is not in this session's registry. Add it before the session starts.",
    THETA_E_FIELD_UNKNOWN: "The component has no field with this id.",
    THETA_E_REGISTRY_SEALED: "A session uses this registry, so it takes no more components. Add them first, or create another registry.",
    THETA_E_TICKET: "The ticket cannot be used: it is malformed, for another document, or not signed by its authority. Ask the host for a new one.",
    THETA_E_DISCONNECTED: "The session is not connected any more. The DISCONNECTED event said why; destroy it and join again.",
    THETA_E_PEER_UNKNOWN: "There is no such peer in the session. It may have left; theta_session_peers lists who is here.",
    THETA_E_ENTITY_UNKNOWN: "There is no such entity in the session, or it was despawned.",
    THETA_E_NOT_SAMPLED: "The component keeps no history to sample from. Join the session and wait for its first frames.",
    THETA_E_ADDRESS: "The address cannot be read, resolved or bound. Write it as host:port, for example 127.0.0.1:4433.",
    THETA_E_IO: "The operating system refused a socket, a thread or a file. The last error carries its text.",
    THETA_E_PANIC: "The library panicked; the session is faulted and the rest goes on. Destroy the session and report the last error's text.",
    THETA_E_INTERNAL: "A promise inside the library was broken. Please report the last error's text.",
};

/// The row of a code, or none for a number that was never given out.
pub(crate) fn row(code: theta_status) -> Option<&'static StatusRow> {
    STATUSES.iter().find(|row| row.code == code)
}

/// The category of a code: its hundreds digit, zero when it is not an error.
pub(crate) const fn category(code: theta_status) -> u32 {
    if code < 0 { code.unsigned_abs() / 100 } else { THETA_CATEGORY_NONE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The constants as the generators see them: the text of this file.
    fn constants_in_source() -> Vec<&'static str> {
        include_str!("status.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": i32 =").map(|(name, _)| name))
            .collect()
    }

    #[test]
    fn every_constant_has_its_row_and_every_row_its_constant() {
        let table: Vec<_> = STATUSES.iter().map(|row| row.name).collect();
        assert_eq!(constants_in_source(), table, "same names in the same order");
    }

    #[test]
    fn numbers_and_sentences_never_repeat() {
        let numbers: HashSet<_> = STATUSES.iter().map(|row| row.code).collect();
        let sentences: HashSet<_> = STATUSES.iter().map(|row| row.sentence).collect();
        assert_eq!(numbers.len(), STATUSES.len());
        assert_eq!(sentences.len(), STATUSES.len());
    }

    #[test]
    fn names_signs_and_categories_agree() {
        for row in STATUSES {
            assert_eq!(row.name.starts_with("THETA_E_"), row.code < 0, "{}", row.name);
            let known = matches!(category(row.code), 0..=7 | 9);
            assert!(known && (row.code >= 0 || row.code % 100 != 0), "{}", row.name);
            let text = row.sentence.strip_suffix('\0').expect("null-terminated");
            assert!(text.len() > 20 && text.ends_with('.') && !text.contains('\0'), "{}", row.name);
        }
    }

    #[test]
    fn an_unknown_number_has_no_row() {
        assert!(row(-1).is_none() && row(i32::MIN).is_none() && row(99).is_none());
        assert_eq!(row(THETA_E_NAN).map(|row| row.name), Some("THETA_E_NAN"));
    }
}
