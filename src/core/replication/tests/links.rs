//! Host and replicas over unreliable links: every complete tick is the host's, bit for bit; every event happens once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::replication::ack::{self, AckTracker};
use crate::replication::{
    HostLimits, HostReplication, Lifecycle, LinkKey, PartOutcome, Replica, ReplicaLimits, Scope,
    SnapshotProgress, Verdict,
};
use crate::types::{EntityId, Tick};
use crate::world::ArchetypeDef;
use crate::world::testing::{Busy, Random};

#[derive(Clone, Copy)]
struct Network {
    loss: u64,
    repeat: u64,
    /// Up to so many ticks late.
    late: u64,
    ack_loss: u64,
}

const FAIR: Network = Network { loss: 0, repeat: 0, late: 2, ack_loss: 0 };
const ROUGH: Network = Network { loss: 25, repeat: 10, late: 9, ack_loss: 30 };
const HARD_OF_HEARING: Network = Network { loss: 5, repeat: 0, late: 3, ack_loss: 95 };
const DEAF: Network = Network { loss: 5, repeat: 0, late: 3, ack_loss: 100 };

#[derive(Clone)]
enum Message {
    Archetypes(Vec<ArchetypeDef>),
    Snapshot { id: u32, tick: Tick, index: u32, count: u32, is_repair: bool, payload: Vec<u8> },
    Delta { sequence: Option<u32>, tick: Tick, part: u16, count: u16, payload: Vec<u8> },
}

/// What went wrong, as an error instead of a panic: a planted bug must show here.
type Checked<T> = Result<T, String>;

struct Link {
    key: LinkKey,
    network: Network,
    random: Random,
    replica: Replica,
    acks: AckTracker,
    sequence: u32,
    datagrams: Vec<(u32, Message)>,
    reliable: VecDeque<(u32, Message)>,
    answers: Vec<(u32, u32, Vec<u8>, u32)>,
    snapshot_id: u32,
    alive: BTreeMap<EntityId, Option<(u16, u64)>>,
    last_frame: Tick,
    frames: usize,
    missing: usize,
    largest_part: usize,
    sent_bytes: usize,
}

struct Session {
    busy: Busy,
    host: HostReplication,
    links: Vec<Link>,
    tick: u32,
    room: usize,
    folds: BTreeMap<Tick, u64>,
}

impl Session {
    fn new(seed: u64) -> Self {
        let busy = Busy::new(seed);
        let host = HostReplication::new(Arc::clone(busy.world.schema()), HostLimits::default());
        Self { busy, host, links: Vec::new(), tick: 0, room: 1086, folds: BTreeMap::new() }
    }

    fn join(&mut self, network: Network) {
        let key = LinkKey(self.links.len() as u64 + 1);
        let schema = Arc::clone(self.busy.world.schema());
        self.links.push(Link {
            key,
            network,
            random: Random::new(key.0 * 77 + 5),
            replica: Replica::new(schema, ReplicaLimits::default()),
            acks: AckTracker::default(),
            sequence: 0,
            datagrams: Vec::new(),
            reliable: VecDeque::new(),
            answers: Vec::new(),
            snapshot_id: 0,
            alive: BTreeMap::new(),
            last_frame: Tick::ZERO,
            frames: 0,
            missing: 0,
            largest_part: 0,
            sent_bytes: 0,
        });
        self.host.add_link(key);
        let at = self.links.len() - 1;
        self.send_snapshot(at, key.0 as u32 * 1000, Scope::World);
    }

    fn send_snapshot(&mut self, at: usize, id: u32, scope: Scope<'_>) {
        let link = &mut self.links[at];
        let is_repair = matches!(scope, Scope::Chunks(_));
        let snapshot = self.host.begin_snapshot(link.key, id, scope).unwrap();
        link.reliable.push_back((self.tick + 3, Message::Archetypes(snapshot.archetypes)));
        let count = snapshot.pieces.len() as u32;
        for (index, payload) in snapshot.pieces.into_iter().enumerate() {
            assert!(payload.len() <= 32 * 1024);
            let message =
                Message::Snapshot { id, tick: snapshot.tick, index: index as u32, count, is_repair, payload };
            link.reliable.push_back((self.tick + 3, message));
        }
    }

    /// One tick of the world, to all links, and everything that is due.
    fn step(&mut self, percent: u64) -> Checked<()> {
        self.tick += 1;
        self.busy.step(percent);
        let sealed = self.busy.world.seal(Tick(self.tick)).unwrap();
        self.folds.insert(sealed.tick, sealed.frame.fold());
        self.host.ingest(&sealed);
        for link in &mut self.links {
            let built = self.host.build(link.key, self.room);
            if !built.new_archetypes.is_empty() {
                link.reliable.push_back((self.tick + 3, Message::Archetypes(built.new_archetypes)));
            }
            for part in built.parts {
                let mut message = Message::Delta {
                    sequence: None,
                    tick: built.tick,
                    part: part.index,
                    count: part.count,
                    payload: part.payload,
                };
                let Message::Delta { sequence, payload, .. } = &mut message else { unreachable!() };
                link.sent_bytes += payload.len();
                if part.reliable {
                    assert!(payload.len() <= 32 * 1024);
                    link.reliable.push_back((self.tick + 3, message));
                    continue;
                }
                assert!(payload.len() <= self.room, "{} bytes for {}", payload.len(), self.room);
                link.largest_part = link.largest_part.max(payload.len());
                link.sequence += 1;
                *sequence = Some(link.sequence);
                self.host.on_sent(link.key, link.sequence, part.receipt);
                for _ in 0..=usize::from(link.random.chance(link.network.repeat)) {
                    if !link.random.chance(link.network.loss) {
                        let due = self.tick + link.random.below(link.network.late + 1) as u32;
                        link.datagrams.push((due, message.clone()));
                    }
                }
            }
        }
        for at in 0..self.links.len() {
            self.deliver(at)?;
        }
        Ok(())
    }

    fn deliver(&mut self, at: usize) -> Checked<()> {
        let tick = self.tick;
        let link = &mut self.links[at];
        let mut due = Vec::new();
        while link.reliable.front().is_some_and(|(at, _)| *at <= tick) {
            due.push(link.reliable.pop_front().unwrap().1);
        }
        let (now, later): (Vec<_>, Vec<_>) = link.datagrams.drain(..).partition(|(at, _)| *at <= tick);
        link.datagrams = later;
        // Datagrams of one tick come in any order, before or after the reliable ones.
        let mut now: Vec<Message> = now.into_iter().map(|(_, message)| message).collect();
        for index in (1..now.len()).rev() {
            now.swap(index, link.random.below(index as u64 + 1) as usize);
        }
        if link.random.chance(50) {
            due.extend(now);
        } else {
            due = now.into_iter().chain(due).collect();
        }
        let mut nacked = BTreeSet::new();
        for message in due {
            match message {
                Message::Archetypes(defs) => link.replica.add_archetypes(&defs).map_err(|e| e.to_string())?,
                Message::Snapshot { id, tick, index, count, is_repair, payload } => {
                    let progress = link.replica.snapshot_piece(id, tick, index, count, is_repair, &payload);
                    if let SnapshotProgress::Complete { .. } = progress.map_err(|e| e.to_string())? {
                        link.snapshot_id = id;
                    }
                }
                Message::Delta { sequence, tick, part, count, payload } => {
                    match link.replica.delta(tick, part, count, &payload).map_err(|e| e.to_string())? {
                        PartOutcome::Applied | PartOutcome::Duplicate => {
                            if let Some(sequence) = sequence {
                                link.acks.record(sequence);
                            }
                        }
                        PartOutcome::Stale => {}
                        PartOutcome::Missing { chunks, .. } => {
                            link.missing += usize::from(!chunks.is_empty());
                            nacked.extend(chunks);
                        }
                    }
                }
            }
            link.check(&self.folds)?;
        }
        for chunk in nacked {
            self.host.reset_chunk(link.key, chunk);
        }
        let mut mask = Vec::new();
        link.acks.mask_bytes(&mut mask);
        if !link.random.chance(link.network.ack_loss) {
            let due = tick + link.random.below(link.network.late + 1) as u32;
            link.answers.push((due, link.acks.newest(), mask, link.snapshot_id));
        }
        let (now, later): (Vec<_>, Vec<_>) = link.answers.drain(..).partition(|(at, ..)| *at <= tick);
        link.answers = later;
        for (_, newest, mask, snapshot_id) in now {
            self.host.on_snapshot_ack(link.key, snapshot_id);
            ack::decode(newest, &mask).for_each(|sequence| self.host.on_ack(link.key, sequence));
        }
        Ok(())
    }
}

impl Link {
    /// Frames ascend, are the host's, and follow from the events.
    fn check(&mut self, folds: &BTreeMap<Tick, u64>) -> Checked<()> {
        let mut events = BTreeMap::<Tick, Vec<Lifecycle>>::new();
        while let Some(event) = self.replica.poll_lifecycle() {
            let (Lifecycle::Spawned { tick, .. }
            | Lifecycle::Despawned { tick, .. }
            | Lifecycle::OwnerChanged { tick, .. }
            | Lifecycle::ParentChanged { tick, .. }) = event;
            events.entry(tick).or_default().push(event);
        }
        while let Some(frame) = self.replica.poll_frame() {
            if frame.tick <= self.last_frame {
                return Err(format!("{} after {}", frame.tick, self.last_frame));
            }
            self.last_frame = frame.tick;
            self.frames += 1;
            if folds.get(&frame.tick) != Some(&frame.fold()) {
                return Err(format!("{} is not the host's", frame.tick));
            }
            for event in events.remove(&frame.tick).unwrap_or_default() {
                let fits = match event {
                    Lifecycle::Spawned { entity, .. } => self.alive.insert(entity, None).is_none(),
                    Lifecycle::Despawned { entity, .. } => self.alive.remove(&entity).is_some(),
                    Lifecycle::OwnerChanged { entity, from, to, .. } => {
                        let known = self.alive.get_mut(&entity).unwrap().as_mut().unwrap();
                        core::mem::replace(&mut known.0, to.0) == from.0
                    }
                    Lifecycle::ParentChanged { entity, from, to, .. } => {
                        let known = self.alive.get_mut(&entity).unwrap().as_mut().unwrap();
                        core::mem::replace(&mut known.1, to.0) == from.0
                    }
                };
                if !fits {
                    return Err(format!("{event:?} does not follow from what was"));
                }
            }
            for row in frame.rows() {
                let info = row.info();
                let state = (info.owner.0, info.parent.0);
                match self.alive.get_mut(&info.entity) {
                    Some(known) => {
                        if known.get_or_insert(state) != &state {
                            return Err(format!("{:?} changed hands without an event", info.entity));
                        }
                    }
                    None => return Err(format!("{:?} is there without an event", info.entity)),
                }
            }
            if frame.entity_count() != self.alive.len() {
                return Err("an entity is gone without an event".into());
            }
        }
        Ok(())
    }
}

/// A session whose links come and go bad, and heal.
fn run(session: &mut Session, networks: &[Network], big: bool) -> Checked<()> {
    session.busy.big = big;
    for _ in 0..40 {
        session.busy.spawn();
    }
    session.step(0)?;
    for network in networks {
        session.join(*network);
        for _ in 0..20 {
            session.step(15)?;
        }
    }
    for round in 0..120 {
        session.step(if round % 40 < 20 { 30 } else { 3 })?;
        if round == 60 {
            session.room = 700;
        }
        if round % 9 == 0 {
            // A peer that asks for chunks it has does no harm.
            let chunks = session.busy.world.frame().chunks.len() as u64;
            let picked = session.busy.random.below(chunks) as usize;
            let chunk = session.busy.world.frame().chunks[picked].id;
            let key = session.links[0].key;
            session.host.reset_chunk(key, chunk);
        }
    }
    for link in &mut session.links {
        link.network = FAIR;
    }
    for _ in 0..20 {
        session.step(5)?;
    }
    for _ in 0..20 {
        session.step(0)?;
    }
    Ok(())
}

#[test]
fn replicas_are_the_world_at_every_complete_tick() {
    for seed in 1..=40 {
        let mut session = Session::new(seed);
        run(&mut session, &[FAIR, ROUGH, ROUGH, HARD_OF_HEARING], false)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(session.links[0].frames > 150, "seed {seed}: only {} frames", session.links[0].frames);
        for link in &session.links {
            assert!(link.frames > 25, "seed {seed}: only {} frames", link.frames);
            let behind = session.tick - link.last_frame.0;
            assert!(behind <= 4, "seed {seed}: {behind} ticks behind after healing");
            assert!(link.largest_part > 300, "seed {seed}: the parts were never filled");
            assert_eq!(link.missing, 0, "seed {seed}: a baseline was not there");
        }
    }
}

#[test]
fn rows_too_big_for_a_datagram_go_reliably() {
    for seed in 1..=30 {
        let mut session = Session::new(seed);
        run(&mut session, &[FAIR, ROUGH], true).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for link in &session.links {
            let behind = session.tick - link.last_frame.0;
            assert!(behind <= 8, "seed {seed}: {behind} ticks behind after healing");
        }
        let missing: usize = session.links.iter().map(|link| link.missing).sum();
        assert!(missing > 0, "seed {seed}: nothing ever overtook the reliable lane");
    }
}

#[test]
fn an_idle_world_costs_a_part_without_rows() {
    let mut session = Session::new(3);
    run(&mut session, &[FAIR, ROUGH], false).unwrap();
    session.tick += 1;
    let sealed = session.busy.world.seal(Tick(session.tick)).unwrap();
    session.host.ingest(&sealed);
    let built = session.host.build(LinkKey(1), 1000);
    assert_eq!(built.parts.len(), 1);
    assert!(built.parts[0].payload.is_empty() && built.parts[0].count == 1);
    assert_eq!(session.host.compare(LinkKey(1), built.tick, sealed.frame.fold()), Verdict::Equal);
    assert_eq!(session.host.compare(LinkKey(1), built.tick, sealed.frame.fold() ^ 1), Verdict::Different);
    assert_eq!(session.host.compare(LinkKey(1), Tick(1), 0), Verdict::Different);
    assert_eq!(session.host.compare(LinkKey(9), built.tick, sealed.frame.fold()), Verdict::Unknown);
    assert_eq!(session.host.compare(LinkKey(1), built.tick.next(), 0), Verdict::Unknown);
}

#[test]
fn what_is_held_stays_bounded_when_acknowledgements_never_come() {
    let mut session = Session::new(8);
    for _ in 0..40 {
        session.busy.spawn();
    }
    session.step(0).unwrap();
    session.join(FAIR);
    for _ in 0..20 {
        session.step(20).unwrap();
    }
    session.links[0].network = DEAF;
    let mut largest = 0;
    for _ in 0..400 {
        session.step(20).unwrap();
        let (versions, assemblies) = session.links[0].replica.held();
        let chunks = session.busy.world.frame().chunks.len() + 8;
        assert!(versions <= chunks * 193 && assemblies <= chunks * 4);
        largest = largest.max(session.links[0].replica.state_bytes());
    }
    session.links[0].network = FAIR;
    for _ in 0..120 {
        session.step(5).unwrap();
    }
    assert!(session.tick - session.links[0].last_frame.0 <= 4);
    assert!(
        session.links[0].replica.state_bytes() < largest,
        "history shrinks once acknowledgements come again"
    );
}

#[test]
fn a_flipped_lane_is_found_named_and_repaired() {
    for seed in 1..=20 {
        let mut session = Session::new(seed);
        run(&mut session, &[FAIR], false).unwrap();
        let hit = session.links[0].replica.corrupt(seed * 7919).unwrap();
        // The next frame shows the fault: here the check itself must fail.
        assert!((0..4).any(|_| session.step(0).is_err()), "seed {seed}: the fault does not show");
        let link = &mut session.links[0];
        let tick = link.replica.newest_complete();
        assert_eq!(
            session.host.compare(link.key, tick, link.replica.fold(tick).unwrap()),
            Verdict::Different
        );
        let chunks = session.host.differing_chunks(tick, &link.replica.hash_details(tick, &[]));
        assert_eq!(chunks, [hit.0]);
        let found = session.host.chunk_differences(tick, &link.replica.hash_details(tick, &chunks));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].component, found[0].field), (hit.1, hit.2), "{found:?}");
        session.send_snapshot(0, 4242, Scope::Chunks(&chunks));
        // The world goes on meanwhile; frames stop until the repair is there.
        let mut healed = false;
        for _ in 0..30 {
            let _ = session.step(0);
            let link = &session.links[0];
            let tick = link.replica.newest_complete();
            healed = session.host.compare(link.key, tick, link.replica.fold(tick).unwrap()) == Verdict::Equal;
        }
        assert!(healed, "seed {seed}");
    }
}

#[test]
fn one_encoding_serves_all_links_with_one_baseline() {
    let mut session = Session::new(2);
    for _ in 0..100 {
        session.busy.spawn();
    }
    session.step(0).unwrap();
    for _ in 0..3 {
        session.join(Network { late: 0, ..FAIR });
    }
    for _ in 0..30 {
        session.step(20).unwrap();
    }
    session.tick += 1;
    session.busy.step(20);
    let sealed = session.busy.world.seal(Tick(session.tick)).unwrap();
    session.host.ingest(&sealed);
    let built: Vec<_> = (1..=3).map(|key| session.host.build(LinkKey(key), 1000)).collect();
    assert!(!built[0].parts[0].payload.is_empty());
    for other in &built[1..] {
        assert!(built[0].parts.iter().zip(&other.parts).all(|(a, b)| a.payload == b.payload));
    }
}

#[cfg(feature = "mutants")]
#[test]
fn every_planted_bug_shows() {
    use crate::mutants::Mutant;
    for mutant in Mutant::ALL {
        let ours = matches!(
            mutant,
            Mutant::SkipAckCheck
                | Mutant::ReuseStaleBaseline
                | Mutant::DropDespawn
                | Mutant::TruncateChunk
                | Mutant::ForgetFieldMaskBit
                | Mutant::AcceptStaleDelta
        );
        let caught = (1..=12).any(|seed| {
            let mut session = Session::new(seed);
            session.host.set_mutant(Some(*mutant));
            let outcome = (|| {
                for _ in 0..40 {
                    session.busy.spawn();
                }
                session.step(0)?;
                session.join(ROUGH);
                session.links[0].replica.set_mutant(Some(*mutant));
                for _ in 0..200 {
                    session.step(20)?;
                }
                let link = &session.links[0];
                let stuck = session.tick - link.last_frame.0 > 60 || link.missing > 0;
                if stuck { Err("stuck".to_owned()) } else { Ok(()) }
            })();
            outcome.is_err()
        });
        assert!(caught || !ours, "{mutant:?} was not caught");
    }
}
