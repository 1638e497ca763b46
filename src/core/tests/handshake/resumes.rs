//! Away, back, and lost links: what comes back is what went, and nobody comes back as somebody else.

use theta_core::replication::Lifecycle;
use theta_core::session::keys::Identity;
use theta_core::session::{HostConfig, HostEvent, LinkInput, PeerEvent, PeerState};
use theta_core::types::{Lane, PeerId};
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::envelope;
use theta_core::wire::message::{
    BindingKind, Capability, CapabilityBit, Heartbeat, Message, Role, SessionControl, WireEnum,
};

use super::intruder::Intruder;
use super::venue::{Arrival, Venue, Way, binding, host_config, person};

const GRACE_MS: u64 = 4000;

/// A host, somebody whose link will be lost, and somebody who looks on.
struct Scene {
    venue: Venue,
    guest: usize,
    bystander: usize,
    slot: PeerId,
}

/// Who the guest is.
fn guest_key() -> Identity {
    person(3)
}

impl Scene {
    fn new() -> Self {
        Self::with(HostConfig { resume_grace_ms: GRACE_MS, ..host_config() })
    }

    fn with(config: HostConfig) -> Self {
        let mut venue = Venue::with(config);
        let guest = venue.welcome(3, Role::Editor);
        let slot = venue.host.peer_of(venue.guests[guest].link).expect("a member");
        let bystander = venue.welcome(4, Role::Viewer);
        venue.play(3);
        Self { venue, guest, bystander, slot }
    }

    fn token(&self) -> Vec<u8> {
        let token = self.venue.guests[self.guest].peer.resume_token().to_vec();
        assert_eq!(token.len(), 32);
        token
    }

    fn state(&self) -> PeerState {
        self.venue.guests[self.guest].peer.state()
    }

    /// Both ends learn that the link is gone.
    fn lose_link(&mut self) {
        let (now, link) = (self.venue.now, self.venue.guests[self.guest].link);
        let gone = LinkInput::Closed { code: DisconnectCode::LinkLost as u16, reason: "gone" };
        self.venue.host.handle(now, link, gone);
        self.venue.guests[self.guest].peer.handle(now, gone);
        self.venue.pump();
    }

    fn reconnect(&mut self) {
        let now = self.venue.now;
        assert!(self.venue.guests[self.guest].peer.reconnect(now));
        self.venue.pump();
        let bound = binding(BindingKind::Memory, 0x91);
        let link = self.venue.link(bound, false);
        self.venue.said.remove(&link);
        self.venue.guests[self.guest].link = link;
        let opened =
            LinkInput::Opened { binding: bound, max_datagram_bytes: 1150, is_loopback: false, source: None };
        self.venue.guests[self.guest].peer.handle(now, opened);
        self.venue.pump();
    }

    /// What the one who looks on was told of the other.
    fn told(&self) -> Vec<&'static str> {
        let events = self.venue.guests[self.bystander].events.iter();
        let told = events.filter_map(|event| match event {
            PeerEvent::PeerAway { peer, .. } if *peer == self.slot => Some("away"),
            PeerEvent::PeerBack(peer) if *peer == self.slot => Some("back"),
            PeerEvent::PeerLeft { peer, .. } if *peer == self.slot => Some("left"),
            PeerEvent::PeerJoined(info) if info.peer == self.slot => Some("joined"),
            _ => None,
        });
        told.collect()
    }

    fn spawned(&self) -> usize {
        let events = self.venue.guests[self.guest].events.iter();
        events.filter(|event| matches!(event, PeerEvent::Lifecycle(Lifecycle::Spawned { .. }))).count()
    }

    fn snapshots(&self) -> usize {
        let events = self.venue.guests[self.guest].events.iter();
        events.filter(|event| matches!(event, PeerEvent::JoinProgress { .. })).count()
    }

    /// It is where it was, has what it had, and follows the host.
    fn assert_in_place(&mut self) {
        self.venue.play(12);
        let guest = &self.venue.guests[self.guest];
        assert_eq!(guest.peer.state(), PeerState::Live, "{:?}", guest.ending());
        assert_eq!(self.venue.host.peer_of(guest.link), Some(self.slot));
        assert_eq!(guest.peer.replica().fold(self.venue.tick), Some(self.venue.fold()));
        assert_eq!(guest.peer.statistics().repairs, 0);
        assert_eq!(self.spawned(), 1, "nothing came twice");
        assert_eq!(self.venue.host.members().len(), 2);
    }

    /// Somebody with this key says hello with a token; nothing follows unless the host answers.
    fn knock(&mut self, key: &Identity, token: Vec<u8>) -> Intruder {
        let mut intruder = Intruder::knock(&mut self.venue, key, Role::Editor);
        let mut hello = intruder.hello();
        hello.client_key = guest_key().public_key();
        hello.resume_token = token;
        hello.last_tick = self.venue.tick;
        let answer = intruder.greet(&mut self.venue, hello);
        if let Some(acknowledge) = answer {
            let confirm = intruder.confirmation(&acknowledge);
            intruder.say(&mut self.venue, Lane::Control, &Message::SessionConfirm(confirm));
        }
        intruder
    }
}

#[test]
pub fn a_lost_link_is_resumed_in_place_with_what_changed() {
    let mut scene = Scene::new();
    let (snapshots, token) = (scene.snapshots(), scene.token());
    scene.lose_link();
    assert_eq!(scene.state(), PeerState::Away);
    assert!(scene.venue.guests[scene.guest].peer.wants_link());
    scene.venue.play(100);
    assert_eq!(scene.told(), ["joined", "away"]);
    assert_eq!(scene.venue.host.members().len(), 2);
    scene.reconnect();
    assert!(matches!(scene.state(), PeerState::Resuming | PeerState::Live));
    scene.assert_in_place();
    assert_eq!(scene.told(), ["joined", "away", "back"]);
    assert_eq!(scene.snapshots(), snapshots, "what changed, and no more");
    assert_eq!(scene.venue.guests[scene.guest].peer.epoch(), 2);
    assert_ne!(scene.token(), token);
    let admitted = scene.venue.guests[scene.guest]
        .events
        .iter()
        .filter(|event| matches!(event, PeerEvent::Admitted { .. }));
    assert_eq!(admitted.count(), 1, "the application was let in once");
    // And again, as often as it takes.
    for epoch in 3..6 {
        scene.lose_link();
        scene.venue.play(5);
        scene.reconnect();
        scene.assert_in_place();
        assert_eq!(scene.venue.guests[scene.guest].peer.epoch(), epoch);
    }
}

#[test]
fn a_baseline_that_was_purged_is_a_snapshot() {
    let mut scene = Scene::with(HostConfig { frozen_bytes: 1, ..host_config() });
    let snapshots = scene.snapshots();
    scene.lose_link();
    scene.venue.play(10);
    scene.reconnect();
    scene.assert_in_place();
    assert!(scene.snapshots() > snapshots);
    // On a link that lives, too.
    let now = scene.venue.now;
    assert!(scene.venue.guests[scene.guest].peer.suspend(now));
    scene.venue.play(10);
    let (now, snapshots) = (scene.venue.now, scene.snapshots());
    scene.venue.guests[scene.guest].peer.resume(now);
    scene.venue.pump();
    scene.assert_in_place();
    assert!(scene.snapshots() > snapshots);
}

#[test]
fn nobody_there_is_told_nothing_and_keeps_its_place() {
    let mut scene = Scene::new();
    let now = scene.venue.now;
    assert!(scene.venue.guests[scene.guest].peer.suspend(now));
    scene.venue.pump();
    assert_eq!(scene.state(), PeerState::Away);
    let packets = |scene: &Scene| {
        let packets = scene.venue.guests[scene.guest].packets(Way::ToGuest);
        packets.iter().filter(|(lane, _)| *lane == Lane::State).count()
    };
    let (before, snapshots) = (packets(&scene), scene.snapshots());
    scene.venue.play(100);
    assert_eq!(packets(&scene), before, "no deltas");
    assert_eq!(scene.told(), ["joined", "away"]);
    // Who comes now is told so.
    let late = scene.venue.welcome(5, Role::Viewer);
    let slot = scene.slot;
    let knows = |event: &PeerEvent| matches!(event, PeerEvent::PeerAway { peer, .. } if *peer == slot);
    assert!(scene.venue.guests[late].events.iter().any(knows));
    let now = scene.venue.now;
    scene.venue.guests[late].peer.leave("seen enough");
    scene.venue.guests[scene.guest].peer.resume(now);
    scene.venue.pump();
    assert_eq!(scene.state(), PeerState::Resuming);
    scene.assert_in_place();
    assert_eq!(scene.told(), ["joined", "away", "back"]);
    assert_eq!(scene.snapshots(), snapshots);
}

#[test]
fn a_place_is_kept_for_the_grace_window_and_no_longer() {
    let mut scene = Scene::new();
    let now = scene.venue.now;
    scene.venue.guests[scene.guest].peer.suspend(now);
    scene.venue.play(u32::try_from(GRACE_MS / 11 + 2).expect("small"));
    assert_eq!(scene.state(), PeerState::Closed);
    let ending = scene.venue.guests[scene.guest].ending();
    assert_eq!(ending.map(|(code, _)| code), Some(DisconnectCode::AwayTimeout));
    assert_eq!(scene.told(), ["joined", "away", "left"]);
    // Without a link nobody can be told; the token finds nothing any more.
    let mut scene = Scene::new();
    let token = scene.token();
    scene.lose_link();
    scene.venue.play(u32::try_from(GRACE_MS / 11 + 2).expect("small"));
    assert_eq!(scene.told(), ["joined", "away", "left"]);
    assert_eq!(scene.venue.host.members().len(), 1);
    let key = guest_key();
    let late = scene.knock(&key, token);
    assert_eq!(late.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
    scene.reconnect();
    let ending = scene.venue.guests[scene.guest].ending();
    assert_eq!(ending.map(|(code, _)| code), Some(DisconnectCode::ResumeRefused));
    scene.venue.assert_serves();
}

#[test]
pub fn a_token_without_its_key_opens_nothing() {
    let mut scene = Scene::new();
    let token = scene.token();
    // With a key of its own, in its own name.
    let mut thief = Intruder::knock(&mut scene.venue, &person(9), Role::Editor);
    let mut hello = thief.hello();
    hello.resume_token.clone_from(&token);
    assert_eq!(thief.greet(&mut scene.venue, hello), None);
    assert_eq!(thief.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
    // In the member's name, which it cannot prove. While the member is there, and while it is not.
    for is_lost in [false, true] {
        if is_lost {
            scene.lose_link();
        }
        let thief = scene.knock(&person(9), token.clone());
        assert_eq!(thief.ending(&scene.venue), Some(DisconnectCode::BadClientProof));
    }
    scene.reconnect();
    scene.assert_in_place();
    // With a token that nobody was given.
    let key = guest_key();
    for unknown in [vec![7; 32], vec![7], vec![7; 256]] {
        let guess = scene.knock(&key, unknown);
        assert_eq!(guess.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
    }
    scene.assert_in_place();
}

#[test]
pub fn a_token_lives_until_the_first_packet_under_its_successor() {
    let mut scene = Scene::new();
    let (first, key) = (scene.token(), guest_key());
    // The answer to a resume may be lost with its link: the token is good until the peer is known to have the next one.
    let lost = scene.knock(&key, first.clone());
    assert_eq!(lost.ending(&scene.venue), None);
    assert_eq!(scene.state(), PeerState::Closed, "the older link was fenced");
    let mut again = scene.knock(&key, first.clone());
    assert_eq!(again.ending(&scene.venue), None);
    assert_eq!(lost.ending(&scene.venue), Some(DisconnectCode::Replaced));
    again.agree(3);
    again.say(&mut scene.venue, Lane::Control, &Message::Heartbeat(Heartbeat::default()));
    assert_eq!(again.ending(&scene.venue), None, "epoch 3 it is");
    let replayed = scene.knock(&key, first);
    assert_eq!(replayed.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
    assert_eq!(again.ending(&scene.venue), None, "and nobody was put out for it");
    assert_eq!(scene.told(), ["joined"], "the others noticed nothing");
}

#[test]
fn of_two_that_come_back_at_once_one_does() {
    let mut scene = Scene::new();
    let (token, key) = (scene.token(), guest_key());
    scene.lose_link();
    let mut offers = Vec::new();
    for _ in 0..2 {
        let mut intruder = Intruder::knock(&mut scene.venue, &key, Role::Editor);
        let mut hello = intruder.hello();
        hello.resume_token.clone_from(&token);
        let acknowledge = intruder.greet(&mut scene.venue, hello).expect("an offer");
        let confirm = intruder.confirmation(&acknowledge);
        offers.push((intruder, confirm));
    }
    for (intruder, confirm) in &mut offers {
        let confirm = Message::SessionConfirm(confirm.clone());
        intruder.say(&mut scene.venue, Lane::Control, &confirm);
    }
    assert_eq!(offers[0].0.ending(&scene.venue), None);
    assert_eq!(offers[1].0.ending(&scene.venue), Some(DisconnectCode::EpochFenced));
    assert_eq!(scene.venue.host.peer_of(offers[0].0.link), Some(scene.slot));
}

#[test]
pub fn a_link_that_still_lives_gives_way_to_the_new_one() {
    let mut scene = Scene::new();
    let older = scene.venue.guests[scene.guest].link;
    scene.reconnect();
    assert_eq!(scene.venue.closed.get(&older).map(|(code, _)| *code), Some(DisconnectCode::Replaced));
    scene.assert_in_place();
    assert_eq!(scene.told(), ["joined"], "the others noticed nothing");
    // What the older link still says comes to nobody.
    let stale = scene.venue.guests[scene.guest].packets(Way::ToHost);
    let members = scene.venue.host.members();
    for (lane, bytes) in &stale {
        scene.venue.deliver(older, *lane, bytes);
    }
    assert_eq!(scene.venue.host.members(), members);
    // On the new link it is of an old epoch: dropped, or the end of a lane that must not have holes.
    let link = scene.venue.guests[scene.guest].link;
    let before = scene.venue.host.statistics(scene.slot).expect("a member").packets;
    let old: Vec<_> = stale
        .iter()
        .filter(|(lane, bytes)| {
            let epoch = envelope::open(bytes, None, &mut Vec::new()).expect("ours").header().epoch;
            *lane == Lane::State && epoch == 1
        })
        .collect();
    assert!(old.len() > 3);
    for (lane, bytes) in &old {
        scene.venue.deliver(link, *lane, bytes);
    }
    let after = scene.venue.host.statistics(scene.slot).expect("a member").packets;
    assert_eq!(after.dropped_foreign - before.dropped_foreign, old.len() as u64);
    scene.assert_in_place();
}

#[test]
fn who_was_removed_does_not_come_back_by_token() {
    for is_lost in [false, true] {
        let mut scene = Scene::new();
        let (token, key) = (scene.token(), guest_key());
        if is_lost {
            scene.lose_link();
        }
        let kick = theta_core::session::HostCommand::Kick { peer: scene.slot, reason: "enough".into() };
        let now = scene.venue.now;
        scene.venue.host.command(now, kick);
        scene.venue.pump();
        assert_eq!(scene.venue.host.members().len(), 1);
        let back = scene.knock(&key, token);
        assert_eq!(back.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
        assert_eq!(scene.told().last(), Some(&"left"));
    }
    // Who left has no place either, and no token that is worth anything.
    let mut scene = Scene::new();
    let (token, key) = (scene.token(), guest_key());
    scene.venue.guests[scene.guest].peer.leave("bye");
    scene.venue.pump();
    assert_eq!(scene.told(), ["joined", "left"]);
    let back = scene.knock(&key, token);
    assert_eq!(back.ending(&scene.venue), Some(DisconnectCode::ResumeRefused));
}

#[test]
fn who_comes_anew_with_the_key_of_somebody_lost_takes_its_place() {
    let mut scene = Scene::new();
    scene.lose_link();
    let anew = scene.venue.arrive(Arrival::honest(&guest_key(), Role::Editor));
    scene.venue.play(4);
    assert_eq!(scene.venue.guests[anew].peer.state(), PeerState::Live);
    assert_eq!(scene.venue.host.members().len(), 2);
    let replaced = scene
        .venue
        .events
        .iter()
        .any(|event| matches!(event, HostEvent::PeerLeft { code: DisconnectCode::Replaced, .. }));
    assert!(replaced);
}

/// The slots that a guest was told, on its own link, that somebody left.
fn told_that_left(venue: &Venue, guest: usize) -> Vec<PeerId> {
    let mut left = Vec::new();
    for (_, packet) in venue.guests[guest].packets(Way::ToGuest) {
        let mut scratch = Vec::new();
        let packet = envelope::open(&packet, None, &mut scratch).expect("the host seals well");
        left.extend(packet.messages().filter_map(|raw| match raw.decode() {
            Ok(Message::SessionControl(SessionControl::PeerLeft { peer, .. })) => Some(peer),
            _ => None,
        }));
    }
    left
}

#[test]
fn who_takes_its_own_place_anew_is_not_told_that_it_left() {
    for is_lost in [true, false] {
        let mut scene = Scene::new();
        let onlooker = scene.venue.welcome(5, Role::Viewer);
        // With the first slot free, the second's member comes to another than it had.
        scene.venue.guests[scene.guest].peer.leave("bye");
        scene.venue.pump();
        let link = scene.venue.guests[scene.bystander].link;
        let old = scene.venue.host.peer_of(link).expect("a member");
        if is_lost {
            let gone = LinkInput::Closed { code: DisconnectCode::LinkLost as u16, reason: "gone" };
            scene.venue.host.handle(scene.venue.now, link, gone);
            scene.venue.pump();
        }
        let anew = scene.venue.arrive(Arrival::honest(&person(4), Role::Viewer));
        scene.venue.play(4);
        assert_eq!(scene.venue.guests[anew].peer.state(), PeerState::Live);
        assert_eq!(scene.venue.host.peer_of(scene.venue.guests[anew].link), Some(scene.slot));
        assert_eq!(told_that_left(&scene.venue, anew), [], "lost: {is_lost}");
        assert_eq!(told_that_left(&scene.venue, onlooker), [scene.slot, old], "lost: {is_lost}");
    }
}

#[test]
fn who_comes_back_learns_who_came_and_went_meanwhile() {
    let mut scene = Scene::new();
    scene.lose_link();
    scene.venue.guests[scene.bystander].peer.leave("bye");
    scene.venue.pump();
    let newcomer = scene.venue.welcome(6, Role::Editor);
    let slot = scene.venue.host.peer_of(scene.venue.guests[newcomer].link).expect("a member");
    let third = scene.venue.welcome(7, Role::Editor);
    scene.venue.guests[third].peer.leave("bye");
    scene.venue.pump();
    let seen = scene.venue.guests[scene.guest].events.len();
    scene.reconnect();
    let news: Vec<_> = scene.venue.guests[scene.guest].events[seen..]
        .iter()
        .filter_map(|event| match event {
            PeerEvent::PeerJoined(info) => Some((true, info.peer, info.identity_key)),
            PeerEvent::PeerLeft { peer, .. } => Some((false, *peer, [0; 32])),
            _ => None,
        })
        .collect();
    // The newcomer has the slot of the one who left.
    assert_eq!(news, [(false, slot, [0; 32]), (true, slot, person(6).public_key())]);
    scene.assert_in_place();
}

#[test]
fn without_the_capability_nobody_is_waited_for() {
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(3), Role::Editor);
    arrival.terms.capabilities &= !Capability::Resume.bit();
    let guest = venue.arrive(arrival);
    venue.play(3);
    let now = venue.now;
    assert!(!venue.guests[guest].peer.suspend(now) && !venue.guests[guest].peer.reconnect(now));
    let gone = LinkInput::Closed { code: DisconnectCode::LinkLost as u16, reason: "gone" };
    let link = venue.guests[guest].link;
    venue.host.handle(now, link, gone);
    venue.guests[guest].peer.handle(now, gone);
    venue.pump();
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Closed);
    assert_eq!(venue.host.members(), []);
    // A host that keeps no places says so, and refuses.
    let mut venue = Venue::with(HostConfig { resume_grace_ms: 0, ..host_config() });
    let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Editor);
    let away = SessionControl::Away { peer: PeerId(1), grace_ms: 0 };
    intruder.say(&mut venue, Lane::Control, &Message::SessionControl(away));
    assert_eq!(intruder.refusals(&venue)[0].reason, RefusalReason::NotGranted);
    let guest = venue.welcome(3, Role::Editor);
    let agreement = venue.guests[guest].peer.agreement().expect("agreed");
    assert!(
        !agreement.may_resume()
            && agreement.refused.iter().any(|r| r.capability == CapabilityBit::Known(Capability::Resume))
    );
}

#[test]
fn away_and_back_without_end_is_an_end() {
    let mut scene = Scene::new();
    let mut intruder = Intruder::inside(&mut scene.venue, &person(7), Role::Editor);
    let peer = scene.venue.host.peer_of(intruder.link).expect("a member");
    for _ in 0..8 {
        for control in [SessionControl::Away { peer, grace_ms: 0 }, SessionControl::Back { peer }] {
            intruder.say(&mut scene.venue, Lane::Control, &Message::SessionControl(control));
            assert_eq!(intruder.ending(&scene.venue), None);
        }
    }
    let away = SessionControl::Away { peer, grace_ms: 0 };
    intruder.say(&mut scene.venue, Lane::Control, &Message::SessionControl(away));
    assert_eq!(intruder.ending(&scene.venue), Some(DisconnectCode::RateLimited));
    scene.assert_in_place();
}

#[test]
fn who_sleeps_longer_than_a_link_lives_comes_back_on_another() {
    let mut scene = Scene::with(HostConfig { resume_grace_ms: 20_000, ..host_config() });
    let now = scene.venue.now;
    scene.venue.guests[scene.guest].peer.suspend(now);
    scene.venue.pump();
    // The whole process is frozen: its machine gets no time, and its link no word.
    for _ in 0..70 {
        scene.venue.now = scene.venue.now.plus_ms(100);
        let now = scene.venue.now;
        scene.venue.host.handle_timeout(now);
        while scene.venue.host.poll_output().is_some() {}
        let bystander = scene.bystander;
        scene.venue.guests[bystander].peer.handle_timeout(now);
        while let Some(output) = scene.venue.guests[bystander].peer.poll_output() {
            if let theta_core::session::PeerOutput::Link(theta_core::session::LinkOutput::Transmit {
                lane,
                packet,
            }) = output
            {
                let link = scene.venue.guests[bystander].link;
                scene.venue.host.handle(now, link, LinkInput::Packet { lane, bytes: &packet });
            }
        }
    }
    assert_eq!(scene.venue.host.members().len(), 2);
    let now = scene.venue.now;
    scene.venue.guests[scene.guest].peer.resume(now);
    assert!(scene.venue.guests[scene.guest].peer.wants_link());
    assert_eq!(scene.state(), PeerState::Away);
    scene.reconnect();
    scene.venue.play(5);
    assert_eq!(scene.state(), PeerState::Live);
    assert_eq!(scene.spawned(), 1);
}
