//! What goes to one link for one tick: which chunks, against which baselines, in which packets.

use std::sync::Arc;

use super::{Encoding, HostReplication, LinkKey, LinkState, Pending, Receipt, ReceiptItem};
#[cfg(feature = "mutants")]
use crate::mutants::Mutant;
use crate::replication::entry::{self, Baseline, Header};
use crate::replication::limits::{HEADER_BYTES, MAX_PARTS, MIN_PART_BYTES, PIECE_BYTES};
use crate::types::Tick;
use crate::world::{ArchetypeDef, Chunk};

/// One packet's worth of a tick.
#[derive(Clone, Debug)]
pub struct DeltaPart {
    /// Its number, from 0.
    pub index: u16,
    /// How many parts complete the tick. One more than there are when the tick cannot be completed yet.
    pub count: u16,
    /// The packed rows.
    pub payload: Vec<u8>,
    /// True when it must go on the replication lane instead of the state lane.
    pub reliable: bool,
    /// For [`HostReplication::on_sent`].
    pub receipt: Receipt,
}

/// What to send to one link for one tick.
#[derive(Clone, Debug, Default)]
pub struct LinkTick {
    /// The tick.
    pub tick: Tick,
    /// To be sent reliably, before the parts.
    pub new_archetypes: Vec<ArchetypeDef>,
    /// The parts; one without rows where nothing is to be said, so that the peer knows the tick passed.
    pub parts: Vec<DeltaPart>,
}

/// One entry that goes out.
struct Outgoing {
    chunk: Arc<Chunk>,
    baseline: Baseline,
    generation: u32,
    encoding: Arc<Encoding>,
}

impl HostReplication {
    /// What to send to a link for the newest tick, in parts whose payloads fit `room` bytes (at least
    /// [`MIN_PART_BYTES`]). Nothing before its join snapshot is acknowledged.
    pub fn build(&mut self, key: LinkKey, room: usize) -> LinkTick {
        let mut out = LinkTick { tick: self.tick, ..LinkTick::default() };
        let Some(mut link) = self.links.remove(&key) else { return out };
        if link.is_live && link.frozen.is_none() {
            let sent = link.archetypes_sent;
            out.new_archetypes = self
                .archetypes
                .iter()
                .filter(|archetype| archetype.id.0 >= sent)
                .map(|archetype| archetype.definition())
                .collect();
            link.archetypes_sent = self.archetypes.last().map_or(0, |last| last.id.0 + 1);
            self.build_parts(&mut link, room.max(MIN_PART_BYTES), &mut out);
        }
        self.links.insert(key, link);
        out
    }

    fn build_parts(&mut self, link: &mut LinkState, room: usize, out: &mut LinkTick) {
        let mut is_complete = true;
        // In datagrams; in datagrams that may fail; reliably.
        let (mut plain, mut dependent, mut reliable) = (Vec::new(), Vec::new(), Vec::new());
        let budget = room - HEADER_BYTES;
        let newest: Vec<Arc<Chunk>> = self.chunks.values().cloned().collect();
        for chunk in newest {
            let state = link.chunks.entry(chunk.id).or_default();
            if state.is_paused {
                is_complete = false;
                continue;
            }
            let generation = state.generation;
            let archetype = chunk.archetype.id;
            // What is on its way with another archetype says nothing about these rows, and they do not wait for it.
            state.pending = state.pending.take().filter(|pending| pending.chunk.archetype.id == archetype);
            if let Some(pending) = state.pending.as_ref().map(|pending| Arc::clone(&pending.chunk)) {
                let mut target = chunk;
                let mut encoding = self.encode(&target, Some(&pending), budget);
                if encoding.reliable {
                    // One at a time: what is on its way is asked after, and the rest waits for the answer.
                    is_complete = false;
                    encoding = self.encode(&pending, Some(&pending), budget);
                    target = Arc::clone(&pending);
                }
                dependent.push(Outgoing {
                    chunk: target,
                    baseline: Baseline::Tick(pending.tick),
                    generation,
                    encoding,
                });
                continue;
            }
            match &state.acked {
                Some(acked) if acked.tick >= chunk.tick => continue,
                None if chunk.is_empty() && !state.sent => continue,
                _ => {}
            }
            let baseline = state.baseline(archetype).cloned();
            let coded_against = baseline.clone();
            #[cfg(feature = "mutants")]
            let coded_against = if self.mutants.active(Mutant::ReuseStaleBaseline) {
                state.stale.clone().filter(|stale| stale.archetype.id == archetype).or(coded_against)
            } else {
                coded_against
            };
            state.sent = true;
            let encoding = self.encode(&chunk, coded_against.as_ref(), budget);
            let goes_reliably = encoding.reliable;
            let outgoing = Outgoing {
                baseline: baseline
                    .as_ref()
                    .map_or(Baseline::None(chunk.archetype.id), |baseline| Baseline::Tick(baseline.tick)),
                generation,
                encoding,
                chunk: Arc::clone(&chunk),
            };
            if goes_reliably {
                reliable.push((baseline.map_or(Tick::ZERO, |baseline| baseline.tick), outgoing));
            } else {
                plain.push(outgoing);
            }
        }
        let waiting = reliable.len();
        let reliable = self.admit(link, reliable);
        is_complete &= reliable.len() == waiting;
        self.pack(&plain, room, false, out);
        self.pack(&dependent, room, false, out);
        self.pack(&reliable, PIECE_BYTES, true, out);
        if out.parts.is_empty() {
            out.parts.push(DeltaPart {
                index: 0,
                count: 0,
                payload: Vec::new(),
                reliable: false,
                receipt: Receipt::default(),
            });
        }
        let surplus = out.parts.len().saturating_sub(MAX_PARTS - 1);
        if surplus > 0 {
            // Datagrams are still unacknowledged, and go with the next tick. What goes reliably is not said again.
            let end = out.parts.partition_point(|part| !part.reliable);
            out.parts.drain(end.saturating_sub(surplus)..end);
            is_complete = false;
        }
        let count = out.parts.len() as u16 + u16::from(!is_complete);
        for (index, part) in out.parts.iter_mut().enumerate() {
            part.index = index as u16;
            part.count = count;
        }
    }

    /// Which chunks go on the reliable lane now, of those that must: as many as its bytes under way allow, those first
    /// of which the peer has the oldest version. Without a bound a world of large rows would fill the lane's queue, and
    /// that costs the peer its session.
    fn admit(&self, link: &mut LinkState, mut waiting: Vec<(Tick, Outgoing)>) -> Vec<Outgoing> {
        let pending = link.chunks.values().filter_map(|state| state.pending.as_ref());
        let mut under_way: usize = pending.map(|pending| pending.bytes).sum();
        waiting.sort_by_key(|(held, outgoing)| (*held, outgoing.chunk.id));
        let mut admitted = Vec::new();
        for (_, outgoing) in waiting {
            let bytes = outgoing.encoding.bytes();
            if under_way > 0 && under_way + bytes > self.limits.pending_bytes {
                break;
            }
            under_way += bytes;
            if let Some(state) = link.chunks.get_mut(&outgoing.chunk.id) {
                let chunk = Arc::clone(&outgoing.chunk);
                state.pending = Some(Pending { chunk, since: self.tick, bytes });
            }
            admitted.push(outgoing);
        }
        admitted.sort_by_key(|outgoing| outgoing.chunk.id);
        admitted
    }

    /// Puts entries into parts, in order, as many into each as fit.
    fn pack(&self, entries: &[Outgoing], room: usize, reliable: bool, out: &mut LinkTick) {
        let mut payload = Vec::new();
        let mut receipt = Receipt::default();
        let mut previous = None;
        let mut flush = |payload: &mut Vec<u8>, receipt: &mut Receipt| {
            if !payload.is_empty() {
                let (payload, receipt) = (core::mem::take(payload), core::mem::take(receipt));
                out.parts.push(DeltaPart { index: 0, count: 0, payload, reliable, receipt });
            }
        };
        for entry in entries {
            for (range, body) in &entry.encoding.ranges {
                if previous == Some(entry.chunk.id) || payload.len() + HEADER_BYTES + body.len() > room {
                    flush(&mut payload, &mut receipt);
                    previous = None;
                }
                let header = Header {
                    chunk: entry.chunk.id,
                    version: entry.chunk.tick,
                    baseline: entry.baseline,
                    range: *range,
                    hash: None,
                };
                entry::put(previous, self.tick, &header, body, &mut payload);
                receipt.items.push(ReceiptItem {
                    chunk: Arc::clone(&entry.chunk),
                    range: *range,
                    generation: entry.generation,
                });
                previous = Some(entry.chunk.id);
            }
        }
        flush(&mut payload, &mut receipt);
    }
}
