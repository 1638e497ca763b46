//! A host that lies: clear errors, nothing applied, bounded memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::replication::assembly::Assembly;
use crate::replication::codec::SlotRange;
use crate::replication::entry::{self, Baseline, Entries, Header};
use crate::replication::{
    HostLimits, HostReplication, LinkKey, PartOutcome, Replica, ReplicaLimits, ReplicationError, Scope,
    Snapshot, SnapshotProgress,
};
use crate::types::{ChunkId, Tick};
use crate::world::testing::{Busy, Random, schema};
use crate::world::{Archetype, ArchetypeDef, ArchetypeId, hash};

fn session(seed: u64, entities: usize) -> (Busy, HostReplication, Snapshot) {
    let mut busy = Busy::new(seed);
    busy.big = true;
    for _ in 0..entities {
        busy.spawn();
    }
    let mut host = HostReplication::new(schema(), HostLimits::default());
    host.ingest(&busy.world.seal(Tick(1)).unwrap());
    host.add_link(LinkKey(1));
    let snapshot = host.begin_snapshot(LinkKey(1), 5, Scope::World).unwrap();
    (busy, host, snapshot)
}

fn replica(snapshot: &Snapshot) -> Replica {
    let mut replica = Replica::new(schema(), ReplicaLimits::default());
    replica.add_archetypes(&snapshot.archetypes).unwrap();
    replica
}

fn join(replica: &mut Replica, snapshot: &Snapshot) -> Result<SnapshotProgress, ReplicationError> {
    let count = snapshot.pieces.len() as u32;
    let mut last = SnapshotProgress::Wait { received: 0, total: count };
    for (index, piece) in snapshot.pieces.iter().enumerate() {
        last = replica.snapshot_piece(snapshot.id, snapshot.tick, index as u32, count, false, piece)?;
    }
    Ok(last)
}

#[test]
fn a_changed_snapshot_is_refused_whole() {
    let (busy, _, snapshot) = session(3, 900);
    assert!(snapshot.pieces.len() > 1, "it takes several pieces");
    let mut random = Random::new(9);
    for _ in 0..300 {
        let mut changed = snapshot.clone();
        let piece = random.below(changed.pieces.len() as u64) as usize;
        let at = random.below(changed.pieces[piece].len() as u64) as usize;
        changed.pieces[piece][at] ^= 1 << random.below(8);
        let mut replica = replica(&snapshot);
        let refused = join(&mut replica, &changed);
        assert!(refused.is_err(), "piece {piece}, byte {at}: {refused:?}");
        assert!(
            !replica.has_joined() && replica.poll_frame().is_none() && replica.poll_lifecycle().is_none()
        );
        assert_eq!(replica.held(), (0, 0));
        // And the right one is still welcome.
        assert_eq!(join(&mut replica, &snapshot), Ok(SnapshotProgress::Complete { tick: Tick(1) }));
        assert_eq!(replica.fold(Tick(1)), Some(busy.world.frame().fold()));
    }
}

#[test]
fn pieces_out_of_order_or_left_out_are_refused() {
    let (_, _, snapshot) = session(3, 900);
    let count = snapshot.pieces.len() as u32;
    let mut fresh = replica(&snapshot);
    assert!(fresh.snapshot_piece(5, Tick(1), 1, count, false, &snapshot.pieces[1]).is_err());
    fresh.snapshot_piece(5, Tick(1), 0, count, false, &snapshot.pieces[0]).unwrap();
    assert!(fresh.snapshot_piece(5, Tick(1), 2, count, false, &snapshot.pieces[1]).is_err());
    fresh.snapshot_piece(5, Tick(1), 0, count - 1, false, &snapshot.pieces[0]).unwrap();
    let mut last = Ok(SnapshotProgress::Wait { received: 0, total: 0 });
    for index in 1..count - 1 {
        last = fresh.snapshot_piece(5, Tick(1), index, count - 1, false, &snapshot.pieces[index as usize]);
    }
    assert!(last.is_err(), "a piece too few");
    assert!(fresh.snapshot_piece(5, Tick(1), 0, 0, false, &[]).is_err());
    assert!(fresh.snapshot_piece(5, Tick(1), 0, u32::MAX, false, &snapshot.pieces[0]).is_err());
    assert!(
        fresh.snapshot_piece(6, Tick(1), 0, 1, true, &snapshot.pieces[0]).is_err(),
        "a repair of nothing"
    );
}

#[test]
fn changed_deltas_are_an_error_or_change_nothing_unseen() {
    let (mut busy, mut host, snapshot) = session(4, 60);
    busy.big = false;
    let mut good = replica(&snapshot);
    join(&mut good, &snapshot).unwrap();
    assert!(host.on_snapshot_ack(LinkKey(1), 5) && !host.on_snapshot_ack(LinkKey(1), 5));
    busy.step(40);
    host.ingest(&busy.world.seal(Tick(2)).unwrap());
    let built = host.build(LinkKey(1), 1000);
    good.add_archetypes(&built.new_archetypes).unwrap();
    let mut random = Random::new(4);
    for part in built.parts.iter().filter(|part| !part.reliable) {
        for cut in 0..part.payload.len() {
            let mut replica = good.clone();
            if let Ok(outcome) = replica.delta(Tick(2), part.index, part.count, &part.payload[..cut]) {
                // A payload may end between two chunks; then it is a shorter payload.
                let whole = Entries::new(&part.payload[..cut], Tick(2), false).all(|entry| entry.is_ok());
                assert!(whole, "cut after {cut}: {outcome:?}");
            }
        }
        for _ in 0..2000 {
            let mut payload = part.payload.clone();
            let bit = random.below(payload.len() as u64 * 8) as usize;
            payload[bit / 8] ^= 1 << (bit % 8);
            let mut replica = good.clone();
            let before = replica.held();
            if replica.delta(Tick(2), part.index, part.count, &payload).is_err() {
                assert_eq!(replica.held(), before, "an error applies nothing");
            }
        }
    }
    for (tick, part, count) in [(Tick(0), 0, 1), (Tick(2), 1, 1), (Tick(2), 0, 0), (Tick(2), 0, u16::MAX)] {
        assert!(good.delta(tick, part, count, &[]).is_err());
    }
    assert_eq!(good.delta(Tick(3), 0, 2, &[]), Ok(PartOutcome::Applied));
    assert_eq!(good.delta(Tick(3), 0, 2, &[]), Ok(PartOutcome::Duplicate));
    assert!(good.delta(Tick(3), 1, 3, &[]).is_err(), "two part counts of one tick");
}

/// A full chunk of the first archetype in as few bytes as a liar needs: 64 entities, all default.
fn cheap_chunk(chunk: u32, columns: usize, payload: &mut Vec<u8>, previous: Option<ChunkId>) {
    let mut body = crate::wire::bits::BitWriter::new();
    body.put(0, 1);
    body.put(u64::MAX, 64);
    for slot in 0..64 {
        body.put_bool(slot > 0);
        if slot == 0 {
            body.put(u64::from(chunk) << 32 | 1, 64);
        }
        (0..columns).for_each(|_| body.put_bool(false));
    }
    let header = Header {
        chunk: ChunkId(chunk),
        version: Tick(2),
        baseline: Baseline::None(ArchetypeId(0)),
        range: SlotRange::ALL,
        hash: None,
    };
    entry::put(previous, Tick(2), &header, body.bytes(), payload);
}

#[test]
fn memory_is_bounded_whatever_the_host_sends() {
    let (_, _, snapshot) = session(1, 3);
    for (limits, what) in [
        (ReplicaLimits { entities: 1000, ..ReplicaLimits::default() }, "entities"),
        (ReplicaLimits { state_bytes: 1 << 20, ..ReplicaLimits::default() }, "bytes of state"),
        (ReplicaLimits { entities: 64, archetypes: 8, ..ReplicaLimits::default() }, "chunks"),
    ] {
        let mut replica = Replica::new(schema(), limits);
        replica.add_archetypes(&snapshot.archetypes).unwrap();
        join(&mut replica, &snapshot).unwrap();
        let columns = replica.frame(Tick(1)).unwrap().chunks[0].columns.len();
        let columns = if snapshot.archetypes[0].components.is_empty() { 5 } else { columns };
        let mut refused = None;
        for chunk in 100..2000 {
            let mut payload = Vec::new();
            cheap_chunk(chunk, columns, &mut payload, None);
            if let Err(error) = replica.delta(Tick(2), (chunk - 100) as u16, 4000, &payload) {
                refused = Some(error);
                break;
            }
        }
        match refused {
            Some(ReplicationError::OverLimit { what: limit, .. }) => {
                assert!(limit == what || limit == "entities", "{limit} instead of {what}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert!(replica.state_bytes() <= limits.state_bytes + (1 << 20));
    }
}

/// A piece of a snapshot that tells the truth about itself: full chunks of cheap rows, or empty ones.
fn cheap_piece(chunks: core::ops::Range<u32>, is_full: bool, archetype: &Arc<Archetype>) -> Vec<u8> {
    let (mut payload, mut previous, mut folded) = (Vec::new(), None, Vec::new());
    for id in chunks {
        let mut whole = Vec::new();
        cheap_chunk(id, archetype.columns.len(), &mut whole, None);
        let entry = Entries::new(&whole, Tick(2), false).next().unwrap().unwrap();
        // A list of no slots.
        let body = if is_full { entry.body } else { &[1] };
        let mut assembly = Assembly::new(ChunkId(id), archetype, Tick(2), None);
        assembly.add(None, SlotRange::ALL, body).unwrap();
        let chunk = assembly.finish().unwrap();
        let header = Header { hash: Some(chunk.hash), ..entry.header };
        entry::put(previous, Tick(2), &header, body, &mut payload);
        previous = Some(chunk.id);
        folded.push((chunk.id, chunk.hash));
    }
    [&hash::fold(folded).to_le_bytes()[..], &payload].concat()
}

#[test]
fn repairs_and_snapshots_are_bounded_as_well() {
    let (busy, _, snapshot) = session(1, 3);
    let archetype = Arc::clone(&busy.world.frame().chunks[0].archetype);
    assert_eq!(archetype.id, ArchetypeId(0));
    for (limits, is_full, what) in [
        (ReplicaLimits { entities: 1000, ..ReplicaLimits::default() }, true, "entities"),
        (ReplicaLimits { state_bytes: 1 << 20, ..ReplicaLimits::default() }, true, "bytes of state"),
        (ReplicaLimits { entities: 64, archetypes: 8, ..ReplicaLimits::default() }, false, "chunks"),
    ] {
        let mut replica = Replica::new(schema(), limits);
        replica.add_archetypes(&snapshot.archetypes).unwrap();
        join(&mut replica, &snapshot).unwrap();
        let refused = (0..1000).find_map(|round| {
            let chunks = 100 + round * 4..104 + round * 4;
            let piece = cheap_piece(chunks, is_full, &archetype);
            replica.snapshot_piece(6 + round, Tick(2), 0, 1, true, &piece).err()
        });
        match refused {
            Some(ReplicationError::OverLimit { what: limit, .. }) => assert_eq!(limit, what),
            other => panic!("{what}: {other:?}"),
        }
        assert!(replica.state_bytes() <= limits.state_bytes + (1 << 20));
    }
    let mut fresh =
        Replica::new(schema(), ReplicaLimits { state_bytes: 1 << 20, ..ReplicaLimits::default() });
    fresh.add_archetypes(&snapshot.archetypes).unwrap();
    let refused = (0..1000).find_map(|index| {
        let mut piece = cheap_piece(1 + index * 4..5 + index * 4, true, &archetype);
        piece[..8].fill(0);
        fresh.snapshot_piece(9, Tick(2), index, 1000, false, &piece).err()
    });
    assert!(
        matches!(refused, Some(ReplicationError::OverLimit { what: "bytes of a snapshot", .. })),
        "{refused:?}"
    );
}

/// Everybody's rows are too big for a datagram, and all of them change.
fn all_big(entities: usize) -> (Busy, HostReplication, Replica) {
    let (mut busy, mut host, snapshot) = session(8, entities);
    let mut replica = replica(&snapshot);
    join(&mut replica, &snapshot).unwrap();
    assert!(host.on_snapshot_ack(LinkKey(1), 5));
    busy.step(90);
    host.ingest(&busy.world.seal(Tick(2)).unwrap());
    (busy, host, replica)
}

#[test]
fn what_was_of_no_use_on_the_reliable_lane_is_sent_whole_after_a_while() {
    let (mut busy, mut host, mut replica) = all_big(100);
    let lost = host.build(LinkKey(1), 1000);
    replica.add_archetypes(&lost.new_archetypes).unwrap();
    assert!(lost.parts.iter().any(|part| part.reliable), "some rows go reliably");
    let patience = HostLimits::default().in_flight_ticks;
    let mut healed = None;
    let mut sequence = 0u32;
    for tick in 3..=3 + patience + 2 {
        host.ingest(&busy.world.seal(Tick(tick)).unwrap());
        for part in host.build(LinkKey(1), 1000).parts {
            match replica.delta(Tick(tick), part.index, part.count, &part.payload).unwrap() {
                PartOutcome::Missing { chunks, .. } => {
                    for chunk in chunks {
                        host.reset_chunk(LinkKey(1), chunk);
                    }
                }
                _ if part.reliable => {}
                _ => {
                    sequence += 1;
                    host.on_sent(LinkKey(1), sequence, part.receipt);
                    host.on_ack(LinkKey(1), sequence);
                }
            }
        }
        if replica.newest_complete() == Tick(tick) {
            healed = healed.or(Some(tick));
        }
    }
    let healed = healed.expect("the chunk comes again");
    assert!(healed >= patience, "not while it may still come: {healed}");
    assert_eq!(replica.fold(replica.newest_complete()), Some(busy.world.frame().fold()));
}

#[test]
fn the_reliable_lane_takes_so_much_at_a_time_and_every_chunk_gets_its_turn() {
    let mut busy = Busy::new(8);
    busy.big = true;
    for _ in 0..600 {
        busy.spawn();
    }
    let limits = HostLimits { pending_bytes: 4 << 10, ..HostLimits::default() };
    let mut host = HostReplication::new(schema(), limits);
    host.ingest(&busy.world.seal(Tick(1)).unwrap());
    host.add_link(LinkKey(1));
    let snapshot = host.begin_snapshot(LinkKey(1), 5, Scope::World).unwrap();
    let mut replica = replica(&snapshot);
    join(&mut replica, &snapshot).unwrap();
    assert!(host.on_snapshot_ack(LinkKey(1), 5));
    let (mut sequence, mut most) = (0u32, 0);
    for tick in 2..60 {
        if tick < 10 {
            busy.step(90);
        }
        host.ingest(&busy.world.seal(Tick(tick)).unwrap());
        let built = host.build(LinkKey(1), 1000);
        replica.add_archetypes(&built.new_archetypes).unwrap();
        let (mut chunks, mut bytes) = (BTreeSet::new(), 0);
        for part in built.parts.iter().filter(|part| part.reliable) {
            for entry in Entries::new(&part.payload, Tick(tick), false) {
                let entry = entry.unwrap();
                chunks.insert(entry.header.chunk);
                bytes += entry.body.len();
            }
        }
        assert!(
            bytes <= limits.pending_bytes || chunks.len() == 1,
            "tick {tick}: {bytes} bytes of {chunks:?}"
        );
        most = most.max(chunks.len());
        for part in built.parts {
            let outcome = replica.delta(Tick(tick), part.index, part.count, &part.payload).unwrap();
            if !part.reliable && outcome == PartOutcome::Applied {
                sequence += 1;
                host.on_sent(LinkKey(1), sequence, part.receipt);
                host.on_ack(LinkKey(1), sequence);
            }
        }
    }
    assert!(most > 0, "no row was too big for a datagram");
    assert_eq!(replica.newest_complete(), Tick(59));
    assert_eq!(replica.fold(Tick(59)), Some(busy.world.frame().fold()));
}

#[test]
fn the_last_tick_there_is_has_no_follower() {
    let (_, _, snapshot) = session(1, 3);
    let mut replica = replica(&snapshot);
    join(&mut replica, &snapshot).unwrap();
    assert_eq!(replica.delta(Tick(u32::MAX), 0, 1, &[]), Ok(PartOutcome::Applied));
    assert_eq!(replica.newest_complete(), Tick(u32::MAX));
}

#[test]
fn unknown_and_contradicting_archetypes_are_told_apart() {
    let (_, _, snapshot) = session(1, 40);
    let mut replica = replica(&snapshot);
    join(&mut replica, &snapshot).unwrap();
    let header = Header {
        chunk: ChunkId(77),
        version: Tick(2),
        baseline: Baseline::None(ArchetypeId(900)),
        range: SlotRange::ALL,
        hash: None,
    };
    let mut payload = Vec::new();
    entry::put(None, Tick(2), &header, &[1], &mut payload);
    let outcome = replica.delta(Tick(2), 0, 1, &payload).unwrap();
    assert_eq!(outcome, PartOutcome::Missing { chunks: vec![], archetypes: vec![ArchetypeId(900)] });
    let mut payload = Vec::new();
    entry::put(None, Tick(2), &Header { baseline: Baseline::Tick(Tick(1)), ..header }, &[1], &mut payload);
    let outcome = replica.delta(Tick(2), 0, 1, &payload).unwrap();
    assert_eq!(outcome, PartOutcome::Missing { chunks: vec![ChunkId(77)], archetypes: vec![] });
    assert_eq!(replica.newest_complete(), Tick(1), "nothing was completed");
    for bad in [
        ArchetypeDef { id: 0, components: vec![0, 1, 2] },
        ArchetypeDef { id: 901, components: vec![9999] },
        ArchetypeDef { id: 901, components: vec![1, 0] },
        ArchetypeDef { id: 901, components: vec![0, 0] },
        ArchetypeDef { id: 901, components: snapshot.archetypes[0].components.clone() },
        ArchetypeDef { id: 901, components: vec![schema().entity_component().0] },
    ] {
        assert!(replica.add_archetypes(core::slice::from_ref(&bad)).is_err(), "{bad:?}");
    }
    replica.add_archetypes(&snapshot.archetypes).unwrap();
}

#[test]
fn headers_have_one_spelling() {
    let mut random = Random::new(11);
    for _ in 0..20_000 {
        let length = random.below(40) as usize;
        let bytes: Vec<u8> = (0..length)
            .map(|_| if random.chance(60) { random.below(8) as u8 } else { random.next() as u8 })
            .collect();
        for hashed in [false, true] {
            let tick = Tick(1000);
            let Ok(entries) = Entries::new(&bytes, tick, hashed).collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            let mut again = Vec::new();
            let mut previous = None;
            for entry in &entries {
                entry::put(previous, tick, &entry.header, entry.body, &mut again);
                previous = Some(entry.header.chunk);
            }
            assert_eq!(again, bytes);
        }
    }
}
