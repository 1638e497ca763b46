# shellcheck shell=bash
# ./x bench: measures beside the best known figures. Names and options go to the benchmark program (benches/).

run_bench() {
  local bench argument
  for argument in "$@"; do
    case "$argument" in
      -h | --help)
        cat "$ROOT/benches/usage.txt"
        return 0
        ;;
    esac
  done
  need_rust
  steps 1
  step "Building the benchmarks (release)" "mend the first error above" cargo build --release -p theta-bench || exit 1
  # A recording is optional: without it its row is left out, and the program says so.
  export THETA_DATA="${THETA_DATA:-$ROOT/../shared/data}"
  bench=$(realpath "$TARGET_DIR/release/theta-bench")
  cd "$CALLED_FROM" || exit
  exec "$bench" "$@"
}
