//! Every message at every stage of a link, on both sides: what may come is taken, what may not has its code, and
//! nothing panics.

use theta_core::session::{HostConfig, HostEvent, PeerState};
use theta_core::types::Lane;
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::message::{
    Admitted, Message, MessageType, NackKind, Role, SessionControl, SessionHello, WireEnum,
};

use super::impostor::{Impostor, real_terms};
use super::intruder::Intruder;
use super::samples;
use super::venue::{Arrival, Venue, host_config, person};

const LANES: [Lane; 6] =
    [Lane::Control, Lane::Replication, Lane::State, Lane::Input, Lane::Presence, Lane::Bulk(0)];

/// Where docs/protocol.md ("Message types") says that a message may come; not what the code says.
fn lanes_of(message_type: MessageType) -> &'static [Lane] {
    match message_type {
        MessageType::SessionHello
        | MessageType::SessionAcknowledge
        | MessageType::SessionConfirm
        | MessageType::Heartbeat
        | MessageType::InterestSet
        | MessageType::TelemetryReport
        | MessageType::NackRequest => &[Lane::Control],
        MessageType::SessionControl => &[Lane::Control, Lane::Replication],
        MessageType::WorldSnapshot | MessageType::AssetTransfer => &[Lane::Bulk(0), Lane::Replication],
        MessageType::ComponentDelta => &[Lane::State, Lane::Replication],
        MessageType::StateAck => &[Lane::State],
        MessageType::StateHashReport => &[Lane::State, Lane::Control],
        MessageType::Ownership | MessageType::CommandLogEntry => &[Lane::Replication],
        MessageType::InputPredictiveState => &[Lane::Input],
        MessageType::EditorEvent => &[Lane::Presence],
        MessageType::AppMessage => &[Lane::Replication, Lane::Presence],
    }
}

fn travels_on(message_type: MessageType, lane: Lane) -> bool {
    lanes_of(message_type).contains(&lane)
}

/// The first lane on which a message may come.
fn lane_of(message: &Message<'_>) -> Lane {
    lanes_of(message.message_type())[0]
}

/// Whether that page says that a client with this role may send it.
fn may_send(role: Role, message_type: MessageType) -> bool {
    match message_type {
        MessageType::Heartbeat
        | MessageType::StateAck
        | MessageType::StateHashReport
        | MessageType::InterestSet
        | MessageType::TelemetryReport
        | MessageType::SessionControl
        | MessageType::NackRequest => true,
        MessageType::AppMessage | MessageType::EditorEvent => role >= Role::Commenter,
        MessageType::Ownership
        | MessageType::CommandLogEntry
        | MessageType::InputPredictiveState
        | MessageType::AssetTransfer => role >= Role::Editor,
        _ => false,
    }
}

/// What a message does to a link.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    Refused(RefusalReason),
    Closed(DisconnectCode),
}

fn outcome(venue: &Venue, intruder: &Intruder) -> Outcome {
    match (intruder.ending(venue), intruder.refusals(venue).first()) {
        (Some(code), _) => Outcome::Closed(code),
        (None, Some(refusal)) => Outcome::Refused(refusal.reason),
        (None, None) => Outcome::Taken,
    }
}

#[test]
fn before_the_hello_nothing_else_is_heard() {
    for (name, message) in samples::messages() {
        if matches!(message, Message::SessionHello(_)) {
            continue;
        }
        let mut venue = Venue::new();
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
        intruder.say(&mut venue, Lane::Control, &message);
        assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation), "{name}");
        venue.assert_nobody_joined();
    }
}

#[test]
fn a_hello_comes_on_control() {
    for lane in LANES.into_iter().filter(|lane| *lane != Lane::Control) {
        let mut venue = Venue::new();
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
        let hello = Message::SessionHello(intruder.hello());
        intruder.say(&mut venue, lane, &hello);
        venue.assert_refused(intruder.link, DisconnectCode::ProtocolViolation);
    }
}

#[test]
fn a_hello_that_cannot_be_read() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    intruder.say_bytes(&mut venue, Lane::Control, MessageType::SessionHello, &[0xff; 64]);
    venue.assert_refused(intruder.link, DisconnectCode::BadMessage);
}

#[test]
fn before_the_confirmation_nothing_else_is_heard() {
    for (name, message) in samples::messages() {
        if matches!(message, Message::SessionConfirm(_)) {
            continue;
        }
        let mut venue = Venue::new();
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
        intruder.greet(&mut venue, intruder.hello()).expect("an answer");
        intruder.say(&mut venue, Lane::Control, &message);
        assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation), "{name}");
        venue.assert_nobody_joined();
    }
}

#[test]
fn a_second_hello_on_one_link() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    let again = SessionHello { client_nonce: [0x34; 32], ..intruder.hello() };
    intruder.say(&mut venue, Lane::Control, &Message::SessionHello(again));
    venue.assert_refused(intruder.link, DisconnectCode::ProtocolViolation);

    // Two in one packet are no better.
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let hello = Message::SessionHello(intruder.hello());
    intruder.say_all(&mut venue, Lane::Control, &[hello.clone(), hello]);
    venue.assert_refused(intruder.link, DisconnectCode::ProtocolViolation);
}

#[test]
fn what_shares_a_packet_with_the_proof_is_not_acted_on() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let acknowledge = intruder.greet(&mut venue, intruder.hello()).expect("an answer");
    let confirm = Message::SessionConfirm(intruder.confirmation(&acknowledge));
    let loaded = Message::SessionControl(SessionControl::Loaded);
    intruder.say_all(&mut venue, Lane::Control, &[confirm, loaded]);
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation));
    assert_eq!(venue.host.members(), []);
    assert!(!venue.events.iter().any(|event| matches!(event, HostEvent::PeerLive(_))));

    let mut impostor = Impostor::meet(real_terms());
    let acknowledge = Message::SessionAcknowledge(impostor.acknowledgement(|_| ()));
    let admitted = Message::SessionControl(SessionControl::Admitted(Admitted::default()));
    impostor.say_all(Lane::Control, &[acknowledge, admitted]);
    impostor.assert_closed(DisconnectCode::ProtocolViolation);
    assert!(impostor.peer.state() == PeerState::Closed);
}

#[test]
fn before_the_decision_nothing_is_heard() {
    for (name, message) in samples::messages() {
        let mut venue = Venue::with(HostConfig { manual_admission: true, ..host_config() });
        let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Admin);
        intruder.prove(&mut venue);
        intruder.say(&mut venue, Lane::Control, &message);
        assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation), "{name}");
        assert_eq!(venue.host.members(), []);
        assert!(!venue.events.iter().any(|event| matches!(event, HostEvent::PeerJoined(_))));
    }
}

/// What the page says a member's message does, sent on its own lane.
fn expected(role: Role, message: &Message<'_>, is_loaded: bool) -> Outcome {
    /// Codes that only a host can mean.
    const HOSTS_OWN: &[DisconnectCode] = &[
        DisconnectCode::Kicked,
        DisconnectCode::ShuttingDown,
        DisconnectCode::AwayTimeout,
        DisconnectCode::Replaced,
        DisconnectCode::DuplicateIdentity,
        DisconnectCode::MessageForbidden,
        DisconnectCode::RateLimited,
        DisconnectCode::InviteUsed,
        DisconnectCode::AdmissionRequired,
        DisconnectCode::AdmissionRefused,
        DisconnectCode::Banned,
        DisconnectCode::ServerFull,
        DisconnectCode::DeniedByApplication,
        DisconnectCode::ResumeRefused,
    ];
    const VIOLATION: Outcome = Outcome::Closed(DisconnectCode::ProtocolViolation);
    if !may_send(role, message.message_type()) {
        return Outcome::Refused(RefusalReason::RoleForbids);
    }
    match message {
        Message::Heartbeat(_) => Outcome::Taken,
        Message::SessionControl(control) => match control {
            SessionControl::Loaded if is_loaded => VIOLATION,
            SessionControl::Loaded => Outcome::Taken,
            SessionControl::Leave(_) => Outcome::Closed(DisconnectCode::Left),
            SessionControl::Close(words) if HOSTS_OWN.contains(&words.code) => {
                Outcome::Closed(DisconnectCode::Left)
            }
            SessionControl::Close(words) => Outcome::Closed(words.code),
            SessionControl::Away { .. } | SessionControl::Back { .. } => Outcome::Taken,
            _ => VIOLATION,
        },
        // The samples name sequences, ticks and chunks that this host has never sent.
        Message::StateAck(ack) if ack.newest_sequence == 0 && ack.snapshot_id == 0 => Outcome::Taken,
        Message::StateAck(_) | Message::StateHashReport(_) => VIOLATION,
        Message::NackRequest(request) => match request.kind {
            NackKind::SnapshotChunks | NackKind::Archetypes | NackKind::Manifest => Outcome::Taken,
            NackKind::LogEntries | NackKind::AssetChunks => Outcome::Refused(RefusalReason::NotGranted),
        },
        // The sample's payload is a pattern, not packed input.
        Message::InputPredictiveState(_) => Outcome::Closed(DisconnectCode::BadMessage),
        _ => Outcome::Refused(RefusalReason::NotGranted),
    }
}

#[test]
fn every_message_of_every_role_has_its_answer() {
    let mut taken = 0;
    for role in Role::ALL.iter().copied() {
        for is_loaded in [false, true] {
            for (name, message) in samples::messages() {
                let mut venue = Venue::new();
                let bystander = venue.welcome(3, Role::Editor);
                let mut intruder = Intruder::knock(&mut venue, &person(7), role);
                intruder.prove(&mut venue);
                if is_loaded {
                    let loaded = Message::SessionControl(SessionControl::Loaded);
                    intruder.say(&mut venue, Lane::Control, &loaded);
                }
                intruder.say(&mut venue, lane_of(&message), &message);
                let outcome = outcome(&venue, &intruder);
                assert_eq!(outcome, expected(role, &message, is_loaded), "{role:?}, {is_loaded}: {name}");
                taken += usize::from(outcome == Outcome::Taken);
                let frames = venue.guests[bystander].frames();
                venue.play(1);
                assert!(venue.guests[bystander].frames() > frames, "{name}");
                assert!(!venue.events.iter().any(|event| matches!(event, HostEvent::Input { .. })));
            }
        }
    }
    assert!(taken >= 8, "some are simply taken: {taken}");
}

#[test]
fn a_message_on_a_lane_that_is_not_its_own() {
    for (name, message) in samples::messages() {
        for lane in LANES {
            let message_type = message.message_type();
            if travels_on(message_type, lane) || !may_send(Role::Admin, message_type) {
                continue;
            }
            let mut venue = Venue::new();
            let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Admin);
            intruder.say(&mut venue, lane, &message);
            let ending = intruder.ending(&venue);
            assert_eq!(ending, Some(DisconnectCode::ProtocolViolation), "{name} on {lane:?}");
        }
    }
    // Of the control messages only archetype definitions come on replication, and only from a host.
    let mut venue = Venue::new();
    let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Admin);
    let leave = SessionControl::Leave(theta_core::wire::message::Ending::from_code(DisconnectCode::Left));
    intruder.say(&mut venue, Lane::Replication, &Message::SessionControl(leave));
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation));
}

#[test]
fn a_host_that_has_not_proved_itself_is_told_nothing() {
    for (name, message) in samples::messages() {
        let mut impostor = Impostor::meet(real_terms());
        impostor.say(Lane::Control, &message);
        let code = match &message {
            Message::SessionControl(SessionControl::Denied(words) | SessionControl::Close(words)) => {
                words.code
            }
            // The sample says another kind of binding.
            Message::SessionAcknowledge(_) => DisconnectCode::BindingMismatch,
            _ => DisconnectCode::ProtocolViolation,
        };
        let found = impostor.closed.as_ref().map(|(code, _)| *code);
        // A sample whose core is no core is no message at all.
        let unread =
            matches!(message, Message::SessionAcknowledge(_)) && found == Some(DisconnectCode::BadMessage);
        assert!(unread || found == Some(code), "{name}: {found:?}");
        impostor.assert_turned_away(found.expect("closed"));
    }
}

#[test]
fn before_it_is_admitted_a_peer_takes_no_world() {
    for (name, message) in samples::messages() {
        let mut impostor = Impostor::meet(real_terms());
        let acknowledge = Message::SessionAcknowledge(impostor.acknowledgement(|_| ()));
        impostor.say(Lane::Control, &acknowledge);
        impostor.agree(1);
        impostor.say(lane_of(&message), &message);
        let found = impostor.closed.as_ref().map(|(code, _)| *code);
        let code = match &message {
            Message::SessionControl(SessionControl::Admitted(_)) => None,
            Message::SessionControl(
                SessionControl::Denied(words) | SessionControl::Kick(words) | SessionControl::Close(words),
            ) => Some(words.code),
            _ => Some(DisconnectCode::ProtocolViolation),
        };
        assert_eq!(found, code, "{name}");
    }
}

#[test]
fn a_peer_that_is_loading_takes_no_world() {
    for (name, message) in samples::messages() {
        if !matches!(message, Message::WorldSnapshot(_) | Message::ComponentDelta(_)) {
            continue;
        }
        let arrival = Arrival { manual_loaded: true, ..Arrival::honest(&person(7), Role::Editor) };
        let mut impostor = Impostor::host(arrival);
        assert_eq!(impostor.peer.state(), PeerState::Admitted);
        impostor.say(lane_of(&message), &message);
        impostor.assert_closed(DisconnectCode::ProtocolViolation);
        assert!(impostor.peer.replica().frame(theta_core::types::Tick(1)).is_none(), "{name}");
    }
}

#[test]
fn a_peer_takes_nothing_that_only_peers_send_and_nothing_on_a_wrong_lane() {
    for (name, message) in samples::messages() {
        for lane in LANES {
            let message_type = message.message_type();
            let host_sends = matches!(
                message_type,
                MessageType::Heartbeat
                    | MessageType::WorldSnapshot
                    | MessageType::ComponentDelta
                    | MessageType::SessionControl
            );
            if host_sends && travels_on(message_type, lane) {
                continue;
            }
            let mut impostor = Impostor::host(Arrival::honest(&person(7), Role::Editor));
            impostor.say(lane, &message);
            let found = impostor.closed.as_ref().map(|(code, _)| *code);
            assert_eq!(found, Some(DisconnectCode::ProtocolViolation), "{name} on {lane:?}");
        }
    }
}
