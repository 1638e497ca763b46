//! What a seed means: how many peers and entities, which faults, how hard.

use super::attackers::ATTACK_COUNT;
use super::network::Conditions;
use super::rng::Rng;
use super::versions::Build;

/// Simulated ticks of one run: 20 s at 90 Hz.
pub const RUN_TICKS: u32 = 1800;
/// Ticks of a second.
pub const TICKS_PER_SECOND: u32 = 90;
/// Microseconds of a tick at 90 Hz.
pub const TICK_US: u64 = 11_111;
/// From this tick on the network is perfect, so that everything must come together again.
pub const HEAL_TICK: u32 = 1350;

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// Ticks to run.
    pub ticks: u32,
    /// First tick of the perfect network.
    pub heal_tick: u32,
    /// Peers that want to be in the session.
    pub peers: u32,
    /// Entities at the start.
    pub entities: u32,
    /// Entities written in a tick, in parts per million of all.
    pub writes_ppm: u32,
    /// Chance of a spawn and of a despawn each tick.
    pub churn_ppm: u32,
    /// What the links do, one each.
    pub links: Vec<Conditions>,
    /// Chance for each peer and tick of an incident: pause, partition, leave, crash, kick, MTU change.
    pub incident_ppm: u32,
    /// Packets of a lane after which the session epoch changes.
    pub sequences_per_epoch: u32,
    /// How long the host keeps the place of a player that is away.
    pub grace_ms: u64,
    /// What it keeps for each of them.
    pub frozen_bytes: usize,
    /// One bit of a peer's idle column flips at each of these: (peer index, tick).
    pub corruptions: Vec<(u32, u32)>,
    /// Which build each peer is.
    pub builds: Vec<Build>,
    /// The host crashes at the first such moment after this tick.
    pub host_crash: Option<(u32, Moment)>,
    /// Everybody leaves at this tick, and comes back at once.
    pub storm_tick: Option<u32>,
    /// At this tick so many links open that never say a word, that the host takes no more.
    pub siege_tick: Option<u32>,
    /// They all come from one place, so that the host takes others still.
    pub is_siege_from_one_source: bool,
    /// The longest a peer may stand still.
    pub longest_pause_ms: u64,
    /// Who comes to do harm: when, and which of the attacks.
    pub attackers: Vec<(u32, usize)>,
    /// Chance that a join meets somebody who is not the host, or a node in the middle.
    pub impostor_ppm: u32,
    /// The planted bug, where the build has one.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::mutants::Mutant>,
}

/// When a host crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At once.
    Now,
    /// Somebody is in its handshake.
    Handshake,
    /// Somebody's snapshot is on its way.
    Snapshot,
}

impl Plan {
    /// The plan of a seed. Every eighth seed has a fair network, so that a failure there is known not to be one.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x7468_6574_6121);
        // Two to eight, the fewer the likelier: a session costs as much as its peers, and most of what can go wrong
        // goes wrong between few.
        let peers = 2 + rng.below(7).min(rng.below(7)) as u32;
        let fair = seed % 8 == 7;
        let links =
            (0..peers).map(|_| if fair { fair_link(&mut rng) } else { rough_link(&mut rng) }).collect();
        // A few entities that all change say as much as many, in a tenth of the time.
        let (writes_ppm, most_entities) =
            [(5_000, 500), (50_000, 300), (200_000, 120), (1_000_000, 50)][rng.below(4) as usize];
        Self {
            seed,
            ticks: RUN_TICKS,
            heal_tick: HEAL_TICK,
            peers,
            entities: rng.between(50, most_entities) as u32,
            writes_ppm,
            churn_ppm: rng.between(10_000, 400_000) as u32,
            links,
            incident_ppm: if fair { 0 } else { rng.between(250, 2_500) as u32 },
            // Two of three sessions go through many epochs.
            sequences_per_epoch: if seed % 3 == 1 {
                u32::MAX - (1 << 22)
            } else {
                150 + (seed * 97 % 2000) as u32
            },
            grace_ms: [1500, 4000, 8000, 30_000][(seed / 2 % 4) as usize],
            frozen_bytes: if seed % 5 == 2 { 2_000 } else { 1 << 20 },
            // Drawn apart: everything else of a seed stays what it is.
            builds: {
                let mut rng = Rng::new(seed ^ 0x6275_696c_6473);
                (0..peers).map(|_| Build::draw(&mut rng)).collect()
            },
            corruptions: (0..rng.below(9).saturating_sub(4))
                .map(|_| (rng.below(u64::from(peers)) as u32, rng.between(200, 1200) as u32))
                .collect(),
            host_crash: (!fair && rng.chance_ppm(500_000)).then(|| {
                let moment = [Moment::Now, Moment::Handshake, Moment::Snapshot][rng.below(3) as usize];
                (rng.between(100, 700) as u32, moment)
            }),
            storm_tick: (!fair && seed % 6 == 2).then(|| rng.between(300, 800) as u32),
            siege_tick: (!fair && seed % 5 == 4).then(|| rng.between(100, 500) as u32),
            is_siege_from_one_source: rng.chance_ppm(500_000),
            longest_pause_ms: 10_000,
            attackers: (0..if fair { 0 } else { rng.below(5) })
                .map(|_| (rng.between(50, 700) as u32, rng.below(ATTACK_COUNT as u64) as usize))
                .collect(),
            impostor_ppm: if fair { 0 } else { 160_000 },
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

impl Plan {
    /// Three times as long, and peers stand still for up to half a minute: what `./x test --long` adds.
    #[must_use]
    pub fn long(self) -> Self {
        let ticks = 3 * self.ticks;
        Self { ticks, heal_tick: ticks - (RUN_TICKS - HEAL_TICK), longest_pause_ms: 30_000, ..self }
    }

    /// The same with nothing but the network's own faults.
    #[must_use]
    pub fn without_incidents(self) -> Self {
        Self {
            incident_ppm: 0,
            corruptions: Vec::new(),
            host_crash: None,
            storm_tick: None,
            siege_tick: None,
            attackers: Vec::new(),
            impostor_ppm: 0,
            ..self
        }
    }
}

fn fair_link(rng: &mut Rng) -> Conditions {
    Conditions { latency_us: rng.between(500, 60_000) as u32, jitter_us: 500, ..Conditions::default() }
}

fn rough_link(rng: &mut Rng) -> Conditions {
    let mut pick = |chance_ppm: u32, low: u64, high: u64| {
        if rng.chance_ppm(chance_ppm) { rng.between(low, high) as u32 } else { 0 }
    };
    Conditions {
        latency_us: 500 + pick(900_000, 0, 90_000),
        jitter_us: pick(700_000, 0, 30_000),
        loss_ppm: pick(600_000, 1_000, 150_000),
        burst_begin_ppm: pick(400_000, 500, 20_000),
        burst_end_ppm: 50_000 + pick(1_000_000, 0, 400_000),
        duplicate_ppm: pick(400_000, 1_000, 100_000),
        reorder_ppm: pick(500_000, 1_000, 100_000),
        very_late_ppm: pick(200_000, 100, 5_000),
        flip_ppm: pick(300_000, 100, 10_000),
        old_epoch_ppm: pick(300_000, 100, 5_000),
    }
}
