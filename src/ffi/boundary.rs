//! The panic boundary: the one macro around the body of every exported function.
//!
//! It catches panics, maps errors, records the last error with the function's name, and returns the status. It stands
//! inside bodies, never around signatures, because the header and the C# imports are generated from source text.
//! A panic never reaches the caller: since Rust 1.81 unwinding out of `extern "C"` aborts the host's process. What a
//! panic leaves half done is confined by the handle guards: a session whose guard is dropped by unwinding is faulted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{self, Error};
use super::status::theta_status;

/// What a body returns: a status that is not an error, or the error.
pub(crate) type Outcome = Result<theta_status, Error>;

/// Runs a body and maps what came out of it. Called by [`boundary!`] only.
#[inline]
pub(crate) fn run(function: &'static str, body: impl FnOnce() -> Outcome) -> theta_status {
    // Unwind safe: bodies write outputs only after everything that can fail, and guards fault what they held.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => error::record(function, &failure),
        Err(payload) => error::record(function, &Error::Panic { text: panic_text(payload) }),
    }
}

/// The text of a panic, as far as it has one.
#[cold]
fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "no text".to_owned()),
    };
    // A payload whose destructor panics would unwind out of here; leaking it is the only safe end.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(second) = dropped {
        std::mem::forget(second);
    }
    text
}

/// `boundary!(theta_noun_verb, { body })`: the body is a block that ends in an [`Outcome`] and may use `?`.
macro_rules! boundary {
    ($function:ident, $body:block) => {
        $crate::ffi::boundary::run(stringify!($function), || -> $crate::ffi::boundary::Outcome { $body })
    };
}
pub(crate) use boundary;

#[cfg(test)]
mod tests {
    use super::super::error::last;
    use super::super::status::{THETA_E_NULL, THETA_E_PANIC, THETA_OK};
    use super::*;

    #[test]
    fn a_status_passes_and_leaves_the_last_error_alone() {
        error::clear();
        assert_eq!(boundary!(theta_example_good, { Ok(THETA_OK) }), THETA_OK);
        assert_eq!(last(|last| last.code), 0);
    }

    #[test]
    fn an_error_is_recorded_with_the_function() {
        let status = boundary!(theta_example_null, { Err(Error::Null { what: "out" }) });
        assert_eq!(status, THETA_E_NULL);
        last(|last| {
            assert_eq!((last.code, last.function), (THETA_E_NULL, "theta_example_null"));
            assert!(last.message.contains("out"), "{}", last.message);
        });
    }

    #[test]
    fn panics_of_every_payload_become_a_status() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("and again while dropping");
            }
        }
        let bodies: [(fn() -> Outcome, &str); 3] = [
            (|| panic!("plain"), "plain"),
            (|| panic!("with {}", 7), "with 7"),
            (|| std::panic::panic_any(Bomb), "no text"),
        ];
        for (body, text) in bodies {
            assert_eq!(run("theta_example_panic", body), THETA_E_PANIC);
            last(|last| assert!(last.message.contains(text), "{}", last.message));
        }
    }
}
