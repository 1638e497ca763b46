//! The invariants of a session. The checker knows what must hold, not how it is done: it compares what a peer shows
//! with what the host sealed, entity by entity, and replays the peer's lifecycle events against its frames.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::versions;
use crate::replication::Lifecycle;
use crate::schema::Schema;
use crate::types::{EntityId, PeerId, Tick};
use crate::world::Frame;

/// Host frames kept for comparison: longer than any packet of a live link can be under way, and wait for a peer that stands
/// still.
const KEPT_FRAMES: usize = 4000;
/// Every so many ticks a frame is compared cell by cell; by hash every time.
const FULL_COMPARISON_TICKS: u32 = 45;

/// A flipped bit that has not shown for so long was written over: longer than any version of a chunk is a baseline.
const WRITTEN_OVER_TICKS: u32 = 300;

/// Something that must not happen, with enough to look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in ticks of the host.
    pub tick: Tick,
    /// What.
    pub text: String,
}

/// What the host has sealed, to compare with.
#[derive(Debug, Default)]
pub struct Truth {
    frames: VecDeque<Arc<Frame>>,
}

impl Truth {
    /// Keeps a sealed tick.
    pub fn push(&mut self, frame: Arc<Frame>) {
        self.frames.push_back(frame);
        if self.frames.len() > KEPT_FRAMES {
            self.frames.pop_front();
        }
    }

    /// The host's frame of a tick. A host that paused has none of the ticks between.
    #[must_use]
    pub fn at(&self, tick: Tick) -> Option<&Arc<Frame>> {
        self.frames.binary_search_by_key(&tick, |frame| frame.tick).ok().map(|at| &self.frames[at])
    }
}

/// What one membership of one peer must hold to.
#[derive(Debug, Default)]
pub struct PeerChecker {
    newest: Tick,
    frames: u64,
    /// Who is there, and whose it is.
    alive: BTreeMap<EntityId, PeerId>,
    confirmed: Tick,
    /// Ticks that were shown other than the host has them.
    differing: BTreeSet<Tick>,
    /// Frames may differ: a corruption was injected, and has neither been repaired nor written over long ago.
    pub corrupted: bool,
    /// Since when all frames have been equal.
    equal_since: Tick,
}

impl PeerChecker {
    /// Frames seen.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// The newest frame's tick.
    #[must_use]
    pub const fn newest(&self) -> Tick {
        self.newest
    }

    /// A lifecycle event: each entity comes once and goes once.
    pub fn on_lifecycle(&mut self, event: &Lifecycle) -> Result<(), String> {
        match event {
            Lifecycle::Spawned { entity, owner, .. } => {
                if self.alive.insert(*entity, *owner).is_some() {
                    return Err(format!("{entity:?} spawned twice"));
                }
            }
            Lifecycle::Despawned { entity, .. } => {
                if self.alive.remove(entity).is_none() {
                    return Err(format!("{entity:?} despawned without being there"));
                }
            }
            Lifecycle::OwnerChanged { entity, from, to, .. } => {
                if self.alive.insert(*entity, *to) != Some(*from) {
                    return Err(format!("{entity:?} went from {from:?} to {to:?}, and was not {from:?}'s"));
                }
            }
            Lifecycle::ParentChanged { entity, .. } => {
                if !self.alive.contains_key(entity) {
                    return Err(format!("{entity:?} changed without being there"));
                }
            }
        }
        Ok(())
    }

    /// A published frame, after its lifecycle events: in order, and the host's state of that tick, as a build with the
    /// components of `shown` sees it.
    pub fn on_frame(
        &mut self,
        frame: &Frame,
        truth: &Truth,
        schema: &Schema,
        shown: &Schema,
    ) -> Result<(), String> {
        if frame.tick <= self.newest {
            return Err(format!("{} published after {}", frame.tick, self.newest));
        }
        self.newest = frame.tick;
        self.frames += 1;
        let Some(host) = truth.at(frame.tick) else {
            return Err(format!("{} was never sealed", frame.tick));
        };
        let is_equal = frame.fold() == host.fold();
        if self.corrupted {
            if !is_equal {
                self.differing.insert(frame.tick);
                self.equal_since = frame.tick;
                return Ok(());
            }
            self.corrupted = frame.tick.since(self.equal_since) < WRITTEN_OVER_TICKS;
        }
        if shown.hash() != schema.hash() {
            let is_due = frame.tick.0.is_multiple_of(FULL_COMPARISON_TICKS) || !is_equal;
            let found = if is_due { versions::compare(host, schema, frame, shown) } else { None };
            return match found {
                Some(difference) => Err(format!("{}: in another build, {difference}", frame.tick)),
                None if !is_equal => Err(format!("{}: another fold", frame.tick)),
                None => Ok(()),
            };
        }
        if !is_equal {
            return Err(format!("{}: {}", frame.tick, first_difference(host, frame, schema)));
        }
        if frame.tick.0.is_multiple_of(FULL_COMPARISON_TICKS) {
            let difference = compare(host, frame, schema);
            if let Some(difference) = difference {
                return Err(format!("{}: equal hashes, but {difference}", frame.tick));
            }
        }
        Ok(())
    }

    /// A bit was flipped: frames may differ from now on.
    pub const fn corrupt(&mut self) {
        (self.corrupted, self.equal_since) = (true, self.newest);
    }

    /// After the events of a frame: who was announced is who is there.
    pub fn check_roster(&self, frame: &Frame) -> Result<(), String> {
        if self.alive.len() == frame.entity_count() {
            if !frame.tick.0.is_multiple_of(FULL_COMPARISON_TICKS) {
                return Ok(());
            }
            let stranger = frame
                .rows()
                .map(|row| row.info())
                .find(|row| self.alive.get(&row.entity) != Some(&row.owner));
            return stranger.map_or(Ok(()), |row| {
                Err(format!("{}: {:?} is {:?}'s, and nobody was told", frame.tick, row.entity, row.owner))
            });
        }
        Err(format!(
            "{}: {} entities announced, {} there",
            frame.tick,
            self.alive.len(),
            frame.entity_count()
        ))
    }

    /// The host's confirmed tick for this peer.
    pub fn on_confirmed(&mut self, tick: Tick) -> Result<(), String> {
        if tick < self.confirmed {
            return Err(format!("confirmed {tick} after {}", self.confirmed));
        }
        self.confirmed = tick;
        if self.differing.contains(&tick) {
            return Err(format!("{tick} was confirmed, and differs"));
        }
        Ok(())
    }

    /// True when the newest frame is not what the host has.
    #[must_use]
    pub fn differs_now(&self) -> bool {
        self.differing.contains(&self.newest)
    }

    /// The newest confirmed tick.
    #[must_use]
    pub const fn confirmed(&self) -> Tick {
        self.confirmed
    }
}

/// All there is to know of an entity, as plain values.
type Row = (u32, u16, u64, u64, Vec<u8>, BTreeMap<u64, Vec<u8>>);

fn rows(frame: &Frame, schema: &Schema) -> BTreeMap<EntityId, Row> {
    let mut rows: BTreeMap<EntityId, Row> = frame
        .rows()
        .map(|row| {
            let row = row.info();
            let values = (row.type_id, row.owner.0, row.parent.0, row.persistent_id, row.payload.to_vec());
            (row.entity, (values.0, values.1, values.2, values.3, values.4, BTreeMap::new()))
        })
        .collect();
    for (index, component) in schema.components().iter().enumerate() {
        let index = crate::schema::ComponentIndex(index as u16);
        if index == schema.entity_component() {
            continue;
        }
        let size = component.layout.size_bytes;
        let entities: Vec<EntityId> = frame.rows_of(index).map(|row| row.entity()).collect();
        let mut bytes = vec![0; size * entities.len()];
        let read = frame.read_engine(schema, component.id, None, &mut bytes, size);
        debug_assert_eq!(read.ok(), Some(entities.len()));
        for (entity, row) in entities.into_iter().zip(bytes.chunks_exact(size)) {
            if let Some(values) = rows.get_mut(&entity) {
                values.5.insert(component.id.0, row.to_vec());
            }
        }
    }
    rows
}

/// What differs between two frames, or nothing.
fn compare(host: &Frame, peer: &Frame, schema: &Schema) -> Option<String> {
    let (host, peer) = (rows(host, schema), rows(peer, schema));
    for (entity, row) in &host {
        match peer.get(entity) {
            None => return Some(format!("{entity:?} is missing")),
            Some(other) if other != row => return Some(format!("{entity:?} is {other:?}, not {row:?}")),
            Some(_) => {}
        }
    }
    peer.keys()
        .find(|entity| !host.contains_key(entity))
        .map(|entity| format!("{entity:?} should not be there"))
}

fn first_difference(host: &Frame, peer: &Frame, schema: &Schema) -> String {
    compare(host, peer, schema).unwrap_or_else(|| "the hashes differ, and no cell does".to_owned())
}
