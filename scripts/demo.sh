# shellcheck shell=bash
# ./x demo: builds the library, the samples of every language and the demo itself, then runs it. Arguments go to the
# demo (./x demo --help).

run_demo() {
  local demo argument
  demo_needs
  demo=$(realpath -m "$TARGET_DIR/release/theta-demo")
  steps 1
  if [ $# -gt 0 ]; then
    # The arguments first: neither --help nor a wrong one has to wait for the samples.
    steps 2
    step "Building the demo" "mend the first error above" cargo build --release -p theta-demo || exit 1
    for argument in "$@"; do
      case "$argument" in -h | --help | -V | --version) exec "$demo" "$argument" ;; esac
    done
    "$demo" --dry-run "$@" || exit $?
  fi
  step "Building the library and the samples (the first time takes some minutes)" "mend the first error above" \
    demo_build || exit 1
  THETA_LIBRARY_DIR=$(dirname "$demo")
  THETA_SAMPLES_DIR=$(realpath "$TARGET_DIR/samples")
  export THETA_LIBRARY_DIR THETA_SAMPLES_DIR
  cd "$CALLED_FROM" || exit
  exec "$demo" "$@"
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
