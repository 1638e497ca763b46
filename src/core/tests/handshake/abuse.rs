//! What strangers and members may cost the host: places at the door, messages, bytes, refusals. Whoever passes a limit
//! loses its own session; everybody else goes on.

use theta_core::session::{HostConfig, HostEvent, LinkInput, PeerState, SourceId};
use theta_core::types::Lane;
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::limits::{
    MAX_CONTROL_BYTES_PER_S, MAX_DATAGRAM_MESSAGES_PER_S, MAX_HALF_OPEN, MAX_HALF_OPEN_PER_SOURCE,
    MAX_REFUSED_MESSAGES, RATE_BURST_MS,
};
use theta_core::wire::message::{BindingKind, Heartbeat, Message, MessageType, Role, SessionHello};

use super::intruder::Intruder;
use super::venue::{Arrival, Venue, binding, first_header, host_config, packet, packet_of, person};

fn code(venue: &Venue, link: theta_core::session::LinkId) -> Option<DisconnectCode> {
    venue.failure(link).map(|(code, _)| code)
}

// ---- The door ----

#[test]
fn one_source_does_not_take_every_place_at_the_door() {
    let mut venue = Venue::new();
    let there = Some(SourceId(7));
    let bound = binding(BindingKind::Memory, 1);
    let silent: Vec<_> =
        (0..MAX_HALF_OPEN_PER_SOURCE).map(|_| venue.link_from(bound, false, there)).collect();
    assert_eq!(code(&venue, silent[0]), None);
    let over = venue.link_from(bound, false, there);
    assert_eq!(code(&venue, over), Some(DisconnectCode::TooManyHandshakes));
    // Somebody from elsewhere has a place, and so has one from there when another has given up.
    let elsewhere = venue.link_from(bound, false, Some(SourceId(8)));
    assert_eq!(code(&venue, elsewhere), None);
    venue.host.handle(venue.now, silent[3], LinkInput::Closed { code: 4, reason: "" });
    venue.pump();
    let again = venue.link_from(bound, false, there);
    assert_eq!(code(&venue, again), None);
    // Who is in is not at the door any more.
    let mut venue = Venue::with(HostConfig { max_half_open_per_source: 1, max_peers: 8, ..host_config() });
    for seed in 20..24 {
        let guest = venue.arrive(Arrival { source: there, ..Arrival::honest(&person(seed), Role::Editor) });
        venue.play(3);
        assert_eq!(venue.guests[guest].peer.state(), PeerState::Live, "{:?}", venue.guests[guest].ending());
    }
}

#[test]
fn an_endless_flood_of_handshakes_leaves_members_untouched() {
    let mut venue = Venue::new();
    let members = [venue.welcome(11, Role::Editor), venue.welcome(12, Role::Viewer)];
    let told = venue.events.len();
    let garbage = packet_of(first_header(), MessageType::SessionHello, &[0xff; 300]);
    let early = packet(first_header(), &[Message::Heartbeat(Heartbeat::default())]);
    let mut frames = members.map(|member| venue.guests[member].frames());
    let (mut opened, mut most) = (0, 0);
    for round in 0..400_u64 {
        // A crowd for each tick, a third of it from one place: some silent, some with nonsense, some with a right hello
        // and no proof.
        for n in 0..12_u64 {
            let source = if n % 3 == 0 { SourceId(1) } else { SourceId(1000 + round * 12 + n) };
            let bound = binding(BindingKind::Memory, n as u8);
            let link = venue.link_from(bound, false, Some(source));
            opened += 1;
            match n % 4 {
                0 => {}
                1 => venue.deliver(link, Lane::Control, &garbage),
                2 => venue.deliver(link, Lane::Control, &early),
                _ => {
                    let terms = super::venue::client_terms(
                        &person(99),
                        super::venue::ticket_of(&super::venue::member(&person(99), Role::Admin)),
                    );
                    let hello: SessionHello = theta_core::session::handshake::client_hello(
                        &terms,
                        &super::venue::schema(),
                        &bound,
                        [n as u8; 32],
                    );
                    let hello = packet(first_header(), &[Message::SessionHello(hello)]);
                    venue.deliver(link, Lane::Control, &hello);
                }
            }
        }
        most = most.max(opened - venue.closed.len());
        venue.play(1);
        for (member, seen) in members.iter().zip(&mut frames) {
            let now = venue.guests[*member].frames();
            assert!(now > *seen, "tick {round}: a member saw nothing");
            *seen = now;
        }
        venue.said.clear();
        for link in venue.closed.keys() {
            assert!(code(&venue, *link).is_some());
        }
        venue.events.retain(|event| !matches!(event, HostEvent::HandshakeFailed { .. }));
        let ended: Vec<_> = venue.closed.keys().copied().collect();
        opened -= ended.len();
        venue.closed.clear();
    }
    assert!(most <= usize::from(MAX_HALF_OPEN), "{most} at the door at once");
    assert_eq!(venue.host.members().len(), 2);
    let wrong = |event: &&HostEvent| {
        matches!(event, HostEvent::PeerLeft { .. } | HostEvent::PeerJoined(_) | HostEvent::Diverged { .. })
    };
    assert_eq!(venue.events[told.min(venue.events.len())..].iter().filter(wrong).count(), 0);
    // And when it is over, somebody honest comes in.
    venue.pass_ms(5000);
    for _ in 0..3 {
        venue.play(1);
    }
    let honest = venue.arrive(Arrival::honest(&person(13), Role::Editor));
    venue.play(4);
    assert_eq!(venue.guests[honest].peer.state(), PeerState::Live, "{:?}", venue.guests[honest].ending());
}

// ---- Messages and bytes ----

#[test]
pub fn a_flood_of_messages() {
    let mut venue = Venue::new();
    let bystander = venue.welcome(3, Role::Editor);
    let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Editor);
    let most = MAX_DATAGRAM_MESSAGES_PER_S * RATE_BURST_MS / 1000;
    // A datagram that is not even a packet counts as much.
    for _ in 0..=most {
        venue.host.handle(
            venue.now,
            intruder.link,
            LinkInput::Packet { lane: Lane::Presence, bytes: &[0; 40] },
        );
    }
    venue.pump();
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::RateLimited));
    let frames = venue.guests[bystander].frames();
    venue.play(2);
    assert!(venue.guests[bystander].frames() > frames);
    // Many in one packet are as many.
    intruder = Intruder::inside(&mut venue, &person(8), Role::Editor);
    let beats = vec![Message::Heartbeat(Heartbeat::default()); 1000];
    for _ in 0..21 {
        intruder.say_all(&mut venue, Lane::Control, &beats);
    }
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::RateLimited));
}

#[test]
fn a_flood_of_bytes() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Viewer);
    intruder.prove(&mut venue);
    let most = MAX_CONTROL_BYTES_PER_S * RATE_BURST_MS / 1000;
    let (mut sent, long) = (0, vec![0; 60_000]);
    while intruder.ending(&venue).is_none() && sent < 2 * most {
        // A viewer may not say this: refused unread, and its bytes count.
        intruder.say_bytes(&mut venue, Lane::Control, MessageType::CommandLogEntry, &long);
        sent += 60_000;
    }
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::RateLimited));
    assert!(sent.abs_diff(most) < 200_000, "{sent} of {most}");
}

#[test]
fn a_peer_that_plays_is_never_limited() {
    // Half a minute of 90 Hz with a stall of six seconds in it, after which everything comes at once.
    let mut venue = Venue::new();
    let guest = venue.welcome(7, Role::Editor);
    for tick in 0..2700 {
        if tick == 900 {
            venue.now = venue.now.plus_ms(4500);
        }
        venue.play(1);
        for _ in 0..4 {
            let now = venue.now;
            venue.guests[guest].peer.send_input(now, theta_core::session::input::InputSample::default());
        }
        venue.pump();
    }
    assert_eq!(venue.guests[guest].ending(), None);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
}

// ---- Refusals ----

#[test]
fn what_is_not_offered_is_refused_so_often_and_no_more() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Editor);
    let messages = super::samples::messages();
    let unoffered = messages.iter().map(|(_, message)| message);
    let unoffered = unoffered.into_iter().find(|message| matches!(message, Message::AppMessage(_)));
    let unoffered = unoffered.expect("a sample").clone();
    for said in 0..MAX_REFUSED_MESSAGES {
        if said % 100 == 99 {
            venue.pass_ms(10);
        }
        intruder.say(&mut venue, Lane::Presence, &unoffered);
        assert_eq!(intruder.ending(&venue), None, "{said}");
    }
    assert_eq!(intruder.refusals(&venue)[0].reason, RefusalReason::NotGranted);
    assert_eq!(intruder.refusals(&venue).len(), 4, "four a second");
    intruder.say(&mut venue, Lane::Presence, &unoffered);
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::MessageForbidden));
}
