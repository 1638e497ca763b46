//! The host's frames as frames of our own components: what a peer shows whose components are not the host's.
//!
//! The peer's replica holds what the host sent, in the host's layout, so that baselines, chunks and hashes are the
//! host's. This is the edge: for each complete tick, each chunk becomes one with our columns. A column that means the
//! same is shared; one that was converted for the tick before and has not changed since is taken again, so a tick
//! costs what changed in it. Ids, slots, order and the hash of a chunk stay the host's, and so does a frame's fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::archetype::{Archetype, ColumnShape};
use super::chunk::{Chunk, slots};
use super::column::{CellRef, Column};
use super::frame::Frame;
use super::limits::SLOTS;
use crate::mutants::{Mutant, Mutants};
use crate::schema::reconcile::{Conversion, FieldSource};
use crate::schema::{ComponentIndex, Mapping};
use crate::types::ChunkId;

/// Where a column of ours comes from.
#[derive(Clone, Copy, Debug)]
enum ColumnSource {
    /// That column of the host's chunk, as it is.
    Same(usize),
    /// That column, converted.
    Converted(usize, Conversion),
    /// Nothing at the host: our default in every row.
    Default,
}

#[derive(Debug)]
struct Plan {
    archetype: Arc<Archetype>,
    sources: Vec<ColumnSource>,
}

/// See the module.
#[derive(Debug)]
pub struct Translator {
    mapping: Arc<Mapping>,
    /// By the host's archetype.
    plans: BTreeMap<u32, Arc<Plan>>,
    /// The newest frame's chunks: the host's, and ours.
    chunks: BTreeMap<ChunkId, (Arc<Chunk>, Arc<Chunk>)>,
    mutants: Mutants,
}

impl Translator {
    /// Has seen no frame.
    #[must_use]
    pub const fn new(mapping: Arc<Mapping>, mutants: Mutants) -> Self {
        Self { mapping, plans: BTreeMap::new(), chunks: BTreeMap::new(), mutants }
    }

    /// What it translates by.
    #[must_use]
    pub const fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// The frame in our components.
    #[must_use]
    pub fn frame(&mut self, host: &Frame) -> Arc<Frame> {
        let mut before = core::mem::take(&mut self.chunks);
        let mut chunks = Vec::with_capacity(host.chunks.len());
        for chunk in &host.chunks {
            let known = before.remove(&chunk.id);
            let own = match &known {
                Some((same, own)) if Arc::ptr_eq(same, chunk) => Arc::clone(own),
                _ => Arc::new(self.chunk(chunk, known.as_ref().map(|(host, own)| (&**host, &**own)))),
            };
            self.chunks.insert(chunk.id, (Arc::clone(chunk), Arc::clone(&own)));
            chunks.push(own);
        }
        Arc::new(Frame::new(host.tick, chunks))
    }

    fn plan(&mut self, host: &Archetype) -> Arc<Plan> {
        let Self { mapping, plans, mutants, .. } = self;
        Arc::clone(plans.entry(host.id.0).or_insert_with(|| Arc::new(plan(mapping, host, *mutants))))
    }

    fn chunk(&mut self, host: &Chunk, before: Option<(&Chunk, &Chunk)>) -> Chunk {
        let plan = self.plan(&host.archetype);
        // Columns of the tick before are of use only over the same rows of the same components.
        let before = before
            .filter(|(old, _)| old.occupancy == host.occupancy && old.archetype.id == host.archetype.id);
        let columns =
            plan.sources.iter().zip(&plan.archetype.columns).enumerate().map(|(at, (source, shape))| {
                match *source {
                    ColumnSource::Same(column) => Arc::clone(&host.columns[column]),
                    ColumnSource::Converted(column, conversion) => match before {
                        Some((old, own)) if Arc::ptr_eq(&old.columns[column], &host.columns[column]) => {
                            Arc::clone(&own.columns[at])
                        }
                        _ => Arc::new(convert(&host.columns[column], &conversion, shape, host.occupancy)),
                    },
                    ColumnSource::Default => match before {
                        Some((_, own)) => Arc::clone(&own.columns[at]),
                        None => Arc::new(self.defaults(shape, host.occupancy)),
                    },
                }
            });
        Chunk {
            id: host.id,
            archetype: Arc::clone(&plan.archetype),
            tick: host.tick,
            occupancy: host.occupancy,
            entities: Arc::clone(&host.entities),
            columns: columns.collect(),
            // The host's columns have hashes, and are not these.
            column_hashes: Arc::from([]),
            hash: host.hash,
        }
    }

    fn defaults(&self, shape: &ColumnShape, occupancy: u64) -> Column {
        let mut column = Column::new(shape);
        if !self.mutants.active(Mutant::LeaveOutDefaults) {
            slots(occupancy).for_each(|slot| column.set(slot, CellRef::from(&shape.default_cell)));
        }
        column
    }
}

fn convert(host: &Column, conversion: &Conversion, shape: &ColumnShape, occupancy: u64) -> Column {
    let mut column = Column::new(shape);
    for slot in slots(occupancy) {
        let cell = match host.get(slot) {
            // A cell that is no value of ours is our default: a host can send any bits.
            CellRef::Lanes(lanes) => conversion.lanes(lanes).unwrap_or_else(|| shape.default_cell.clone()),
            CellRef::Bytes(bytes) => conversion.bytes(bytes),
        };
        column.set(slot, CellRef::from(&cell));
    }
    column
}

fn plan(mapping: &Mapping, host: &Archetype, mutants: Mutants) -> Plan {
    let mut kept: Vec<(ComponentIndex, ComponentIndex)> = host
        .components
        .iter()
        .filter_map(|index| mapping.component(*index).map(|found| (found.own, *index)))
        .collect();
    kept.sort_unstable();
    let own: Vec<ComponentIndex> = kept.iter().map(|(own, _)| *own).collect();
    let archetype = Arc::new(Archetype::of_view(host.id, &own, mapping.own()));
    let entity = (mapping.own().entity_component(), mapping.host().entity_component());
    let mut sources = Vec::with_capacity(archetype.columns.len());
    for (_, index) in core::iter::once(entity).chain(kept) {
        let first = host.first_column(index).unwrap_or(0);
        let fields = mapping.component(index).map_or(&[][..], |component| &component.fields);
        let is_built_in = index == entity.1;
        for (at, source) in fields.iter().enumerate() {
            sources.push(match *source {
                FieldSource::Same { field } => {
                    // Fields of ours take the host's columns in order, as if no field of the host's were unknown.
                    let shifted = mutants.active(Mutant::KeepUnknownField) && !is_built_in;
                    let alike = |column: usize| {
                        let columns = &host.columns;
                        columns.get(column).is_some_and(|other| other.lanes == columns[first + field].lanes)
                    };
                    let place = if shifted && alike(first + at) { at } else { field };
                    ColumnSource::Same(first + place)
                }
                FieldSource::Converted { field, .. } if mutants.active(Mutant::LeaveUnconverted) => {
                    ColumnSource::Same(first + field)
                }
                FieldSource::Converted { field, conversion } => {
                    ColumnSource::Converted(first + field, conversion)
                }
                FieldSource::Default => ColumnSource::Default,
            });
        }
    }
    Plan { archetype, sources }
}

const _: () = assert!(SLOTS == 64, "occupancies are one u64");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{
        ComponentDesc, FieldDesc, FieldKind, IntType, ListItem, Range, Registry, Schema, Value, component_id,
    };
    use crate::types::{EntityId, Tick};
    use crate::world::{SpawnDesc, World, WorldLimits};

    fn schema(components: Vec<ComponentDesc>) -> Arc<Schema> {
        let mut registry = Registry::new();
        for component in components {
            registry.add(component).unwrap();
        }
        Arc::new(registry.freeze().unwrap())
    }

    fn int(id: u16, name: &str, ty: IntType, min: i128, max: i128) -> FieldDesc {
        FieldDesc::new(id, name, FieldKind::Int { ty, min, max })
    }

    fn metres(step: f64) -> FieldKind {
        FieldKind::vec3(Range::new(-64.0, 63.0, step))
    }

    fn newer() -> Arc<Schema> {
        let list = |max| ListItem::Int { ty: IntType::I16, min: 0, max };
        schema(vec![
            ComponentDesc::new("t.body")
                .field(int(1, "extra", IntType::U8, 0, 9))
                .field(FieldDesc::new(2, "place", metres(0.25)))
                .field(int(3, "health", IntType::U16, 0, 1000))
                .field(FieldDesc::new(4, "title", FieldKind::String { max_len: 8 }))
                .field(FieldDesc::new(5, "marks", FieldKind::Flags { bits: 9 }))
                .field(FieldDesc::new(6, "turn", FieldKind::Quat { bits: 12 }))
                .field(FieldDesc::new(7, "slots", FieldKind::List { item: list(1000), max_len: 4 })),
            ComponentDesc::new("t.lamp").field(int(1, "lit", IntType::U8, 0, 1)),
        ])
    }

    fn older() -> Arc<Schema> {
        let list = |max| ListItem::Int { ty: IntType::I16, min: 0, max };
        schema(vec![
            ComponentDesc::new("t.body")
                .field(FieldDesc::new(2, "place", metres(1.0)))
                .field(int(3, "health", IntType::U8, 0, 200))
                .field(FieldDesc::new(4, "title", FieldKind::String { max_len: 4 }))
                .field(FieldDesc::new(5, "marks", FieldKind::Flags { bits: 3 }))
                .field(FieldDesc::new(6, "turn", FieldKind::Quat { bits: 8 }))
                .field(FieldDesc::new(7, "slots", FieldKind::List { item: list(200), max_len: 2 }))
                .field(int(9, "gone", IntType::I32, -5, 5).default_value(Value::Int(-3))),
            ComponentDesc::new("t.horn").field(int(1, "loud", IntType::U8, 0, 1)),
        ])
    }

    /// An engine row of `t.body` in the newer schema.
    fn body(place: f32, health: u16, title: &str, marks: u16) -> Vec<u8> {
        let schema = newer();
        let component = schema.component(schema.index_of(component_id("t.body")).unwrap());
        let mut row = component.default_row();
        let mut put = |field: u16, bytes: &[u8]| {
            let at = component.fields[component.field_index(field).unwrap()].offset_bytes;
            row[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(1, &[7]);
        put(2, &[place, -place, 0.0].map(f32::to_le_bytes).concat());
        put(3, &health.to_le_bytes());
        put(4, &[&(title.len() as u32).to_le_bytes()[..], title.as_bytes()].concat());
        put(5, &marks.to_le_bytes());
        put(6, &[0.5f32, 0.5, 0.5, 0.5].map(f32::to_le_bytes).concat());
        put(7, &[&3u32.to_le_bytes()[..], &[10, 0, 0xe7, 3, 5, 0]].concat());
        row
    }

    fn translator(host: &Arc<Schema>, own: &Arc<Schema>) -> Translator {
        let mapping = Mapping::new(Arc::clone(host), Arc::clone(own)).unwrap();
        Translator::new(Arc::new(mapping), Mutants::NONE)
    }

    fn world() -> (World, EntityId) {
        let mut world = World::new(newer(), WorldLimits::default());
        let row = body(10.6, 900, "\u{3b8}\u{3b8}\u{3b8}\u{3b8}", 0b1_0000_0101);
        let components = [(component_id("t.body"), Some(&row[..])), (component_id("t.lamp"), None)];
        let entity = world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap();
        (world, entity)
    }

    #[test]
    fn an_older_peer_reads_a_newer_host() {
        let (mut world, entity) = world();
        let host = world.seal(Tick(1)).unwrap().frame;
        let own = older();
        let frame = translator(&newer(), &own).frame(&host);
        let component = own.component(own.index_of(component_id("t.body")).unwrap());
        let mut row = vec![0; component.size_bytes];
        let read = frame.read_engine(&own, component_id("t.body"), None, &mut row, component.size_bytes);
        assert_eq!(read, Ok(1));
        let field = |id: u16| {
            let field = &component.fields[component.field_index(id).unwrap()];
            &row[field.offset_bytes..field.offset_bytes + field.size_bytes]
        };
        // 10.6 is 10.5 at the host, and 11 or 10 at us: halves go away from the minimum.
        assert_eq!(field(2), [11.0f32, -10.0, 0.0].map(f32::to_le_bytes).concat(), "place");
        assert_eq!(field(3), [200], "health is clamped");
        assert_eq!(field(4), [&4u32.to_le_bytes()[..], "\u{3b8}\u{3b8}".as_bytes()].concat(), "title is cut");
        assert_eq!(field(5), [0b101], "unknown flags are dropped");
        let turn: Vec<f32> =
            field(6).chunks_exact(4).map(|part| f32::from_le_bytes(part.try_into().unwrap())).collect();
        assert!(turn.iter().all(|part| (part - 0.5).abs() < 0.01), "{turn:?}");
        assert_eq!(field(7)[..8], [2, 0, 0, 0, 10, 0, 200, 0], "a list is cut, its elements clamped");
        assert_eq!(field(9), (-3i32).to_le_bytes(), "what the host has not is our default");
        assert_eq!(frame.fold(), host.fold(), "the fold is the host's");
        assert!(frame.find(entity).is_some());
        assert_eq!(frame.read_engine(&own, component_id("t.horn"), None, &mut [], 1), Ok(0));
        assert!(frame.read_engine(&own, component_id("t.lamp"), None, &mut [], 1).is_err());
    }

    #[test]
    fn a_newer_peer_reads_an_older_host() {
        let (host, own) = (older(), newer());
        let mut world = World::new(Arc::clone(&host), WorldLimits::default());
        let components = [(component_id("t.horn"), None), (component_id("t.body"), None)];
        world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap();
        let sealed = world.seal(Tick(1)).unwrap().frame;
        let frame = translator(&host, &own).frame(&sealed);
        let cell = |field| {
            frame.rows().next().and_then(|row| frame.cell(&own, row.entity(), component_id("t.body"), field))
        };
        assert_eq!(
            cell(1),
            own.component(own.index_of(component_id("t.body")).unwrap()).fields[0]
                .default_cell
                .clone()
                .into()
        );
        assert_eq!(cell(9), None, "the host's field is skipped");
        assert!(cell(2).is_some() && cell(7).is_some());
    }

    #[test]
    fn a_tick_costs_what_changed_in_it() {
        let (mut world, entity) = world();
        let mut translator = translator(&newer(), &older());
        let first = world.seal(Tick(1)).unwrap().frame;
        let first = translator.frame(&first);
        world.write_rows(component_id("t.body"), Some(3), &[entity], &7u16.to_le_bytes(), 2).unwrap();
        let second = world.seal(Tick(2)).unwrap().frame;
        let second = translator.frame(&second);
        let (old, new) = (&first.chunks[0], &second.chunks[0]);
        let changed: Vec<usize> =
            (0..old.columns.len()).filter(|at| !Arc::ptr_eq(&old.columns[*at], &new.columns[*at])).collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
        let third = world.seal(Tick(3)).unwrap().frame;
        assert!(Arc::ptr_eq(&translator.frame(&third).chunks[0], new));
    }

    #[test]
    fn another_archetype_in_the_same_chunk_is_another_plan() {
        let (mut world, entity) = world();
        let mut translator = translator(&newer(), &older());
        let first = translator.frame(&world.seal(Tick(1)).unwrap().frame);
        world.despawn(entity).unwrap();
        world
            .spawn(&SpawnDesc { components: &[(component_id("t.lamp"), None)], ..SpawnDesc::default() })
            .unwrap();
        let second = translator.frame(&world.seal(Tick(2)).unwrap().frame);
        assert_eq!(first.chunks[0].columns.len(), 12);
        assert_eq!(second.chunks.last().unwrap().columns.len(), 5, "the built-in component's alone");
    }

    #[test]
    fn what_means_something_else_is_named() {
        let own = schema(vec![
            ComponentDesc::new("t.body")
                .field(int(2, "place", IntType::U8, 0, 9))
                .field(FieldDesc::new(3, "health", FieldKind::F32(Range::new(0.0, 1.0, 0.5))))
                .field(int(5, "marks", IntType::U8, 0, 7)),
            ComponentDesc::new("t.lamp").field(int(2, "other", IntType::U8, 0, 1)),
        ]);
        let problem = Mapping::new(newer(), own).unwrap_err();
        for part in ["t.body.place", "t.body.health", "t.body.marks", "\"t.lamp\" has no field in common"] {
            assert!(problem.contains(part), "{part}: {problem}");
        }
        assert!(!problem.contains("title"), "{problem}");
    }

    #[test]
    fn every_difference_has_its_note() {
        use crate::schema::NoteKind as Kind;
        let mapping = Mapping::new(newer(), older()).unwrap();
        let count = |kind| mapping.notes().iter().filter(|note| note.kind == kind).count();
        let kinds = [
            (Kind::ComponentSkipped, 1),
            (Kind::ComponentAbsent, 1),
            (Kind::FieldSkipped, 1),
            (Kind::FieldDefaulted, 1),
            (Kind::FieldConverted, 6),
            (Kind::Deprecated, 0),
        ];
        for (kind, expected) in kinds {
            assert_eq!(count(kind), expected, "{kind:?}: {:#?}", mapping.notes());
        }
    }
}
