# shellcheck shell=bash
# ./x bench: measures beside the best known figures. Names and options go to the benchmark program (benches/).

run_bench() {
  need_rust
  if [ ! -f "$ROOT/benches/Cargo.toml" ]; then fail "there is no benches/"; fi
  steps 1
  step "Building the benchmarks (release)" "mend the first error above" cargo build --release -p theta-bench || exit 1
  exec "$TARGET_DIR/release/theta-bench" "$@"
}
