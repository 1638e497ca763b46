//! Many peers' worth of room: 64 bots on one host over the memory transport, with real I/O threads. Everybody joins, every
//! tick of everybody is compared, some leave and others come, and what the host spends on each stays within its budget.
//!
//! A file of its own: it counts the bytes of the whole process. `./x test --long` plays ten times as long.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::sessions::*;
use theta_core::session::input::{InputSample, POSE_VALID, Pose};
use theta_core::types::{EntityId, PeerId, Tick};
use theta_core::world::SpawnDesc;
use theta_sdk::runtime::{
    EventKind, HostOptions, HostSession, JoinOptions, JoinSession, LinkStatistics, Runtime, SessionState,
};

/// Bots at once.
const BOTS: usize = 64;
/// Who joins at once: a host has so many handshakes open at most, and turns the others away for a while.
const JOINING: usize = 16;
/// Ticks of the short form, after everybody is there.
const TICKS: u32 = 240;
/// Every so many ticks some leave and as many come.
const TICKS_PER_CHANGE: u32 = 40;
/// How many.
const CHANGING: usize = 4;
/// Bodies that rest, besides one for each bot.
const RESTING: usize = 200;
/// Ticks until buffers have the size that they keep.
const WARM_UP_TICKS: u32 = 80;
/// What a link may cost on average, in bytes per tick: 4 for each of 64 bodies whose three coordinates move a little, and 128
/// for chunk headers, envelope and heartbeats.
const BUDGET_BYTES_PER_TICK: u64 = 64 * 4 + 128;
/// By how much the process may grow after the warm-up, in bytes: less than one peer's history.
const MOST_GROWTH_BYTES: usize = 8 << 20;
/// Until a tick is complete at every bot.
const TICK_PATIENCE: Duration = Duration::from_secs(20);

/// The system's allocator, counting.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A player whose head is its body.
struct Bot {
    session: JoinSession,
    name: String,
    /// The newest tick that was compared; zero before the first.
    compared: Tick,
    /// Deltas flow: from the second frame on every tick comes. Those between the join snapshot and its acknowledgement do
    /// not.
    is_following: bool,
    compared_ticks: u32,
}

impl Bot {
    fn join(runtime: &Runtime, host: &HostSession, name: String) -> Self {
        let door = host.door().expect("a host in memory").clone();
        let options = JoinOptions { door: Some(door), name: name.clone(), ..JoinOptions::new(host.ticket()) };
        let session = runtime.join(schema(), options).expect("a session");
        Self { session, name, compared: Tick::ZERO, is_following: false, compared_ticks: 0 }
    }

    /// Compares what became complete; every tick must be there, one after the other.
    fn compare(&mut self, folds: &BTreeMap<Tick, u64>) {
        while let Some(published) = self.session.next_frame() {
            let (tick, fold) = (published.frame.tick, published.frame.fold());
            if self.is_following {
                assert_eq!(tick, self.compared.next(), "{} missed a tick", self.name);
            }
            self.is_following = self.compared > Tick::ZERO;
            // The join snapshot may be of a tick before the first that was noted.
            if let Some(expected) = folds.get(&tick) {
                assert_eq!(fold, *expected, "{} differs at {tick}", self.name);
                self.compared_ticks += 1;
            }
            self.compared = tick;
        }
        for event in events_of(&mut self.session) {
            let wrong = matches!(
                event,
                EventKind::Diverged { .. } | EventKind::Disconnected { .. } | EventKind::Faulted { .. }
            );
            assert!(!wrong, "{}: {event:?}", self.name);
        }
    }

    fn is_live(&self) -> bool {
        self.session.info().state == SessionState::Live
    }

    /// Stands on a circle, somewhere else in each tick.
    fn play(&mut self, n: usize, tick: u32) {
        let position = orbit(n, tick);
        let head = Pose { position, flags: POSE_VALID, ..Pose::default() };
        let poses = [head, Pose::default(), Pose::default()];
        let sample = InputSample { sampled_at_us: u64::from(tick), poses, ..InputSample::default() };
        self.session.send_input(sample).expect("live");
    }
}

/// The host and who is with it.
struct Room {
    host: HostSession,
    bots: Vec<Bot>,
    bodies: BTreeMap<PeerId, EntityId>,
    folds: BTreeMap<Tick, u64>,
    inputs_seen: u64,
    joined: usize,
    left: usize,
}

impl Room {
    /// What a host's application does in a tick.
    fn tick(&mut self) -> Tick {
        for event in host_events(&mut self.host) {
            match event {
                EventKind::PeerJoined(info) => {
                    let first = row([0.0; 3], [0.0; 3]);
                    let components = [(body(), Some(first.as_slice()))];
                    let desc =
                        SpawnDesc { owner: info.peer, components: &components, ..SpawnDesc::default() };
                    let entity = self.host.world_mut().spawn(&desc).expect("spawns");
                    self.bodies.insert(info.peer, entity);
                    self.joined += 1;
                }
                EventKind::PeerLeft { peer, .. } => {
                    let entity = self.bodies.remove(&peer).expect("it was here");
                    self.host.world_mut().despawn(entity).expect("despawns");
                    self.left += 1;
                }
                EventKind::PeerLive(_) => {}
                other => panic!("{other:?}"),
            }
        }
        for (peer, entity) in &self.bodies {
            if let Ok(Some(input)) = self.host.newest_input(*peer) {
                let values = row(input.poses[0].position, [0.0; 3]);
                self.host.world_mut().write_rows(body(), None, &[*entity], &values, 24).expect("writes");
                self.inputs_seen += 1;
            }
        }
        let tick = self.host.tick().expect("ticks");
        self.folds.insert(tick, self.host.newest_frame().expect("a frame").frame.fold());
        self.folds.retain(|old, _| old.0 + 200 > tick.0);
        tick
    }

    /// Plays a tick and waits until it is complete at every bot that is live.
    fn play(&mut self) {
        let tick = self.tick();
        for (n, bot) in self.bots.iter_mut().enumerate() {
            if bot.is_live() {
                bot.play(n, tick.0);
            }
        }
        let began = Instant::now();
        loop {
            let mut waits_for = None;
            for bot in &mut self.bots {
                bot.compare(&self.folds);
                if bot.is_following && bot.compared < tick {
                    waits_for = Some(bot.name.clone());
                }
            }
            let Some(name) = waits_for else { return };
            assert!(began.elapsed() < TICK_PATIENCE, "{name} never completed {tick}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Plays on until everybody is live and has a body.
    fn until_all_live(&mut self) {
        let began = Instant::now();
        while self.bodies.len() != self.bots.len() || !self.bots.iter().all(|bot| bot.is_following) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{} of {} are there",
                self.bodies.len(),
                self.bots.len()
            );
            self.play();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn links(&self) -> BTreeMap<PeerId, LinkStatistics> {
        self.bodies.keys().filter_map(|peer| Some((*peer, self.host.statistics(*peer)?))).collect()
    }
}

#[test]
fn sixty_four_bots_share_a_world_come_and_go_and_stay_within_their_budget() {
    let ticks = if std::env::var_os("THETA_LONG").is_some() { 10 * TICKS } else { TICKS };
    let began = Instant::now();
    let (here, there) = (runtime(), runtime());
    let options = HostOptions {
        dev_mode: true,
        in_memory: true,
        max_peers: BOTS as u16,
        tick_rate_hz: 60,
        ..HostOptions::default()
    };
    let mut host = here.host(schema(), options).expect("a host");
    spawn_bodies(&mut host, RESTING);
    host.tick().expect("ticks");
    let mut room = Room {
        host,
        bots: Vec::new(),
        bodies: BTreeMap::new(),
        folds: BTreeMap::new(),
        inputs_seen: 0,
        joined: 0,
        left: 0,
    };
    while room.bots.len() < BOTS {
        for n in room.bots.len()..room.bots.len() + JOINING {
            let bot = Bot::join(&there, &room.host, format!("bot {n}"));
            room.bots.push(bot);
        }
        room.until_all_live();
    }
    let joined_after = began.elapsed();

    // One more is one too many, and hears so.
    let mut late = Bot::join(&there, &room.host, "one too many".to_owned());
    until("a refusal", || {
        let refused = |event: &EventKind| matches!(event, EventKind::Disconnected { .. });
        events_of(&mut late.session).iter().any(refused).then_some(())
    });
    drop(late);
    while host_events(&mut room.host).iter().any(|event| !matches!(event, EventKind::HandshakeFailed { .. }))
    {
    }

    let first = room.host.world().tick();
    let mut at_warm_up = None;
    let mut names = BOTS;
    while room.host.world().tick().0 < first.0 + ticks {
        let played = room.host.world().tick().0 - first.0;
        if played > 0 && played.is_multiple_of(TICKS_PER_CHANGE) {
            for n in 0..CHANGING {
                let mut gone = room.bots.swap_remove((names * 7 + n * 8) % room.bots.len());
                assert!(
                    gone.compared_ticks >= TICKS_PER_CHANGE / 2,
                    "{} compared {}",
                    gone.name,
                    gone.compared_ticks
                );
                gone.session.leave();
            }
            // A place is free once the host has heard of it.
            room.until_all_live();
            for _ in 0..CHANGING {
                let bot = Bot::join(&there, &room.host, format!("bot {names}"));
                room.bots.push(bot);
                names += 1;
            }
            room.until_all_live();
        }
        room.play();
        if at_warm_up.is_none() && played >= WARM_UP_TICKS {
            at_warm_up = Some(IN_USE.load(Relaxed));
        }
    }
    let changes = names - BOTS;
    assert!(changes >= CHANGING * 3, "{changes} came later");
    assert_eq!((room.joined, room.left), (BOTS + changes, changes), "everybody who came was let in");

    // The last half second without changes is what a link costs in steady play.
    let statistics_are_new = Duration::from_millis(150);
    std::thread::sleep(statistics_are_new);
    let (before, from) = (room.links(), room.host.world().tick());
    for _ in 0..40 {
        room.play();
    }
    std::thread::sleep(statistics_are_new);
    let (after, steady) = (room.links(), u64::from(room.host.world().tick().0 - from.0));
    assert_eq!(after.len(), BOTS);
    let mut most = 0;
    for (peer, now) in &after {
        let spent = (now.bytes_sent - before[peer].bytes_sent) / steady;
        assert!(spent <= BUDGET_BYTES_PER_TICK, "{peer:?} costs {spent} bytes a tick");
        most = most.max(spent);
        let troubles = (
            now.datagrams_purged,
            now.packets_dropped_bad,
            now.packets_dropped_replay,
            now.divergences,
            now.repairs,
        );
        assert_eq!(troubles, (0, 0, 0, 0, 0), "{peer:?}: {now:?}");
        assert!(now.inputs_received * 10 >= steady * 8, "{peer:?} was heard {} times", now.inputs_received);
        assert!(now.confirmed_tick > from, "{peer:?} was compared until {:?} only", now.confirmed_tick);
    }
    let grown = IN_USE.load(Relaxed).saturating_sub(at_warm_up.expect("warmed up"));
    assert!(grown <= MOST_GROWTH_BYTES, "the process grew by {grown} bytes in {ticks} ticks");
    println!(
        "{BOTS} bots were live after {joined_after:.1?}; {} ticks with {changes} changes took {:.1?}; at most {most} bytes a \
         tick and link; {} KiB in use, {} KiB more than after the warm-up",
        room.host.world().tick().0,
        began.elapsed(),
        IN_USE.load(Relaxed) >> 10,
        grown >> 10,
    );
    drop(room);
    for runtime in [there, here] {
        let report = runtime.shutdown(Duration::from_secs(10));
        assert_eq!((report.threads_joined, report.threads_left), (1, vec![]));
    }
}
