//! What people and tools hand over as text, and packed input.

use std::sync::Arc;

use theta_core::schema::{Mapping, SchemaError, compact as compacts, manifest as manifests};
use theta_core::session::admission::AdmissionState;
use theta_core::session::genesis::Genesis;
use theta_core::session::input::{InputSample, MAX_SAMPLES, MAX_TAIL_BYTES, pack, unpack};
use theta_core::session::ticket::{MEMBER_TICKET_BYTES, MemberTicket, Ticket};
use theta_core::types::Tick;
use theta_core::wire::bits::BitWriter;

use super::allocation::measure;
use super::bytes::Bytes;

/// What docs/protocol.md states.
const INPUT_BYTES: usize = 4 * 1024;
const MANIFEST_BYTES_PER_BYTE: usize = 256;
const COMPACT_BYTES_PER_BYTE: usize = 512;
const TICKET_BYTES: usize = 64 * 1024;

/// Packed input behind the tick and the times of a message head.
pub fn input(data: &[u8]) {
    let mut input = Bytes(data);
    let newest = InputSample {
        input_tick: Tick(input.u32()),
        sampled_at_us: u64::from(input.u32()) << 16,
        ..InputSample::default()
    };
    let newest = InputSample { target_display_us: newest.sampled_at_us + u64::from(input.u16()), ..newest };
    let (samples, asked) = measure(|| unpack(input.0, &newest));
    assert!(asked <= INPUT_BYTES, "{asked} bytes asked for");
    let Ok(samples) = samples else { return };
    assert!((1..=MAX_SAMPLES).contains(&samples.len()));
    for sample in &samples {
        for pose in &sample.poses {
            let mut values = pose.position.iter().chain(&pose.rotation).chain(&pose.linear_velocity);
            assert!(values.all(|value| value.is_finite()), "{pose:?}");
        }
        assert!(sample.axes.iter().all(|axis| axis.abs() <= 1.0));
        assert!(sample.input_tick <= newest.input_tick && sample.tail.len() <= MAX_TAIL_BYTES);
    }
    let sent: Vec<_> = samples.iter().map(InputSample::as_sent).collect();
    let mut bits = BitWriter::new();
    pack(&sent, &mut bits);
    let head = InputSample { target_display_us: sent[0].target_display_us, ..newest };
    assert_eq!(unpack(bits.bytes(), &head).as_ref(), Ok(&sent), "what a receiver sends on arrives as it is");
}

/// A ticket's text, and as many of the bytes as a member ticket has.
pub fn ticket(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        let (ticket, asked) = measure(|| Ticket::parse(text));
        assert!(asked <= TICKET_BYTES, "{asked} bytes asked for");
        if let Ok(ticket) = ticket {
            assert_eq!(Ticket::parse(&ticket.to_string()).as_ref(), Ok(&ticket));
        }
    }
    let (member, asked) = measure(|| MemberTicket::decode(data));
    assert!(asked <= 1024, "{asked} bytes asked for");
    if let Ok(member) = member {
        assert_eq!(data.len(), MEMBER_TICKET_BYTES);
        assert_eq!(member.encode(), data, "a member ticket has one spelling");
    }
}

/// Invites and bans, as an application hands them back.
pub fn admission(data: &[u8]) {
    let (state, asked) = measure(|| AdmissionState::decode(data));
    // Tables grow with what is read, not with what is counted.
    assert!(asked <= 4096 + 16 * data.len(), "{asked} bytes asked for by {}", data.len());
    if let Ok(state) = state {
        assert_eq!(state.encode(), data, "a state has one spelling");
    }
}

/// A genesis record, as a host shows it.
pub fn genesis(data: &[u8]) {
    let (record, asked) = measure(|| Genesis::decode(data));
    assert!(asked <= 16 * 1024, "{asked} bytes asked for");
    if let Ok(record) = record {
        assert_eq!(record.encode(), data, "a record has one spelling");
        let _ = record.is_signed();
    }
}

/// A manifest, as it is and with the hash that it should state.
pub fn manifest(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (schema, asked) = measure(|| manifests::parse(text));
    let limit = 4096 + MANIFEST_BYTES_PER_BYTE * text.len();
    assert!(asked <= limit, "{asked} bytes asked for by {}", text.len());
    let schema = match schema {
        Err(SchemaError::ManifestHash { stated, actual }) => {
            let spell = |hash: u64| format!("{hash:#018x}");
            let honest = text.replacen(&spell(stated), &spell(actual), 1);
            // The number may be spelled otherwise, or stand elsewhere first: then this is no manifest either.
            let Ok(schema) = manifests::parse(&honest) else { return };
            schema
        }
        Ok(schema) => schema,
        Err(_) => return,
    };
    let written = schema.manifest();
    let again = manifests::parse(&written).expect("our own");
    assert_eq!(again.hash(), schema.hash());
    assert_eq!(again.manifest(), written);
}

/// A compact manifest, as it is and with the hash that it should state; and what a peer of another build makes of it.
pub fn compact(data: &[u8]) {
    let (schema, asked) = measure(|| compacts::parse(data));
    let limit = 32 * 1024 + COMPACT_BYTES_PER_BYTE * data.len();
    assert!(asked <= limit, "{asked} bytes asked for by {}", data.len());
    let mut honest = data.to_vec();
    let schema = match schema {
        Err(SchemaError::ManifestHash { actual, .. }) => {
            honest[4..12].copy_from_slice(&actual.to_le_bytes());
            compacts::parse(&honest).expect("its hash was all that was wrong")
        }
        Ok(schema) => schema,
        Err(_) => return,
    };
    assert_eq!(schema.compact_manifest().as_ref(), Ok(&honest), "a manifest has one spelling");
    let schema = Arc::new(schema);
    let same = Mapping::new(Arc::clone(&schema), Arc::clone(&schema)).expect("itself");
    assert!(same.notes().iter().all(|note| note.text.contains("deprecated")), "{:?}", same.notes());
    // With others it fits or does not; what it says of that names nobody's control characters.
    for own in [super::venue::schema(), super::venue::schema_of_kinds(2)] {
        let said = match Mapping::new(Arc::clone(&schema), own) {
            Ok(mapping) => mapping.notes().iter().map(|note| note.text.clone()).collect(),
            Err(differences) => differences,
        };
        assert!(!said.chars().any(char::is_control), "{said:?}");
    }
}
