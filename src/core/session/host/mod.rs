//! The host: one world, many links. A state machine without I/O.
//!
//! The driver gives it what transports report ([`Host::handle`]), what the application asks ([`Host::command`]) and
//! the time; it gives back packets to send and events ([`Host::poll_output`]). It never blocks, reads no clock and
//! draws randomness from the seed it was given.
//!
//! | file | concern |
//! |---|---|
//! | `mod` | the machine, commands, membership |
//! | `config` | how it behaves |
//! | `asked` | what a peer lacks and asks for: chunks, archetypes, the manifest |
//! | `link` | one link: stages, what a peer may send |
//! | `seats`, `away` | places that are kept, and how a member goes away and comes back |
//! | `welcome` | hello, confirmation, a place, admission |
//! | `inputs` | a member's input |
//! | `refusal` | what is answered with a signed reason |
//! | `sync` | snapshots, deltas, acknowledgements, hashes and repair |

mod asked;
mod away;
mod config;
mod inputs;
mod link;
mod refusal;
mod seats;
mod sync;
mod welcome;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::mutants::{Mutant, Mutants};
use crate::replication::{HostLimits, HostReplication};
use crate::schema::Schema;
use crate::types::{PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{Ending, Message, RosterPeer, SessionControl};
use crate::world::SealedTick;

use super::admission::{AdmissionChange, AdmissionState};
use super::closing::Closing;
use super::courier::{PacketCounters, SharedCompressor};
use super::handshake::HostTerms;
use super::io::{HostCommand, HostEvent, HostOutput, LinkId, LinkInput, PeerInfo, SourceId};
use super::keys::{Entropy, certify_host};
use super::ticket::Pin;
use asked::Manifest;
pub use config::HostConfig;
use link::HostLink;
use seats::{Claim, Seat};

/// Makes a compressor for each link; `None` where none is wanted.
pub type CompressorFactory = Box<dyn Fn() -> Option<SharedCompressor> + Send>;

/// What is known of one member's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Smoothed round trip, microseconds.
    pub rtt_us: u32,
    /// The newest round trip, microseconds.
    pub last_rtt_us: u32,
    /// How many round trips were measured.
    pub rtt_samples: u64,
    /// Its variation, microseconds.
    pub jitter_us: u32,
    /// The other clock minus ours, microseconds.
    pub clock_offset_us: i64,
    /// Packets by outcome.
    pub packets: PacketCounters,
    /// The newest tick at which all compared equal.
    pub confirmed_tick: Tick,
    /// Ticks that were found to differ.
    pub divergences: u64,
    /// Repairs acknowledged.
    pub repairs: u64,
    /// Inputs taken in.
    pub inputs: u64,
    /// Inputs dropped because they are for a tick too far ahead.
    pub inputs_refused: u64,
}

/// What all links share.
pub(super) struct Common {
    pub config: HostConfig,
    pub schema: Arc<Schema>,
    /// For peers with other components; `None` when it has more bytes than one takes.
    pub manifest: Option<Arc<Manifest>>,
    pub terms: HostTerms,
    pub entropy: Entropy,
    pub now_unix_s: u64,
    pub admission: AdmissionState,
    pub mutants: Mutants,
    pub replication: HostReplication,
    pub newest_tick: Tick,
    pub newest_sealed_at: Time,
    pub next_snapshot: u32,
    pub outputs: VecDeque<HostOutput>,
    /// Changes of membership that concern other links than the one that caused them.
    pub announcements: VecDeque<Announcement>,
    slots: BTreeMap<PeerId, Seat>,
    /// Slots whose last member left, with the reason: who comes back is told of all of them.
    pub departed: BTreeMap<PeerId, DisconnectCode>,
    pub half_open: u16,
    /// The time of the call that is under way.
    pub now: Time,
    /// How many of them come from where; an entry for each source that has any.
    pub half_open_sources: BTreeMap<SourceId, u16>,
}

impl Common {
    pub fn event(&mut self, event: HostEvent) {
        self.outputs.push_back(HostOutput::Event(event));
    }

    /// True when somebody with this key is in the session.
    pub fn is_seated(&self, key: &[u8; 32]) -> bool {
        self.slots.values().any(|seat| &seat.key == key)
    }

    /// The lowest free slot, or nothing when the session is full.
    pub fn free_slot(&self) -> Option<PeerId> {
        (1..=self.config.max_peers).map(PeerId).find(|slot| !self.slots.contains_key(slot))
    }
}

/// What one link's change means for the others.
pub(super) enum Announcement {
    Joined(PeerInfo),
    Left(PeerId, DisconnectCode),
    /// Its place is kept for so many milliseconds.
    Away(PeerId, u32),
    Back(PeerId),
    /// It has a new connection, and needs to know who is there.
    Resumed(PeerId),
    /// This key has proved itself on this link and wants a place: an older link of the same key gives way first.
    Proved {
        key: [u8; 32],
        link: LinkId,
    },
}

/// See the module.
pub struct Host {
    common: Common,
    links: BTreeMap<LinkId, HostLink>,
    compressor: CompressorFactory,
}

impl core::fmt::Debug for Host {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Host")
            .field("links", &self.links.len())
            .field("newest_tick", &self.common.newest_tick)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// A host without links. `seed` must be secret and fresh: nonces and the session id come from it.
    #[must_use]
    pub fn new(
        config: HostConfig,
        schema: Arc<Schema>,
        seed: [u8; 32],
        compressor: CompressorFactory,
    ) -> Self {
        let mut config = config;
        let mut entropy = Entropy::new(seed);
        let mut session_id = [0; 16];
        session_id.copy_from_slice(&entropy.draw()[..16]);
        let document = config.genesis.document();
        let certificate =
            certify_host(&config.authority, document, config.identity.public_key(), config.term);
        let terms = HostTerms {
            identity: config.identity.clone(),
            genesis: config.genesis.encode(),
            least_version: config.least_version,
            certificate,
            session_id,
            tick_rate_hz: config.tick_rate_hz.max(1),
            resume: config.resume_grace_ms > 0,
            dictionary_hash: compressor().map_or(0, |compressor| compressor.dictionary_hash()),
        };
        let common = Common {
            manifest: Manifest::new(&schema).ok().map(Arc::new),
            replication: HostReplication::new(
                Arc::clone(&schema),
                HostLimits { frozen_bytes: config.frozen_bytes, ..HostLimits::default() },
            ),
            admission: core::mem::take(&mut config.admission),
            config,
            schema,
            terms,
            entropy,
            now_unix_s: 0,
            newest_tick: Tick::ZERO,
            newest_sealed_at: Time(0),
            next_snapshot: 1,
            outputs: VecDeque::new(),
            announcements: VecDeque::new(),
            slots: BTreeMap::new(),
            departed: BTreeMap::new(),
            now: Time(0),
            half_open: 0,
            mutants: Mutants::NONE,
            half_open_sources: BTreeMap::new(),
        };
        Self { common, links: BTreeMap::new(), compressor }
    }

    /// Tells the wall clock, in Unix seconds. Used for nothing but the expiry of tickets at admission.
    pub fn set_unix_time(&mut self, unix_s: u64) {
        self.common.now_unix_s = unix_s;
    }

    /// Whom tickets should name.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        self.common.terms.pin()
    }

    /// This run of the host.
    #[must_use]
    pub const fn session_id(&self) -> [u8; 16] {
        self.common.terms.session_id
    }

    /// Takes in what a transport reports.
    pub fn handle(&mut self, now: Time, link_id: LinkId, input: LinkInput<'_>) {
        self.common.now = now;
        if let LinkInput::Opened { .. } = input {
            let mut fresh = HostLink::new(link_id, now, &self.common.config, (self.compressor)());
            fresh.courier().set_mutants(self.common.mutants);
            self.links.entry(link_id).or_insert(fresh);
        }
        let Some(link) = self.links.get_mut(&link_id) else { return };
        link.handle(&mut self.common, now, input);
        self.settle(now);
    }

    /// Does what is due by now: heartbeats and timeouts.
    pub fn handle_timeout(&mut self, now: Time) {
        self.common.now = now;
        for link in self.links.values_mut() {
            link.handle_timeout(&mut self.common, now);
        }
        for peer in self.common.overdue() {
            self.remove(peer, DisconnectCode::AwayTimeout, "");
        }
        self.settle(now);
    }

    /// When to call [`Host::handle_timeout`] next; nothing is due before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.links.values().map(HostLink::next_wake).chain(self.common.next_overdue()).min()
    }

    /// Takes in what the application asks.
    pub fn command(&mut self, now: Time, command: HostCommand) {
        self.common.now = now;
        match command {
            HostCommand::Tick(sealed) => self.tick(now, &sealed),
            HostCommand::Admit { peer, role, application } => {
                let link = self.link_of(peer);
                if let Some(link) = link.and_then(|link| self.links.get_mut(&link)) {
                    link.admit(&mut self.common, now, Some(role), &application);
                }
            }
            HostCommand::Deny { peer, reason } => {
                let link = self.link_of(peer).and_then(|link| self.links.get_mut(&link));
                if let Some(link) = link {
                    let code = link.denial();
                    link.dismiss(&mut self.common, code, &reason);
                }
            }
            HostCommand::Admission(change) => self.change_admission(&change),
            HostCommand::Kick { peer, reason } => self.remove(peer, DisconnectCode::Kicked, &reason),
            HostCommand::Shutdown { reason } => {
                let parked = self.common.slots.iter().filter(|(_, seat)| seat.link.is_none());
                for peer in parked.map(|(peer, _)| *peer).collect::<Vec<_>>() {
                    self.remove(peer, DisconnectCode::ShuttingDown, &reason);
                }
                for link in self.links.values_mut() {
                    link.dismiss(&mut self.common, DisconnectCode::ShuttingDown, &reason);
                }
            }
        }
        self.settle(now);
    }

    /// Invites, revokes, bans, unbans. Who is banned goes at once.
    fn change_admission(&mut self, change: &AdmissionChange) {
        if self.common.admission.apply(change).is_ok()
            && let AdmissionChange::Ban(key) = change
        {
            for link in self.links.values_mut().filter(|link| link.is_member(key)) {
                link.dismiss(&mut self.common, DisconnectCode::Banned, "");
            }
            // A place that is kept is kept for nobody who is banned.
            if let Some(parked) = self.common.parked_seat(key) {
                self.remove(parked, DisconnectCode::Banned, "");
            }
        }
    }

    /// Invites and bans as they are now, to be kept by the application.
    #[must_use]
    pub const fn admission(&self) -> &AdmissionState {
        &self.common.admission
    }

    fn link_of(&self, peer: PeerId) -> Option<LinkId> {
        self.common.slots.get(&peer).and_then(|seat| seat.link)
    }

    /// Ends a membership, with words for the person where there is a connection.
    fn remove(&mut self, peer: PeerId, code: DisconnectCode, reason: &str) {
        match self.link_of(peer).and_then(|link| self.links.get_mut(&link)) {
            Some(link) => link.dismiss(&mut self.common, code, reason),
            None => self.common.give_up_seat(peer, code, closing(code, reason).reason),
        }
    }

    fn tick(&mut self, now: Time, sealed: &SealedTick) {
        if sealed.tick <= self.common.newest_tick {
            debug_assert!(false, "ticks are sealed in increasing order");
            return;
        }
        self.common.newest_tick = sealed.tick;
        self.common.newest_sealed_at = now;
        self.common.replication.ingest(sealed);
        for link in self.links.values_mut() {
            link.send_tick(&mut self.common, now);
        }
    }

    /// Tells the other links what one link's change means, and lets go of dead ones.
    fn settle(&mut self, now: Time) {
        while let Some(announcement) = self.common.announcements.pop_front() {
            match announcement {
                Announcement::Joined(info) => self.announce_joined(&info),
                Announcement::Left(peer, code) => {
                    let left = Message::SessionControl(SessionControl::PeerLeft { peer, code });
                    self.for_other_members(peer, &left);
                }
                Announcement::Away(peer, grace_ms) => {
                    let away = Message::SessionControl(SessionControl::Away { peer, grace_ms });
                    self.for_other_members(peer, &away);
                }
                Announcement::Back(peer) => {
                    let back = Message::SessionControl(SessionControl::Back { peer });
                    self.for_other_members(peer, &back);
                }
                Announcement::Resumed(peer) => self.tell_roster(peer),
                Announcement::Proved { key, link } => {
                    let Some(proved) = self.links.get(&link).filter(|link| link.awaits_place()) else {
                        continue;
                    };
                    if let Some((claim, key, epoch)) = proved.claim() {
                        self.resume(now, link, &claim, &key, epoch);
                        continue;
                    }
                    if self.make_room(&key, link) {
                        // The others hear that the old one left before the new one is among them: to it that would be
                        // news of a member it was never told of. Each round ends a place of this key, so they end.
                        self.common.announcements.push_back(Announcement::Proved { key, link });
                        continue;
                    }
                    if let Some(link) = self.links.get_mut(&link) {
                        link.take_place(&mut self.common, now);
                    }
                }
            }
        }
        let outputs = &mut self.common.outputs;
        self.links.retain(|id, link| {
            while let Some(output) = link.courier().poll() {
                outputs.push_back(HostOutput::Link(*id, output));
            }
            !link.is_over()
        });
    }

    /// Ends one older place of this key, parked or with a link other than this; false when there is none.
    fn make_room(&mut self, key: &[u8; 32], link: LinkId) -> bool {
        if let Some(parked) = self.common.parked_seat(key) {
            self.remove(parked, DisconnectCode::Replaced, "");
            return true;
        }
        let older = self.links.values_mut().find(|other| other.id() != link && other.is_member(key));
        let Some(older) = older else { return false };
        older.dismiss(&mut self.common, DisconnectCode::Replaced, "");
        true
    }

    fn announce_joined(&mut self, info: &PeerInfo) {
        if self.common.mutants.active(Mutant::LoseRosterNews) {
            return;
        }
        self.for_other_members(info.peer, &roster_entry(info, false));
        // The newcomer learns who was there before it.
        self.tell_members(info.peer);
    }

    fn tell_members(&mut self, peer: PeerId) {
        let others: Vec<_> = self
            .common
            .members()
            .filter(|(other, _)| other.peer != peer)
            .map(|(other, is_away)| roster_entry(other, is_away))
            .collect();
        if let Some(link) = self.link_of(peer).and_then(|link| self.links.get_mut(&link)) {
            for other in &others {
                link.send_control(&mut self.common, other);
            }
        }
    }

    /// Tells a member that is back of every slot: who is there, and where nobody is any more. It may have missed any
    /// number of changes, and takes what it knows already for what it is.
    fn tell_roster(&mut self, peer: PeerId) {
        let departed = self.common.departed.clone();
        if let Some(link) = self.link_of(peer).and_then(|link| self.links.get_mut(&link)) {
            for (peer, code) in departed {
                let left = Message::SessionControl(SessionControl::PeerLeft { peer, code });
                link.send_control(&mut self.common, &left);
            }
        }
        self.tell_members(peer);
    }

    /// A connection that has proved its key takes over the seat that its token found; the older one is fenced.
    fn resume(&mut self, now: Time, link: LinkId, claim: &Claim, key: &[u8; 32], epoch: u16) {
        let checked = self.common.check_claim(claim, key, epoch);
        if let Ok(Some(older)) = &checked
            && let Some(older) = self.links.get_mut(older)
        {
            older.surrender(&mut self.common);
        }
        let Some(link) = self.links.get_mut(&link) else { return };
        match checked {
            Ok(_) => link.take_over(&mut self.common, now),
            Err(closing) => link.close(&mut self.common, &closing),
        }
    }

    fn for_other_members(&mut self, peer: PeerId, message: &Message<'_>) {
        for link in self.links.values_mut() {
            if link.member_info().is_some_and(|member| member.peer != peer) {
                link.send_control(&mut self.common, message);
            }
        }
    }

    /// Plants a bug, for tests of the tests.
    #[cfg(feature = "mutants")]
    pub fn set_mutant(&mut self, mutant: Option<crate::mutants::Mutant>) {
        self.common.mutants = mutant.into();
        self.common.replication.set_mutant(mutant);
    }

    /// The next thing to do or to tell; call until there is none.
    pub fn poll_output(&mut self) -> Option<HostOutput> {
        self.common.outputs.pop_front()
    }

    /// Everybody admitted.
    #[must_use]
    pub fn members(&self) -> Vec<PeerInfo> {
        self.common.members().map(|(member, _)| member.clone()).collect()
    }

    /// How a member's link is doing.
    #[must_use]
    pub fn statistics(&self, peer: PeerId) -> Option<LinkStatistics> {
        self.link_of(peer).and_then(|link| self.links.get(&link)).map(HostLink::statistics)
    }

    /// Packets of a link that passed every check; `None` once the link is over.
    #[must_use]
    pub fn received_on(&self, link: LinkId) -> Option<u64> {
        self.links.get(&link).map(|link| link.statistics().packets.received)
    }

    /// Bytes that are kept for a member that is away, beyond what the world has: at most `frozen_bytes` of the configuration.
    #[must_use]
    pub fn kept_bytes(&self, peer: PeerId) -> usize {
        self.common.replication.frozen_bytes(seats::key_of(peer))
    }

    /// Links in their handshake: at most the configuration's `max_half_open`.
    #[must_use]
    pub const fn half_open(&self) -> u16 {
        self.common.half_open
    }

    /// The slot of a link, once it has one.
    #[must_use]
    pub fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.common.slots.iter().find(|(_, seat)| seat.link == Some(link)).map(|(peer, _)| *peer)
    }

    /// Who hosts, under which keys: what checks and tools compare.
    #[must_use]
    pub const fn terms(&self) -> &HostTerms {
        &self.common.terms
    }
}

/// A member as the others are told of it.
fn roster_entry(info: &PeerInfo, away: bool) -> Message<'static> {
    Message::SessionControl(SessionControl::PeerJoined(RosterPeer {
        peer: info.peer,
        role: info.role,
        team: 0,
        away,
        key: info.identity_key,
        name: info.name.clone(),
        application: Vec::new(),
    }))
}

/// The words that end a link, for the person at its other end.
pub(super) fn ending(code: DisconnectCode, detail: &str) -> Ending {
    let mut text =
        if detail.is_empty() { code.sentence().to_owned() } else { format!("{} {detail}", code.sentence()) };
    super::closing::clip(&mut text);
    Ending { code, text, hint: code.hint().to_owned() }
}

/// The same as a closing.
pub(super) fn closing(code: DisconnectCode, detail: &str) -> Closing {
    if detail.is_empty() { Closing::new(code) } else { Closing::because(code, detail) }
}
