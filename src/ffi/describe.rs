//! Descriptions: C's component and field structs as the core's, or the rule that one breaks, by the field's name.

use super::error::Error;
use super::registry::*;
use super::sized;
use super::status::*;
use super::view;
use crate::core::schema::{
    self, Authority, ComponentDesc, Diff, FieldDesc, FieldKind, IntType, ListItem, Predictor, Range,
    Semantic, Value,
};

/// Most fields of one component, as the core has it.
const MAX_FIELDS: u32 = schema::limits::MAX_FIELDS as u32;

/// The rule that a field description breaks, with the field's name.
fn bad(name: &str, rule: &str) -> Error {
    Error::Room { code: THETA_E_COMPONENT_INVALID, text: format!("field {name:?}: {rule}") }
}

fn int_type(kind: u8) -> Option<IntType> {
    IntType::ALL.into_iter().find(|ty| ty.code() == kind)
}

fn int_bounds(desc: &theta_field_desc, ty: IntType, name: &str) -> Result<(i128, i128), Error> {
    // Bounds and steps are written down, not computed: comparing them exactly is what is meant.
    if ![0.0, 1.0].contains(&desc.step) {
        return Err(bad(name, "integers have steps of one; leave step 0"));
    }
    if desc.minimum == 0.0 && desc.maximum == 0.0 {
        return Ok((ty.least(), ty.largest()));
    }
    if desc.minimum.fract() != 0.0 || desc.maximum.fract() != 0.0 {
        return Err(bad(name, "the bounds of an integer are whole numbers"));
    }
    // A double rounds the largest 64-bit numbers up by one; that is the type's own bound then.
    let bound = |value: f64| match value as i128 {
        rounded if ty.size_bytes() == 8 && rounded == ty.largest() + 1 => ty.largest(),
        exact => exact,
    };
    Ok((bound(desc.minimum), bound(desc.maximum)))
}

fn field_kind(desc: &theta_field_desc, name: &str) -> Result<FieldKind, Error> {
    let range = Range::new(desc.minimum, desc.maximum, desc.step);
    let bits = |default: u32| {
        let bits = if desc.bits == 0 { default } else { desc.bits };
        u8::try_from(bits).map_err(|_| bad(name, "bits is too large"))
    };
    let max_len = || u16::try_from(desc.max_length).map_err(|_| bad(name, "max_length is over 4096"));
    if let Some(ty) = int_type(desc.kind) {
        let (min, max) = int_bounds(desc, ty, name)?;
        return Ok(FieldKind::Int { ty, min, max });
    }
    Ok(match desc.kind as u32 {
        THETA_KIND_FLAGS => FieldKind::Flags { bits: bits(0)? },
        THETA_KIND_F32 => FieldKind::F32(range),
        THETA_KIND_F64 => FieldKind::F64(range),
        THETA_KIND_VEC2 => FieldKind::Vector { len: 2, range },
        THETA_KIND_VEC3 => FieldKind::Vector { len: 3, range },
        THETA_KIND_VEC4 => FieldKind::Vector { len: 4, range },
        THETA_KIND_DVEC3 => FieldKind::DVec3(range),
        THETA_KIND_QUAT => FieldKind::Quat { bits: bits(11)? },
        THETA_KIND_ENTITY => FieldKind::Entity,
        THETA_KIND_STRING => FieldKind::String { max_len: max_len()? },
        THETA_KIND_BYTES => FieldKind::Bytes { max_len: max_len()? },
        THETA_KIND_LIST => {
            let item = match int_type(desc.element_kind) {
                Some(ty) => {
                    let (min, max) = int_bounds(desc, ty, name)?;
                    ListItem::Int { ty, min, max }
                }
                None if desc.element_kind as u32 == THETA_KIND_F32 => ListItem::F32(range),
                None => return Err(bad(name, "a list holds an integer kind or F32; set element_kind")),
            };
            FieldKind::List { item, max_len: max_len()? }
        }
        _ => return Err(bad(name, "kind is none of THETA_KIND_*")),
    })
}

fn semantic_fits(semantic: Semantic, kind: &FieldKind) -> bool {
    match semantic {
        Semantic::None => true,
        Semantic::Rotation => matches!(kind, FieldKind::Quat { .. } | FieldKind::Vector { len: 4, .. }),
        _ => matches!(kind, FieldKind::Vector { len: 3, .. } | FieldKind::DVec3(_)),
    }
}

fn default_value(desc: &theta_field_desc, kind: &FieldKind, name: &str) -> Result<Value, Error> {
    let numbers = match kind {
        FieldKind::F32(_) | FieldKind::F64(_) => 1,
        FieldKind::Vector { len, .. } => *len as usize,
        FieldKind::DVec3(_) => 3,
        FieldKind::Quat { .. } => 4,
        _ => 0,
    };
    if desc.default_number[numbers..].iter().any(|number| *number != 0.0) {
        return Err(bad(name, "default_number has more numbers than the kind"));
    }
    let is_integer = matches!(kind, FieldKind::Int { .. } | FieldKind::Flags { .. });
    if desc.default_integer != 0 && !is_integer {
        return Err(bad(name, "default_integer is for integers and flags"));
    }
    Ok(match kind {
        _ if desc.default_integer == 0 && desc.default_number.iter().all(|number| *number == 0.0) => {
            Value::Unset
        }
        FieldKind::Int { ty, .. } if ty.is_signed() => Value::Int(desc.default_integer as i128),
        FieldKind::Int { .. } | FieldKind::Flags { .. } => Value::Int(desc.default_integer as u64 as i128),
        _ => Value::Numbers(desc.default_number[..numbers].to_vec()),
    })
}

/// # Safety
/// The description's name is null or has its length in readable bytes.
unsafe fn field(desc: &theta_field_desc) -> Result<FieldDesc, Error> {
    // SAFETY: the caller's promise.
    let name = unsafe { view::text(desc.name, desc.name_length as u64, view::TEXT_LIMIT, "a field's name") }?;
    if desc.flags & !THETA_FIELD_DOCUMENT != 0 {
        return Err(Error::UnknownFlags {
            what: "theta_field_desc.flags",
            bits: desc.flags & !THETA_FIELD_DOCUMENT,
        });
    }
    let kind = field_kind(desc, name)?;
    let semantic = Semantic::from_code(desc.semantic)
        .ok_or_else(|| bad(name, "semantic is none of THETA_SEMANTIC_*"))?;
    if !semantic_fits(semantic, &kind) {
        return Err(bad(name, "ROTATION is for QUAT and VEC4, the other semantics are for VEC3 and DVEC3"));
    }
    let predictor = Predictor::from_code(desc.predictor)
        .ok_or_else(|| bad(name, "predictor is none of THETA_PREDICTOR_*"))?;
    let diff = Diff::from_code(desc.diff).ok_or_else(|| bad(name, "diff is none of THETA_DIFF_*"))?;
    let default = default_value(desc, &kind, name)?;
    Ok(FieldDesc::new(desc.id, name, kind)
        .semantic(semantic)
        .predictor(predictor)
        .diff(diff)
        .default_value(default)
        .document(desc.flags & THETA_FIELD_DOCUMENT != 0)
        .offset(desc.offset_bytes as usize))
}

/// Reads a description; nothing is kept of the caller's memory.
///
/// # Safety
/// `pointer` follows the contract of sized inputs, and every pointer inside is null or has its stated length.
pub(crate) unsafe fn component(pointer: *const theta_component_desc) -> Result<ComponentDesc, Error> {
    // SAFETY: the caller's promise, here and below.
    let desc = unsafe { sized::input(pointer) }?;
    // SAFETY: as above.
    let name =
        unsafe { view::text(desc.name, desc.name_length as u64, view::TEXT_LIMIT, "the component's name") }?;
    // SAFETY: as above.
    let since = unsafe {
        view::text(desc.since_version, desc.since_version_length as u64, view::TEXT_LIMIT, "since_version")
    }?;
    // SAFETY: as above.
    let fields =
        unsafe { sized::inputs(desc.fields, desc.field_size, desc.field_count, MAX_FIELDS, "fields") }?;
    let authority = u8::try_from(desc.authority).ok().and_then(Authority::from_code).ok_or(Error::Range {
        what: "authority",
        value: desc.authority as u64,
        limit: THETA_AUTHORITY_INPUT as u64,
    })?;
    let mut out = ComponentDesc::new(name).authority(authority).since(since);
    if desc.size_bytes != 0 {
        out = out.size_bytes(desc.size_bytes as usize);
    }
    for desc in &fields {
        // SAFETY: as above.
        out = out.field(unsafe { field(desc) }?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A good vec3 field at offset 0.
    fn good() -> theta_field_desc {
        theta_field_desc {
            id: 1,
            kind: THETA_KIND_VEC3 as u8,
            element_kind: 0,
            offset_bytes: 0,
            name: c"field".as_ptr(),
            name_length: 5,
            flags: 0,
            minimum: -10.0,
            maximum: 10.0,
            step: 0.5,
            bits: 0,
            max_length: 0,
            semantic: THETA_SEMANTIC_POINT as u8,
            predictor: 0,
            diff: 0,
            reserved0: 0,
            reserved1: 0,
            default_number: [0.0; 4],
            default_integer: 0,
            reserved2: 0,
        }
    }

    fn number(kind: u32) -> theta_field_desc {
        let (minimum, maximum, step) = (0.0, 0.0, 0.0);
        theta_field_desc { kind: kind as u8, semantic: 0, minimum, maximum, step, ..good() }
    }

    /// Describes a component of one field and registers it, as `theta_registry_add` does.
    fn add(field: theta_field_desc) -> Result<FieldDesc, Error> {
        let desc = theta_component_desc {
            struct_size: size_of::<theta_component_desc>() as u32,
            name_length: 4,
            name: c"body".as_ptr(),
            fields: &raw const field,
            field_count: 1,
            field_size: size_of::<theta_field_desc>() as u32,
            size_bytes: 0,
            authority: THETA_AUTHORITY_HOST,
            since_version: std::ptr::null(),
            since_version_length: 0,
            reserved: 0,
        };
        // SAFETY: every pointer has what its length says.
        let component = unsafe { component(&raw const desc) }?;
        schema::Registry::new().add(component.clone())?;
        Ok(component.fields[0].clone())
    }

    #[test]
    fn a_field_arrives_as_it_was_described() {
        let field = add(theta_field_desc { default_number: [1.0, 2.0, 3.0, 0.0], ..good() }).expect("valid");
        assert_eq!((field.id, field.name.as_str(), field.offset_bytes), (1, "field", Some(0)));
        assert_eq!(field.kind, FieldKind::vec3(Range::new(-10.0, 10.0, 0.5)));
        assert_eq!(field.semantic, Semantic::Point);
        assert_eq!(field.default, Value::Numbers(vec![1.0, 2.0, 3.0]));
        assert!(!field.document);
    }

    #[test]
    fn integers_reach_their_whole_type_through_doubles() {
        let bounds = |field| match add(field).expect("valid").kind {
            FieldKind::Int { min, max, .. } => (min, max),
            other => panic!("{other:?}"),
        };
        assert_eq!(bounds(number(THETA_KIND_I8)), (-128, 127));
        assert_eq!(bounds(number(THETA_KIND_U64)), (0, u64::MAX as i128));
        let wide = theta_field_desc { maximum: u64::MAX as f64, minimum: 1.0, ..number(THETA_KIND_U64) };
        assert_eq!(bounds(wide), (1, u64::MAX as i128));
        let wide =
            theta_field_desc { maximum: i64::MAX as f64, minimum: i64::MIN as f64, ..number(THETA_KIND_I64) };
        assert_eq!(bounds(wide), (i64::MIN as i128, i64::MAX as i128));
        // An unsigned default above i64::MAX comes as its bits.
        let flags = add(theta_field_desc { bits: 64, default_integer: -1, ..number(THETA_KIND_FLAGS) });
        assert_eq!(flags.expect("valid").default, Value::Int(u64::MAX as i128));
        assert_eq!(add(number(THETA_KIND_QUAT)).expect("valid").kind, FieldKind::Quat { bits: 11 });
    }

    #[test]
    fn what_is_not_a_field_names_itself_and_the_rule() {
        let list =
            |element| theta_field_desc { element_kind: element, max_length: 4, ..number(THETA_KIND_LIST) };
        for (what, field) in [
            ("kind", number(0)),
            ("kind", number(21)),
            ("ROTATION", theta_field_desc { semantic: THETA_SEMANTIC_ROTATION as u8, ..good() }),
            ("semantic", theta_field_desc { semantic: 6, ..good() }),
            ("predictor", theta_field_desc { predictor: 5, ..good() }),
            ("diff", theta_field_desc { diff: 2, ..good() }),
            ("default_number", theta_field_desc { default_number: [0.0, 0.0, 0.0, 1.0], ..good() }),
            ("default_integer", theta_field_desc { default_integer: 1, ..good() }),
            ("steps of one", theta_field_desc { step: 2.0, ..number(THETA_KIND_I32) }),
            ("whole numbers", theta_field_desc { maximum: 1.5, ..number(THETA_KIND_I32) }),
            ("bounds exceed", theta_field_desc { maximum: 256.0, ..number(THETA_KIND_U8) }),
            ("element_kind", list(THETA_KIND_QUAT as u8)),
            ("bits", theta_field_desc { bits: 300, ..number(THETA_KIND_FLAGS) }),
            ("capacity", number(THETA_KIND_STRING)),
            ("max_length", theta_field_desc { max_length: 1 << 20, ..number(THETA_KIND_BYTES) }),
            ("range", theta_field_desc { maximum: f64::NAN, ..good() }),
            ("id", theta_field_desc { id: 0, ..good() }),
            ("alignment", theta_field_desc { offset_bytes: 2, ..good() }),
        ] {
            let error = add(field).expect_err(what);
            assert_eq!(error.code(), THETA_E_COMPONENT_INVALID, "{what}: {error}");
            let text = error.to_string();
            assert!(text.contains("\"field\"") && text.contains(what), "{what}: {text}");
        }
        for unknown in [
            theta_field_desc { flags: 6, ..good() },
            theta_field_desc { reserved0: 1, ..good() },
            theta_field_desc { reserved1: 1, ..good() },
            theta_field_desc { reserved2: 1, ..good() },
        ] {
            let error = add(unknown).expect_err("a field that means nothing");
            assert_eq!(error.code(), THETA_E_UNSUPPORTED_FIELD, "{error}");
        }
    }

    #[test]
    fn any_numbers_are_an_error_or_a_field() {
        // Every byte of the numeric part, one at a time, through values that find an edge.
        for at in (0..size_of::<theta_field_desc>()).filter(|at| !(8..24).contains(at)) {
            for value in [1, 0x7f, 0x80, 0xff] {
                let mut field = good();
                // SAFETY: within the struct; all its fields but the name take any bits, and the name is left out.
                unsafe { (&raw mut field).cast::<u8>().add(at).write(value) };
                let _ = add(field);
            }
        }
    }
}
