//! Sampling: any component of any entity at any moment between and shortly after the ticks that arrived.

use std::ffi::c_void;

use super::basis::Way;
use super::boundary::boundary;
use super::elements::element_of;
use super::error::Error;
use super::handle;
use super::rows::{MAX_ROWS, Rows};
use super::session::theta_session;
use super::side::Session;
use super::status::*;
use super::view;
use crate::core::replication::sample::SampleCode;
use crate::core::types::EntityId;

/// Between two ticks that are here.
pub const THETA_SAMPLE_INTERPOLATED: u32 = 0;
/// Carried on from the newest ticks, for a bounded time.
pub const THETA_SAMPLE_EXTRAPOLATED: u32 = 1;
/// The newest (or oldest) value that is known, or one that does not blend.
pub const THETA_SAMPLE_HELD: u32 = 2;
/// The entity is not here or does not carry the component; its row is untouched.
pub const THETA_SAMPLE_MISSING: u32 = 3;

/// Values of entities at a moment of the session, in its basis. Positions and rotations are interpolated between
/// ticks and boundedly extrapolated after the newest; what does not blend is held.
///
/// `session`: a joined one. `component`, `field`: the whole struct (field 0) or one field. `entities`: `count` ids, at
/// most 1048576. `render_tick`: a moment of `theta_session_render_tick`, finite. `out`: row i is written at byte
/// `i * stride_bytes`, the stride at least a row and at most 1 MiB. `results`: `count` bytes that receive
/// `THETA_SAMPLE_*`, or null. The three arrays do not overlap.
///
/// Returns THETA_OK, THETA_SOME_MISSING, THETA_E_NULL, THETA_E_RANGE, THETA_E_NAN, the handle errors,
/// THETA_E_WRONG_ROLE, THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN, THETA_E_NOT_SAMPLED (no tick is complete
/// yet, or the whole struct has a codec), THETA_E_PANIC. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_sample(
    session: theta_session,
    component: u64,
    field: u32,
    entities: *const u64,
    count: u32,
    render_tick: f64,
    out: *mut c_void,
    stride_bytes: u64,
    results: *mut u8,
) -> theta_status {
    boundary!(theta_session_sample, {
        let session = handle::pin::<Session>(session.bits)?;
        // SAFETY: the caller's promise about its pointers, here and below; EntityId is a u64 in its memory.
        let entities =
            unsafe { view::slice(entities.cast::<EntityId>(), count as u64, MAX_ROWS, "entities") }?;
        if !render_tick.is_finite() {
            return Err(Error::NotFinite { what: "render_tick" });
        }
        let shared = &session.shared;
        let rows = Rows::new(&shared.schema, &shared.conversions, component, field)?;
        if element_of(&shared.codecs, rows.index, field).is_some() {
            let component = shared.schema.component(rows.index).name().to_owned();
            return Err(Error::NotSampled { component });
        }
        let bytes = rows.span_bytes(count, stride_bytes)?;
        let (ids, values) =
            ((entities.as_ptr().cast(), size_of_val(entities)), (out.cast_const().cast(), bytes));
        let codes = (results.cast_const(), if results.is_null() { 0 } else { count as usize });
        view::apart(ids, values, "entities and out")?;
        view::apart(ids, codes, "entities and results")?;
        view::apart(values, codes, "out and results")?;
        // SAFETY: as above; the three do not overlap.
        let (out, mut results) = unsafe {
            let results = (!results.is_null()).then(|| view::slice_mut(results, count as u64, "results"));
            (view::slice_mut(out.cast::<u8>(), bytes as u64, "out")?, results.transpose()?)
        };
        let sampler = session.sampler()?;
        let mut missing = 0;
        for (at, entity) in entities.iter().enumerate() {
            let row = &mut out[at * stride_bytes as usize..][..rows.row_bytes];
            let found = sampler.sample(rows.component, rows.field, *entity, render_tick, row)?;
            let code = result_number(found.code);
            if code == THETA_SAMPLE_MISSING {
                missing += 1;
            } else {
                rows.convert(row, Way::ToEngine);
            }
            if let Some(results) = &mut results {
                results[at] = code as u8;
            }
        }
        Ok(if missing == 0 { THETA_OK } else { THETA_SOME_MISSING })
    })
}

fn result_number(code: SampleCode) -> u32 {
    match code {
        SampleCode::Interpolated => THETA_SAMPLE_INTERPOLATED,
        SampleCode::Extrapolated => THETA_SAMPLE_EXTRAPOLATED,
        SampleCode::Held => THETA_SAMPLE_HELD,
        SampleCode::Missing => THETA_SAMPLE_MISSING,
    }
}
