//! The Theta protocol, pure: time, randomness and disk results come in as arguments; packets, writes and events go
//! out as values.
// Code written by flatc names `alloc` through the crate root.
extern crate alloc;

pub mod mutants;
pub mod replication;
pub mod schema;
pub mod session;
pub mod sim;
pub mod types;
pub mod wire;
pub mod world;
