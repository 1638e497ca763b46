//! Sessions that outlive their network, in real time over QUIC: another source port in mid-session, another socket, a
//! silence longer than a link lives, and a headset that is taken off.

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::sessions::*;
use theta_core::types::Tick;
use theta_sdk::runtime::{EventKind, HostSession, JoinOptions, JoinSession, SessionState, now_ns};

/// What stands between a client and the world: it forwards UDP from a source port of its own, changes that port, and
/// swallows everything for a while.
struct Relay {
    address: SocketAddr,
    orders: Arc<Orders>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    ends: AtomicBool,
    is_silent: AtomicBool,
    /// How often to change the source port.
    changes: AtomicU64,
    /// Source ports used.
    ports: AtomicU64,
}

impl Relay {
    fn before(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").expect("a front socket");
        front.set_nonblocking(true).expect("set");
        let address = front.local_addr().expect("an address");
        let orders = Arc::new(Orders::default());
        let given = Arc::clone(&orders);
        let thread = std::thread::spawn(move || forward(&front, server, &given));
        Self { address, orders, thread: Some(thread) }
    }

    fn change_port(&self) {
        let used = self.orders.ports.load(Ordering::SeqCst);
        self.orders.changes.fetch_add(1, Ordering::SeqCst);
        until("another source port", || (self.orders.ports.load(Ordering::SeqCst) > used).then_some(()));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.orders.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn forward(front: &UdpSocket, server: SocketAddr, orders: &Orders) {
    let fresh = || {
        let back = UdpSocket::bind("127.0.0.1:0").expect("a back socket");
        back.set_nonblocking(true).expect("set");
        orders.ports.fetch_add(1, Ordering::SeqCst);
        back
    };
    let (mut back, mut client, mut changed) = (fresh(), None, 0);
    let mut bytes = vec![0; 65_536];
    while !orders.ends.load(Ordering::SeqCst) {
        let changes = orders.changes.load(Ordering::SeqCst);
        if changes != changed {
            changed = changes;
            back = fresh();
        }
        let is_silent = orders.is_silent.load(Ordering::SeqCst);
        let mut is_idle = true;
        while let Ok((length, from)) = front.recv_from(&mut bytes) {
            is_idle = false;
            client = Some(from);
            if !is_silent {
                let _ = back.send_to(&bytes[..length], server);
            }
        }
        while let Ok((length, _)) = back.recv_from(&mut bytes) {
            is_idle = false;
            if let Some(client) = client.filter(|_| !is_silent) {
                let _ = front.send_to(&bytes[..length], client);
            }
        }
        if is_idle {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

/// A host, a session that reaches it through a relay, and what both were told.
struct Scene {
    _runtime: theta_sdk::runtime::Runtime,
    host: HostSession,
    joined: JoinSession,
    relay: Relay,
    bodies: Vec<theta_core::types::EntityId>,
    told_host: Vec<EventKind>,
    told: Vec<EventKind>,
    frames: u64,
}

impl Scene {
    fn new() -> Self {
        let runtime = runtime();
        let mut host = dev_host(&runtime);
        let bodies = spawn_bodies(&mut host, 20);
        let mut ticket = host.ticket();
        let server = ticket.endpoint.parse().expect("an address");
        let relay = Relay::before(server);
        ticket.endpoint = relay.address.to_string();
        let options = JoinOptions { name: "somebody".to_owned(), ..JoinOptions::new(ticket) };
        let joined = runtime.join(schema(), options).expect("a session");
        let (told, told_host) = (Vec::new(), Vec::new());
        let mut scene = Self { _runtime: runtime, host, joined, relay, bodies, told_host, told, frames: 0 };
        scene.play_until("live", |scene| scene.joined.info().state == SessionState::Live);
        scene.play_for(Duration::from_millis(300));
        scene
    }

    fn step(&mut self) {
        for _ in 0..self.host.ticks_due(now_ns(), 8) {
            let tick = self.host.world().tick().0 + 1;
            move_bodies(&mut self.host, &self.bodies, tick);
            self.host.tick().expect("ticks");
        }
        while self.joined.next_frame().is_some() {
            self.frames += 1;
        }
        self.told.extend(events_of(&mut self.joined));
        self.told_host.extend(host_events(&mut self.host));
        std::thread::sleep(Duration::from_millis(1));
    }

    fn play_for(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.step();
        }
    }

    fn play_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < Duration::from_secs(40), "waited in vain for: {what}");
            self.step();
        }
    }

    fn states(&self) -> Vec<SessionState> {
        let told = self.told.iter().filter_map(|event| match event {
            EventKind::StateChanged(state) => Some(*state),
            _ => None,
        });
        told.collect()
    }

    /// Both follow the same world, and nobody was ever told that somebody had left or differed.
    fn assert_goes_on(&mut self) {
        let (frames, place) = (self.frames, self.joined.info().local_peer);
        self.play_for(Duration::from_millis(600));
        assert!(self.frames > frames + 20, "{} frames in 0.6 s", self.frames - frames);
        let info = self.joined.info();
        assert_eq!((info.state, info.local_peer), (SessionState::Live, place));
        let behind = self.host.world().tick().since(info.tick);
        assert!(behind < 30, "{behind} ticks behind");
        assert!(info.confirmed_tick > Tick(0));
        let bad = |event: &&EventKind| {
            matches!(
                event,
                EventKind::PeerLeft { .. } | EventKind::Diverged { .. } | EventKind::Disconnected { .. }
            )
        };
        assert_eq!(self.told_host.iter().find(bad).map(|event| format!("{event:?}")), None);
        assert_eq!(self.told.iter().find(bad).map(|event| format!("{event:?}")), None);
        let admitted = self.told.iter().filter(|event| matches!(event, EventKind::Admitted { .. })).count();
        assert_eq!(admitted, 1);
    }

    fn was_away(&self) -> bool {
        self.told_host.iter().any(|event| matches!(event, EventKind::PeerAway { .. }))
    }
}

#[test]
fn another_source_port_in_mid_session_goes_unnoticed() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.relay.change_port();
        scene.assert_goes_on();
    }
    assert_eq!(scene.relay.orders.ports.load(Ordering::SeqCst), 4);
    assert!(!scene.was_away(), "{:?}", scene.states());
    assert!(!scene.states().contains(&SessionState::Away));
}

#[test]
fn another_network_is_gone_on_from_at_once() {
    let mut scene = Scene::new();
    scene.joined.network_changed();
    scene.assert_goes_on();
    scene.joined.network_changed();
    scene.assert_goes_on();
    assert!(!scene.was_away() && !scene.states().contains(&SessionState::Away), "{:?}", scene.states());
}

#[test]
fn a_silence_longer_than_a_link_lives_is_slept_through() {
    let mut scene = Scene::new();
    scene.relay.orders.is_silent.store(true, Ordering::SeqCst);
    scene.play_until("the loss", |scene| scene.joined.info().state == SessionState::Away && scene.was_away());
    assert_eq!(scene.host.peers()[0].state, SessionState::Away);
    scene.play_for(Duration::from_millis(500));
    scene.relay.orders.is_silent.store(false, Ordering::SeqCst);
    scene.play_until("live again", |scene| scene.joined.info().state == SessionState::Live);
    scene.assert_goes_on();
    assert!(scene.told_host.iter().any(|event| matches!(event, EventKind::PeerBack(_))));
    assert_eq!(scene.host.peers()[0].state, SessionState::Live);
    let states = scene.states();
    let last = &states[states.len() - 2..];
    assert_eq!(last, [SessionState::Resuming, SessionState::Live], "{states:?}");
}

#[test]
fn a_headset_that_is_taken_off_keeps_its_place() {
    let mut scene = Scene::new();
    scene.joined.suspend();
    scene.play_until("away", |scene| scene.was_away() && scene.joined.info().state == SessionState::Away);
    scene.play_for(Duration::from_millis(200));
    let frames = scene.frames;
    scene.play_for(Duration::from_millis(500));
    assert_eq!(scene.frames, frames, "nothing is sent to nobody");
    scene.joined.resume();
    scene.play_until("live again", |scene| scene.joined.info().state == SessionState::Live);
    scene.assert_goes_on();
    let states = scene.states();
    let last = &states[states.len() - 3..];
    assert_eq!(last, [SessionState::Away, SessionState::Resuming, SessionState::Live], "{states:?}");
}
