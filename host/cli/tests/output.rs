//! Output that is lost is never a success: a full disk and a reader that has gone away.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports, in its helpers too")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Every command that speaks on standard output without building anything, and the parser's own texts.
const COMMANDS: [&[&str]; 8] = [
    &["plugin", "inspect", "empty.wasm"],
    &["plugin", "inspect", "empty.wasm", "--json"],
    &["plugin", "where", "lines.wasm", OFFSET],
    &["doctor"],
    &["doctor", "--json"],
    &["new", "job"],
    &["--version"],
    &["plugin", "build", "--help"],
];

/// Where the code of [`LINES`] begins.
const OFFSET: &str = "0x20";

/// A component with a section of source lines, which happens to have none.
const LINES: &str = r#"(component (core module (func unreachable) (@custom ".debug_line" (after last) "\00")))"#;

fn volley(dir: &Path, args: &[&str], stdout: Stdio) -> Output {
    let mut volley = Command::new(env!("CARGO_BIN_EXE_volley"));
    volley.args(args).current_dir(dir).stdout(stdout).output().unwrap()
}

fn with_files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty.wasm"), wat::parse_str("(component)").unwrap()).unwrap();
    std::fs::write(dir.path().join("lines.wasm"), wat::parse_str(LINES).unwrap()).unwrap();
    dir
}

#[test]
fn a_full_disk_is_an_error_that_is_told() {
    for args in COMMANDS {
        let dir = with_files();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = volley(dir.path(), args, full.into());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot write standard output: No space left"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_reader_that_has_gone_away_ends_the_command_silently() {
    for args in COMMANDS {
        let dir = with_files();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = volley(dir.path(), args, writer.into());
        assert_eq!(output.status.code(), Some(141), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}
