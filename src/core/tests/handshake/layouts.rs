//! Peers that were built with other components: they get the host's manifest and decode by it. What they lack they ask
//! for, and not without limit; a host that sends them nonsense is left.

use theta_core::schema::{
    Cell, ComponentDesc, FieldDesc, FieldKind, IntType, NoteKind, Range, Schema, Value, component_id,
};
use theta_core::session::input::InputSample;
use theta_core::session::keys::sha256;
use theta_core::session::{HostEvent, PeerEvent, PeerState};
use theta_core::types::{Lane, PeerId};
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::envelope;
use theta_core::wire::limits::{MAX_MANIFEST_PART_BYTES, MAX_NACK_IDS};
use theta_core::wire::message::{ManifestPart, Message, NackKind, NackRequest, Role, SessionControl};
use theta_core::world::{Frame, SpawnDesc};

use super::impostor::Impostor;
use super::intruder::Intruder;
use super::venue::{
    Arrival, Venue, Way, first_in, host_config, kind_name, packet, person, schema, schema_of, schema_of_kinds,
};
use std::sync::Arc;

fn body(step: f64) -> ComponentDesc {
    let metres = Range::new(-64.0, 64.0, step);
    ComponentDesc::new("gate.body").field(FieldDesc::new(1, "position", FieldKind::vec3(metres)))
}

fn life(largest: i128) -> ComponentDesc {
    let health = FieldKind::Int { ty: IntType::U16, min: 0, max: largest };
    ComponentDesc::new("gate.life").field(FieldDesc::new(1, "health", health))
}

/// A build before the host's: coarser, and without a component.
fn older() -> Arc<Schema> {
    schema_of([body(0.25)])
}

/// A build after it: a field more, wider numbers, and a component that the host does not have.
fn newer() -> Arc<Schema> {
    let glow = FieldDesc::new(2, "glow", FieldKind::Int { ty: IntType::U8, min: 0, max: 9 });
    let lamp = ComponentDesc::new("gate.lamp").field(FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 }));
    schema_of([body(1.0 / 256.0), life(1000).field(glow.default_value(Value::Int(7))), lamp])
}

fn with_schema(seed: u8, schema: Arc<Schema>) -> Arrival {
    Arrival { schema, ..Arrival::honest(&person(seed), Role::Editor) }
}

fn newest_frame(events: &[PeerEvent]) -> &Arc<Frame> {
    let frame = events.iter().rev().find_map(|event| match event {
        PeerEvent::Frame(frame) => Some(frame),
        _ => None,
    });
    frame.expect("a frame")
}

fn lanes(cell: Option<Cell>) -> Vec<u64> {
    match cell {
        Some(Cell::Lanes(lanes)) => lanes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// The kinds of request that a peer sent, with the ids.
fn requests(packets: &[(Lane, Vec<u8>)]) -> Vec<(NackKind, Vec<u32>)> {
    let mut found = Vec::new();
    first_in::<()>(packets, |_, message| {
        if let Message::NackRequest(request) = message {
            found.push((request.kind, request.ids));
        }
        None
    });
    found
}

#[test]
fn builds_before_and_after_the_hosts_share_its_session() {
    let mut venue = Venue::new();
    let same = venue.welcome(3, Role::Editor);
    let old = venue.arrive(with_schema(4, older()));
    let new = venue.arrive(with_schema(5, newer()));
    venue.play(30);
    let tick = venue.tick;
    for guest in [old, new] {
        let peer = &mut venue.guests[guest].peer;
        assert_eq!(peer.state(), PeerState::Live, "{:?}", venue.guests[guest].ending());
        peer.send_input(venue.now, InputSample { buttons: 5, ..InputSample::default() });
        assert_eq!(peer.replica().fold(tick), Some(venue.world.frame().fold()), "its replica is the host's");
    }
    venue.pump();
    for guest in [same, old, new] {
        let slot = venue.host.peer_of(venue.guests[guest].link).expect("a member");
        let confirmed = venue.host.statistics(slot).expect("a link").confirmed_tick;
        assert!(tick.since(confirmed) < 20, "{slot:?} is confirmed: {confirmed} of {tick}");
    }
    let heard = |slot: PeerId| {
        let from = |event: &HostEvent| matches!(event, HostEvent::Input { peer, .. } if *peer == slot);
        venue.events.iter().filter(|event| from(event)).count()
    };
    assert_eq!((heard(PeerId(2)), heard(PeerId(3))), (1, 1), "what they say is understood");
    // x is a 256th of a metre for each tick, above 64 m below zero.
    let x = u64::from(tick.0);
    let cell = |guest: usize, schema: &Schema, component: &str, field| {
        let frame = newest_frame(&venue.guests[guest].events);
        assert_eq!(frame.tick, tick);
        let entity = frame.rows().next().expect("an entity").entity();
        frame.cell(schema, entity, component_id(component), field)
    };
    assert_eq!(lanes(cell(same, &schema(), "gate.body", 1))[0], 64 * 256 + x);
    assert_eq!(lanes(cell(new, &newer(), "gate.body", 1))[0], 64 * 256 + x);
    assert_eq!(lanes(cell(old, &older(), "gate.body", 1))[0], 64 * 4 + (x + 32) / 64);
    assert_eq!(lanes(cell(new, &newer(), "gate.life", 1)), [0]);
    assert_eq!(lanes(cell(new, &newer(), "gate.life", 2)), [7], "what the host has not is our default");
    assert_eq!(cell(new, &newer(), "gate.lamp", 1), None);
    assert_eq!(cell(old, &older(), "gate.life", 1), None);
}

#[test]
fn what_differs_is_told_once_and_before_the_world() {
    let mut venue = Venue::new();
    let same = venue.welcome(3, Role::Editor);
    let guest = venue.arrive(with_schema(4, newer()));
    venue.play(3);
    let is_mapped = |event: &PeerEvent| matches!(event, PeerEvent::SchemaMapped(_));
    assert!(!venue.guests[same].events.iter().any(is_mapped));
    assert!(venue.guests[same].peer.mapping().is_none());
    let events = &venue.guests[guest].events;
    assert_eq!(events.iter().filter(|event| is_mapped(event)).count(), 1);
    let place = |find: &dyn Fn(&PeerEvent) -> bool| events.iter().position(find).expect("told");
    let admitted = place(&|event| matches!(event, PeerEvent::Admitted { .. }));
    let joining = place(&|event| matches!(event, PeerEvent::StateChanged(PeerState::Joining)));
    assert!((admitted..joining).contains(&place(&is_mapped)));
    let notes = venue.guests[guest].peer.mapping().expect("a mapping").notes();
    let told: Vec<_> = notes.iter().map(|note| (note.kind, note.field)).collect();
    let expected =
        [(NoteKind::ComponentAbsent, 0), (NoteKind::FieldDefaulted, 2), (NoteKind::FieldConverted, 1)];
    assert_eq!(told, expected, "{notes:#?}");
    assert!(notes[2].text.contains("gate.life.health") && notes[2].text.contains("u8 0..100"), "{notes:#?}");
}

#[test]
fn who_loads_by_hand_waits_for_the_manifest_too() {
    let mut venue = Venue::new();
    let guest = venue.arrive(Arrival { manual_loaded: true, ..with_schema(4, older()) });
    venue.play(3);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Admitted);
    assert!(venue.guests[guest].peer.mapping().is_some());
    venue.guests[guest].peer.loaded();
    venue.play(3);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
}

#[test]
fn a_large_manifest_comes_in_parts() {
    let host = schema_of_kinds(700);
    assert!(host.compact_manifest().expect("fits").len() > MAX_MANIFEST_PART_BYTES);
    let mut venue = Venue::with_schema(host_config(), host);
    let guest = venue.arrive(with_schema(4, schema()));
    venue.play(5);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live, "{:?}", venue.guests[guest].ending());
    assert_eq!(venue.guests[guest].peer.mapping().expect("a mapping").notes().len(), 700);
}

#[test]
fn what_cannot_be_reconciled_is_named_on_both_sides() {
    let other = ComponentDesc::new("gate.life").field(FieldDesc::new(1, "health", FieldKind::Entity));
    let mut venue = Venue::new();
    let bystander = venue.welcome(3, Role::Editor);
    let guest = venue.arrive(with_schema(4, schema_of([body(0.25), other])));
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::SchemaMismatch);
    assert!(reason.contains("gate.life.health") && reason.contains("an entity"), "{reason}");
    assert!(!reason.contains("gate.body"), "that can be read: {reason}");
    assert!(reason.contains(DisconnectCode::SchemaMismatch.hint()), "{reason}");
    let left = venue.events.iter().find_map(|event| match event {
        HostEvent::PeerLeft { code, reason, .. } => Some((*code, reason.clone())),
        _ => None,
    });
    let (code, reason) = left.expect("the host is told");
    assert_eq!(code, DisconnectCode::SchemaMismatch);
    assert!(reason.contains("gate.life.health"), "{reason}");
    venue.play(3);
    assert_eq!(venue.guests[bystander].ending(), None);
}

// ---- A host that sends nonsense ----

fn part(bytes: &[u8], part: u16, part_count: u16) -> Message<'static> {
    let checksum = sha256(bytes);
    let at = usize::from(part) * bytes.len() / usize::from(part_count);
    let end = usize::from(part + 1) * bytes.len() / usize::from(part_count);
    let part = ManifestPart { checksum, part, part_count, bytes: bytes[at..end].to_vec() };
    Message::SessionControl(SessionControl::Manifest(part))
}

fn right() -> Vec<u8> {
    schema().compact_manifest().expect("fits")
}

/// A peer of another build that waits for its manifest.
fn waiting() -> Impostor {
    let scene = Impostor::host(with_schema(7, older()));
    assert_eq!(scene.peer.state(), PeerState::Admitted, "it does not say that it has loaded");
    scene
}

fn pass_ms(scene: &mut Impostor, ms: u64) {
    // It goes on living meanwhile.
    for _ in 0..ms / 100 {
        scene.now = scene.now.plus_ms(100);
        let beat = theta_core::wire::message::Heartbeat::default();
        scene.say(Lane::Control, &Message::Heartbeat(beat));
        let now = scene.now;
        scene.peer.handle_timeout(now);
        scene.drain();
    }
}

#[test]
fn a_manifest_in_any_order_and_twice_is_one() {
    let mut scene = waiting();
    for at in [2, 0, 2, 1, 0] {
        scene.say(Lane::Control, &part(&right(), at, 3));
    }
    assert_eq!(scene.peer.state(), PeerState::Joining, "{:?}", scene.closed);
    assert_eq!(scene.peer.replica().schema().hash(), schema().hash());
}

#[test]
fn a_manifest_that_is_none_ends_the_link() {
    let mut flipped = right();
    let last = flipped.len() - 1;
    flipped[last] ^= 0x40;
    let cut = right()[..30].to_vec();
    let cases: [(&str, Vec<Message<'static>>, DisconnectCode); 5] = [
        ("nothing", vec![part(&[], 0, 1)], DisconnectCode::BadMessage),
        ("cut", vec![part(&cut, 0, 1)], DisconnectCode::BadMessage),
        ("changed", vec![part(&flipped, 0, 1)], DisconnectCode::BadMessage),
        (
            "another schema's",
            vec![part(&newer().compact_manifest().expect("fits"), 0, 1)],
            DisconnectCode::BadMessage,
        ),
        ("of two", vec![part(&right(), 0, 2), part(&right(), 0, 3)], DisconnectCode::BadMessage),
    ];
    for (what, messages, code) in cases {
        let mut scene = waiting();
        scene.say_all(Lane::Control, &messages);
        assert_eq!(scene.closed.as_ref().map(|(code, _)| *code), Some(code), "{what}: {:?}", scene.closed);
        scene.assert_closed(code);
    }
}

#[test]
fn a_manifest_that_nobody_waits_for_is_no_word_of_a_host() {
    let mut scene = Impostor::host(Arrival::honest(&person(7), Role::Editor));
    scene.say(Lane::Control, &part(&right(), 0, 1));
    scene.assert_closed(DisconnectCode::ProtocolViolation);
    // One that came already changes nothing.
    let mut scene = waiting();
    scene.say(Lane::Control, &part(&right(), 0, 1));
    scene.say(Lane::Control, &part(&newer().compact_manifest().expect("fits"), 0, 1));
    assert_eq!(scene.peer.replica().schema().hash(), schema().hash());
    assert!(scene.closed.is_none());
}

#[test]
fn what_is_missing_of_a_manifest_is_asked_for_and_a_host_that_never_sends_it_is_left() {
    let mut scene = waiting();
    scene.say(Lane::Control, &part(&right(), 1, 3));
    pass_ms(&mut scene, 2500);
    assert_eq!(requests(&scene.heard), [(NackKind::Manifest, vec![0, 2])]);
    scene.say_all(Lane::Control, &[part(&right(), 0, 3), part(&right(), 2, 3)]);
    assert_eq!(scene.peer.state(), PeerState::Joining);
    let mut scene = waiting();
    pass_ms(&mut scene, 9000);
    assert_eq!(requests(&scene.heard), vec![(NackKind::Manifest, vec![]); 3]);
    scene.assert_closed(DisconnectCode::HandshakeTimeout);
}

#[test]
fn a_manifest_with_another_checksum_is_asked_for_again_a_few_times() {
    let mut scene = waiting();
    let wrong = || match part(&right(), 0, 1) {
        Message::SessionControl(SessionControl::Manifest(mut part)) => {
            part.bytes[40] ^= 1;
            Message::SessionControl(SessionControl::Manifest(part))
        }
        other => other,
    };
    scene.say(Lane::Control, &wrong());
    assert_eq!(requests(&scene.heard), [(NackKind::Manifest, vec![])]);
    scene.say(Lane::Control, &part(&right(), 0, 1));
    assert_eq!(scene.peer.state(), PeerState::Joining);
    let mut scene = waiting();
    for _ in 0..4 {
        scene.say(Lane::Control, &wrong());
    }
    scene.assert_closed(DisconnectCode::HandshakeTimeout);
}

// ---- What a peer may ask for ----

fn ask(venue: &mut Venue, member: &mut Intruder, kind: NackKind, ids: Vec<u32>) {
    let request = NackRequest { kind, subject: 0, ids };
    member.say(venue, Lane::Control, &Message::NackRequest(request));
}

/// Parts of manifests, and definitions of archetypes on the replication lane, that a link was sent.
fn answers(venue: &Venue, member: &Intruder) -> (usize, usize) {
    let (mut parts, mut definitions) = (0, 0);
    first_in::<()>(&venue.said[&member.link], |lane, message| {
        match message {
            Message::SessionControl(SessionControl::Manifest(_)) => parts += 1,
            Message::SessionControl(SessionControl::ArchetypeDefinitions(list)) => {
                assert_eq!(lane, Lane::Replication);
                definitions += list.len();
            }
            _ => {}
        }
        None
    });
    (parts, definitions)
}

#[test]
fn each_kind_of_request_has_its_answer_and_its_limit() {
    let mut venue = Venue::new();
    let mut member = Intruder::inside(&mut venue, &person(7), Role::Viewer);
    ask(&mut venue, &mut member, NackKind::Archetypes, vec![0, 0, 99, u32::MAX]);
    assert_eq!(answers(&venue, &member), (0, 1), "what there is, once");
    for _ in 0..3 {
        ask(&mut venue, &mut member, NackKind::Manifest, vec![]);
    }
    ask(&mut venue, &mut member, NackKind::Manifest, vec![0]);
    assert_eq!(answers(&venue, &member).0, 4);
    assert!(member.refusals(&venue).is_empty());
    ask(&mut venue, &mut member, NackKind::Manifest, vec![]);
    assert_eq!(answers(&venue, &member).0, 4, "often enough");
    ask(&mut venue, &mut member, NackKind::LogEntries, vec![1]);
    ask(&mut venue, &mut member, NackKind::AssetChunks, vec![1]);
    let reasons: Vec<_> = member.refusals(&venue).iter().map(|refusal| refusal.reason).collect();
    let expected = [RefusalReason::RateLimited, RefusalReason::NotGranted, RefusalReason::NotGranted];
    assert_eq!(reasons, expected);
    assert_eq!(member.ending(&venue), None);
    venue.assert_serves();
}

#[test]
fn a_peer_that_asks_without_end_is_answered_a_bounded_number_of_times() {
    let mut venue = Venue::new();
    let mut member = Intruder::inside(&mut venue, &person(7), Role::Viewer);
    for _ in 0..1000 {
        ask(&mut venue, &mut member, NackKind::Archetypes, vec![0; MAX_NACK_IDS]);
    }
    assert_eq!(answers(&venue, &member).1, 64);
    let refusals = member.refusals(&venue);
    assert!(!refusals.is_empty() && refusals.len() <= 4, "{}", refusals.len());
    assert!(refusals.iter().all(|refusal| refusal.reason == RefusalReason::RateLimited));
    assert_eq!(member.ending(&venue), None);
    venue.pass_ms(1000);
    ask(&mut venue, &mut member, NackKind::Archetypes, vec![0]);
    assert_eq!(answers(&venue, &member).1, 65, "a second later it is heard again");
    venue.assert_serves();
}

/// The packet that carries a definition comes without it, as if the host had forgotten it.
#[test]
fn an_archetype_that_nobody_defined_is_asked_for() {
    let mut venue = Venue::with_schema(host_config(), schema_of_kinds(2));
    let mut arrival = with_schema(4, schema_of_kinds(2));
    let mut lost = 0;
    arrival.tamper = Box::new(move |way, lane, bytes| {
        let mut scratch = Vec::new();
        let opened = envelope::open(&bytes, None, &mut scratch).expect("a packet of ours");
        let defines = opened.messages().any(|raw| {
            matches!(raw.decode(), Ok(Message::SessionControl(SessionControl::ArchetypeDefinitions(_))))
        });
        if way == Way::ToGuest && defines && lost == 0 {
            lost += 1;
            return vec![(lane, packet(*opened.header(), &[]))];
        }
        vec![(lane, bytes)]
    });
    let guest = venue.arrive(arrival);
    venue.play(5);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
    let kind = component_id(&kind_name(1));
    venue.world.spawn(&SpawnDesc { components: &[(kind, None)], ..SpawnDesc::default() }).expect("spawns");
    venue.play(30);
    assert!(venue.guests[guest].peer.replica().newest_complete() < venue.tick, "it cannot read that chunk");
    assert_eq!(requests(&venue.guests[guest].packets(Way::ToHost)), []);
    venue.play(30);
    let asked = requests(&venue.guests[guest].packets(Way::ToHost));
    assert_eq!(asked, [(NackKind::Archetypes, vec![1])]);
    assert_eq!(venue.guests[guest].peer.replica().fold(venue.tick), Some(venue.fold()));
}
