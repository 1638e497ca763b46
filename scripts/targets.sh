# shellcheck shell=bash
# The core's tests on other processors: aarch64 under qemu, wasm32 under node. A session may have peers of any of them,
# so each must pass the same tests, and send, byte for byte, what the same seeds sent on this machine.

# What the simulator's seeds sent on this machine; its tests here write the file, those of another processor compare.
DIGESTS="$TARGET_DIR/tests/digests"
TARGETS=(aarch64-unknown-linux-gnu wasm32-wasip1)
export THETA_TARGET_SEEDS="${THETA_TARGET_SEEDS:-4}"

# ./x test --targets: this alone.
run_targets() {
  local began=$SECONDS
  say "The core's tests on other processors"
  need_targets
  steps 3
  suite src/core/sim "Core's seeds on this machine" "run ./x test --quick" test_seeds
  target_suites
  close_tests "$began"
}

target_suites() {
  suite src/core "Core on aarch64" "see docs/testing.md, Other processors" test_target aarch64-unknown-linux-gnu
  suite src/core "Core on wasm32" "see docs/testing.md, Other processors" test_target wasm32-wasip1
}

# need_targets: emulators, linkers, and Rust's standard library for both.
need_targets() {
  need_rust
  need_packages qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  need_node
  need_target_std
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
  export CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $ROOT/scripts/wasi.mjs"
}

# need_target_std: the standard library from rustup; where rustup is not, or cannot fetch it, Debian's sources of it
# and the compiler of the same version, which builds it on the way.
need_target_std() {
  local triple missing=()
  export THETA_BUILD_STD=
  for triple in "${TARGETS[@]}"; do
    has_target_std "$triple" || missing+=("$triple")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  mkdir -p "$LOGS"
  if [[ $(rustc --print sysroot) == */toolchains/* ]] && command -v rustup >/dev/null; then
    say "Adding ${missing[*]} to the Rust toolchain (log: .cache/logs/rustup.log)"
    if rustup target add "${missing[@]}" >"$LOGS/rustup.log" 2>&1; then return 0; fi
    say "rustup could not; taking Debian's sources instead."
  fi
  if [ ! -e "$DEBIAN_RUST_SOURCES" ]; then
    if command -v apt-get >/dev/null; then as_root apt-get update >"$LOGS/apt.log" 2>&1 || true; fi
    apt-cache show rust-web-src >/dev/null 2>&1 ||
      fail "Rust's standard library for ${missing[*]} is missing: run rustup target add ${missing[*]}"
  fi
  need_packages rustc-web cargo-web rust-web-src lld-19 wasi-libc
  export THETA_BUILD_STD=1
}

DEBIAN_RUST_SOURCES=/usr/lib/rustlib/src/rust/library/Cargo.lock

has_target_std() { compgen -G "$(rustc --print target-libdir --target "$1")/libstd-*.rlib" >/dev/null; }

test_seeds() {
  rm -f "$DIGESTS"
  THETA_SEEDS="$THETA_TARGET_SEEDS" THETA_WRITE_DIGESTS="$DIGESTS" cargo test -p theta-core --test simulation every_invariant
}

# test_target TRIPLE: every test of the core. Seeds are few, because an emulator takes ten times as long; each is
# compared.
test_target() {
  local arguments=(test -p theta-core --profile targets --target "$1" --no-fail-fast)
  # Other seeds say the same, and are compared.
  local harness=(--skip the_same_seed_sends_the_same_bytes --skip one_seed)
  [ -s "$DIGESTS" ] || fail "nothing to compare with: the core's tests on this machine did not write $DIGESTS"
  export THETA_DIGESTS="$DIGESTS" THETA_SEEDS="$THETA_TARGET_SEEDS"
  # Nobody commits what an emulator found; instead the same cases can be had again, on this machine too.
  export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-$RANDOM}"
  [ -n "${THETA_LONG-}" ] || export PROPTEST_CASES="${PROPTEST_CASES:-64}"
  echo "PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED makes the same cases again"
  # A panic ends a WebAssembly program at once: what the test said must be out by then.
  [ "$1" != wasm32-wasip1 ] || harness+=(--nocapture)
  if [ -n "$THETA_BUILD_STD" ]; then
    export PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19
    # Debian's libc is older than the standard library and has no stubs of what threads take: the linker makes them.
    local libc=/usr/lib/wasm32-wasi
    export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-Clink-self-contained=no -Lnative=$libc -Clink-arg=$libc/crt1-command.o -Clink-arg=--unresolved-symbols=ignore-all"
    arguments+=("-Zbuild-std=std,panic_abort,test")
  fi
  cargo "${arguments[@]}" -- "${harness[@]}"
}
