//! Opens one split of a planned source.

use std::fs::File;
use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::plan::Plan;
use crate::input::{ByteInput, spool};
use crate::read::arrow::ArrowInput;
use crate::read::codec::CodecReader;
use crate::read::csv::{CsvReader, Header, read_header};
use crate::read::jsonl::JsonlReader;
use crate::read::rows::{Batches, RowsReader};
use crate::read::text::TextBuffer;
use crate::read::{BlockingRead, Offset, arrow as arrow_ipc, avro, parquet};
use crate::{Compression, Error, FileFormat};

/// Something that can be read once, as far as planning has touched it.
pub(crate) enum StreamHead {
    /// To be read from its beginning; what planning has read is given out again.
    Bytes(ByteInput),
    /// In a temporary file, since its format is read from its end.
    Spooled(File),
    /// Arrow IPC of either form.
    Arrow(ArrowInput),
}

impl std::fmt::Debug for StreamHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamHead")
    }
}

impl StreamHead {
    /// The columns, where the format says them.
    pub(super) fn schema(mut self, format: FileFormat, name: &str) -> Result<(Self, Option<SchemaRef>), Error> {
        let schema = match (&mut self, format) {
            (Self::Bytes(input), FileFormat::Avro) => Some(input.peek(|read| avro::schema(read, name))?),
            (Self::Bytes(_), _) => None,
            (Self::Spooled(file), _) => Some(parquet::schema(clone(file, name)?, name)?),
            (Self::Arrow(input), _) => Some(arrow_ipc::schema(input, name)?),
        };
        Ok((self, schema))
    }
}

fn clone(file: &File, name: &str) -> Result<File, Error> {
    file.try_clone().map_err(|error| Error::io("read", name, error))
}

impl Plan {
    /// Opens the file that a split names.
    pub(super) fn open_file(
        &self,
        name: &str,
        from: Option<Offset>,
        rows_max: usize,
    ) -> Result<Box<dyn BlockingRead>, Error> {
        let path = self.base_dir.join(name);
        if let Some(codec) = &self.codec {
            let (byte, row, skip) = Offset::codec(from)?;
            let input = ByteInput::open(&path, name, self.options.compression, byte)?;
            let follow = self.options.follow.then(|| path.clone());
            let text = TextBuffer::new(input, name, byte, 0, follow);
            return Ok(Box::new(CodecReader::new(text, codec, &self.schema, rows_max)?.after(row, skip)));
        }
        if self.format.is_text() {
            let (byte, line) = Offset::text(from)?;
            let input = ByteInput::open(&path, name, self.options.compression, byte)?;
            let follow = self.options.follow.then(|| path.clone());
            let text = TextBuffer::new(input, name, byte, line, follow);
            // Behind the beginning the header is out of sight: it is read from there.
            let header = if byte > 0 { self.header(&path, name)? } else { None };
            return self.open_text(text, header, rows_max);
        }
        let begin = Offset::rows(from)?;
        let batches = match self.format {
            FileFormat::Parquet => parquet::batches(self.seekable(&path, name)?, name, &self.schema, begin, rows_max)?,
            FileFormat::Arrow => arrow_ipc::batches(self.arrow_input(&path, name)?, name)?,
            _ => avro::batches(ByteInput::open(&path, name, self.options.compression, 0)?, name, rows_max)?,
        };
        self.open_rows(name, batches, begin, rows_max)
    }

    /// Opens what can be read once, from its beginning.
    pub(super) fn open_stream(&self, head: StreamHead, rows_max: usize) -> Result<Box<dyn BlockingRead>, Error> {
        let name = self.name();
        match (head, self.format) {
            (StreamHead::Bytes(input), FileFormat::Plugin) => {
                let codec = self.codec.as_ref().ok_or_else(|| Error::Broken(format!("{name}: no codec")))?;
                let text = TextBuffer::new(input, name, 0, 0, None);
                Ok(Box::new(CodecReader::new(text, codec, &self.schema, rows_max)?))
            }
            (StreamHead::Bytes(input), FileFormat::Avro) => {
                self.open_rows(name, avro::batches(input, name, rows_max)?, 0, rows_max)
            }
            (StreamHead::Bytes(input), _) => self.open_text(TextBuffer::new(input, name, 0, 1, None), None, rows_max),
            (StreamHead::Spooled(file), _) => {
                self.open_rows(name, parquet::batches(file, name, &self.schema, 0, rows_max)?, 0, rows_max)
            }
            (StreamHead::Arrow(input), _) => self.open_rows(name, arrow_ipc::batches(input, name)?, 0, rows_max),
        }
    }

    fn open_text(
        &self,
        text: TextBuffer,
        header: Option<Vec<String>>,
        rows_max: usize,
    ) -> Result<Box<dyn BlockingRead>, Error> {
        Ok(match self.format {
            FileFormat::Jsonl => Box::new(JsonlReader::new(text, &self.schema, self.extra, rows_max)),
            _ => Box::new(CsvReader::new(text, self.csv.clone(), self.schema.clone(), header, rows_max)?),
        })
    }

    fn open_rows(
        &self,
        name: &str,
        batches: Batches,
        begin: u64,
        rows_max: usize,
    ) -> Result<Box<dyn BlockingRead>, Error> {
        Ok(Box::new(RowsReader::new(name, &self.schema, self.extra, batches, begin, rows_max)?))
    }

    fn header(&self, path: &Path, name: &str) -> Result<Option<Vec<String>>, Error> {
        if self.format != FileFormat::Csv || !self.csv.has_header {
            return Ok(None);
        }
        let input = ByteInput::open(path, name, self.options.compression, 0)?;
        match read_header(&mut TextBuffer::new(input, name, 0, 1, None), self.csv.dialect)? {
            Header::Fields(names) => Ok(Some(names)),
            Header::NotYet | Header::Empty => {
                Err(Error::damaged(name, "has no header any more: the file was replaced"))
            }
        }
    }

    /// The file itself, or its decompressed contents in a temporary one.
    pub(super) fn seekable(&self, path: &Path, name: &str) -> Result<File, Error> {
        match self.options.compression.of_path(path) {
            Compression::None => File::open(path).map_err(|error| Error::io("read", name, error)),
            _ => spool(&mut ByteInput::open(path, name, self.options.compression, 0)?, name),
        }
    }

    pub(super) fn arrow_input(&self, path: &Path, name: &str) -> Result<ArrowInput, Error> {
        let input = ByteInput::open(path, name, self.options.compression, 0)?;
        let is_plain = self.options.compression.of_path(path) == Compression::None;
        ArrowInput::new(input, name, || if is_plain { File::open(path).ok() } else { None })
    }
}
