//! The proof: every tick that was complete at a peer is compared with the host's, hash by hash.
//!
//! For: reading the hash files while they grow (samples/README.md, "Tick hash") and setting them side by side. Must
//! never count a tick as compared that the host's file does not have. Called by the run and by `--check`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A line is at most ten digits, a space, sixteen digits; this much without a newline is no hash file.
const MAX_LINE_BYTES: usize = 64;

/// Why a hash file is none.
#[derive(Debug, thiserror::Error)]
pub enum HashFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not "tick hash", or its tick is not after the one before.
    #[error("{}:{line}: expected an ascending tick and 16 hexadecimal digits", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// A tick and its hash.
pub type TickHash = (u32, u64);

/// Reads a hash file as it grows.
#[derive(Debug)]
pub struct HashFile {
    path: PathBuf,
    file: Option<File>,
    unread: Vec<u8>,
    lines: usize,
    newest: Option<u32>,
}

impl HashFile {
    /// The file need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, unread: Vec::new(), lines: 0, newest: None }
    }

    /// The whole lines that have come since the last call.
    pub fn read_new(&mut self) -> Result<Vec<TickHash>, HashFileError> {
        let failed = |source| HashFileError::Read { path: self.path.clone(), source };
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.unread).map_err(failed)?;
        }
        let mut all = Vec::new();
        let mut start = 0;
        while let Some(length) = self.unread[start..].iter().position(|byte| *byte == b'\n') {
            self.lines += 1;
            let parsed = parse(&self.unread[start..start + length])
                .filter(|(tick, _)| self.newest.is_none_or(|newest| *tick > newest))
                .ok_or_else(|| HashFileError::Line { path: self.path.clone(), line: self.lines })?;
            self.newest = Some(parsed.0);
            all.push(parsed);
            start += length + 1;
        }
        self.unread.drain(..start);
        if self.unread.len() > MAX_LINE_BYTES {
            return Err(HashFileError::Line { path: self.path.clone(), line: self.lines + 1 });
        }
        Ok(all)
    }

    /// After its writer has ended: a last line without its newline is one that was never finished.
    pub fn finish(&self) -> Result<(), HashFileError> {
        if self.unread.is_empty() {
            Ok(())
        } else {
            Err(HashFileError::Line { path: self.path.clone(), line: self.lines + 1 })
        }
    }
}

fn parse(line: &[u8]) -> Option<TickHash> {
    let (tick, hash) = core::str::from_utf8(line).ok()?.split_once(' ')?;
    let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hash.len() == 16 && digits(hash)).then_some(())?;
    Some((tick.parse().ok()?, u64::from_str_radix(hash, 16).ok()?))
}

/// A tick at which a peer saw something else than the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// When.
    pub tick: u32,
    /// The host's hash.
    pub host: u64,
    /// The peer's.
    pub peer: u64,
}

/// What the host hashed.
#[derive(Clone, Debug, Default)]
pub struct HostTicks {
    hashes: BTreeMap<u32, u64>,
}

impl HostTicks {
    /// Takes in more of them.
    pub fn add(&mut self, ticks: Vec<TickHash>) {
        self.hashes.extend(ticks);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// How many different ones: a world that moves seldom has the same hash twice.
    pub fn distinct(&self) -> usize {
        self.hashes.values().collect::<BTreeSet<_>>().len()
    }

    fn newest(&self) -> Option<u32> {
        self.hashes.last_key_value().map(|(tick, _)| *tick)
    }
}

/// How one peer's ticks compare with the host's.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    waiting: VecDeque<TickHash>,
    /// Ticks that the peer hashed.
    pub hashed: u64,
    /// Ticks that both hashed.
    pub compared: u64,
    /// Of these, how many differ.
    pub diverged: u64,
    /// The first that differs.
    pub first_difference: Option<Difference>,
    /// The last one that differs.
    pub last_difference: Option<u32>,
}

impl Comparison {
    /// Takes in more of the peer's ticks.
    pub fn add(&mut self, ticks: Vec<TickHash>) {
        self.hashed += ticks.len() as u64;
        self.waiting.extend(ticks);
    }

    /// Compares what the host has, too. Ticks after the host's newest wait: its file may be behind.
    pub fn settle(&mut self, host: &HostTicks) {
        while let Some((tick, peer)) = self.waiting.front().copied() {
            if host.newest().is_none_or(|newest| newest < tick) {
                return;
            }
            self.waiting.pop_front();
            let Some(host) = host.hashes.get(&tick).copied() else { continue };
            self.compared += 1;
            if host != peer {
                self.diverged += 1;
                self.first_difference.get_or_insert(Difference { tick, host, peer });
                self.last_difference = Some(tick);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("theta-demo-{name}-{}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            Self(path)
        }

        fn append(&self, text: &str) {
            let mut file =
                std::fs::OpenOptions::new().create(true).append(true).open(&self.0).expect("opens");
            file.write_all(text.as_bytes()).expect("writes");
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn host(ticks: core::ops::RangeInclusive<u32>) -> HostTicks {
        let mut host = HostTicks::default();
        host.add(ticks.map(|tick| (tick, u64::from(tick) * 7)).collect());
        host
    }

    fn peer(ticks: impl IntoIterator<Item = u32>) -> Comparison {
        let mut peer = Comparison::default();
        peer.add(ticks.into_iter().map(|tick| (tick, u64::from(tick) * 7)).collect());
        peer
    }

    #[test]
    fn a_growing_file_is_read_line_by_line() {
        let scratch = Scratch::new("grows");
        let mut file = HashFile::new(&scratch.0);
        assert_eq!(file.read_new().expect("no file yet"), []);
        scratch.append("1 00000000000000ff\n2 0000");
        assert_eq!(file.read_new().expect("a line"), [(1, 255)]);
        assert_eq!(file.read_new().expect("no more"), []);
        assert!(file.finish().is_err(), "the second line is unfinished");
        scratch.append("000000000001\n3 ffffffffffffffff\n");
        assert_eq!(file.read_new().expect("two lines"), [(2, 1), (3, u64::MAX)]);
        assert!(file.finish().is_ok());
    }

    #[test]
    fn what_is_no_hash_file_is_named_by_its_line() {
        let bad = [
            "1 00000000000000ff\n1 00000000000000ff\n",
            "1 00000000000000ff\nx 00000000000000ff\n",
            "1 00000000000000ff\n2 00000000000000FF\n",
            "1 00000000000000ff\n2 ff\n",
            "1 00000000000000ff\n\n",
            "1 00000000000000ff\n2  0000000000000ff\n",
            "1 00000000000000ff\n4294967296 00000000000000ff\n",
        ];
        for (number, text) in bad.into_iter().enumerate() {
            let scratch = Scratch::new(&format!("bad{number}"));
            scratch.append(text);
            let error = HashFile::new(&scratch.0).read_new().expect_err("refused").to_string();
            assert!(error.contains(":2:"), "{text:?}: {error}");
        }
        let scratch = Scratch::new("endless");
        scratch.append(&"7".repeat(MAX_LINE_BYTES + 1));
        assert!(HashFile::new(&scratch.0).read_new().is_err());
    }

    #[test]
    fn equal_ticks_are_equal() {
        let mut comparison = peer(5..=10);
        comparison.settle(&host(1..=20));
        assert_eq!((comparison.hashed, comparison.compared, comparison.diverged), (6, 6, 0));
    }

    #[test]
    fn one_bit_is_a_difference() {
        let mut comparison = peer(5..=10);
        comparison.add(vec![(11, 76), (12, 0), (13, 13 * 7)]);
        comparison.settle(&host(1..=20));
        assert_eq!((comparison.hashed, comparison.compared, comparison.diverged), (9, 9, 2));
        assert_eq!(comparison.first_difference, Some(Difference { tick: 11, host: 77, peer: 76 }));
    }

    #[test]
    fn a_tick_the_host_does_not_have_is_not_compared() {
        let mut incomplete = host(1..=4);
        incomplete.add(vec![(7, 49)]);
        let mut comparison = peer(1..=10);
        comparison.settle(&incomplete);
        assert_eq!(
            (comparison.compared, comparison.waiting.len()),
            (5, 3),
            "5 and 6 never come; 8 to 10 may"
        );
        comparison.settle(&incomplete);
        assert_eq!(comparison.compared, 5, "and nothing is counted twice");
        let mut silent = peer(1..=10);
        silent.settle(&HostTicks::default());
        assert_eq!(silent.compared, 0);
    }

    #[test]
    fn a_world_that_stands_still_is_noticed() {
        let mut host = HostTicks::default();
        host.add((1..=10).map(|tick| (tick, 5)).collect());
        assert_eq!((host.count(), host.distinct()), (10, 1));
    }
}
