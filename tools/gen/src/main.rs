//! `theta-gen`: writes everything that is derived from the source text of `src/ffi`, the C ABI, and of
//! `src/ffi_experimental`, the part of it that may change.
//!
//! - `include/theta/theta.h` and `include/theta/theta_experimental.h`, by cbindgen ([`header`])
//! - `bindings/csharp/com.theta.sdk/Runtime/Interop/NativeMethods.g.cs`, by csbindgen ([`csharp`])
//!
//! Both read text, not types: macros are not expanded and constants are not evaluated. [`surface`] therefore reads the
//! same text first and refuses what would come out wrong in one of the two. Run by `./x gen`, never by a build script.

mod csharp;
mod header;
mod surface;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str = "\
usage: theta-gen [--check] [--root DIR]
  --check     write nothing; fail if a committed file differs from what would be generated
  --root DIR  the repository (default: the current directory)";

/// A generated file: where it stands in the repository and what it must contain.
struct Output {
    path: &'static str,
    text: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("theta-gen: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut check = false;
    let mut root = PathBuf::from(".");
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => check = true,
            "--root" => root = arguments.next().ok_or(USAGE)?.into(),
            _ => return Err(USAGE.into()),
        }
    }

    let entry = root.join("src/ffi/mod.rs");
    let surface = surface::Surface::read(&entry, surface::STABLE)?;
    let more = root.join("src/ffi_experimental/mod.rs");
    let experimental = surface::Surface::read(&more, surface::EXPERIMENTAL)?;
    let outputs = [
        Output { path: "include/theta/theta.h", text: header::generate(&entry, &surface)? },
        Output { path: "include/theta/theta_experimental.h", text: header::generate(&more, &experimental)? },
        Output {
            path: "bindings/csharp/com.theta.sdk/Runtime/Interop/NativeMethods.g.cs",
            text: csharp::generate(&[&surface, &experimental])?,
        },
    ];

    header::check_names(&[&outputs[0].text, &outputs[1].text])?;

    let mut stale = Vec::new();
    for output in &outputs {
        let path = root.join(output.path);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        if committed == output.text {
            println!("current  {}", output.path);
        } else if check {
            stale.push(format!("{}: {}", output.path, first_difference(&committed, &output.text)));
        } else {
            write(&path, &output.text)?;
            println!("written  {}", output.path);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("not current, run ./x gen and commit the result\n  {}", stale.join("\n  ")))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().expect("an output stands in a folder");
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The first line that differs, so that a failed check says what happened and not only that it happened.
fn first_difference(committed: &str, generated: &str) -> String {
    let mut old = committed.lines();
    let mut new = generated.lines();
    for line in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                return format!(
                    "line {line}: committed `{}`, generated `{}`",
                    a.unwrap_or("(end of file)").trim(),
                    b.unwrap_or("(end of file)").trim()
                );
            }
        }
    }
    "differs in line endings".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FFI: &[(&str, &str)] = &[
        (
            "mod.rs",
            "//! The C ABI.
pub mod session;
mod status;
#[cfg(test)]
mod absent;
",
        ),
        (
            "status.rs",
            "/// The result of every call.
pub type theta_status = i32;
/// Done.
pub const THETA_OK: i32 = 0;
/// The handle is zero.
pub const THETA_E_HANDLE: i32 = -3;
/// Bits of everything.
pub const THETA_MASK: u64 = 0xFFFF_FFFF_FFFF_FFFF;
/// How many bytes a name may have.
pub const THETA_NAME_BYTES: u32 = 16;
",
        ),
        (
            "session.rs",
            "/// A session.
#[repr(C)]
pub struct theta_session {
    /// Opaque.
    pub bits: u64,
}
/// How to open one.
#[repr(C)]
pub struct theta_session_config {
    /// `sizeof(theta_session_config)`.
    pub struct_size: u32,
    /// Milliseconds.
    pub timeout_ms: u32,
    /// The name.
    pub name: [u8; 16],
    /// Who asks.
    pub parent: theta_session,
    /// Called inside poll.
    pub on_log: Option<unsafe extern \"C\" fn(user_data: *mut c_void, text: *const u8, text_len: u32)>,
}
/// Opens a session.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn theta_session_open(
    config: *const theta_session_config,
    out: *mut theta_session,
) -> theta_status {
    crate::boundary!({ 0 })
}
",
        ),
    ];

    /// A room of its own under the target folder, written anew by every run.
    fn scratch(name: &str, edit: impl Fn(&str, &str) -> String) -> PathBuf {
        let root = env::current_exe().unwrap().parent().unwrap().join("theta-gen-tests").join(name);
        for (file, text) in FFI {
            write(&root.join("src/ffi").join(file), &edit(file, text)).unwrap();
        }
        root.join("src/ffi/mod.rs")
    }

    fn unedited(_: &str, text: &str) -> String {
        text.into()
    }

    #[test]
    fn the_header_follows_the_modules_and_spells_constants_for_c() {
        let entry = scratch("header", unedited);
        let surface = surface::Surface::read(&entry, surface::STABLE).unwrap();
        let text = header::generate(&entry, &surface).unwrap();
        for expected in [
            "#ifndef THETA_THETA_H",
            "extern \"C\" {",
            "typedef int32_t theta_status;",
            "#define THETA_E_HANDLE (-3)",
            "#define THETA_MASK UINT64_C(18446744073709551615)",
            "#define THETA_NAME_BYTES 16u",
            "uint8_t name[16];",
            "#define THETA_SESSION_CONFIG_INIT \\\n    { (uint32_t)sizeof(theta_session_config), 0, { 0 }, { 0 }, 0 }",
            "THETA_API\ntheta_status theta_session_open(",
        ] {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
    }

    #[test]
    fn the_experimental_header_stands_on_the_other_one() {
        let entry = scratch("experimental", |file, text| match file {
            "mod.rs" => "//! Trial.\npub mod trial;\n".into(),
            _ => text.into(),
        });
        write(
            &entry.with_file_name("trial.rs"),
            "/// A trial.
#[repr(C)]
pub struct thetax_trial {
    /// `sizeof(thetax_trial)`.
    pub struct_size: u32,
    /// How often.
    pub count: u32,
}
/// Most trials.
pub const THETAX_TRIALS: u32 = 7;
/// Tries.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn thetax_session_try(session: theta_session, trial: *const thetax_trial) -> theta_status {
    0
}
",
        )
        .unwrap();
        let surface = surface::Surface::read(&entry, surface::EXPERIMENTAL).unwrap();
        let text = header::generate(&entry, &surface).unwrap();
        for expected in [
            "#ifndef THETA_EXPERIMENTAL_H",
            "#include <theta/theta.h>",
            "#define THETAX_TRIALS 7u",
            "#define THETAX_TRIAL_INIT \\\n    { (uint32_t)sizeof(thetax_trial), 0 }",
            "THETA_API theta_status thetax_session_try(theta_session session, const struct thetax_trial *trial);",
        ] {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
        assert!(!text.contains("define THETA_API"));
        let error = surface::Surface::read(&entry, surface::STABLE).err().unwrap_or_default();
        assert!(
            error.contains("thetax_session_try: an exported function must start with `theta_`"),
            "{error}"
        );
    }

    #[test]
    fn comments_name_constants_that_there_are() {
        let entry = scratch("names", |_, text| {
            text.replace("/// Milliseconds.", "/// At most THETA_NAME_BYTES, or THETA_E_*.")
        });
        let surface = surface::Surface::read(&entry, surface::STABLE).unwrap();
        let text = header::generate(&entry, &surface).unwrap();
        header::check_names(&[&text]).unwrap();
        let wrong = text.replace("At most THETA_NAME_BYTES", "At most THETA_NAME_LENGTH");
        let error = header::check_names(&[&wrong]).unwrap_err();
        assert!(error.ends_with(": THETA_NAME_LENGTH"), "{error}");
        let elsewhere = "#define THETA_NAME_LENGTH 16u";
        header::check_names(&[&wrong, elsewhere]).unwrap();
    }

    #[test]
    fn the_imports_name_the_library_and_ios_links_statically() {
        let entry = scratch("csharp", unedited);
        let text = csharp::generate(&[&surface::Surface::read(&entry, surface::STABLE).unwrap()]).unwrap();
        for expected in [
            "namespace Theta.Interop",
            "#if UNITY_IOS && !UNITY_EDITOR",
            "const string __DllName = \"__Internal\";",
            "const string __DllName = \"theta_sdk\";",
            "internal static extern int theta_session_open(",
            "public fixed byte name[16]",
            "public void* on_log;",
            "public const int THETA_E_HANDLE = -3;",
            "public const ulong THETA_MASK = 0xFFFFFFFFFFFFFFFF;",
        ] {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
    }

    #[test]
    fn what_a_generator_would_get_wrong_is_refused() {
        for (name, file, from, to, complaint) in [
            ("bool", "session.rs", "timeout_ms: u32", "timeout_ms: bool", "`bool`"),
            ("usize", "session.rs", "text_len: u32", "text_len: usize", "`usize`"),
            ("docs", "session.rs", "/// Opens a session.\n", "", "theta_session_open has no documentation"),
            ("field", "session.rs", "    /// Milliseconds.\n", "", "timeout_ms has no documentation"),
            ("name", "session.rs", "fn theta_session_open", "fn session_open", "must start with `theta_`"),
            ("const", "status.rs", "i32 = -3", "i32 = BASE - 3", "must be a literal"),
            ("value", "session.rs", "out: *mut theta_session,", "out: theta_session_config,", "by value"),
            (
                "repr",
                "session.rs",
                "#[repr(C)]\npub struct theta_session {",
                "pub struct theta_session {",
                "repr(C)",
            ),
        ] {
            let entry =
                scratch(name, |f, text| if f == file { text.replacen(from, to, 1) } else { text.into() });
            let error = surface::Surface::read(&entry, surface::STABLE).err().unwrap_or_default();
            assert!(error.contains(complaint), "{name}: expected `{complaint}`, got `{error}`");
        }
    }
}
