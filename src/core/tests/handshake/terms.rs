//! What both sides must agree on before a proof is worth anything: version, schema, transport, capabilities.

use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind};
use theta_core::session::PeerState;
use theta_core::session::handshake::supported_capabilities;
use theta_core::types::Lane;
use theta_core::wire::codes::{CapabilityReason, DisconnectCode};
use theta_core::wire::message::{
    Capability, CapabilityBit, CompressionKind, Message, RefusedCapability, Role, SecurityMode, SessionHello,
    TransportKind, Version, WireEnum,
};

use super::impostor::{Impostor, real_terms};
use super::intruder::Intruder;
use super::proofs::rewriting_hello;
use super::venue::{Arrival, Venue, person, schema_of};

/// What the host answers to a hello that is right but for one thing.
fn host_says(change: impl FnOnce(&mut SessionHello), code: DisconnectCode) -> String {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let mut hello = intruder.hello();
    change(&mut hello);
    assert!(intruder.greet(&mut venue, hello).is_none());
    let reason = venue.closed[&intruder.link].1.clone();
    venue.assert_refused(intruder.link, code);
    reason
}

/// What a client does with a core, signed by the right host, that is right but for one thing.
fn client_says(
    change: impl FnOnce(&mut theta_core::wire::message::AcknowledgeCore),
    code: DisconnectCode,
) -> String {
    let mut impostor = Impostor::meet(real_terms());
    let acknowledge = impostor.acknowledgement(change);
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(code);
    impostor.closed.expect("closed").1
}

// ---- Version ----

#[test]
fn another_major_version_is_refused_with_both_versions() {
    let reason = host_says(
        |hello| hello.version = Version { major: 7, minor: 8, patch: 9 },
        DisconnectCode::VersionMismatch,
    );
    assert!(reason.contains("7.8.9") && reason.contains(&Version::CURRENT.to_string()), "{reason}");
    assert!(reason.contains(DisconnectCode::VersionMismatch.hint()), "{reason}");
    let reason = client_says(|core| core.version.major += 1, DisconnectCode::VersionMismatch);
    assert!(reason.contains("2.0.0") && reason.contains(&Version::CURRENT.to_string()), "{reason}");
    // A version above what was offered is no agreement either.
    client_says(|core| core.version.minor += 1, DisconnectCode::VersionMismatch);
}

#[test]
fn a_newer_minor_version_is_talked_down() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::knock(&mut venue, &person(7), Role::Editor);
    let newer = Version { minor: Version::CURRENT.minor + 3, ..Version::CURRENT };
    let hello = SessionHello { version: newer, ..intruder.hello() };
    let acknowledge = intruder.greet(&mut venue, hello).expect("an answer");
    let core = theta_core::wire::message::AcknowledgeCore::decode(&acknowledge.core).expect("a core");
    assert_eq!(core.version, Version::CURRENT);
}

// ---- Schema ----

#[test]
fn a_schema_with_nothing_in_common_is_refused_and_named_component_by_component() {
    let mut venue = Venue::new();
    let lamp = ComponentDesc::new("other.lamp").field(FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 }));
    let stranger =
        venue.arrive(Arrival { schema: schema_of([lamp]), ..Arrival::honest(&person(7), Role::Editor) });
    let (code, reason) = venue.guests[stranger].ending().expect("an end");
    assert_eq!(code, DisconnectCode::SchemaMismatch);
    for part in ["\"gate.life\" is missing at the peer", "\"other.lamp\" is missing at the host"] {
        assert!(reason.contains(part), "{reason}");
    }
    let link = venue.guests[stranger].link;
    venue.assert_refused(link, DisconnectCode::SchemaMismatch);
    // The built-in component is the protocol's: who has another one is of another protocol.
    let reason = host_says(
        |hello| {
            hello.schema_hash ^= 1;
            hello.components.retain(|component| component.name != "theta.entity");
        },
        DisconnectCode::SchemaMismatch,
    );
    assert!(reason.contains("\"theta.entity\" is missing at the peer"), "{reason}");
    let reason = host_says(|hello| hello.schema_hash ^= 1, DisconnectCode::SchemaMismatch);
    assert!(reason.contains("the listed components agree"), "{reason}");
}

#[test]
fn a_strangers_component_name_cannot_write_into_a_log() {
    let reason = host_says(
        |hello| {
            hello.schema_hash ^= 1;
            hello.components.retain(|component| component.name == "theta.entity");
            hello.components.push(theta_core::wire::message::ComponentLayout {
                id: theta_core::types::ComponentId(u64::MAX),
                layout_hash: 0,
                name: "x\n\x1b[2J admitted".into(),
            });
        },
        DisconnectCode::SchemaMismatch,
    );
    assert!(reason.chars().all(|character| !character.is_control()), "{reason:?}");
}

#[test]
fn a_long_list_of_differences_is_cut() {
    let reason = host_says(
        |hello| {
            hello.schema_hash ^= 1;
            hello.components = (0..150u64)
                .map(|n| theta_core::wire::message::ComponentLayout {
                    id: theta_core::types::ComponentId(n + 1),
                    layout_hash: n,
                    name: format!("{n:0>200}"),
                })
                .collect();
        },
        DisconnectCode::SchemaMismatch,
    );
    assert!(reason.contains("and ") && reason.contains(" more"), "{reason}");
    assert!(reason.len() < 2000, "{} bytes", reason.len());
}

// ---- Transport, security, document ----

#[test]
fn a_transport_that_the_client_does_not_offer_is_refused() {
    host_says(
        |hello| hello.transports = TransportKind::Quic.bit() as u32,
        DisconnectCode::BindingUnsupported,
    );
    host_says(|hello| hello.transports = 0, DisconnectCode::BindingUnsupported);
}

#[test]
fn a_security_mode_below_the_floor_is_refused() {
    host_says(
        |hello| hello.security_modes = SecurityMode::EndToEnd.bit() as u32,
        DisconnectCode::SecurityFloor,
    );
    client_says(|core| core.security_mode = SecurityMode::EndToEnd, DisconnectCode::SecurityFloor);
}

#[test]
fn another_document_is_refused() {
    host_says(|hello| hello.document_id = Some([8; 32]), DisconnectCode::WrongDocument);
}

// ---- Capabilities ----

#[test]
fn what_is_not_granted_is_explained() {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.capabilities = Capability::ALL.iter().fold(0, |mask, capability| mask | capability.bit());
    let mut venue = Venue::new();
    let guest = venue.arrive(arrival);
    let agreement = venue.guests[guest].peer.agreement().expect("an agreement").clone();
    let granted = supported_capabilities() & !Capability::Compression.bit();
    assert_eq!(agreement.capabilities, granted);
    assert_eq!(agreement.compression, CompressionKind::None);
    let reasons: Vec<_> =
        agreement.refused.iter().map(|refused| (refused.capability, refused.reason)).collect();
    let known = CapabilityBit::Known;
    assert!(reasons.contains(&(known(Capability::Compression), CapabilityReason::MissingDictionary)));
    assert!(reasons.contains(&(known(Capability::EndToEnd), CapabilityReason::NotSupported)));
    let explained = agreement.refused.iter().fold(0, |mask, refused| mask | refused.capability.bit());
    assert_eq!(explained & granted, 0);
    assert_eq!((explained | granted).count_ones() as usize, Capability::ALL.len());
}

/// Of a client that is newer than the host.
#[test]
fn a_capability_that_nobody_knows_is_answered_too() {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.capabilities = Capability::Datagrams.bit() | 1 << 40 | 1 << 63;
    let mut venue = Venue::new();
    let guest = venue.arrive(arrival);
    venue.play(3);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
    let agreement = venue.guests[guest].peer.agreement().expect("an agreement");
    assert_eq!(agreement.capabilities, Capability::Datagrams.bit());
    let refused = |number| RefusedCapability {
        capability: CapabilityBit::Unknown(number),
        reason: CapabilityReason::NotSupported,
    };
    assert_eq!(agreement.refused, [refused(40), refused(63)]);
}

#[test]
fn a_capability_list_stripped_on_its_way_to_the_host_is_noticed() {
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.tamper = rewriting_hello(|hello| hello.capabilities = 0);
    let victim = venue.arrive(arrival);
    venue.assert_turned_away(victim, DisconnectCode::BadHostProof);
}

#[test]
fn a_downgrade_of_anything_in_the_hello_is_noticed() {
    type Change = fn(&mut SessionHello);
    let changes: [(&str, Change); 9] = [
        ("capabilities", |hello| hello.capabilities = Capability::Datagrams.bit()),
        ("compressions", |hello| hello.compressions ^= 2),
        ("security modes", |hello| hello.security_modes |= 2),
        ("transports", |hello| hello.transports |= 0xf),
        ("client name", |hello| hello.client_name = "mallory".into()),
        ("application", |hello| hello.application = b"level 99".to_vec()),
        ("nonce", |hello| hello.client_nonce[0] ^= 1),
        ("version", |hello| hello.version.patch += 1),
        ("document", |hello| hello.document_id = None),
    ];
    for (what, change) in changes {
        let mut venue = Venue::new();
        let mut arrival = Arrival::honest(&person(7), Role::Editor);
        arrival.tamper = rewriting_hello(change);
        let victim = venue.arrive(arrival);
        assert_eq!(
            venue.guests[victim].packets(super::venue::Way::ToHost).len(),
            1,
            "{what}: no proof was given"
        );
        venue.assert_turned_away(victim, DisconnectCode::BadHostProof);
    }
}

#[test]
fn a_host_that_drops_or_invents_capabilities_without_a_word_is_left() {
    let datagrams = Capability::Datagrams.bit();
    client_says(|core| core.capabilities &= !datagrams, DisconnectCode::ProtocolViolation);
    client_says(|core| core.refused.clear(), DisconnectCode::ProtocolViolation);
    client_says(|core| core.capabilities |= Capability::EndToEnd.bit(), DisconnectCode::ProtocolViolation);
    client_says(
        |core| {
            core.refused.push(RefusedCapability {
                capability: CapabilityBit::Known(Capability::Datagrams),
                reason: CapabilityReason::DisabledByHost,
            });
        },
        DisconnectCode::ProtocolViolation,
    );
}

#[test]
fn compression_must_have_been_agreed_and_with_this_dictionary() {
    client_says(|core| core.compression = CompressionKind::ZstdDictionary, DisconnectCode::ProtocolViolation);
    // Granted and with no dictionary at all: neither side has one.
    client_says(
        |core| {
            core.refused
                .retain(|refused| refused.capability != CapabilityBit::Known(Capability::Compression));
            core.capabilities |= Capability::Compression.bit();
            core.compression = CompressionKind::ZstdDictionary;
            core.dictionary_hash = 0;
        },
        DisconnectCode::ProtocolViolation,
    );
}

#[test]
fn an_epoch_or_a_rate_of_zero_is_no_session() {
    client_says(|core| core.session_epoch = 0, DisconnectCode::ProtocolViolation);
    client_says(|core| core.tick_rate_hz = 0, DisconnectCode::ProtocolViolation);
}
