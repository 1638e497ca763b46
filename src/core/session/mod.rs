//! Sessions: who may join, what both sides agreed on, and the two machines that keep a world the same on both.
//!
//! [`Host`] and [`Peer`] are state machines without I/O: time and packets go in, packets and events come out. They
//! never read a clock, draw their own randomness, or touch a socket; whoever drives them (the I/O thread, the
//! simulator, a test) is forty lines long. This room imports replication, world, schema and wire; nothing in the core
//! imports it but the simulator.
//!
//! | file | concern |
//! |---|---|
//! | [`io`] | everything that goes in and comes out |
//! | [`host`], [`peer`] | the two machines |
//! | [`handshake`] | hello, acknowledgement, confirmation, as functions of bytes |
//! | [`keys`], [`ticket`] | what is signed, by whom, for what |
//! | [`admission`] | invites and bans |
//! | [`genesis`] | what a document is, signed by its founder |
//! | [`role`] | who may send what |
//! | `rate` | and how much |
//! | [`courier`], `lanes` | one link's packets: sequences, sealing, replay protection, epochs |
//! | [`heart`], [`clock`] | heartbeats; two clocks made one |
//! | [`input`] | one tick's input, packed |
//! | [`closing`] | why a link ends |

pub mod admission;
pub mod clock;
pub mod closing;
pub mod courier;
pub mod genesis;
pub mod handshake;
pub mod heart;
pub mod host;
pub mod input;
pub mod io;
pub mod keys;
mod lanes;
pub mod peer;
pub(crate) mod rate;
pub mod role;
pub mod ticket;

pub use host::{Host, HostConfig, LinkStatistics};
pub use io::{
    Binding, Divergence, HostCommand, HostEvent, HostOutput, LinkId, LinkInput, LinkOutput, PeerEvent,
    PeerInfo, PeerOutput, PeerState, SourceId,
};
pub use peer::{Peer, PeerConfig, PeerStatistics};

use crate::wire::codes::DisconnectCode;
use crate::wire::message::WireEnum;
use closing::Closing;

/// What a transport's end means: the other side's code where it gave one of ours.
pub(crate) fn closing_of_transport(code: u16, reason: &str) -> Closing {
    match DisconnectCode::from_number(code) {
        Ok(code) => Closing { code, reason: reason.to_owned() },
        Err(_) => Closing::because(DisconnectCode::LinkLost, reason),
    }
}
