//! What is fuzzed: a function of bytes for each decoder, and for each machine under a sequence of packets.
//!
//! A body takes any bytes and asserts what must hold of them: no panic, the memory that docs/protocol.md states, one
//! spelling where the format has one, and that what was decoded is decoded again from what it encodes to. Two crates
//! include this module: `theta-fuzz`, where libFuzzer drives it (`./x fuzz`), and the core's test `corpus`, which
//! replays the committed inputs and neighbours of them with a plain compiler. So both mean the same.

pub mod bytes;
pub mod host;
mod packets;
pub mod peer;
mod rows;
mod stage;
mod text;
mod wire;

#[path = "../../src/core/tests/wire/allocation.rs"]
mod allocation;
// The real one: frames and dictionary are what a stranger sends. It is C, which is not built for wasm.
#[cfg(not(target_family = "wasm"))]
#[path = "../../src/compression.rs"]
#[allow(dead_code, reason = "the names of its numbers are for others")]
mod compression;
#[path = "../../src/core/tests/handshake/impostor.rs"]
#[allow(dead_code, reason = "a host's means, of which some are for the handshake's tests alone")]
mod impostor;
#[path = "../../src/core/tests/handshake/intruder.rs"]
#[allow(dead_code, reason = "a guest's means, of which some are for the handshake's tests alone")]
mod intruder;
#[path = "../../src/core/tests/handshake/venue.rs"]
#[allow(dead_code, reason = "a host's surroundings, of which some are for the handshake's tests alone")]
mod venue;

/// A target: its name, which is also that of its folder in fuzz/corpus and of its binary, and its body.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
    /// How many changed inputs the test `corpus` tries: what takes a fraction of a second.
    pub neighbours: u64,
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "admission", body: text::admission, neighbours: 20_000 },
    Target { name: "cbor", body: wire::cbor, neighbours: 20_000 },
    Target { name: "compact", body: text::compact, neighbours: 20_000 },
    Target { name: "envelope", body: wire::envelope, neighbours: 8000 },
    Target { name: "frame", body: wire::frame, neighbours: 20_000 },
    Target { name: "genesis", body: text::genesis, neighbours: 10_000 },
    Target { name: "host", body: host::host, neighbours: 150 },
    Target { name: "input", body: text::input, neighbours: 20_000 },
    Target { name: "manifest", body: text::manifest, neighbours: 2000 },
    Target { name: "message", body: wire::message, neighbours: 50_000 },
    Target { name: "peer", body: peer::peer, neighbours: 250 },
    Target { name: "preface", body: wire::preface, neighbours: 20_000 },
    Target { name: "rows", body: rows::rows, neighbours: 8000 },
    Target { name: "snapshot", body: rows::snapshot, neighbours: 2000 },
    Target { name: "ticket", body: text::ticket, neighbours: 20_000 },
];

/// Runs the body of a target.
///
/// # Panics
/// When what it asserts does not hold, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target's name");
    (target.body)(data);
}
