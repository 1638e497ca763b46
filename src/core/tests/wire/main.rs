//! The wire as others see it: golden vectors, hostile bytes, framing cost, and that docs/protocol.md says what the
//! code does. `THETA_REGENERATE=1 cargo test -p theta-core --test wire` rewrites tests/vectors/wire after an intended
//! change; without it the vectors are compared byte for byte.

mod allocation;
mod coverage;
mod envelopes;
mod framing;
mod hostile;
mod noise;
mod page;
mod roundtrip;
mod rows;
mod samples;
mod seen;
mod vectors;

/// The repository's root.
fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
