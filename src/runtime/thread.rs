//! The I/O thread of a runtime: it runs the sessions' drivers, each of which fails alone, and it ends in time.
//!
//! A panic in a driver is the end of its session. A panic in what the sessions share, the thread itself, is the end of
//! the runtime: every session is told ([`Supervised`]) and no new one starts.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::event::{EventKind, EventSink};
use super::published::{SessionState, Shared};
use super::{MAX_SESSIONS, RuntimeError};
use crate::transport::LinkConditioner;

/// The name of the thread, as debuggers and reports show it.
const THREAD_NAME: &str = "theta-io";
/// How long a detached runtime goes on to tell the other sides that it ends.
const DETACHED_GRACE: Duration = Duration::from_millis(500);
/// After the sessions' deadline, how long the thread itself may take to end.
const THREAD_GRACE: Duration = Duration::from_millis(200);

/// How to start a runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeConfig {
    /// No thread: the application calls [`Runtime::step`] instead, often. For servers with a loop of their own,
    /// consoles and tests.
    pub host_driven: bool,
}

/// What a shutdown did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Threads that have ended.
    pub threads_joined: usize,
    /// Names of those that had not by the deadline.
    pub threads_left: Vec<String>,
    /// Sessions that were open and are closed now.
    pub sessions_closed: usize,
}

struct Running {
    handle: tokio::runtime::Handle,
    /// Open sessions and their tasks.
    sessions: Vec<(Arc<Shared>, tokio::task::JoinHandle<()>)>,
    mode: Mode,
}

enum Mode {
    Thread {
        stop: oneshot::Sender<Stop>,
        done: mpsc::Receiver<()>,
        thread: JoinHandle<()>,
    },
    /// The application's steps drive it.
    Stepped(Box<tokio::runtime::Runtime>),
}

/// The order to end.
struct Stop {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    deadline: tokio::time::Instant,
}

/// Why the thread ended before it was told to: what its panic said.
type Fault = Arc<OnceLock<String>>;

/// One I/O thread (or none) and the sessions on it. Dropping it is as [`Runtime::detach`].
pub struct Runtime {
    running: Mutex<Option<Running>>,
    conditioner: LinkConditioner,
    fault: Fault,
    /// Makes the thread panic, for tests.
    #[cfg(any(test, feature = "test-panics"))]
    breaker: Arc<tokio::sync::Notify>,
}

impl core::fmt::Debug for Runtime {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Runtime").finish_non_exhaustive()
    }
}

fn reactor() -> Result<tokio::runtime::Runtime, RuntimeError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RuntimeError::Thread)
}

impl Runtime {
    /// Starts the thread.
    pub fn start(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let reactor = reactor()?;
        let handle = reactor.handle().clone();
        let fault = Fault::default();
        #[cfg(any(test, feature = "test-panics"))]
        let breaker = Arc::new(tokio::sync::Notify::new());
        let mode = if config.host_driven {
            Mode::Stepped(Box::new(reactor))
        } else {
            let (stop, stopped) = oneshot::channel();
            let (tell, done) = mpsc::channel();
            let life = serve(stopped);
            #[cfg(any(test, feature = "test-panics"))]
            let life = unless_broken(life, Arc::clone(&breaker));
            let fault = Arc::clone(&fault);
            let thread = std::thread::Builder::new()
                .name(THREAD_NAME.to_owned())
                .spawn(move || {
                    let served = std::panic::catch_unwind(AssertUnwindSafe(|| reactor.block_on(life)));
                    if let Err(panic) = served {
                        // Before the sessions are dropped, which say it to the application.
                        let _ = fault.set(panic_text(panic));
                    }
                    // Name resolution may still have a blocking thread; it ends by itself.
                    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| reactor.shutdown_background()));
                    let _ = tell.send(());
                })
                .map_err(RuntimeError::Thread)?;
            Mode::Thread { stop, done, thread }
        };
        Ok(Self {
            running: Mutex::new(Some(Running { handle, sessions: Vec::new(), mode })),
            conditioner: LinkConditioner::default(),
            fault,
            #[cfg(any(test, feature = "test-panics"))]
            breaker,
        })
    }

    /// The network that the sockets of all sessions of this runtime are on, to make it a bad one: each packet is subject
    /// to it on its way out and on its way in, also those of sessions that run already. A link is as bad as both its
    /// ends make it together.
    pub const fn link_conditioner(&self) -> &LinkConditioner {
        &self.conditioner
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // Only engine threads take this lock, and none panics under it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `set_up` inside the reactor (sockets bind there), then starts the driver it returns.
    pub(super) fn launch<T, D>(
        &self,
        set_up: impl FnOnce() -> Result<(T, Arc<Shared>, D), RuntimeError>,
    ) -> Result<T, RuntimeError>
    where
        D: Drive,
    {
        let mut running = self.running();
        let running = running.as_mut().ok_or(RuntimeError::ShutDown)?;
        if let Some(text) = self.fault.get() {
            return Err(RuntimeError::Faulted(text.clone()));
        }
        running.sessions.retain(|(_, task)| !task.is_finished());
        if running.sessions.len() >= MAX_SESSIONS {
            return Err(RuntimeError::Limit { what: "sessions of one runtime", limit: MAX_SESSIONS });
        }
        let _inside = running.handle.enter();
        let (session, shared, driver) = set_up()?;
        let task = running.handle.spawn(supervise(driver, Arc::clone(&shared), Arc::clone(&self.fault)));
        running.sessions.push((shared, task));
        Ok(session)
    }

    /// Host-driven runtimes: does what is due now, and waits up to `wait` for more (zero never waits). Call it often;
    /// nothing moves between calls. One thread at a time; starting a session waits until a step is over.
    pub fn step(&self, wait: Duration) -> Result<(), RuntimeError> {
        match self.running().as_ref() {
            None => Err(RuntimeError::ShutDown),
            Some(Running { mode: Mode::Stepped(reactor), .. }) => {
                reactor.block_on(async {
                    // Every task gets turns, and the reactor looks at its sockets between them.
                    for _ in 0..16 {
                        tokio::task::yield_now().await;
                    }
                    if !wait.is_zero() {
                        tokio::time::sleep(wait).await;
                    }
                });
                Ok(())
            }
            Some(_) => Err(RuntimeError::NotHostDriven),
        }
    }

    /// Ends everything; with a deadline it waits, without one it does not. `release` is called in any case, as soon as
    /// it is known which sessions are open.
    pub(super) fn stop(&self, deadline: Option<Duration>, release: impl FnOnce()) -> ShutdownReport {
        let running = self.running().take();
        let Some(mut running) = running else {
            release();
            return ShutdownReport::default();
        };
        let until = Instant::now() + deadline.unwrap_or(DETACHED_GRACE);
        running.sessions.retain(|(_, task)| !task.is_finished());
        release();
        let (mut open, mut tasks) = (Vec::new(), Vec::new());
        for (shared, task) in running.sessions {
            shared.leave();
            open.push(shared);
            tasks.push(task);
        }
        let order = Stop { tasks, deadline: until.into() };
        let mut report = ShutdownReport::default();
        match running.mode {
            Mode::Thread { stop, done, thread } => {
                // A thread that is gone already has nothing to be told.
                let _ = stop.send(order);
                if deadline.is_some() {
                    let patience = until.saturating_duration_since(Instant::now()) + THREAD_GRACE;
                    // An error other than a timeout means that the thread has ended, too.
                    if matches!(done.recv_timeout(patience), Err(mpsc::RecvTimeoutError::Timeout)) {
                        report.threads_left.push(THREAD_NAME.to_owned());
                    } else {
                        let _ = thread.join();
                        report.threads_joined = 1;
                    }
                }
            }
            Mode::Stepped(reactor) => {
                if deadline.is_some() {
                    reactor.block_on(finish(order));
                }
                reactor.shutdown_background();
            }
        }
        for shared in open {
            report.sessions_closed += usize::from(shared.state().is_over());
            // Whoever was cut off by the deadline is over as well.
            if deadline.is_some() && report.threads_left.is_empty() && !shared.state().is_over() {
                shared.update_standing(|standing| standing.state = SessionState::Closed);
            }
        }
        report
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop(None, || {});
    }
}

/// The thread's life: until it is told to end, or its runtime is gone.
async fn serve(stopped: oneshot::Receiver<Stop>) {
    if let Ok(order) = stopped.await {
        finish(order).await;
    }
}

async fn finish(order: Stop) {
    let all = async {
        for task in order.tasks {
            let _ = task.await;
        }
    };
    let _ = tokio::time::timeout_at(order.deadline, all).await;
}

/// The I/O thread's side of one session.
pub(super) trait Drive: Send + 'static {
    /// Runs the session to its end.
    fn run(&mut self) -> impl Future<Output = ()> + Send;
    /// Where its events go.
    fn events(&mut self) -> &mut EventSink;
}

/// A driver and the promise that its session is told how it ended.
struct Supervised<D: Drive> {
    /// None once its end has been told.
    driver: Option<D>,
    shared: Arc<Shared>,
    runtime_fault: Fault,
}

impl<D: Drive> Supervised<D> {
    /// The session is over because of a panic.
    fn tell_fault(&mut self, text: String) {
        let Some(driver) = &mut self.driver else { return };
        self.shared.update_standing(|standing| standing.state = SessionState::Faulted);
        driver.events().push(EventKind::StateChanged(SessionState::Faulted));
        driver.events().push(EventKind::Faulted { text });
    }

    fn end(&mut self) {
        let driver = self.driver.take();
        // Dropping what a panic left behind may panic again.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(move || drop(driver)));
    }
}

impl<D: Drive> Drop for Supervised<D> {
    fn drop(&mut self) {
        // Cut off in the middle: by a deadline, which tells the application itself, or with the whole thread.
        if let Some(text) = self.runtime_fault.get()
            && !self.shared.state().is_over()
        {
            self.tell_fault(format!("the runtime's thread panicked: {text}"));
        }
        self.end();
    }
}

/// Runs a driver; a panic in it is the end of this session and of nothing else. A future from the start, so that one
/// that is dropped before its first turn tells its end, too.
fn supervise<D: Drive>(
    driver: D,
    shared: Arc<Shared>,
    runtime_fault: Fault,
) -> impl Future<Output = ()> + Send {
    let mut supervised = Supervised { driver: Some(driver), shared, runtime_fault };
    async move {
        let outcome = {
            let Some(driver) = &mut supervised.driver else { return };
            let mut run = std::pin::pin!(driver.run());
            std::future::poll_fn(move |context| {
                match std::panic::catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
                    Ok(poll) => poll.map(Ok),
                    Err(panic) => std::task::Poll::Ready(Err(panic)),
                }
            })
            .await
        };
        if let Err(panic) = outcome {
            supervised.tell_fault(panic_text(panic));
        } else if !supervised.shared.state().is_over() {
            supervised.shared.update_standing(|standing| standing.state = SessionState::Closed);
        }
        supervised.end();
    }
}

/// What a panic said.
fn panic_text(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or("no text", |text| text).to_owned(),
    }
}

/// The thread's life with a panic in it, on demand.
#[cfg(any(test, feature = "test-panics"))]
async fn unless_broken(life: impl Future<Output = ()>, breaker: Arc<tokio::sync::Notify>) {
    tokio::select! {
        () = life => {}
        () = breaker.notified() => panic!("on purpose"),
    }
}

#[cfg(any(test, feature = "test-panics"))]
impl Runtime {
    /// Makes the thread panic outside of any session.
    pub(crate) fn break_thread(&self) {
        self.breaker.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{self, EventSource};
    use super::super::published::Standing;
    use super::*;
    use theta_core::schema::Registry;

    /// A session that panics when it is woken, or leaves when it is told to.
    struct Fake {
        panics: bool,
        events: EventSink,
        shared: Arc<Shared>,
    }

    impl Drive for Fake {
        async fn run(&mut self) {
            let shared = Arc::clone(&self.shared);
            while !shared.is_leaving() {
                shared.wake.notified().await;
                assert!(!self.panics, "on purpose");
            }
        }

        fn events(&mut self) -> &mut EventSink {
            &mut self.events
        }
    }

    fn launch(runtime: &Runtime, panics: bool) -> (EventSource, Arc<Shared>) {
        let launched = runtime.launch(|| {
            let schema = Arc::new(Registry::new().freeze().expect("a schema"));
            let (events, source) = event::channel();
            let dropped = events.dropped_count();
            let standing = Standing { state: SessionState::Live, ..Standing::default() };
            let shared = Shared::new(true, schema, dropped, [0; 32], [0; 32], None, standing);
            let driver = Fake { panics, events, shared: Arc::clone(&shared) };
            Ok(((source, Arc::clone(&shared)), shared, driver))
        });
        launched.expect("a session")
    }

    fn wait_for(shared: &Shared, state: SessionState) {
        let began = Instant::now();
        while shared.state() != state {
            assert!(began.elapsed() < Duration::from_secs(10), "{:?} instead of {state:?}", shared.state());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_panic_faults_its_session_and_no_other() {
        let runtime = Runtime::start(RuntimeConfig::default()).expect("a runtime");
        let (mut events, broken) = launch(&runtime, true);
        let (_, neighbour) = launch(&runtime, false);
        broken.wake.notify_one();
        wait_for(&broken, SessionState::Faulted);
        let mut texts = Vec::new();
        let began = Instant::now();
        while texts.is_empty() && began.elapsed() < Duration::from_secs(10) {
            texts.extend(std::iter::from_fn(|| events.pop()).filter_map(|event| match event.kind {
                EventKind::Faulted { text } => Some(text),
                _ => None,
            }));
        }
        assert_eq!(texts, ["on purpose"]);
        neighbour.wake.notify_one();
        let (_, later) = launch(&runtime, false);
        later.leave();
        wait_for(&later, SessionState::Closed);
        assert_eq!(neighbour.state(), SessionState::Live);
        let report = runtime.shutdown(Duration::from_secs(5));
        assert_eq!(report, ShutdownReport { threads_joined: 1, threads_left: vec![], sessions_closed: 1 });
        assert_eq!(neighbour.state(), SessionState::Closed);
        assert_eq!(broken.state(), SessionState::Faulted);
    }

    #[test]
    fn a_panic_of_the_thread_is_told_by_every_session_and_ends_that_runtime_alone() {
        let (runtime, other) = (
            Runtime::start(RuntimeConfig::default()).expect("a runtime"),
            Runtime::start(RuntimeConfig::default()).expect("another"),
        );
        let (mut one, first) = launch(&runtime, false);
        let (mut two, second) = launch(&runtime, false);
        let (_, elsewhere) = launch(&other, false);
        runtime.break_thread();
        for (events, shared) in [(&mut one, &first), (&mut two, &second)] {
            wait_for(shared, SessionState::Faulted);
            let began = Instant::now();
            let text = loop {
                match events.pop().map(|event| event.kind) {
                    Some(EventKind::Faulted { text }) => break text,
                    _ => assert!(began.elapsed() < Duration::from_secs(10), "nobody was told"),
                }
            };
            assert_eq!(text, "the runtime's thread panicked: on purpose");
        }
        let refused = runtime.launch::<(), Fake>(|| unreachable!("a faulted runtime starts nothing"));
        assert!(matches!(refused, Err(RuntimeError::Faulted(text)) if text == "on purpose"));
        let report = runtime.shutdown(Duration::from_secs(5));
        assert_eq!((report.threads_joined, report.threads_left.len()), (1, 0));
        assert_eq!(first.state(), SessionState::Faulted);

        assert_eq!(elsewhere.state(), SessionState::Live);
        let (_, later) = launch(&other, false);
        later.leave();
        wait_for(&later, SessionState::Closed);
    }

    /// A session that does not end when it is told to.
    struct Deaf(EventSink);

    impl Drive for Deaf {
        async fn run(&mut self) {
            std::future::pending::<()>().await;
        }

        fn events(&mut self) -> &mut EventSink {
            &mut self.0
        }
    }

    #[test]
    fn the_deadline_ends_what_does_not_end_by_itself() {
        let runtime = Runtime::start(RuntimeConfig::default()).expect("a runtime");
        let deaf = runtime
            .launch(|| {
                let schema = Arc::new(Registry::new().freeze().expect("a schema"));
                let (events, _) = event::channel();
                let dropped = events.dropped_count();
                let shared = Shared::new(true, schema, dropped, [0; 32], [0; 32], None, Standing::default());
                Ok((Arc::clone(&shared), shared, Deaf(events)))
            })
            .expect("a session");
        let began = Instant::now();
        let report = runtime.shutdown(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(report, ShutdownReport { threads_joined: 1, threads_left: vec![], sessions_closed: 0 });
        assert_eq!(deaf.state(), SessionState::Closed);
    }
}
