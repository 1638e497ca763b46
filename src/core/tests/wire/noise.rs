//! Properties of the decoders that read text or stand above the wire: what is written comes back, whatever else is an
//! error or a value, within the memory that docs/protocol.md states.

use std::sync::Arc;

use proptest::prelude::*;
use theta_core::replication::{HostLimits, HostReplication, LinkKey, Replica, ReplicaLimits, Scope};
use theta_core::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, ListItem, Range, Registry, Schema, component_id, manifest,
};
use theta_core::session::admission::InviteKey;
use theta_core::session::keys::AdminKey;
use theta_core::session::ticket::{MemberTicket, Pass, Pin, Ticket};
use theta_core::types::Tick;
use theta_core::wire::message::Role;
use theta_core::world::{SpawnDesc, World, WorldLimits};

use super::allocation::measure;

/// What a manifest may ask for, for each byte of its text.
const MANIFEST_BYTES_PER_BYTE: usize = 256;

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Viewer), Just(Role::Commenter), Just(Role::Editor), Just(Role::Admin)]
}

prop_compose! {
    fn member()(seed: [u8; 32], document: [u8; 32], key: [u8; 32], role in role(), expires: u64) -> MemberTicket {
        MemberTicket::issue(&AdminKey::from_seed(&seed), document, key, role, expires)
    }
}

prop_compose! {
    fn ticket()(
        host in "[a-z0-9.-]{1,40}|\\[[0-9a-f:]{2,30}\\]",
        port: u16,
        pin in proptest::option::of((any::<[u8; 32]>(), any::<[u8; 32]>())),
        member in proptest::option::of(member()),
        invite in proptest::option::of((any::<[u8; 16]>(), any::<[u8; 32]>())),
    ) -> Ticket {
        let pin = pin.map(|(document, authority)| Pin { document, authority });
        let pass = match (member, invite) {
            _ if pin.is_none() => Pass::None,
            (Some(member), _) => Pass::Member(member.encode()),
            (None, Some((id, secret))) => Pass::Invite(InviteKey { id, secret }),
            (None, None) => Pass::None,
        };
        Ticket { endpoint: format!("{host}:{port}"), pin, pass }
    }
}

fn kind() -> impl Strategy<Value = FieldKind> {
    let range = || {
        (-1000i32..0, 1i32..1000, 1u32..100)
            .prop_map(|(min, max, parts)| Range::new(f64::from(min), f64::from(max), 1.0 / f64::from(parts)))
    };
    prop_oneof![
        (any::<i16>(), any::<u16>()).prop_map(|(min, span)| {
            let min = i128::from(min);
            FieldKind::Int { ty: IntType::I32, min, max: min + i128::from(span) }
        }),
        (1u8..=64).prop_map(|bits| FieldKind::Flags { bits }),
        range().prop_map(FieldKind::F32),
        range().prop_map(FieldKind::F64),
        (2u8..=4, range()).prop_map(|(len, range)| FieldKind::Vector { len, range }),
        range().prop_map(FieldKind::DVec3),
        (4u8..=18).prop_map(|bits| FieldKind::Quat { bits }),
        Just(FieldKind::Entity),
        (1u16..64).prop_map(|max_len| FieldKind::String { max_len }),
        (1u16..64).prop_map(|max_len| FieldKind::Bytes { max_len }),
        (1u16..16, range())
            .prop_map(|(max_len, range)| FieldKind::List { item: ListItem::F32(range), max_len }),
    ]
}

prop_compose! {
    fn schema()(components in proptest::collection::vec(
        ("[a-z]{1,12}", proptest::collection::vec(("[A-Za-z_ \u{e9}\"\\\\]{1,10}", kind()), 1..8)), 0..6,
    )) -> Schema {
        let mut registry = Registry::new();
        for (index, (name, fields)) in components.into_iter().enumerate() {
            let mut component = ComponentDesc::new(format!("{name}.{index}"));
            for (id, (field, kind)) in (1..).zip(fields) {
                component = component.field(FieldDesc::new(id, format!("{field}{id}"), kind));
            }
            registry.add(component).expect("within limits");
        }
        registry.freeze().expect("a schema")
    }
}

/// Text that is nearly a manifest: pieces of one, in any order.
fn nearly_a_manifest() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u00e9",
        "\\ud800",
        "null",
        "true",
        "-1",
        "1e999",
        "0x",
        "18446744073709551616",
        "\"schema_hash\":",
        "\"0x0000000000000000\"",
        "\"components\":[",
        "\"fields\":[",
        "\"id\":",
        "\"name\":",
        "\"kind\":",
        "\"vec3\"",
        "\"quantisation\":{",
        "\"min\":",
        "\"max\":",
        "\"step\":",
        " ",
        "\n",
        "\u{7f}",
        "\u{1F600}",
    ]);
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A replica with a world, for noise to be thrown at.
fn replica() -> Replica {
    let mut registry = Registry::new();
    let field = FieldDesc::new(1, "place", FieldKind::vec3(Range::new(-8.0, 8.0, 0.01)));
    let name = FieldDesc::new(2, "name", FieldKind::String { max_len: 40 });
    registry.add(ComponentDesc::new("noise.body").field(field).field(name)).expect("a component");
    let schema = Arc::new(registry.freeze().expect("a schema"));
    let mut world = World::new(Arc::clone(&schema), WorldLimits::default());
    let components = [(component_id("noise.body"), None)];
    for _ in 0..5 {
        world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("spawns");
    }
    let mut host = HostReplication::new(Arc::clone(&schema), HostLimits::default());
    host.ingest(&world.seal(Tick(1)).expect("seals"));
    host.add_link(LinkKey(1));
    let snapshot = host.begin_snapshot(LinkKey(1), 1, Scope::World).expect("a snapshot");
    let mut replica = Replica::new(schema, ReplicaLimits::default());
    replica.add_archetypes(&snapshot.archetypes).expect("archetypes");
    replica.snapshot_piece(1, Tick(1), 0, 1, false, &snapshot.pieces[0]).expect("a snapshot");
    replica
}

/// Bytes with many small numbers, as headers have.
fn likely_bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..200)
}

proptest! {
    #[test]
    fn a_ticket_survives_its_string(ticket in ticket()) {
        prop_assert_eq!(Ticket::parse(&ticket.to_string()), Ok(ticket));
    }

    #[test]
    fn any_text_is_no_ticket_or_one_that_survives(text in "theta://[ -~\u{e9}/#.]{0,300}|\\PC{0,100}") {
        let (read, asked) = measure(|| Ticket::parse(&text));
        prop_assert!(asked <= 64 * 1024, "{} bytes asked for", asked);
        if let Ok(read) = read {
            prop_assert_eq!(Ticket::parse(&read.to_string()), Ok(read));
        }
    }

    #[test]
    fn a_member_ticket_has_one_spelling(member in member(), noise in proptest::collection::vec(any::<u8>(), 165..175)) {
        prop_assert_eq!(MemberTicket::decode(&member.encode()), Ok(member));
        if let Ok(read) = MemberTicket::decode(&noise) {
            prop_assert_eq!(read.encode(), noise);
        }
    }

    #[test]
    fn a_schema_survives_its_manifest(schema in schema()) {
        let text = schema.manifest();
        let (read, asked) = measure(|| manifest::parse(&text));
        let read = read?;
        prop_assert_eq!(read.hash(), schema.hash());
        prop_assert_eq!(read.manifest(), text.clone());
        prop_assert!(asked <= MANIFEST_BYTES_PER_BYTE * text.len(), "{} bytes asked for by {}", asked, text.len());
    }

    #[test]
    fn any_text_is_no_manifest(text in nearly_a_manifest()) {
        let (read, asked) = measure(|| manifest::parse(&text));
        prop_assert!(read.is_err(), "it would need the right hash");
        prop_assert!(asked <= 4096 + MANIFEST_BYTES_PER_BYTE * text.len(), "{} bytes asked for by {}", asked, text.len());
    }

    #[test]
    fn noise_is_no_snapshot(noise in likely_bytes(), repair: bool) {
        let mut replica = replica();
        let before = (replica.fold(Tick(1)), replica.held());
        let (read, asked) = measure(|| replica.snapshot_piece(2, Tick(9), 0, 1, repair, &noise));
        prop_assert!(read.is_err());
        prop_assert!(asked <= 256 * 1024 + 1024 * noise.len(), "{} bytes asked for", asked);
        prop_assert_eq!((replica.fold(Tick(1)), replica.held()), before);
    }

    #[test]
    fn noise_is_an_error_or_a_delta(noise in likely_bytes(), tick in 1u32..9, part in 0u16..3, count in 0u16..3) {
        let mut replica = replica();
        let (read, asked) = measure(|| replica.delta(Tick(tick), part, count, &noise));
        prop_assert!(asked <= 256 * 1024 + 1024 * noise.len(), "{} bytes asked for", asked);
        if read.is_err() {
            prop_assert_eq!(replica.newest_complete(), Tick(1), "an error completes nothing");
        }
    }
}

#[test]
fn the_dearest_manifest_costs_what_is_stated() {
    for text in ["[".to_owned() + &"[],".repeat(20_000) + "[]]", "[".to_owned() + &"1,".repeat(30_000) + "1]"]
    {
        let (read, asked) = measure(|| manifest::parse(&text));
        assert!(read.is_err());
        assert!(asked <= MANIFEST_BYTES_PER_BYTE * text.len(), "{} bytes for each", asked / text.len());
    }
}
