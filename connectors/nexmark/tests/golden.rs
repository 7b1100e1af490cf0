//! The first 50 events of seed 0, all kinds and columns, are frozen: jobs that are resumed by another version of this
//! crate make the same rows. `UPDATE_GOLDENS=1 cargo test -p volley-connector-nexmark --test golden` rewrites the file;
//! a difference breaks every checkpoint that was taken before.

mod common;

use std::path::Path;

use arrow::json::LineDelimitedWriter;
use volley_connector_nexmark::EventKind;

#[tokio::test]
async fn the_first_events_are_frozen() {
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    writer.write(&common::rows(&common::options(EventKind::All, 50)).await).unwrap();
    writer.finish().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events.jsonl");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), 50);
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
}
