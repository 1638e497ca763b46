//! Packed rows, packed input, handshakes and tickets as nobody meant them: every truncation and every flipped bit of
//! every vector is an error or a valid value, and asks for no more memory than docs/protocol.md states under "Limits".

use std::sync::Arc;

use serde_json::Value;
use theta_core::replication::{
    ArchetypeDef, HostLimits, HostReplication, LinkKey, PartOutcome, Replica, ReplicaLimits,
    ReplicationError, Scope,
};
use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind, Range, Registry, component_id, manifest};
use theta_core::session::input::{MAX_SAMPLES, unpack};
use theta_core::session::ticket::{MemberTicket, Pass, Ticket};
use theta_core::types::Tick;
use theta_core::wire::bits::BitWriter;
use theta_core::wire::message::{AcknowledgeCore, Message, MessageType};
use theta_core::world::{SpawnDesc, World, WorldLimits};

use super::allocation::measure;
use super::root;
use super::vectors::input_vectors;

/// What packed rows may ask for: for each byte of payload, and beside that.
const ROWS_BYTES_PER_BYTE: usize = 1024;
const ROWS_BYTES: usize = 256 * 1024;
/// What packed input may ask for.
const INPUT_BYTES: usize = 4 * 1024;
/// What a handshake message or a ticket may ask for.
const HANDSHAKE_BYTES: usize = 64 * 1024;

/// Every truncation and every single-bit flip.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    cut.chain(flipped)
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn vectors(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/vectors").join(path)).expect("committed");
    serde_json::from_str(&text).expect("JSON")
}

/// What a replica holds, as far as it shows.
fn standing(replica: &Replica) -> (Tick, (usize, usize), usize, bool) {
    (replica.newest_complete(), replica.held(), replica.state_bytes(), replica.has_joined())
}

/// Applies damaged bytes to a copy of the replica; `apply` says whether they were accepted.
fn torment(
    before: &Replica,
    bytes: &[u8],
    what: &str,
    apply: impl Fn(&mut Replica, &[u8]) -> Result<bool, ReplicationError>,
) -> usize {
    let mut accepted = 0;
    for changed in damaged(bytes) {
        let mut replica = before.clone();
        let (outcome, asked) = measure(|| apply(&mut replica, &changed));
        let limit = ROWS_BYTES + ROWS_BYTES_PER_BYTE * changed.len();
        assert!(asked <= limit, "{what}: {asked} bytes asked for by {}", changed.len());
        match outcome {
            Ok(taken) => accepted += usize::from(taken),
            Err(_) => {
                assert_eq!(standing(&replica), standing(before), "{what}: an error that changed something");
            }
        }
    }
    accepted
}

#[test]
fn rows() {
    let golden = vectors("rows/session.json");
    let schema = manifest::parse(&golden["manifest"].to_string()).expect("a schema");
    let mut replica = Replica::new(Arc::new(schema), ReplicaLimits::default());
    let (mut attempts, mut accepted) = (0, 0);
    for step in golden["steps"].as_array().expect("steps") {
        let tick = Tick(step["tick"].as_u64().unwrap_or(0) as u32);
        let list = |name: &str| step[name].as_array().expect("a list").iter().map(unhex).collect::<Vec<_>>();
        match step["kind"].as_str().expect("a kind") {
            "archetypes" => replica.add_archetypes(&definitions(step)).expect("archetypes"),
            "snapshot" => {
                let (id, repair) = (step["id"].as_u64().expect("an id") as u32, step["repair"] == true);
                let pieces = list("pieces");
                let count = pieces.len() as u32;
                for (index, piece) in (0..).zip(&pieces) {
                    let what = format!("snapshot {id}, piece {index}");
                    let taken = torment(&replica, piece, &what, |replica, bytes| {
                        replica
                            .snapshot_piece(id, tick, index, count, repair, bytes)
                            .map(|_| index + 1 == count)
                    });
                    assert_eq!(taken, 0, "{what}: a snapshot that hashes to what it is not");
                    replica.snapshot_piece(id, tick, index, count, repair, piece).expect("the vector");
                    attempts += piece.len() * 9;
                }
            }
            "delta" => {
                let parts = list("parts");
                let count = parts.len() as u16;
                for (index, part) in (0..).zip(&parts) {
                    let what = format!("{tick}, part {index}");
                    accepted += torment(&replica, part, &what, |replica, bytes| {
                        let outcome = replica.delta(tick, index, count, bytes)?;
                        Ok(outcome == PartOutcome::Applied)
                    });
                    assert_eq!(
                        replica.delta(tick, index, count, part),
                        Ok(PartOutcome::Applied),
                        "the vector"
                    );
                    attempts += part.len() * 9;
                }
            }
            _ => {}
        }
    }
    assert!(attempts > 50_000, "{attempts} attempts");
    // Many flips are another state: a number may be any number. That is what hashes are for.
    assert!(accepted > 0 && accepted < attempts / 2, "{accepted} of {attempts} accepted");
}

fn definitions(step: &Value) -> Vec<ArchetypeDef> {
    let number = |value: &Value| value.as_u64().expect("a number");
    step["archetypes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|def| ArchetypeDef {
            id: number(&def["id"]) as u32,
            components: def["components"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|c| number(c) as u16)
                .collect(),
        })
        .collect()
}

/// A row of defaults costs a bit for each column, and a column of vectors holds 256 bits a row: the dearest bytes.
#[test]
fn the_dearest_rows_cost_what_is_stated() {
    let mut wide = ComponentDesc::new("dear.wide");
    for id in 1..=60 {
        let kind = FieldKind::Vector { len: 4, range: Range::new(-1.0, 1.0, 1e-6) };
        wide = wide.field(FieldDesc::new(id, format!("f{id}"), kind));
    }
    let mut registry = Registry::new();
    registry.add(wide).expect("a component");
    let schema = Arc::new(registry.freeze().expect("a schema"));
    let mut world = World::new(Arc::clone(&schema), WorldLimits::default());
    let components = [(component_id("dear.wide"), None)];
    world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).expect("spawns");
    let mut host = HostReplication::new(Arc::clone(&schema), HostLimits::default());
    host.ingest(&world.seal(Tick(1)).expect("seals"));
    host.add_link(LinkKey(1));
    let snapshot = host.begin_snapshot(LinkKey(1), 1, Scope::World).expect("a snapshot");
    let mut replica = Replica::new(schema, ReplicaLimits::default());
    replica.add_archetypes(&snapshot.archetypes).expect("archetypes");
    replica.snapshot_piece(1, Tick(1), 0, 1, false, &snapshot.pieces[0]).expect("a snapshot");
    let columns = world.frame().chunks[0].columns.len();

    let mut payload = Vec::new();
    let mut chunk = 100_u64;
    while payload.len() < 60_000 {
        let mut rows = BitWriter::new();
        rows.put_bool(false);
        rows.put(u64::MAX, 64);
        for slot in 0..64 {
            rows.put_bool(slot > 0);
            if slot == 0 {
                rows.put(chunk << 32 | 1, 64);
            }
            (0..columns).for_each(|_| rows.put_bool(false));
        }
        let rows = rows.into_bytes();
        let mut head = BitWriter::new();
        // Gap, flags (no baseline), archetype, length.
        head.put_varint(if payload.is_empty() { chunk } else { 0 });
        head.put_varint(0);
        head.put_varint(u64::from(snapshot.archetypes[0].id));
        head.put_varint(rows.len() as u64);
        payload.extend_from_slice(&head.into_bytes());
        payload.extend_from_slice(&rows);
        chunk += 1;
    }
    let (outcome, asked) = measure(|| replica.delta(Tick(2), 0, 1, &payload));
    assert_eq!(outcome, Ok(PartOutcome::Applied), "the payload is right");
    let per_byte = asked / payload.len();
    assert!(per_byte > 100, "dear indeed: {per_byte} bytes for each");
    assert!(asked <= ROWS_BYTES + ROWS_BYTES_PER_BYTE * payload.len(), "{per_byte} bytes for each");
}

#[test]
fn inputs() {
    for (head, vector) in input_vectors() {
        for changed in damaged(&vector.bytes) {
            let (samples, asked) = measure(|| unpack(&changed, &head));
            assert!(asked <= INPUT_BYTES, "{}: {asked} bytes asked for", vector.name);
            for sample in samples.iter().flatten() {
                let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
                assert!(sample.poses.iter().all(|pose| finite(&pose.position) && finite(&pose.rotation)));
                assert!(sample.axes.iter().all(|axis| axis.abs() <= 1.0));
                assert!(sample.input_tick <= head.input_tick);
            }
            assert!(samples.map_or(0, |samples| samples.len()) <= MAX_SAMPLES);
        }
    }
}

#[test]
fn handshakes_and_tickets() {
    for vector in vectors("wire/handshake.json").as_array().expect("a list") {
        let part = |name: &str| unhex(&vector["value"][name]);
        for changed in damaged(&part("hello")) {
            let (read, asked) = measure(|| Message::decode(MessageType::SessionHello, &changed).map(|_| ()));
            assert!(asked <= HANDSHAKE_BYTES, "{read:?}: {asked} bytes asked for");
        }
        for changed in damaged(&part("core")) {
            let (read, asked) = measure(|| AcknowledgeCore::decode(&changed).map(|_| ()));
            assert!(asked <= HANDSHAKE_BYTES, "{read:?}: {asked} bytes asked for");
        }
        let ticket = part("member_ticket");
        for changed in damaged(&ticket) {
            let (read, asked) = measure(|| MemberTicket::decode(&changed));
            assert!(asked <= 1024, "{asked} bytes asked for");
            if let Ok(read) = read {
                assert_eq!(read.encode(), changed, "one spelling");
            }
        }
        let text = Ticket { endpoint: "host:1".into(), pin: None, pass: Pass::None }.to_string();
        let whole = format!("{text}/{0}#{0}.{1}", "A".repeat(43), base64(&ticket));
        assert!(Ticket::parse(&whole).is_ok());
        for changed in damaged(whole.as_bytes()) {
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let (read, asked) = measure(|| Ticket::parse(&changed));
            assert!(asked <= HANDSHAKE_BYTES, "{asked} bytes asked for");
            if let Ok(read) = read {
                assert_eq!(Ticket::parse(&read.to_string()).as_ref(), Ok(&read));
            }
        }
    }
}

/// Unpadded base64url, spelled out here so that the test does not ask the code under test.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=group.len() {
            text.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char);
        }
    }
    text
}
