//! A client made by hand: it speaks the handshake as the page says, keeps its own sequences, and says whatever a test
//! wants it to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use theta_core::mutants::Mutants;
use theta_core::session::handshake::{admission_of, check_acknowledge, client_hello};
use theta_core::session::keys::Identity;
use theta_core::session::keys::{client_statement, transcript};
use theta_core::session::ticket::Ticket;
use theta_core::session::{Binding, LinkId};
use theta_core::types::{Lane, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope::PacketHeader;
use theta_core::wire::message::{
    BindingKind, Message, MessageType, Role, SessionAcknowledge, SessionConfirm, SessionControl,
    SessionHello, StateAck,
};

use super::venue::{Venue, binding, client_terms, first_in, member, packet, packet_of, schema, ticket_of};

pub struct Intruder {
    pub identity: Identity,
    pub ticket: Ticket,
    pub link: LinkId,
    pub bound: Binding,
    pub header: PacketHeader,
    hello: Vec<u8>,
    sequences: BTreeMap<Lane, u32>,
}

impl Intruder {
    /// Opens a link on a transport of its own.
    pub fn knock(venue: &mut Venue, identity: &Identity, role: Role) -> Self {
        let bound = binding(BindingKind::Memory, identity.public_key()[1]);
        let link = venue.link(bound, false);
        Self {
            identity: identity.clone(),
            ticket: ticket_of(&member(identity, role)),
            link,
            bound,
            header: PacketHeader::default(),
            hello: Vec::new(),
            sequences: BTreeMap::new(),
        }
    }

    /// One that is in and has the world, as far as the host knows.
    pub fn inside(venue: &mut Venue, identity: &Identity, role: Role) -> Self {
        let mut intruder = Self::knock(venue, identity, role);
        intruder.prove(venue);
        intruder.say(venue, Lane::Control, &Message::SessionControl(SessionControl::Loaded));
        assert_eq!(intruder.ending(venue), None);
        intruder
    }

    /// A hello that is right in everything.
    pub fn hello(&self) -> SessionHello {
        let terms = client_terms(&self.identity, self.ticket.clone());
        client_hello(&terms, &schema(), &self.bound, [0x33; 32])
    }

    /// Says hello with these words and gives the answer, if there is one.
    pub fn greet(&mut self, venue: &mut Venue, hello: SessionHello) -> Option<SessionAcknowledge> {
        self.hello = Message::SessionHello(hello.clone()).encode().expect("within limits");
        self.say(venue, Lane::Control, &Message::SessionHello(hello));
        first_in(&venue.said[&self.link], |_, message| match message {
            Message::SessionAcknowledge(acknowledge) => Some(acknowledge),
            _ => None,
        })
    }

    /// The confirmation that belongs to this acknowledgement, made by somebody who checks nothing.
    pub fn confirmation(&self, acknowledge: &SessionAcknowledge) -> SessionConfirm {
        let transcript = transcript(&self.hello, &acknowledge.core, &self.bound);
        let signature = self.identity.sign(&client_statement(&transcript, &acknowledge.signature));
        let admission = admission_of(&client_terms(&self.identity, self.ticket.clone()), &transcript);
        SessionConfirm { signature, admission }
    }

    /// The whole handshake; the host has let it in.
    pub fn prove(&mut self, venue: &mut Venue) {
        let acknowledge = self.greet(venue, self.hello()).expect("an answer");
        let terms = client_terms(&self.identity, self.ticket.clone());
        let (agreement, confirm) =
            check_acknowledge(&terms, &self.hello, &acknowledge, &self.bound, false, Mutants::NONE)
                .expect("a host that proves itself");
        self.say(venue, Lane::Control, &Message::SessionConfirm(confirm));
        self.agree(agreement.epoch);
        assert!(venue.host.peer_of(self.link).is_some(), "{:?}", self.ending(venue));
    }

    /// Packets from now on are those of an admitted peer.
    pub fn agree(&mut self, epoch: u16) {
        self.header = PacketHeader { epoch, schema: schema().hash() as u16, ..PacketHeader::default() };
        self.sequences.clear();
    }

    /// The header of the next packet on a lane.
    pub fn next_header(&mut self, lane: Lane) -> PacketHeader {
        let sequence = self.sequences.entry(lane).or_insert(0);
        *sequence += 1;
        PacketHeader { sequence: *sequence, ..self.header }
    }

    pub fn say(&mut self, venue: &mut Venue, lane: Lane, message: &Message<'_>) {
        self.say_all(venue, lane, core::slice::from_ref(message));
    }

    pub fn say_all(&mut self, venue: &mut Venue, lane: Lane, messages: &[Message<'_>]) {
        let bytes = packet(self.next_header(lane), messages);
        venue.deliver(self.link, lane, &bytes);
    }

    /// A message whose body is whatever it is.
    pub fn say_bytes(&mut self, venue: &mut Venue, lane: Lane, message_type: MessageType, body: &[u8]) {
        let bytes = packet_of(self.next_header(lane), message_type, body);
        venue.deliver(self.link, lane, &bytes);
    }

    /// Says that it holds the newest snapshot it was sent, join or repair.
    pub fn take_snapshots(&mut self, venue: &mut Venue) {
        let mut newest = 0;
        first_in::<()>(&venue.said[&self.link], |_, message| {
            if let Message::WorldSnapshot(snapshot) = message {
                newest = snapshot.snapshot_id;
            }
            None
        });
        let ack = StateAck {
            newest_sequence: 0,
            complete_tick: Tick::ZERO,
            snapshot_id: newest,
            mask: Cow::Borrowed(&[]),
        };
        self.say(venue, Lane::State, &Message::StateAck(ack));
    }

    /// How the host ended the link.
    pub fn ending(&self, venue: &Venue) -> Option<DisconnectCode> {
        venue.closed.get(&self.link).map(|(code, _)| *code)
    }

    /// Signed refusals that came back.
    pub fn refusals(&self, venue: &Venue) -> Vec<theta_core::wire::message::Refusal> {
        let mut found = Vec::new();
        first_in::<()>(&venue.said[&self.link], |_, message| {
            if let Message::SessionControl(SessionControl::Refusal(refusal)) = message {
                found.push(refusal);
            }
            None
        });
        found
    }
}
