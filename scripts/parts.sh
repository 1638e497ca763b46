# shellcheck shell=bash
# Reads every part of x. Needs ROOT. Sourced by x, and by the shell that each step gets.
for part in ui setup targets gen test fuzz lint bench demo; do
  # shellcheck source=/dev/null
  . "$ROOT/scripts/$part.sh"
done
