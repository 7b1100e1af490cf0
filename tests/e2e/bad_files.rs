//! Bad input files: each gives a clear error that names file and place, or a reject; and nothing under the final name.

use serde_json::Value;

use crate::support::{Folder, Outcome, plugin};

/// What every file here is fed to: keeps the rows whose `a` is 1 or more.
fn threshold(folder: &Folder, input: &str, more: &[&str]) -> Outcome {
    let component = plugin("threshold");
    let mut arguments =
        vec!["-q", "--plugin", component.to_str().expect("text"), "--set", "column=a", "--set", "min=1"];
    arguments.extend(["--input", input, "--output", "out.csv"]);
    arguments.extend(more);
    folder.run(&arguments)
}

/// What the output and its staged form are called.
fn leftovers(folder: &Folder) -> Vec<String> {
    folder.files().into_iter().filter(|name| name.contains("out") || name.contains("staged")).collect()
}

/// A file or folder that stops the job.
struct Case {
    name: &'static str,
    input: &'static str,
    content: Option<Vec<u8>>,
    code: i32,
    says: &'static [&'static str],
}

fn file(name: &'static str, input: &'static str, content: &[u8], says: &'static [&'static str]) -> Case {
    Case { name, input, content: Some(content.to_vec()), code: 3, says }
}

fn cases() -> Vec<Case> {
    let missing = |name, input, says| Case { name, input, content: None, code: 5, says };
    vec![
        file("too many fields", "in.csv", b"a,b\n1,x\n2,y,z\n3,w\n", &["in.csv line 3", "3 fields, expected 2"]),
        file("too few fields", "in.csv", b"a,b\n1,x\n2\n3,w\n", &["in.csv line 3", "1 field"]),
        file("an open quote", "in.csv", b"a,b\n1,x\n2,\"y\n3,w\n", &["in.csv line 3", "not closed"]),
        file("no UTF-8 in CSV", "in.csv", b"a,b\n1,x\n2,\xff\n", &["in.csv line 3", "column `b`", "UTF-8"]),
        file(
            "no UTF-8 in JSON",
            "in.jsonl",
            b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"\xff\"}\n",
            &["in.jsonl line 2", "UTF-8"],
        ),
        file(
            "an array",
            "in.jsonl",
            b"{\"a\":1}\n[1]\n",
            &["in.jsonl line 2", "expected a JSON object, found an array"],
        ),
        file("half an object", "in.jsonl", b"{\"a\":1}\n{\"a\":\n", &["in.jsonl line 2"]),
        file("an empty CSV file", "in.csv", b"", &["in.csv", "empty"]),
        file("an empty JSON file", "in.jsonl", b"", &["in.jsonl", "empty"]),
        file("an empty Parquet file", "in.parquet", b"", &["in.parquet"]),
        file("an empty Avro file", "in.avro", b"", &["in.avro"]),
        file("an empty Arrow file", "in.arrow", b"", &["in.arrow"]),
        file("CSV named Parquet", "in.parquet", b"a,b\n1,x\n2,y\n3,z\n", &["in.parquet", "not a Parquet file"]),
        file("text named gzip", "in.csv.gz", b"a,b\n1,x\n", &["in.csv.gz"]),
        missing("a missing file", "no.csv", &["no.csv: no such file"]),
        missing("a missing folder", "no/", &["no/: no such file or folder"]),
        missing("a folder without files", "./", &["./: no file matches"]),
        missing("a glob without matches", "no-*.csv", &["no-*.csv: no file matches"]),
    ]
}

#[test]
fn each_is_an_error_and_leaves_nothing() {
    for case in cases() {
        let folder = Folder::new();
        if let Some(content) = &case.content {
            folder.write(case.input, content);
        }
        let outcome = threshold(&folder, case.input, &[]);
        outcome.says(case.name, case.code, &[&["error: "], case.says].concat());
        assert_eq!(leftovers(&folder), [""; 0], "{}", case.name);
    }
}

/// Binary files as the program writes them, cut off at several places.
#[test]
fn truncated_binary_files_are_errors_that_name_them() {
    let text: String = (0..5_000).map(|row| format!("{row},name-{}\n", row % 7)).collect();
    for format in ["parquet", "avro", "arrow"] {
        let folder = Folder::new();
        folder.write("rows.csv", format!("a,b\n{text}"));
        let (whole, cut) = (format!("whole.{format}"), format!("cut.{format}"));
        folder.write(
            "p.yaml",
            format!(
                "name: p\nsources: {{ in: {{ file: {{ path: rows.csv }} }} }}\n\
                 sinks: {{ made: {{ from: in, file: {{ path: {whole} }} }} }}\n"
            ),
        );
        folder.succeed(&["run", "p.yaml", "-q", "--batch-rows", "1000"]);
        let bytes = std::fs::read(folder.path(&whole)).expect("just written");
        for keep in [3, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            folder.write(&cut, &bytes[..keep]);
            let outcome = threshold(&folder, &cut, &[]);
            outcome.says(&format!("{cut} of {keep} bytes"), 3, &["error: ", &cut]);
            assert_eq!(leftovers(&folder), [""; 0], "{cut} of {keep} bytes");
        }
    }
}

/// A gzip file that ends in the middle.
#[test]
fn truncated_gzip_is_an_error_that_names_it() {
    let bytes = std::fs::read(crate::support::month()).expect("the month");
    let folder = Folder::new();
    folder.write("cut.csv.gz", &bytes[..bytes.len() / 2]);
    let component = plugin("threshold");
    let arguments = ["--plugin", component.to_str().expect("text"), "--set", "column=distance", "--set", "min=1"];
    for more in [&[][..], &["--errors", "refused.jsonl"]] {
        let outcome =
            folder.run(&[&arguments[..], &["--input", "cut.csv.gz", "--output", "out.csv", "-q"], more].concat());
        outcome.says("half a gzip file", 3, &["cut.csv.gz"]);
        assert_eq!(folder.files(), ["cut.csv.gz"]);
    }
}

/// With an errors output, a bad record goes there with its place, and all others go on.
#[test]
fn with_an_errors_output_only_the_bad_records_go_aside() {
    let cases: [(&str, &[u8], i64, &str, &str); 5] = [
        ("in.csv", b"a,b\n1,x\n2,y,z\n3,w\n", 3, "malformed-csv", "2,y,z"),
        ("in.csv", b"a,b\n1,x\n2,\xff\n3,w\n", 3, "invalid-utf8", "2,\u{fffd}"),
        ("in.jsonl", b"{\"a\":1,\"b\":\"x\"}\n[2]\n{\"a\":3,\"b\":\"w\"}\n", 2, "not-an-object", "[2]"),
        ("in.jsonl", b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\n{\"a\":3,\"b\":\"w\"}\n", 2, "malformed-json", "{\"a\":2,"),
        ("in.jsonl", b"{\"a\":1,\"b\":\"x\"}\n\xff\n{\"a\":3,\"b\":\"w\"}\n", 2, "invalid-utf8", "\u{fffd}"),
    ];
    for (input, content, line, code, raw) in cases {
        let folder = Folder::new();
        folder.write(input, content);
        let outcome = threshold(&folder, input, &["--errors", "refused.jsonl", "--json"]);
        outcome.says(code, 0, &[]);
        assert_eq!(folder.read("out.csv"), "a,b\n1,x\n3,w\n", "{code}");
        let reject: Value = serde_json::from_str(&folder.read("refused.jsonl")).expect("one line");
        assert_eq!((&reject["code"], &reject["position"]), (&code.into(), &line.into()));
        assert_eq!((&reject["row"], &reject["split"]), (&raw.into(), &input.into()));
        let place = format!("{input} line {line}");
        assert!(reject["message"].as_str().is_some_and(|message| message.contains(&place)), "{reject}");
        assert_eq!(outcome.json()["rows_rejected"], 1);
    }
}

fn with_schema(path: &str, schema: &str) -> String {
    format!(
        "name: p\nsources: {{ in: {{ file: {{ path: {path}, schema: {schema} }} }} }}\n\
         sinks: {{ out: {{ from: in, file: {{ path: out.csv }} }} }}\n"
    )
}

#[test]
fn columns_of_another_type_than_declared() {
    let folder = Folder::new();
    folder.write("t.csv", "a,b\n1,2013-01-01\n2,tomorrow\n");
    folder.write("t.jsonl", "{\"a\":1}\n{\"a\":\"two\"}\n");
    folder.write(
        "to.yaml",
        "name: p\nsources: { in: { file: { path: t.csv } } }\n\
                             sinks: { made: { from: in, file: { path: t.parquet } } }\n",
    );
    folder.succeed(&["run", "to.yaml", "-q"]);
    let cases: [(&str, &str, &[&str]); 5] = [
        ("t.csv", "{ a: int64, b: date32 }", &["t.csv line 3", "column `b`", "`tomorrow` is not date32"]),
        ("t.jsonl", "{ a: int64 }", &["t.jsonl line 2", "column `a`", "is not int64"]),
        ("t.parquet", "{ a: int64, b: date32 }", &["t.parquet", "column `b`", "expected"]),
        ("t.csv", "{ a: int64, c: utf8 }", &["t.csv", "no column `c`", "a, b"]),
        ("t.parquet", "{ a: int64, c: utf8 }", &["t.parquet", "no column `c`", "a, b"]),
    ];
    for (path, schema, says) in cases {
        folder.write("p.yaml", with_schema(path, schema));
        folder.run(&["run", "p.yaml", "-q"]).says(&format!("{path} {schema}"), 3, says);
        assert_eq!(leftovers(&folder), [""; 0], "{path} {schema}");
    }
    let declared = folder.write("p.yaml", with_schema("t.csv", "{ a: int65 }"));
    folder.run(&["run", declared.to_str().expect("text"), "-q"]).says("a type", 2, &["column `a`", "int65"]);
}

/// A failed run leaves an older output as it was.
#[test]
fn an_output_of_an_earlier_run_stays_as_it_was() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n1,x\n2,y,z\n");
    folder.write("out.csv", "from yesterday\n");
    threshold(&folder, "in.csv", &[]).says("too many fields", 3, &["in.csv line 3"]);
    assert_eq!(folder.read("out.csv"), "from yesterday\n");
    assert_eq!(folder.files(), ["in.csv", "out.csv"]);
}

/// An empty file among others, and one with a header only, are files without rows.
#[test]
fn files_without_rows_are_no_error_where_columns_are_known() {
    let folder = Folder::new();
    folder.write("in/a.csv", "a,b\n1,x\n");
    folder.write("in/b.csv", "a,b\n");
    threshold(&folder, "in/", &[]).says("a header only", 0, &[]);
    assert_eq!(folder.read("out.csv"), "a,b\n1,x\n");
    folder.write("empty.jsonl", "");
    folder.write("p.yaml", with_schema("empty.jsonl", "{ a: int64, b: utf8 }"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("out.csv"), "a,b\n");
}
