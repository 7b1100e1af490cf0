//! Codecs that somebody brings, at the two ends of a file.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BinaryArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use volley_api::{
    CodecContext, CodecFactory, FrameDecoder, FrameEncoder, NodeName, SeedSource, SinkContext, SubtaskId, SystemClock,
    dead_letter,
};

use crate::{Error, FileFormat};

/// The most characters of a refused row that a message shows.
const ROW_CHARS_SHOWN: usize = 512;

/// The codec of a source.
#[derive(Debug, Clone)]
pub struct SourceCodec {
    /// The source that it reads for.
    pub node: NodeName,
    /// Makes its instances.
    pub factory: Arc<dyn CodecFactory>,
}

impl SourceCodec {
    /// What it is, in a few words.
    pub(crate) fn label(&self) -> String {
        self.factory.label()
    }

    /// An instance for one split. Its random numbers depend on the split, and not on who reads it.
    pub(crate) fn open(&self, split: &str) -> Result<Box<dyn FrameDecoder>, Error> {
        let seeds = SeedSource::new(SeedSource::new(0).derive(&[split.as_bytes()]));
        let (node, clock) = (self.node.clone(), Arc::new(SystemClock));
        let context = CodecContext { node, subtask: SubtaskId::SINGLE, clock, seeds };
        self.factory.decoder(context).map_err(|error| Error::codec(split, error))
    }
}

/// A codec and the format that asks for it come together or not at all.
pub(crate) fn check(format: Option<FileFormat>, has_codec: bool) -> Result<(), Error> {
    match (format, has_codec) {
        (Some(FileFormat::Plugin), false) => Err(Error::Options(
            "`format: { plugin: … }` needs a host that runs plugins, and nobody has loaded this one".to_owned(),
        )),
        (Some(FileFormat::Plugin), true) | (_, false) => Ok(()),
        (_, true) => Err(Error::Broken("a codec was brought for a format that needs none".to_owned())),
    }
}

/// The codec of a sink; at work once a writer has opened it. Clones are the same instance.
#[derive(Clone)]
pub(crate) struct SinkCodec {
    factory: Arc<dyn CodecFactory>,
    encoder: Option<Arc<Mutex<Box<dyn FrameEncoder>>>>,
}

impl fmt::Debug for SinkCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkCodec").field("factory", &self.factory).finish_non_exhaustive()
    }
}

impl SinkCodec {
    pub(crate) fn new(factory: Arc<dyn CodecFactory>) -> Self {
        Self { factory, encoder: None }
    }

    /// What it is, in a few words.
    pub(crate) fn label(&self) -> String {
        self.factory.label()
    }

    /// Whether it writes rows of these columns.
    pub(crate) fn check(&self, rows: &SchemaRef) -> Result<(), Error> {
        self.factory.check_rows(rows).map_err(|error| Error::codec("`format`", error))
    }

    /// The same codec with an instance for one writer.
    pub(crate) fn open(&self, context: &SinkContext) -> Result<Self, Error> {
        let (node, clock) = (context.node.clone(), Arc::clone(&context.clock));
        let seeds = SeedSource::new(0);
        let made = self.factory.encoder(&context.input, CodecContext { node, subtask: context.subtask, clock, seeds });
        let encoder = made.map_err(|error| Error::codec(format!("sink `{}`", context.node), error))?;
        Ok(Self { factory: Arc::clone(&self.factory), encoder: Some(Arc::new(Mutex::new(encoder))) })
    }

    /// The frames of a batch. A row that is refused is an error: a sink has nobody to give it to.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> volley_api::Result<BinaryArray> {
        let encoder = self.encoder.as_ref().ok_or_else(|| volley_api::Error::internal("a codec that is not open"))?;
        let encoded = encoder.lock().unwrap_or_else(PoisonError::into_inner).encode(batch)?;
        let Some(reject) = encoded.rejects.first() else { return Ok(encoded.frames) };
        let row: String = shown(batch, reject.row).chars().take(ROW_CHARS_SHOWN).collect();
        Err(volley_api::Error::data(format!(
            "the codec refuses a row: {}: {} (row: {row}). Keep such rows away with a `filter` before the sink",
            reject.code, reject.message
        )))
    }
}

fn shown(batch: &RecordBatch, row: usize) -> String {
    use arrow::array::AsArray;
    match dead_letter::rows_as_json(&batch.slice(row, 1)) {
        Ok(text) => text.as_string::<i32>().value(0).to_owned(),
        Err(error) => format!("(not shown: {error})"),
    }
}
