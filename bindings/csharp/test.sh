#!/usr/bin/env bash
# The C# tests: test.sh [LIBDIR]. LIBDIR holds libtheta_sdk.so (default: THETA_LIBRARY_DIR); without the library only the
# tests that need none are run. Prints "N passed, N failed"; fails when a test fails or nothing ran.
# THETA_QUICK: a tenth of the frames and rounds of the long tests.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
LIBDIR=${1:-${THETA_LIBRARY_DIR:-}}
HEADER=${THETA_INCLUDE_DIR:-$ROOT/include}/theta/theta.h
WORK=${THETA_BUILD_DIR:-}
if [ -z "$WORK" ]; then
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
fi
mkdir -p "$WORK/unity"
WORK=$(cd "$WORK" && pwd)

NUNIT=$(find /usr/lib/cli -name nunit.framework.dll 2>/dev/null | sort | tail -1)
if [ -z "$NUNIT" ] || ! command -v mcs >/dev/null || ! command -v nunit-console >/dev/null; then
  echo "test.sh: Mono and NUnit are missing: apt-get install mono-mcs mono-runtime libmono-system-core4.0-cil nunit-console libnunit-cil-dev" >&2
  exit 1
fi

python3 "$HERE/tools/meta.py" --check

bash "$HERE/build.sh" "$WORK"
cp "$NUNIT" "$WORK/"
mcs -nologo -langversion:7.2 -unsafe -debug -warnaserror -target:library -r:"$WORK/Theta.Interop.dll" -r:"$WORK/Theta.dll" \
  -r:"$NUNIT" -out:"$WORK/Theta.Tests.dll" "$HERE"/com.theta.sdk/Tests/*.cs

# The Unity-only part and the package's sample, against stand-ins of the engine's API (see unity_standins/README.md).
bash "$HERE/unity_standins/build.sh" "$WORK/unity" "$NUNIT"
cp "$NUNIT" "$WORK/unity/"

python3 "$HERE/tools/layout.py" "$HEADER" >"$WORK/layout.c"
"${CC:-cc}" -DTHETA_HEADER="\"$HEADER\"" -o "$WORK/layout" "$WORK/layout.c"
"$WORK/layout" >"$WORK/layout.txt"
export THETA_ABI_LAYOUT="$WORK/layout.txt" THETA_REPO="$ROOT"

# Those need a library of their own.
exclude=(-exclude:Panics)
if [ -n "$LIBDIR" ]; then
  [ -e "$LIBDIR/libtheta_sdk.so" ] || { echo "test.sh: there is no libtheta_sdk.so in $LIBDIR" >&2; exit 1; }
  LIBDIR=$(cd "$LIBDIR" && pwd)
  export LD_LIBRARY_PATH="$LIBDIR:$WORK${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  # A peer in C, which finds the library by its SONAME as an installed program would.
  ln -sf "$LIBDIR/libtheta_sdk.so" "$WORK/libtheta_sdk.so.0"
  "${CC:-cc}" -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -pedantic -Werror -I "$(dirname "$(dirname "$HEADER")")" \
    -o "$WORK/c_peer" "$HERE/tests/peer.c" -L "$WORK" -l:libtheta_sdk.so.0
  export THETA_C_PEER="$WORK/c_peer"
  # Peers in C++ and Rust that know a component of C#'s from tables of their own.
  "${CXX:-c++}" -std=c++17 -Wall -Wextra -pedantic -Werror -I "$(dirname "$(dirname "$HEADER")")" -I "$ROOT/bindings/cpp/include" \
    -o "$WORK/cpp_peer" "$HERE/tests/table_peer.cpp" -L "$WORK" -l:libtheta_sdk.so.0
  # With the whole workspace's features: with others, what is built here and what ./x test builds would replace each other.
  (cd "$ROOT" && cargo build --quiet --workspace --example table_peer)
  rust_target=$(cd "$ROOT" && cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  export THETA_CPP_PEER="$WORK/cpp_peer" THETA_RUST_PEER="$rust_target/debug/examples/table_peer"
else
  echo "no library was given: live tests are left out"
  exclude=("-exclude:Live,Panics")
fi

# The program of the guide is compiled always and run with the library; its other block is compiled.
python3 - "$ROOT/docs/guides/unity.md" "$WORK/Guide.cs" "$WORK/GuideCodec.cs" <<'PYTHON'
import re
import sys

blocks = re.findall(r"```csharp\n(.*?)```", open(sys.argv[1], encoding="utf-8").read(), flags=re.S)
assert len(blocks) == len(sys.argv) - 2, "the guide has one whole program and a codec"
for path, block in zip(sys.argv[2:], blocks):
    open(path, "w", encoding="utf-8").write(block)
PYTHON
# Its events and reports are not looked at, which is what the two warnings say.
mcs -nologo -langversion:7.2 -nowarn:0219,0168 -warnaserror -r:"$WORK/Theta.dll" -out:"$WORK/Guide.exe" "$WORK/Guide.cs"
mcs -nologo -langversion:7.2 -warnaserror -target:library -r:"$WORK/Theta.dll" -out:"$WORK/GuideCodec.dll" "$WORK/GuideCodec.cs"

# Should a test hang, Mono is asked for the stacks of its threads before it is ended.
patiently() { timeout --signal=QUIT --kill-after=10 300 "$@"; }

code=0
(cd "$WORK" && patiently nunit-console Theta.Tests.dll -nologo -nodots -labels "${exclude[@]}" -xml="$WORK/theta.xml") || code=1
(cd "$WORK/unity" && patiently nunit-console Theta.Unity.Tests.dll -nologo -nodots -labels "${exclude[@]}" -xml="$WORK/unity.xml") || code=1

results=("$WORK/theta.xml" "$WORK/unity.xml")
if [ -n "$LIBDIR" ] && [ -n "${THETA_PANICS_DIR:-}" ]; then
  results+=("$WORK/panics.xml")
  (cd "$WORK" && LD_LIBRARY_PATH="$THETA_PANICS_DIR:$LD_LIBRARY_PATH" \
    patiently nunit-console Theta.Tests.dll -nologo -nodots -labels -include:Panics -xml="$WORK/panics.xml") || code=1
fi

# NUnit's own exit code is lost when the runner crashes, so the counts come from the results it wrote.
guide=none
if [ -n "$LIBDIR" ]; then
  guide=failed
  if output=$(timeout --kill-after=10 120 mono --debug "$WORK/Guide.exe" 2>&1) && [[ $output == "the cube is "* ]]; then guide=passed; fi
  echo "guide: ${output}"
fi
python3 - "$guide" "${results[@]}" <<'PYTHON' || code=1
import sys
import xml.etree.ElementTree as tree

passed = int(sys.argv[1] == "passed")
failed = int(sys.argv[1] == "failed")
for path in sys.argv[2:]:
    try:
        cases = list(tree.parse(path).getroot().iter("test-case"))
    except (OSError, tree.ParseError) as error:
        print(f"{path}: {error}")
        failed += 1
        continue
    if not cases:
        failed += 1
    for case in cases:
        result = case.get("result")
        if result == "Success":
            passed += 1
        elif result != "NotRunnable" and case.get("executed") == "False":
            print(f"skipped {case.get('name')}")
        else:
            failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
PYTHON
exit "$code"
