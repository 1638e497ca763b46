//! The least that either side settles for: held against what was signed, so that nobody in the middle can talk a client
//! into less, and no unsigned word makes it try again with less.

use theta_core::session::HostConfig;
use theta_core::session::handshake::Floors;
use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{
    Capability, Message, Role, SecurityMode, SessionHello, TransportKind, Version, WireEnum,
};

use super::impostor::{Impostor, real_terms};
use super::proofs::rewriting_hello;
use super::venue::{Arrival, Venue, host_config, person};

/// What a client with these floors makes of the real host's signed answer.
fn client_with(floors: Floors, code: Option<DisconnectCode>) -> String {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.floors = floors;
    let mut impostor = Impostor::meet_guest(real_terms(), arrival);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    match code {
        Some(code) => impostor.assert_turned_away(code),
        None => assert!(impostor.peer.agreement().is_some(), "{:?}", impostor.closed),
    }
    impostor.closed.map_or_else(String::new, |(_, reason)| reason)
}

#[test]
fn a_version_below_the_clients_floor() {
    client_with(Floors { version: Version::CURRENT, ..Floors::default() }, None);
    let floor = Version { minor: Version::CURRENT.minor + 1, ..Version::CURRENT };
    let reason =
        client_with(Floors { version: floor, ..Floors::default() }, Some(DisconnectCode::VersionFloor));
    assert!(
        reason.contains(&floor.to_string()) && reason.contains(&Version::CURRENT.to_string()),
        "{reason}"
    );
}

#[test]
fn a_transport_below_the_clients_floor() {
    client_with(Floors { transports: TransportKind::Memory.bit(), ..Floors::default() }, None);
    let only_quic = Floors { transports: TransportKind::Quic.bit(), ..Floors::default() };
    client_with(only_quic, Some(DisconnectCode::TransportFloor));
}

#[test]
fn a_security_mode_below_the_clients_floor() {
    let members_only = Floors { security_modes: SecurityMode::EndToEnd.bit(), ..Floors::default() };
    client_with(members_only, Some(DisconnectCode::SecurityFloor));
}

#[test]
fn a_version_below_the_hosts_floor() {
    let floor = Version { minor: Version::CURRENT.minor + 1, ..Version::CURRENT };
    let mut venue = Venue::with(HostConfig { least_version: floor, ..host_config() });
    let guest = venue.arrive(Arrival::honest(&person(7), Role::Editor));
    let link = venue.guests[guest].link;
    assert_eq!(venue.failure(link).map(|(code, _)| code), Some(DisconnectCode::VersionFloor));
    venue.assert_nobody_joined();
    let mut venue = Venue::with(HostConfig { least_version: Version::CURRENT, ..host_config() });
    venue.assert_serves();
}

#[test]
fn a_middle_node_that_strips_or_lowers_what_the_client_offered_is_noticed() {
    type Change = fn(&mut SessionHello);
    let changes: [(&str, Change); 7] = [
        ("version", |hello| hello.version.patch += 1),
        ("transports", |hello| hello.transports |= TransportKind::WebRtc.bit() as u32),
        ("security modes", |hello| hello.security_modes |= SecurityMode::EndToEnd.bit() as u32),
        ("compressions", |hello| hello.compressions = 0),
        ("capabilities", |hello| hello.capabilities &= !Capability::PredictiveInput.bit()),
        ("all capabilities", |hello| hello.capabilities = 0),
        ("dictionaries", |hello| hello.dictionaries = vec![1]),
    ];
    for (what, change) in changes {
        let mut venue = Venue::new();
        let mut arrival = Arrival::honest(&person(7), Role::Editor);
        arrival.tamper = rewriting_hello(change);
        let victim = venue.arrive(arrival);
        let ending = venue.guests[victim].ending().map(|(code, _)| code);
        assert_eq!(ending, Some(DisconnectCode::BadHostProof), "{what}");
        venue.assert_turned_away(victim, DisconnectCode::BadHostProof);
    }
}
