//! Sessions under fire: a network that loses, delays and reorders under QUIC, and a replica that was spoiled on purpose.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::sessions::*;
use theta_core::schema::component_id;
use theta_core::types::{EntityId, Tick};
use theta_sdk::runtime::{
    EventKind, HostSession, JoinOptions, JoinSession, RuntimeError, SessionState, now_ns,
};
use theta_sdk::transport::LinkConditions;

/// What the demo is asked to bear: 2 % lost, 30 ms each way, give or take 10 ms.
const BAD: LinkConditions =
    LinkConditions { loss_ppm: 20_000, latency_us: 30_000, jitter_us: 10_000, rate_bytes_per_s: 0, seed: 1 };

/// A host in real time and one who joined it; every frame is compared as it comes.
struct Play {
    host: HostSession,
    joined: JoinSession,
    bodies: Vec<EntityId>,
    folds: BTreeMap<Tick, u64>,
    compared: Vec<Tick>,
    differing: Vec<Tick>,
    host_events: Vec<EventKind>,
    events: Vec<EventKind>,
}

impl Play {
    fn turn(&mut self) {
        for _ in 0..self.host.ticks_due(now_ns(), 8) {
            let tick = self.host.world().tick().0 + 1;
            move_bodies(&mut self.host, &self.bodies[..self.bodies.len() / 2], tick);
            let tick = self.host.tick().expect("ticks");
            self.folds.insert(tick, self.host.newest_frame().expect("a frame").frame.fold());
        }
        while let Some(published) = self.joined.next_frame() {
            let tick = published.frame.tick;
            if let Some(fold) = self.folds.get(&tick) {
                self.compared.push(tick);
                if published.frame.fold() != *fold {
                    self.differing.push(tick);
                }
            }
        }
        self.host_events.extend(host_events(&mut self.host));
        self.events.extend(events_of(&mut self.joined));
        std::thread::sleep(Duration::from_millis(1));
    }

    fn play(&mut self, seconds: f64) {
        let until = now_ns() + (seconds * 1e9) as u64;
        while now_ns() < until {
            self.turn();
        }
    }

    /// Were so many of the host's ticks whole at the other before a later one was?
    fn assert_share_above(&self, least: f64) {
        let (came, all) = (self.compared.len(), self.folds.len());
        assert!(came as f64 > least * all as f64, "{came} of {all} ticks came whole and in time");
    }

    /// Plays on until `check` gives something.
    fn until<T>(&mut self, what: &str, mut check: impl FnMut(&Self) -> Option<T>) -> T {
        let began = now_ns();
        loop {
            if let Some(found) = check(self) {
                return found;
            }
            assert!(now_ns() - began < common::PATIENCE.as_nanos() as u64, "waited in vain for: {what}");
            self.turn();
        }
    }
}

/// Half of the bodies move, half rest.
fn play(host: HostSession, joined: JoinSession, bodies: Vec<EntityId>) -> Play {
    Play {
        host,
        joined,
        bodies,
        folds: BTreeMap::new(),
        compared: Vec::new(),
        differing: Vec::new(),
        host_events: Vec::new(),
        events: Vec::new(),
    }
}

#[test]
fn a_bad_network_takes_its_time_and_changes_no_bit() {
    let (here, there) = (runtime(), runtime());
    let mut host = dev_host(&here);
    let bodies = spawn_bodies(&mut host, 150);
    there.link_conditioner().set(BAD);
    let joined = join(&there, &host, "far away");
    until_live(&mut host, &[&joined]);
    let mut play = play(host, joined, bodies);
    play.play(4.0);

    let link = play.joined.statistics().expect("a link");
    assert!(link.rtt_p50_us >= 54_000, "both directions take their 30 ms: {link:?}");
    assert!(link.rtt_p99_us > link.rtt_p50_us + 2000, "and not always the same: {link:?}");
    let counters = there.link_conditioner().counters();
    assert!(counters.lost > 0 && counters.held > 20 * counters.lost, "{counters:?}");
    assert_eq!(counters.overflowed, 0);
    // One packet a tick: one of fifty is lost, and one of ten is overtaken by the next tick's.
    play.assert_share_above(0.75);
    assert_eq!(play.differing, []);
    let wrong =
        |event: &EventKind| matches!(event, EventKind::Diverged { .. } | EventKind::Disconnected { .. });
    assert!(!play.host_events.iter().chain(&play.events).any(wrong), "{:?}", play.events);

    // The network mends while the session goes on.
    there.link_conditioner().set(LinkConditions::default());
    play.until("a short round trip", |play| {
        play.joined.statistics().is_some_and(|link| link.rtt_us < 30_000).then_some(())
    });
}

#[test]
fn loss_and_jitter_do_not_close_the_path_to_ticks_of_several_packets() {
    let (here, there) = (runtime(), runtime());
    let mut host = dev_host(&here);
    let bodies = spawn_bodies(&mut host, 1600);
    there.link_conditioner().set(BAD);
    let joined = join(&there, &host, "far away");
    until_live(&mut host, &[&joined]);
    let mut play = play(host, joined, bodies);
    play.play(5.0);
    // A congestion control that takes loss and lateness for a full network lets a thirtieth of the ticks through.
    play.assert_share_above(0.75);
    assert_eq!(play.differing, []);
    let link = play.joined.statistics().expect("a link");
    assert!(link.packets_received > 4 * play.folds.len() as u64 / 2, "ticks of several packets: {link:?}");
}

#[test]
fn a_path_too_narrow_shows_old_ticks_and_no_wrong_ones_and_a_wider_one_shows_all() {
    let (here, there) = (runtime(), runtime());
    let mut host = dev_host(&here);
    let bodies = spawn_bodies(&mut host, 1600);
    let joined = join(&there, &host, "at the end of a wire");
    until_live(&mut host, &[&joined]);
    let mut play = play(host, joined, bodies);
    // Half of what the state takes.
    let narrow = LinkConditions { rate_bytes_per_s: 200_000, ..LinkConditions::default() };
    there.link_conditioner().set(narrow);
    play.play(4.0);
    assert!(there.link_conditioner().counters().overflowed > 0);
    assert_eq!(play.joined.info().state, SessionState::Live);
    there.link_conditioner().set(LinkConditions::default());
    play.play(1.0);
    let since = play.folds.keys().next_back().copied().expect("ticks");
    play.play(2.0);
    let (came, all) = (
        play.compared.iter().filter(|tick| **tick > since).count(),
        play.folds.range(since.next()..).count(),
    );
    assert!(came * 10 > all * 9, "{came} of {all} ticks came once there was room");
    assert_eq!(play.differing, []);
}

#[test]
fn a_network_that_loses_everything_lets_nobody_in_and_says_so() {
    let (here, there) = (runtime(), runtime());
    let host = dev_host(&here);
    there.link_conditioner().set(LinkConditions { loss_ppm: 1_000_000, ..LinkConditions::default() });
    let mut joined = join(&there, &host, "nobody");
    until("the end of the attempt", || (joined.info().state == SessionState::Closed).then_some(()));
    assert!(matches!(
        &events_of(&mut joined)[..],
        [.., EventKind::Disconnected { .. }, _] | [.., EventKind::Disconnected { .. }]
    ));
    assert!(host.peers().is_empty());
}

#[test]
fn a_planted_divergence_is_found_named_and_repaired() {
    let (here, there) = (runtime(), runtime());
    let mut host = dev_host(&here);
    let bodies = spawn_bodies(&mut host, 70);
    let options = JoinOptions { manual_loaded: true, ..JoinOptions::new(host.ticket()) };
    let mut early = there.join(schema(), options).expect("a session");
    let life = component_id(LIFE);
    until("admission", || (early.info().state == SessionState::Admitted).then_some(()));
    assert!(matches!(early.plant_divergence(life, 1), Err(RuntimeError::NotLive)));
    early.loaded();
    until_live(&mut host, &[&early]);
    let mut play = play(host, early, bodies);
    play.play(0.5);
    assert_eq!((play.differing.len(), play.compared.is_empty()), (0, false));

    play.joined.plant_divergence(life, 1).expect("live");
    let (component, field, tick, text) = play.until("a divergence", |play| {
        play.host_events.iter().find_map(|event| match event {
            EventKind::Diverged { divergence, .. } => {
                let text = divergence.text.clone();
                Some((divergence.component, divergence.field, divergence.tick, text))
            }
            _ => None,
        })
    });
    assert_eq!((component, field), (life, 1));
    assert!(text.contains(LIFE) && text.contains("life"), "{text}");
    play.until("the repair", |play| {
        let repaired = |event: &EventKind| matches!(event, EventKind::Repaired { .. });
        (play.events.iter().any(repaired) && play.host_events.iter().any(repaired)).then_some(())
    });
    assert!(play.differing.contains(&tick), "the tick that was named was wrong: {:?}", play.differing);
    let wrong = play.differing.len();
    let before = play.compared.len();
    play.until("forty more ticks", |play| (play.compared.len() > before + 40).then_some(()));
    assert_eq!(play.differing.len(), wrong, "right again");
    let spoiled = play.host.peers()[0].info.peer;
    let at_host = play.host.statistics(spoiled).expect("a link");
    assert_eq!((at_host.repairs, at_host.divergences), (1, 1), "{at_host:?}");
    assert_eq!(play.joined.statistics().expect("a link").repairs, 1);

    // A component that nobody has cannot be spoiled, and nothing happens.
    play.joined.plant_divergence(component_id("test.nothing"), 1).expect("live");
    play.play(0.3);
    assert_eq!(play.differing.len(), wrong);
    play.joined.leave();
    until("gone", || play.joined.info().state.is_over().then_some(()));
    assert!(matches!(play.joined.plant_divergence(life, 1), Err(RuntimeError::Disconnected)));
}
