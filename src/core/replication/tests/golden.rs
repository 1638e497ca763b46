//! tests/vectors/rows: a session's rows as bytes, with what they lead to. The second decoder (tests/protocol/rows.py)
//! reads the same file. An intended change is made with `THETA_REGENERATE=1`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::replication::{
    ArchetypeDef, HostLimits, HostReplication, LinkKey, LinkTick, PartOutcome, Replica, ReplicaLimits, Scope,
    Snapshot,
};
use crate::schema::manifest;
use crate::types::{ChunkId, Tick};
use crate::world::testing::{Busy, schema};
use crate::world::{CellRef, Frame};

const LINK: LinkKey = LinkKey(1);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn number(value: u64) -> String {
    format!("{value:#018x}")
}

fn definitions(archetypes: &[ArchetypeDef]) -> Value {
    let one = |def: &ArchetypeDef| json!({ "id": def.id, "components": def.components });
    json!({ "kind": "archetypes", "archetypes": archetypes.iter().map(one).collect::<Vec<_>>() })
}

/// All cells of a frame: lanes as decimal text (they exceed what JSON readers keep), bytes as hexadecimal.
fn state(frame: &Frame) -> Value {
    let chunk = |chunk: &std::sync::Arc<crate::world::Chunk>| {
        let rows = chunk.slots().map(|slot| {
            let cells = chunk.columns.iter().map(|column| match column.get(slot) {
                CellRef::Lanes(lanes) => json!(lanes.iter().map(u64::to_string).collect::<Vec<_>>()),
                CellRef::Bytes(bytes) => json!(hex(bytes)),
            });
            json!({ "slot": slot, "entity": number(chunk.entities[slot].0), "cells": cells.collect::<Vec<_>>() })
        });
        json!({
            "chunk": chunk.id.0,
            "archetype": chunk.archetype.id.0,
            "version": chunk.tick.0,
            "hash": number(chunk.hash),
            "columns": chunk.column_hashes.iter().map(|hash| number(*hash)).collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
        })
    };
    json!({ "kind": "state", "tick": frame.tick.0, "fold": number(frame.fold()), "chunks": frame.chunks.iter().map(chunk).collect::<Vec<_>>() })
}

struct Recorder {
    busy: Busy,
    host: HostReplication,
    tick: u32,
    sequence: u32,
    steps: Vec<Value>,
}

impl Recorder {
    fn seal(&mut self, percent: u64) {
        self.tick += 1;
        self.busy.step(percent);
        let sealed = self.busy.world.seal(Tick(self.tick)).unwrap();
        self.host.ingest(&sealed);
    }

    fn snapshot(&mut self, id: u32, scope: Scope<'_>) {
        let is_repair = matches!(scope, Scope::Chunks(_));
        let Snapshot { tick, archetypes, pieces, .. } = self.host.begin_snapshot(LINK, id, scope).unwrap();
        if !archetypes.is_empty() {
            self.steps.push(definitions(&archetypes));
        }
        let pieces: Vec<String> = pieces.iter().map(|piece| hex(piece)).collect();
        self.steps.push(
            json!({ "kind": "snapshot", "id": id, "tick": tick.0, "repair": is_repair, "pieces": pieces }),
        );
        self.host.on_snapshot_ack(LINK, id);
    }

    /// Sends the tick; its packets are acknowledged or not.
    fn delta(&mut self, room: usize, acknowledged: bool) {
        let LinkTick { tick, new_archetypes, parts } = self.host.build(LINK, room);
        if !new_archetypes.is_empty() {
            self.steps.push(definitions(&new_archetypes));
        }
        let payloads: Vec<String> = parts.iter().map(|part| hex(&part.payload)).collect();
        for part in parts {
            if !part.reliable {
                self.sequence += 1;
                self.host.on_sent(LINK, self.sequence, part.receipt);
                if acknowledged {
                    self.host.on_ack(LINK, self.sequence);
                }
            }
        }
        let fold = number(self.host.fold(tick).unwrap());
        self.steps.push(json!({ "kind": "delta", "tick": tick.0, "parts": payloads, "fold": fold }));
    }

    fn state(&mut self) {
        self.steps.push(state(self.busy.world.frame()));
    }
}

fn record() -> Value {
    let mut busy = Busy::new(20);
    for _ in 0..60 {
        busy.spawn();
    }
    let host = HostReplication::new(schema(), HostLimits::default());
    let mut recorder = Recorder { busy, host, tick: 6, sequence: 0, steps: Vec::new() };
    recorder.host.add_link(LINK);
    recorder.seal(10);
    recorder.snapshot(1, Scope::World);
    recorder.state();
    for tick in 0..16 {
        // Some ticks change little, some nothing; some are never acknowledged; some are told in small parts.
        recorder.seal([20, 4, 0, 60][tick % 4]);
        recorder.delta(if tick % 8 == 3 { 200 } else { 1000 }, tick % 3 != 1);
    }
    // Rows over a datagram, and what follows while they are on their way.
    recorder.busy.big = true;
    recorder.seal(95);
    recorder.delta(1000, true);
    recorder.busy.big = false;
    recorder.seal(0);
    recorder.delta(1000, true);
    recorder.seal(10);
    recorder.delta(1000, true);
    let chunks: Vec<ChunkId> =
        recorder.busy.world.frame().chunks.iter().take(2).map(|chunk| chunk.id).collect();
    recorder.snapshot(2, Scope::Chunks(&chunks));
    recorder.seal(30);
    recorder.delta(1000, true);
    recorder.state();
    let manifest: Value = serde_json::from_str(&schema().manifest()).unwrap();
    json!({ "manifest": manifest, "steps": recorder.steps })
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/rows/session.json")
}

#[test]
fn rows_are_what_they_were() {
    let now = record();
    if std::env::var_os("THETA_REGENERATE").is_some() {
        let steps: Vec<String> = now["steps"].as_array().unwrap().iter().map(Value::to_string).collect();
        let text = format!("{{\"manifest\":{},\n\"steps\":[\n{}\n]}}\n", now["manifest"], steps.join(",\n"));
        std::fs::write(path(), text).unwrap();
    }
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    assert_eq!(golden["manifest"], now["manifest"], "the schema changed its text");
    for (golden, now) in golden["steps"].as_array().unwrap().iter().zip(now["steps"].as_array().unwrap()) {
        assert_eq!(golden, now, "an intended change is made with THETA_REGENERATE=1");
    }
    assert_eq!(golden["steps"].as_array().unwrap().len(), now["steps"].as_array().unwrap().len());
}

#[test]
fn the_rows_of_the_vectors_lead_where_they_say() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    // Whoever only has the manifest decodes the same.
    let schema = manifest::parse(&schema().manifest()).unwrap();
    assert_eq!(golden["manifest"]["schema_hash"], number(schema.hash()));
    let mut replica = Replica::new(std::sync::Arc::new(schema), ReplicaLimits::default());
    let mut complete = 0;
    for step in golden["steps"].as_array().unwrap() {
        let tick = Tick(step["tick"].as_u64().unwrap_or(0) as u32);
        let list = |name: &str| step[name].as_array().unwrap();
        match step["kind"].as_str().unwrap() {
            "archetypes" => {
                let defs: Vec<ArchetypeDef> = list("archetypes")
                    .iter()
                    .map(|def| ArchetypeDef {
                        id: def["id"].as_u64().unwrap() as u32,
                        components: def["components"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .map(|c| c.as_u64().unwrap() as u16)
                            .collect(),
                    })
                    .collect();
                replica.add_archetypes(&defs).unwrap();
            }
            "snapshot" => {
                let (id, pieces) = (step["id"].as_u64().unwrap() as u32, list("pieces"));
                for (index, piece) in pieces.iter().enumerate() {
                    let repair = step["repair"].as_bool().unwrap();
                    let piece = bytes(piece);
                    replica
                        .snapshot_piece(id, tick, index as u32, pieces.len() as u32, repair, &piece)
                        .unwrap();
                }
            }
            "delta" => {
                let parts = list("parts");
                for (index, part) in parts.iter().enumerate() {
                    let outcome = replica.delta(tick, index as u16, parts.len() as u16, &bytes(part));
                    assert_eq!(outcome, Ok(PartOutcome::Applied));
                }
                assert_eq!(replica.newest_complete(), tick);
                assert_eq!(number(replica.fold(tick).unwrap()), step["fold"]);
                complete += 1;
            }
            "state" => {
                let frame = replica.frame(replica.newest_complete()).unwrap();
                assert_eq!(&state(frame), step);
            }
            other => panic!("{other}"),
        }
    }
    assert!(complete >= 20);
}
