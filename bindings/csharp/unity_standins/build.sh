#!/usr/bin/env bash
# Compiles the package as Unity would define it, against the stand-ins: build.sh OUTDIR NUNIT_DLL.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$1
NUNIT=$2
PACKAGE=$HERE/../com.theta.sdk
COMPILE=(mcs -nologo -langversion:7.2 -unsafe -debug -warnaserror -target:library)
"${COMPILE[@]}" -out:"$OUT/UnityEngine.dll" "$HERE/UnityStandIns.cs"
"${COMPILE[@]}" -out:"$OUT/Theta.Interop.dll" "$PACKAGE"/Runtime/Interop/*.cs
for editor in "" UNITY_EDITOR; do # a player build first; the Editor's is what the tests run
  "${COMPILE[@]}" -define:"UNITY_5_3_OR_NEWER${editor:+,$editor}" -r:"$OUT/UnityEngine.dll" -r:"$OUT/Theta.Interop.dll" \
    -out:"$OUT/Theta.dll" "$PACKAGE"/Runtime/*.cs "$PACKAGE"/Runtime/Core/*.cs "$PACKAGE"/Runtime/Values/*.cs \
    "$PACKAGE"/Runtime/Unity/*.cs
done
"${COMPILE[@]}" -define:UNITY_5_3_OR_NEWER -r:"$OUT/UnityEngine.dll" -r:"$OUT/Theta.dll" -out:"$OUT/HelloSession.dll" \
  "$PACKAGE"/Samples~/HelloSession/*.cs
"${COMPILE[@]}" -define:UNITY_5_3_OR_NEWER -r:"$OUT/UnityEngine.dll" -r:"$OUT/Theta.dll" -out:"$OUT/Presence.dll" \
  "$PACKAGE"/Samples~/Presence/*.cs
"${COMPILE[@]}" -define:UNITY_5_3_OR_NEWER -r:"$OUT/UnityEngine.dll" -r:"$OUT/Theta.dll" -r:"$OUT/HelloSession.dll" -r:"$OUT/Presence.dll" \
  -r:"$NUNIT" -out:"$OUT/Theta.Unity.Tests.dll" "$HERE"/*Tests.cs
