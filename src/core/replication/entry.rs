//! Chunks in a payload: a byte-aligned header in front of each body.
//!
//! A payload is entries back to back, ascending by chunk. The header names the version (`(chunk, tick)`), what the
//! rows are relative to, and the slots they speak of; in a snapshot it also carries the chunk's hash. Headers are the
//! same few bytes whichever link they go to, but for the gap to the chunk before them, so bodies are shared.

use super::ReplicationError;
use super::codec::SlotRange;
use crate::types::{ChunkId, Tick};
use crate::wire::WireError;
use crate::wire::bits::BitReader;
use crate::world::ArchetypeId;
use crate::world::limits::SLOTS;

/// What the rows of an entry are relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Nothing; the archetype is needed then.
    None(ArchetypeId),
    /// The chunk's version of this tick.
    Tick(Tick),
}

/// What stands in front of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which chunk.
    pub chunk: ChunkId,
    /// The tick at which the chunk became what the rows say.
    pub version: Tick,
    /// What the rows are relative to.
    pub baseline: Baseline,
    /// The slots that the rows speak of.
    pub range: SlotRange,
    /// The chunk's hash; in snapshots only.
    pub hash: Option<u64>,
}

/// A header and its body.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// In front.
    pub header: Header,
    /// The rows.
    pub body: &'a [u8],
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends an entry. `previous` is the chunk of the entry before it in this payload; `tick` that of the message.
///
/// # Panics
/// If the version is newer than `tick`, or the baseline than the version: the host builds both.
pub fn put(previous: Option<ChunkId>, tick: Tick, header: &Header, body: &[u8], out: &mut Vec<u8>) {
    assert!(header.version <= tick, "a tick holds nothing newer than itself");
    let gap = previous.map_or(header.chunk.0, |previous| header.chunk.0 - previous.0 - 1);
    put_varint(u64::from(gap), out);
    let age = tick.since(header.version);
    let split = header.range != SlotRange::ALL;
    let distance = match header.baseline {
        Baseline::None(_) => 0,
        Baseline::Tick(baseline) => {
            assert!(baseline <= header.version, "a baseline is not newer than what it is for");
            u64::from(header.version.since(baseline)) + 1
        }
    };
    put_varint(distance << 2 | u64::from(age > 0) << 1 | u64::from(split), out);
    if age > 0 {
        put_varint(u64::from(age), out);
    }
    if let Baseline::None(archetype) = header.baseline {
        put_varint(u64::from(archetype.0), out);
    }
    if split {
        out.extend_from_slice(&[header.range.first, header.range.last]);
    }
    if let Some(hash) = header.hash {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    put_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

/// Reads the entries of a payload.
#[derive(Debug)]
pub struct Entries<'a> {
    input: BitReader<'a>,
    tick: Tick,
    hashed: bool,
    previous: Option<ChunkId>,
}

impl<'a> Entries<'a> {
    /// The entries of `payload`, in a message for `tick`; `hashed` in snapshots.
    pub const fn new(payload: &'a [u8], tick: Tick, hashed: bool) -> Self {
        Self { input: BitReader::new(payload), tick, hashed, previous: None }
    }

    fn read(&mut self) -> Result<Entry<'a>, WireError> {
        let narrow = |value: u64| u32::try_from(value).map_err(|_| WireError::Malformed("chunk header"));
        let gap = narrow(self.input.get_varint()?)?;
        let chunk = match self.previous {
            None => gap,
            Some(previous) => previous
                .0
                .checked_add(gap)
                .and_then(|id| id.checked_add(1))
                .ok_or(WireError::Malformed("chunk id"))?,
        };
        let flags = self.input.get_varint()?;
        let (split, aged, distance) = (flags & 1 == 1, flags & 2 == 2, narrow(flags >> 2)?);
        let age = if aged { narrow(self.input.get_varint()?)? } else { 0 };
        let version = Tick(self.tick.0.checked_sub(age).ok_or(WireError::Malformed("age of a chunk"))?);
        if chunk == 0 || version == Tick::ZERO || aged && age == 0 {
            return Err(WireError::Malformed("chunk header"));
        }
        let baseline = if distance == 0 {
            Baseline::None(ArchetypeId(narrow(self.input.get_varint()?)?))
        } else {
            let tick = version.0.checked_sub(distance - 1).filter(|tick| *tick > 0);
            Baseline::Tick(Tick(tick.ok_or(WireError::Malformed("baseline of a chunk"))?))
        };
        let range = if split {
            let range = SlotRange { first: self.input.get(8)? as u8, last: self.input.get(8)? as u8 };
            if range.first > range.last || range.last as usize >= SLOTS || range == SlotRange::ALL {
                return Err(WireError::Malformed("slot range"));
            }
            range
        } else {
            SlotRange::ALL
        };
        let hash = if self.hashed { Some(self.input.get(64)?) } else { None };
        let length = self.input.get_varint()?;
        if length > self.input.remaining_bits() as u64 / 8 {
            return Err(WireError::Truncated);
        }
        let body = self.input.get_bytes(length as usize)?;
        self.previous = Some(ChunkId(chunk));
        Ok(Entry { header: Header { chunk: ChunkId(chunk), version, baseline, range, hash }, body })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ReplicationError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.remaining_bits() == 0 {
            return None;
        }
        let entry = self.read();
        if entry.is_err() {
            // Nothing behind an error can be believed.
            self.input = BitReader::new(&[]);
        }
        Some(entry.map_err(ReplicationError::from))
    }
}
