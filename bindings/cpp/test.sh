#!/usr/bin/env bash
# Builds and runs the tests of the C++ wrapper: bindings/cpp/test.sh LIBRARY_DIR [BUILD_DIR]
# LIBRARY_DIR holds the built libtheta_sdk, such as target/debug. The last line is `N passed, N failed`.
# THETA_MEMORY: `short` runs the programs once more under the address and undefined-behaviour sanitizers, `long` under
# valgrind as well.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
library_dir=${1:-${THETA_LIBRARY_DIR:-}}
if [ -z "$library_dir" ]; then
  echo "usage: bindings/cpp/test.sh LIBRARY_DIR [BUILD_DIR]" >&2
  exit 2
fi
library_dir=$(cd "$library_dir" && pwd)
build_dir=${2:-${THETA_BUILD_DIR:-$library_dir/../tests/cpp}}

cmake -S "$here" -B "$build_dir" -DCMAKE_BUILD_TYPE=Debug -DTHETA_BUILD_TESTS=ON -DTHETA_LIBRARY_DIR="$library_dir" \
  -DTHETA_MEMORY="${THETA_MEMORY:-}" >/dev/null
cmake --build "$build_dir" -j "$(nproc)"
log="$build_dir/ctest.log"
code=0
ctest --test-dir "$build_dir" -j "$(nproc)" --output-on-failure --no-tests=error --timeout 300 | tee "$log" || code=$?
awk '/tests? failed out of [0-9]+/ {
  for (i = 1; i <= NF; i++) if ($i ~ /^tests?$/ && $(i + 1) == "failed") { failed = $(i - 1); total = $(i + 4) }
} END { printf "%d passed, %d failed\n", total - failed, failed }' "$log"
exit "$code"
