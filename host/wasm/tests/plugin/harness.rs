//! One engine for all tests, and an output that remembers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{
    Clock, ManualClock, NodeName, Operator, OperatorContext, OperatorFactory, OriginColumn, OriginDirectory, Output,
    PortIndex, Positions, Result, RowReject, SeedSource, SplitId, StreamRecord, SubtaskId,
};
use volley_wasm::{
    CompileIn, Crossing, EngineSettings, OnError, Plugin, PluginEngine, PluginFactory, PluginLimits, PluginOptions,
};

static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
    PluginEngine::new(&EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) })
        .expect("starts")
});

pub(crate) fn engine() -> &'static Arc<PluginEngine> {
    &ENGINE
}

pub(crate) fn load(component: &[u8]) -> volley_wasm::Result<Arc<Plugin>> {
    Plugin::from_bytes(engine(), "canned", component)
}

/// A clock that is later by half a second whenever it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        1_234 + 500 * self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// `x: Int64, name: Utf8`.
pub(crate) fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true), Field::new("name", DataType::Utf8, true)]))
}

/// One nullable Int64 column.
pub(crate) fn numbers_schema(name: &str) -> Schema {
    Schema::new(vec![Field::new(name, DataType::Int64, true)])
}

/// Rows `x = 0..rows`, with origins from position 100 on.
pub(crate) fn input(rows: usize) -> StreamRecord {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("row {row}"))));
    let batch = RecordBatch::try_new(input_schema(), vec![numbers, names]).expect("fits");
    StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &Positions::From(100), rows))
}

/// Knows the one split that [`input`] pretends to come from.
fn directory() -> OriginDirectory {
    let directory = OriginDirectory::new();
    directory.register(&NodeName::new("flights").expect("a name"), &SplitId::new("a.csv"));
    directory
}

/// How an operator is set up.
pub(crate) struct Setup {
    pub(crate) limits: PluginLimits,
    pub(crate) on_error: OnError,
    pub(crate) errors_attached: bool,
    pub(crate) crossing: Crossing,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: PluginLimits::default(),
            on_error: OnError::Fail,
            errors_attached: true,
            crossing: Crossing::Direct,
        }
    }
}

impl Setup {
    pub(crate) fn factory(&self, component: &[u8]) -> Result<PluginFactory> {
        let options = PluginOptions {
            config: serde_json::json!({"limit": 3}),
            limits: self.limits.clone(),
            on_error: self.on_error,
            crossing: self.crossing,
            ..PluginOptions::default()
        };
        Ok(PluginFactory::new(load(component)?, options))
    }

    pub(crate) fn operator(&self, component: &[u8]) -> Result<Box<dyn Operator>> {
        self.create(&self.factory(component)?)
    }

    pub(crate) fn create(&self, factory: &PluginFactory) -> Result<Box<dyn Operator>> {
        factory.bind(&input_schema())?;
        factory.create(OperatorContext {
            node: NodeName::new("node").expect("a name"),
            subtask: SubtaskId::SINGLE,
            input: input_schema(),
            event_time: None,
            state: Arc::new(volley_api::NoState),
            restored: Default::default(),
            errors_attached: self.errors_attached,
            clock: Arc::new(ManualClock::at(1_234)),
            seeds: SeedSource::new(1),
            origins: directory(),
        })
    }

    /// Runs one record through a fresh instance, by either crossing: results and errors must be the same.
    pub(crate) fn run(&self, component: &[u8], record: StreamRecord) -> Result<Collected> {
        let by = |crossing| Self { limits: self.limits.clone(), crossing, ..*self }.run_once(component, record.clone());
        let (direct, stock) = (by(Crossing::Direct), by(Crossing::Stock));
        assert_eq!(without_times(&direct), without_times(&stock));
        direct
    }

    fn run_once(&self, component: &[u8], record: StreamRecord) -> Result<Collected> {
        let mut collected = Collected::default();
        let mut operator = self.operator(component)?;
        operator.process(record, &mut collected)?;
        operator.finish(&mut collected)?;
        Ok(collected)
    }

    /// The error that one record causes.
    pub(crate) fn error(&self, component: &[u8]) -> volley_api::Error {
        match self.run(component, input(3)) {
            Ok(collected) => panic!("no error but {collected:?}"),
            Err(error) => error,
        }
    }
}

/// A result in words, without how long something took.
fn without_times(result: &Result<Collected>) -> String {
    let text = result.as_ref().map_or_else(ToString::to_string, |collected| format!("{collected:?}"));
    text.split(' ').filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
}

/// What an operator put out.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) rows: Vec<(PortIndex, StreamRecord)>,
    pub(crate) rejects: Vec<RowReject>,
}

impl Output for Collected {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()> {
        self.rows.push((port, record.compact().expect("compacts")));
        Ok(())
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        assert!(input.selection.is_none(), "compacted");
        assert!(rejects.iter().all(|reject| reject.row < input.batch.num_rows()));
        // Rejects come part by part; what tests ask for is the row of the whole record that `input` made.
        let origins = input.origins.as_ref().expect("carried");
        self.rejects.extend(rejects.into_iter().map(|reject| {
            let row = usize::try_from(origins.get(reject.row).position - 100).expect("positions begin at 100");
            RowReject { row, ..reject }
        }));
        Ok(())
    }
}

impl Collected {
    /// A number column of everything that left through a port.
    pub(crate) fn numbers(&self, port: PortIndex, column: &str) -> Vec<i64> {
        let of_port = self.rows.iter().filter(|(index, _)| *index == port);
        let column = of_port.map(|(_, record)| record.batch.column_by_name(column).expect("in the schema"));
        column.flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    /// The positions of everything that left through a port.
    pub(crate) fn positions(&self, port: PortIndex) -> Vec<i64> {
        let of_port = self.rows.iter().filter(|(index, _)| *index == port);
        of_port
            .flat_map(|(_, record)| {
                let origins = record.origins.as_ref().expect("carried");
                assert_eq!(origins.len(), record.batch.num_rows());
                (0..origins.len()).map(|row| origins.get(row).position).collect::<Vec<_>>()
            })
            .collect()
    }

    pub(crate) fn rejected_rows(&self) -> Vec<usize> {
        self.rejects.iter().map(|reject| reject.row).collect()
    }
}
