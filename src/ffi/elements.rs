//! Elements of components with a codec, on their way: written ones wait here for the tick that encodes them, frames wait
//! here until their rows are decoded.
//!
//! Everything here runs inside `theta_session_tick` and `theta_session_poll`, on the calling thread, which alone has the
//! session's serial part. A decoded chunk is shared by all frames in which its cells are the same, so a tick decodes
//! what changed and nothing else.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::basis::Way;
use super::codec::{Codec, Codecs, Scratch};
use super::error::Error;
use super::event::{THETA_EVENT_CODEC_FAILED, theta_event};
use super::rows::Rows;
use super::side::Shared;
use super::status::{THETA_OK, theta_status};
use crate::core::schema::{Component, ComponentIndex};
use crate::core::types::{ChunkId, EntityId, Tick};
use crate::core::world::{CellRef, Chunk, Frame, RowRef, StagedWrite, World, WriteOrigin, WriteReport};
use crate::runtime::{self, FRAMES_KEPT, PublishedFrame};

/// Values of one component that a codec refused since the last event about them.
struct Refused {
    component: ComponentIndex,
    is_encode: bool,
    tick: Tick,
    first: EntityId,
    status: theta_status,
    count: u64,
}

/// The newest element of each entity that was written since the last tick.
#[derive(Default)]
struct Pending {
    entities: Vec<EntityId>,
    /// One after another, in the order of `entities`.
    elements: Vec<u8>,
    at: HashMap<EntityId, usize>,
}

/// A chunk's column of elements, and the cells they were made from.
struct Decoded {
    chunk: Arc<Chunk>,
    elements: Box<[u8]>,
}

/// The elements of one frame.
#[derive(Default)]
pub(crate) struct FrameElements(BTreeMap<(ComponentIndex, ChunkId), Arc<Decoded>>);

impl FrameElements {
    /// Copies the elements of a component, `stride` bytes apart, as many as fit, in the frame's order of rows. Gives the
    /// number of rows there are.
    pub(crate) fn read(
        &self,
        frame: &Frame,
        component: ComponentIndex,
        element_bytes: usize,
        out: &mut [u8],
        stride: usize,
    ) -> usize {
        let mut count = 0;
        for row in frame.rows_of(component) {
            if let Some(out) = out.get_mut(count * stride..count * stride + element_bytes)
                && let Some(decoded) = self.0.get(&(component, row.chunk.id))
            {
                out.copy_from_slice(&decoded.elements[row.slot * element_bytes..][..element_bytes]);
            }
            count += 1;
        }
        count
    }
}

/// A frame whose elements are decoded.
struct Readable {
    published: PublishedFrame,
    elements: Arc<FrameElements>,
}

/// See the module. Part of what one thread at a time may use of a session.
#[derive(Default)]
pub(crate) struct Elements {
    pending: BTreeMap<ComponentIndex, Pending>,
    readable: VecDeque<Readable>,
    shown: Tick,
    refused: Vec<Refused>,
}

impl Elements {
    /// Keeps an entity's newest element for the next tick.
    pub(crate) fn write(&mut self, component: ComponentIndex, entity: EntityId, element: &[u8]) {
        let pending = self.pending.entry(component).or_default();
        let bytes = element.len();
        if let Some(at) = pending.at.get(&entity) {
            pending.elements[at * bytes..][..bytes].copy_from_slice(element);
        } else {
            pending.at.insert(entity, pending.entities.len());
            pending.entities.push(entity);
            pending.elements.extend_from_slice(element);
        }
    }

    /// Encodes what waits and writes it into the world.
    pub(crate) fn encode(&mut self, shared: &Shared, world: &mut World) -> Result<(), Error> {
        for (component, pending) in &mut self.pending {
            if pending.entities.is_empty() {
                continue;
            }
            let Some(codec) = shared.codecs.get(*component) else { continue };
            let shape = shared.schema.component(*component);
            let rows = Rows::new(&shared.schema, &shared.conversions, shape.id.0, 0)?;
            let mut fresh = shape.default_row();
            rows.convert(&mut fresh, Way::ToEngine);
            let (mut element, mut value) =
                (Scratch::of(codec.element_bytes()), Scratch::of(shape.size_bytes));
            let (mut entities, mut data) = (Vec::with_capacity(pending.entities.len()), Vec::new());
            for (entity, bytes) in pending.entities.iter().zip(pending.elements.chunks(codec.element_bytes()))
            {
                // Whoever was despawned since its write has no value to be encoded.
                if !world.contains(*entity) {
                    continue;
                }
                element.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
                value.bytes_mut()[..fresh.len()].copy_from_slice(&fresh);
                let status = codec.encode(*entity, &element, &mut value);
                if status == THETA_OK {
                    entities.push(*entity);
                    data.extend_from_slice(&value.bytes()[..shape.size_bytes]);
                } else {
                    let tick = world.tick().next();
                    note(shared, &mut self.refused, *component, true, tick, *entity, status);
                }
            }
            pending.entities.clear();
            pending.elements.clear();
            pending.at.clear();
            rows.convert_all(&mut data, shape.size_bytes, Way::ToWire);
            let (stride, origin) = (shape.size_bytes, WriteOrigin::Engine);
            let staged =
                StagedWrite::quantise(&shared.schema, shape.id, None, &entities, &data, stride, origin)?;
            shared.count_values(&world.apply(&staged));
        }
        Ok(())
    }

    /// Decodes a frame; it can be acquired after this. Frames come in ascending ticks.
    pub(crate) fn decode(&mut self, shared: &Shared, published: PublishedFrame) -> Result<(), Error> {
        let last = self.readable.back().map(|readable| Arc::clone(&readable.elements)).unwrap_or_default();
        let mut elements = FrameElements::default();
        for (component, codec) in shared.codecs.iter() {
            let shape = shared.schema.component(component);
            let rows = Rows::new(&shared.schema, &shared.conversions, shape.id.0, 0)?;
            let mut decoding = Decoding {
                shared,
                component,
                shape,
                rows,
                codec,
                tick: published.frame.tick,
                value: Scratch::of(shape.size_bytes),
                element: Scratch::of(codec.element_bytes()),
                refused: &mut self.refused,
            };
            for chunk in &published.frame.chunks {
                if let Some(first) = chunk.archetype.first_column(component) {
                    let before = last.0.get(&(component, chunk.id));
                    elements.0.insert((component, chunk.id), decoding.chunk(chunk, first, before));
                }
            }
        }
        if self.readable.len() == FRAMES_KEPT {
            self.readable.pop_front();
        }
        self.readable.push_back(Readable { published, elements: Arc::new(elements) });
        Ok(())
    }

    /// The newest decoded frame, or the one after the last that was shown.
    pub(crate) fn frame(&mut self, in_order: bool) -> Option<(PublishedFrame, Arc<FrameElements>)> {
        let found = if in_order {
            self.readable.iter().find(|readable| readable.published.frame.tick > self.shown)?
        } else {
            self.readable.back()?
        };
        self.shown = found.published.frame.tick;
        Some((found.published.clone(), Arc::clone(&found.elements)))
    }

    /// The next thing that a codec refused, and its sentence.
    pub(crate) fn next_event(&mut self, shared: &Shared) -> Option<(theta_event, String)> {
        let refused = self.refused.pop()?;
        let shape = shared.schema.component(refused.component);
        let event = theta_event {
            kind: THETA_EVENT_CODEC_FAILED,
            code: refused.status,
            tick: refused.tick.0,
            entity: refused.first.0,
            value: shape.id.0,
            time_ns: runtime::now_ns(),
            ..theta_event::default()
        };
        let what = if refused.is_encode { "encode" } else { "decode" };
        let text = format!(
            "{what} of {:?} refused {} values and kept the old ones; the first is of entity {:#x}, with status {}",
            shape.name(),
            refused.count,
            refused.first.0,
            refused.status
        );
        Some((event, text))
    }
}

/// Counts a refused value; the first of its kind is the one that is named.
fn note(
    shared: &Shared,
    refused: &mut Vec<Refused>,
    component: ComponentIndex,
    is_encode: bool,
    tick: Tick,
    first: EntityId,
    status: theta_status,
) {
    shared.count_values(&WriteReport { not_a_number: 1, ..WriteReport::default() });
    match refused.iter_mut().find(|known| (known.component, known.is_encode) == (component, is_encode)) {
        Some(known) => known.count += 1,
        None => refused.push(Refused { component, is_encode, tick, first, status, count: 1 }),
    }
}

/// One component of one frame on its way to elements.
struct Decoding<'a> {
    shared: &'a Shared,
    component: ComponentIndex,
    shape: &'a Component,
    rows: Rows<'a>,
    codec: &'a Codec,
    tick: Tick,
    value: Scratch,
    element: Scratch,
    refused: &'a mut Vec<Refused>,
}

impl Decoding<'_> {
    /// The chunk's elements: those of before wherever neither the entity nor a cell is another.
    fn chunk(&mut self, chunk: &Arc<Chunk>, first: usize, before: Option<&Arc<Decoded>>) -> Arc<Decoded> {
        let columns = first..first + self.shape.fields.len();
        if let Some(before) = before {
            let same = |at: usize| Arc::ptr_eq(&before.chunk.columns[at], &chunk.columns[at]);
            if Arc::ptr_eq(&before.chunk, chunk)
                || Arc::ptr_eq(&before.chunk.entities, &chunk.entities)
                    && before.chunk.occupancy == chunk.occupancy
                    && columns.clone().all(same)
            {
                return Arc::clone(before);
            }
        }
        let bytes = self.codec.element_bytes();
        let mut elements = match before {
            Some(before) => before.elements.clone(),
            None => vec![0; bytes * chunk.entities.len()].into(),
        };
        for slot in chunk.slots() {
            let entity = chunk.entities[slot];
            let out = &mut elements[slot * bytes..][..bytes];
            let old = before.map(|before| &before.chunk).filter(|old| old.entities[slot] == entity);
            match old {
                Some(old) => {
                    let same = |at: usize| old.columns[at].get(slot) == chunk.columns[at].get(slot);
                    if columns.clone().all(same) {
                        continue;
                    }
                }
                None => out.fill(0),
            }
            self.row(RowRef { chunk, slot }, first, entity, out);
        }
        Arc::new(Decoded { chunk: Arc::clone(chunk), elements })
    }

    /// One row; a refused one leaves `out` as it is.
    fn row(&mut self, row: RowRef<'_>, first: usize, entity: EntityId, out: &mut [u8]) {
        let value = &mut self.value.bytes_mut()[..self.shape.size_bytes];
        value.fill(0);
        for (at, field) in self.shape.fields.iter().enumerate() {
            let place = &mut value[field.offset_bytes..];
            match row.cell(first + at) {
                CellRef::Lanes(lanes) => field.store_lanes(lanes, place),
                CellRef::Bytes(cell) => field.store_bytes(cell, place),
            }
        }
        self.rows.convert(value, Way::ToEngine);
        self.element.bytes_mut()[..out.len()].copy_from_slice(out);
        let status = self.codec.decode(entity, &self.value, &mut self.element);
        if status == THETA_OK {
            out.copy_from_slice(&self.element.bytes()[..out.len()]);
        } else {
            note(self.shared, self.refused, self.component, false, self.tick, entity, status);
        }
    }
}

/// Whether rows of this component are elements, and of how many bytes.
pub(crate) fn element_of(codecs: &Codecs, component: ComponentIndex, field: u32) -> Option<usize> {
    if field != 0 {
        return None;
    }
    codecs.get(component).map(|codec| codec.element_bytes())
}
