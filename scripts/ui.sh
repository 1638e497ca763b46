# shellcheck shell=bash
# What the user sees: plain lines, numbered steps with their seconds, quiet logs. Sourced by x; prints to stdout only.

LOGS="$ROOT/.cache/logs"
STEP=0
STEPS=0
STEP_PID=

say() { printf '%s\n' "$*"; }

# fail MESSAGE: one sentence that says what to do, and the end.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# steps N: how many steps this command has.
steps() {
  STEP=0
  STEPS=$1
}

# On Ctrl-C the step's whole process group goes, not only its first process.
stop_step() {
  [ -z "$STEP_PID" ] || kill -- "-$STEP_PID" 2>/dev/null || true
  exit 130
}
trap stop_step INT TERM

# step NAME HINT COMMAND...: runs COMMAND quietly under a log, showing that it is alive. On failure prints the end of
# the log and HINT, and returns 1. LAST_LOG names the log.
step() {
  local name=$1 hint=$2 began=$SECONDS code=0 shown=0 elapsed slug
  shift 2
  STEP=$((STEP + 1))
  slug=$(sed 's/+/p/g; s/#/sharp/g' <<<"$name" | tr -cs 'a-zA-Z0-9\n' '-')
  mkdir -p "$LOGS"
  LAST_LOG="$LOGS/${slug%-}.log"

  printf '[%d/%d] %s ... ' "$STEP" "$STEPS" "$name"
  set -m
  # A shell of its own: inside `if` and `||`, where steps stand, bash ignores `set -e`.
  # shellcheck disable=SC2016
  bash -euo pipefail -c '. "$ROOT/scripts/parts.sh"; "$@"' step "$@" >"$LAST_LOG" 2>&1 </dev/null &
  STEP_PID=$!
  set +m
  while kill -0 "$STEP_PID" 2>/dev/null; do
    elapsed=$((SECONDS - began))
    if [ -t 1 ]; then
      printf '\r[%d/%d] %s ... %d s ' "$STEP" "$STEPS" "$name" "$elapsed"
    elif [ $((elapsed / 60)) -gt "$shown" ]; then
      shown=$((elapsed / 60))
      printf '%d s ... ' "$elapsed"
    fi
    if [ "$elapsed" -gt "${THETA_STEP_LIMIT_SECONDS:-3600}" ]; then
      printf '\nstopped: no end after %d s\n' "$elapsed" >>"$LAST_LOG"
      kill -- "-$STEP_PID" 2>/dev/null || true
    fi
    sleep 0.2
  done
  wait "$STEP_PID" || code=$?
  STEP_PID=
  elapsed=$((SECONDS - began))
  [ ! -t 1 ] || printf '\r[%d/%d] %s ... ' "$STEP" "$STEPS" "$name"
  if [ "$code" -eq 0 ]; then
    printf 'ok, %d s\n' "$elapsed"
    return 0
  fi
  printf 'FAILED, %d s\n' "$elapsed"
  tail -n 40 "$LAST_LOG" | sed 's/^/    /'
  say "    log: ${LAST_LOG#"$ROOT"/}"
  say "    what to do: $hint"
  return 1
}
