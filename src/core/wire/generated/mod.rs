//! What flatc wrote from schemas/wire.fbs; `./x gen` keeps it current. Nothing outside `wire` uses these types.

#[allow(warnings, clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks)]
#[rustfmt::skip]
mod wire_generated;

pub use wire_generated::theta::wire::*;
