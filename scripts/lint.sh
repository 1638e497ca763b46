# shellcheck shell=bash
# ./x lint: what a reviewer should not have to look for.

run_lint() {
  [ $# -eq 0 ] || fail "usage: ./x lint"
  need_rust_lint
  need_packages clang g++ binutils shellcheck git
  need_cargo_deny

  local failed=
  steps 10
  step "Rust formatting" "run cargo fmt" cargo fmt --all --check || failed=1
  step "Clippy" "mend what it says; an allow needs a reason beside it" \
    cargo clippy --workspace --all-targets -- -D warnings || failed=1
  step "One crypto provider" "find who enables it: cargo tree -i aws-lc-rs" lint_crypto || failed=1
  step "Licences, bans, sources" "see deny.toml for what may come in and why" \
    "$CARGO_DENY" --workspace --offline check --hide-inclusion-graph -A license-not-encountered \
    bans licenses sources || failed=1
  step "The header under every compiler" "the ABI in src/ffi must stay C99 and C++11" lint_header || failed=1
  step "Exports are the header's functions" "an export is missing from src/ffi's modules, or exported by accident" \
    lint_exports || failed=1
  step "Every function is in C++ and C#" "wrap it natively in bindings/cpp/include and bindings/csharp, with a test each" \
    lint_wrappers || failed=1
  step "Every symbol is documented" "write what it does, who owns what, its thread class and statuses in src/ffi" \
    lint_documentation || failed=1
  step "Shell scripts" "mend what shellcheck says" lint_shell || failed=1
  step "Tracked text" "remove the line, or write what it promises" lint_text || failed=1
  [ -z "$failed" ] || exit 1
  say "nothing to mend"
}

lint_crypto() {
  if cargo tree --workspace --edges all --target all -i aws-lc-rs 2>/dev/null; then return 1; fi
}

lint_header() {
  local headers=("$ROOT/include/theta/theta.h" "$ROOT/include/theta/theta_experimental.h") flags=(-Wall -Wextra -pedantic -Werror -fsyntax-only -I "$ROOT/include")
  local standard use
  use=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$use'" EXIT
  lint_header_use "${headers[@]}" >"$use/use.c"
  cp "$use/use.c" "$use/use.cpp"
  # Once as it is, once after the macros that engines and systems define.
  lint_header_macros | cat - "$use/use.c" >"$use/macros.c"
  cp "$use/macros.c" "$use/macros.cpp"
  for standard in c99 c11; do
    gcc -std=$standard "${flags[@]}" "$use"/{use,macros}.c
    clang -std=$standard "${flags[@]}" "$use"/{use,macros}.c
    echo "$standard: gcc, clang; also after an engine's macros"
  done
  for standard in c++11 c++17 c++20; do
    g++ -std=$standard "${flags[@]}" "$use"/{use,macros}.cpp
    clang++ -std=$standard "${flags[@]}" "$use"/{use,macros}.cpp
    echo "$standard: g++, clang++; also after an engine's macros"
  done
}

# Names that Unreal, Unity's plug-ins and windows.h take: where one is a name of ours, too, it does not compile.
lint_header_macros() {
  local name
  for name in check verify ensure TEXT min max CreateWindow; do printf '#define %s(x) not_ours[-1]\n' "$name"; done
  for name in PI ERROR NO_ERROR DELETE STRICT TRUE FALSE BOOL; do printf '#define %s not_ours[-1]\n' "$name"; done
  for name in near far IN OUT OPTIONAL; do printf '#define %s\n' "$name"; done
  printf '#define small char\n#define interface struct\n#define CONST const\n'
}

# A program that uses every initialiser and every constant: a macro is not compiled until somebody uses it.
lint_header_use() {
  printf '#include <theta/theta.h>\n#include <theta/theta_experimental.h>\n#include <theta/theta.h>\n\nvoid use(void);\nvoid use(void) {\n'
  sed -n 's/^#define \(THETAX\?_[A-Z0-9_]*\)_INIT .*/\1/p' "$@" | while read -r name; do
    printf '  %s v_%s = %s_INIT;\n  (void)v_%s;\n' "${name,,}" "$name" "$name" "$name"
  done
  sed -n 's/^#define \(THETAX\?_[A-Z0-9_]*\) .*/\1/p' "$@" | grep -vE '_INIT$|^THETA_API$' | while read -r name; do
    printf '  (void)(%s);\n' "$name"
  done
  printf '}\n'
}

# The names of the header's functions, sorted.
header_functions() {
  awk '
    /^THETA_API/ { declared = 1 }
    declared && match($0, /thetax?_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1); declared = 0 }
  ' "$ROOT"/include/theta/theta.h "$ROOT"/include/theta/theta_experimental.h | LC_ALL=C sort
}

lint_exports() {
  cargo build -p theta-sdk --lib
  local exported
  exported=$(nm -D --defined-only "$TARGET_DIR/debug/libtheta_sdk.so" | awk '{ print $3 }' | LC_ALL=C sort)
  echo "header (<) and library (>):"
  diff <(header_functions) <(printf '%s\n' "$exported")
  echo "$(header_functions | wc -l) functions, no difference"
}

# What the C ABI can do, C++ and C# can do: each function is called by a hand-written line of both.
lint_wrappers() {
  local name missing=0 cpp csharp
  cpp=$(cat "$ROOT"/bindings/cpp/include/theta/*.hpp "$ROOT"/bindings/cpp/include/theta/cpp/*.hpp)
  csharp=$(find "$ROOT/bindings/csharp/com.theta.sdk/Runtime" -name '*.cs' ! -name '*.g.cs' -exec cat {} +)
  for name in $(header_functions); do
    grep -qw "$name" <<<"$cpp" || { echo "theta.hpp never calls $name" && missing=1; }
    grep -qw "NativeMethods.$name" <<<"$csharp" || { echo "the C# package never calls $name" && missing=1; }
  done
  return "$missing"
}

# theta-gen refuses what has no comment at all; a function's comment must also name its thread class.
lint_documentation() {
  cargo run --quiet -p theta-gen -- --check
  awk '
    /^\/\*\*/ { comment = "" }
    { comment = comment "\n" $0 }
    /^THETA_API/ { declared = 1 }
    declared && match($0, /thetax?_[a-z0-9_]+\(/) {
      declared = 0
      name = substr($0, RSTART, RLENGTH - 1)
      if (comment !~ /\[(any|serial|init)\]/) { print name ": its comment ends without its thread class, [any], [serial] or [init]"; bad = 1 }
      comment = ""
    }
    END { exit bad }' "$ROOT/include/theta/theta.h" "$ROOT/include/theta/theta_experimental.h"
}

lint_shell() {
  git ls-files -z '*.sh' x .ci/run | xargs -0 shellcheck --external-sources
}

# Lines that must not be in tracked files: paths of one machine, and promises instead of code.
lint_text() {
  local bad=0
  # The brackets keep these patterns from finding themselves.
  if git grep -nIE '(^|[^a-zA-Z0-9_./])/(root|home/[a-z]+|farm|work)/[a-zA-Z._]' -- . ':!*.lock'; then
    echo "paths of one machine in tracked files"
    bad=1
  fi
  if git grep -nIE '(todo|unimplemented)[!]\(' -- '*.rs'; then
    echo "unfinished code in tracked files"
    bad=1
  fi
  return "$bad"
}
