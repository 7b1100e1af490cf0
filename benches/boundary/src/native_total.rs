//! The process of `plugins/running-total`, natively: the same values in the same keyed state.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use hashbrown::HashTable;
use volley_api::{
    Error, KeyCodec, KeyedState, Namespace, Operator, OperatorContext, Output, Result, RowCodec, StateKey, StreamRecord,
};

/// Where all values are.
const VALUES: Namespace = Namespace(0);

/// By the first column, the sum of the second one so far.
pub(crate) struct RunningTotal {
    keys: KeyCodec,
    values: RowCodec,
    state: Box<dyn KeyedState>,
    output: SchemaRef,
}

impl RunningTotal {
    pub(crate) fn new(context: &OperatorContext) -> Result<Self> {
        let key = context.input.field(0).clone();
        let output = Schema::new(vec![key.clone(), Field::new("total", DataType::Float64, true)]);
        Ok(Self {
            keys: KeyCodec::new(&[key.data_type().clone()])?,
            values: RowCodec::new([&DataType::Float64])?,
            state: context.open_state("total", "keys [key Int64]; value total Float64")?,
            output: Arc::new(output),
        })
    }
}

impl Operator for RunningTotal {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let column = record.batch.column(0);
        let rows = self.keys.encode(std::slice::from_ref(column))?;
        let keys = rows.keys();
        // Each key once, and where among these that of a row stands.
        let mut distinct: Vec<StateKey<'_>> = Vec::with_capacity(keys.len());
        let mut table: HashTable<usize> = HashTable::with_capacity(keys.len());
        let hash = |place: usize| rows.key(place).1;
        let mut firsts: Vec<usize> = Vec::with_capacity(keys.len());
        let mut places = Vec::with_capacity(keys.len());
        for (row, key) in keys.iter().enumerate() {
            let found = table.find(hash(row), |place| distinct[*place].key == key.key).copied();
            places.push(found.unwrap_or_else(|| {
                let place = distinct.len();
                distinct.push(*key);
                firsts.push(row);
                table.insert_unique(hash(row), place, |place| hash(firsts[*place]));
                place
            }));
        }
        let stored = self.state.get_many(VALUES, &distinct)?;
        let present = self.values.decode(stored.iter().flatten().map(|value| &value[..]))?;
        let mut present = present[0].as_primitive::<Float64Type>().values().iter();
        let next = |value: &Option<_>| value.as_ref().and_then(|_| present.next()).copied().unwrap_or_default();
        let mut sums: Vec<f64> = stored.iter().map(next).collect();
        let amounts = record.batch.column(1).as_primitive::<Float64Type>().values();
        let total = |(place, amount): (&usize, &f64)| {
            sums[*place] += amount;
            sums[*place]
        };
        let totals: ArrayRef = Arc::new(Float64Array::from_iter_values(places.iter().zip(amounts).map(total)));
        let sums: ArrayRef = Arc::new(Float64Array::from(sums));
        let bytes = self.values.encode(&[sums])?;
        let values: Vec<&[u8]> = bytes.iter().map(|row| row.data()).collect();
        self.state.put_many(VALUES, &distinct, &values)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.output), vec![Arc::clone(column), totals]);
        let batch = batch.map_err(|error| Error::internal(error.to_string()))?;
        output.emit(0, StreamRecord { batch, ..record })
    }
}
