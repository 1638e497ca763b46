//! The moving world that several benchmarks use: bodies with a position and a rotation, pushed at random.
//!
//! Work: each body has a random acceleration of up to 20 m/s2 per axis and tick and the same in rad/s2, its speed ends at
//! 10 m/s and 6 rad/s per axis, and the world at 1000 m. Position: 1/256 m in +-1024 m; rotation: smallest three at 10
//! bits, because 9 would pass the 5.4 mrad that published comparisons allow. All from one seed.

use std::sync::Arc;

use theta_core::schema::{
    ComponentDesc, FieldDesc, FieldKind, Range, Registry, Schema, Semantic, component_id,
};
use theta_core::types::{ComponentId, EntityId};
use theta_core::world::{SpawnDesc, World, WorldLimits};

/// The component's stable name.
pub const BODY: &str = "bench.body";
/// Bytes of an engine row: three and four floats.
pub const ROW_BYTES: usize = 28;
/// Bytes of one body as a plain struct of quantised numbers: entity (u32), position (three i32), largest part of the
/// rotation (u16), the others (three u16). What a program sends that quantises and stops there.
pub const NAIVE_ROW_BYTES: usize = 24;
/// Rate of every benchmark here.
pub const TICK_HZ: f32 = 90.0;

const PUSH: f32 = 20.0;
const MAX_SPEED: f32 = 10.0;
const MAX_SPIN: f32 = 6.0;
const EDGE: f32 = 1000.0;

/// Xorshift: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Another seed, other numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From -1 to 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// From 0 up to `end`, without it.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

/// The schema of one component.
pub fn schema() -> Arc<Schema> {
    let metres = Range::new(-1024.0, 1023.99609375, 1.0 / 256.0);
    let body = ComponentDesc::new(BODY)
        .field(FieldDesc::new(1, "position", FieldKind::vec3(metres)).semantic(Semantic::Point))
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 10 }).semantic(Semantic::Rotation));
    let mut registry = Registry::new();
    registry.add(body).expect("a valid component");
    Arc::new(registry.freeze().expect("a valid schema"))
}

/// Its id.
pub fn body() -> ComponentId {
    component_id(BODY)
}

#[derive(Clone, Debug)]
struct Body {
    position: [f32; 3],
    velocity: [f32; 3],
    rotation: [f32; 4],
    spin: [f32; 3],
}

/// Bodies, and the world they are written into.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What is replicated.
    pub world: World,
    /// Every body, in the order of their rows.
    pub entities: Vec<EntityId>,
    /// Engine rows of those that moved last, in their order.
    pub rows: Vec<u8>,
    bodies: Vec<Body>,
    random: Random,
}

impl Scene {
    /// So many bodies, spread out.
    pub fn new(count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut scene = Self {
            world: World::new(schema(), WorldLimits::default()),
            entities: Vec::with_capacity(count),
            rows: Vec::with_capacity(count * ROW_BYTES),
            bodies: Vec::with_capacity(count),
            random: Random::new(seed + 1),
        };
        for _ in 0..count {
            let mut unit = |scale: f32| random.unit() * scale;
            let made = Body {
                position: [unit(EDGE), unit(EDGE), unit(EDGE)],
                velocity: [unit(MAX_SPEED), unit(MAX_SPEED), unit(MAX_SPEED)],
                rotation: normalised([unit(1.0), unit(1.0), unit(1.0), unit(1.0) + 1e-3]),
                spin: [unit(MAX_SPIN), unit(MAX_SPIN), unit(MAX_SPIN)],
            };
            let row = made.row();
            let components = [(body(), Some(row.as_slice()))];
            let desc = SpawnDesc { type_id: 1, components: &components, ..SpawnDesc::default() };
            scene.entities.push(scene.world.spawn(&desc).expect("room for a body"));
            scene.bodies.push(made);
        }
        scene
    }

    /// Moves `count` bodies, beginning at `first` and going round, by one tick; fills [`Scene::rows`]. Gives whom it
    /// moved.
    pub fn push(&mut self, first: usize, count: usize) -> Vec<EntityId> {
        self.rows.clear();
        let mut moved = Vec::with_capacity(count);
        for at in first..first + count {
            let at = at % self.bodies.len();
            let body = &mut self.bodies[at];
            body.step(&mut self.random);
            self.rows.extend_from_slice(&body.row());
            moved.push(self.entities[at]);
        }
        moved
    }

    /// Writes the rows of [`Scene::push`] into the world.
    pub fn write(&mut self, moved: &[EntityId]) {
        let written = self.world.write_rows(body(), None, moved, &self.rows, ROW_BYTES);
        written.expect("rows of the component");
    }

    /// How far the world's values are from what was written: metres and radians, the worst of all bodies.
    pub fn worst_error(&self) -> (f64, f64) {
        let frame = self.world.frame();
        let mut out = vec![0; self.entities.len() * ROW_BYTES];
        frame
            .read_engine(self.world.schema(), body(), None, &mut out, ROW_BYTES)
            .expect("rows of the component");
        let mut worst = (0.0f64, 0.0f64);
        for (row, body) in out.chunks_exact(ROW_BYTES).zip(&self.bodies) {
            let float = |at: usize| {
                f64::from(f32::from_le_bytes([
                    row[at * 4],
                    row[at * 4 + 1],
                    row[at * 4 + 2],
                    row[at * 4 + 3],
                ]))
            };
            let distance: f64 =
                body.position.iter().enumerate().map(|(at, p)| (float(at) - f64::from(*p)).powi(2)).sum();
            let read: Vec<f64> = (3..7).map(float).collect();
            // From the chord between the two unit quaternions: an arc cosine near 1 has no digits left.
            let chord = |sign: f64| -> f64 {
                let parts = read.iter().zip(body.rotation);
                parts.map(|(a, b)| (a - sign * f64::from(b)).powi(2)).sum::<f64>().sqrt()
            };
            let angle = 4.0 * (chord(1.0).min(chord(-1.0)) / 2.0).asin();
            worst = (worst.0.max(distance.sqrt()), worst.1.max(angle));
        }
        worst
    }
}

impl Body {
    fn step(&mut self, random: &mut Random) {
        let dt = 1.0 / TICK_HZ;
        for axis in 0..3 {
            self.velocity[axis] =
                (self.velocity[axis] + random.unit() * PUSH * dt).clamp(-MAX_SPEED, MAX_SPEED);
            self.position[axis] += self.velocity[axis] * dt;
            if self.position[axis].abs() > EDGE {
                self.velocity[axis] = -self.velocity[axis];
                self.position[axis] = self.position[axis].clamp(-EDGE, EDGE);
            }
            self.spin[axis] = (self.spin[axis] + random.unit() * PUSH * dt).clamp(-MAX_SPIN, MAX_SPIN);
        }
        let [x, y, z, w] = self.rotation;
        let [a, b, c] = self.spin.map(|spin| spin * dt / 2.0);
        self.rotation = normalised([
            x + a * w + b * z - c * y,
            y + b * w + c * x - a * z,
            z + c * w + a * y - b * x,
            w - a * x - b * y - c * z,
        ]);
    }

    fn row(&self) -> [u8; ROW_BYTES] {
        let mut row = [0; ROW_BYTES];
        let values = self.position.iter().chain(&self.rotation);
        for (out, value) in row.chunks_exact_mut(4).zip(values) {
            out.copy_from_slice(&value.to_le_bytes());
        }
        row
    }
}

fn normalised(value: [f32; 4]) -> [f32; 4] {
    let length = value.iter().map(|part| part * part).sum::<f32>().sqrt();
    value.map(|part| part / length)
}
