//! Functions in expressions and formats of files that plugins bring: against the same natively, killed and started again, and
//! with everything in the wrong place.

use serde_json::Value;

use crate::checkpoints::{kill, start};
use crate::support::{Folder, plugin, sorted_lines};

/// A record of `plugins/ticks`, made here.
fn record(ts: i64, symbol: &str, price: f64) -> Vec<u8> {
    let length = u32::try_from(16 + symbol.len()).expect("short");
    [&length.to_le_bytes()[..], &ts.to_le_bytes(), &price.to_le_bytes(), symbol.as_bytes()].concat()
}

/// The records of a whole file.
fn records(mut bytes: &[u8]) -> Vec<(i64, String, f64)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_le_bytes(bytes[..4].try_into().expect("four")) as usize;
        let (record, rest) = bytes[4..].split_at(length);
        let ts = i64::from_le_bytes(record[..8].try_into().expect("eight"));
        let price = f64::from_le_bytes(record[8..16].try_into().expect("eight"));
        all.push((ts, std::str::from_utf8(&record[16..]).expect("text").to_owned(), price));
        bytes = rest;
    }
    all
}

fn symbol(row: i64) -> String {
    "SYMBOLS"[..(row % 8) as usize].to_owned()
}

fn ticks(rows: i64) -> Vec<u8> {
    (0..rows).flat_map(|row| record(row, &symbol(row), row as f64 / 4.0)).collect()
}

#[test]
fn a_function_gives_what_the_expression_gives() {
    let folder = Folder::new();
    let mut csv = "id,f,g\n".to_owned();
    for id in 0..20_000 {
        let f = if id % 7 == 3 { String::new() } else { format!("{}", f64::from(id % 211) + 0.25) };
        csv.push_str(&format!("{id},{f},{}\n", id % 100));
    }
    folder.write("in.csv", csv);
    let celsius = plugin("celsius").display().to_string();
    let pipeline = |functions: &str, of: &dyn Fn(&str) -> String, out: &str| {
        format!(
            "name: p\nparallelism: 2\n{functions}sources: {{ in: {{ file: {{ path: in.csv }} }} }}\noperators:\n  \
             warm: {{ from: in, filter: \"{} > 30 OR {} IS NULL\" }}\n  \
             both: {{ from: warm, with_columns: {{ c: \"{}\", d: \"{} + {}\" }} }}\n  \
             some: {{ from: both, select: [id, c, d, \"CASE WHEN g < 0 THEN {} ELSE 1.5 END AS e\", \"{} AS k\"] }}\n\
             sinks: {{ out: {{ from: some, parallelism: 1, file: {{ path: {out} }} }} }}\n",
            of("f"),
            of("f"),
            of("f"),
            of("g"),
            of("f"),
            of("g"),
            of("212"),
        )
    };
    let native = |argument: &str| format!("((CAST({argument} AS DOUBLE) - 32.0) * 5.0 / 9.0)");
    folder.write("native.yaml", pipeline("", &native, "native.csv"));
    // Each call is made twice, which nobody sees.
    let functions = format!("functions: {{ celsius: {{ component: {celsius}, determinism_sample: 1 }} }}\n");
    folder.write("plugin.yaml", pipeline(&functions, &|argument| format!("celsius({argument})"), "plugin.csv"));
    folder.succeed(&["run", "native.yaml", "-q"]);
    let outcome = folder.succeed(&["run", "plugin.yaml"]);
    assert!(!outcome.stderr.contains("different results"), "{}", outcome.stderr);
    let (native, made) = (folder.read("native.csv"), folder.read("plugin.csv"));
    assert!(native.lines().count() > 10_000);
    assert_eq!(sorted_lines(&native), sorted_lines(&made));
}

#[test]
fn a_format_is_written_and_read_as_natively() {
    let folder = Folder::new();
    let component = plugin("ticks").display().to_string();
    let format = format!("format: {{ plugin: {{ component: {component}, determinism_sample: 1 }} }}");
    let jsonl: String = (0..30_000_i64)
        .map(|row| format!("{{\"price\":{},\"symbol\":\"{}\",\"ts\":{row}}}\n", row as f64 / 4.0, symbol(row)))
        .collect();
    folder.write("in.jsonl", jsonl);
    folder.write(
        "write.yaml",
        format!(
            "name: w\nsources: {{ in: {{ file: {{ path: in.jsonl }} }} }}\n\
             sinks: {{ out: {{ from: in, file: {{ path: ticks.bin, {format} }} }} }}\n"
        ),
    );
    folder.succeed(&["run", "write.yaml", "-q"]);
    let written = std::fs::read(folder.path("ticks.bin")).expect("written");
    assert!(written == ticks(30_000), "{} bytes, {} wanted", written.len(), ticks(30_000).len());
    // Read again, from a compressed copy too, in batches of any size.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &written).expect("memory");
    folder.write("ticks.bin.gz", packed.finish().expect("memory"));
    for (path, rows) in [("ticks.bin", "8192"), ("ticks.bin.gz", "700")] {
        folder.write(
            "read.yaml",
            format!(
                "name: r\nsources: {{ in: {{ file: {{ path: {path}, {format} }} }} }}\n\
                 sinks: {{ out: {{ from: in, file: {{ path: out.csv }} }} }}\n"
            ),
        );
        let outcome = folder.succeed(&["run", "read.yaml", "--batch-rows", rows]);
        assert!(!outcome.stderr.contains("different results"), "{}", outcome.stderr);
        let csv = folder.read("out.csv");
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!((lines.len(), lines[0]), (30_001, "ts,symbol,price"));
        assert_eq!((lines[1], lines[30_000]), ("0,,0.0", "29999,SYMBOLS,7499.75"));
        folder.write("out.csv", "");
    }
}

#[test]
fn killed_with_a_codec_at_both_ends_each_row_comes_once() {
    let folder = Folder::new();
    let component = plugin("ticks").display().to_string();
    let format = format!("format: {{ plugin: {{ component: {component} }} }}");
    folder.write("in/a.bin", ticks(6_000));
    folder.write(
        "p.yaml",
        format!(
            "name: p\ncheckpoint: {{ interval: 50ms, location: checkpoints }}\n\
             sources: {{ in: {{ file: {{ path: in/, {format}, rate: 4000 }} }} }}\n\
             sinks: {{ out: {{ from: in, file: {{ path: out/, {format} }} }} }}\n"
        ),
    );
    kill(&folder, start(&folder, &["--batch-rows", "100"]));
    kill(&folder, start(&folder, &["--batch-rows", "37"]));
    folder.succeed(&["run", "p.yaml", "--folder", "job", "-q"]);
    let mut rows = Vec::new();
    for name in folder.files().iter().filter(|name| name.starts_with("out/part-")) {
        assert!(name.ends_with(".bin"), "{name}");
        rows.extend(records(&std::fs::read(folder.path(name)).expect("a file")));
    }
    rows.sort_by_key(|(ts, ..)| *ts);
    let expected: Vec<_> = (0..6_000_i64).map(|row| (row, symbol(row), row as f64 / 4.0)).collect();
    assert!(rows == expected, "{} rows", rows.len());
}

#[test]
fn bytes_that_are_no_records_are_put_aside_with_what_they_were() {
    let folder = Folder::new();
    let component = plugin("ticks").display().to_string();
    let mut bytes = ticks(10);
    bytes.extend([3, 0, 0, 0, 1, 2, 3]);
    bytes.extend(record(10, "ok", 0.5));
    bytes.extend(&record(11, "cut", 0.5)[..9]);
    folder.write("in.bin", bytes);
    let source = format!("in: {{ file: {{ path: in.bin, format: {{ plugin: {{ component: {component} }} }} }} }}");
    folder.write(
        "p.yaml",
        format!(
            "name: p\nsources: {{ {source} }}\nsinks:\n  out: {{ from: in, file: {{ path: out.csv }} }}\n  \
             bad: {{ from: in.errors, file: {{ path: bad.jsonl }} }}\n"
        ),
    );
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("out.csv").lines().count(), 12);
    let bad = folder.read("bad.jsonl");
    let bad: Vec<Value> = bad.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let codes: Vec<&str> = bad.iter().map(|row| row["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["bad-length", "unfinished-frame"]);
    let raw = bad[0]["row"].as_str().expect("text");
    assert!(raw.contains(r"\x03\x00\x00\x00\x01\x02\x03"), "{raw}");
    assert!(bad[0]["message"].as_str().expect("text").starts_with("in.bin bytes 0 to "), "{}", bad[0]);
    // Nobody reads them: the job says where they are.
    folder.write(
        "q.yaml",
        format!("name: q\nsources: {{ {source} }}\nsinks: {{ out: {{ from: in, file: {{ path: q.csv }} }} }}\n"),
    );
    folder.run(&["run", "q.yaml", "-q"]).says(
        "nobody reads errors",
        3,
        &["a record of 3 bytes", "in.bin bytes 0 to ", "in.errors"],
    );
}

#[test]
fn what_stands_in_the_wrong_place_is_told_its_own() {
    let name = |name: &str| plugin(name).display().to_string();
    let (celsius, ticks, threshold) = (name("celsius"), name("ticks"), name("threshold"));
    let in_csv = "sources: { in: { file: { path: in.csv } } }\n";
    let out = "sinks: { out: { from: op, file: { path: out.csv } } }\n";
    let with = |functions: &str, operator: &str| {
        format!("name: p\nfunctions: {{ {functions} }}\n{in_csv}operators: {{ op: {{ from: in, {operator} }} }}\n{out}")
    };
    let format = |component: &str| format!("format: {{ plugin: {{ component: {component} }} }}");
    let celsius_given = format!("c: {{ component: {celsius} }}");
    let cases: [(&str, String, i32, &[&str]); 13] = [
        (
            "a filter as a function",
            with(&format!("c: {{ component: {threshold} }}"), "filter: \"c(a) > 1\""),
            2,
            &[
                "plugin threshold",
                "is a filter, and an expression calls a scalar",
                "plugin: { component: … }",
                "p.yaml:2",
            ],
        ),
        (
            "a function as an operator",
            with("", &format!("plugin: {{ component: {celsius} }}")),
            2,
            &["is a scalar, and an operator runs a map", "name it under `functions:`"],
        ),
        (
            "a codec as an operator",
            with("", &format!("plugin: {{ component: {ticks} }}")),
            2,
            &["is a codec", "format: { plugin: { component: … } }"],
        ),
        (
            "a function as a format",
            format!(
                "name: p\nsources: {{ in: {{ file: {{ path: in.csv, {} }} }} }}\n\
                 sinks: {{ out: {{ from: in, file: {{ path: out.csv }} }} }}\n",
                format(&celsius)
            ),
            2,
            &["is a scalar, and a format is a codec", "name it under `functions:`"],
        ),
        (
            "text for a number",
            with(&celsius_given, "filter: \"c(b) > 1\""),
            2,
            &["calls `c`", "argument `fahrenheit` is Utf8, the function wants Float64"],
        ),
        (
            "two arguments for one",
            with(&celsius_given, "filter: \"c(a, a) > 1\""),
            2,
            &["called with 2 arguments, the function takes 1: (fahrenheit)"],
        ),
        ("a name that is not known", with(&celsius_given, "filter: \"cc(a) > 1\""), 2, &["`cc`", "did you mean `c`?"]),
        (
            "a built-in name",
            with(&format!("abs: {{ component: {celsius} }}"), "filter: \"abs(a) > 1\""),
            2,
            &["p.yaml:2", "the function `abs` is built in: give yours another name"],
        ),
        (
            "a name that is none",
            with(&format!("To-C: {{ component: {celsius} }}"), "filter: \"a > 1\""),
            2,
            &["`To-C` is no name of a function"],
        ),
        (
            "in an aggregate",
            with(&celsius_given, "key_by: b, aggregate: { m: \"max(c(a))\" }"),
            2,
            &["calls `c`, which is one of `functions`, inside an aggregate", "with_columns"],
        ),
        (
            "a policy that is none",
            with(&format!("c: {{ component: {celsius}, on_error: skip }}"), "filter: \"c(a) > 1\""),
            2,
            &["`skip`", "fail, null"],
        ),
        (
            "a configuration that it does not take",
            with(&format!("c: {{ component: {celsius}, config: {{ x: 1 }} }}"), "filter: \"c(a) > 1\""),
            2,
            &["calls `c`", "refuses its configuration", "`x`"],
        ),
        (
            "rows that a codec does not take",
            format!(
                "name: p\n{in_csv}sinks: {{ out: {{ from: in, file: {{ path: out.bin, {} }} }} }}\n",
                format(&ticks)
            ),
            2,
            &["cannot work on this input", "`ts`"],
        ),
    ];
    for (what, pipeline, code, says) in cases {
        let folder = Folder::new();
        folder.write("in.csv", "a,b\n1,x\n2,y\n");
        folder.write("p.yaml", pipeline);
        folder.run(&["validate", "p.yaml"]).says(what, code, says);
        folder.run(&["run", "p.yaml", "-q"]).says(what, code, says);
        assert_eq!(folder.files(), ["in.csv", "p.yaml"], "{what}");
    }
}
