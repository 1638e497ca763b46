//! `schema_manifest.json`: the schema as text, for tools, diffs in review, and peers whose layouts differ.
//!
//! The text is canonical: one schema gives the same bytes whatever the order of registration. Reading it back gives a
//! schema with the same hash, or an error: a manifest that does not describe what its hash says is refused.
//! Integers stand as decimal strings (JSON readers cut numbers at 2^53), floats in their shortest exact form.

use core::fmt::Write as _;

use super::field::{Authority, Diff, FieldDesc, Predictor, Semantic, Value};
use super::json::{Json, JsonValue, error, quote};
use super::kind::{FieldKind, IntType, ListItem, Range};
use super::limits::{MAX_COMPONENTS, MAX_FIELDS};
use super::registry::{ENTITY_COMPONENT, Registry, Schema};
use super::{ComponentDesc, SchemaError};

/// The canonical text of a schema.
pub fn write(schema: &Schema) -> String {
    let mut out = String::new();
    let _ = write!(out, "{{\n  \"schema_hash\": \"{:#018x}\",\n  \"components\": [", schema.hash());
    for (index, component) in schema.components().iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        let desc = &component.desc;
        let _ = write!(out, "    {{\n      \"id\": \"{:#018x}\",\n      \"name\": ", component.id.0);
        quote(&desc.name, &mut out);
        let _ = write!(out, ",\n      \"layout_hash\": \"{:#018x}\",\n", component.layout_hash);
        let _ = write!(out, "      \"authority\": \"{}\",\n      \"fields\": [", desc.authority.name());
        for (index, field) in desc.fields.iter().enumerate() {
            out.push_str(if index == 0 { "\n        " } else { ",\n        " });
            write_field(field, &mut out);
        }
        out.push_str("\n      ],\n      \"docs\": ");
        quote(&desc.docs, &mut out);
        out.push_str(",\n      \"since_version\": ");
        quote(&desc.since_version, &mut out);
        out.push_str(",\n      \"deprecated_in\": ");
        write_optional(desc.deprecated_in.as_deref(), &mut out);
        out.push_str("\n    }");
    }
    out.push_str("\n  ]\n}\n");
    out
}

fn write_optional(text: Option<&str>, out: &mut String) {
    match text {
        Some(text) => quote(text, out),
        None => out.push_str("null"),
    }
}

fn write_field(field: &FieldDesc, out: &mut String) {
    let _ = write!(out, "{{\"id\": {}, \"name\": ", field.id);
    quote(&field.name, out);
    let _ = write!(out, ", \"kind\": \"{}\", \"quantisation\": ", field.kind.name());
    write_quantisation(&field.kind, out);
    let _ = write!(
        out,
        ", \"semantic\": \"{}\", \"predictor\": \"{}\"",
        field.semantic.name(),
        field.predictor.name()
    );
    out.push_str(", \"default\": ");
    match &field.default {
        Value::Unset => out.push_str("null"),
        Value::Int(value) => {
            let _ = write!(out, "\"{value}\"");
        }
        Value::Numbers(numbers) => {
            out.push('[');
            for (index, number) in numbers.iter().enumerate() {
                let _ = write!(out, "{}{number:?}", if index == 0 { "" } else { ", " });
            }
            out.push(']');
        }
        Value::Text(text) => quote(text, out),
        Value::Bytes(bytes) => {
            out.push('"');
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push('"');
        }
    }
    let _ =
        write!(out, ", \"diff\": \"{}\", \"document\": {}, \"docs\": ", field.diff.name(), field.document);
    quote(&field.docs, out);
    out.push_str(", \"since_version\": ");
    quote(&field.since_version, out);
    out.push_str(", \"deprecated_in\": ");
    write_optional(field.deprecated_in.as_deref(), out);
    out.push('}');
}

fn write_quantisation(kind: &FieldKind, out: &mut String) {
    let range = |range: &Range, out: &mut String| {
        let _ =
            write!(out, "{{\"min\": {:?}, \"max\": {:?}, \"step\": {:?}", range.min, range.max, range.step);
    };
    match kind {
        FieldKind::Int { min, max, .. } => {
            let _ = write!(out, "{{\"min\": \"{min}\", \"max\": \"{max}\"");
        }
        FieldKind::Flags { bits } | FieldKind::Quat { bits } => {
            let _ = write!(out, "{{\"bits\": {bits}");
        }
        FieldKind::F32(r) | FieldKind::F64(r) | FieldKind::Vector { range: r, .. } | FieldKind::DVec3(r) => {
            range(r, out);
        }
        FieldKind::Entity => out.push('{'),
        FieldKind::String { max_len } | FieldKind::Bytes { max_len } => {
            let _ = write!(out, "{{\"max_len\": {max_len}");
        }
        FieldKind::List { item, max_len } => {
            match item {
                ListItem::Int { ty, min, max } => {
                    let _ =
                        write!(out, "{{\"item\": \"{}\", \"min\": \"{min}\", \"max\": \"{max}\"", ty.name());
                }
                ListItem::F32(r) => {
                    range(r, out);
                    out.push_str(", \"item\": \"f32\"");
                }
            }
            let _ = write!(out, ", \"max_len\": {max_len}");
        }
    }
    out.push('}');
}

/// Reads a manifest back into a schema.
///
/// # Errors
/// [`SchemaError::BadManifest`] with the place in the text; whatever a registration would refuse; and
/// [`SchemaError::ManifestHash`] when the parts do not have the hash the text states.
pub fn parse(text: &str) -> Result<Schema, SchemaError> {
    let root = Json::parse(text)?;
    let stated = parse_hash(root.get("schema_hash")?)?;
    let components = root.get("components")?.array()?;
    if components.len() > MAX_COMPONENTS {
        return Err(SchemaError::OverLimit {
            what: "components",
            actual: components.len(),
            limit: MAX_COMPONENTS,
        });
    }
    let mut registry = Registry::new();
    for json in components {
        let desc = parse_component(json)?;
        if parse_hash(json.get("id")?)? != desc.id().0 {
            return Err(error(json.at, format!("the id of {:?} is not the hash of its name", desc.name)));
        }
        // The built-in component is added by freezing; that both are the same shows in the hash.
        if desc.name != ENTITY_COMPONENT {
            registry.add(desc)?;
        }
    }
    let schema = registry.freeze()?;
    if schema.hash() == stated {
        Ok(schema)
    } else {
        Err(SchemaError::ManifestHash { stated, actual: schema.hash() })
    }
}

fn parse_hash(json: &Json) -> Result<u64, SchemaError> {
    let text = json.text()?;
    text.strip_prefix("0x")
        .filter(|digits| digits.len() == 16)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| error(json.at, "0x and 16 hexadecimal digits are expected"))
}

fn parse_component(json: &Json) -> Result<ComponentDesc, SchemaError> {
    let mut desc = ComponentDesc::new(json.get("name")?.text()?);
    desc.authority = named(json.get("authority")?, Authority::from_name)?;
    desc.docs = optional(json, "docs")?;
    desc.since_version = optional(json, "since_version")?;
    desc.deprecated_in = json.get("deprecated_in")?.optional_text()?;
    let fields = json.get("fields")?.array()?;
    if fields.len() > MAX_FIELDS {
        return Err(SchemaError::OverLimit {
            what: "fields of a component",
            actual: fields.len(),
            limit: MAX_FIELDS,
        });
    }
    for field in fields {
        desc.fields.push(parse_field(field)?);
    }
    Ok(desc)
}

fn optional(json: &Json, name: &str) -> Result<String, SchemaError> {
    json.find(name)?.map_or(Ok(String::new()), |value| value.text().map(str::to_owned))
}

fn named<T>(json: &Json, find: impl Fn(&str) -> Option<T>) -> Result<T, SchemaError> {
    let name = json.text()?;
    find(name).ok_or_else(|| error(json.at, format!("{name:?} is not known here")))
}

fn parse_field(json: &Json) -> Result<FieldDesc, SchemaError> {
    let kind_json = json.get("kind")?;
    let quantisation = json.get("quantisation")?;
    let kind_name = kind_json.text()?;
    let kind = parse_kind(kind_name, quantisation)?
        .ok_or_else(|| error(kind_json.at, format!("the kind {kind_name:?} is not known here")))?;
    let mut field = FieldDesc::new(json.get("id")?.number()?, json.get("name")?.text()?, kind);
    field.semantic = named(json.get("semantic")?, Semantic::from_name)?;
    field.predictor = named(json.get("predictor")?, Predictor::from_name)?;
    field.diff = named(json.get("diff")?, Diff::from_name)?;
    field.document = json.get("document")?.bool()?;
    field.docs = optional(json, "docs")?;
    field.since_version = optional(json, "since_version")?;
    field.deprecated_in = json.get("deprecated_in")?.optional_text()?;
    field.default = parse_default(json.get("default")?, &kind)?;
    Ok(field)
}

fn parse_int(json: &Json) -> Result<i128, SchemaError> {
    let text = json.text()?;
    text.parse().map_err(|_| error(json.at, "a decimal integer in quotes is expected"))
}

fn parse_kind(name: &str, json: &Json) -> Result<Option<FieldKind>, SchemaError> {
    let range = || -> Result<Range, SchemaError> {
        Ok(Range::new(json.get("min")?.number()?, json.get("max")?.number()?, json.get("step")?.number()?))
    };
    let bounds = || -> Result<(i128, i128), SchemaError> {
        Ok((parse_int(json.get("min")?)?, parse_int(json.get("max")?)?))
    };
    let int_type = |name: &str| IntType::ALL.into_iter().find(|ty| ty.name() == name);
    Ok(Some(match name {
        "flags" => FieldKind::Flags { bits: json.get("bits")?.number()? },
        "f32" => FieldKind::F32(range()?),
        "f64" => FieldKind::F64(range()?),
        "vec2" => FieldKind::Vector { len: 2, range: range()? },
        "vec3" => FieldKind::Vector { len: 3, range: range()? },
        "vec4" => FieldKind::Vector { len: 4, range: range()? },
        "dvec3" => FieldKind::DVec3(range()?),
        "quat" => FieldKind::Quat { bits: json.get("bits")?.number()? },
        "entity" => FieldKind::Entity,
        "string" => FieldKind::String { max_len: json.get("max_len")?.number()? },
        "bytes" => FieldKind::Bytes { max_len: json.get("max_len")?.number()? },
        "list" => {
            let item_json = json.get("item")?;
            let item = match item_json.text()? {
                "f32" => ListItem::F32(range()?),
                other => {
                    let ty = int_type(other)
                        .ok_or_else(|| error(item_json.at, "a list of this is not known here"))?;
                    let (min, max) = bounds()?;
                    ListItem::Int { ty, min, max }
                }
            };
            FieldKind::List { item, max_len: json.get("max_len")?.number()? }
        }
        other => match int_type(other) {
            Some(ty) => {
                let (min, max) = bounds()?;
                FieldKind::Int { ty, min, max }
            }
            None => return Ok(None),
        },
    }))
}

fn parse_default(json: &Json, kind: &FieldKind) -> Result<Value, SchemaError> {
    Ok(match (&json.value, kind) {
        (JsonValue::Null, _) => Value::Unset,
        (JsonValue::Array(numbers), _) => {
            Value::Numbers(numbers.iter().map(Json::number).collect::<Result<_, _>>()?)
        }
        (JsonValue::Text(text), FieldKind::String { .. }) => Value::Text(text.clone()),
        (JsonValue::Text(text), FieldKind::Bytes { .. }) => Value::Bytes(
            text.as_bytes()
                .chunks(2)
                .map(|pair| {
                    core::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
                })
                .collect::<Option<_>>()
                .ok_or_else(|| error(json.at, "hexadecimal bytes are expected"))?,
        ),
        (JsonValue::Text(_), _) => Value::Int(parse_int(json)?),
        _ => return Err(error(json.at, "a default of another kind than the field")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> Schema {
        let range = Range::new(-32.0, 31.9990234375, 1.0 / 1024.0);
        let kinds = [
            FieldKind::int(IntType::U64),
            FieldKind::Int { ty: IntType::I8, min: -3, max: 100 },
            FieldKind::Flags { bits: 12 },
            FieldKind::F32(Range::new(0.0, 1e-3, 1e-7)),
            FieldKind::F64(Range::new(0.0, 68_719_476_735.0, 1.0)),
            FieldKind::Vector { len: 2, range },
            FieldKind::vec3(range),
            FieldKind::Vector { len: 4, range },
            FieldKind::DVec3(Range::new(-1e6, 1e6, 0.001)),
            FieldKind::Quat { bits: 12 },
            FieldKind::Entity,
            FieldKind::String { max_len: 64 },
            FieldKind::Bytes { max_len: 9 },
            FieldKind::List { item: ListItem::Int { ty: IntType::U16, min: 0, max: 1000 }, max_len: 7 },
            FieldKind::List { item: ListItem::F32(range), max_len: 3 },
        ];
        let mut desc =
            ComponentDesc::new("every.kind \"quoted\" \\ \u{e4}").docs("line one\nline two").since("0.1");
        for (index, kind) in kinds.into_iter().enumerate() {
            desc = desc.field(FieldDesc::new(
                index as u16 + 1,
                kind.name().to_owned() + &index.to_string(),
                kind,
            ));
        }
        desc.fields[0].default = Value::Int(i128::from(u64::MAX));
        desc.fields[6].default = Value::Numbers(vec![0.1, -0.0, 1e-7]);
        desc.fields[11].default = Value::Text("tab\there".into());
        desc.fields[12].default = Value::Bytes(vec![0, 255]);
        desc.fields[2].document = true;
        desc.fields[1].deprecated_in = Some("0.2".into());
        let mut registry = Registry::new();
        registry.add(desc).unwrap();
        registry
            .add(ComponentDesc::new("other").authority(Authority::Owner).field(FieldDesc::new(
                7,
                "a",
                FieldKind::Entity,
            )))
            .unwrap();
        registry.freeze().unwrap()
    }

    #[test]
    fn comes_back_byte_for_byte() {
        let schema = every_kind();
        let text = schema.manifest();
        let back = parse(&text).unwrap();
        assert_eq!(back.hash(), schema.hash());
        assert_eq!(back.manifest(), text);
    }

    #[test]
    fn a_changed_manifest_is_refused() {
        let text = every_kind().manifest();
        let changed = text.replacen("\"bits\": 12", "\"bits\": 13", 1);
        assert_ne!(text, changed);
        assert!(matches!(parse(&changed), Err(SchemaError::ManifestHash { .. })));
        let renamed = text.replacen("\"other\"", "\"othen\"", 1);
        assert!(matches!(parse(&renamed), Err(SchemaError::BadManifest { .. })));
    }

    #[test]
    fn cut_or_flipped_text_is_an_error_or_a_schema() {
        let text = every_kind().manifest();
        for cut in 0..text.trim_end().len() {
            if text.is_char_boundary(cut) {
                assert!(parse(&text[..cut]).is_err(), "cut at {cut}");
            }
        }
        for at in 0..text.len() {
            for flip in [0x01, 0x04, 0x10, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                if let Ok(changed) = String::from_utf8(bytes) {
                    // Names, documentation and versions may change without the hash noticing; nothing may panic.
                    drop(parse(&changed));
                }
            }
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(&deep), Err(SchemaError::BadManifest { .. })));
    }
}
