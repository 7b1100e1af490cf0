//! The columns that a keyed operator needs of its input.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{EventTimeColumn, Result, StreamRecord, StreamType};

use crate::Error;
use crate::keyed::{check_keys, unpacked};

/// Keys, arguments of aggregates and event time, and where they stand.
#[derive(Debug, Clone)]
pub(crate) struct KeyedInput {
    /// Those columns alone.
    pub(crate) schema: SchemaRef,
    /// Their indices in the whole input.
    columns: Vec<usize>,
    /// Indices of the keys in `schema`.
    keys: Vec<usize>,
}

impl KeyedInput {
    /// `reads` are the columns that aggregates look at; `event_time` is the one by which rows are cut into windows.
    pub(crate) fn new(
        stream: &StreamType,
        keys: &[String],
        reads: &[String],
        event_time: Option<&EventTimeColumn>,
    ) -> Result<Self> {
        let input = &stream.schema;
        let index_of = |role: &'static str, name: &str| {
            let known = input.fields().iter().map(|field| field.name().as_str());
            input.index_of(name).map_err(|_| Error::unknown_column(role, name, known))
        };
        let key_indices = keys.iter().map(|key| index_of("key", key)).collect::<std::result::Result<Vec<_>, _>>()?;
        check_keys(&key_indices.iter().map(|&key| Arc::clone(&input.fields()[key])).collect::<Vec<_>>())?;
        let mut needed: BTreeSet<usize> = key_indices.iter().copied().collect();
        for name in reads {
            needed.insert(index_of("aggregate", name)?);
        }
        if let Some(event_time) = event_time {
            needed.insert(index_of("event time", &event_time.name)?);
        }
        let columns: Vec<usize> = needed.into_iter().collect();
        let fields: Vec<FieldRef> = columns.iter().map(|&column| Arc::clone(&input.fields()[column])).collect();
        let place = |key: &usize| columns.iter().position(|column| column == key);
        let keys = key_indices.iter().filter_map(place).collect();
        Ok(Self { schema: Arc::new(Schema::new(fields)), columns, keys })
    }

    /// Those columns of the live rows of a record.
    pub(crate) fn of_live(&self, record: StreamRecord) -> Result<StreamRecord> {
        let columns = self.columns.iter().map(|&column| Arc::clone(record.batch.column(column))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(record.batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        // Where rows came from is not needed here; the whole record has it, for those that are refused.
        let record = StreamRecord { origins: None, ..record };
        batch.and_then(|batch| record.with_columns_of(batch).compact()).map_err(internal)
    }

    /// The keys of a batch of [`KeyedInput::of_live`].
    pub(crate) fn keys_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect()
    }

    /// The fields of the keys in a result: dictionaries are unpacked there.
    pub(crate) fn key_fields(&self) -> Vec<FieldRef> {
        let field = |&key: &usize| {
            let field = self.schema.field(key);
            Arc::new(field.clone().with_data_type(unpacked(field.data_type()).clone()))
        };
        self.keys.iter().map(field).collect()
    }

    /// How many columns are keys.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The types of the keys as they come in.
    pub(crate) fn key_types(&self) -> Vec<arrow::datatypes::DataType> {
        self.keys.iter().map(|&key| self.schema.field(key).data_type().clone()).collect()
    }

    /// Names of all columns that are needed.
    pub(crate) fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }
}

/// An error of Arrow's where everything was checked.
pub(crate) fn internal(error: ArrowError) -> volley_api::Error {
    volley_api::Error::internal("rows cannot be put into windows").caused_by(error)
}
