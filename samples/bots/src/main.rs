//! Bots: players without a headset, on the runtime's Rust API. Options, files and reports: samples/README.md.

mod bot;
mod components;
mod motion;
mod report;
mod tick_hash;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Parser};
use theta_sdk::core::schema::Registry;
use theta_sdk::core::schema::declare::register_collected;
use theta_sdk::core::session::ticket::Ticket;
use theta_sdk::runtime::{Runtime, RuntimeConfig};
use theta_sdk::transport::LinkConditions;

use crate::bot::{Bot, BotOptions, PATIENCE};
use crate::motion::Motion;

/// As the session ticks.
const FRAME_HZ: u32 = 90;
/// How long goodbyes may take.
const FAREWELL: Duration = Duration::from_millis(500);
const SHUTDOWN: Duration = Duration::from_secs(3);

/// Players without a headset: they join a session of the samples, play a recording and check every tick.
#[derive(Debug, Parser)]
#[command(name = "theta-bots", version, group(ArgGroup::new("where").required(true)))]
struct Arguments {
    /// The ticket itself.
    #[arg(long, group = "where")]
    ticket: Option<String>,
    /// A file with the ticket; waits up to 20 s for it.
    #[arg(long, group = "where")]
    ticket_file: Option<PathBuf>,
    /// How others see it (default: rust-INDEX); with --count the part before -INDEX.
    #[arg(long)]
    name: Option<String>,
    /// Recordings, with commas between them: index I plays number I modulo their count.
    #[arg(long, default_value = "builtin")]
    motion: String,
    /// Which motion to play, and where to stand.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9999))]
    index: u32,
    /// How many bots; each is a session of its own, with the indices from INDEX on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    count: u32,
    /// Seconds from the moment it is live; 0 = until SIGTERM or SIGINT.
    #[arg(long, default_value_t = 0.0, value_parser = seconds)]
    seconds: f64,
    /// Where a line per tick goes: tick and hash. With --count above 1, .INDEX is appended.
    #[arg(long)]
    hash_file: Option<PathBuf>,
    /// Where the report goes (JSON). With --count above 1, .INDEX is appended.
    #[arg(long)]
    report: Option<PathBuf>,
    /// A status line a second.
    #[arg(long)]
    live: bool,
    /// Percent of packets to lose, in each direction.
    #[arg(long, value_name = "PCT", default_value_t = 0.0, value_parser = percent)]
    loss: f64,
    /// Milliseconds to hold each packet back, in each direction: a round trip takes twice that.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds)]
    latency: f64,
    /// Milliseconds by which that varies to either side.
    #[arg(long, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds)]
    jitter: f64,
    /// From this tick on one value of a cube is wrong in the first bot, for the host to find; 0 = never.
    #[arg(long, value_name = "TICK", default_value_t = 0)]
    plant_divergence: u32,
}

fn percent(text: &str) -> Result<f64, String> {
    from_zero_to(text, 100.0)
}

fn milliseconds(text: &str) -> Result<f64, String> {
    from_zero_to(text, 10_000.0)
}

fn from_zero_to(text: &str, highest: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=highest).contains(&value) { Ok(value) } else { Err(format!("from 0 to {highest}")) }
}

fn seconds(text: &str) -> Result<f64, String> {
    from_zero_to(text, 1e6)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("theta-bots: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let motion = Arc::new(Motion::load(&arguments.motion)?);
    let text = match (&arguments.ticket, &arguments.ticket_file) {
        (Some(ticket), _) => ticket.clone(),
        (None, Some(path)) => wait_for_ticket(path, &stop)?,
        (None, None) => return Err("give either --ticket or --ticket-file".into()),
    };
    let ticket = Ticket::parse(text.trim())?;
    let mut registry = Registry::new();
    register_collected(&mut registry)?;
    let schema = Arc::new(registry.freeze()?);
    let runtime = Runtime::start(RuntimeConfig::default())?;
    runtime.link_conditioner().set(LinkConditions {
        loss_ppm: (arguments.loss * 1e4).round() as u32,
        latency_us: (arguments.latency * 1e3).round() as u32,
        jitter_us: (arguments.jitter * 1e3).round() as u32,
        seed: u64::from(arguments.index),
        ..LinkConditions::default()
    });
    let mut bots = (0..arguments.count)
        .map(|n| Bot::join(&runtime, &schema, &ticket, &motion, options_of(arguments, n)))
        .collect::<Result<Vec<_>, _>>()?;

    let played = play(&mut bots, arguments.seconds, &stop);
    bots.iter_mut().for_each(Bot::leave);
    let until = Instant::now() + FAREWELL;
    // Each is asked every time: asking is also how it hears.
    while !bots.iter_mut().fold(true, |all, bot| bot.has_left() & all) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    for bot in &mut bots {
        bot.finish()?;
    }
    drop(bots);
    runtime.shutdown(SHUTDOWN);
    played
}

/// The frame loop, against absolute deadlines, so that sleeping too long once does not shift the rest.
fn play(bots: &mut [Bot], seconds: f64, stop: &AtomicBool) -> Result<(), Box<dyn std::error::Error>> {
    let period = Duration::from_secs(1) / FRAME_HZ;
    let mut due = Instant::now();
    let mut second_ends = due + Duration::from_secs(1);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        // Ten frames behind is a stall, not jitter: go on from here instead of running them all at once.
        due = if now > due + 10 * period { now + period } else { due + period };
        for bot in &mut *bots {
            bot.frame()?;
        }
        if now >= second_ends {
            second_ends += Duration::from_secs(1);
            for bot in &mut *bots {
                bot.each_second()?;
            }
        }
        if seconds > 0.0 && bots.iter().all(|bot| bot.seconds_live() >= seconds) {
            break;
        }
    }
    Ok(())
}

fn options_of(arguments: &Arguments, n: u32) -> BotOptions {
    let index = arguments.index + n;
    let several = arguments.count > 1;
    let name = match &arguments.name {
        Some(name) if !several => name.clone(),
        name => format!("{}-{index}", name.as_deref().unwrap_or("rust")),
    };
    let path = |path: &Option<PathBuf>| {
        path.as_ref().map(|path| {
            let mut path = OsString::from(path);
            if several {
                path.push(format!(".{index}"));
            }
            PathBuf::from(path)
        })
    };
    let (hash_file, report) = (path(&arguments.hash_file), path(&arguments.report));
    let divergence_tick = if n == 0 { arguments.plant_divergence } else { 0 };
    BotOptions { name, index, hash_file, report, live: arguments.live, divergence_tick }
}

/// The ticket from a file that the server may not have written yet.
fn wait_for_ticket(path: &Path, stop: &AtomicBool) -> Result<String, String> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        // The server writes it under another name first, so what is here is whole.
        if let Ok(text) = std::fs::read_to_string(path)
            && !text.trim().is_empty()
        {
            return Ok(text);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("no ticket in {} within {} s", path.display(), PATIENCE.as_secs()))
}
