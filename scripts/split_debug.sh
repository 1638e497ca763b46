#!/usr/bin/env bash
# split_debug.sh LIBRARY DIRECTORY: puts a shared library into DIRECTORY as it is shipped. What only a debugger reads goes into a
# file beside it, which debuggers, profilers and Rust's own backtraces find by the library's .gnu_debuglink; keep it, ship it or
# leave it out. Exports and unwinding stay. Linux; run by the CMake package and by hand (docs/guides/unity.md).
set -euo pipefail

if [ $# -ne 2 ] || [ ! -f "$1" ]; then
  echo "usage: split_debug.sh LIBRARY DIRECTORY, where LIBRARY is a built one such as target/release/libtheta_sdk.so" >&2
  exit 2
fi
objcopy=${OBJCOPY:-objcopy}
if ! command -v "$objcopy" >/dev/null; then
  echo "split_debug.sh: there is no $objcopy: install binutils, or copy the library as it is" >&2
  exit 1
fi

name=$(basename "$1")
mkdir -p "$2"
"$objcopy" --only-keep-debug --compress-debug-sections=zlib "$1" "$2/$name.debug"
chmod a-x "$2/$name.debug"
# The link holds a checksum of that file, which must be there by then; its path is not kept.
"$objcopy" --strip-unneeded --add-gnu-debuglink="$2/$name.debug" "$1" "$2/$name"
