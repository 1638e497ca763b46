//! What links carry: each message counted by its type, and bytes within a budget, whatever either end is asked for.
//!
//! The budget is the simulated world's, not the protocol's: a few hundred entities cannot need more, so that whoever sends
//! more sends something twice, or lets the other end make it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::network::End;
use crate::session::LinkId;
use crate::types::Time;
use crate::wire::envelope;
use crate::wire::message::{Message, MessageType, SessionControl};

/// Bytes that a host may send on one link in a second.
pub const HOST_BYTES_PER_S: u64 = 6 << 20;
/// Bytes that a peer may.
pub const PEER_BYTES_PER_S: u64 = 128 << 10;

/// What both ends of all links have sent.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes by link and receiver in the second that is counted.
    seconds: BTreeMap<(LinkId, End), (u64, u64)>,
    messages: BTreeMap<(End, &'static str), u64>,
    /// The most that one link carried in a second, towards the host and towards the peer.
    most: [u64; 2],
}

impl Traffic {
    /// A packet leaves a machine.
    pub fn on_sent(&mut self, now: Time, link: LinkId, to: End, packet: &[u8]) -> Result<(), String> {
        let second = now.0 / 1_000_000;
        let (since, bytes) = self.seconds.entry((link, to)).or_default();
        if *since != second {
            (*since, *bytes) = (second, 0);
        }
        *bytes += packet.len() as u64;
        let most = &mut self.most[usize::from(to == End::Peer)];
        *most = (*most).max(*bytes);
        let budget = if to == End::Peer { HOST_BYTES_PER_S } else { PEER_BYTES_PER_S };
        if *bytes > budget {
            return Err(format!("link {} was sent {bytes} bytes in a second towards the {to:?}", link.0));
        }
        let mut scratch = Vec::new();
        let Ok(packet) = envelope::open(packet, None, &mut scratch) else {
            return Err("a packet left that nobody can open".into());
        };
        for raw in packet.messages() {
            let name = if raw.message_type == MessageType::SessionControl {
                match raw.decode() {
                    Ok(Message::SessionControl(control)) => control_name(&control),
                    _ => return Err("a control message left that nobody can read".into()),
                }
            } else {
                message_name(raw.message_type)
            };
            *self.messages.entry((to, name)).or_default() += 1;
        }
        Ok(())
    }

    /// How often each message was sent, as a report counts it.
    pub fn counts(&self) -> impl Iterator<Item = (Cow<'static, str>, u64)> {
        self.messages.iter().map(|((to, name), count)| {
            let to = if *to == End::Host { "host" } else { "peer" };
            (format!("to {to}: {name}").into(), *count)
        })
    }

    /// The most bytes that one link carried in a second: towards the host, and towards the peer.
    #[must_use]
    pub const fn most(&self) -> [u64; 2] {
        self.most
    }
}

const fn message_name(message_type: MessageType) -> &'static str {
    match message_type {
        MessageType::SessionHello => "SessionHello",
        MessageType::SessionAcknowledge => "SessionAcknowledge",
        MessageType::SessionConfirm => "SessionConfirm",
        MessageType::Heartbeat => "Heartbeat",
        MessageType::WorldSnapshot => "WorldSnapshot",
        MessageType::ComponentDelta => "ComponentDelta",
        MessageType::StateAck => "StateAck",
        MessageType::StateHashReport => "StateHashReport",
        MessageType::InputPredictiveState => "InputPredictiveState",
        MessageType::NackRequest => "NackRequest",
        // What is on the wire and not in use.
        _ => "other",
    }
}

const fn control_name(control: &SessionControl) -> &'static str {
    match control {
        SessionControl::Admitted(_) => "SessionControl Admitted",
        SessionControl::Denied(_) => "SessionControl Denied",
        SessionControl::Loaded => "SessionControl Loaded",
        SessionControl::Leave(_) => "SessionControl Leave",
        SessionControl::Kick(_) => "SessionControl Kick",
        SessionControl::Refusal(_) => "SessionControl Refusal",
        SessionControl::PeerJoined(_) => "SessionControl PeerJoined",
        SessionControl::PeerLeft { .. } => "SessionControl PeerLeft",
        SessionControl::Away { .. } => "SessionControl Away",
        SessionControl::Back { .. } => "SessionControl Back",
        SessionControl::EpochChange { .. } => "SessionControl EpochChange",
        SessionControl::RequestHashDetails(_) => "SessionControl RequestHashDetails",
        SessionControl::ArchetypeDefinitions(_) => "SessionControl ArchetypeDefinitions",
        SessionControl::Close(_) => "SessionControl Close",
        SessionControl::ResumeToken(_) => "SessionControl ResumeToken",
        SessionControl::Manifest(_) => "SessionControl Manifest",
        // What is on the wire and not in use.
        _ => "SessionControl other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::envelope::PacketHeader;
    use crate::wire::limits::MAX_PACKET_BYTES;
    use crate::wire::packet::PacketBuilder;

    fn beat() -> Vec<u8> {
        let mut packet = PacketBuilder::new(MAX_PACKET_BYTES);
        let (header, mut bytes) = (PacketHeader { sequence: 1, ..PacketHeader::default() }, Vec::new());
        packet.push(&Message::Heartbeat(crate::wire::message::Heartbeat::default())).expect("it fits");
        packet.seal(&header, None, &mut bytes).expect("it fits");
        bytes
    }

    #[test]
    fn a_second_has_its_budget_and_links_do_not_share() {
        let (mut traffic, packet) = (Traffic::default(), beat());
        let whole = PEER_BYTES_PER_S / packet.len() as u64;
        for _ in 0..whole {
            assert_eq!(traffic.on_sent(Time(1_500_000), LinkId(1), End::Host, &packet), Ok(()));
        }
        assert_eq!(traffic.on_sent(Time(1_500_000), LinkId(2), End::Host, &packet), Ok(()));
        assert_eq!(traffic.on_sent(Time(1_500_000), LinkId(1), End::Peer, &packet), Ok(()));
        assert_eq!(traffic.on_sent(Time(2_000_000), LinkId(1), End::Host, &packet), Ok(()), "another second");
        for _ in 1..whole {
            assert_eq!(traffic.on_sent(Time(2_900_000), LinkId(1), End::Host, &packet), Ok(()));
        }
        assert!(traffic.on_sent(Time(2_999_999), LinkId(1), End::Host, &packet).is_err());
        let counts: Vec<_> = traffic.counts().collect();
        assert_eq!(counts, [("to host: Heartbeat".into(), 2 * whole + 1), ("to peer: Heartbeat".into(), 1)]);
        assert_eq!(traffic.most()[1], packet.len() as u64);
    }

    #[test]
    fn what_nobody_can_open_must_not_leave() {
        assert!(Traffic::default().on_sent(Time(0), LinkId(1), End::Peer, &[0; 40]).is_err());
    }
}
