//! Ctrl-C and SIGTERM: what was read is processed and committed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Running, sorted_lines};

/// Reads a line of a program that has much to say.
fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a pipe");
    assert!(line.ends_with('\n'), "the program has ended: {line:?}");
    line
}

/// The rest of what a program says.
fn rest(mut reader: impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    text
}

#[test]
fn an_endless_source_ends_cleanly() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new();
        // Standard output shows that rows move; the file shows what was committed.
        folder.write(
            "p.yaml",
            "name: endless\nsources: { made: { generate: { rate: 5000, columns: { id: n, part: u0 } } } }\n\
             sinks:\n  seen: { from: made, file: { path: \"-\" } }\n  kept: { from: made, file: { path: kept.jsonl } }\n",
        );
        let mut running = Running::start_into(&mut folder.host(&["run", "p.yaml"]), Stdio::piped());
        let mut reader = BufReader::new(running.take_stdout());
        let mut seen = line(&mut reader);
        running.signal(signal);
        seen.push_str(&rest(reader));
        running.finish().says(signal, 0, &["stopping"]);
        assert_eq!(folder.files(), ["kept.jsonl", "p.yaml"]);
        let ids = |text: &str| -> Vec<i64> {
            let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a whole row"));
            let mut ids: Vec<i64> = rows.map(|row| row["id"].as_i64().expect("a number")).collect();
            ids.sort_unstable();
            ids
        };
        let kept = ids(&folder.read("kept.jsonl"));
        assert!(!kept.is_empty());
        assert_eq!(kept, ids(&seen), "{signal}: both sinks got every row that was read");
    }
}

#[test]
fn a_file_that_is_followed_ends_cleanly() {
    let folder = Folder::new();
    let input = folder.write("grows.csv", "id,word\n1,one\n");
    folder.write(
        "p.yaml",
        "name: follow\nsources: { in: { file: { path: grows.csv, follow: true, follow_interval_ms: 5 } } }\n\
         operators: { low: { from: in, filter: \"id < 100\" } }\n\
         sinks:\n  seen: { from: low, file: { path: \"-\", format: csv } }\n  kept: { from: low, file: { path: kept.csv } }\n",
    );
    let mut running = Running::start_into(&mut folder.host(&["run", "p.yaml", "-q"]), Stdio::piped());
    let mut reader = BufReader::new(running.take_stdout());
    assert_eq!(line(&mut reader), "id,word\n");
    assert_eq!(line(&mut reader), "1,one\n");
    let mut growing = std::fs::OpenOptions::new().append(true).open(input).expect("the input");
    growing.write_all(b"2,two\n300,much\n3,th").expect("the input");
    assert_eq!(line(&mut reader), "2,two\n");
    growing.write_all(b"ree\n4,half a li").expect("the input");
    assert_eq!(line(&mut reader), "3,three\n");
    running.signal("TERM");
    assert_eq!(rest(reader), "");
    running.finish().says("follow", 0, &[]);
    assert_eq!(folder.read("kept.csv"), "id,word\n1,one\n2,two\n3,three\n");
    assert_eq!(folder.files(), ["grows.csv", "kept.csv", "p.yaml"]);
}

/// Standard input that never ends does not hold the process back.
#[test]
fn an_open_standard_input_does_not_hold_it_back() {
    let folder = Folder::new();
    folder.write(
        "p.yaml",
        "name: pipe\nsources: { in: { file: { path: \"-\", schema: { a: int64 } } } }\n\
         sinks:\n  seen: { from: in, file: { path: \"-\" } }\n  kept: { from: in, file: { path: kept.jsonl } }\n",
    );
    let (input, mut writer) = std::io::pipe().expect("a pipe");
    let mut host = folder.host(&["run", "p.yaml", "-q"]);
    let mut running = Running::start_between(&mut host, input, Stdio::piped());
    writer.write_all(b"{\"a\":1}\n").expect("a pipe");
    let mut reader = BufReader::new(running.take_stdout());
    assert_eq!(line(&mut reader), "{\"a\":1}\n");
    running.signal("INT");
    // Who stopped it cannot know what would have come.
    running.finish().says("pipe", 130, &[]);
    drop(writer);
    assert_eq!(folder.read("kept.jsonl"), "{\"a\":1}\n");
}

/// Rows without end on two sinks, one of them standard output, which blocks once nobody reads.
const TWO_SINKS: &str = "name: endless\nsources: { made: { generate: { columns: { id: n } } } }\n\
    sinks:\n  seen: { from: made, file: { path: \"-\" } }\n  kept: { from: made, file: { path: kept.jsonl } }\n";

/// What was read is committed, and the exit code says that there was more.
#[test]
fn a_source_with_an_end_is_cut_short() {
    let folder = Folder::new();
    folder.write("p.yaml", TWO_SINKS.replace("generate: {", "generate: { rows: 1000000000, rate: 5000,"));
    let mut running = Running::start_into(&mut folder.host(&["run", "p.yaml", "-q"]), Stdio::piped());
    let mut reader = BufReader::new(running.take_stdout());
    let mut seen = line(&mut reader);
    running.signal("INT");
    seen.push_str(&rest(reader));
    running.finish().says("a finite source", 130, &[]);
    assert_eq!(sorted_lines(&folder.read("kept.jsonl")), sorted_lines(&seen));
}

#[test]
fn further_signals_break_off_and_commit_nothing() {
    let folder = Folder::new();
    folder.write("p.yaml", TWO_SINKS);
    let mut running = Running::start_into(&mut folder.host(&["run", "p.yaml"]), Stdio::piped());
    let mut reader = BufReader::new(running.take_stdout());
    line(&mut reader);
    // The end waits for a pipe that nobody empties: until the third.
    for (signal, heard) in [("INT", "stopping"), ("TERM", "breaking off")] {
        running.signal(signal);
        running.hear(heard);
    }
    running.signal("INT");
    running.finish().says("thrice", 130, &[]);
    assert!(!folder.files().contains(&"kept.jsonl".to_owned()), "{:?}", folder.files());
}

/// What is killed leaves hidden files behind, and nothing under the final name.
#[test]
fn a_killed_job_leaves_nothing_under_the_final_name() {
    let folder = Folder::new();
    folder.write("p.yaml", TWO_SINKS);
    let mut running = Running::start_into(&mut folder.host(&["run", "p.yaml", "-q"]), Stdio::piped());
    let mut reader = BufReader::new(running.take_stdout());
    line(&mut reader);
    running.signal("KILL");
    assert_eq!(running.finish().code, None);
    let visible: Vec<String> = folder.files().into_iter().filter(|name| !name.starts_with('.')).collect();
    assert_eq!(visible, ["p.yaml"]);
}
