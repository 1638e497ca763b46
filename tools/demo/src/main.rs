//! The demo: a host and peers of several languages in one session, each a process of its own, watched and compared.
//!
//! `adversity` is what is done to it on purpose, `play` starts and watches the processes, `compare` sets their hash files
//! side by side, `judge` says whether the run was good, `screen` and `summary` tell it. The samples' side is laid down in samples/README.md.

mod adversity;
mod compare;
mod crew;
mod judge;
mod paint;
mod places;
mod play;
mod report;
mod screen;
mod status;
mod summary;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{CommandFactory, Parser};

use crate::adversity::{Network, Planted};
use crate::judge::Check;
use crate::paint::Ink;
use crate::places::{Motion, Places};
use crate::play::{Patience, Plan, PlayError, files, play};
use crate::report::DemoReport;
use crate::screen::Screen;

/// Cubes in the world.
const CUBES: u64 = 400;
/// A smoke test is short, and has one peer of each language.
const SMOKE_SECONDS: u32 = 5;
const SMOKE_PEERS: usize = 3;
/// Its second run, in which a divergence is planted at this tick.
const PLANTED_SECONDS: u32 = 3;
const PLANTED_TICK: u32 = 150;

/// A C++ host and peers in C++, C# and Rust share one 90 Hz session over QUIC, each a process of its own. Shows how
/// they do, then compares what each of them saw in every tick.
#[derive(Debug, Parser)]
#[command(name = "theta-demo", bin_name = "./x demo", version)]
struct Arguments {
    /// How long the peers stay.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many peers, 1 to 7; the languages take turns.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=7))]
    peers: u8,
    /// Write the results there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep the hashes and reports of every process in this folder.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Start nothing: judge the files of a folder that --keep wrote.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["keep", "smoke"])]
    check: Option<PathBuf>,
    /// A short run that lists every check, and proves that a forged hash and a planted divergence are found.
    #[arg(long, conflicts_with_all = ["seconds", "peers", "loss", "latency", "jitter", "plant_divergence"])]
    smoke: bool,
    /// Lose this percentage of each peer's packets, in each direction, under QUIC; 0 to 50.
    #[arg(long, value_name = "PCT", default_value_t = 0.0, value_parser = percent, conflicts_with = "check")]
    loss: f64,
    /// Hold each packet back for so many milliseconds, in each direction: a round trip takes twice that; 0 to 1000.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds, conflicts_with = "check")]
    latency: f64,
    /// Let that vary by so many milliseconds to either side, so that packets overtake each other; 0 to 1000.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds, conflicts_with = "check")]
    jitter: f64,
    /// Flip a bit of one value that a peer holds, from this tick of the host on (such as csharp-1@450): the hashes must
    /// find it, and the run fails.
    #[arg(long, value_name = "PEER@TICK", conflicts_with = "check")]
    plant_divergence: Option<String>,
    /// Start nothing: only look at the arguments.
    #[arg(long)]
    dry_run: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    from_zero_to(text, 50.0)
}

fn milliseconds(text: &str) -> Result<f64, String> {
    from_zero_to(text, 1000.0)
}

fn from_zero_to(text: &str, highest: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=highest).contains(&value) { Ok(value) } else { Err(format!("from 0 to {highest}")) }
}

impl Arguments {
    /// What is to be run.
    fn plan(&self) -> Result<Plan, String> {
        let (seconds, peers) =
            if self.smoke { (SMOKE_SECONDS, SMOKE_PEERS) } else { (self.seconds, usize::from(self.peers)) };
        let mut plan = Plan::new(f64::from(seconds), peers, CUBES);
        plan.network = Network { loss_percent: self.loss, latency_ms: self.latency, jitter_ms: self.jitter };
        let names: Vec<_> = plan.peers.iter().map(|peer| peer.name.as_str()).collect();
        let planted = self.plant_divergence.as_deref();
        plan.planted = planted.map(|text| Planted::parse(text, seconds, &names)).transpose()?;
        Ok(plan)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = arguments.plan().unwrap_or_else(|problem| {
        let problem = format!("--plant-divergence: {problem}");
        Arguments::command().error(clap::error::ErrorKind::InvalidValue, problem).exit()
    });
    if arguments.dry_run {
        return ExitCode::SUCCESS;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            eprintln!("theta-demo: cannot take signals: {error}");
            return ExitCode::FAILURE;
        }
    }
    let mut screen = Screen::new(arguments.smoke);
    // Before anything else: a file that cannot be written costs no run, and a run that is stopped leaves no older
    // run's results behind.
    if let Some(path) = &arguments.json
        && let Err(error) = DemoReport::of_nothing().write(path)
    {
        eprintln!("theta-demo: {error}");
        return ExitCode::FAILURE;
    }
    match run(&arguments, &plan, &mut screen, &stop) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            screen.clear();
            eprintln!("theta-demo: {error}");
            if let Some(play) = error.downcast_ref::<PlayError>() {
                for line in play.errors() {
                    eprintln!("    {line}");
                }
                if matches!(play, PlayError::Interrupted) {
                    return ExitCode::from(130);
                }
            }
            if arguments.smoke {
                println!("0 passed, 1 failed");
            }
            ExitCode::FAILURE
        }
    }
}

/// A folder for the files of a run; removed at the end unless somebody wants it.
struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    fn new(kept: Option<&Path>) -> std::io::Result<Self> {
        let path = kept.map_or_else(
            || std::env::temp_dir().join(format!("theta-demo-{}", std::process::id())),
            Path::to_owned,
        );
        std::fs::create_dir_all(&path)?;
        Ok(Self { path: path.canonicalize()?, is_kept: kept.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // A folder that stays behind in the system's temporary files does no harm.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn run(
    arguments: &Arguments,
    plan: &Plan,
    screen: &mut Screen,
    stop: &AtomicBool,
) -> Result<bool, Box<dyn std::error::Error>> {
    if let Some(folder) = &arguments.check {
        return conclude(arguments, folder, Vec::new(), screen);
    }
    let places = Places::find();
    let motion = places.motion();
    let processes = plan.peers.len() + 1;
    let title = format!("Theta: one world, {processes} processes, 90 ticks a second over QUIC");
    let title = screen.style().ink(Ink::Bold, &title);
    screen.say(&format!("\n {title}"));
    if let Some(network) = plan.network.describe() {
        screen.say(&format!(" on a bad network: {network}"));
    }
    let folder = Folder::new(arguments.keep.as_deref())?;
    // What an earlier run left there would be taken for this one's. Anything else in the folder is somebody's own.
    for path in files::all(&folder.path, plan) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot remove {}: {error}", path.display()).into());
            }
            _ => {}
        }
    }
    play(plan, &places, &motion, &folder.path, Patience::default(), screen, stop)?;
    let mut more = Vec::new();
    if arguments.smoke {
        more.push(verdict::forged_hash_is_found(&folder.path, plan)?);
        more.push(planted_divergence_is_found(&places, &motion, &folder.path, screen, stop)?);
    }
    conclude(arguments, &folder.path, more, screen)
}

/// A second, shorter run of one peer, in which a bit is flipped: it must be found, named and repaired.
fn planted_divergence_is_found(
    places: &Places,
    motion: &Motion,
    folder: &Path,
    screen: &mut Screen,
    stop: &AtomicBool,
) -> Result<Check, Box<dyn std::error::Error>> {
    let folder = Folder::new(Some(&folder.join("planted")))?;
    let mut plan = Plan::new(f64::from(PLANTED_SECONDS), 1, CUBES);
    let planted = Planted { peer: plan.peers[0].name.clone(), tick: PLANTED_TICK };
    plan.planted = Some(planted.clone());
    play(&plan, places, motion, &folder.path, Patience::default(), screen, stop)?;
    let (_, run) = verdict::load(&folder.path)?;
    let (passed, sentence) = run.planted_outcome(&planted);
    Ok(Check { passed, sentence })
}

/// Judges the files of a run, with what else was looked at, and tells it.
fn conclude(
    arguments: &Arguments,
    folder: &Path,
    more: Vec<Check>,
    screen: &mut Screen,
) -> Result<bool, Box<dyn std::error::Error>> {
    let (plan, run) = verdict::load(folder)?;
    let mut checks = run.checks();
    checks.extend(more);
    let ok = checks.iter().all(|check| check.passed);
    if let Some(path) = &arguments.json {
        run.report(ok).write(path)?;
    }
    screen.clear();
    let style = screen.style();
    for line in summary::summary(&run, &plan, &checks, summary::load().as_deref(), style) {
        screen.say(&line);
    }
    screen.say("");
    if arguments.smoke {
        tell_all(&checks, screen);
    }
    Ok(ok)
}

fn tell_all(checks: &[Check], screen: &mut Screen) {
    for check in checks {
        screen.say(&format!("{}: {}", if check.passed { "ok" } else { "FAILED" }, check.sentence));
    }
    let passed = checks.iter().filter(|check| check.passed).count();
    screen.say(&format!("{passed} passed, {} failed", checks.len() - passed));
}
