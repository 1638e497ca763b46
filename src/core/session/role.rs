//! Who may send what, and where: roles as masks of message types, and the lanes of each type, judged before a body is
//! decoded.

use crate::types::Lane;
use crate::wire::message::{MessageType, Role};

/// The message types a role may send to the host once it is admitted, one bit each at its wire number.
#[must_use]
pub const fn sendable(role: Role) -> u32 {
    // What every member needs to keep its own view alive.
    const LOOK: u32 = bit(MessageType::Heartbeat)
        | bit(MessageType::StateAck)
        | bit(MessageType::StateHashReport)
        | bit(MessageType::InterestSet)
        | bit(MessageType::TelemetryReport)
        | bit(MessageType::SessionControl)
        | bit(MessageType::NackRequest);
    const COMMENT: u32 = LOOK | bit(MessageType::AppMessage) | bit(MessageType::EditorEvent);
    const EDIT: u32 = COMMENT
        | bit(MessageType::InputPredictiveState)
        | bit(MessageType::Ownership)
        | bit(MessageType::CommandLogEntry)
        | bit(MessageType::AssetTransfer);
    match role {
        Role::Viewer => LOOK,
        Role::Commenter => COMMENT,
        Role::Editor | Role::Admin => EDIT,
    }
}

/// True when this role may send that message to the host.
#[must_use]
pub const fn may_send(role: Role, message: MessageType) -> bool {
    sendable(role) & bit(message) != 0
}

/// True when a message of this type may come on that lane, after the handshake (docs/protocol.md, "Message types").
#[must_use]
pub const fn travels_on(message: MessageType, lane: Lane) -> bool {
    match message {
        MessageType::SessionHello
        | MessageType::SessionAcknowledge
        | MessageType::SessionConfirm
        | MessageType::Heartbeat
        | MessageType::InterestSet
        | MessageType::TelemetryReport
        | MessageType::NackRequest => matches!(lane, Lane::Control),
        // Archetype definitions go where the deltas are that need them; the rest is control's.
        MessageType::SessionControl => matches!(lane, Lane::Control | Lane::Replication),
        MessageType::WorldSnapshot | MessageType::AssetTransfer => {
            matches!(lane, Lane::Bulk(_) | Lane::Replication)
        }
        MessageType::ComponentDelta => matches!(lane, Lane::State | Lane::Replication),
        MessageType::StateAck => matches!(lane, Lane::State),
        MessageType::StateHashReport => matches!(lane, Lane::State | Lane::Control),
        MessageType::Ownership | MessageType::CommandLogEntry => matches!(lane, Lane::Replication),
        MessageType::InputPredictiveState => matches!(lane, Lane::Input),
        MessageType::EditorEvent => matches!(lane, Lane::Presence),
        MessageType::AppMessage => matches!(lane, Lane::Replication | Lane::Presence),
    }
}

const fn bit(message: MessageType) -> u32 {
    1 << message as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::WireEnum;

    #[test]
    fn a_viewer_moves_nothing() {
        assert!(!may_send(Role::Viewer, MessageType::InputPredictiveState));
        assert!(!may_send(Role::Viewer, MessageType::AppMessage));
        assert!(may_send(Role::Viewer, MessageType::StateAck));
    }

    #[test]
    fn a_higher_role_includes_the_lower() {
        let roles = [Role::Viewer, Role::Commenter, Role::Editor, Role::Admin];
        for pair in roles.windows(2) {
            assert_eq!(sendable(pair[0]) & !sendable(pair[1]), 0);
        }
    }

    #[test]
    fn every_message_has_a_lane_and_none_has_all() {
        const LANES: [Lane; 6] =
            [Lane::Control, Lane::Replication, Lane::State, Lane::Input, Lane::Presence, Lane::Bulk(3)];
        for message in MessageType::ALL {
            let lanes = LANES.iter().filter(|lane| travels_on(*message, **lane)).count();
            assert!((1..=2).contains(&lanes), "{message:?}: {lanes}");
        }
    }

    #[test]
    fn nobody_sends_the_hosts_messages() {
        for host_only in
            [MessageType::WorldSnapshot, MessageType::ComponentDelta, MessageType::SessionAcknowledge]
        {
            assert!(!may_send(Role::Admin, host_only));
        }
    }
}
