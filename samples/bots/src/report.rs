//! What a bot tells others: percentiles, its status line, its report. Names and order are those of samples/README.md.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

/// Collects numbers; percentiles by nearest rank, of everything and of what came since the last
/// [`Distribution::recent_done`].
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    values: Vec<f32>,
    seen: usize,
}

impl Distribution {
    /// One number more.
    pub fn add(&mut self, value: f64) {
        self.values.push(value as f32);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Of all.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        nearest_rank(self.values.clone(), share)
    }

    /// Of the recent ones.
    pub fn recent_percentile(&self, share: f64) -> Option<f64> {
        nearest_rank(self.values[self.seen..].to_vec(), share)
    }

    /// Begins anew with what is recent.
    pub fn recent_done(&mut self) {
        self.seen = self.values.len();
    }
}

fn nearest_rank(mut values: Vec<f32>, share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let at = ((share * values.len() as f64).ceil() as usize).saturating_sub(1).min(last);
    Some(f64::from(*values.select_nth_unstable_by(at, f32::total_cmp).1))
}

/// A number in a status line; `-` when there is none.
pub fn shown(value: Option<f64>, decimals: usize) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A client's report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whose.
    pub name: String,
    /// "rust".
    pub language: &'static str,
    /// "quic".
    pub transport: &'static str,
    /// Median round trip.
    pub rtt_ms_p50: Option<f64>,
    /// Its 99th percentile.
    pub rtt_ms_p99: Option<f64>,
    /// UDP payload received per second, since live.
    pub in_bytes_per_s: Option<f64>,
    /// UDP payload sent per second, since live.
    pub out_bytes_per_s: Option<f64>,
    /// Median distance between what is shown of others and what they played.
    pub pose_error_mm_p50: Option<f64>,
    /// Its 99th percentile.
    pub pose_error_mm_p99: Option<f64>,
    /// Ticks that became complete.
    pub complete_ticks: u64,
    /// Ticks of which something arrived.
    pub started_ticks: u64,
    /// The first hashed tick.
    pub first_tick: Option<u32>,
    /// The last.
    pub last_tick: Option<u32>,
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Pose distances.
    pub samples: usize,
}

/// Rounds to three decimals: a report is read by people, too.
pub fn rounded(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 1000.0).round() / 1000.0)
}

impl Report {
    /// Writes it under another name and renames, so that a reader never sees half of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut draft = path.as_os_str().to_owned();
        draft.push(".part");
        std::fs::write(&draft, serde_json::to_string(self)? + "\n")?;
        std::fs::rename(&draft, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut numbers = Distribution::default();
        assert_eq!(numbers.percentile(0.5), None);
        for number in 1..=100 {
            numbers.add(f64::from(number));
        }
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| numbers.percentile(share)),
            [Some(1.0), Some(50.0), Some(99.0), Some(100.0)]
        );
        numbers.recent_done();
        assert_eq!(numbers.recent_percentile(0.5), None);
        numbers.add(7.0);
        assert_eq!((numbers.recent_percentile(0.99), numbers.count()), (Some(7.0), 101));
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!(shown(None, 2), "-");
        assert_eq!(shown(Some(f64::NAN), 2), "-");
        assert_eq!(shown(Some(1.259), 2), "1.26");
        assert_eq!(rounded(Some(0.123_45)), Some(0.123));
    }
}
