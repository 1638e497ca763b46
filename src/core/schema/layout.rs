//! The engine's side of a component: a C struct in its memory, and rows of it to cells and back.
//!
//! Offsets are what a C compiler would choose unless the description states them. Strings, blobs and lists stand
//! inline: a u32 length, then the whole capacity. Engine memory comes in and goes out as byte slices; nothing here
//! looks at a pointer.

use super::SchemaError;
use super::component::{Component, ComponentDesc};
use super::field::{Cell, Field};
use super::quantise::{self, Outcome};

// Engine values are read as little-endian; another byte order would need a swap at this boundary and nowhere else.
const _: () =
    assert!(cfg!(target_endian = "little"), "Theta's engine layout is written for little-endian machines");

/// Where everything of an engine struct stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentLayout {
    /// Bytes of the struct.
    pub size_bytes: usize,
    /// Its alignment.
    pub align_bytes: usize,
    /// Of each field, in bytes; in the order of [`Component::fields`].
    pub offsets: Vec<usize>,
}

/// The layout, its offsets in declaration order.
pub(super) fn place(desc: &ComponentDesc) -> Result<ComponentLayout, SchemaError> {
    let mut offsets = Vec::with_capacity(desc.fields.len());
    let mut end = 0usize;
    let mut align_bytes = 1;
    for field in &desc.fields {
        let (size, align) = field.kind.engine_size();
        let offset = field.offset_bytes.unwrap_or_else(|| end.next_multiple_of(align));
        let bad = |problem| SchemaError::BadField {
            component: desc.name.clone(),
            field: field.name.clone(),
            problem,
        };
        let field_end = offset.checked_add(size).ok_or_else(|| bad("its offset overflows"))?;
        if offset % align != 0 {
            return Err(bad("its offset does not fit its alignment"));
        }
        for (other, other_offset) in desc.fields.iter().zip(&offsets) {
            let other_end: usize = other_offset + other.kind.engine_size().0;
            if offset < other_end && *other_offset < field_end {
                return Err(bad("it overlaps another field in the engine struct"));
            }
        }
        offsets.push(offset);
        end = end.max(field_end);
        align_bytes = align_bytes.max(align);
    }
    let size_bytes = desc.size_bytes.unwrap_or_else(|| end.next_multiple_of(align_bytes));
    if size_bytes < end {
        return Err(SchemaError::BadComponent {
            component: desc.name.clone(),
            problem: "a field lies outside the stated struct size",
        });
    }
    Ok(ComponentLayout { size_bytes, align_bytes, offsets })
}

impl Field {
    /// Quantises one value from engine memory that begins with it (at least `size_bytes`). `None` when it is not a
    /// value; the flag says that it was clamped.
    pub fn quantise(&self, bytes: &[u8]) -> Option<(Cell, bool)> {
        let (cell, outcome) = if self.desc.kind.is_variable() {
            let mut cell = Vec::new();
            let outcome = quantise::quantise_bytes(&self.desc.kind, bytes, &mut cell);
            (Cell::Bytes(cell.into()), outcome)
        } else {
            let mut lanes = vec![0; self.lanes.len()];
            let outcome = quantise::quantise_lanes(&self.desc.kind, bytes, &mut lanes);
            (Cell::Lanes(lanes.into()), outcome)
        };
        match outcome {
            Outcome::NotAValue => None,
            outcome => Some((cell, outcome == Outcome::Clamped)),
        }
    }

    /// Writes a fixed cell's lanes into engine memory that begins with the field.
    pub fn store_lanes(&self, lanes: &[u64], bytes: &mut [u8]) {
        quantise::dequantise_lanes(&self.desc.kind, lanes, &mut bytes[..self.size_bytes]);
    }

    /// Writes a variable cell into engine memory that begins with the field.
    pub fn store_bytes(&self, cell: &[u8], bytes: &mut [u8]) {
        quantise::dequantise_bytes(&self.desc.kind, cell, &mut bytes[..self.size_bytes]);
    }

    /// Writes a cell into engine memory that begins with the field.
    pub fn store(&self, cell: &Cell, bytes: &mut [u8]) {
        match cell {
            Cell::Lanes(lanes) => self.store_lanes(lanes, bytes),
            Cell::Bytes(cell) => self.store_bytes(cell, bytes),
        }
    }
}

impl Component {
    /// Quantises a whole engine row: one cell per field in id order, `None` where there is no value. The number says
    /// how many fields were clamped.
    ///
    /// # Errors
    /// [`SchemaError::RowSize`] when `row` is shorter than the struct.
    pub fn quantise_row(&self, row: &[u8]) -> Result<(Vec<Option<Cell>>, usize), SchemaError> {
        if row.len() < self.size_bytes {
            return Err(SchemaError::RowSize {
                component: self.name().to_owned(),
                needed: self.size_bytes,
                actual: row.len(),
            });
        }
        let mut clamped = 0;
        let cells = self
            .fields
            .iter()
            .map(|field| {
                field.quantise(&row[field.offset_bytes..]).map(|(cell, was_clamped)| {
                    clamped += usize::from(was_clamped);
                    cell
                })
            })
            .collect();
        Ok((cells, clamped))
    }

    /// The engine row of the component's defaults.
    pub fn default_row(&self) -> Vec<u8> {
        let mut row = vec![0; self.size_bytes];
        for field in &self.fields {
            field.store(&field.default_cell, &mut row[field.offset_bytes..]);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{FieldDesc, FieldKind, IntType, ListItem, Range};

    #[test]
    fn offsets_are_a_c_compilers() {
        // struct { float head[3]; float rotation[4]; double time; uint8_t flag; struct { uint32_t n; char s[5]; } name;
        //          struct { uint32_t n; double_aligned int64_t v[2]; } list; }
        let desc = ComponentDesc::new("layout")
            .field(FieldDesc::new(1, "head", FieldKind::vec3(Range::new(-1.0, 1.0, 0.5))))
            .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 10 }))
            .field(FieldDesc::new(3, "time", FieldKind::F64(Range::new(0.0, 1.0, 0.5))))
            .field(FieldDesc::new(4, "flag", FieldKind::Flags { bits: 3 }))
            .field(FieldDesc::new(5, "name", FieldKind::String { max_len: 5 }))
            .field(FieldDesc::new(
                6,
                "list",
                FieldKind::List { item: ListItem::Int { ty: IntType::I64, min: -1, max: 1 }, max_len: 2 },
            ));
        let component = Component::freeze(desc).unwrap();
        let offsets: Vec<_> = component.fields.iter().map(|field| field.offset_bytes).collect();
        assert_eq!(offsets, [0, 12, 32, 40, 44, 56]);
        assert_eq!((component.size_bytes, component.layout.align_bytes), (80, 8));
        let row = component.default_row();
        let (cells, clamped) = component.quantise_row(&row).unwrap();
        assert_eq!(clamped, 0);
        for (cell, field) in cells.iter().zip(&component.fields) {
            assert_eq!(cell.as_ref(), Some(&field.default_cell));
        }
        assert!(component.quantise_row(&row[1..]).is_err());
    }
}
