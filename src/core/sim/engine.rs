//! The simulated application on the host: it spawns, writes, hands over and despawns, all by seed, over components
//! that use every kind of field.

use std::sync::Arc;

use super::plan::Plan;
use super::rng::Rng;
use crate::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, ListItem, Range, Registry, Schema, Semantic,
};
use crate::types::{ComponentId, EntityId, PeerId, Tick};
use crate::world::{SealedTick, SpawnDesc, World, WorldLimits};

/// The components of every simulated session.
///
/// # Panics
/// Never: the descriptions are constant and a test freezes them.
#[must_use]
pub fn schema() -> Arc<Schema> {
    let metres = Range::new(-512.0, 512.0, 1.0 / 512.0);
    let mut registry = Registry::new();
    let body = ComponentDesc::new("sim.body")
        .field(
            FieldDesc::new(1, "position", FieldKind::Vector { len: 3, range: metres })
                .semantic(Semantic::Point),
        )
        .field(FieldDesc::new(2, "rotation", FieldKind::Quat { bits: 10 }).semantic(Semantic::Rotation))
        .field(FieldDesc::new(
            3,
            "velocity",
            FieldKind::Vector { len: 3, range: Range::new(-64.0, 64.0, 0.01) },
        ));
    let kit = ComponentDesc::new("sim.kit")
        .field(FieldDesc::new(1, "health", FieldKind::Int { ty: IntType::U8, min: 0, max: 200 }))
        .field(FieldDesc::new(2, "flags", FieldKind::Flags { bits: 13 }))
        .field(FieldDesc::new(3, "charge", FieldKind::F32(Range::new(0.0, 1.0, 0.001))))
        .field(FieldDesc::new(4, "target", FieldKind::Entity))
        .field(FieldDesc::new(5, "title", FieldKind::String { max_len: 24 }))
        .field(FieldDesc::new(6, "blob", FieldKind::Bytes { max_len: 40 }))
        .field(FieldDesc::new(
            7,
            "slots",
            FieldKind::List { item: ListItem::Int { ty: IntType::I16, min: -300, max: 300 }, max_len: 6 },
        ));
    let far = ComponentDesc::new("sim.far")
        .field(FieldDesc::new(1, "place", FieldKind::DVec3(Range::new(-1e7, 1e7, 1.0 / 1024.0))))
        .field(FieldDesc::new(2, "epoch", FieldKind::F64(Range::new(0.0, 1e9, 1e-3))))
        .field(FieldDesc::new(
            3,
            "balance",
            FieldKind::Int { ty: IntType::I64, min: i128::from(i64::MIN), max: i128::from(i64::MAX) },
        ));
    for component in [body, kit, far] {
        registry.add(component).expect("constant component");
    }
    Arc::new(registry.freeze().expect("constant schema"))
}

/// See the module.
pub struct Engine {
    world: World,
    schema: Arc<Schema>,
    rng: Rng,
    alive: Vec<(EntityId, usize)>,
    writes_ppm: u32,
    churn_ppm: u32,
    max_entities: usize,
}

/// The component sets that entities come in.
const KINDS: [&[&str]; 4] =
    [&["sim.body"], &["sim.body", "sim.kit"], &["sim.far"], &["sim.body", "sim.far", "sim.kit"]];

impl Engine {
    /// A world with the plan's entities.
    #[must_use]
    pub fn new(plan: &Plan, rng: Rng) -> Self {
        let schema = schema();
        let mut engine = Self {
            world: World::new(Arc::clone(&schema), WorldLimits::default()),
            schema,
            rng,
            alive: Vec::new(),
            writes_ppm: plan.writes_ppm,
            churn_ppm: plan.churn_ppm,
            max_entities: 600,
        };
        for _ in 0..plan.entities {
            engine.spawn(&[]);
        }
        engine
    }

    /// The schema of the world.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn component(name: &str) -> ComponentId {
        crate::schema::component_id(name)
    }

    fn row(&mut self, component: ComponentId) -> Vec<u8> {
        let size =
            self.schema.index_of(component).map_or(0, |index| self.schema.component(index).layout.size_bytes);
        let mut row = vec![0; size];
        for (name, fill) in [
            ("sim.body", Self::fill_body as fn(&mut Self, &mut [u8])),
            ("sim.kit", Self::fill_kit),
            ("sim.far", Self::fill_far),
        ] {
            if Self::component(name) == component {
                fill(self, &mut row);
            }
        }
        row
    }

    fn unit(&mut self) -> f32 {
        self.rng.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    fn put_f32s(row: &mut [u8], offset: usize, values: &[f32]) {
        for (index, value) in values.iter().enumerate() {
            row[offset + index * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
    }

    fn offset(&self, component: &str, field: u16) -> usize {
        let index = self.schema.index_of(Self::component(component)).expect("simulated component");
        let component = self.schema.component(index);
        component.layout.offsets[component.field_index(field).expect("simulated field")]
    }

    fn fill_body(&mut self, row: &mut [u8]) {
        // Sometimes out of range or no number: the door must hold, and both sides see what came through.
        let mut place = [self.unit() * 500.0, self.unit() * 500.0, self.unit() * 20.0];
        if self.rng.chance_ppm(2_000) {
            place[0] = if self.rng.chance_ppm(500_000) { f32::NAN } else { 1e9 };
        }
        let turn = [self.unit(), self.unit(), self.unit(), self.unit()];
        let speed = [self.unit() * 9.0, self.unit(), self.unit()];
        Self::put_f32s(row, self.offset("sim.body", 1), &place);
        Self::put_f32s(row, self.offset("sim.body", 2), &turn);
        Self::put_f32s(row, self.offset("sim.body", 3), &speed);
    }

    fn fill_kit(&mut self, row: &mut [u8]) {
        row[self.offset("sim.kit", 1)] = self.rng.below(256) as u8;
        let flags = self.rng.below(1 << 13) as u16;
        row[self.offset("sim.kit", 2)..][..2].copy_from_slice(&flags.to_le_bytes());
        let charge = self.unit().abs();
        Self::put_f32s(row, self.offset("sim.kit", 3), &[charge]);
        let target = self.any_entity().unwrap_or(EntityId::NONE);
        row[self.offset("sim.kit", 4)..][..8].copy_from_slice(&target.0.to_le_bytes());
        let title = format!("unit \u{3b8} {}", self.rng.below(1000));
        let at = self.offset("sim.kit", 5);
        row[at..at + 4].copy_from_slice(&(title.len() as u32).to_le_bytes());
        row[at + 4..at + 4 + title.len()].copy_from_slice(title.as_bytes());
        let at = self.offset("sim.kit", 6);
        let length = self.rng.below(41) as usize;
        row[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        for byte in &mut row[at + 4..at + 4 + length] {
            *byte = self.rng.below(256) as u8;
        }
        let at = self.offset("sim.kit", 7);
        let count = self.rng.below(7) as usize;
        row[at..at + 4].copy_from_slice(&(count as u32).to_le_bytes());
        for slot in 0..count {
            let value = self.rng.below(601) as i16 - 300;
            row[at + 4 + slot * 2..][..2].copy_from_slice(&value.to_le_bytes());
        }
    }

    fn fill_far(&mut self, row: &mut [u8]) {
        let at = self.offset("sim.far", 1);
        for axis in 0..3 {
            let value = f64::from(self.unit()) * 9e6;
            row[at + axis * 8..][..8].copy_from_slice(&value.to_le_bytes());
        }
        let epoch = self.rng.below(1_000_000_000) as f64;
        row[self.offset("sim.far", 2)..][..8].copy_from_slice(&epoch.to_le_bytes());
        let balance = self.rng.next_u64();
        row[self.offset("sim.far", 3)..][..8].copy_from_slice(&balance.to_le_bytes());
    }

    fn any_entity(&mut self) -> Option<EntityId> {
        let count = self.alive.len() as u64;
        (count > 0).then(|| self.alive[self.rng.below(count) as usize].0)
    }

    fn spawn(&mut self, members: &[PeerId]) {
        if self.alive.len() >= self.max_entities {
            return;
        }
        let kind = self.rng.below(KINDS.len() as u64) as usize;
        let mut components = Vec::new();
        for name in KINDS[kind] {
            let component = Self::component(name);
            let values = self.rng.chance_ppm(700_000).then(|| self.row(component));
            components.push((component, values));
        }
        let owner = self.any_member(members);
        let parent = if self.rng.chance_ppm(200_000) { self.any_entity() } else { None };
        let payload: Vec<u8> = (0..self.rng.below(20)).map(|byte| byte as u8).collect();
        let components: Vec<_> =
            components.iter().map(|(id, row): &(_, Option<Vec<u8>>)| (*id, row.as_deref())).collect();
        let desc = SpawnDesc {
            type_id: kind as u32 + 1,
            owner,
            parent: parent.unwrap_or(EntityId::NONE),
            persistent_id: self.rng.below(1000),
            host_tag: 0,
            payload: &payload,
            components: &components,
        };
        // The only refusal a plan can meet is a parent chain that is too deep.
        if let Ok(entity) = self.world.spawn(&desc) {
            self.alive.push((entity, kind));
        }
    }

    fn any_member(&mut self, members: &[PeerId]) -> PeerId {
        if members.is_empty() { PeerId::HOST } else { members[self.rng.below(members.len() as u64) as usize] }
    }

    /// One tick of gameplay, sealed.
    ///
    /// # Panics
    /// When the world refuses what the plan may do: a bug.
    pub fn tick(&mut self, tick: Tick, members: &[PeerId]) -> SealedTick {
        if self.rng.chance_ppm(self.churn_ppm) {
            self.spawn(members);
        }
        if self.rng.chance_ppm(self.churn_ppm) && self.alive.len() > 20 {
            let at = self.rng.below(self.alive.len() as u64) as usize;
            let (entity, _) = self.alive.swap_remove(at);
            self.world.despawn(entity).expect("a live entity");
        }
        if self.rng.chance_ppm(100_000)
            && let Some(entity) = self.any_entity()
        {
            let owner = self.any_member(members);
            self.world.set_owner(entity, owner).expect("a live entity");
        }
        if self.rng.chance_ppm(50_000)
            && let (Some(child), Some(parent)) = (self.any_entity(), self.any_entity())
        {
            // A cycle or a chain that is too deep is refused; nothing else can be.
            let _refused =
                self.world.set_parent(child, if child == parent { EntityId::NONE } else { parent });
        }
        for index in 0..self.alive.len() {
            if self.rng.chance_ppm(self.writes_ppm) {
                let (entity, kind) = self.alive[index];
                let names = KINDS[kind];
                let component = Self::component(names[self.rng.below(names.len() as u64) as usize]);
                let row = self.row(component);
                self.world
                    .write_rows(component, None, &[entity], &row, row.len())
                    .expect("a row of this component");
            }
        }
        self.world.seal(tick).expect("ticks increase")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plays_the_same_game() {
        let plan = Plan::from_seed(3);
        let play = || {
            let mut engine = Engine::new(&plan, Rng::new(9));
            (1..50).map(|tick| engine.tick(Tick(tick), &[PeerId(1)]).frame.fold()).collect::<Vec<_>>()
        };
        let first = play();
        assert_eq!(first, play());
        assert!(first.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
