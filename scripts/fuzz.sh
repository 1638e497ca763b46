# shellcheck shell=bash
# ./x fuzz: libFuzzer on the targets of fuzz/, each for its share of the time. What it learns is kept in
# .cache/fuzz and used again; what it breaks something with is in fuzz/artifacts.

CARGO_FUZZ_VERSION=0.13.2
FUZZ_TARGET_DIR="${CARGO_TARGET_DIR:-$ROOT/fuzz/target}"
# An input that takes longer, or a target that holds more, counts as a crash.
FUZZ_INPUT_SECONDS=20
FUZZ_MEGABYTES=2048

# The machines run a whole session for each input, the rooms of replication a few ticks: they get more of the time.
fuzz_weight() {
  case "$1" in
    host | peer) echo 6 ;;
    rows | snapshot) echo 2 ;;
    *) echo 1 ;;
  esac
}

run_fuzz() {
  local minutes=5 only='' name seconds weight=0 crashed='' targets=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --minutes)
        minutes=${2-}
        [[ "$minutes" =~ ^[1-9][0-9]*$ ]] || fail "--minutes takes a whole number of minutes, 1 or more"
        shift
        ;;
      -*) fail "usage: ./x fuzz [--minutes N] [TARGET]" ;;
      *)
        [ -z "$only" ] || fail "usage: ./x fuzz [--minutes N] [TARGET]"
        only=$1
        ;;
    esac
    shift
  done
  for name in "$ROOT"/fuzz/fuzz_targets/*.rs; do
    name=$(basename "$name" .rs)
    if [ -z "$only" ] || [ "$name" = "$only" ]; then targets+=("$name"); fi
  done
  [ ${#targets[@]} -gt 0 ] || fail "there is no target '$only': the targets are the files of fuzz/fuzz_targets"

  need_rust
  need_packages g++ # libFuzzer is C++
  need_cargo_fuzz
  fuzz_toolchain
  say "Fuzzing with $FUZZ_COMPILER, sanitizer: $FUZZ_SANITIZER"

  for name in "${targets[@]}"; do weight=$((weight + $(fuzz_weight "$name"))); done
  export THETA_STEP_LIMIT_SECONDS="${THETA_STEP_LIMIT_SECONDS:-$((minutes * 60 + 3600))}"
  export FUZZ_COMPILER FUZZ_SANITIZER FUZZ_HOST CARGO_FUZZ
  steps $((${#targets[@]} + 1))
  step "Building the fuzz targets (the first time takes some minutes)" \
    "mend the first error above; libFuzzer itself needs a C++ compiler and the crate libfuzzer-sys" \
    fuzz_build "$only" || exit 1
  local rows=()
  for name in "${targets[@]}"; do
    seconds=$((minutes * 60 * $(fuzz_weight "$name") / weight))
    step "Fuzzing $name, $seconds s" "see below" fuzz_run "$name" "$seconds" || {
      crashed="$crashed $name"
      # What the panic said stands above a backtrace that fills the log's end.
      awk '/panicked at/ && !said { left = 4; said = 1 } left-- > 0 && !/^ *#|^==/ { print "    " $0 }' "$LAST_LOG"
    }
    rows+=("$(fuzz_row "$name" "$LAST_LOG")")
  done

  say
  printf '%-10s %10s %12s %8s %10s %8s\n' target known tried runs/s "new inputs" crashes
  printf '%s\n' "${rows[@]}"
  say
  say "known: inputs of fuzz/corpus, and of earlier runs in .cache/fuzz. tried: what was made of them."
  if awk '$3 == 0 && $6 == 0 { found = 1 } END { exit !found }' < <(printf '%s\n' "${rows[@]}"); then
    say "Where nothing was tried, the known ones took all the time: give it more with --minutes."
  fi
  [ -z "$crashed" ] || fuzz_report "$crashed"
}

# Built once and kept, like the other tools. Not optimised: it only calls cargo.
need_cargo_fuzz() {
  CARGO_FUZZ="$TOOLS/bin/cargo-fuzz"
  [ "$("$CARGO_FUZZ" --version 2>/dev/null)" = "cargo-fuzz $CARGO_FUZZ_VERSION" ] && return 0
  mkdir -p "$LOGS"
  say "Building cargo-fuzz $CARGO_FUZZ_VERSION, once, about a minute (log: .cache/logs/cargo-fuzz.log)"
  if ! cargo install --locked --debug --version "$CARGO_FUZZ_VERSION" --root "$TOOLS" \
    --target-dir "$TOOLS/target" cargo-fuzz >"$LOGS/cargo-fuzz.log" 2>&1; then
    tail -n 10 "$LOGS/cargo-fuzz.log" >&2
    fail "could not build cargo-fuzz: check the network, then try again (log: .cache/logs/cargo-fuzz.log)"
  fi
  rm -rf "$TOOLS/target"
}

# Coverage for libFuzzer is a nightly option of rustc: nightly where there is one, else the stable one told to allow it.
# Without the sanitizer's runtime beside that compiler, panics and assertions are still found.
fuzz_toolchain() {
  local wanted nightly
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  nightly=$(rustc +nightly --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p') || true
  if at_least "$nightly" "$wanted"; then
    export RUSTUP_TOOLCHAIN=nightly
  else
    export RUSTC_BOOTSTRAP=1
  fi
  FUZZ_COMPILER=$(rustc --version)
  FUZZ_HOST=$(rustc -vV | sed -n 's/^host: //p')
  FUZZ_SANITIZER=none
  if compgen -G "$(rustc --print sysroot)/lib/rustlib/$FUZZ_HOST/lib/librustc-*_rt.asan.a" >/dev/null; then
    FUZZ_SANITIZER=address
  fi
}

# fuzz_build [TARGET]
fuzz_build() {
  "$CARGO_FUZZ" fuzz build --fuzz-dir "$ROOT/fuzz" --target-dir "$FUZZ_TARGET_DIR" --target "$FUZZ_HOST" \
    --sanitizer "$FUZZ_SANITIZER" ${1:+"$1"}
}

# fuzz_run TARGET SECONDS: the known inputs are run first, however long that takes.
fuzz_run() {
  local learned="$ROOT/.cache/fuzz/$1" broken="$ROOT/fuzz/artifacts/$1"
  mkdir -p "$learned" "$broken"
  # What was broken with earlier comes first: it may be mended, or not.
  ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 "$FUZZ_TARGET_DIR/$FUZZ_HOST/release/$1" \
    -max_total_time="$2" -timeout="$FUZZ_INPUT_SECONDS" -rss_limit_mb="$FUZZ_MEGABYTES" -print_final_stats=1 \
    -artifact_prefix="$broken/" "$learned" "$ROOT/fuzz/corpus/$1" "$broken"
}

# fuzz_row TARGET LOG: a line of the table. A target that crashes among the known inputs has tried nothing.
fuzz_row() {
  awk -v target="$1" '
    /^#[0-9]+[ \t]+INITED/ { known = substr($1, 2) - 1; began = 1 }
    /^INFO: seed corpus: files:/ { files = $5 }
    /^stat::number_of_executed_units:/ { runs = $2 }
    /^stat::average_exec_per_sec:/ { speed = $2 }
    /^stat::new_units_added:/ { new = $2 }
    /Test unit written to/ { crashes++ }
    END {
      if (!began) known = files
      tried = began && runs > known + 1 ? runs - known - 1 : 0
      printf "%-10s %10d %12d %8d %10d %8d", target, known, tried, speed, new, crashes
    }' "$2"
}

# fuzz_report " TARGET TARGET": where the inputs are and how to see it again, then the end.
fuzz_report() {
  local name file found=''
  for name in $1; do
    for file in "$ROOT/fuzz/artifacts/$name"/*; do
      [ -f "$file" ] || continue
      found=1
      say
      say "$name fails with ${file#"$ROOT"/}. To see it again:"
      say "  THETA_INPUT=$file cargo test -p theta-core --test corpus $name"
    done
  done
  say
  [ -n "$found" ] || fail "stopped without an input to show for it:$1. Read the lines above"
  fail "found inputs that break:$1. Mend the cause and move each file to fuzz/corpus/TARGET/ under a name that says" \
    "what it was, with the fix"
}
