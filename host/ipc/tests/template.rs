//! The template encoder against arrow-ipc: whatever it writes, a stock reader reads as what went in.

mod support;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::ipc::reader::StreamReader;
use proptest::prelude::*;
use support::arbitrary::wire_batches;
use volley_ipc::{BatchMessage, BatchTemplate, encode_batch, encode_schema, to_wire, wire_schema};

/// What a stock reader makes of one message behind its schema.
fn read(batch: &RecordBatch, message: &[u8]) -> RecordBatch {
    let mut stream = encode_schema(&batch.schema()).expect("encodes");
    stream.extend_from_slice(message);
    let mut reader = StreamReader::try_new(stream.as_slice(), None).expect("a stream");
    let read = reader.next().expect("one batch").expect("readable");
    assert!(reader.next().is_none(), "nothing behind it");
    for column in read.columns() {
        column.to_data().validate_full().expect("valid");
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stock_reader_reads_what_the_template_writes(
        seed: u64,
        shapes in prop::collection::vec((0usize..90, 0usize..20, 0usize..90), 1..5),
    ) {
        let first = support::batch(1, seed);
        let wire = Arc::new(wire_schema(&first.schema()).expect("all types cross"));
        let template = BatchTemplate::new(&wire).expect("wire form");
        let mut message = BatchMessage::default();
        for (rows, skip, length) in shapes {
            let batch = to_wire(&support::batch(rows, seed), &wire).expect("converts");
            let skip = skip.min(rows);
            for batch in [batch.clone(), batch.slice(skip, length.min(rows - skip))] {
                template.fill(&batch, &mut message).expect("of the schema");
                let bytes = message.to_vec();
                prop_assert_eq!(bytes.len(), message.size_bytes());
                prop_assert_eq!(read(&batch, &bytes), batch.clone());
                // Not byte for byte: a slice keeps its bits and offsets where arrow-ipc may write them anew.
                prop_assert!(bytes.len() <= encode_batch(&batch).expect("encodes").len() + 64 * batch.num_columns());
            }
        }
    }

    #[test]
    fn so_it_does_for_schemas_of_any_shape(batch in wire_batches(), skip in 0usize..20) {
        let template = BatchTemplate::new(&batch.schema()).expect("wire form");
        let mut message = BatchMessage::default();
        let skip = skip.min(batch.num_rows());
        for batch in [batch.clone(), batch.slice(skip, batch.num_rows() - skip)] {
            template.fill(&batch, &mut message).expect("of the schema");
            prop_assert_eq!(read(&batch, &message.to_vec()), batch);
        }
    }
}
