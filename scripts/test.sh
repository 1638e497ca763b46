# shellcheck shell=bash
# ./x test: every test of every language, in the order in which a fault is easiest to read: the core, the SDK, the C
# header, then the bindings, a second decoder, and the samples as a user runs them. Ends with `N passed, N failed`.
#
# A runner gets THETA_LIBRARY_DIR (the built library), THETA_INCLUDE_DIR, THETA_BUILD_DIR (scratch of its own) and
# THETA_SEEDS, exits non-zero on failure, and closes with `N passed, N failed` or its framework's own closing line.

PASSED=0
FAILED=0

# Left out of --quick: they wait on the clock for many seconds, and what breaks them breaks their neighbours as a rule.
QUICK_LEAVES_OUT=(
  sixty_four_bots_share_a_world_come_and_go_and_stay_within_their_budget
  two_hundred_rounds_leave_no_thread_no_socket_and_no_valid_handle
)

# Of processor, for each simulated seed: for the sentence that says how long it will take.
SEED_MILLISECONDS=1200

run_test() {
  local argument mode=
  for argument in "$@"; do
    case "$argument" in
      --quick | --long | --targets) mode=${argument#--} ;;
      *) fail "usage: ./x test [--quick | --long | --targets]" ;;
    esac
  done
  case "$mode" in
    quick) export THETA_SEEDS="${THETA_SEEDS:-20}" THETA_QUICK=1 ;;
    long)
      export THETA_SEEDS="${THETA_SEEDS:-20000}" THETA_LONG=1
      export THETA_STEP_LIMIT_SECONDS="${THETA_STEP_LIMIT_SECONDS:-86400}" THETA_TARGET_SEEDS=200
      ;;
    targets)
      run_targets
      return
      ;;
  esac
  say "Theta tests${mode:+, $mode}${THETA_SEEDS:+: $THETA_SEEDS simulated seeds}"
  [ "$mode" != quick ] || say "Left out: planted bugs, sanitizers, the core on aarch64 and wasm32, two tests that wait."
  if [ "$mode" = long ]; then
    say "The seeds take about $((THETA_SEEDS * SEED_MILLISECONDS / 1000 / 60 / $(nproc))) minutes on these $(nproc) cores. Besides" \
      "them: every suite, every C and C++ program under the sanitizers and under valgrind, ten times the room for many."
  fi

  demo_needs
  need_python
  need_packages doctest-dev
  case "$mode" in
    quick) export THETA_MEMORY= ;;
    long) export THETA_MEMORY=long ;;
    *) export THETA_MEMORY=short ;;
  esac
  [ -z "$THETA_MEMORY" ] || need_packages valgrind
  [ "$mode" = quick ] || need_targets

  PASSED=0
  FAILED=0
  export THETA_LIBRARY_DIR="$TARGET_DIR/debug" THETA_INCLUDE_DIR="$ROOT/include" THETA_PANICS_DIR="$TARGET_DIR/tests/panics"
  local began=$SECONDS
  steps 7
  [ "$mode" = quick ] || STEPS=10
  if step "Build" "mend the first error above" test_build; then
    suite Cargo.toml "Core and SDK tests" "run the failing test alone: cargo test NAME" test_rust
    [ "$mode" = quick ] ||
      suite src/core/sim "Planted bugs" "the simulator no longer finds a planted bug: see src/core/sim" test_mutants
    [ "$mode" = quick ] || target_suites
    suite tests/c "C tests" "run tests/c/run.sh alone" test_c
    suite bindings/cpp "C++ tests" "run bindings/cpp/test.sh target/debug alone" test_cpp
    suite bindings/csharp "C# tests" "run bindings/csharp/test.sh alone" test_csharp
    suite tests/protocol "Python decoder" "run the file in tests/protocol alone" test_protocol
    suite tools/demo "Samples, as ./x demo runs them" "run ./x demo --smoke and read its lines" test_samples
  else
    FAILED=1
  fi
  close_tests "$began"
}

# close_tests BEGAN: the last lines.
close_tests() {
  say
  say "took $((SECONDS - $1)) s"
  say "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ]
}

# suite PATH NAME HINT COMMAND: a step whose log is counted. A runner that counts nothing has tested nothing.
suite() {
  local path=$1 passed failed code=0
  shift
  if [ ! -e "$ROOT/$path" ]; then
    STEP=$((STEP + 1))
    say "[$STEP/$STEPS] $1 ... MISSING: there is no $path"
    FAILED=$((FAILED + 1))
    return 0
  fi
  export THETA_BUILD_DIR="$TARGET_DIR/tests/${path//\//-}"
  mkdir -p "$THETA_BUILD_DIR"
  step "$@" || code=1
  read -r passed failed < <(count_results "$LAST_LOG")
  if [ "$code" -eq 0 ] && [ $((passed + failed)) -eq 0 ]; then
    say "    it ran no test: see ${LAST_LOG#"$ROOT"/}"
    failed=1
  elif [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1 # it did not build, or it died
  fi
  say "    $passed passed, $failed failed"
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
}

# count_results LOG: passed and failed. Plain closing lines count alone when there are any; else what cargo, ctest,
# NUnit and Python's unittest print.
count_results() {
  awk '
    function number(pattern,  text) {
      if (!match($0, pattern)) return 0
      text = substr($0, RSTART, RLENGTH)
      gsub(/[^0-9]/, "", text)
      return text + 0
    }
    { gsub(/\033\[[0-9;]*m/, "") }
    /^[0-9]+ passed, [0-9]+ failed$/ { plain = 1; plain_passed += $1; plain_failed += $3 }
    /^test result: / { passed += number("[0-9]+ passed"); failed += number("[0-9]+ failed") }
    /tests passed, [0-9]+ tests? failed out of [0-9]+/ {
      bad = number("[0-9]+ tests? failed"); failed += bad; passed += number("out of [0-9]+") - bad
    }
    /^Tests run: / {
      bad = number("Errors: [0-9]+") + number("Failures: [0-9]+")
      failed += bad; passed += number("Tests run: [0-9]+") - bad
    }
    /^Ran [0-9]+ tests? in / { ran += number("Ran [0-9]+") }
    /^FAILED \(/ { bad = number("failures=[0-9]+") + number("errors=[0-9]+"); failed += bad; ran -= bad }
    END {
      if (plain) print plain_passed + 0, plain_failed + 0
      else print passed + ran + 0, failed + 0
    }' "$1"
}

# What every language links to. The Rust tests are built by their own step: a fault there hides no other language's.
# The library that panics on demand is built first, in the same folder for the sake of what both share, and put aside:
# only when something in it has changed since, because each of the two takes the other's place and is linked again.
test_build() {
  local aside="$THETA_PANICS_DIR/libtheta_sdk.so" compiler="$THETA_PANICS_DIR/compiler"
  mkdir -p "$THETA_PANICS_DIR"
  if [ ! -f "$aside" ] || ! rustc -vV | cmp -s - "$compiler" ||
    [ -n "$(find "$ROOT/src" "$ROOT/build.rs" "$ROOT/Cargo.toml" "$ROOT/Cargo.lock" -newer "$aside" -print -quit)" ]; then
    rm -f "$aside"
    cargo build -p theta-sdk --lib --features test-panics
    cp "$TARGET_DIR/debug/libtheta_sdk.so" "$aside"
    rustc -vV >"$compiler"
  fi
  cargo build --workspace
}

test_rust() {
  local skipped=()
  [ -z "${THETA_QUICK:-}" ] || skipped=("${QUICK_LEAVES_OUT[@]/#/--skip=}")
  rm -f "$DIGESTS"
  THETA_WRITE_DIGESTS="$DIGESTS" cargo test --workspace --no-fail-fast -- "${skipped[@]}"
}

test_mutants() { cargo test -p theta-core --features mutants --lib --test handshake --test simulation -- mutant planted; }

test_c() { bash "$ROOT/tests/c/run.sh"; }

test_cpp() { bash "$ROOT/bindings/cpp/test.sh"; }

test_csharp() { bash "$ROOT/bindings/csharp/test.sh"; }

# Each file that can be run is a test program.
test_protocol() {
  local file code=0
  while read -r file; do
    echo "== $file"
    python3 "$file" || code=1
  done < <(grep -l '__main__' "$ROOT"/tests/protocol/*.py)
  return "$code"
}

# The C++ samples' own tests count as one each; the smoke run counts its checks.
test_samples() {
  local folder code=0
  demo_build
  for folder in "$TARGET_DIR"/samples/*/; do
    [ -f "$folder/CTestTestfile.cmake" ] || continue
    if ctest --test-dir "$folder" --output-on-failure; then
      echo "1 passed, 0 failed"
    else
      echo "0 passed, 1 failed"
      code=1
    fi
  done
  THETA_LIBRARY_DIR="$TARGET_DIR/release" "$TARGET_DIR/release/theta-demo" --smoke || code=1
  return "$code"
}
