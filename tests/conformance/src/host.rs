//! The host that components meet: one engine, a clock that stands still, state in memory, and outputs that remember.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use volley_api::{
    CodecContext, EventTimeColumn, ManualClock, NodeName, OperatorContext, OperatorState, OriginColumn,
    OriginDirectory, Output, PortIndex, Positions, RowReject, ScalarContext, SeedSource, SplitId, StreamRecord,
    SubtaskId, dead_letter,
};
use volley_state::MemoryBackend;
use volley_wasm::{
    CompileIn, Crossing, EngineSettings, Grants, HttpAllowance, HttpAnswer, HttpRequest, HttpResponse, HttpTransport,
    OnError, Origin, Plugin, PluginEngine, PluginInput, PluginLimits, PluginMetrics, PluginOptions, Violation,
};

use crate::Sample;

/// State that one operator may have, in bytes.
const STATE_BYTES_MAX: usize = 512 << 20;

/// Memory of an instance: one that holds state itself has keys there that fill half of it.
const MEMORY_BYTES_MAX: usize = 512 << 20;

/// Processor time of a call: with a host that is not optimised, keys of a megabyte take some.
const DEADLINE: Duration = Duration::from_secs(60);

/// Failures after which a component is given up: whoever fails so often fails its suite anyway.
const RESTARTS_MAX: usize = 60;

/// What time it is, in milliseconds since 1970.
const NOW_MS: u64 = 1_234;

/// Whom a component may ask that is granted requests.
const GRANTED: &str = "https://conformance.example:443";

/// Answers every request with its own path; one in eight of them is not found.
#[derive(Debug)]
struct Echo;

impl HttpTransport for Echo {
    fn send(&self, requests: Vec<HttpRequest>, _: &HttpAllowance) -> Vec<HttpAnswer> {
        let answer = |request: HttpRequest| {
            let path = request.url.path().to_owned();
            let status = if path.len().is_multiple_of(8) { 404 } else { 200 };
            Ok(HttpResponse { status, headers: Vec::new(), body: path.into_bytes() })
        };
        requests.into_iter().map(answer).collect()
    }
}

fn engine() -> &'static Arc<PluginEngine> {
    static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
        let settings = EngineSettings {
            cache_dir: None,
            http: Some(Arc::new(Echo)),
            ..EngineSettings::new(CompileIn::ThisProcess)
        };
        PluginEngine::new(&settings).expect("an engine")
    });
    &ENGINE
}

/// What [`never_differed`] holds a component to.
pub(crate) const REPEATABLE: &str =
    "it is as deterministic as `describe` says: a call that is made twice gives the same";

/// Whether no call gave something else when it was made a second time.
pub(crate) fn never_differed(metrics: &PluginMetrics) -> Result<(), String> {
    let snapshot = metrics.snapshot();
    match snapshot.violations.get(&Violation::Nondeterminism) {
        Some(count) if *count > 0 => {
            Err(format!("{count} of {} calls gave something else the second time", snapshot.calls))
        }
        _ => Ok(()),
    }
}

/// A component and what it is tried with.
pub(crate) struct Subject<'a> {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) sample: &'a Sample,
}

impl<'a> Subject<'a> {
    pub(crate) fn load(component: &[u8], sample: &'a Sample) -> Result<Self, String> {
        let plugin = Plugin::from_bytes(engine(), "subject", component).map_err(|error| error.to_string())?;
        Ok(Self { plugin, sample })
    }

    /// What a pipeline says of it: rows that it refuses, or fails on, are reported.
    pub(crate) fn options(&self, crossing: Crossing) -> PluginOptions {
        let http = if self.sample.http { Origin::parse(GRANTED).into_iter().collect() } else { Vec::new() };
        PluginOptions {
            config: self.sample.config.clone(),
            on_error: OnError::DeadLetter,
            crossing,
            grants: Grants { columns: None, http },
            limits: PluginLimits {
                restarts_max: RESTARTS_MAX,
                memory_bytes_max: MEMORY_BYTES_MAX,
                deadline: DEADLINE,
                ..PluginLimits::default()
            },
            ..PluginOptions::default()
        }
    }

    /// The same, with every call made twice.
    pub(crate) fn twice(&self) -> PluginOptions {
        PluginOptions { determinism_sample: 1, ..self.options(Crossing::Direct) }
    }

    pub(crate) fn event_time(&self) -> Option<EventTimeColumn> {
        self.sample.event_time.as_deref().map(EventTimeColumn::new)
    }

    /// What it is bound to.
    pub(crate) fn input(&self) -> PluginInput {
        let (keys, event_time) = (self.sample.keys.clone(), self.event_time());
        PluginInput { keys, event_time, ..PluginInput::new(self.sample.schema()) }
    }

    /// The surroundings of an operator, which goes on from this state.
    pub(crate) fn context(&self, restored: OperatorState) -> OperatorContext {
        let origins = OriginDirectory::new();
        origins.register(&node(), &SplitId::new("made up"));
        OperatorContext {
            node: node(),
            subtask: SubtaskId::SINGLE,
            input: self.sample.schema(),
            event_time: self.event_time(),
            state: Arc::new(MemoryBackend::new(STATE_BYTES_MAX)),
            restored,
            errors_attached: true,
            clock: Arc::new(ManualClock::at(NOW_MS)),
            seeds: SeedSource::new(1),
            origins,
        }
    }

    /// A record of rows that know where they come from: the number of each, from that of the first on.
    pub(crate) fn record(&self, first: usize, batch: RecordBatch) -> StreamRecord {
        let rows = batch.num_rows();
        let positions = Positions::From(i64::try_from(first).unwrap_or(i64::MAX));
        let mut record = StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &positions, rows));
        if let (Some(_), true) = (&self.sample.event_time, rows > 0) {
            let at = |row: usize| i64::try_from(row).unwrap_or(i64::MAX).saturating_mul(crate::sample::STEP_MS);
            (record.min_event_time, record.max_event_time) = (Some(at(first)), Some(at(first + rows - 1)));
        }
        record
    }
}

fn node() -> NodeName {
    NodeName::new("subject").expect("a name")
}

pub(crate) fn scalar_context() -> ScalarContext {
    let (clock, seeds) = (Arc::new(ManualClock::at(NOW_MS)), SeedSource::new(1));
    ScalarContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds }
}

pub(crate) fn codec_context() -> CodecContext {
    let (clock, seeds) = (Arc::new(ManualClock::at(NOW_MS)), SeedSource::new(1));
    CodecContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds }
}

/// What came of each row: text of the rows that came of it, by port, and the code where it was refused.
pub(crate) type ByRow = BTreeMap<i64, Vec<String>>;

/// Keeps what an operator puts out.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) by_row: ByRow,
    /// All rows in the order in which they came, with their ports.
    pub(crate) records: Vec<(PortIndex, RecordBatch)>,
    /// Refused rows as JSON, with the code.
    pub(crate) refused: Vec<String>,
}

/// The rows of a batch as JSON.
pub(crate) fn texts(batch: &RecordBatch) -> Vec<String> {
    let rows = dead_letter::rows_as_json(batch).expect("rows that JSON has a form for");
    let rows = rows.as_string::<i32>();
    (0..rows.len()).map(|row| rows.value(row).to_owned()).collect()
}

impl Output for Kept {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> volley_api::Result<()> {
        let record = record.compact().expect("a selection of its own rows");
        for (row, text) in texts(&record.batch).into_iter().enumerate() {
            let from = record.origins.as_ref().map_or(-1, |origins| origins.get(row).position);
            self.by_row.entry(from).or_default().push(format!("{port}: {text}"));
        }
        self.records.push((port, record.batch));
        Ok(())
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> volley_api::Result<()> {
        let rows = texts(&input.batch);
        for reject in rejects {
            let from = input.origins.as_ref().map_or(-1, |origins| origins.get(reject.row).position);
            self.by_row.entry(from).or_default().push(format!("refused: {}", reject.code));
            self.refused.push(format!("{} {}", reject.code, rows[reject.row]));
        }
        Ok(())
    }
}
