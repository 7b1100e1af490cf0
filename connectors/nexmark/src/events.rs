//! All events in one table: a structure for each kind, of which each row has one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Fields};

use crate::column::{Column, date_time, text, time};
use crate::kind::EventKind;
use crate::model::Model;
use crate::texts::Texts;

pub(crate) static COLUMNS: [Column; 5] = [
    Column::new("event_type", text, |_, numbers| {
        let mut texts = Texts::new(numbers.len(), 4);
        for &n in numbers {
            let is = |kind: EventKind| kind.has(n);
            let name = if is(EventKind::Bids) {
                "bid"
            } else if is(EventKind::Auctions) {
                "auction"
            } else {
                "person"
            };
            texts.push(name);
            texts.end();
        }
        texts.finish()
    }),
    Column::new("person", || structure(EventKind::Persons), |model, numbers| rows(EventKind::Persons, model, numbers))
        .nullable(),
    Column::new(
        "auction",
        || structure(EventKind::Auctions),
        |model, numbers| rows(EventKind::Auctions, model, numbers),
    )
    .nullable(),
    Column::new("bid", || structure(EventKind::Bids), |model, numbers| rows(EventKind::Bids, model, numbers))
        .nullable(),
    Column::new("date_time", time, date_time),
];

/// A kind's table as one column. Its fields may be null, as they are in rows of other kinds.
fn fields(kind: EventKind) -> Fields {
    kind.columns().iter().map(|column| column.field().with_nullable(true)).collect()
}

fn structure(kind: EventKind) -> DataType {
    DataType::Struct(fields(kind))
}

/// Makes the rows of a kind, and nothing in between.
fn rows(kind: EventKind, model: &Model, numbers: &[u64]) -> ArrayRef {
    let of_kind: Vec<u64> = numbers.iter().copied().filter(|&n| kind.has(n)).collect();
    let mut rows = 0..;
    let places = UInt32Array::from_iter(numbers.iter().map(|&n| if kind.has(n) { rows.next() } else { None }));
    let spread = |column: &Column| {
        take(&column.make(model, &of_kind), &places, None).expect("every place is one of the rows just made")
    };
    let columns: Vec<ArrayRef> = kind.columns().iter().map(spread).collect();
    let nulls = places.nulls().cloned().filter(|nulls: &NullBuffer| nulls.null_count() > 0);
    Arc::new(StructArray::new(fields(kind), columns, nulls))
}
