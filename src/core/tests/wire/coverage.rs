//! Every message type and every enum value has been on a wire in the vectors; what has not is listed here by name.

use super::samples;
use std::collections::BTreeSet;
use theta_core::wire::codes::{CapabilityReason, DisconnectCode, RefusalReason};
use theta_core::wire::message::*;

/// Values that have been seen, by enum.
#[derive(Default)]
struct Seen(BTreeSet<(&'static str, u16)>);

impl Seen {
    fn add<E: WireEnum>(&mut self, value: E) {
        self.0.insert((E::NAME, value.number()));
    }

    fn add_mask<E: WireEnum>(&mut self, mask: u64) {
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

    fn message(&mut self, message: &Message<'_>) {
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
}

#[test]
fn nothing_is_missing_from_the_vectors() {
    let mut seen = Seen::default();
    for (_, message) in samples::messages() {
        seen.message(&message);
    }
    for (_, core) in samples::cores() {
        seen.add(core.binding);
        for refused in &core.refused {
            seen.add(refused.capability);
            seen.add(refused.reason);
        }
    }
    let mut missing = Vec::new();
    seen.missing::<MessageType>(&mut missing);
    seen.missing::<ControlKind>(&mut missing);
    seen.missing::<DisconnectCode>(&mut missing);
    seen.missing::<RefusalReason>(&mut missing);
    seen.missing::<CapabilityReason>(&mut missing);
    seen.missing::<Capability>(&mut missing);
    seen.missing::<TransportKind>(&mut missing);
    seen.missing::<BindingKind>(&mut missing);
    seen.missing::<CompressionKind>(&mut missing);
    seen.missing::<SecurityMode>(&mut missing);
    seen.missing::<AdmissionKind>(&mut missing);
    seen.missing::<Role>(&mut missing);
    seen.missing::<SnapshotReason>(&mut missing);
    seen.missing::<DeltaMode>(&mut missing);
    seen.missing::<InterestKind>(&mut missing);
    seen.missing::<OwnershipKind>(&mut missing);
    seen.missing::<OwnershipReason>(&mut missing);
    seen.missing::<NackKind>(&mut missing);
    seen.missing::<AppTarget>(&mut missing);
    seen.missing::<EntryKind>(&mut missing);
    seen.missing::<EditorEventKind>(&mut missing);
    seen.missing::<AssetKind>(&mut missing);
    seen.missing::<AssetStatus>(&mut missing);
    assert!(missing.is_empty(), "never seen on a wire: {missing:#?}");
}
