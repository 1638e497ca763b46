//! Any message that keeps the limits survives FlatBuffers and CBOR unchanged.

use proptest::prelude::*;
use std::borrow::Cow;
use theta_core::types::{ChunkId, ComponentId, EntityId, PeerId, Tick};
use theta_core::wire::codes::{CapabilityReason, DisconnectCode, RefusalReason};
use theta_core::wire::message::*;
use theta_core::wire::{WireError, cbor, limits};

/// Draws values from a seed (splitmix64), so that a failure is one number.
struct Draw(u64);

impl Draw {
    fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ mixed >> 31;
        // Small values and the ends of the range matter more than their share.
        match mixed % 5 {
            0 => mixed >> 60,
            1 => u64::MAX - (mixed >> 60),
            _ => mixed,
        }
    }

    fn u32(&mut self) -> u32 {
        self.u64() as u32
    }

    fn u16(&mut self) -> u16 {
        self.u64() as u16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.u64() % bound as u64) as usize
    }

    fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    fn pick<E: WireEnum>(&mut self) -> E {
        E::ALL[self.below(E::ALL.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.u64() as u8).collect()
    }

    fn cow(&mut self, most: usize) -> Cow<'static, [u8]> {
        Cow::Owned(self.bytes(most))
    }

    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.u64() as u8)
    }

    fn maybe<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bool().then(|| self.fixed())
    }

    fn text(&mut self, most: usize) -> String {
        let length = self.below(most / 4 + 1);
        (0..length).map(|_| char::from_u32(self.u32() % 0x300 + 1).unwrap_or('?')).collect()
    }

    fn many<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn tick(&mut self) -> Tick {
        Tick(self.u32())
    }

    fn peer(&mut self) -> PeerId {
        PeerId(self.u16())
    }

    fn entity(&mut self) -> EntityId {
        EntityId(self.u64())
    }

    fn roster_peer(&mut self) -> RosterPeer {
        RosterPeer {
            peer: self.peer(),
            role: self.pick(),
            team: self.u16(),
            away: self.bool(),
            key: self.fixed(),
            name: self.text(limits::MAX_NAME_BYTES),
            application: self.bytes(40),
        }
    }

    fn archetypes(&mut self) -> Vec<ArchetypeDefinition> {
        self.many(20, |draw| {
            let mut components = draw.many(30, Self::u16);
            components.sort_unstable();
            components.dedup();
            ArchetypeDefinition { id: draw.u32(), components }
        })
    }

    fn ending(&mut self) -> Ending {
        Ending {
            code: self.pick(),
            text: self.text(limits::MAX_TEXT_BYTES),
            hint: self.text(limits::MAX_TEXT_BYTES),
        }
    }

    fn hello(&mut self) -> SessionHello {
        let mut components = self.many(30, |draw| ComponentLayout {
            id: ComponentId(draw.u64()),
            layout_hash: draw.u64(),
            name: draw.text(60),
        });
        components.sort_by_key(|component| component.id);
        components.dedup_by_key(|component| component.id);
        SessionHello {
            version: Version { major: self.u16(), minor: self.u16(), patch: self.u16() },
            client_nonce: self.fixed(),
            client_key: self.fixed(),
            schema_hash: self.u64(),
            components,
            manifest_checksum: self.maybe(),
            document_id: self.maybe(),
            resume_token: self.bytes(limits::MAX_TOKEN_BYTES),
            transports: self.u32(),
            compressions: self.u32(),
            security_modes: self.u32(),
            capabilities: self.u64(),
            dictionaries: self.many(limits::MAX_DICTIONARIES, Self::u64),
            last_tick: self.tick(),
            last_log: LogPosition { term: self.u32(), index: self.u32() },
            client_name: self.text(limits::MAX_NAME_BYTES),
            application: self.bytes(100),
        }
    }

    fn core(&mut self) -> AcknowledgeCore {
        AcknowledgeCore {
            version: Version { major: self.u16(), minor: self.u16(), patch: self.u16() },
            server_nonce: self.fixed(),
            session_id: self.fixed(),
            document_id: self.fixed(),
            host_key: self.fixed(),
            certificate: HostCertificate {
                document_id: self.fixed(),
                host_key: self.fixed(),
                authority_key: self.fixed(),
                term: self.u32(),
                signature: self.fixed(),
            },
            term: self.u32(),
            session_epoch: self.u16(),
            schema_hash: self.u64(),
            capabilities: self.u64(),
            refused: self.many(limits::MAX_REFUSED, |draw| RefusedCapability {
                capability: CapabilityBit::from_number(draw.below(64) as u8).expect("a bit"),
                reason: draw.pick::<CapabilityReason>(),
            }),
            binding: self.pick(),
            x25519_key: self.maybe(),
            compression: self.pick(),
            dictionary_hash: self.u64(),
            security_mode: self.pick(),
            tick_rate_hz: self.u16(),
            genesis: self.bytes(limits::MAX_GENESIS_BYTES),
        }
    }

    fn control(&mut self, kind: ControlKind) -> SessionControl {
        match kind {
            ControlKind::Admitted => SessionControl::Admitted(Admitted {
                peer: self.peer(),
                role: self.pick(),
                team: self.u16(),
                tick_rate_hz: self.u16(),
                level: self.text(limits::MAX_NAME_BYTES),
                application: self.bytes(100),
                resume_token: self.bytes(limits::MAX_TOKEN_BYTES),
                host_time_us: self.u64(),
                host_tick: self.tick(),
                resume_grace_ms: self.u32(),
            }),
            ControlKind::Denied => SessionControl::Denied(self.ending()),
            ControlKind::Loaded => SessionControl::Loaded,
            ControlKind::Leave => SessionControl::Leave(self.ending()),
            ControlKind::Kick => SessionControl::Kick(self.ending()),
            ControlKind::Refusal => SessionControl::Refusal(Refusal {
                message_type: self.pick(),
                command_type: self.u32(),
                reason: self.pick::<RefusalReason>(),
                lane: self.u64() as u8,
                sequence: self.u32(),
                text: self.text(limits::MAX_TEXT_BYTES),
                signature: self.fixed(),
            }),
            ControlKind::PeerJoined => SessionControl::PeerJoined(self.roster_peer()),
            ControlKind::PeerLeft => {
                SessionControl::PeerLeft { peer: self.peer(), code: self.pick::<DisconnectCode>() }
            }
            ControlKind::Away => SessionControl::Away { peer: self.peer(), grace_ms: self.u32() },
            ControlKind::Back => SessionControl::Back { peer: self.peer() },
            ControlKind::EpochChange => SessionControl::EpochChange { epoch: self.u16() },
            ControlKind::RequestHashDetails => SessionControl::RequestHashDetails(HashDetailsRequest {
                tick: self.tick(),
                chunks: self.many(50, |draw| ChunkId(draw.u32())),
            }),
            ControlKind::ArchetypeDefinitions => SessionControl::ArchetypeDefinitions(self.archetypes()),
            ControlKind::Close => SessionControl::Close(self.ending()),
            ControlKind::RoleChanged => SessionControl::RoleChanged { peer: self.peer(), role: self.pick() },
            ControlKind::LevelChange => SessionControl::LevelChange(LevelChange {
                level: self.text(limits::MAX_NAME_BYTES),
                application: self.bytes(100),
            }),
            ControlKind::ResumeToken => SessionControl::ResumeToken(self.bytes(limits::MAX_TOKEN_BYTES)),
            ControlKind::Manifest => {
                let part_count = 1 + self.below(limits::MAX_MANIFEST_PARTS) as u16;
                SessionControl::Manifest(ManifestPart {
                    checksum: self.fixed(),
                    part: self.below(part_count as usize) as u16,
                    part_count,
                    bytes: self.bytes(300),
                })
            }
        }
    }

    fn message(&mut self, message_type: MessageType) -> Message<'static> {
        match message_type {
            MessageType::SessionHello => Message::SessionHello(self.hello()),
            MessageType::SessionAcknowledge => Message::SessionAcknowledge(SessionAcknowledge {
                core: self.bytes(500),
                signature: self.fixed(),
            }),
            MessageType::SessionConfirm => {
                let kind = self.pick();
                let bytes = if kind == AdmissionKind::None { Vec::new() } else { self.bytes(300) };
                let admission = Admission::new(kind, bytes).expect("bytes where the kind has some");
                Message::SessionConfirm(SessionConfirm { signature: self.fixed(), admission })
            }
            MessageType::Heartbeat => Message::Heartbeat(Heartbeat {
                sent_us: self.u64(),
                echo_sent_us: self.u64(),
                echo_held_us: self.u32(),
                newest_tick: self.tick(),
                confirmed_tick: self.tick(),
                log_head: LogPosition { term: self.u32(), index: self.u32() },
                block_hash: self.maybe(),
                lanes: self.many(6, |draw| LaneCount {
                    lane: draw.below(6) as u8,
                    received: draw.u32(),
                    newest: draw.u32(),
                }),
                host_time_us: self.u64(),
                host_tick: self.tick(),
            }),
            MessageType::WorldSnapshot => {
                let chunk_count = 1 + self.below(limits::MAX_SNAPSHOT_CHUNKS) as u32;
                let chunk = if self.bool() { 0 } else { self.below(chunk_count as usize) as u32 };
                let first = chunk == 0;
                Message::WorldSnapshot(WorldSnapshot {
                    snapshot_id: self.u32().max(1),
                    tick: self.tick(),
                    log_term: self.u32(),
                    log_index: self.u32(),
                    chunk,
                    chunk_count,
                    reason: self.pick(),
                    roster: if first { self.many(10, Self::roster_peer) } else { Vec::new() },
                    archetypes: if first { self.archetypes() } else { Vec::new() },
                    payload: self.cow(2000),
                })
            }
            MessageType::ComponentDelta => {
                let part_count = 1 + self.below(limits::MAX_PARTS) as u16;
                Message::ComponentDelta(ComponentDelta {
                    tick: self.tick(),
                    log_term: self.u32(),
                    log_index: self.u32(),
                    mode: self.pick(),
                    last_input_tick: self.tick(),
                    input_speed_hint: self.u64() as i8,
                    part: self.below(part_count as usize) as u16,
                    part_count,
                    payload: self.cow(1100),
                })
            }
            MessageType::StateAck => Message::StateAck(StateAck {
                newest_sequence: self.u32(),
                complete_tick: self.tick(),
                snapshot_id: self.u32(),
                mask: self.cow(limits::MAX_ACK_MASK_BYTES),
            }),
            MessageType::StateHashReport => {
                let mut details = self.many(20, |draw| ChunkDetail {
                    chunk: ChunkId(draw.u32()),
                    hash: draw.u64(),
                    columns: draw.many(9, Self::u64),
                });
                details.sort_by_key(|detail| detail.chunk);
                details.dedup_by_key(|detail| detail.chunk);
                Message::StateHashReport(StateHashReport { tick: self.tick(), fold: self.u64(), details })
            }
            MessageType::InterestSet => Message::InterestSet(InterestSet {
                revision: self.u32(),
                scopes: self.many(20, |draw| InterestScope { kind: draw.pick(), key: draw.u64() }),
                focuses: self.many(limits::MAX_INTEREST_FOCUSES, |draw| InterestFocus {
                    x: draw.u32() as f64 / 64.0,
                    y: -(draw.u32() as f64),
                    z: draw.u32() as f64 * 1e30,
                    radius: draw.u32() as f64,
                }),
            }),
            MessageType::Ownership => Message::Ownership(Ownership {
                kind: self.pick(),
                entity: self.entity(),
                owner: self.peer(),
                tick: self.tick(),
                request_id: self.u32(),
                reason: self.pick(),
            }),
            MessageType::CommandLogEntry => Message::CommandLogEntry(CommandLogEntry {
                kind: self.pick(),
                header: self.cow(300),
                payload: self.cow(300),
                signature: self.fixed(),
            }),
            MessageType::InputPredictiveState => Message::InputPredictiveState(InputPredictiveState {
                input_tick: self.tick(),
                view_tick: self.tick(),
                sampled_at_us: self.u64(),
                display_after_us: self.u32(),
                horizon_us: self.u32(),
                payload: self.cow(limits::MAX_INPUT_BYTES),
            }),
            MessageType::EditorEvent => Message::EditorEvent(EditorEvent {
                kind: self.pick(),
                author: self.peer(),
                key: self.u64(),
                revision: self.u32(),
                time_to_live_ms: self.u32(),
                entity: self.entity(),
                payload: self.cow(limits::MAX_EDITOR_EVENT_BYTES),
            }),
            MessageType::AssetTransfer => {
                let total_bytes = self.u64() % (limits::MAX_ASSET_BYTES + 1);
                Message::AssetTransfer(AssetTransfer {
                    asset: self.fixed(),
                    kind: self.pick(),
                    status: self.pick(),
                    priority: self.u64() as u8,
                    chunk: self.u32(),
                    offset: self.u64() % (total_bytes + 1),
                    total_bytes,
                    chunk_hash: self.maybe(),
                    resume_token: self.cow(limits::MAX_TOKEN_BYTES),
                    data: self.cow(2000),
                })
            }
            MessageType::TelemetryReport => {
                let from_us = self.u64();
                Message::TelemetryReport(TelemetryReport {
                    from_us,
                    until_us: from_us.saturating_add(self.u32() as u64),
                    samples: self.many(40, |draw| TelemetrySample { counter: draw.u16(), value: draw.u64() }),
                })
            }
            MessageType::SessionControl => {
                let kind = self.pick();
                Message::SessionControl(self.control(kind))
            }
            MessageType::NackRequest => Message::NackRequest(NackRequest {
                kind: self.pick(),
                subject: self.u64(),
                ids: self.many(60, Self::u32),
            }),
            MessageType::AppMessage => {
                let target: AppTarget = self.pick();
                let needs_entity = matches!(target, AppTarget::Owner | AppTarget::Interested);
                Message::AppMessage(AppMessage {
                    kind: self.u16(),
                    target,
                    peer: self.peer(),
                    sender: self.peer(),
                    entity: if needs_entity { EntityId(self.u64().max(1)) } else { EntityId::NONE },
                    stamp_us: self.u64(),
                    payload: self.cow(1000),
                })
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_message_survives_flatbuffers_and_cbor(seed: u64) {
        let mut draw = Draw(seed);
        let mut encoder = MessageEncoder::new();
        for &message_type in MessageType::ALL {
            let message = draw.message(message_type);
            let body = encoder.encode(&message)?;
            let decoded = Message::decode(message_type, body)?;
            prop_assert_eq!(&decoded, &message);
            let text = cbor::to_cbor(&message)?;
            prop_assert_eq!(&cbor::from_cbor_as(message_type, &text)?, &message);
        }
    }

    #[test]
    fn every_core_survives(seed: u64) {
        let core = Draw(seed).core();
        prop_assert_eq!(AcknowledgeCore::decode(&core.encode()?)?, core);
    }

    #[test]
    fn noise_is_an_error_or_a_valid_message(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        for &message_type in MessageType::ALL {
            if let Ok(message) = Message::decode(message_type, &noise) {
                prop_assert_eq!(message.check(), Ok(()));
            }
        }
        if let Ok(message) = cbor::from_cbor(&noise) {
            prop_assert_eq!(message.check(), Ok(()));
        }
    }
}

#[test]
fn cbor_is_bounded_in_depth_and_size() {
    let deep = vec![0x81; 10_000];
    assert!(matches!(cbor::from_cbor(&deep), Err(WireError::Cbor(_))));
    let long = vec![0; limits::MAX_CBOR_BYTES + 1];
    assert!(matches!(cbor::from_cbor(&long), Err(WireError::OverLimit { .. })));
    let mut trailing =
        cbor::to_cbor(&Message::SessionControl(SessionControl::Loaded)).expect("within limits");
    trailing.push(0);
    assert_eq!(cbor::from_cbor(&trailing), Err(WireError::TrailingBytes));
}

#[test]
fn what_passes_a_limit_is_neither_sent_nor_received() {
    let long = Message::AppMessage(AppMessage {
        kind: 1,
        target: AppTarget::All,
        peer: PeerId(0),
        sender: PeerId(0),
        entity: EntityId::NONE,
        stamp_us: 0,
        payload: Cow::Owned(vec![0; limits::MAX_APP_MESSAGE_BYTES + 1]),
    });
    let expected = Err(WireError::OverLimit {
        field: "MAX_APP_MESSAGE_BYTES",
        actual: limits::MAX_APP_MESSAGE_BYTES + 1,
        limit: limits::MAX_APP_MESSAGE_BYTES,
    });
    assert_eq!(long.encode(), expected);
    let mut text = Vec::new();
    ciborium::into_writer(&long, &mut text).expect("a vector takes everything");
    assert_eq!(cbor::from_cbor(&text).map(|_| Vec::new()), expected);
}
