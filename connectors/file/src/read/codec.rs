//! Reads what a codec reads: pieces of the file go to it, and what it does not use of one comes first in the next.

use std::sync::Arc;

use arrow::array::{BinaryArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use volley_api::{DecodedFrames, FrameDecoder, Framing, Positions, SourceBatch, SourceReject};

use super::text::{Fill, RECORD_BYTES_MAX, TextBuffer};
use super::{BlockingRead, Offset, Step};
use crate::Error;
use crate::codec::SourceCodec;

/// How many bytes the codec gets at once, where there are so many: few calls, and still within a core's second-level cache.
const PIECE_BYTES: usize = 256 * 1024;

/// The most bytes of a refused piece that are kept beside the reason.
const RAW_BYTES_MAX: usize = 16 * 1024;

/// Reads one split by a codec.
pub(crate) struct CodecReader {
    text: TextBuffer,
    decoder: Box<dyn FrameDecoder>,
    schema: SchemaRef,
    rows_max: usize,
    /// Of the last call, what is not yet given.
    rest: Option<Rest>,
    /// Rows given, and those passed over because they had been given before.
    row: u64,
    /// Those of them that come from behind the window's first byte.
    given: u64,
    /// Rows to pass over: they had been given before the reader was opened.
    skip: u64,
    /// The bytes of which the codec has said that they are the beginning of something that is not there yet.
    too_few: usize,
    /// Whether nothing comes behind the window any more.
    has_ended: bool,
    is_closed: bool,
}

/// The rest of one call.
struct Rest {
    rows: RecordBatch,
    /// Given with the last rows.
    rejects: Vec<SourceReject>,
    /// Bytes that the call has used, which are done with when all is given.
    used: usize,
}

impl CodecReader {
    /// Reads `text` from its beginning.
    pub(crate) fn new(
        text: TextBuffer,
        codec: &SourceCodec,
        schema: &SchemaRef,
        rows_max: usize,
    ) -> Result<Self, Error> {
        let decoder = codec.open(text.name())?;
        let schema = Arc::clone(schema);
        let (row, given, skip, too_few) = (0, 0, 0, 0);
        let (has_ended, is_closed) = (false, false);
        Ok(Self { text, decoder, schema, rows_max, rest: None, row, given, skip, too_few, has_ended, is_closed })
    }

    /// The same, where `row` rows had been given before, `skip` of them from behind the first byte.
    pub(crate) fn after(self, row: u64, skip: u64) -> Self {
        Self { row: row - skip, skip, ..self }
    }

    /// The next rows of the last call, or what is left of it.
    fn give(&mut self) -> Option<Step> {
        let rest = self.rest.as_mut()?;
        let rows = rest.rows.num_rows().min(self.rows_max);
        let batch = rest.rows.slice(0, rows);
        let positions = Positions::From(i64::try_from(self.row).unwrap_or(i64::MAX));
        self.row += rows as u64;
        self.given += rows as u64;
        let mut rejects = Vec::new();
        if rows < rest.rows.num_rows() {
            rest.rows = rest.rows.slice(rows, rest.rows.num_rows() - rows);
        } else {
            rejects = std::mem::take(&mut rest.rejects);
            let used = rest.used;
            self.consume(used);
            self.rest = None;
        }
        Some(Step::Batch(SourceBatch { batch, positions, rejects, progress_units: self.text.take_progress() }))
    }

    fn consume(&mut self, bytes: usize) {
        self.text.consume(bytes, 0);
        (self.given, self.too_few) = (0, 0);
    }

    /// Hands the window to the codec. Whether anything came of it.
    fn call(&mut self) -> Result<bool, Error> {
        let window = self.text.bytes();
        let bytes = window.len();
        let piece = BinaryArray::from_iter_values([window]);
        let decoded = self.decoder.decode(Framing::Stream, &piece, self.has_ended);
        let DecodedFrames { rows, rejects, rest_bytes, .. } = decoded
            .map_err(|error| Error::codec(format!("{} at byte {}", self.text.name(), self.text.byte()), error))?;
        let gives = rows.num_rows() > 0 || !rejects.is_empty();
        if rows.schema() != self.schema || rest_bytes > bytes || rest_bytes == bytes && gives {
            return Err(Error::Broken(format!("{}: its codec gives what was not agreed", self.text.name())));
        }
        if rest_bytes == bytes {
            self.too_few = bytes;
            return Ok(false);
        }
        let rejects = rejects.into_iter().map(|reject| self.reject(bytes - rest_bytes, reject.code, &reject.message));
        let rejects: Vec<SourceReject> = rejects.collect();
        let unwanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rows.num_rows());
        let rows = rows.slice(unwanted, rows.num_rows() - unwanted);
        self.skip -= unwanted as u64;
        self.row += unwanted as u64;
        self.given += unwanted as u64;
        if gives {
            self.rest = Some(Rest { rows, rejects, used: bytes - rest_bytes });
        } else {
            self.consume(bytes - rest_bytes);
        }
        Ok(true)
    }

    fn reject(&self, used: usize, code: String, message: &str) -> SourceReject {
        let (name, begin) = (self.text.name(), self.text.byte());
        let raw = &self.text.bytes()[..used.min(RAW_BYTES_MAX)];
        SourceReject {
            position: i64::try_from(self.row).unwrap_or(i64::MAX),
            code,
            message: format!("{name} bytes {begin} to {}: {message}", begin + used as u64),
            // Bytes that are no text can be told apart, and told back.
            raw: std::str::from_utf8(raw).map_or_else(|_| raw.escape_ascii().to_string(), str::to_owned),
        }
    }

    /// What there is to say when the codec wants more of a record than any has.
    fn too_long(&self) -> Error {
        Error::damaged(
            &format!("{} at byte {}", self.text.name(), self.text.byte()),
            format!("the codec finds no end of a record within {} MiB", RECORD_BYTES_MAX >> 20),
        )
    }

    fn end(&mut self) -> Result<Step, Error> {
        if self.skip > 0 {
            let detail = format!("has {} rows, and more had been read: the file was replaced", self.row);
            return Err(Error::damaged(self.text.name(), detail));
        }
        if !std::mem::replace(&mut self.is_closed, true) {
            self.decoder.close().map_err(|error| Error::codec(self.text.name(), error))?;
        }
        Ok(Step::End)
    }
}

impl BlockingRead for CodecReader {
    fn next(&mut self) -> Result<Step, Error> {
        loop {
            if let Some(step) = self.give() {
                return Ok(step);
            }
            let bytes = self.text.bytes().len();
            if self.has_ended && bytes == 0 {
                return self.end();
            }
            let is_enough = bytes >= PIECE_BYTES.max(self.too_few * 2) || bytes > self.too_few && !self.text.is_ready();
            if self.has_ended || is_enough {
                if self.call()? {
                    continue;
                }
                if self.has_ended {
                    let detail = "the codec neither reads nor refuses what stands at the end";
                    return Err(Error::damaged(&format!("{} at byte {}", self.text.name(), self.text.byte()), detail));
                }
            }
            if self.too_few >= RECORD_BYTES_MAX {
                return Err(self.too_long());
            }
            match self.text.fill()? {
                Fill::More => {}
                Fill::Ended => self.has_ended = true,
                Fill::Nothing | Fill::Failed if self.text.bytes().len() > self.too_few => {
                    self.call()?;
                }
                Fill::Nothing => return Ok(Step::Wait),
                Fill::Failed => {
                    let place = format!("{} after byte {}", self.text.name(), self.text.byte());
                    return Err(self.text.take_failure_at(place));
                }
            }
        }
    }

    fn offset(&self) -> Offset {
        Offset::Codec { byte: self.text.byte(), row: self.row + self.skip, skip: self.given + self.skip }
    }
}
