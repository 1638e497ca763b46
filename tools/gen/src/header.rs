//! `include/theta/theta.h` and `theta_experimental.h`: cbindgen's text, plus what cbindgen cannot say in clean C99 and
//! C++11.

use crate::surface::{EXPERIMENTAL, Struct, Surface, text_of};
use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use syn::Type;

const PREAMBLE: &str = "\
/* The Theta C ABI. Generated from src/ffi by `./x gen`: do not edit.
 *
 * C99 and C++11. Every function says what it does, who owns what, which threads may call it and what it returns.
 * Outputs are untouched on failure. Text is UTF-8 with a length, not null-terminated.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */";

const AFTER_INCLUDES: &str = "\
/* Define THETA_STATIC when linking the static library. */
#if defined(_WIN32) && !defined(THETA_STATIC)
#define THETA_API __declspec(dllimport)
#else
#define THETA_API
#endif";

const EXPERIMENTAL_PREAMBLE: &str = "\
/* The experimental part of the Theta C ABI. Generated from src/ffi_experimental by `./x gen`: do not edit.
 *
 * C99 and C++11. For a game's own tests, and for what is not settled yet: any of this may change or go in the next
 * version. Names begin with thetax_ and THETAX_; the rules are those of theta/theta.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */";

/// The header's text.
pub fn generate(entry: &Path, surface: &Surface) -> Result<String, String> {
    let is_experimental = surface.prefixes == EXPERIMENTAL;
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        header: Some(if is_experimental { EXPERIMENTAL_PREAMBLE } else { PREAMBLE }.into()),
        include_guard: Some(if is_experimental { "THETA_EXPERIMENTAL_H" } else { "THETA_THETA_H" }.into()),
        no_includes: true,
        sys_includes: vec![if is_experimental { "theta/theta.h" } else { "stdint.h" }.into()],
        // The experimental header has it from the other one.
        after_includes: (!is_experimental).then(|| format!("\n{AFTER_INCLUDES}")),
        cpp_compat: true,
        documentation: true,
        documentation_style: DocumentationStyle::Doxy,
        line_length: 110,
        tab_width: 4,
        ..Config::default()
    };
    config.function.prefix = Some("THETA_API".into());
    // A struct that only a wrapper allocates is still part of the ABI.
    config.export.include = surface.structs.iter().map(|s| s.name.clone()).collect();
    config.export.include.extend(surface.aliases.keys().cloned());

    let mut bytes = Vec::new();
    Builder::new()
        .with_config(config)
        .with_src(entry)
        .generate()
        .map_err(|error| format!("cbindgen: {error}"))?
        .write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    Ok(finish(&text, surface))
}

/// Spells constants as C literals of the right type and adds the `THETA_X_INIT` macros.
fn finish(text: &str, surface: &Surface) -> String {
    let mut header = String::with_capacity(text.len() + 1024);
    let mut open_struct: Option<&Struct> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("#define ")
            && let Some((name, value)) = rest.split_once(' ')
            && name.starts_with(surface.prefixes.constants)
        {
            let _ = writeln!(header, "#define {name} {}", literal(name, value, surface));
            continue;
        }
        header.push_str(line);
        header.push('\n');

        if let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) {
            open_struct = surface.structs.iter().find(|s| s.name == name && s.fields[0].0 == "struct_size");
        }
        if let Some(item) = open_struct
            && line == format!("}} {};", item.name)
        {
            open_struct = None;
            let macro_name = format!("{}_INIT", item.name.to_uppercase());
            let _ = write!(
                header,
                "\n/**\n * A `{0}` with its size set and every other field zero, which means its default.\n */\n\
                 #define {macro_name} \\\n    {1}\n",
                item.name,
                initialiser(item, surface)
            );
        }
    }
    header
}

fn literal(name: &str, value: &str, surface: &Surface) -> String {
    let constant = surface.constants.iter().find(|c| c.name == name);
    let kind = constant.map_or("", |c| surface.resolve(&c.ty));
    let value = value.trim_end_matches("ull");
    match kind {
        "u32" => format!("{value}u"),
        "u64" => format!("UINT64_C({value})"),
        "i64" => format!("INT64_C({value})"),
        "f32" => format!("{value}f"),
        _ if value.starts_with('-') => format!("({value})"),
        _ => value.into(),
    }
}

/// Every field is written out: `-Wmissing-field-initializers` (part of `-Wextra`) is on in many a user's build.
fn initialiser(item: &Struct, surface: &Surface) -> String {
    let fields: Vec<String> = item
        .fields
        .iter()
        .enumerate()
        .map(
            |(index, (_, ty))| {
                if index == 0 { format!("(uint32_t)sizeof({})", item.name) } else { zero(ty, surface) }
            },
        )
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

fn zero(ty: &Type, surface: &Surface) -> String {
    if let Type::Array(array) = ty {
        return format!("{{ {} }}", zero(&array.elem, surface));
    }
    let name = text_of(ty);
    match surface.structs.iter().find(|s| s.name == name) {
        Some(inner) if inner.fields[0].0 == "struct_size" => initialiser(inner, surface),
        Some(inner) => {
            let fields: Vec<String> = inner.fields.iter().map(|(_, ty)| zero(ty, surface)).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        None => "0".into(),
    }
}

/// Refuses a comment that names a constant which no header defines: a caller would look for it in vain. `THETA_KIND_*`
/// stands for many.
pub fn check_names(headers: &[&str]) -> Result<(), String> {
    let (mut defined, mut named) = (BTreeSet::new(), BTreeSet::new());
    for part in headers.iter().flat_map(|text| text.split("*/")) {
        let (code, comment) = part.split_once("/*").unwrap_or((part, ""));
        defined.extend(constants_in(code));
        named.extend(constants_in(comment).filter(|name| !name.ends_with('_')));
    }
    let unknown: Vec<&str> = named.difference(&defined).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!("comments name what the headers do not define: {}", unknown.join(", ")))
}

fn constants_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("THETA_") || word.starts_with("THETAX_"))
}
