//! The child in which the suite compiles code that is made to be dear to compile.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    volley_wasm::compile_worker(&arguments)
}
