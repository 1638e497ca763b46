# shellcheck shell=bash
# ./x gen: everything that is derived and committed. schemas/wire.fbs -> readers and builders in four languages;
# src/ffi -> the C header and the C# imports. --check writes nothing and fails when something is not current.

# Generated folder in the repository, and what flatc is told. Only flatc writes these; a file that flatc no longer
# writes is removed. GEN_KEEP names what stands beside the generated files and is not theirs.
GEN_FOLDERS=(
  "src/core/wire/generated|--rust"
  "bindings/cpp/include/theta/wire|--cpp --cpp-std c++17 --scoped-enums"
  "bindings/csharp/com.theta.sdk/Runtime/Wire|--csharp --gen-onefile"
  "bindings/typescript/src/wire|--ts"
)
GEN_KEEP=(-name mod.rs -o -name '*.meta' -o -name '*.asmdef' -o -name README.md)

run_gen() {
  local check=
  case "${1-}" in
    --check) check=1 ;;
    "") ;;
    *) fail "usage: ./x gen [--check]" ;;
  esac
  need_rust
  need_flatc

  steps 2
  local failed=
  step "Wire messages" "run ./x gen and commit what it wrote" gen_wire "$check" || failed=1
  step "C header and C# imports" "read the sentence above; if it says not current, run ./x gen and commit" \
    gen_abi "$check" || failed=1
  [ -z "$failed" ] || exit 1
}

gen_wire() {
  local check=$1 scratch entry folder options stale=
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$scratch'" EXIT
  for entry in "${GEN_FOLDERS[@]}"; do
    folder=${entry%%|*}
    read -ra options <<<"${entry#*|}"
    "$FLATC" "${options[@]}" -o "$scratch/$folder" "$ROOT/schemas/wire.fbs"
    # flatc leaves blanks at line ends.
    find "$scratch/$folder" -type f -exec sed -i 's/[[:space:]]*$//' {} +
    if [ -n "$check" ]; then
      gen_compare "$scratch/$folder" "$ROOT/$folder" || stale=1
    else
      gen_install "$scratch/$folder" "$ROOT/$folder"
    fi
  done
  [ -z "$stale" ]
}

# gen_files FOLDER: the generated files in it, relative and sorted.
gen_files() {
  [ -d "$1" ] || return 0
  (cd "$1" && find . -type f ! \( "${GEN_KEEP[@]}" \) | LC_ALL=C sort)
}

gen_compare() {
  local new=$1 committed=$2 file same=0
  if ! diff <(gen_files "$committed") <(gen_files "$new"); then
    echo "${committed#"$ROOT"/}: files are missing (>) or left over (<)"
    same=1
  fi
  while read -r file; do
    [ ! -f "$committed/$file" ] || diff -u "$committed/$file" "$new/$file" || same=1
  done < <(gen_files "$new")
  return "$same"
}

# A file that has not changed keeps its time, so that nothing is rebuilt for it.
gen_install() {
  local new=$1 committed=$2 file
  mkdir -p "$committed"
  while read -r file; do
    if ! cmp -s "$new/$file" "$committed/$file"; then
      mkdir -p "$(dirname "$committed/$file")"
      cp "$new/$file" "$committed/$file"
      echo "written ${committed#"$ROOT"/}/${file#./}"
    fi
  done < <(gen_files "$new")
  while read -r file; do
    echo "removed ${committed#"$ROOT"/}/${file#./}"
    rm "$committed/$file"
  done < <(comm -23 <(gen_files "$committed") <(gen_files "$new"))
}

gen_abi() {
  cargo run --quiet --manifest-path "$ROOT/Cargo.toml" -p theta-gen -- --root "$ROOT" ${1:+--check}
}
