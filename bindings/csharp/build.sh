#!/usr/bin/env bash
# Builds the package's assemblies with Mono's compiler: build.sh OUTDIR. Samples and tests link against them.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${1:?usage: build.sh OUTDIR}
RUNTIME=$HERE/com.theta.sdk/Runtime
mkdir -p "$OUT"
COMPILE=(mcs -nologo -langversion:7.2 -unsafe -debug -optimize -warnaserror)
"${COMPILE[@]}" -target:library -out:"$OUT/Theta.Interop.dll" "$RUNTIME"/Interop/*.cs
"${COMPILE[@]}" -target:library -r:"$OUT/Theta.Interop.dll" -out:"$OUT/Theta.dll" \
  "$RUNTIME"/*.cs "$RUNTIME"/Core/*.cs "$RUNTIME"/Values/*.cs "$RUNTIME"/Unity/*.cs
