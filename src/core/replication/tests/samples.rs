//! Values between and after frames.

use std::sync::Arc;

use crate::replication::sample::{SampleCode, SampleOptions, SampleOutcome, sample};
use crate::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, Range, Registry, Schema, Semantic, component_id,
};
use crate::types::{EntityId, Tick};
use crate::world::{Frame, SpawnDesc, World, WorldLimits};

fn schema() -> Arc<Schema> {
    let range = Range::new(-100.0, 100.0, 1.0 / 1024.0);
    let mut registry = Registry::new();
    let thing = ComponentDesc::new("thing")
        .field(FieldDesc::new(1, "position", FieldKind::vec3(range)).semantic(Semantic::Point))
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 16 }))
        .field(FieldDesc::new(3, "count", FieldKind::int(IntType::U32)));
    registry.add(thing).unwrap();
    registry
        .add(ComponentDesc::new("other").field(FieldDesc::new(1, "count", FieldKind::int(IntType::U8))))
        .unwrap();
    Arc::new(registry.freeze().unwrap())
}

fn row(x: f32, angle: f32, count: u32) -> Vec<u8> {
    let (sin, cos) = (angle / 2.0).sin_cos();
    let mut row: Vec<u8> =
        [x, 0.0, 0.0, 0.0, sin, 0.0, cos].iter().flat_map(|part| part.to_le_bytes()).collect();
    row.extend_from_slice(&count.to_le_bytes());
    row
}

struct Read {
    x: f32,
    angle: f32,
    count: u32,
    outcome: SampleOutcome,
}

struct Scene {
    schema: Arc<Schema>,
    world: World,
    entity: EntityId,
    frames: Vec<Arc<Frame>>,
}

impl Scene {
    fn new() -> Self {
        let schema = schema();
        let mut world = World::new(Arc::clone(&schema), WorldLimits::default());
        let first = row(0.0, 0.0, 0);
        let components = [(component_id("thing"), Some(first.as_slice()))];
        let entity = world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap();
        Self { schema, world, entity, frames: Vec::new() }
    }

    fn seal(&mut self, tick: u32) {
        self.frames.push(self.world.seal(Tick(tick)).unwrap().frame);
    }

    fn write(&mut self, tick: u32, x: f32, angle: f32, count: u32) {
        let row = row(x, angle, count);
        self.world.write_rows(component_id("thing"), None, &[self.entity], &row, row.len()).unwrap();
        self.seal(tick);
    }

    fn read(&self, tick: f64, options: &SampleOptions) -> Read {
        let mut out = [0xff; 32];
        let outcome = sample(
            &self.frames,
            &self.schema,
            component_id("thing"),
            None,
            self.entity,
            tick,
            options,
            &mut out,
        )
        .unwrap();
        let f32_at = |at: usize| f32::from_le_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]]);
        let (y, w) = (f32_at(16), f32_at(24));
        Read {
            x: f32_at(0),
            angle: 2.0 * y.atan2(w),
            count: u32::from_le_bytes([out[28], out[29], out[30], out[31]]),
            outcome,
        }
    }
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 0.01
}

#[test]
fn between_ticks_and_after_them() {
    let mut scene = Scene::new();
    scene.write(10, 1.0, 0.2, 1);
    scene.write(12, 3.0, 0.4, 2);
    let options = SampleOptions { max_extrapolation_ticks: 3.0, teleport_distance: None };
    let code = |tick: f64| scene.read(tick, &options).outcome.code;
    let middle = scene.read(11.5, &options);
    assert!(near(middle.x, 2.5) && near(middle.angle, 0.35), "{} {}", middle.x, middle.angle);
    assert_eq!(
        (middle.count, middle.outcome.code),
        (1, SampleCode::Interpolated),
        "what does not blend is the older"
    );
    let beyond = scene.read(14.0, &options);
    assert!(near(beyond.x, 5.0) && near(beyond.angle, 0.6), "{} {}", beyond.x, beyond.angle);
    assert_eq!((beyond.count, beyond.outcome.code), (2, SampleCode::Extrapolated));
    let far = scene.read(100.0, &options);
    assert!(near(far.x, 6.0), "{}", far.x);
    assert_eq!(far.outcome.code, SampleCode::Held);
    assert!(near(scene.read(3.0, &options).x, 1.0));
    assert_eq!(
        [code(3.0), code(10.0), code(12.0), code(f64::NAN)],
        [SampleCode::Held, SampleCode::Interpolated, SampleCode::Interpolated, SampleCode::Missing]
    );
    let still = SampleOptions { max_extrapolation_ticks: 0.0, ..options };
    assert!(near(scene.read(14.0, &still).x, 3.0));
}

#[test]
fn rotations_take_the_shorter_way() {
    let mut scene = Scene::new();
    scene.write(1, 0.0, 3.0, 0);
    scene.write(2, 0.0, -3.0, 0);
    let middle = scene.read(1.5, &SampleOptions::default()).angle;
    assert!(near(middle.abs(), core::f32::consts::PI), "{middle}");
}

#[test]
fn a_jump_is_not_a_movement() {
    let mut scene = Scene::new();
    scene.write(1, 0.0, 0.0, 7);
    scene.write(2, 50.0, 0.0, 8);
    let options = SampleOptions { teleport_distance: Some(1.0), ..SampleOptions::default() };
    let before = scene.read(1.9, &options);
    assert!(before.outcome.teleported && near(before.x, 0.0) && before.outcome.code == SampleCode::Held);
    let after = scene.read(2.5, &options);
    assert!(after.outcome.teleported && near(after.x, 50.0));
    assert!(!scene.read(1.9, &SampleOptions::default()).outcome.teleported);
}

#[test]
fn what_is_not_there_is_missing() {
    let mut scene = Scene::new();
    scene.seal(1);
    scene.write(2, 1.0, 0.0, 0);
    let late = scene.world.spawn(&SpawnDesc::default()).unwrap();
    scene.world.despawn(scene.entity).unwrap();
    scene.seal(3);
    let options = SampleOptions::default();
    let mut out = [0; 32];
    let mut code = |entity, tick| {
        sample(&scene.frames, &scene.schema, component_id("thing"), None, entity, tick, &options, &mut out)
            .unwrap()
            .code
    };
    assert_eq!(code(scene.entity, 2.5), SampleCode::Held, "held until the frame that shows it gone");
    assert_eq!(code(scene.entity, 3.0), SampleCode::Missing);
    assert_eq!(code(late, 3.5), SampleCode::Missing, "it has no such component");
    assert_eq!(code(EntityId::NONE, 2.0), SampleCode::Missing);
    let thing = component_id("thing");
    let call = |component, field, out: &mut [u8]| {
        sample(&scene.frames, &scene.schema, component, field, scene.entity, 2.0, &options, out).is_err()
    };
    assert!(call(component_id("nothing"), None, &mut [0; 32]));
    assert!(call(thing, Some(9), &mut [0; 32]));
    assert!(call(thing, None, &mut [0; 31]));
    assert!(!call(thing, Some(1), &mut [0; 12]));
    assert_eq!(
        sample(&[], &scene.schema, thing, None, scene.entity, 2.0, &options, &mut [0; 32]).unwrap().code,
        SampleCode::Missing
    );
}
