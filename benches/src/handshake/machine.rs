//! The host's machine alone: what it does for a hello and for a confirmation.

use std::sync::Arc;

use theta_core::session::courier::SharedCompressor;
use theta_core::session::genesis::Genesis;
use theta_core::session::handshake::{ClientTerms, Floors, OpenDoor, supported_capabilities};
use theta_core::session::keys::{AdminKey, HostKey, Identity};
use theta_core::session::ticket::{MemberTicket, Pass, Ticket};
use theta_core::session::{
    Binding, Host, HostConfig, HostOutput, LinkId, LinkInput, LinkOutput, Peer, PeerConfig, PeerOutput,
    PeerState,
};
use theta_core::types::{Lane, Time};
use theta_core::wire::message::{BindingKind, Role, Version};
use theta_sdk::compression::ZstdCompressor;

use super::{distribution, table};
use crate::clock::thread_cpu_ns;
use crate::report::Report;
use crate::scene::schema;
use crate::settings::Settings;

const NOW: Time = Time(1_000_000);

/// What comes to the door.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comer {
    /// Somebody in dev mode.
    Anybody,
    /// Somebody with a ticket for a key.
    Member,
    /// A version below the host's floor.
    TooOld,
    /// A packet whose CRC is wrong.
    Damaged,
    /// Somebody without a ticket, where one is needed.
    Uninvited,
}

/// CPU nanoseconds of the host.
#[derive(Default)]
struct Cost {
    /// The link, and the first packet on it.
    hello: u64,
    /// The second.
    confirm: u64,
}

pub(super) fn run(settings: &Settings, report: &mut Report) {
    let rounds: usize = settings.either(2000, 200);
    let title = format!("The host's session machine, without a network, {rounds} attempts each");
    let mut table = table(&title);
    let us = |costs: &[Cost], of: fn(&Cost) -> u64| -> Vec<f64> {
        costs.iter().map(|cost| of(cost) as f64 / 1000.0).collect()
    };
    for (comer, case) in [
        (Comer::Anybody, "admitted without a ticket (dev mode)"),
        (Comer::Member, "admitted with a member ticket"),
    ] {
        let costs = attempts(comer, rounds);
        for (part, of) in [
            ("hello", (|cost| cost.hello) as fn(&Cost) -> u64),
            ("confirmation", |cost| cost.confirm),
            ("whole", |cost| cost.hello + cost.confirm),
        ] {
            distribution(report, &mut table, &format!("{case}: {part}"), &mut us(&costs, of));
        }
    }
    for (comer, case) in [
        (Comer::Damaged, "refused: a first packet whose CRC is wrong"),
        (Comer::TooOld, "refused: a hello below the version floor"),
        (Comer::Uninvited, "refused: a confirmation without a ticket, hello included"),
    ] {
        let costs = attempts(comer, rounds);
        distribution(report, &mut table, case, &mut us(&costs, |cost| cost.hello + cost.confirm));
    }
    table.print();
}

fn compressor() -> Option<SharedCompressor> {
    ZstdCompressor::new().ok().map(|zstd| Box::new(zstd) as SharedCompressor)
}

/// So many attempts, one after the other, at one host.
fn attempts(comer: Comer, rounds: usize) -> Vec<Cost> {
    let authority = AdminKey::from_seed(&[1; 32]);
    let genesis = Genesis::plain(&authority, [2; 32]);
    let mut config = HostConfig::new(genesis, authority.clone(), HostKey::from_seed(&[3; 32]));
    if comer == Comer::Anybody {
        config.door = OpenDoor::Loopback(Role::Editor);
    }
    if comer == Comer::TooOld {
        config.least_version = Version { minor: Version::CURRENT.minor + 1, ..Version::CURRENT };
    }
    let schema = schema();
    let mut host = Host::new(config, Arc::clone(&schema), [4; 32], Box::new(compressor));
    host.set_unix_time(1_000_000);
    let identity = Identity::from_seed(&[5; 32]);
    let document = host.pin().document;
    let ticket = MemberTicket::issue(&authority, document, identity.public_key(), Role::Editor, 2_000_000);
    let pass = if comer == Comer::Member { Pass::Member(ticket.encode()) } else { Pass::None };
    let ticket = Ticket { endpoint: "bench:1".into(), pin: Some(host.pin()), pass };
    // Without a clock between: the first ones warm the caches and are left out.
    let warm_up = rounds / 10;
    let run = |number: usize| {
        let terms = ClientTerms {
            bearer: None,
            least_term: 0,
            floors: Floors::default(),
            identity: identity.clone(),
            name: "somebody".to_owned(),
            application: Vec::new(),
            ticket: ticket.clone(),
            capabilities: supported_capabilities(),
            dictionary_hash: 0,
        };
        let config = PeerConfig {
            terms,
            manual_loaded: true,
            handshake_timeout_ms: 60_000,
            idle_timeout_ms: 60_000,
            resume_timeout_ms: 0,
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let client = Peer::new(config, Arc::clone(&schema), NOW, seed, compressor());
        attempt(&mut host, LinkId(number as u32), client, comer)
    };
    (0..warm_up + rounds).map(run).skip(warm_up).collect()
}

/// One link, from its opening to its end.
fn attempt(host: &mut Host, link: LinkId, mut client: Peer, comer: Comer) -> Cost {
    let mut cost = Cost::default();
    let mut answers = Vec::with_capacity(64);
    let binding = Binding { kind: BindingKind::Memory, bytes: [7; 32] };
    let opened = LinkInput::Opened { binding, max_datagram_bytes: 1150, is_loopback: true, source: None };
    host_takes(host, link, opened, &mut answers, &mut cost.hello);
    client.handle(NOW, opened);
    let mut packets = 0;
    let mut is_closed = false;
    while !is_closed && client.state() < PeerState::Admitted {
        let mut is_idle = true;
        while let Some(output) = client.poll_output() {
            let PeerOutput::Link(output) = output else { continue };
            is_idle = false;
            let part = if packets == 0 { &mut cost.hello } else { &mut cost.confirm };
            match output {
                LinkOutput::OpenLane { lane, schema_hash } => {
                    let opened = LinkInput::StreamOpened { lane, schema_hash };
                    host_takes(host, link, opened, &mut answers, part);
                }
                LinkOutput::Transmit { lane, mut packet } => {
                    if comer == Comer::Damaged {
                        let last = packet.len() - 1;
                        packet[last] ^= 1;
                    }
                    packets += 1;
                    let packet = LinkInput::Packet { lane, bytes: &packet };
                    host_takes(host, link, packet, &mut answers, part);
                }
                LinkOutput::FinishLane(_) | LinkOutput::Close { .. } => {}
            }
        }
        for output in answers.drain(..) {
            is_idle = false;
            match output {
                LinkOutput::OpenLane { lane, schema_hash } => {
                    client.handle(NOW, LinkInput::StreamOpened { lane, schema_hash });
                }
                LinkOutput::Transmit { lane, packet } => {
                    client.handle(NOW, LinkInput::Packet { lane, bytes: &packet });
                }
                LinkOutput::FinishLane(_) => {}
                LinkOutput::Close { .. } => is_closed = true,
            }
        }
        assert!(!is_idle, "the handshake stands still");
    }
    let is_admitted = matches!(comer, Comer::Anybody | Comer::Member);
    assert_eq!(client.state() == PeerState::Admitted, is_admitted, "the door does as it should");
    // The seat is given up, so that the next one finds the same host.
    host.handle(NOW, link, LinkInput::Packet { lane: Lane::Control, bytes: &[] });
    host.handle(NOW, link, LinkInput::Closed { code: 1, reason: "" });
    while host.poll_output().is_some() {}
    cost
}

/// Hands something to the host and takes what it says to this link, on the clock.
fn host_takes(
    host: &mut Host,
    link: LinkId,
    input: LinkInput<'_>,
    answers: &mut Vec<LinkOutput>,
    spent_ns: &mut u64,
) {
    let began = thread_cpu_ns();
    host.handle(NOW, link, input);
    while let Some(output) = host.poll_output() {
        if let HostOutput::Link(_, output) = output {
            answers.push(output);
        }
    }
    *spent_ns += thread_cpu_ns() - began;
}
