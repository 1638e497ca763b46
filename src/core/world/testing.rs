//! A schema and random worlds for the tests of this room and of replication.

use std::sync::Arc;

use super::{SpawnDesc, World, WorldLimits};
use crate::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, ListItem, Predictor, Range, Registry, Schema, Value,
    component_id,
};
use crate::types::{ComponentId, EntityId, PeerId};

/// Xorshift: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to `end`, without it.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub const POSE: &str = "test.pose";
pub const LIFE: &str = "test.life";
pub const NOTE: &str = "test.note";

/// Movement, scalars of every width, and variable fields.
pub fn schema() -> Arc<Schema> {
    let range = Range::new(-32.0, 31.9990234375, 1.0 / 1024.0);
    let mut registry = Registry::new();
    let pose = ComponentDesc::new(POSE)
        .field(FieldDesc::new(1, "position", FieldKind::vec3(range)))
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 10 }))
        .field(FieldDesc::new(3, "velocity", FieldKind::vec3(range)).predictor(Predictor::None));
    let life = ComponentDesc::new(LIFE)
        .field(
            FieldDesc::new(1, "health", FieldKind::Int { ty: IntType::I16, min: -1, max: 100 })
                .default_value(Value::Int(100)),
        )
        .field(FieldDesc::new(2, "flags", FieldKind::Flags { bits: 5 }))
        .field(FieldDesc::new(3, "clock", FieldKind::int(IntType::U64)))
        .field(FieldDesc::new(4, "offset", FieldKind::int(IntType::I64)))
        .field(FieldDesc::new(5, "target", FieldKind::Entity))
        .field(FieldDesc::new(6, "time", FieldKind::F64(Range::new(0.0, 68_719_476_735.0, 1.0))))
        .field(FieldDesc::new(7, "constant", FieldKind::Int { ty: IntType::U8, min: 7, max: 7 }));
    let note = ComponentDesc::new(NOTE)
        .field(FieldDesc::new(1, "text", FieldKind::String { max_len: 2000 }))
        .field(FieldDesc::new(2, "blob", FieldKind::Bytes { max_len: 40 }))
        .field(FieldDesc::new(
            3,
            "steps",
            FieldKind::List { item: ListItem::Int { ty: IntType::U16, min: 0, max: 1000 }, max_len: 9 },
        ))
        .field(FieldDesc::new(4, "sealed", FieldKind::F32(Range::new(0.0, 1.0, 0.01))).document(true));
    for desc in [pose, life, note] {
        registry.add(desc).unwrap();
    }
    Arc::new(registry.freeze().unwrap())
}

/// A random engine row. Blobs over a datagram are rare unless `big`.
pub fn row(schema: &Schema, name: &str, random: &mut Random, big: bool) -> Vec<u8> {
    let component = schema.component(schema.index_of(component_id(name)).unwrap());
    let mut row = component.default_row();
    let fields = component.fields.clone();
    for field in &fields {
        let at = field.offset_bytes;
        let mut put =
            |offset: usize, bytes: &[u8]| row[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        match field.desc.kind {
            FieldKind::Vector { len, .. } => {
                for part in 0..len as usize {
                    put(part * 4, &((random.below(64_000) as f32 - 32_000.0) / 1000.0).to_le_bytes());
                }
            }
            FieldKind::Quat { .. } => {
                for part in 0..4 {
                    put(part * 4, &((random.below(2001) as f32 - 1000.0) / 1000.0).to_le_bytes());
                }
            }
            FieldKind::String { .. } | FieldKind::Bytes { .. } => {
                let most = u64::from(field.desc.kind.max_len());
                let length = if big { random.below(most + 1) } else { random.below(most.min(30) + 1) };
                put(0, &(length as u32).to_le_bytes());
                for index in 0..length as usize {
                    put(4 + index, &[b'a' + random.below(26) as u8]);
                }
            }
            FieldKind::List { .. } => {
                let length = random.below(10);
                put(0, &(length as u32).to_le_bytes());
                for index in 0..length as usize {
                    put(4 + index * 2, &(random.below(1001) as u16).to_le_bytes());
                }
            }
            FieldKind::F64(_) => put(0, &(random.below(1 << 36) as f64).to_le_bytes()),
            FieldKind::F32(_) => put(0, &(random.below(100) as f32 / 100.0).to_le_bytes()),
            FieldKind::Int { ty, min, max } if min != max => {
                let value = if random.chance(50) { random.next() } else { random.below(60) };
                put(0, &value.to_le_bytes()[..ty.size_bytes()]);
            }
            FieldKind::Flags { .. } => put(0, &[random.below(32) as u8]),
            FieldKind::Entity => put(0, &random.below(1 << 40).to_le_bytes()),
            _ => {}
        }
    }
    row
}

/// A world that writes, spawns and despawns by itself.
pub struct Busy {
    pub world: World,
    pub alive: Vec<EntityId>,
    pub random: Random,
    pub big: bool,
}

impl Busy {
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(schema(), WorldLimits::default()),
            alive: Vec::new(),
            random: Random::new(seed),
            big: false,
        }
    }

    pub fn spawn(&mut self) -> EntityId {
        let schema = Arc::clone(self.world.schema());
        let mut rows: Vec<(ComponentId, Vec<u8>)> = Vec::new();
        for (name, percent) in [(POSE, 90), (LIFE, 40), (NOTE, 15)] {
            if self.random.chance(percent) {
                rows.push((component_id(name), row(&schema, name, &mut self.random, self.big)));
            }
        }
        let components: Vec<(ComponentId, Option<&[u8]>)> =
            rows.iter().map(|(id, row)| (*id, self.random.chance(80).then_some(row.as_slice()))).collect();
        let parent = if self.random.chance(20) && !self.alive.is_empty() {
            self.alive[self.random.below(self.alive.len() as u64) as usize]
        } else {
            EntityId::NONE
        };
        let payload = vec![7; self.random.below(20) as usize];
        let entity = self.world.spawn(&SpawnDesc {
            type_id: self.random.below(5) as u32,
            owner: PeerId(self.random.below(4) as u16),
            parent,
            persistent_id: self.random.below(3),
            host_tag: 0,
            payload: &payload,
            components: &components,
        });
        let entity = entity.unwrap();
        self.alive.push(entity);
        entity
    }

    /// One tick's worth of changes: each living entity with this chance.
    pub fn step(&mut self, percent: u64) {
        if percent == 0 {
            return;
        }
        let schema = Arc::clone(self.world.schema());
        for entity in self.alive.clone() {
            if !self.random.chance(percent) {
                continue;
            }
            match self.random.below(20) {
                0 => {
                    self.world.despawn(entity).unwrap();
                    self.alive.retain(|other| *other != entity);
                }
                1 => self.world.set_owner(entity, PeerId(self.random.below(4) as u16)).unwrap(),
                2 => {
                    let other = self.alive[self.random.below(self.alive.len() as u64) as usize];
                    // Some of these are cycles, which are refused.
                    let _ = self.world.set_parent(entity, other);
                }
                3 => {
                    let components: Vec<_> = [POSE, LIFE, NOTE]
                        .iter()
                        .filter(|_| self.random.chance(50))
                        .map(|name| component_id(name))
                        .collect();
                    self.world.set_components(entity, &components).unwrap();
                }
                kind => {
                    let name = [POSE, POSE, POSE, LIFE, NOTE][kind as usize % 5];
                    let row = row(&schema, name, &mut self.random, self.big);
                    self.world.write_rows(component_id(name), None, &[entity], &row, row.len()).unwrap();
                }
            }
        }
        while self.random.chance(30) || self.alive.is_empty() {
            self.spawn();
        }
    }
}
