//! The status lines that samples print once a second with `--live` (samples/README.md, "Command line and reports").

use std::collections::HashMap;

/// What the server said last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServerStatus {
    /// The newest tick.
    pub tick: u32,
    /// Median time of a tick in the last second.
    pub tick_ms_p50: Option<f64>,
    /// Its 99th percentile.
    pub tick_ms_p99: Option<f64>,
    /// Since the start.
    pub deadline_misses: u64,
    /// Now.
    pub entities: u64,
    /// Cubes that somebody pushed.
    pub entities_moved: u64,
}

/// What a client said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientStatus {
    /// `joining` or `live`.
    pub is_live: bool,
    /// The newest complete tick.
    pub tick: Option<u32>,
    /// Smoothed round trip.
    pub rtt_ms: Option<f64>,
    /// UDP payload in the last second.
    pub in_bytes_per_s: Option<f64>,
    /// UDP payload in the last second.
    pub out_bytes_per_s: Option<f64>,
    /// Of the last second.
    pub pose_error_mm_p50: Option<f64>,
    /// Of the last second.
    pub pose_error_mm_p99: Option<f64>,
    /// Since the start.
    pub complete_ticks: u64,
    /// Since the start.
    pub started_ticks: u64,
}

/// A status line.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Of the server.
    Server(ServerStatus),
    /// Of a client.
    Client(ClientStatus),
}

impl Status {
    /// `None` when the line is something else.
    pub fn parse(line: &str) -> Option<Self> {
        let fields: HashMap<_, _> = line
            .strip_prefix("status ")?
            .split_ascii_whitespace()
            .filter_map(|word| word.split_once('='))
            .collect();
        let number = |key: &str| fields.get(key)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let count = |key: &str| fields.get(key)?.parse::<u64>().ok();
        let tick = || fields.get("tick")?.parse::<u32>().ok();
        match *fields.get("kind")? {
            "server" => Some(Self::Server(ServerStatus {
                tick: tick()?,
                tick_ms_p50: number("tick_ms_p50"),
                tick_ms_p99: number("tick_ms_p99"),
                deadline_misses: count("deadline_misses")?,
                entities: count("entities")?,
                entities_moved: count("entities_moved")?,
            })),
            "client" => Some(Self::Client(ClientStatus {
                is_live: *fields.get("state")? == "live",
                tick: tick(),
                rtt_ms: number("rtt_ms"),
                in_bytes_per_s: number("in_bytes_per_s"),
                out_bytes_per_s: number("out_bytes_per_s"),
                pose_error_mm_p50: number("pose_error_mm_p50"),
                pose_error_mm_p99: number("pose_error_mm_p99"),
                complete_ticks: count("complete_ticks")?,
                started_ticks: count("started_ticks")?,
            })),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two lines of samples/README.md, read from there.
    #[test]
    fn the_lines_of_the_readme() {
        let readme = include_str!("../../../samples/README.md");
        let lines: Vec<_> = readme.lines().filter_map(Status::parse).collect();
        let [Status::Server(server), Status::Client(client)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((server.tick, server.tick_ms_p99, server.entities_moved), (900, Some(3.9), 37));
        assert!(client.is_live);
        assert_eq!((client.tick, client.rtt_ms, client.started_ticks), (Some(897), Some(0.41), 897));
    }

    #[test]
    fn a_dash_is_not_known_yet_and_other_lines_are_none() {
        let line =
            "status kind=client name=a-0 state=joining tick=- rtt_ms=- complete_ticks=0 started_ticks=0";
        let Some(Status::Client(client)) = Status::parse(line) else { panic!("a client") };
        assert_eq!(client, ClientStatus::default());
        for other in [
            "",
            "hello",
            "status",
            "status kind=client",
            "status kind=server tick=x",
            "status kind=moon tick=1",
        ] {
            assert_eq!(Status::parse(other), None, "{other}");
        }
    }
}
