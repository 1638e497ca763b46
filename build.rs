//! Link settings of the shared library, and what `theta_build_info` says about the build.
//!
//! The SONAME is the ABI's major version, so that an incompatible library is never loaded in its place. Android packs
//! and loads by file name, so there the SONAME is that name; without one a program linked by path (an engine's build
//! system) would record the path of the machine it was built on. Apple's loader has the same trap in the install name,
//! which is the build folder's unless said otherwise. Exports need no version script: rustc hides everything but `extern "C"` functions
//! that are `no_mangle`, and `tests/c/run.sh` compares what is left with the header.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for (name, source) in [("THETA_TARGET", "TARGET"), ("THETA_PROFILE", "PROFILE")] {
        println!("cargo:rustc-env={name}={}", env::var(source).unwrap_or_default());
    }
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtheta_sdk.so.0");
    }
    if os == "android" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtheta_sdk.so");
    }
    if env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libtheta_sdk.dylib");
    }
    if os == "linux" || os == "android" {
        // Android 15 devices have 16 KB pages; a library aligned to less does not load there.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,max-page-size=16384");
        // A program that closes the library while a detached runtime's thread ends, or while some thread still has a last
        // error, must not have the code unmapped under it. The library stays until the process ends.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // The registration section's bounds are named by the linker; they are ours alone, not exported data.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,start-stop-visibility=hidden");
    }
}
