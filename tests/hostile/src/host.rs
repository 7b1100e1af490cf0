//! The hosts that guests of one run meet: an engine each, and jobs of one operator.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{
    EventTimeColumn, ManualClock, NodeName, Operator, OperatorContext, OperatorFactory, OperatorState, OriginColumn,
    OriginDirectory, Output, PortIndex, Positions, Result, RowReject, SeedSource, SplitId, StreamRecord, StreamType,
    SubtaskId,
};
use volley_state::MemoryBackend;
use volley_wasm::{
    CompileIn, CompileLimits, EngineSettings, OnError, OnNoValue, Plugin, PluginCodec, PluginEngine, PluginFactory,
    PluginKind, PluginLimits, PluginMetrics, PluginOptions, PluginScalar,
};

use crate::component::{POISON, good};
use crate::directives::Drive;
use crate::values;

/// State that all of a job may have, in bytes.
const STATE_BYTES_MAX: usize = 4 << 20;

/// How a job runs a guest.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) limits: PluginLimits,
    pub(crate) on_error: OnError,
    /// State that all of the job may have, in bytes.
    pub(crate) state_bytes: usize,
    pub(crate) drive: Drive,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            limits: PluginLimits::default(),
            on_error: OnError::Fail,
            state_bytes: STATE_BYTES_MAX,
            drive: Drive::default(),
        }
    }
}

/// One engine, with a good plugin in it: a guest that harmed it would harm all that follow.
pub(crate) struct Host {
    engine: Arc<PluginEngine>,
    good: Arc<Plugin>,
}

impl Host {
    fn new(compile: CompileIn, compile_limits: CompileLimits) -> Self {
        let settings = EngineSettings { cache_dir: None, compile_limits, ..EngineSettings::new(compile) };
        let engine = PluginEngine::new(&settings).expect("starts");
        let good = Plugin::from_bytes(&engine, "neighbour", &good()).expect("loads");
        Self { engine, good }
    }

    /// The host that nearly all guests meet. It compiles in its own process, for their code is quick to compile.
    pub(crate) fn common() -> &'static Self {
        static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(CompileIn::ThisProcess, CompileLimits::default()));
        &HOST
    }

    /// A host that compiles in a child, as `volley-host` does, and lets a component have so much processor time.
    pub(crate) fn with_child(compiler: &Path, cpu: Duration) -> Self {
        let child = CompileIn::Child { program: compiler.to_owned(), arguments: Vec::new() };
        Self::new(child, CompileLimits { cpu, ..CompileLimits::default() })
    }
}

/// `x: Int64, name: Utf8`.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true), Field::new("name", DataType::Utf8, true)]))
}

/// Rows `x = 0..rows`, but for the poisoned one, at positions from 0 on; the texts have as many bytes as are asked for.
pub(crate) fn input(rows: usize, poison: Option<usize>, text_bytes: Option<usize>) -> StreamRecord {
    let number = |row: usize| if poison == Some(row) { POISON } else { i64::try_from(row).expect("small") };
    let text = |row: usize| text_bytes.map_or_else(|| format!("row {row}"), |bytes| "x".repeat(bytes));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(number)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(text)));
    let batch = RecordBatch::try_new(schema(), vec![numbers, texts]).expect("fits");
    StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &Positions::From(0), rows))
}

/// A plugin on its way through the life of a job.
pub(crate) struct Job {
    made: Made,
    errors_attached: bool,
    state_bytes: usize,
    drive: Drive,
}

/// What makes the operator; of what is none, one that calls it.
enum Made {
    Operator(PluginFactory),
    Scalar(PluginScalar),
    Codec(PluginCodec),
}

impl Job {
    pub(crate) fn load(host: &Host, bytes: &[u8], terms: Terms) -> Result<Self> {
        Ok(Self::of(Plugin::from_bytes(&host.engine, "guest", bytes)?, terms))
    }

    fn of(plugin: Arc<Plugin>, terms: Terms) -> Self {
        let Terms { limits, on_error, state_bytes, drive } = terms;
        let options = PluginOptions { limits, on_error, ..PluginOptions::default() };
        let made = match plugin.info().kind {
            PluginKind::Scalar if on_error == OnError::Fail => {
                Made::Scalar(PluginScalar::new(plugin, options, OnNoValue::Fail))
            }
            PluginKind::Scalar => Made::Scalar(PluginScalar::new(plugin, options, OnNoValue::Null)),
            PluginKind::Codec => Made::Codec(PluginCodec::new(plugin, options)),
            PluginKind::Process => {
                Made::Operator(PluginFactory::new(plugin, options).with_keys(vec!["name".to_owned()]))
            }
            _ => Made::Operator(PluginFactory::new(plugin, options)),
        };
        Self { made, errors_attached: on_error == OnError::DeadLetter, state_bytes, drive }
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> Arc<PluginMetrics> {
        match &self.made {
            Made::Operator(factory) => factory.metrics(),
            Made::Scalar(scalar) => scalar.metrics(),
            Made::Codec(codec) => codec.metrics(),
        }
    }

    /// Binds as `validate` does, and then again as a job that starts.
    pub(crate) fn start(&self) -> Result<Box<dyn Operator>> {
        self.start_from(OperatorState::default(), 1)
    }

    /// The same, for the first of so many instances, that goes on from what a checkpoint has.
    pub(crate) fn start_from(&self, restored: OperatorState, instances: u32) -> Result<Box<dyn Operator>> {
        let factory = match &self.made {
            Made::Operator(factory) => factory,
            Made::Scalar(scalar) => return values::scalar(scalar),
            Made::Codec(codec) => return values::codec(codec, self.drive, &schema()),
        };
        let event_time = Some(EventTimeColumn::new("x"));
        factory.bind_stream(&StreamType {
            schema: schema(),
            event_time: event_time.clone(),
            is_bounded: true,
            is_revised: false,
        })?;
        let origins = OriginDirectory::new();
        origins.register(&NodeName::new("flights").expect("a name"), &SplitId::new("a.csv"));
        factory.create(OperatorContext {
            node: NodeName::new("node").expect("a name"),
            subtask: SubtaskId { index: 0, parallelism: instances },
            input: schema(),
            event_time,
            state: Arc::new(MemoryBackend::new(self.state_bytes)),
            restored,
            errors_attached: self.errors_attached,
            clock: Arc::new(ManualClock::at(1_234)),
            seeds: SeedSource::new(1),
            origins,
        })
    }
}

/// What came out of an operator, counted and let go, as a sink would.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    /// Rows of the main port.
    pub(crate) rows: usize,
    /// The numbers of the column `x` in the main port, as long as they are few.
    pub(crate) numbers: Vec<i64>,
    /// Position and reason of the refused rows.
    pub(crate) refused: Vec<(i64, RowReject)>,
    /// The most bytes of one record.
    pub(crate) record_bytes_max: usize,
}

/// Numbers that a sink keeps.
const NUMBERS_MAX: usize = 100;

impl Output for Sink {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()> {
        let batch = record.compact().expect("compacts").batch;
        let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
        self.record_bytes_max = self.record_bytes_max.max(bytes.sum());
        if port == 0 {
            self.rows += batch.num_rows();
            if let Some(column) = batch.column_by_name("x").and_then(|column| column.as_primitive_opt::<Int64Type>()) {
                let room = NUMBERS_MAX - self.numbers.len();
                self.numbers.extend(column.values().iter().take(room));
            }
        }
        Ok(())
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        // A timer comes from no row.
        let position = |row| input.origins.as_ref().map_or(-1, |origins| origins.get(row).position);
        self.refused.extend(rejects.into_iter().map(|reject| (position(reject.row), reject)));
        Ok(())
    }
}

/// The good plugin at work, in the engine of the guest that is checked.
pub(crate) struct Neighbour(Box<dyn Operator>);

impl Neighbour {
    pub(crate) fn start(host: &Host) -> Self {
        let job = Job::of(Arc::clone(&host.good), Terms::default());
        Self(job.start().expect("starts"))
    }

    /// Whether it still gives what it gave at first.
    pub(crate) fn is_well(&mut self) -> std::result::Result<(), String> {
        let mut sink = Sink::default();
        self.0.process(input(5, None, None), &mut sink).map_err(|error| format!("the neighbour failed: {error}"))?;
        if sink.numbers == [0, 1, 2, 3, 4] && sink.refused.is_empty() {
            return Ok(());
        }
        Err(format!("the neighbour gives {sink:?}"))
    }
}
