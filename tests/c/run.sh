#!/usr/bin/env bash
# The C tests: the header as C99 and C++11, the layout snapshot, the export list, every function with every wrong
# argument, a host and a peer over loopback, who gets in, a peer of another build, threads, idleness, and the examples of
# docs/c-api.md and README.md. Prints what failed and a line to count.
#
# Environment: THETA_LIBRARY_DIR (default target/debug), THETA_INCLUDE_DIR (include), THETA_BUILD_DIR (scratch), CC, CXX.
# THETA_PANICS_DIR: a library built with the feature test-panics; without it the test of panics is left out.
# THETA_MEMORY: `short` runs every program under the address and undefined-behaviour sanitizers as well and one of them
# under valgrind, `long` all of them under both.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
library=${THETA_LIBRARY_DIR:-$root/target/debug}
include=${THETA_INCLUDE_DIR:-$root/include}
build=${THETA_BUILD_DIR:-$root/target/tests/c}
header=$include/theta/theta.h
experimental=$include/theta/theta_experimental.h
cc=${CC:-cc}
cxx=${CXX:-c++}
passed=0
failed=0

mkdir -p "$build"
# The program finds the library by its SONAME, as an installed one would.
soname=libtheta_sdk.so.0
ln -sf "$library/libtheta_sdk.so" "$build/$soname"

check() { # check TEXT COMMAND..: counts one check, which the command decides
  local text=$1
  shift
  if "$@"; then result OK "$text"; else result BAD "$text"; fi
}

result() { # result OK|BAD TEXT
  if [ "$1" = OK ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $2"
  fi
}

# Where programs find the library, what they run under, and for how long at most.
libraries=$build
under=()
patience_s=120

# Adds a program's own count. A program that died has failed once more.
run() {
  local name=$1 out code=0 line
  out=$(LD_LIBRARY_PATH="$libraries" THETA_LIBRARY="$library/libtheta_sdk.so" timeout "$patience_s" "${under[@]}" \
    "$build/$name" 2>&1) || code=$?
  line=$(printf '%s\n' "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed$' | tail -n 1 || true)
  if [ -z "$line" ]; then
    printf '%s\n' "$out" | tail -n 20
    result BAD "$name ended with $code and no count"
    return
  fi
  passed=$((passed + ${line%% *}))
  line=${line#*, }
  failed=$((failed + ${line%% *}))
  if [ "$code" -ne 0 ]; then
    printf '%s: %s\n' "$name" "$(printf '%s\n' "$out" | head -n 40)"
    [ "${line%% *}" -ne 0 ] || result BAD "$name ended with $code"
  fi
}

compile() { # compile COMPILER NAME SOURCE FLAGS..: says whether it did
  local compiler=$1 name=$2 source=$3
  shift 3
  # CFLAGS: of somebody who wants sanitizers or another optimisation.
  # shellcheck disable=SC2086  # words
  if "$compiler" "$@" ${CFLAGS-} -Wall -Wextra -Wconversion -pedantic -Werror -I "$include" -I "$here" -I "$build" "$source" \
    -o "$build/$name" -L "$build" "-l:$soname" -lm -pthread; then
    result OK "$name compiles"
  else
    result BAD "$name does not compile"
    return 1
  fi
}

functions() { grep -ohE '\bthetax?_[a-z0-9_]+\(' "$header" "$experimental" | tr -d '(' | sort -u; }
# Each function and the thread class that ends its comment.
classes() {
  awk '
    /^\/\*\*/ { class = "" }
    match($0, /\[(any|serial|init)\]/) { class = substr($0, RSTART + 1, RLENGTH - 2) }
    /^THETA_API/ { declared = 1 }
    declared && match($0, /thetax?_[a-z0-9_]+\(/) { declared = 0; print substr($0, RSTART, RLENGTH - 1), class }
  ' "$header" "$experimental"
}
check "what the tests include is made from the headers" python3 "$here/generate.py" "$root" "$build"
listed=$(grep -cE '^(FUNCTION|PLAIN)\(' "$build/functions.inc")
check "$listed of the headers' functions are in functions.inc" [ "$listed" -eq "$(functions | wc -l)" ]
# The fenced C block of each page, as a program.
example_of() { awk '/^```/ { inside = ($0 == "```c"); next } inside' "$1"; }
example_of "$root/docs/c-api.md" >"$build/example.c"
example_of "$root/README.md" >"$build/readme.c"

# Exactly the headers' functions leave the library: no data, nobody else's symbols.
exported=$(nm -D --defined-only "$library/libtheta_sdk.so" | awk '{print $2, $3}' | sed 's/@.*//' | sort)
if [ "$exported" = "$(functions | sed 's/^/T /' | sort)" ]; then
  result OK "exports"
else
  result BAD "exports differ from the headers: $(diff <(functions | sed 's/^/T /' | sort) <(echo "$exported") | grep '^[<>]' | head -n 10)"
fi
if command -v readelf >/dev/null; then
  found=$(readelf -d "$library/libtheta_sdk.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
  check "SONAME is '$found', expected $soname" [ "$found" = "$soname" ]
  small=$(readelf -lW "$library/libtheta_sdk.so" | awk '$1 == "LOAD" && $NF != "0x4000"' | wc -l)
  check "$small LOAD segments are not aligned to 16 KB" [ "$small" -eq 0 ]
fi

compile "$cc" header_c99 "$here/header.c" -std=c99 && run header_c99
compile "$cxx" header_cxx11 "$here/header.c" -x c++ -std=c++11 && run header_cxx11
compile "$cc" layout "$here/layout.c" -std=c99 && run layout
posix=(-std=c99 -D_POSIX_C_SOURCE=200809L)
programs=(misuse session threads door away experimental builds codec idle)
for name in "${programs[@]}"; do
  compile "$cc" "$name" "$here/$name.c" "${posix[@]}" && run "$name"
done
# Opens the library by name, so that it is linked to none.
load() { # load NAME FLAGS..
  local name=$1
  shift
  check "$name compiles" "$cc" "${posix[@]}" "$@" -Wall -Wextra -Wconversion -pedantic -Werror -I "$include" -I "$here" \
    "$here/load.c" -o "$build/$name" -ldl && run "$name"
}
load load

# Panics on demand, in a library of its own.
panics=${THETA_PANICS_DIR:-}
panic() { # panic NAME FLAGS..
  local name=$1
  shift
  check "$name compiles" "$cc" "${posix[@]}" "$@" -Wall -Wextra -Wconversion -pedantic -Werror -I "$include" -I "$here" \
    "$here/panics.c" -o "$build/$name" -L "$build/with_panics" "-l:$soname" -lm -pthread || return
  libraries=$build/with_panics run "$name"
}
if [ -n "$panics" ]; then
  mkdir -p "$build/with_panics"
  ln -sf "$panics/libtheta_sdk.so" "$build/with_panics/$soname"
  panic panics
else
  echo "THETA_PANICS_DIR is not set: panics are left out"
fi

# The programs again where every wrong byte is seen: the sanitizers watch the programs and what the library does to their
# memory by the C library, valgrind watches the library's own code as well. Blocks end where the contract says.
memory=${THETA_MEMORY:-}
if [ -n "$memory" ]; then
  sanitize=(-g "-fsanitize=address,undefined" -fno-sanitize-recover=all -DTHETA_EXACT_BLOCKS)
  for name in "${programs[@]}"; do
    compile "$cc" "sanitized_$name" "$here/$name.c" "${posix[@]}" "${sanitize[@]}" && run "sanitized_$name"
  done
  load sanitized_load "${sanitize[@]}"
  [ -z "$panics" ] || panic sanitized_panics "${sanitize[@]}"

  patience_s=600
  under=(valgrind --quiet --fair-sched=try --error-exitcode=99 --leak-check=full "--show-leak-kinds=definite,indirect"
    "--errors-for-leak-kinds=definite,indirect" --num-callers=30 --suppressions="$here/valgrind.supp")
  [ "$memory" = long ] || programs=(misuse)
  for name in "${programs[@]}"; do
    compile "$cc" "watched_$name" "$here/$name.c" "${posix[@]}" -g -DTHETA_EXACT_BLOCKS -DTHETA_SLOW && run "watched_$name"
  done
  if [ "$memory" = long ] && [ -n "$panics" ]; then panic watched_panics -g -DTHETA_SLOW; fi
  under=()
fi

# The page: its program runs, and its table has the header's functions.
if compile "$cc" example "$build/example.c" -std=c99; then
  check "the example of docs/c-api.md" env LD_LIBRARY_PATH="$build" timeout 60 "$build/example"
fi
if compile "$cc" readme "$build/readme.c" -std=c99; then
  check "the example of README.md" env LD_LIBRARY_PATH="$build" timeout 60 "$build/readme"
fi
while read -r function class; do
  check "$function [$class] is not in the table of docs/c-api.md" \
    grep -q "^| \`$function\` | \[$class\] |" "$root/docs/c-api.md"
done < <(classes)

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
