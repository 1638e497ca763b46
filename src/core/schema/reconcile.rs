//! How a peer reads the world of a host whose components are not its own: which field of the host's fills which field
//! of ours, and by what conversion. docs/protocol.md, "Other components", states the rules.
//!
//! Components and fields are matched by id. What the host has and we do not is skipped; what we have and the host does
//! not is our default; a field that both have with another quantisation becomes the value that a write of ours would
//! make of the host's value. Kinds that mean something else are no conversion: then there is no mapping, and the
//! error names what differs.

use std::sync::Arc;

use super::component::Component;
use super::field::{Cell, Field};
use super::kind::{FieldKind, ListItem, Range};
use super::quantise::{
    dequantise_float, dequantise_quat, list_lane, quantise_float, quantise_int, quantise_quat,
};
use super::registry::{ComponentIndex, Schema};
use crate::types::ComponentId;

/// Differences that an error names; of the rest it gives the number.
const NAMED: usize = 6;

/// What became of a component or field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// The host has the component, we do not: its values are skipped.
    ComponentSkipped,
    /// We have the component, the host does not: no entity has it.
    ComponentAbsent,
    /// The host has the field, we do not: its values are skipped.
    FieldSkipped,
    /// We have the field, the host does not: it holds our default.
    FieldDefaulted,
    /// Both have the field, with another type or quantisation: its values are converted.
    FieldConverted,
    /// The host says that it is deprecated. It is read all the same.
    Deprecated,
}

/// One thing that is not the same at the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingNote {
    /// What became of it.
    pub kind: NoteKind,
    /// The component.
    pub component: ComponentId,
    /// The field; zero where the note is about the component.
    pub field: u16,
    /// Both by name, with what was done, for a person.
    pub text: String,
}

/// Where a field of ours comes from.
#[derive(Clone, Debug)]
pub enum FieldSource {
    /// The host's cells are ours as they are.
    Same {
        /// Position among the host component's fields.
        field: usize,
    },
    /// The host's cells, converted.
    Converted {
        /// Position among the host component's fields.
        field: usize,
        /// How.
        conversion: Conversion,
    },
    /// The host has no such field.
    Default,
}

/// A component that both have.
#[derive(Clone, Debug)]
pub struct ComponentMapping {
    /// Ours.
    pub own: ComponentIndex,
    /// One for each of our fields.
    pub fields: Box<[FieldSource]>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Mapping {
    host: Arc<Schema>,
    own: Arc<Schema>,
    /// For each component of the host.
    components: Box<[Option<ComponentMapping>]>,
    notes: Vec<MappingNote>,
}

impl Mapping {
    /// Works out how to read `host`'s world as `own`.
    ///
    /// # Errors
    /// A sentence that names what cannot be reconciled.
    pub fn new(host: Arc<Schema>, own: Arc<Schema>) -> Result<Self, String> {
        let mut notes = Vec::new();
        let mut problems = Vec::new();
        let mut components = Vec::with_capacity(host.components().len());
        for theirs in host.components() {
            let note = |kind, text| MappingNote { kind, component: theirs.id, field: 0, text };
            if let Some(version) = &theirs.desc.deprecated_in {
                let text = format!("{:?} is deprecated at the host since {version:?}", theirs.name());
                notes.push(note(NoteKind::Deprecated, text));
            }
            components.push(match own.index_of(theirs.id) {
                None => {
                    let text = format!("{:?} is the host's alone: skipped", theirs.name());
                    notes.push(note(NoteKind::ComponentSkipped, text));
                    None
                }
                Some(index) => {
                    let fields = match_fields(theirs, own.component(index), &mut notes, &mut problems);
                    Some(ComponentMapping { own: index, fields })
                }
            });
        }
        for ours in own.components().iter().filter(|ours| host.index_of(ours.id).is_none()) {
            let text = format!("{:?} is not at the host: no entity has it", ours.name());
            let kind = NoteKind::ComponentAbsent;
            notes.push(MappingNote { kind, component: ours.id, field: 0, text });
        }
        if !problems.is_empty() {
            return Err(list(problems));
        }
        notes.sort_by_key(|note| (note.kind, note.component, note.field));
        Ok(Self { host, own, components: components.into(), notes })
    }

    /// The host's components: what everything on the wire is in.
    #[must_use]
    pub const fn host(&self) -> &Arc<Schema> {
        &self.host
    }

    /// Ours: what everything that the application reads is in.
    #[must_use]
    pub const fn own(&self) -> &Arc<Schema> {
        &self.own
    }

    /// How we read a component of the host; `None` for one that we do not have.
    #[must_use]
    pub fn component(&self, host: ComponentIndex) -> Option<&ComponentMapping> {
        self.components.get(host.0 as usize)?.as_ref()
    }

    /// What is not the same, by kind, component and field.
    #[must_use]
    pub fn notes(&self) -> &[MappingNote] {
        &self.notes
    }
}

/// Joins what differs into one sentence, cut to a few.
pub(crate) fn list(mut differences: Vec<String>) -> String {
    let more = differences.len().saturating_sub(NAMED);
    differences.truncate(NAMED);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    differences.join(", ")
}

fn match_fields(
    theirs: &Component,
    ours: &Component,
    notes: &mut Vec<MappingNote>,
    problems: &mut Vec<String>,
) -> Box<[FieldSource]> {
    let name = ours.name();
    let mut note = |kind, field, text| {
        notes.push(MappingNote { kind, component: ours.id, field, text });
    };
    for field in theirs.fields.iter().map(|field| &field.desc) {
        if ours.field_index(field.id).is_none() {
            let text = format!("\"{name}.{}\" is the host's alone: skipped", field.name.escape_debug());
            note(NoteKind::FieldSkipped, field.id, text);
        } else if let Some(version) = &field.deprecated_in {
            let text = format!("\"{name}.{}\" is deprecated at the host since {version:?}", field.name);
            note(NoteKind::Deprecated, field.id, text);
        }
    }
    let mut in_common = 0;
    let sources = ours.fields.iter().map(|field| {
        let desc = &field.desc;
        let Some(at) = theirs.field_index(desc.id) else {
            let text = format!("\"{name}.{}\" is not at the host: its default", desc.name);
            note(NoteKind::FieldDefaulted, desc.id, text);
            return FieldSource::Default;
        };
        in_common += 1;
        let (from, to) = (&theirs.fields[at].desc.kind, &desc.kind);
        if from != to {
            let (from, to) = (describe(from), describe(to));
            let text = format!("\"{name}.{}\" is {from} at the host, read as {to}", desc.name);
            note(NoteKind::FieldConverted, desc.id, text);
        }
        match Conversion::between(&theirs.fields[at], field) {
            Some(Conversion::None) => FieldSource::Same { field: at },
            Some(conversion) => FieldSource::Converted { field: at, conversion },
            None => {
                let (from, to) = (describe(from), describe(to));
                problems.push(format!("\"{name}.{}\" is {from} at the host and {to} here", desc.name));
                FieldSource::Default
            }
        }
    });
    let sources = sources.collect();
    if in_common == 0 {
        problems.push(format!("\"{name}\" has no field in common with the host's"));
    }
    sources
}

/// A kind for people.
fn describe(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Int { min, max, .. } => format!("{} {min}..{max}", kind.name()),
        FieldKind::Flags { bits } => format!("{bits} flags"),
        FieldKind::F32(range) | FieldKind::F64(range) | FieldKind::Vector { range, .. } => {
            format!("{} {}..{} by {}", kind.name(), range.min, range.max, range.step)
        }
        FieldKind::DVec3(range) => format!("dvec3 {}..{} by {}", range.min, range.max, range.step),
        FieldKind::Quat { bits } => format!("quat of {bits} bits"),
        FieldKind::Entity => "an entity".to_owned(),
        FieldKind::String { max_len } | FieldKind::Bytes { max_len } => {
            format!("{} up to {max_len} bytes", kind.name())
        }
        FieldKind::List { item, max_len } => {
            let item = match item {
                ListItem::Int { ty, min, max } => format!("{} {min}..{max}", ty.name()),
                ListItem::F32(range) => format!("f32 {}..{} by {}", range.min, range.max, range.step),
            };
            format!("list of up to {max_len} {item}")
        }
    }
}

/// How a cell of the host's becomes one of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Conversion {
    /// Not at all: the numbers mean the same.
    None,
    /// Each lane on its own.
    Lanes(LaneConversion),
    /// Flags that we do not know are dropped.
    Flags {
        /// Those that we know.
        known: u64,
    },
    /// A quaternion with another number of bits.
    Quat {
        /// The host's.
        from: u8,
        /// Ours.
        to: u8,
    },
    /// Text, cut at a character.
    Text {
        /// Our capacity in bytes.
        max_len: usize,
    },
    /// Bytes, cut.
    Bytes {
        /// Our capacity.
        max_len: usize,
    },
    /// A list, cut, each element on its own.
    List {
        /// Of each element.
        element: LaneConversion,
        /// Bytes of an element in the host's cell.
        from_bytes: usize,
        /// Bytes of an element in ours.
        to_bytes: usize,
        /// Our capacity in elements.
        max_len: usize,
    },
}

/// How a lane of the host's becomes one of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LaneConversion {
    /// It means the same.
    None,
    /// An integer with other bounds: clamped to ours.
    Int {
        /// The host's minimum.
        from: i128,
        /// Our minimum.
        min: i128,
        /// Our maximum.
        max: i128,
    },
    /// A float with another range or step: the nearest of ours.
    Float {
        /// The host's.
        from: Range,
        /// Ours.
        to: Range,
        /// The largest lane of ours.
        max_lane: u64,
    },
}

impl LaneConversion {
    fn ints(from: (i128, i128), to: (i128, i128)) -> Self {
        if from == to { Self::None } else { Self::Int { from: from.0, min: to.0, max: to.1 } }
    }

    fn floats(from: Range, to: Range) -> Self {
        if from == to { Self::None } else { Self::Float { from, to, max_lane: to.max_lane() } }
    }

    fn lane(self, lane: u64) -> u64 {
        match self {
            Self::None => lane,
            Self::Int { from, min, max } => quantise_int(from + i128::from(lane), min, max).0,
            Self::Float { from, to, max_lane } => {
                quantise_float(dequantise_float(lane, &from), &to, max_lane).0
            }
        }
    }
}

impl Conversion {
    /// From the host's field to ours; `None` where one is no form of the other.
    fn between(host: &Field, own: &Field) -> Option<Self> {
        use FieldKind as Kind;
        let of = |lane| if lane == LaneConversion::None { Self::None } else { Self::Lanes(lane) };
        let floats = |from: &Range, to: &Range| Some(of(LaneConversion::floats(*from, *to)));
        match (&host.desc.kind, &own.desc.kind) {
            (Kind::Int { min, max, .. }, Kind::Int { min: own_min, max: own_max, .. }) => {
                Some(of(LaneConversion::ints((*min, *max), (*own_min, *own_max))))
            }
            (Kind::F32(from) | Kind::F64(from), Kind::F32(to) | Kind::F64(to)) => floats(from, to),
            (Kind::Vector { len, range: from }, Kind::Vector { len: own_len, range: to })
                if len == own_len =>
            {
                floats(from, to)
            }
            (Kind::Vector { len: 3, range: from } | Kind::DVec3(from), Kind::DVec3(to))
            | (Kind::DVec3(from), Kind::Vector { len: 3, range: to }) => floats(from, to),
            (Kind::Flags { bits }, Kind::Flags { bits: own_bits }) => Some(if bits <= own_bits {
                Self::None
            } else {
                Self::Flags { known: u64::MAX >> (64 - u32::from(*own_bits)) }
            }),
            (Kind::Quat { bits: from }, Kind::Quat { bits: to }) => {
                Some(if from == to { Self::None } else { Self::Quat { from: *from, to: *to } })
            }
            (Kind::Entity, Kind::Entity) => Some(Self::None),
            (Kind::String { max_len: from }, Kind::String { max_len: to }) => {
                Some(if from <= to { Self::None } else { Self::Text { max_len: usize::from(*to) } })
            }
            (Kind::Bytes { max_len: from }, Kind::Bytes { max_len: to }) => {
                Some(if from <= to { Self::None } else { Self::Bytes { max_len: usize::from(*to) } })
            }
            (Kind::List { item: from, max_len }, Kind::List { item: to, max_len: own_len }) => {
                let element = match (from, to) {
                    (ListItem::Int { min, max, .. }, ListItem::Int { min: own_min, max: own_max, .. }) => {
                        LaneConversion::ints((*min, *max), (*own_min, *own_max))
                    }
                    (ListItem::F32(from), ListItem::F32(to)) => LaneConversion::floats(*from, *to),
                    _ => return None,
                };
                if element == LaneConversion::None && max_len <= own_len {
                    return Some(Self::None);
                }
                let (from_bytes, to_bytes) = (from.cell_bytes(), to.cell_bytes());
                Some(Self::List { element, from_bytes, to_bytes, max_len: usize::from(*own_len) })
            }
            _ => None,
        }
    }

    /// Converts the lanes of a fixed cell; `None` where they are no value of ours.
    #[must_use]
    pub fn lanes(&self, host: &[u64]) -> Option<Cell> {
        let lanes: Box<[u64]> = match *self {
            Self::Lanes(lane) => host.iter().map(|host| lane.lane(*host)).collect(),
            Self::Flags { known } => host.iter().map(|host| host & known).collect(),
            Self::Quat { from, to } => {
                let lanes = [*host.first()?, *host.get(1)?, *host.get(2)?, *host.get(3)?];
                quantise_quat(dequantise_quat(lanes, from), to)?.into()
            }
            _ => host.into(),
        };
        Some(Cell::Lanes(lanes))
    }

    /// Converts the bytes of a variable cell.
    #[must_use]
    pub fn bytes(&self, host: &[u8]) -> Cell {
        let bytes: Box<[u8]> = match *self {
            Self::Text { max_len } => {
                // Back to the beginning of the character that the cut would split.
                let is_boundary = |at: &usize| host.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
                let end = (0..=max_len.min(host.len())).rev().find(is_boundary).unwrap_or(0);
                host[..end].into()
            }
            Self::Bytes { max_len } => host[..max_len.min(host.len())].into(),
            Self::List { element, from_bytes, to_bytes, max_len } => host
                .chunks_exact(from_bytes.max(1))
                .take(max_len)
                .flat_map(|cell| element.lane(list_lane(cell)).to_le_bytes().into_iter().take(to_bytes))
                .collect(),
            _ => host.into(),
        };
        Cell::Bytes(bytes)
    }
}
