//! `NativeMethods.g.cs`: the raw imports for Unity and .NET. The hand-written layer above it owns every idiom.

use crate::surface::{EXPERIMENTAL, STABLE, Surface};
use csbindgen::Builder;
use std::fmt::Write;
use std::{env, fs, process};

/// The assembly `Theta.Interop` holds the imports and what makes them safe; nothing else sees a pointer.
const NAMESPACE: &str = "Theta.Interop";

/// The file's text, from the stable part of the ABI and the experimental one.
pub fn generate(surfaces: &[&Surface]) -> Result<String, String> {
    let mut builder = Builder::default()
        .csharp_namespace(NAMESPACE)
        .csharp_class_name("NativeMethods")
        .csharp_dll_name("theta_sdk")
        // On iOS the library is linked into the executable.
        .csharp_dll_name_if("UNITY_IOS && !UNITY_EDITOR", "__Internal")
        // Delegates and UIntPtr, not `delegate*` and `nuint`: Unity before C# 9 and Mono's compiler read them too.
        .csharp_use_function_pointer(false)
        .csharp_use_nint_types(false)
        .method_filter(|name| name.starts_with(STABLE.names) || name.starts_with(EXPERIMENTAL.names))
        // Array lengths in structs are constants of the class.
        .csharp_import_namespace(format!("static {NAMESPACE}.NativeMethods"))
        .csharp_file_header("// Generated from src/ffi by `./x gen`: do not edit.")
        .csharp_file_footer(constants(surfaces)?)
        .always_included_types(surfaces.iter().flat_map(|s| &s.structs).map(|s| s.name.as_str()));
    for file in surfaces.iter().flat_map(|surface| &surface.files) {
        builder = builder.input_extern_file(file);
    }

    // csbindgen writes to a path only.
    let path = env::temp_dir().join(format!("theta-gen-{}-{}.g.cs", process::id(), surfaces[0].files.len()));
    let result = builder
        .generate_csharp_file(&path)
        .map_err(|error| format!("csbindgen: {error}"))
        .and_then(|()| fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display())));
    let _ = fs::remove_file(&path);
    Ok(tidy(&result?))
}

/// csbindgen leaves negative constants out and panics on those above `i64::MAX`, so they are written here.
fn constants(surfaces: &[&Surface]) -> Result<String, String> {
    let mut out = format!(
        "\nnamespace {NAMESPACE}\n{{\n    internal static unsafe partial class NativeMethods\n    {{\n"
    );
    for (surface, constant) in surfaces.iter().flat_map(|s| s.constants.iter().map(move |c| (s, c))) {
        let kind = match surface.resolve(&constant.ty) {
            "u8" => "byte",
            "i8" => "sbyte",
            "u16" => "ushort",
            "i16" => "short",
            "u32" => "uint",
            "i32" => "int",
            "u64" => "ulong",
            "i64" => "long",
            "f32" => "float",
            "f64" => "double",
            "& str" | "&str" | "& 'static str" | "&'static str" => "string",
            other => {
                return Err(format!("{}: a constant of type `{other}` has no C# spelling", constant.name));
            }
        };
        let suffix = if kind == "float" { "f" } else { "" };
        out.push_str("        /// <summary>\n");
        for line in &constant.docs {
            let line = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(out, "        /// {line}");
        }
        out.push_str("        /// </summary>\n");
        let _ = writeln!(out, "        public const {kind} {} = {}{suffix};", constant.name, constant.value);
    }
    out.push_str("    }\n}\n");
    Ok(out)
}

/// One style of line ends and no trailing blanks, so that the committed file does not depend on the machine.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && blank) {
            out.push_str(line);
            out.push('\n');
        }
        blank = line.is_empty();
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
