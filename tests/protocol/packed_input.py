"""A second decoder of packed input, written from docs/protocol.md ("Bit packing", "Packed input") alone, with the
standard library only. tests/protocol/test_vectors.py leads it over tests/vectors/wire/input.json.

Every fault in the bytes is a ProtocolError.
"""

import math
import struct

from theta_decode import BitReader, need

MASK = (1 << 64) - 1
ABSENT = {
    "valid": False, "tracked": False, "position": [0.0] * 3, "rotation": [0.0, 0.0, 0.0, 1.0],
    "linear_velocity": [0.0] * 3, "angular_velocity": [0.0] * 3,
}


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def scaled(bits, width, steps_per_unit):
    steps = bits.zigzag(width)
    need(steps != -(1 << (width - 1)), "the lowest number of a width")
    return f32(steps / steps_per_unit)


def signed(varint):
    return varint >> 1 if varint & 1 == 0 else -(varint >> 1) - 1


def rotation(bits):
    largest, half = bits.get(2), 1023
    parts = []
    for _ in range(3):
        lane = bits.get(11)
        need(lane <= 2046, "rotation over its maximum")
        parts.append((lane - half) / half * math.sqrt(0.5))
    parts.insert(largest, math.sqrt(max(0.0, 1.0 - sum(part * part for part in parts))))
    return [f32(part) for part in parts]


def pose(bits):
    flags = bits.get(2)
    if flags & 1 == 0:
        return ABSENT
    read = {"valid": True, "tracked": flags & 2 != 0, "position": [scaled(bits, 19, 1024) for _ in range(3)],
            "rotation": rotation(bits)}
    moving = bits.get(1)
    for name in ("linear_velocity", "angular_velocity"):
        read[name] = [scaled(bits, 14, 128) if moving else 0.0 for _ in range(3)]
    return read


def u32(bits):
    value = bits.varint()
    need(value < 1 << 32, "over 32 bits")
    return value


def decode_input(payload, input_tick, sampled_at_us, display_after_us):
    """The samples of an InputPredictiveState, newest first; the arguments after the payload are its head's."""
    bits = BitReader(payload)
    shown_at_us = sampled_at_us + display_after_us
    samples = []
    for index in range(bits.get(2) + 1):
        sample = {"input_tick": input_tick, "sampled_at_us": sampled_at_us, "target_display_us": shown_at_us}
        if index > 0:
            back = u32(bits)
            need(back <= input_tick, "a tick below zero")
            sample["input_tick"] -= back
            sample["sampled_at_us"] = (sampled_at_us - signed(bits.varint())) & MASK
            sample["target_display_us"] = (shown_at_us - signed(bits.varint())) & MASK
        sample["poses"] = [pose(bits) for _ in range(3)]
        sample["buttons"], sample["flags"] = u32(bits), u32(bits)
        sample["axes"] = [scaled(bits, 11, 1023) if bits.get(1) else 0.0 for _ in range(8)]
        length = bits.get(7)
        need(length <= 64, "tail over its maximum")
        sample["tail"] = bytes(bits.get(8) for _ in range(length)).hex()
        samples.append(sample)
    bits.finish()
    return samples
