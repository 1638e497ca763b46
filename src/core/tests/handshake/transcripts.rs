//! The session room's transcripts, statements and tickets against tests/vectors/wire/handshake.json, which is computed
//! as docs/protocol.md says and not by that room.

use serde_json::Value;
use theta_core::mutants::Mutants;
use theta_core::session::Binding;
use theta_core::session::admission::InviteKey;
use theta_core::session::genesis::Genesis;
use theta_core::session::handshake::check_acknowledge;
use theta_core::session::keys::{
    AdminKey, HostKey, Identity, certificate_statement, client_statement, server_statement, transcript,
    verify,
};
use theta_core::session::ticket::{MemberTicket, Pass, Pin, Ticket, TicketError};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{
    AcknowledgeCore, BindingKind, Message, MessageType, Role, SessionAcknowledge, WireEnum,
};

use super::samples::pattern;
use super::venue::client_terms;

struct Recorded {
    name: String,
    hello: Vec<u8>,
    core: Vec<u8>,
    binding: Binding,
    transcript: [u8; 32],
    server_signature: [u8; 64],
    client_signature: [u8; 64],
    member_ticket: Vec<u8>,
    invite: Vec<u8>,
    invite_proof: Vec<u8>,
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let text = value[name].as_str().unwrap_or_else(|| panic!("{name} is text"));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

/// The vectors whose binding is 32 bytes, which is what every transport of this code has.
fn recorded() -> Vec<Recorded> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/wire/handshake.json");
    let text = std::fs::read_to_string(path).expect("the vectors are committed");
    let vectors: Vec<Value> = serde_json::from_str(&text).expect("the vectors are JSON");
    let fixed = |value: &Value, name: &str| bytes(value, name).try_into().expect("64 bytes");
    vectors
        .iter()
        .filter_map(|vector| {
            let value = &vector["value"];
            let kind = value["binding_kind"].as_u64().expect("a number") as u16;
            Some(Recorded {
                name: vector["name"].as_str().expect("a name").to_owned(),
                hello: bytes(value, "hello"),
                core: bytes(value, "core"),
                binding: Binding {
                    kind: BindingKind::from_number(kind).expect("a kind"),
                    bytes: bytes(value, "binding").try_into().ok()?,
                },
                transcript: bytes(value, "transcript").try_into().expect("32 bytes"),
                server_signature: fixed(value, "server_signature"),
                client_signature: fixed(value, "client_signature"),
                member_ticket: bytes(value, "member_ticket"),
                invite: bytes(value, "invite"),
                invite_proof: bytes(value, "invite_proof"),
            })
        })
        .collect()
}

#[test]
fn transcripts_and_statements_are_those_of_the_vectors() {
    let recorded = recorded();
    for kind in [BindingKind::Memory, BindingKind::TlsExporter] {
        assert!(recorded.iter().any(|vector| vector.binding.kind == kind), "no vector with {kind:?}");
    }
    let (host, client) = (HostKey::from_seed(&pattern(2)), Identity::from_seed(&pattern(3)));
    for vector in recorded {
        let t = transcript(&vector.hello, &vector.core, &vector.binding);
        assert_eq!(t, vector.transcript, "{}", vector.name);
        assert_eq!(host.sign(&server_statement(&t)), vector.server_signature, "{}", vector.name);
        assert!(verify(&host.public_key(), &server_statement(&t), &vector.server_signature));
        let statement = client_statement(&t, &vector.server_signature);
        assert_eq!(client.sign(&statement), vector.client_signature, "{}", vector.name);
        assert!(verify(&client.public_key(), &statement, &vector.client_signature));
        assert!(!verify(&host.public_key(), &statement, &vector.client_signature), "another key");
    }
}

#[test]
fn certificates_and_tickets_are_those_of_the_vectors() {
    let authority = AdminKey::from_seed(&pattern(1));
    for vector in recorded() {
        let core = AcknowledgeCore::decode(&vector.core).expect("a core");
        let certificate = &core.certificate;
        assert_eq!(authority.sign(&certificate_statement(certificate)), certificate.signature);
        let Ok(Message::SessionHello(hello)) = Message::decode(MessageType::SessionHello, &vector.hello)
        else {
            panic!("{}: no hello", vector.name)
        };
        let genesis = Genesis::decode(&core.genesis).expect("a genesis");
        assert!(genesis.is_signed());
        assert_eq!((genesis.document(), genesis.founder), (core.document_id, authority.public_key()));
        assert!(genesis.may_host(&core.host_key) && !genesis.may_host(&[1; 32]));
        let ticket = MemberTicket::decode(&vector.member_ticket).expect("a ticket");
        assert_eq!(ticket.encode(), vector.member_ticket);
        let pin = Pin { document: core.document_id, authority: authority.public_key() };
        let end = ticket.expires_unix_s;
        assert_eq!(ticket.grant(&pin, &hello.client_key, end - 1), Ok(Role::Editor));
        assert_eq!(ticket.grant(&pin, &hello.client_key, end), Err(TicketError::Expired));
        let made = MemberTicket::issue(&authority, core.document_id, hello.client_key, Role::Editor, end);
        assert_eq!(made.encode(), vector.member_ticket, "{}", vector.name);
    }
}

#[test]
fn invites_are_those_of_the_vectors() {
    for vector in recorded() {
        let invite = InviteKey::decode(&vector.invite).expect("an invite");
        assert_eq!(invite.encode().as_slice(), vector.invite);
        assert_eq!(invite.prove(&vector.transcript).as_slice(), vector.invite_proof, "{}", vector.name);
    }
}

#[test]
fn the_client_believes_the_vectors_host_and_no_other() {
    let authority = AdminKey::from_seed(&pattern(1));
    for vector in recorded() {
        let core = AcknowledgeCore::decode(&vector.core).expect("a core");
        let pin = Pin { document: core.document_id, authority: authority.public_key() };
        let ticket = Ticket { endpoint: "h:1".into(), pin: Some(pin), pass: Pass::None };
        let terms = client_terms(&Identity::from_seed(&pattern(3)), ticket);
        let answer = |signature, binding: &Binding| {
            let acknowledge = SessionAcknowledge { core: vector.core.clone(), signature };
            check_acknowledge(&terms, &vector.hello, &acknowledge, binding, false, Mutants::NONE)
                .map(|_| ())
                .map_err(|closing| closing.code)
        };
        // Proof and certificate hold; the sample's version is then above ours.
        assert_eq!(answer(vector.server_signature, &vector.binding), Err(DisconnectCode::VersionMismatch));
        let mut forged = vector.server_signature;
        forged[0] ^= 1;
        assert_eq!(answer(forged, &vector.binding), Err(DisconnectCode::BadHostProof));
        let mut elsewhere = vector.binding;
        elsewhere.bytes[31] ^= 1;
        assert_eq!(answer(vector.server_signature, &elsewhere), Err(DisconnectCode::BadHostProof));
    }
}
