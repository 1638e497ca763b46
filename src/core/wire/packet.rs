//! Collecting messages into one packet, so that fixed costs are paid once.
//!
//! The builder knows how much room is left before anything is written, so that a sender splits work instead of
//! truncating it. Keep one: its buffers are reused, and after warm-up nothing here allocates.

use super::envelope::{self, Compressor, MESSAGE_HEADER_BYTES, PacketHeader};
use super::message::{Message, MessageEncoder, MessageType};
use super::{WireError, limits};

/// A packet in the making.
#[derive(Debug)]
pub struct PacketBuilder {
    encoder: MessageEncoder,
    body: Vec<u8>,
    messages: usize,
    max_bytes: usize,
    overhead: usize,
}

impl PacketBuilder {
    /// A builder for packets of at most `max_bytes`, envelope included, without trace extension.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            encoder: MessageEncoder::new(),
            body: Vec::new(),
            messages: 0,
            max_bytes: max_bytes.min(limits::MAX_PACKET_BYTES),
            overhead: envelope::ENVELOPE_BYTES,
        }
    }

    /// Begins anew with another size; `traced` reserves the trace extension.
    pub fn restart(&mut self, max_bytes: usize, traced: bool) {
        self.max_bytes = max_bytes.min(limits::MAX_PACKET_BYTES);
        self.overhead = envelope::ENVELOPE_BYTES + if traced { envelope::TRACE_BYTES } else { 0 };
        self.body.clear();
        self.messages = 0;
    }

    /// Bytes a message body may still have; `None` when not even an empty one fits.
    pub fn room(&self) -> Option<usize> {
        if self.messages == limits::MAX_MESSAGES_PER_PACKET {
            return None;
        }
        self.max_bytes.checked_sub(self.overhead + self.body.len() + MESSAGE_HEADER_BYTES)
    }

    /// True before the first message.
    pub const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Bytes of the packet as it stands, uncompressed, envelope included.
    pub const fn packet_bytes(&self) -> usize {
        self.overhead + self.body.len()
    }

    /// Adds a message.
    ///
    /// # Errors
    /// [`WireError::NoRoom`] when it does not fit: seal, then add it to the next packet. Otherwise the message passes
    /// a limit. The packet is unchanged then.
    pub fn push(&mut self, message: &Message<'_>) -> Result<(), WireError> {
        let room = self.room();
        let body = self.encoder.encode(message)?;
        Self::append(&mut self.body, room, message.message_type(), body)?;
        self.messages += 1;
        Ok(())
    }

    /// Adds a message whose body is encoded already (a chunk shared by many peers).
    pub fn push_encoded(&mut self, message_type: MessageType, body: &[u8]) -> Result<(), WireError> {
        let room = self.room();
        Self::append(&mut self.body, room, message_type, body)?;
        self.messages += 1;
        Ok(())
    }

    fn append(
        packet: &mut Vec<u8>,
        room: Option<usize>,
        message_type: MessageType,
        body: &[u8],
    ) -> Result<(), WireError> {
        if room.is_none_or(|room| body.len() > room) {
            return Err(WireError::NoRoom { needed: body.len(), room: room.unwrap_or(0) });
        }
        packet.push(message_type as u8);
        packet.extend_from_slice(&(body.len() as u16).to_le_bytes());
        packet.extend_from_slice(body);
        Ok(())
    }

    /// Appends the sealed packet to `out` and begins anew with the same size.
    ///
    /// # Errors
    /// As [`envelope::seal`]; also when `header` has a trace that no room was reserved for. The messages stay.
    pub fn seal(
        &mut self,
        header: &PacketHeader,
        compressor: Option<&mut dyn Compressor>,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let needed = header.bytes() + self.body.len();
        if needed > self.max_bytes {
            return Err(WireError::NoRoom { needed, room: self.max_bytes });
        }
        envelope::seal(header, &self.body, compressor, out)?;
        self.body.clear();
        self.messages = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{SessionControl, StateAck};

    #[test]
    fn room_is_exactly_what_fits() {
        let mut builder = PacketBuilder::new(100);
        let room = builder.room().expect("an empty packet has room");
        assert_eq!(room, 100 - 16 - 3);
        let refused = builder.push_encoded(MessageType::AppMessage, &vec![0; room + 1]);
        assert_eq!(refused, Err(WireError::NoRoom { needed: room + 1, room }));
        assert!(builder.is_empty());
        builder.push_encoded(MessageType::AppMessage, &vec![0; room]).expect("fits");
        assert_eq!(builder.room(), None);
        let mut packet = Vec::new();
        builder.seal(&PacketHeader::default(), None, &mut packet).expect("seals");
        assert_eq!(packet.len(), 100);
        assert!(builder.is_empty());
    }

    #[test]
    fn messages_come_back_in_order() {
        let mut builder = PacketBuilder::new(limits::MAX_DATAGRAM_BYTES);
        let first = Message::SessionControl(SessionControl::Loaded);
        let second = Message::StateAck(StateAck { newest_sequence: 9, ..StateAck::default() });
        builder.push(&first).expect("fits");
        builder.push(&second).expect("fits");
        let header = PacketHeader { sequence: 7, epoch: 2, schema: 0xbeef, ..PacketHeader::default() };
        let mut packet = Vec::new();
        builder.seal(&header, None, &mut packet).expect("seals");
        let mut scratch = Vec::new();
        let opened = envelope::open(&packet, None, &mut scratch).expect("opens");
        assert_eq!(*opened.header(), header);
        let messages: Vec<_> = opened.messages().map(|raw| raw.decode().expect("decodes")).collect();
        assert_eq!(messages, [first, second]);
    }

    #[test]
    fn a_trace_needs_its_room() {
        let mut builder = PacketBuilder::new(64);
        builder.push_encoded(MessageType::AppMessage, &[0; 40]).expect("fits");
        let header =
            PacketHeader { trace: Some(envelope::TraceContext::default()), ..PacketHeader::default() };
        let refused = builder.seal(&header, None, &mut Vec::new());
        assert_eq!(refused, Err(WireError::NoRoom { needed: 41 + 43, room: 64 }));
        builder.restart(64, true);
        assert_eq!(builder.room(), Some(64 - 41 - 3));
    }
}
