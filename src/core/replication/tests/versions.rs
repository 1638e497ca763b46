//! What a replica keeps of a chunk, and a chunk whose rows become rows of other components.

use crate::replication::{HostLimits, HostReplication, LinkKey, PartOutcome, Replica, ReplicaLimits, Scope};
use crate::schema::component_id;
use crate::types::{ChunkId, EntityId, Tick};
use crate::world::testing::{LIFE, NOTE, POSE, Random, row, schema};
use crate::world::{SealedTick, SpawnDesc, World, WorldLimits};

const LINK: LinkKey = LinkKey(1);

struct Pair {
    world: World,
    host: HostReplication,
    replica: Replica,
    random: Random,
    sequence: u32,
}

impl Pair {
    /// A replica that holds tick 1, with one entity of this component in it.
    fn joined(name: &str, limits: ReplicaLimits) -> (Self, EntityId) {
        let mut pair = Self {
            world: World::new(schema(), WorldLimits::default()),
            host: HostReplication::new(schema(), HostLimits::default()),
            replica: Replica::new(schema(), limits),
            random: Random::new(5),
            sequence: 0,
        };
        let entity = pair.spawn(name);
        pair.seal(1);
        pair.host.add_link(LINK);
        let snapshot = pair.host.begin_snapshot(LINK, 1, Scope::World).unwrap();
        pair.replica.add_archetypes(&snapshot.archetypes).unwrap();
        let count = snapshot.pieces.len() as u32;
        for (index, piece) in snapshot.pieces.iter().enumerate() {
            pair.replica.snapshot_piece(1, snapshot.tick, index as u32, count, false, piece).unwrap();
        }
        pair.host.on_snapshot_ack(LINK, 1);
        (pair, entity)
    }

    fn spawn(&mut self, name: &str) -> EntityId {
        let row = row(&schema(), name, &mut self.random, false);
        let components = [(component_id(name), Some(&row[..]))];
        self.world.spawn(&SpawnDesc { components: &components, ..SpawnDesc::default() }).unwrap()
    }

    fn write(&mut self, name: &str, entity: EntityId) {
        let row = row(&schema(), name, &mut self.random, false);
        self.world.write_rows(component_id(name), None, &[entity], &row, row.len()).unwrap();
    }

    fn seal(&mut self, tick: u32) -> SealedTick {
        let sealed = self.world.seal(Tick(tick)).unwrap();
        self.host.ingest(&sealed);
        sealed
    }

    /// The one part of the newest tick, and the sequence under which it went.
    fn part(&mut self) -> (u32, Vec<u8>) {
        let mut built = self.host.build(LINK, 1000);
        self.replica.add_archetypes(&built.new_archetypes).unwrap();
        assert_eq!(built.parts.len(), 1);
        let part = built.parts.remove(0);
        assert!(!part.reliable);
        self.sequence += 1;
        self.host.on_sent(LINK, self.sequence, part.receipt);
        (self.sequence, part.payload)
    }

    fn deliver(&mut self, tick: u32, payload: &[u8]) -> PartOutcome {
        self.replica.delta(Tick(tick), 0, 1, payload).unwrap()
    }
}

/// Ticks that miss a part pile up while one chunk changes in each of them, and then an old one comes whole: what it
/// needs of that chunk is not kept any more.
#[test]
fn a_tick_whose_versions_were_let_go_of_is_not_shown() {
    let limits = ReplicaLimits { versions: 4, ..ReplicaLimits::default() };
    let (mut pair, entity) = Pair::joined(POSE, limits);
    let mut folds = vec![pair.world.frame().fold(); 2];
    let mut late = Vec::new();
    for tick in 2..=20 {
        pair.write(POSE, entity);
        let sealed = pair.seal(tick);
        folds.push(sealed.frame.fold());
        let (_, payload) = pair.part();
        if tick == 3 || tick == 19 {
            late.push((tick, payload));
        } else {
            // Of two parts, one.
            pair.replica.delta(Tick(tick), 0, 2, &payload).unwrap();
        }
    }
    for (tick, payload) in late {
        pair.deliver(tick, &payload);
    }
    pair.write(POSE, entity);
    folds.push(pair.seal(21).frame.fold());
    let (_, payload) = pair.part();
    assert_eq!(pair.deliver(21, &payload), PartOutcome::Applied);
    let mut shown = Vec::new();
    while let Some(frame) = pair.replica.poll_frame() {
        assert_eq!(frame.fold(), folds[frame.tick.0 as usize], "{} is not the host's", frame.tick);
        shown.push(frame.tick.0);
    }
    assert_eq!(shown, [1, 19, 21], "3 is gone, 19 is not");
    assert!(pair.replica.held().0 <= 4);
}

#[test]
fn rows_of_other_components_take_an_empty_chunk() {
    let (mut pair, entity) = Pair::joined(POSE, ReplicaLimits::default());
    pair.world.despawn(entity).unwrap();
    let note = pair.spawn(NOTE);
    let second = pair.seal(2).frame;
    assert_eq!(second.chunks.len(), 1);
    assert_eq!(second.chunks[0].id, ChunkId(1), "the chunk that was emptied");
    let (_, lost) = pair.part();
    pair.write(NOTE, note);
    let third = pair.seal(3).frame;
    // Nothing of the other components was acknowledged: it comes whole.
    let (sequence, payload) = pair.part();
    assert_eq!(pair.deliver(3, &payload), PartOutcome::Applied);
    assert_eq!(pair.replica.fold(Tick(3)), Some(third.fold()));
    // The one before comes late: kept, and not shown any more.
    assert_eq!(pair.deliver(2, &lost), PartOutcome::Applied);
    assert_eq!(pair.replica.newest_complete(), Tick(3));
    pair.host.on_ack(LINK, sequence);
    pair.write(NOTE, note);
    let fourth = pair.seal(4).frame;
    let (_, payload) = pair.part();
    assert_eq!(pair.deliver(4, &payload), PartOutcome::Applied);
    assert_eq!(pair.replica.fold(Tick(4)), Some(fourth.fold()));
    // And back again, over an empty tick.
    pair.world.despawn(note).unwrap();
    let empty = pair.seal(5).frame;
    let (_, payload) = pair.part();
    pair.deliver(5, &payload);
    assert_eq!((pair.replica.fold(Tick(5)), empty.entity_count()), (Some(empty.fold()), 0));
    pair.spawn(LIFE);
    let sixth = pair.seal(6).frame;
    let (_, payload) = pair.part();
    pair.deliver(6, &payload);
    assert_eq!(pair.replica.fold(Tick(6)), Some(sixth.fold()));
    assert_eq!(sixth.chunks[0].id, ChunkId(1));
}

/// What differs is sent anew, whatever the peer had there.
#[test]
fn a_repair_replaces_a_chunk_by_one_of_other_components() {
    let (mut pair, entity) = Pair::joined(POSE, ReplicaLimits::default());
    pair.world.despawn(entity).unwrap();
    pair.spawn(LIFE);
    let sealed = pair.seal(2);
    let snapshot = pair.host.begin_snapshot(LINK, 2, Scope::Chunks(&[ChunkId(1)])).unwrap();
    pair.replica.add_archetypes(&snapshot.archetypes).unwrap();
    pair.replica.snapshot_piece(2, Tick(2), 0, 1, true, &snapshot.pieces[0]).unwrap();
    pair.host.on_snapshot_ack(LINK, 2);
    pair.seal(3);
    let (_, payload) = pair.part();
    pair.deliver(3, &payload);
    assert_eq!(pair.replica.fold(Tick(3)), Some(sealed.frame.fold()));
}
