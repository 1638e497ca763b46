#!/usr/bin/env python3
"""Writes what the C tests include: the header's functions, the layout snapshot, the table of poses.

    generate.py ROOT OUT

functions.inc  one trampoline per function of both headers, and FUNCTION(name, "shape", class)
layout.inc     STRUCT, FIELD and CONSTANT of abi/theta.abi.json
growth.inc     GROWS(name, first size) and RESERVED(name, field): structs that may grow. Those of the experimental header
               have no first version to keep: it is the one that they have
basis.inc      the columns of tests/vectors/basis.json

A function's shape has a letter for each argument: R G S W F are handles (runtime, reGistry, session, write, frame),
i and o addresses that are read and written, 4 and 8 unsigned numbers of that many bytes, d a double.
"""

import json
import re
import sys

HANDLES = {"runtime": "R", "registry": "G", "session": "S", "write": "W", "frame": "F"}
NUMBERS = {"uint32_t": "4", "uint64_t": "8", "double": "d"}


def argument(text):
    """The letter of a parameter, and how a trampoline passes value number %d of it."""
    kind = re.sub(r"\s*\w+$", "", text).strip()
    if kind.endswith("*"):
        return ("i" if kind.startswith("const") else "o"), f"({kind})v[%d].p"
    handle = re.fullmatch(r"(?:struct )?theta_(\w+)", kind)
    if handle:
        return HANDLES[handle[1]], f"{handle[1]}_of(v[%d].u)"
    if kind == "double":
        return "d", "v[%d].d"
    return NUMBERS[kind], f"({kind})v[%d].u"


def functions(header):
    text = re.sub(r"/\*(?!\*).*?\*/", "", header, flags=re.S)
    pattern = r"/\*\*((?:(?!\*/).)*)\*/\s*^THETA_API\s+([^;(]*?)\b(thetax?_\w+)\(([^;]*)\);"
    for comment, result, name, parameters in re.findall(pattern, text, flags=re.M | re.S):
        parameters = [" ".join(p.split()) for p in parameters.split(",") if p.strip() not in ("", "void")]
        classes = re.findall(r"\[(any|serial|init)\]", comment)
        if result.strip() != "theta_status":
            yield f"PLAIN({name})\n"
            continue
        arguments = [argument(p) for p in parameters]
        passed = ", ".join(call % at for at, (_, call) in enumerate(arguments))
        yield f"TRAMPOLINE({name}, {name}({passed}))\n"
        yield f'FUNCTION({name}, "{"".join(letter for letter, _ in arguments)}", "{classes[-1]}")\n'


def float_row(values):
    spell = lambda n: n if "." in n or "e" in n else n + ".0"
    return "{" + ", ".join(spell(f"{n:.9g}") + "f" for n in values) + "}"


def main():
    root, out = sys.argv[1:]
    read = lambda path: open(f"{root}/{path}", encoding="utf-8").read()
    experimental = read("include/theta/theta_experimental.h")
    lines = list(functions(read("include/theta/theta.h"))) + list(functions(experimental))
    # A file that is included twice: once for the trampolines, once for the table.
    with open(f"{out}/functions.inc", "w", encoding="utf-8") as file:
        file.writelines(lines)

    abi = json.loads(read("abi/theta.abi.json"))
    with open(f"{out}/layout.inc", "w", encoding="utf-8") as file:
        for s in abi["structs"]:
            file.write(f"STRUCT({s['name']}, {s['bytes']}, {s['align']})\n")
            for f in s["fields"]:
                file.write(f"FIELD({s['name']}, {f['name']}, {f['offset']}, {f['bytes']})\n")
        for c in abi["constants"]:
            file.write(f"CONSTANT({c['name']}, {c['value']})\n")
    with open(f"{out}/growth.inc", "w", encoding="utf-8") as file:
        for s in abi["structs"]:
            if "first_bytes" in s:
                file.write(f"GROWS({s['name']}, {s['first_bytes']})\n")
                for f in s["fields"]:
                    if f["name"].startswith("reserved"):
                        file.write(f"RESERVED({s['name']}, {f['name']})\n")
        for body, name in re.findall(r"^typedef struct \w+ \{(.*?)^\} (thetax_\w+);", experimental, flags=re.M | re.S):
            if "uint32_t struct_size;" in body:
                file.write(f"GROWS({name}, sizeof({name}))\n")
                file.writelines(f"RESERVED({name}, {field})\n" for field in re.findall(r"\b(reserved\w*)(?:\[\w+\])?;", body))

    poses = json.loads(read("tests/vectors/basis.json"))["poses"]
    with open(f"{out}/basis.inc", "w", encoding="utf-8") as file:
        for basis in ("openxr", "unity", "unreal"):
            file.write(f"static const pose {basis.upper()}[] = {{\n")
            for p in poses:
                parts = ", ".join(float_row(p[basis][part]) for part in ("position", "rotation", "linear_velocity"))
                file.write(f'  {{"{p["name"]}", {parts}}},\n')
            file.write("};\n")


if __name__ == "__main__":
    main()
