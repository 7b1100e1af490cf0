//! Looking at keyed state: what the bytes of a checkpoint's entries are, column by column, told by the operator that wrote them.

use std::collections::HashSet;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::temporal_conversions::timestamp_ms_to_datetime;

use crate::{Error, Namespace, Result, StateEntry, panic_text};

/// Stands before the name of a column where another one, or the key, has that name.
const OTHER_PREFIX: &str = "state_";

/// One state of an operator, as people and tools may look at it.
#[derive(Debug, Clone)]
pub struct StateView {
    name: String,
    kind: String,
    layout: Arc<str>,
    namespaces: RangeInclusive<Namespace>,
    schema: SchemaRef,
    decoder: Arc<dyn StateDecoder>,
}

/// Turns entries into rows. Implemented beside what writes them, so that both change together.
pub trait StateDecoder: Send + Sync + Debug {
    /// The rows of entries of the view's namespaces: none, one or many for each.
    ///
    /// # Errors
    /// When an entry is not of the view's layout. Which one need not be said.
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows>;
}

/// Rows of state.
#[derive(Debug, Clone)]
pub struct StateRows {
    /// For each row the index of the entry that it is of.
    pub entries: Vec<usize>,
    /// The columns of the view, in its order.
    pub columns: Vec<ArrayRef>,
}

impl StateRows {
    /// One row for each entry.
    #[must_use]
    pub fn one_each(entries: &[StateEntry], columns: Vec<ArrayRef>) -> Self {
        Self { entries: (0..entries.len()).collect(), columns }
    }
}

impl StateView {
    /// The state of that name, in a layout as [`crate::StatePart::layout`] has it. `kind` says in a few words what it is.
    ///
    /// Its columns are the key and the others; one of these whose name is taken gets `state_` before it. All may be null.
    #[must_use]
    pub fn new(
        name: &str,
        kind: &str,
        layout: &Arc<str>,
        keys: &[FieldRef],
        others: impl IntoIterator<Item = FieldRef>,
        decoder: Arc<dyn StateDecoder>,
    ) -> Self {
        let (mut taken, mut fields) = (HashSet::new(), Vec::new());
        for field in keys.iter().cloned().chain(others) {
            let mut name = field.name().clone();
            while !taken.insert(name.clone()) {
                name.insert_str(0, OTHER_PREFIX);
            }
            fields.push(Field::new(name, field.data_type().clone(), true));
        }
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            layout: Arc::clone(layout),
            namespaces: Namespace(i64::MIN)..=Namespace(i64::MAX),
            schema: Arc::new(Schema::new(fields)),
            decoder,
        }
    }

    /// Only entries of these namespaces are looked at; what lies in others is the operator's own bookkeeping.
    #[must_use]
    pub fn within(mut self, namespaces: RangeInclusive<Namespace>) -> Self {
        self.namespaces = namespaces;
        self
    }

    /// Its name among the states of the operator.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The layout of parts that it can read.
    #[must_use]
    pub fn layout(&self) -> &Arc<str> {
        &self.layout
    }

    /// The columns of its rows; the key comes first.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether an entry is one of those that are looked at.
    #[must_use]
    pub fn shows(&self, entry: &StateEntry) -> bool {
        self.namespaces.contains(&entry.namespace)
    }

    /// The rows of entries that it [`shows`](StateView::shows), and for each the index of its entry.
    ///
    /// # Errors
    /// When an entry is not of its layout, whatever its bytes are.
    pub fn decode(&self, entries: &[StateEntry]) -> Result<(Vec<usize>, RecordBatch)> {
        // Arrow's row format asserts what it reads.
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decoder.decode(entries)));
        let StateRows { entries: of, columns } = decoded.map_err(|panic| {
            let what = panic_text(&*panic).unwrap_or_else(|| "they end too early".to_owned());
            Error::external(format!("the bytes are not of the layout: {what}"))
        })??;
        let fits = |error| Error::external("the rows of a state are not of its columns").caused_by(error);
        let fields = self.schema.fields().iter().zip(columns);
        let columns = fields.map(|(field, column)| match column.data_type() == field.data_type() {
            true => Ok(column),
            false => cast(&column, field.data_type()),
        });
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(fits)?;
        let options = RecordBatchOptions::new().with_row_count(Some(of.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(fits)?;
        Ok((of, batch))
    }

    /// A column of times, for [`StateView::new`].
    #[must_use]
    pub fn time(name: &str) -> FieldRef {
        Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true))
    }

    /// Values of such a column, in milliseconds since 1970; null where the calendar has no such time.
    #[must_use]
    pub fn times(ms: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
        let ms = ms.into_iter().map(|ms| ms.filter(|ms| timestamp_ms_to_datetime(*ms).is_some()));
        Arc::new(ms.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Array};
    use arrow::datatypes::TimestampMillisecondType;
    use bytes::Bytes;

    use super::*;
    use crate::{KeyGroup, RowCodec};

    #[derive(Debug)]
    struct Rows(RowCodec);

    impl StateDecoder for Rows {
        fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
            let keys = self.0.decode(entries.iter().map(|entry| &entry.key[..]))?;
            Ok(StateRows::one_each(entries, [keys, vec![StateView::times([Some(5)])]].concat()))
        }
    }

    fn view() -> StateView {
        let key = Arc::new(Field::new("at", DataType::Int64, false));
        let decoder = Rows(RowCodec::new([&DataType::Int64]).expect("a codec"));
        StateView::new("s", "a test", &"x".into(), &[key], [StateView::time("at")], Arc::new(decoder))
            .within(Namespace(0)..=Namespace(0))
    }

    fn entry(namespace: i64, key: &[u8]) -> StateEntry {
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::new());
        StateEntry { group: KeyGroup(0), namespace: Namespace(namespace), key, value }
    }

    #[test]
    fn names_are_told_apart_and_other_bytes_are_an_error() {
        let view = view();
        let names: Vec<&str> = view.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["at", "state_at"]);
        assert!(view.shows(&entry(0, b"")) && !view.shows(&entry(1, b"")));
        let codec = RowCodec::new([&DataType::Int64]).expect("a codec");
        let rows = codec.encode(&[Arc::new(Int64Array::from(vec![7]))]).expect("rows");
        let (of, batch) = view.decode(&[entry(0, rows.row(0).data())]).expect("a row");
        assert_eq!((of, batch.num_rows()), (vec![0], 1));
        for bytes in [&b""[..], b"\x01", b"\x01\0\0\0"] {
            assert!(view.decode(&[entry(0, bytes)]).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_null() {
        let times = StateView::times([Some(0), None, Some(i64::MAX), Some(i64::MIN)]);
        assert_eq!(times.as_primitive::<TimestampMillisecondType>().value(0), 0);
        assert_eq!((1..4).filter(|row| times.is_null(*row)).count(), 3);
    }
}
