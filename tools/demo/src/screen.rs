//! What is shown while a run goes on: a table that is redrawn in place on a terminal, a line every few seconds
//! elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::paint::{Cell, Ink, Style, decimal, grouped, table};
use crate::status::{ClientStatus, ServerStatus};

/// How far a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing was heard yet.
    #[default]
    Starting,
    /// It speaks and has no world yet.
    Joining,
    /// It has the world.
    Live,
    /// It has ended as it should.
    Done,
}

/// A peer on the screen.
#[derive(Clone, Debug, Default)]
pub struct PeerView {
    /// Who.
    pub name: String,
    /// `cpp`, `csharp`, `rust`.
    pub language: String,
    /// How far.
    pub stage: Stage,
    /// What it said last.
    pub status: ClientStatus,
    /// Ticks that were compared with the host's.
    pub compared: u64,
    /// Of these, how many differ.
    pub diverged: u64,
}

impl PeerView {
    /// Before anything is known.
    pub fn new(name: &str, language: &str) -> Self {
        Self { name: name.to_owned(), language: language.to_owned(), ..Self::default() }
    }
}

/// All that is shown.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What the peers play, for people.
    pub motion: String,
    /// How long it takes.
    pub seconds: f64,
    /// Since every peer was live.
    pub elapsed: Option<f64>,
    /// What the host said last.
    pub server: Option<ServerStatus>,
    /// As seen from here.
    pub tick_hz: Option<f64>,
    /// The peers.
    pub peers: Vec<PeerView>,
}

/// A language as people write it.
pub fn language_name(language: &str) -> &str {
    match language {
        "cpp" => "C++",
        "csharp" => "C#",
        "rust" => "Rust",
        other => other,
    }
}

/// What there is time for in a tick, as the samples count it.
pub const TICK_MS: f64 = 11.1;

/// Columns of a table of peers.
pub const HEADING: [(&str, &str); 10] = [
    ("peer", ""),
    ("language", ""),
    ("", ""),
    ("round trip", "ms"),
    ("in", "kB/s"),
    ("out", "kB/s"),
    ("pose error", "mm, median"),
    ("", "mm, 99 %"),
    ("complete", "%"),
    ("same as host", "ticks"),
];

/// Bytes as kilobytes.
pub fn kilobytes(bytes: Option<f64>) -> String {
    decimal(bytes.map(|bytes| bytes / 1000.0), 1)
}

/// A share in percent; `-` of nothing.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{:.1}", (100.0 * part as f64 / whole as f64).min(100.0))
    }
}

/// The cell that counts equal ticks, or names those that are not.
pub fn verdict(compared: u64, diverged: u64) -> Cell {
    match (compared, diverged) {
        (0, _) => Cell::new("-").ink(Ink::Dim),
        (_, 0) => Cell::new(grouped(compared)).ink(Ink::Good),
        _ => Cell::new(format!("{} DIFFER", grouped(diverged))).ink(Ink::Bad),
    }
}

fn peer_row(peer: &PeerView) -> Vec<Cell> {
    let status = &peer.status;
    let (stage, ink) = match peer.stage {
        Stage::Starting => ("starting", Ink::Dim),
        Stage::Joining => ("joining", Ink::Odd),
        Stage::Live => ("live", Ink::Good),
        Stage::Done => ("done", Ink::Dim),
    };
    vec![
        Cell::new(&*peer.name).ink(Ink::Bold),
        Cell::new(language_name(&peer.language)),
        Cell::new(stage).ink(ink),
        Cell::new(decimal(status.rtt_ms, 2)),
        Cell::new(kilobytes(status.in_bytes_per_s)),
        Cell::new(kilobytes(status.out_bytes_per_s)),
        Cell::new(decimal(status.pose_error_mm_p50, 2)),
        Cell::new(decimal(status.pose_error_mm_p99, 2)),
        Cell::new(share(status.complete_ticks, status.started_ticks)),
        verdict(peer.compared, peer.diverged),
    ]
}

fn live_count(view: &View) -> usize {
    view.peers.iter().filter(|peer| peer.stage >= Stage::Live).count()
}

/// The picture.
pub fn picture(view: &View, style: Style) -> Vec<String> {
    let mut lines =
        vec![format!(" {}", style.ink(Ink::Dim, &format!("Motion: {}", view.motion))), String::new()];
    lines.push(match &view.server {
        None => format!(" {}  starting", style.ink(Ink::Bold, "host")),
        Some(server) => {
            let late = match server.deadline_misses {
                0 => "none late".to_owned(),
                misses => style.ink(Ink::Odd, &format!("{} late", grouped(misses))),
            };
            let hz = decimal(view.tick_hz, 1);
            format!(
                " {}  tick {} at {} Hz, {} ms each (99 %: {}), {late}; {} entities, {} cubes pushed",
                style.ink(Ink::Bold, "host"),
                grouped(server.tick.into()),
                style.ink(Ink::Bold, &hz),
                decimal(server.tick_ms_p50, 1),
                decimal(server.tick_ms_p99, 1),
                grouped(server.entities),
                style.ink(Ink::Bold, &grouped(server.entities_moved)),
            )
        }
    });
    lines.push(String::new());
    let rows: Vec<_> = view.peers.iter().map(peer_row).collect();
    lines.extend(table(style, &HEADING, 3, &rows));
    lines.push(String::new());
    lines.push(match view.elapsed {
        None => format!(" {} of {} peers are in", live_count(view), view.peers.len()),
        Some(elapsed) => {
            format!(" {}  {elapsed:.0} of {:.0} s", style.bar(elapsed / view.seconds, 60), view.seconds)
        }
    });
    lines
}

/// The same in one line.
pub fn line(view: &View) -> String {
    let server = view.server.unwrap_or_default();
    let worst = |value: fn(&ClientStatus) -> Option<f64>| {
        let all = view.peers.iter().filter_map(|peer| value(&peer.status));
        decimal(
            all.fold(None, |worst: Option<f64>, value| Some(worst.map_or(value, |worst| worst.max(value)))),
            2,
        )
    };
    let compared: u64 = view.peers.iter().map(|peer| peer.compared).sum();
    let diverged: u64 = view.peers.iter().map(|peer| peer.diverged).sum();
    format!(
        "{:>3} s: tick {} at {} Hz, {} entities, {} cubes pushed; {} of {} peers live, round trip up to {} ms, \
         pose error up to {} mm (99 %); {} ticks compared, {} differ",
        decimal(view.elapsed, 0),
        server.tick,
        decimal(view.tick_hz, 1),
        server.entities,
        server.entities_moved,
        live_count(view),
        view.peers.len(),
        worst(|status| status.rtt_ms),
        worst(|status| status.pose_error_mm_p99),
        compared,
        diverged,
    )
}

/// Redraw so often on a terminal.
const REDRAW: Duration = Duration::from_millis(250);
/// One line so often elsewhere.
const LINE: Duration = Duration::from_secs(5);

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Terminal,
    Lines,
    Quiet,
}

/// The screen. Dropping it leaves the terminal as it was.
#[derive(Debug)]
pub struct Screen {
    mode: Mode,
    style: Style,
    drawn: usize,
    next: Instant,
}

impl Screen {
    /// For this process's stdout; `quiet` shows nothing while a run goes on.
    pub fn new(quiet: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"));
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let mode = match (quiet, is_terminal && !dumb) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Lines,
        };
        let style = Style { colour: is_terminal && !dumb && !set("NO_COLOR"), unicode };
        Self { mode, style, drawn: 0, next: Instant::now() }
    }

    /// How to print.
    pub const fn style(&self) -> Style {
        self.style
    }

    /// A line that stays.
    pub fn say(&mut self, text: &str) {
        self.clear();
        print(&format!("{text}\n"));
    }

    /// True when it is time to show something.
    pub fn is_due(&self) -> bool {
        self.mode != Mode::Quiet && Instant::now() >= self.next
    }

    /// Shows how things stand.
    pub fn show(&mut self, view: &View) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => {
                self.next =
                    Instant::now() + if view.elapsed.is_some() { LINE } else { Duration::from_secs(1) };
                if view.elapsed.is_some() {
                    print(&format!("{}\n", line(view)));
                }
            }
            Mode::Terminal => {
                self.next = Instant::now() + REDRAW;
                let lines = picture(view, self.style);
                // No cursor, and no wrapping: on a narrow terminal a line is cut, and the picture stays in its place.
                let mut text = String::from("\x1b[?25l\x1b[?7l");
                text += &self.upward();
                for line in &lines {
                    text.extend([line, "\x1b[K\n"]);
                }
                text += "\x1b[J\x1b[?7h";
                print(&text);
                self.drawn = lines.len();
            }
        }
    }

    fn upward(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\r", self.drawn) }
    }

    /// Takes the picture away; what follows is printed in its place.
    pub fn clear(&mut self) {
        if self.drawn > 0 {
            print(&format!("{}\x1b[J\x1b[?25h", self.upward()));
            self.drawn = 0;
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.drawn > 0 {
            print("\x1b[?7h\x1b[?25h");
        }
    }
}

/// Prints what can be printed: a reader that has gone away is no reason to end.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { colour: false, unicode: false };

    fn view() -> View {
        let live = PeerView {
            stage: Stage::Live,
            status: ClientStatus {
                is_live: true,
                tick: Some(900),
                rtt_ms: Some(0.41),
                in_bytes_per_s: Some(31_022.0),
                out_bytes_per_s: Some(20_113.0),
                pose_error_mm_p50: Some(0.31),
                pose_error_mm_p99: Some(1.92),
                complete_ticks: 896,
                started_ticks: 897,
            },
            compared: 12_345,
            ..PeerView::new("cpp-0", "cpp")
        };
        View {
            motion: "built-in".to_owned(),
            seconds: 20.0,
            elapsed: Some(10.0),
            server: Some(ServerStatus {
                tick: 900,
                entities: 402,
                entities_moved: 37,
                ..ServerStatus::default()
            }),
            tick_hz: Some(90.02),
            peers: vec![live, PeerView::new("csharp-1", "csharp")],
        }
    }

    #[test]
    fn the_picture_says_it_all_within_a_hundred_columns() {
        let lines = picture(&view(), PLAIN);
        let all = lines.join("\n");
        for part in
            ["tick 900 at 90.0 Hz", "none late", "37 cubes pushed", "31.0", "1.92", "99.9", "12 345", "C#"]
        {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{all}");
        assert!(all.contains("10 of 20 s"));
        let starting = picture(&View { elapsed: None, server: None, ..view() }, PLAIN).join("\n");
        assert!(
            starting.contains("1 of 2 peers are in") && starting.contains("host  starting"),
            "{starting}"
        );
    }

    #[test]
    fn the_height_is_that_of_the_peers_whatever_happens() {
        let height = picture(&view(), PLAIN).len();
        let mut other = view();
        other.peers[0].diverged = 3;
        other.server = None;
        other.elapsed = None;
        assert_eq!(picture(&other, PLAIN).len(), height, "or the redraw would leave lines behind");
        assert!(picture(&other, PLAIN).join("\n").contains("3 DIFFER"));
    }

    #[test]
    fn a_line_names_the_worst() {
        let text = line(&view());
        for part in
            ["10 s", "1 of 2 peers live", "up to 0.41 ms", "up to 1.92 mm", "12345 ticks compared, 0 differ"]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(line(&View::default()).contains("round trip up to - ms"));
    }
}
