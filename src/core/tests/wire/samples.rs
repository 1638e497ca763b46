//! One message of every type with every field set, and one for every value of every enum.

use std::borrow::Cow;
use theta_core::types::{ChunkId, ComponentId, EntityId, PeerId, Tick};
use theta_core::wire::codes::{CapabilityReason, DisconnectCode, RefusalReason};
use theta_core::wire::message::*;

/// Bytes that differ from place to place, so that a shifted field shows.
pub fn pattern<const N: usize>(seed: u8) -> [u8; N] {
    std::array::from_fn(|index| seed.wrapping_add(index as u8))
}

fn all_bits<E: WireEnum>() -> u64 {
    E::ALL.iter().map(|value| value.bit()).sum()
}

fn roster_peer(slot: u16, role: Role) -> RosterPeer {
    RosterPeer {
        peer: PeerId(slot),
        role,
        team: 0x0102,
        away: slot % 2 == 1,
        key: pattern(slot as u8),
        name: format!("peer {slot} ä"),
        application: vec![slot as u8; 3],
    }
}

fn archetypes() -> Vec<ArchetypeDefinition> {
    vec![
        ArchetypeDefinition { id: 1, components: vec![0, 3, 0x0102] },
        ArchetypeDefinition { id: 0x01020304, components: vec![0] },
    ]
}

/// An acknowledgement core with every field set and every capability and reason refused once.
pub fn core() -> AcknowledgeCore {
    AcknowledgeCore {
        version: Version { major: 1, minor: 2, patch: 3 },
        server_nonce: pattern(0x10),
        session_id: pattern(0x30),
        document_id: pattern(0x40),
        host_key: pattern(0x60),
        certificate: HostCertificate {
            document_id: pattern(0x40),
            host_key: pattern(0x60),
            authority_key: pattern(0x80),
            term: 0x01020304,
            signature: pattern(0xa0),
        },
        term: 0x01020304,
        session_epoch: 0x0506,
        schema_hash: 0x0102_0304_0506_0708,
        capabilities: all_bits::<Capability>(),
        refused: Capability::ALL
            .iter()
            .zip(CapabilityReason::ALL.iter().cycle())
            .map(|(&capability, &reason)| RefusedCapability {
                capability: CapabilityBit::Known(capability),
                reason,
            })
            .collect(),
        binding: BindingKind::TlsExporter,
        x25519_key: Some(pattern(0xc0)),
        compression: CompressionKind::ZstdDictionary,
        dictionary_hash: 0x1112_1314_1516_1718,
        security_mode: SecurityMode::EndToEnd,
        tick_rate_hz: 90,
        genesis: pattern::<64>(0xd0).to_vec(),
    }
}

/// Cores: one with everything, one with nothing optional, one for each enum value not among them.
pub fn cores() -> Vec<(String, AcknowledgeCore)> {
    let plain = AcknowledgeCore {
        refused: Vec::new(),
        capabilities: 0,
        x25519_key: None,
        compression: CompressionKind::None,
        dictionary_hash: 0,
        security_mode: SecurityMode::Transport,
        binding: BindingKind::Memory,
        ..core()
    };
    let mut list = vec![("core_full".to_owned(), core()), ("core_plain".to_owned(), plain.clone())];
    for &binding in BindingKind::ALL {
        list.push((format!("core_binding_{binding:?}"), AcknowledgeCore { binding, ..plain.clone() }));
    }
    list
}

pub fn hello() -> SessionHello {
    SessionHello {
        version: Version { major: 1, minor: 2, patch: 3 },
        client_nonce: pattern(1),
        client_key: pattern(2),
        schema_hash: 0x0102_0304_0506_0708,
        components: vec![
            ComponentLayout { id: ComponentId(5), layout_hash: 6, name: "demo.cube".into() },
            ComponentLayout { id: ComponentId(u64::MAX), layout_hash: 1 << 63, name: "theta.entity".into() },
        ],
        manifest_checksum: Some(pattern(3)),
        document_id: Some(pattern(4)),
        resume_token: pattern::<24>(5).to_vec(),
        transports: all_bits::<TransportKind>() as u32,
        compressions: all_bits::<CompressionKind>() as u32,
        security_modes: all_bits::<SecurityMode>() as u32,
        capabilities: all_bits::<Capability>(),
        dictionaries: vec![7, u64::MAX],
        last_tick: Tick(0x01020304),
        last_log: LogPosition { term: 9, index: 0x0a0b0c0d },
        client_name: "Ünïcode client".into(),
        application: vec![1, 2, 3],
    }
}

fn ending(code: DisconnectCode) -> Ending {
    Ending { code, text: format!("{code:?}: 1.2.3 and 1.4.0"), hint: code.hint().to_owned() }
}

/// Every message with a name.
#[allow(clippy::vec_init_then_push)]
pub fn messages() -> Vec<(String, Message<'static>)> {
    let mut list: Vec<(String, Message<'static>)> = Vec::new();
    let mut add = |name: &str, message: Message<'static>| list.push((name.to_owned(), message));

    add("hello_full", Message::SessionHello(hello()));
    add("hello_empty", Message::SessionHello(SessionHello::default()));
    let core = core().encode().expect("within limits");
    add("acknowledge", Message::SessionAcknowledge(SessionAcknowledge { core, signature: pattern(9) }));
    for &kind in AdmissionKind::ALL {
        let bytes = if kind == AdmissionKind::None { Vec::new() } else { pattern::<40>(kind as u8).to_vec() };
        let confirm = SessionConfirm {
            signature: pattern(0x21),
            admission: Admission::new(kind, bytes).expect("bytes where the kind has some"),
        };
        add(&format!("confirm_{kind:?}"), Message::SessionConfirm(confirm));
    }
    add(
        "heartbeat_full",
        Message::Heartbeat(Heartbeat {
            sent_us: 0x0102_0304_0506_0708,
            echo_sent_us: 0x1112_1314_1516_1718,
            echo_held_us: 0x21222324,
            newest_tick: Tick(0x31323334),
            confirmed_tick: Tick(0x41424344),
            log_head: LogPosition { term: 3, index: 4 },
            block_hash: Some(pattern(0x51)),
            lanes: (0..6)
                .map(|lane| LaneCount { lane, received: 100 + lane as u32, newest: 200 + lane as u32 })
                .collect(),
            host_time_us: 0x6162_6364_6566_6768,
            host_tick: Tick(0x71727374),
        }),
    );
    add("heartbeat_first", Message::Heartbeat(Heartbeat::default()));
    for &reason in SnapshotReason::ALL {
        add(
            &format!("snapshot_{reason:?}"),
            Message::WorldSnapshot(WorldSnapshot {
                snapshot_id: 0x01020304,
                tick: Tick(0x11121314),
                log_term: 0x21222324,
                log_index: 0x31323334,
                chunk: 0,
                chunk_count: 3,
                reason,
                roster: Role::ALL.iter().zip(1..).map(|(&role, slot)| roster_peer(slot, role)).collect(),
                archetypes: archetypes(),
                payload: Cow::Owned(pattern::<33>(7).to_vec()),
            }),
        );
    }
    add(
        "snapshot_later_piece",
        Message::WorldSnapshot(WorldSnapshot {
            snapshot_id: 1,
            tick: Tick(2),
            log_term: 0,
            log_index: 0,
            chunk: 2,
            chunk_count: 3,
            reason: SnapshotReason::Join,
            roster: Vec::new(),
            archetypes: Vec::new(),
            payload: Cow::Owned(pattern::<5>(1).to_vec()),
        }),
    );
    for &mode in DeltaMode::ALL {
        add(
            &format!("delta_{mode:?}"),
            Message::ComponentDelta(ComponentDelta {
                tick: Tick(0x01020304),
                log_term: 0x11121314,
                log_index: 0x21222324,
                mode,
                last_input_tick: Tick(0x31323334),
                input_speed_hint: -20,
                part: 1,
                part_count: 0x0203,
                payload: Cow::Owned(pattern::<21>(3).to_vec()),
            }),
        );
    }
    add(
        "state_ack",
        Message::StateAck(StateAck {
            newest_sequence: 0x01020304,
            complete_tick: Tick(0x11121314),
            snapshot_id: 0x21222324,
            mask: Cow::Owned(vec![0b1111_0111, 0xff, 1]),
        }),
    );
    add("state_ack_first", Message::StateAck(StateAck::default()));
    add(
        "hash_fold",
        Message::StateHashReport(StateHashReport {
            tick: Tick(7),
            fold: 0x0102_0304_0506_0708,
            details: Vec::new(),
        }),
    );
    add(
        "hash_details",
        Message::StateHashReport(StateHashReport {
            tick: Tick(0x01020304),
            fold: 0x1112_1314_1516_1718,
            details: vec![
                ChunkDetail { chunk: ChunkId(2), hash: 3, columns: vec![4, u64::MAX] },
                ChunkDetail { chunk: ChunkId(5), hash: 6, columns: Vec::new() },
                ChunkDetail { chunk: ChunkId(0x01020304), hash: 8, columns: vec![9] },
            ],
        }),
    );
    add(
        "interest",
        Message::InterestSet(InterestSet {
            revision: 0x01020304,
            scopes: InterestKind::ALL
                .iter()
                .map(|&kind| InterestScope { kind, key: 0x0102_0304_0506_0700 + kind as u64 })
                .collect(),
            focuses: vec![
                InterestFocus { x: 1.5, y: -2.25, z: 1e300, radius: 32.0 },
                InterestFocus { x: 0.0, y: 0.0, z: 0.0, radius: 0.0 },
            ],
        }),
    );
    for (&kind, &reason) in OwnershipKind::ALL.iter().zip(OwnershipReason::ALL) {
        add(
            &format!("ownership_{kind:?}"),
            Message::Ownership(Ownership {
                kind,
                entity: EntityId::new(0x01020304, 0x05060708),
                owner: PeerId(0x1112),
                tick: Tick(0x21222324),
                request_id: 0x31323334,
                reason,
            }),
        );
    }
    for &kind in EntryKind::ALL {
        add(
            &format!("entry_{kind:?}"),
            Message::CommandLogEntry(CommandLogEntry {
                kind,
                header: Cow::Owned(pattern::<17>(1).to_vec()),
                payload: Cow::Owned(pattern::<19>(2).to_vec()),
                signature: pattern(0x41),
            }),
        );
    }
    add(
        "input",
        Message::InputPredictiveState(InputPredictiveState {
            input_tick: Tick(0x01020304),
            view_tick: Tick(0x11121314),
            sampled_at_us: 0x2122_2324_2526_2728,
            display_after_us: 0x31323334,
            horizon_us: 0x41424344,
            payload: Cow::Owned(pattern::<47>(9).to_vec()),
        }),
    );
    for &kind in EditorEventKind::ALL {
        add(
            &format!("editor_{kind:?}"),
            Message::EditorEvent(EditorEvent {
                kind,
                author: PeerId(0x0102),
                key: 0x1112_1314_1516_1718,
                revision: 0x21222324,
                time_to_live_ms: 0x31323334,
                entity: EntityId::new(1, 2),
                payload: Cow::Owned(pattern::<6>(4).to_vec()),
            }),
        );
    }
    for (&kind, &status) in AssetKind::ALL.iter().zip(AssetStatus::ALL) {
        add(
            &format!("asset_{kind:?}"),
            Message::AssetTransfer(AssetTransfer {
                asset: pattern(0x51),
                kind,
                status,
                priority: 200,
                chunk: 0x01020304,
                offset: 0x0001_0203_0405 >> 8,
                total_bytes: 0x0003_0203_0405 >> 4,
                chunk_hash: Some(pattern(0x61)),
                resume_token: Cow::Owned(pattern::<30>(0x71).to_vec()),
                data: Cow::Owned(pattern::<50>(0x81).to_vec()),
            }),
        );
    }
    add(
        "telemetry",
        Message::TelemetryReport(TelemetryReport {
            from_us: 0x0102_0304_0506_0708,
            until_us: 0x0102_0304_0506_0709,
            samples: vec![
                TelemetrySample { counter: 0x0102, value: 0x1112_1314_1516_1718 },
                TelemetrySample { counter: 3, value: 4 },
            ],
        }),
    );
    for &kind in NackKind::ALL {
        let nack = NackRequest { kind, subject: 0x0102_0304_0506_0708, ids: vec![0x11121314, 5] };
        add(&format!("nack_{kind:?}"), Message::NackRequest(nack));
    }
    for &target in AppTarget::ALL {
        let entity = matches!(target, AppTarget::Owner | AppTarget::Interested);
        add(
            &format!("app_{target:?}"),
            Message::AppMessage(AppMessage {
                kind: 0x0102,
                target,
                peer: PeerId(0x1112),
                sender: PeerId(0x2122),
                entity: if entity { EntityId::new(0x31323334, 0x01424344) } else { EntityId::NONE },
                stamp_us: 0x5152_5354_5556_5758,
                payload: Cow::Owned(pattern::<11>(0x61).to_vec()),
            }),
        );
    }
    let mut control = |name: &str, control: SessionControl| {
        add(&format!("control_{name}"), Message::SessionControl(control));
    };
    control(
        "admitted",
        SessionControl::Admitted(Admitted {
            peer: PeerId(0x0102),
            role: Role::Admin,
            team: 0x1112,
            tick_rate_hz: 90,
            level: "levels/lobby".into(),
            application: vec![1, 2],
            resume_token: pattern::<32>(0x21).to_vec(),
            host_time_us: 0x3132_3334_3536_3738,
            host_tick: Tick(0x41424344),
            resume_grace_ms: 0x5152_5354,
        }),
    );
    control("denied", SessionControl::Denied(ending(DisconnectCode::DeniedByApplication)));
    control("loaded", SessionControl::Loaded);
    control("leave", SessionControl::Leave(ending(DisconnectCode::Left)));
    control("kick", SessionControl::Kick(ending(DisconnectCode::Kicked)));
    for &reason in RefusalReason::ALL {
        control(
            &format!("refusal_{reason:?}"),
            SessionControl::Refusal(Refusal {
                message_type: MessageType::ALL[reason as usize],
                command_type: 0x01020304,
                reason,
                lane: 1,
                sequence: 0x11121314,
                text: reason.sentence().to_owned(),
                signature: pattern(0x31),
            }),
        );
    }
    control("peer_joined", SessionControl::PeerJoined(roster_peer(7, Role::Commenter)));
    control("peer_left", SessionControl::PeerLeft { peer: PeerId(7), code: DisconnectCode::IdleTimeout });
    control("away", SessionControl::Away { peer: PeerId(7), grace_ms: 0x01020304 });
    control("back", SessionControl::Back { peer: PeerId(0x0102) });
    control("epoch_change", SessionControl::EpochChange { epoch: 0x0102 });
    control(
        "hash_details",
        SessionControl::RequestHashDetails(HashDetailsRequest {
            tick: Tick(0x01020304),
            chunks: vec![ChunkId(5), ChunkId(0x11121314)],
        }),
    );
    control("archetypes", SessionControl::ArchetypeDefinitions(archetypes()));
    for &role in Role::ALL {
        control(&format!("role_{role:?}"), SessionControl::RoleChanged { peer: PeerId(0x0102), role });
    }
    control(
        "level_change",
        SessionControl::LevelChange(LevelChange { level: "levels/arena".into(), application: vec![9, 8, 7] }),
    );
    control("resume_token", SessionControl::ResumeToken(pattern::<32>(0x51).to_vec()));
    control(
        "manifest",
        SessionControl::Manifest(ManifestPart {
            checksum: pattern(0x61),
            part: 1,
            part_count: 2,
            bytes: pattern::<13>(0x71).to_vec(),
        }),
    );
    for &code in DisconnectCode::ALL {
        control(&format!("close_{code:?}"), SessionControl::Close(ending(code)));
    }
    list
}
