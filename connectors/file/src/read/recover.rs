//! Reads a chunk again when a decoder refused it, so that one bad record is one reject and nothing else is lost.

use arrow::array::{Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use volley_api::{Positions, SourceReject};

use super::csv_scan::Span;
use crate::Error;

/// What a format knows about its records.
pub(crate) trait Records {
    /// Decodes these records, from scratch. Succeeds exactly when it would for each of them alone.
    fn decode(&self, spans: &[Span], bytes: &[u8]) -> Result<RecordBatch, ArrowError>;

    /// Why this record, which failed alone, is not a row: a code and a sentence.
    fn explain(&self, span: &Span, bytes: &[u8]) -> (&'static str, String);

    /// The name of the text, for messages.
    fn name(&self) -> &str;
}

/// The rows and rejects of a chunk.
pub(crate) struct Recovered {
    pub(crate) batch: RecordBatch,
    pub(crate) positions: Positions,
    pub(crate) rejects: Vec<SourceReject>,
}

/// Decodes `spans` of `bytes`: whole, and where that fails in halves, down to the single records that are to blame.
pub(crate) fn recover(
    records: &impl Records,
    schema: &SchemaRef,
    spans: &[Span],
    bytes: &[u8],
) -> Result<Recovered, Error> {
    let (mut batches, mut lines, mut rejects) = (Vec::new(), Vec::with_capacity(spans.len()), Vec::new());
    let mut todo = vec![spans];
    while let Some(spans) = todo.pop() {
        match (records.decode(spans, bytes), spans) {
            (_, []) => {}
            (Ok(batch), _) => {
                lines.extend(spans.iter().map(|span| span.line as i64));
                batches.push(batch);
            }
            (Err(_), [span]) => rejects.push(reject(records, span, bytes)),
            (Err(_), _) => {
                let (first, second) = spans.split_at(spans.len() / 2);
                // The first half comes off the stack first, so that rows keep their order.
                todo.extend([second, first]);
            }
        }
    }
    let batch = concat_batches(schema, &batches).map_err(|error| Error::damaged(records.name(), error.to_string()))?;
    Ok(Recovered { batch, positions: Positions::Each(Int64Array::from(lines)), rejects })
}

fn reject(records: &impl Records, span: &Span, bytes: &[u8]) -> SourceReject {
    let (code, detail) = records.explain(span, bytes);
    SourceReject {
        position: span.line as i64,
        code: code.to_owned(),
        message: format!("{} line {}: {detail}", records.name(), span.line),
        raw: String::from_utf8_lossy(span.text(bytes)).into_owned(),
    }
}
