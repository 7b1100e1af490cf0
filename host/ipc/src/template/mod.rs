//! The template encoder: the header of a schema's messages is made once, and each batch only fills in numbers.
//!
//! Almost everything in the header of a RecordBatch message follows from the schema: how many nodes and buffers there
//! are, and in which order. [`BatchTemplate`] has arrow-ipc encode one sample, remembers where its numbers stand, and
//! from then on writes row counts, null counts, offsets and lengths into a copy. The buffers of the columns are not
//! copied either: a [`BatchMessage`] refers to them until it is written to where it shall go, in one pass.

mod columns;
mod header;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use self::columns::Columns;
use self::header::Header;
use crate::Result;

/// The form of all messages of one schema. The schema is in wire form (see [`crate::wire_schema`]).
#[derive(Debug, Clone)]
pub struct BatchTemplate {
    header: Header,
    columns: usize,
}

/// One batch as an encapsulated RecordBatch message that has not been written down yet: a header, and references to the
/// buffers of the columns. Made to be kept and filled again, so that no memory is allocated per batch.
#[derive(Debug, Default)]
pub struct BatchMessage {
    header: Vec<u8>,
    body: Columns,
}

impl BatchTemplate {
    /// The template of a schema.
    ///
    /// # Errors
    /// When the schema is not in wire form.
    pub fn new(wire: &Schema) -> Result<Self> {
        Ok(Self { header: Header::of(wire)?, columns: wire.fields().len() })
    }

    /// Makes `message` the message of a batch, in place of whatever it was. What `batch` shares with other batches is
    /// not copied, and a slice is written as what it shows.
    ///
    /// # Errors
    /// When the batch is not of the template's schema. `message` is not to be written then.
    pub fn fill(&self, batch: &RecordBatch, message: &mut BatchMessage) -> Result<()> {
        message.body.clear();
        if batch.num_columns() != self.columns {
            return Err(header::not_of_the_template(batch.num_columns(), self.columns, "columns"));
        }
        for column in batch.columns() {
            message.body.append(column.as_ref())?;
        }
        self.header.fill(batch.num_rows(), &message.body, &mut message.header)
    }
}

impl BatchMessage {
    /// A message that was written down before: [`BatchMessage::to_vec`].
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { header: bytes, body: Columns::default() }
    }

    /// Bytes of the whole message: a multiple of 64, as the header and each buffer are.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.header.len() + self.body.size_bytes()
    }

    /// Writes the message down; each byte of a column is copied once.
    ///
    /// # Panics
    /// When `destination` has not exactly [`BatchMessage::size_bytes`] bytes.
    pub fn write_to(&self, destination: &mut [u8]) {
        let (header, body) = destination.split_at_mut(self.header.len());
        header.copy_from_slice(&self.header);
        self.body.write_to(body);
    }

    /// The message in memory of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size_bytes()];
        self.write_to(&mut bytes);
        bytes
    }

    /// Lets go of the batch, and keeps the memory for the next one.
    pub fn clear(&mut self) {
        self.header.clear();
        self.body.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray};
    use arrow::buffer::Buffer;

    use super::*;
    use crate::{GateLimits, decode_batch};

    const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 20, rows_max: 1 << 16, logical_bytes_max: 1 << 20 };

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|n| (n % 3 != 0).then_some(n))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("row {n}"))));
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]).expect("fits")
    }

    #[test]
    fn one_template_and_one_message_serve_many_batches() {
        let template = BatchTemplate::new(&batch(1).schema()).expect("wire form");
        let mut message = BatchMessage::default();
        for batch in [batch(0), batch(100), batch(3).slice(1, 2), batch(64).slice(7, 30), batch(1)] {
            template.fill(&batch, &mut message).expect("of the schema");
            let bytes = message.to_vec();
            assert!(bytes.len().is_multiple_of(64));
            let read = decode_batch(&Buffer::from(bytes), &batch.schema(), &LIMITS).expect("good");
            assert_eq!(read, batch);
        }
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let template = BatchTemplate::new(&Schema::empty()).expect("wire form");
        let mut message = BatchMessage::default();
        for rows in [0, 1, 8_192] {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).expect("rows");
            template.fill(&batch, &mut message).expect("of the schema");
            let read = decode_batch(&Buffer::from(message.to_vec()), &batch.schema(), &LIMITS).expect("good");
            assert_eq!(read.num_rows(), rows);
        }
    }

    #[test]
    fn a_batch_of_another_schema_is_refused() {
        let template = BatchTemplate::new(&batch(1).schema()).expect("wire form");
        let other = batch(1).project(&[0, 0]).expect("twice the same");
        let mut message = BatchMessage::default();
        assert!(template.fill(&other, &mut message).is_err(), "another number of buffers");
        assert!(template.fill(&batch(1).project(&[0]).expect("there"), &mut message).is_err());
    }
}
