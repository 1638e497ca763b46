//! A member that turns on its host: everything it can send wrong is counted or ends its own session, and nobody else
//! notices.

use theta_core::session::input::{InputSample, pack};
use theta_core::session::{HostEvent, LinkInput, PeerEvent, PeerState};
use theta_core::types::{ChunkId, Lane, Tick};
use theta_core::wire::bits::BitWriter;
use theta_core::wire::codes::{DisconnectCode, RefusalReason};
use theta_core::wire::envelope::{ENVELOPE_BYTES, PacketHeader};
use theta_core::wire::limits::{MAX_ACK_MASK_BYTES, MAX_MESSAGES_PER_PACKET, MAX_NACK_IDS};
use theta_core::wire::message::{
    ChunkDetail, Ending, Heartbeat, InputPredictiveState, Message, MessageType, NackKind, NackRequest, Role,
    SessionControl, SessionHello, StateAck, StateHashReport,
};

use super::intruder::Intruder;
use super::venue::{Arrival, Venue, first_in, packet, packet_of, person, reseal};

/// A host with an honest member and one that is about to misbehave.
struct Scene {
    venue: Venue,
    bystander: usize,
    intruder: Intruder,
}

impl Scene {
    fn new(role: Role) -> Self {
        let mut venue = Venue::new();
        let bystander = venue.welcome(3, Role::Editor);
        let intruder = Intruder::inside(&mut venue, &person(7), role);
        venue.play(2);
        Self { venue, bystander, intruder }
    }

    fn say(&mut self, lane: Lane, message: &Message<'_>) {
        self.intruder.say(&mut self.venue, lane, message);
    }

    fn deliver(&mut self, lane: Lane, bytes: &[u8]) {
        self.venue.deliver(self.intruder.link, lane, bytes);
    }

    /// The intruder's counters.
    fn counters(&self) -> theta_core::session::LinkStatistics {
        let peer = self.venue.host.peer_of(self.intruder.link).expect("still a member");
        self.venue.host.statistics(peer).expect("statistics")
    }

    fn inputs(&self) -> Vec<Tick> {
        let inputs = self.venue.events.iter().filter_map(|event| match event {
            HostEvent::Input { sample, .. } => Some(sample.input_tick),
            _ => None,
        });
        inputs.collect()
    }

    /// The others got every tick of a while, as it was; nobody was said to differ.
    fn assert_others_play_on(&mut self) {
        let frames = self.venue.guests[self.bystander].frames();
        self.venue.play(10);
        let guest = &self.venue.guests[self.bystander];
        assert_eq!(guest.frames(), frames + 10);
        assert_eq!(guest.peer.replica().fold(self.venue.tick), Some(self.venue.fold()));
        assert_eq!(guest.peer.state(), PeerState::Live);
        assert_eq!(guest.peer.statistics().repairs, 0);
    }

    fn assert_goes_on(mut self) {
        assert_eq!(self.intruder.ending(&self.venue), None);
        self.assert_others_play_on();
        assert_eq!(self.intruder.ending(&self.venue), None);
        assert_eq!(self.venue.host.members().len(), 2);
    }

    fn assert_ended(mut self, expected: DisconnectCode) {
        assert_eq!(self.intruder.ending(&self.venue), Some(expected));
        let left = self
            .venue
            .events
            .iter()
            .any(|event| matches!(event, HostEvent::PeerLeft { code, .. } if *code == expected));
        assert!(left, "the application was told");
        assert_eq!(self.venue.host.members().len(), 1);
        let told = self.venue.guests[self.bystander]
            .events
            .iter()
            .any(|event| matches!(event, PeerEvent::PeerLeft { code, .. } if *code == expected));
        assert!(told, "and so were the others");
        self.assert_others_play_on();
        self.venue.assert_serves();
    }
}

fn input_of(samples: &[InputSample]) -> Message<'static> {
    let mut bits = BitWriter::new();
    pack(samples, &mut bits);
    input_message(samples[0].input_tick, bits.into_bytes())
}

fn input_message(input_tick: Tick, payload: Vec<u8>) -> Message<'static> {
    Message::InputPredictiveState(InputPredictiveState {
        input_tick,
        view_tick: Tick::ZERO,
        sampled_at_us: 0,
        display_after_us: 0,
        horizon_us: 0,
        payload: payload.into(),
    })
}

fn input_at(tick: u32) -> Message<'static> {
    input_of(&[InputSample { input_tick: Tick(tick), ..InputSample::default() }])
}

// ---- Packets ----

#[test]
fn a_repeated_datagram_is_acted_on_once() {
    let mut scene = Scene::new(Role::Editor);
    let bytes = packet(scene.intruder.next_header(Lane::Input), &[input_at(3)]);
    for _ in 0..5 {
        scene.deliver(Lane::Input, &bytes);
    }
    assert_eq!(scene.counters().packets.dropped_replayed, 4);
    assert_eq!(scene.inputs(), [Tick(3)]);
    // Sequence 0 and those long past are not new either.
    let far = PacketHeader { sequence: 5000, ..scene.intruder.header };
    scene.deliver(Lane::Input, &packet(far, &[input_at(4)]));
    for sequence in [0, 1, 3976] {
        let old = PacketHeader { sequence, ..scene.intruder.header };
        scene.deliver(Lane::Input, &packet(old, &[input_at(6)]));
    }
    assert_eq!(scene.counters().packets.dropped_replayed, 7);
    assert_eq!(scene.inputs(), [Tick(3), Tick(4)]);
    scene.assert_goes_on();
}

#[test]
fn a_player_whose_clock_was_set_back_goes_on_playing() {
    let mut scene = Scene::new(Role::Editor);
    let header = scene.intruder.next_header(Lane::Input);
    let late = packet(header, &[input_at(3)]);
    scene.say(Lane::Input, &input_at(4));
    scene.say(Lane::Input, &input_at(90));
    scene.say(Lane::Input, &input_at(5));
    scene.say(Lane::Input, &input_at(6));
    // What was overtaken on its way is old, not a clock set back.
    scene.deliver(Lane::Input, &late);
    assert_eq!(scene.inputs(), [Tick(4), Tick(90), Tick(5), Tick(6)]);
    scene.assert_goes_on();
}

#[test]
fn nobody_throws_itself_out() {
    let mut scene = Scene::new(Role::Editor);
    let words = Ending { code: DisconnectCode::Banned, text: "so they say".into(), hint: String::new() };
    scene.say(Lane::Control, &Message::SessionControl(SessionControl::Close(words)));
    scene.assert_ended(DisconnectCode::Left);
}

#[test]
fn a_repeated_or_missing_packet_on_a_reliable_lane_ends_the_link() {
    let beat = Message::Heartbeat(Heartbeat { sent_us: 1, ..Heartbeat::default() });
    for sequences in [[2, 2], [2, 4], [2, 1], [3, 4], [0, 1], [u32::MAX, 0]] {
        let mut scene = Scene::new(Role::Editor);
        for sequence in sequences {
            let header = PacketHeader { sequence, ..scene.intruder.header };
            scene.deliver(Lane::Control, &packet(header, core::slice::from_ref(&beat)));
        }
        scene.assert_ended(DisconnectCode::BadEnvelope);
    }
}

#[test]
fn another_epoch_or_schema_is_not_acted_on() {
    let right = Scene::new(Role::Editor).intruder.header;
    let wrong = [
        PacketHeader { epoch: 0, ..right },
        PacketHeader { epoch: 0, schema: 0, ..right },
        PacketHeader { epoch: right.epoch + 1, ..right },
        PacketHeader { epoch: u16::MAX, ..right },
        PacketHeader { schema: 0, ..right },
        PacketHeader { schema: right.schema ^ 0x8000, ..right },
    ];
    for header in wrong {
        let mut scene = Scene::new(Role::Editor);
        let header = PacketHeader { sequence: 1, ..header };
        scene.deliver(Lane::Input, &packet(header, &[input_at(3)]));
        assert_eq!((scene.counters().packets.dropped_foreign, scene.inputs().len()), (1, 0));
        // It did not use up the sequence of a real one.
        scene.say(Lane::Input, &input_at(3));
        assert_eq!(scene.inputs(), [Tick(3)]);
        let reliable = PacketHeader { sequence: 2, ..header };
        let beat = Message::Heartbeat(Heartbeat::default());
        scene.deliver(Lane::Control, &packet(reliable, &[beat]));
        scene.assert_ended(DisconnectCode::EpochFenced);
    }
}

#[test]
fn damaged_packets_are_dropped_where_that_may_be_and_end_the_link_where_not() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage, DisconnectCode); 9] = [
        ("crc", |bytes| bytes[20] ^= 1, DisconnectCode::BadCrc),
        ("cut", |bytes| bytes.truncate(bytes.len() - 1), DisconnectCode::BadEnvelope),
        ("longer", |bytes| bytes.push(0), DisconnectCode::BadEnvelope),
        ("nothing", Vec::clear, DisconnectCode::BadEnvelope),
        ("version", |bytes| bytes[2] = 2, DisconnectCode::BadEnvelope),
        ("flags", |bytes| bytes[3] |= 0x10, DisconnectCode::BadEnvelope),
        ("compressed", |bytes| bytes[3] |= 1, DisconnectCode::BadEnvelope),
        ("unknown message", |bytes| bytes[ENVELOPE_BYTES] = 19, DisconnectCode::BadEnvelope),
        ("message too long", |bytes| bytes[ENVELOPE_BYTES + 2] = 0xff, DisconnectCode::BadEnvelope),
    ];
    for (what, damage, code) in cases {
        for (lane, message) in
            [(Lane::Input, input_at(3)), (Lane::Control, Message::Heartbeat(Heartbeat::default()))]
        {
            let mut scene = Scene::new(Role::Editor);
            let mut bytes = packet(scene.intruder.next_header(lane), &[message]);
            damage(&mut bytes);
            if bytes.len() >= ENVELOPE_BYTES && code == DisconnectCode::BadEnvelope {
                reseal(&mut bytes);
            }
            scene.deliver(lane, &bytes);
            if lane.is_reliable() {
                scene.assert_ended(code);
            } else {
                assert_eq!(scene.counters().packets.dropped_malformed, 1, "{what}");
                assert!(scene.inputs().is_empty());
                scene.assert_goes_on();
            }
        }
    }
}

#[test]
fn every_bit_of_a_datagram_may_be_wrong() {
    let mut scene = Scene::new(Role::Editor);
    let bytes = packet(scene.intruder.next_header(Lane::Input), &[input_at(3)]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        scene.deliver(Lane::Input, &damaged);
    }
    assert_eq!(scene.counters().packets.dropped_malformed, bytes.len() as u64 * 8);
    assert!(scene.inputs().is_empty());
    scene.assert_goes_on();
}

#[test]
fn a_packet_has_a_largest_number_of_messages() {
    let mut body = Vec::new();
    let beat = Message::Heartbeat(Heartbeat { sent_us: 1, ..Heartbeat::default() });
    let encoded = beat.encode().expect("within limits");
    let mut add = |count: usize| {
        for _ in 0..count {
            body.push(MessageType::Heartbeat as u8);
            body.extend_from_slice(&(encoded.len() as u16).to_le_bytes());
            body.extend_from_slice(&encoded);
        }
        body.clone()
    };
    let seal = |header: &PacketHeader, body: &[u8]| {
        let mut bytes = Vec::new();
        theta_core::wire::envelope::seal(header, body, None, &mut bytes).expect("seals");
        bytes
    };
    let mut scene = Scene::new(Role::Editor);
    let most = add(MAX_MESSAGES_PER_PACKET);
    let bytes = seal(&scene.intruder.next_header(Lane::Control), &most);
    scene.deliver(Lane::Control, &bytes);
    assert_eq!(scene.intruder.ending(&scene.venue), None);
    let over = add(1);
    let bytes = seal(&scene.intruder.next_header(Lane::Control), &over);
    scene.deliver(Lane::Control, &bytes);
    scene.assert_ended(DisconnectCode::BadEnvelope);
}

#[test]
fn lanes_without_end_are_not_remembered_without_end() {
    let mut scene = Scene::new(Role::Editor);
    let header = PacketHeader { sequence: 1, ..scene.intruder.header };
    let empty = packet(header, &[]);
    for ordinal in 0..u16::MAX {
        scene.deliver(Lane::Bulk(ordinal), &empty);
        if scene.intruder.ending(&scene.venue).is_some() {
            assert!((32..256).contains(&ordinal), "after {ordinal}");
            break;
        }
    }
    scene.assert_ended(DisconnectCode::LimitExceeded);
}

#[test]
fn a_stream_with_another_schema_ends_the_link() {
    for (lane, schema_hash) in [(Lane::Replication, 1), (Lane::Bulk(3), 0)] {
        let mut scene = Scene::new(Role::Editor);
        let opened = LinkInput::StreamOpened { lane, schema_hash };
        scene.venue.host.handle(scene.venue.now, scene.intruder.link, opened);
        scene.venue.pump();
        scene.assert_ended(DisconnectCode::SchemaMismatch);
    }
}

#[test]
fn an_admitted_link_does_not_shake_hands_again() {
    // In its own epoch it is refused like anything else that no role may send; in the handshake's it is fenced.
    let mut scene = Scene::new(Role::Admin);
    let hello = Message::SessionHello(SessionHello { client_nonce: [1; 32], ..scene.intruder.hello() });
    scene.say(Lane::Control, &hello);
    let refusals = scene.intruder.refusals(&scene.venue);
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (refusals[0].message_type, refusals[0].reason),
        (MessageType::SessionHello, RefusalReason::RoleForbids)
    );
    let bytes = packet(PacketHeader { sequence: 1, ..PacketHeader::default() }, &[hello]);
    scene.deliver(Lane::Control, &bytes);
    scene.assert_ended(DisconnectCode::EpochFenced);
}

// ---- Bodies ----

#[test]
fn a_body_that_cannot_be_read_ends_the_link() {
    for (lane, message_type) in [
        (Lane::State, MessageType::StateAck),
        (Lane::Input, MessageType::InputPredictiveState),
        (Lane::Control, MessageType::SessionControl),
    ] {
        let mut scene = Scene::new(Role::Editor);
        let bytes = packet_of(scene.intruder.next_header(lane), message_type, &[0xff; 30]);
        scene.deliver(lane, &bytes);
        scene.assert_ended(DisconnectCode::BadMessage);
    }
}

#[test]
fn acknowledgements_of_what_was_never_sent() {
    let never = [
        StateAck { newest_sequence: 1_000_000, ..StateAck::default() },
        StateAck { newest_sequence: u32::MAX, ..StateAck::default() },
        StateAck { snapshot_id: 1_000_000, ..StateAck::default() },
        StateAck { complete_tick: Tick(u32::MAX), ..StateAck::default() },
    ];
    for ack in never {
        let mut scene = Scene::new(Role::Editor);
        scene.say(Lane::State, &Message::StateAck(ack));
        scene.assert_ended(DisconnectCode::ProtocolViolation);
    }
    // Of another member's snapshot, of packets before the first, and of nothing: without effect.
    let mut scene = Scene::new(Role::Editor);
    let first =
        StateAck { snapshot_id: 1, mask: vec![0xff; MAX_ACK_MASK_BYTES].into(), ..StateAck::default() };
    scene.say(Lane::State, &Message::StateAck(first));
    scene.say(Lane::State, &Message::StateAck(StateAck::default()));
    let live = scene.venue.events.iter().filter(|event| matches!(event, HostEvent::PeerLive(_))).count();
    assert_eq!(live, 1, "only the bystander");
    scene.assert_goes_on();
}

#[test]
fn input_from_the_future_is_counted_and_harms_no_real_one() {
    let mut scene = Scene::new(Role::Editor);
    scene.say(Lane::Input, &input_at(u32::MAX));
    scene.say(Lane::Input, &input_at(scene.venue.tick.0 + 90 * 2 + 1));
    assert_eq!((scene.counters().inputs_refused, scene.inputs().len()), (2, 0));
    let soon = scene.venue.tick.0 + 90 * 2;
    scene.say(Lane::Input, &input_at(3));
    scene.say(Lane::Input, &input_at(soon));
    assert_eq!(scene.inputs(), [Tick(3), Tick(soon)]);
    // A datagram may carry both; the one that is no input is left out.
    let of = |tick| InputSample { input_tick: Tick(tick), ..InputSample::default() };
    scene.say(Lane::Input, &input_of(&[of(u32::MAX), of(soon - 1), of(2)]));
    assert_eq!((scene.counters().inputs_refused, scene.inputs().len()), (3, 2));
    assert_eq!(scene.counters().inputs, 2);
    scene.assert_goes_on();
}

#[test]
fn input_that_is_not_packed_input_ends_the_link() {
    for payload in [vec![], vec![0xff; 8], vec![0xff; 1024]] {
        let mut scene = Scene::new(Role::Editor);
        scene.say(Lane::Input, &input_message(Tick(3), payload));
        scene.assert_ended(DisconnectCode::BadMessage);
    }
}

#[test]
fn hashes_of_ticks_to_come_and_hashes_that_contradict_themselves() {
    let mut scene = Scene::new(Role::Editor);
    let tick = Tick(scene.venue.tick.0 + 1);
    scene.say(Lane::State, &Message::StateHashReport(StateHashReport { tick, fold: 1, details: Vec::new() }));
    scene.assert_ended(DisconnectCode::ProtocolViolation);

    // "It differs", and then the very hashes that the host has: no repair for a lie.
    let mut scene = Scene::new(Role::Editor);
    let tick = scene.venue.tick;
    let report = |details| Message::StateHashReport(StateHashReport { tick, fold: 1, details });
    scene.say(Lane::State, &report(Vec::new()));
    let asked = first_in(&scene.venue.said[&scene.intruder.link], |_, message| match message {
        Message::SessionControl(SessionControl::RequestHashDetails(request)) => Some(request.tick),
        _ => None,
    });
    assert_eq!(asked, Some(tick));
    let replica = scene.venue.guests[scene.bystander].peer.replica();
    let right: Vec<_> = replica
        .hash_details(tick, &[])
        .into_iter()
        .map(|hashes| ChunkDetail { chunk: hashes.chunk, hash: hashes.hash, columns: hashes.columns })
        .collect();
    assert!(!right.is_empty());
    scene.say(Lane::Control, &report(right));
    scene.assert_ended(DisconnectCode::Desynchronised);
}

#[test]
fn a_member_that_always_differs_costs_one_repair_at_a_time() {
    let mut scene = Scene::new(Role::Editor);
    let wrong = vec![ChunkDetail { chunk: ChunkId(1), hash: 7, columns: vec![7; 9] }];
    let mut repairs = 0;
    for round in 0..200 {
        let tick = scene.venue.tick;
        let details = if round % 3 == 0 { Vec::new() } else { wrong.clone() };
        let report = StateHashReport { tick, fold: 1, details };
        let lane = if round % 3 == 0 { Lane::State } else { Lane::Control };
        scene.say(lane, &Message::StateHashReport(report));
        if scene.intruder.ending(&scene.venue).is_some() {
            break;
        }
        repairs = 0;
        first_in::<()>(&scene.venue.said[&scene.intruder.link], |lane, message| {
            repairs += u32::from(lane == Lane::Replication && matches!(message, Message::WorldSnapshot(_)));
            None
        });
    }
    assert!(repairs <= 1, "{repairs} repairs that nobody acknowledged");
    scene.assert_others_play_on();
}

#[test]
fn requests_for_chunks_that_there_are_not() {
    let mut scene = Scene::new(Role::Editor);
    for _ in 0..50 {
        let ids = (0..MAX_NACK_IDS as u32).map(|id| u32::MAX - id).collect();
        let request = NackRequest { kind: NackKind::SnapshotChunks, subject: 0, ids };
        scene.say(Lane::Control, &Message::NackRequest(request));
    }
    scene.assert_goes_on();
}

#[test]
fn a_heart_that_lies_about_time_harms_itself() {
    let mut scene = Scene::new(Role::Editor);
    for (sent_us, echo_sent_us, echo_held_us) in [
        (u64::MAX, u64::MAX, u32::MAX),
        (1, 1, 0),
        (u64::MAX, 1, u32::MAX),
        (0, u64::MAX, 0),
        (1, 999_999, 1),
    ] {
        let beat = Heartbeat {
            sent_us,
            echo_sent_us,
            echo_held_us,
            newest_tick: Tick(u32::MAX),
            confirmed_tick: Tick(u32::MAX),
            host_time_us: u64::MAX,
            host_tick: Tick(u32::MAX),
            ..Heartbeat::default()
        };
        scene.say(Lane::Control, &Message::Heartbeat(beat));
        scene.venue.pass_ms(100);
    }
    assert_eq!(scene.counters().confirmed_tick, Tick::ZERO, "what it says of itself confirms nothing");
    scene.assert_goes_on();
}

// ---- Roles ----

#[test]
fn what_a_role_may_not_do_is_refused_signed_and_not_too_often() {
    let mut scene = Scene::new(Role::Viewer);
    for _ in 0..50 {
        scene.say(Lane::Input, &input_at(3));
    }
    let refusals = scene.intruder.refusals(&scene.venue);
    assert_eq!(refusals.len(), 4, "four a second");
    let terms = scene.venue.host.terms();
    for (refusal, sequence) in refusals.iter().zip(1..) {
        assert_eq!(refusal.reason, RefusalReason::RoleForbids);
        assert_eq!((refusal.message_type, refusal.lane), (MessageType::InputPredictiveState, 3));
        assert_eq!(refusal.sequence, sequence);
        let statement = theta_core::session::keys::refusal_statement(refusal, &terms.session_id);
        assert!(theta_core::session::keys::verify(
            &terms.identity.public_key(),
            &statement,
            &refusal.signature
        ));
    }
    assert!(scene.inputs().is_empty());
    scene.venue.pass_ms(1000);
    scene.say(Lane::Input, &input_at(4));
    assert_eq!(scene.intruder.refusals(&scene.venue).len(), 5, "and again in the next second");
    scene.assert_goes_on();
}

#[test]
fn who_never_stops_sending_what_it_may_not_is_put_out() {
    let mut scene = Scene::new(Role::Viewer);
    for _ in 0..1000 {
        scene.say(Lane::Input, &input_at(3));
    }
    assert_eq!(scene.intruder.ending(&scene.venue), None);
    scene.say(Lane::Input, &input_at(3));
    scene.assert_ended(DisconnectCode::MessageForbidden);
}

#[test]
fn a_viewers_application_hears_that_it_may_only_look() {
    let mut venue = Venue::new();
    let viewer = venue.welcome(7, Role::Viewer);
    let now = venue.now;
    venue.guests[viewer].peer.send_input(now, InputSample::default());
    venue.pass_ms(1);
    let refused = venue.guests[viewer].events.iter().any(|event| {
        matches!(event, PeerEvent::Refused { reason: RefusalReason::RoleForbids, text } if !text.is_empty())
    });
    assert!(refused);
    assert!(!venue.events.iter().any(|event| matches!(event, HostEvent::Input { .. })));
    let editor = venue.arrive(Arrival::honest(&person(8), Role::Editor));
    venue.play(3);
    let now = venue.now;
    venue.guests[editor].peer.send_input(now, InputSample::default());
    venue.pass_ms(1);
    assert!(venue.events.iter().any(|event| matches!(event, HostEvent::Input { .. })));
}
