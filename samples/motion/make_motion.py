#!/usr/bin/env python3
"""Writes builtin.motion: 20 s of head and two hands at 90 Hz, made up but plausible, the same bytes every time.

A standing player looks about, squats now and then, reaches with hands in minimum-jerk strokes (Flash and Hogan 1985: the shape human
reaches have), and sometimes strikes: half a metre in a sixth of a second. A few low sweeps pass where cubes lie. Tremor of about a
millimetre at 6 to 11 Hz lies over everything, because a recording without it compresses and interpolates too well.

    ./make_motion.py            write builtin.motion beside this script
    ./make_motion.py --check    fail if the committed file is not what this script makes
"""
import math
import pathlib
import random
import sys

RATE_HZ = 90
SECONDS = 20
FILE = pathlib.Path(__file__).with_name("builtin.motion")


def stroke(u):
    """Minimum jerk from 0 to 1."""
    u = min(1.0, max(0.0, u))
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))


class Track:
    """Numbers that rest at key values and move between them in strokes; each key is (arrival s, duration s, values)."""

    def __init__(self, keys):
        self.keys = keys

    def at(self, t):
        values = self.keys[0][2]
        for arrival, duration, target in self.keys[1:]:
            share = stroke((t - (arrival - duration)) / duration)
            if share <= 0.0:
                break
            values = [a + (b - a) * share for a, b in zip(values, target)]
        return values


def quaternion(yaw, pitch, roll):
    """Degrees about Y, then X, then Z (each in the turned frame), as x y z w."""
    sy, cy = math.sin(math.radians(yaw) / 2), math.cos(math.radians(yaw) / 2)
    sp, cp = math.sin(math.radians(pitch) / 2), math.cos(math.radians(pitch) / 2)
    sr, cr = math.sin(math.radians(roll) / 2), math.cos(math.radians(roll) / 2)
    return [cy * sp * cr + sy * cp * sr, sy * cp * cr - cy * sp * sr, cy * cp * sr - sy * sp * cr, cy * cp * cr + sy * sp * sr]


def between(dice, low, high):
    return low + (high - low) * dice.random()


def head_track(dice):
    """x y z yaw pitch roll. Squats at 6 s and 14 s, when the hands sweep low."""
    keys = [(0.0, 0.0, [0.0, 1.62, 0.0, 0.0, -5.0, 0.0])]
    t = 0.4
    while t < SECONDS:
        low = 5.6 < t % 8.0 < 7.4
        height = between(dice, 1.02, 1.12) if low else between(dice, 1.58, 1.66)
        duration = between(dice, 0.25, 0.7)
        t += duration
        keys.append((t, duration, [between(dice, -0.25, 0.25), height, between(dice, -0.22, 0.22), between(dice, -65, 65),
                                   between(dice, -35, 5), between(dice, -6, 6)]))
        t += between(dice, 0.0, 0.5)
    return Track(keys)


def hand_track(dice, side):
    """x y z (relative to where the player stands) and yaw pitch roll."""
    keys = [(0.0, 0.0, [side * 0.25, 1.0, -0.3, 0.0, -20.0, side * -10.0])]
    t = 0.3 if side > 0 else 0.55
    while t < SECONDS:
        kind = dice.random()
        low = 5.6 < t % 8.0 < 7.4
        if low:  # a sweep across the floor, where the cubes are
            duration = between(dice, 0.18, 0.35)
            place = [between(dice, -0.75, 0.75), between(dice, 0.15, 0.45), between(dice, -0.75, -0.35)]
        elif kind < 0.3:  # a strike
            duration = between(dice, 0.14, 0.2)
            place = [side * between(dice, 0.0, 0.35), between(dice, 0.75, 1.5), between(dice, -0.8, -0.6)]
        elif kind < 0.75:  # a reach
            duration = between(dice, 0.35, 0.8)
            place = [side * between(dice, 0.05, 0.7), between(dice, 0.5, 1.5), between(dice, -0.6, 0.1)]
        else:  # back to rest
            duration = between(dice, 0.5, 0.9)
            place = [side * between(dice, 0.18, 0.3), between(dice, 0.85, 1.05), between(dice, -0.3, -0.1)]
        t += duration
        keys.append((t, duration, place + [between(dice, -50, 50), between(dice, -70, 40), side * between(dice, -80, 30)]))
        t += between(dice, 0.02, 0.45) if kind < 0.75 else between(dice, 0.3, 0.8)
    return Track(keys)


def tremor(dice, metres):
    """Three slowly beating sines per axis."""
    waves = [[(between(dice, 6.0, 11.0), between(dice, 0.0, 2 * math.pi)) for _ in range(3)] for _ in range(3)]
    return lambda t: [metres / 3 * sum(math.sin(2 * math.pi * f * t + p) for f, p in axis) for axis in waves]


def recording():
    dice = random.Random(7)
    parts = [(head_track(dice), tremor(dice, 0.0006)), (hand_track(dice, -1.0), tremor(dice, 0.0015)), (hand_track(dice, 1.0), tremor(dice, 0.0015))]
    lines = ["# Built-in head and hands, made by make_motion.py: t_us, then position (m) and rotation (x y z w) of head, left, right"]
    for frame in range(RATE_HZ * SECONDS + 1):
        t = frame / RATE_HZ
        numbers = []
        for track, shake in parts:
            x, y, z, yaw, pitch, roll = track.at(t)
            dx, dy, dz = shake(t)
            numbers += [x + dx, y + dy, z + dz, *quaternion(yaw, pitch, roll)]
        # Adding zero turns -0.0 into 0.0, whose text is the same everywhere.
        lines.append(" ".join([str(round(frame * 1_000_000 / RATE_HZ))] + [f"{round(n, 6) + 0.0:.6f}" for n in numbers]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = recording()
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit("builtin.motion is not what make_motion.py makes: run it and commit the result")
    elif not sys.argv[1:]:
        FILE.write_text(text)
        print(f"wrote {FILE.name}: {text.count(chr(10)) - 1} frames")
    else:
        sys.exit(__doc__)
