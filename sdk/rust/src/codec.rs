//! Formats of bytes: what `#[codec]` makes, and what can be written batch-wise.

use serde::de::DeserializeOwned;

use crate::build::{BinaryBuilder, Builder};
use crate::column::Bytes;
use crate::{Array, Batch, Determinism, Failure, OpenError, Reject, Rejects, Schema};

/// Whether frames are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Each frame is a message: whole, and nothing to do with the next.
    Messages,
    /// Frames are pieces of one stream of bytes, in order.
    Stream,
}

/// The frames of one call: one or more.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    frames: Bytes<'a>,
    framing: Framing,
    end: bool,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(frames: Bytes<'a>, framing: Framing, end: bool) -> Self {
        Self { frames, framing, end }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none. The host never sends none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The bytes of one frame.
    ///
    /// # Panics
    /// When there is no such frame.
    #[must_use]
    pub fn get(&self, index: usize) -> &'a [u8] {
        self.frames.get(index).unwrap_or_default()
    }

    /// Whether each is whole.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the stream ends with the last one.
    #[must_use]
    pub fn end(&self) -> bool {
        self.end
    }

    /// Whether what is unfinished at the end of the last frame can still be finished by what comes next.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.framing == Framing::Stream && !self.end
    }
}

/// What a codec made of frames.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The columns of the rows of all frames, in order.
    pub columns: Vec<Array>,
    /// For each row the frame that it came from, ascending.
    pub frames: Vec<u32>,
    /// What cannot be read, by the frame, ascending. One frame may occur several times.
    pub rejects: Vec<(u32, Reject)>,
    /// How many bytes at the end of the last frame are the beginning of something that is not there yet. 0 where the stream
    /// ends, and for messages.
    pub rest_bytes: usize,
}

/// What a codec made of rows.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The frames: a column of Binary without nulls.
    pub frames: Array,
    /// For each frame the first row that is in it, ascending.
    pub rows: Vec<u32>,
    /// The refused rows, which are in no frame.
    pub rejects: Rejects,
}

/// Frames under construction, one row after another.
#[derive(Debug, Default)]
pub struct FrameWriter {
    frames: BinaryBuilder,
    frame: Vec<u8>,
    rows: Vec<u32>,
    rejects: Rejects,
}

impl FrameWriter {
    /// No frames yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Memory for the next frame: empty.
    pub fn frame(&mut self) -> &mut Vec<u8> {
        self.frame.clear();
        &mut self.frame
    }

    /// What was written into [`FrameWriter::frame`] is the frame of this row.
    pub fn push(&mut self, row: usize) {
        self.frames.push(&self.frame);
        // A batch has at most u32::MAX rows.
        self.rows.push(row as u32);
    }

    /// The row is refused.
    pub fn refuse(&mut self, row: usize, reject: impl Into<Reject>) {
        self.rejects.push(row, reject);
    }

    /// All frames.
    #[must_use]
    pub fn finish(self) -> Encoded {
        Encoded { frames: self.frames.finish(), rows: self.rows, rejects: self.rejects }
    }
}

/// A batch-wise format of bytes. An instance either decodes or encodes. Export it with
/// [`export_codec!`](crate::export_codec).
///
/// It must not keep anything between calls: what is left of a frame stays with the host.
pub trait CodecOperator: Sized + 'static {
    /// The `config:` of the format in the pipeline file. See [`MapOperator::Config`](crate::MapOperator::Config).
    type Config: DeserializeOwned;

    /// What its results depend on, beside configuration and bytes or rows. Default: nothing.
    const DETERMINISM: Determinism = Determinism::Deterministic;

    /// Opens one that decodes; gives the columns of the rows. Must be pure.
    ///
    /// # Errors
    /// [`OpenError`] when the configuration does not fit, or it cannot decode.
    fn decoder(config: Self::Config) -> Result<(Self, Schema), OpenError>;

    /// Opens one that encodes rows of these columns; gives the names of those that every batch shall carry. Must be pure.
    ///
    /// # Errors
    /// [`OpenError`] when configuration or columns do not fit, or it cannot encode.
    fn encoder(config: Self::Config, rows: &Schema) -> Result<(Self, Vec<String>), OpenError>;

    /// Reads frames.
    ///
    /// # Errors
    /// [`Failure`] when none of them can be read; single ones are refused through [`Decoded::rejects`].
    fn decode(&mut self, frames: &Frames<'_>) -> Result<Decoded, Failure>;

    /// Writes one batch, of the columns that [`CodecOperator::encoder`] named and at least one row.
    ///
    /// # Errors
    /// [`Failure`] when none of them can be written; single ones are refused through [`Encoded::rejects`].
    fn encode(&mut self, batch: &Batch<'_>) -> Result<Encoded, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}
