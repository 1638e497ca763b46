//! Who may send what: roles as masks of message types, judged before a body is decoded.

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

const fn bit(message: MessageType) -> u32 {
    1 << message as u32
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn nobody_sends_the_hosts_messages() {
        for host_only in
            [MessageType::WorldSnapshot, MessageType::ComponentDelta, MessageType::SessionAcknowledge]
        {
            assert!(!may_send(Role::Admin, host_only));
        }
    }
}
