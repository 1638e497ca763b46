//! The proof that everybody saw the same: a hash over the quantised columns of a frame. The bytes that are hashed are
//! laid down in samples/README.md, "Tick hash".

use theta_sdk::core::schema::Schema;
use theta_sdk::core::schema::declare::RustComponent;
use theta_sdk::core::types::ComponentId;
use theta_sdk::core::world::{Frame, WorldError};

use crate::components::{Avatar, Cube};

/// 64-bit FNV-1a.
#[derive(Clone, Copy, Debug)]
struct Fnv1a(u64);

impl Fnv1a {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Hashes frames; keeps its buffer from tick to tick.
#[derive(Debug)]
pub struct TickHasher {
    components: [ComponentId; 2],
    lanes: Vec<i64>,
}

impl TickHasher {
    /// Over the samples' components.
    pub fn new() -> Self {
        let mut components = [Cube::ID, Avatar::ID];
        components.sort_unstable();
        Self { components, lanes: Vec::new() }
    }

    /// The hash of a frame.
    pub fn hash(&mut self, schema: &Schema, frame: &Frame) -> Result<u64, WorldError> {
        let mut sum = Fnv1a::new();
        for component in self.components {
            let index = schema.index_of(component).ok_or(WorldError::NoComponent(component))?;
            let width: usize = schema.component(index).fields.iter().map(|field| field.lanes.len()).sum();
            let rows = frame.rows_of(index).count();
            self.lanes.resize(rows * width, 0);
            frame.read_lanes(schema, component, None, &mut self.lanes, width)?;
            for (row, lanes) in frame.rows_of(index).zip(self.lanes.chunks_exact(width)) {
                let info = row.info();
                sum.bytes(&info.entity.0.to_le_bytes());
                sum.bytes(&info.type_id.to_le_bytes());
                sum.bytes(&u32::from(info.owner.0).to_le_bytes());
                sum.bytes(&info.parent.0.to_le_bytes());
                for lane in lanes {
                    sum.bytes(&lane.to_le_bytes());
                }
            }
        }
        Ok(sum.0)
    }
}

#[cfg(test)]
mod tests {
    use theta_sdk::core::schema::Registry;
    use theta_sdk::core::schema::declare::register_collected;
    use theta_sdk::core::types::{EntityId, PeerId, Tick};
    use theta_sdk::core::world::{SpawnDesc, World, WorldLimits};

    use super::*;
    use crate::components::AVATAR_TYPE;

    #[test]
    fn the_hash_of_the_readme() {
        let mut sum = Fnv1a::new();
        sum.bytes(b"abcdefghijkl");
        assert_eq!(sum.0, 0x6c3a_aed3_e05a_5cb5);
    }

    #[test]
    fn the_layouts_of_the_readme() {
        let mut registry = Registry::new();
        assert_eq!(register_collected(&mut registry).expect("components"), 2);
        let schema = registry.freeze().expect("a schema");
        for (component, bytes, lanes) in [(Cube::ID, 40, 10), (Avatar::ID, 96, 22)] {
            let shape = schema.component(schema.index_of(component).expect("registered"));
            assert_eq!(shape.size_bytes, bytes);
            assert_eq!(shape.fields.iter().map(|field| field.lanes.len()).sum::<usize>(), lanes);
        }
    }

    /// Every part of what is hashed changes the hash: a hash that leaves something out proves nothing about it.
    #[test]
    fn everything_counts() {
        let mut registry = Registry::new();
        register_collected(&mut registry).expect("components");
        let schema = std::sync::Arc::new(registry.freeze().expect("a schema"));
        let hash = |type_id: u32, owner: u16, x: f32, time: f64, with_parent: bool| {
            let mut world = World::new(std::sync::Arc::clone(&schema), WorldLimits::default());
            let mut row = Vec::new();
            Cube { position: [x, 0.0, 0.0], rotation: [0.0, 0.0, 0.0, 1.0], linear_velocity: [0.0; 3] }
                .store(&mut row);
            let components = [(Cube::ID, Some(row.as_slice()))];
            let cube = world
                .spawn(&SpawnDesc { type_id: 1, components: &components, ..SpawnDesc::default() })
                .expect("a cube");
            let mut row = Vec::new();
            let mut avatar = Avatar::load(&[0; 96]).expect("a row");
            avatar.motion_time_us = time;
            avatar.store(&mut row);
            let components = [(Avatar::ID, Some(row.as_slice()))];
            let desc = SpawnDesc {
                type_id,
                owner: PeerId(owner),
                parent: if with_parent { cube } else { EntityId::NONE },
                components: &components,
                ..SpawnDesc::default()
            };
            world.spawn(&desc).expect("an avatar");
            let sealed = world.seal(Tick(1)).expect("a tick");
            TickHasher::new().hash(&schema, &sealed.frame).expect("a hash")
        };
        let all = [
            hash(AVATAR_TYPE, 1, 0.0, 0.0, false),
            hash(3, 1, 0.0, 0.0, false),
            hash(AVATAR_TYPE, 2, 0.0, 0.0, false),
            hash(AVATAR_TYPE, 1, 1.0 / 1024.0, 0.0, false),
            hash(AVATAR_TYPE, 1, 0.0, 1.0, false),
            hash(AVATAR_TYPE, 1, 0.0, 0.0, true),
        ];
        let different: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(different.len(), all.len(), "{all:x?}");
        assert_eq!(all[0], hash(AVATAR_TYPE, 1, 0.0, 0.0, false), "and nothing else does");
    }
}
