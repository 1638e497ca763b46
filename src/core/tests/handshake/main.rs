//! Who gets in, and what happens to whoever should not: host and peer machines joined by a wire that the test holds, so
//! that every byte can be changed, kept back, repeated or made up. No socket, no thread, no clock.
//!
//! Every refusal is checked by its code, by what the application was told (nothing of a join), and by the host going on
//! serving somebody honest.

mod abuse;
mod admission;
mod altered;
mod epochs;
mod floors;
mod founding;
mod impostor;
mod intruder;
mod invites;
mod layouts;
mod live_host;
mod live_peer;
#[cfg(feature = "mutants")]
mod planted;
mod proofs;
mod resumes;
mod seen_on_a_wire;
mod stages;
mod terms;
mod transcripts;
mod venue;
mod worlds;

#[path = "../wire/samples.rs"]
#[allow(dead_code, reason = "the messages are used here, the rest by the wire's tests")]
mod samples;
#[path = "../wire/seen.rs"]
#[allow(dead_code, reason = "used here and by the wire's tests")]
mod seen;
