//! The compact manifest: a schema as few bytes, for a peer that was built with another one.
//!
//! It has everything that changes bits, and names and versions for people; docs/protocol.md, "Compact manifest",
//! writes it down byte by byte. The engine's layout, documentation, meaning in space and authority are not in it: the
//! peer has its own. The built-in component is not either: it belongs to the protocol's version.
//!
//! Reading one back gives a schema with the hash that it states, or an error; one schema has one spelling. It comes
//! from a host, which may be anybody: every count is checked before memory is asked for it.

use super::field::{Diff, FieldDesc, Predictor, Value};
use super::kind::{FieldKind, IntType, ListItem, Range};
use super::limits::{MAX_COMPACT_BYTES, MAX_COMPONENTS, MAX_FIELDS, MAX_NAME_BYTES};
use super::registry::{ENTITY_COMPONENT, Registry, Schema};
use super::{ComponentDesc, SchemaError};

/// The first bytes, with the format's version.
const MAGIC: &[u8; 4] = b"THM1";
/// Bytes of the longest integer: a sign and 64 bits, seven to a byte.
const MAX_INTEGER_BYTES: usize = 10;

/// The compact manifest of a schema.
///
/// # Errors
/// [`SchemaError::OverLimit`] when it has more than [`MAX_COMPACT_BYTES`].
pub fn write(schema: &Schema) -> Result<Vec<u8>, SchemaError> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&schema.hash().to_le_bytes());
    let components = schema.components().iter().filter(|component| component.name() != ENTITY_COMPONENT);
    put_count(components.clone().count(), &mut out);
    for component in components {
        let desc = &component.desc;
        put_text(&desc.name, &mut out);
        out.push(u8::from(desc.deprecated_in.is_some()));
        put_text(&desc.since_version, &mut out);
        if let Some(version) = &desc.deprecated_in {
            put_text(version, &mut out);
        }
        put_count(component.fields.len(), &mut out);
        for field in &component.fields {
            put_field(&field.desc, &mut out);
        }
    }
    if out.len() > MAX_COMPACT_BYTES {
        return Err(SchemaError::OverLimit {
            what: "bytes of a compact manifest",
            actual: out.len(),
            limit: MAX_COMPACT_BYTES,
        });
    }
    Ok(out)
}

fn put_varint(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    put_varint(count as u128, out);
}

fn put_integer(value: i128, out: &mut Vec<u8>) {
    put_varint(((value << 1) ^ (value >> 127)) as u128, out);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), out);
}

fn put_range(range: &Range, out: &mut Vec<u8>) {
    for number in [range.min, range.max, range.step] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_field(desc: &FieldDesc, out: &mut Vec<u8>) {
    put_varint(u128::from(desc.id), out);
    put_text(&desc.name, out);
    let flags = u8::from(desc.deprecated_in.is_some()) | u8::from(desc.document) << 1;
    out.extend_from_slice(&[desc.kind.code(), desc.predictor.code(), desc.diff.code(), flags]);
    match &desc.kind {
        FieldKind::Int { min, max, .. } => {
            put_integer(*min, out);
            put_integer(*max, out);
        }
        FieldKind::Flags { bits } | FieldKind::Quat { bits } => out.push(*bits),
        FieldKind::F32(r) | FieldKind::F64(r) | FieldKind::Vector { range: r, .. } | FieldKind::DVec3(r) => {
            put_range(r, out);
        }
        FieldKind::Entity => {}
        FieldKind::String { max_len } | FieldKind::Bytes { max_len } => {
            put_count(usize::from(*max_len), out);
        }
        FieldKind::List { item, max_len } => {
            put_count(usize::from(*max_len), out);
            match item {
                ListItem::Int { ty, min, max } => {
                    out.push(ty.code());
                    put_integer(*min, out);
                    put_integer(*max, out);
                }
                ListItem::F32(range) => {
                    out.push(FieldKind::F32(*range).code());
                    put_range(range, out);
                }
            }
        }
    }
    match &desc.default {
        Value::Unset => out.push(0),
        Value::Int(value) => {
            out.push(1);
            put_integer(*value, out);
        }
        Value::Numbers(numbers) => {
            out.push(2);
            put_count(numbers.len(), out);
            for number in numbers {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        Value::Text(text) => {
            out.push(3);
            put_text(text, out);
        }
        Value::Bytes(bytes) => {
            out.push(4);
            put_bytes(bytes, out);
        }
    }
    put_text(&desc.since_version, out);
    if let Some(version) = &desc.deprecated_in {
        put_text(version, out);
    }
}

/// Reads a compact manifest.
///
/// # Errors
/// [`SchemaError::BadManifest`] with the place; whatever a registration would refuse; and
/// [`SchemaError::ManifestHash`] when what it describes does not have the hash that it states.
pub fn parse(bytes: &[u8]) -> Result<Schema, SchemaError> {
    if bytes.len() > MAX_COMPACT_BYTES {
        return Err(SchemaError::OverLimit {
            what: "bytes of a compact manifest",
            actual: bytes.len(),
            limit: MAX_COMPACT_BYTES,
        });
    }
    let mut input = Cursor { bytes, at: 0 };
    if input.take(MAGIC.len())? != MAGIC {
        return Err(input.bad("it does not begin like a manifest of this version"));
    }
    let stated = u64::from_le_bytes(input.array()?);
    // One place is the built-in component's.
    let count = input.count(MAX_COMPONENTS - 1, "too many components")?;
    let mut registry = Registry::new();
    let mut previous = None;
    for _ in 0..count {
        let desc = input.component()?;
        let id = registry.add_foreign(desc)?;
        if previous.is_some_and(|previous| previous >= id) {
            return Err(input.bad("its components do not ascend by id"));
        }
        previous = Some(id);
    }
    if input.at != bytes.len() {
        return Err(input.bad("bytes behind the last component"));
    }
    let schema = registry.freeze()?;
    if schema.hash() != stated {
        return Err(SchemaError::ManifestHash { stated, actual: schema.hash() });
    }
    Ok(schema)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn bad(&self, problem: impl Into<String>) -> SchemaError {
        SchemaError::BadManifest { at: self.at, problem: problem.into() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SchemaError> {
        let found = self.bytes[self.at..].get(..count).ok_or_else(|| self.bad("it ends too early"))?;
        self.at += count;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SchemaError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, SchemaError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn varint(&mut self) -> Result<u128, SchemaError> {
        let mut value = 0;
        for index in 0..MAX_INTEGER_BYTES {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                // Seven zero bits at the end would be a second spelling.
                return if byte == 0 && index > 0 { Err(self.bad("an overlong number")) } else { Ok(value) };
            }
        }
        Err(self.bad("an overlong number"))
    }

    fn count(&mut self, limit: usize, problem: &'static str) -> Result<usize, SchemaError> {
        let count = self.varint()?;
        usize::try_from(count).ok().filter(|count| *count <= limit).ok_or_else(|| self.bad(problem))
    }

    fn integer(&mut self) -> Result<i128, SchemaError> {
        let coded = self.varint()?;
        Ok((coded >> 1) as i128 ^ -((coded & 1) as i128))
    }

    fn float(&mut self) -> Result<f64, SchemaError> {
        self.array().map(f64::from_le_bytes)
    }

    fn range(&mut self) -> Result<Range, SchemaError> {
        Ok(Range::new(self.float()?, self.float()?, self.float()?))
    }

    fn blob(&mut self) -> Result<&'a [u8], SchemaError> {
        let count = self.count(self.bytes.len(), "it ends too early")?;
        self.take(count)
    }

    fn text(&mut self) -> Result<String, SchemaError> {
        let at = self.at;
        let text = core::str::from_utf8(self.blob()?);
        text.map(str::to_owned)
            .map_err(|_| SchemaError::BadManifest { at, problem: "text that is not UTF-8".into() })
    }

    fn flags(&mut self, known: u8) -> Result<u8, SchemaError> {
        let flags = self.byte()?;
        if flags & !known == 0 { Ok(flags) } else { Err(self.bad("an unknown flag")) }
    }

    fn component(&mut self) -> Result<ComponentDesc, SchemaError> {
        let name = self.text()?;
        if name == ENTITY_COMPONENT || name.len() > MAX_NAME_BYTES {
            return Err(self.bad("a component's name that is built in or too long"));
        }
        let mut desc = ComponentDesc::new(name);
        let is_deprecated = self.flags(1)? == 1;
        desc.since_version = self.text()?;
        if is_deprecated {
            desc.deprecated_in = Some(self.text()?);
        }
        let fields = self.count(MAX_FIELDS, "too many fields")?;
        for _ in 0..fields {
            let field = self.field()?;
            if desc.fields.last().is_some_and(|last| last.id >= field.id) {
                return Err(self.bad("fields that do not ascend by id"));
            }
            desc.fields.push(field);
        }
        Ok(desc)
    }

    fn field(&mut self) -> Result<FieldDesc, SchemaError> {
        let id = self.count(usize::from(u16::MAX), "a field id above 65535")? as u16;
        let name = self.text()?;
        let [kind, predictor, diff] = self.array()?;
        let predictor = Predictor::from_code(predictor).ok_or_else(|| self.bad("an unknown predictor"))?;
        let diff = Diff::from_code(diff).ok_or_else(|| self.bad("an unknown diff"))?;
        let flags = self.flags(3)?;
        let kind = self.kind(kind)?;
        let mut desc = FieldDesc::new(id, name, kind).predictor(predictor).diff(diff);
        desc.document = flags & 2 == 2;
        desc.default = match self.byte()? {
            0 => Value::Unset,
            1 => Value::Int(self.integer()?),
            2 => {
                let count = self.count(4, "a default of too many numbers")?;
                Value::Numbers((0..count).map(|_| self.float()).collect::<Result<_, _>>()?)
            }
            3 => Value::Text(self.text()?),
            4 => Value::Bytes(self.blob()?.to_vec()),
            _ => return Err(self.bad("a default of an unknown sort")),
        };
        desc.since_version = self.text()?;
        if flags & 1 == 1 {
            desc.deprecated_in = Some(self.text()?);
        }
        Ok(desc)
    }

    fn int_type(&self, code: u8) -> Result<IntType, SchemaError> {
        let found = IntType::ALL.iter().copied().find(|ty| ty.code() == code);
        found.ok_or_else(|| self.bad("an unknown kind"))
    }

    fn kind(&mut self, code: u8) -> Result<FieldKind, SchemaError> {
        let max_len = |input: &mut Self| input.count(usize::from(u16::MAX), "too large a capacity");
        Ok(match code {
            9 => FieldKind::Flags { bits: self.byte()? },
            10 => FieldKind::F32(self.range()?),
            11 => FieldKind::F64(self.range()?),
            12..=14 => FieldKind::Vector { len: code - 10, range: self.range()? },
            15 => FieldKind::DVec3(self.range()?),
            16 => FieldKind::Quat { bits: self.byte()? },
            17 => FieldKind::Entity,
            18 => FieldKind::String { max_len: max_len(self)? as u16 },
            19 => FieldKind::Bytes { max_len: max_len(self)? as u16 },
            20 => {
                let max_len = max_len(self)? as u16;
                let item = match self.byte()? {
                    10 => ListItem::F32(self.range()?),
                    code => {
                        ListItem::Int { ty: self.int_type(code)?, min: self.integer()?, max: self.integer()? }
                    }
                };
                FieldKind::List { item, max_len }
            }
            code => FieldKind::Int { ty: self.int_type(code)?, min: self.integer()?, max: self.integer()? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> Schema {
        let metres = Range::new(-32.0, 31.75, 0.25);
        let kinds = [
            FieldKind::int(IntType::U64),
            FieldKind::Int { ty: IntType::I64, min: i128::from(i64::MIN), max: -1 },
            FieldKind::Flags { bits: 13 },
            FieldKind::F32(metres),
            FieldKind::F64(metres),
            FieldKind::Vector { len: 2, range: metres },
            FieldKind::vec3(metres),
            FieldKind::Vector { len: 4, range: metres },
            FieldKind::DVec3(metres),
            FieldKind::Quat { bits: 10 },
            FieldKind::Entity,
            FieldKind::String { max_len: 300 },
            FieldKind::Bytes { max_len: 40 },
            FieldKind::List { item: ListItem::Int { ty: IntType::I16, min: -300, max: 300 }, max_len: 6 },
            FieldKind::List { item: ListItem::F32(metres), max_len: 1 },
        ];
        let defaults = [
            (0, Value::Int(i128::from(u64::MAX))),
            (3, Value::Numbers(vec![-0.25])),
            (11, Value::Text("\u{3b8}".into())),
            (12, Value::Bytes(vec![0, 255])),
        ];
        let mut all = ComponentDesc::new("test.all").since("1.2").deprecated_in("2.0");
        for (at, kind) in kinds.into_iter().enumerate() {
            let mut field = FieldDesc::new(at as u16 * 200 + 1, format!("f{at}"), kind).document(at == 2);
            if let Some((_, value)) = defaults.iter().find(|(other, _)| *other == at) {
                field = field.default_value(value.clone()).since("1.3");
            }
            if at == 4 {
                field = field.predictor(Predictor::Linear).diff(Diff::Replace);
                field.deprecated_in = Some("1.9".into());
            }
            all = all.field(field);
        }
        let mut registry = Registry::new();
        registry.add(all).unwrap();
        registry
            .add(ComponentDesc::new("test.one").field(FieldDesc::new(1, "on", FieldKind::Flags { bits: 1 })))
            .unwrap();
        registry.freeze().unwrap()
    }

    #[test]
    fn a_schema_comes_back_and_has_one_spelling() {
        let schema = every_kind();
        let bytes = write(&schema).unwrap();
        let back = parse(&bytes).unwrap();
        assert_eq!(back.hash(), schema.hash());
        assert_eq!(write(&back).unwrap(), bytes);
        let named = |schema: &Schema| {
            let index = schema.index_of(super::super::component_id("test.all")).unwrap();
            let desc = schema.component(index).desc.clone();
            let field = &desc.fields[4];
            (desc.since_version, desc.deprecated_in, field.name.clone(), field.deprecated_in.clone())
        };
        assert_eq!(named(&back), named(&schema));
        assert!(bytes.len() < 500, "{} bytes", bytes.len());
    }

    #[test]
    fn whatever_is_changed_is_an_error_or_the_same_schema() {
        let bytes = write(&every_kind()).unwrap();
        let hash = every_kind().hash();
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            // Names of fields and versions are for people, and not in the hash.
            if let Ok(schema) = parse(&changed) {
                assert_eq!(schema.hash(), hash, "bit {at}");
                assert_eq!(write(&schema).unwrap(), changed, "bit {at}: two spellings");
            }
        }
        assert!(parse(&[&bytes[..], &[0]].concat()).is_err(), "bytes behind the end");
    }

    #[test]
    fn a_claim_of_many_is_refused_before_memory_is_asked_for() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[0; 8]);
        put_count(1024, &mut bytes);
        assert!(matches!(parse(&bytes), Err(SchemaError::BadManifest { .. })));
        assert!(parse(&vec![0; MAX_COMPACT_BYTES + 1]).is_err());
    }
}
