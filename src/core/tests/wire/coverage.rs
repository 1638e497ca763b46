//! Every message type and every enum value has been on a wire in the vectors.

use super::samples;
use super::seen::Seen;

#[test]
fn nothing_is_missing_from_the_vectors() {
    let mut seen = Seen::default();
    for (_, message) in samples::messages() {
        seen.message(&message);
    }
    for (_, core) in samples::cores() {
        seen.core(&core);
    }
    let missing = seen.all_missing();
    assert!(missing.is_empty(), "never seen on a wire: {missing:#?}");
}
