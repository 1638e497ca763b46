//! What must hold of that which there is no event to hear of: bounds at every moment, and how everybody stands when the
//! network has been well for five seconds.

use std::collections::BTreeSet;

use super::plan::TICK_US;
use super::run::Simulation;
use crate::replication::ReplicaLimits;
use crate::session::{LinkId, Peer, PeerState};
use crate::types::{PeerId, Time};
use crate::wire::message::Role;

/// How far a peer's idea of the host's tick may be off after healing: a quarter of a second.
const MAX_CLOCK_ERROR_TICKS: i64 = 22;
/// How long a host may take a link for alive that was cut, once it has heard what waited for it: the idle timeout, and
/// a moment.
const CUT_LINK_LIVES_MS: u64 = 5500;
/// A replica of a simulated world, with its history, takes a few hundred kilobytes.
const MAX_REPLICA_BYTES: usize = 16 << 20;

impl Simulation {
    /// Five simulated seconds after the network healed, everybody must be in and confirmed.
    pub(super) fn check_healed(&mut self) {
        for index in 0..self.players.len() {
            let player = &self.players[index];
            let state = player.machine.as_ref().map(Peer::state);
            if state != Some(PeerState::Live) {
                self.violate(format!("peer {index} is {state:?} after healing"));
                continue;
            }
            self.check_clock(index);
            self.check_roster(index);
            let player = &self.players[index];
            let behind = self.tick.since(player.checker.newest());
            let unconfirmed = self.tick.since(player.checker.confirmed());
            let mute = player.role != Role::Viewer && player.inputs == 0;
            if behind > 30 || unconfirmed > 90 {
                self.violate(format!(
                    "peer {index} is {behind} ticks behind, {unconfirmed} unconfirmed, after healing"
                ));
            }
            if mute {
                self.violate(format!("no input of peer {index} reached the host"));
            }
            if self.players[index].checker.differs_now() {
                self.violate(format!("nobody noticed that peer {index} differs"));
            }
        }
    }

    /// The peer knows which tick the host is at.
    fn check_clock(&mut self, index: usize) {
        let player = &self.players[index];
        let local = player.local(self.now);
        let tick = player.machine.as_ref().and_then(|machine| machine.host_tick_at(local));
        let off = tick.map(|tick| tick as i64 - i64::from(self.tick.0));
        if off.is_none_or(|off| off.abs() > MAX_CLOCK_ERROR_TICKS) {
            self.violate(format!("peer {index} takes the host's tick for {tick:?} at {}", self.tick));
        }
    }

    /// The peer was told of everybody who is there, and of nobody else.
    fn check_roster(&mut self, index: usize) {
        let player = &self.players[index];
        let members = self.host.members().into_iter().map(|member| member.peer);
        let others: BTreeSet<PeerId> = members.filter(|peer| Some(*peer) != player.slot).collect();
        if player.roster != others {
            let roster = player.roster.clone();
            self.violate(format!("peer {index} was told of {roster:?}, and {others:?} are there"));
        }
    }

    /// The link is gone, and nobody is told.
    pub(super) fn cut_link(&mut self, link: LinkId) {
        self.network.cut(link.0);
        let heard_until = self.now.max(self.host_paused_until);
        self.cut.push((link, heard_until.plus_ms(CUT_LINK_LIVES_MS)));
    }

    /// What must hold at every moment, of what there is no event to hear of.
    pub(super) fn check_limits(&mut self) {
        let (half_open, most) = (self.host.half_open(), self.host_config.max_half_open);
        if half_open > most {
            self.violate(format!("{half_open} handshakes under way, {most} allowed"));
        }
        // A host that has just gone on has had no time to notice anything.
        if self.now > self.host_paused_until.plus_us(TICK_US) {
            // A place without a link is kept for somebody, and is no ghost.
            let late = |(_, until): &&(LinkId, Time)| self.now > *until;
            let ghost = self.cut.iter().filter(late).find_map(|(link, _)| self.host.peer_of(*link));
            if let Some(peer) = ghost {
                self.violate(format!("{peer:?} is long gone and has its place"));
            }
        }
        if self.tick.0.is_multiple_of(30) {
            self.check_memory();
        }
    }

    fn check_memory(&mut self) {
        let limits = ReplicaLimits::default();
        let held = |peer: &Peer| {
            let replica = peer.replica();
            let (versions, assemblies) = replica.most_held();
            let is_within = replica.state_bytes() <= MAX_REPLICA_BYTES
                && replica.frames().len() <= limits.frames
                && versions <= limits.versions
                && assemblies <= limits.assemblies;
            let frames = replica.frames().len();
            (!is_within).then(|| {
                let bytes = replica.state_bytes();
                format!("{bytes} bytes, {frames} frames, {versions} versions and {assemblies} assemblies of a chunk")
            })
        };
        for index in 0..self.players.len() {
            // A host that lies may name any number of chunks; what they may take is bounded all the same.
            let is_deceived = self.is_deceived(self.players[index].link);
            let too_much = self.players[index].machine.as_ref().filter(|_| !is_deceived).and_then(held);
            if let Some(text) = too_much {
                self.violate(format!("peer {index} holds {text}"));
            }
        }
        let members = self.host.members();
        let kept = members.iter().map(|member| self.host.kept_bytes(member.peer)).max().unwrap_or(0);
        if kept > self.plan.frozen_bytes {
            self.violate(format!("{kept} bytes are kept for somebody who is away"));
        }
    }
}
