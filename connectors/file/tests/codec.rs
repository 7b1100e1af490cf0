//! Files through a codec, here a native one: random rows, pieces of any length, every offset a place to go on from.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;
use volley_api::{
    CodecContext, CodecFactory, DecodedFrames, EncodedRows, Error, FrameDecoder, FrameEncoder, FrameReject, Framing,
    NodeName, Positions, ReadEvent, ReadOptions, Result, Source, SourceReject, SplitOffset,
};
use volley_connector_file::{FileSource, SourceCodec};

/// Texts, each behind its length; the length 255 is refused, alone.
#[derive(Debug)]
struct Texts;

struct Working;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]))
}

impl CodecFactory for Texts {
    fn label(&self) -> String {
        "texts".to_owned()
    }

    fn decoded_schema(&self) -> Result<SchemaRef> {
        Ok(schema())
    }

    fn decoder(&self, _: CodecContext) -> Result<Box<dyn FrameDecoder>> {
        Ok(Box::new(Working))
    }

    fn check_rows(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    fn encoder(&self, _: &SchemaRef, _: CodecContext) -> Result<Box<dyn FrameEncoder>> {
        Ok(Box::new(Working))
    }
}

impl FrameDecoder for Working {
    fn decode(&mut self, framing: Framing, frames: &BinaryArray, end: bool) -> Result<DecodedFrames> {
        assert_eq!((framing, frames.len()), (Framing::Stream, 1));
        let bytes = frames.value(0);
        let (mut at, mut texts, mut rejects) = (0, Vec::new(), Vec::new());
        while let Some(length) = bytes.get(at) {
            if *length == 255 {
                rejects.push(FrameReject { frame: 0, code: "bad".to_owned(), message: "255".to_owned() });
                at += 1;
                continue;
            }
            let Some(text) = bytes.get(at + 1..at + 1 + usize::from(*length)) else { break };
            texts.push(String::from_utf8_lossy(text).into_owned());
            at += 1 + usize::from(*length);
        }
        let mut rest_bytes = bytes.len() - at;
        if end && rest_bytes > 0 {
            rejects.push(FrameReject { frame: 0, code: "unfinished".to_owned(), message: String::new() });
            rest_bytes = 0;
        }
        let frames = vec![0; texts.len()];
        let column: ArrayRef = Arc::new(StringArray::from(texts));
        let rows = RecordBatch::try_new(schema(), vec![column]).map_err(|error| Error::internal(error.to_string()))?;
        Ok(DecodedFrames { rows, frames, rejects, rest_bytes })
    }
}

impl FrameEncoder for Working {
    fn encode(&mut self, _: &RecordBatch) -> Result<EncodedRows> {
        Err(Error::internal("not asked for"))
    }
}

fn source(folder: &Path) -> FileSource {
    let options = serde_json::from_value(serde_json::json!({ "path": "a.bin", "format": { "plugin": {} } }));
    let codec = SourceCodec { node: NodeName::new("in").expect("a name"), factory: Arc::new(Texts) };
    FileSource::open_with(options.expect("options"), folder, Some(codec)).expect("opens")
}

/// The texts, rejects, and for each poll what was given before, with the offset.
type All = (Vec<String>, Vec<SourceReject>, Vec<(usize, usize, SplitOffset)>);

async fn read(source: &FileSource, from: Option<&SplitOffset>, rows: usize) -> All {
    let split = source.discover().await.expect("a file").remove(0);
    let options = ReadOptions { batch_rows_max: NonZeroUsize::new(rows).expect("not zero") };
    let mut reader = source.open(&split, from, options).await.expect("opens");
    let (mut texts, mut rejects, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    let mut offsets = vec![(0, 0, reader.offset())];
    let mut first = None;
    while let ReadEvent::Batch(batch) = reader.next().await.expect("reads") {
        assert!(batch.batch.num_rows() <= rows);
        let Positions::From(position) = batch.positions else { panic!("rows are numbered") };
        let begin = *first.get_or_insert(position);
        assert_eq!(usize::try_from(position - begin).expect("ascending"), texts.len());
        texts.extend(batch.batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        rejects.extend(batch.rejects);
        batches.push(batch.batch);
        offsets.push((texts.len(), rejects.len(), reader.offset()));
    }
    assert_eq!(concat_batches(&schema(), &batches).expect("one schema").num_rows(), texts.len());
    (texts, rejects, offsets)
}

fn file(texts: &[Option<String>], tail: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        match text {
            Some(text) => {
                bytes.push(u8::try_from(text.len()).expect("short"));
                bytes.extend(text.as_bytes());
            }
            None => bytes.push(255),
        }
    }
    bytes.extend(tail);
    bytes
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_and_rejects_come_once_from_every_offset(
        texts in proptest::collection::vec(proptest::option::weighted(0.9, "[a-z]{0,40}"), 0..300),
        is_cut in any::<bool>(),
        rows in 1_usize..70,
        other_rows in 1_usize..70,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.bin"), file(&texts, if is_cut { b"\x09abc" } else { b"" })).expect("a file");
        let source = source(folder.path());
        runtime().block_on(async {
            let (all, rejects, offsets) = read(&source, None, rows).await;
            let expected: Vec<String> = texts.iter().flatten().cloned().collect();
            assert_eq!(all, expected);
            let bad = texts.iter().filter(|text| text.is_none()).count();
            assert_eq!(rejects.len(), bad + usize::from(is_cut));
            for (seen, refused, offset) in offsets {
                let (rest, rejects, _) = read(&source, Some(&offset), other_rows).await;
                assert_eq!(rest, expected[seen..], "after {seen}");
                assert_eq!(rejects.len() + refused, bad + usize::from(is_cut), "after {seen}");
            }
        });
    }
}

#[test]
fn a_large_file_is_read_in_pieces() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts: Vec<Option<String>> = (0..60_000).map(|row| Some(format!("{row:>20}"))).collect();
    std::fs::write(folder.path().join("a.bin"), file(&texts, b"")).expect("a file");
    let source = source(folder.path());
    runtime().block_on(async {
        let (all, _, offsets) = read(&source, None, 8_192).await;
        assert!(all.iter().eq(texts.iter().flatten()));
        assert!(offsets.len() > 6, "{} polls", offsets.len());
        let (seen, _, offset) = &offsets[offsets.len() / 2];
        let (rest, ..) = read(&source, Some(offset), 1_000).await;
        assert!(rest.iter().eq(texts[*seen..].iter().flatten()));
    });
}

#[test]
fn options_without_a_codec_and_codecs_without_options_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.csv"), "a\n1\n").expect("a file");
    let open = |options: serde_json::Value, has_codec: bool| {
        let codec = SourceCodec { node: NodeName::new("in").expect("a name"), factory: Arc::new(Texts) };
        let options = serde_json::from_value(options).map_err(|error| error.to_string())?;
        FileSource::open_with(options, folder.path(), has_codec.then_some(codec)).map_err(|error| error.to_string())
    };
    let plugin = serde_json::json!({ "path": "a.csv", "format": { "plugin": { "component": "x.wasm" } } });
    assert!(open(plugin.clone(), false).expect_err("no codec").contains("needs a host that runs plugins"));
    assert!(open(serde_json::json!({ "path": "a.csv" }), true).is_err());
    let mut with_schema = plugin;
    with_schema["schema"] = serde_json::json!({ "a": "int64" });
    assert!(open(with_schema, true).expect_err("two schemas").contains("choose with `select`"));
    let other = serde_json::json!({ "path": "a.csv", "format": { "plgin": {} } });
    assert!(open(other, true).expect_err("a misspelt key").contains("plgin"));
    let named = serde_json::json!({ "path": "a.csv", "format": "plugin" });
    assert!(open(named, true).expect_err("no name of a format").contains("plugin"));
}

#[test]
fn editors_are_told_of_all_that_may_stand_beside_a_component() {
    let schema = schemars::schema_for!(volley_connector_file::FileSourceOptions).to_value();
    let text = schema.to_string();
    let plugin = text.split("A codec: a WebAssembly component").nth(1).expect("the codec's part");
    for key in ["component", "config", "limits", "grants", "columns", "http", "trust"] {
        assert!(plugin.contains(&format!("\"{key}\":")), "{key}: {schema}");
    }
}
