# shellcheck shell=bash
# ./x demo: builds the library, the samples of every language and the demo itself, then runs it. Arguments go to the
# demo (./x demo --help).

run_demo() {
  demo_needs
  if [ ! -d "$ROOT/tools/demo" ]; then fail "there is no tools/demo"; fi
  steps 1
  step "Building the library and the samples (the first time takes some minutes)" "mend the first error above" \
    demo_build || exit 1
  export THETA_LIBRARY_DIR="$TARGET_DIR/release" THETA_SAMPLES_DIR="$TARGET_DIR/samples"
  exec "$TARGET_DIR/release/theta-demo" "$@"
}

demo_needs() {
  need_rust
  need_cpp
  need_packages libbullet-dev
  need_csharp
  need_python # converts recordings
}

# Release builds: the samples are also what is measured. Each sample folder with a CMakeLists.txt or a build.sh is
# built into target/samples/NAME.
demo_build() {
  local folder name
  export THETA_LIBRARY_DIR="$TARGET_DIR/release" THETA_INCLUDE_DIR="$ROOT/include"
  cargo build --release --workspace --exclude theta-gen --exclude theta-bench --lib --bins
  for folder in "$ROOT"/samples/*/; do
    name=$(basename "$folder")
    export THETA_BUILD_DIR="$TARGET_DIR/samples/$name"
    if [ -f "$folder/CMakeLists.txt" ]; then
      cmake -S "$folder" -B "$THETA_BUILD_DIR" -DCMAKE_BUILD_TYPE=Release -DTHETA_LIBRARY_DIR="$THETA_LIBRARY_DIR"
      cmake --build "$THETA_BUILD_DIR" -j "$(nproc)"
    elif [ -f "$folder/build.sh" ]; then
      mkdir -p "$THETA_BUILD_DIR"
      bash "$folder/build.sh"
    fi
  done
}
