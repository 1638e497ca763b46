//! The snapshot of the ABI: `abi/theta.abi.json` has every struct's size and offsets and every constant, as the first
//! release froze them. This file holds it against Rust, tests/c against C, the C# tests against C#.
//!
//! A change shows as a failing test. Where it is wanted (a field at a struct's end, a new constant), rewrite the
//! snapshot with `THETA_BLESS=1 cargo test -p theta-sdk ffi::abi` and commit it with the change.

use std::fmt::Write;
use std::mem::offset_of;

use super::admission::{theta_invite_desc, theta_invite_info};
use super::codec::theta_codec;
use super::entity::theta_spawn_desc;
use super::event::theta_event;
use super::frame::{theta_entity_row, theta_frame, theta_frame_info};
use super::input::{theta_input, theta_pose};
use super::library::theta_error_info;
use super::peer::{theta_peer_info, theta_statistics};
use super::registry::{theta_component_desc, theta_field_desc, theta_registry};
use super::runtime::{theta_runtime, theta_runtime_config, theta_shutdown_report};
use super::session::{theta_host_config, theta_join_config, theta_session, theta_session_info};
use super::ticket::theta_ticket_desc;
use super::write::{theta_write, theta_write_report};

const SNAPSHOT: &str = include_str!("../../abi/theta.abi.json");

/// The text of every file that has a part of the ABI.
const SOURCES: &[&str] = &[
    include_str!("status.rs"),
    include_str!("library.rs"),
    include_str!("runtime.rs"),
    include_str!("registry.rs"),
    include_str!("codec.rs"),
    include_str!("basis.rs"),
    include_str!("session.rs"),
    include_str!("peer.rs"),
    include_str!("event.rs"),
    include_str!("ticket.rs"),
    include_str!("admission.rs"),
    include_str!("time.rs"),
    include_str!("entity.rs"),
    include_str!("write.rs"),
    include_str!("frame.rs"),
    include_str!("input.rs"),
    include_str!("sample.rs"),
];

struct Field {
    name: &'static str,
    offset: usize,
    bytes: usize,
}

struct Struct {
    name: &'static str,
    bytes: usize,
    align: usize,
    fields: Vec<Field>,
}

fn field_bytes<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        vec![$({
            // Without `..`: a field that is not listed here does not compile.
            let _ = |$name { $($field: _),* }: $name| ();
            Struct {
                name: stringify!($name),
                bytes: size_of::<$name>(),
                align: align_of::<$name>(),
                fields: vec![$(Field {
                    name: stringify!($field),
                    offset: offset_of!($name, $field),
                    bytes: field_bytes(|value: &$name| &value.$field),
                }),*],
            }
        }),*]
    };
}

fn structs() -> Vec<Struct> {
    structs! {
        theta_error_info { struct_size, code, category, function_length, message_length, reserved, function, message }
        theta_runtime { bits }
        theta_runtime_config { struct_size, abi_version, flags, reserved }
        theta_shutdown_report {
            struct_size, threads_joined, threads_left, sessions_closed, handles_invalidated, text_length, text,
        }
        theta_registry { bits }
        theta_field_desc {
            id, kind, element_kind, offset_bytes, name, name_length, flags, minimum, maximum, step, bits, max_length,
            semantic, predictor, diff, reserved0, reserved1, default_number, default_integer, reserved2,
        }
        theta_component_desc {
            struct_size, name_length, name, fields, field_count, field_size, size_bytes, authority, since_version,
            since_version_length, reserved,
        }
        theta_codec { struct_size, element_bytes, user_data, encode, decode, drop }
        theta_session { bits }
        theta_host_config {
            struct_size, flags, bind_address, bind_address_length, max_peers, tick_rate_hz, basis, default_role,
            resume_grace_ms, authority_seed, host_seed, document_nonce, admission, admission_length, term, reserved2,
            least_major, least_minor, least_patch, reserved3,
        }
        theta_join_config {
            struct_size, flags, ticket, ticket_length, basis, name, name_length, application_length, application,
            identity_seed, interpolation_delay_ms, handshake_timeout_ms, bearer, bearer_length, least_term,
            least_major, least_minor, least_patch, reserved, transports, security_modes,
        }
        theta_session_info {
            struct_size, state, is_host, local_peer, role, tick_rate_hz, peer_count, port, tick, confirmed_tick,
            entity_count, disconnect_code, schema_hash, session_id, document_id, authority_key, term,
            resume_grace_ms, version_major, version_minor, version_patch, least_major, least_minor, least_patch, reserved,
        }
        theta_peer_info { peer, role, state, name_length, name, identity_key, reserved }
        theta_event { kind, peer, tick, code, entity, value, time_ns, text_id, text_length, reserved }
        theta_statistics {
            struct_size, peer, rtt_us, jitter_us, clock_offset_us, packets_sent, packets_received, bytes_sent,
            bytes_received, packets_dropped_bad, packets_dropped_replay, datagrams_purged, packets_lost,
            ticks_complete, ticks_started, repairs, divergences, values_clamped, values_nan, events_dropped,
            inputs_received, confirmed_tick, rtt_p99_us, rtt_p50_us, reserved, inputs_refused,
        }
        theta_ticket_desc {
            struct_size, role, expires_unix_s, client_key, endpoint, endpoint_length, reserved,
        }
        theta_invite_desc { struct_size, role, expires_unix_s, endpoint, endpoint_length, uses }
        theta_invite_info { id, role, uses, used, is_revoked, expires_unix_s, reserved }
        theta_spawn_desc {
            struct_size, type_id, owner, component_count, parent, host_tag, persistent_id, component_ids,
            component_values, payload, payload_length, reserved,
        }
        theta_write { bits }
        theta_write_report { struct_size, changed, clamped, not_a_number, missing, reserved, first_bad_entity }
        theta_frame { bits }
        theta_frame_info {
            struct_size, tick, confirmed_tick, entity_count, time_ns, fold, log_term, reserved, log_index,
        }
        theta_entity_row {
            id, parent, persistent_id, host_tag, type_id, owner, local_index, payload_length, reserved,
        }
        theta_pose { position, rotation, linear_velocity, angular_velocity, flags }
        theta_input {
            struct_size, input_tick, sampled_at_us, target_display_us, head, left, right, buttons, flags, axes,
            tail_length, reserved, tail,
        }
    }
}

/// Every constant as (name, value), from the text that the generators read.
fn constants() -> Vec<(&'static str, &'static str)> {
    SOURCES
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| line.strip_prefix("pub const THETA_"))
        .map(|rest| {
            let (name, rest) = rest.split_once(": ").expect("a typed constant");
            let value = rest.split_once(" = ").and_then(|(_, value)| value.strip_suffix(';'));
            (name, value.expect("a literal on the same line"))
        })
        .collect()
}

/// The frozen first size and the reserved fields of a struct that may grow, from its `sized!` or `element!` line.
fn growth(name: &str) -> Option<(usize, Vec<&'static str>)> {
    let lines = SOURCES.iter().flat_map(|source| source.lines());
    let mut declared = lines.filter_map(|line| {
        line.strip_prefix("sized!(").or_else(|| line.strip_prefix("element!("))?.strip_suffix(");")
    });
    let (_, rest) = declared.find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name))?;
    let mut words = rest.split(' ');
    let first_bytes = words.next().and_then(|bytes| bytes.parse().ok()).expect("a size");
    Some((first_bytes, words.collect()))
}

fn current() -> String {
    let mut out = String::from("{\n  \"structs\": [");
    for (at, item) in structs().iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\n    {{\"name\": \"{}\", \"bytes\": {}, ", item.name, item.bytes);
        let _ = write!(out, "\"align\": {}, ", item.align);
        if let Some((first_bytes, _)) = growth(item.name) {
            let _ = write!(out, "\"first_bytes\": {first_bytes}, ");
        }
        out.push_str("\"fields\": [");
        for (at, field) in item.fields.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n      {{\"name\": \"{}\", ", field.name);
            let _ = write!(out, "\"offset\": {}, \"bytes\": {}}}", field.offset, field.bytes);
        }
        out.push_str("\n    ]}");
    }
    out.push_str("\n  ],\n  \"constants\": [");
    for (at, (name, value)) in constants().iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\n    {{\"name\": \"THETA_{name}\", \"value\": {value}}}");
    }
    out.push_str("\n  ]\n}\n");
    out
}

#[test]
fn the_snapshot_is_what_this_build_has() {
    if !cfg!(target_pointer_width = "64") {
        return;
    }
    let current = current();
    if std::env::var_os("THETA_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/abi/theta.abi.json");
        std::fs::write(path, &current).expect("the snapshot can be written");
        return;
    }
    for (committed, found) in SNAPSHOT.lines().zip(current.lines()) {
        assert_eq!(committed, found, "the ABI differs from abi/theta.abi.json");
    }
    assert_eq!(SNAPSHOT, current);
}

#[test]
fn every_struct_of_the_sources_is_in_the_snapshot() {
    let listed: Vec<_> = structs().iter().map(|item| item.name).collect();
    for line in SOURCES.iter().flat_map(|source| source.lines()) {
        if let Some(rest) = line.strip_prefix("pub struct theta_") {
            let name = format!("theta_{}", rest.trim_end_matches(" {"));
            assert!(listed.contains(&name.as_str()), "{name} is not in abi.rs");
        }
    }
}

/// `copy_from` and the C# marshaller rely on it: no byte of a struct is padding that nobody names.
#[test]
fn no_padding_is_implicit() {
    for item in structs() {
        let mut end = 0;
        for field in &item.fields {
            assert_eq!(field.offset, end, "{}.{} has a gap before it", item.name, field.name);
            end += field.bytes;
        }
        assert_eq!(item.bytes, end, "{} has a gap at its end", item.name);
    }
}

/// A reserved field of an input that nobody checks could never be given a meaning.
#[test]
fn every_reserved_field_is_declared_where_its_struct_grows() {
    let mut seen = 0;
    for item in structs() {
        let reserved: Vec<_> =
            item.fields.iter().map(|field| field.name).filter(|name| name.starts_with("reserved")).collect();
        let growth = growth(item.name);
        let may_grow = growth.is_some();
        let declared = growth.map(|(_, reserved)| reserved).unwrap_or_default();
        assert_eq!(declared, reserved, "{}: name its reserved fields in sized! or element!", item.name);
        assert!(may_grow || item.fields[0].name != "struct_size", "{} has no sized!", item.name);
        seen += reserved.len();
    }
    assert!(seen >= 10, "{seen} reserved fields");
}

/// A kind's or code's number in the header is the core's.
#[test]
fn constants_are_the_cores() {
    use super::{basis, input, registry, session};
    use crate::core::schema::{Authority, Diff, Predictor, Semantic};
    use crate::core::session::input::{POSE_TRACKED, POSE_VALID};
    use crate::core::wire::message::Role;
    let number = |value: u32| value as u8;
    for (constant, code) in [
        (registry::THETA_SEMANTIC_NONE, Semantic::None.code()),
        (registry::THETA_SEMANTIC_POINT, Semantic::Point.code()),
        (registry::THETA_SEMANTIC_DIRECTION, Semantic::Direction.code()),
        (registry::THETA_SEMANTIC_ROTATION, Semantic::Rotation.code()),
        (registry::THETA_SEMANTIC_ANGULAR_VELOCITY, Semantic::AngularVelocity.code()),
        (registry::THETA_SEMANTIC_SCALE, Semantic::Scale.code()),
        (registry::THETA_PREDICTOR_HOLD, Predictor::Hold.code()),
        (registry::THETA_PREDICTOR_NONE, Predictor::None.code()),
        (registry::THETA_PREDICTOR_LINEAR, Predictor::Linear.code()),
        (registry::THETA_PREDICTOR_BALLISTIC, Predictor::Ballistic.code()),
        (registry::THETA_PREDICTOR_ANGULAR_VELOCITY, Predictor::AngularVelocity.code()),
        (registry::THETA_DIFF_RESIDUAL, Diff::Residual.code()),
        (registry::THETA_DIFF_REPLACE, Diff::Replace.code()),
        (registry::THETA_AUTHORITY_HOST, Authority::Host.code()),
        (registry::THETA_AUTHORITY_OWNER, Authority::Owner.code()),
        (registry::THETA_AUTHORITY_INPUT, Authority::Input.code()),
        (session::THETA_ROLE_VIEWER, Role::Viewer as u8 + 1),
        (session::THETA_ROLE_COMMENTER, Role::Commenter as u8 + 1),
        (session::THETA_ROLE_EDITOR, Role::Editor as u8 + 1),
        (session::THETA_ROLE_ADMIN, Role::Admin as u8 + 1),
        (input::THETA_POSE_VALID, number(POSE_VALID)),
        (input::THETA_POSE_TRACKED, number(POSE_TRACKED)),
    ] {
        assert_eq!(number(constant), code);
    }
    assert_eq!(
        [basis::THETA_BASIS_OPENXR, basis::THETA_BASIS_UNITY, basis::THETA_BASIS_UNREAL],
        [0, 1, 2],
        "bindings pass them as numbers"
    );
}
