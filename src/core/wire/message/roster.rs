//! Who is in a session and what its entities are made of: in snapshots and in control messages.

use super::{Builder, WireEnum, at_most, bytes_of, fb, limits, put_bytes, put_text, text_of};
use crate::types::PeerId;
use crate::wire::{WireError, cbor};
use flatbuffers::{ForwardsUOffset, Vector, WIPOffset};
use serde::{Deserialize, Serialize};

/// What a member may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Role {
    /// Looks on.
    #[default]
    Viewer = 0,
    /// Looks on, chats, points.
    Commenter = 1,
    /// Takes part.
    Editor = 2,
    /// Takes part and administers.
    Admin = 3,
}

impl WireEnum for Role {
    const ALL: &'static [Self] = &[Self::Viewer, Self::Commenter, Self::Editor, Self::Admin];
    const NAME: &'static str = "role";

    fn number(self) -> u16 {
        self as u16
    }
}

/// One member as the others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterPeer {
    /// Its slot.
    pub peer: PeerId,
    /// What it may do.
    pub role: Role,
    /// The application's team.
    pub team: u16,
    /// True while its headset is off and its place is kept.
    pub away: bool,
    /// Its identity key.
    #[serde(with = "cbor::fixed")]
    pub key: [u8; 32],
    /// Shown to people.
    pub name: String,
    /// From the application that admitted it.
    #[serde(with = "cbor::bytes")]
    pub application: Vec<u8>,
}

impl RosterPeer {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_NAME_BYTES", self.name.len(), limits::MAX_NAME_BYTES)?;
        at_most("MAX_APPLICATION_BYTES", self.application.len(), limits::MAX_APPLICATION_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::RosterPeer<'static>> {
        let name = put_text(builder, &self.name);
        let application = put_bytes(builder, &self.application);
        fb::RosterPeer::create(
            builder,
            &fb::RosterPeerArgs {
                peer: self.peer.0,
                role: fb::Role(self.role as u8),
                team: self.team,
                away: self.away,
                key: Some(&fb::Bytes32::new(&self.key)),
                name,
                application,
            },
        )
    }

    pub(super) fn read(table: fb::RosterPeer<'_>) -> Result<Self, WireError> {
        Ok(Self {
            peer: PeerId(table.peer()),
            role: Role::from_number(table.role().0 as u16)?,
            team: table.team(),
            away: table.away(),
            key: table.key().bytes().into(),
            name: text_of(table.name()),
            application: bytes_of(table.application()).to_vec(),
        })
    }
}

/// A set of components that entities share. Deltas name it by `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchetypeDefinition {
    /// The host's number for it, for the whole session.
    pub id: u32,
    /// Component indices, ascending.
    pub components: Vec<u16>,
}

type ArchetypeVector<'a> = Vector<'a, ForwardsUOffset<fb::ArchetypeDefinition<'a>>>;

impl ArchetypeDefinition {
    pub(super) fn check_all(definitions: &[Self]) -> Result<(), WireError> {
        at_most("MAX_ARCHETYPES", definitions.len(), limits::MAX_ARCHETYPES)?;
        for definition in definitions {
            at_most(
                "MAX_ARCHETYPE_COMPONENTS",
                definition.components.len(),
                limits::MAX_ARCHETYPE_COMPONENTS,
            )?;
            if definition.components.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(WireError::Malformed("archetype component order"));
            }
        }
        Ok(())
    }

    pub(super) fn write_all(
        definitions: &[Self],
        builder: &mut Builder,
    ) -> Option<WIPOffset<Vector<'static, ForwardsUOffset<fb::ArchetypeDefinition<'static>>>>> {
        let written: Vec<_> = definitions
            .iter()
            .map(|definition| {
                let components = builder.create_vector(&definition.components);
                let args = fb::ArchetypeDefinitionArgs { id: definition.id, components: Some(components) };
                fb::ArchetypeDefinition::create(builder, &args)
            })
            .collect();
        (!written.is_empty()).then(|| builder.create_vector(&written))
    }

    pub(super) fn read_all(definitions: Option<ArchetypeVector<'_>>) -> Result<Vec<Self>, WireError> {
        let Some(definitions) = definitions else { return Ok(Vec::new()) };
        at_most("MAX_ARCHETYPES", definitions.len(), limits::MAX_ARCHETYPES)?;
        Ok(definitions
            .iter()
            .map(|definition| Self {
                id: definition.id(),
                components: definition
                    .components()
                    .map_or_else(Vec::new, |components| components.iter().collect()),
            })
            .collect())
    }
}
