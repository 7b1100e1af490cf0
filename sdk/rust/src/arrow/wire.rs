//! The messages that cross the boundary: one Schema or one RecordBatch, encapsulated, aligned, uncompressed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::Buffer;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_ipc::{MessageHeader, MetadataVersion};
use arrow_schema::{Schema as ArrowSchema, SchemaRef};

use super::ArrowError;
use super::types::crossing_schema;

/// Every buffer of a body starts at a multiple of this many bytes.
const ALIGNMENT_BYTES: usize = 64;
/// What an encapsulated message starts with.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Continuation marker and length of the metadata.
const PREFIX_BYTES: usize = 8;

/// Reads a Schema message, as the columns will cross (dictionaries unpacked, views plain).
pub(crate) fn read_schema(message: &[u8]) -> Result<SchemaRef, ArrowError> {
    let (metadata, _) = split(message, "Schema")?;
    let header = arrow_ipc::root_as_message(metadata).map_err(|error| malformed("Schema", &error))?;
    let schema = header.header_as_schema().ok_or_else(|| malformed("Schema", &"another kind of message"))?;
    Ok(Arc::new(crossing_schema(&arrow_ipc::convert::fb_to_schema(schema))))
}

/// Writes a Schema message.
pub(crate) fn write_schema(schema: &ArrowSchema) -> Result<Vec<u8>, ArrowError> {
    let options = write_options()?;
    let mut dictionaries = DictionaryTracker::new(false);
    let encoded =
        IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut dictionaries, &options);
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options)?;
    Ok(message)
}

/// Reads a RecordBatch message of a known schema. Buffers are views into `message` wherever they are aligned.
pub(crate) fn read_batch(message: Vec<u8>, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let message = Buffer::from_vec(message);
    let (metadata, body_start) = split(&message, "RecordBatch")?;
    let header = arrow_ipc::root_as_message(metadata).map_err(|error| malformed("RecordBatch", &error))?;
    if header.version() != MetadataVersion::V5 || header.header_type() != MessageHeader::RecordBatch {
        let found = format!("{:?} of version {:?}", header.header_type(), header.version());
        return Err(malformed("RecordBatch", &found));
    }
    let batch = header.header_as_record_batch().ok_or_else(|| malformed("RecordBatch", &"another kind of message"))?;
    let body = message.slice(body_start);
    let no_dictionaries = HashMap::new();
    Ok(read_record_batch(&body, batch, Arc::clone(schema), &no_dictionaries, None, &header.version())?)
}

/// Writes a RecordBatch message of a batch without dictionaries.
pub(crate) fn write_batch(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = write_options()?;
    let mut dictionaries = DictionaryTracker::new(false);
    let mut compression = CompressionContext::default();
    let (_, encoded) = IpcDataGenerator::default().encode(batch, &mut dictionaries, &options, &mut compression)?;
    let mut message = Vec::with_capacity(encoded.ipc_message.len() + encoded.arrow_data.len() + 2 * ALIGNMENT_BYTES);
    write_message(&mut message, encoded, &options)?;
    Ok(message)
}

/// Puts columns together as they cross: dictionaries become their values.
pub(crate) fn crossing_batch(
    schema: SchemaRef,
    columns: impl Iterator<Item = ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let columns = columns.map(unpack).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// A column with its dictionary, if it is one, replaced by the texts. [`DictionaryBuilder`](crate::build) is the only
/// way to make one, so keys, values and depth are known; a general `take` would double the size of a component.
fn unpack(column: ArrayRef) -> ArrayRef {
    match column.as_dictionary_opt::<Int32Type>() {
        None => column,
        Some(dictionary) => {
            let texts = dictionary.values().as_string::<i32>();
            // Keys are indices of values: the array was checked when it was made.
            let rows = dictionary.keys().iter().map(|key| key.map(|key| texts.value(key as usize)));
            Arc::new(rows.collect::<StringArray>())
        }
    }
}

/// The metadata of an encapsulated message, and where its body starts.
fn split<'a>(message: &'a [u8], wanted: &'static str) -> Result<(&'a [u8], usize), ArrowError> {
    let prefix: [u8; PREFIX_BYTES] =
        message.first_chunk().copied().ok_or_else(|| malformed(wanted, &format!("{} bytes", message.len())))?;
    let [a, b, c, d, length @ ..] = prefix;
    if [a, b, c, d] != CONTINUATION {
        return Err(malformed(wanted, &"no continuation marker"));
    }
    let metadata_bytes = u32::from_le_bytes(length) as usize;
    let rest = message.get(PREFIX_BYTES..).unwrap_or_default();
    let metadata = rest.get(..metadata_bytes).ok_or_else(|| {
        let found = format!("{metadata_bytes} bytes of metadata announced, {} there", rest.len());
        malformed(wanted, &found)
    })?;
    Ok((metadata, PREFIX_BYTES + metadata_bytes))
}

fn write_options() -> Result<IpcWriteOptions, ArrowError> {
    Ok(IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)?)
}

fn malformed(wanted: &'static str, found: &dyn std::fmt::Display) -> ArrowError {
    ArrowError::Message { wanted, found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field};

    use super::*;

    fn sample() -> RecordBatch {
        let schema = Arc::new(ArrowSchema::new(vec![Field::new("n", DataType::Int64, true)]));
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        RecordBatch::try_new(schema, vec![column]).unwrap()
    }

    #[test]
    fn messages_come_back_as_they_went() {
        let batch = sample();
        let schema = read_schema(&write_schema(&batch.schema()).unwrap()).unwrap();
        assert_eq!(schema, batch.schema());
        let message = write_batch(&batch).unwrap();
        assert_eq!(message.len() % ALIGNMENT_BYTES, 0);
        assert_eq!(read_batch(message, &schema).unwrap(), batch);
    }

    #[test]
    fn a_batch_without_columns_keeps_its_rows() {
        let schema: SchemaRef = Arc::new(ArrowSchema::empty());
        let batch = crossing_batch(Arc::clone(&schema), std::iter::empty(), 7).unwrap();
        let read = read_batch(write_batch(&batch).unwrap(), &schema).unwrap();
        assert_eq!((read.num_rows(), read.num_columns()), (7, 0));
    }

    #[test]
    fn broken_messages_are_refused() {
        let batch = sample();
        let message = write_batch(&batch).unwrap();
        for length in [0, 4, 7, 8, 40] {
            assert!(read_batch(message[..length].to_vec(), &batch.schema()).is_err(), "{length} bytes");
        }
        let schema = write_schema(&batch.schema()).unwrap();
        let error = read_batch(schema, &batch.schema()).unwrap_err().to_string();
        assert!(error.contains("RecordBatch") && error.contains("Schema"), "{error}");
        assert!(read_schema(&message).is_err());
    }
}
