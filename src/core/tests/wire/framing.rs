//! A hot message costs at most 32 bytes beyond its head and its payload.

use std::borrow::Cow;
use theta_core::types::{EntityId, PeerId, Tick};
use theta_core::wire::message::*;

const MOST_FRAMING_BYTES: usize = 32;

fn hot(payload: &[u8]) -> [(usize, Message<'_>); 4] {
    let payload = Cow::Borrowed(payload);
    [
        (
            24,
            Message::ComponentDelta(ComponentDelta {
                tick: Tick(1),
                log_term: 0,
                log_index: 0,
                mode: DeltaMode::Ack,
                last_input_tick: Tick(1),
                input_speed_hint: 1,
                part: 0,
                part_count: 1,
                payload: payload.clone(),
            }),
        ),
        (
            24,
            Message::InputPredictiveState(InputPredictiveState {
                input_tick: Tick(1),
                view_tick: Tick(1),
                sampled_at_us: 1,
                display_after_us: 1,
                horizon_us: 1,
                payload: payload.clone(),
            }),
        ),
        (
            24,
            Message::AppMessage(AppMessage {
                kind: 1,
                target: AppTarget::Owner,
                peer: PeerId(1),
                sender: PeerId(1),
                entity: EntityId::new(1, 1),
                stamp_us: 1,
                payload: payload.clone(),
            }),
        ),
        (
            12,
            Message::StateAck(StateAck {
                newest_sequence: 1,
                complete_tick: Tick(1),
                snapshot_id: 1,
                mask: payload,
            }),
        ),
    ]
}

#[test]
fn hot_messages_have_little_framing() {
    let mut encoder = MessageEncoder::new();
    for length in 0..=128 {
        let payload = vec![0xa5; length];
        for (head, message) in hot(&payload) {
            let framing = encoder.encode(&message).expect("within limits").len() - head - length;
            let kind = message.message_type();
            assert!(
                framing <= MOST_FRAMING_BYTES,
                "{kind:?} with {length} payload bytes: {framing} bytes of framing"
            );
        }
    }
}

#[test]
fn encoding_and_opening_do_not_allocate_after_warm_up() {
    use theta_core::wire::{envelope, packet::PacketBuilder};
    let payload = [7; 100];
    let mut builder = PacketBuilder::new(1150);
    let mut packet = Vec::new();
    let mut scratch = Vec::new();
    for round in 0..3 {
        let ((), bytes) = super::allocation::measure(|| {
            packet.clear();
            for (_, message) in &hot(&payload) {
                builder.push(message).expect("fits");
            }
            let header = envelope::PacketHeader { sequence: 1, ..envelope::PacketHeader::default() };
            builder.seal(&header, None, &mut packet).expect("seals");
            let opened = envelope::open(&packet, None, &mut scratch).expect("opens");
            let decoded = opened.messages().filter(|raw| raw.decode().is_ok()).count();
            assert_eq!(decoded, 4);
        });
        assert!(round == 0 || bytes == 0, "round {round} asked for {bytes} bytes");
    }
}
