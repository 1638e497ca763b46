//! Generates the C header and the C# imports from `src/ffi`.
fn main() {}
