//! The columns of the start of a CSV file.

use std::io::{Cursor, Read};

use arrow::datatypes::DataType;

use super::merge::Columns;
use super::{Head, head};
use crate::Error;
use crate::read::csv::{CsvSettings, Header, read_header};
use crate::read::csv_scan::scan;
use crate::read::text::TextBuffer;

/// Names and types as the first `rows` records show them; `None` for a file without records. Records that are
/// malformed show nothing: they are refused when the rows are read.
pub(crate) fn infer_csv(
    input: &mut dyn Read,
    name: &str,
    settings: &CsvSettings,
    rows: usize,
    is_growing: bool,
) -> Result<Option<Columns>, Error> {
    let dialect = settings.dialect;
    let wanted = rows.saturating_add(1);
    let Head { bytes, has_ended } =
        head(input, name, |bytes| scan(dialect, bytes, 1, wanted, false).spans.len() >= wanted)?;
    // Of a file that grows, what has no line break yet is half a record.
    let found = scan(dialect, &bytes, 1, wanted, has_ended && !is_growing);
    let Some(first) = found.spans.first() else { return Ok(None) };
    let names = names(&bytes, name, settings, first.fields)?;
    let mut good = Vec::with_capacity(bytes.len());
    for span in &found.spans[usize::from(settings.has_header)..] {
        let record = &bytes[span.begin..span.end];
        let is_good = span.fields == first.fields && span.is_closed && std::str::from_utf8(record).is_ok();
        if is_good {
            good.extend_from_slice(span.text(&bytes));
            good.push(b'\n');
        }
    }
    let types = types(&good, name, settings)?;
    let of = |at: usize| types.get(at).cloned().unwrap_or(DataType::Null);
    Ok(Some(names.into_iter().enumerate().map(|(at, name)| (name, of(at))).collect()))
}

fn names(bytes: &[u8], name: &str, settings: &CsvSettings, fields: usize) -> Result<Vec<String>, Error> {
    if !settings.has_header {
        return Ok((1..=fields).map(|at| format!("column_{at}")).collect());
    }
    let mut text = TextBuffer::of_bytes(bytes.to_vec(), name);
    match read_header(&mut text, settings.dialect)? {
        Header::Fields(names) => Ok(names),
        Header::NotYet | Header::Empty => Ok(Vec::new()),
    }
}

fn types(records: &[u8], name: &str, settings: &CsvSettings) -> Result<Vec<DataType>, Error> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let mut format = settings.dialect.format();
    if let Some(nulls) = &settings.nulls {
        format = format.with_null_regex(nulls.clone());
    }
    let inferred = format.infer_schema(Cursor::new(records), None);
    let (schema, _) = inferred.map_err(|error| Error::damaged(name, format!("cannot infer types: {error}")))?;
    Ok(schema.fields().iter().map(|field| field.data_type().clone()).collect())
}
