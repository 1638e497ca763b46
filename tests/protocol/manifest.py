"""A second decoder of the compact manifest, written from docs/protocol.md ("Compact manifest") alone, with the standard
library only. What it gives is what the JSON manifest says of the same components."""

import struct

from rows import DIFFS, KINDS, PREDICTORS, RANGES, Schema, siphash
from theta_decode import ProtocolError, need

NAMES = {number: name for name, number in KINDS.items()}
# What every schema has besides; "Packed rows" says so.
BUILT_IN = {
    "name": "theta.entity",
    "fields": [
        {"id": number, "kind": kind, "quantisation": quantisation, "predictor": "hold", "diff": "residual",
         "document": False, "default": None}
        for number, kind, quantisation in [
            (1, "u32", {"min": "0", "max": str(2**32 - 1)}),
            (2, "u16", {"min": "0", "max": str(2**16 - 1)}),
            (3, "entity", {}),
            (4, "u64", {"min": "0", "max": str(2**64 - 1)}),
            (5, "bytes", {"max_len": 256}),
        ]
    ],
}


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "it ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def byte(self):
        return self.take(1)[0]

    def number(self):
        value = 0
        for index in range(10):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                need(byte != 0 or index == 0, "an overlong number")
                return value
        raise ProtocolError("an overlong number")

    def integer(self):
        coded = self.number()
        return coded >> 1 ^ -(coded & 1)

    def count(self, limit, what):
        count = self.number()
        need(count <= limit, what)
        return count

    def blob(self):
        return self.take(self.number())

    def text(self):
        try:
            return self.blob().decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError("text") from None

    def floats(self, count):
        return list(struct.unpack(f"<{count}d", self.take(8 * count)))


def named(table, number, what):
    need(number < len(table), what)
    return table[number]


def kind_and_quantisation(cursor, code):
    need(code in NAMES, "kind")
    kind = NAMES[code]
    if kind in RANGES:
        return kind, dict(zip(("min", "max", "step"), cursor.floats(3)))
    if kind in ("flags", "quat"):
        return kind, {"bits": cursor.byte()}
    if kind == "entity":
        return kind, {}
    if kind in ("string", "bytes"):
        return kind, {"max_len": cursor.count(65_535, "capacity")}
    if kind == "list":
        max_len = cursor.count(65_535, "capacity")
        item = cursor.byte()
        need(item <= 8 or item == KINDS["f32"], "item")
        item, quantisation = kind_and_quantisation(cursor, item)
        return kind, {**quantisation, "item": item, "max_len": max_len}
    return kind, {"min": str(cursor.integer()), "max": str(cursor.integer())}


def default_value(cursor):
    sort = cursor.byte()
    if sort == 0:
        return None
    if sort == 1:
        return str(cursor.integer())
    if sort == 2:
        return cursor.floats(cursor.count(4, "default"))
    need(sort <= 4, "default")
    return cursor.text() if sort == 3 else cursor.blob().hex()


def field(cursor):
    number, name = cursor.count(65_535, "field id"), cursor.text()
    code, predictor, diff, flags = cursor.take(4)
    need(flags < 4, "flags")
    kind, quantisation = kind_and_quantisation(cursor, code)
    return {
        "id": number, "name": name, "kind": kind, "quantisation": quantisation,
        "predictor": named(PREDICTORS, predictor, "predictor"), "diff": named(DIFFS, diff, "diff"),
        "document": bool(flags & 2), "default": default_value(cursor), "since_version": cursor.text(),
        "deprecated_in": cursor.text() if flags & 1 else None,
    }


def component(cursor):
    name = cursor.text()
    need(name != BUILT_IN["name"] and len(name.encode()) <= 128, "name")
    flags = cursor.byte()
    need(flags < 2, "flags")
    since = cursor.text()
    deprecated = cursor.text() if flags else None
    fields = [field(cursor) for _ in range(cursor.count(64, "fields"))]
    need(all(low["id"] < high["id"] for low, high in zip(fields, fields[1:])), "fields ascend")
    return {"id": f"{siphash(name.encode()):#018x}", "name": name, "fields": fields, "since_version": since,
            "deprecated_in": deprecated}


def decode_manifest(data):
    """The components of a compact manifest; its hash is that of what it describes."""
    need(len(data) <= 256 * 1024, "too long")
    cursor = Cursor(data)
    need(cursor.take(4) == b"THM1", "magic")
    (stated,) = struct.unpack("<Q", cursor.take(8))
    components = [component(cursor) for _ in range(cursor.count(1023, "components"))]
    need(cursor.at == len(data), "bytes behind the end")
    ids = [int(one["id"], 16) for one in components]
    need(all(low < high for low, high in zip(ids, ids[1:])), "components ascend")
    try:
        actual = Schema({"components": [BUILT_IN, *components]}).hash()
    except (ValueError, OverflowError, ZeroDivisionError, TypeError, struct.error):
        # A range without steps, a default of another kind: whatever a registration refuses.
        raise ProtocolError("no component") from None
    need(actual == stated, "hash")
    return {"schema_hash": f"{stated:#018x}", "components": components}
