//! Values at a render time: between two frames, shortly after the newest, or held.
//!
//! Works on a slice of frames, so any thread can sample what a replica published. Floats and vectors are interpolated
//! linearly, quaternions along the shorter arc, all in engine values; everything else is held. Nothing here is a
//! decision of the protocol: floats do not go back into the state.

use std::sync::Arc;

use crate::schema::quantise::{dequantise_float, dequantise_quat};
use crate::schema::{FieldKind, Range, Schema, Semantic};
use crate::types::{ComponentId, EntityId};
use crate::world::frame::Selection;
use crate::world::{CellRef, Frame, RowRef, WorldError};

/// How a value came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleCode {
    /// Between two frames.
    Interpolated,
    /// Carried on from the newest frames.
    Extrapolated,
    /// The newest (or oldest) value there is, or one that does not blend.
    Held,
    /// The entity is not there, or does not have the component; nothing was written.
    Missing,
}

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleOutcome {
    /// How it came about.
    pub code: SampleCode,
    /// A point moved farther between the two frames than the options allow for motion: the older value is held.
    pub teleported: bool,
}

/// How far sampling may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOptions {
    /// Ticks after the newest frame up to which values are carried on; beyond, they stay there.
    pub max_extrapolation_ticks: f64,
    /// A field that is a point and moves farther than this from one tick to the next did not move but jump; in the
    /// field's units. `None`: nothing jumps.
    pub teleport_distance: Option<f64>,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { max_extrapolation_ticks: 9.0, teleport_distance: None }
    }
}

/// Two rows of an entity and where between (or after) them the sample lies.
struct Blend<'a> {
    older: RowRef<'a>,
    newer: RowRef<'a>,
    /// 0 is the older, 1 the newer, more is beyond.
    part: f64,
    /// Ticks between the two.
    ticks: f64,
}

/// Samples a component (or one of its fields) of an entity at `tick` into engine memory: `out` receives one row.
///
/// `frames` ascend by tick. Between two ticks an entity must be in both frames to be blended; at its last tick it is
/// held until the next frame shows that it is gone.
///
/// # Errors
/// Of the arguments alone: an unknown component or field, or an `out` that is shorter than a row.
#[expect(
    clippy::too_many_arguments,
    reason = "what, whose, when, how and where to: a struct would only be taken apart"
)]
pub fn sample(
    frames: &[Arc<Frame>],
    schema: &Schema,
    component: ComponentId,
    field: Option<u16>,
    entity: EntityId,
    tick: f64,
    options: &SampleOptions,
    out: &mut [u8],
) -> Result<SampleOutcome, WorldError> {
    let selection = Selection::new(schema, component, field)?;
    if out.len() < selection.row_bytes {
        let needed = selection.row_bytes;
        return Err(WorldError::ShortData { rows: 1, stride: needed, needed, actual: out.len() });
    }
    let has = |row: &RowRef<'_>| row.chunk.archetype.first_column(selection.component).is_some();
    let find = |frame: &'_ Arc<Frame>| -> bool { frame.find(entity).is_some_and(|row| has(&row)) };
    let row = |at: usize| frames[at].find(entity).filter(has);
    let missing = SampleOutcome { code: SampleCode::Missing, teleported: false };
    let after = frames.partition_point(|frame| f64::from(frame.tick.0) <= tick);
    let hold = |row: Option<RowRef<'_>>, out: &mut [u8]| {
        let Some(row) = row else { return missing };
        let first = row.chunk.archetype.first_column(selection.component).unwrap_or(0);
        selection.store(schema, row, first, out);
        SampleOutcome { code: SampleCode::Held, teleported: false }
    };
    if frames.is_empty() || tick.is_nan() {
        return Ok(missing);
    }
    if after == 0 {
        return Ok(hold(row(0), out));
    }
    let older = after - 1;
    let (blend, code) = if after < frames.len() {
        let Some(older_row) = row(older) else { return Ok(missing) };
        let Some(newer_row) = row(after) else { return Ok(hold(Some(older_row), out)) };
        let (from, to) = (f64::from(frames[older].tick.0), f64::from(frames[after].tick.0));
        let part = (tick - from) / (to - from);
        (Blend { older: older_row, newer: newer_row, part, ticks: to - from }, SampleCode::Interpolated)
    } else {
        let Some(newer_row) = row(older) else { return Ok(missing) };
        let newest = f64::from(frames[older].tick.0);
        let beyond = (tick - newest).min(options.max_extrapolation_ticks.max(0.0));
        if tick <= newest {
            let mut outcome = hold(Some(newer_row), out);
            outcome.code = SampleCode::Interpolated;
            return Ok(outcome);
        }
        let Some(previous) = older.checked_sub(1).filter(|at| beyond > 0.0 && find(&frames[*at])) else {
            return Ok(hold(Some(newer_row), out));
        };
        let Some(older_row) = row(previous) else { return Ok(hold(Some(newer_row), out)) };
        let ticks = newest - f64::from(frames[previous].tick.0);
        let code = if tick - newest > beyond { SampleCode::Held } else { SampleCode::Extrapolated };
        (Blend { older: older_row, newer: newer_row, part: 1.0 + beyond / ticks, ticks }, code)
    };
    Ok(write(schema, &selection, &blend, code, options, out))
}

fn write(
    schema: &Schema,
    selection: &Selection,
    blend: &Blend<'_>,
    code: SampleCode,
    options: &SampleOptions,
    out: &mut [u8],
) -> SampleOutcome {
    let first = |row: RowRef<'_>| row.chunk.archetype.first_column(selection.component).unwrap_or(0);
    let (older_first, newer_first) = (first(blend.older), first(blend.newer));
    let fields = &schema.component(selection.component).fields;
    let cells = |at: usize| (blend.older.cell(older_first + at), blend.newer.cell(newer_first + at));
    let teleported = options.teleport_distance.is_some_and(|distance| {
        selection.fields.clone().any(|at| {
            let desc = &fields[at].desc;
            let (FieldKind::Vector { range, .. } | FieldKind::DVec3(range)) = &desc.kind else {
                return false;
            };
            let (CellRef::Lanes(older), CellRef::Lanes(newer)) = cells(at) else { return false };
            let step = |(a, b): (&u64, &u64)| dequantise_float(*b, range) - dequantise_float(*a, range);
            let moved = older.iter().zip(newer).map(step).map(|part| part * part).sum::<f64>().sqrt();
            desc.semantic == Semantic::Point && moved > distance * blend.ticks
        })
    });
    // Before the newer tick the older value holds; from it on the newer one does.
    let held = if blend.part < 1.0 { blend.older } else { blend.newer };
    let held_first = first(held);
    let mut blended = false;
    for at in selection.fields.clone() {
        let field = &fields[at];
        let out = if selection.whole { &mut out[field.offset_bytes..] } else { &mut *out };
        if !teleported
            && let (CellRef::Lanes(older), CellRef::Lanes(newer)) = cells(at)
            && blend_lanes(&field.desc.kind, older, newer, blend.part, out)
        {
            blended = true;
            continue;
        }
        match held.cell(held_first + at) {
            CellRef::Lanes(lanes) => field.store_lanes(lanes, out),
            CellRef::Bytes(bytes) => field.store_bytes(bytes, out),
        }
    }
    SampleOutcome { code: if blended { code } else { SampleCode::Held }, teleported }
}

/// Writes the blend of two cells; false for kinds that do not blend.
fn blend_lanes(kind: &FieldKind, older: &[u64], newer: &[u64], part: f64, out: &mut [u8]) -> bool {
    let value = |range: &Range, at: usize| {
        let (from, to) = (dequantise_float(older[at], range), dequantise_float(newer[at], range));
        // Nothing that is carried on leaves its field's range.
        (from + (to - from) * part).clamp(range.min, range.max)
    };
    match kind {
        FieldKind::F32(range) | FieldKind::Vector { range, .. } => {
            for (at, out) in out.chunks_exact_mut(4).take(older.len()).enumerate() {
                out.copy_from_slice(&(value(range, at) as f32).to_le_bytes());
            }
        }
        FieldKind::F64(range) | FieldKind::DVec3(range) => {
            for (at, out) in out.chunks_exact_mut(8).take(older.len()).enumerate() {
                out.copy_from_slice(&value(range, at).to_le_bytes());
            }
        }
        FieldKind::Quat { bits } => {
            let lanes =
                |cell: &[u64]| dequantise_quat([cell[0], cell[1], cell[2], cell[3]], *bits).map(f64::from);
            let blended = nlerp(lanes(older), lanes(newer), part);
            for (part, out) in blended.iter().zip(out.chunks_exact_mut(4)) {
                out.copy_from_slice(&(*part as f32).to_le_bytes());
            }
        }
        _ => return false,
    }
    true
}

/// Normalised linear interpolation along the shorter arc. Ticks are close, so it is within a hair of slerp; carried on
/// over several ticks it turns a little less far, which is the safer side.
fn nlerp(older: [f64; 4], newer: [f64; 4], part: f64) -> [f64; 4] {
    let dot: f64 = older.iter().zip(newer).map(|(a, b)| a * b).sum();
    let sign = if dot < 0.0 { -1.0 } else { 1.0 };
    let mixed: [f64; 4] = core::array::from_fn(|at| older[at] * (1.0 - part) + newer[at] * part * sign);
    let length = mixed.iter().map(|part| part * part).sum::<f64>().sqrt();
    if length < 1e-9 { newer } else { mixed.map(|part| part / length) }
}
