//! What the command line says.

use std::path::PathBuf;

/// The benchmarks there are, in the order in which they run.
pub const NAMES: [&str; 5] = ["codec", "transport", "ffi", "handshake", "replication"];

/// The text of `--help`.
pub const USAGE: &str = include_str!("../usage.txt");

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which of [`NAMES`].
    pub names: Vec<&'static str>,
    /// Samples of each operation.
    pub rounds: usize,
    /// Least length of one sample.
    pub sample_ns: u64,
    /// Fewer of everything.
    pub is_quick: bool,
    /// Where the rows go.
    pub json: Option<PathBuf>,
    /// The recording.
    pub recording: Option<PathBuf>,
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Neither a benchmark nor an option.
    #[error("\"{0}\" is neither a benchmark nor an option")]
    Unknown(String),
    /// An option without its value.
    #[error("{0} needs a file name")]
    NoValue(&'static str),
    /// The recording that was asked for is not there.
    #[error("{0} is not a file")]
    NoFile(String),
}

impl Settings {
    /// Reads the arguments behind the program's name. `None`: the usage was asked for.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Self>, UsageError> {
        let mut settings = Self {
            names: Vec::new(),
            rounds: 101,
            sample_ns: 500_000,
            is_quick: false,
            json: None,
            recording: default_recording(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                "--quick" => {
                    settings.is_quick = true;
                    settings.rounds = 15;
                    settings.sample_ns = 100_000;
                }
                "--json" => {
                    let path = arguments.next().ok_or(UsageError::NoValue("--json"))?;
                    settings.json = Some(path.into());
                }
                "--data" => {
                    let path: PathBuf = arguments.next().ok_or(UsageError::NoValue("--data"))?.into();
                    if !path.is_file() {
                        return Err(UsageError::NoFile(path.display().to_string()));
                    }
                    settings.recording = Some(path);
                }
                other => {
                    let name = NAMES.iter().find(|name| **name == other);
                    settings.names.push(name.ok_or_else(|| UsageError::Unknown(other.to_owned()))?);
                }
            }
        }
        if settings.names.is_empty() {
            settings.names = NAMES.to_vec();
        }
        Ok(Some(settings))
    }

    /// `full`, or `quick` where fewer were asked for.
    pub const fn either<T: Copy>(&self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }
}

fn default_recording() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("THETA_DATA")?);
    Some(folder.join("cubes").join("cubes_seed7.bin.xz")).filter(|path| path.is_file())
}
