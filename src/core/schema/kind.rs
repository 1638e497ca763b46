//! The kinds of fields and their quantisation: what a lane means, how wide it is, what stands in engine memory.

use super::limits::{MAX_ELEMENTS, MAX_STEPS_F64, QUAT_BITS};
use super::quantise;

/// An integer's storage type in engine memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntType {
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
}

impl IntType {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 8] =
        [Self::I8, Self::I16, Self::I32, Self::I64, Self::U8, Self::U16, Self::U32, Self::U64];

    /// Bytes in engine memory.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 => 4,
            Self::I64 | Self::U64 => 8,
        }
    }

    /// True for I8 to I64.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// The least value of the type.
    pub const fn least(self) -> i128 {
        if self.is_signed() { -(1 << (self.size_bytes() * 8 - 1)) } else { 0 }
    }

    /// The largest value of the type.
    pub const fn largest(self) -> i128 {
        if self.is_signed() {
            (1 << (self.size_bytes() * 8 - 1)) - 1
        } else {
            (1 << (self.size_bytes() * 8)) - 1
        }
    }

    /// The name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
        }
    }

    /// The number in hashes and in the C ABI.
    pub const fn code(self) -> u8 {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 3,
            Self::I64 => 4,
            Self::U8 => 5,
            Self::U16 => 6,
            Self::U32 => 7,
            Self::U64 => 8,
        }
    }
}

/// A float's quantisation: `min + lane * step`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Least value; what lane 0 means.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Distance of neighbouring values.
    pub step: f64,
}

impl Range {
    /// A range; checked when its component is registered.
    pub const fn new(min: f64, max: f64, step: f64) -> Self {
        Self { min, max, step }
    }

    /// The largest lane.
    pub fn max_lane(&self) -> u64 {
        ((self.max - self.min) / self.step).round() as u64
    }
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListItem {
    /// Bounded integers.
    Int {
        /// Storage type.
        ty: IntType,
        /// Least value.
        min: i128,
        /// Largest value.
        max: i128,
    },
    /// Quantised f32.
    F32(Range),
}

impl ListItem {
    /// Bytes of an element in engine memory (also its alignment).
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::Int { ty, .. } => ty.size_bytes(),
            Self::F32(_) => 4,
        }
    }

    /// Width and bound of an element's lane.
    pub fn lane(self) -> LaneShape {
        match self {
            Self::Int { min, max, .. } => LaneShape::up_to((max - min) as u64),
            Self::F32(range) => LaneShape::up_to(range.max_lane()),
        }
    }

    /// Bytes of an element in a quantised cell.
    pub fn cell_bytes(self) -> usize {
        self.lane().bits.div_ceil(8) as usize
    }
}

/// A field's type and quantisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldKind {
    /// A bounded integer.
    Int {
        /// Storage type.
        ty: IntType,
        /// Least value.
        min: i128,
        /// Largest value.
        max: i128,
    },
    /// 1 to 64 bits, stored in the smallest unsigned integer that holds them.
    Flags {
        /// How many.
        bits: u8,
    },
    /// One f32.
    F32(Range),
    /// One f64.
    F64(Range),
    /// Two to four f32, changed as one.
    Vector {
        /// How many: 2, 3 or 4.
        len: u8,
        /// Of each.
        range: Range,
    },
    /// Three f64, changed as one.
    DVec3(Range),
    /// A unit quaternion, four f32 in the order x y z w, quantised as smallest three.
    Quat {
        /// Bits of each of the three.
        bits: u8,
    },
    /// A reference to an entity, u64.
    Entity,
    /// UTF-8 of at most `max_len` bytes: u32 length, then `max_len` bytes.
    String {
        /// Capacity in bytes.
        max_len: u16,
    },
    /// At most `max_len` bytes: u32 length, then `max_len` bytes.
    Bytes {
        /// Capacity in bytes.
        max_len: u16,
    },
    /// At most `max_len` elements: u32 length, then `max_len` elements at their alignment.
    List {
        /// What it holds.
        item: ListItem,
        /// Capacity in elements.
        max_len: u16,
    },
}

impl FieldKind {
    /// An integer over its whole type.
    pub const fn int(ty: IntType) -> Self {
        Self::Int { ty, min: ty.least(), max: ty.largest() }
    }

    /// A three-component f32 vector.
    pub const fn vec3(range: Range) -> Self {
        Self::Vector { len: 3, range }
    }

    /// The name in a manifest.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Int { ty, .. } => ty.name(),
            Self::Flags { .. } => "flags",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Vector { len: 2, .. } => "vec2",
            Self::Vector { len: 3, .. } => "vec3",
            Self::Vector { .. } => "vec4",
            Self::DVec3(_) => "dvec3",
            Self::Quat { .. } => "quat",
            Self::Entity => "entity",
            Self::String { .. } => "string",
            Self::Bytes { .. } => "bytes",
            Self::List { .. } => "list",
        }
    }

    /// The number in hashes and in the C ABI.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Int { ty, .. } => ty.code(),
            Self::Flags { .. } => 9,
            Self::F32(_) => 10,
            Self::F64(_) => 11,
            Self::Vector { len: 2, .. } => 12,
            Self::Vector { len: 3, .. } => 13,
            Self::Vector { .. } => 14,
            Self::DVec3(_) => 15,
            Self::Quat { .. } => 16,
            Self::Entity => 17,
            Self::String { .. } => 18,
            Self::Bytes { .. } => 19,
            Self::List { .. } => 20,
        }
    }

    /// Bytes of the unsigned integer that stores this many flags.
    pub(crate) const fn flags_bytes(bits: u8) -> usize {
        match bits {
            0..=8 => 1,
            9..=16 => 2,
            17..=32 => 4,
            _ => 8,
        }
    }

    /// Size and alignment in engine memory.
    pub const fn engine_size(&self) -> (usize, usize) {
        match self {
            Self::Int { ty, .. } => (ty.size_bytes(), ty.size_bytes()),
            Self::Flags { bits } => (Self::flags_bytes(*bits), Self::flags_bytes(*bits)),
            Self::F32(_) => (4, 4),
            Self::F64(_) | Self::Entity => (8, 8),
            Self::Vector { len, .. } => (*len as usize * 4, 4),
            Self::DVec3(_) => (24, 8),
            Self::Quat { .. } => (16, 4),
            Self::String { max_len } | Self::Bytes { max_len } => {
                ((4 + *max_len as usize).next_multiple_of(4), 4)
            }
            Self::List { item, max_len } => {
                let element = item.size_bytes();
                let align = if element > 4 { element } else { 4 };
                let start = if element > 4 { element } else { 4 };
                ((start + *max_len as usize * element).next_multiple_of(align), align)
            }
        }
    }

    /// True where a cell is bytes of changing length instead of lanes.
    pub const fn is_variable(&self) -> bool {
        matches!(self, Self::String { .. } | Self::Bytes { .. } | Self::List { .. })
    }

    /// The lanes of a cell, in order; empty for variable kinds.
    pub fn lanes(&self) -> Vec<LaneShape> {
        match self {
            Self::Int { min, max, .. } => vec![LaneShape::up_to((max - min) as u64)],
            Self::Flags { bits } => vec![LaneShape::up_to(u64::MAX >> (64 - u32::from(*bits)))],
            Self::F32(range) | Self::F64(range) => vec![LaneShape::up_to(range.max_lane())],
            Self::Vector { len, range } => vec![LaneShape::up_to(range.max_lane()); *len as usize],
            Self::DVec3(range) => vec![LaneShape::up_to(range.max_lane()); 3],
            Self::Quat { bits } => {
                let part = LaneShape::up_to(quantise::quat_max_lane(*bits));
                vec![LaneShape::up_to(3), part, part, part]
            }
            Self::Entity => vec![LaneShape::up_to(u64::MAX)],
            Self::String { .. } | Self::Bytes { .. } | Self::List { .. } => Vec::new(),
        }
    }

    /// Capacity of a variable kind in elements; zero for fixed ones.
    pub const fn max_len(&self) -> u16 {
        match self {
            Self::String { max_len } | Self::Bytes { max_len } | Self::List { max_len, .. } => *max_len,
            _ => 0,
        }
    }

    /// Most bytes of a variable cell; zero for fixed kinds.
    pub fn max_cell_bytes(&self) -> usize {
        match self {
            Self::List { item, max_len } => item.cell_bytes() * *max_len as usize,
            _ => self.max_len() as usize,
        }
    }

    /// Most bits a packed value takes: what bounds a row.
    pub fn max_packed_bits(&self) -> usize {
        if self.is_variable() {
            16 + self.max_cell_bytes() * 8
        } else {
            self.lanes().iter().map(|lane| lane.bits as usize + 3).sum()
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let range = |range: &Range, ulp: f64, max_steps: f64| -> Result<(), &'static str> {
            if !(range.min.is_finite() && range.max.is_finite() && range.step.is_finite()) {
                return Err("the range is not finite");
            }
            if range.min >= range.max {
                return Err("the range is empty: its minimum is not below its maximum");
            }
            if range.step < f64::from(f32::MIN_POSITIVE) || range.step > range.max - range.min {
                return Err("the step is not between the least normal f32 and the width of the range");
            }
            if (range.max - range.min) / range.step > max_steps {
                return Err("the range has more steps than the type can tell apart");
            }
            // A value that is read back and written again must keep its lane: the type has to resolve the step.
            if ulp > range.step * 0.99 {
                return Err("the step is finer than the type resolves at the far end of the range");
            }
            Ok(())
        };
        let range_f32 = |r: &Range| {
            let far = r.min.abs().max(r.max.abs()) as f32;
            if !far.is_finite() {
                return Err("the range is wider than f32");
            }
            range(r, f64::from(far.next_up() - far), MAX_STEPS_F64)
        };
        let range_f64 = |r: &Range| {
            let far = r.min.abs().max(r.max.abs());
            range(r, (far.next_up() - far) * 4.0, MAX_STEPS_F64)
        };
        let int = |ty: IntType, min: i128, max: i128| {
            if min > max {
                Err("the minimum is above the maximum")
            } else if min < ty.least() || max > ty.largest() {
                Err("the bounds exceed the type")
            } else {
                Ok(())
            }
        };
        let len = |max_len: u16| {
            if max_len == 0 || max_len > MAX_ELEMENTS {
                Err("the capacity is not between 1 and the limit")
            } else {
                Ok(())
            }
        };
        match self {
            Self::Int { ty, min, max } => int(*ty, *min, *max),
            Self::Flags { bits } if *bits == 0 || *bits > 64 => Err("flags have 1 to 64 bits"),
            Self::Vector { len, .. } if !(2..=4).contains(len) => Err("a vector has 2 to 4 parts"),
            Self::F32(r) | Self::Vector { range: r, .. } => range_f32(r),
            Self::F64(r) | Self::DVec3(r) => range_f64(r),
            Self::Quat { bits } if !QUAT_BITS.contains(bits) => Err("a quaternion has 4 to 18 bits per part"),
            Self::Flags { .. } | Self::Quat { .. } | Self::Entity => Ok(()),
            Self::String { max_len } | Self::Bytes { max_len } => len(*max_len),
            Self::List { item, max_len } => {
                len(*max_len)?;
                match item {
                    // Elements without bits could not be counted in a cell.
                    ListItem::Int { min, max, .. } if min == max => Err("a list of a constant"),
                    ListItem::Int { ty, min, max } => int(*ty, *min, *max),
                    ListItem::F32(r) => range_f32(r),
                }
            }
        }
    }
}

/// Width and bound of one quantised lane. A lane is an unsigned number from 0 to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneShape {
    /// Bits that hold `max`; zero for a constant.
    pub bits: u32,
    /// The largest value.
    pub max: u64,
}

impl LaneShape {
    /// The lane for 0 to `max`.
    pub const fn up_to(max: u64) -> Self {
        Self { bits: u64::BITS - max.leading_zeros(), max }
    }
}

impl FieldKind {
    /// Bounds and quantisation as canonical bytes, for the schema hash.
    pub(super) fn hash_input(&self, out: &mut Vec<u8>) {
        let range = |range: &Range, out: &mut Vec<u8>| {
            for number in [range.min, range.max, range.step] {
                // Plus zero: the two zeros are one bound.
                out.extend_from_slice(&(number + 0.0).to_bits().to_le_bytes());
            }
        };
        let int = |min: &i128, max: &i128, out: &mut Vec<u8>| {
            out.extend_from_slice(&min.to_le_bytes());
            out.extend_from_slice(&max.to_le_bytes());
        };
        match self {
            Self::Int { min, max, .. } => int(min, max, out),
            Self::Flags { bits } | Self::Quat { bits } => out.push(*bits),
            Self::F32(r) | Self::F64(r) | Self::Vector { range: r, .. } | Self::DVec3(r) => range(r, out),
            Self::Entity => {}
            Self::String { max_len } | Self::Bytes { max_len } => {
                out.extend_from_slice(&max_len.to_le_bytes());
            }
            Self::List { item, max_len } => {
                out.extend_from_slice(&max_len.to_le_bytes());
                match item {
                    ListItem::Int { ty, min, max } => {
                        out.push(ty.code());
                        int(min, max, out);
                    }
                    ListItem::F32(r) => {
                        out.push(10);
                        range(r, out);
                    }
                }
            }
        }
    }
}
