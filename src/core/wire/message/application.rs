//! The hot messages of an application: its own, and one tick's input.

use super::{Builder, WireEnum, at_most, cow_of, fb, limits, put_bytes};
use crate::types::{EntityId, PeerId, Tick};
use crate::wire::{WireError, cbor};
use flatbuffers::WIPOffset;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Poses and inputs of one tick; the payload is packed as docs/protocol.md, "Packed input", says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputPredictiveState<'a> {
    /// The tick this input is for.
    pub input_tick: Tick,
    /// The tick the sender was showing when it acted.
    pub view_tick: Tick,
    /// When the poses were sampled, session time, microseconds.
    pub sampled_at_us: u64,
    /// When they were meant to be displayed: microseconds after `sampled_at_us`.
    pub display_after_us: u32,
    /// How far ahead the sender predicts, microseconds.
    pub horizon_us: u32,
    /// The packed input.
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
}

impl<'a> InputPredictiveState<'a> {
    /// When the poses were meant to be displayed, session time, microseconds.
    pub const fn target_display_us(&self) -> u64 {
        self.sampled_at_us.saturating_add(self.display_after_us as u64)
    }

    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_INPUT_BYTES", self.payload.len(), limits::MAX_INPUT_BYTES)
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::InputPredictiveState<'static>> {
        let payload = put_bytes(builder, &self.payload);
        let head = fb::InputPredictiveStateHead::new(
            self.sampled_at_us,
            self.input_tick.0,
            self.view_tick.0,
            self.display_after_us,
            self.horizon_us,
        );
        let args = fb::InputPredictiveStateArgs { head: Some(&head), payload };
        fb::InputPredictiveState::create(builder, &args)
    }

    pub(super) fn read(table: fb::InputPredictiveState<'a>) -> Result<Self, WireError> {
        let head = table.head();
        let input = Self {
            input_tick: Tick(head.input_tick()),
            view_tick: Tick(head.view_tick()),
            sampled_at_us: head.sampled_at_us(),
            display_after_us: head.display_after_us(),
            horizon_us: head.horizon_us(),
            payload: cow_of(table.payload()),
        };
        input.check()?;
        Ok(input)
    }
}

/// Whom an application message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum AppTarget {
    /// The host.
    Host = 0,
    /// The member in `peer`.
    Peer = 1,
    /// The owner of `entity`.
    Owner = 2,
    /// Every member but the sender.
    All = 3,
    /// Every member that sees `entity`, but the sender.
    Interested = 4,
}

impl WireEnum for AppTarget {
    const ALL: &'static [Self] = &[Self::Host, Self::Peer, Self::Owner, Self::All, Self::Interested];
    const NAME: &'static str = "application target";

    fn number(self) -> u16 {
        self as u16
    }
}

/// The application's own message: reliable on the replication lane, unreliable on the presence lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppMessage<'a> {
    /// The application's message type.
    pub kind: u16,
    /// Whom it is for.
    pub target: AppTarget,
    /// The member for [`AppTarget::Peer`], else zero.
    pub peer: PeerId,
    /// Who sent it; set by the host when it relays, whatever the sender wrote.
    pub sender: PeerId,
    /// The entity for [`AppTarget::Owner`] and [`AppTarget::Interested`], else none.
    pub entity: EntityId,
    /// Session time, microseconds, for real-time frames (voice); zero without one.
    pub stamp_us: u64,
    /// The application's bytes.
    #[serde(with = "cbor::bytes")]
    pub payload: Cow<'a, [u8]>,
}

impl<'a> AppMessage<'a> {
    pub(super) fn check(&self) -> Result<(), WireError> {
        at_most("MAX_APP_MESSAGE_BYTES", self.payload.len(), limits::MAX_APP_MESSAGE_BYTES)?;
        let needs_entity = matches!(self.target, AppTarget::Owner | AppTarget::Interested);
        if needs_entity == self.entity.is_none() {
            return Err(WireError::Malformed("application message entity"));
        }
        Ok(())
    }

    pub(super) fn write(&self, builder: &mut Builder) -> WIPOffset<fb::AppMessage<'static>> {
        let payload = put_bytes(builder, &self.payload);
        let head = fb::AppMessageHead::new(
            self.stamp_us,
            self.entity.0,
            self.sender.0,
            self.peer.0,
            self.kind,
            fb::AppTarget(self.target as u8),
            0,
        );
        fb::AppMessage::create(builder, &fb::AppMessageArgs { head: Some(&head), payload })
    }

    pub(super) fn read(table: fb::AppMessage<'a>) -> Result<Self, WireError> {
        let head = table.head();
        if head.reserved() != 0 {
            return Err(WireError::Malformed("reserved bits of an application message"));
        }
        let message = Self {
            kind: head.kind(),
            target: AppTarget::from_number(head.target().0 as u16)?,
            peer: PeerId(head.peer()),
            sender: PeerId(head.sender()),
            entity: EntityId(head.entity()),
            stamp_us: head.stamp_us(),
            payload: cow_of(table.payload()),
        };
        message.check()?;
        Ok(message)
    }
}
