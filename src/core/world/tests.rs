//! The room as a whole.

use std::sync::Arc;

use super::chunk::Chunk;
use super::limits::MAX_PARENT_DEPTH;
use super::{SpawnDesc, StagedWrite, World, WorldError, WorldLimits, WriteOrigin, WriteReport};
use crate::schema::component_id;
use crate::types::{EntityId, Tick};
use crate::world::testing::{Busy, LIFE, NOTE, POSE, row, schema};

fn world() -> World {
    World::new(schema(), WorldLimits::default())
}

fn posed(world: &mut World, position: [f32; 3]) -> EntityId {
    let mut row =
        world.schema().component(world.schema().index_of(component_id(POSE)).unwrap()).default_row();
    for (part, out) in position.iter().zip(row.chunks_exact_mut(4)) {
        out.copy_from_slice(&part.to_le_bytes());
    }
    let components = [(component_id(POSE), Some(row.as_slice()))];
    world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap()
}

fn positions(world: &World) -> Vec<[f32; 3]> {
    let mut out = vec![0; world.frame().entity_count() * 12];
    let count = world.frame().read_engine(world.schema(), component_id(POSE), Some(1), &mut out, 12).unwrap();
    out.chunks_exact(12)
        .take(count)
        .map(|row| {
            core::array::from_fn(|at| {
                f32::from_le_bytes([row[at * 4], row[at * 4 + 1], row[at * 4 + 2], row[at * 4 + 3]])
            })
        })
        .collect()
}

fn bytes(position: [f32; 3]) -> Vec<u8> {
    position.iter().flat_map(|part| part.to_le_bytes()).collect()
}

#[test]
fn an_entity_appears_with_its_values_and_only_when_sealed() {
    let mut world = world();
    let entity = posed(&mut world, [1.0, 2.0, 3.0]);
    assert_eq!(world.frame().entity_count(), 0);
    let sealed = world.seal(Tick(1)).unwrap();
    assert_eq!(sealed.changed.len(), 1);
    assert_eq!(sealed.frame.find(entity).unwrap().entity(), entity);
    assert_eq!(positions(&world), [[1.0, 2.0, 3.0]]);
    assert_eq!(world.seal(Tick(1)).unwrap_err(), WorldError::OldTick { sealed: Tick(1), asked: Tick(1) });
}

#[test]
fn only_a_changed_lane_is_a_change() {
    let mut world = world();
    let entity = posed(&mut world, [1.0, 2.0, 3.0]);
    world.seal(Tick(1)).unwrap();
    let mut write = |position: [f32; 3]| {
        world.write_rows(component_id(POSE), Some(1), &[entity], &bytes(position), 12).unwrap()
    };
    assert_eq!(write([1.0001, 2.0, 3.0]).changed, 0, "less than half a step is no change");
    assert_eq!(write([1.5, 2.0, 3.0]).changed, 1);
    assert_eq!(write([1.0, 2.0, 3.0]).changed, 1, "and back");
    assert!(world.seal(Tick(2)).unwrap().changed.is_empty(), "what was written back did not change");
}

#[test]
fn what_is_no_value_keeps_the_old_one_and_is_counted() {
    let mut world = world();
    let entity = posed(&mut world, [1.0, 2.0, 3.0]);
    let gone = posed(&mut world, [0.0; 3]);
    let bare = world.spawn(&SpawnDesc::default()).unwrap();
    world.despawn(gone).unwrap();
    let data =
        [bytes([f32::NAN, 0.0, 0.0]), bytes([99.0, 2.0, 3.0]), bytes([1.0; 3]), bytes([1.0; 3])].concat();
    let report =
        world.write_rows(component_id(POSE), Some(1), &[entity, entity, gone, bare], &data, 12).unwrap();
    assert_eq!(
        report,
        WriteReport {
            changed: 1,
            clamped: 1,
            not_a_number: 1,
            unknown: 1,
            missing: 1,
            first_bad: Some(entity)
        }
    );
    world.seal(Tick(1)).unwrap();
    assert_eq!(positions(&world), [[32.0 - 1.0 / 1024.0, 2.0, 3.0]]);
}

#[test]
fn bad_calls_are_refused() {
    let mut world = world();
    let entity = posed(&mut world, [0.0; 3]);
    let pose = component_id(POSE);
    for result in [
        world.write_rows(component_id("nobody"), None, &[entity], &[0; 100], 100),
        world.write_rows(pose, Some(9), &[entity], &[0; 100], 100),
        world.write_rows(pose, None, &[entity], &[0; 39], 40),
        world.write_rows(pose, None, &[entity, entity], &[0; 79], 40),
        world.write_rows(pose, None, &[entity, entity], &[0; 80], 39),
        world.write_rows(component_id(crate::schema::ENTITY_COMPONENT), None, &[entity], &[0; 400], 400),
        world.write_rows(component_id(NOTE), Some(4), &[entity], &[0; 4], 4),
    ] {
        assert!(result.is_err(), "{result:?}");
    }
    assert!(world.spawn(&SpawnDesc { payload: &[0; 257], ..SpawnDesc::default() }).is_err());
    assert!(world.spawn(&SpawnDesc { parent: EntityId(99), ..SpawnDesc::default() }).is_err());
    let twice = [(pose, None), (pose, None)];
    assert!(world.spawn(&SpawnDesc { components: &twice, ..SpawnDesc::default() }).is_err());
    assert_eq!(world.entity_count(), 1);
}

#[test]
fn document_fields_belong_to_the_log() {
    let mut world = world();
    let components = [(component_id(NOTE), None)];
    let entity = world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap();
    let schema = Arc::clone(world.schema());
    let mut whole = vec![0; schema.component(schema.index_of(component_id(NOTE)).unwrap()).size_bytes];
    let field = &schema.component(schema.index_of(component_id(NOTE)).unwrap()).fields[3];
    whole[field.offset_bytes..field.offset_bytes + 4].copy_from_slice(&0.5f32.to_le_bytes());
    assert_eq!(
        world.write_rows(component_id(NOTE), None, &[entity], &whole, whole.len()).unwrap().changed,
        0
    );
    let staged = StagedWrite::quantise(
        &schema,
        component_id(NOTE),
        Some(4),
        &[entity],
        &0.5f32.to_le_bytes(),
        4,
        WriteOrigin::Log,
    );
    assert_eq!(world.apply(&staged.unwrap()).changed, 1);
}

#[test]
fn children_outlive_their_parent() {
    let mut world = world();
    let parent = posed(&mut world, [0.0; 3]);
    let child = world.spawn(&SpawnDesc { parent, ..SpawnDesc::default() }).unwrap();
    let grandchild = world.spawn(&SpawnDesc { parent: child, ..SpawnDesc::default() }).unwrap();
    assert!(matches!(world.set_parent(parent, grandchild), Err(WorldError::BadParent { .. })));
    assert_eq!(world.children(parent), [child]);
    world.despawn(parent).unwrap();
    assert_eq!(world.parent(child), Some(EntityId::NONE));
    assert_eq!(world.parent(grandchild), Some(child));
    let mut deep = EntityId::NONE;
    for level in 0..200 {
        match world.spawn(&SpawnDesc { parent: deep, ..SpawnDesc::default() }) {
            Ok(entity) => deep = entity,
            Err(error) => {
                assert!(matches!(error, WorldError::BadParent { .. }));
                assert!(level > MAX_PARENT_DEPTH / 2);
                return;
            }
        }
    }
    panic!("parents nest without end");
}

#[test]
fn slots_are_used_again() {
    let mut world = world();
    let all: Vec<_> = (0..130).map(|_| posed(&mut world, [0.0; 3])).collect();
    assert_eq!(world.seal(Tick(1)).unwrap().frame.chunks.len(), 3);
    for entity in &all[..64] {
        world.despawn(*entity).unwrap();
    }
    let sealed = world.seal(Tick(2)).unwrap();
    assert_eq!(
        (sealed.changed.len(), sealed.frame.chunks.len()),
        (1, 2),
        "an empty chunk is told, and not shown"
    );
    let again: Vec<_> = (0..64).map(|_| posed(&mut world, [0.0; 3])).collect();
    let sealed = world.seal(Tick(3)).unwrap();
    assert_eq!((sealed.changed.len(), sealed.frame.chunks.len()), (1, 3));
    assert_eq!(sealed.frame.rows().next().unwrap().entity(), again[0]);
    assert_eq!(sealed.frame.entity_count(), 130);
}

#[test]
fn components_come_and_go_without_a_new_entity() {
    let mut world = world();
    let entity = posed(&mut world, [5.0, 6.0, 7.0]);
    world.seal(Tick(1)).unwrap();
    world.set_components(entity, &[component_id(LIFE), component_id(POSE)]).unwrap();
    let sealed = world.seal(Tick(2)).unwrap();
    assert_eq!(sealed.changed.len(), 2);
    assert_eq!(positions(&world), [[5.0, 6.0, 7.0]]);
    let mut health = [0; 2];
    world.frame().read_engine(world.schema(), component_id(LIFE), Some(1), &mut health, 2).unwrap();
    assert_eq!(i16::from_le_bytes(health), 100);
    assert_eq!(sealed.frame.entity_count(), 1);
}

#[test]
fn hashes_are_those_of_the_content() {
    let mut busy = Busy::new(5);
    for tick in 1..60 {
        busy.step(30);
        let sealed = busy.world.seal(Tick(tick)).unwrap();
        let mut entities = 0;
        for chunk in &sealed.frame.chunks {
            let mut fresh = Chunk::clone(chunk);
            fresh.rehash(None);
            assert_eq!((fresh.hash, &fresh.column_hashes), (chunk.hash, &chunk.column_hashes));
            entities += chunk.len();
        }
        assert_eq!(entities, busy.alive.len());
        for entity in &busy.alive {
            let row = sealed.frame.find(*entity).unwrap().info();
            assert_eq!(row.parent, busy.world.parent(*entity).unwrap());
            assert!(row.parent.is_none() || busy.world.contains(row.parent));
        }
    }
}

#[test]
fn quantised_rows_read_back_as_they_were() {
    let mut busy = Busy::new(9);
    let schema = Arc::clone(busy.world.schema());
    for name in [POSE, LIFE, NOTE] {
        let component = schema.component(schema.index_of(component_id(name)).unwrap());
        for _ in 0..200 {
            let row = row(&schema, name, &mut busy.random, true);
            let (cells, _) = component.quantise_row(&row).unwrap();
            let mut back = component.default_row();
            for (field, cell) in component.fields.iter().zip(&cells) {
                if let Some(cell) = cell {
                    field.store(cell, &mut back[field.offset_bytes..]);
                }
            }
            let (again, clamped) = component.quantise_row(&back).unwrap();
            assert_eq!(clamped, 0);
            for (cell, again) in cells.iter().zip(&again) {
                assert!(cell.is_none() || cell == again);
            }
        }
    }
}

/// Every set of components grows to two chunks, one after the other: there are not chunks enough for all at once.
#[test]
fn an_empty_chunk_is_used_for_other_components() {
    let limits = WorldLimits { entities: 128, archetypes: 8 };
    let mut world = World::new(schema(), limits);
    let mut tick = 0;
    for round in 0..3 {
        for set in 0..8 {
            let names = [POSE, LIFE, NOTE].iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
            let components: Vec<_> = names.map(|(_, name)| (component_id(name), None)).collect();
            let desc = SpawnDesc { components: &components, ..SpawnDesc::default() };
            let entities: Vec<_> = (0..128).map(|_| world.spawn(&desc).unwrap()).collect();
            // Sealed full, sealed empty, or neither: the chunk goes to the next set all the same.
            if (round + set) % 3 != 0 {
                tick += 1;
                let frame = world.seal(Tick(tick)).unwrap().frame;
                assert_eq!(frame.entity_count(), 128);
                for chunk in &frame.chunks {
                    assert!(chunk.id.0 as usize <= limits.chunks(), "{:?}", chunk.id);
                    let mut again = Chunk::clone(chunk);
                    again.rehash(None);
                    assert_eq!((again.hash, &again.column_hashes), (chunk.hash, &chunk.column_hashes));
                }
            }
            for entity in entities {
                world.despawn(entity).unwrap();
            }
            if (round + set) % 3 == 1 {
                tick += 1;
                assert_eq!(world.seal(Tick(tick)).unwrap().frame.entity_count(), 0);
            }
        }
    }
    // An emptied chunk that was never sealed otherwise is no change.
    world.seal(Tick(tick + 1)).unwrap();
    let entity = posed(&mut world, [1.0, 2.0, 3.0]);
    world.despawn(entity).unwrap();
    assert!(world.seal(Tick(tick + 2)).unwrap().changed.is_empty());
}
