//! What a user writes under `file:` in a pipeline; the comments of the fields are the reference manual.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::{Error, format_option, parse_field};

/// Records that a schema is inferred from, where nothing else is asked for: enough that rare values are met, and a
/// few milliseconds of work.
const INFER_ROWS_DEFAULT: usize = 10_000;

/// The poll interval of `follow`, where nothing else is asked for.
const FOLLOW_INTERVAL_MS_DEFAULT: u64 = 200;

/// A source that reads files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSourceOptions {
    /// What to read: a file, a glob (`data/flights-*.csv`, `logs/**/*.jsonl`), a folder (its files, not those of
    /// folders inside), or `-` for standard input. Relative to the pipeline file. Files whose names start with `.`
    /// or `_` are passed over in folders and globs.
    pub path: String,
    /// The format: a name, or `plugin: { component: … }`, a codec. Default: by the extension, also under `.gz` and `.zst`;
    /// `jsonl` for standard input.
    #[serde(default, deserialize_with = "format_option::read")]
    #[schemars(with = "Option<format_option::Schema>")]
    pub format: Option<FileFormat>,
    /// The compression of the whole file. Default: `auto`.
    #[serde(default)]
    pub compression: Compression,
    /// The columns to read and their types, as a map or a list of `name: type`: `{ carrier: utf8, fare: "decimal(10,2)" }`.
    /// Other columns of the files are not read. Default: all columns, with the types of the files (Parquet, Avro,
    /// Arrow) or inferred ones (CSV, JSON Lines).
    #[serde(default)]
    pub schema: Option<ColumnTypes>,
    /// How many records types are inferred from, spread over the starts of all files; at least 1. Default: 10,000.
    #[serde(default = "infer_rows_default")]
    pub infer_rows: usize,
    /// How CSV is written.
    #[serde(default)]
    pub csv: CsvReadOptions,
    /// Whether to wait for more at the end of each file (CSV, JSON Lines and codecs, without compression). Only complete
    /// records are read. The files are those that there are at the start. Default: false.
    #[serde(default)]
    pub follow: bool,
    /// How long `follow` waits before it looks again, in milliseconds; at least 1. Default: 200.
    #[serde(default = "follow_interval_ms_default")]
    pub follow_interval_ms: u64,
    /// At most this many rows per second, over all files together. Default: as fast as possible.
    #[serde(default)]
    pub rate: Option<f64>,
}

/// A sink that writes files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSinkOptions {
    /// Where to write: a file (one writer, one epoch), a folder (ends in `/` or exists; one file per writer and
    /// epoch), a named pipe or a device, or `-` for standard output. Relative to the pipeline file. Missing folders
    /// are made; links are followed.
    pub path: String,
    /// The format: a name, or `plugin: { component: … }`, a codec. Default: by the extension, also under `.gz` and `.zst`;
    /// `jsonl` for standard output. A folder needs it.
    #[serde(default, deserialize_with = "format_option::read")]
    #[schemars(with = "Option<format_option::Schema>")]
    pub format: Option<FileFormat>,
    /// The compression of whole CSV, JSON Lines and Arrow files; Parquet (snappy) and Avro (deflate) compress inside.
    /// Default: `auto`, which is none for folders and standard output.
    #[serde(default)]
    pub compression: Compression,
    /// In a folder: start another file after this many rows. Default: one file per writer and epoch.
    #[serde(default)]
    pub part_rows_max: Option<u64>,
    /// In a folder: start another file once this many bytes are written. Default: one file per writer and epoch.
    #[serde(default)]
    pub part_bytes_max: Option<u64>,
    /// In a folder: what to do when it holds output of the same format from an earlier run. Default: `fail`.
    #[serde(default)]
    pub existing: Option<Existing>,
    /// How CSV is written.
    #[serde(default)]
    pub csv: CsvWriteOptions,
}

/// What a sink does about a folder that holds output of an earlier run: files of its format called `part-*`. A job that goes on
/// from a checkpoint has its own there, and is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// Refuses to start: whoever reads the folder would take the rows of both runs for those of one.
    #[default]
    Fail,
    /// Adds files with other names.
    Append,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Comma-separated values; extensions `csv`, `tsv` (whose delimiter is a tab).
    Csv,
    /// One JSON object per line; extensions `jsonl`, `ndjson`, `json`.
    Jsonl,
    /// Apache Parquet; extension `parquet`.
    Parquet,
    /// Avro object container file; extension `avro`.
    Avro,
    /// Arrow IPC, file or stream; extensions `arrow`, `arrows`, `feather`, `ipc`.
    Arrow,
    /// What a codec reads and writes, which whoever opens the source or sink brings.
    #[serde(skip)]
    Plugin,
}

impl FileFormat {
    /// All formats, for messages.
    pub(crate) const NAMES: &'static str = "csv, jsonl, parquet, avro, arrow";

    /// The format that a path's extension stands for, seen through `.gz` and `.zst`.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            "avro" => Some(Self::Avro),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Self::Arrow),
            _ => None,
        }
    }

    /// The name as it is written in options.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
            Self::Avro => "avro",
            Self::Arrow => "arrow",
            Self::Plugin => "plugin",
        }
    }

    /// The extension of files that a sink makes: the name, and `bin` for a codec's.
    pub(crate) fn extension(self) -> &'static str {
        if self == Self::Plugin { "bin" } else { self.as_str() }
    }

    /// Whether a file's name is one of this format.
    pub(crate) fn names(self, file: &Path) -> bool {
        match (self, file.file_name().and_then(|name| name.to_str())) {
            (Self::Plugin, Some(name)) => name.split('.').skip(1).any(|part| part == self.extension()),
            _ => Self::of_path(file) == Some(self),
        }
    }

    /// Whether a file is a sequence of lines.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Jsonl)
    }

    /// Whether single records can be refused, and a file may grow while it is read.
    pub(crate) fn is_stream(self) -> bool {
        self.is_text() || self == Self::Plugin
    }
}

/// The compression of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// By the extension: `.gz` is gzip, `.zst` is zstd, all others none.
    #[default]
    Auto,
    /// Not compressed.
    None,
    /// gzip, of any number of members.
    Gzip,
    /// Zstandard, of any number of frames.
    Zstd,
}

impl Compression {
    /// The compression of one file: never [`Compression::Auto`].
    pub(crate) fn of_path(self, path: &Path) -> Self {
        match (self, path.extension().and_then(|extension| extension.to_str())) {
            (Self::Auto, Some("gz" | "GZ")) => Self::Gzip,
            (Self::Auto, Some("zst" | "ZST")) => Self::Zstd,
            (Self::Auto, _) => Self::None,
            (given, _) => given,
        }
    }
}

/// How CSV is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvReadOptions {
    /// What stands between fields: one ASCII character. Default: `,`, and a tab for `.tsv` files.
    pub delimiter: Option<char>,
    /// Whether the first record names the columns. Columns of the declared schema are then found by name, otherwise by
    /// place; without header and schema they are called `column_1`, `column_2` … Default: true.
    pub header: bool,
    /// What stands around fields that contain a delimiter, a quote (doubled) or a line break: one ASCII character.
    /// Default: `"`.
    pub quote: char,
    /// The texts that mean null, in columns of every type. Default: the empty text only.
    pub null_values: Vec<String>,
}

impl Default for CsvReadOptions {
    fn default() -> Self {
        Self { delimiter: None, header: true, quote: '"', null_values: vec![String::new()] }
    }
}

/// How CSV is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvWriteOptions {
    /// What stands between fields: one ASCII character. Default: `,`, and a tab for `.tsv` files.
    pub delimiter: Option<char>,
    /// Whether the first record names the columns. Default: true.
    pub header: bool,
    /// What stands around fields that need it: one ASCII character. Default: `"`.
    pub quote: char,
    /// The text of nulls. Default: nothing.
    pub null_value: String,
}

impl Default for CsvWriteOptions {
    fn default() -> Self {
        Self { delimiter: None, header: true, quote: '"', null_value: String::new() }
    }
}

/// The delimiter and quote in bytes.
pub(crate) fn csv_bytes(delimiter: Option<char>, quote: char, path: &Path) -> Result<(u8, u8), Error> {
    let ascii = |what: &str, symbol: char| match u8::try_from(symbol) {
        Ok(byte) if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Ok(byte),
        _ => Err(Error::Options(format!("`csv.{what}` is {symbol:?}: use one ASCII character, not a line break"))),
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let is_tsv = name.split('.').any(|part| part.eq_ignore_ascii_case("tsv"));
    let delimiter = ascii("delimiter", delimiter.unwrap_or(if is_tsv { '\t' } else { ',' }))?;
    let quote = ascii("quote", quote)?;
    if delimiter == quote {
        return Err(Error::Options(format!("`csv.delimiter` and `csv.quote` are both {:?}", char::from(quote))));
    }
    Ok((delimiter, quote))
}

/// Columns and the texts of their types (see [`crate::parse_type`]), in order: a map, or a list of maps with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnTypes(
    /// Name and type of each column.
    pub Vec<(String, String)>,
);

impl ColumnTypes {
    /// The schema that they describe.
    ///
    /// # Errors
    /// When there is no column, a name stands twice, or a type is not one.
    pub fn to_schema(&self) -> Result<SchemaRef, Error> {
        if self.0.is_empty() {
            return Err(Error::Options("`schema` has no columns".to_owned()));
        }
        let mut fields = Vec::with_capacity(self.0.len());
        for (at, (name, text)) in self.0.iter().enumerate() {
            if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::Options(format!("column `{name}` stands twice in `schema`")));
            }
            let field = parse_field(name, text);
            fields.push(field.map_err(|source| Error::SchemaText { column: name.clone(), source })?);
        }
        Ok(Schema::new(fields).into())
    }
}

impl<'de> Deserialize<'de> for ColumnTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnTypesVisitor)
    }
}

struct ColumnTypesVisitor;

impl<'de> Visitor<'de> for ColumnTypesVisitor {
    type Value = ColumnTypes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("columns with their types, as a map or a list of `name: type`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut columns = Vec::new();
        while let Some(column) = map.next_entry()? {
            columns.push(column);
        }
        Ok(ColumnTypes(columns))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut columns = Vec::new();
        while let Some(entry) = list.next_element::<BTreeMap<String, String>>()? {
            if entry.len() != 1 {
                return Err(de::Error::custom(format!("each entry is one `name: type`, but one has {}", entry.len())));
            }
            columns.extend(entry);
        }
        Ok(ColumnTypes(columns))
    }
}

impl JsonSchema for ColumnTypes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnTypes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let entry = serde_json::json!({ "type": "object", "additionalProperties": { "type": "string" } });
        schemars::json_schema!({
            "description": "Columns with their types, as a map or a list of `name: type`.",
            "anyOf": [entry, { "type": "array", "items": entry }],
        })
    }
}

fn infer_rows_default() -> usize {
    INFER_ROWS_DEFAULT
}

fn follow_interval_ms_default() -> u64 {
    FOLLOW_INTERVAL_MS_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Result<FileSourceOptions, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let options = source(r#"{ "path": "a.csv" }"#).expect("minimal options");
        assert_eq!(options.infer_rows, 10_000);
        assert_eq!(options.follow_interval_ms, 200);
        assert!(options.csv.header && options.format.is_none() && !options.follow);
        assert_eq!(options.csv.null_values, [""]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(source(r#"{ "path": "a", "fromat": "csv" }"#).unwrap_err().to_string().contains("fromat"));
        assert!(source(r#"{ "path": "a", "csv": { "heder": true } }"#).unwrap_err().to_string().contains("heder"));
        assert!(serde_json::from_str::<FileSinkOptions>(r#"{ "path": "a", "x": 1 }"#).is_err());
    }

    #[test]
    fn schemas_keep_their_order_as_map_and_as_list() {
        let map = source(r#"{ "path": "a", "schema": { "z": "int64", "a": "utf8 not null" } }"#).expect("a map");
        let list =
            source(r#"{ "path": "a", "schema": [{ "z": "int64" }, { "a": "utf8 not null" }] }"#).expect("a list");
        assert_eq!(map.schema, list.schema);
        let schema = map.schema.expect("given").to_schema().expect("types");
        assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["z", "a"]);
        assert!(!schema.field(1).is_nullable());
    }

    #[test]
    fn bad_schemas_name_the_column() {
        let columns = |pairs: &[(&str, &str)]| {
            let owned = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            ColumnTypes(owned).to_schema().expect_err("bad").to_string()
        };
        assert!(columns(&[("fare", "int65")]).contains("column `fare`"));
        assert!(columns(&[("a", "int8"), ("a", "int8")]).contains("twice"));
        assert!(columns(&[]).contains("no columns"));
    }

    #[test]
    fn formats_and_compressions_follow_the_extension() {
        let format = |name: &str| FileFormat::of_path(Path::new(name));
        assert_eq!(format("x/a.CSV.gz"), Some(FileFormat::Csv));
        assert_eq!(format("a.ndjson.zst"), Some(FileFormat::Jsonl));
        assert_eq!(format("a.txt"), None);
        assert_eq!(format("csv"), None);
        assert_eq!(Compression::Auto.of_path(Path::new("a.csv.gz")), Compression::Gzip);
        assert_eq!(Compression::None.of_path(Path::new("a.csv.gz")), Compression::None);
    }

    #[test]
    fn delimiters_are_single_bytes() {
        let path = Path::new("a.tsv.gz");
        assert_eq!(csv_bytes(None, '"', path).expect("tab"), (b'\t', b'"'));
        assert_eq!(csv_bytes(Some(';'), '"', path).expect("semicolon"), (b';', b'"'));
        assert!(csv_bytes(Some('é'), '"', path).is_err());
        assert!(csv_bytes(Some('\n'), '"', path).is_err());
        assert!(csv_bytes(Some('"'), '"', path).is_err());
    }

    #[test]
    fn the_manual_names_every_key() {
        let text = schemars::schema_for!(FileSourceOptions).as_value().to_string();
        for key in ["path", "format", "compression", "schema", "infer_rows", "csv", "follow", "rate", "null_values"] {
            assert!(text.contains(&format!("\"{key}\"")), "{key}");
        }
    }
}
