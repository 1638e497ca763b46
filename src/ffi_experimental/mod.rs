//! The experimental part of the C ABI: `include/theta/theta_experimental.h` is generated from the text of this room.
//!
//! For: what a game's own tests need of Theta, and what is not settled yet. Functions begin with `thetax_`, constants
//! with `THETAX_`. Must never: be what a shipped game depends on, since any of this may change or go in the next version;
//! else the rules are those of [`crate::ffi`], whose infrastructure it uses. Called by C, C++ and C#.

// As in crate::ffi: the names are C's, and what callers owe stands in docs/c-api.md.
#![allow(non_camel_case_types)]
#![allow(clippy::missing_safety_doc)]

pub mod divergence;
pub mod link;
