//! Ids and state hashes: SipHash-2-4, beside the crate alone and the standard library's SipHash-1-3.

use std::hash::Hasher;
use std::hint::black_box;

use siphasher::sip::SipHasher24;
use theta_core::schema::component_id;
use theta_core::types::Tick;
use theta_core::world::hash::{chunk_hash, column_hash};

use crate::contest::Contest;
use crate::report::Report;
use crate::scene::Scene;
use crate::settings::Settings;

const NAME: &str = "com.example.game.avatar.hand.left.grip40";

/// Runs it.
pub fn run(settings: &Settings, report: &mut Report) {
    let key: [u8; 16] = std::array::from_fn(|at| at as u8);
    let results = Contest::new()
        .limit("siphasher crate", NAME.len(), || {
            SipHasher24::new_with_key(&key).hash(black_box(NAME.as_bytes()))
        })
        .ours("component_id at run time", NAME.len(), || component_id(black_box(NAME)))
        .peer("std SipHash-1-3", NAME.len(), || {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(black_box(NAME.as_bytes()));
            hasher.finish()
        })
        .run(settings);
    report.contest("Id of a 40-byte name (Rust types have theirs at compile time)", &results);

    let mut scene = Scene::new(64, 1);
    let chunk = scene.world.seal(Tick(1)).expect("the first tick").changed.swap_remove(0);
    let column = chunk.columns.len() - 2;
    // What the definition hashes of a column of three lanes: slot and lanes.
    let bytes = vec![7u8; 64 * (1 + 3 * 8)];
    let results = Contest::new()
        .limit("siphasher crate over as many bytes", bytes.len(), || {
            SipHasher24::new_with_key(&key).hash(black_box(&bytes))
        })
        .ours("column hash, 64 rows of 3 lanes", bytes.len(), || {
            column_hash(black_box(&chunk.columns[column]), chunk.occupancy)
        })
        .ours("chunk hash over its column hashes", 16 + 64 * 8 + chunk.columns.len() * 8, || {
            chunk_hash(black_box(&chunk))
        })
        .run(settings);
    report.contest("State hashes of 64 rows", &results);
}
