//! Bytes nobody meant: every truncation and every flipped bit of every vector is an error or a valid value, never a
//! panic, and never makes the decoder ask for much memory.

use super::allocation::measure;
use super::vectors::{core_vectors, message_vectors, packet_vectors, preface_vectors};
use flatbuffers::{FlatBufferBuilder, WIPOffset};
use theta_core::wire::message::{AcknowledgeCore, ControlKind, Message, MessageType};
use theta_core::wire::preface::Preface;
use theta_core::wire::{WireError, cbor, envelope};

/// Most bytes that decoding one vector (all are below 4 KiB) may ask for in all.
const MOST_BYTES: usize = 64 * 1024;
/// Most bytes that decoding any message body may ask for in all, however it was made.
const MOST_BYTES_EVER: usize = 2 * 1024 * 1024;

/// Runs `decode` on every truncation and every single-bit flip of `bytes`, and on each with `repair` applied.
fn torment(name: &str, bytes: &[u8], repair: fn(&mut [u8]), mut decode: impl FnMut(&[u8]) -> bool) -> usize {
    let mut accepted = 0;
    let mut tried = Vec::with_capacity(bytes.len());
    let mut attempt = |changed: &[u8]| {
        let (fine, asked) = measure(|| decode(changed));
        assert!(asked <= MOST_BYTES, "{name}: {asked} bytes asked for");
        accepted += usize::from(fine);
    };
    for length in 0..bytes.len() {
        tried.clear();
        tried.extend_from_slice(&bytes[..length]);
        attempt(&tried);
        repair(&mut tried);
        attempt(&tried);
    }
    for bit in 0..bytes.len() * 8 {
        tried.clear();
        tried.extend_from_slice(bytes);
        tried[bit / 8] ^= 1 << (bit % 8);
        attempt(&tried);
        repair(&mut tried);
        attempt(&tried);
    }
    accepted
}

fn leave(_: &mut [u8]) {}

/// Makes length and CRC right again, as an attacker would.
fn reseal(packet: &mut [u8]) {
    if packet.len() < envelope::ENVELOPE_BYTES {
        return;
    }
    let length = packet.len() as u16;
    packet[..2].copy_from_slice(&length.to_le_bytes());
    packet[4..8].fill(0);
    let crc = crc32fast::hash(packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
}

fn open_all(packet: &[u8]) -> bool {
    let mut scratch = Vec::new();
    let Ok(opened) = envelope::open(packet, None, &mut scratch) else { return false };
    opened.messages().all(|raw| raw.decode().is_ok_and(|message| message.check().is_ok()))
}

#[test]
fn messages() {
    for (message, vector) in message_vectors() {
        let message_type = message.message_type();
        torment(&vector.name, &vector.bytes, leave, |bytes| {
            Message::decode(message_type, bytes).is_ok_and(|message| {
                assert_eq!(message.check(), Ok(()));
                true
            })
        });
    }
}

#[test]
fn cores() {
    for (_, vector) in core_vectors() {
        torment(&vector.name, &vector.bytes, leave, |bytes| AcknowledgeCore::decode(bytes).is_ok());
    }
}

#[test]
fn packets() {
    for vector in packet_vectors() {
        assert!(open_all(&vector.bytes), "{}", vector.name);
        let as_is = torment(&vector.name, &vector.bytes, leave, open_all);
        assert_eq!(as_is, 0, "{}: a CRC finds every single flipped bit and every truncation", vector.name);
        // With the CRC made right again some are valid: a payload byte may be anything.
        torment(&vector.name, &vector.bytes, reseal, open_all);
    }
}

#[test]
fn a_resealed_packet_is_judged_by_what_it_says() {
    let vectors = packet_vectors();
    let plain = &vectors.iter().find(|vector| vector.name == "plain").expect("a vector").bytes;
    let open = |change: fn(&mut Vec<u8>)| {
        let mut packet = plain.clone();
        change(&mut packet);
        envelope::open(&packet, None, &mut Vec::new()).err()
    };
    assert_eq!(open(|_| ()), None);
    assert_eq!(open(|packet| packet[4] ^= 1), Some(WireError::BadCrc));
    assert_eq!(open(|packet| packet[2] = 2), Some(WireError::BadVersion(2)));
    for flags in [0x02, 0x03, 0x10, 0x20, 0x40, 0x80] {
        let mut packet = plain.clone();
        packet[3] = flags;
        reseal(&mut packet);
        assert_eq!(envelope::open(&packet, None, &mut Vec::new()).err(), Some(WireError::BadFlags(flags)));
    }
    let mut unasked = plain.clone();
    unasked[3] = 1;
    reseal(&mut unasked);
    assert!(matches!(
        envelope::open(&unasked, None, &mut Vec::new()).err(),
        Some(WireError::BadCompression(_))
    ));
    let mut unknown = plain.clone();
    unknown[envelope::ENVELOPE_BYTES] = 19;
    reseal(&mut unknown);
    assert_eq!(envelope::open(&unknown, None, &mut Vec::new()).err(), Some(WireError::UnknownMessage(19)));
}

#[test]
fn prefaces() {
    for vector in preface_vectors() {
        torment(&vector.name, &vector.bytes, leave, |bytes| {
            Preface::decode(bytes).is_ok_and(|preface| {
                assert_eq!(preface.encode()[..], bytes[..preface.encode().len()]);
                true
            })
        });
    }
}

#[test]
fn cbor_texts() {
    for (message, vector) in message_vectors() {
        let text = cbor::to_cbor(&message).expect("within limits");
        torment(&vector.name, &text, leave, |bytes| cbor::from_cbor(bytes).is_ok());
    }
}

/// A control message whose archetype vector names one definition many times: a small body that would decode to
/// something a thousand times its size.
fn aliased_archetypes(copies: usize, components: u16) -> Vec<u8> {
    const DEFINITION_COMPONENTS: u16 = 6;
    const CONTROL_KIND: u16 = 4;
    const CONTROL_ARCHETYPES: u16 = 22;
    let mut builder = FlatBufferBuilder::new();
    let components = builder.create_vector(&(0..components).collect::<Vec<_>>());
    let table = builder.start_table();
    builder.push_slot_always(DEFINITION_COMPONENTS, components);
    let definition = builder.end_table(table);
    let copies = vec![WIPOffset::<flatbuffers::Table<'_>>::new(definition.value()); copies];
    let archetypes = builder.create_vector(&copies);
    let table = builder.start_table();
    builder.push_slot_always(CONTROL_ARCHETYPES, archetypes);
    builder.push_slot_always(CONTROL_KIND, ControlKind::ArchetypeDefinitions as u8);
    let root = builder.end_table(table);
    builder.finish_minimal(root);
    builder.finished_data().to_vec()
}

#[test]
fn shared_tables_do_not_multiply() {
    let few = aliased_archetypes(2, 250);
    assert!(
        Message::decode(MessageType::SessionControl, &few).is_ok(),
        "the forged buffer is otherwise right"
    );
    let body = aliased_archetypes(1000, 250);
    assert!(body.len() < 8 * 1024);
    let (result, asked) = measure(|| Message::decode(MessageType::SessionControl, &body).map(|_| ()));
    assert_eq!(result, Err(WireError::Unverifiable(MessageType::SessionControl)));
    assert!(asked <= MOST_BYTES, "{asked} bytes asked for");
}

/// The largest of what is allowed stays below the stated bound too.
#[test]
fn the_largest_messages_stay_bounded() {
    use std::borrow::Cow;
    use theta_core::types::{PeerId, Tick};
    use theta_core::wire::message::{ArchetypeDefinition, Role, RosterPeer, SnapshotReason, WorldSnapshot};
    let peer = RosterPeer {
        peer: PeerId(1),
        role: Role::Editor,
        team: 0,
        away: false,
        key: [1; 32],
        name: "n".repeat(10),
        application: Vec::new(),
    };
    let snapshot = Message::WorldSnapshot(WorldSnapshot {
        snapshot_id: 1,
        tick: Tick(1),
        log_term: 0,
        log_index: 0,
        chunk: 0,
        chunk_count: 1,
        reason: SnapshotReason::Join,
        roster: vec![peer; 500],
        archetypes: (0..1000).map(|id| ArchetypeDefinition { id, components: vec![0, 1, 2] }).collect(),
        payload: Cow::Borrowed(&[]),
    });
    let body = snapshot.encode().expect("within limits");
    let (decoded, asked) = measure(|| Message::decode(MessageType::WorldSnapshot, &body));
    assert_eq!(decoded, Ok(snapshot));
    assert!(asked <= MOST_BYTES_EVER, "{asked} bytes asked for");
}
