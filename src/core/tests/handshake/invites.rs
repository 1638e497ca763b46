//! Invites, bans and bearer tokens: who else gets in, once, never again, or when somebody outside says so.

use theta_core::session::admission::{
    AdmissionChange, AdmissionState, INVITE_BYTES, INVITE_PROOF_BYTES, Invite, InviteKey,
};
use theta_core::session::keys::Identity;
use theta_core::session::ticket::{Pass, Ticket};
use theta_core::session::{HostCommand, HostConfig, HostEvent, LinkInput, PeerState};
use theta_core::types::{Lane, PeerId};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{Admission, Message, Role, SessionConfirm};

use super::intruder::Intruder;
use super::venue::{Arrival, UNIX_S, Venue, Way, first_in, host_config, member, person, ticket_of};

const KEY: InviteKey = InviteKey { id: [0x1d; 16], secret: [0x5e; 32] };

fn ticket(invite: InviteKey) -> Ticket {
    Ticket { pass: Pass::Invite(invite), ..ticket_of(&member(&person(1), Role::Viewer)) }
}

fn invite(uses: u16) -> Invite {
    Invite::new(KEY, Role::Editor, uses, UNIX_S + 60)
}

fn change(venue: &mut Venue, change: AdmissionChange) {
    venue.host.command(venue.now, HostCommand::Admission(change));
    venue.pump();
}

/// A host that has handed out this invite.
fn inviting(invite: Invite) -> Venue {
    let mut venue = Venue::new();
    change(&mut venue, AdmissionChange::Invite(invite));
    venue
}

/// Somebody comes with the invite: how that ended, or nothing when they are in.
fn comes(venue: &mut Venue, who: &Identity, invite: InviteKey) -> Option<DisconnectCode> {
    let guest = venue.arrive(Arrival::with_ticket(who, ticket(invite)));
    venue.play(3);
    assert!(venue.guests[guest].ending().is_some() || venue.guests[guest].peer.state() == PeerState::Live);
    venue.guests[guest].ending().map(|(code, _)| code)
}

fn leaves(venue: &mut Venue) {
    let guest = venue.guests.last_mut().expect("somebody");
    guest.peer.leave("");
    venue.pass_ms(1);
    assert_eq!(venue.host.members(), []);
}

// ---- Invites ----

#[test]
fn an_invite_lets_one_in_and_it_may_come_back() {
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    assert_eq!(venue.host.members()[0].role, Role::Editor);
    let bound = |event: &HostEvent| matches!(event, HostEvent::InviteBound { invite, key } if *invite == KEY.id && *key == person(7).public_key());
    assert_eq!(venue.events.iter().filter(|event| bound(event)).count(), 1);
    leaves(&mut venue);
    assert_eq!(comes(&mut venue, &person(8), KEY), Some(DisconnectCode::InviteUsed));
    assert_eq!(comes(&mut venue, &person(7), KEY), None, "the key it is bound to may come back");
    assert_eq!(venue.events.iter().filter(|event| bound(event)).count(), 1, "it was bound before");
}

#[test]
fn an_invite_that_somebody_else_used() {
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    leaves(&mut venue);
    venue.events.clear();
    venue.guests.clear();
    let late = venue.arrive(Arrival::with_ticket(&person(8), ticket(KEY)));
    let (code, reason) = venue.guests[late].ending().expect("an end");
    assert_eq!(code, DisconnectCode::InviteUsed);
    assert!(reason.contains("bound to another key"), "{reason}");
    let link = venue.guests[late].link;
    venue.assert_refused(link, DisconnectCode::InviteUsed);
}

#[test]
fn of_two_who_come_at_once_with_one_invite_one_gets_in() {
    let mut venue = inviting(invite(1));
    let mut slow = Intruder::knock(&mut venue, &person(7), Role::Editor);
    slow.ticket = ticket(KEY);
    let acknowledge = slow.greet(&mut venue, slow.hello()).expect("an answer");
    assert_eq!(comes(&mut venue, &person(8), KEY), None);
    let confirm = slow.confirmation(&acknowledge);
    slow.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    assert_eq!(slow.ending(&venue), Some(DisconnectCode::InviteUsed));
    assert_eq!(venue.host.members().len(), 1);
}

#[test]
fn an_invite_of_two_uses_lets_two_in() {
    let mut venue = inviting(invite(2));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    assert_eq!(comes(&mut venue, &person(8), KEY), None);
    assert_eq!(comes(&mut venue, &person(10), KEY), Some(DisconnectCode::InviteUsed));
}

#[test]
fn an_expired_invite() {
    for (unix_s, code) in [(UNIX_S + 59, None), (UNIX_S + 60, Some(DisconnectCode::TicketExpired))] {
        let mut venue = inviting(invite(1));
        venue.host.set_unix_time(unix_s);
        assert_eq!(comes(&mut venue, &person(7), KEY), code);
    }
    let mut venue = inviting(invite(1));
    venue.host.set_unix_time(UNIX_S + 60);
    let late = venue.arrive(Arrival::with_ticket(&person(7), ticket(KEY)));
    let link = venue.guests[late].link;
    venue.host.set_unix_time(UNIX_S);
    venue.assert_refused(link, DisconnectCode::TicketExpired);
}

#[test]
fn a_revoked_invite() {
    let mut venue = inviting(invite(1));
    change(&mut venue, AdmissionChange::Revoke(KEY.id));
    let late = venue.arrive(Arrival::with_ticket(&person(7), ticket(KEY)));
    let (code, reason) = venue.guests[late].ending().expect("an end");
    assert_eq!(code, DisconnectCode::InviteUsed);
    assert!(reason.contains("revoked"), "{reason}");
    let link = venue.guests[late].link;
    venue.assert_refused(link, DisconnectCode::InviteUsed);
    // Whom it let in before may not come back by it either, and stays while it is in.
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    change(&mut venue, AdmissionChange::Revoke(KEY.id));
    venue.play(2);
    assert_eq!(venue.host.members().len(), 1);
    leaves(&mut venue);
    assert_eq!(comes(&mut venue, &person(7), KEY), Some(DisconnectCode::InviteUsed));
}

#[test]
fn an_invite_that_nobody_made() {
    let mut venue = inviting(invite(1));
    let stranger = InviteKey { id: [9; 16], ..KEY };
    let guest = venue.arrive(Arrival::with_ticket(&person(7), ticket(stranger)));
    let link = venue.guests[guest].link;
    venue.assert_refused(link, DisconnectCode::TicketInvalid);
}

/// Who knows an invite's id and not its secret comes with it.
#[test]
pub fn a_guessed_secret() {
    let mut venue = inviting(invite(1));
    let guessed = InviteKey { secret: [0; 32], ..KEY };
    let guest = venue.arrive(Arrival::with_ticket(&person(7), ticket(guessed)));
    let link = venue.guests[guest].link;
    venue.assert_refused(link, DisconnectCode::TicketInvalid);
    // Nothing was used up by it.
    assert_eq!(comes(&mut venue, &person(8), KEY), None);
}

/// Two come with an invite for one: the second stays outside.
#[test]
pub fn a_second_use() {
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    assert_eq!(comes(&mut venue, &person(8), KEY), Some(DisconnectCode::InviteUsed));
}

/// A banned key comes with a right ticket.
#[test]
pub fn a_banned_key() {
    let mut venue = Venue::new();
    change(&mut venue, AdmissionChange::Ban(person(7).public_key()));
    let guest = venue.arrive(Arrival::honest(&person(7), Role::Editor));
    let link = venue.guests[guest].link;
    venue.assert_refused(link, DisconnectCode::Banned);
}

#[test]
fn a_proof_that_was_overheard_is_worth_nothing() {
    // Somebody records what a guest with an invite sent, and shows the same on a connection of its own.
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    let recorded = venue.guests[0].packets(Way::ToHost);
    let proof = first_in(&recorded, |_, message| match message {
        Message::SessionConfirm(SessionConfirm { admission: Admission::Invite(proof), .. }) => Some(proof),
        _ => None,
    });
    let proof = proof.expect("a proof");
    assert_eq!(proof.len(), INVITE_PROOF_BYTES);
    assert_eq!(proof[..16], KEY.id);
    for (_, bytes) in &recorded {
        assert!(!bytes.windows(32).any(|window| window == KEY.secret), "the secret travels");
    }
    leaves(&mut venue);
    venue.events.clear();
    venue.guests.clear();
    let mut thief = Intruder::knock(&mut venue, &person(66), Role::Editor);
    let acknowledge = thief.greet(&mut venue, thief.hello()).expect("an answer");
    let admission = Admission::Invite(proof);
    let confirm = SessionConfirm { admission, ..thief.confirmation(&acknowledge) };
    thief.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
    venue.assert_refused(thief.link, DisconnectCode::TicketInvalid);
}

#[test]
fn an_invite_is_shown_to_nobody_who_has_not_proved_to_be_the_host() {
    use super::impostor::{Impostor, terms_of};
    use super::venue::{admin, host_key};
    let arrival = Arrival::with_ticket(&person(7), ticket(KEY));
    let mut impostor = Impostor::meet_guest(terms_of(&host_key(66), &admin(66)), arrival);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
}

#[test]
fn proofs_that_are_none() {
    for length in [0, 15, 16, 47, 49, INVITE_BYTES * 100] {
        let mut venue = inviting(invite(1));
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
        let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
        let admission = Admission::Invite(vec![0x1d; length]);
        let confirm = SessionConfirm { admission, ..intruder.confirmation(&acknowledge) };
        intruder.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
        venue.assert_refused(intruder.link, DisconnectCode::TicketInvalid);
    }
}

#[test]
fn the_state_goes_from_one_host_to_the_next() {
    let mut venue = inviting(invite(1));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    change(&mut venue, AdmissionChange::Ban(person(12).public_key()));
    let kept = venue.host.admission().encode();
    let admission = AdmissionState::decode(&kept).expect("our own");
    let mut venue = Venue::with(HostConfig { admission, ..host_config() });
    assert_eq!(comes(&mut venue, &person(8), KEY), Some(DisconnectCode::InviteUsed));
    assert_eq!(comes(&mut venue, &person(7), KEY), None);
    let banned = venue.arrive(Arrival::honest(&person(12), Role::Editor));
    assert_eq!(venue.guests[banned].ending().map(|(code, _)| code), Some(DisconnectCode::Banned));
}

#[test]
fn a_change_that_cannot_be_made_changes_nothing() {
    let mut venue = inviting(invite(1));
    let before = venue.host.admission().clone();
    let admin = Invite::new(InviteKey { id: [3; 16], ..KEY }, Role::Admin, 1, u64::MAX);
    for wrong in
        [AdmissionChange::Invite(admin), AdmissionChange::Invite(invite(1)), AdmissionChange::Revoke([9; 16])]
    {
        change(&mut venue, wrong);
    }
    assert_eq!(venue.host.admission(), &before);
    venue.assert_serves();
}

// ---- Bans ----

#[test]
fn who_is_banned_goes_at_once_and_may_come_back_after_an_unban() {
    let mut venue = Venue::new();
    let bystander = venue.welcome(3, Role::Editor);
    let guest = venue.welcome(7, Role::Editor);
    change(&mut venue, AdmissionChange::Ban(person(7).public_key()));
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::Banned);
    assert!(reason.contains(DisconnectCode::Banned.sentence()), "{reason}");
    let left = |event: &HostEvent| matches!(event, HostEvent::PeerLeft { code: DisconnectCode::Banned, .. });
    assert!(venue.events.iter().any(left));
    assert_eq!(venue.host.members().len(), 1);
    let frames = venue.guests[bystander].frames();
    venue.play(3);
    assert!(venue.guests[bystander].frames() > frames, "the others go on");
    change(&mut venue, AdmissionChange::Unban(person(7).public_key()));
    let back = venue.arrive(Arrival::honest(&person(7), Role::Editor));
    venue.play(3);
    assert_eq!(venue.guests[back].peer.state(), PeerState::Live);
}

#[test]
fn who_waits_for_the_application_is_banned_too() {
    let mut venue = Venue::with(HostConfig { manual_admission: true, ..host_config() });
    let guest = venue.arrive(Arrival::honest(&person(7), Role::Editor));
    assert_eq!(venue.guests[guest].ending(), None);
    change(&mut venue, AdmissionChange::Ban(person(7).public_key()));
    assert_eq!(venue.guests[guest].ending().map(|(code, _)| code), Some(DisconnectCode::Banned));
    let admit = HostCommand::Admit { peer: PeerId(1), role: Role::Editor, application: Vec::new() };
    venue.host.command(venue.now, admit);
    venue.pump();
    assert_eq!(venue.host.members(), []);
}

#[test]
fn which_keys_are_banned_cannot_be_probed() {
    // Who only knows a key's public half hears what everybody without a proof hears.
    let mut venue = Venue::new();
    change(&mut venue, AdmissionChange::Ban(person(12).public_key()));
    for claimed in [person(12), person(13)] {
        let mut prober = Intruder::knock(&mut venue, &person(66), Role::Editor);
        let hello =
            theta_core::wire::message::SessionHello { client_key: claimed.public_key(), ..prober.hello() };
        let acknowledge = prober.greet(&mut venue, hello).expect("an answer");
        let confirm = prober.confirmation(&acknowledge);
        prober.say(&mut venue, Lane::Control, &Message::SessionConfirm(confirm));
        assert_eq!(prober.ending(&venue), Some(DisconnectCode::BadClientProof));
    }
}

// ---- Bearer tokens ----

fn with_token(token: &[u8]) -> Arrival {
    let mut arrival = Arrival::with_ticket(&person(7), ticket_of(&member(&person(7), Role::Admin)));
    arrival.terms.ticket.pass = Pass::None;
    arrival.terms.bearer = Some(token.to_vec());
    arrival
}

fn verifying() -> Venue {
    Venue::with(HostConfig { bearer: Some(Role::Editor), ..host_config() })
}

#[test]
fn a_bearer_token_is_the_applications_to_judge() {
    let mut venue = verifying();
    let guest = venue.arrive(with_token(b"token of an outside service"));
    let Some(HostEvent::JoinRequest { info, bearer, .. }) = venue.events.first() else {
        panic!("{:?}", venue.events)
    };
    assert_eq!(bearer.as_deref(), Some(b"token of an outside service".as_slice()));
    assert_eq!(info.role, Role::Editor);
    assert!(!venue.guests[guest].was_admitted());
    let admit = HostCommand::Admit { peer: info.peer, role: Role::Admin, application: Vec::new() };
    venue.host.command(venue.now, admit);
    venue.pump();
    assert_eq!(venue.host.members()[0].role, Role::Editor, "never more than the host's bearers get");
    // It crosses the wire in the confirmation and nowhere else.
    let carries: Vec<bool> = venue.guests[guest]
        .packets(Way::ToHost)
        .iter()
        .map(|(_, bytes)| bytes.windows(7).any(|window| window == b"outside"))
        .collect();
    assert_eq!(carries.iter().filter(|carries| **carries).count(), 1);
    assert!(carries[1], "the second packet is the confirmation");
}

#[test]
fn a_bearer_token_that_the_verifier_refuses() {
    let mut venue = verifying();
    let guest = venue.arrive(with_token(b"forged"));
    let deny = HostCommand::Deny { peer: PeerId(1), reason: "signed by nobody we know".into() };
    venue.host.command(venue.now, deny);
    venue.pump();
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::AdmissionRefused);
    assert!(reason.contains("signed by nobody we know"), "{reason}");
    assert_eq!(venue.host.members(), []);
    let ticketed = venue.arrive(Arrival::honest(&person(8), Role::Editor));
    assert!(venue.guests[ticketed].was_admitted(), "who has a ticket is not asked for a token");
}

#[test]
fn a_host_without_a_verifier_takes_no_token() {
    let mut venue = Venue::new();
    let guest = venue.arrive(with_token(b"token"));
    let link = venue.guests[guest].link;
    venue.assert_refused(link, DisconnectCode::AdmissionRequired);
}

#[test]
fn a_decision_about_who_is_in_already_changes_nothing() {
    let mut venue = Venue::new();
    let guest = venue.welcome(7, Role::Viewer);
    let admit = HostCommand::Admit { peer: PeerId(1), role: Role::Admin, application: Vec::new() };
    venue.host.command(venue.now, admit);
    venue.play(3);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
    assert_eq!(venue.host.members()[0].role, Role::Viewer);
    let frames = venue.guests[guest].frames();
    venue.play(3);
    assert!(venue.guests[guest].frames() >= frames + 3);
    // Its link may end as any other.
    let link = venue.guests[guest].link;
    venue.host.handle(venue.now, link, LinkInput::Closed { code: 1, reason: "" });
    venue.pump();
    assert_eq!(venue.host.members(), []);
}
