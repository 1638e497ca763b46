//! The committed inputs of the fuzz targets (fuzz/corpus) and neighbours of them, through the same bodies that libFuzzer
//! drives: what fuzzing found once is tested by everybody, with a plain compiler.
//!
//! `THETA_INPUT=FILE cargo test -p theta-core --test corpus NAME` replays one file with one target.
//! `THETA_NEIGHBOURS=1000000` tries so many neighbours for each target.
//! `THETA_REGENERATE=1 cargo test -p theta-core --test corpus seeds` rewrites the inputs that are made of the golden
//! vectors (`seed_*`) after an intended change of those.

mod changes;
mod seeds;
#[path = "../../../../fuzz/targets/mod.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use targets::TARGETS;

/// What the repository carries for this.
const MAX_FILES: usize = 64;
const MAX_BYTES: usize = 100 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("reads").file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).expect("UTF-8")).collect();
    names.sort();
    names
}

/// A target's committed inputs, by file name.
fn inputs(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = fuzz().join("corpus").join(target);
    let read = |name: String| {
        let bytes = fs::read(folder.join(&name)).expect("reads");
        (name, bytes)
    };
    let inputs: BTreeMap<_, _> = names(&folder).into_iter().map(read).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Runs the target; if it fails, keeps the input and says how to see that again.
fn attempt(target: &str, what: &str, data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| targets::run(target, data))).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed_{target}"));
        fs::write(&kept, data).expect("the scratch folder is writable");
        panic!(
            "{target} failed with {what}; once more: THETA_INPUT={} cargo test -p theta-core --test corpus {target}",
            kept.display()
        );
    }
}

fn replay(name: &str) {
    if let Some(file) = std::env::var_os("THETA_INPUT") {
        let data = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return targets::run(name, &data);
    }
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target's name");
    let inputs = inputs(name);
    for (file, data) in &inputs {
        attempt(name, file, data);
    }
    let all: Vec<&[u8]> = inputs.values().map(Vec::as_slice).collect();
    let more = std::env::var("THETA_NEIGHBOURS").ok().map(|text| text.parse().expect("a number"));
    for number in 0..more.unwrap_or(target.neighbours) {
        let data = changes::neighbour(&all, number);
        attempt(name, &format!("neighbour {number}"), &data);
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        /// The targets that have a test of their own below.
        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*
    };
}

replays!(
    admission cbor compact envelope frame genesis host input manifest message peer preface rows snapshot ticket
);

/// Target, test, folder of inputs, binary: each has all of the others.
#[test]
fn every_target_is_replayed_and_fuzzed() {
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(targets, REPLAYED);
    assert_eq!(targets, names(&fuzz().join("corpus")));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for name in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no binary");
        let binary = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).expect("a binary");
        assert!(binary.contains(&format!("run(\"{name}\", data)")), "the binary of {name} runs another");
    }
    let binaries: Vec<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(binaries, names(&fuzz().join("fuzz_targets")));
}

#[test]
fn the_corpus_is_small() {
    let sizes: Vec<usize> =
        TARGETS.iter().flat_map(|target| inputs(target.name).into_values().map(|data| data.len())).collect();
    assert!(sizes.len() <= MAX_FILES, "{} files", sizes.len());
    assert!(sizes.iter().sum::<usize>() <= MAX_BYTES, "{} bytes", sizes.iter().sum::<usize>());
}

/// A change of the vectors does not leave inputs behind that mean nothing any more.
#[test]
fn seeds_are_made_of_the_vectors() {
    let mut made = BTreeMap::new();
    for (target, name, bytes) in seeds::seeds() {
        assert!(made.insert(format!("{target}/seed_{name}"), bytes).is_none(), "{target}: {name} twice");
    }
    let regenerate = std::env::var_os("THETA_REGENERATE").is_some();
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        if regenerate {
            fs::create_dir_all(&folder).expect("creates");
        }
        for file in names(&folder).into_iter().filter(|name| name.starts_with("seed_")) {
            if !made.contains_key(&format!("{}/{file}", target.name)) {
                assert!(regenerate, "{}/{file} is no seed any more", target.name);
                fs::remove_file(folder.join(file)).expect("removes");
            }
        }
    }
    for (name, bytes) in made {
        let path = fuzz().join("corpus").join(&name);
        if regenerate {
            fs::write(&path, &bytes).expect("writes");
        }
        let committed = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            committed == bytes,
            "{name} differs: THETA_REGENERATE=1 after an intended change of the vectors"
        );
    }
}
