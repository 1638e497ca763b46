#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| theta_fuzz::run("compact", data));
