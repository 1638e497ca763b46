//! The processes of a run.
//!
//! For: starting samples, hearing what they print, and ending them. No process outlives a [`Crew`], however the run
//! ends. Called by the run alone.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Lines of a process's messages that are kept: the last ones say why it ended.
const KEPT_LINES: usize = 40;

/// How long the last messages of a process that has ended may be under way.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(2);

/// A process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// Nobody built it.
    #[error("there is no {}: run ./x demo, which builds it", .0.display())]
    Missing(PathBuf),
    /// The system refuses.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// What.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Post {
    /// What others call it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A line that a process printed, or the end of one of its two streams.
struct Line {
    member: usize,
    is_error: bool,
    text: Option<String>,
}

struct Member {
    name: String,
    child: Child,
    errors: VecDeque<String>,
    errors_ended: bool,
    heard: Instant,
    status: Option<ExitStatus>,
}

/// Processes, in the order in which they were started.
pub struct Crew {
    members: Vec<Member>,
    lines: Receiver<Line>,
    sender: Sender<Line>,
}

/// Passes lines on until the process closes its end.
fn listen(stream: impl Read + Send + 'static, member: usize, is_error: bool, sender: Sender<Line>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(bytes) = line else { break };
            let text = Some(String::from_utf8_lossy(&bytes).into_owned());
            if sender.send(Line { member, is_error, text }).is_err() {
                return;
            }
        }
        // An error means that the crew is gone.
        let _ = sender.send(Line { member, is_error, text: None });
    });
}

impl Crew {
    /// Nobody yet.
    pub fn new() -> Self {
        let (sender, lines) = channel();
        Self { members: Vec::new(), lines, sender }
    }

    /// Starts one more; gives its number.
    pub fn start(&mut self, post: &Post, environment: &[(&str, &Path)]) -> Result<usize, CrewError> {
        if !post.program.is_file() {
            return Err(CrewError::Missing(post.program.clone()));
        }
        let mut child = Command::new(&post.program)
            .args(&post.arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in the terminal is for us, and we end them.
            .process_group(0)
            .spawn()
            .map_err(|source| CrewError::Start { program: post.program.clone(), source })?;
        let number = self.members.len();
        if let Some(stream) = child.stdout.take() {
            listen(stream, number, false, self.sender.clone());
        }
        if let Some(stream) = child.stderr.take() {
            listen(stream, number, true, self.sender.clone());
        }
        self.members.push(Member {
            name: post.name.clone(),
            child,
            errors: VecDeque::new(),
            errors_ended: false,
            heard: Instant::now(),
            status: None,
        });
        Ok(number)
    }

    /// The lines on stdout that came within `wait` or earlier: who, and what.
    pub fn hear(&mut self, wait: Duration) -> Vec<(usize, String)> {
        let mut all = Vec::new();
        let mut next = self.lines.recv_timeout(wait).ok();
        while let Some(line) = next {
            let member = &mut self.members[line.member];
            member.heard = Instant::now();
            let Some(text) = line.text else {
                member.errors_ended |= line.is_error;
                next = self.lines.try_recv().ok();
                continue;
            };
            if line.is_error {
                if member.errors.len() == KEPT_LINES {
                    member.errors.pop_front();
                }
                member.errors.push_back(text);
            } else {
                all.push((line.member, text));
            }
            next = self.lines.try_recv().ok();
        }
        all
    }

    /// How a member ended; `None` while it runs.
    pub fn ended(&mut self, member: usize) -> Option<ExitStatus> {
        let member = &mut self.members[member];
        if member.status.is_none() {
            member.status = member.child.try_wait().ok().flatten();
        }
        member.status
    }

    /// For how long a member has said nothing.
    pub fn silence(&self, member: usize) -> Duration {
        self.members[member].heard.elapsed()
    }

    /// The last lines that a member printed on stderr; all of them, when it has ended.
    pub fn errors(&mut self, member: usize) -> Vec<String> {
        // What it printed last may still be under way. A child of its own may hold the stream open.
        let until = Instant::now() + LAST_WORDS_WAIT;
        while self.ended(member).is_some() && !self.members[member].errors_ended && Instant::now() < until {
            self.hear(Duration::from_millis(20));
        }
        self.hear(Duration::ZERO);
        self.members[member].errors.iter().cloned().collect()
    }

    /// Asks a member to end (SIGTERM) and waits for it; `None` when it has not ended by then.
    pub fn ask_to_end(&mut self, member: usize, patience: Duration) -> Option<ExitStatus> {
        if self.ended(member).is_none()
            && let Some(pid) = i32::try_from(self.members[member].child.id()).ok().and_then(Pid::from_raw)
        {
            // An error means that it has just ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + patience;
        while self.ended(member).is_none() && Instant::now() < until {
            self.hear(Duration::from_millis(20));
        }
        self.ended(member)
    }

    /// What a member is called.
    pub fn name(&self, member: usize) -> &str {
        &self.members[member].name
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            if member.status.is_none() {
                // Errors mean that it is gone already, which is what we want.
                let _ = member.child.kill();
                let _ = member.child.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Post {
        let arguments = vec!["-c".into(), script.into()];
        Post { name: name.to_owned(), program: "/bin/sh".into(), arguments }
    }

    fn wait(crew: &mut Crew, member: usize) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = crew.ended(member) {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "it does not end");
            crew.hear(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_they_say_and_how_they_end() {
        let mut crew = Crew::new();
        let fine = crew.start(&shell("fine", "echo hello; exit 0"), &[]).expect("starts");
        let bad = crew.start(&shell("bad", "echo $WHY >&2; exit 3"), &[("WHY", Path::new("because"))]);
        let bad = bad.expect("starts");
        let mut heard = Vec::new();
        let began = Instant::now();
        while heard.is_empty() && began.elapsed() < Duration::from_secs(10) {
            heard = crew.hear(Duration::from_millis(5));
        }
        assert_eq!(heard, [(fine, "hello".to_owned())]);
        assert!(wait(&mut crew, fine).success());
        assert_eq!(wait(&mut crew, bad).code(), Some(3));
        assert_eq!(crew.errors(bad), ["because"]);
        assert_eq!(crew.name(bad), "bad");
    }

    #[test]
    fn only_the_last_messages_are_kept() {
        let mut crew = Crew::new();
        let loud =
            crew.start(&shell("loud", "for i in $(seq 100); do echo $i >&2; done"), &[]).expect("starts");
        wait(&mut crew, loud);
        let errors = crew.errors(loud);
        assert_eq!((errors.len(), errors.last().map(String::as_str)), (KEPT_LINES, Some("100")));
    }

    #[test]
    fn some_end_when_they_are_asked_and_others_when_the_crew_ends() {
        let mut crew = Crew::new();
        let polite = crew.start(&shell("polite", "trap 'exit 0' TERM; while :; do sleep 0.05; done"), &[]);
        let polite = polite.expect("starts");
        let deaf = crew.start(&shell("deaf", "trap '' TERM; echo on; while :; do sleep 0.05; done"), &[]);
        let deaf = deaf.expect("starts");
        while crew.hear(Duration::from_millis(5)).is_empty() {}
        assert!(crew.ask_to_end(polite, Duration::from_secs(10)).is_some());
        assert!(crew.ask_to_end(deaf, Duration::from_millis(200)).is_none());
        let pid = Pid::from_raw(crew.members[deaf].child.id() as i32).expect("a process");
        drop(crew);
        assert!(rustix::process::test_kill_process(pid).is_err(), "nobody outlives the crew");
    }

    #[test]
    fn a_program_that_nobody_built_is_named() {
        let post = Post { name: "x".into(), program: "/no/such/program".into(), arguments: vec![] };
        let error = Crew::new().start(&post, &[]).expect_err("refused").to_string();
        assert!(error.contains("/no/such/program") && error.contains("./x demo"), "{error}");
    }
}
