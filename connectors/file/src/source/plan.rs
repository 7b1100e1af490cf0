//! What a source reads, settled before the first row moves: format, settings, schema.

use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::datatypes::{Schema, SchemaRef};
use regex::Regex;

use super::open::StreamHead;
use super::{STDIN, byte_stream};
use crate::columns::{self, ExtraColumns};
use crate::infer::{Columns, infer_csv, infer_jsonl, merge_columns, to_schema, untyped};
use crate::input::{ByteInput, LiveRead, spool};
use crate::options::csv_bytes;
use crate::read::arrow::ArrowInput;
use crate::read::csv::{CsvSettings, check_csv};
use crate::read::csv_scan::Dialect;
use crate::read::jsonl::JsonRecords;
use crate::read::rows::plain_schema;
use crate::read::{arrow as arrow_ipc, avro, parquet};
use crate::{Compression, Error, FileFormat, FileSourceOptions, SourceCodec, discover};

/// The most files that are looked into at plan time; others are checked when they are opened.
const PLAN_FILES_MAX: usize = 1000;

/// The most columns that a warning names.
const WARN_COLUMNS_MAX: usize = 10;

/// What a source reads.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) options: FileSourceOptions,
    pub(super) base_dir: PathBuf,
    pub(super) format: FileFormat,
    pub(super) schema: SchemaRef,
    pub(super) extra: ExtraColumns,
    /// Settings of CSV; those of the default for other formats.
    pub(super) csv: CsvSettings,
    /// What reads the format `plugin`.
    pub(super) codec: Option<SourceCodec>,
}

impl Plan {
    pub(super) fn of_files(
        options: FileSourceOptions,
        base_dir: &Path,
        codec: Option<SourceCodec>,
    ) -> Result<Self, Error> {
        check(&options)?;
        let files = discover::files(base_dir, &options.path, options.format)?;
        let format = format_of(&options, &files)?;
        check_follow(&options, format, &files)?;
        let mut plan = Self::draft(options, base_dir, format, &files[0])?;
        if let Some(codec) = codec {
            return plan.by_codec(codec);
        }
        let declared = plan.options.schema.is_some();
        let sample = &files[..files.len().min(PLAN_FILES_MAX)];
        let rows = plan.options.infer_rows.div_ceil(sample.len());
        let mut inferred = Columns::new();
        let mut found: Option<Schema> = None;
        for file in sample {
            let name = discover::split_name(base_dir, file)?;
            if format.is_text() && declared && !(format == FileFormat::Csv && plan.csv.has_header) {
                continue;
            }
            if format.is_text() {
                let mut input = ByteInput::open(file, &name, plan.options.compression, 0)?;
                let columns = plan.infer_text(&mut input, &name, if declared { 1 } else { rows })?;
                plan.add_text(&mut inferred, columns, &name)?;
            } else {
                let schema = plain_schema(plan.binary_schema(file, &name)?.as_ref());
                plan.add_binary(&mut found, schema, &name)?;
            }
        }
        plan.settle(inferred, found)?;
        Ok(plan)
    }

    pub(super) fn of_stream(
        options: FileSourceOptions,
        path: &Path,
        input: Box<dyn Read + Send>,
        codec: Option<SourceCodec>,
    ) -> Result<(Self, StreamHead), Error> {
        check(&options)?;
        if options.follow {
            let name = display_name(&options.path);
            return Err(Error::Options(format!(
                "`follow` is for files, and {name} is a stream: it is read to its end"
            )));
        }
        let format = options.format.or_else(|| FileFormat::of_path(path)).unwrap_or(FileFormat::Jsonl);
        let mut plan = Self::draft(options, Path::new(""), format, path)?;
        let name = plan.name().to_owned();
        let mut input = byte_stream(&plan.options, path, input)?;
        if let Some(codec) = codec {
            return Ok((plan.by_codec(codec)?, StreamHead::Bytes(input)));
        }
        let (mut inferred, mut found) = (Columns::new(), None);
        let head = match format {
            FileFormat::Csv | FileFormat::Jsonl => {
                if plan.options.schema.is_none() {
                    let rows = plan.options.infer_rows;
                    let columns = input.peek(|read| plan.infer_text(read, &name, rows))?;
                    plan.add_text(&mut inferred, columns, &name)?;
                }
                StreamHead::Bytes(input)
            }
            FileFormat::Parquet => StreamHead::Spooled(spool(&mut input, &name)?),
            FileFormat::Avro | FileFormat::Plugin => StreamHead::Bytes(input),
            FileFormat::Arrow => StreamHead::Arrow(ArrowInput::new(input, &name, || None)?),
        };
        let (head, schema) = head.schema(format, &name)?;
        if let Some(schema) = schema {
            plan.add_binary(&mut found, plain_schema(&schema), &name)?;
        }
        plan.settle(inferred, found)?;
        Ok((plan, head))
    }

    /// The plan where a codec says what the columns are.
    fn by_codec(self, codec: SourceCodec) -> Result<Self, Error> {
        if self.options.schema.is_some() {
            return Err(Error::Options(
                "`schema` does not go with a codec, which has its own columns: leave it out, and choose with `select`"
                    .to_owned(),
            ));
        }
        let schema = codec.factory.decoded_schema().map_err(|error| Error::codec(self.name(), error))?;
        Ok(Self { schema, codec: Some(codec), ..self })
    }

    /// What messages call the whole of it.
    pub(super) fn name(&self) -> &str {
        display_name(&self.options.path)
    }

    /// Says that columns are text for want of values: numbers in later records would be texts too.
    fn warn_of(&self, untyped: &[&str]) {
        let Some(first) = untyped.first() else { return };
        let shown: Vec<String> = untyped.iter().take(WARN_COLUMNS_MAX).map(|name| format!("`{name}`")).collect();
        let more = match untyped.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        tracing::warn!(
            "{}: no value to infer a type from in {}{more}, read as utf8; where it should be another type, declare all \
             columns in a pipeline file: `schema: {{ {first}: int64, … }}`",
            self.name(),
            shown.join(", "),
        );
    }

    fn draft(options: FileSourceOptions, base_dir: &Path, format: FileFormat, file: &Path) -> Result<Self, Error> {
        let (delimiter, quote) = csv_bytes(options.csv.delimiter, options.csv.quote, file)?;
        let csv = CsvSettings {
            dialect: Dialect { delimiter, quote },
            has_header: options.csv.header,
            nulls: null_pattern(&options.csv.null_values),
            extra_columns: ExtraColumns::Refuse,
        };
        let schema = options.schema.as_ref().map(|columns| columns.to_schema()).transpose()?;
        let extra = if schema.is_some() { ExtraColumns::Leave } else { ExtraColumns::Refuse };
        let csv = CsvSettings { extra_columns: extra, ..csv };
        let schema = schema.unwrap_or_else(|| Schema::empty().into());
        Ok(Self { options, base_dir: base_dir.to_owned(), format, schema, extra, csv, codec: None })
    }

    fn infer_text(&self, input: &mut dyn LiveRead, name: &str, rows: usize) -> Result<Option<Columns>, Error> {
        match self.format {
            FileFormat::Jsonl => infer_jsonl(input, name, rows),
            _ => infer_csv(input, name, &self.csv, rows, self.options.follow),
        }
    }

    /// Takes in what one text file shows.
    fn add_text(&self, inferred: &mut Columns, columns: Option<Columns>, name: &str) -> Result<(), Error> {
        let Some(columns) = columns else { return Ok(()) };
        if self.format == FileFormat::Csv {
            let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
            if self.options.schema.is_some() {
                return columns::by_name(&names, &self.schema, name, self.extra).map(drop);
            }
            if !inferred.is_empty() {
                columns::by_name(&names, &to_schema(inferred), name, self.extra)?;
            }
        }
        merge_columns(inferred, columns, name)
    }

    /// Takes in the schema of one binary file: the first one counts, unless one is declared.
    fn add_binary(&self, found: &mut Option<Schema>, schema: Schema, name: &str) -> Result<(), Error> {
        if self.options.schema.is_some() {
            return columns::by_name_and_type(&schema, &self.schema, name, self.extra).map(drop);
        }
        let Some(known) = found else {
            *found = Some(schema);
            return Ok(());
        };
        let places = columns::by_name_and_type(&schema, known, name, self.extra)?;
        let nullable = |(field, place): (&arrow::datatypes::FieldRef, usize)| {
            let nullable = field.is_nullable() || schema.field(place).is_nullable();
            field.as_ref().clone().with_nullable(nullable)
        };
        *known = Schema::new(known.fields().iter().zip(places).map(nullable).collect::<Vec<_>>());
        Ok(())
    }

    fn binary_schema(&self, file: &Path, name: &str) -> Result<SchemaRef, Error> {
        match self.format {
            FileFormat::Parquet => parquet::schema(self.seekable(file, name)?, name),
            FileFormat::Arrow => arrow_ipc::schema(&mut self.arrow_input(file, name)?, name),
            _ => avro::schema(&mut ByteInput::open(file, name, self.options.compression, 0)?, name),
        }
    }

    /// Fixes the schema, and checks that the format has all its types.
    fn settle(&mut self, inferred: Columns, found: Option<Schema>) -> Result<(), Error> {
        if self.options.schema.is_none() {
            let schema = found.unwrap_or_else(|| to_schema(&inferred));
            if schema.fields().is_empty() {
                let detail = "empty: nothing to infer columns from; declare `schema` in a pipeline file";
                return Err(Error::damaged(self.name(), detail));
            }
            self.warn_of(&untyped(&inferred));
            self.schema = schema.into();
        }
        match self.format {
            FileFormat::Csv => check_csv(&self.schema),
            FileFormat::Jsonl => JsonRecords::new(self.name(), &self.schema, self.extra).check(),
            _ => Ok(()),
        }
    }
}

/// What messages call a path.
pub(super) fn display_name(path: &str) -> &str {
    if path == STDIN { "standard input" } else { path }
}

fn check(options: &FileSourceOptions) -> Result<(), Error> {
    if options.infer_rows == 0 {
        return Err(Error::Options(
            "`infer_rows` is 0: use at least 1, or declare `schema` in a pipeline file".to_owned(),
        ));
    }
    if options.follow_interval_ms == 0 {
        return Err(Error::Options("`follow_interval_ms` is 0: use at least 1".to_owned()));
    }
    Ok(())
}

fn check_follow(options: &FileSourceOptions, format: FileFormat, files: &[PathBuf]) -> Result<(), Error> {
    if !options.follow {
        return Ok(());
    }
    let refuse = |what: &str| {
        Err(Error::Options(format!(
            "{}: `follow` needs csv, jsonl or a codec, without compression, and this is {what}",
            options.path
        )))
    };
    if !format.is_stream() {
        return refuse(format.as_str());
    }
    let is_compressed = |file: &PathBuf| options.compression.of_path(file) != Compression::None;
    if files.iter().any(is_compressed) { refuse("compressed") } else { Ok(()) }
}

fn format_of(options: &FileSourceOptions, files: &[PathBuf]) -> Result<FileFormat, Error> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    let mut known: Option<(FileFormat, &PathBuf)> = None;
    for file in files {
        let Some(format) = FileFormat::of_path(file) else {
            let (file, names) = (file.display(), FileFormat::NAMES);
            return Err(Error::Options(format!(
                "{file}: no format has this extension; set `format` (--input-format on the command line) to one of {names}"
            )));
        };
        match known {
            Some((first, path)) if first != format => {
                let (one, two) = (path.display(), file.display());
                return Err(Error::Options(format!(
                    "{one} and {two} have different formats: use a glob that picks one"
                )));
            }
            _ => known = Some((format, file)),
        }
    }
    known.map(|(format, _)| format).ok_or_else(|| Error::Broken("no files to tell the format of".to_owned()))
}

/// A pattern that matches the texts that mean null; `None` where that is only the empty one.
fn null_pattern(texts: &[String]) -> Option<Regex> {
    if let [only] = texts
        && only.is_empty()
    {
        return None;
    }
    let any: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    // Without texts nothing is null: no text has a character before its beginning.
    let pattern = if any.is_empty() { r"[^\s\S]".to_owned() } else { format!(r"\A(?:{})\z", any.join("|")) };
    Some(Regex::new(&pattern).expect("escaped texts are a pattern"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_texts_match_as_a_whole() {
        let pattern = |texts: &[&str]| null_pattern(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert!(pattern(&[""]).is_none());
        let na = pattern(&["", "NA", "a.b"]).expect("a pattern");
        for (text, is_null) in [("", true), ("NA", true), ("NAN", false), ("a.b", true), ("axb", false), ("\n", false)]
        {
            assert_eq!(na.is_match(text), is_null, "{text:?}");
        }
        assert!(!pattern(&[]).expect("a pattern").is_match(""));
    }
}
