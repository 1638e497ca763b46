#!/usr/bin/env bash
# shipped.sh SPLIT_DEBUG LIBRARY SCRATCH: what SPLIT_DEBUG makes of a library is a fraction of its size, exports the same, and
# leads to the lines of the source by the file beside it.
set -euo pipefail
split=$1
library=$2
scratch=$3

"$split" "$library" "$scratch"
shipped="$scratch/$(basename "$library")"
fail() {
  echo "$1"
  exit 1
}
exports() { nm -D --defined-only "$1" | awk '{print $2, $3}' | sort; }
[ "$(exports "$library")" = "$(exports "$shipped")" ] || fail "the exports differ"
[ $(($(stat -L -c %s "$shipped") * 2)) -lt "$(stat -L -c %s "$library")" ] || fail "it is no smaller"
sections=$(readelf -SW "$shipped")
if grep -qE ' \.(debug_line|symtab)' <<<"$sections"; then fail "what only a debugger reads is still inside"; fi

address=$(nm -D --defined-only "$shipped" | awk '$3 == "theta_write_commit" {print $1}')
found=$(addr2line -e "$shipped" "0x$address")
[[ "$found" == *src/ffi/write.rs:[1-9]* ]] || fail "a debugger does not find the line: $found"
rm "$shipped.debug"
found=$(addr2line -e "$shipped" "0x$address")
[[ "$found" == '??'* ]] || fail "the line is still inside: $found"
