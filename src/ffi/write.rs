//! Writes: column batches that any number of threads stage and one commit applies.
//!
//! `theta_write_rows` converts and quantises on the calling thread and then appends one finished batch, under a lock
//! that is held for that append alone. `theta_write_commit` applies the batches by component and, within one, in the
//! order in which the calls began: what disjoint writers produce does not depend on which of them was faster.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::boundary::boundary;
use super::elements::element_of;
use super::error::Error;
use super::handle::{self, Epoch, Kind, Noun};
use super::rows::{MAX_ROWS, Rows};
use super::session::theta_session;
use super::side::{Session, Shared};
use super::sized::{self, sized};
use super::status::*;
use super::view::{self, Out};
use crate::core::schema::ComponentIndex;
use crate::core::types::{ComponentId, EntityId};
use crate::core::world::{StagedWrite, World, WriteOrigin, WriteReport};

/// Most batches of one write.
const MAX_BATCHES: usize = 1 << 16;

/// A write handle: the batches of one tick. Zero is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_write {
    /// Opaque.
    pub bits: u64,
}

/// What became of values. Output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_write_report {
    /// `sizeof(theta_write_report)`; after the call, the bytes written.
    pub struct_size: u32,
    /// Values (row and field) whose quantised state changed. Known at the commit; 0 from `theta_write_rows`.
    pub changed: u32,
    /// Values that were out of range and clamped.
    pub clamped: u32,
    /// Values that were not a number (or a rotation, or text); the old ones stay.
    pub not_a_number: u32,
    /// Entities that are not in the session or do not carry the component. Known at the commit; 0 from
    /// `theta_write_rows`.
    pub missing: u32,
    /// Zero.
    pub reserved: u32,
    /// The first entity that was clamped, not a number or missing; 0 = none.
    pub first_bad_entity: u64,
}
sized!(theta_write_report: 32 reserved);

/// What a write handle names.
pub(crate) struct Write {
    session: u64,
    shared: Arc<Shared>,
    /// The order in which calls began.
    sequence: AtomicU64,
    /// None after the commit.
    batches: Mutex<Option<Vec<Batch>>>,
}

struct Batch {
    component: ComponentId,
    sequence: u64,
    rows: Staged,
}

enum Staged {
    Quantised(StagedWrite),
    /// Elements of a component with a codec, one after another, for the next tick.
    Elements {
        index: ComponentIndex,
        entities: Vec<EntityId>,
        elements: Vec<u8>,
    },
}

// SAFETY: no other type has this kind.
unsafe impl Noun for Write {
    const KIND: Kind = Kind::Write;

    fn fault(&self) {
        self.shared.fault.raise();
    }
}

impl Write {
    fn push(&self, batch: Batch) -> Result<(), Error> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = batches.as_mut().ok_or(Error::HandleStale { kind: Kind::Write })?;
        if batches.len() >= MAX_BATCHES {
            return Err(Error::Limit { what: "batches of one write", limit: MAX_BATCHES as u64 });
        }
        batches.push(batch);
        Ok(())
    }

    /// The batches in the order in which they are applied. A call that is still quantising comes too late.
    fn take(&self) -> Vec<Batch> {
        let taken = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut batches = taken.unwrap_or_default();
        batches.sort_by_key(|batch| (batch.component, batch.sequence));
        batches
    }
}

fn report_of(report: &WriteReport) -> theta_write_report {
    theta_write_report {
        struct_size: 0,
        changed: report.changed as u32,
        clamped: report.clamped as u32,
        not_a_number: report.not_a_number as u32,
        missing: (report.unknown + report.missing) as u32,
        reserved: 0,
        first_bad_entity: report.first_bad.unwrap_or(EntityId::NONE).0,
    }
}

fn status_of(report: &WriteReport) -> theta_status {
    match report {
        WriteReport { clamped: 0, not_a_number: 0, unknown: 0, missing: 0, .. } => THETA_OK,
        WriteReport { unknown: 0, missing: 0, .. } => THETA_SOME_CLAMPED,
        _ => THETA_SOME_MISSING,
    }
}

/// Opens a write: batches staged in it are applied together by `theta_write_commit`. Several may be open.
///
/// `session`: a host's. `out` receives the handle; end it with `theta_write_commit`.
///
/// Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_WRONG_ROLE, THETA_E_LIMIT. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_write_begin(session: theta_session, out: *mut theta_write) -> theta_status {
    boundary!(theta_write_begin, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { Out::new(out, "out") }?;
        let host = handle::pin::<Session>(session.bits)?;
        host.require_host()?;
        let write = Write {
            session: session.bits,
            shared: host.shared.clone(),
            sequence: AtomicU64::new(0),
            batches: Mutex::new(Some(Vec::new())),
        };
        out.set(theta_write { bits: handle::insert(Epoch::of(session.bits), write)? });
        Ok(THETA_OK)
    })
}

/// Converts and quantises rows on the calling thread and stages them. Any number of threads may stage into one write
/// at the same time, as long as they write different entities, components or fields. Nothing is kept of `data`.
///
/// `component`, `field`: rows are the component's whole struct (field 0; document fields are left alone; its elements, if
/// it has a codec: the next `theta_session_tick` encodes them, and what becomes of them is not in a report) or one field
/// of it. `entities`: `count` ids, at most 1048576. `data`: row i begins at byte `i * stride_bytes`; the stride is at
/// least a row and at most 1 MiB. `report` may be null; what is out of range is clamped, what is not a number keeps
/// the old value, and both are counted in it.
///
/// Returns THETA_OK, THETA_SOME_CLAMPED, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle errors,
/// THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN, THETA_E_STATE (the field is the command log's), THETA_E_LIMIT.
/// [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_write_rows(
    write: theta_write,
    component: u64,
    field: u32,
    entities: *const u64,
    count: u32,
    data: *const c_void,
    stride_bytes: u64,
    report: *mut theta_write_report,
) -> theta_status {
    boundary!(theta_write_rows, {
        let write = handle::pin::<Write>(write.bits)?;
        let sequence = write.sequence.fetch_add(1, Ordering::Relaxed);
        let shared = &write.shared;
        // SAFETY: the caller's promise about its pointers, here and below; EntityId is a u64 in its memory.
        let report = unsafe { sized::optional_output(report) }?;
        // SAFETY: as above.
        let entities =
            unsafe { view::slice(entities.cast::<EntityId>(), count as u64, MAX_ROWS, "entities") }?;
        let mut rows = Rows::new(&shared.schema, &shared.conversions, component, field)?;
        let element = element_of(&shared.codecs, rows.index, field);
        if let Some(bytes) = element {
            rows = rows.of_elements(bytes);
        }
        let bytes = rows.span_bytes(count, stride_bytes)?;
        // SAFETY: as above.
        let data = unsafe { view::slice(data.cast::<u8>(), bytes as u64, u64::MAX, "data") }?;
        if let Some(bytes) = element {
            let elements = data.chunks(stride_bytes as usize).flat_map(|row| &row[..bytes]).copied();
            let (elements, entities) = (elements.collect(), entities.to_vec());
            let rows = Staged::Elements { index: rows.index, entities, elements };
            write.push(Batch { component: ComponentId(component), sequence, rows })?;
            if let Some(out) = report {
                out.set(report_of(&WriteReport::default()));
            }
            return Ok(THETA_OK);
        }
        let converted = rows.to_wire(data, stride_bytes as usize);
        let (data, stride) = match &converted {
            Some(packed) => (packed.as_slice(), rows.row_bytes),
            None => (data, stride_bytes as usize),
        };
        let origin = WriteOrigin::Engine;
        let staged = StagedWrite::quantise(
            &shared.schema,
            rows.component,
            rows.field,
            entities,
            data,
            stride,
            origin,
        )?;
        let found = *staged.report();
        write.push(Batch { component: rows.component, sequence, rows: Staged::Quantised(staged) })?;
        if let Some(out) = report {
            out.set(report_of(&found));
        }
        Ok(status_of(&found))
    })
}

/// Applies everything that was staged and ends the handle. The values go out with the next `theta_session_tick`.
/// Only THETA_E_CONCURRENT leaves the handle open.
///
/// Returns THETA_OK, THETA_SOME_CLAMPED, THETA_SOME_MISSING (entities that are gone or lack the component; the others
/// are written), the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC (the session is faulted). [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_write_commit(write: theta_write) -> theta_status {
    boundary!(theta_write_commit, { commit(write).map(|report| status_of(&report)) })
}

/// As `theta_write_commit`, and says what became of all batches together.
///
/// `report`: an output of `report->struct_size` bytes.
///
/// Returns what `theta_write_commit` returns, THETA_E_NULL, THETA_E_STRUCT_SIZE. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_write_commit_report(
    write: theta_write,
    report: *mut theta_write_report,
) -> theta_status {
    boundary!(theta_write_commit_report, {
        // SAFETY: the caller's promise about `report`.
        let out = unsafe { sized::output(report) }?;
        let report = commit(write)?;
        out.set(report_of(&report));
        Ok(status_of(&report))
    })
}

fn commit(handle: theta_write) -> Result<WriteReport, Error> {
    let write = handle::pin::<Write>(handle.bits)?;
    let session = Session::open(write.session);
    if !matches!(session, Err(Error::Concurrent { .. })) {
        handle::destroy::<Write>(handle.bits)?;
    }
    let mut session = session?;
    let (noun, state) = session.parts();
    let mut report = WriteReport::default();
    for batch in write.take() {
        match batch.rows {
            Staged::Quantised(rows) => report.merge(&state.host()?.world_mut().apply(&rows)),
            Staged::Elements { index, entities, elements } => {
                let bytes = elements.len() / entities.len().max(1);
                for (entity, element) in entities.into_iter().zip(elements.chunks(bytes.max(1))) {
                    match bearer(state.host()?.world_mut(), index, entity) {
                        None => state.elements.write(index, entity, element),
                        Some(missing) => report.merge(&missing),
                    }
                }
            }
        }
    }
    noun.shared.count_values(&report);
    Ok(report)
}

/// What a commit reports of an element whose entity is not here or does not carry the component; none when all is well.
fn bearer(world: &World, index: ComponentIndex, entity: EntityId) -> Option<WriteReport> {
    let (unknown, missing) = match world.row(entity) {
        None => (1, 0),
        Some((chunk, _)) if chunk.archetype.first_column(index).is_none() => (0, 1),
        Some(_) => return None,
    };
    Some(WriteReport { unknown, missing, first_bad: Some(entity), ..WriteReport::default() })
}
