#!/usr/bin/env python3
"""Unity's .meta files of the package, generated and checked.

Unity ignores an asset of an installed package that has no .meta, and breaks references when a GUID changes. So every
visible file and folder gets one, and its GUID is a hash of its path: the same on every machine and in every release.

    meta.py            write what is missing or differs, remove what belongs to nothing
    meta.py --check    write nothing; list the differences and fail if there are any

Native binaries are not committed; when one lies in Runtime/Plugins its PluginImporter settings come from PLUGINS below.
"""

import hashlib
import json
import pathlib
import sys

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "com.theta.sdk"
NAME = "com.theta.sdk"

# Path of the binary -> (Unity platform, its settings, Editor settings or None). Each library is enabled for exactly the
# platform it runs on: two Windows DLLs that are eligible for Android break an Android build.
PLUGINS = {
    "Runtime/Plugins/Android/arm64-v8a/libtheta_sdk.so": (
        "Android", {"AndroidSharedLibraryType": "Executable", "CPU": "ARM64", "Is16KbAligned": "true"}, None),
    "Runtime/Plugins/Windows/x86_64/theta_sdk.dll": (
        "Win64", {"CPU": "x86_64"}, {"CPU": "x86_64", "DefaultValueInitialized": "true", "OS": "Windows"}),
    "Runtime/Plugins/macOS/libtheta_sdk.dylib": (
        "OSXUniversal", {"CPU": "AnyCPU"}, {"CPU": "AnyCPU", "DefaultValueInitialized": "true", "OS": "OSX"}),
    "Runtime/Plugins/Linux/x86_64/libtheta_sdk.so": (
        "Linux64", {"CPU": "x86_64"}, {"CPU": "x86_64", "DefaultValueInitialized": "true", "OS": "Linux"}),
    "Runtime/Plugins/iOS/libtheta_sdk.a": (
        "iPhone", {"AddToEmbeddedBinaries": "false", "CPU": "ARM64", "CompileFlags": "", "FrameworkDependencies": ""}, None),
}
GROUPS = {"Android": "Android", "iPhone": "iPhone", "Win64": "Standalone", "OSXUniversal": "Standalone", "Linux64": "Standalone"}


def guid(relative: str) -> str:
    return hashlib.md5(f"{NAME}:{relative}".encode()).hexdigest()


def importer(name: str, extra: str = "") -> str:
    return f"{name}:\n  externalObjects: {{}}\n{extra}  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


MONO = (
    "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n"
    "  icon: {instanceID: 0}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
)


def settings(values: dict) -> str:
    if not values:
        return "      settings: {}\n"
    return "      settings:\n" + "".join(f"        {key}: {value}\n" for key, value in sorted(values.items()))


def block(group: str, platform: str, enabled: bool, values: dict) -> str:
    return (
        f"  - first:\n      {group}: {platform}\n    second:\n      enabled: {int(enabled)}\n" + settings(values)
    )


def plugin(relative: str) -> str:
    own, own_settings, editor = PLUGINS[relative]
    excluded = {f"Exclude {p}": int(p != own) for p in GROUPS}
    excluded["Exclude Editor"] = int(editor is None)
    text = (
        "PluginImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  iconMap: {}\n  executionOrder: {}\n"
        "  defineConstraints: []\n  isPreloaded: 0\n  isOverridable: 1\n  isExplicitlyReferenced: 0\n"
        "  validateReferences: 1\n  platformData:\n"
    )
    text += "  - first:\n      : Any\n    second:\n      enabled: 0\n" + settings(excluded)
    text += "  - first:\n      Any: \n    second:\n      enabled: 0\n      settings: {}\n"
    text += block("Editor", "Editor", editor is not None, editor or {"DefaultValueInitialized": "true"})
    for platform, group in sorted(GROUPS.items()):
        on = platform == own
        text += block(group, platform, on, own_settings if on else {"CPU": "None"})
    return text + "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


def meta(path: pathlib.Path, relative: str) -> str:
    head = f"fileFormatVersion: 2\nguid: {guid(relative)}\n"
    if path.is_dir():
        return head + "folderAsset: yes\n" + importer("DefaultImporter")
    if relative == "package.json":
        return head + importer("PackageManifestImporter")
    if path.suffix == ".cs":
        return head + MONO
    if path.suffix == ".asmdef":
        return head + importer("AssemblyDefinitionImporter")
    if path.suffix in (".md", ".txt", ".json"):
        return head + importer("TextScriptImporter")
    if relative in PLUGINS:
        return head + plugin(relative)
    raise SystemExit(f"meta.py: no importer is known for {relative}; add one")


def assets() -> list:
    """Everything Unity imports: not hidden, not in a folder that ends with ~, but what lies inside Samples~."""
    found = []
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        if any(part.startswith(".") for part in parts) or path.suffix == ".meta":
            continue
        if parts[0] == "Samples~":
            parts = parts[1:]
        if parts and not any(part.endswith("~") for part in parts):
            found.append(path)
    return found


def wanted() -> dict:
    return {
        path.with_name(path.name + ".meta"): meta(path, path.relative_to(PACKAGE).as_posix()) for path in assets()
    }


def problems_of_table() -> list:
    """The truth table itself, and names that are known to break loading."""
    problems = []
    for relative, (own, _, editor) in PLUGINS.items():
        text = plugin(relative)
        enabled = text.count("enabled: 1")
        if enabled != 1 + int(editor is not None):
            problems.append(f"{relative}: enabled for {enabled} platforms")
        if f"{own}\n    second:\n      enabled: 1" not in text:
            problems.append(f"{relative}: not enabled for {own}")
    names = set()
    for path in PACKAGE.rglob("*.asmdef"):
        names.add(json.loads(path.read_text())["name"])
    for path in PACKAGE.rglob("*.asmdef"):
        for reference in json.loads(path.read_text())["references"]:
            if reference.startswith("Theta") and reference not in names:
                problems.append(f"{path.name}: refers to {reference}, which does not exist")
    natives = {pathlib.PurePosixPath(p).stem for p in PLUGINS}
    for name in names & (natives | {n.removeprefix("lib") for n in natives}):
        problems.append(f"{name} is the name of an assembly and of a native library")
    package = json.loads((PACKAGE / "package.json").read_text())
    for sample in package["samples"]:
        if not (PACKAGE / sample["path"]).is_dir():
            problems.append(f"package.json: the sample folder {sample['path']} does not exist")
    if package["name"] != NAME:
        problems.append("package.json: the name differs from the one GUIDs are made with")
    return problems


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__)
        return 2
    want = wanted()
    have = {p for p in PACKAGE.rglob("*.meta") if not any(q.startswith(".") for q in p.relative_to(PACKAGE).parts)}
    differences = problems_of_table()
    for path, text in want.items():
        if not path.exists() or path.read_text() != text:
            if check:
                differences.append(f"{path.relative_to(PACKAGE)}: {'differs' if path.exists() else 'is missing'}")
            else:
                path.write_text(text)
                print(f"written {path.relative_to(PACKAGE)}")
    for path in sorted(have - set(want)):
        if check:
            differences.append(f"{path.relative_to(PACKAGE)}: belongs to nothing")
        else:
            path.unlink()
            print(f"removed {path.relative_to(PACKAGE)}")
    guids = [text.split("guid: ")[1][:32] for text in want.values()]
    if len(set(guids)) != len(guids):
        differences.append("two assets have the same GUID")
    for difference in differences:
        print(difference)
    if check and not differences:
        print(f"{len(want)} metas are current")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
