//! Reads JSON Lines: Arrow's push decoder fed line by line, and record by record where it refuses.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use memchr::memchr;
use serde_json::Value;
use volley_api::{Positions, SourceBatch};

use super::csv_scan::Span;
use super::recover::{Records, Recovered, recover};
use super::text::{BATCH_BYTES_MAX, Fill, RECORD_BYTES_MAX, TextBuffer};
use super::{BlockingRead, Offset, Step};
use crate::columns::ExtraColumns;
use crate::{Error, type_text};

/// Reads one JSON Lines split.
pub(crate) struct JsonlReader {
    text: TextBuffer,
    records: JsonRecords,
    rows_max: usize,
}

impl JsonlReader {
    pub(crate) fn new(text: TextBuffer, schema: &SchemaRef, extra: ExtraColumns, rows_max: usize) -> Self {
        let records = JsonRecords::new(text.name(), schema, extra);
        Self { text, records, rows_max }
    }
}

/// The lines of a batch, as far as they have been looked at.
struct Lines {
    spans: Vec<Span>,
    /// Behind the last line, relative to the window.
    at: usize,
    /// The line number there.
    line: u64,
    /// `None` once it has refused something.
    decoder: Option<Decoder>,
}

impl Lines {
    /// Takes the line that ends before `end`; the next begins at `next`.
    fn take(&mut self, bytes: &[u8], end: usize, next: usize) {
        let text = trim(&bytes[self.at..end], self.at == 0 && self.line == 1);
        if !text.is_empty() {
            self.spans.push(Span { begin: self.at, end: next, line: self.line, fields: 0, is_closed: true });
            let wanted = self.spans.len();
            if self.decoder.as_mut().is_some_and(|decoder| !feed(decoder, text, wanted)) {
                self.decoder = None;
            }
        }
        self.at = next;
        self.line += 1;
    }
}

/// Whether the text was exactly one more record.
fn feed(decoder: &mut Decoder, text: &[u8], wanted: usize) -> bool {
    let consumed = decoder.decode(text);
    consumed.is_ok_and(|consumed| consumed == text.len()) && decoder.len() == wanted && !decoder.has_partial_record()
}

/// A line without what JSON takes for space; at the beginning of a file also without a byte order mark.
fn trim(line: &[u8], is_first: bool) -> &[u8] {
    let line = if is_first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
    line.trim_ascii()
}

impl BlockingRead for JsonlReader {
    fn next(&mut self) -> Result<Step, Error> {
        let decoder = self.records.decoder(&self.records.decoded_schema, self.rows_max, self.records.is_strict).ok();
        let mut lines = Lines { spans: Vec::new(), at: 0, line: self.text.line(), decoder };
        loop {
            let bytes = self.text.bytes();
            while lines.spans.len() < self.rows_max {
                let Some(length) = memchr(b'\n', &bytes[lines.at..]) else { break };
                lines.take(bytes, lines.at + length, lines.at + length + 1);
            }
            let has_rows = !lines.spans.is_empty();
            let is_full = lines.spans.len() == self.rows_max || bytes.len() >= BATCH_BYTES_MAX;
            let is_too_long = bytes.len() - lines.at >= RECORD_BYTES_MAX;
            if has_rows && (is_full || !self.text.is_ready()) {
                return self.give(lines);
            }
            if is_too_long {
                return Err(self.text.too_long(lines.line));
            }
            match self.text.fill()? {
                Fill::More => {}
                Fill::Nothing | Fill::Failed if has_rows => return self.give(lines),
                Fill::Nothing => {
                    // Blank lines are done with.
                    self.text.consume(lines.at, lines.line);
                    return Ok(Step::Wait);
                }
                Fill::Failed => return Err(self.text.take_failure()),
                Fill::Ended => {
                    let bytes = self.text.bytes();
                    if lines.at < bytes.len() {
                        lines.take(bytes, bytes.len(), bytes.len());
                    }
                    return self.give(lines);
                }
            }
        }
    }

    fn offset(&self) -> Offset {
        Offset::Text { byte: self.text.byte(), line: self.text.line() }
    }
}

impl JsonlReader {
    /// The batch of the lines taken; the end, if there are none.
    fn give(&mut self, lines: Lines) -> Result<Step, Error> {
        let Lines { spans, at, line, decoder } = lines;
        if spans.is_empty() {
            self.text.consume(at, line);
            return Ok(Step::End);
        }
        let decoded = decoder.and_then(|mut decoder| self.records.flush(&mut decoder, spans.len()).ok());
        let Recovered { batch, positions, rejects } = match decoded {
            Some(batch) => Recovered { batch, positions: positions(&spans), rejects: Vec::new() },
            None => recover(&self.records, &self.records.schema, &spans, self.text.bytes())?,
        };
        self.text.consume(at, line);
        Ok(Step::Batch(SourceBatch { batch, positions, rejects, progress_units: self.text.take_progress() }))
    }
}

fn positions(spans: &[Span]) -> Positions {
    let (first, last) = (spans[0].line, spans[spans.len() - 1].line);
    if last - first + 1 == spans.len() as u64 {
        Positions::From(first as i64)
    } else {
        Positions::Each(spans.iter().map(|span| span.line as i64).collect::<Int64Array>())
    }
}

/// The records of one file.
pub(crate) struct JsonRecords {
    name: String,
    schema: SchemaRef,
    /// The schema that is decoded to: integers as text, since Arrow's decoder takes 1.5 for the integer 1.
    decoded_schema: SchemaRef,
    is_strict: bool,
}

impl JsonRecords {
    pub(crate) fn new(name: &str, schema: &SchemaRef, extra: ExtraColumns) -> Self {
        let decoded: Vec<FieldRef> = schema.fields().iter().map(integers_as_text).collect();
        Self {
            name: name.to_owned(),
            schema: Arc::clone(schema),
            decoded_schema: Arc::new(Schema::new(decoded)),
            is_strict: extra == ExtraColumns::Refuse,
        }
    }

    /// Checks that Arrow decodes every type of the schema.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (at, field) in self.schema.fields().iter().enumerate() {
            let nullable = self.decoded_schema.field(at).clone().with_nullable(true);
            let schema = Arc::new(Schema::new(vec![nullable]));
            let outcome = self.decoder(&schema, 1, false).and_then(|mut decoder| {
                decoder.decode(b"{}")?;
                decoder.flush()
            });
            if outcome.is_err() {
                return Err(Error::Unsupported {
                    column: field.name().clone(),
                    found: type_text(field.data_type()),
                    format: "JSON",
                    fix: "declare another type in `schema`".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn decoder(&self, schema: &SchemaRef, rows: usize, strict: bool) -> Result<Decoder, ArrowError> {
        ReaderBuilder::new(Arc::clone(schema))
            // One more than wanted, so that a second record on the last line is seen.
            .with_batch_size(rows + 1)
            .with_coerce_primitive(true)
            .with_strict_mode(strict)
            .build_decoder()
    }

    /// The rows of a decoder, under the source's schema.
    fn flush(&self, decoder: &mut Decoder, rows: usize) -> Result<RecordBatch, ArrowError> {
        let batch = decoder.flush()?.filter(|batch| batch.num_rows() == rows);
        let batch = batch.ok_or_else(|| ArrowError::JsonError(format!("{rows} lines are not as many rows")))?;
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns =
            columns.map(|(column, field)| as_declared(column, field.data_type())).collect::<Result<_, _>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    fn decode_column(&self, at: usize, text: &[u8]) -> Result<(), ArrowError> {
        let schema = Arc::new(Schema::new(vec![self.decoded_schema.field(at).clone()]));
        let mut decoder = self.decoder(&schema, 1, false)?;
        decoder.decode(text)?;
        match decoder.flush()? {
            Some(batch) => as_declared(batch.column(0), self.schema.field(at).data_type()).map(drop),
            None => Ok(()),
        }
    }

    fn first_line_prefix(&self, span: &Span) -> bool {
        span.begin == 0 && span.line == 1
    }
}

impl Records for JsonRecords {
    fn decode(&self, spans: &[Span], bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
        let mut decoder = self.decoder(&self.decoded_schema, spans.len(), self.is_strict)?;
        for (at, span) in spans.iter().enumerate() {
            let text = trim(span.text(bytes), self.first_line_prefix(span));
            if !feed(&mut decoder, text, at + 1) {
                return Err(ArrowError::JsonError("not one object".to_owned()));
            }
        }
        self.flush(&mut decoder, spans.len())
    }

    fn explain(&self, span: &Span, bytes: &[u8]) -> (&'static str, String) {
        let text = trim(span.text(bytes), self.first_line_prefix(span));
        if std::str::from_utf8(text).is_err() {
            return ("invalid-utf8", "the line is not UTF-8".to_owned());
        }
        let object = match serde_json::from_slice::<Value>(text) {
            Ok(Value::Object(object)) => object,
            Ok(other) => return ("not-an-object", format!("expected a JSON object, found {}", kind(&other))),
            Err(error) => return ("malformed-json", format!("not JSON: {error}")),
        };
        for (at, field) in self.schema.fields().iter().enumerate() {
            let found = object.get(field.name()).unwrap_or(&Value::Null);
            let is_missing = found.is_null() && !field.is_nullable();
            if is_missing || self.decode_column(at, text).is_err() {
                let null = if field.is_nullable() { "" } else { " not null" };
                let expected = type_text(field.data_type());
                return ("type-mismatch", format!("column `{}`: {found} is not {expected}{null}", field.name()));
            }
        }
        match object.keys().find(|key| self.schema.column_with_name(key).is_none()) {
            Some(key) if self.is_strict => {
                let fix = "raise `infer_rows` or declare `schema` in a pipeline file";
                ("unknown-field", format!("field `{key}` is not among the columns that were inferred; {fix}"))
            }
            _ => ("malformed-json", "the record cannot be decoded".to_owned()),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The field with every integer type in it replaced by text, where Arrow can turn the text back.
fn integers_as_text(field: &FieldRef) -> FieldRef {
    let replaced = integer_free(field.data_type());
    let is_way_back = can_cast_types(&replaced, field.data_type());
    if is_way_back { Arc::new(field.as_ref().clone().with_data_type(replaced)) } else { Arc::clone(field) }
}

fn integer_free(data_type: &DataType) -> DataType {
    let of = |field: &FieldRef| Arc::new(Field::clone(field).with_data_type(integer_free(field.data_type())));
    match data_type {
        integer if integer.is_integer() => DataType::Utf8,
        DataType::List(item) => DataType::List(of(item)),
        DataType::LargeList(item) => DataType::LargeList(of(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect()),
        other => other.clone(),
    }
}

fn as_declared(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    // Without `safe`, what is not an integer is an error rather than a null.
    cast_with_options(column, data_type, &CastOptions { safe: false, ..CastOptions::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(columns: &[(&str, &str)], line: &str) -> Result<RecordBatch, (&'static str, String)> {
        let fields: Vec<Field> =
            columns.iter().map(|(name, text)| crate::parse_field(name, text).expect("a type")).collect();
        let records = JsonRecords::new("t.jsonl", &Arc::new(Schema::new(fields)), ExtraColumns::Refuse);
        records.check().expect("types of JSON");
        let span = Span { begin: 0, end: line.len(), line: 3, fields: 0, is_closed: true };
        records.decode(&[span], line.as_bytes()).map_err(|_| records.explain(&span, line.as_bytes()))
    }

    #[test]
    fn integers_are_whole() {
        let columns = [("a", "int64"), ("l", "list<uint8>"), ("s", "struct<i: int32>")];
        assert!(outcome(&columns, r#"{"a":9223372036854775807,"l":[1,null],"s":{"i":-5}}"#).is_ok());
        assert!(outcome(&columns, r#"{"a":null}"#).is_ok());
        for bad in [r#"{"a":1.5}"#, r#"{"a":9223372036854775808}"#, r#"{"l":[256]}"#, r#"{"s":{"i":0.1}}"#] {
            let (code, message) = outcome(&columns, bad).expect_err(bad);
            assert_eq!(code, "type-mismatch", "{bad}: {message}");
        }
        assert_eq!(outcome(&columns, r#"{"a":true}"#).expect_err("not a number").1, "column `a`: true is not int64");
    }

    #[test]
    fn every_kind_of_bad_line_has_its_code() {
        let columns = [("a", "int64"), ("b", "utf8 not null")];
        for (line, code) in [
            ("[1]", "not-an-object"),
            ("5", "not-an-object"),
            ("null", "not-an-object"),
            ("\"x\"", "not-an-object"),
            (r#"{"a":1"#, "malformed-json"),
            (r#"{"a":1,"b":"x"}{"a":2,"b":"y"}"#, "malformed-json"),
            (r#"{"a":1,"b":"x"} x"#, "malformed-json"),
            (r#"{"a":1}"#, "type-mismatch"),
            (r#"{"a":1,"b":"x","c":2}"#, "unknown-field"),
        ] {
            assert_eq!(outcome(&columns, line).expect_err(line).0, code, "{line}");
        }
        assert!(outcome(&columns, " {\"b\" : \"x\"}\r\n").is_ok());
    }
}
