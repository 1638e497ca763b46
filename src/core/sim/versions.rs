//! Peers that were built with other components than the host: a build before the host's, one before that, and a newer
//! one. What such a peer shows is compared with what the host sealed, value by value, by rules of its own: nothing here
//! uses the code that maps one schema to the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rng::Rng;
use crate::schema::quantise::{dequantise_float, dequantise_quat, list_lane};
use crate::schema::{
    ComponentDesc, ComponentIndex, Field, FieldDesc, FieldKind, IntType, ListItem, Range, Registry, Schema,
    Value,
};
use crate::types::EntityId;
use crate::world::{CellRef, Frame, RowRef};

/// Which build a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Build {
    /// The host's.
    #[default]
    Same,
    /// One before the host's: a component and fields fewer, narrower numbers.
    Previous,
    /// Two before: everything narrower, and a field that the host gave up since.
    Oldest,
    /// One after: a component and fields more, wider numbers.
    Next,
}

impl Build {
    /// Two of five peers are not the host's build.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let others = [Self::Previous, Self::Oldest, Self::Next];
        if rng.chance_ppm(400_000) { others[rng.below(3) as usize] } else { Self::Same }
    }

    /// Its components; the host's are `host`.
    ///
    /// # Panics
    /// Never: the descriptions are constant.
    #[must_use]
    pub fn schema(self, host: &Arc<Schema>) -> Arc<Schema> {
        let components = match self {
            Self::Same => return Arc::clone(host),
            Self::Previous => previous(),
            Self::Oldest => oldest(),
            Self::Next => next(),
        };
        let mut registry = Registry::new();
        for component in components {
            registry.add(component).expect("constant component");
        }
        Arc::new(registry.freeze().expect("constant schema"))
    }
}

fn int(id: u16, name: &str, ty: IntType, min: i128, max: i128) -> FieldDesc {
    FieldDesc::new(id, name, FieldKind::Int { ty, min, max })
}

fn shorts(largest: i128) -> ListItem {
    ListItem::Int { ty: IntType::I16, min: -largest, max: largest }
}

fn previous() -> Vec<ComponentDesc> {
    let metres = Range::new(-512.0, 512.0, 1.0 / 512.0);
    vec![
        ComponentDesc::new("sim.body")
            .field(FieldDesc::new(1, "position", FieldKind::vec3(metres)))
            .field(FieldDesc::new(3, "velocity", FieldKind::vec3(Range::new(-8.0, 8.0, 0.125)))),
        ComponentDesc::new("sim.kit")
            .field(int(1, "health", IntType::U8, 0, 100))
            .field(FieldDesc::new(3, "charge", FieldKind::F32(Range::new(0.0, 1.0, 0.001))))
            .field(FieldDesc::new(4, "target", FieldKind::Entity))
            .field(FieldDesc::new(5, "title", FieldKind::String { max_len: 24 }))
            .field(FieldDesc::new(7, "slots", FieldKind::List { item: shorts(300), max_len: 6 })),
    ]
}

fn oldest() -> Vec<ComponentDesc> {
    let metres = Range::new(-256.0, 256.0, 1.0 / 64.0);
    vec![
        ComponentDesc::new("sim.body")
            .field(FieldDesc::new(1, "position", FieldKind::vec3(metres)))
            .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 7 })),
        ComponentDesc::new("sim.kit")
            .field(int(1, "health", IntType::I32, 10, 90))
            .field(FieldDesc::new(2, "flags", FieldKind::Flags { bits: 6 }))
            .field(FieldDesc::new(3, "charge", FieldKind::F64(Range::new(-1.0, 0.75, 0.25))))
            .field(FieldDesc::new(5, "title", FieldKind::String { max_len: 6 }))
            .field(FieldDesc::new(6, "blob", FieldKind::Bytes { max_len: 8 }))
            .field(FieldDesc::new(7, "slots", FieldKind::List { item: shorts(90), max_len: 3 }))
            .field(int(8, "lives", IntType::U8, 1, 9).default_value(Value::Int(3))),
        ComponentDesc::new("sim.far").field(FieldDesc::new(
            1,
            "place",
            FieldKind::DVec3(Range::new(-1e6, 1e6, 1.0)),
        )),
        ComponentDesc::new("sim.gone").field(int(1, "on", IntType::U8, 0, 1)),
    ]
}

fn next() -> Vec<ComponentDesc> {
    let metres = Range::new(-1024.0, 1024.0, 1.0 / 1024.0);
    let far = ComponentDesc::new("sim.far")
        .field(FieldDesc::new(1, "place", FieldKind::DVec3(Range::new(-1e8, 1e8, 1.0 / 1024.0))))
        .field(FieldDesc::new(2, "epoch", FieldKind::F64(Range::new(0.0, 1e9, 1e-3))))
        .field(int(3, "balance", IntType::I64, i128::from(i64::MIN), i128::from(i64::MAX)))
        .field(
            FieldDesc::new(9, "name", FieldKind::String { max_len: 9 })
                .default_value(Value::Text("new".into())),
        );
    vec![
        ComponentDesc::new("sim.body")
            .field(FieldDesc::new(1, "position", FieldKind::DVec3(metres)))
            .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 12 }))
            .field(FieldDesc::new(3, "velocity", FieldKind::vec3(Range::new(-64.0, 64.0, 0.01))))
            .field(
                FieldDesc::new(4, "glow", FieldKind::F32(Range::new(0.0, 8.0, 0.5)))
                    .default_value(Value::Numbers(vec![2.5])),
            ),
        ComponentDesc::new("sim.kit")
            .field(int(1, "health", IntType::U16, 0, 1000))
            .field(FieldDesc::new(2, "flags", FieldKind::Flags { bits: 20 }))
            .field(FieldDesc::new(3, "charge", FieldKind::F32(Range::new(0.0, 2.0, 0.001))))
            .field(FieldDesc::new(4, "target", FieldKind::Entity))
            .field(FieldDesc::new(5, "title", FieldKind::String { max_len: 60 }))
            .field(FieldDesc::new(6, "blob", FieldKind::Bytes { max_len: 80 }))
            .field(FieldDesc::new(7, "slots", FieldKind::List { item: shorts(900), max_len: 9 })),
        far,
        ComponentDesc::new("sim.next").field(int(1, "on", IntType::U8, 0, 1)),
    ]
}

/// What a peer of another build shows otherwise than it should, or nothing.
pub(super) fn compare(host: &Frame, host_schema: &Schema, shown: &Frame, schema: &Schema) -> Option<String> {
    let rows = |frame: &Frame| -> BTreeMap<EntityId, (usize, usize)> {
        let chunks = frame.chunks.iter().enumerate();
        chunks
            .flat_map(|(at, chunk)| chunk.slots().map(move |slot| (chunk.entities[slot], (at, slot))))
            .collect()
    };
    let (theirs, ours) = (rows(host), rows(shown));
    if theirs.keys().ne(ours.keys()) {
        return Some("other entities".to_owned());
    }
    for ((entity, from), to) in theirs.iter().zip(ours.values()) {
        let from = RowRef { chunk: &host.chunks[from.0], slot: from.1 };
        let to = RowRef { chunk: &shown.chunks[to.0], slot: to.1 };
        if let Some(problem) = compare_row(from, host_schema, to, schema) {
            return Some(format!("{entity:?}: {problem}"));
        }
    }
    None
}

fn compare_row(host: RowRef<'_>, host_schema: &Schema, shown: RowRef<'_>, schema: &Schema) -> Option<String> {
    for (index, component) in schema.components().iter().enumerate() {
        let first = shown.chunk.archetype.first_column(ComponentIndex(index as u16));
        let theirs = host_schema.index_of(component.id);
        let host_first = theirs.and_then(|index| host.chunk.archetype.first_column(index));
        let (Some(first), Some(host_first), Some(theirs)) = (first, host_first, theirs) else {
            if first.is_some() != host_first.is_some() {
                return Some(format!("{:?} is on one side alone", component.name()));
            }
            continue;
        };
        let theirs = host_schema.component(theirs);
        for (at, field) in component.fields.iter().enumerate() {
            let own = shown.cell(first + at);
            let is_right = match theirs.field_index(field.desc.id) {
                None => own == CellRef::from(&field.default_cell),
                Some(from) => is_reading(&theirs.fields[from], host.cell(host_first + from), field, own),
            };
            if !is_right {
                let name = &field.desc.name;
                return Some(format!("{}.{name} is {own:?}", component.name()));
            }
        }
    }
    None
}

/// True when `own` is what a peer may make of the host's value.
fn is_reading(theirs: &Field, host: CellRef<'_>, ours: &Field, own: CellRef<'_>) -> bool {
    use FieldKind as Kind;
    let near = |from: &Range, to: &Range| {
        let (CellRef::Lanes(host), CellRef::Lanes(own)) = (host, own) else { return false };
        host.len() == own.len()
            && host.iter().zip(own).all(|(host, own)| {
                let wanted = dequantise_float(*host, from).clamp(to.min, to.max);
                *own <= to.max_lane() && (dequantise_float(*own, to) - wanted).abs() <= to.step * 0.5001
            })
    };
    match (&theirs.desc.kind, &ours.desc.kind) {
        (from, to) if from == to => host == own,
        (Kind::Int { min: from, .. }, Kind::Int { min, max, .. }) => {
            let (CellRef::Lanes([host]), CellRef::Lanes([own])) = (host, own) else { return false };
            (i128::from(*host) + from).max(*min).min(*max) == i128::from(*own) + min
        }
        (Kind::Flags { .. }, Kind::Flags { bits }) => {
            let (CellRef::Lanes([host]), CellRef::Lanes([own])) = (host, own) else { return false };
            host % (1 << bits) == *own
        }
        (Kind::F32(from) | Kind::F64(from), Kind::F32(to) | Kind::F64(to))
        | (
            Kind::Vector { range: from, .. } | Kind::DVec3(from),
            Kind::Vector { range: to, .. } | Kind::DVec3(to),
        ) => near(from, to),
        (Kind::Quat { bits: from }, Kind::Quat { bits: to }) => {
            let (CellRef::Lanes(&[a, b, c, d]), CellRef::Lanes(&[e, f, g, h])) = (host, own) else {
                return false;
            };
            let (wanted, shown) = (dequantise_quat([a, b, c, d], *from), dequantise_quat([e, f, g, h], *to));
            let dot: f32 = wanted.iter().zip(shown).map(|(a, b)| a * b).sum();
            // A part is at most two steps off.
            let step = 2.0f32.powi(2 - i32::from(*to));
            dot.abs() > 1.0 - 4.0 * step * step - 1e-5
        }
        (Kind::String { .. } | Kind::Bytes { .. }, Kind::String { max_len } | Kind::Bytes { max_len }) => {
            let (CellRef::Bytes(host), CellRef::Bytes(own)) = (host, own) else { return false };
            let is_text = matches!(ours.desc.kind, Kind::String { .. });
            // Text loses at most the character that the cut would have split.
            let spare = if is_text && host.len() > usize::from(*max_len) { 3 } else { 0 };
            let shortest = host.len().min(usize::from(*max_len)).saturating_sub(spare);
            host.starts_with(own)
                && own.len() <= usize::from(*max_len)
                && own.len() >= shortest
                && (!is_text || core::str::from_utf8(own).is_ok())
        }
        (Kind::List { item: from, .. }, Kind::List { item: to, max_len }) => {
            let (CellRef::Bytes(host), CellRef::Bytes(own)) = (host, own) else { return false };
            let values = |cell: &[u8], item: &ListItem| -> Vec<i128> {
                let ListItem::Int { min, .. } = item else { return Vec::new() };
                cell.chunks(item.cell_bytes()).map(|lane| i128::from(list_lane(lane)) + min).collect()
            };
            let ListItem::Int { min, max, .. } = to else { return false };
            let wanted: Vec<i128> =
                values(host, from).iter().take(usize::from(*max_len)).map(|v| *v.max(min).min(max)).collect();
            wanted == values(own, to)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Cell, Mapping, NoteKind, component_id};

    #[test]
    fn every_build_can_read_the_hosts_world_and_each_sort_of_difference_is_among_them() {
        let host = super::super::engine::schema();
        let mut seen = std::collections::BTreeSet::new();
        for build in [Build::Previous, Build::Oldest, Build::Next] {
            let mapping = Mapping::new(Arc::clone(&host), build.schema(&host)).unwrap();
            seen.extend(mapping.notes().iter().map(|note| note.kind));
        }
        for kind in [
            NoteKind::ComponentSkipped,
            NoteKind::ComponentAbsent,
            NoteKind::FieldSkipped,
            NoteKind::FieldDefaulted,
            NoteKind::FieldConverted,
        ] {
            assert!(seen.contains(&kind), "{kind:?}");
        }
    }

    #[test]
    fn a_wrong_reading_is_none() {
        let host = super::super::engine::schema();
        let own = Build::Oldest.schema(&host);
        let field = |schema: &Schema, id| {
            let index = schema.index_of(component_id("sim.kit")).unwrap();
            let component = schema.component(index);
            component.fields[component.field_index(id).unwrap()].clone()
        };
        let check = |id, from: Cell, to: Cell| {
            is_reading(&field(&host, id), CellRef::from(&from), &field(&own, id), CellRef::from(&to))
        };
        let lane = |lane: u64| Cell::Lanes([lane].into());
        assert!(check(1, lane(50), lane(40)) && !check(1, lane(50), lane(50)), "health");
        assert!(check(2, lane(0b111_0001), lane(0b11_0001)) && !check(2, lane(0b111_0001), lane(0b111_0001)));
        assert!(check(3, lane(500), lane(6)) && !check(3, lane(500), lane(5)), "charge");
        let text = |text: &str| Cell::Bytes(text.as_bytes().into());
        assert!(check(5, text("unit \u{3b8} 1"), text("unit ")) && !check(5, text("unit 7"), text("unit")));
    }
}
