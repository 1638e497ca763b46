//! A component's description and its validation.
//!
//! [`ComponentDesc`] is what an application writes down, in declaration order. [`Component`] is the checked, frozen
//! form: fields sorted by id (so that two ends that declare them in another order still agree on every bit), offsets
//! in the engine's struct worked out, hashed.

use super::SchemaError;
use super::field::{Authority, Cell, Field, FieldDesc};
use super::id::{KEY, component_id, siphash_2_4};
use super::layout::{self, ComponentLayout};
use super::limits::{
    MAX_DOCS_BYTES, MAX_FIELDS, MAX_LANES, MAX_NAME_BYTES, MAX_PACKED_BYTES, MAX_STRUCT_BYTES,
    MAX_VERSION_BYTES,
};
use crate::types::ComponentId;

/// A component as the application describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentDesc {
    /// Stable name; its hash is the id. Never reused for something else.
    pub name: String,
    /// Who may write it.
    pub authority: Authority,
    /// Fields in the engine struct's order.
    pub fields: Vec<FieldDesc>,
    /// Bytes of the engine struct; `None` lets C's rules decide.
    pub size_bytes: Option<usize>,
    /// The version that brought it; may be empty.
    pub since_version: String,
    /// The version that deprecated it.
    pub deprecated_in: Option<String>,
    /// For people.
    pub docs: String,
}

impl ComponentDesc {
    /// A component without fields yet, written by the host.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            authority: Authority::Host,
            fields: Vec::new(),
            size_bytes: None,
            since_version: String::new(),
            deprecated_in: None,
            docs: String::new(),
        }
    }

    /// Adds a field behind the others.
    pub fn field(mut self, field: FieldDesc) -> Self {
        self.fields.push(field);
        self
    }

    /// Says who may write it.
    pub fn authority(mut self, authority: Authority) -> Self {
        self.authority = authority;
        self
    }

    /// States the engine struct's size in bytes, for layouts that C's rules would not give.
    pub fn size_bytes(mut self, bytes: usize) -> Self {
        self.size_bytes = Some(bytes);
        self
    }

    /// Names the version that brought it.
    pub fn since(mut self, version: impl Into<String>) -> Self {
        self.since_version = version.into();
        self
    }

    /// Names the version that deprecated it.
    pub fn deprecated_in(mut self, version: impl Into<String>) -> Self {
        self.deprecated_in = Some(version.into());
        self
    }

    /// Sets the documentation text.
    pub fn docs(mut self, text: impl Into<String>) -> Self {
        self.docs = text.into();
        self
    }

    /// Its id.
    pub fn id(&self) -> ComponentId {
        component_id(&self.name)
    }
}

pub(super) fn check_version(version: &str) -> Result<(), &'static str> {
    if version.len() > MAX_VERSION_BYTES || version.chars().any(char::is_control) {
        return Err("a version text is too long or has control characters");
    }
    Ok(())
}

/// A checked and frozen component.
#[derive(Clone, Debug)]
pub struct Component {
    /// SipHash-2-4 of the name.
    pub id: ComponentId,
    /// As described, fields sorted by id.
    pub desc: ComponentDesc,
    /// Its fields, sorted by id: the order of columns and masks.
    pub fields: Box<[Field]>,
    /// Bytes of the engine struct (also in `layout`).
    pub size_bytes: usize,
    /// Where its fields stand in the engine struct.
    pub layout: ComponentLayout,
    /// Quantised lanes of all fixed fields together.
    pub lanes: usize,
    /// Hash of everything that changes bits.
    pub layout_hash: u64,
}

impl Component {
    /// Checks a description.
    pub fn freeze(desc: ComponentDesc) -> Result<Self, SchemaError> {
        Self::freeze_within(desc, MAX_STRUCT_BYTES)
    }

    /// Checks a description that another program made, without the layout of that program's struct: no memory of ours
    /// is laid out by it, and fields in another order can need more padding than the other side has.
    pub(super) fn freeze_foreign(desc: ComponentDesc) -> Result<Self, SchemaError> {
        Self::freeze_within(desc, MAX_STRUCT_BYTES + MAX_FIELDS * 8)
    }

    fn freeze_within(mut desc: ComponentDesc, max_struct_bytes: usize) -> Result<Self, SchemaError> {
        let bad = |desc: &ComponentDesc, problem| SchemaError::BadComponent {
            component: desc.name.clone(),
            problem,
        };
        if desc.name.is_empty() || desc.name.len() > MAX_NAME_BYTES || desc.name.chars().any(char::is_control)
        {
            return Err(bad(&desc, "the name is empty, too long or has control characters"));
        }
        if desc.docs.len() > MAX_DOCS_BYTES {
            return Err(bad(&desc, "the documentation text is too long"));
        }
        check_version(&desc.since_version).map_err(|problem| bad(&desc, problem))?;
        if let Some(version) = &desc.deprecated_in {
            check_version(version).map_err(|problem| bad(&desc, problem))?;
        }
        if desc.fields.is_empty() {
            return Err(bad(&desc, "it has no fields"));
        }
        if desc.fields.len() > MAX_FIELDS {
            return Err(SchemaError::OverLimit {
                what: "fields of a component",
                actual: desc.fields.len(),
                limit: MAX_FIELDS,
            });
        }
        let mut cells = Vec::with_capacity(desc.fields.len());
        for field in &desc.fields {
            cells.push(field.check(&desc.name)?);
        }
        for (index, second) in desc.fields.iter().enumerate() {
            if let Some(first) =
                desc.fields[..index].iter().find(|first| first.id == second.id || first.name == second.name)
            {
                return Err(SchemaError::DuplicateField {
                    component: desc.name.clone(),
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
        }
        let placed = layout::place(&desc)?;
        let mut fields: Vec<Field> = desc
            .fields
            .iter()
            .zip(cells)
            .zip(&placed.offsets)
            .map(|((field, default_cell), offset)| Field {
                lanes: field.kind.lanes().into(),
                size_bytes: field.kind.engine_size().0,
                offset_bytes: *offset,
                default_cell,
                desc: field.clone(),
            })
            .collect();
        fields.sort_by_key(|field| field.desc.id);
        desc.fields.sort_by_key(|field| field.id);
        let lanes = fields.iter().map(|field| field.lanes.len()).sum();
        if lanes > MAX_LANES {
            return Err(SchemaError::OverLimit {
                what: "lanes of a component",
                actual: lanes,
                limit: MAX_LANES,
            });
        }
        if placed.size_bytes > max_struct_bytes {
            return Err(SchemaError::OverLimit {
                what: "bytes of an engine struct",
                actual: placed.size_bytes,
                limit: max_struct_bytes,
            });
        }
        let packed =
            fields.iter().map(|field| field.desc.kind.max_packed_bits() + 2).sum::<usize>().div_ceil(8);
        if packed > MAX_PACKED_BYTES {
            return Err(SchemaError::OverLimit {
                what: "packed bytes of a row",
                actual: packed,
                limit: MAX_PACKED_BYTES,
            });
        }
        let offsets = fields.iter().map(|field| field.offset_bytes).collect();
        let mut component = Self {
            id: desc.id(),
            desc,
            fields: fields.into(),
            size_bytes: placed.size_bytes,
            layout: ComponentLayout { offsets, ..placed },
            lanes,
            layout_hash: 0,
        };
        let mut bytes = Vec::new();
        component.hash_input(&mut bytes);
        component.layout_hash = siphash_2_4(&KEY, &bytes);
        Ok(component)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.desc.name
    }

    /// The position of the field with this id.
    pub fn field_index(&self, id: u16) -> Option<usize> {
        self.fields.binary_search_by_key(&id, |field| field.desc.id).ok()
    }

    /// Everything that changes bits, in one canonical byte string; documentation, versions, authority, meaning in
    /// space and the engine's layout are not in it. The default is: a spawned row says "default" in one bit.
    pub(super) fn hash_input(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.extend_from_slice(&(self.fields.len() as u16).to_le_bytes());
        for field in &self.fields {
            let desc = &field.desc;
            out.extend_from_slice(&desc.id.to_le_bytes());
            out.extend_from_slice(&[
                desc.kind.code(),
                desc.predictor.code(),
                desc.diff.code(),
                u8::from(desc.document),
            ]);
            desc.kind.hash_input(out);
            match &field.default_cell {
                Cell::Lanes(lanes) => {
                    lanes.iter().for_each(|lane| out.extend_from_slice(&lane.to_le_bytes()));
                }
                Cell::Bytes(bytes) => {
                    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    out.extend_from_slice(bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{FieldKind, IntType, Predictor, Range, Value};

    fn pose() -> ComponentDesc {
        ComponentDesc::new("demo.pose")
            .field(FieldDesc::new(
                1,
                "position",
                FieldKind::vec3(Range::new(-32.0, 31.9990234375, 1.0 / 1024.0)),
            ))
            .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 10 }))
    }

    #[test]
    fn what_changes_bits_changes_the_hash_and_nothing_else_does() {
        let base = Component::freeze(pose()).unwrap().layout_hash;
        let with = |change: fn(&mut ComponentDesc)| {
            let mut desc = pose();
            change(&mut desc);
            Component::freeze(desc).unwrap().layout_hash
        };
        for (what, changed) in [
            ("predictor", with(|d| d.fields[0].predictor = Predictor::Linear)),
            ("document", with(|d| d.fields[0].document = true)),
            ("bits", with(|d| d.fields[1].kind = FieldKind::Quat { bits: 11 })),
            ("bound", with(|d| d.fields[0].kind = FieldKind::vec3(Range::new(-32.0, 16.0, 1.0 / 1024.0)))),
            (
                "step",
                with(|d| d.fields[0].kind = FieldKind::vec3(Range::new(-32.0, 31.9990234375, 1.0 / 512.0))),
            ),
            ("field id", with(|d| d.fields[1].id = 3)),
            ("default", with(|d| d.fields[0].default = Value::Numbers(vec![1.0, 0.0, 0.0]))),
            ("kind", with(|d| d.fields[1].kind = FieldKind::int(IntType::U32))),
            ("name", with(|d| d.name.push('2'))),
        ] {
            assert_ne!(base, changed, "{what} must change the hash");
        }
        for (what, same) in [
            ("docs", with(|d| d.docs.push_str("where it is"))),
            ("since", with(|d| d.since_version.push_str("0.2"))),
            ("deprecated", with(|d| d.fields[0].deprecated_in = Some("0.3".into()))),
            ("declaration order", with(|d| d.fields.reverse())),
            ("field name", with(|d| d.fields[0].name.push('x'))),
        ] {
            assert_eq!(base, same, "{what} must not change the hash");
        }
    }

    #[test]
    fn bad_descriptions_are_refused() {
        let field = |id, kind| FieldDesc::new(id, format!("f{id}"), kind);
        let range = |min, max, step| FieldKind::F32(Range::new(min, max, step));
        for (what, desc) in [
            ("no name", ComponentDesc::new("").field(field(1, FieldKind::Entity))),
            ("no fields", ComponentDesc::new("a")),
            ("field id 0", ComponentDesc::new("a").field(field(0, FieldKind::Entity))),
            (
                "same id",
                ComponentDesc::new("a").field(field(1, FieldKind::Entity)).field(FieldDesc::new(
                    1,
                    "x",
                    FieldKind::Entity,
                )),
            ),
            (
                "same name",
                ComponentDesc::new("a").field(field(1, FieldKind::Entity)).field(FieldDesc::new(
                    2,
                    "f1",
                    FieldKind::Entity,
                )),
            ),
            ("empty range", ComponentDesc::new("a").field(field(1, range(1.0, 1.0, 0.5)))),
            ("NaN", ComponentDesc::new("a").field(field(1, range(f64::NAN, 1.0, 0.5)))),
            ("no step", ComponentDesc::new("a").field(field(1, range(0.0, 1.0, 0.0)))),
            ("too fine for f32", ComponentDesc::new("a").field(field(1, range(-1e5, 1e5, 1e-3)))),
            ("65 flags", ComponentDesc::new("a").field(field(1, FieldKind::Flags { bits: 65 }))),
            (
                "u8 up to 256",
                ComponentDesc::new("a").field(field(1, FieldKind::Int { ty: IntType::U8, min: 0, max: 256 })),
            ),
            ("huge string", ComponentDesc::new("a").field(field(1, FieldKind::String { max_len: u16::MAX }))),
            (
                "default out of range",
                ComponentDesc::new("a")
                    .field(field(1, range(0.0, 1.0, 0.5)).default_value(Value::Numbers(vec![2.0]))),
            ),
            (
                "overlap",
                ComponentDesc::new("a")
                    .field(field(1, FieldKind::Entity).offset(0))
                    .field(field(2, FieldKind::Entity).offset(4)),
            ),
            ("outside", ComponentDesc::new("a").size_bytes(8).field(field(1, FieldKind::Entity).offset(8))),
        ] {
            assert!(Component::freeze(desc).is_err(), "{what} was accepted");
        }
        let mut many = ComponentDesc::new("a");
        for id in 1..=65 {
            many = many.field(field(id, FieldKind::Flags { bits: 1 }));
        }
        assert!(matches!(Component::freeze(many), Err(SchemaError::OverLimit { .. })));
    }
}
