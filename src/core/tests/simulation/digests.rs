//! The same seed sends the same bytes on every processor. One build writes what its seeds sent
//! (`THETA_WRITE_DIGESTS=FILE`), a build for another processor compares (`THETA_DIGESTS=FILE`). `./x test` has x86-64
//! write, aarch64 and wasm32 compare.

use std::collections::BTreeMap;
use std::env::var_os;
use std::fmt::Write;
use std::fs;

/// By seed, the digest after each second of the session.
pub type Digests = BTreeMap<u64, Vec<u64>>;

/// Writes, compares or does nothing, as the environment says. A sentence for each seed that sent something else.
pub fn settle(sent: &Digests) -> Vec<String> {
    if let Some(file) = var_os("THETA_WRITE_DIGESTS") {
        fs::write(file, text(sent)).expect("the file is writable");
    }
    var_os("THETA_DIGESTS").map_or_else(Vec::new, |file| {
        let theirs = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        println!("{} seeds compared with {}", sent.len(), file.display());
        differences(sent, &parse(&theirs))
    })
}

/// A seed for each line, its digests after it.
fn text(sent: &Digests) -> String {
    sent.iter().fold(String::new(), |mut text, (seed, digests)| {
        write!(text, "{seed}").unwrap();
        for digest in digests {
            write!(text, " {digest:016x}").unwrap();
        }
        text + "\n"
    })
}

fn parse(text: &str) -> Digests {
    let line = |line: &str| {
        let (seed, digests) = line.split_once(' ').expect("a seed and its digests");
        let digests = digests.split(' ').map(|digest| u64::from_str_radix(digest, 16).expect("a digest"));
        (seed.parse().expect("a seed"), digests.collect())
    };
    text.lines().map(line).collect()
}

fn differences(ours: &Digests, theirs: &Digests) -> Vec<String> {
    let differs = |(seed, ours): (&u64, &Vec<u64>)| match theirs.get(seed) {
        None => Some(format!("seed {seed} is not in the file")),
        Some(theirs) if theirs == ours => None,
        Some(theirs) => {
            let same = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
            Some(format!("seed {seed} sends other bytes in its second {}", same + 1))
        }
    };
    ours.iter().filter_map(differs).collect()
}

#[test]
fn what_differs_is_named() {
    let ours: Digests = [(0, vec![1, u64::MAX, 3]), (7, vec![4, 5, 6])].into();
    assert_eq!(parse(&text(&ours)), ours);
    assert_eq!(differences(&ours, &ours), Vec::<String>::new());
    let theirs: Digests = [(0, vec![1, 2, 3])].into();
    assert_eq!(
        differences(&ours, &theirs),
        ["seed 0 sends other bytes in its second 2", "seed 7 is not in the file"]
    );
}
