//! Rows in a caller's memory: which of their numbers change between the session's basis and the wire's.
//!
//! Worked out once per session, so that a batch costs a walk over its own floats and no allocation. Called by write,
//! frame, entity and sample, on whatever thread they run.

use super::basis::{Basis, Meaning, Way};
use super::error::Error;
use crate::core::schema::{Component, ComponentIndex, FieldKind, Schema, Semantic};
use crate::core::types::ComponentId;

/// Most entities of one batch.
pub(crate) const MAX_ROWS: u64 = 1 << 20;
/// Most bytes from one row to the next.
pub(crate) const MAX_STRIDE: u64 = 1 << 20;

/// How a convertible field's numbers are stored.
#[derive(Clone, Copy)]
enum Numbers {
    Float(usize),
    Double3,
}

/// A field whose numbers have a place in space.
#[derive(Clone, Copy)]
struct Spatial {
    /// Its position among the component's fields.
    field: usize,
    offset_bytes: usize,
    numbers: Numbers,
    meaning: Meaning,
}

impl Spatial {
    fn convert(&self, value: &mut [u8], basis: Basis, way: Way) {
        match self.numbers {
            Numbers::Float(count) => {
                let mut floats = [0f32; 4];
                for (float, bytes) in floats.iter_mut().zip(value.chunks_exact(4)).take(count) {
                    *float = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
                basis.floats(&mut floats[..count], self.meaning, way);
                for (float, bytes) in floats.iter().zip(value.chunks_exact_mut(4)).take(count) {
                    bytes.copy_from_slice(&float.to_ne_bytes());
                }
            }
            Numbers::Double3 => {
                let mut doubles = [0f64; 3];
                for (double, bytes) in doubles.iter_mut().zip(value.chunks_exact(8)) {
                    let mut raw = [0; 8];
                    raw.copy_from_slice(bytes);
                    *double = f64::from_ne_bytes(raw);
                }
                let out = basis.vector(doubles, self.meaning, way);
                for (double, bytes) in out.iter().zip(value.chunks_exact_mut(8)) {
                    bytes.copy_from_slice(&double.to_ne_bytes());
                }
            }
        }
    }
}

/// The spatial fields of every component, for one basis.
pub(crate) struct Conversions {
    basis: Basis,
    /// By component index.
    components: Box<[Box<[Spatial]>]>,
}

impl Conversions {
    pub(crate) fn new(schema: &Schema, basis: Basis) -> Self {
        let spatial = |component: &Component| -> Box<[Spatial]> {
            if basis.is_wire() {
                return Box::default();
            }
            component
                .fields
                .iter()
                .enumerate()
                .filter_map(|(at, field)| {
                    let meaning = match field.desc.semantic {
                        Semantic::None => return None,
                        Semantic::Point => Meaning::Point,
                        Semantic::Direction => Meaning::Direction,
                        Semantic::Rotation => Meaning::Rotation,
                        Semantic::AngularVelocity => Meaning::AngularVelocity,
                        Semantic::Scale => Meaning::Scale,
                    };
                    let numbers = match field.desc.kind {
                        FieldKind::Vector { len, .. } => Numbers::Float(len as usize),
                        FieldKind::Quat { .. } => Numbers::Float(4),
                        FieldKind::DVec3(_) => Numbers::Double3,
                        _ => return None,
                    };
                    Some(Spatial { field: at, offset_bytes: field.offset_bytes, numbers, meaning })
                })
                .collect()
        };
        Self { basis, components: schema.components().iter().map(spatial).collect() }
    }
}

/// Rows of a component, or of one of its fields: what a batch moves.
pub(crate) struct Rows<'a> {
    pub(crate) component: ComponentId,
    pub(crate) index: ComponentIndex,
    /// The field's id; none for rows of the whole struct.
    pub(crate) field: Option<u16>,
    /// Bytes of one row.
    pub(crate) row_bytes: usize,
    basis: Basis,
    spatial: &'a [Spatial],
    /// Position of the one field.
    only: Option<usize>,
}

impl<'a> Rows<'a> {
    /// Checks component and field (0 = the whole struct).
    pub(crate) fn new(
        schema: &Schema,
        conversions: &'a Conversions,
        component: u64,
        field: u32,
    ) -> Result<Self, Error> {
        let id = ComponentId(component);
        let index: ComponentIndex = schema.index_of(id).ok_or(Error::ComponentUnknown { id: component })?;
        let shape = schema.component(index);
        let unknown = || Error::FieldUnknown { component: shape.name().to_owned(), field };
        let only = if field == 0 {
            None
        } else {
            let field = u16::try_from(field).map_err(|_| unknown())?;
            Some(shape.field_index(field).ok_or_else(unknown)?)
        };
        Ok(Self {
            component: id,
            index,
            field: only.map(|at| shape.fields[at].desc.id),
            row_bytes: only.map_or(shape.size_bytes, |at| shape.fields[at].size_bytes),
            basis: conversions.basis,
            spatial: &conversions.components[index.0 as usize],
            only,
        })
    }

    /// The same rows as elements of a codec, which have a size of their own and no basis.
    pub(crate) fn of_elements(self, element_bytes: usize) -> Self {
        Self { row_bytes: element_bytes, spatial: &[], ..self }
    }

    /// Checks a stride against the rows and returns the bytes that `count` of them span.
    pub(crate) fn span_bytes(&self, count: u32, stride_bytes: u64) -> Result<usize, Error> {
        if count as u64 > MAX_ROWS {
            return Err(Error::Range { what: "the number of rows", value: count as u64, limit: MAX_ROWS });
        }
        if stride_bytes > MAX_STRIDE {
            return Err(Error::Range { what: "stride_bytes", value: stride_bytes, limit: MAX_STRIDE });
        }
        if (stride_bytes as usize) < self.row_bytes {
            let what = format!("stride_bytes is {stride_bytes}, a row has {} bytes", self.row_bytes);
            return Err(Error::Argument { what });
        }
        Ok((count as usize).checked_sub(1).map_or(0, |gaps| gaps * stride_bytes as usize + self.row_bytes))
    }

    /// Lanes of one row's fixed fields.
    fn lanes(&self, schema: &Schema) -> usize {
        let Some(index) = schema.index_of(self.component) else { return 0 };
        let shape = schema.component(index);
        self.only.map_or(shape.lanes, |at| shape.fields[at].lanes.len())
    }

    /// Checks a stride in bytes against rows of lanes and gives it in lanes.
    pub(crate) fn lane_stride(&self, schema: &Schema, stride_bytes: u64) -> Result<usize, Error> {
        let lanes = self.lanes(schema);
        if lanes == 0 {
            return Err(Error::Argument {
                what: "strings, bytes and lists have no lanes; read them without THETA_READ_QUANTISED".into(),
            });
        }
        if !stride_bytes.is_multiple_of(8) || stride_bytes > MAX_STRIDE || (stride_bytes as usize) < lanes * 8
        {
            let what = format!(
                "stride_bytes is {stride_bytes}; a row has {lanes} lanes of 8 bytes, and the stride is a multiple of 8"
            );
            return Err(Error::Argument { what });
        }
        Ok(stride_bytes as usize / 8)
    }

    /// The lanes that `count` rows span.
    pub(crate) fn lane_span(&self, schema: &Schema, count: u32, stride: usize) -> Result<usize, Error> {
        if count as u64 > MAX_ROWS {
            return Err(Error::Range { what: "the number of rows", value: count as u64, limit: MAX_ROWS });
        }
        Ok((count as usize).checked_sub(1).map_or(0, |gaps| gaps * stride + self.lanes(schema)))
    }

    /// True when no number of these rows differs between the two bases.
    pub(crate) fn is_same(&self) -> bool {
        self.parts().next().is_none()
    }

    fn parts(&self) -> impl Iterator<Item = (usize, &Spatial)> {
        self.spatial.iter().filter_map(|part| match self.only {
            None => Some((part.offset_bytes, part)),
            Some(field) => (part.field == field).then_some((0, part)),
        })
    }

    /// Converts one row in place.
    pub(crate) fn convert(&self, row: &mut [u8], way: Way) {
        for (offset, part) in self.parts() {
            part.convert(&mut row[offset..], self.basis, way);
        }
    }

    /// Converts rows in place, `stride` bytes apart.
    pub(crate) fn convert_all(&self, rows: &mut [u8], stride: usize, way: Way) {
        if !self.is_same() {
            for row in rows.chunks_mut(stride) {
                self.convert(row, way);
            }
        }
    }

    /// The rows as the wire has them, packed without gaps, or none when they are that already.
    pub(crate) fn to_wire(&self, data: &[u8], stride: usize) -> Option<Vec<u8>> {
        if self.is_same() || data.is_empty() {
            return None;
        }
        let mut packed = Vec::with_capacity(data.len().div_ceil(stride) * self.row_bytes);
        for row in data.chunks(stride) {
            packed.extend_from_slice(&row[..self.row_bytes]);
        }
        self.convert_all(&mut packed, self.row_bytes, Way::ToWire);
        Some(packed)
    }
}

#[cfg(test)]
// Signs, axes and whole factors are exact.
#[allow(clippy::float_cmp)]
mod tests {
    use super::super::status::*;
    use super::*;
    use crate::core::schema::{ComponentDesc, FieldDesc, IntType, Range, Registry};

    fn schema() -> Schema {
        let metres = Range::new(-100.0, 100.0, 0.01);
        let mut registry = Registry::new();
        let body = ComponentDesc::new("body")
            .field(FieldDesc::new(1, "health", FieldKind::int(IntType::U8)).offset(0))
            .field(FieldDesc::new(2, "at", FieldKind::vec3(metres)).semantic(Semantic::Point).offset(4))
            .field(
                FieldDesc::new(3, "far", FieldKind::DVec3(metres)).semantic(Semantic::Direction).offset(16),
            )
            .size_bytes(48);
        registry.add(body).unwrap();
        registry.freeze().unwrap()
    }

    fn id() -> u64 {
        crate::core::schema::component_id("body").0
    }

    #[test]
    fn whole_rows_and_single_fields_convert_the_same_numbers() {
        let schema = schema();
        let conversions = Conversions::new(&schema, Basis::Unreal);
        let mut row = [0u8; 48];
        for (at, value) in [1f32, 2.0, 3.0].into_iter().enumerate() {
            row[4 + at * 4..8 + at * 4].copy_from_slice(&value.to_ne_bytes());
        }
        for (at, value) in [0f64, 0.0, -1.0].into_iter().enumerate() {
            row[16 + at * 8..24 + at * 8].copy_from_slice(&value.to_ne_bytes());
        }
        let wire = row;
        let whole = Rows::new(&schema, &conversions, id(), 0).unwrap();
        assert_eq!((whole.row_bytes, whole.field), (48, None));
        whole.convert(&mut row, Way::ToEngine);
        let float = |at: usize| f32::from_ne_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]);
        assert_eq!([float(4), float(8), float(12)], [-300.0, 100.0, 200.0]);
        assert_eq!(row[16..24], 1f64.to_ne_bytes());

        let field = Rows::new(&schema, &conversions, id(), 2).unwrap();
        assert_eq!((field.row_bytes, field.field), (12, Some(2)));
        assert_eq!(field.to_wire(&row[4..16], 12).unwrap(), wire[4..16]);
        let spread: Vec<u8> = row.iter().chain(&[9; 16]).chain(&row).copied().collect();
        let packed = whole.to_wire(&spread, 64).unwrap();
        assert_eq!(packed, [wire, wire].concat());
        let health = Rows::new(&schema, &conversions, id(), 1).unwrap();
        assert!(health.is_same() && health.to_wire(&row[..1], 1).is_none());
    }

    #[test]
    fn the_wires_own_basis_moves_nothing() {
        let schema = schema();
        let conversions = Conversions::new(&schema, Basis::OpenXr);
        assert!(Rows::new(&schema, &conversions, id(), 0).unwrap().is_same());
    }

    #[test]
    fn components_fields_and_strides_are_checked() {
        let schema = schema();
        let conversions = Conversions::new(&schema, Basis::Unity);
        let code =
            |component, field| Rows::new(&schema, &conversions, component, field).err().map(|e| e.code());
        assert_eq!(code(id() + 1, 0), Some(THETA_E_COMPONENT_UNKNOWN));
        assert_eq!(code(id(), 4), Some(THETA_E_FIELD_UNKNOWN));
        assert_eq!(code(id(), 1 << 16), Some(THETA_E_FIELD_UNKNOWN), "an id is not cut to 16 bits");
        let rows = Rows::new(&schema, &conversions, id(), 0).unwrap();
        assert_eq!(rows.span_bytes(3, 64).unwrap(), 176);
        assert_eq!(rows.span_bytes(0, 64).unwrap(), 0);
        for (count, stride) in [(3, 47), (1 << 21, 64), (3, u64::MAX)] {
            assert_eq!(rows.span_bytes(count, stride).err().map(|e| e.code()), Some(THETA_E_RANGE));
        }
    }
}
