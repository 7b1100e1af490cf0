//! Formats of bytes that somebody brings: frames to rows for sources, rows to frames for sinks.
//!
//! A *frame* is what a connector has: a message of a queue, or a piece of a file, which ends wherever it ends. All calls
//! block and may take long: they belong on a thread that may.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{BinaryArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use crate::{Clock, NodeName, Result, RowReject, SeedSource, SubtaskId};

/// Whether the frames of a connector are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Each frame is a message: whole, and nothing to do with the next.
    Messages,
    /// Frames are pieces of one stream of bytes, in order.
    Stream,
}

/// A frame, or a piece of one, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameReject {
    /// Index of the frame among those of the call.
    pub frame: usize,
    /// A short, stable name of the reason, for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What a call made of frames.
#[derive(Debug, Clone)]
pub struct DecodedFrames {
    /// The rows of all frames, in order.
    pub rows: RecordBatch,
    /// For each row the frame that it came from, ascending.
    pub frames: Vec<u32>,
    /// What cannot be read, by the frame. One frame may occur several times.
    pub rejects: Vec<FrameReject>,
    /// How many bytes at the end of the last frame were not used: the caller keeps them and puts them in front of what comes
    /// next. Where the call said that the stream ends there, the caller calls once more with them alone. 0 for messages.
    pub rest_bytes: usize,
}

/// What a call made of rows.
#[derive(Debug, Clone)]
pub struct EncodedRows {
    /// The frames, none of them null.
    pub frames: BinaryArray,
    /// The rows that are refused, ascending. They are in no frame.
    pub rejects: Vec<RowReject>,
}

/// Where a codec is at work.
#[derive(Debug, Clone)]
pub struct CodecContext {
    /// The source or sink.
    pub node: NodeName,
    /// Which of the sink's writers; of a source, whose splits may be read by any, the single one.
    pub subtask: SubtaskId,
    /// The host's time.
    pub clock: Arc<dyn Clock>,
    /// Where the instance derives its seeds from.
    pub seeds: SeedSource,
}

/// A format as a connector knows it.
pub trait CodecFactory: Send + Sync + Debug {
    /// What it is, in a few words, for drawings of the plan: `plugin ticks (0123456789ab)`.
    fn label(&self) -> String;

    /// The columns of the rows that it reads. Pure.
    ///
    /// # Errors
    /// When it cannot read, or a plugin refuses its configuration or breaks the contract.
    fn decoded_schema(&self) -> Result<SchemaRef>;

    /// Makes the decoder of one split.
    ///
    /// # Errors
    /// When the instance cannot be made.
    fn decoder(&self, context: CodecContext) -> Result<Box<dyn FrameDecoder>>;

    /// Checks whether it writes rows of these columns. Pure.
    ///
    /// # Errors
    /// As [`CodecFactory::decoded_schema`], and when it takes no such rows.
    fn check_rows(&self, rows: &SchemaRef) -> Result<()>;

    /// Makes the encoder of one writer, for columns that [`CodecFactory::check_rows`] accepted.
    ///
    /// # Errors
    /// When the instance cannot be made.
    fn encoder(&self, rows: &SchemaRef, context: CodecContext) -> Result<Box<dyn FrameEncoder>>;
}

/// Reads frames, driven by one thread at a time. It keeps nothing between calls that rows depend on.
pub trait FrameDecoder: Send {
    /// Reads 1 frame or more. `end`: the stream ends with the last one. Uses some bytes at least, gives rows or rejects, or
    /// says that all bytes are the beginning of something that is not there yet.
    ///
    /// # Errors
    /// When the source cannot go on: what it was called with makes it fail, and nobody knows where the next record begins.
    fn decode(&mut self, framing: Framing, frames: &BinaryArray, end: bool) -> Result<DecodedFrames>;

    /// The end of a split that was read to its end. Default: nothing.
    ///
    /// # Errors
    /// When the codec fails once more.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Writes rows, driven by one thread at a time. It keeps nothing between calls that frames depend on.
pub trait FrameEncoder: Send {
    /// Writes one batch: 1 row or more.
    ///
    /// # Errors
    /// When the sink cannot go on.
    fn encode(&mut self, rows: &RecordBatch) -> Result<EncodedRows>;

    /// The end of a job that ends well. Default: nothing.
    ///
    /// # Errors
    /// When the codec fails once more.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
