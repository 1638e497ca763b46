//! The simulator: a whole session (one host, several peers, a network that misbehaves) in one thread and under one
//! seed, faster than real time.
//!
//! One seed is one exact run: the same packets, byte for byte, on every machine. A failing seed is a bug report; the
//! message that reports it names the command that replays it.
//!
//! | file | concern |
//! |---|---|
//! | [`rng`] | seeded numbers |
//! | [`network`] | links and their faults |
//! | [`plan`] | what a seed means: peers, entities, faults |
//! | [`engine`] | the simulated application on the host |
//! | [`checker`] | the invariants of what a peer shows |
//! | [`monitor`] | the invariants of which packets are acted on |
//! | [`traffic`] | what links carry: each message counted, bytes within their budget |
//! | `limits` | the invariants that no event tells of: bounds, and how all stand at the end |
//! | `attackers`, `impostors` | members that do harm; hosts that are none, or turn on their peers |
//! | [`run`] | the loop |
//! | [`versions`] | peers of other builds |
//! | `events` | what the machines report |
//! | `incidents` | what happens to players: joins, pauses, crashes, kicks |

mod attackers;
pub mod checker;
pub mod engine;
mod events;
mod impostors;
mod incidents;
mod limits;
pub mod monitor;
pub mod network;
pub mod plan;
mod rest;
pub mod rng;
pub mod run;
pub mod traffic;
pub mod versions;

pub use plan::Plan;
pub use run::{Outcome, run};
