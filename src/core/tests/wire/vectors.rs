//! Golden vectors: bytes and their meaning, side by side, for this code and for the second decoder.

use super::{root, samples};
use serde_json::{Value, json};
use std::fmt::Write as _;
use theta_core::schema::{
    ComponentDesc, Diff, FieldDesc, FieldKind, IntType, ListItem, Predictor, Range, Registry,
    Value as DefaultValue, compact,
};
use theta_core::session::input::{InputSample, POSE_TRACKED, POSE_VALID, Pose, pack, unpack};
use theta_core::types::{Lane, Tick};
use theta_core::wire::bits::{BitReader, BitWriter};
use theta_core::wire::codes::RefusalReason;
use theta_core::wire::envelope::{self, PacketHeader, TraceContext};
use theta_core::wire::message::{
    AcknowledgeCore, BindingKind, Message, MessageType, Refusal, SessionControl, SessionHello, WireEnum,
};
use theta_core::wire::packet::PacketBuilder;
use theta_core::wire::preface::Preface;

/// One vector: its name, its bytes, what they mean.
pub struct Vector {
    pub name: String,
    pub bytes: Vec<u8>,
    pub value: Value,
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

pub fn message_vectors() -> Vec<(Message<'static>, Vector)> {
    samples::messages()
        .into_iter()
        .map(|(name, message)| {
            let bytes = message.encode().unwrap_or_else(|error| panic!("{name}: {error}"));
            let value = serde_json::to_value(&message).expect("serialises");
            let value = json!({ "type": message.message_type() as u8, "message": value });
            (message, Vector { name, bytes, value })
        })
        .collect()
}

pub fn core_vectors() -> Vec<(AcknowledgeCore, Vector)> {
    samples::cores()
        .into_iter()
        .map(|(name, core)| {
            let bytes = core.encode().expect("within limits");
            let value = serde_json::to_value(&core).expect("serialises");
            (core, Vector { name, bytes, value })
        })
        .collect()
}

fn header_value(header: &PacketHeader) -> Value {
    json!({
        "sequence": header.sequence,
        "epoch": header.epoch,
        "schema": header.schema,
        "end_to_end": header.end_to_end,
        "trace": header.trace.map(|trace| json!({
            "trace_id": hex(&trace.trace_id), "span_id": hex(&trace.span_id), "flags": trace.flags,
        })),
    })
}

pub fn packet_vectors() -> Vec<Vector> {
    let trace = TraceContext { trace_id: samples::pattern(1), span_id: samples::pattern(0x21), flags: 1 };
    let plain =
        PacketHeader { sequence: 0x01020304, epoch: 0x0506, schema: 0x0708, ..PacketHeader::default() };
    let messages = samples::messages();
    let pick = |name: &str| messages.iter().find(|(other, _)| other == name).expect("a sample").1.clone();
    let cases = [
        ("empty", plain, vec![]),
        ("handshake", PacketHeader { sequence: 1, ..PacketHeader::default() }, vec![pick("hello_full")]),
        ("plain", plain, vec![pick("delta_Ack"), pick("state_ack"), pick("app_Owner")]),
        ("trace", PacketHeader { trace: Some(trace), ..plain }, vec![pick("input")]),
        ("end_to_end", PacketHeader { end_to_end: true, ..plain }, vec![pick("editor_Cursor")]),
        (
            "trace_end_to_end",
            PacketHeader {
                sequence: u32::MAX,
                epoch: u16::MAX,
                schema: u16::MAX,
                end_to_end: true,
                trace: Some(trace),
            },
            vec![pick("control_loaded"), pick("heartbeat_full")],
        ),
    ];
    cases
        .into_iter()
        .map(|(name, header, messages)| {
            let mut builder = PacketBuilder::new(65_535);
            builder.restart(65_535, header.trace.is_some());
            for message in &messages {
                builder.push(message).expect("fits");
            }
            let mut bytes = Vec::new();
            builder.seal(&header, None, &mut bytes).expect("seals");
            let messages = serde_json::to_value(&messages).expect("serialises");
            let value = json!({ "header": header_value(&header), "messages": messages });
            Vector { name: name.to_owned(), bytes, value }
        })
        .collect()
}

pub fn preface_vectors() -> Vec<Vector> {
    [
        ("control", Preface { lane: Lane::Control, schema_hash: 0 }),
        ("replication", Preface { lane: Lane::Replication, schema_hash: 0x0102_0304_0506_0708 }),
        ("bulk_0", Preface { lane: Lane::Bulk(0), schema_hash: u64::MAX }),
        ("bulk_513", Preface { lane: Lane::Bulk(0x0201), schema_hash: 1 }),
    ]
    .into_iter()
    .map(|(name, preface)| {
        let ordinal = if let Lane::Bulk(ordinal) = preface.lane { ordinal } else { 0 };
        let value =
            json!({ "lane": preface.lane.wire_id(), "ordinal": ordinal, "schema_hash": preface.schema_hash });
        Vector { name: name.to_owned(), bytes: preface.encode().to_vec(), value }
    })
    .collect()
}

/// Steps of a bit writer and the bytes they give. A step is [kind, value, bits].
fn bit_vectors() -> Vec<Vector> {
    type Step = (&'static str, i64, u32);
    let cases: [(&str, Vec<Step>); 4] = [
        ("one_byte", vec![("put", 1, 1), ("put", 2, 2), ("put", 0x1f, 5)]),
        (
            "crossing",
            vec![
                ("put", 1, 1),
                ("put", 0x1ff, 9),
                ("put", 0, 3),
                ("put", 0x0123_4567_89ab_cdef, 61),
                ("put", 5, 3),
            ],
        ),
        (
            "varints",
            vec![
                ("varint", 0, 0),
                ("varint", 127, 0),
                ("put", 1, 1),
                ("varint", 128, 0),
                ("varint", i64::MAX, 0),
            ],
        ),
        (
            "signs",
            vec![
                ("zigzag", -1, 7),
                ("zigzag", 63, 7),
                ("align", 0, 0),
                ("zigzag", i64::MIN, 64),
                ("put", 1, 1),
            ],
        ),
    ];
    cases
        .into_iter()
        .map(|(name, steps)| {
            let mut writer = BitWriter::new();
            for &(kind, value, bits) in &steps {
                match kind {
                    "put" => writer.put(value as u64, bits),
                    "varint" => writer.put_varint(value as u64),
                    "zigzag" => writer.put_zigzag(value, bits),
                    _ => writer.align(),
                }
            }
            let bytes = writer.into_bytes();
            let mut reader = BitReader::new(&bytes);
            for &(kind, value, bits) in &steps {
                let read = match kind {
                    "put" => reader.get(bits).map(|read| read as i64),
                    "varint" => reader.get_varint().map(|read| read as i64),
                    "zigzag" => reader.get_zigzag(bits),
                    _ => reader.align().map(|()| 0),
                };
                assert_eq!(read, Ok(value), "{name}");
            }
            Vector { name: name.to_owned(), bytes, value: json!(steps) }
        })
        .collect()
}

/// A handshake with all its intermediate values, computed as docs/protocol.md says and not by the session room.
fn handshake_vectors() -> Vec<Vector> {
    use ed25519_dalek::{Signer, SigningKey};
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let (authority, host, client) = (
        SigningKey::from_bytes(&samples::pattern(1)),
        SigningKey::from_bytes(&samples::pattern(2)),
        SigningKey::from_bytes(&samples::pattern(3)),
    );
    let bindings = [
        ("tls_exporter", 2u8, samples::pattern::<32>(0x50).to_vec()),
        ("memory_empty", 1, Vec::new()),
        ("memory", 1, samples::pattern::<32>(0x90).to_vec()),
    ];
    bindings
        .into_iter()
        .map(|(name, binding_kind, binding)| {
            let hello = SessionHello { client_key: client.verifying_key().to_bytes(), ..samples::hello() };
            let hello = Message::SessionHello(hello).encode().expect("within limits");
            let mut core = samples::core();
            // Founder, nonce, end to end, limits of version 1, a policy, two hosts, one successor.
            let mut genesis = vec![1];
            genesis.extend_from_slice(&authority.verifying_key().to_bytes());
            genesis.extend_from_slice(&samples::pattern::<32>(0xe0));
            genesis.extend_from_slice(&[1, 1, 0, 4, 0]);
            genesis.extend_from_slice(b"kind");
            let mut hosts = [host.verifying_key().to_bytes(), samples::pattern(0x70)];
            hosts.sort_unstable();
            genesis.push(2);
            genesis.extend_from_slice(&hosts.concat());
            genesis.push(1);
            genesis.extend_from_slice(&samples::pattern::<32>(0x71));
            let signature = authority.sign(&[b"theta/1 genesis\0".as_slice(), &genesis].concat());
            genesis.extend_from_slice(&signature.to_bytes());
            core.document_id = Sha256::digest(&genesis).into();
            core.certificate.document_id = core.document_id;
            core.genesis = genesis;
            core.host_key = host.verifying_key().to_bytes();
            core.binding = BindingKind::from_number(binding_kind as u16).expect("a kind");
            core.certificate.host_key = core.host_key;
            core.certificate.authority_key = authority.verifying_key().to_bytes();
            core.certificate.signature = authority.sign(&core.certificate.signed_bytes()).to_bytes();
            let core_bytes = core.encode().expect("within limits");
            let transcript: [u8; 32] = Sha256::new()
                .chain_update(b"theta/1 transcript\0")
                .chain_update((hello.len() as u32).to_le_bytes())
                .chain_update(&hello)
                .chain_update((core_bytes.len() as u32).to_le_bytes())
                .chain_update(&core_bytes)
                .chain_update([binding_kind])
                .chain_update((binding.len() as u16).to_le_bytes())
                .chain_update(&binding)
                .finalize()
                .into();
            let server_signature = host.sign(&[b"theta/1 server-ack\0".as_slice(), &transcript].concat()).to_bytes();
            let both = Sha256::new().chain_update(transcript).chain_update(server_signature).finalize();
            let client_signature = client.sign(&[b"theta/1 client-proof\0".as_slice(), &both].concat()).to_bytes();
            let mut ticket = vec![1];
            ticket.extend_from_slice(&core.document_id);
            ticket.extend_from_slice(&client.verifying_key().to_bytes());
            ticket.push(2);
            ticket.extend_from_slice(&4_102_444_800u64.to_le_bytes());
            ticket.extend_from_slice(&authority.verifying_key().to_bytes());
            let signature = authority.sign(&[b"theta/1 member-ticket\0".as_slice(), &ticket].concat());
            ticket.extend_from_slice(&signature.to_bytes());
            // What a client with an invite would confirm with instead of its ticket.
            let (id, secret) = (samples::pattern::<16>(0xa0), samples::pattern::<32>(0xb0));
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key of any length");
            mac.update(b"theta/1 invite-proof\0");
            mac.update(&transcript);
            let invite = [id.as_slice(), &secret].concat();
            let invite_proof = [id.as_slice(), &mac.finalize().into_bytes()].concat();
            // What the host would say to this client of an input that its role forbids.
            let mut refusal = Refusal {
                message_type: MessageType::InputPredictiveState,
                command_type: 0x0102_0304,
                reason: RefusalReason::RoleForbids,
                lane: 3,
                sequence: 0x1112_1314,
                text: "nur schauen \u{e4}".to_owned(),
                signature: [0; 64],
            };
            let mut statement = b"theta/1 refusal\0".to_vec();
            statement.extend_from_slice(&core.session_id);
            statement.push(refusal.message_type as u8);
            statement.extend_from_slice(&refusal.command_type.to_le_bytes());
            statement.extend_from_slice(&(refusal.reason as u16).to_le_bytes());
            statement.push(refusal.lane);
            statement.extend_from_slice(&refusal.sequence.to_le_bytes());
            statement.extend_from_slice(refusal.text.as_bytes());
            assert_eq!(statement, refusal.signed_bytes(&core.session_id), "the page and the code say the same");
            refusal.signature = host.sign(&statement).to_bytes();
            let refusal = Message::SessionControl(SessionControl::Refusal(refusal)).encode().expect("within limits");
            let value = json!({
                "refusal": hex(&refusal),
                "hello": hex(&hello), "core": hex(&core_bytes), "binding_kind": binding_kind, "binding": hex(&binding),
                "transcript": hex(&transcript), "server_signature": hex(&server_signature),
                "client_signature": hex(&client_signature), "member_ticket": hex(&ticket),
                "invite": hex(&invite), "invite_proof": hex(&invite_proof),
            });
            Vector { name: name.to_owned(), bytes: transcript.to_vec(), value }
        })
        .collect()
}

/// Invites and bans, as a host's application keeps them.
fn admission_vectors() -> Vec<Vector> {
    use theta_core::session::admission::{AdmissionChange, AdmissionState, Invite, InviteKey};
    use theta_core::wire::message::Role;
    let key = |seed: u8| InviteKey { id: samples::pattern(seed), secret: samples::pattern(seed + 0x40) };
    let mut full = AdmissionState::new();
    let mut used = Invite::new(key(1), Role::Editor, 2, 4_102_444_800);
    used.bound.extend([samples::pattern::<32>(5), samples::pattern::<32>(6)]);
    let revoked = Invite { is_revoked: true, ..Invite::new(key(2), Role::Viewer, 256, 0) };
    for change in [
        AdmissionChange::Invite(used),
        AdmissionChange::Invite(revoked),
        AdmissionChange::Ban(samples::pattern(8)),
        AdmissionChange::Ban(samples::pattern(9)),
    ] {
        full.apply(&change).expect("within limits");
    }
    [("empty", AdmissionState::new()), ("full", full)]
        .into_iter()
        .map(|(name, state)| {
            let keys =
                |keys: &mut dyn Iterator<Item = &[u8; 32]>| keys.map(|key| hex(key)).collect::<Vec<_>>();
            let invites: Vec<_> = state
                .invites()
                .map(|invite| {
                    json!({
                        "id": hex(&invite.key.id), "secret": hex(&invite.key.secret),
                        "role": format!("{:?}", invite.role), "uses": invite.uses,
                        "expires_unix_s": invite.expires_unix_s, "revoked": u8::from(invite.is_revoked),
                        "bound": keys(&mut invite.bound.iter()),
                    })
                })
                .collect();
            let value = json!({ "invites": invites, "bans": keys(&mut state.bans()) });
            assert_eq!(AdmissionState::decode(&state.encode()), Ok(state.clone()));
            Vector { name: name.to_owned(), bytes: state.encode(), value }
        })
        .collect()
}

#[test]
fn admission_states_are_what_they_were() {
    compare("admission.json", &admission_vectors().iter().collect::<Vec<_>>());
}

/// Packed input: samples as an application gives them, their bytes, and what every receiver makes of those.
pub fn input_vectors() -> Vec<(InputSample, Vector)> {
    let still = Pose { position: [1.5, -2.25, 0.0009], flags: POSE_VALID | POSE_TRACKED, ..Pose::default() };
    let moving = Pose {
        position: [-300.0, 255.9, 1.0 / 1024.0],
        rotation: [0.5, -0.5, 0.1, -0.7],
        linear_velocity: [0.25, -64.0, 63.9],
        angular_velocity: [-0.01, 0.02, 100.0],
        flags: POSE_VALID,
    };
    let full = InputSample {
        input_tick: Tick(0x0102_0304),
        sampled_at_us: 1_000_000_000,
        target_display_us: 1_000_022_222,
        poses: [still, moving, Pose { flags: POSE_TRACKED, ..still }],
        buttons: 0x8000_0001,
        flags: 300,
        axes: [0.0, 1.0, -1.0, 0.5, -0.001, 2.0, 0.0, 1e-9],
        tail: (0..64).collect(),
    };
    let before = |ticks: u32, sampled_at_us: u64| InputSample {
        input_tick: Tick(full.input_tick.0 - ticks),
        sampled_at_us,
        target_display_us: sampled_at_us + 20_000,
        poses: [still; 3],
        ..InputSample::default()
    };
    let cases = [
        ("empty", vec![InputSample { input_tick: Tick(1), ..InputSample::default() }]),
        ("full", vec![full.clone()]),
        (
            "repeats",
            vec![full.clone(), before(1, 999_988_889), before(2, 999_977_778), before(300, 2_000_000_000)],
        ),
        // The display time cannot be before the sampling.
        ("no_display", vec![InputSample { target_display_us: 5, ..before(0, 7_000_000) }]),
    ];
    cases
        .into_iter()
        .map(|(name, samples)| {
            let mut bits = BitWriter::new();
            pack(&samples, &mut bits);
            let head = samples[0].as_sent();
            let read = unpack(bits.bytes(), &head).expect("our own");
            assert_eq!(read, samples.iter().map(InputSample::as_sent).collect::<Vec<_>>(), "{name}");
            let value = json!({
                "input_tick": head.input_tick.0,
                "sampled_at_us": head.sampled_at_us,
                "display_after_us": head.target_display_us - head.sampled_at_us,
                "samples": read.iter().map(sample_value).collect::<Vec<_>>(),
            });
            (head, Vector { name: name.to_owned(), bytes: bits.into_bytes(), value })
        })
        .collect()
}

fn sample_value(sample: &InputSample) -> Value {
    let pose = |pose: &Pose| {
        json!({
            "valid": pose.flags & POSE_VALID != 0,
            "tracked": pose.flags & POSE_TRACKED != 0,
            "position": pose.position,
            "rotation": pose.rotation,
            "linear_velocity": pose.linear_velocity,
            "angular_velocity": pose.angular_velocity,
        })
    };
    json!({
        "input_tick": sample.input_tick.0,
        "sampled_at_us": sample.sampled_at_us,
        "target_display_us": sample.target_display_us,
        "poses": sample.poses.iter().map(pose).collect::<Vec<_>>(),
        "buttons": sample.buttons,
        "flags": sample.flags,
        "axes": sample.axes,
        "tail": hex(&sample.tail),
    })
}

/// Compact manifests, and the same components as the JSON manifest writes them.
fn manifest_vectors() -> Vec<Vector> {
    let metres = Range::new(-32.0, 31.75, 0.25);
    let int = |ty, min, max| FieldKind::Int { ty, min, max };
    let kinds = [
        int(IntType::U64, 0, i128::from(u64::MAX)),
        int(IntType::I64, i128::from(i64::MIN), -1),
        int(IntType::U8, 7, 7),
        FieldKind::Flags { bits: 64 },
        FieldKind::F32(metres),
        FieldKind::F64(Range::new(-1e9, 1e9, 1.0 / 1024.0)),
        FieldKind::Vector { len: 2, range: metres },
        FieldKind::Vector { len: 3, range: metres },
        FieldKind::Vector { len: 4, range: metres },
        FieldKind::DVec3(metres),
        FieldKind::Quat { bits: 10 },
        FieldKind::Entity,
        FieldKind::String { max_len: 300 },
        FieldKind::Bytes { max_len: 40 },
        FieldKind::List { item: ListItem::Int { ty: IntType::I16, min: -300, max: 300 }, max_len: 6 },
        FieldKind::List { item: ListItem::F32(metres), max_len: 1 },
    ];
    let mut all = ComponentDesc::new("test.all").since("1.2").deprecated_in("2.0");
    for (at, kind) in kinds.into_iter().enumerate() {
        let field = FieldDesc::new(at as u16 * 200 + 1, format!("f{at}"), kind);
        all = all.field(match at {
            0 => field.default_value(DefaultValue::Int(i128::from(u64::MAX))),
            1 => field.default_value(DefaultValue::Int(-300)).since("1.3"),
            3 => field.document(true),
            4 => FieldDesc { deprecated_in: Some("1.9".into()), ..field }
                .default_value(DefaultValue::Numbers(vec![-0.25])),
            7 => field.predictor(Predictor::Linear).diff(Diff::Replace),
            12 => field.default_value(DefaultValue::Text("\u{3b8}".into())),
            13 => field.default_value(DefaultValue::Bytes(vec![0, 255])),
            _ => field,
        });
    }
    let one =
        |name: &str| ComponentDesc::new(name).field(FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 }));
    [("none", vec![]), ("one", vec![one("test.one")]), ("every_kind", vec![one("test.one"), all])]
        .into_iter()
        .map(|(name, components)| {
            let mut registry = Registry::new();
            for component in components {
                registry.add(component).expect("a component");
            }
            let schema = registry.freeze().expect("a schema");
            let bytes = schema.compact_manifest().expect("fits");
            let mut value: Value = serde_json::from_str(&schema.manifest()).expect("JSON");
            let components = value["components"].as_array_mut().expect("a list");
            components.retain(|component| component["name"] != "theta.entity");
            for component in components {
                let component = component.as_object_mut().expect("an object");
                for key in ["docs", "authority", "layout_hash"] {
                    component.remove(key);
                }
                for field in component["fields"].as_array_mut().expect("a list") {
                    let field = field.as_object_mut().expect("an object");
                    for key in ["docs", "semantic"] {
                        field.remove(key);
                    }
                }
            }
            Vector { name: name.to_owned(), bytes, value }
        })
        .collect()
}

/// The file's text: one vector a line, so that a change shows as a line.
fn text(vectors: &[&Vector]) -> String {
    let lines: Vec<String> = vectors
        .iter()
        .map(|vector| {
            json!({ "name": vector.name, "hex": hex(&vector.bytes), "value": vector.value }).to_string()
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn compare(file: &str, vectors: &[&Vector]) {
    let path = root().join("tests/vectors/wire").join(file);
    let now = text(vectors);
    if std::env::var_os("THETA_REGENERATE").is_some() {
        std::fs::write(&path, now).expect("the vectors' folder is writable");
        return;
    }
    let golden = std::fs::read_to_string(&path).expect("the vectors are committed");
    // Compared as values: the order of an object's keys is not ours to choose.
    let golden: Vec<Value> = serde_json::from_str(&golden).expect("the vectors are JSON");
    let now: Vec<Value> = serde_json::from_str(&now).expect("what was just written is JSON");
    for (golden, now) in golden.iter().zip(&now) {
        assert_eq!(golden, now, "{file} differs: an intended change is made with THETA_REGENERATE=1");
    }
    assert_eq!(golden.len(), now.len(), "{file} has another number of vectors");
}

#[test]
fn messages_are_what_they_were() {
    let vectors = message_vectors();
    compare("messages.json", &vectors.iter().map(|(_, vector)| vector).collect::<Vec<_>>());
    for (message, vector) in &vectors {
        let decoded = Message::decode(message.message_type(), &vector.bytes);
        assert_eq!(decoded.as_ref(), Ok(message), "{}", vector.name);
    }
}

#[test]
fn acknowledge_cores_are_what_they_were() {
    let vectors = core_vectors();
    compare("cores.json", &vectors.iter().map(|(_, vector)| vector).collect::<Vec<_>>());
    for (core, vector) in &vectors {
        assert_eq!(AcknowledgeCore::decode(&vector.bytes).as_ref(), Ok(core), "{}", vector.name);
    }
}

#[test]
fn packets_are_what_they_were() {
    let vectors = packet_vectors();
    compare("packets.json", &vectors.iter().collect::<Vec<_>>());
    for vector in &vectors {
        let mut scratch = Vec::new();
        let opened = envelope::open(&vector.bytes, None, &mut scratch).expect("opens");
        let messages: Vec<_> = opened.messages().map(|raw| raw.decode().expect("decodes")).collect();
        let value = json!({ "header": header_value(opened.header()), "messages": messages });
        assert_eq!(value, vector.value, "{}", vector.name);
    }
}

#[test]
fn manifests_are_what_they_were() {
    let vectors = manifest_vectors();
    compare("manifests.json", &vectors.iter().collect::<Vec<_>>());
    for vector in &vectors {
        let schema = compact::parse(&vector.bytes).expect("our own");
        assert_eq!(schema.compact_manifest().as_ref(), Ok(&vector.bytes), "{}", vector.name);
        assert_eq!(json!(format!("{:#018x}", schema.hash())), vector.value["schema_hash"]);
    }
}

#[test]
fn prefaces_are_what_they_were() {
    compare("prefaces.json", &preface_vectors().iter().collect::<Vec<_>>());
}

#[test]
fn bits_are_what_they_were() {
    compare("bits.json", &bit_vectors().iter().collect::<Vec<_>>());
}

#[test]
fn handshakes_are_what_they_were() {
    compare("handshake.json", &handshake_vectors().iter().collect::<Vec<_>>());
}

#[test]
fn inputs_are_what_they_were() {
    compare("input.json", &input_vectors().iter().map(|(_, vector)| vector).collect::<Vec<_>>());
}

/// JSON with the vectors' meaning reads back to the same message: nothing in the meaning is lost.
#[test]
fn meanings_read_back() {
    for (message, vector) in message_vectors() {
        let read: Message<'static> =
            serde_json::from_value(vector.value["message"].clone()).expect("reads back");
        assert_eq!(read, message, "{}", vector.name);
    }
}
