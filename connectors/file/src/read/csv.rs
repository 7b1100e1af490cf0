//! Reads CSV: Arrow's push decoder over a window, and record by record where it refuses.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Decoder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use regex::Regex;
use volley_api::SourceBatch;

use super::csv_scan::{Dialect, Scan, Span, fields, positions, scan};
use super::recover::{Records, Recovered, recover};
use super::text::{BATCH_BYTES_MAX, Fill, RECORD_BYTES_MAX, TextBuffer};
use super::{BlockingRead, Offset, Step};
use crate::columns::{self, ExtraColumns};
use crate::{Error, type_text};

/// What the CSV files of a source have in common.
#[derive(Debug, Clone)]
pub(crate) struct CsvSettings {
    pub(crate) dialect: Dialect,
    pub(crate) has_header: bool,
    /// Matches the texts that mean null; `None` for the empty text, which Arrow tests faster without.
    pub(crate) nulls: Option<Regex>,
    pub(crate) extra_columns: ExtraColumns,
}

/// The records of one file: its columns in their order, of which those of the source's schema are read.
struct CsvRecords {
    name: String,
    settings: CsvSettings,
    /// The source's schema.
    schema: SchemaRef,
    /// All columns of the file; those that are not read as text.
    file_schema: SchemaRef,
    /// For each column of the source, its place in the file.
    projection: Vec<usize>,
}

/// Reads one CSV split.
pub(crate) struct CsvReader {
    text: TextBuffer,
    settings: CsvSettings,
    schema: SchemaRef,
    /// `None` until the header is read.
    records: Option<CsvRecords>,
    decoder: Option<Decoder>,
    /// How much of the window the decoder has seen.
    fed: usize,
    /// Lowered where records are so long that a full batch would pass the limit in bytes.
    rows_max: usize,
}

impl CsvReader {
    /// Reads `text`, which stands at the beginning of the file, or behind a record when the header is given.
    pub(crate) fn new(
        text: TextBuffer,
        settings: CsvSettings,
        schema: SchemaRef,
        header: Option<Vec<String>>,
        rows_max: usize,
    ) -> Result<Self, Error> {
        let mut reader = Self { text, settings, schema, records: None, decoder: None, fed: 0, rows_max };
        if let Some(header) = header {
            reader.set_header(&header)?;
        } else if !reader.settings.has_header {
            let names: Vec<String> = reader.schema.fields().iter().map(|field| field.name().clone()).collect();
            reader.set_header(&names)?;
        }
        Ok(reader)
    }

    fn set_header(&mut self, header: &[String]) -> Result<(), Error> {
        let name = self.text.name().to_owned();
        let projection = columns::by_name(header, &self.schema, &name, self.settings.extra_columns)?;
        let mut fields: Vec<Field> = header.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        for (field, at) in self.schema.fields().iter().zip(&projection) {
            fields[*at] = field.as_ref().clone();
        }
        let (settings, schema) = (self.settings.clone(), Arc::clone(&self.schema));
        let file_schema = Arc::new(Schema::new(fields));
        self.records = Some(CsvRecords { name, settings, schema, file_schema, projection });
        Ok(())
    }

    /// Feeds the decoder until it has a batch, the input pauses, or something is wrong.
    fn read(&mut self) -> Result<Step, Error> {
        loop {
            match self.feed() {
                Err(_) => return self.read_again(),
                Ok(true) => return self.take_batch(),
                Ok(false) => {}
            }
            let is_full = self.text.bytes().len() >= BATCH_BYTES_MAX;
            if is_full || !self.text.is_ready() {
                if let Some(step) = self.cut(is_full)? {
                    return Ok(step);
                }
                if self.text.bytes().len() >= RECORD_BYTES_MAX {
                    return Err(self.text.too_long(self.text.line()));
                }
            }
            match self.text.fill()? {
                Fill::More => {}
                Fill::Nothing => return Ok(self.cut(false)?.unwrap_or(Step::Wait)),
                Fill::Failed => match self.cut(false)? {
                    Some(step) => return Ok(step),
                    None => return Err(self.text.take_failure()),
                },
                Fill::Ended => return self.finish(),
            }
        }
    }

    /// Gives the decoder what it has not seen. Whether its batch is full then.
    fn feed(&mut self) -> Result<bool, ArrowError> {
        let records = self.records.as_ref().expect("the header is read first");
        let decoder = self.decoder.get_or_insert_with(|| records.decoder(self.rows_max));
        let unseen = &self.text.bytes()[self.fed..];
        // An empty slice would mean the end of the input.
        if !unseen.is_empty() {
            self.fed += decoder.decode(unseen)?;
        }
        Ok(decoder.capacity() == 0)
    }

    /// The batch of a decoder that has stopped behind a record.
    fn take_batch(&mut self) -> Result<Step, Error> {
        let decoder = self.decoder.as_mut().expect("it has just decoded");
        let Ok(batch) = decoder.flush() else { return self.read_again() };
        let region = &self.text.bytes()[..self.fed];
        let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
        let (positions, line) = positions(self.settings.dialect, region, self.text.line(), rows);
        self.text.consume(self.fed, line);
        self.fed = 0;
        let Some(batch) = batch else { return Ok(Step::End) };
        let batch = self.records().conform(batch)?;
        Ok(Step::Batch(SourceBatch {
            batch,
            positions,
            rejects: Vec::new(),
            progress_units: self.text.take_progress(),
        }))
    }

    /// The last batch: the input has ended.
    fn finish(&mut self) -> Result<Step, Error> {
        let decoder = self.decoder.as_mut().expect("it has been fed");
        // A line break ends a record that lacks one; what the end of input still completes was inside quotes.
        let outcome = decoder.decode(b"\n").and_then(|_| {
            let before = decoder.capacity();
            if before > 0 {
                decoder.decode(b"")?;
            }
            Ok(decoder.capacity() == before)
        });
        if !matches!(outcome, Ok(true)) {
            return self.read_again();
        }
        let step = self.take_batch();
        self.decoder = None;
        step
    }

    /// Ends the batch early, behind the last complete record. `None` when there is none.
    fn cut(&mut self, is_full: bool) -> Result<Option<Step>, Error> {
        let found = self.scan(false);
        if found.spans.is_empty() {
            return Ok(None);
        }
        if is_full {
            self.rows_max = (found.spans.len() * 3 / 4).max(1);
        }
        self.give(&found).map(Some)
    }

    /// Decodes again what the decoder refused, so that the bad records are known one by one.
    fn read_again(&mut self) -> Result<Step, Error> {
        let mut at_end = false;
        loop {
            let found = self.scan(at_end);
            if !found.spans.is_empty() {
                return self.give(&found);
            }
            if self.text.bytes().len() >= RECORD_BYTES_MAX {
                return Err(self.text.too_long(found.line));
            }
            match self.text.fill()? {
                Fill::More => {}
                Fill::Ended if at_end => return Ok(Step::End),
                Fill::Ended => at_end = true,
                Fill::Failed => return Err(self.text.take_failure()),
                Fill::Nothing => {
                    self.forget();
                    return Ok(Step::Wait);
                }
            }
        }
    }

    fn scan(&self, at_end: bool) -> Scan {
        scan(self.settings.dialect, self.text.bytes(), self.text.line(), self.rows_max, at_end)
    }

    fn give(&mut self, found: &Scan) -> Result<Step, Error> {
        self.forget();
        let Recovered { batch, positions, rejects } =
            recover(self.records(), &self.schema, &found.spans, self.text.bytes())?;
        self.text.consume(found.consumed, found.line);
        Ok(Step::Batch(SourceBatch { batch, positions, rejects, progress_units: self.text.take_progress() }))
    }

    /// Drops what the decoder has seen; it is decoded another way, or again.
    fn forget(&mut self) {
        self.decoder = None;
        self.fed = 0;
    }

    fn records(&self) -> &CsvRecords {
        self.records.as_ref().expect("the header is read first")
    }
}

impl BlockingRead for CsvReader {
    fn next(&mut self) -> Result<Step, Error> {
        if self.records.is_none() {
            match read_header(&mut self.text, self.settings.dialect)? {
                Header::Fields(header) => self.set_header(&header)?,
                Header::NotYet => return Ok(Step::Wait),
                Header::Empty => return Ok(Step::End),
            }
        }
        self.read()
    }

    fn offset(&self) -> Offset {
        Offset::Text { byte: self.text.byte(), line: self.text.line() }
    }
}

impl CsvRecords {
    fn decoder(&self, rows: usize) -> Decoder {
        self.decoder_of(&self.file_schema, self.projection.clone(), rows)
    }

    fn decoder_of(&self, schema: &SchemaRef, projection: Vec<usize>, rows: usize) -> Decoder {
        let mut format = self.settings.dialect.format();
        if let Some(nulls) = &self.settings.nulls {
            format = format.with_null_regex(nulls.clone());
        }
        let builder = ReaderBuilder::new(Arc::clone(schema)).with_format(format).with_batch_size(rows);
        builder.with_projection(projection).build_decoder()
    }

    /// The same batch under the source's own schema.
    fn conform(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        batch.with_schema(Arc::clone(&self.schema)).map_err(|error| Error::Broken(format!("{}: {error}", self.name)))
    }

    fn run(&self, mut decoder: Decoder, spans: &[Span], bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
        for span in spans {
            let record = &bytes[span.begin..span.end];
            decoder.decode(record)?;
            if !record.ends_with(b"\n") && !record.ends_with(b"\r") {
                decoder.decode(b"\n")?;
            }
        }
        let batch = decoder.flush()?;
        batch
            .filter(|batch| batch.num_rows() == spans.len())
            .ok_or_else(|| ArrowError::CsvError(format!("{} records are not as many rows", spans.len())))
    }
}

impl Records for CsvRecords {
    fn decode(&self, spans: &[Span], bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
        let expected = self.file_schema.fields().len();
        if spans.iter().any(|span| span.fields != expected || !span.is_closed) {
            return Err(ArrowError::CsvError("malformed record".to_owned()));
        }
        self.run(self.decoder(spans.len()), spans, bytes)?.with_schema(Arc::clone(&self.schema))
    }

    fn explain(&self, span: &Span, bytes: &[u8]) -> (&'static str, String) {
        let expected = self.file_schema.fields().len();
        if !span.is_closed {
            return ("malformed-csv", "a quoted field is not closed before the end of the file".to_owned());
        }
        if span.fields != expected {
            return ("malformed-csv", format!("{} fields, expected {expected}", span.fields));
        }
        let texts = fields(&mut self.settings.dialect.parser(), span.text(bytes));
        let columns = self.file_schema.fields().iter().zip(&texts);
        if let Some((field, _)) = columns.clone().find(|(_, text)| std::str::from_utf8(text).is_err()) {
            return ("invalid-utf8", format!("column `{}` is not UTF-8", field.name()));
        }
        for (at, (field, text)) in columns.enumerate().filter(|(at, _)| self.projection.contains(at)) {
            let decoder = self.decoder_of(&self.file_schema, vec![at], 1);
            if self.run(decoder, std::slice::from_ref(span), bytes).is_err() {
                return ("type-mismatch", mismatch(field, &String::from_utf8_lossy(text)));
            }
        }
        ("malformed-csv", "the record cannot be decoded".to_owned())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// What to say of a text that is not of its column's type.
fn mismatch(field: &Field, text: &str) -> String {
    let expected = type_text(field.data_type());
    let null = if field.is_nullable() { "" } else { " not null" };
    format!("column `{}`: `{text}` is not {expected}{null}", field.name())
}

/// What stands where the header should.
pub(crate) enum Header {
    Fields(Vec<String>),
    /// The file has no complete line yet.
    NotYet,
    /// The file has no records at all.
    Empty,
}

/// Reads the first record as the names of columns.
pub(crate) fn read_header(text: &mut TextBuffer, dialect: Dialect) -> Result<Header, Error> {
    let mut at_end = false;
    loop {
        let found = scan(dialect, text.bytes(), text.line(), 1, at_end);
        if let [span] = found.spans[..] {
            let place = format!("{} line {}", text.name(), span.line);
            let header = header_names(dialect, span.text(text.bytes()), span.is_closed, &place)?;
            text.consume(found.consumed, found.line);
            return Ok(Header::Fields(header));
        }
        if text.bytes().len() >= RECORD_BYTES_MAX {
            return Err(text.too_long(found.line));
        }
        match text.fill()? {
            Fill::More => {}
            Fill::Nothing => return Ok(Header::NotYet),
            Fill::Failed => return Err(text.take_failure()),
            Fill::Ended if at_end => return Ok(Header::Empty),
            Fill::Ended => at_end = true,
        }
    }
}

fn header_names(dialect: Dialect, record: &[u8], is_closed: bool, place: &str) -> Result<Vec<String>, Error> {
    if !is_closed {
        return Err(Error::damaged(place, "a quote in the header is not closed"));
    }
    let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
    let mut names: Vec<String> = Vec::new();
    for field in fields(&mut dialect.parser(), record) {
        let name = String::from_utf8(field).map_err(|_| Error::damaged(place, "the header is not UTF-8"))?;
        if names.contains(&name) {
            return Err(Error::damaged(place, format!("column `{name}` stands twice in the header")));
        }
        names.push(name);
    }
    Ok(names)
}

/// Checks that Arrow decodes every type of a schema from CSV.
pub(crate) fn check_csv(schema: &Schema) -> Result<(), Error> {
    for field in schema.fields() {
        let nullable = Arc::new(Schema::new(vec![field.as_ref().clone().with_nullable(true)]));
        let mut decoder = ReaderBuilder::new(nullable).with_batch_size(1).build_decoder();
        if decoder.decode(b"\"\"\n").and_then(|_| decoder.flush()).is_err() {
            return Err(Error::Unsupported {
                column: field.name().clone(),
                found: type_text(field.data_type()),
                format: "CSV",
                fix: "declare another type in `schema`".to_owned(),
            });
        }
    }
    Ok(())
}
