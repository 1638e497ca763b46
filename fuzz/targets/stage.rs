//! A replica as it stood before each delta and snapshot of the golden session (tests/vectors/rows), and the archetypes
//! that it knows.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use theta_core::replication::{ArchetypeDef, Replica, ReplicaLimits};
use theta_core::schema::manifest;
use theta_core::types::Tick;
use theta_core::world::ArchetypeTable;

const GOLDEN: &str = include_str!("../../tests/vectors/rows/session.json");

pub struct Stage {
    pub archetypes: ArchetypeTable,
    /// Before each step that brings rows, in order.
    pub replicas: Vec<Replica>,
}

impl Stage {
    /// The replica before the step that a byte names.
    pub fn replica(&self, at: u8) -> Replica {
        self.replicas[usize::from(at) % self.replicas.len()].clone()
    }
}

/// Made once: it is the same for every input.
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(build)
}

fn build() -> Stage {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let schema = Arc::new(manifest::parse(&golden["manifest"].to_string()).expect("a schema"));
    let limits = ReplicaLimits::default();
    let mut archetypes = ArchetypeTable::new(Arc::clone(&schema), limits.archetypes);
    let mut replica = Replica::new(schema, limits);
    let mut replicas = Vec::new();
    for step in golden["steps"].as_array().expect("steps") {
        let tick = Tick(step["tick"].as_u64().unwrap_or(0) as u32);
        let parts = |name: &str| step[name].as_array().expect("a list").iter().map(unhex).collect::<Vec<_>>();
        match step["kind"].as_str().expect("a kind") {
            "archetypes" => {
                let definitions = definitions(step);
                for definition in &definitions {
                    archetypes.define(definition).expect("an archetype");
                }
                replica.add_archetypes(&definitions).expect("archetypes");
            }
            "snapshot" => {
                replicas.push(replica.clone());
                let (id, repair) = (step["id"].as_u64().expect("an id") as u32, step["repair"] == true);
                let pieces = parts("pieces");
                for (index, piece) in (0..).zip(&pieces) {
                    let count = pieces.len() as u32;
                    replica.snapshot_piece(id, tick, index, count, repair, piece).expect("the vector");
                }
            }
            "delta" => {
                replicas.push(replica.clone());
                let parts = parts("parts");
                for (index, part) in (0..).zip(&parts) {
                    replica.delta(tick, index, parts.len() as u16, part).expect("the vector");
                }
            }
            _ => {}
        }
    }
    Stage { archetypes, replicas }
}

fn definitions(step: &Value) -> Vec<ArchetypeDef> {
    let number = |value: &Value| value.as_u64().expect("a number");
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let define = |def: &Value| ArchetypeDef {
        id: number(&def["id"]) as u32,
        components: list(&def["components"]).iter().map(|c| number(c) as u16).collect(),
    };
    list(&step["archetypes"]).iter().map(define).collect()
}

/// The bytes of a hexadecimal text.
pub fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}
