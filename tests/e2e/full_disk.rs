//! Where output cannot be written: a clear error, and nothing under the final name.

use std::fs::OpenOptions;
use std::process::Command;

use crate::support::{Folder, Running};

/// More than any buffer on the way holds.
const ROWS: &str = "200000";

fn pipeline(sink: &str) -> String {
    format!(
        "name: p\nsources: {{ in: {{ generate: {{ rows: {ROWS}, columns: {{ id: n, part: u0 }} }} }} }}\n\
         sinks: {{ out: {{ from: in, file: {{ {sink} }} }} }}\n"
    )
}

/// The system refuses to let a file grow beyond 64 blocks, as a full disk does, and needs no privilege for it.
#[test]
fn a_disk_that_takes_no_more() {
    for format in ["csv", "jsonl", "parquet", "avro", "arrow", "csv.gz"] {
        let folder = Folder::new();
        let name = format!("out.{format}");
        folder.write("p.yaml", pipeline(&format!("path: {name}")));
        let mut limited = Command::new("sh");
        // Without the signal, the write fails with an error like any other.
        limited.args([
            "-c",
            "trap '' XFSZ; ulimit -f 64; exec \"$0\" run p.yaml -q",
            env!("CARGO_BIN_EXE_volley-host"),
        ]);
        let outcome = Running::start(limited.current_dir(folder.path("."))).finish();
        outcome.says(format, 5, &["error: cannot write", &name, "File too large"]);
        assert_eq!(folder.files(), ["p.yaml"], "{format}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_behind_standard_output() {
    for format in ["csv", "jsonl", "parquet", "avro", "arrow"] {
        let folder = Folder::new();
        folder.write("p.yaml", pipeline(&format!("path: \"-\", format: {format}")));
        let full = OpenOptions::new().write(true).open("/dev/full").expect("the device that is always full");
        let outcome = Running::start_into(&mut folder.host(&["run", "p.yaml", "-q"]), full).finish();
        outcome.says(format, 5, &["error: cannot write standard output", "No space left on device"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_takes_no_summary_either() {
    let folder = Folder::new();
    let full = OpenOptions::new().write(true).open("/dev/full").expect("the device that is always full");
    let outcome = Running::start_into(&mut folder.host(&["schema"]), full).finish();
    outcome.says("schema", 5, &["standard output", "No space left on device"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    for (device, code, says) in [("/dev/null", 0, ""), ("/dev/full", 5, "No space left on device")] {
        let folder = Folder::new();
        // A link: should the device be replaced by a rename, it is this name that is lost and not the device's own.
        std::os::unix::fs::symlink(device, folder.path("device")).expect("a link");
        folder.write("p.yaml", pipeline("path: device, format: csv"));
        let outcome = folder.run(&["run", "p.yaml", "-q"]);
        assert_eq!(outcome.code, Some(code), "{device}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(says), "{device}: {}", outcome.stderr);
        assert_eq!(std::fs::read_link(folder.path("device")).expect("still a link").to_str(), Some(device));
        assert_eq!(folder.files(), ["device", "p.yaml"]);
    }
}

/// A rename would put a file in the place of the pipe, and its reader would wait for ever.
#[test]
fn a_named_pipe_gets_the_rows() {
    let folder = Folder::new();
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.expect("mkfifo").success());
    folder.write("p.yaml", pipeline("path: pipe, format: csv"));
    let path = folder.path("pipe");
    let reader = std::thread::spawn(move || std::fs::read_to_string(path).expect("the pipe"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(
        reader.join().expect("a reader").lines().count().to_string(),
        format!("{}", 1 + ROWS.parse::<u32>().expect("a number"))
    );
    assert_eq!(folder.files(), ["p.yaml", "pipe"]);
}

#[test]
fn a_folder_that_cannot_be_made() {
    let folder = Folder::new();
    folder.write("blocked", "a file where a folder should be");
    folder.write("p.yaml", pipeline("path: blocked/out.csv"));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    outcome.says("a file in the way", 5, &["blocked"]);
    assert_eq!(folder.files(), ["blocked", "p.yaml"]);
}
