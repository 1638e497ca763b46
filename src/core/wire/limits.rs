//! Every bound on what a peer may put on the wire, in one table.
//!
//! Each number limits memory or time that the other side controls; passing one is a protocol violation and costs the
//! sender its session. docs/protocol.md prints [`TABLE`], and a test compares the two.

/// Whole packet on a stream, envelope included.
pub const MAX_PACKET_BYTES: usize = 65_535;
/// Whole packet on a datagram lane; less where the path takes less.
pub const MAX_DATAGRAM_BYTES: usize = 1150;
/// Body of a packet before compression.
pub const MAX_RAW_BODY_BYTES: usize = 65_535;
/// One message body: what is left of a packet after envelope, trace extension and message header.
pub const MAX_MESSAGE_BYTES: usize = MAX_PACKET_BYTES - 16 - 25 - 3;
/// Messages in one packet.
pub const MAX_MESSAGES_PER_PACKET: usize = 1024;
/// Nesting of tables in one FlatBuffer.
pub const MAX_TABLE_DEPTH: usize = 4;
/// Tables in one FlatBuffer.
pub const MAX_TABLES: usize = 4096;
/// Size of one FlatBuffer with shared parts counted as often as they are named.
pub const MAX_APPARENT_BYTES: usize = 4 * 65_535;
/// Nesting of a CBOR text.
pub const MAX_CBOR_DEPTH: usize = 16;
/// Bytes of a CBOR text.
pub const MAX_CBOR_BYTES: usize = 4 * 65_535;
/// Names: client, peer, component, level.
pub const MAX_NAME_BYTES: usize = 255;
/// Sentences shown to a person: refusals, endings, hints.
pub const MAX_TEXT_BYTES: usize = 1024;
/// The application's own bytes in hello, admission, roster and level change.
pub const MAX_APPLICATION_BYTES: usize = 4096;
/// A resume token.
pub const MAX_TOKEN_BYTES: usize = 256;
/// The admission in `SessionConfirm`: ticket, invite proof or bearer token.
pub const MAX_ADMISSION_BYTES: usize = 8192;
/// The signed core of `SessionAcknowledge`.
pub const MAX_ACKNOWLEDGE_CORE_BYTES: usize = 4096;
/// The genesis record in the signed core.
pub const MAX_GENESIS_BYTES: usize = 2184;
/// The application's rules in a genesis record.
pub const MAX_GENESIS_POLICY_BYTES: usize = 1024;
/// Keys that may host, and keys that succeed, in a genesis record.
pub const MAX_GENESIS_KEYS: usize = 16;
/// Components a hello may name.
pub const MAX_COMPONENTS: usize = 1024;
/// Compression dictionaries a hello may name.
pub const MAX_DICTIONARIES: usize = 16;
/// Refused capabilities an acknowledgement may explain.
pub const MAX_REFUSED: usize = 64;
/// Lanes a heartbeat may count.
pub const MAX_LANE_COUNTS: usize = 6;
/// Members in one roster.
pub const MAX_ROSTER: usize = 1024;
/// Archetype definitions in one message.
pub const MAX_ARCHETYPES: usize = 1024;
/// Components of one archetype.
pub const MAX_ARCHETYPE_COMPONENTS: usize = 256;
/// Chunks of one snapshot.
pub const MAX_SNAPSHOT_CHUNKS: usize = 65_536;
/// Parts of one tick's delta, and of one manifest.
pub const MAX_PARTS: usize = 4096;
/// Bytes of a `StateAck` mask: 1024 packets in flight.
pub const MAX_MANIFEST_PARTS: usize = 16;
/// See [`TABLE`].
pub const MAX_MANIFEST_PART_BYTES: usize = 16_384;
/// See [`TABLE`].
pub const MAX_ACK_MASK_BYTES: usize = 128;
/// Chunks in one hash report or one request for details.
pub const MAX_HASH_CHUNKS: usize = 1024;
/// Column hashes in one hash report.
pub const MAX_COLUMN_HASHES: usize = 4096;
/// Ids in one `NackRequest`.
pub const MAX_NACK_IDS: usize = 1024;
/// Scopes in one interest set.
pub const MAX_INTEREST_SCOPES: usize = 256;
/// Points of view in one interest set.
pub const MAX_INTEREST_FOCUSES: usize = 8;
/// Payload of one `InputPredictiveState`.
pub const MAX_INPUT_BYTES: usize = 1024;
/// Payload of one `AppMessage`.
pub const MAX_APP_MESSAGE_BYTES: usize = 32_768;
/// Header of one command log record.
pub const MAX_ENTRY_HEADER_BYTES: usize = 16_384;
/// Payload of one command log record.
pub const MAX_ENTRY_PAYLOAD_BYTES: usize = 32_768;
/// Payload of one editor event.
pub const MAX_EDITOR_EVENT_BYTES: usize = 1024;
/// Content in one asset message.
pub const MAX_ASSET_DATA_BYTES: usize = 61_440;
/// Size of one asset as declared (a claim until its last chunk verifies): 16 GiB.
pub const MAX_ASSET_BYTES: u64 = 1 << 34;
/// Counters in one telemetry report.
pub const MAX_TELEMETRY_SAMPLES: usize = 256;
/// Sequences that a datagram lane's replay window remembers.
pub const REPLAY_WINDOW: usize = 1024;
/// Messages per second of one link on control, and on replication and bulk.
pub const MAX_STREAM_MESSAGES_PER_S: u64 = 2000;
/// Messages per second of one link on each datagram lane.
pub const MAX_DATAGRAM_MESSAGES_PER_S: u64 = 4000;
/// Bytes per second of one link on control: four times what details of a diverged world of any size come to.
pub const MAX_CONTROL_BYTES_PER_S: u64 = 4 << 20;
/// Bytes per second of one link on replication, and on all bulk lanes.
pub const MAX_BULK_BYTES_PER_S: u64 = 64 << 20;
/// Bytes per second of one link on each datagram lane.
pub const MAX_DATAGRAM_BYTES_PER_S: u64 = 4 << 20;
/// How many milliseconds' worth of a rate may come at once.
pub const RATE_BURST_MS: u64 = 10_000;
/// Messages of one link that are refused (forbidden to its role, or not offered) before it is no longer mistaken but
/// hostile.
pub const MAX_REFUSED_MESSAGES: u32 = 1000;
/// Signed refusals sent to one peer within a second; further ones are counted only.
pub const MAX_REFUSALS_PER_S: u32 = 4;
/// Handshakes under way at one host.
pub const MAX_HALF_OPEN: u16 = 32;
/// Handshakes under way from one network source (an IPv4 address, an IPv6 /64).
pub const MAX_HALF_OPEN_PER_SOURCE: u16 = 16;
/// From the transport's connection to the end of the handshake, in milliseconds.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 5000;
/// Silence after which a link is given up, in milliseconds.
pub const IDLE_TIMEOUT_MS: u64 = 5000;

/// One row of the limits table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The constant's name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What it bounds, as a sentence.
    pub meaning: &'static str,
    /// What passing it costs the sender: a disconnect code, or what happens instead.
    pub costs: &'static str,
}

/// A limit of messages: most of them.
const fn row(name: &'static str, value: u64, meaning: &'static str) -> Limit {
    costing(name, value, meaning, "LimitExceeded")
}

const fn costing(name: &'static str, value: u64, meaning: &'static str, costs: &'static str) -> Limit {
    Limit { name, value, meaning, costs }
}

/// The limits as docs/protocol.md prints them.
pub const TABLE: &[Limit] = &[
    costing(
        "MAX_PACKET_BYTES",
        MAX_PACKET_BYTES as u64,
        "Bytes of a packet on a stream, envelope included.",
        "BadEnvelope",
    ),
    costing(
        "MAX_DATAGRAM_BYTES",
        MAX_DATAGRAM_BYTES as u64,
        "Bytes of a packet on a datagram lane; less where the path takes less.",
        "The packet is dropped.",
    ),
    costing(
        "MAX_RAW_BODY_BYTES",
        MAX_RAW_BODY_BYTES as u64,
        "Bytes of a packet's body before compression.",
        "BadEnvelope",
    ),
    costing("MAX_MESSAGE_BYTES", MAX_MESSAGE_BYTES as u64, "Bytes of one message body.", "BadEnvelope"),
    costing(
        "MAX_MESSAGES_PER_PACKET",
        MAX_MESSAGES_PER_PACKET as u64,
        "Messages in one packet.",
        "BadEnvelope",
    ),
    costing("MAX_TABLE_DEPTH", MAX_TABLE_DEPTH as u64, "Nesting of tables in one FlatBuffer.", "BadMessage"),
    costing("MAX_TABLES", MAX_TABLES as u64, "Tables in one FlatBuffer.", "BadMessage"),
    costing(
        "MAX_APPARENT_BYTES",
        MAX_APPARENT_BYTES as u64,
        "Bytes of one FlatBuffer, shared parts counted as often as they are named.",
        "BadMessage",
    ),
    costing("MAX_CBOR_DEPTH", MAX_CBOR_DEPTH as u64, "Nesting of a CBOR text.", "BadMessage"),
    costing("MAX_CBOR_BYTES", MAX_CBOR_BYTES as u64, "Bytes of a CBOR text.", "BadMessage"),
    row("MAX_NAME_BYTES", MAX_NAME_BYTES as u64, "UTF-8 bytes of a client, peer, component or level name."),
    row("MAX_TEXT_BYTES", MAX_TEXT_BYTES as u64, "UTF-8 bytes of a sentence or hint shown to a person."),
    row(
        "MAX_APPLICATION_BYTES",
        MAX_APPLICATION_BYTES as u64,
        "Application bytes in hello, admission, roster and level change.",
    ),
    row("MAX_TOKEN_BYTES", MAX_TOKEN_BYTES as u64, "Bytes of a resume token."),
    row("MAX_ADMISSION_BYTES", MAX_ADMISSION_BYTES as u64, "Bytes of an admission in SessionConfirm."),
    row(
        "MAX_ACKNOWLEDGE_CORE_BYTES",
        MAX_ACKNOWLEDGE_CORE_BYTES as u64,
        "Bytes of the signed core in SessionAcknowledge.",
    ),
    row("MAX_GENESIS_BYTES", MAX_GENESIS_BYTES as u64, "Bytes of a genesis record."),
    costing(
        "MAX_GENESIS_POLICY_BYTES",
        MAX_GENESIS_POLICY_BYTES as u64,
        "Bytes of policy in a genesis record.",
        "BadHostCertificate",
    ),
    costing(
        "MAX_GENESIS_KEYS",
        MAX_GENESIS_KEYS as u64,
        "Keys in each list of a genesis record.",
        "BadHostCertificate",
    ),
    row("MAX_COMPONENTS", MAX_COMPONENTS as u64, "Components a hello may name."),
    row("MAX_DICTIONARIES", MAX_DICTIONARIES as u64, "Compression dictionaries a hello may name."),
    row("MAX_REFUSED", MAX_REFUSED as u64, "Refused capabilities an acknowledgement may explain."),
    row("MAX_LANE_COUNTS", MAX_LANE_COUNTS as u64, "Lanes a heartbeat may count."),
    row("MAX_ROSTER", MAX_ROSTER as u64, "Members in one roster."),
    row("MAX_ARCHETYPES", MAX_ARCHETYPES as u64, "Archetype definitions in one message."),
    row("MAX_ARCHETYPE_COMPONENTS", MAX_ARCHETYPE_COMPONENTS as u64, "Components of one archetype."),
    row("MAX_SNAPSHOT_CHUNKS", MAX_SNAPSHOT_CHUNKS as u64, "Chunks of one snapshot."),
    row("MAX_PARTS", MAX_PARTS as u64, "Parts of one tick's delta."),
    row("MAX_MANIFEST_PARTS", MAX_MANIFEST_PARTS as u64, "Parts of one compact manifest."),
    row(
        "MAX_MANIFEST_PART_BYTES",
        MAX_MANIFEST_PART_BYTES as u64,
        "Bytes of one part of a compact manifest.",
    ),
    row("MAX_ACK_MASK_BYTES", MAX_ACK_MASK_BYTES as u64, "Bytes of a StateAck mask."),
    row("MAX_HASH_CHUNKS", MAX_HASH_CHUNKS as u64, "Chunks in one hash report or request for details."),
    row("MAX_COLUMN_HASHES", MAX_COLUMN_HASHES as u64, "Column hashes in one hash report."),
    row("MAX_NACK_IDS", MAX_NACK_IDS as u64, "Ids in one NackRequest."),
    row("MAX_INTEREST_SCOPES", MAX_INTEREST_SCOPES as u64, "Scopes in one interest set."),
    row("MAX_INTEREST_FOCUSES", MAX_INTEREST_FOCUSES as u64, "Points of view in one interest set."),
    row("MAX_INPUT_BYTES", MAX_INPUT_BYTES as u64, "Payload bytes of one InputPredictiveState."),
    row("MAX_APP_MESSAGE_BYTES", MAX_APP_MESSAGE_BYTES as u64, "Payload bytes of one AppMessage."),
    row("MAX_ENTRY_HEADER_BYTES", MAX_ENTRY_HEADER_BYTES as u64, "Header bytes of one command log record."),
    row(
        "MAX_ENTRY_PAYLOAD_BYTES",
        MAX_ENTRY_PAYLOAD_BYTES as u64,
        "Payload bytes of one command log record.",
    ),
    row("MAX_EDITOR_EVENT_BYTES", MAX_EDITOR_EVENT_BYTES as u64, "Payload bytes of one editor event."),
    row("MAX_ASSET_DATA_BYTES", MAX_ASSET_DATA_BYTES as u64, "Content bytes in one asset message."),
    row("MAX_ASSET_BYTES", MAX_ASSET_BYTES, "Bytes of one asset as declared."),
    row("MAX_TELEMETRY_SAMPLES", MAX_TELEMETRY_SAMPLES as u64, "Counters in one telemetry report."),
    costing(
        "REPLAY_WINDOW",
        REPLAY_WINDOW as u64,
        "Sequences a datagram lane's replay window remembers.",
        "The packet is dropped.",
    ),
    costing(
        "MAX_STREAM_MESSAGES_PER_S",
        MAX_STREAM_MESSAGES_PER_S,
        "Messages a second of one link on control, on replication, on all bulk lanes.",
        "RateLimited",
    ),
    costing(
        "MAX_DATAGRAM_MESSAGES_PER_S",
        MAX_DATAGRAM_MESSAGES_PER_S,
        "Messages a second of one link on each datagram lane.",
        "RateLimited",
    ),
    costing(
        "MAX_CONTROL_BYTES_PER_S",
        MAX_CONTROL_BYTES_PER_S,
        "Bytes a second of one link on control.",
        "RateLimited",
    ),
    costing(
        "MAX_BULK_BYTES_PER_S",
        MAX_BULK_BYTES_PER_S,
        "Bytes a second of one link on replication, and on all bulk lanes.",
        "RateLimited",
    ),
    costing(
        "MAX_DATAGRAM_BYTES_PER_S",
        MAX_DATAGRAM_BYTES_PER_S,
        "Bytes a second of one link on each datagram lane.",
        "RateLimited",
    ),
    costing(
        "RATE_BURST_MS",
        RATE_BURST_MS,
        "Milliseconds' worth of these rates that may come at once.",
        "RateLimited",
    ),
    costing(
        "MAX_REFUSED_MESSAGES",
        MAX_REFUSED_MESSAGES as u64,
        "Messages of one link that its role forbids or the host does not offer.",
        "MessageForbidden",
    ),
    costing(
        "MAX_REFUSALS_PER_S",
        MAX_REFUSALS_PER_S as u64,
        "Signed refusals that one peer is sent in a second.",
        "The rest is counted only.",
    ),
    costing(
        "MAX_HALF_OPEN",
        MAX_HALF_OPEN as u64,
        "Handshakes under way at one host, unless configured.",
        "TooManyHandshakes",
    ),
    costing(
        "MAX_HALF_OPEN_PER_SOURCE",
        MAX_HALF_OPEN_PER_SOURCE as u64,
        "Handshakes under way from one IPv4 address or IPv6 /64 other than this machine.",
        "TooManyHandshakes",
    ),
    costing(
        "HANDSHAKE_TIMEOUT_MS",
        HANDSHAKE_TIMEOUT_MS,
        "Milliseconds for the whole handshake, unless configured.",
        "HandshakeTimeout",
    ),
    costing("IDLE_TIMEOUT_MS", IDLE_TIMEOUT_MS, "Milliseconds of silence, unless configured.", "IdleTimeout"),
];
