"""A second decoder of packed rows, written from docs/protocol.md ("Bit packing", "Packed rows") alone, with the standard
library only; and its test: it leads every byte of tests/vectors/rows to the state that stands beside it.

Run: python3 tests/protocol/rows.py
"""

import json
import math
import pathlib
import random
import struct
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from theta_decode import BitReader, ProtocolError, need  # noqa: E402

VECTORS = HERE.parent / "vectors" / "rows" / "session.json"
MASK = (1 << 64) - 1

# ---- Hashes --------------------------------------------------------------------------------------------------------


def rotate(value, by):
    return (value << by | value >> (64 - by)) & MASK


def siphash(data, key=bytes(range(16))):
    """SipHash-2-4."""
    k0, k1 = struct.unpack("<QQ", key)
    v0, v1, v2, v3 = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)

    def rounds(count):
        nonlocal v0, v1, v2, v3
        for _ in range(count):
            v0 = (v0 + v1) & MASK
            v1 = rotate(v1, 13) ^ v0
            v0 = rotate(v0, 32)
            v2 = (v2 + v3) & MASK
            v3 = rotate(v3, 16) ^ v2
            v0 = (v0 + v3) & MASK
            v3 = rotate(v3, 21) ^ v0
            v2 = (v2 + v1) & MASK
            v1 = rotate(v1, 17) ^ v2
            v2 = rotate(v2, 32)

    whole = len(data) & ~7
    last = data[whole:] + bytes(7 - (len(data) - whole)) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", data[:whole] + last):
        v3 ^= word
        rounds(2)
        v0 ^= word
    v2 ^= 0xFF
    rounds(4)
    return v0 ^ v1 ^ v2 ^ v3


def fold(chunks):
    return siphash(b"".join(struct.pack("<IQ", version.chunk, version.hash()) for version in chunks))


# ---- Schema --------------------------------------------------------------------------------------------------------

KINDS = {
    name: number
    for number, name in enumerate(
        "i8 i16 i32 i64 u8 u16 u32 u64 flags f32 f64 vec2 vec3 vec4 dvec3 quat entity string bytes list".split(), 1)
}
RANGES = {"f32": 1, "f64": 1, "vec2": 2, "vec3": 3, "vec4": 4, "dvec3": 3}
PREDICTORS = ("hold", "none", "linear", "ballistic", "angular_velocity")
DIFFS = ("residual", "replace")


def away(value):
    """Rounded to the nearest, halves away from zero; for values that are not negative."""
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)


def range_max(quantisation):
    return away((quantisation["max"] - quantisation["min"]) / quantisation["step"])


def int_max(quantisation):
    return int(quantisation["max"]) - int(quantisation["min"])


def range_bytes(quantisation):
    return struct.pack("<ddd", *(quantisation[name] + 0.0 for name in ("min", "max", "step")))


def int_bytes(quantisation):
    return b"".join(int(quantisation[name]).to_bytes(16, "little", signed=True) for name in ("min", "max"))


class Field:
    """A field of the manifest: its lanes (their maxima), or its bytes."""

    def __init__(self, json_field):
        self.id, self.kind, self.default = json_field["id"], json_field["kind"], json_field["default"]
        self.quantisation = quantisation = json_field["quantisation"]
        self.predictor, self.diff, self.document = (json_field[name] for name in ("predictor", "diff", "document"))
        kind = self.kind
        self.whole = kind in ("flags", "entity") or self.predictor == "none" or self.diff == "replace"
        self.max_len = quantisation.get("max_len")
        self.item = None
        if kind in ("string", "bytes"):
            self.maxima = None
        elif kind == "list":
            self.maxima = None
            self.item = range_max(quantisation) if quantisation["item"] == "f32" else int_max(quantisation)
        elif kind in RANGES:
            self.maxima = [range_max(quantisation)] * RANGES[kind]
        elif kind == "flags":
            self.maxima = [(1 << quantisation["bits"]) - 1]
        elif kind == "quat":
            self.maxima = [3] + [(1 << quantisation["bits"]) - 2] * 3
        elif kind == "entity":
            self.maxima = [MASK]
        else:
            self.maxima = [int_max(quantisation)]
        self.default_cell = self.make_default()

    def make_default(self):
        kind, default, quantisation = self.kind, self.default, self.quantisation
        if kind == "list":
            return b""
        if kind == "string":
            return (default or "").encode()
        if kind == "bytes":
            return bytes.fromhex(default or "")
        if kind in RANGES:
            low, high, step = (quantisation[name] for name in ("min", "max", "step"))
            numbers = default or [0.0] * RANGES[kind]
            return tuple(min(away((min(max(number, low), high) - low) / step), self.maxima[0]) for number in numbers)
        if kind == "quat":
            middle = self.maxima[1] // 2
            need(default in (None, [0.0, 0.0, 0.0, 1.0]), "only the identity is a default here")
            return (3, middle, middle, middle)
        if kind in ("flags", "entity"):
            return (int(default or 0),)
        low, high = int(quantisation["min"]), int(quantisation["max"])
        return (min(max(int(default or 0), low), high) - low,)

    def item_bytes(self):
        return (self.item.bit_length() + 7) // 8

    def cell_bytes(self, cell):
        """A cell as hashes see it."""
        if self.maxima is None:
            return struct.pack("<I", len(cell)) + cell
        return struct.pack(f"<{len(cell)}Q", *cell)

    def hash_input(self):
        kind, quantisation = self.kind, self.quantisation
        out = struct.pack("<HBBBB", self.id, KINDS[kind], PREDICTORS.index(self.predictor), DIFFS.index(self.diff),
                          self.document)
        if kind in RANGES:
            out += range_bytes(quantisation)
        elif kind in ("flags", "quat"):
            out += bytes([quantisation["bits"]])
        elif kind in ("string", "bytes"):
            out += struct.pack("<H", self.max_len)
        elif kind == "list":
            item = quantisation["item"]
            out += struct.pack("<HB", self.max_len, KINDS[item])
            out += range_bytes(quantisation) if item == "f32" else int_bytes(quantisation)
        elif kind != "entity":
            out += int_bytes(quantisation)
        return out + self.cell_bytes(self.default_cell)


class Schema:
    """The components in order, and the hashes that follow from them."""

    def __init__(self, manifest):
        self.components = sorted(
            ((siphash(component["name"].encode()), component) for component in manifest["components"]), key=lambda c: c[0])
        self.fields = [
            sorted((Field(field) for field in component["fields"]), key=lambda field: field.id)
            for _, component in self.components
        ]
        names = [component["name"] for _, component in self.components]
        self.entity = names.index("theta.entity")

    def layout_input(self, index):
        fields = self.fields[index]
        head = struct.pack("<QH", self.components[index][0], len(fields))
        return head + b"".join(field.hash_input() for field in fields)

    def hash(self):
        return siphash(b"".join(self.layout_input(index) for index in range(len(self.components))))

    def columns(self, components):
        need(components == sorted(set(components)), "components ascend")
        need(self.entity not in components and all(c < len(self.fields) for c in components), "components")
        return [field for index in [self.entity, *components] for field in self.fields[index]]


# ---- State ---------------------------------------------------------------------------------------------------------


class Version:
    """One version of a chunk: rows by slot, each (entity, [cell of each column])."""

    def __init__(self, chunk, archetype, columns, tick, rows):
        self.chunk, self.archetype, self.columns, self.tick, self.rows = chunk, archetype, columns, tick, rows

    def column_hashes(self):
        return [
            siphash(b"".join(bytes([slot]) + field.cell_bytes(self.rows[slot][1][at]) for slot in sorted(self.rows)))
            for at, field in enumerate(self.columns)
        ]

    def hash(self):
        occupancy = sum(1 << slot for slot in self.rows)
        out = struct.pack("<IIQ", self.chunk, self.archetype, occupancy)
        out += b"".join(struct.pack("<Q", self.rows[slot][0]) for slot in sorted(self.rows))
        return siphash(out + b"".join(struct.pack("<Q", one) for one in self.column_hashes()))


# ---- Rows ----------------------------------------------------------------------------------------------------------


def get_lane(reader, maximum):
    lane = reader.get(maximum.bit_length())
    need(lane <= maximum, "lane out of range")
    return lane


def get_whole(reader, field):
    if field.maxima is not None:
        return tuple(get_lane(reader, maximum) for maximum in field.maxima)
    count = reader.get(field.max_len.bit_length())
    need(count <= field.max_len, "too many elements")
    if field.kind == "list":
        return b"".join(get_lane(reader, field.item).to_bytes(field.item_bytes(), "little") for _ in range(count))
    data = bytes(reader.get(8) for _ in range(count))
    if field.kind == "string":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError("text") from None
    return data


def get_residuals(reader, maxima, old):
    new = []
    for maximum, base in zip(maxima, old):
        width = maximum.bit_length()
        if width < 5:
            new.append(get_lane(reader, maximum))
            continue
        if len(maxima) > 1 and reader.get(1) == 0:
            new.append(base)
            continue
        widths = [-(-width // 4), -(-width // 2), -(-3 * width // 4)]
        selector = reader.get(2)
        if selector == 3:
            lane = get_lane(reader, maximum)
        else:
            lane = (base + reader.zigzag(widths[selector])) % (1 << width)
        need(lane <= maximum, "lane out of range")
        signed = (lane - base) % (1 << width)
        if signed >> (width - 1):
            signed -= 1 << width
        code = signed * 2 if signed >= 0 else -signed * 2 - 1
        need(code != 0, "a residual of nothing")
        need(next((s for s, w in enumerate(widths) if code < 1 << w), 3) == selector, "the shortest selector")
        new.append(lane)
    return tuple(new)


def get_change(reader, field, old):
    if field.maxima is None or field.whole:
        new = get_whole(reader, field)
    elif field.kind == "quat":
        if reader.get(1):
            new = (old[0], *get_residuals(reader, field.maxima[1:], old[1:]))
        else:
            new = get_whole(reader, field)
            need(new[0] != old[0], "the largest part is another one")
    else:
        new = get_residuals(reader, field.maxima, old)
    need(new != old, "a change of nothing")
    return new


def decode_rows(data, columns, before, first, last, seen):
    """The rows of a range of slots, given the baseline's; `seen` collects which forms occur."""
    reader = BitReader(data)
    size = last - first + 1
    if reader.get(1):
        count = reader.get(6)
        need(6 + 6 * count < size, "a list that is not shorter")
        touched = [reader.get(6) for _ in range(count)]
        need(touched == sorted(set(touched)) and all(first <= slot <= last for slot in touched), "list of slots")
        seen.add("list")
    else:
        bits = reader.get(size)
        touched = [first + at for at in range(size) if bits >> at & 1]
        need(6 + 6 * len(touched) >= size, "a bitmap that is not shorter")
        seen.add("bitmap")
    rows = dict(before)
    changed, spawned = set(), set(touched) - set(before)
    for slot in touched:
        if slot in before:
            if reader.get(1):
                del rows[slot]
                again = reader.get(1)
                seen.add("again" if again else "gone")
                if again:
                    spawned.add(slot)
            else:
                changed.add(slot)
    active = [at for at in range(len(columns)) if reader.get(1)] if changed else []
    unused = set(active)
    previous = 0
    for slot in touched:
        if slot in changed:
            entity, cells = rows[slot]
            cells = list(cells)
            chosen = active if len(active) == 1 else [at for at in active if reader.get(1)]
            need(chosen, "a changed row without a change")
            for at in chosen:
                cells[at] = get_change(reader, columns[at], cells[at])
                seen.add("change " + columns[at].kind)
            unused -= set(chosen)
            rows[slot] = (entity, cells)
        elif slot in spawned:
            following = (previous + 1) & MASK
            if reader.get(1):
                entity = following
                seen.add("next")
            else:
                entity = reader.get(64)
                need(entity != following, "the next entity written out")
            need(entity != 0, "no entity")
            need(slot not in before or entity != before[slot][0], "the entity that is gone")
            previous = entity
            cells = []
            for field in columns:
                cell = field.default_cell
                if reader.get(1):
                    cell = get_whole(reader, field)
                    need(cell != field.default_cell, "a default written out")
                    seen.add("whole " + field.kind)
                cells.append(cell)
            rows[slot] = (entity, cells)
    need(not unused, "a column that no row changes")
    reader.finish()
    return rows


def entries(payload, tick, hashed):
    """(chunk, version, baseline tick or None, archetype or None, first, last, hash or None, rows) of each entry."""
    reader = BitReader(payload)
    previous = None
    while reader.at < reader.bits:
        gap = reader.varint()
        chunk = gap if previous is None else previous + gap + 1
        flags = reader.varint()
        age = reader.varint() if flags & 2 else 0
        need(not flags & 2 or age, "an age of nothing")
        version, distance = tick - age, flags >> 2
        baseline = archetype = None
        if distance:
            baseline = version - (distance - 1)
            need(baseline > 0, "baseline")
        else:
            archetype = reader.varint()
        need(0 < chunk < 1 << 32 and version > 0, "entry")
        first, last = 0, 63
        if flags & 1:
            first, last = reader.get(8), reader.get(8)
            need(first <= last < 64 and (first, last) != (0, 63), "slot range")
        digest = reader.get(64) if hashed else None
        length = reader.varint()
        need(length * 8 <= reader.bits - reader.at, "rows end early")
        start = reader.at // 8
        yield chunk, version, baseline, archetype, first, last, digest, payload[start:start + length]
        reader.at += length * 8
        previous = chunk


class Replica:
    """What a peer holds."""

    def __init__(self, schema):
        self.schema = schema
        self.archetypes = {}
        self.versions = {}
        self.seen = set()

    def define(self, archetypes):
        for one in archetypes:
            self.archetypes[one["id"]] = self.schema.columns(one["components"])

    def apply(self, parts, tick, hashed=False):
        """All parts of a tick (or all entries of a snapshot); gives the whole versions they bring."""
        begun, hashes = {}, {}
        for payload in parts:
            for chunk, version, baseline, archetype, first, last, digest, data in entries(payload, tick, hashed):
                need(not hashed or baseline is None, "a baseline in a snapshot")
                self.seen |= {"split"} if (first, last) != (0, 63) else set()
                self.seen |= {"aged"} if version != tick else set()
                self.seen |= {"whole chunk"} if baseline is None else {f"distance {min(version - baseline, 2)}"}
                if baseline is None:
                    need(archetype in self.archetypes, "an archetype that is not defined")
                    columns, base = self.archetypes[archetype], {}
                else:
                    known = self.versions.get(chunk, {}).get(baseline)
                    need(known is not None, "a baseline that is not here")
                    archetype, columns = known.archetype, known.columns
                    base = {slot: row for slot, row in known.rows.items() if first <= slot <= last}
                rows = decode_rows(data, columns, base, first, last, self.seen)
                whole, covered = begun.setdefault((chunk, version), (Version(chunk, archetype, columns, version, {}), set()))
                need(not covered & set(range(first, last + 1)) and whole.archetype == archetype, "two versions")
                covered.update(range(first, last + 1))
                whole.rows.update(rows)
                need(hashes.setdefault(chunk, digest) == digest, "two hashes")
        result = []
        for (chunk, _), (version, covered) in sorted(begun.items()):
            need(len(covered) == 64, "a part of a chunk")
            entities = [entity for entity, _ in version.rows.values()]
            need(len(entities) == len(set(entities)), "one entity in two rows")
            need(not hashed or version.hash() == hashes[chunk], "a chunk's hash")
            result.append(version)
        return result

    def snapshot(self, pieces, tick, repair):
        heads = {bytes(piece[:8]) for piece in pieces}
        need(len(heads) == 1 and all(len(piece) >= 8 for piece in pieces), "one fold in all pieces")
        versions = self.apply([piece[8:] for piece in pieces], tick, hashed=True)
        need(fold(versions) == int.from_bytes(heads.pop(), "little"), "the snapshot's fold")
        if not repair:
            self.versions = {}
        for version in versions:
            self.versions[version.chunk] = {version.tick: version}

    def delta(self, parts, tick):
        for version in self.apply(parts, tick):
            self.versions.setdefault(version.chunk, {})[version.tick] = version

    def state(self, tick):
        newest = (max((t for t in known if t <= tick), default=None) for known in self.versions.values())
        found = (known[t] for known, t in zip(self.versions.values(), newest) if t is not None)
        return sorted((version for version in found if version.rows), key=lambda version: version.chunk)


# ---- Test ----------------------------------------------------------------------------------------------------------


def text(value):
    return f"0x{value:016x}"


def show(cell):
    return cell.hex() if isinstance(cell, bytes) else [str(lane) for lane in cell]


class Session(unittest.TestCase):
    """The vectors lead where they say, and nothing that is not them passes unseen."""

    @classmethod
    def setUpClass(cls):
        golden = json.loads(VECTORS.read_text(encoding="utf-8"))
        cls.manifest, cls.steps = golden["manifest"], golden["steps"]

    def test_siphash(self):
        # The first and the last vector of the paper's implementation.
        self.assertEqual(siphash(b""), 0x726FDB47DD0E0E31)
        self.assertEqual(siphash(bytes(range(63))), 0x958A324CEB064572)

    def test_schema(self):
        schema = Schema(self.manifest)
        listed = {int(component["id"], 16): component for component in self.manifest["components"]}
        for index, (number, component) in enumerate(schema.components):
            self.assertIs(listed[number], component)
            self.assertEqual(text(siphash(schema.layout_input(index))), component["layout_hash"], component["name"])
        self.assertEqual(text(schema.hash()), self.manifest["schema_hash"])

    def play(self, each):
        replica = Replica(Schema(self.manifest))
        for step in self.steps:
            each(replica, step)
            if step["kind"] == "archetypes":
                replica.define(step["archetypes"])
            elif step["kind"] == "snapshot":
                replica.snapshot([bytes.fromhex(piece) for piece in step["pieces"]], step["tick"], step["repair"])
            elif step["kind"] == "delta":
                replica.delta([bytes.fromhex(part) for part in step["parts"]], step["tick"])
                self.assertEqual(text(fold(replica.state(step["tick"]))), step["fold"], step["tick"])
            else:
                self.compare(replica, step)
        return replica

    def compare(self, replica, step):
        state = replica.state(step["tick"])
        self.assertEqual(text(fold(state)), step["fold"])
        self.assertEqual([version.chunk for version in state], [chunk["chunk"] for chunk in step["chunks"]])
        for version, chunk in zip(state, step["chunks"]):
            self.assertEqual((version.archetype, version.tick), (chunk["archetype"], chunk["version"]))
            self.assertEqual([text(one) for one in version.column_hashes()], chunk["columns"])
            self.assertEqual(text(version.hash()), chunk["hash"])
            rows = [
                {"slot": slot, "entity": text(entity), "cells": [show(cell) for cell in cells]}
                for slot, (entity, cells) in sorted(version.rows.items())
            ]
            self.assertEqual(rows, chunk["rows"])

    def test_session(self):
        seen = self.play(lambda replica, step: None).seen
        # The vectors show every form; a form that none shows is not proven.
        forms = {"list", "bitmap", "gone", "again", "next", "split", "aged", "whole chunk", "distance 0", "distance 1",
                 "distance 2"}
        # An integer of one value (u8 here) never changes and is never written out.
        kinds = {field["kind"] for component in self.manifest["components"] for field in component["fields"]} - {"u8"}
        # What is said at a spawn stays (type_id, persistent_id), and nobody wrote the log's f32.
        forms |= {"whole " + kind for kind in kinds - {"f32"}} | {"change " + kind for kind in kinds - {"f32", "u32"}}
        self.assertEqual(forms - seen, set())

    def test_hostile(self):
        def torment(replica, step):
            if step["kind"] != "delta":
                return
            rng = random.Random(step["tick"])
            parts = [bytes.fromhex(part) for part in step["parts"]]
            good = [(version.chunk, version.tick, version.hash()) for version in replica.apply(parts, step["tick"])]
            total = sum(map(len, parts)) * 8
            for _ in range(12 if total else 0):
                at = rng.randrange(len(parts))
                if not parts[at]:
                    continue
                changed = bytearray(parts[at])
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
                try:
                    versions = replica.apply([*parts[:at], bytes(changed), *parts[at + 1:]], step["tick"])
                except ProtocolError:
                    continue
                # Other bits are another state: one state has one spelling.
                self.assertNotEqual([(version.chunk, version.tick, version.hash()) for version in versions], good)

        self.play(torment)

    def test_snapshots_are_applied_whole_or_not(self):
        def torment(replica, step):
            if step["kind"] != "snapshot":
                return
            rng = random.Random(5)
            before = replica.versions
            for _ in range(40):
                pieces = [bytearray.fromhex(piece) for piece in step["pieces"]]
                piece = rng.choice(pieces)
                piece[rng.randrange(len(piece))] ^= 1 << rng.randrange(8)
                with self.assertRaises(ProtocolError):
                    replica.snapshot([bytes(piece) for piece in pieces], step["tick"], step["repair"])
                self.assertIs(replica.versions, before)

        self.play(torment)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    # A test with several failing vectors is one failed test.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() else 1)
