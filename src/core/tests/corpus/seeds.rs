//! Inputs made of the golden vectors: where fuzzing starts.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use theta_core::wire::envelope::{self, PacketHeader};
use theta_core::wire::message::AcknowledgeCore;

use super::targets::bytes::put_part;
use super::targets::{host::step as host, peer::step as peer};

type Seed = (&'static str, String, Vec<u8>);

fn vectors(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let text = std::fs::read_to_string(root.join(path)).expect("committed");
    serde_json::from_str(&text).expect("JSON")
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

/// The vectors of a file: name, bytes, meaning.
fn list(path: &str) -> Vec<(String, Vec<u8>, Value)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let read =
        |vector: &Value| (text(&vector["name"]), unhex(&text(&vector["hex"])), vector["value"].clone());
    vectors(path).as_array().expect("a list").iter().map(read).collect()
}

/// Target, name and bytes of every seed.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let messages = messages();
    wire(&messages, &mut seeds);
    rows(&mut seeds);
    texts(&mut seeds);
    programs(&messages, &mut seeds);
    seeds
}

/// One message of each type, the longest: type and body.
fn messages() -> Vec<(u8, Vec<u8>, Value)> {
    let mut longest: Vec<(u8, Vec<u8>, Value)> = Vec::new();
    for (_, bytes, value) in list("wire/messages.json") {
        let number = value["type"].as_u64().expect("a number") as u8;
        match longest.iter_mut().find(|(other, ..)| *other == number) {
            Some(known) if known.1.len() < bytes.len() => *known = (number, bytes, value),
            Some(_) => {}
            None => longest.push((number, bytes, value)),
        }
    }
    longest
}

fn wire(messages: &[(u8, Vec<u8>, Value)], seeds: &mut Vec<Seed>) {
    for (number, body, _) in messages {
        seeds.push(("message", format!("{number:02}"), [&[*number], &body[..]].concat()));
    }
    let (_, core, _) = list("wire/cores.json").remove(0);
    seeds.push(("message", "core".into(), [&[0], &core[..]].concat()));
    // Maps, options, nested lists, byte strings, floats.
    for number in [1, 5, 9, 12, 16] {
        let (_, body, _) = messages.iter().find(|(other, ..)| *other == number).expect("one of each");
        let message_type = theta_core::wire::message::WireEnum::from_number(number.into()).expect("a type");
        let message = theta_core::wire::message::Message::decode(message_type, body).expect("a vector");
        let text = theta_core::wire::cbor::to_cbor(&message).expect("within limits");
        seeds.push(("cbor", format!("{number:02}"), text));
    }
    let packets = list("wire/packets.json");
    let mut stream = vec![16];
    for (name, bytes, _) in &packets {
        match &name[..] {
            "plain" | "trace_end_to_end" => seeds.push(("envelope", name.clone(), bytes.clone())),
            _ => stream.extend_from_slice(bytes),
        }
    }
    seeds.push(("frame", "packets".into(), stream));
    let compressed = include_str!("../../../../tests/vectors/compressed_envelope.hex");
    let compressed = compressed.lines().find(|line| !line.starts_with('#')).expect("a packet");
    seeds.push(("envelope", "compressed".into(), unhex(compressed)));
    for (name, bytes, _) in list("wire/prefaces.json").into_iter().skip(2) {
        seeds.push(("preface", name, bytes));
    }
}

/// The golden session's deltas of some ticks, and its snapshots.
fn rows(seeds: &mut Vec<Seed>) {
    for (name, bytes, _) in list("wire/manifests.json") {
        seeds.push(("compact", name, bytes));
    }
    let golden = vectors("rows/session.json");
    let steps = golden["steps"].as_array().expect("steps").iter();
    let bringing = steps.filter(|step| ["delta", "snapshot"].iter().any(|kind| step["kind"] == *kind));
    for (at, step) in (0u8..).zip(bringing) {
        let tick = step["tick"].as_u64().expect("a tick") as u16;
        let list = |name: &str| {
            let parts = step[name].as_array().expect("a list").iter();
            parts.map(|part| unhex(part.as_str().expect("text"))).collect::<Vec<_>>()
        };
        if step["kind"] == "snapshot" {
            let mut data = vec![at, u8::from(step["repair"] == true)];
            data.extend_from_slice(&tick.to_le_bytes());
            for piece in list("pieces") {
                put_part(&piece, &mut data);
            }
            seeds.push(("snapshot", format!("tick_{tick}"), data));
        } else if [8, 9, 11, 16, 19, 23].contains(&tick) {
            let parts = list("parts");
            let mut data = vec![at];
            data.extend_from_slice(&tick.to_le_bytes());
            data.extend_from_slice(&[0, parts.len() as u8]);
            data.extend_from_slice(&parts[0]);
            seeds.push(("rows", format!("tick_{tick}"), data));
        }
    }
}

fn texts(seeds: &mut Vec<Seed>) {
    for (name, bytes, value) in list("wire/input.json") {
        if name == "full" || name == "repeats" {
            let tick = value["input_tick"].as_u64().expect("a number") as u32;
            let mut data = tick.to_le_bytes().to_vec();
            data.extend_from_slice(&[0x9a, 0x3b, 0, 0, 0xce, 0x56]);
            data.extend_from_slice(&bytes);
            seeds.push(("input", name, data));
        }
    }
    let handshake = list("wire/handshake.json").remove(0).2;
    let ticket = unhex(handshake["member_ticket"].as_str().expect("text"));
    let pins = "A".repeat(43);
    let text = format!("theta://[::1]:4433/{pins}#{pins}.{}", URL_SAFE_NO_PAD.encode(&ticket));
    seeds.push(("ticket", "member".into(), ticket));
    seeds.push(("ticket", "text".into(), text.into_bytes()));
    let core = AcknowledgeCore::decode(&unhex(handshake["core"].as_str().expect("text"))).expect("a core");
    seeds.push(("genesis", "full".into(), core.genesis));
    let invite = unhex(handshake["invite"].as_str().expect("text"));
    let text = format!("theta://host:1/{pins}#{pins}.invite.{}", URL_SAFE_NO_PAD.encode(&invite));
    seeds.push(("ticket", "invite".into(), text.into_bytes()));
    for (name, bytes, _) in list("wire/admission.json") {
        seeds.push(("admission", name, bytes));
    }
    let golden = vectors("rows/session.json");
    seeds.push(("manifest", "rows".into(), golden["manifest"].to_string().into_bytes()));
}

/// What a lane takes in this program, by message type.
fn lane_of(number: u8) -> u8 {
    match number {
        5 => 5,
        6 | 7 => 2,
        8 | 10 | 11 | 17 | 18 => 1,
        12 => 3,
        13 => 4,
        _ => 0,
    }
}

/// A step that sends one message with the right header: its number, arguments and content. `who` names the guest.
fn packet_step(step: u8, who: &[u8], number: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(step);
    out.extend_from_slice(who);
    out.extend_from_slice(&[lane_of(number), 0, 0, number]);
    put_part(body, out);
}

fn programs(messages: &[(u8, Vec<u8>, Value)], seeds: &mut Vec<Seed>) {
    // Members say what members may say.
    for (name, numbers) in [("reports", [4u8, 7, 8, 12, 17]), ("unasked", [9, 10, 13, 15, 18])] {
        let mut program = vec![1, host::MEMBER, 2];
        for number in numbers {
            let (_, body, _) = messages.iter().find(|(other, ..)| *other == number).expect("one of each");
            packet_step(host::PACKET, &[0], number, body, &mut program);
            program.extend_from_slice(&[host::TICKS, 1]);
        }
        seeds.push(("host", name.into(), program));
    }
    let mut program = vec![0, host::KNOCK, 0, host::HELLO, 0, host::CONFIRM, 0, host::STREAM, 0, 1, 0];
    program.extend_from_slice(&[host::TIME, 100, host::DATAGRAM_LIMIT, 0, 200, 1, host::REBIND, 0, 7]);
    let hello = messages.iter().find(|(number, ..)| *number == 1).expect("one of each");
    packet_step(host::PACKET, &[0], 1, &hello.1, &mut program);
    program.extend_from_slice(&[host::RAW, 0, 2]);
    let mut raw = Vec::new();
    envelope::seal(&PacketHeader { sequence: 9, ..PacketHeader::default() }, &[16, 0, 0], None, &mut raw)
        .expect("seals");
    put_part(&raw, &mut program);
    program.extend_from_slice(&[host::CLOSED, 0, 1, 0]);
    seeds.push(("host", "strangers".into(), program));

    let mut program = vec![0, peer::ACKNOWLEDGE, peer::ADMIT, 1, peer::STREAM, 1, 0, peer::STREAM, 5, 0];
    program.extend_from_slice(&[
        peer::SNAPSHOT,
        peer::DELTA,
        peer::TIME,
        10,
        peer::DELTA,
        peer::INPUT,
        3,
        1,
        0,
        0,
        0,
    ]);
    seeds.push(("peer", "join".into(), program));
    let mut program = vec![2];
    for number in [4, 5, 6, 7, 8, 16, 17] {
        let (_, body, _) = messages.iter().find(|(other, ..)| *other == number).expect("one of each");
        packet_step(peer::PACKET, &[], number, body, &mut program);
        program.push(peer::DELTA);
    }
    program.extend_from_slice(&[peer::TIME, 200, peer::DATAGRAM_LIMIT, 100, 1, peer::CLOSED, 1, 0]);
    seeds.push(("peer", "messages".into(), program));
    let mut program = vec![2, peer::DELTA, peer::DELTA_OF, 3, 0, 0, 1];
    put_part(&[0, 4, 3, 0, 1, 0x80], &mut program);
    program.extend_from_slice(&[peer::SNAPSHOT_OF, 0x21, 4, 0, 0, 1]);
    put_part(&[0; 8], &mut program);
    program.extend_from_slice(&[peer::DELTA, peer::TIME, 50, peer::LOADED]);
    seeds.push(("peer", "rows".into(), program));
}
