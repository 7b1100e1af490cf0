//! The same output, byte for byte after sorting, whatever the batch size, the parallelism and the files of the input.

use std::io::Write;

use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::{Folder, flights, month, plugin, sorted_lines};

/// Enough for rejects and for several files, few enough for batches of one row in a debug build.
const SLICE_ROWS: usize = 3_000;
/// Where the slice is cut into files: uneven, one of them a single row.
const PART_ROWS: [usize; 4] = [1_200, 1, 799, 1_000];
const BATCH_ROWS: [&str; 4] = ["1", "7", "1000", "8192"];
const PARALLELISM: [&str; 3] = ["1", "2", "4"];

/// All kinds of operators, and each kind of output: CSV, JSON Lines, a side output, refused rows.
fn pipeline(input: &str) -> String {
    let [threshold, enrich, explode] =
        ["threshold", "enrich-flight", "explode"].map(|name| plugin(name).display().to_string());
    format!(
        r#"
name: equivalence
sources:
  flights: {{ file: {{ path: "{input}" }} }}
operators:
  departed: {{ from: flights, filter: "dep_delay IS NOT NULL" }}
  far: {{ from: departed, plugin: {{ component: {threshold}, config: {{ column: distance, min: 400 }} }} }}
  enriched:
    from: far
    plugin: {{ component: {enrich}, config: {{ speed_kmh_max: 700 }}, on_error: dead_letter }}
  described:
    from: enriched
    with_columns: {{ words: "CASE WHEN delay_band <> 'early' THEN concat(origin, ' ', delay_band) END" }}
  words: {{ from: described, plugin: {{ component: {explode}, config: {{ column: words, separator: " " }} }} }}
sinks:
  enriched-csv: {{ from: enriched, file: {{ path: out/enriched.csv }} }}
  words-jsonl: {{ from: words, file: {{ path: out/words.jsonl }} }}
  empty: {{ from: words.empty, file: {{ path: out/empty.jsonl }} }}
  refused: {{ from: enriched.errors, file: {{ path: out/refused.jsonl }} }}
"#
    )
}

const OUTPUTS: [&str; 4] = ["out/enriched.csv", "out/words.jsonl", "out/empty.jsonl", "out/refused.jsonl"];

/// Every output with its lines sorted.
fn outputs(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    folder.succeed(&[&["run", "pipeline.yaml", "-q"], arguments].concat());
    OUTPUTS.iter().map(|name| sorted_lines(&folder.read(name)).join("\n")).collect()
}

fn assert_same(name: &str, found: &[String], wanted: &[String]) {
    for ((output, found), wanted) in OUTPUTS.iter().zip(found).zip(wanted) {
        let difference = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        let (found_rows, wanted_rows) = (found.lines().count(), wanted.lines().count());
        assert!(found == wanted, "{name}: {output}: {found_rows} and {wanted_rows} lines, first {difference:?}");
    }
}

/// Refused rows without what rightly depends on how the input is stored: the file and the place in it.
fn without_places(mut outputs: Vec<String>) -> Vec<String> {
    let refused = outputs.last_mut().expect("refused rows are the last output");
    let mut lines: Vec<String> = refused
        .lines()
        .map(|line| {
            let mut reject: Value = serde_json::from_str(line).expect("JSON Lines");
            let fields = reject.as_object_mut().expect("an object");
            assert!(fields.remove("split").is_some_and(|split| split.is_string()), "{line}");
            assert!(fields.remove("position").is_some_and(|position| position.is_i64()), "{line}");
            reject.to_string()
        })
        .collect();
    lines.sort_unstable();
    *refused = lines.join("\n");
    outputs
}

/// The slice as one CSV file, at every batch size and parallelism: the lines of refused rows included.
#[test]
fn batch_size_and_parallelism_change_nothing() {
    let folder = Folder::new();
    folder.write("flights.csv", flights(SLICE_ROWS));
    folder.write("pipeline.yaml", pipeline("flights.csv"));
    let wanted = outputs(&folder, &[]);
    assert!(wanted.iter().all(|output| output.lines().count() > 50), "an output says too little");
    for batch_rows in BATCH_ROWS {
        for parallelism in PARALLELISM {
            let name = format!("batches of {batch_rows} at {parallelism}");
            let found = outputs(&folder, &["--batch-rows", batch_rows, "--parallelism", parallelism]);
            assert_same(&name, &found, &wanted);
        }
    }
}

/// The slice in four files, in each of three forms.
#[test]
fn files_of_the_input_change_nothing() {
    let folder = Folder::new();
    let text = flights(SLICE_ROWS);
    folder.write("flights.csv", &text);
    folder.write("pipeline.yaml", pipeline("flights.csv"));
    let wanted = without_places(outputs(&folder, &[]));
    split(&folder, &text);
    for input in ["csv/*.csv", "gzip/", "parquet/"] {
        folder.write("pipeline.yaml", pipeline(input));
        for (batch_rows, parallelism) in [("7", "4"), ("1000", "1"), ("1000", "2"), ("8192", "4")] {
            let name = format!("{input}, batches of {batch_rows} at {parallelism}");
            let found = outputs(&folder, &["--batch-rows", batch_rows, "--parallelism", parallelism]);
            assert_same(&name, &without_places(found), &wanted);
        }
    }
}

/// The whole month, from one file and from parts that the program itself has made.
#[test]
fn the_month_in_one_file_or_many() {
    let folder = Folder::new();
    folder.write("pipeline.yaml", pipeline(&month().display().to_string()));
    let wanted = outputs(&folder, &[]);
    assert_same("again", &outputs(&folder, &["--batch-rows", "1000", "--parallelism", "4"]), &wanted);
    let wanted = without_places(wanted);
    let convert = format!(
        "name: convert\nsources: {{ in: {{ file: {{ path: \"{}\" }} }} }}\n\
         sinks: {{ out: {{ from: in, file: {{ path: parts/, format: avro, part_rows_max: 5000 }} }} }}\n",
        month().display()
    );
    folder.write("convert.yaml", convert);
    folder.succeed(&["run", "convert.yaml", "-q"]);
    let parts = folder.files().iter().filter(|name| name.starts_with("parts/")).count();
    assert!(parts >= 5, "{parts} parts");
    folder.write("pipeline.yaml", pipeline("parts/"));
    let found = without_places(outputs(&folder, &["--parallelism", "2"]));
    assert_same("Avro parts", &found, &wanted);
}

/// Cuts the slice: as CSV, as CSV under gzip, and as Parquet that the program has made of each part.
fn split(folder: &Folder, text: &str) {
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().expect("a header");
    for (part, rows) in PART_ROWS.iter().enumerate() {
        let body: String = std::iter::once(header).chain(lines.by_ref().take(*rows)).collect();
        folder.write(&format!("csv/{part}.csv"), &body);
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body.as_bytes()).expect("memory");
        folder.write(&format!("gzip/{part}.csv.gz"), gzip.finish().expect("memory"));
    }
    assert!(lines.next().is_none(), "the parts are the whole");
    // Types come from all parts together: one alone may well have a column without a value.
    let convert = "name: convert\nsources: { in: { file: { path: csv/ } } }\n\
                   sinks: { out: { from: in, file: { path: parquet/, format: parquet } } }\n";
    folder.write("convert.yaml", convert);
    folder.succeed(&["run", "convert.yaml", "-q", "--parallelism", "3"]);
    let parts = folder.files().iter().filter(|name| name.starts_with("parquet/")).count();
    assert!(parts > 1, "{parts} Parquet files");
}
