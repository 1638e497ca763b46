//! What a peer wants: things to see, entities to own, packets to have again.

use super::{Builder, WireEnum, at_most, fb, limits};
use crate::types::{EntityId, PeerId, Tick};
use crate::wire::WireError;
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};

/// What an interest scope names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum InterestKind {
    /// Entities of the owner in `key`.
    Owner = 0,
    /// Entities of the team in `key`.
    Team = 1,
    /// What uses the asset in `key` (a prefix of its hash).
    Asset = 2,
    /// The layer in `key`.
    Layer = 3,
    /// What the editor panel in `key` shows.
    Panel = 4,
    /// The entity in `key` and its children.
    Entity = 5,
}

impl WireEnum for InterestKind {
    const ALL: &'static [Self] =
        &[Self::Owner, Self::Team, Self::Asset, Self::Layer, Self::Panel, Self::Entity];
    const NAME: &'static str = "interest kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// A named scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterestScope {
    /// What it names.
    pub kind: InterestKind,
    /// Which.
    pub key: u64,
}

/// A point of view in the wire basis; metres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterestFocus {
    /// Centre.
    pub x: f64,
    /// Centre.
    pub y: f64,
    /// Centre.
    pub z: f64,
    /// Not below zero.
    pub radius: f64,
}

/// Everything a peer wants to see; replaces the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InterestSet {
    /// Counts the sender's sets; an older one is ignored.
    pub revision: u32,
    /// Named scopes.
    pub scopes: Vec<InterestScope>,
    /// Points of view.
    pub focuses: Vec<InterestFocus>,
}

impl InterestSet {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_INTEREST_SCOPES", self.scopes.len(), limits::MAX_INTEREST_SCOPES)?;
        at_most("MAX_INTEREST_FOCUSES", self.focuses.len(), limits::MAX_INTEREST_FOCUSES)?;
        let fine = |focus: &InterestFocus| {
            [focus.x, focus.y, focus.z, focus.radius].iter().all(|value| value.is_finite())
                && focus.radius >= 0.0
        };
        if self.focuses.iter().all(fine) { Ok(()) } else { Err(WireError::Malformed("interest focus")) }
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::InterestSet<'static>> {
        let scopes = (!self.scopes.is_empty()).then(|| {
            let scopes = self
                .scopes
                .iter()
                .map(|scope| fb::InterestScope::new(scope.key, fb::InterestKind(scope.kind as u8)));
            builder.create_vector_from_iter(scopes)
        });
        let focuses = (!self.focuses.is_empty()).then(|| {
            let focuses = self
                .focuses
                .iter()
                .map(|focus| fb::InterestFocus::new(focus.x, focus.y, focus.z, focus.radius));
            builder.create_vector_from_iter(focuses)
        });
        let args = fb::InterestSetArgs { revision: self.revision, scopes, focuses };
        fb::InterestSet::create(builder, &args)
    }

    pub(super) fn read(table: fb::InterestSet<'_>) -> Result<Self, WireError> {
        let scopes = table.scopes();
        let focuses = table.focuses();
        at_most("MAX_INTEREST_SCOPES", scopes.map_or(0, |scopes| scopes.len()), limits::MAX_INTEREST_SCOPES)?;
        let set = Self {
            revision: table.revision(),
            scopes: scopes
                .iter()
                .flatten()
                .map(|scope| {
                    let kind = InterestKind::from_number(scope.kind().0 as u16)?;
                    Ok(InterestScope { kind, key: scope.key() })
                })
                .collect::<Result<_, WireError>>()?,
            focuses: focuses
                .iter()
                .flatten()
                .map(|focus| InterestFocus {
                    x: focus.x(),
                    y: focus.y(),
                    z: focus.z(),
                    radius: focus.radius(),
                })
                .collect(),
        };
        set.check()?;
        Ok(set)
    }
}

/// A step in the life of an ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OwnershipKind {
    /// Peer: I want it.
    Request = 0,
    /// Host: it is `owner`'s.
    Granted = 1,
    /// Host: you do not get it.
    Denied = 2,
    /// Host, to the one before: `owner` has it now, by rule.
    Stolen = 3,
    /// Peer: I let it go. Host: it is nobody's (the host's) again.
    Released = 4,
    /// Host: its owner is gone, the host has it.
    TakenOver = 5,
}

impl WireEnum for OwnershipKind {
    const ALL: &'static [Self] =
        &[Self::Request, Self::Granted, Self::Denied, Self::Stolen, Self::Released, Self::TakenOver];
    const NAME: &'static str = "ownership kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// Why the arbiter decided so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OwnershipReason {
    /// No reason is needed.
    #[default]
    None = 0,
    /// Somebody else has it.
    AlreadyOwned = 1,
    /// The role does not allow it.
    RoleForbids = 2,
    /// The application's rule does not allow it.
    RuleForbids = 3,
    /// The entity does not exist.
    NoSuchEntity = 4,
    /// The owner left.
    OwnerLeft = 5,
}

impl WireEnum for OwnershipReason {
    const ALL: &'static [Self] = &[
        Self::None,
        Self::AlreadyOwned,
        Self::RoleForbids,
        Self::RuleForbids,
        Self::NoSuchEntity,
        Self::OwnerLeft,
    ];
    const NAME: &'static str = "ownership reason";

    fn number(self) -> u16 {
        self as u16
    }
}

/// A request for an entity, or the arbiter's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The step.
    pub kind: OwnershipKind,
    /// The entity.
    pub entity: EntityId,
    /// The owner the step leads to.
    pub owner: PeerId,
    /// The tick at which the sender saw or did it.
    pub tick: Tick,
    /// The requester's number for its request; comes back in the answer.
    pub request_id: u32,
    /// Why.
    pub reason: OwnershipReason,
}

impl Ownership {
    pub(super) fn write(self, builder: &mut Builder) -> WIPOffset<fb::Ownership<'static>> {
        let head = fb::OwnershipHead::new(
            self.entity.0,
            self.tick.0,
            self.request_id,
            self.owner.0,
            fb::OwnershipKind(self.kind as u8),
            fb::OwnershipReason(self.reason as u8),
        );
        fb::Ownership::create(builder, &fb::OwnershipArgs { head: Some(&head) })
    }

    pub(super) fn read(table: fb::Ownership<'_>) -> Result<Self, WireError> {
        let head = table.head();
        Ok(Self {
            kind: OwnershipKind::from_number(head.kind().0 as u16)?,
            entity: EntityId(head.entity()),
            owner: PeerId(head.owner()),
            tick: Tick(head.tick()),
            request_id: head.request_id(),
            reason: OwnershipReason::from_number(head.reason().0 as u16)?,
        })
    }
}

/// What should be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum NackKind {
    /// Chunks of the world by number, whole; `subject` is 0.
    SnapshotChunks = 1,
    /// Archetype definitions by id.
    Archetypes = 2,
    /// Log entries by index, of the term in `subject`.
    LogEntries = 3,
    /// Chunks of the asset whose hash begins with `subject` (little-endian).
    AssetChunks = 4,
    /// Parts of the compact manifest by number; no ids: all of it.
    Manifest = 5,
}

impl WireEnum for NackKind {
    const ALL: &'static [Self] =
        &[Self::SnapshotChunks, Self::Archetypes, Self::LogEntries, Self::AssetChunks, Self::Manifest];
    const NAME: &'static str = "nack kind";

    fn number(self) -> u16 {
        self as u16
    }
}

/// A request to send something again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NackRequest {
    /// Things of which kind.
    pub kind: NackKind,
    /// Parts of what; see [`NackKind`].
    pub subject: u64,
    /// Which.
    pub ids: Vec<u32>,
}

impl NackRequest {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_NACK_IDS", self.ids.len(), limits::MAX_NACK_IDS)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::NackRequest<'static>> {
        let ids = (!self.ids.is_empty()).then(|| builder.create_vector(&self.ids));
        let args = fb::NackRequestArgs { kind: fb::NackKind(self.kind as u8), subject: self.subject, ids };
        fb::NackRequest::create(builder, &args)
    }

    pub(super) fn read(table: fb::NackRequest<'_>) -> Result<Self, WireError> {
        let request = Self {
            kind: NackKind::from_number(table.kind().0 as u16)?,
            subject: table.subject(),
            ids: table.ids().map_or_else(Vec::new, |ids| ids.iter().collect()),
        };
        request.check()?;
        Ok(request)
    }
}
