//! Tickets, places, and the time a handshake may take.

use theta_core::session::handshake::OpenDoor;
use theta_core::session::keys::{AdminKey, Identity};
use theta_core::session::ticket::{MemberTicket, Pass, Ticket};
use theta_core::session::{HostCommand, HostConfig, HostEvent, LinkInput, PeerEvent, PeerState};
use theta_core::types::{Lane, PeerId, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{Admission, BindingKind, Message, Role, SessionConfirm};

use super::impostor::{Impostor, real_terms};
use super::intruder::Intruder;
use super::venue::{
    Arrival, UNIX_S, Venue, admin, authority, binding, document, host_config, member, packet, person,
    ticket_of, untouched,
};

fn turned_away(ticket: Ticket, code: DisconnectCode) {
    let mut venue = Venue::new();
    let guest = venue.arrive(Arrival::with_ticket(&person(7), ticket));
    assert_eq!(venue.guests[guest].ending().map(|(code, _)| code), Some(code));
    let link = venue.guests[guest].link;
    venue.assert_refused(link, code);
}

fn issued(signer: &AdminKey, document: [u8; 32], holder: &Identity, expires: u64) -> Ticket {
    ticket_of(&MemberTicket::issue(signer, document, holder.public_key(), Role::Editor, expires))
}

#[test]
fn an_expired_ticket() {
    turned_away(issued(&authority(), document(), &person(7), UNIX_S), DisconnectCode::TicketExpired);
    let mut venue = Venue::new();
    let last_second = issued(&authority(), document(), &person(7), UNIX_S + 1);
    let guest = venue.arrive(Arrival::with_ticket(&person(7), last_second));
    assert!(venue.guests[guest].was_admitted());
}

#[test]
fn a_ticket_for_another_document() {
    turned_away(issued(&authority(), [8; 32], &person(7), UNIX_S + 60), DisconnectCode::TicketWrongDocument);
}

#[test]
fn a_ticket_of_another_authority() {
    turned_away(issued(&admin(66), document(), &person(7), UNIX_S + 60), DisconnectCode::TicketInvalid);
}

#[test]
fn a_ticket_for_another_key() {
    turned_away(issued(&authority(), document(), &person(8), UNIX_S + 60), DisconnectCode::TicketWrongKey);
}

#[test]
fn a_ticket_that_pins_another_document_or_authority() {
    let mut ticket = ticket_of(&member(&person(7), Role::Editor));
    ticket.pin.as_mut().expect("a pin").document = [8; 32];
    turned_away(ticket, DisconnectCode::WrongDocument);

    let mut ticket = ticket_of(&member(&person(7), Role::Editor));
    ticket.pin.as_mut().expect("a pin").authority = person(66).public_key();
    let mut venue = Venue::new();
    let guest = venue.arrive(Arrival::with_ticket(&person(7), ticket));
    venue.assert_turned_away(guest, DisconnectCode::BadHostCertificate);
}

#[test]
fn no_ticket() {
    let mut ticket = ticket_of(&member(&person(7), Role::Editor));
    ticket.pass = Pass::None;
    turned_away(ticket.clone(), DisconnectCode::AdmissionRequired);
    // The open door is for this machine only.
    for is_loopback in [false, true] {
        let mut venue = Venue::open_door(Role::Commenter);
        let guest = venue.arrive(Arrival { is_loopback, ..Arrival::with_ticket(&person(7), ticket.clone()) });
        if is_loopback {
            assert_eq!(venue.host.members().first().map(|member| member.role), Some(Role::Commenter));
        } else {
            let link = venue.guests[guest].link;
            venue.assert_refused(link, DisconnectCode::AdmissionRequired);
        }
    }
}

#[test]
fn what_this_host_does_not_admit_by() {
    for admission in [
        Admission::Invite(vec![1; 48]),
        Admission::MemberTicket(Vec::new()),
        Admission::MemberTicket(vec![1; 169]),
        Admission::MemberTicket(vec![0xff; 170]),
    ] {
        let mut venue = Venue::new();
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
        let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
        let confirm = SessionConfirm { admission, ..intruder.confirmation(&acknowledge) };
        intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
        venue.assert_refused(intruder.link, DisconnectCode::TicketInvalid);
    }
}

#[test]
fn the_application_cannot_give_more_than_the_ticket() {
    let mut venue = Venue::with(HostConfig { manual_admission: true, ..host_config() });
    let guest = venue.arrive(Arrival::honest(&person(7), Role::Commenter));
    assert!(matches!(venue.events[..], [HostEvent::JoinRequest { .. }]), "{:?}", venue.events);
    assert!(!venue.guests[guest].was_admitted());
    let admit = HostCommand::Admit { peer: PeerId(1), role: Role::Admin, application: Vec::new() };
    venue.host.command(venue.now, admit);
    venue.pump();
    assert_eq!(venue.host.members()[0].role, Role::Commenter);
}

// ---- Places ----

#[test]
fn a_full_server_says_so_and_takes_the_next_one_when_a_place_is_free() {
    let mut venue = Venue::with(HostConfig { max_peers: 2, ..host_config() });
    let one = venue.welcome(11, Role::Editor);
    let two = venue.welcome(12, Role::Editor);
    let told = venue.events.len();
    let late = venue.arrive(Arrival::honest(&person(13), Role::Editor));
    let link = venue.guests[late].link;
    assert_eq!(venue.guests[late].ending().map(|(code, _)| code), Some(DisconnectCode::ServerFull));
    assert!(matches!(
        venue.events[told..],
        [HostEvent::HandshakeFailed { link: failed, code: DisconnectCode::ServerFull, .. }] if failed == link
    ));
    let frames = venue.guests[one].frames();
    venue.play(5);
    assert!(venue.guests[one].frames() >= frames + 5, "the others go on");
    venue.guests[two].peer.leave("");
    venue.pass_ms(1);
    assert_eq!(venue.host.members().len(), 1);
    venue.assert_serves();
}

#[test]
fn the_last_place_goes_to_whoever_proves_a_key_first() {
    let mut venue = Venue::with(HostConfig { max_peers: 1, ..host_config() });
    let mut slow = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let acknowledge = slow.greet(&mut venue, slow.hello()).expect("an answer: there is a place");
    let quick = venue.welcome(8, Role::Editor);
    let confirm = slow.confirmation(&acknowledge);
    slow.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    assert_eq!(slow.ending(&venue), Some(DisconnectCode::ServerFull));
    assert_eq!(venue.host.members().len(), 1);
    assert_eq!(venue.guests[quick].peer.state(), PeerState::Live);
}

#[test]
fn a_member_who_comes_back_to_a_full_session_gets_its_own_place() {
    let mut venue = Venue::with(HostConfig { max_peers: 2, ..host_config() });
    venue.welcome(11, Role::Editor);
    // Its link dies without a word, and the same key comes again before the host has noticed.
    let lost = venue.welcome(12, Role::Editor);
    let back = venue.arrive(Arrival::honest(&person(12), Role::Editor));
    venue.play(3);
    assert_eq!(venue.guests[back].peer.state(), PeerState::Live, "{:?}", venue.guests[back].ending());
    assert_eq!(venue.guests[lost].ending().map(|(code, _)| code), Some(DisconnectCode::Replaced));
    assert_eq!(venue.host.members().len(), 2);
    let order: Vec<_> = venue
        .events
        .iter()
        .filter_map(|event| match event {
            HostEvent::PeerJoined(info) => Some((true, info.peer)),
            HostEvent::PeerLeft { peer, code: DisconnectCode::Replaced, .. } => Some((false, *peer)),
            _ => None,
        })
        .collect();
    let (one, two) = (PeerId(1), PeerId(2));
    assert_eq!(order, [(true, one), (true, two), (false, two), (true, two)], "gone before it is back");
    // Who only knows the member's public key gets no further than a hello.
    let mut thief = Intruder::knock(&mut venue, &person(66), Role::Editor);
    let hello =
        theta_core::wire::message::SessionHello { client_key: person(12).public_key(), ..thief.hello() };
    let acknowledge = thief.greet(&mut venue, hello).expect("an answer");
    let confirm = thief.confirmation(&acknowledge);
    thief.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    assert_eq!(thief.ending(&venue), Some(DisconnectCode::BadClientProof));
    assert_eq!(venue.guests[back].peer.state(), PeerState::Live, "and nobody was put out for it");
}

#[test]
fn handshakes_under_way_are_capped() {
    let mut venue = Venue::with(HostConfig { max_half_open: 3, ..host_config() });
    let silent: Vec<_> = (0..3).map(|n| venue.link(binding(BindingKind::Memory, n), false)).collect();
    let refused = venue.link(binding(BindingKind::Memory, 9), false);
    assert_eq!(venue.failure(refused).map(|(code, _)| code), Some(DisconnectCode::TooManyHandshakes));
    assert_eq!(venue.failure(silent[0]), None);
    venue.assert_nobody_joined();
    // One gives up, and its place is free again; the refused one did not take one with it.
    venue.host.handle(venue.now, silent[1], LinkInput::Closed { code: 4, reason: "" });
    venue.pump();
    venue.assert_serves();
}

// ---- Time ----

#[test]
fn a_link_that_never_says_hello() {
    let mut venue = Venue::new();
    let link = venue.link(binding(BindingKind::Memory, 1), false);
    venue.pass_ms(4999);
    assert_eq!(venue.failure(link), None);
    venue.pass_ms(1);
    venue.assert_refused(link, DisconnectCode::HandshakeTimeout);
}

#[test]
fn a_half_open_link_does_not_live_on_crumbs() {
    // Valid packets with nothing in them, on every lane, for ever: they keep nothing open.
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    for _ in 0..50 {
        venue.pass_ms(90);
        for lane in [Lane::Control, Lane::State, Lane::Presence] {
            let crumb = packet(intruder.next_header(lane), &[]);
            venue.deliver(intruder.link, lane, &crumb);
        }
    }
    assert_eq!(intruder.ending(&venue), None);
    venue.pass_ms(500);
    venue.assert_refused(intruder.link, DisconnectCode::HandshakeTimeout);
}

#[test]
fn a_client_that_never_confirms() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    venue.pass_ms(5000);
    venue.assert_refused(intruder.link, DisconnectCode::HandshakeTimeout);
}

#[test]
fn an_application_that_never_decides() {
    let mut venue = Venue::with(HostConfig { manual_admission: true, ..host_config() });
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    let confirm = intruder.confirmation(&acknowledge);
    intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.pass_ms(5000);
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::HandshakeTimeout));
    assert_eq!(venue.host.members(), []);
    // Too late: the decision finds nobody, and the place is free.
    let admit = HostCommand::Admit { peer: PeerId(1), role: Role::Editor, application: Vec::new() };
    venue.host.command(venue.now, admit);
    venue.pump();
    assert_eq!(venue.host.members(), []);
    assert!(!venue.events.iter().any(|event| matches!(event, HostEvent::PeerJoined(_))));
    let next = venue.arrive(Arrival::honest(&person(8), Role::Editor));
    venue.host.command(
        venue.now,
        HostCommand::Admit { peer: PeerId(1), role: Role::Editor, application: Vec::new() },
    );
    venue.pump();
    assert!(venue.guests[next].was_admitted());
}

#[test]
fn a_host_that_never_answers() {
    let mut impostor = Impostor::meet(real_terms());
    assert_eq!(impostor.peer.next_wake(), Some(Time(6_000_000)));
    impostor.peer.handle_timeout(Time(5_999_999));
    impostor.drain();
    assert!(impostor.closed.is_none());
    impostor.peer.handle_timeout(Time(6_000_000));
    impostor.drain();
    impostor.assert_turned_away(DisconnectCode::HandshakeTimeout);
}

#[test]
fn a_host_that_acknowledges_and_never_admits() {
    let mut impostor = Impostor::meet(real_terms());
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.peer.handle_timeout(Time(6_000_000));
    impostor.drain();
    impostor.assert_closed(DisconnectCode::HandshakeTimeout);
    assert!(!impostor.events.iter().any(|event| matches!(event, PeerEvent::Admitted { .. })));
}

// ---- Words ----

#[test]
fn an_unsigned_refusal_is_a_hint_and_no_more() {
    use theta_core::wire::message::{Ending, SessionControl};
    for control in [SessionControl::Denied as fn(Ending) -> SessionControl, SessionControl::Close] {
        let mut impostor = Impostor::meet(real_terms());
        let mut words = Ending::from_code(DisconnectCode::VersionFloor);
        words.text = "use a newer build".into();
        impostor.say(Lane::Control, &Message::SessionControl(control(words)));
        impostor.assert_turned_away(DisconnectCode::VersionFloor);
        assert!(impostor.closed.as_ref().is_some_and(|(_, reason)| reason.contains("use a newer build")));
    }
}

#[test]
fn between_the_proof_and_the_new_epoch_a_host_may_only_end_it() {
    use theta_core::wire::message::{Admitted, Ending, Heartbeat, SessionControl};
    let proved = || {
        let mut impostor = Impostor::meet(real_terms());
        let acknowledge = impostor.acknowledgement(|_| ());
        impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
        assert!(impostor.peer.agreement().is_some());
        impostor
    };
    let mut denied = proved();
    let words = Ending::from_code(DisconnectCode::TicketExpired);
    denied.say(Lane::Control, &Message::SessionControl(SessionControl::Denied(words)));
    denied.assert_closed(DisconnectCode::TicketExpired);
    for message in [
        Message::SessionControl(SessionControl::Admitted(Admitted::default())),
        Message::SessionControl(SessionControl::Kick(Ending::from_code(DisconnectCode::Kicked))),
        Message::Heartbeat(Heartbeat::default()),
    ] {
        let mut early = proved();
        early.say(Lane::Control, &message);
        early.assert_closed(DisconnectCode::ProtocolViolation);
        assert!(!early.events.iter().any(|event| matches!(event, PeerEvent::Admitted { .. })));
    }
    // Once the new epoch is here, the handshake's is over.
    let mut late = Impostor::host(Arrival::honest(&person(7), Role::Editor));
    let words = Ending::from_code(DisconnectCode::Kicked);
    let old = theta_core::wire::envelope::PacketHeader { sequence: 9, ..Default::default() };
    let bytes = packet(old, &[Message::SessionControl(SessionControl::Close(words))]);
    late.deliver(Lane::Control, &bytes);
    late.assert_closed(DisconnectCode::EpochFenced);
}

#[test]
fn long_words_do_not_hide_the_code() {
    let mut venue = Venue::new();
    let guest = venue.welcome(7, Role::Editor);
    let kick = HostCommand::Kick { peer: PeerId(1), reason: "\u{e4}".repeat(5000) };
    venue.host.command(venue.now, kick);
    venue.pump();
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::Kicked);
    assert!(reason.contains("\u{e4}\u{e4}"), "{reason}");
    let leaver = venue.welcome(8, Role::Editor);
    venue.guests[leaver].peer.leave(&"\u{e4}".repeat(5000));
    venue.pass_ms(1);
    assert!(
        venue
            .events
            .iter()
            .any(|event| matches!(event, HostEvent::PeerLeft { code: DisconnectCode::Left, .. }))
    );
}

#[test]
fn a_guest_may_come_before_the_first_tick() {
    let mut venue = Venue::new();
    // A host of its own that has sealed nothing yet.
    venue.host =
        theta_core::session::Host::new(host_config(), super::venue::schema(), [3; 32], Box::new(|| None));
    venue.host.set_unix_time(UNIX_S);
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.tamper = untouched();
    let early = venue.arrive(arrival);
    venue.pass_ms(50);
    assert_eq!(venue.guests[early].peer.state(), PeerState::Joining, "{:?}", venue.guests[early].ending());
    venue.play(3);
    assert_eq!(venue.guests[early].peer.state(), PeerState::Live);
    assert!(venue.guests[early].frames() >= 2);
}

#[test]
fn the_open_door_is_closed_by_default() {
    assert_eq!(host_config().door, OpenDoor::Closed);
}
