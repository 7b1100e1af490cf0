//! Writing messages, by the encoder of arrow-ipc.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::writer::{
    CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message,
};

use crate::{Error, Result};

/// One schema as an encapsulated Schema message. The schema is in wire form (see [`crate::wire_schema`]).
///
/// # Errors
/// None that is known; the type is Arrow's.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options);
    write(encoded, &options)
}

/// One batch as an encapsulated RecordBatch message, without its schema. The batch is in wire form (see
/// [`crate::to_wire`]).
///
/// # Errors
/// When the batch has a dictionary, or does not fit in memory.
pub fn encode_batch(batch: &RecordBatch) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let mut compression = CompressionContext::default();
    let (dictionaries, encoded) =
        IpcDataGenerator::default().encode(batch, &mut tracker, &options, &mut compression)?;
    if !dictionaries.is_empty() {
        return Err(Error::Unsupported("a batch with dictionaries is not in wire form".to_owned()));
    }
    write(encoded, &options)
}

fn write(encoded: EncodedData, options: &IpcWriteOptions) -> Result<Vec<u8>> {
    // Prefix and padding of the metadata take less than two alignments.
    let mut bytes = Vec::with_capacity(encoded.ipc_message.len() + encoded.arrow_data.len() + 128);
    write_message(&mut bytes, encoded, options)?;
    Ok(bytes)
}
