#!/usr/bin/env python3
"""Prints a C program that prints the size of every struct of theta.h and the offset of every field.

    layout.py HEADER > layout.c

The C# tests compare its output with their own layout, so that the comparison is with a C compiler's and not with ours.
"""

import re
import sys


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    print('#include <stddef.h>\n#include <stdio.h>\n#include THETA_HEADER\nint main(void) {')
    count = 0
    for body, name in re.findall(r"typedef\s+struct\s*\w*\s*\{(.*?)\}\s*(\w+)\s*;", text, flags=re.S):
        count += 1
        print(f'  printf("{name} %zu\\n", sizeof({name}));')
        for declaration in filter(None, (d.strip() for d in body.split(";"))):
            # Several names may share one type: "uint32_t a, b[4]".
            for field in declaration.split(","):
                field = re.sub(r"\[[^\]]*\]", "", field).split()[-1].lstrip("*")
                print(f'  printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
    print("  return 0;\n}")
    if count == 0:
        print(f"layout.py: no struct found in {sys.argv[1]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
