//! Rows to bits and back: the `bits` packer. docs/protocol.md, "Packed rows", writes it down bit by bit.
//!
//! A body describes a range of slots of one chunk, relative to a baseline version of that chunk or to nothing. It says,
//! for every slot of the range, what is there now: the decoder needs the baseline and the body, nothing else.
//! The encoding is a function of (baseline, current, range) alone, so one encoding serves every link with that
//! baseline; and the decoder refuses any other spelling, so one state has one spelling.

use crate::mutants::{Mutant, Mutants};
use crate::schema::{FieldKind, LaneShape};
use crate::types::{ChunkId, EntityId};
use crate::wire::WireError;
use crate::wire::bits::{BitReader, BitWriter, unzigzag, zigzag};
use crate::world::chunk::slots;
use crate::world::limits::SLOTS;
use crate::world::{CellRef, Chunk, ColumnShape};

use super::ReplicationError;

/// Lanes up to this width are always written whole: a selector would cost more than it saves.
const MIN_RESIDUAL_BITS: u32 = 5;

/// The slots that a body speaks of, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotRange {
    /// The first.
    pub first: u8,
    /// The last.
    pub last: u8,
}

impl SlotRange {
    /// All slots of a chunk.
    pub const ALL: Self = Self { first: 0, last: SLOTS as u8 - 1 };

    /// How many slots.
    pub const fn len(self) -> u32 {
        self.last as u32 - self.first as u32 + 1
    }

    /// Never: a range has at least one slot.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// The range as an occupancy.
    pub const fn mask(self) -> u64 {
        (u64::MAX >> (64 - self.len())) << self.first
    }

    /// Both halves; `None` for a single slot.
    pub const fn halves(self) -> Option<(Self, Self)> {
        if self.first == self.last {
            return None;
        }
        let middle = self.first + (self.last - self.first) / 2;
        Some((Self { first: self.first, last: middle }, Self { first: middle + 1, last: self.last }))
    }
}

/// What a row's encoding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Cells differ from the baseline's.
    Change,
    /// The baseline's row is gone.
    Remove,
    /// The baseline's row is gone, and another is in its place.
    Replace,
    /// A row where the baseline has none.
    Spawn,
}

/// Bits that hold a variable cell's element count.
const fn count_bits(max_len: u16) -> u32 {
    u16::BITS - max_len.leading_zeros()
}

/// The four widths of a residual; the last is the whole lane.
const fn widths(bits: u32) -> [u32; 4] {
    [bits.div_ceil(4), bits.div_ceil(2), (3 * bits).div_ceil(4), bits]
}

/// The difference of two lanes as the shortest signed number, modulo the lane's width.
const fn residual(lane: u64, base: u64, bits: u32) -> u64 {
    let shift = 64 - bits;
    let difference = lane.wrapping_sub(base) << shift;
    zigzag(difference as i64 >> shift)
}

/// Undoes [`residual`].
const fn apply_residual(coded: u64, base: u64, bits: u32) -> u64 {
    base.wrapping_add(unzigzag(coded) as u64) & (u64::MAX >> (64 - bits))
}

/// Appends the body for a range of slots.
///
/// `base` must be an earlier version of the same chunk.
pub fn encode(
    current: &Chunk,
    base: Option<&Chunk>,
    range: SlotRange,
    mutants: Mutants,
    out: &mut BitWriter,
) {
    let before = base.map_or(0, |base| base.occupancy) & range.mask();
    let now = current.occupancy & range.mask();
    // Which slots differ, by column: compared once, asked three times.
    let mut differing = [0u64; crate::world::limits::MAX_COLUMNS];
    let mut rows_differ = 0u64;
    if let Some(base) = base {
        for (mask, (new, old)) in differing.iter_mut().zip(current.columns.iter().zip(&base.columns)) {
            if !std::sync::Arc::ptr_eq(new, old) {
                for slot in slots(before & now) {
                    *mask |= u64::from(new.get(slot) != old.get(slot)) << slot;
                }
                rows_differ |= *mask;
            }
        }
    }
    let mut operations = [None; SLOTS];
    let mut touched = 0u64;
    for slot in slots(before | now) {
        operations[slot] = match (base, before >> slot & 1 == 1, now >> slot & 1 == 1) {
            (Some(base), true, true) if base.entities[slot] != current.entities[slot] => {
                Some(Operation::Replace)
            }
            (Some(_), true, true) => (rows_differ >> slot & 1 == 1).then_some(Operation::Change),
            (_, true, _) => (!mutants.active(Mutant::DropDespawn)).then_some(Operation::Remove),
            _ => Some(Operation::Spawn),
        };
        if operations[slot].is_some() {
            touched |= 1 << slot;
        }
    }
    if mutants.active(Mutant::TruncateChunk)
        && let Some(last) = slots(touched).filter(|slot| operations[*slot] == Some(Operation::Change)).last()
    {
        touched &= !(1 << last);
    }
    put_touched(touched, range, out);
    for slot in slots(touched & before) {
        let gone = operations[slot] != Some(Operation::Change);
        out.put_bool(gone);
        if gone {
            out.put_bool(operations[slot] == Some(Operation::Replace));
        }
    }
    let changed = slots(touched)
        .filter(|slot| operations[*slot] == Some(Operation::Change))
        .fold(0u64, |mask, slot| mask | 1 << slot);
    let shapes = &current.archetype.columns;
    // Only columns in which some row changed take part in the rows' masks.
    let mut active = Vec::new();
    if base.is_some() && changed != 0 {
        for (column, rows) in differing.iter().enumerate().take(shapes.len()) {
            let differs = rows & changed != 0;
            out.put_bool(differs);
            if differs {
                active.push(column);
            }
        }
    }
    let mut previous = EntityId::NONE;
    for slot in slots(touched) {
        match (operations[slot], base) {
            (Some(Operation::Change), Some(base)) => {
                let holds = |column: &usize| differing[*column] >> slot & 1 == 1;
                let forgotten = if mutants.active(Mutant::ForgetFieldMaskBit)
                    && active.iter().filter(|column| holds(column)).count() > 1
                {
                    active.iter().copied().rfind(|column| holds(column))
                } else {
                    None
                };
                let set = |column: &usize| holds(column) && Some(*column) != forgotten;
                if active.len() > 1 {
                    for column in &active {
                        out.put_bool(set(column));
                    }
                }
                for column in active.iter().copied().filter(set) {
                    let (new, old) = (current.columns[column].get(slot), base.columns[column].get(slot));
                    put_change(&shapes[column], new, old, out);
                }
            }
            (Some(Operation::Spawn | Operation::Replace), _) => {
                let entity = current.entities[slot];
                let follows = entity == successor(previous);
                out.put_bool(follows);
                if !follows {
                    out.put(entity.0, 64);
                }
                previous = entity;
                for (shape, column) in shapes.iter().zip(&current.columns) {
                    let cell = column.get(slot);
                    let is_default = cell == CellRef::from(&shape.default_cell);
                    out.put_bool(!is_default);
                    if !is_default {
                        put_whole(shape, cell, out);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The id that a spawned row most likely has: the next index, same generation.
const fn successor(previous: EntityId) -> EntityId {
    EntityId(previous.0.wrapping_add(1))
}

/// Which slots are touched: a bitmap of the range, or, where that is shorter, a list.
fn put_touched(touched: u64, range: SlotRange, out: &mut BitWriter) {
    let count = touched.count_ones();
    let as_list = 6 + 6 * count < range.len();
    out.put_bool(as_list);
    if as_list {
        out.put(u64::from(count), 6);
        slots(touched).for_each(|slot| out.put(slot as u64, 6));
    } else {
        out.put(touched >> range.first, range.len());
    }
}

fn get_touched(range: SlotRange, input: &mut BitReader<'_>) -> Result<u64, WireError> {
    if !input.get_bool()? {
        let touched = input.get(range.len())? << range.first;
        let canonical = 6 + 6 * touched.count_ones() >= range.len();
        return if canonical {
            Ok(touched)
        } else {
            Err(WireError::Malformed("bitmap of slots where a list is shorter"))
        };
    }
    let count = input.get(6)? as u32;
    if 6 + 6 * count >= range.len() {
        return Err(WireError::Malformed("list of slots where a bitmap is shorter"));
    }
    let mut touched = 0u64;
    for _ in 0..count {
        let slot = input.get(6)?;
        // Ascending and inside the range: above everything so far.
        if range.mask() >> slot & 1 == 0 || touched >> slot != 0 {
            return Err(WireError::Malformed("list of slots"));
        }
        touched |= 1 << slot;
    }
    Ok(touched)
}

fn put_whole(shape: &ColumnShape, cell: CellRef<'_>, out: &mut BitWriter) {
    match (cell, &shape.kind) {
        (CellRef::Lanes(lanes), _) => {
            for (lane, shape) in lanes.iter().zip(&shape.lanes) {
                out.put(*lane, shape.bits);
            }
        }
        (CellRef::Bytes(bytes), FieldKind::List { item, max_len }) => {
            let (width, bits) = (item.cell_bytes(), item.lane().bits);
            out.put((bytes.len() / width) as u64, count_bits(*max_len));
            bytes
                .chunks_exact(width)
                .for_each(|element| out.put(crate::schema::quantise::list_lane(element), bits));
        }
        (CellRef::Bytes(bytes), kind) => {
            out.put(bytes.len() as u64, count_bits(kind.max_len()));
            for byte in bytes {
                out.put(u64::from(*byte), 8);
            }
        }
    }
}

fn put_change(shape: &ColumnShape, new: CellRef<'_>, old: CellRef<'_>, out: &mut BitWriter) {
    let (CellRef::Lanes(new_lanes), CellRef::Lanes(old_lanes), false) = (new, old, shape.codes_whole) else {
        return put_whole(shape, new, out);
    };
    if let FieldKind::Quat { .. } = shape.kind {
        // Another largest part makes the other three unrelated numbers.
        let same_largest = new_lanes[0] == old_lanes[0];
        out.put_bool(same_largest);
        if same_largest {
            put_residuals(&shape.lanes[1..], &new_lanes[1..], &old_lanes[1..], out);
        } else {
            put_whole(shape, new, out);
        }
    } else {
        put_residuals(&shape.lanes, new_lanes, old_lanes, out);
    }
}

fn put_residuals(shapes: &[LaneShape], new: &[u64], old: &[u64], out: &mut BitWriter) {
    for ((shape, new), old) in shapes.iter().zip(new).zip(old) {
        if shape.bits < MIN_RESIDUAL_BITS {
            out.put(*new, shape.bits);
            continue;
        }
        // With one lane, that it changed has been said.
        if shapes.len() > 1 {
            out.put_bool(new != old);
            if new == old {
                continue;
            }
        }
        let coded = residual(*new, *old, shape.bits);
        let widths = widths(shape.bits);
        let selector = widths[..3].iter().position(|width| coded >> width == 0).unwrap_or(3);
        out.put(selector as u64, 2);
        if selector == 3 {
            out.put(*new, shape.bits);
        } else {
            out.put(coded, widths[selector]);
        }
    }
}

/// Reads a body into `target`, whose rows in the range are the baseline's (or empty where there is none): afterwards
/// they are the current ones. Hashes of `target` are stale afterwards. On an error `target` is not to be used. That no
/// entity has two rows is for the caller to check, once all slots are known.
pub fn decode(body: &[u8], range: SlotRange, target: &mut Chunk) -> Result<(), ReplicationError> {
    let id = target.id;
    let bad = |problem| ReplicationError::BadRows { chunk: id, problem };
    let mut input = BitReader::new(body);
    let before = target.occupancy & range.mask();
    let touched = get_touched(range, &mut input)?;
    let (mut removed, mut spawned) = (0u64, touched & !before);
    for slot in slots(touched & before) {
        if input.get_bool()? {
            removed |= 1 << slot;
            if input.get_bool()? {
                spawned |= 1 << slot;
            }
        }
    }
    let changed = touched & before & !removed;
    // Shared until a row is removed.
    let replaced = std::sync::Arc::clone(&target.entities);
    slots(removed).for_each(|slot| target.remove_entity(slot));
    let archetype = std::sync::Arc::clone(&target.archetype);
    let shapes = &archetype.columns;
    let mut active = Vec::new();
    if changed != 0 {
        for column in 0..shapes.len() {
            if input.get_bool()? {
                active.push(column);
            }
        }
    }
    let mut used = vec![false; active.len()];
    let mut previous = EntityId::NONE;
    let mut scratch = Scratch::new(id);
    for slot in slots(touched) {
        if changed >> slot & 1 == 1 {
            let mut any = false;
            // Masks stand in front of the row's values, so they are read whole first.
            let mut set = [false; crate::world::limits::MAX_COLUMNS];
            for (at, used) in used.iter_mut().enumerate() {
                set[at] = active.len() == 1 || input.get_bool()?;
                any |= set[at];
                *used |= set[at];
            }
            if !any {
                return Err(bad("a changed row without a change"));
            }
            for (at, column) in active.iter().enumerate() {
                if set[at] {
                    let old = target.columns[*column].get(slot);
                    let new = scratch.change(&shapes[*column], old, &mut input)?;
                    if !target.set_cell(*column, slot, new) {
                        return Err(ReplicationError::Misfit(id));
                    }
                }
            }
            continue;
        }
        if spawned >> slot & 1 == 1 {
            let follows = input.get_bool()?;
            let entity = if follows { successor(previous) } else { EntityId(input.get(64)?) };
            let is_replaced = removed >> slot & 1 == 1 && entity == replaced[slot];
            if entity.is_none() || is_replaced || !follows && entity == successor(previous) {
                return Err(bad("a spawned row's entity"));
            }
            previous = entity;
            target.put_entity(slot, entity);
            for (column, shape) in shapes.iter().enumerate() {
                if input.get_bool()? {
                    let cell = scratch.whole(shape, &mut input)?;
                    if !target.set_cell(column, slot, cell) {
                        return Err(bad("a default that is written out"));
                    }
                }
            }
        }
    }
    if used.contains(&false) {
        return Err(bad("a column that no row changes"));
    }
    input.finish()?;
    Ok(())
}

/// Where decoded cells stand until they are stored.
struct Scratch {
    chunk: ChunkId,
    lanes: [u64; 4],
    bytes: Vec<u8>,
}

impl Scratch {
    const fn new(chunk: ChunkId) -> Self {
        Self { chunk, lanes: [0; 4], bytes: Vec::new() }
    }

    fn whole(&mut self, shape: &ColumnShape, input: &mut BitReader<'_>) -> Result<CellRef<'_>, WireError> {
        if !shape.kind.is_variable() {
            for (lane, shape) in self.lanes.iter_mut().zip(&shape.lanes) {
                *lane = get_lane(shape, input)?;
            }
            return Ok(CellRef::Lanes(&self.lanes[..shape.lanes.len()]));
        }
        let max_len = shape.kind.max_len();
        let count = input.get(count_bits(max_len))? as usize;
        if count > max_len as usize {
            return Err(WireError::OverLimit { field: "elements", actual: count, limit: max_len as usize });
        }
        self.bytes.clear();
        if let FieldKind::List { item, .. } = shape.kind {
            let lane = item.lane();
            for _ in 0..count {
                let value = get_lane(&lane, input)?;
                self.bytes.extend_from_slice(&value.to_le_bytes()[..item.cell_bytes()]);
            }
        } else {
            for _ in 0..count {
                self.bytes.push(input.get(8)? as u8);
            }
            if matches!(shape.kind, FieldKind::String { .. }) && core::str::from_utf8(&self.bytes).is_err() {
                return Err(WireError::Malformed("text"));
            }
        }
        Ok(CellRef::Bytes(&self.bytes))
    }

    fn change(
        &mut self,
        shape: &ColumnShape,
        old: CellRef<'_>,
        input: &mut BitReader<'_>,
    ) -> Result<CellRef<'_>, ReplicationError> {
        let (CellRef::Lanes(old), false) = (old, shape.codes_whole) else {
            return Ok(self.whole(shape, input)?);
        };
        let count = old.len();
        if let FieldKind::Quat { .. } = shape.kind {
            if !input.get_bool()? {
                let chunk = self.chunk;
                let whole = self.whole(shape, input)?;
                return match whole {
                    CellRef::Lanes(lanes) if lanes[0] != old[0] => Ok(whole),
                    _ => Err(ReplicationError::Misfit(chunk)),
                };
            }
            self.lanes[0] = old[0];
            get_residuals(self.chunk, &shape.lanes[1..], &old[1..], &mut self.lanes[1..], input)?;
        } else {
            get_residuals(self.chunk, &shape.lanes, old, &mut self.lanes, input)?;
        }
        Ok(CellRef::Lanes(&self.lanes[..count]))
    }
}

fn get_lane(shape: &LaneShape, input: &mut BitReader<'_>) -> Result<u64, WireError> {
    let lane = input.get(shape.bits)?;
    if lane > shape.max { Err(WireError::Malformed("lane out of range")) } else { Ok(lane) }
}

fn get_residuals(
    chunk: ChunkId,
    shapes: &[LaneShape],
    old: &[u64],
    new: &mut [u64],
    input: &mut BitReader<'_>,
) -> Result<(), ReplicationError> {
    for ((shape, old), new) in shapes.iter().zip(old).zip(new) {
        if shape.bits < MIN_RESIDUAL_BITS {
            *new = get_lane(shape, input)?;
            continue;
        }
        if shapes.len() > 1 && !input.get_bool()? {
            *new = *old;
            continue;
        }
        let widths = widths(shape.bits);
        let selector = input.get(2)? as usize;
        let too_wide = |coded: u64| selector > 0 && coded >> widths[selector - 1] == 0;
        if selector == 3 {
            *new = get_lane(shape, input)?;
            // That the whole lane was shorter to say depends on the baseline alone.
            if too_wide(residual(*new, *old, shape.bits)) {
                return Err(ReplicationError::Misfit(chunk));
            }
            continue;
        }
        let coded = input.get(widths[selector])?;
        if coded == 0 || too_wide(coded) {
            return Err(WireError::Malformed("residual").into());
        }
        *new = apply_residual(coded, *old, shape.bits);
        if *new > shape.max {
            return Err(ReplicationError::Misfit(chunk));
        }
    }
    Ok(())
}
