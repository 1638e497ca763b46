"""A second decoder of the Theta protocol, written from docs/protocol.md alone, with the standard library only.

It exists to prove that the page is enough: tests/protocol/test_vectors.py compares what it reads with the meaning beside
every vector. It decodes and checks; it never encodes. Payload codecs stand in modules of their own (rows.py,
packed_input.py), and so does zstd, which the standard library has from Python 3.14 on (zstandard_frame.py).

Every fault in the bytes is a ProtocolError; no other exception may leave these functions.
"""

import hashlib
import hmac
import struct
import zlib


class ProtocolError(Exception):
    """The bytes are not what the page allows."""


def need(condition, what):
    if not condition:
        raise ProtocolError(what)


# ---- Bit packing -------------------------------------------------------------------------------------------------


class BitReader:
    """Reads a bit stream, least significant bit first."""

    def __init__(self, data):
        self.value = int.from_bytes(data, "little")
        self.bits = len(data) * 8
        self.at = 0

    def get(self, bits):
        need(0 <= bits <= 64, "bit width")
        need(self.at + bits <= self.bits, "bit stream ends early")
        value = self.value >> self.at & ((1 << bits) - 1)
        self.at += bits
        return value

    def zigzag(self, bits):
        value = self.get(bits)
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def varint(self):
        value = 0
        for index in range(10):
            group = self.get(8)
            need(index < 9 or group <= 1, "varint over 64 bits")
            value |= (group & 0x7F) << (7 * index)
            if group & 0x80 == 0:
                need(index == 0 or group != 0, "varint not in its shortest form")
                return value
        raise ProtocolError("varint over 64 bits")

    def align(self):
        need(self.get(-self.at % 8) == 0, "padding bits")

    def finish(self):
        self.align()
        need(self.at == self.bits, "bytes after the end")


# ---- FlatBuffers -------------------------------------------------------------------------------------------------

SCALARS = {
    "ubyte": "B", "byte": "b", "bool": "B", "ushort": "H", "uint": "I", "int": "i", "ulong": "Q", "double": "d",
}

ENUMS = {
    "Capability": (
        "Datagrams Compression RangeCoder StaticPriors ChainMode TraceIds CborDebug CommandLog EndToEnd Assets "
        "PredictiveInput Resume Telemetry", 0),
    "CapabilityReason": (
        "NotSupported DisabledByHost RoleForbids TransportCannot MissingDictionary VersionTooLow NeedsOther", 1),
    "BindingKind": ("Memory TlsExporter DtlsCertificates PinnedCertificate", 1),
    "CompressionKind": ("None ZstdDictionary", 0),
    "SecurityMode": ("Transport EndToEnd", 0),
    "AdmissionKind": ("None MemberTicket Invite Bearer", 0),
    "Role": ("Viewer Commenter Editor Admin", 0),
    "ControlKind": (
        "Admitted Denied Loaded Leave Kick Refusal PeerJoined PeerLeft Away Back EpochChange RequestHashDetails "
        "ArchetypeDefinitions Close RoleChanged LevelChange ResumeToken Manifest", 1),
    "SnapshotReason": ("Join Topology Repair", 0),
    "DeltaMode": ("Ack Chain", 0),
    "NackKind": ("SnapshotChunks Archetypes LogEntries AssetChunks Manifest", 1),
    "InterestKind": ("Owner Team Asset Layer Panel Entity", 0),
    "OwnershipKind": ("Request Granted Denied Stolen Released TakenOver", 0),
    "OwnershipReason": ("None AlreadyOwned RoleForbids RuleForbids NoSuchEntity OwnerLeft", 0),
    "AppTarget": ("Host Peer Owner All Interested", 0),
    "EntryKind": ("Entry Block Refusal Attestation", 1),
    "EditorEventKind": ("Cursor Selection Tool Gizmo Panel Lock Cleared", 1),
    "AssetKind": ("Offer Request Manifest Chunk Have Cancel Complete Failed", 1),
    "AssetStatus": ("Ok NotFound WrongOffset WrongChecksum WrongSize TokenExpired Forbidden DiskFull", 0),
    "MessageType": (
        "SessionHello SessionAcknowledge SessionConfirm Heartbeat WorldSnapshot ComponentDelta StateAck StateHashReport "
        "InterestSet Ownership CommandLogEntry InputPredictiveState EditorEvent AssetTransfer TelemetryReport "
        "SessionControl NackRequest AppMessage", 1),
    "RefusalReason": (
        "RoleForbids CommandForbidden NotOwner InputOnly UnknownEntity UnknownPeer RateLimited TooLarge WrongState "
        "NotGranted BadSignature StaleTerm BelowCut Busy", 1),
}
ENUMS = {name: dict(enumerate(values.split(), first)) for name, (values, first) in ENUMS.items()}

# The disconnect codes have gaps: (first number, names from there on).
ENUMS["DisconnectCode"] = {
    number: name
    for first, names in [
        (0, "Normal Left Kicked ShuttingDown LinkLost IdleTimeout AwayTimeout Replaced EpochFenced DuplicateIdentity"),
        (16, "BadEnvelope BadCrc BadMessage LimitExceeded ProtocolViolation MessageForbidden RateLimited "
             "SequenceExhausted"),
        (32, "VersionMismatch VersionFloor SchemaMismatch TransportFloor SecurityFloor WrongDocument"),
        (48, "BadHostProof BadClientProof BadHostCertificate BindingMismatch BindingUnsupported HandshakeTimeout "
             "TooManyHandshakes StaleTerm"),
        (64, "TicketInvalid TicketExpired TicketWrongKey TicketWrongDocument InviteUsed AdmissionRequired "
             "AdmissionRefused Banned ServerFull DeniedByApplication ResumeRefused"),
        (80, "Desynchronised InternalFault"),
    ]
    for number, name in enumerate(names.split(), first)
}

# Structs: size, then (offset, field, type).
STRUCTS = {
    "Version": (6, [(0, "major", "ushort"), (2, "minor", "ushort"), (4, "patch", "ushort")]),
    "LogPosition": (8, [(0, "term", "uint"), (4, "index", "uint")]),
    "LaneCount": (12, [(0, "received", "uint"), (4, "newest", "uint"), (8, "lane", "ubyte")]),
    "WorldSnapshotHead": (28, [
        (0, "snapshot_id", "uint"), (4, "tick", "uint"), (8, "log_term", "uint"), (12, "log_index", "uint"),
        (16, "chunk", "uint"), (20, "chunk_count", "uint"), (24, "reason", "SnapshotReason")]),
    "ComponentDeltaHead": (24, [
        (0, "tick", "uint"), (4, "log_term", "uint"), (8, "log_index", "uint"), (12, "last_input_tick", "uint"),
        (16, "part", "ushort"), (18, "part_count", "ushort"), (20, "mode", "DeltaMode"),
        (21, "input_speed_hint", "byte"), (22, "reserved", "ushort")]),
    "StateAckHead": (12, [(0, "newest_sequence", "uint"), (4, "complete_tick", "uint"), (8, "snapshot_id", "uint")]),
    "ChunkHash": (16, [(0, "hash", "ulong"), (8, "chunk", "uint"), (12, "columns", "uint")]),
    "InterestScope": (16, [(0, "key", "ulong"), (8, "kind", "InterestKind")]),
    "InterestFocus": (32, [(0, "x", "double"), (8, "y", "double"), (16, "z", "double"), (24, "radius", "double")]),
    "OwnershipHead": (24, [
        (0, "entity", "ulong"), (8, "tick", "uint"), (12, "request_id", "uint"), (16, "owner", "ushort"),
        (18, "kind", "OwnershipKind"), (19, "reason", "OwnershipReason")]),
    "InputPredictiveStateHead": (24, [
        (0, "sampled_at_us", "ulong"), (8, "input_tick", "uint"), (12, "view_tick", "uint"),
        (16, "display_after_us", "uint"), (20, "horizon_us", "uint")]),
    "AppMessageHead": (24, [
        (0, "stamp_us", "ulong"), (8, "entity", "ulong"), (16, "sender", "ushort"), (18, "peer", "ushort"),
        (20, "kind", "ushort"), (22, "target", "AppTarget"), (23, "reserved", "ubyte")]),
    "TelemetrySample": (16, [(0, "value", "ulong"), (8, "counter", "ushort")]),
}
OPAQUE = {"Bytes16": 16, "Bytes32": 32, "Signature": 64}

# Tables: the fields by slot, as "name: type", with "!" for required and "= n" for a default that is not zero.
TABLES = {
    "ComponentLayout": "id: ulong, layout_hash: ulong, name: string!",
    "SessionHello": (
        "version: Version!, client_nonce: Bytes32!, client_key: Bytes32!, schema_hash: ulong, "
        "components: [ComponentLayout], manifest_checksum: Bytes32, document_id: Bytes32, resume_token: bytes, "
        "transports: uint, compressions: uint, security_modes: uint, capabilities: ulong, dictionaries: [ulong], "
        "last_tick: uint, last_log: LogPosition, client_name: string, application: bytes"),
    "HostCertificate": (
        "document_id: Bytes32!, host_key: Bytes32!, authority_key: Bytes32!, term: uint, signature: Signature!"),
    "RefusedCapability": "capability: CapabilityBit, reason: CapabilityReason = 1",
    "AcknowledgeCore": (
        "version: Version!, server_nonce: Bytes32!, session_id: Bytes16!, document_id: Bytes32!, host_key: Bytes32!, "
        "certificate: HostCertificate!, term: uint, session_epoch: ushort, schema_hash: ulong, capabilities: ulong, "
        "refused: [RefusedCapability], binding: BindingKind = 1, x25519_key: Bytes32, compression: CompressionKind, "
        "dictionary_hash: ulong, security_mode: SecurityMode, tick_rate_hz: ushort, genesis: bytes!"),
    "SessionAcknowledge": "core: bytes!, signature: Signature!",
    "SessionConfirm": "signature: Signature!, admission: AdmissionKind, admission_bytes: bytes",
    "Heartbeat": (
        "sent_us: ulong, echo_sent_us: ulong, echo_held_us: uint, newest_tick: uint, confirmed_tick: uint, "
        "log_head: LogPosition, block_hash: Bytes32, lanes: [LaneCount], host_time_us: ulong, host_tick: uint"),
    "RosterPeer": (
        "peer: ushort, role: Role, team: ushort, away: bool, key: Bytes32!, name: string, application: bytes"),
    "ArchetypeDefinition": "id: uint, components: [ushort]",
    "Admitted": (
        "peer: ushort, role: Role, team: ushort, tick_rate_hz: ushort, level: string, application: bytes, "
        "resume_token: bytes, host_time_us: ulong, host_tick: uint, resume_grace_ms: uint"),
    "Ending": "code: DisconnectCode, text: string, hint: string",
    "Refusal": (
        "message_type: MessageType, command_type: uint, reason: RefusalReason, lane: ubyte, sequence: uint, "
        "text: string, signature: Signature!"),
    "PeerGone": "peer: ushort, code: DisconnectCode",
    "PeerAway": "peer: ushort, grace_ms: uint",
    "EpochChange": "epoch: ushort",
    "HashDetailsRequest": "tick: uint, chunks: [uint]",
    "RoleChange": "peer: ushort, role: Role",
    "LevelChange": "level: string, application: bytes",
    "ManifestPart": "checksum: Bytes32!, part: ushort, part_count: ushort, bytes: bytes",
    "SessionControl": (
        "kind: ControlKind = 1, admitted: Admitted, ending: Ending, refusal: Refusal, joined: RosterPeer, "
        "gone: PeerGone, away: PeerAway, epoch: EpochChange, hash_details: HashDetailsRequest, "
        "archetypes: [ArchetypeDefinition], role: RoleChange, level: LevelChange, resume_token: bytes, "
        "manifest: ManifestPart"),
    "WorldSnapshot": "head: WorldSnapshotHead!, roster: [RosterPeer], archetypes: [ArchetypeDefinition], payload: bytes",
    "ComponentDelta": "head: ComponentDeltaHead!, payload: bytes",
    "StateAck": "head: StateAckHead!, payload: bytes",
    "StateHashReport": "tick: uint, fold: ulong, chunks: [ChunkHash], column_hashes: [ulong]",
    "NackRequest": "kind: NackKind = 1, subject: ulong, ids: [uint]",
    "InterestSet": "revision: uint, scopes: [InterestScope], focuses: [InterestFocus]",
    "Ownership": "head: OwnershipHead!",
    "InputPredictiveState": "head: InputPredictiveStateHead!, payload: bytes",
    "AppMessage": "head: AppMessageHead!, payload: bytes",
    "CommandLogEntry": "kind: EntryKind = 1, header: bytes!, payload: bytes, signature: Signature!",
    "EditorEvent": (
        "kind: EditorEventKind = 1, author: ushort, key: ulong, revision: uint, time_to_live_ms: uint, entity: ulong, "
        "payload: bytes"),
    "AssetTransfer": (
        "asset: Bytes32!, kind: AssetKind = 1, status: AssetStatus, priority: ubyte, chunk: uint, offset: ulong, "
        "total_bytes: ulong, chunk_hash: Bytes32, resume_token: bytes, data: bytes"),
    "TelemetryReport": "from_us: ulong, until_us: ulong, samples: [TelemetrySample]",
}

# Enums that are wider than a byte on the wire.
WIDE_ENUMS = {"DisconnectCode", "RefusalReason"}
# How many tables one buffer may have, and how deep.
MAX_TABLES = 4096
MAX_TABLE_DEPTH = 4


def fields_of(table):
    for field in TABLES[table].split(", "):
        name, kind = field.split(": ")
        kind, _, default = kind.partition(" = ")
        yield name, kind.rstrip("!"), kind.endswith("!"), int(default or 0)


class Buffer:
    """One FlatBuffer."""

    def __init__(self, data):
        self.data = data
        self.tables = 0

    def read(self, code, at):
        size = struct.calcsize("<" + code)
        need(0 <= at <= len(self.data) - size, "offset past the end")
        return struct.unpack_from("<" + code, self.data, at)[0]

    def slice(self, at, size):
        need(0 <= at and at + size <= len(self.data), "bytes past the end")
        return self.data[at : at + size]

    def follow(self, at):
        return at + self.read("I", at)

    def inline(self, kind, at):
        """A scalar, an enum or a struct that stands at `at`."""
        if kind in SCALARS:
            value = self.read(SCALARS[kind], at)
            return bool(value) if kind == "bool" else value
        if kind == "CapabilityBit":
            number = self.read("B", at)
            need(number < 64, "capability")
            return ENUMS["Capability"].get(number, number)
        if kind in ENUMS:
            return enum_name(kind, self.read("H" if kind in WIDE_ENUMS else "B", at))
        if kind in OPAQUE:
            return self.slice(at, OPAQUE[kind]).hex()
        size, fields = STRUCTS[kind]
        self.slice(at, size)
        return {name: self.inline(field, at + offset) for offset, name, field in fields}

    def vector(self, kind, at, depth):
        at = self.follow(at)
        count = self.read("I", at)
        at += 4
        if kind in TABLES:
            need(count <= MAX_TABLES, "too many tables")
            return [self.table(kind, self.follow(at + 4 * index), depth) for index in range(count)]
        size = STRUCTS[kind][0] if kind in STRUCTS else struct.calcsize("<" + SCALARS[kind])
        self.slice(at, count * size)
        return [self.inline(kind, at + size * index) for index in range(count)]

    def blob(self, at):
        at = self.follow(at)
        return self.slice(at + 4, self.read("I", at))

    def text(self, at):
        raw = self.blob(at)
        need(self.read("B", self.follow(at) + 4 + len(raw)) == 0, "string without its zero byte")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError("string is not UTF-8") from error

    def table(self, name, at, depth=1):
        """The fields of a table, absent ones with their defaults (None for structs and tables)."""
        self.tables += 1
        need(depth <= MAX_TABLE_DEPTH and self.tables <= MAX_TABLES, "too many tables")
        vtable = at - self.read("i", at)
        vtable_bytes = self.read("H", vtable)
        self.slice(vtable, vtable_bytes)
        self.slice(at, self.read("H", vtable + 2))
        values = {}
        for slot, (field, kind, required, default) in enumerate(fields_of(name)):
            entry = 4 + 2 * slot
            offset = self.read("H", vtable + entry) if entry + 2 <= vtable_bytes else 0
            place = at + offset if offset else None
            need(place is not None or not required, f"{name}.{field} is missing")
            values[field] = self.field(kind, place, default, depth)
        return values

    def field(self, kind, place, default, depth):
        if kind == "string":
            return "" if place is None else self.text(place)
        if kind == "bytes":
            return b"" if place is None else self.blob(place)
        if kind.startswith("["):
            return [] if place is None else self.vector(kind[1:-1], place, depth + 1)
        if kind in TABLES:
            return None if place is None else self.table(kind, self.follow(place), depth + 1)
        if place is not None:
            return self.inline(kind, place)
        if kind == "CapabilityBit":
            return enum_name("Capability", default)
        if kind in ENUMS:
            return enum_name(kind, default)
        if kind == "bool":
            return False
        return None if kind in STRUCTS or kind in OPAQUE else default

    def root(self, name):
        return self.table(name, self.follow(0))


def enum_name(kind, number):
    need(number in ENUMS[kind], f"{kind} has no value {number}")
    return ENUMS[kind][number]


def hexed(value):
    """Byte strings as the vectors write them."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexed(part) for key, part in value.items()}
    return [hexed(part) for part in value] if isinstance(value, list) else value


def ascend(values, what):
    need(all(low < high for low, high in zip(values, values[1:])), f"{what} do not ascend")


# ---- Messages ----------------------------------------------------------------------------------------------------


def at_most(values, limit, what):
    need(len(values) <= limit, f"{what}: {len(values)} is over {limit}")


def text_limit(value, limit, what):
    at_most(value.encode("utf-8"), limit, what)


def check_roster_peer(peer):
    text_limit(peer["name"], 255, "name")
    at_most(peer["application"], 4096, "application bytes")


def check_archetypes(archetypes):
    at_most(archetypes, 1024, "archetypes")
    for archetype in archetypes:
        at_most(archetype["components"], 256, "archetype components")
        ascend(archetype["components"], "archetype components")


def log_position(value):
    return value or {"term": 0, "index": 0}


def with_head(values):
    head = values.pop("head")
    need(head.pop("reserved", 0) == 0, "reserved bits")
    return {**head, **values}


def session_hello(hello):
    at_most(hello["components"], 1024, "components")
    ascend([component["id"] for component in hello["components"]], "components")
    for component in hello["components"]:
        text_limit(component["name"], 255, "component name")
    at_most(hello["resume_token"], 256, "resume token")
    at_most(hello["dictionaries"], 16, "dictionaries")
    at_most(hello["application"], 4096, "application bytes")
    text_limit(hello["client_name"], 255, "client name")
    hello["last_log"] = log_position(hello["last_log"])
    return hello


def session_acknowledge(acknowledge):
    at_most(acknowledge["core"], 4096, "core")
    return acknowledge


def session_confirm(confirm):
    kind, data = confirm["admission"], confirm.pop("admission_bytes")
    at_most(data, 8192, "admission")
    need(kind != "None" or not data, "admission bytes without a kind")
    confirm["admission"] = kind if kind == "None" else {kind: data}
    return confirm


def heartbeat(beat):
    at_most(beat["lanes"], 6, "lane counts")
    need(all(count["lane"] <= 5 for count in beat["lanes"]), "lane")
    beat["log_head"] = log_position(beat["log_head"])
    return beat


def world_snapshot(snapshot):
    snapshot = with_head(snapshot)
    need(snapshot["chunk_count"] <= 65_536, "snapshot chunks")
    need(snapshot["snapshot_id"] != 0 and snapshot["chunk"] < snapshot["chunk_count"], "snapshot numbering")
    need(snapshot["chunk"] == 0 or not (snapshot["roster"] or snapshot["archetypes"]), "roster in a later chunk")
    at_most(snapshot["roster"], 1024, "roster")
    for peer in snapshot["roster"]:
        check_roster_peer(peer)
    check_archetypes(snapshot["archetypes"])
    return snapshot


def component_delta(delta):
    delta = with_head(delta)
    need(delta["part"] < delta["part_count"] <= 4096, "delta numbering")
    return delta


def state_ack(ack):
    ack = with_head(ack)
    ack["mask"] = ack.pop("payload")
    at_most(ack["mask"], 128, "mask")
    return ack


def state_hash_report(report):
    chunks, columns = report.pop("chunks"), report.pop("column_hashes")
    at_most(chunks, 1024, "hash chunks")
    at_most(columns, 4096, "column hashes")
    ascend([chunk["chunk"] for chunk in chunks], "chunks")
    need(sum(chunk["columns"] for chunk in chunks) == len(columns), "column hash count")
    rest = iter(columns)
    report["details"] = [{**chunk, "columns": [next(rest) for _ in range(chunk["columns"])]} for chunk in chunks]
    return report


def interest_set(interest):
    at_most(interest["scopes"], 256, "scopes")
    at_most(interest["focuses"], 8, "focuses")
    for focus in interest["focuses"]:
        need(all(abs(value) < float("inf") for value in focus.values()) and focus["radius"] >= 0, "focus")
    return interest


def command_log_entry(entry):
    at_most(entry["header"], 16_384, "entry header")
    at_most(entry["payload"], 32_768, "entry payload")
    return entry


def input_predictive_state(message):
    message = with_head(message)
    at_most(message["payload"], 1024, "input")
    return message


def editor_event(event):
    at_most(event["payload"], 1024, "editor event")
    return event


def asset_transfer(transfer):
    at_most(transfer["resume_token"], 256, "resume token")
    at_most(transfer["data"], 61_440, "asset data")
    need(transfer["offset"] <= transfer["total_bytes"] <= 1 << 34, "asset size or offset")
    return transfer


def telemetry_report(report):
    at_most(report["samples"], 256, "samples")
    need(report["from_us"] <= report["until_us"], "interval")
    return report


def nack_request(nack):
    at_most(nack["ids"], 1024, "ids")
    return nack


def app_message(message):
    message = with_head(message)
    at_most(message["payload"], 32_768, "application message")
    need((message["target"] in ("Owner", "Interested")) == (message["entity"] != 0), "application message entity")
    return message


# Which field of SessionControl a kind names.
CONTROL_FIELDS = {
    "Admitted": "admitted", "Denied": "ending", "Leave": "ending", "Kick": "ending", "Close": "ending",
    "Refusal": "refusal", "PeerJoined": "joined", "PeerLeft": "gone", "Away": "away", "Back": "away",
    "EpochChange": "epoch", "RequestHashDetails": "hash_details", "ArchetypeDefinitions": "archetypes",
    "RoleChanged": "role", "LevelChange": "level", "ResumeToken": "resume_token", "Manifest": "manifest",
}


def session_control(control):
    kind = control["kind"]
    if kind == "Loaded":
        return kind
    value = control[CONTROL_FIELDS[kind]]
    need(value is not None, "the field the control kind names is missing")
    if kind in ("Denied", "Leave", "Kick", "Close"):
        text_limit(value["text"], 1024, "text")
        text_limit(value["hint"], 1024, "hint")
    elif kind == "Refusal":
        text_limit(value["text"], 1024, "text")
    elif kind in ("Admitted", "LevelChange"):
        text_limit(value["level"], 255, "level")
        at_most(value["application"], 4096, "application bytes")
        at_most(value.get("resume_token", b""), 256, "resume token")
    elif kind == "PeerJoined":
        check_roster_peer(value)
    elif kind == "Back":
        value = {"peer": value["peer"]}
    elif kind == "RequestHashDetails":
        at_most(value["chunks"], 1024, "chunks")
    elif kind == "ArchetypeDefinitions":
        check_archetypes(value)
    elif kind == "ResumeToken":
        at_most(value, 256, "resume token")
    elif kind == "Manifest":
        need(value["part"] < value["part_count"] <= 16, "manifest part")
        at_most(value["bytes"], 16_384, "manifest part")
    return {kind: value}


MESSAGES = {
    "SessionHello": session_hello,
    "SessionAcknowledge": session_acknowledge,
    "SessionConfirm": session_confirm,
    "Heartbeat": heartbeat,
    "WorldSnapshot": world_snapshot,
    "ComponentDelta": component_delta,
    "StateAck": state_ack,
    "StateHashReport": state_hash_report,
    "InterestSet": interest_set,
    "Ownership": with_head,
    "CommandLogEntry": command_log_entry,
    "InputPredictiveState": input_predictive_state,
    "EditorEvent": editor_event,
    "AssetTransfer": asset_transfer,
    "TelemetryReport": telemetry_report,
    "SessionControl": session_control,
    "NackRequest": nack_request,
    "AppMessage": app_message,
}


def decode_message(number, body):
    """A message body as {name: fields}."""
    name = enum_name("MessageType", number)
    return {name: hexed(MESSAGES[name](Buffer(body).root(name)))}


def decode_core(core):
    """The signed core of a SessionAcknowledge."""
    need(len(core) <= 4096, "core")
    values = Buffer(core).root("AcknowledgeCore")
    at_most(values["refused"], 64, "refused capabilities")
    need(len(values["genesis"]) <= 2184, "genesis")
    return hexed(values)


# ---- Packets and streams -----------------------------------------------------------------------------------------


def open_packet(packet, decompress=None):
    """Header and body of one packet. `decompress(frame, size)` is the link's, or None where nothing was agreed."""
    need(len(packet) >= 16, "shorter than an envelope")
    length, version, flags, crc, sequence, epoch, schema = struct.unpack_from("<HBBIIHH", packet)
    need(length == len(packet), "length")
    need(version == 1, "version")
    need(zlib.crc32(packet[:4] + bytes(4) + packet[8:]) == crc, "CRC")
    need(flags & 0xF0 == 0 and flags & 3 <= 1, "flags")
    header = {"sequence": sequence, "epoch": epoch, "schema": schema, "end_to_end": bool(flags & 8), "trace": None}
    at = 16
    if flags & 4:
        need(len(packet) >= at + 25, "trace extension")
        trace = packet[at : at + 25]
        header["trace"] = {"trace_id": trace[:16].hex(), "span_id": trace[16:24].hex(), "flags": trace[24]}
        at += 25
    body = packet[at:]
    if flags & 3:
        need(decompress is not None, "compressed, and no compression was agreed")
        need(len(body) >= 2, "raw length")
        size = int.from_bytes(body[:2], "little")
        try:
            body = decompress(body[2:], size)
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        need(len(body) == size, "not the size it names")
    return header, body


def decode_packet(packet, decompress=None):
    """Header and messages of one packet."""
    header, body = open_packet(packet, decompress)
    at, messages = 0, []
    while at < len(body):
        need(at + 3 <= len(body), "message header")
        number, size = struct.unpack_from("<BH", body, at)
        at += 3
        need(at + size <= len(body), "message length")
        messages.append(decode_message(number, body[at : at + size]))
        at += size
        need(len(messages) <= 1024, "too many messages")
    return {"header": header, "messages": messages}


def decode_preface(data):
    need(len(data) >= 16, "shorter than a preface")
    magic, lane, version, ordinal, schema_hash = struct.unpack_from("<4sBBHQ", data)
    need(magic == b"THS1" and version == 1, "not a preface")
    need(lane in (0, 1, 5) and (ordinal == 0 or lane == 5), "lane")
    return {"lane": lane, "ordinal": ordinal, "schema_hash": schema_hash}


# ---- Handshake ---------------------------------------------------------------------------------------------------


def transcript(hello, core, binding_kind, binding):
    """T, over bytes as they crossed the wire."""
    return hashlib.sha256(
        b"theta/1 transcript\0"
        + struct.pack("<I", len(hello)) + hello
        + struct.pack("<I", len(core)) + core
        + struct.pack("<BH", binding_kind, len(binding)) + binding
    ).digest()


def server_statement(t):
    return b"theta/1 server-ack\0" + t


def client_statement(t, server_signature):
    return b"theta/1 client-proof\0" + hashlib.sha256(t + server_signature).digest()


def refusal_statement(session_id, refusal):
    """What the host signs; `refusal` as decoded, its enums by name."""
    numbers = {name: {text: number for number, text in ENUMS[name].items()} for name in ("MessageType", "RefusalReason")}
    return (
        b"theta/1 refusal\0"
        + session_id
        + struct.pack(
            "<BIHBI", numbers["MessageType"][refusal["message_type"]], refusal["command_type"],
            numbers["RefusalReason"][refusal["reason"]], refusal["lane"], refusal["sequence"])
        + refusal["text"].encode()
    )


def certificate_statement(certificate):
    return (
        b"theta/1 host-certificate\0"
        + bytes.fromhex(certificate["document_id"])
        + bytes.fromhex(certificate["host_key"])
        + struct.pack("<I", certificate["term"])
        + bytes.fromhex(certificate["authority_key"])
    )


def invite_proof(secret, transcript_hash):
    """What shows that the secret of an invite is known, in this handshake."""
    return hmac.new(secret, b"theta/1 invite-proof\0" + transcript_hash, hashlib.sha256).digest()


def admission_state(data):
    """A host's invites and bans, as its application keeps them."""
    at = 0

    def take(count):
        nonlocal at
        need(at + count <= len(data), "admission state ends early")
        at += count
        return data[at - count : at]

    def number(count):
        return int.from_bytes(take(count), "little")

    def ascending(count, read):
        items = [read() for _ in range(count)]
        names = [item["id"] if isinstance(item, dict) else item for item in items]
        need(all(a < b for a, b in zip(names, names[1:])), "out of order")
        return items

    def invite():
        item = {"id": take(16).hex(), "secret": take(32).hex(), "role": enum_name("Role", number(1)), "uses": number(2)}
        item |= {"expires_unix_s": number(8), "revoked": number(1)}
        need(item["role"] != "Admin" and 1 <= item["uses"] <= 256 and item["revoked"] <= 1, "invite")
        bound = number(2)
        need(bound <= item["uses"], "an invite with more keys than uses")
        item["bound"] = ascending(bound, lambda: take(32).hex())
        return item

    need(number(1) == 1, "another version")
    count = number(2)
    need(count <= 1024, "too many invites")
    invites = ascending(count, invite)
    count = number(4)
    need(count <= 16384, "too many bans")
    state = {"invites": invites, "bans": ascending(count, lambda: take(32).hex())}
    need(at == len(data), "bytes after an admission state")
    return state


def genesis(data):
    """A genesis record: its fields, and the statement its signature is over."""
    need(len(data) <= 2184, "genesis")
    at = 0

    def take(count):
        nonlocal at
        need(at + count <= len(data), "genesis ends early")
        at += count
        return data[at - count : at]

    def number(count):
        return int.from_bytes(take(count), "little")

    def keys():
        count = number(1)
        need(count <= 16, "too many keys")
        return [take(32).hex() for _ in range(count)]

    need(number(1) == 1, "another version")
    record = {"founder": take(32).hex(), "nonce": take(32).hex(), "flags": number(1), "limits_version": number(2)}
    need(record["flags"] <= 1, "unknown flags")
    policy = number(2)
    need(policy <= 1024, "too much policy")
    record |= {"policy": take(policy).hex(), "hosts": keys(), "succession": keys()}
    need(all(a < b for a, b in zip(record["hosts"], record["hosts"][1:])), "hosts out of order")
    need(len(set(record["succession"])) == len(record["succession"]), "a successor twice")
    record["signature"] = take(64).hex()
    need(at == len(data), "bytes after a genesis")
    return record, b"theta/1 genesis\0" + data[:-64]


def member_ticket(data):
    """A member ticket: its fields, and the statement its signature is over."""
    need(len(data) == 170 and data[0] == 1, "member ticket")
    return {
        "document_id": data[1:33].hex(),
        "client_key": data[33:65].hex(),
        "role": enum_name("Role", data[65]),
        "expires_unix_s": int.from_bytes(data[66:74], "little"),
        "authority_key": data[74:106].hex(),
        "signature": data[106:].hex(),
    }, b"theta/1 member-ticket\0" + data[:106]
