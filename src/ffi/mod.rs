//! The C ABI: `include/theta/theta.h` is generated from the text of this room.
//!
//! One file per C noun; each function checks its handle and views, calls the runtime, and maps the result. What is
//! the same for all of them is written once: [`handle`] (the slot table), [`status`] (the table of codes), [`error`]
//! (sentences and the thread's last error), [`boundary`] (panics), [`view`] (pointers), [`sized`] (structs that grow),
//! [`basis`] and [`rows`] (coordinates), [`describe`] (components), [`elements`] (values on their way through a codec),
//! [`side`] (what stands behind a session). docs/c-api.md is the contract.
//!
//! Must never: call the host application (but for a codec's functions, inside poll and tick, see [`codec`]), hold a lock
//! while it quantises or waits, let a panic out, export data, or change what a function, a number or an offset means.
//! Called by C, C++ and C#.

// The names are C's: both generators copy them from here.
#![allow(non_camel_case_types)]
// What callers of every function owe is the same and stands in docs/c-api.md: pointers are null or valid for the
// size stated beside them. Repeating it under `# Safety` would print it on every page of the header.
#![allow(clippy::missing_safety_doc)]

// Every struct that holds a pointer has its padding written out for eight bytes.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("the C ABI is for 64-bit processors; theta-core alone is built for others");

#[cfg(test)]
mod abi;
pub mod admission;
pub mod basis;
pub(crate) mod boundary;
pub mod codec;
pub(crate) mod describe;
pub(crate) mod elements;
pub mod entity;
pub(crate) mod error;
pub mod event;
pub mod frame;
pub(crate) mod handle;
pub mod input;
pub mod library;
pub mod peer;
pub mod registry;
pub(crate) mod rows;
pub mod runtime;
pub mod sample;
pub mod session;
pub(crate) mod side;
pub(crate) mod sized;
pub mod status;
pub(crate) mod tags;
pub mod ticket;
pub mod time;
pub(crate) mod view;
pub mod write;
