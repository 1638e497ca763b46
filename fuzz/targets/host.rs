//! A live host, and up to three guests that do what the bytes say.
//!
//! The bytes are a program: a step's number, its arguments, the next step. Guests knock, prove themselves, send packets
//! right or wrong in their headers with whatever inside, open streams, and go; time passes and ticks are sealed between.
//! Afterwards a member who was there from the start has every tick, and somebody honest gets in.

use std::collections::BTreeMap;

use theta_core::session::HostConfig;
use theta_core::session::{HostEvent, LinkId, LinkInput, PeerState};
use theta_core::types::Lane;
use theta_core::wire::message::{BindingKind, Message, Role};

use super::allocation::measure;
use super::bytes::Bytes;
use super::intruder::Intruder;
use super::packets::{lane, packet};
use super::venue::{Arrival, Venue, binding, host_config, person, schema};

/// Steps, by number.
pub mod step {
    pub const KNOCK: u8 = 0;
    pub const MEMBER: u8 = 1;
    pub const HELLO: u8 = 2;
    pub const CONFIRM: u8 = 3;
    pub const PACKET: u8 = 4;
    pub const RAW: u8 = 5;
    pub const STREAM: u8 = 6;
    pub const TIME: u8 = 7;
    pub const TICKS: u8 = 8;
    pub const DATAGRAM_LIMIT: u8 = 9;
    pub const CLOSED: u8 = 10;
    pub const REBIND: u8 = 11;
    pub const COUNT: u8 = 12;
}

const MAX_STEPS: usize = 48;
const MAX_GUESTS: usize = 3;
/// What one packet may make the host ask for, whatever it answers: a message's share, and what docs/protocol.md states.
const DELIVERY_BYTES: usize = 4 << 20;

struct Scene {
    venue: Venue,
    guests: Vec<Intruder>,
    /// What had been said on a link when it was seen to be closed.
    said: BTreeMap<LinkId, usize>,
}

/// See the module.
pub fn host(data: &[u8]) {
    let mut input = Bytes(data);
    let flags = input.u8();
    let mut venue = Venue::with(HostConfig { max_peers: 8, ..host_config() });
    let bystander = (flags & 1 == 1).then(|| venue.welcome(3, Role::Editor));
    let mut scene = Scene { venue, guests: Vec::new(), said: BTreeMap::new() };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        scene.step(&mut input);
        scene.check();
    }
    scene.serves(bystander);
}

impl Scene {
    fn step(&mut self, input: &mut Bytes<'_>) {
        let number = input.u8() % step::COUNT;
        match number {
            step::KNOCK | step::MEMBER => {
                let argument = input.u8();
                if self.guests.len() == MAX_GUESTS {
                    return;
                }
                let role =
                    [Role::Viewer, Role::Commenter, Role::Editor, Role::Admin][usize::from(argument % 4)];
                // Some come as somebody who is there already.
                let seed = if argument & 4 == 0 { 10 + self.guests.len() as u8 } else { 10 };
                let identity = person(seed);
                self.guests.push(if number == step::KNOCK {
                    Intruder::knock(&mut self.venue, &identity, role)
                } else {
                    Intruder::inside(&mut self.venue, &identity, role)
                });
                return;
            }
            step::TIME => return self.venue.pass_ms(u64::from(input.u8()) * 2),
            step::TICKS => return self.venue.play(u32::from(input.u8() % 4)),
            _ => {}
        }
        let who = usize::from(input.u8());
        let count = self.guests.len();
        if count == 0 {
            return;
        }
        let (venue, guest) = (&mut self.venue, &mut self.guests[who % count]);
        let now = venue.now;
        match number {
            step::HELLO => {
                let hello = guest.hello();
                guest.greet(venue, hello);
            }
            step::CONFIRM => {
                let hello = guest.hello();
                if let Some(acknowledge) = guest.greet(venue, hello) {
                    let confirm = guest.confirmation(&acknowledge);
                    guest.say(venue, Lane::Control, &Message::SessionConfirm(confirm));
                }
            }
            step::PACKET => {
                let lane = lane(input.u8());
                let right = guest.next_header(lane);
                if let Some(bytes) = packet(right, input) {
                    deliver(venue, guest.link, lane, &bytes);
                }
            }
            step::RAW => {
                let lane = lane(input.u8());
                deliver(venue, guest.link, lane, input.part());
            }
            step::STREAM => {
                let lane = lane(input.u8());
                let schema_hash = [schema().hash(), 0, 1][usize::from(input.u8() % 3)];
                venue.host.handle(now, guest.link, LinkInput::StreamOpened { lane, schema_hash });
            }
            step::DATAGRAM_LIMIT => {
                venue.host.handle(now, guest.link, LinkInput::DatagramLimit(input.u16().into()));
            }
            step::CLOSED => {
                let closed = LinkInput::Closed { code: input.u16(), reason: "gone" };
                venue.host.handle(now, guest.link, closed);
            }
            _ => {
                let binding = binding(BindingKind::TlsExporter, input.u8());
                let opened =
                    LinkInput::Opened { binding, max_datagram_bytes: 1150, is_loopback: true, source: None };
                venue.host.handle(now, guest.link, opened);
            }
        }
        self.venue.pump();
    }

    /// A link that the host has closed stays silent.
    fn check(&mut self) {
        for guest in &self.guests {
            let Some(code) = self.venue.closed.get(&guest.link) else { continue };
            let said = self.venue.said[&guest.link].len();
            let before = *self.said.entry(guest.link).or_insert(said);
            assert_eq!(said, before, "the host speaks on a link that it closed with {code:?}");
        }
    }

    /// Who was there has the newest tick as it is; who comes now gets in and has it too.
    fn serves(&mut self, bystander: Option<usize>) {
        let newcomer = self.venue.arrive(Arrival::honest(&person(0xee), Role::Editor));
        self.venue.play(4);
        let fold = self.venue.fold();
        for guest in bystander.into_iter().chain([newcomer]) {
            let guest = &self.venue.guests[guest];
            assert_eq!(guest.peer.state(), PeerState::Live, "{:?}", guest.ending());
            assert_eq!(guest.peer.replica().fold(self.venue.tick), Some(fold));
        }
        let key = person(0xee).public_key();
        let joined =
            |event: &&HostEvent| matches!(event, HostEvent::PeerJoined(info) if info.identity_key == key);
        assert_eq!(self.venue.events.iter().filter(joined).count(), 1);
    }
}

fn deliver(venue: &mut Venue, link: LinkId, lane: Lane, bytes: &[u8]) {
    let ((), asked) = measure(|| venue.deliver(link, lane, bytes));
    assert!(asked <= DELIVERY_BYTES, "{asked} bytes asked for by a packet of {}", bytes.len());
}
