//! One link's packets: sequence numbers, sealing and opening, replay protection, lanes, and the queue of what is to be
//! sent. Both machines have one for each link, and nothing else touches an envelope.
//!
//! On a reliable lane every fault ends the link, for such a lane must not have holes. On a datagram lane a bad packet
//! is counted by reason and dropped: anybody can send a datagram. Flags that nobody agreed on are such a fault: what
//! is said to be encrypted for members must not be read as plain.

use std::collections::{BTreeMap, VecDeque};

use super::closing::Closing;
use super::io::LinkOutput;
use super::lanes::{IncomingLanes, Place};
use crate::mutants::{Mutant, Mutants};
use crate::types::Lane;
use crate::wire::WireError;
use crate::wire::codes::DisconnectCode;
use crate::wire::envelope::{
    self, Compressor, ENVELOPE_BYTES, MESSAGE_HEADER_BYTES, PacketHeader, VerifiedPacket,
};
use crate::wire::limits::{MAX_DATAGRAM_BYTES, MAX_PACKET_BYTES};
use crate::wire::message::{LaneCount, Message};
use crate::wire::packet::PacketBuilder;

/// A boxed compressor that may move between threads.
pub type SharedCompressor = Box<dyn Compressor + Send>;

/// What has crossed a link, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounters {
    /// Packets sealed and queued.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets that passed every check.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Datagrams dropped because they are not valid packets.
    pub dropped_malformed: u64,
    /// Datagrams dropped because they were seen before or are too old to tell.
    pub dropped_replayed: u64,
    /// Datagrams dropped because they belong to another epoch or schema.
    pub dropped_foreign: u64,
}

/// A packet of one lane and direction, whatever the epoch: numbers rise through all epochs of a session.
#[must_use]
pub fn packet_number(epoch: u16, sequence: u32) -> u64 {
    u64::from(epoch) << 32 | u64::from(sequence)
}

/// See the module.
pub struct Courier {
    epoch_out: u16,
    /// The agreed epoch, until the first packet of it has come in.
    epoch_awaited: Option<u16>,
    schema_hash: u64,
    agreed: bool,
    compressor: Option<SharedCompressor>,
    compression_agreed: bool,
    max_datagram_bytes: usize,
    outgoing: BTreeMap<Lane, u32>,
    /// The last sequences of the epoch before, which the other end may still acknowledge.
    outgoing_before: BTreeMap<Lane, u32>,
    incoming: IncomingLanes,
    outputs: VecDeque<LinkOutput>,
    packet: PacketBuilder,
    counters: PacketCounters,
    closed: bool,
    mutants: Mutants,
}

impl core::fmt::Debug for Courier {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Courier")
            .field("epoch_out", &self.epoch_out)
            .field("epoch_in", &self.incoming.epoch())
            .field("outputs", &self.outputs.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Courier {
    /// A link in its handshake: epoch 0, no schema, no compression.
    #[must_use]
    pub fn new(compressor: Option<SharedCompressor>) -> Self {
        Self {
            epoch_out: 0,
            epoch_awaited: None,
            schema_hash: 0,
            agreed: false,
            compressor,
            compression_agreed: false,
            max_datagram_bytes: MAX_DATAGRAM_BYTES,
            outgoing: BTreeMap::new(),
            outgoing_before: BTreeMap::new(),
            incoming: IncomingLanes::default(),
            outputs: VecDeque::new(),
            packet: PacketBuilder::new(MAX_PACKET_BYTES),
            counters: PacketCounters::default(),
            closed: false,
            mutants: Mutants::NONE,
        }
    }

    /// The hash of the compressor's dictionary; zero without one.
    #[must_use]
    pub fn dictionary_hash(&self) -> u64 {
        self.compressor.as_ref().map_or(0, |compressor| compressor.dictionary_hash())
    }

    /// The compressor, for the next link; this one goes on without.
    pub fn take_compressor(&mut self) -> Option<SharedCompressor> {
        self.compressor.take()
    }

    /// What the path takes now.
    pub fn set_max_datagram_bytes(&mut self, bytes: usize) {
        if self.mutants.active(Mutant::IgnoreDatagramLimit) {
            return;
        }
        self.max_datagram_bytes = bytes.min(MAX_DATAGRAM_BYTES);
    }

    /// Room for message bodies in one datagram.
    #[must_use]
    pub const fn datagram_room(&self) -> usize {
        self.max_datagram_bytes.saturating_sub(ENVELOPE_BYTES + MESSAGE_HEADER_BYTES)
    }

    /// Packets that go out from now on belong to the agreed session; sequences begin again.
    pub fn agree_outgoing(&mut self, epoch: u16, schema_hash: u64, compress: bool) {
        self.epoch_out = epoch;
        self.schema_hash = schema_hash;
        self.compression_agreed = compress;
        self.agreed = true;
        self.outgoing.clear();
    }

    /// Packets that come in from now on must belong to the agreed session, whose epochs we change.
    pub fn agree_incoming(&mut self, epoch: u16, schema_hash: u64) {
        self.schema_hash = schema_hash;
        self.incoming.agree(epoch, false);
    }

    /// True when a lane of either direction has come so far that the epoch should change, and the other end has gone
    /// over to the one before.
    #[must_use]
    pub fn is_epoch_spent(&self, sequences: u32) -> bool {
        let sent = self.outgoing.values().copied().max().unwrap_or(0);
        self.agreed
            && self.incoming.has_gone_over()
            && sent.max(self.incoming.highest_sequence()) >= sequences
    }

    /// What goes out from now on carries this epoch, with sequences from 1. What comes in may, too.
    pub fn begin_epoch(&mut self, epoch: u16) {
        self.epoch_out = epoch;
        self.outgoing_before = core::mem::take(&mut self.outgoing);
        self.incoming.expect(epoch);
    }

    /// The other end announced the next epoch on control.
    ///
    /// # Errors
    /// When it is not the next one.
    pub fn epoch_announced(&mut self, epoch: u16) -> Result<(), Closing> {
        self.incoming.announced(epoch)
    }

    /// The epoch of what goes out.
    #[must_use]
    pub const fn epoch_out(&self) -> u16 {
        self.epoch_out
    }

    /// The newest sequence that was sent on a lane in that epoch, while it is remembered.
    #[must_use]
    pub fn newest_sent_in(&self, epoch: u16, lane: Lane) -> Option<u32> {
        let sent = if epoch == self.epoch_out {
            &self.outgoing
        } else if epoch.checked_add(1) == Some(self.epoch_out) {
            &self.outgoing_before
        } else {
            return None;
        };
        Some(sent.get(&lane).copied().unwrap_or(0))
    }

    /// Plants a bug, where the build has any.
    pub fn set_mutants(&mut self, mutants: Mutants) {
        self.mutants = mutants;
        self.incoming.mutants = mutants;
    }

    /// The other end goes over to the agreed session when it has seen our last word of the handshake. Until its first
    /// packet of that epoch it may still end the handshake in the old one.
    pub fn await_incoming(&mut self, epoch: u16, schema_hash: u64) {
        self.epoch_awaited = Some(epoch);
        self.schema_hash = schema_hash;
    }

    /// The newest epoch of incoming packets; zero while the handshake lasts.
    #[must_use]
    pub const fn epoch_in(&self) -> u16 {
        self.incoming.epoch()
    }

    /// Opens our direction of a reliable lane.
    pub fn open_lane(&mut self, lane: Lane) {
        self.outputs.push_back(LinkOutput::OpenLane { lane, schema_hash: self.schema_hash });
    }

    /// The preface of the other end's direction: on any lane but control it must name the agreed schema.
    pub fn check_preface(&self, lane: Lane, schema_hash: u64) -> Result<(), Closing> {
        if lane != Lane::Control && (!self.agreed || schema_hash != self.schema_hash) {
            return Err(Closing::because(
                DisconnectCode::SchemaMismatch,
                "a stream was opened with another schema hash",
            ));
        }
        Ok(())
    }

    /// Nothing more goes out on this lane.
    pub fn finish_lane(&mut self, lane: Lane) {
        self.outputs.push_back(LinkOutput::FinishLane(lane));
    }

    /// Seals messages into one packet and queues it. The packet's sequence comes back.
    ///
    /// # Errors
    /// When a message breaks its own limits, the packet does not fit the lane, or the lane has no sequence left: why the
    /// link must end. Nothing is queued then.
    pub fn send(&mut self, lane: Lane, messages: &[Message<'_>]) -> Result<u32, Closing> {
        let Some(sequence) = self.newest_sent(lane).checked_add(1) else {
            return Err(Closing::new(DisconnectCode::SequenceExhausted));
        };
        self.seal(lane, sequence, messages)
            .map_err(|error| Closing::because(DisconnectCode::InternalFault, error))?;
        Ok(sequence)
    }

    fn seal(&mut self, lane: Lane, sequence: u32, messages: &[Message<'_>]) -> Result<(), WireError> {
        let limit = if lane.is_reliable() { MAX_PACKET_BYTES } else { self.max_datagram_bytes };
        self.packet.restart(limit, false);
        for message in messages {
            self.packet.push(message)?;
        }
        let header = PacketHeader {
            sequence,
            epoch: self.epoch_out,
            schema: if self.agreed { self.schema_hash as u16 } else { 0 },
            ..PacketHeader::default()
        };
        let compressor = match &mut self.compressor {
            Some(compressor) if self.compression_agreed && lane.is_reliable() => {
                Some(&mut **compressor as &mut dyn Compressor)
            }
            _ => None,
        };
        let mut packet = Vec::new();
        self.packet.seal(&header, compressor, &mut packet)?;
        self.outgoing.insert(lane, sequence);
        self.counters.sent += 1;
        self.counters.sent_bytes += packet.len() as u64;
        if !self.closed {
            self.outputs.push_back(LinkOutput::Transmit { lane, packet });
        }
        Ok(())
    }

    /// The newest sequence sent on a lane in this epoch; zero before the first.
    #[must_use]
    pub fn newest_sent(&self, lane: Lane) -> u32 {
        self.outgoing.get(&lane).copied().unwrap_or(0)
    }

    /// Checks a packet. `Ok(None)` means dropped and counted, which only happens on datagram lanes.
    pub fn receive<'a>(
        &mut self,
        lane: Lane,
        bytes: &'a [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Option<VerifiedPacket<'a>>, Closing> {
        let compressor = match &mut self.compressor {
            Some(compressor) if self.compression_agreed => Some(&mut **compressor as &mut dyn Compressor),
            _ => None,
        };
        let opened = envelope::open_as(bytes, compressor, scratch, self.mutants).and_then(|packet| {
            // Neither is among the capabilities of this build, so neither can have been granted.
            let unagreed = packet.header().end_to_end || packet.header().trace.is_some();
            if unagreed { Err(WireError::BadFlags(bytes[3])) } else { Ok(packet) }
        });
        let packet = match opened {
            Ok(packet) => packet,
            Err(error) if lane.is_reliable() => return Err(Closing::from_packet(&error)),
            Err(_) => {
                self.counters.dropped_malformed += 1;
                return Ok(None);
            }
        };
        let header = *packet.header();
        if self.epoch_awaited == Some(header.epoch) && header.schema == self.schema_hash as u16 {
            self.epoch_awaited = None;
            self.incoming.agree(header.epoch, true);
        }
        let schema = if self.incoming.epoch() == 0 { 0 } else { self.schema_hash as u16 };
        let place = if header.schema == schema {
            self.incoming.accept(lane, header.epoch, header.sequence)?
        } else if lane.is_reliable() {
            return Err(Closing::new(DisconnectCode::EpochFenced));
        } else {
            Place::Foreign
        };
        match place {
            Place::New => {}
            Place::Replayed => {
                self.counters.dropped_replayed += 1;
                return Ok(None);
            }
            Place::Foreign => {
                self.counters.dropped_foreign += 1;
                return Ok(None);
            }
        }
        self.counters.received += 1;
        self.counters.received_bytes += bytes.len() as u64;
        Ok(Some(packet))
    }

    /// Packets received by lane, for heartbeats.
    #[must_use]
    pub fn lane_counts(&self) -> Vec<LaneCount> {
        self.incoming.counts()
    }

    /// Ends the link: what is queued still goes, nothing after it.
    pub fn close(&mut self, closing: &Closing) {
        if !self.closed {
            self.closed = true;
            self.outputs.push_back(LinkOutput::Close { code: closing.code, reason: closing.reason.clone() });
        }
    }

    /// The transport is gone: nothing queued can leave any more.
    pub fn transport_closed(&mut self) {
        self.closed = true;
        self.outputs.clear();
    }

    /// True once closed by either side.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next thing for the driver to do on this link.
    pub fn poll(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    /// What has crossed the link.
    #[must_use]
    pub const fn counters(&self) -> &PacketCounters {
        &self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::MAX_BULK_LANES;
    use super::*;
    use crate::wire::envelope::TraceContext;
    use crate::wire::message::{Heartbeat, SessionControl};

    fn agreed() -> Courier {
        let mut courier = Courier::new(None);
        courier.agree_outgoing(3, 0x1_beef, false);
        courier.agree_incoming(3, 0x1_beef);
        courier
    }

    fn packet(sequence: u32, header: PacketHeader) -> Vec<u8> {
        let mut packet = Vec::new();
        let header = PacketHeader { sequence, epoch: 3, schema: 0xbeef, ..header };
        envelope::seal(&header, &[], None, &mut packet).unwrap();
        packet
    }

    #[test]
    fn a_lane_that_has_no_sequence_left_ends_the_link() {
        let mut courier = agreed();
        courier.outgoing.insert(Lane::State, u32::MAX - 1);
        let beat = [Message::Heartbeat(Heartbeat::default())];
        assert_eq!(courier.send(Lane::State, &beat), Ok(u32::MAX));
        let spent = courier.send(Lane::State, &beat).unwrap_err();
        assert_eq!(spent.code, DisconnectCode::SequenceExhausted);
        assert_eq!(courier.send(Lane::Control, &beat), Ok(1), "other lanes have theirs");
    }

    #[test]
    fn a_new_epoch_begins_every_lane_again() {
        let mut courier = agreed();
        let mut scratch = Vec::new();
        let beat = [Message::Heartbeat(Heartbeat::default())];
        for _ in 0..10 {
            courier.send(Lane::State, &beat).unwrap();
        }
        assert!(!courier.is_epoch_spent(10), "the other end has said nothing in this epoch");
        assert!(courier.receive(Lane::Control, &packet(1, PacketHeader::default()), &mut scratch).is_ok());
        assert!(courier.is_epoch_spent(10) && !courier.is_epoch_spent(11));
        courier.begin_epoch(4);
        assert!(!courier.is_epoch_spent(0), "one change at a time");
        assert_eq!(courier.send(Lane::State, &beat), Ok(1));
        assert_eq!(courier.newest_sent_in(4, Lane::State), Some(1));
        assert_eq!(courier.newest_sent_in(3, Lane::State), Some(10));
        assert_eq!(courier.newest_sent_in(2, Lane::State), None);
        assert!(packet_number(4, 1) > packet_number(3, 10));
    }

    #[test]
    fn what_cannot_be_sealed_is_not_queued() {
        let mut courier = agreed();
        courier.set_max_datagram_bytes(20);
        let loaded = [Message::SessionControl(SessionControl::Loaded)];
        assert_eq!(courier.send(Lane::State, &loaded).unwrap_err().code, DisconnectCode::InternalFault);
        assert_eq!((courier.poll(), courier.newest_sent(Lane::State)), (None, 0));
    }

    #[test]
    fn flags_that_nobody_agreed_on_are_refused() {
        let (mut courier, mut scratch) = (agreed(), Vec::new());
        let secret = packet(1, PacketHeader { end_to_end: true, ..PacketHeader::default() });
        let traced =
            packet(1, PacketHeader { trace: Some(TraceContext::default()), ..PacketHeader::default() });
        for flagged in [&secret, &traced] {
            assert!(matches!(courier.receive(Lane::Input, flagged, &mut scratch), Ok(None)));
            let closing = courier.receive(Lane::Control, flagged, &mut scratch).map(|_| ()).unwrap_err();
            assert_eq!(closing.code, DisconnectCode::BadEnvelope);
        }
        assert_eq!((courier.counters().dropped_malformed, courier.counters().received), (2, 0));
    }

    #[test]
    fn bulk_lanes_are_remembered_up_to_a_limit() {
        let (mut courier, mut scratch) = (agreed(), Vec::new());
        let first = packet(1, PacketHeader::default());
        for ordinal in 0..MAX_BULK_LANES as u16 {
            assert!(courier.receive(Lane::Bulk(ordinal), &first, &mut scratch).is_ok(), "{ordinal}");
        }
        let closing = courier.receive(Lane::Bulk(9999), &first, &mut scratch).map(|_| ()).unwrap_err();
        assert_eq!(closing.code, DisconnectCode::LimitExceeded);
        assert!(courier.receive(Lane::State, &first, &mut scratch).is_ok(), "other lanes have their place");
    }
}
