//! Which message types and enum values some messages show.

use std::collections::BTreeSet;
use theta_core::wire::codes::{CapabilityReason, DisconnectCode, RefusalReason};
use theta_core::wire::message::*;

/// Values that have been seen, by enum.
#[derive(Default)]
pub struct Seen(BTreeSet<(&'static str, u16)>);

impl Seen {
    pub fn add<E: WireEnum>(&mut self, value: E) {
        self.0.insert((E::NAME, value.number()));
    }

    pub fn add_mask<E: WireEnum>(&mut self, mask: u64) {
        for &value in E::ALL {
            if mask & value.bit() != 0 {
                self.add(value);
            }
        }
    }

    fn missing<E: WireEnum + std::fmt::Debug>(&self, out: &mut Vec<String>) {
        for value in E::ALL {
            if !self.0.contains(&(E::NAME, value.number())) {
                out.push(format!("{} {value:?}", E::NAME));
            }
        }
    }

    fn control(&mut self, control: &SessionControl) {
        self.add(control.kind());
        match control {
            SessionControl::Admitted(admitted) => self.add(admitted.role),
            SessionControl::Denied(ending)
            | SessionControl::Leave(ending)
            | SessionControl::Kick(ending)
            | SessionControl::Close(ending) => self.add(ending.code),
            SessionControl::Refusal(refusal) => self.add(refusal.reason),
            SessionControl::PeerJoined(peer) => self.add(peer.role),
            SessionControl::PeerLeft { code, .. } => self.add(*code),
            SessionControl::RoleChanged { role, .. } => self.add(*role),
            _ => {}
        }
    }

    pub fn message(&mut self, message: &Message<'_>) {
        self.add(message.message_type());
        match message {
            Message::SessionHello(hello) => {
                self.add_mask::<TransportKind>(hello.transports as u64);
                self.add_mask::<CompressionKind>(hello.compressions as u64);
                self.add_mask::<SecurityMode>(hello.security_modes as u64);
                self.add_mask::<Capability>(hello.capabilities);
            }
            Message::SessionConfirm(confirm) => self.add(confirm.admission.kind()),
            Message::WorldSnapshot(snapshot) => {
                self.add(snapshot.reason);
                snapshot.roster.iter().for_each(|peer| self.add(peer.role));
            }
            Message::ComponentDelta(delta) => self.add(delta.mode),
            Message::InterestSet(set) => set.scopes.iter().for_each(|scope| self.add(scope.kind)),
            Message::Ownership(ownership) => {
                self.add(ownership.kind);
                self.add(ownership.reason);
            }
            Message::CommandLogEntry(entry) => self.add(entry.kind),
            Message::EditorEvent(event) => self.add(event.kind),
            Message::AssetTransfer(transfer) => {
                self.add(transfer.kind);
                self.add(transfer.status);
            }
            Message::SessionControl(control) => self.control(control),
            Message::NackRequest(nack) => self.add(nack.kind),
            Message::AppMessage(message) => self.add(message.target),
            Message::SessionAcknowledge(_)
            | Message::Heartbeat(_)
            | Message::StateAck(_)
            | Message::StateHashReport(_)
            | Message::InputPredictiveState(_)
            | Message::TelemetryReport(_) => {}
        }
    }

    /// The terms of an acknowledgement.
    pub fn core(&mut self, core: &AcknowledgeCore) {
        self.add(core.binding);
        self.add(core.compression);
        self.add(core.security_mode);
        self.add_mask::<Capability>(core.capabilities);
        for refused in &core.refused {
            if let CapabilityBit::Known(capability) = refused.capability {
                self.add(capability);
            }
            self.add(refused.reason);
        }
    }

    /// Every value of every enum of the wire that has not been seen.
    pub fn all_missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        self.missing::<MessageType>(&mut missing);
        self.missing::<ControlKind>(&mut missing);
        self.missing::<DisconnectCode>(&mut missing);
        self.missing::<RefusalReason>(&mut missing);
        self.missing::<CapabilityReason>(&mut missing);
        self.missing::<Capability>(&mut missing);
        self.missing::<TransportKind>(&mut missing);
        self.missing::<BindingKind>(&mut missing);
        self.missing::<CompressionKind>(&mut missing);
        self.missing::<SecurityMode>(&mut missing);
        self.missing::<AdmissionKind>(&mut missing);
        self.missing::<Role>(&mut missing);
        self.missing::<SnapshotReason>(&mut missing);
        self.missing::<DeltaMode>(&mut missing);
        self.missing::<InterestKind>(&mut missing);
        self.missing::<OwnershipKind>(&mut missing);
        self.missing::<OwnershipReason>(&mut missing);
        self.missing::<NackKind>(&mut missing);
        self.missing::<AppTarget>(&mut missing);
        self.missing::<EntryKind>(&mut missing);
        self.missing::<EditorEventKind>(&mut missing);
        self.missing::<AssetKind>(&mut missing);
        self.missing::<AssetStatus>(&mut missing);
        missing
    }
}
