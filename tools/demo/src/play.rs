//! One run: starts the host and the peers, watches them until the last peer has ended, ends the host.
//!
//! Must never wait for a process that will not come: whoever ends early, fails, or falls silent ends the run with a
//! sentence that names it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::adversity::{Network, Planted};
use crate::compare::{Comparison, HashFile, HashFileError, HostTicks};
use crate::crew::{Crew, CrewError, Post};
use crate::places::{Motion, Places};
use crate::screen::{PeerView, Screen, Stage, View};
use crate::status::Status;

/// What one peer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPlan {
    /// As others see it; ends in its index.
    pub name: String,
    /// `cpp`, `csharp`, `rust`.
    pub language: String,
}

/// What is to be run; kept beside the files of the run, so that it can be judged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How long each peer is live.
    pub seconds: f64,
    /// Cubes in the world.
    pub cubes: u64,
    /// The peers.
    pub peers: Vec<PeerPlan>,
    /// What the network of each peer does to its packets.
    #[serde(default)]
    pub network: Network,
    /// A divergence that is planted on purpose.
    #[serde(default)]
    pub planted: Option<Planted>,
}

/// Enough for every language, and for seven peers two of C++, two of C# and one of Rust.
const LANGUAGES: [&str; 3] = ["cpp", "csharp", "rust"];

impl Plan {
    /// Peers of all languages in turn.
    pub fn new(seconds: f64, peers: usize, cubes: u64) -> Self {
        let peer = |index: usize| {
            let language = LANGUAGES[index % LANGUAGES.len()].to_owned();
            PeerPlan { name: format!("{language}-{index}"), language }
        };
        let peers = (0..peers).map(peer).collect();
        Self { seconds, cubes, peers, network: Network::default(), planted: None }
    }
}

/// The files of a run.
pub mod files {
    use super::{HOST, Path, PathBuf, Plan};

    /// All that a run writes.
    pub fn all(folder: &Path, plan: &Plan) -> Vec<PathBuf> {
        let names = plan.peers.iter().map(|peer| peer.name.as_str()).chain([HOST]);
        let mut all: Vec<_> = names.flat_map(|name| [hashes(folder, name), report(folder, name)]).collect();
        all.extend([super::files::plan(folder), ticket(folder)]);
        all
    }

    /// Where the host says how to join.
    pub fn ticket(folder: &Path) -> PathBuf {
        folder.join("ticket")
    }

    /// The plan.
    pub fn plan(folder: &Path) -> PathBuf {
        folder.join("run.json")
    }

    /// Hashes of the host or a peer.
    pub fn hashes(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.hashes"))
    }

    /// The report of the host or a peer.
    pub fn report(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.json"))
    }
}

/// The host's name among the processes.
pub const HOST: &str = "host";

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a process says its first word: starting takes time, and peers wait 20 s for the ticket themselves.
    pub start: Duration,
    /// Between words; each says one a second.
    pub silence: Duration,
    /// To end, once it is time.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(25),
            silence: Duration::from_secs(10),
            end: Duration::from_secs(15),
        }
    }
}

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// Ctrl-C, or its like.
    #[error("stopped")]
    Interrupted,
    /// A process cannot be started.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// A hash file is none.
    #[error(transparent)]
    Hashes(#[from] HashFileError),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A process ended with an error, or too early.
    #[error("{name} ended {when} with {status}")]
    Ended {
        /// Who.
        name: String,
        /// The last tick it spoke of.
        when: String,
        /// How.
        status: ExitStatus,
        /// The last that it printed.
        errors: Vec<String>,
    },
    /// A process hangs.
    #[error("{name} hangs: nothing was heard from it for {seconds} s, {when}")]
    Silent {
        /// Who.
        name: String,
        /// How long.
        seconds: u64,
        /// The last tick it spoke of.
        when: String,
        /// The last that it printed.
        errors: Vec<String>,
    },
    /// A process does not end.
    #[error("{name} does not end: its time was over {seconds} s ago, {when}")]
    Endless {
        /// Who.
        name: String,
        /// How long.
        seconds: u64,
        /// The last tick it spoke of.
        when: String,
        /// The last that it printed.
        errors: Vec<String>,
    },
}

impl PlayError {
    /// What the process that failed printed last.
    pub fn errors(&self) -> &[String] {
        match self {
            Self::Ended { errors, .. } | Self::Silent { errors, .. } | Self::Endless { errors, .. } => errors,
            _ => &[],
        }
    }
}

fn when(tick: Option<u32>) -> String {
    tick.map_or_else(|| "before its first tick".to_owned(), |tick| format!("after tick {tick}"))
}

fn words(list: &[(&str, &dyn AsRef<std::ffi::OsStr>)]) -> Vec<OsString> {
    list.iter().flat_map(|(name, value)| [OsString::from(name), value.as_ref().to_owned()]).collect()
}

fn server_post(plan: &Plan, places: &Places, folder: &Path) -> Post {
    // Should we be killed without a chance to end it, it ends by itself.
    let seconds = (plan.seconds + 120.0).to_string();
    let (peers, cubes) = (plan.peers.len().to_string(), plan.cubes.to_string());
    let mut arguments = words(&[
        ("--bind", &"127.0.0.1:0"),
        ("--ticket-file", &files::ticket(folder)),
        ("--peers", &peers),
        ("--cubes", &cubes),
        ("--seconds", &seconds),
        ("--hash-file", &files::hashes(folder, HOST)),
        ("--report", &files::report(folder, HOST)),
    ]);
    arguments.push("--live".into());
    Post { name: HOST.to_owned(), program: places.server(), arguments }
}

fn peer_post(plan: &Plan, index: usize, places: &Places, folder: &Path, motion: &Motion) -> Post {
    let PeerPlan { name, language } = &plan.peers[index];
    let (number, seconds) = (index.to_string(), plan.seconds.to_string());
    let mut arguments = words(&[
        ("--ticket-file", &files::ticket(folder)),
        ("--name", name),
        ("--motion", &motion.list),
        ("--index", &number),
        ("--seconds", &seconds),
        ("--hash-file", &files::hashes(folder, name)),
        ("--report", &files::report(folder, name)),
    ]);
    arguments.push("--live".into());
    arguments.extend(plan.network.options());
    if let Some(planted) = plan.planted.as_ref().filter(|planted| planted.peer == *name) {
        arguments.extend(words(&[("--plant-divergence", &planted.tick.to_string())]));
    }
    Post { name: name.clone(), program: places.client(language), arguments }
}

/// The hashes that are there so far, compared as they come, for the screen.
struct Follower {
    host: (HashFile, HostTicks),
    peers: Vec<(HashFile, Comparison)>,
}

impl Follower {
    fn new(plan: &Plan, folder: &Path) -> Self {
        let file = |name: &str| HashFile::new(&files::hashes(folder, name));
        Self {
            host: (file(HOST), HostTicks::default()),
            peers: plan.peers.iter().map(|peer| (file(&peer.name), Comparison::default())).collect(),
        }
    }

    fn follow(&mut self, view: &mut View) -> Result<(), HashFileError> {
        let (file, host) = &mut self.host;
        host.add(file.read_new()?);
        for ((file, comparison), shown) in self.peers.iter_mut().zip(&mut view.peers) {
            comparison.add(file.read_new()?);
            comparison.settle(host);
            (shown.compared, shown.diverged) = (comparison.compared, comparison.diverged);
        }
        Ok(())
    }
}

/// The processes and what is known of them; number 0 is the host.
struct Watch<'a> {
    crew: Crew,
    plan: &'a Plan,
    patience: Patience,
    view: View,
    began: Instant,
    /// When every peer was live.
    all_live: Option<Instant>,
    /// The host's first word: its tick rate counts from there.
    first_word: Option<(Instant, u32)>,
}

impl Watch<'_> {
    fn when(&self, member: usize) -> String {
        when(match member.checked_sub(1) {
            None => self.view.server.map(|server| server.tick),
            Some(peer) => self.view.peers[peer].status.tick,
        })
    }

    fn ended(&mut self, member: usize, status: ExitStatus) -> PlayError {
        let (name, errors) = (self.crew.name(member).to_owned(), self.crew.errors(member));
        PlayError::Ended { name, when: self.when(member), status, errors }
    }

    fn listen(&mut self) {
        for (member, line) in self.crew.hear(Duration::from_millis(100)) {
            match (Status::parse(&line), member.checked_sub(1)) {
                (Some(Status::Server(status)), None) => {
                    let now = Instant::now();
                    let (since, tick) = *self.first_word.get_or_insert((now, status.tick));
                    let seconds = now.duration_since(since).as_secs_f64();
                    let ticks = f64::from(status.tick.saturating_sub(tick));
                    self.view.tick_hz = (seconds > 0.5).then(|| ticks / seconds);
                    self.view.server = Some(status);
                }
                (Some(Status::Client(status)), Some(peer)) => {
                    let shown = &mut self.view.peers[peer];
                    shown.stage = if status.is_live { Stage::Live } else { Stage::Joining };
                    shown.status = status;
                }
                _ => {}
            }
        }
        if self.all_live.is_none() && self.view.peers.iter().all(|peer| peer.stage >= Stage::Live) {
            // Their first status comes a second after they are live.
            self.all_live = Instant::now().checked_sub(Duration::from_secs(1));
        }
        self.view.elapsed = self.all_live.map(|since| since.elapsed().as_secs_f64().min(self.plan.seconds));
    }

    /// Looks after every process; true when all peers have ended as they should.
    fn look(&mut self) -> Result<bool, PlayError> {
        // The host first: without it the peers fail as well, and theirs would be the wrong sentence.
        if let Some(status) = self.crew.ended(0) {
            return Err(self.ended(0, status));
        }
        for peer in 0..self.view.peers.len() {
            match self.crew.ended(peer + 1) {
                Some(status) if status.success() => self.view.peers[peer].stage = Stage::Done,
                Some(status) => return Err(self.ended(peer + 1, status)),
                None => {}
            }
        }
        for member in 0..=self.view.peers.len() {
            let (is_done, has_spoken) = match member.checked_sub(1) {
                None => (false, self.view.server.is_some()),
                Some(peer) => {
                    let stage = self.view.peers[peer].stage;
                    (stage == Stage::Done, stage > Stage::Starting)
                }
            };
            if is_done {
                continue;
            }
            let silence = self.crew.silence(member);
            let limit = if has_spoken { self.patience.silence } else { self.patience.start };
            let time = Duration::from_secs_f64(self.plan.seconds) + self.patience.start;
            let over = self.began.elapsed().saturating_sub(time);
            if silence <= limit && over <= self.patience.end {
                continue;
            }
            let (name, errors) = (self.crew.name(member).to_owned(), self.crew.errors(member));
            let when = self.when(member);
            return Err(if silence > limit {
                PlayError::Silent { name, seconds: silence.as_secs(), when, errors }
            } else if member > 0 {
                PlayError::Endless { name, seconds: over.as_secs(), when, errors }
            } else {
                continue; // the host goes on as long as a peer does
            });
        }
        Ok(self.view.peers.iter().all(|peer| peer.stage == Stage::Done))
    }
}

/// Plays a plan; its files are in `folder` afterwards.
pub fn play(
    plan: &Plan,
    places: &Places,
    motion: &Motion,
    folder: &Path,
    patience: Patience,
    screen: &mut Screen,
    stop: &AtomicBool,
) -> Result<(), PlayError> {
    let path = files::plan(folder);
    serde_json::to_string(plan)
        .map_err(std::io::Error::from)
        .and_then(|text| std::fs::write(&path, text + "\n"))
        .map_err(|source| PlayError::Write { path, source })?;

    let mut crew = Crew::new();
    let environment = [("THETA_LIBRARY_DIR", places.library.as_path())];
    crew.start(&server_post(plan, places, folder), &environment)?;
    for index in 0..plan.peers.len() {
        crew.start(&peer_post(plan, index, places, folder, motion), &environment)?;
    }
    let peers = plan.peers.iter().map(|peer| PeerView::new(&peer.name, &peer.language)).collect();
    let mut watch = Watch {
        crew,
        plan,
        patience,
        view: View { seconds: plan.seconds, motion: motion.what.clone(), peers, ..View::default() },
        began: Instant::now(),
        all_live: None,
        first_word: None,
    };
    let mut follower = Follower::new(plan, folder);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(PlayError::Interrupted);
        }
        watch.listen();
        let all_done = watch.look()?;
        if screen.is_due() || all_done {
            follower.follow(&mut watch.view)?;
            screen.show(&watch.view);
        }
        if all_done {
            break;
        }
    }
    match watch.crew.ask_to_end(0, patience.end) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(watch.ended(0, status)),
        None => Err(PlayError::Endless {
            name: HOST.to_owned(),
            seconds: patience.end.as_secs(),
            when: watch.when(0),
            errors: watch.crew.errors(0),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_peers_are_of_every_language() {
        let plan = Plan::new(20.0, 7, 400);
        let count = |language: &str| plan.peers.iter().filter(|peer| peer.language == language).count();
        assert!(count("csharp") >= 2 && count("cpp") >= 2 && count("rust") >= 1, "{plan:?}");
        assert_eq!(plan.peers[4].name, "csharp-4");
        let text = serde_json::to_string(&plan).expect("writes");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("reads"), plan);
    }
}
