//! Packets that a program of bytes makes up: right or wrong in lane and header, with whatever inside.

use theta_core::types::Lane;
use theta_core::wire::envelope::{self, PacketHeader, TraceContext};

use super::bytes::Bytes;

/// Messages that one step puts into a packet.
const MAX_MESSAGES: u8 = 3;

/// The lane that a byte names.
pub fn lane(byte: u8) -> Lane {
    match byte % 8 {
        0 => Lane::Control,
        1 => Lane::Replication,
        2 => Lane::State,
        3 => Lane::Input,
        4 => Lane::Presence,
        5 => Lane::Bulk(0),
        6 => Lane::Bulk(1),
        _ => Lane::Bulk(u16::MAX),
    }
}

/// The header as it should be, for small numbers, or with one thing wrong in it.
fn twist(header: PacketHeader, how: u8) -> PacketHeader {
    match how {
        248 => PacketHeader { sequence: header.sequence.wrapping_add(1), ..header },
        249 => PacketHeader { sequence: header.sequence.wrapping_sub(1), ..header },
        250 => PacketHeader { sequence: u32::MAX, ..header },
        251 => PacketHeader { sequence: 0, ..header },
        252 => PacketHeader { epoch: header.epoch.wrapping_add(1), ..header },
        253 => PacketHeader { schema: !header.schema, ..header },
        254 => PacketHeader { trace: Some(TraceContext::default()), ..header },
        255 => PacketHeader { end_to_end: true, ..header },
        _ => header,
    }
}

/// A packet of one to three messages, each a type, a length and a body; nothing when it would be too long.
pub fn packet(right: PacketHeader, input: &mut Bytes<'_>) -> Option<Vec<u8>> {
    let header = twist(right, input.u8());
    let mut body = Vec::new();
    for _ in 0..=input.u8() % MAX_MESSAGES {
        body.push(input.u8());
        super::bytes::put_part(input.part(), &mut body);
    }
    let mut packet = Vec::new();
    envelope::seal(&header, &body, None, &mut packet).ok()?;
    Some(packet)
}
