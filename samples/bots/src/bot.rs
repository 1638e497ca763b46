//! One player: plays a recording as its own motion, samples the others, hashes every tick.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use theta_sdk::core::replication::{Lifecycle, sample::SampleCode};
use theta_sdk::core::schema::Schema;
use theta_sdk::core::schema::declare::RustComponent;
use theta_sdk::core::session::input::{InputSample, POSE_TRACKED, POSE_VALID, Pose};
use theta_sdk::core::session::ticket::Ticket;
use theta_sdk::core::types::{EntityId, PeerId};
use theta_sdk::core::world::{Frame, WorldError};
use theta_sdk::runtime::{
    EventKind, JoinOptions, JoinSession, LinkStatistics, Runtime, RuntimeError, Sampler, SessionState, now_ns,
};

use crate::components::{Avatar, Cube};
use crate::motion::{Limb, Motion};
use crate::report::{Distribution, Report, rounded, shown};
use crate::tick_hash::TickHasher;

/// How long the server may take to let us in.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// An avatar counts from this long after it was first seen in motion: the blend from the empty avatar of the spawn to
/// the first input is no pose of the recording.
const SETTLE_NS: u64 = 500_000_000;

/// Why a bot stops before its time.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// The runtime refuses.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A frame cannot be read.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The session ended.
    #[error("{0}")]
    Ended(String),
    /// Nobody let us in.
    #[error("the session was not live within {} s", PATIENCE.as_secs())]
    NotLive,
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a bot is told.
#[derive(Clone, Debug)]
pub struct BotOptions {
    /// How others see it; the digits after the last `-` are the index.
    pub name: String,
    /// Which motion.
    pub index: u32,
    /// Where its hashes go.
    pub hash_file: Option<PathBuf>,
    /// Where its report goes.
    pub report: Option<PathBuf>,
    /// A status line a second.
    pub live: bool,
    /// From this tick on one value of a cube is wrong here, for the host to find; zero = never.
    pub divergence_tick: u32,
}

/// An avatar that is not our own.
#[derive(Clone, Copy, Debug)]
struct Other {
    entity: EntityId,
    /// By which its recording is evaluated; `None` is shown but not scored.
    index: Option<u32>,
}

/// What is known at a moment of the link.
#[derive(Clone, Copy, Debug)]
struct Live {
    since_ns: u64,
    link: LinkStatistics,
}

/// See the module.
pub struct Bot {
    options: BotOptions,
    session: JoinSession,
    sampler: Sampler,
    schema: Arc<Schema>,
    motion: Arc<Motion>,
    hasher: TickHasher,
    hashes: Option<BufWriter<File>>,
    events: BTreeMap<&'static str, u64>,
    began_ns: u64,
    self_peer: PeerId,
    live: Option<Live>,
    at_second: LinkStatistics,
    at_end: Option<(LinkStatistics, f64)>,
    others: Vec<Other>,
    indices: HashMap<EntityId, Option<u32>>,
    moving_since_ns: HashMap<EntityId, u64>,
    row: Vec<u8>,
    error_mm: Distribution,
    first_tick: Option<u32>,
    last_tick: Option<u32>,
    closed: bool,
    has_planted: bool,
}

/// The number after the last `-` of a name, of at most five digits as everywhere.
pub fn index_of(name: &[u8]) -> Option<u32> {
    let digits = name.rsplit(|byte| *byte == b'-').next().filter(|digits| digits.len() < name.len())?;
    let fits = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

fn distance_mm(seen: [f32; 3], meant: [f64; 3]) -> f64 {
    let square: f64 = seen.iter().zip(meant).map(|(seen, meant)| (f64::from(*seen) - meant).powi(2)).sum();
    square.sqrt() * 1000.0
}

fn pose_of(limb: &Limb) -> Pose {
    Pose {
        position: limb.position.map(|value| value as f32),
        rotation: limb.rotation.map(|value| value as f32),
        flags: POSE_VALID | POSE_TRACKED,
        ..Pose::default()
    }
}

fn rate(now: u64, before: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0 && now >= before).then(|| (now - before) as f64 / seconds)
}

/// As the C header names it, without its prefix.
fn name_of(event: &EventKind) -> &'static str {
    match event {
        EventKind::StateChanged(_) => "STATE_CHANGED",
        EventKind::JoinRequest { .. } => "JOIN_REQUEST",
        EventKind::InviteBound { .. } => "INVITE_BOUND",
        EventKind::PeerJoined(_) => "PEER_JOINED",
        EventKind::PeerLive(_) => "PEER_LIVE",
        EventKind::PeerLeft { .. } => "PEER_LEFT",
        EventKind::PeerAway { .. } => "PEER_AWAY",
        EventKind::PeerBack(_) => "PEER_BACK",
        EventKind::Admitted { .. } => "ADMITTED",
        EventKind::SchemaMapped(_) => "SCHEMA_MAPPED",
        EventKind::JoinProgress { .. } => "JOIN_PROGRESS",
        EventKind::Lifecycle(Lifecycle::Spawned { .. }) => "ENTITY_SPAWNED",
        EventKind::Lifecycle(Lifecycle::Despawned { .. }) => "ENTITY_DESPAWNED",
        EventKind::Lifecycle(Lifecycle::OwnerChanged { .. }) => "OWNER_CHANGED",
        EventKind::Lifecycle(Lifecycle::ParentChanged { .. }) => "PARENT_CHANGED",
        EventKind::Diverged { .. } => "DIVERGED",
        EventKind::Repaired { .. } => "REPAIRED",
        EventKind::Refused { .. } => "REFUSED",
        EventKind::Disconnected { .. } => "DISCONNECTED",
        EventKind::HandshakeFailed { .. } => "HANDSHAKE_FAILED",
        EventKind::Resync => "RESYNC",
        EventKind::Faulted { .. } => "FAULTED",
    }
}

impl Bot {
    /// Begins to join; each bot has a key of its own.
    pub fn join(
        runtime: &Runtime,
        schema: &Arc<Schema>,
        ticket: &Ticket,
        motion: &Arc<Motion>,
        options: BotOptions,
    ) -> Result<Self, BotError> {
        let hashes = match &options.hash_file {
            Some(path) => Some(BufWriter::new(
                File::create(path).map_err(|source| BotError::Write { path: path.clone(), source })?,
            )),
            None => None,
        };
        let joining = JoinOptions { name: options.name.clone(), ..JoinOptions::new(ticket.clone()) };
        let session = runtime.join(Arc::clone(schema), joining)?;
        Ok(Self {
            options,
            sampler: session.sampler(),
            session,
            schema: Arc::clone(schema),
            motion: Arc::clone(motion),
            hasher: TickHasher::new(),
            hashes,
            events: BTreeMap::new(),
            began_ns: now_ns(),
            self_peer: PeerId::HOST,
            live: None,
            at_second: LinkStatistics::default(),
            at_end: None,
            others: Vec::new(),
            indices: HashMap::new(),
            moving_since_ns: HashMap::new(),
            row: vec![0; size_of::<Avatar>()],
            error_mm: Distribution::default(),
            first_tick: None,
            last_tick: None,
            closed: false,
            has_planted: false,
        })
    }

    /// What an engine does between two pictures.
    pub fn frame(&mut self) -> Result<(), BotError> {
        self.poll()?;
        while let Some(next) = self.session.next_frame() {
            self.take(&next.frame)?;
        }
        if self.live.is_none() {
            if now_ns() - self.began_ns > PATIENCE.as_nanos() as u64 {
                return Err(BotError::NotLive);
            }
            return Ok(());
        }
        self.send_motion()?;
        self.sample_others()
    }

    /// Since the session is live; zero before.
    pub fn seconds_live(&self) -> f64 {
        self.live.map_or(0.0, |live| (now_ns() - live.since_ns) as f64 / 1e9)
    }

    fn poll(&mut self) -> Result<(), BotError> {
        while let Some(event) = self.session.poll() {
            *self.events.entry(name_of(&event.kind)).or_default() += 1;
            match event.kind {
                EventKind::StateChanged(SessionState::Live) if self.live.is_none() => {
                    let link = self.session.statistics().unwrap_or_default();
                    self.live = Some(Live { since_ns: now_ns(), link });
                    self.at_second = link;
                    self.self_peer = self.session.info().local_peer;
                }
                EventKind::Disconnected { reason, .. } => return Err(BotError::Ended(reason)),
                EventKind::Faulted { text } => return Err(BotError::Ended(text)),
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Result<(), BotError> {
        let tick = frame.tick.0;
        let hash = self.hasher.hash(&self.schema, frame)?;
        if let (Some(file), Some(path)) = (&mut self.hashes, &self.options.hash_file) {
            writeln!(file, "{tick} {hash:016x}")
                .map_err(|source| BotError::Write { path: path.clone(), source })?;
        }
        self.first_tick.get_or_insert(tick);
        self.last_tick = Some(tick);
        let divergence_tick = self.options.divergence_tick;
        if divergence_tick > 0 && tick >= divergence_tick && !self.has_planted && self.live.is_some() {
            self.has_planted = true;
            self.session.plant_divergence(Cube::ID, 1)?;
        }

        let avatar = self.schema.index_of(Avatar::ID).ok_or(WorldError::NoComponent(Avatar::ID))?;
        self.others.clear();
        for row in frame.rows_of(avatar) {
            let info = row.info();
            if info.owner != self.self_peer {
                let index = *self.indices.entry(info.entity).or_insert_with(|| index_of(info.payload));
                self.others.push(Other { entity: info.entity, index });
            }
        }
        Ok(())
    }

    fn send_motion(&mut self) -> Result<(), BotError> {
        // Never 0: a time of 0 in the avatar means that its player has not moved yet.
        let clock_us = 1 + (now_ns() - self.began_ns) / 1000;
        let sample = InputSample {
            sampled_at_us: clock_us,
            poses: self.motion.at(self.options.index, clock_us as f64).each_ref().map(pose_of),
            ..InputSample::default()
        };
        match self.session.send_input(sample) {
            // How it ended is in the events.
            Err(RuntimeError::Disconnected) => Ok(()),
            sent => Ok(sent?),
        }
    }

    fn sample_others(&mut self) -> Result<(), BotError> {
        let now = now_ns();
        let tick = self.sampler.render_tick(now);
        if tick <= 0.0 {
            return Ok(()); // the clocks do not know each other yet
        }
        for other in &self.others {
            let sampled = self.sampler.sample(Avatar::ID, None, other.entity, tick, &mut self.row)?;
            let fresh = matches!(sampled.code, SampleCode::Interpolated | SampleCode::Extrapolated);
            let (true, Some(index), Some(seen)) = (fresh, other.index, Avatar::load(&self.row)) else {
                continue;
            };
            if seen.motion_time_us <= 0.0 {
                continue;
            }
            if now - *self.moving_since_ns.entry(other.entity).or_insert(now) < SETTLE_NS {
                continue;
            }
            let meant = self.motion.at(index, seen.motion_time_us);
            let places = [seen.head_position, seen.left_position, seen.right_position];
            for (seen, meant) in places.into_iter().zip(meant) {
                self.error_mm.add(distance_mm(seen, meant.position));
            }
        }
        Ok(())
    }

    /// Once a second.
    pub fn each_second(&mut self) -> Result<(), BotError> {
        if let (Some(file), Some(path)) = (&mut self.hashes, &self.options.hash_file) {
            // Whoever follows the file sees what there is.
            file.flush().map_err(|source| BotError::Write { path: path.clone(), source })?;
        }
        let Some(link) = self.session.statistics() else { return Ok(()) };
        if self.options.live {
            println!(
                "status kind=client name={} language=rust transport=quic state={} tick={} rtt_ms={:.2} \
                 in_bytes_per_s={} out_bytes_per_s={} pose_error_mm_p50={} pose_error_mm_p99={} \
                 complete_ticks={} started_ticks={}",
                self.options.name,
                if self.live.is_some() { "live" } else { "joining" },
                shown(self.last_tick.map(f64::from), 0),
                f64::from(link.rtt_us) / 1e3,
                shown(rate(link.bytes_received, self.at_second.bytes_received, 1.0), 0),
                shown(rate(link.bytes_sent, self.at_second.bytes_sent, 1.0), 0),
                shown(self.error_mm.recent_percentile(0.50), 2),
                shown(self.error_mm.recent_percentile(0.99), 2),
                link.ticks_complete,
                link.ticks_started,
            );
        }
        self.at_second = link;
        self.error_mm.recent_done();
        Ok(())
    }

    /// Notes how it went and says goodbye, so that the others see a player leave and not a link break.
    pub fn leave(&mut self) {
        let link = self.session.statistics().unwrap_or_default();
        self.at_end = Some((link, self.seconds_live()));
        self.session.leave();
    }

    /// True when the goodbye has been said.
    pub fn has_left(&mut self) -> bool {
        while let Some(event) = self.session.poll() {
            self.closed |= matches!(
                event.kind,
                EventKind::Disconnected { .. } | EventKind::StateChanged(SessionState::Closed)
            );
        }
        self.closed
    }

    /// Writes what is left of the hashes, and the report.
    pub fn finish(&mut self) -> Result<(), BotError> {
        if let (Some(mut file), Some(path)) = (self.hashes.take(), &self.options.hash_file) {
            file.flush().map_err(|source| BotError::Write { path: path.clone(), source })?;
        }
        if let Some(path) = &self.options.report {
            self.report().write(path).map_err(|source| BotError::Write { path: path.clone(), source })?;
        }
        Ok(())
    }

    fn report(&self) -> Report {
        let (end, seconds) = self.at_end.unwrap_or_default();
        let live = self.live.map(|live| live.link).unwrap_or_default();
        let measured = |value_us: u32| rounded((value_us > 0).then(|| f64::from(value_us) / 1e3));
        Report {
            name: self.options.name.clone(),
            language: "rust",
            transport: "quic",
            rtt_ms_p50: measured(end.rtt_p50_us),
            rtt_ms_p99: measured(end.rtt_p99_us),
            in_bytes_per_s: rounded(rate(end.bytes_received, live.bytes_received, seconds)),
            out_bytes_per_s: rounded(rate(end.bytes_sent, live.bytes_sent, seconds)),
            pose_error_mm_p50: rounded(self.error_mm.percentile(0.50)),
            pose_error_mm_p99: rounded(self.error_mm.percentile(0.99)),
            complete_ticks: end.ticks_complete,
            started_ticks: end.ticks_started,
            first_tick: self.first_tick,
            last_tick: self.last_tick,
            events: self.events.clone(),
            samples: self.error_mm.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_index() {
        assert_eq!(index_of(b"cpp-0"), Some(0));
        assert_eq!(index_of(b"a-b-42"), Some(42));
        assert_eq!(index_of(b"rust-99999"), Some(99_999));
        for none in [&b"rust"[..], b"", b"rust-", b"rust-x", b"rust-1x", b"rust-100000", b"7"] {
            assert_eq!(index_of(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(rate(30, 10, 2.0), Some(10.0));
        assert_eq!(rate(30, 10, 0.0), None);
        assert_eq!(rate(10, 30, 1.0), None);
    }
}
