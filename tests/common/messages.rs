//! Message bodies as sessions send them, generated from a seed: what the compression dictionary is trained with and
//! measured by.

use theta_core::schema::component_id;
use theta_core::types::{ChunkId, EntityId, PeerId, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::*;

/// A small generator with a seed, so that every run sees the same packets.
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn key<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| (self.next() >> 24) as u8)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len() as u64) as usize]
    }
}

const COMPONENTS: [&str; 14] = [
    "theta.entity",
    "sample.transform",
    "sample.velocity",
    "sample.health",
    "sample.label",
    "game.Transform",
    "game.RigidBody",
    "game.Health",
    "game.Inventory",
    "xr.Head",
    "xr.LeftHand",
    "xr.RightHand",
    "xr.HandJoints",
    "editor.Selection",
];
const NAMES: [&str; 8] =
    ["player", "Quest 3", "editor", "observer", "desktop", "host", "Player 1", "build server"];
const LEVELS: [&str; 4] = ["", "lobby", "Assets/Scenes/Main.unity", "/Game/Maps/Arena"];

fn roster(random: &mut Seeded, peer: u16) -> RosterPeer {
    RosterPeer {
        peer: PeerId(peer),
        role: [Role::Viewer, Role::Commenter, Role::Editor, Role::Admin][random.below(4) as usize],
        team: random.below(3) as u16,
        away: false,
        key: random.key(),
        name: random.pick(&NAMES).to_owned(),
        application: Vec::new(),
    }
}

fn archetype(random: &mut Seeded, id: u32) -> ArchetypeDefinition {
    let mut components: Vec<u16> = (0..14).filter(|c| *c == 0 || random.below(3) == 0).collect();
    components.sort_unstable();
    ArchetypeDefinition { id, components }
}

fn layouts(random: &mut Seeded) -> Vec<ComponentLayout> {
    let mut layouts: Vec<_> = COMPONENTS[..3 + random.below(11) as usize]
        .iter()
        .map(|name| ComponentLayout {
            id: component_id(name),
            layout_hash: random.next(),
            name: (*name).to_owned(),
        })
        .collect();
    layouts.sort_by_key(|layout| layout.id);
    layouts
}

/// Cells as a snapshot packs them: little-endian numbers of narrow range, which shrink somewhat.
fn cells(random: &mut Seeded, bytes: u64) -> Vec<u8> {
    let base = random.below(1 << 16) as u16;
    (0..bytes / 2).flat_map(|_| (base.wrapping_add(random.below(64) as u16)).to_le_bytes()).collect()
}

fn one(random: &mut Seeded) -> Message<'static> {
    let tick = Tick(random.below(200_000) as u32 + 1);
    match random.below(10) {
        0 => Message::SessionHello(SessionHello {
            version: Version { major: 1, minor: 0, patch: 0 },
            client_nonce: random.key(),
            client_key: random.key(),
            schema_hash: random.next(),
            components: layouts(random),
            manifest_checksum: Some(random.key()),
            document_id: Some(random.key()),
            resume_token: Vec::new(),
            transports: 1,
            compressions: 2,
            security_modes: 1,
            capabilities: 3,
            dictionaries: vec![random.next()],
            last_tick: Tick(0),
            last_log: LogPosition::default(),
            client_name: random.pick(&NAMES).to_owned(),
            application: Vec::new(),
        }),
        1 => Message::SessionControl(SessionControl::Admitted(Admitted {
            peer: PeerId(random.below(16) as u16 + 1),
            role: Role::Editor,
            team: 0,
            tick_rate_hz: [60, 72, 90][random.below(3) as usize],
            level: random.pick(&LEVELS).to_owned(),
            application: Vec::new(),
            resume_token: random.key::<32>().to_vec(),
            host_time_us: random.below(1 << 36),
            host_tick: tick,
            ..Admitted::default()
        })),
        2 => {
            let peer = random.below(16) as u16 + 1;
            Message::SessionControl(SessionControl::PeerJoined(roster(random, peer)))
        }
        3 => {
            let code = DisconnectCode::Kicked;
            Message::SessionControl(SessionControl::Close(Ending {
                code,
                text: code.sentence().to_owned(),
                hint: code.hint().to_owned(),
            }))
        }
        4 | 5 => {
            let first = random.below(2) == 0;
            let members = random.below(8) as u16 + 1;
            let bytes = 200 + random.below(3000);
            Message::WorldSnapshot(WorldSnapshot {
                snapshot_id: random.below(20) as u32 + 1,
                tick,
                log_term: 1,
                log_index: 0,
                chunk: if first { 0 } else { 1 + random.below(3) as u32 },
                chunk_count: 4,
                reason: SnapshotReason::Join,
                roster: if first { (0..members).map(|n| roster(random, n)).collect() } else { Vec::new() },
                archetypes: if first { (0..4).map(|n| archetype(random, n)).collect() } else { Vec::new() },
                payload: cells(random, bytes).into(),
            })
        }
        6 => Message::Heartbeat(Heartbeat {
            sent_us: random.below(1 << 36),
            echo_sent_us: random.below(1 << 36),
            echo_held_us: random.below(11_000) as u32,
            newest_tick: tick,
            confirmed_tick: Tick(tick.0.saturating_sub(9)),
            log_head: LogPosition::default(),
            block_hash: None,
            lanes: (0..5)
                .map(|lane| LaneCount {
                    lane,
                    received: random.below(9000) as u32,
                    newest: random.below(9000) as u32,
                })
                .collect(),
            host_time_us: random.below(1 << 36),
            host_tick: tick,
        }),
        7 => Message::StateHashReport(StateHashReport {
            tick,
            fold: random.next(),
            details: (0..random.below(4))
                .map(|chunk| ChunkDetail {
                    chunk: ChunkId(chunk as u32 + 1),
                    hash: random.next(),
                    columns: (0..5).map(|_| random.next()).collect(),
                })
                .collect(),
        }),
        8 => Message::EditorEvent(EditorEvent {
            kind: EditorEventKind::Selection,
            author: PeerId(random.below(16) as u16 + 1),
            key: 1,
            revision: random.below(5000) as u32,
            time_to_live_ms: 5000,
            entity: EntityId::new(random.below(4000) as u32, 1),
            payload: (0..random.below(12))
                .flat_map(|_| random.below(4000).to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
        }),
        _ => Message::AppMessage(AppMessage {
            kind: random.below(6) as u16,
            target: AppTarget::All,
            peer: PeerId(0),
            sender: PeerId(random.below(16) as u16),
            entity: EntityId::NONE,
            stamp_us: random.below(1 << 36),
            payload: format!(
                "{{\"type\":\"chat\",\"from\":\"{}\",\"text\":\"message {}\"}}",
                random.pick(&NAMES),
                random.below(1000)
            )
            .into_bytes()
            .into(),
        }),
    }
}

/// The body of one packet: one to three messages with their headers.
pub fn body(random: &mut Seeded) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..=random.below(3) {
        let message = one(random);
        let encoded = message.encode().expect("a valid message");
        body.push(message.message_type() as u8);
        body.extend_from_slice(&u16::try_from(encoded.len()).expect("fits").to_le_bytes());
        body.extend_from_slice(&encoded);
    }
    body
}
