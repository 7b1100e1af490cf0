//! Files as a source and as a sink: CSV, JSON Lines, Parquet, Avro and Arrow IPC; one file, a glob or a folder; gzip
//! and zstd; standard input and output.
//!
//! It knows `volley-api` and no other crate of Volley. The formats are decoded and encoded by `arrow-csv`,
//! `arrow-json`, `parquet`, `arrow-avro` and `arrow-ipc`; what is here finds files, cuts streams at the borders of
//! records, says where each row stood, and makes output visible all at once.
//!
//! - [`FileSource`] reads. Its splits are files; memory is bounded by a batch of each open split.
//! - [`FileSink`] writes under a staged name and renames at commit.
//! - [`parse_type`], [`parse_field`] and [`type_text`] are the text form of Arrow types that `schema` is written in.
//!
//! Options, positions, bounds and guarantees are listed in the crate's README.
#![forbid(unsafe_code)]

mod blocking;
mod codec;
mod columns;
mod decompress;
mod discover;
mod error;
mod folder;
mod format_option;
mod infer;
mod input;
mod names;
mod options;
mod rate;
mod read;
mod reader;
mod schema_text;
mod sink;
mod source;
mod staged;
mod target;
mod token;
mod write;
mod writer;

pub use codec::SourceCodec;
pub use error::Error;
pub use options::{
    ColumnTypes, Compression, CsvReadOptions, CsvWriteOptions, Existing, FileFormat, FileSinkOptions, FileSourceOptions,
};
pub use schema_text::{SchemaTextError, parse_field, parse_type, type_text};
pub use sink::FileSink;
pub use source::FileSource;
