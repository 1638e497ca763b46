//! Who has somebody's resume token, over QUIC: it finds a place and proves nothing. With another key it opens nothing; once
//! it was used it opens nothing with the right key either; and who has both, a copy of the process, takes the place, after
//! which what the older connection says belongs to nobody.

mod common;

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::sessions::*;
use theta_core::session::handshake::{ClientTerms, Floors, client_hello, supported_capabilities};
use theta_core::session::keys::Identity;
use theta_core::session::ticket::Ticket;
use theta_core::session::{
    Binding, LinkInput, LinkOutput, Peer, PeerConfig, PeerEvent, PeerOutput, PeerState,
};
use theta_core::types::{Lane, PeerId, Time};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope::PacketHeader;
use theta_core::wire::limits::MAX_PACKET_BYTES;
use theta_core::wire::message::{Message, WireEnum};
use theta_core::wire::packet::PacketBuilder;
use theta_sdk::runtime::{HostSession, SessionState, now_ns};
use theta_sdk::transport::{ConnectionId, Transport, TransportConfig, TransportEvent};

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time") })
}

fn now() -> Time {
    Time(now_ns() / 1000)
}

fn terms(identity: &Identity, ticket: &Ticket) -> ClientTerms {
    ClientTerms {
        identity: identity.clone(),
        name: "somebody".to_owned(),
        application: Vec::new(),
        ticket: ticket.clone(),
        bearer: None,
        least_term: 0,
        floors: Floors::default(),
        capabilities: supported_capabilities(),
        dictionary_hash: 0,
    }
}

/// A socket of its own and a connection attempt on it.
fn dial(ticket: &Ticket) -> (Transport, ConnectionId) {
    let here: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let mut transport = Transport::quic_client(here, TransportConfig::default()).expect("a client");
    let id = transport.connect(ticket.endpoint.parse().expect("an address")).expect("an attempt");
    (transport, id)
}

/// A client whose token can be looked at: the core's machine, driven by hand.
struct Client {
    peer: Peer,
    transport: Transport,
    connection: ConnectionId,
    events: Vec<PeerEvent>,
}

impl Client {
    fn new(identity: &Identity, ticket: &Ticket) -> Self {
        let config = PeerConfig {
            terms: terms(identity, ticket),
            manual_loaded: false,
            handshake_timeout_ms: 10_000,
            idle_timeout_ms: 10_000,
            resume_timeout_ms: 0,
        };
        let peer = Peer::new(config, schema(), now(), identity.public_key(), None);
        let (transport, connection) = dial(ticket);
        Self { peer, transport, connection, events: Vec::new() }
    }

    /// Leaves its link, which stays up, for another one. The old end is given back.
    fn reconnect(&mut self, ticket: &Ticket) -> (Transport, ConnectionId) {
        assert!(self.peer.reconnect(now()));
        let (transport, connection) = dial(ticket);
        let old = std::mem::replace(&mut self.transport, transport);
        (old, std::mem::replace(&mut self.connection, connection))
    }

    fn flush(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            let (transport, id) = (&mut self.transport, self.connection);
            match output {
                PeerOutput::Event(event) => self.events.push(event),
                PeerOutput::Link(LinkOutput::OpenLane { lane, schema_hash }) => {
                    let _ = transport.open_lane(id, lane, schema_hash);
                }
                PeerOutput::Link(LinkOutput::Transmit { lane, packet }) => {
                    let _ = transport.send(id, lane, packet);
                }
                PeerOutput::Link(LinkOutput::FinishLane(lane)) => {
                    let _ = transport.finish(id, lane);
                }
                PeerOutput::Link(LinkOutput::Close { code, reason }) => {
                    transport.close(id, code as u16, &reason);
                }
            }
        }
    }

    /// What arrives within a few milliseconds.
    async fn turn(&mut self) {
        self.flush();
        let waiting = tokio::time::timeout(Duration::from_millis(2), self.transport.next_event());
        if let Ok(event) = waiting.await {
            let input = match &event {
                TransportEvent::Connected { binding, max_datagram_bytes, .. } => LinkInput::Opened {
                    binding: *binding,
                    max_datagram_bytes: *max_datagram_bytes,
                    is_loopback: true,
                    source: None,
                },
                TransportEvent::StreamOpened { lane, schema_hash, .. } => {
                    LinkInput::StreamOpened { lane: *lane, schema_hash: *schema_hash }
                }
                TransportEvent::Packet { lane, bytes, .. } => LinkInput::Packet { lane: *lane, bytes },
                TransportEvent::DatagramLimit { max_datagram_bytes, .. } => {
                    LinkInput::DatagramLimit(*max_datagram_bytes)
                }
                TransportEvent::Closed { code, reason, .. } => LinkInput::Closed { code: *code, reason },
                TransportEvent::Purged { .. } => return,
            };
            self.peer.handle(now(), input);
        }
        self.peer.handle_timeout(now());
        self.flush();
    }

    async fn until(&mut self, host: &mut HostSession, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for: {what}");
            host.tick().expect("ticks");
            self.turn().await;
        }
    }

    async fn until_live(&mut self, host: &mut HostSession) {
        self.until(host, "live", |client| client.peer.state() == PeerState::Live).await;
        // The first packet under a new token is on its way; the host has it when it has taken an acknowledgement.
        let tick = host.tick().expect("ticks");
        let confirmed = |client: &Self| client.peer.statistics().confirmed_tick >= tick;
        self.until(host, "a tick that both know to be equal", confirmed).await;
    }

    fn ended(&self) -> Option<DisconnectCode> {
        self.events.iter().find_map(|event| match event {
            PeerEvent::Disconnected { code, .. } => Some(*code),
            _ => None,
        })
    }
}

/// A connection that says hello with a token, and how the host ends it.
async fn ending_of_hello(identity: &Identity, ticket: &Ticket, token: &[u8]) -> Option<DisconnectCode> {
    let (mut transport, connection) = dial(ticket);
    loop {
        match transport.next_event().await {
            TransportEvent::Connected { binding, .. } => {
                transport.open_lane(connection, Lane::Control, 0).expect("opens");
                let packet = hello(identity, ticket, &binding, token);
                transport.send(connection, Lane::Control, packet).expect("leaves");
            }
            TransportEvent::Closed { code, .. } => {
                return DisconnectCode::from_number(code).ok();
            }
            // An answer to this hello: the token was taken.
            TransportEvent::Packet { .. } => return None,
            _ => {}
        }
    }
}

fn hello(identity: &Identity, ticket: &Ticket, binding: &Binding, token: &[u8]) -> Vec<u8> {
    let mut hello = client_hello(&terms(identity, ticket), &schema(), binding, [0x44; 32]);
    hello.resume_token = token.to_vec();
    let mut builder = PacketBuilder::new(MAX_PACKET_BYTES);
    builder.push(&Message::SessionHello(hello)).expect("fits");
    let (header, mut packet) = (PacketHeader { sequence: 1, ..PacketHeader::default() }, Vec::new());
    builder.seal(&header, None, &mut packet).expect("seals");
    packet
}

/// The only member, in this place and live.
fn assert_member(host: &HostSession, place: PeerId) {
    let peers = host.peers();
    assert_eq!(peers.len(), 1, "{peers:?}");
    assert_eq!((peers[0].info.peer, peers[0].state), (place, SessionState::Live));
}

#[test]
fn a_stolen_token_opens_nothing_without_the_key() {
    run(async {
        let runtime = runtime();
        let mut host = dev_host(&runtime);
        let ticket = host.ticket();
        let owner = Identity::from_seed(&[1; 32]);
        let mut client = Client::new(&owner, &ticket);
        client.until_live(&mut host).await;
        let token = client.peer.resume_token().to_vec();
        assert_eq!(token.len(), 32);

        let thief = Identity::from_seed(&[2; 32]);
        assert_eq!(ending_of_hello(&thief, &ticket, &token).await, Some(DisconnectCode::ResumeRefused));
        let mut guess = token.clone();
        guess[31] ^= 1;
        assert_eq!(ending_of_hello(&owner, &ticket, &guess).await, Some(DisconnectCode::ResumeRefused));
        // With the key and the token the host answers; it waits for a proof.
        assert_eq!(ending_of_hello(&owner, &ticket, &token).await, None);

        client.until_live(&mut host).await;
        assert_member(&host, PeerId(1));
        assert_eq!(client.ended(), None);
    });
}

#[test]
fn a_token_that_was_used_opens_nothing_and_the_connection_before_is_fenced() {
    run(async {
        let runtime = runtime();
        let mut host = dev_host(&runtime);
        let ticket = host.ticket();
        let owner = Identity::from_seed(&[1; 32]);
        let mut client = Client::new(&owner, &ticket);
        client.until_live(&mut host).await;
        let old_token = client.peer.resume_token().to_vec();

        // The client comes back on another link while the first is still up: that one ends, and the place is the same.
        let (mut before, _) = client.reconnect(&ticket);
        client.until_live(&mut host).await;
        assert_ne!(client.peer.resume_token(), old_token);
        let code = loop {
            if let TransportEvent::Closed { code, .. } = before.next_event().await {
                break code;
            }
        };
        assert_eq!(code, DisconnectCode::Replaced as u16);
        assert_member(&host, PeerId(1));

        // The token before is worth nothing any more, not even with the key.
        assert_eq!(ending_of_hello(&owner, &ticket, &old_token).await, Some(DisconnectCode::ResumeRefused));
        client.until_live(&mut host).await;
        assert_member(&host, PeerId(1));
        assert_eq!(client.ended(), None);
        let left = host_events(&mut host);
        assert!(
            !left.iter().any(|event| matches!(event, theta_sdk::runtime::EventKind::PeerLeft { .. })),
            "{left:?}"
        );
    });
}
