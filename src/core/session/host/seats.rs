//! Who has a place, and what is kept for whoever is away.
//!
//! A seat outlives its connection: a member that says it is away, or whose link is lost, keeps slot, role and entities
//! for the grace window, counted by the host's clock. A token finds the seat again; it proves nothing, the handshake
//! does that. What is kept beside the seat is what the peer is known to hold, see [`crate::replication`].

use crate::replication::LinkKey;
use crate::types::{PeerId, Tick, Time};
use crate::wire::codes::DisconnectCode;

use super::super::closing::Closing;
use super::super::io::{HostEvent, LinkId, PeerInfo};
use super::super::keys::sha256;
use super::inputs::Inputs;
use super::sync::Sync;
use super::{Announcement, Common};
use crate::mutants::Mutant;

/// A token as the host keeps it: its SHA-256, so that comparing tells nothing of it by how long it takes.
pub(super) type TokenHash = [u8; 32];

/// Who has a slot.
#[derive(Debug)]
pub(super) struct Seat {
    /// Its connection; none while it is parked.
    pub link: Option<LinkId>,
    pub key: [u8; 32],
    /// Once it is admitted.
    pub member: Option<PeerInfo>,
    /// Its place is kept until then.
    pub away_until: Option<Time>,
    /// The epoch of its link, or of its last one.
    pub epoch: u16,
    /// What its next connection goes on with.
    pub parked: Option<Box<Parked>>,
    /// The token it was given last.
    token: Option<TokenHash>,
    /// The one before, until the first packet of the link that brought the newer one.
    token_before: Option<TokenHash>,
}

/// What a member's connection knew of it.
#[derive(Debug, Default)]
pub(super) struct Parked {
    pub sync: Sync,
    pub inputs: Inputs,
}

/// What a hello says it comes back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub peer: PeerId,
    pub token: TokenHash,
    pub last_tick: Tick,
}

impl Seat {
    pub const fn new(link: LinkId, key: [u8; 32], epoch: u16) -> Self {
        Self {
            link: Some(link),
            key,
            member: None,
            away_until: None,
            epoch,
            parked: None,
            token: None,
            token_before: None,
        }
    }

    /// A token was handed over; the one that was used for it lives until the peer is known to have the new one.
    pub fn hand_over(&mut self, used: Option<TokenHash>, token: &[u8]) {
        self.token_before = used;
        self.token = Some(sha256(token));
    }

    /// The peer has its newest token.
    pub const fn forget_used_token(&mut self) {
        self.token_before = None;
    }

    fn knows(&self, token: &TokenHash) -> bool {
        self.token.as_ref() == Some(token) || self.token_before.as_ref() == Some(token)
    }
}

/// What a slot is called in replication: what a peer holds outlives its connection.
pub(super) const fn key_of(peer: PeerId) -> LinkKey {
    LinkKey(peer.0 as u64)
}

impl Common {
    /// The seat that a token finds, for the key that it was given to.
    pub(super) fn claim(&self, token: &[u8], key: &[u8; 32], last_tick: Tick) -> Result<Claim, Closing> {
        let token = sha256(token);
        let found = self.slots.iter().find(|(_, seat)| seat.member.is_some() && seat.knows(&token));
        match found {
            Some((peer, seat)) if &seat.key == key => Ok(Claim { peer: *peer, token, last_tick }),
            _ => Err(Closing::new(DisconnectCode::ResumeRefused)),
        }
    }

    /// The epoch of a connection that takes this seat over: the next one, so that whatever the last one sent is foreign.
    pub(super) fn next_epoch(&self, claim: &Claim) -> Result<u16, Closing> {
        let epoch = self.slots.get(&claim.peer).and_then(|seat| seat.epoch.checked_add(1));
        epoch.ok_or_else(|| Closing::new(DisconnectCode::ResumeRefused))
    }

    /// Looks again once the key is proved: meanwhile the member may have been removed, or another connection of it may
    /// have come first.
    pub(super) fn check_claim(
        &self,
        claim: &Claim,
        key: &[u8; 32],
        epoch: u16,
    ) -> Result<Option<LinkId>, Closing> {
        let seat = self.slots.get(&claim.peer).filter(|seat| seat.member.is_some() && &seat.key == key);
        match seat {
            None => Err(Closing::new(DisconnectCode::ResumeRefused)),
            Some(seat) if seat.epoch.checked_add(1) != Some(epoch) => {
                Err(Closing::because(DisconnectCode::EpochFenced, "Another connection came back first"))
            }
            Some(seat) if !seat.knows(&claim.token) => Err(Closing::new(DisconnectCode::ResumeRefused)),
            Some(seat) => Ok(seat.link),
        }
    }

    /// The first packet under a new token: the old one is worth nothing any more.
    pub(super) fn token_arrived(&mut self, peer: PeerId) {
        if self.mutants.active(Mutant::KeepOldToken) {
            return;
        }
        if let Some(seat) = self.slots.get_mut(&peer) {
            seat.forget_used_token();
        }
    }

    /// Counts a member as away from now on, and tells everybody; the first word counts.
    pub(super) fn set_away(&mut self, peer: PeerId) {
        let until = self.now.plus_ms(self.config.resume_grace_ms);
        if let Some(seat) = self.slots.get_mut(&peer)
            && seat.away_until.is_none()
        {
            seat.away_until = Some(until);
            let grace_ms = self.config.grace_ms();
            self.event(HostEvent::PeerAway { peer, grace_ms });
            self.announcements.push_back(Announcement::Away(peer, grace_ms));
        }
    }

    /// The member is back.
    pub(super) fn set_back(&mut self, peer: PeerId) {
        if let Some(seat) = self.slots.get_mut(&peer)
            && seat.away_until.take().is_some()
        {
            self.event(HostEvent::PeerBack(peer));
            self.announcements.push_back(Announcement::Back(peer));
        }
    }

    /// A member is gone for good.
    pub(super) fn give_up_seat(&mut self, peer: PeerId, code: DisconnectCode, reason: String) {
        if self.slots.remove(&peer).is_some_and(|seat| seat.member.is_some()) {
            self.departed.insert(peer, code);
            self.replication.remove_link(key_of(peer));
            self.event(HostEvent::PeerLeft { peer, code, reason });
            self.announcements.push_back(Announcement::Left(peer, code));
        }
    }

    /// Members whose place is kept no longer.
    pub(super) fn overdue(&self) -> Vec<PeerId> {
        let due =
            self.slots.iter().filter(|(_, seat)| seat.away_until.is_some_and(|until| until <= self.now));
        due.map(|(peer, _)| *peer).collect()
    }

    /// When the first place is given up.
    pub(super) fn next_overdue(&self) -> Option<Time> {
        self.slots.values().filter_map(|seat| seat.away_until).min()
    }

    /// Everybody admitted, with those that are away.
    pub(super) fn members(&self) -> impl Iterator<Item = (&PeerInfo, bool)> {
        self.slots.values().filter_map(|seat| Some((seat.member.as_ref()?, seat.away_until.is_some())))
    }

    /// The seat of a member without a connection.
    pub(super) fn parked_seat(&self, key: &[u8; 32]) -> Option<PeerId> {
        let parked = |seat: &&Seat| &seat.key == key && seat.link.is_none();
        self.slots.iter().find(|(_, seat)| parked(seat)).map(|(peer, _)| *peer)
    }
}
