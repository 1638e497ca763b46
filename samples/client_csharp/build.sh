#!/usr/bin/env bash
# Builds the C# client with Mono: build.sh [OUTDIR] (default: THETA_BUILD_DIR). Makes OUTDIR/client_csharp.exe and a starter,
# OUTDIR/client_csharp, which looks for the native library in THETA_LIBRARY_DIR first.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${1:-${THETA_BUILD_DIR:?usage: build.sh OUTDIR}}
bash "$HERE/../../bindings/csharp/build.sh" "$OUT"
mcs -nologo -langversion:7.2 -unsafe -debug -optimize -warnaserror -r:"$OUT/Theta.dll" -out:"$OUT/client_csharp.exe" "$HERE"/*.cs
cp "$HERE/../motion/builtin.motion" "$OUT/"
cat >"$OUT/client_csharp" <<'STARTER'
#!/usr/bin/env bash
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LD_LIBRARY_PATH="${THETA_LIBRARY_DIR:-$HERE}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec mono "$HERE/client_csharp.exe" "$@"
STARTER
chmod +x "$OUT/client_csharp"
