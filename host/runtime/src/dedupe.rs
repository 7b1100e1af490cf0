//! `dedupe`: the first row of each key within a stretch of event time; repeats are dropped.

mod kept;
mod view;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use volley_api::{
    EventTimeColumn, KeyedSnapshot, NodeName, Operator, OperatorBinding, OperatorContext, OperatorFactory, Output,
    Result, StateOptions, StateView, StreamRecord, StreamType, Watermark,
};

use self::kept::{KEPT, Kept};
use crate::Error;
use crate::keyed::{KeyCodec, KeyTable, check_keys, check_restored, unpacked};
use crate::time::ms;
use crate::window::{listed, text};

/// Memory of one subtask, unless it is set: 1 GiB.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Makes operators that drop repeats: a row goes when one of the same key was kept whose event time is less than `within`
/// away, before or after.
///
/// What is known of a row is forgotten once the watermark has passed every row that it could refuse, which is less than
/// twice `within` after it, so a repeat that comes later than that may be kept. A null is a key like any other.
#[derive(Debug, Clone)]
pub struct DedupeFactory {
    by: Vec<String>,
    within: Duration,
    memory_bytes_max: usize,
    cache_entries_max: Option<NonZeroUsize>,
}

impl DedupeFactory {
    /// Repeats are rows that agree in the columns `by`, less than `within` apart.
    #[must_use]
    pub fn new(by: Vec<String>, within: Duration) -> Self {
        Self { by, within, memory_bytes_max: MEMORY_BYTES_MAX, cache_entries_max: None }
    }

    /// The most memory that the keys of one subtask may take, in bytes. Default: 1 GiB.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// The most entries of its state that a backend on disk keeps in memory in front of it, in each subtask. Default: no bound
    /// but that on its bytes.
    #[must_use]
    pub fn with_max_cache_entries(mut self, entries: NonZeroUsize) -> Self {
        self.cache_entries_max = Some(entries);
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

    /// In words, how what is kept by these keys is laid out.
    fn layout(&self, keys: &[FieldRef]) -> Arc<str> {
        format!("keys [{}]; within {} ms; rows-1", listed(keys), ms(self.within)).into()
    }
}

/// Columns as keys are kept: what dictionaries hold.
fn kept_fields(fields: &[FieldRef]) -> Vec<FieldRef> {
    let field = |field: &FieldRef| {
        let data_type = unpacked(field.data_type()).clone();
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    fields.iter().map(field).collect()
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

    fn state_views(&self, input: &StreamType) -> Result<Vec<StateView>> {
        let keys = kept_fields(&fields(&input.schema, &self.keys_of(&input.schema)?));
        let types: Vec<DataType> = keys.iter().map(|field| field.data_type().clone()).collect();
        Ok(vec![view::view(&keys, KeyCodec::new(&types)?, &self.layout(&keys))])
    }

    fn wants_coalesced_input(&self) -> bool {
        true
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let columns = self.keys_of(&context.input)?;
        let fields = fields(&context.input, &columns);
        let Some(event_time) = context.event_time.clone() else {
            return Err(Error::NoEventTime { what: "dedupe".to_owned() }.into());
        };
        check_restored(&context, &[KEPT])?;
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let layout = self.layout(&kept_fields(&fields));
        let context = Arc::new(context);
        let options = StateOptions { cache_entries_max: self.cache_entries_max, ..StateOptions::default() };
        Ok(Box::new(Dedupe {
            node: context.node.clone(),
            columns,
            event_time,
            memory_bytes_max: self.memory_bytes_max,
            held_back_bytes_max: context.state.held_back_bytes_max().map(|bytes| bytes.min(self.memory_bytes_max)),
            kept: Kept::new(&context, &layout, KeyCodec::new(&types)?, ms(self.within), options)?,
            types,
        }))
    }
}

fn internal(error: arrow::error::ArrowError) -> volley_api::Error {
    volley_api::Error::internal("repeats cannot be told").caused_by(error)
}

struct Dedupe {
    node: NodeName,
    columns: Vec<usize>,
    types: Vec<DataType>,
    event_time: EventTimeColumn,
    memory_bytes_max: usize,
    /// Beyond so many bytes, what is recent goes to keyed state; `None` where that would not free memory.
    held_back_bytes_max: Option<usize>,
    kept: Kept,
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
        let keys = self.kept.codec().bytes(&table.columns()?)?;
        let keep = self.kept.keep(&keys, &numbers, &times)?;
        if self.held_back_bytes_max.is_some_and(|limit| self.kept.memory_bytes() > limit) {
            self.kept.drain()?;
        }
        let bytes = self.kept.memory_bytes();
        if bytes > self.memory_bytes_max {
            let error = Error::DedupeMemory { bytes, keys: self.kept.len(), limit: self.memory_bytes_max };
            return Err(volley_api::Error::from(error).within(&self.node));
        }
        output.emit(0, record.narrow(&keep))
    }

    fn on_watermark(&mut self, watermark: Watermark, _: &mut dyn Output) -> Result<()> {
        match watermark {
            Watermark::AtMs(at_ms) => self.kept.forget(at_ms),
            Watermark::End => self.kept.forget(i64::MAX),
        }
    }

    fn snapshot(&mut self) -> Result<Vec<KeyedSnapshot>> {
        Ok(vec![self.kept.snapshot()?])
    }
}
