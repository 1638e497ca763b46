//! Worlds near the limits of what a session says of them: many components, many archetypes, and a peer that differs and
//! goes on differing.

use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind, Registry, SchemaError, component_id};
use theta_core::session::{HostEvent, PeerState};
use theta_core::types::{ChunkId, ComponentId, Lane};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{ChunkDetail, Message, Role, SessionControl, StateHashReport};
use theta_core::world::SpawnDesc;

use super::intruder::Intruder;
use super::venue::{Arrival, Venue, first_in, host_config, kind_name, person, schema_of_kinds};

/// Components of which each entity has most; which it lacks is its kind.
const KINDS: usize = 62;

/// Spawns one entity of each of so many archetypes with about sixty components.
fn populate(venue: &mut Venue, from: usize, to: usize) {
    for number in from..to {
        // Two numbers below KINDS name the two components that this archetype lacks.
        let (first, second) = (number % KINDS, KINDS - 1 - number / KINDS % (KINDS / 2));
        let components: Vec<(ComponentId, Option<&[u8]>)> = (0..KINDS)
            .filter(|kind| *kind != first && *kind != second)
            .map(|kind| (component_id(&kind_name(kind)), None))
            .collect();
        let desc = SpawnDesc { components: &components, ..SpawnDesc::default() };
        venue.world.spawn(&desc).expect("spawns");
    }
}

#[test]
fn a_world_of_many_archetypes_is_joined_and_grows() {
    let schema = schema_of_kinds(KINDS);
    let mut venue = Venue::with_schema(host_config(), schema.clone());
    populate(&mut venue, 0, 500);
    venue.tick();
    let guest = venue.arrive(Arrival { schema, ..Arrival::honest(&person(3), Role::Editor) });
    venue.play(4);
    assert_eq!(venue.guests[guest].ending(), None);
    assert_eq!(venue.guests[guest].peer.state(), PeerState::Live);
    populate(&mut venue, 500, 1000);
    venue.play(20);
    assert_eq!(venue.guests[guest].ending(), None);
    assert_eq!(venue.guests[guest].peer.replica().fold(venue.tick), Some(venue.fold()));
}

#[test]
fn the_largest_schema_can_be_told_in_a_hello_and_a_larger_one_is_none() {
    // With the longest names: what fits the schema fits the handshake.
    let name = |kind: usize| format!("{kind:0128}");
    let mut registry = Registry::new();
    let mut fits = None;
    for kind in 0.. {
        let flag = FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 });
        registry.add(ComponentDesc::new(name(kind)).field(flag)).expect("a component");
        match registry.freeze() {
            Ok(schema) => fits = Some(schema),
            Err(SchemaError::OverLimit { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let schema = std::sync::Arc::new(fits.expect("some fit"));
    assert!(schema.components().len() > 300);
    let mut arrival = Arrival { schema, ..Arrival::honest(&person(3), Role::Editor) };
    arrival.terms.application = vec![7; theta_core::wire::limits::MAX_APPLICATION_BYTES];
    arrival.terms.name = "n".repeat(theta_core::wire::limits::MAX_NAME_BYTES);
    let mut venue = Venue::new();
    let guest = venue.arrive(arrival);
    // It was heard whole: the answer names what differs.
    let (code, reason) = venue.guests[guest].ending().expect("another schema");
    assert_eq!(code, DisconnectCode::SchemaMismatch, "{reason}");
}

/// A member that says its chunk differs, whatever was done about it.
#[test]
fn who_never_agrees_is_repaired_a_few_times_and_must_join_again() {
    let mut venue = Venue::new();
    let bystander = venue.welcome(3, Role::Editor);
    let mut liar = Intruder::inside(&mut venue, &person(7), Role::Viewer);
    liar.take_snapshots(&mut venue);
    let (mut said, mut rounds) = (0, 0);
    while liar.ending(&venue).is_none() && rounds < 200 {
        rounds += 1;
        venue.play(10);
        let tick = venue.tick;
        liar.say(&mut venue, Lane::State, &report(tick, 1, Vec::new()));
        // Answers whatever it is asked with what is wrong, and takes every repair.
        for _ in 0..2 {
            let packets = venue.said[&liar.link][said..].to_vec();
            said = venue.said[&liar.link].len();
            let asked = first_in(&packets, |_, message| match message {
                Message::SessionControl(SessionControl::RequestHashDetails(request)) => Some(request),
                _ => None,
            });
            if let Some(asked) = asked {
                // Also of chunks that nobody asked for, without end.
                let details =
                    (0..1000).map(|chunk| ChunkDetail { chunk: ChunkId(chunk), hash: 1, columns: vec![] });
                let details = report(asked.tick, 1, details.collect());
                liar.say(&mut venue, Lane::Control, &details);
            }
        }
        liar.take_snapshots(&mut venue);
    }
    assert_eq!(liar.ending(&venue), Some(DisconnectCode::Desynchronised), "after {rounds} rounds");
    let named = venue.events.iter().filter(|event| matches!(event, HostEvent::Diverged { .. })).count();
    assert!((1..=256).contains(&named), "{named} differences named");
    venue.play(10);
    assert_eq!(venue.guests[bystander].peer.replica().fold(venue.tick), Some(venue.fold()));
}

fn report(tick: theta_core::types::Tick, fold: u64, details: Vec<ChunkDetail>) -> Message<'static> {
    Message::StateHashReport(StateHashReport { tick, fold, details })
}
