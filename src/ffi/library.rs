//! The library itself: version, texts, clock, last error. Nothing here needs a handle; every function is [any].

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use super::boundary::boundary;
use super::error;
use super::sized::{self, sized};
use super::status::{self, theta_status};
use super::view::fixed_text;
use crate::core::wire::codes::DisconnectCode;
use crate::core::wire::message::WireEnum;

/// The version of this header. `theta_runtime_create` refuses a library of another version.
pub const THETA_ABI_VERSION: u32 = 1;

/// What the last failed call of this thread was, for a log or an exception. Output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_error_info {
    /// `sizeof(theta_error_info)`; after the call, the bytes written.
    pub struct_size: u32,
    /// The status it returned; 0 when no call of this thread has failed.
    pub code: i32,
    /// `THETA_CATEGORY_*`.
    pub category: u32,
    /// Bytes of `function`.
    pub function_length: u32,
    /// Bytes of `message`.
    pub message_length: u32,
    /// Zero.
    pub reserved: u32,
    /// The function that failed, UTF-8, zero-filled.
    pub function: [c_char; 64],
    /// What was wrong and what to do, UTF-8, zero-filled; cut at a character when longer.
    pub message: [c_char; 512],
}
sized!(theta_error_info: 600 reserved);

/// The ABI version of the library that was loaded; equal to THETA_ABI_VERSION of its header. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_abi_version() -> u32 {
    THETA_ABI_VERSION
}

/// The library's version, target and build kind as a null-terminated text that lives as long as the process. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_build_info() -> *const c_char {
    const TEXT: &str = concat!(
        "theta-sdk ",
        env!("CARGO_PKG_VERSION"),
        " ",
        env!("THETA_TARGET"),
        " ",
        env!("THETA_PROFILE"),
        "\0"
    );
    TEXT.as_ptr().cast()
}

/// What a status means and what to do about it: one sentence, null-terminated, living as long as the process. An
/// unknown code has a sentence too. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_status_text(code: theta_status) -> *const c_char {
    const UNKNOWN: &str = "This library does not know the status: it comes from a newer one.\0";
    status::row(code).map_or(UNKNOWN, |row| row.sentence).as_ptr().cast()
}

/// The last failed call of the calling thread. Copy it at once: the next failure on this thread replaces it.
///
/// `out` is an output of `out->struct_size` bytes; its code is 0 when no call of this thread has failed.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_last_error(out: *mut theta_error_info) -> theta_status {
    boundary!(anywhere theta_last_error, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { sized::output(out) }?;
        out.set(error::last(|last| {
            let (mut function, mut message) = ([0; 64], [0; 512]);
            theta_error_info {
                struct_size: 0,
                code: last.code,
                category: status::category(last.code),
                function_length: fixed_text(last.function, &mut function),
                message_length: fixed_text(&last.message, &mut message),
                reserved: 0,
                function,
                message,
            }
        }));
        Ok(status::THETA_OK)
    })
}

/// What a disconnect code means, what to do included: one sentence, null-terminated, living as long as the process. An
/// unknown code has a sentence too. [any]
#[unsafe(no_mangle)]
pub extern "C" fn theta_disconnect_text(code: u32) -> *const c_char {
    disconnect_text(code).as_ptr()
}

/// The core's sentence and hint with the null that C wants, made once.
fn disconnect_text(code: u32) -> &'static CStr {
    static TEXTS: OnceLock<Vec<(u16, CString)>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        let text = |code: &DisconnectCode| CString::new(format!("{} {}", code.sentence(), code.hint()));
        DisconnectCode::ALL.iter().map(|code| (code.number(), text(code).unwrap_or_default())).collect()
    });
    let found = texts.iter().find(|(number, _)| u32::from(*number) == code);
    found.map_or(c"This library does not know the code: the other side is newer.", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disconnect_code_has_a_sentence_and_unknown_ones_too() {
        for code in DisconnectCode::ALL {
            let text = disconnect_text(u32::from(code.number())).to_str().expect("UTF-8");
            assert!(text.starts_with(code.sentence()) && text.ends_with(code.hint()), "{text}");
        }
        assert!(disconnect_text(u32::MAX).to_bytes().starts_with(b"This library does not know"));
    }
}
