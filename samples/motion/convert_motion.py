#!/usr/bin/env python3
"""Turns recordings of head and hands into the samples' motion format.

    ./convert_motion.py RECORDING.csv|RECORDING.json OUT.motion

CSV: a header line, then t_ms, mode, and position and quaternion (x y z w) of head, left and right, as the Quest 3 recorder writes.
JSON: camera, left and right with poses of position (m), Euler rotation (degrees, order YXZ) and timestamp (ms), as the WebVR motion
capture recorder writes; the hands are interpolated at the camera's times. Frames whose time does not advance are left out. The recording is
moved so that the head is above x = z = 0 on average: a player of the samples stands at a place of their own.
"""
import csv
import json
import math
import sys

from make_motion import quaternion


def frames_of_csv(path):
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        parts = [None, None, None]
        for row in rows:
            for part in range(3):
                values = row[2 + 7 * part:9 + 7 * part]
                if len(values) == 7 and all(values):  # a hand out of sight has no values: it stays where it was seen last
                    parts[part] = [float(value) for value in values]
            if all(parts):
                yield float(row[0]), parts[0] + parts[1] + parts[2]


def pose_of_json(pose):
    position, turn = pose["position"], pose["rotation"]
    return pose["timestamp"], [position["x"], position["y"], position["z"], *quaternion(turn["y"], turn["x"], turn["z"])]


def at_time(poses, t, start):
    """The pose at t, linear between neighbours; `start` is where the last search ended. Returns the pose and the new start."""
    while start + 2 < len(poses) and poses[start + 1][0] < t:
        start += 1
    (t0, a), (t1, b) = poses[start], poses[min(start + 1, len(poses) - 1)]
    share = 0.0 if t1 <= t0 else min(1.0, max(0.0, (t - t0) / (t1 - t0)))
    sign = 1.0 if sum(x * y for x, y in zip(a[3:], b[3:])) >= 0 else -1.0
    mixed = [x + (y - x) * share for x, y in zip(a[:3], b[:3])]
    turn = [x + (sign * y - x) * share for x, y in zip(a[3:], b[3:])]
    length = math.sqrt(sum(x * x for x in turn))
    return mixed + [x / length for x in turn], start


def frames_of_json(path):
    with open(path) as file:
        recording = json.load(file)
    parts = {name: [pose_of_json(pose) for pose in recording[name]["poses"]] for name in ("camera", "left", "right")}
    left = right = 0
    for t, head in parts["camera"]:
        left_pose, left = at_time(parts["left"], t, left)
        right_pose, right = at_time(parts["right"], t, right)
        yield t, head + left_pose + right_pose


def main(source, target):
    frames = frames_of_json(source) if source.endswith(".json") else frames_of_csv(source)
    first_ms, last_us, kept = None, -1, []
    for t_ms, numbers in frames:
        first_ms = t_ms if first_ms is None else first_ms
        t_us = round((t_ms - first_ms) * 1000)
        if t_us <= last_us or len(numbers) != 21 or not all(math.isfinite(n) for n in numbers):
            continue
        kept.append((t_us, numbers))
        last_us = t_us
    if len(kept) < 2:
        sys.exit(f"{source}: no recording of head and hands in it")
    centre = [sum(numbers[axis] for _, numbers in kept) / len(kept) for axis in range(3)]
    centre[1] = 0.0
    with open(target, "w") as out:
        out.write("# Converted by convert_motion.py: t_us, then position (m) and rotation (x y z w) of head, left, right\n")
        for t_us, numbers in kept:
            for place in (0, 7, 14):
                numbers[place:place + 3] = [n - c for n, c in zip(numbers[place:place + 3], centre)]
            out.write(" ".join([str(t_us)] + [f"{round(n, 6) + 0.0:.6f}" for n in numbers]) + "\n")
    print(f"wrote {target}: {len(kept)} frames, {last_us / 1e6:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
