//! `dedupe`: the first row of each key within a stretch of event time; repeats are dropped.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::row::{RowConverter, SortField};
use hashbrown::HashMap;
use volley_api::{
    EventTimeColumn, NodeName, Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result,
    StreamRecord, StreamType, Watermark,
};

use crate::Error;
use crate::keyed::{KeyTable, check_keys, unpacked};
use crate::time::ms;
use crate::window::text;

/// What is kept for a key beside its bytes.
const ENTRY_BYTES: usize = 48;
/// Memory of one subtask, unless it is set: 1 GiB.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Makes operators that drop repeats: a row goes when one of the same key was kept whose event time is less than `within`
/// away, before or after.
///
/// What is known of a key is forgotten once the watermark is `within` past the row that was kept, so a repeat that comes
/// later than that is kept. A null is a key like any other.
#[derive(Debug, Clone)]
pub struct DedupeFactory {
    by: Vec<String>,
    within: Duration,
    memory_bytes_max: usize,
}

impl DedupeFactory {
    /// Repeats are rows that agree in the columns `by`, less than `within` apart.
    #[must_use]
    pub fn new(by: Vec<String>, within: Duration) -> Self {
        Self { by, within, memory_bytes_max: MEMORY_BYTES_MAX }
    }

    /// The most memory that the keys of one subtask may take, in bytes. Default: 1 GiB.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    fn keys_of(&self, input: &SchemaRef) -> Result<Vec<usize>> {
        let index_of = |name: &String| {
            let known = input.fields().iter().map(|field| field.name().as_str());
            input.index_of(name).map_err(|_| Error::unknown_column("dedupe", name, known))
        };
        let columns = self.by.iter().map(index_of).collect::<std::result::Result<Vec<_>, _>>()?;
        check_keys(&fields(input, &columns))?;
        Ok(columns)
    }
}

fn fields(input: &SchemaRef, columns: &[usize]) -> Vec<FieldRef> {
    columns.iter().map(|&column| Arc::clone(&input.fields()[column])).collect()
}

impl OperatorFactory for DedupeFactory {
    fn label(&self) -> String {
        format!("dedupe by {} within {}", self.by.join(", "), text(self.within))
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let schema = Arc::clone(input);
        self.bind_stream(&StreamType { schema, event_time: None, is_bounded: true, is_revised: false })
    }

    fn bind_stream(&self, input: &StreamType) -> Result<OperatorBinding> {
        if self.by.is_empty() {
            return Err(Error::Window { problem: "there is no key: name at least one column".to_owned() }.into());
        }
        if self.within < Duration::from_millis(1) {
            let problem = format!("repeats within {:?} cannot be: give at least one millisecond", self.within);
            return Err(Error::Window { problem }.into());
        }
        let Some(event_time) = &input.event_time else {
            return Err(Error::NoEventTime { what: "dedupe".to_owned() }.into());
        };
        self.keys_of(&input.schema)?;
        let mut reads = self.by.clone();
        reads.push(event_time.name.to_string());
        Ok(OperatorBinding::single(Arc::clone(&input.schema), reads))
    }

    fn keys(&self) -> Option<&[String]> {
        Some(&self.by)
    }

    fn wants_coalesced_input(&self) -> bool {
        true
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let columns = self.keys_of(&context.input)?;
        let fields = fields(&context.input, &columns);
        let sorts = fields.iter().map(|field| SortField::new(unpacked(field.data_type()).clone())).collect();
        let Some(event_time) = context.event_time else {
            return Err(Error::NoEventTime { what: "dedupe".to_owned() }.into());
        };
        Ok(Box::new(Dedupe {
            node: context.node,
            types: fields.iter().map(|field| field.data_type().clone()).collect(),
            rows: RowConverter::new(sorts).map_err(internal)?,
            columns,
            event_time,
            within_ms: ms(self.within),
            memory_bytes_max: self.memory_bytes_max,
            kept: HashMap::new(),
            bytes: 0,
            swept_at: None,
        }))
    }
}

fn internal(error: arrow::error::ArrowError) -> volley_api::Error {
    volley_api::Error::internal("repeats cannot be told").caused_by(error)
}

struct Dedupe {
    node: NodeName,
    columns: Vec<usize>,
    types: Vec<arrow::datatypes::DataType>,
    rows: RowConverter,
    event_time: EventTimeColumn,
    within_ms: i64,
    memory_bytes_max: usize,
    /// The event time of the last row that was kept of each key.
    kept: HashMap<Box<[u8]>, i64>,
    /// Of the keys in `kept`.
    bytes: usize,
    /// The watermark at which keys were last forgotten.
    swept_at: Option<i64>,
}

impl Operator for Dedupe {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = record.compact().map_err(internal)?;
        let times = self.event_time.ms(&record.batch)?;
        let columns: Vec<ArrayRef> =
            self.columns.iter().map(|&column| Arc::clone(record.batch.column(column))).collect();
        let mut table = KeyTable::new(&self.types)?;
        let mut numbers = Vec::new();
        table.intern(&columns, &mut numbers)?;
        let keys = self.rows.convert_columns(&table.columns()?).map_err(internal)?;
        let mut last: Vec<Option<i64>> = keys.iter().map(|key| self.kept.get(key.as_ref()).copied()).collect();
        let within_ms = self.within_ms;
        let keep = BooleanBuffer::collect_bool(times.len(), |row| {
            // A row without event time, which a plugin can make, is no repeat of anything.
            let (true, last) = (times.is_valid(row), &mut last[numbers[row]]) else { return true };
            let time = times.value(row);
            let is_repeat = last.is_some_and(|last| (time - last).abs() < within_ms);
            if !is_repeat {
                *last = (*last).max(Some(time));
            }
            !is_repeat
        });
        for (key, last) in keys.iter().zip(last) {
            if let Some(last) = last
                && self.kept.insert(key.as_ref().into(), last).is_none()
            {
                self.bytes += key.as_ref().len() + ENTRY_BYTES;
            }
        }
        if self.bytes > self.memory_bytes_max {
            let error = Error::WindowMemory { bytes: self.bytes, keys: self.kept.len(), limit: self.memory_bytes_max };
            return Err(volley_api::Error::from(error).within(&self.node));
        }
        output.emit(0, record.narrow(&keep))
    }

    fn on_watermark(&mut self, watermark: Watermark, _: &mut dyn Output) -> Result<()> {
        let Watermark::AtMs(at) = watermark else { return Ok(()) };
        // Each sweep looks at every key, so one is made for half of what a key is kept for.
        if self.swept_at.is_some_and(|swept| at.saturating_sub(swept) < self.within_ms / 2) {
            return Ok(());
        }
        self.swept_at = Some(at);
        let Self { kept, bytes, within_ms, .. } = self;
        kept.retain(|key, last| {
            let stays = *last > at.saturating_sub(*within_ms);
            *bytes -= if stays { 0 } else { key.len() + ENTRY_BYTES };
            stays
        });
        Ok(())
    }
}
