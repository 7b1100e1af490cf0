//! A good message, and where in it the numbers are that a guest may lie about.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::{Message, root_as_message};
use volley_ipc::encode_batch;

/// Bytes before the metadata: the marker, and its length.
const PREFIX_BYTES: usize = 8;

/// A batch of so many rows as a message, with the places of its numbers.
pub(crate) struct Canned {
    pub(crate) bytes: Vec<u8>,
    /// Name and offset of each.
    pub(crate) places: Vec<(String, usize)>,
}

/// A schema from lines of `name: Type`, where a type reads as Arrow prints it: `Int64`, `non-null Utf8`,
/// `Timestamp(ms, "UTC")`.
pub(crate) fn schema(columns: &[String]) -> Schema {
    let field = |text: &String| {
        let (name, kind) = text.split_once(": ").unwrap_or_else(|| panic!("`{text}` is no `name: Type`"));
        let (kind, nullable) = kind.strip_prefix("non-null ").map_or((kind, true), |kind| (kind, false));
        let kind: DataType = kind.parse().unwrap_or_else(|error| panic!("{kind}: {error}"));
        Field::new(name, kind, nullable)
    };
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// The message of `rows` rows whose values are their numbers, or nulls where a type has none.
pub(crate) fn canned(schema: &Schema, rows: usize) -> Canned {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows)));
    let column = |field: &Arc<Field>| {
        cast(&numbers, field.data_type()).unwrap_or_else(|_| new_null_array(field.data_type(), rows))
    };
    let columns = schema.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(schema.clone()), columns, &options).expect("fits");
    let bytes = encode_batch(&batch).expect("encodes");
    let places = places(&bytes);
    Canned { bytes, places }
}

fn places(bytes: &[u8]) -> Vec<(String, usize)> {
    let length = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
    let metadata = &bytes[PREFIX_BYTES..][..usize::try_from(length).expect("small")];
    let message = root_as_message(metadata).expect("a message");
    let batch = message.header_as_record_batch().expect("a batch");
    let mut places = vec![("at_metadata_bytes".to_owned(), 4), ("at_body".to_owned(), PREFIX_BYTES + metadata.len())];
    let mut add = |name: &str, table: usize, field: u16| {
        // A number that is zero is not there at all.
        if field != 0 {
            places.push((name.to_owned(), PREFIX_BYTES + table + usize::from(field)));
        }
    };
    let (table, vtable) = (message._tab.loc(), message._tab.vtable());
    add("at_version", table, vtable.get(Message::VT_VERSION));
    add("at_kind", table, vtable.get(Message::VT_HEADER_TYPE));
    add("at_body_bytes", table, vtable.get(Message::VT_BODYLENGTH));
    let (table, vtable) = (batch._tab.loc(), batch._tab.vtable());
    add("at_rows", table, vtable.get(arrow::ipc::RecordBatch::VT_LENGTH));
    let offset = |address: usize| address - bytes.as_ptr().addr();
    for (index, node) in batch.nodes().into_iter().flatten().enumerate() {
        places.push((format!("at_node{index}"), offset(std::ptr::from_ref(node).addr())));
    }
    for (index, buffer) in batch.buffers().into_iter().flatten().enumerate() {
        places.push((format!("at_buffer{index}"), offset(std::ptr::from_ref(buffer).addr())));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_hold_what_their_names_say() {
        let schema = schema(&["y: Int64".to_owned(), "t: non-null Utf8".to_owned()]);
        let Canned { bytes, places } = canned(&schema, 3);
        let number = |name: &str| {
            let (_, at) = places.iter().find(|(found, _)| found == name).expect(name);
            i64::from_le_bytes(bytes[*at..][..8].try_into().expect("eight bytes"))
        };
        assert_eq!(number("at_rows"), 3);
        assert_eq!(number("at_node0"), 3);
        let body = places.iter().find(|(name, _)| name == "at_body").expect("there").1;
        assert_eq!(number("at_body_bytes"), i64::try_from(bytes.len() - body).expect("small"));
        let values = body + usize::try_from(number("at_buffer1")).expect("small");
        assert_eq!(bytes[values + 8..][..8], 1_i64.to_le_bytes(), "the second value");
    }
}
