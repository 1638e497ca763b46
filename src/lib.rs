//! Theta: the SDK crate. `theta_core` is the protocol; this crate is the edges around it and the C ABI.
pub use theta_core as core;
pub mod compression;
pub mod ffi;
pub mod ffi_experimental;
pub mod runtime;
#[cfg(feature = "test-panics")]
pub mod test_panics;
pub mod transport;
