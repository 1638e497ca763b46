//! The panic boundary: the one macro around the body of every exported function.
//!
//! It catches panics, maps errors, records the last error with the function's name, and returns the status. It stands
//! inside bodies, never around signatures, because the header and the C# imports are generated from source text.
//! A panic never reaches the caller: since Rust 1.81 unwinding out of `extern "C"` aborts the host's process. What a
//! panic leaves half done is confined by the handle guards: a session whose guard is dropped by unwinding is faulted.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::codec;
use super::error::{self, Error};
use super::status::theta_status;

/// What a body returns: a status that is not an error, or the error.
pub(crate) type Outcome = Result<theta_status, Error>;

/// Runs a body and maps what came out of it; refuses to on a thread that is inside a codec's function. Called by
/// [`boundary!`] only.
#[inline]
pub(crate) fn run(function: &'static str, body: impl FnOnce() -> Outcome) -> theta_status {
    if codec::is_inside() {
        return error::record(function, &Error::Reentrant);
    }
    run_anywhere(function, body)
}

/// As [`run`], and also inside a codec's function.
#[inline]
pub(crate) fn run_anywhere(function: &'static str, body: impl FnOnce() -> Outcome) -> theta_status {
    // Unwind safe: bodies write outputs only after everything that can fail, and guards fault what they held.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => error::record(function, &failure),
        Err(payload) => panicked(function, panic_text(payload)),
    }
}

/// Whether a panic ended a call on an object, and what it said.
#[derive(Default)]
pub(crate) struct Fault {
    raised: AtomicBool,
    text: OnceLock<String>,
}

thread_local! {
    /// What the panic that is unwinding on this thread has faulted so far; its text is known at the boundary.
    static RAISED: RefCell<Vec<Arc<Fault>>> = const { RefCell::new(Vec::new()) };
}

impl Fault {
    /// Marks the object. Called while the panic unwinds.
    pub(crate) fn raise(self: &Arc<Self>) {
        self.raised.store(true, Ordering::Release);
        let _ = RAISED.try_with(|raised| raised.borrow_mut().push(self.clone()));
    }

    /// The error of every later call; fine while nothing has panicked.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.raised.load(Ordering::Acquire) {
            Err(Error::Faulted { text: self.text().to_owned() })
        } else {
            Ok(())
        }
    }

    /// True after a panic.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Where and what it was.
    pub(crate) fn text(&self) -> &str {
        self.text.get().map_or("no text", String::as_str)
    }
}

/// Gives what was faulted its text, and the caller its status.
#[cold]
fn panicked(function: &'static str, text: String) -> theta_status {
    let raised = RAISED.try_with(|raised| std::mem::take(&mut *raised.borrow_mut())).unwrap_or_default();
    for fault in raised {
        let _ = fault.text.set(format!("in {function}: {text}"));
    }
    error::record(function, &Error::Panic { text })
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

/// `boundary!(theta_noun_verb, { body })`: the body is a block that ends in an [`Outcome`] and may use `?`. With
/// `anywhere` before the name a codec's function may call it too.
macro_rules! boundary {
    (anywhere $function:ident, $body:block) => {
        $crate::ffi::boundary::run_anywhere(stringify!($function), || -> $crate::ffi::boundary::Outcome {
            $body
        })
    };
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
    fn a_fault_keeps_the_panics_text() {
        struct Held(Arc<Fault>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.raise();
            }
        }
        let fault = Arc::new(Fault::default());
        assert!(fault.check().is_ok() && !fault.is_raised());
        let held = fault.clone();
        boundary!(theta_example_fault, {
            let _held = Held(held);
            panic!("the reason")
        });
        assert!(fault.is_raised());
        assert_eq!(fault.text(), "in theta_example_fault: the reason");
        assert_eq!(fault.check().map_err(|error| error.code()), Err(THETA_E_PANIC));
    }

    #[test]
    fn panics_of_every_payload_become_a_status() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("and again while dropping");
            }
        }
        type Body = fn() -> Outcome;
        let bodies: [(Body, &str); 3] = [
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
