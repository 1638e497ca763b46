//! Engine values to quantised lanes and back.
//!
//! A lane is an unsigned number: how many steps a value lies above the field's minimum, rounded to the nearest, halves
//! away from zero. The arithmetic is f64 throughout, so a caller's flush-to-zero mode cannot reach it (a denormal is
//! below every legal step). NaN never enters a lane: the caller keeps the old value and counts it. What is out of
//! range clamps, and is counted too.
//!
//! Quantising is idempotent: a value that was read back and is written again keeps its lanes. For quaternions, whose
//! largest part can change on the way, that takes a fixed point (see [`quantise_quat`]).

use crate::types::EntityId;

use super::field::{Cell, Value};
use super::kind::{FieldKind, IntType, ListItem, Range};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It fits.
    Exact,
    /// It was out of range (or too long) and was cut to fit.
    Clamped,
    /// It is not a value at all (NaN, a quaternion without length, text that is not UTF-8): the old one stays.
    NotAValue,
}

impl Outcome {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotAValue, _) | (_, Self::NotAValue) => Self::NotAValue,
            (Self::Clamped, _) | (_, Self::Clamped) => Self::Clamped,
            _ => Self::Exact,
        }
    }
}

/// The lane of a float. `max_lane` is the range's; NaN is the caller's to catch.
#[inline]
pub fn quantise_float(value: f64, range: &Range, max_lane: u64) -> (u64, Outcome) {
    if value.is_nan() {
        return (0, Outcome::NotAValue);
    }
    // Up to half a step outside still rounds to the bound: a bound that f32 cannot hold exactly must not count as
    // out of range when it is read and written back.
    if value <= range.min {
        return (0, if value < range.min - range.step * 0.5 { Outcome::Clamped } else { Outcome::Exact });
    }
    if value > range.max {
        return (
            max_lane,
            if value > range.max + range.step * 0.5 { Outcome::Clamped } else { Outcome::Exact },
        );
    }
    // `f64::round` is half away from zero, whatever the mode; the quotient is not negative here.
    ((((value - range.min) / range.step).round() as u64).min(max_lane), Outcome::Exact)
}

/// The float of a lane.
#[inline]
pub fn dequantise_float(lane: u64, range: &Range) -> f64 {
    // Range::max need not be a whole number of steps away; the last lane means the maximum then.
    (range.min + lane as f64 * range.step).min(range.max)
}

/// The largest lane of a quaternion's part: an even number of steps, so that zero, and with it the identity, is exact.
pub const fn quat_max_lane(bits: u8) -> u64 {
    (1 << bits) - 2
}

const SQRT_HALF: f64 = core::f64::consts::FRAC_1_SQRT_2;

/// Smallest three: index of the largest part (the lowest of equals), then the others in order, the quaternion's sign
/// chosen so that the largest is positive. Returns `None` for NaN, infinities and a length of zero.
pub fn quantise_quat(value: [f32; 4], bits: u8) -> Option<[u64; 4]> {
    let mut lanes = quantise_quat_once(value, bits)?;
    // Next to a tie of the two largest parts, reading back can make the other one the largest. Follow the pair of
    // answers to its fixed point, or, where it is a cycle of two, to the lesser: then writing back what was read
    // changes nothing.
    for _ in 0..4 {
        let again = quantise_quat_once(dequantise_quat(lanes, bits), bits)?;
        if again == lanes {
            return Some(lanes);
        }
        let back = quantise_quat_once(dequantise_quat(again, bits), bits)?;
        if back == lanes {
            return Some(lanes.min(again));
        }
        lanes = back;
    }
    Some(lanes)
}

fn quantise_quat_once(value: [f32; 4], bits: u8) -> Option<[u64; 4]> {
    let parts = value.map(f64::from);
    let length = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
    if !length.is_finite() || length < 1e-6 {
        return None;
    }
    let mut largest = 0;
    for index in 1..4 {
        if parts[index].abs() > parts[largest].abs() {
            largest = index;
        }
    }
    let scale = if parts[largest] < 0.0 { -1.0 / length } else { 1.0 / length };
    let max_lane = quat_max_lane(bits);
    let half = (max_lane / 2) as f64;
    let mut lanes = [largest as u64, 0, 0, 0];
    let mut out = 1;
    for (index, part) in parts.iter().enumerate() {
        if index != largest {
            // From [-sqrt 1/2, sqrt 1/2] to a signed count of steps: symmetric, so that q and -q agree.
            let steps = (part * scale / SQRT_HALF * half).round().clamp(-half, half);
            lanes[out] = (steps as i64 + (max_lane / 2) as i64) as u64;
            out += 1;
        }
    }
    Some(lanes)
}

/// The unit quaternion of lanes, x y z w.
pub fn dequantise_quat(lanes: [u64; 4], bits: u8) -> [f32; 4] {
    let half = (quat_max_lane(bits) / 2) as f64;
    let mut value = [0.0f32; 4];
    let mut rest = 1.0f64;
    let largest = (lanes[0] & 3) as usize;
    let mut next = 1;
    for (index, part) in value.iter_mut().enumerate() {
        if index != largest {
            let exact = (lanes[next] as f64 - half) / half * SQRT_HALF;
            rest -= exact * exact;
            *part = exact as f32;
            next += 1;
        }
    }
    value[largest] = rest.max(0.0).sqrt() as f32;
    value
}

/// Reads an integer of engine memory; `bytes` has the type's size.
pub(crate) fn read_int(ty: IntType, bytes: &[u8]) -> i128 {
    let mut wide = [0u8; 8];
    let size = ty.size_bytes();
    // Engine memory is the machine's own; every supported target is little-endian (checked in `layout`).
    wide[..size].copy_from_slice(&bytes[..size]);
    let unsigned = u64::from_le_bytes(wide);
    if ty.is_signed() {
        let shift = 64 - 8 * size as u32;
        i128::from(((unsigned << shift) as i64) >> shift)
    } else {
        i128::from(unsigned)
    }
}

pub(super) fn quantise_int(value: i128, min: i128, max: i128) -> (u64, Outcome) {
    let inside = value.clamp(min, max);
    ((inside - min) as u64, if inside == value { Outcome::Exact } else { Outcome::Clamped })
}

fn read_f32(bytes: &[u8], index: usize) -> f32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[index * 4..index * 4 + 4]);
    f32::from_le_bytes(raw)
}

fn read_f64(bytes: &[u8], index: usize) -> f64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
    f64::from_le_bytes(raw)
}

/// Quantises a fixed field from engine memory (`bytes`: the field's size) into `lanes` (the field's number).
/// With [`Outcome::NotAValue`] the lanes are meaningless.
pub fn quantise_lanes(kind: &FieldKind, bytes: &[u8], lanes: &mut [u64]) -> Outcome {
    let floats = |range: &Range, lanes: &mut [u64], read: &dyn Fn(usize) -> f64| {
        let max_lane = range.max_lane();
        let mut outcome = Outcome::Exact;
        for (index, lane) in lanes.iter_mut().enumerate() {
            let (quantised, one) = quantise_float(read(index), range, max_lane);
            *lane = quantised;
            outcome = outcome.and(one);
        }
        outcome
    };
    match kind {
        FieldKind::Int { ty, min, max } => {
            let (lane, outcome) = quantise_int(read_int(*ty, bytes), *min, *max);
            lanes[0] = lane;
            outcome
        }
        FieldKind::Flags { bits } => {
            let mut wide = [0; 8];
            let size = FieldKind::flags_bytes(*bits);
            wide[..size].copy_from_slice(&bytes[..size]);
            let value = u64::from_le_bytes(wide);
            lanes[0] = value & (u64::MAX >> (64 - u32::from(*bits)));
            if lanes[0] == value { Outcome::Exact } else { Outcome::Clamped }
        }
        FieldKind::F32(range) | FieldKind::Vector { range, .. } => {
            floats(range, lanes, &|index| f64::from(read_f32(bytes, index)))
        }
        FieldKind::F64(range) | FieldKind::DVec3(range) => {
            floats(range, lanes, &|index| read_f64(bytes, index))
        }
        FieldKind::Quat { bits } => {
            let value = core::array::from_fn(|index| read_f32(bytes, index));
            match quantise_quat(value, *bits) {
                Some(quantised) => {
                    lanes.copy_from_slice(&quantised);
                    Outcome::Exact
                }
                None => Outcome::NotAValue,
            }
        }
        FieldKind::Entity => {
            let mut raw = [0; 8];
            raw.copy_from_slice(&bytes[..8]);
            lanes[0] = u64::from_le_bytes(raw);
            Outcome::Exact
        }
        FieldKind::String { .. } | FieldKind::Bytes { .. } | FieldKind::List { .. } => Outcome::NotAValue,
    }
}

/// Writes a fixed field's lanes into engine memory (`bytes`: the field's size).
pub fn dequantise_lanes(kind: &FieldKind, lanes: &[u64], bytes: &mut [u8]) {
    match kind {
        FieldKind::Int { ty, min, .. } => {
            let value = (i128::from(lanes[0]) + min) as u64;
            bytes[..ty.size_bytes()].copy_from_slice(&value.to_le_bytes()[..ty.size_bytes()]);
        }
        FieldKind::Flags { bits } => {
            let size = FieldKind::flags_bytes(*bits);
            bytes[..size].copy_from_slice(&lanes[0].to_le_bytes()[..size]);
        }
        FieldKind::F32(range) | FieldKind::Vector { range, .. } => {
            for (lane, out) in lanes.iter().zip(bytes.chunks_exact_mut(4)) {
                out.copy_from_slice(&(dequantise_float(*lane, range) as f32).to_le_bytes());
            }
        }
        FieldKind::F64(range) | FieldKind::DVec3(range) => {
            for (lane, out) in lanes.iter().zip(bytes.chunks_exact_mut(8)) {
                out.copy_from_slice(&dequantise_float(*lane, range).to_le_bytes());
            }
        }
        FieldKind::Quat { bits } => {
            let value = dequantise_quat([lanes[0], lanes[1], lanes[2], lanes[3]], *bits);
            for (part, out) in value.iter().zip(bytes.chunks_exact_mut(4)) {
                out.copy_from_slice(&part.to_le_bytes());
            }
        }
        FieldKind::Entity => bytes[..8].copy_from_slice(&lanes[0].to_le_bytes()),
        FieldKind::String { .. } | FieldKind::Bytes { .. } | FieldKind::List { .. } => {}
    }
}

/// Where a list's elements start behind its length.
fn list_start(item: ListItem) -> usize {
    item.size_bytes().max(4)
}

/// Quantises a variable field from engine memory into its canonical cell, which replaces what `cell` held.
pub fn quantise_bytes(kind: &FieldKind, bytes: &[u8], cell: &mut Vec<u8>) -> Outcome {
    cell.clear();
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[..4]);
    let stated = u32::from_le_bytes(raw) as usize;
    let length = stated.min(kind.max_len() as usize);
    let mut outcome = if length == stated { Outcome::Exact } else { Outcome::Clamped };
    match kind {
        FieldKind::Bytes { .. } => cell.extend_from_slice(&bytes[4..4 + length]),
        FieldKind::String { .. } => match core::str::from_utf8(&bytes[4..4 + length]) {
            Ok(text) => cell.extend_from_slice(text.as_bytes()),
            // The cut may fall inside a character; then the character goes too. Anything else is not text.
            Err(error) if error.error_len().is_none() && length < stated => {
                cell.extend_from_slice(&bytes[4..4 + error.valid_up_to()]);
            }
            Err(_) => return Outcome::NotAValue,
        },
        FieldKind::List { item, .. } => {
            let elements = &bytes[list_start(*item)..];
            let width = item.cell_bytes();
            for index in 0..length {
                let (lane, one) = match item {
                    ListItem::Int { ty, min, max } => {
                        quantise_int(read_int(*ty, &elements[index * ty.size_bytes()..]), *min, *max)
                    }
                    ListItem::F32(range) => {
                        quantise_float(f64::from(read_f32(elements, index)), range, range.max_lane())
                    }
                };
                outcome = outcome.and(one);
                cell.extend_from_slice(&lane.to_le_bytes()[..width]);
            }
        }
        _ => return Outcome::NotAValue,
    }
    outcome
}

/// Writes a variable cell into engine memory (`bytes`: the field's size); what follows the last element becomes zero.
pub fn dequantise_bytes(kind: &FieldKind, cell: &[u8], bytes: &mut [u8]) {
    bytes.fill(0);
    match kind {
        FieldKind::String { .. } | FieldKind::Bytes { .. } => {
            bytes[..4].copy_from_slice(&(cell.len() as u32).to_le_bytes());
            bytes[4..4 + cell.len()].copy_from_slice(cell);
        }
        FieldKind::List { item, .. } => {
            let width = item.cell_bytes();
            // A list of constants (width zero) has cells without bytes and cannot be counted; it is refused at
            // registration.
            let count = cell.len() / width.max(1);
            bytes[..4].copy_from_slice(&(count as u32).to_le_bytes());
            let size = item.size_bytes();
            let out = bytes[list_start(*item)..].chunks_exact_mut(size);
            for (element, out) in cell.chunks_exact(width.max(1)).zip(out) {
                let lane = list_lane(element);
                match item {
                    ListItem::Int { min, .. } => {
                        out.copy_from_slice(&((i128::from(lane) + min) as u64).to_le_bytes()[..size]);
                    }
                    ListItem::F32(range) => {
                        out.copy_from_slice(&(dequantise_float(lane, range) as f32).to_le_bytes());
                    }
                }
            }
        }
        _ => {}
    }
}

/// The lane of one list element in a cell.
pub fn list_lane(element: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..element.len()].copy_from_slice(element);
    u64::from_le_bytes(wide)
}

/// The cell of a default; its text, length and range are checked, since nobody watches a default clamp.
pub(crate) fn default_cell(kind: &FieldKind, default: &Value) -> Result<Cell, &'static str> {
    let float = |value: f64, range: &Range| match quantise_float(value, range, range.max_lane()) {
        (lane, Outcome::Exact) => Ok(lane),
        _ => Err("the default is out of range"),
    };
    let lanes = |range: &Range, count: usize| -> Result<Cell, &'static str> {
        match default {
            Value::Unset => {
                Ok(Cell::Lanes(vec![quantise_float(0.0, range, range.max_lane()).0; count].into()))
            }
            Value::Numbers(numbers) if numbers.len() == count => numbers
                .iter()
                .map(|number| float(*number, range))
                .collect::<Result<Box<_>, _>>()
                .map(Cell::Lanes),
            _ => Err("the default is of another kind than the field"),
        }
    };
    match (kind, default) {
        (FieldKind::Int { min, max, .. }, Value::Unset) => {
            Ok(Cell::Lanes([quantise_int(0, *min, *max).0].into()))
        }
        (FieldKind::Int { min, max, .. }, Value::Int(value)) => match quantise_int(*value, *min, *max) {
            (lane, Outcome::Exact) => Ok(Cell::Lanes([lane].into())),
            _ => Err("the default is out of range"),
        },
        (FieldKind::Flags { .. }, Value::Unset) => Ok(Cell::Lanes([0].into())),
        (FieldKind::Flags { bits }, Value::Int(value)) => {
            if *value < 0 || *value > i128::from(u64::MAX >> (64 - u32::from(*bits))) {
                return Err("the default is out of range");
            }
            Ok(Cell::Lanes([*value as u64].into()))
        }
        (FieldKind::F32(range) | FieldKind::F64(range), _) => lanes(range, 1),
        (FieldKind::Vector { len, range }, _) => lanes(range, *len as usize),
        (FieldKind::DVec3(range), _) => lanes(range, 3),
        (FieldKind::Quat { bits }, Value::Unset) => {
            let middle = quat_max_lane(*bits) / 2;
            Ok(Cell::Lanes([3, middle, middle, middle].into()))
        }
        (FieldKind::Quat { bits }, Value::Numbers(numbers)) if numbers.len() == 4 => {
            let value = core::array::from_fn(|index| numbers[index] as f32);
            let lanes = quantise_quat(value, *bits).ok_or("the default is not a quaternion")?;
            Ok(Cell::Lanes(lanes.into()))
        }
        (FieldKind::Entity, Value::Unset) => Ok(Cell::Lanes([EntityId::NONE.0].into())),
        (FieldKind::String { .. } | FieldKind::Bytes { .. } | FieldKind::List { .. }, Value::Unset) => {
            Ok(Cell::Bytes([].into()))
        }
        (FieldKind::String { max_len }, Value::Text(text)) if text.len() <= *max_len as usize => {
            Ok(Cell::Bytes(text.as_bytes().into()))
        }
        (FieldKind::Bytes { max_len }, Value::Bytes(bytes)) if bytes.len() <= *max_len as usize => {
            Ok(Cell::Bytes(bytes.as_slice().into()))
        }
        _ => Err("the default is of another kind than the field, or too long"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::FieldDesc;

    fn range() -> impl Strategy<Value = Range> {
        (-1e6f64..1e6, 1e-4f64..1e6, 1u32..2_000_000)
            .prop_map(|(min, width, steps)| Range::new(min, min + width, width / f64::from(steps)))
    }

    fn checked(kind: FieldKind) -> bool {
        FieldDesc::new(1, "field", kind).check("test").is_ok()
    }

    proptest! {
        #[test]
        fn floats_round_trip_and_keep_order(range in range(), a in 0.0f64..=1.0, b in 0.0f64..=1.0) {
            prop_assume!(checked(FieldKind::F32(range)));
            let max_lane = range.max_lane();
            let at = |part: f64| (range.min + part * (range.max - range.min)) as f32;
            let (low, high) = if a <= b { (at(a), at(b)) } else { (at(b), at(a)) };
            let (lane_low, _) = quantise_float(f64::from(low), &range, max_lane);
            let (lane_high, _) = quantise_float(f64::from(high), &range, max_lane);
            prop_assert!(lane_low <= lane_high);
            let back = dequantise_float(lane_low, &range) as f32;
            prop_assert!(f64::from(back - low).abs() <= range.step * 1.5);
            prop_assert_eq!(quantise_float(f64::from(back), &range, max_lane).0, lane_low);
            prop_assert!(dequantise_float(lane_low, &range) <= dequantise_float(lane_high, &range));
        }

        #[test]
        fn quaternions_round_trip(parts in [-1.0f32..1.0, -1.0f32..1.0, -1.0f32..1.0, -1.0f32..1.0], bits in 4u8..=18) {
            let length = parts.iter().map(|part| part * part).sum::<f32>().sqrt();
            prop_assume!(length > 0.01);
            let lanes = quantise_quat(parts, bits).unwrap();
            prop_assert!(lanes[1..].iter().all(|lane| *lane <= quat_max_lane(bits)));
            let back = dequantise_quat(lanes, bits);
            prop_assert_eq!(quantise_quat(back, bits).unwrap(), lanes, "writing back what was read changed it");
            let dot: f32 = parts.iter().zip(back).map(|(a, b)| a / length * b).sum();
            // Each part is at most two steps off (one of them from the fixed point next to a tie).
            let step = 2.0 * core::f32::consts::SQRT_2 / quat_max_lane(bits) as f32;
            prop_assert!(dot.abs() > 1.0 - 8.0 * step * step - 1e-5, "dot {}", dot);
        }

        #[test]
        fn a_tie_of_the_largest_parts_is_a_fixed_point(signs in [any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()], noise in [-2e-3f32..2e-3, -2e-3f32..2e-3, -2e-3f32..2e-3, -2e-3f32..2e-3], bits in 4u8..=18) {
            let parts = core::array::from_fn(|i| if signs[i] { 0.5 + noise[i] } else { -0.5 + noise[i] });
            let lanes = quantise_quat(parts, bits).unwrap();
            prop_assert_eq!(quantise_quat(dequantise_quat(lanes, bits), bits).unwrap(), lanes);
        }

        #[test]
        fn integers_round_trip(value in any::<i64>(), a in any::<i64>(), b in any::<i64>()) {
            let (min, max) = (i128::from(a.min(b)), i128::from(a.max(b)));
            let kind = FieldKind::Int { ty: IntType::I64, min, max };
            let mut lanes = [0];
            let outcome = quantise_lanes(&kind, &value.to_le_bytes(), &mut lanes);
            let mut back = [0; 8];
            dequantise_lanes(&kind, &lanes, &mut back);
            let back = i128::from(i64::from_le_bytes(back));
            prop_assert_eq!(back, i128::from(value).clamp(min, max));
            prop_assert_eq!(outcome == Outcome::Exact, back == i128::from(value));
        }
    }

    #[test]
    fn halves_go_away_from_the_minimum() {
        let range = Range::new(-1.0, 1.0, 0.5);
        let lane = |value: f64| quantise_float(value, &range, range.max_lane()).0;
        assert_eq!([lane(-0.75), lane(-0.25), lane(0.25), lane(0.75)], [1, 2, 3, 4]);
        // The number just below a half stays below it (adding 0.5 and cutting would not).
        assert_eq!(quantise_float(0.499_999_999_999_999_94, &Range::new(0.0, 8.0, 1.0), 8).0, 0);
    }

    #[test]
    fn what_is_no_value_is_said_to_be_none() {
        let range = Range::new(0.0, 1.0, 0.25);
        assert_eq!(quantise_float(f64::NAN, &range, 4).1, Outcome::NotAValue);
        assert_eq!(quantise_float(f64::INFINITY, &range, 4), (4, Outcome::Clamped));
        assert_eq!(quantise_float(f64::NEG_INFINITY, &range, 4), (0, Outcome::Clamped));
        assert_eq!(quantise_quat([0.0; 4], 10), None);
        assert_eq!(quantise_quat([f32::NAN, 0.0, 0.0, 1.0], 10), None);
        let mut lanes = [0; 3];
        let bytes: Vec<u8> = [0.5f32, f32::NAN, 0.5].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(quantise_lanes(&FieldKind::vec3(range), &bytes, &mut lanes), Outcome::NotAValue);
    }

    #[test]
    fn the_identity_is_exact() {
        for bits in 4..=18 {
            let lanes = quantise_quat([0.0, 0.0, 0.0, 1.0], bits).unwrap();
            assert_eq!(
                dequantise_quat(lanes, bits).map(f32::to_bits),
                [0.0, 0.0, 0.0, 1.0f32].map(f32::to_bits)
            );
            assert_eq!(
                quantise_quat([-0.0, 0.0, 0.0, -2.0], bits),
                Some(lanes),
                "sign and length do not matter"
            );
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        let kind = FieldKind::String { max_len: 4 };
        let mut memory = 5u32.to_le_bytes().to_vec();
        memory.extend_from_slice("abc\u{e9}".as_bytes());
        let mut cell = Vec::new();
        assert_eq!(quantise_bytes(&kind, &memory, &mut cell), Outcome::Clamped);
        assert_eq!(cell, b"abc");
        memory[5] = 0xff;
        assert_eq!(quantise_bytes(&kind, &memory, &mut cell), Outcome::NotAValue);
    }

    #[test]
    fn lists_round_trip() {
        for item in [
            ListItem::Int { ty: IntType::I16, min: -300, max: 300 },
            ListItem::Int { ty: IntType::U64, min: 0, max: i128::from(u64::MAX) },
            ListItem::F32(Range::new(-1.0, 1.0, 1.0 / 128.0)),
        ] {
            let kind = FieldKind::List { item, max_len: 5 };
            let (size, _) = kind.engine_size();
            let mut memory = vec![0; size];
            memory[0] = 3;
            for index in 0..3usize {
                let value: Vec<u8> = match item {
                    ListItem::Int { ty, .. } => (index as u64 * 7).to_le_bytes()[..ty.size_bytes()].to_vec(),
                    ListItem::F32(_) => (index as f32 * 0.25).to_le_bytes().to_vec(),
                };
                let at = list_start(item) + index * item.size_bytes();
                memory[at..at + value.len()].copy_from_slice(&value);
            }
            let mut cell = Vec::new();
            assert_eq!(quantise_bytes(&kind, &memory, &mut cell), Outcome::Exact);
            assert_eq!(cell.len(), 3 * item.cell_bytes());
            let mut back = vec![0xaa; size];
            dequantise_bytes(&kind, &cell, &mut back);
            assert_eq!(back, memory);
        }
    }
}
