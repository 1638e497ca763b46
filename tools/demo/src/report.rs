//! Reports: those of the samples as they are read, and the demo's own as it is written.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adversity::{Network, Planted};

/// A client's report (samples/README.md); what the demo needs of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ClientReport {
    /// Who.
    pub name: String,
    /// `cpp`, `csharp`, `rust`.
    pub language: String,
    /// `quic`.
    pub transport: String,
    /// Median round trip.
    pub rtt_ms_p50: Option<f64>,
    /// Its 99th percentile.
    pub rtt_ms_p99: Option<f64>,
    /// UDP payload while live.
    pub in_bytes_per_s: Option<f64>,
    /// UDP payload while live.
    pub out_bytes_per_s: Option<f64>,
    /// Median distance of what was shown from what was played.
    pub pose_error_mm_p50: Option<f64>,
    /// Its 99th percentile.
    pub pose_error_mm_p99: Option<f64>,
    /// Ticks that became complete.
    pub complete_ticks: u64,
    /// Ticks of which something arrived.
    pub started_ticks: u64,
}

/// The server's report; what the demo needs of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ServerReport {
    /// No call failed and no peer diverged.
    pub ok: bool,
    /// How long it ran.
    pub seconds: f64,
    /// Ticks per second.
    pub tick_hz: f64,
    /// Median time of a tick.
    pub tick_ms_p50: Option<f64>,
    /// Its 99th percentile.
    pub tick_ms_p99: Option<f64>,
    /// Ticks that started or ended too late.
    pub deadline_misses: u64,
    /// The most there were at once.
    pub entities: u64,
    /// Cubes that somebody pushed.
    pub entities_moved: u64,
    /// Its side of every link.
    pub peers: Vec<ServerPeer>,
    /// Where peers held something else than the host.
    #[serde(default)]
    pub divergences: Vec<DivergenceReport>,
}

/// A divergence that the comparison of hashes found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct DivergenceReport {
    /// Whose.
    #[serde(rename(serialize = "peer"))]
    pub name: String,
    /// At which tick it was seen.
    pub tick: u32,
    /// Component, field and chunk.
    pub r#where: String,
    /// From which tick on it was right again.
    pub repaired_tick: Option<u32>,
}

/// A link in the server's report; what the demo needs of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ServerPeer {
    /// Whose.
    pub name: String,
    /// Inputs that the host took.
    pub inputs_received: u64,
}

/// A report cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is not there, or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not one.
    #[error("{} is no report: {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a sample's report.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, ReportError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ReportError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| ReportError::Content { path: path.to_owned(), source })
}

/// What `--json` writes.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// Every check passed.
    pub ok: bool,
    /// How long the host ran.
    pub seconds: f64,
    /// Its ticks per second.
    pub tick_hz: f64,
    /// The 99th percentile of its ticks' time.
    pub tick_ms_p99: Option<f64>,
    /// Ticks that started or ended too late.
    pub deadline_misses: u64,
    /// The most there were at once.
    pub entities: u64,
    /// Cubes that somebody pushed.
    pub entities_moved: u64,
    /// One per client.
    pub peers: Vec<DemoPeer>,
    /// What the network did to each peer's packets, on purpose.
    pub network: Network,
    /// The divergence that was planted on purpose.
    pub planted: Option<Planted>,
    /// What the hashes found.
    pub divergences: Vec<DivergenceReport>,
}

/// A client in [`DemoReport`].
#[derive(Clone, Debug, Serialize)]
pub struct DemoPeer {
    /// Who.
    pub name: String,
    /// `cpp`, `csharp`, `rust`.
    pub language: String,
    /// `quic`.
    pub transport: String,
    /// Median round trip.
    pub rtt_ms_p50: Option<f64>,
    /// Its 99th percentile.
    pub rtt_ms_p99: Option<f64>,
    /// UDP payload while live.
    pub in_bytes_per_s: Option<f64>,
    /// UDP payload while live.
    pub out_bytes_per_s: Option<f64>,
    /// Median distance of what was shown from what was played.
    pub pose_error_mm_p50: Option<f64>,
    /// Its 99th percentile.
    pub pose_error_mm_p99: Option<f64>,
    /// Ticks that became complete.
    pub complete_ticks: u64,
    /// Of these, how many were compared with the host's.
    pub compared_ticks: u64,
    /// Of these, how many differ.
    pub diverged_ticks: u64,
}

impl DemoReport {
    /// Writes it under another name and renames, so that a reader never sees half of it.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        let failed = |source| ReportError::Write { path: path.to_owned(), source };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(".part");
        std::fs::write(&draft, text + "\n").map_err(failed)?;
        std::fs::rename(&draft, path).map_err(failed)
    }
}

impl DemoReport {
    /// Of a run that came to no result.
    pub const fn of_nothing() -> Self {
        Self {
            ok: false,
            seconds: 0.0,
            tick_hz: 0.0,
            tick_ms_p99: None,
            deadline_misses: 0,
            entities: 0,
            entities_moved: 0,
            peers: Vec::new(),
            network: Network::NONE,
            planted: None,
            divergences: Vec::new(),
        }
    }
}
