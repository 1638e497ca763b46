//! Forged, borrowed and repeated proofs, and a node in the middle: nobody gets in as somebody else.

use std::cell::RefCell;
use std::rc::Rc;

use theta_core::session::PeerState;
use theta_core::session::keys::{Identity, certify_host, client_statement, refusal_statement, transcript};
use theta_core::session::ticket::Pass;
use theta_core::types::Lane;
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::message::{
    Admission, BindingKind, Message, MessageType, Refusal, Role, SessionAcknowledge, SessionConfirm,
    SessionControl, SessionHello, TransportKind, WireEnum,
};

use super::impostor::{Impostor, real_terms, terms_of};
use super::intruder::Intruder;
use super::venue::{
    Arrival, Tamper, Venue, Way, admin, authority, binding, first_header, first_in, host_key, member, packet,
    person, ticket_of,
};

#[test]
fn an_honest_guest_gets_in() {
    let mut venue = Venue::new();
    venue.assert_serves();
}

// ---- The acknowledgement: host key and authority ----

#[test]
pub fn a_forged_host_signature_is_noticed() {
    let mut impostor = Impostor::meet(real_terms());
    let mut acknowledge = impostor.acknowledgement(|_| ());
    acknowledge.signature[40] ^= 1;
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostProof);
}

#[test]
fn the_real_hosts_name_under_another_key_is_noticed() {
    // The core names the real host and carries its real certificate; the signature is somebody else's.
    let mut impostor = Impostor::meet(real_terms());
    impostor.terms.identity = host_key(66);
    let real = real_terms().identity.public_key();
    let acknowledge = impostor.acknowledgement(|core| core.host_key = real);
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostProof);
}

#[test]
fn a_borrowed_certificate_is_noticed() {
    // Own key, honestly signed, with the certificate of the real host.
    let mut impostor = Impostor::meet(real_terms());
    impostor.terms.identity = host_key(66);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
}

#[test]
fn a_certificate_that_its_authority_did_not_sign_is_noticed() {
    let mut terms = terms_of(&host_key(66), &admin(67));
    terms.certificate.authority_key = authority().public_key();
    let mut impostor = Impostor::meet(terms);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
}

#[test]
pub fn a_certificate_of_another_authority_is_noticed() {
    let mut impostor = Impostor::meet(terms_of(&host_key(66), &admin(67)));
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    assert!(impostor.closed.as_ref().is_some_and(|(_, reason)| reason.contains("another authority")));
}

#[test]
fn a_certificate_for_another_term_or_document_is_noticed() {
    let of_term =
        |term| certify_host(&authority(), super::venue::document(), real_terms().identity.public_key(), term);
    let mut impostor = Impostor::meet(real_terms());
    let acknowledge = impostor.acknowledgement(|core| core.certificate = of_term(2));
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);

    let mut terms = real_terms();
    terms.certificate = certify_host(&authority(), [8; 32], terms.identity.public_key(), 1);
    let mut impostor = Impostor::meet(real_terms());
    let other = terms.certificate.clone();
    let acknowledge = impostor.acknowledgement(|core| {
        core.document_id = other.document_id;
        core.certificate = other;
    });
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::WrongDocument);
}

#[test]
fn without_a_pin_only_this_machine_is_trusted() {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.ticket.pin = None;
    let mut impostor = Impostor::meet_guest(real_terms(), arrival);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
}

#[test]
fn an_acknowledgement_from_an_earlier_connection_is_noticed() {
    let mut venue = Venue::new();
    let first = venue.welcome(7, Role::Editor);
    let recorded = venue.guests[first].packets(Way::ToGuest);
    let old = first_in(&recorded, |_, message| match message {
        Message::SessionAcknowledge(acknowledge) => Some(acknowledge),
        _ => None,
    });
    let mut impostor = Impostor::meet(real_terms());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(old.expect("an acknowledgement")));
    impostor.assert_turned_away(DisconnectCode::BadHostProof);
}

// ---- The confirmation: client key ----

#[test]
fn a_forged_client_signature_is_refused() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    let mut confirm = intruder.confirmation(&acknowledge);
    confirm.signature[3] ^= 0x10;
    intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.assert_refused(intruder.link, DisconnectCode::BadClientProof);
}

#[test]
pub fn the_right_ticket_with_the_wrong_key_is_refused() {
    // A stolen ticket, and the victim's public key in the hello: everything but the victim's private key.
    let mut venue = Venue::new();
    let mut thief = Intruder::knock(&mut venue, &person(66), Role::Editor);
    thief.ticket = ticket_of(&member(&person(7), Role::Admin));
    let hello = SessionHello { client_key: person(7).public_key(), ..thief.hello() };
    let acknowledge = thief.greet(&mut venue, hello).expect("an answer");
    let confirm = thief.confirmation(&acknowledge);
    thief.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.assert_refused(thief.link, DisconnectCode::BadClientProof);
}

#[test]
fn a_stolen_ticket_under_the_thiefs_own_key_is_refused() {
    let mut venue = Venue::new();
    let stolen = ticket_of(&member(&person(7), Role::Admin));
    let thief = venue.arrive(Arrival::with_ticket(&person(66), stolen));
    let link = venue.guests[thief].link;
    venue.assert_refused(link, DisconnectCode::TicketWrongKey);
    assert_eq!(venue.guests[thief].ending().map(|(code, _)| code), Some(DisconnectCode::TicketWrongKey));
}

#[test]
fn a_proof_for_another_statement_is_refused() {
    // The client key's own signature, but over the transcript alone: a proof that leaves the host's signature out.
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    let right = intruder.confirmation(&acknowledge);
    let unsigned = SessionAcknowledge { signature: [0; 64], ..acknowledge };
    let confirm = SessionConfirm { signature: intruder.confirmation(&unsigned).signature, ..right };
    intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.assert_refused(intruder.link, DisconnectCode::BadClientProof);
}

#[test]
fn a_weak_key_proves_nothing() {
    // The identity point: under lax checking any statement has a valid signature of it.
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let mut weak = [0; 32];
    weak[0] = 1;
    let hello = SessionHello { client_key: weak, ..intruder.hello() };
    let acknowledge = intruder.greet(&mut venue, hello).expect("an answer");
    let mut signature = [0; 64];
    signature[0] = 1;
    let confirm = SessionConfirm { signature, ..intruder.confirmation(&acknowledge) };
    intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.assert_refused(intruder.link, DisconnectCode::BadClientProof);
}

// ---- The ticket and refusals: authority and host key again ----

#[test]
fn a_forged_ticket_is_refused() {
    let mut venue = Venue::new();
    let mut ticket = ticket_of(&member(&person(7), Role::Viewer));
    let Pass::Member(member) = &mut ticket.pass else { panic!("a member ticket") };
    assert_eq!(member[65], Role::Viewer as u8);
    member[65] = Role::Admin as u8;
    let forger = venue.arrive(Arrival::with_ticket(&person(7), ticket));
    let link = venue.guests[forger].link;
    venue.assert_refused(link, DisconnectCode::TicketInvalid);
}

#[test]
fn a_refusal_that_the_host_did_not_sign_ends_the_session() {
    let mut impostor = Impostor::host(Arrival::honest(&person(7), Role::Editor));
    let mut refusal = Refusal {
        message_type: MessageType::InputPredictiveState,
        command_type: 0,
        reason: RefusalReason::RoleForbids,
        lane: 3,
        sequence: 1,
        text: "no".into(),
        signature: [0; 64],
    };
    let session_id = impostor.terms.session_id;
    refusal.signature = impostor.terms.identity.sign(&refusal_statement(&refusal, &session_id));
    let control = |refusal: &Refusal| Message::SessionControl(SessionControl::Refusal(refusal.clone()));
    impostor.say(Lane::Control, &control(&refusal));
    assert!(impostor.closed.is_none(), "the real one is heard");
    refusal.reason = RefusalReason::Busy;
    impostor.say(Lane::Control, &control(&refusal));
    impostor.assert_closed(DisconnectCode::BadHostProof);
}

// ---- Repeated packets ----

/// The handshake of an earlier, honest connection, and a host that has forgotten it.
fn recorded_handshake() -> (Venue, Vec<Vec<u8>>) {
    let mut venue = Venue::new();
    let victim = venue.welcome(7, Role::Editor);
    let packets: Vec<_> = venue.guests[victim]
        .packets(Way::ToHost)
        .into_iter()
        .filter(|(lane, _)| *lane == Lane::Control)
        .map(|(_, bytes)| bytes)
        .collect();
    let now = venue.now;
    venue.guests[victim].peer.leave("");
    venue.guests[victim].peer.handle_timeout(now);
    venue.pump();
    assert_eq!(venue.host.members(), []);
    venue.events.clear();
    venue.guests.clear();
    (venue, packets)
}

#[test]
fn a_replayed_hello_opens_nothing() {
    let (mut venue, packets) = recorded_handshake();
    let bound = binding(BindingKind::Memory, person(7).public_key()[0]);
    // Even on a transport with the same binding: the host's nonce is another.
    let link = venue.link(bound, false);
    venue.deliver(link, Lane::Control, &packets[0]);
    assert_eq!(venue.failure(link), None, "a hello alone proves nothing and harms nothing");
    venue.deliver(link, Lane::Control, &packets[1][..]);
    // The recorded confirmation is the second packet of its lane, as it was then.
    venue.assert_refused(link, DisconnectCode::BadClientProof);
}

#[test]
fn a_replayed_hello_alone_times_out() {
    let (mut venue, packets) = recorded_handshake();
    let link = venue.link(binding(BindingKind::Memory, 1), false);
    venue.deliver(link, Lane::Control, &packets[0]);
    venue.pass_ms(4999);
    assert_eq!(venue.failure(link), None);
    venue.pass_ms(1);
    venue.assert_refused(link, DisconnectCode::HandshakeTimeout);
}

// ---- A node in the middle ----

/// A node that ends the transport on both sides and forwards every byte: the two ends have different bindings.
fn through_a_middle_node(kind: BindingKind) {
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    (arrival.at_guest, arrival.at_host) = (binding(kind, 0x51), binding(kind, 0x52));
    let victim = venue.arrive(arrival);
    let recorded = &venue.guests[victim].recorded;
    assert_eq!(recorded.len(), 2, "hello and acknowledgement went through, and nothing else: {recorded:?}");
    venue.assert_turned_away(victim, DisconnectCode::BadHostProof);
}

#[test]
pub fn a_middle_node_in_memory_is_noticed() {
    through_a_middle_node(BindingKind::Memory);
}

#[test]
fn a_middle_node_on_quic_is_noticed() {
    through_a_middle_node(BindingKind::TlsExporter);
}

#[test]
fn the_host_notices_a_middle_node_too() {
    // A careless client would sign what the node shows it; the host still sees that it was signed for another channel.
    for kind in [BindingKind::Memory, BindingKind::TlsExporter] {
        let mut venue = Venue::new();
        let mut careless = Intruder::knock(&mut venue, &person(7), Role::Editor);
        careless.bound = binding(kind, 0x51);
        careless.link = venue.link(binding(kind, 0x52), false);
        let acknowledge = careless.greet(&mut venue, careless.hello()).expect("an answer");
        let confirm = careless.confirmation(&acknowledge);
        careless.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
        assert_eq!(careless.ending(&venue), Some(DisconnectCode::BadClientProof));
        assert_eq!(venue.host.members(), []);
        venue.assert_serves();
    }
}

#[test]
fn a_middle_node_cannot_pass_on_another_kind_of_binding() {
    // It speaks QUIC to the host and shared memory to the client.
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    (arrival.at_guest, arrival.at_host) =
        (binding(BindingKind::Memory, 0x51), binding(BindingKind::TlsExporter, 0x51));
    let victim = venue.arrive(arrival);
    let link = venue.guests[victim].link;
    venue.assert_refused(link, DisconnectCode::BindingUnsupported);

    // And if it tells the host that the client speaks QUIC, the client sees what was signed.
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    (arrival.at_guest, arrival.at_host) =
        (binding(BindingKind::Memory, 0x51), binding(BindingKind::TlsExporter, 0x51));
    arrival.tamper = rewriting_hello(|hello| hello.transports = TransportKind::Quic.bit() as u32);
    let victim = venue.arrive(arrival);
    venue.assert_turned_away(victim, DisconnectCode::BindingMismatch);
}

/// Changes the hello on its way, as a node that understands the protocol would.
pub fn rewriting_hello(change: impl Fn(&mut SessionHello) + 'static) -> Tamper {
    Box::new(move |way, lane, bytes| {
        let hello = first_in(&[(lane, bytes.clone())], |_, message| match message {
            Message::SessionHello(hello) => Some(hello),
            _ => None,
        });
        match hello {
            Some(mut hello) if way == Way::ToHost => {
                change(&mut hello);
                vec![(lane, packet(first_header(), &[Message::SessionHello(hello)]))]
            }
            _ => vec![(lane, bytes)],
        }
    })
}

#[test]
fn a_node_that_answers_for_the_host_cannot_bring_the_client_to_it() {
    // It ends the handshake on both sides with a key of its own: towards the client it is the host.
    let mut impostor = Impostor::meet(terms_of(&host_key(66), &admin(66)));
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    // Towards the host it is the client, with the client's ticket, which it was never even shown.
    let mut venue = Venue::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    let watcher = Rc::clone(&seen);
    arrival.tamper = Box::new(move |way, lane, bytes| {
        watcher.borrow_mut().push((way, lane, bytes.clone()));
        if way == Way::ToGuest { Vec::new() } else { vec![(lane, bytes)] }
    });
    let victim = venue.arrive(arrival);
    assert_eq!(venue.guests[victim].peer.state(), PeerState::Handshake);
    let to_host = seen.borrow().iter().filter(|(way, ..)| *way == Way::ToHost).count();
    assert_eq!(to_host, 1, "the ticket is shown to nobody who has not proved to be the host");
    venue.assert_nobody_joined();
}

#[test]
fn somebody_elses_proof_does_not_fit_this_connection() {
    // Two handshakes at once with one key; each proof is worth something on its own connection only.
    let mut venue = Venue::new();
    let identity: Identity = person(7);
    let mut one = Intruder::knock(&mut venue, &identity, Role::Editor);
    let mut two = Intruder::knock(&mut venue, &identity, Role::Editor);
    two.bound = one.bound;
    let for_one = one.greet(&mut venue, one.hello()).expect("an answer");
    let for_two = two.greet(&mut venue, two.hello()).expect("an answer");
    assert_ne!(for_one.core, for_two.core);
    let confirm = one.confirmation(&for_one);
    two.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm.clone()));
    assert_eq!(two.ending(&venue), Some(DisconnectCode::BadClientProof));
    assert!(matches!(confirm.admission, Admission::MemberTicket(_)));
    one.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    assert_eq!(one.ending(&venue), None);
    assert_eq!(venue.host.members().len(), 1);
}

#[test]
fn the_statements_are_those_of_the_page() {
    // The one place where the test spells them out; tests/vectors/wire/handshake.json has them as bytes.
    let t = transcript(b"hello", b"core", &binding(BindingKind::Memory, 1));
    assert!(client_statement(&t, &[0; 64]).bytes().starts_with(b"theta/1 client-proof\0"));
    assert_eq!(client_statement(&t, &[0; 64]).bytes().len(), 21 + 32);
}
