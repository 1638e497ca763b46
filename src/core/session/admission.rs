//! Who may come in beside the holders of member tickets, and who may not: invites, bans, and their byte form.
//!
//! [`AdmissionState`] is a value. The application hands it to the host, changes it by [`AdmissionChange`], and gets
//! back what the handshakes made of it, to be kept where it keeps its keys: the secrets of the invites are in it. It
//! reads no clock: Unix time is an argument. Called by the handshake and by the host's application.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::PublicKey;
use crate::mutants::{Mutant, Mutants};
use crate::wire::codes::DisconnectCode;
use crate::wire::message::{Role, WireEnum};

/// Names an invite; says nothing about its secret.
pub type InviteId = [u8; 16];

/// Invites that a state holds at most.
pub const MAX_INVITES: usize = 1024;
/// Keys that one invite may admit at most.
pub const MAX_INVITE_USES: u16 = 256;
/// Banned keys that a state holds at most.
pub const MAX_BANS: usize = 16_384;
/// Bytes of an invite in a ticket: id and secret.
pub const INVITE_BYTES: usize = 16 + 32;
/// Bytes of an invite in SessionConfirm: id and proof of the secret.
pub const INVITE_PROOF_BYTES: usize = 16 + 32;

/// Bytes of the largest state's byte form.
pub const MAX_STATE_BYTES: usize =
    1 + 2 + MAX_INVITES * (INVITE_BYTES + 14 + 32 * MAX_INVITE_USES as usize) + 4 + 32 * MAX_BANS;

const STATE_VERSION: u8 = 1;
/// What an invite's proof begins with, in front of the transcript.
const INVITE_PROOF: &[u8] = b"theta/1 invite-proof\0";

/// What a person is given: whoever holds an unused one may come in. It stands in the ticket's text and never crosses
/// a session's wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InviteKey {
    /// Which invite.
    pub id: InviteId,
    /// 32 random bytes.
    pub secret: [u8; 32],
}

impl core::fmt::Debug for InviteKey {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The secret must never reach a log.
        out.debug_struct("InviteKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl InviteKey {
    /// Id, then secret.
    #[must_use]
    pub fn encode(&self) -> [u8; INVITE_BYTES] {
        let mut bytes = [0; INVITE_BYTES];
        bytes[..16].copy_from_slice(&self.id);
        bytes[16..].copy_from_slice(&self.secret);
        bytes
    }

    /// The reverse; `None` for another length.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self { id: *id, secret: secret.try_into().ok()? })
    }

    /// What shows that the secret is known, on this channel and in this handshake: the id, then HMAC-SHA256 of the
    /// transcript under the secret. The transcript names the client's key, so a proof is worth nothing to another.
    #[must_use]
    pub fn prove(&self, transcript: &[u8; 32]) -> [u8; INVITE_PROOF_BYTES] {
        let mut bytes = [0; INVITE_PROOF_BYTES];
        bytes[..16].copy_from_slice(&self.id);
        bytes[16..].copy_from_slice(&self.mac(transcript).finalize().into_bytes());
        bytes
    }

    fn mac(&self, transcript: &[u8; 32]) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).unwrap_or_else(|_| unreachable!());
        mac.update(INVITE_PROOF);
        mac.update(transcript);
        mac
    }
}

/// An invite as the host knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// What the guest was given.
    pub key: InviteKey,
    /// The highest role it grants; never admin.
    pub role: Role,
    /// How many keys it may admit, 1 to [`MAX_INVITE_USES`].
    pub uses: u16,
    /// Unix time in seconds from which it lets nobody in, not even a key that it is bound to.
    pub expires_unix_s: u64,
    /// It lets nobody in any more.
    pub is_revoked: bool,
    /// The keys that used it, which may come back.
    pub bound: BTreeSet<PublicKey>,
}

impl Invite {
    /// An unused invite.
    #[must_use]
    pub const fn new(key: InviteKey, role: Role, uses: u16, expires_unix_s: u64) -> Self {
        Self { key, role, uses, expires_unix_s, is_revoked: false, bound: BTreeSet::new() }
    }

    fn check(&self) -> Result<(), AdmissionError> {
        if self.role == Role::Admin {
            return Err(AdmissionError::Admin);
        }
        if self.uses == 0 || self.uses > MAX_INVITE_USES || self.bound.len() > usize::from(self.uses) {
            return Err(AdmissionError::Uses);
        }
        Ok(())
    }
}

/// What the application changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmissionChange {
    /// A new invite.
    Invite(Invite),
    /// This invite lets nobody in any more. Who came in by it stays; see `Ban`.
    Revoke(InviteId),
    /// Who holds this key is put out and does not come in again.
    Ban(PublicKey),
    /// Who holds this key may come in again, by what admits it.
    Unban(PublicKey),
}

/// Why a change is not made, or bytes are no admission state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Roles above editor are granted to a key, by a member ticket.
    #[error("an invite grants no admin; issue a member ticket for the key")]
    Admin,
    /// Out of range.
    #[error("an invite admits 1 to {MAX_INVITE_USES} keys")]
    Uses,
    /// Two invites with one id.
    #[error("there is an invite with this id already")]
    Taken,
    /// No such invite.
    #[error("there is no invite with this id")]
    Unknown,
    /// Too many invites.
    #[error("there are {MAX_INVITES} invites already; revoke some")]
    TooManyInvites,
    /// Too many bans.
    #[error("there are {MAX_BANS} banned keys already")]
    TooManyBans,
    /// Not what [`AdmissionState::encode`] makes.
    #[error("these bytes are no admission state: {0}")]
    Damaged(&'static str),
}

/// Why an invite does not let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Unknown, or its secret is not known to the client. One answer for both: ids cannot be probed.
    #[error("this host knows no such invite")]
    Invalid,
    /// Its time is over.
    #[error("the invite has expired; ask for a new one")]
    Expired,
    /// All its uses are bound to other keys.
    #[error("the invite is bound to another key")]
    Used,
    /// Taken back.
    #[error("the invite was revoked")]
    Revoked,
}

impl InviteError {
    /// The code that it costs.
    #[must_use]
    pub const fn code(self) -> DisconnectCode {
        match self {
            Self::Invalid => DisconnectCode::TicketInvalid,
            Self::Expired => DisconnectCode::TicketExpired,
            Self::Used | Self::Revoked => DisconnectCode::InviteUsed,
        }
    }
}

/// What an invite gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteGrant {
    /// Which.
    pub id: InviteId,
    /// The highest role it grants.
    pub role: Role,
    /// True when it was bound to the key just now: the state has changed.
    pub is_new: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionState {
    invites: BTreeMap<InviteId, Invite>,
    bans: BTreeSet<PublicKey>,
}

impl AdmissionState {
    /// Nobody invited, nobody banned.
    #[must_use]
    pub const fn new() -> Self {
        Self { invites: BTreeMap::new(), bans: BTreeSet::new() }
    }

    /// Makes a change; true when anything is different now.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn apply(&mut self, change: &AdmissionChange) -> Result<bool, AdmissionError> {
        match change {
            AdmissionChange::Invite(invite) => self.invite(invite.clone()).map(|()| true),
            AdmissionChange::Revoke(id) => {
                let invite = self.invites.get_mut(id).ok_or(AdmissionError::Unknown)?;
                Ok(!core::mem::replace(&mut invite.is_revoked, true))
            }
            AdmissionChange::Ban(key) => {
                if self.bans.len() >= MAX_BANS && !self.bans.contains(key) {
                    return Err(AdmissionError::TooManyBans);
                }
                Ok(self.bans.insert(*key))
            }
            AdmissionChange::Unban(key) => Ok(self.bans.remove(key)),
        }
    }

    fn invite(&mut self, invite: Invite) -> Result<(), AdmissionError> {
        invite.check()?;
        if self.invites.contains_key(&invite.key.id) {
            return Err(AdmissionError::Taken);
        }
        if self.invites.len() >= MAX_INVITES {
            // One that was taken back says InviteUsed while it is remembered, and TicketInvalid after that.
            let revoked = self.invites.values().find(|invite| invite.is_revoked).map(|invite| invite.key.id);
            self.invites.remove(&revoked.ok_or(AdmissionError::TooManyInvites)?);
        }
        self.invites.insert(invite.key.id, invite);
        Ok(())
    }

    /// Lets `key` in by an invite, if its proof fits this handshake, and binds the invite to that key.
    ///
    /// # Errors
    /// Nothing is changed then. What an invite is, or was, is told to nobody who does not know its secret.
    pub fn redeem(
        &mut self,
        proof: &[u8],
        transcript: &[u8; 32],
        key: &PublicKey,
        now_unix_s: u64,
        mutants: Mutants,
    ) -> Result<InviteGrant, InviteError> {
        let (id, tag) = proof.split_first_chunk::<16>().ok_or(InviteError::Invalid)?;
        let invite = self.invites.get_mut(id).ok_or(InviteError::Invalid)?;
        // In constant time: the comparison is the crate's.
        let is_known = invite.key.mac(transcript).verify_slice(tag).is_ok();
        if !is_known && !mutants.active(Mutant::SkipInviteProof) {
            return Err(InviteError::Invalid);
        }
        if now_unix_s >= invite.expires_unix_s {
            return Err(InviteError::Expired);
        }
        if invite.is_revoked {
            return Err(InviteError::Revoked);
        }
        let is_new = !invite.bound.contains(key);
        if is_new && invite.bound.len() >= usize::from(invite.uses) {
            return Err(InviteError::Used);
        }
        if is_new && !mutants.active(Mutant::LeaveInviteUnbound) {
            invite.bound.insert(*key);
        }
        Ok(InviteGrant { id: *id, role: invite.role, is_new })
    }

    /// True when who holds this key does not come in.
    #[must_use]
    pub fn is_banned(&self, key: &PublicKey) -> bool {
        self.bans.contains(key)
    }

    /// All invites, by id; revoked and expired ones too.
    pub fn invites(&self) -> impl ExactSizeIterator<Item = &Invite> {
        self.invites.values()
    }

    /// One invite.
    #[must_use]
    pub fn find(&self, id: &InviteId) -> Option<&Invite> {
        self.invites.get(id)
    }

    /// All banned keys, ascending.
    pub fn bans(&self) -> impl ExactSizeIterator<Item = &PublicKey> {
        self.bans.iter()
    }

    /// The byte form: version (u8, 1), the number of invites (u16), each as id (16), secret (32), role (u8), uses (u16),
    /// expiry (u64, Unix seconds), revoked (u8, 0 or 1), the number of bound keys (u16) and these (32 each); then the
    /// number of banned keys (u32) and these. All ascending, little-endian. It holds secrets: keep it like a key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![STATE_VERSION];
        out.extend_from_slice(&(self.invites.len() as u16).to_le_bytes());
        for invite in self.invites.values() {
            out.extend_from_slice(&invite.key.encode());
            out.push(invite.role as u8);
            out.extend_from_slice(&invite.uses.to_le_bytes());
            out.extend_from_slice(&invite.expires_unix_s.to_le_bytes());
            out.push(u8::from(invite.is_revoked));
            out.extend_from_slice(&(invite.bound.len() as u16).to_le_bytes());
            for key in &invite.bound {
                out.extend_from_slice(key);
            }
        }
        out.extend_from_slice(&(self.bans.len() as u32).to_le_bytes());
        for key in &self.bans {
            out.extend_from_slice(key);
        }
        out
    }

    /// Reads the byte form; each state has one.
    ///
    /// # Errors
    /// For anything that [`AdmissionState::encode`] does not make.
    pub fn decode(bytes: &[u8]) -> Result<Self, AdmissionError> {
        let mut input = Input(bytes);
        if input.u8()? != STATE_VERSION {
            return Err(AdmissionError::Damaged("another version"));
        }
        let mut state = Self::new();
        let mut newest: Option<InviteId> = None;
        for _ in 0..input.u16()? {
            let invite = input.invite()?;
            if newest.is_some_and(|newest| newest >= invite.key.id) {
                return Err(AdmissionError::Damaged("invites out of order"));
            }
            if state.invites.len() >= MAX_INVITES {
                return Err(AdmissionError::TooManyInvites);
            }
            newest = Some(invite.key.id);
            state.invites.insert(invite.key.id, invite);
        }
        let bans = input.u32()? as usize;
        if bans > MAX_BANS {
            return Err(AdmissionError::TooManyBans);
        }
        state.bans = input.keys(bans)?;
        if input.0.is_empty() { Ok(state) } else { Err(AdmissionError::Damaged("bytes after its end")) }
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], AdmissionError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(AdmissionError::Damaged("cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, AdmissionError> {
        self.take().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, AdmissionError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, AdmissionError> {
        self.take().map(u32::from_le_bytes)
    }

    fn invite(&mut self) -> Result<Invite, AdmissionError> {
        let key = InviteKey { id: self.take()?, secret: self.take()? };
        let role = Role::from_number(u16::from(self.u8()?)).map_err(|_| AdmissionError::Damaged("a role"))?;
        let uses = self.u16()?;
        let expires_unix_s = self.take().map(u64::from_le_bytes)?;
        let is_revoked = match self.u8()? {
            0 => false,
            1 => true,
            _ => return Err(AdmissionError::Damaged("neither revoked nor not")),
        };
        let count = usize::from(self.u16()?);
        if count > usize::from(uses) {
            return Err(AdmissionError::Uses);
        }
        let invite =
            Invite { is_revoked, bound: self.keys(count)?, ..Invite::new(key, role, uses, expires_unix_s) };
        invite.check()?;
        Ok(invite)
    }

    /// Keys in ascending order. Grows as they are read: a count is a claim.
    fn keys(&mut self, count: usize) -> Result<BTreeSet<PublicKey>, AdmissionError> {
        let mut keys = BTreeSet::new();
        for _ in 0..count {
            let key: PublicKey = self.take()?;
            if keys.last().is_some_and(|last| last >= &key) {
                return Err(AdmissionError::Damaged("keys out of order"));
            }
            keys.insert(key);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSCRIPT: [u8; 32] = [7; 32];

    fn key(fill: u8) -> InviteKey {
        InviteKey { id: [fill; 16], secret: [fill ^ 0xff; 32] }
    }

    fn state_with(invite: Invite) -> AdmissionState {
        let mut state = AdmissionState::new();
        assert_eq!(state.apply(&AdmissionChange::Invite(invite)), Ok(true));
        state
    }

    fn redeem(state: &mut AdmissionState, who: u8, now: u64) -> Result<bool, InviteError> {
        state
            .redeem(&key(1).prove(&TRANSCRIPT), &TRANSCRIPT, &[who; 32], now, Mutants::NONE)
            .map(|grant| grant.is_new)
    }

    #[test]
    fn an_invite_is_bound_to_whom_it_let_in() {
        let mut state = state_with(Invite::new(key(1), Role::Editor, 1, 100));
        assert_eq!(redeem(&mut state, 5, 99), Ok(true));
        assert_eq!(redeem(&mut state, 5, 99), Ok(false), "who used it may come back");
        assert_eq!(redeem(&mut state, 6, 99), Err(InviteError::Used));
        assert_eq!(redeem(&mut state, 5, 100), Err(InviteError::Expired));
        assert_eq!(state.apply(&AdmissionChange::Revoke([1; 16])), Ok(true));
        assert_eq!(redeem(&mut state, 5, 99), Err(InviteError::Revoked));
        assert_eq!(state.apply(&AdmissionChange::Revoke([1; 16])), Ok(false));
    }

    #[test]
    fn an_invite_of_three_uses_lets_three_in() {
        let mut state = state_with(Invite::new(key(1), Role::Viewer, 3, 100));
        let let_in = (0..9).filter(|who| redeem(&mut state, *who, 0).is_ok()).count();
        assert_eq!(let_in, 3);
    }

    #[test]
    fn a_proof_is_worth_something_for_one_transcript_and_one_secret() {
        let mut state = state_with(Invite::new(key(1), Role::Editor, 1, 100));
        let before = state.clone();
        let mut stranger = key(1);
        stranger.secret[31] ^= 1;
        let right = key(1).prove(&TRANSCRIPT);
        for proof in [
            key(1).prove(&[8; 32]).as_slice(),
            &stranger.prove(&TRANSCRIPT),
            &key(2).prove(&TRANSCRIPT),
            &right[..47],
            &right[..16],
            &right[..15],
            &[],
            &[right.as_slice(), &[0]].concat(),
        ] {
            let outcome = state.redeem(proof, &TRANSCRIPT, &[5; 32], 0, Mutants::NONE);
            assert_eq!(outcome, Err(InviteError::Invalid));
        }
        assert_eq!(state, before, "nothing was used up");
    }

    #[test]
    fn what_an_invite_may_not_be() {
        let mut state = AdmissionState::new();
        let mut add = |invite| state.apply(&AdmissionChange::Invite(invite));
        assert_eq!(add(Invite::new(key(1), Role::Admin, 1, 100)), Err(AdmissionError::Admin));
        assert_eq!(add(Invite::new(key(1), Role::Editor, 0, 100)), Err(AdmissionError::Uses));
        assert_eq!(add(Invite::new(key(1), Role::Editor, 257, 100)), Err(AdmissionError::Uses));
        assert_eq!(add(Invite::new(key(1), Role::Editor, 256, 100)), Ok(true));
        assert_eq!(add(Invite::new(key(1), Role::Editor, 1, 100)), Err(AdmissionError::Taken));
        assert_eq!(state.apply(&AdmissionChange::Revoke([9; 16])), Err(AdmissionError::Unknown));
    }

    #[test]
    fn tables_are_bounded_and_a_revoked_invite_gives_way() {
        let mut state = AdmissionState::new();
        let numbered = |n: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            Invite::new(InviteKey { id, secret: [0; 32] }, Role::Viewer, 1, 1)
        };
        for n in 0..MAX_INVITES as u16 {
            assert_eq!(state.apply(&AdmissionChange::Invite(numbered(n))), Ok(true));
        }
        let more = AdmissionChange::Invite(numbered(MAX_INVITES as u16));
        assert_eq!(state.apply(&more), Err(AdmissionError::TooManyInvites));
        assert_eq!(state.apply(&AdmissionChange::Revoke(numbered(3).key.id)), Ok(true));
        assert_eq!(state.apply(&more), Ok(true));
        assert_eq!((state.invites().len(), state.find(&numbered(3).key.id)), (MAX_INVITES, None));
        let banned = |n: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&n.to_be_bytes());
            key
        };
        for n in 0..MAX_BANS as u32 {
            assert_eq!(state.apply(&AdmissionChange::Ban(banned(n))), Ok(true));
        }
        let more = AdmissionChange::Ban(banned(MAX_BANS as u32));
        assert_eq!(state.apply(&more), Err(AdmissionError::TooManyBans));
        assert_eq!(state.apply(&AdmissionChange::Ban(banned(0))), Ok(false), "who is banned stays so");
        assert_eq!(state.apply(&AdmissionChange::Unban(banned(0))), Ok(true));
        assert_eq!(state.apply(&more), Ok(true));
        assert_eq!(
            AdmissionState::decode(&state.encode()).as_ref(),
            Ok(&state),
            "the largest has a byte form"
        );
    }

    fn sample() -> AdmissionState {
        let mut state = state_with(Invite::new(key(1), Role::Editor, 2, 100));
        state.apply(&AdmissionChange::Invite(Invite::new(key(2), Role::Viewer, 1, u64::MAX))).unwrap();
        redeem(&mut state, 5, 99).unwrap();
        redeem(&mut state, 6, 99).unwrap();
        state.apply(&AdmissionChange::Revoke([2; 16])).unwrap();
        for who in [8, 9] {
            state.apply(&AdmissionChange::Ban([who; 32])).unwrap();
        }
        state
    }

    #[test]
    fn a_state_survives_its_bytes() {
        assert_eq!(AdmissionState::decode(&sample().encode()), Ok(sample()));
        assert_eq!(AdmissionState::decode(&AdmissionState::new().encode()), Ok(AdmissionState::new()));
        assert_eq!(AdmissionState::new().encode().len(), 7);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_state() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(AdmissionState::decode(&bytes[..length]).is_err(), "{length}");
        }
        assert!(AdmissionState::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(state) = AdmissionState::decode(&changed) {
                assert_eq!(state.encode(), changed, "bit {bit}: one spelling");
            }
        }
        // Counts are claims.
        assert!(AdmissionState::decode(&[1, 0xff, 0xff]).is_err());
        assert!(AdmissionState::decode(&[1, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn a_secret_is_in_no_log() {
        let text = format!("{:?}", state_with(Invite::new(key(1), Role::Editor, 1, 100)));
        assert!(!text.contains("254, 254") && !text.contains("fe"), "{text}");
    }
}
