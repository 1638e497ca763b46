//! Frames: one complete tick, held while it is read. Any thread may read a frame; it never changes.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::basis::Way;
use super::boundary::boundary;
use super::elements::{FrameElements, element_of};
use super::error::Error;
use super::handle::{self, Epoch, Kind, Noun};
use super::rows::Rows;
use super::session::theta_session;
use super::side::{Session, Shared};
use super::sized::{self, element, sized};
use super::status::*;
use super::view::{self, Buffer, Out};
use crate::core::types::{ComponentId, EntityId};
use crate::core::world;

/// The newest complete tick.
pub const THETA_FRAME_NEWEST: u32 = 0;
/// The complete tick after the last acquired one, in order.
pub const THETA_FRAME_NEXT: u32 = 1;
/// Read flag: quantised lanes (int64_t each) instead of the engine's layout; never converted between bases.
pub const THETA_READ_QUANTISED: u32 = 1;

/// A frame handle. Zero is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_frame {
    /// Opaque.
    pub bits: u64,
}

/// What a frame is. Output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_frame_info {
    /// `sizeof(theta_frame_info)`; after the call, the bytes written.
    pub struct_size: u32,
    /// The tick.
    pub tick: u32,
    /// The newest tick that was compared equal when the frame was acquired.
    pub confirmed_tick: u32,
    /// Entities in the frame.
    pub entity_count: u32,
    /// When the tick was sealed (host) or became complete (joined), on the clock of `theta_now_ns`.
    pub time_ns: u64,
    /// The hash of the whole tick: equal on every peer that has the same state.
    pub fold: u64,
    /// The term of the command log the tick was made with.
    pub log_term: u32,
    /// Zero.
    pub reserved: u32,
    /// The position in the command log the tick was made with.
    pub log_index: u64,
}
sized!(theta_frame_info: 48 reserved);

/// An entity of a frame. Element of an array with an element size.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct theta_entity_row {
    /// The entity.
    pub id: u64,
    /// Its parent; 0 = none.
    pub parent: u64,
    /// The application's stable id; 0 = none.
    pub persistent_id: u64,
    /// This program's tag; 0 when none was set.
    pub host_tag: u64,
    /// The application's type (prefab).
    pub type_id: u32,
    /// The peer that owns it; 0 = the host.
    pub owner: u32,
    /// A dense index, equal on all sides while the entity lives and reused after it: an array index, not an id.
    pub local_index: u32,
    /// Bytes of its spawn payload, for `theta_frame_payload`.
    pub payload_length: u32,
    /// Zero.
    pub reserved: u64,
}
element!(theta_entity_row: 56 reserved);

/// Frames of one session that may be held at once.
const MAX_HELD: u32 = 3;

/// What a frame handle names.
pub(crate) struct Frame {
    state: Arc<world::Frame>,
    elements: Arc<FrameElements>,
    shared: Arc<Shared>,
    confirmed_tick: u32,
    time_ns: u64,
    _place: Place,
}

// SAFETY: no other type has this kind.
unsafe impl Noun for Frame {
    const KIND: Kind = Kind::Frame;

    fn fault(&self) {
        self.shared.fault.raise();
    }
}

/// One of the places for held frames; free again when it is dropped.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Result<Self, Error> {
        let limit = Error::Limit { what: "frames held by one session at a time", limit: MAX_HELD as u64 };
        let held: &AtomicU32 = &shared.frames_held;
        held.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |held| (held < MAX_HELD).then_some(held + 1))
            .map_err(|_| limit)?;
        Ok(Self(shared.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.frames_held.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Frame {
    fn row(&self, row: world::RowRef<'_>) -> theta_entity_row {
        let info = row.info();
        theta_entity_row {
            id: info.entity.0,
            parent: info.parent.0,
            persistent_id: info.persistent_id,
            host_tag: self.shared.tags.get(info.entity),
            type_id: info.type_id,
            owner: info.owner.0 as u32,
            local_index: info.entity.index(),
            payload_length: info.payload.len() as u32,
            reserved: 0,
        }
    }

    /// Rows of a component, or of everything for 0.
    fn rows<'a>(&'a self, component: u64) -> Result<Box<dyn Iterator<Item = world::RowRef<'a>> + 'a>, Error> {
        if component == 0 {
            return Ok(Box::new(self.state.rows()));
        }
        let index = self.shared.schema.index_of(ComponentId(component));
        Ok(Box::new(self.state.rows_of(index.ok_or(Error::ComponentUnknown { id: component })?)))
    }
}

/// Holds a complete tick. It does not change while it is held, whatever is polled, written or received meanwhile, and
/// it stays readable after its session was destroyed.
///
/// `which`: THETA_FRAME_NEWEST, or THETA_FRAME_NEXT for each tick in order (ticks that were too old to be kept are
/// left out). Where a component has a codec, ticks are there once `theta_session_poll` has decoded them. `out` receives the handle; end it with `theta_frame_release`. Three may be held at once per session.
///
/// Returns THETA_OK, THETA_NOTHING_NEW (no tick is complete yet, or NEXT has shown the newest; `out` is untouched),
/// THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_LIMIT (the fourth frame),
/// THETA_E_PANIC (the session is faulted). [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_frame_acquire(
    session: theta_session,
    which: u32,
    out: *mut theta_frame,
) -> theta_status {
    boundary!(theta_frame_acquire, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { Out::new(out, "out") }?;
        let mut open = Session::open(session.bits)?;
        if which > THETA_FRAME_NEXT {
            return Err(Error::Range { what: "which", value: which as u64, limit: THETA_FRAME_NEXT as u64 });
        }
        let (noun, state) = open.parts();
        let place = Place::take(&noun.shared)?;
        let Some((found, elements)) = state.frame(&noun.shared, which == THETA_FRAME_NEXT) else {
            return Ok(THETA_NOTHING_NEW);
        };
        let frame = Frame {
            state: found.frame,
            elements,
            shared: noun.shared.clone(),
            confirmed_tick: found.confirmed_tick.0,
            time_ns: found.time_ns,
            _place: place,
        };
        out.set(theta_frame { bits: handle::insert(Epoch::of(session.bits), frame)? });
        Ok(THETA_OK)
    })
}

/// Gives a frame back. Reads that other threads are in the middle of finish first; new ones are stale.
///
/// Returns THETA_OK, the handle errors. [any], never waits.
#[unsafe(no_mangle)]
pub extern "C" fn theta_frame_release(frame: theta_frame) -> theta_status {
    boundary!(theta_frame_release, {
        handle::destroy::<Frame>(frame.bits)?;
        Ok(THETA_OK)
    })
}

/// What the frame is.
///
/// `out`: an output of `out->struct_size` bytes.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_frame_info_get(
    frame: theta_frame,
    out: *mut theta_frame_info,
) -> theta_status {
    boundary!(theta_frame_info_get, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { sized::output(out) }?;
        let frame = handle::pin::<Frame>(frame.bits)?;
        out.set(theta_frame_info {
            struct_size: 0,
            tick: frame.state.tick.0,
            confirmed_tick: frame.confirmed_tick,
            entity_count: frame.state.entity_count() as u32,
            time_ns: frame.time_ns,
            fold: frame.state.fold(),
            log_term: 0,
            reserved: 0,
            log_index: 0,
        });
        Ok(THETA_OK)
    })
}

/// The frame's entities that carry a component, in an order that `theta_frame_read` shares.
///
/// `component`: its id; 0 = all entities. `out`: `capacity` rows, `element_size` (sizeof(theta_entity_row)) bytes
/// apart; null with capacity 0 asks for the count. `count` receives the number of entities there are.
///
/// Returns THETA_OK, THETA_TRUNCATED (more than `capacity`), THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors,
/// THETA_E_COMPONENT_UNKNOWN. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_frame_entities(
    frame: theta_frame,
    component: u64,
    out: *mut theta_entity_row,
    element_size: u32,
    capacity: u32,
    count: *mut u32,
) -> theta_status {
    boundary!(theta_frame_entities, {
        // SAFETY: the caller's promise about its pointers.
        let (mut out, count) =
            unsafe { (sized::outputs(out, element_size, capacity)?, Out::new(count, "count")?) };
        let frame = handle::pin::<Frame>(frame.bits)?;
        let mut total = 0;
        for row in frame.rows(component)? {
            if total < out.capacity() {
                out.set(total, &frame.row(row));
            }
            total += 1;
        }
        count.set(total as u32);
        Ok(if total > out.capacity() { THETA_TRUNCATED } else { THETA_OK })
    })
}

/// Copies a column: the values of all entities that carry a component, in the order of `theta_frame_entities` for that
/// component, in the session's basis.
///
/// `component`, `field`: the whole struct (field 0; the element, if it has a codec) or one field. `flags`: 0, or
/// THETA_READ_QUANTISED for the fixed
/// fields' lanes as int64_t (lane times step plus minimum is the value; the wire's basis). `out`: row i is written at
/// byte `i * stride_bytes`, the stride at least a row and at most 1 MiB, a multiple of 8 for lanes; bytes between rows
/// are left alone; null with capacity 0 asks for the count; the capacity is at most 1048576. `count` receives the
/// number of rows there are.
///
/// Returns THETA_OK, THETA_TRUNCATED (more than `capacity`), THETA_E_NULL, THETA_E_RANGE, THETA_E_UNSUPPORTED_FIELD
/// (flags), the handle errors, THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_frame_read(
    frame: theta_frame,
    component: u64,
    field: u32,
    flags: u32,
    out: *mut c_void,
    stride_bytes: u64,
    capacity: u32,
    count: *mut u32,
) -> theta_status {
    boundary!(theta_frame_read, {
        // SAFETY: the caller's promise about its pointers.
        let count = unsafe { Out::new(count, "count") }?;
        if flags & !THETA_READ_QUANTISED != 0 {
            return Err(Error::UnknownFlags { what: "flags", bits: flags & !THETA_READ_QUANTISED });
        }
        let frame = handle::pin::<Frame>(frame.bits)?;
        let shared = &frame.shared;
        let rows = Rows::new(&shared.schema, &shared.conversions, component, field)?;
        let element = element_of(&shared.codecs, rows.index, field);
        let total = if flags & THETA_READ_QUANTISED != 0 {
            let stride = rows.lane_stride(&shared.schema, stride_bytes)?;
            let lanes = rows.lane_span(&shared.schema, capacity, stride)?;
            // SAFETY: as above; rows of `stride` lanes, the last one without its gap.
            let out = unsafe { view::slice_mut(out.cast::<i64>(), lanes as u64, "out") }?;
            frame.state.read_lanes(&shared.schema, rows.component, rows.field, out, stride)?
        } else if let Some(element_bytes) = element {
            let rows = rows.of_elements(element_bytes);
            let bytes = rows.span_bytes(capacity, stride_bytes)?;
            // SAFETY: as above.
            let out = unsafe { view::slice_mut(out.cast::<u8>(), bytes as u64, "out") }?;
            frame.elements.read(&frame.state, rows.index, element_bytes, out, stride_bytes as usize)
        } else {
            let stride = stride_bytes as usize;
            let bytes = rows.span_bytes(capacity, stride_bytes)?;
            // SAFETY: as above.
            let out = unsafe { view::slice_mut(out.cast::<u8>(), bytes as u64, "out") }?;
            let total = frame.state.read_engine(&shared.schema, rows.component, rows.field, out, stride)?;
            let written = rows.span_bytes(capacity.min(total as u32), stride_bytes)?;
            rows.convert_all(&mut out[..written], stride, Way::ToEngine);
            total
        };
        count.set(total as u32);
        Ok(if total > capacity as usize { THETA_TRUNCATED } else { THETA_OK })
    })
}

/// What the host said about an entity when it spawned it.
///
/// `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the payload's length, at
/// most 256.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_ENTITY_UNKNOWN. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_frame_payload(
    frame: theta_frame,
    entity: u64,
    out: *mut u8,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_frame_payload, {
        // SAFETY: the caller's promise about its pointers.
        let buffer = unsafe { Buffer::new(out, capacity, length) }?;
        let frame = handle::pin::<Frame>(frame.bits)?;
        let row = frame.state.find(EntityId(entity)).ok_or(Error::EntityUnknown { entity })?;
        Ok(buffer.fill(row.info().payload))
    })
}
