//! A job that runs for weeks: the memory of an instance is what its largest batches take, however many batches come.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use volley_api::{
    ManualClock, NoState, NodeName, Operator, OperatorContext, OperatorFactory as _, OriginDirectory, Output,
    PortIndex, Result, RowReject, SeedSource, StreamRecord, SubtaskId,
};
use volley_wasm::{
    CompileIn, EngineSettings, OnError, Plugin, PluginEngine, PluginFactory, PluginMetrics, PluginOptions,
};

use crate::support::plugin;

/// Calls in which the memory may grow: batches come in an order of chance, and what one leaves behind meets all others.
const WARM_UP_CALLS: usize = 5_000;
/// Calls in which it may not.
const STEADY_CALLS: usize = 10_000;
/// So many different batches.
const BATCHES: usize = 256;
/// The most rows of a batch.
const ROWS_MAX: usize = 512;
/// The longest text of a row, in bytes. The largest batch has a quarter of a megabyte for each column of texts.
const TEXT_BYTES_MAX: usize = 1_000;

static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    PluginEngine::new(&settings).expect("starts")
});

/// Rows go nowhere.
struct Nowhere;

impl Output for Nowhere {
    fn emit(&mut self, _: PortIndex, _: StreamRecord) -> Result<()> {
        Ok(())
    }

    fn reject(&mut self, _: &StreamRecord, _: Vec<RowReject>) -> Result<()> {
        Ok(())
    }
}

/// Chance that is the same in every run: splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a usize")
    }

    /// One number or more, small ones as often as those of twice and of four times the size.
    fn size(&mut self, most: usize) -> usize {
        let bits = most.ilog2() as usize;
        let at_most = most.min(2 << self.below(bits + 1));
        1 + self.below(at_most)
    }
}

/// An operator of `plugins/` in its instance.
struct Instance {
    operator: Box<dyn Operator>,
    metrics: Arc<PluginMetrics>,
}

impl Instance {
    fn start(name: &str, like: &RecordBatch) -> Self {
        let component = Plugin::load(&ENGINE, &plugin(name)).expect("a component");
        let factory = PluginFactory::new(component, PluginOptions { on_error: OnError::Skip, ..Default::default() });
        factory.bind(&like.schema()).expect("binds");
        let context = OperatorContext {
            node: NodeName::new("node").expect("a name"),
            subtask: SubtaskId::SINGLE,
            input: like.schema(),
            event_time: None,
            state: Arc::new(NoState),
            restored: Default::default(),
            errors_attached: false,
            clock: Arc::new(ManualClock::at(0)),
            seeds: SeedSource::new(1),
            origins: OriginDirectory::new(),
        };
        Self { operator: factory.create(context).expect("starts"), metrics: factory.metrics() }
    }

    /// The memory after one more call.
    fn call(&mut self, batch: RecordBatch) -> u64 {
        self.operator.process(StreamRecord::new(batch), &mut Nowhere).expect("runs");
        self.metrics.snapshot().memory_bytes
    }
}

/// Runs batches of varied sizes: what the instance had after the warm-up it has to the end, and that is not more than so
/// many bytes.
fn stays(name: &str, bytes_max: u64, make: impl Fn(&mut Chance, usize, usize) -> RecordBatch) {
    let mut chance = Chance(7);
    let mut batches = vec![make(&mut chance, ROWS_MAX, TEXT_BYTES_MAX)];
    while batches.len() < BATCHES {
        let (rows, text) = (chance.size(ROWS_MAX), chance.size(TEXT_BYTES_MAX));
        batches.push(make(&mut chance, rows, text));
    }
    let mut instance = Instance::start(name, &batches[0]);
    let mut call = || instance.call(batches[chance.below(BATCHES)].clone());
    let warm = (0..WARM_UP_CALLS).fold(0, |_, _| call());
    assert!(warm <= bytes_max, "`{name}` has {warm} bytes of memory after the warm-up, more than {bytes_max}");
    for at in 0..STEADY_CALLS {
        let now = call();
        assert_eq!(now, warm, "bytes of memory of `{name}` in call {at} after the warm-up, and before");
    }
    assert_eq!(instance.metrics.snapshot().restarts, 0, "it was one instance all the time");
}

fn numbers(chance: &mut Chance, rows: usize) -> ArrayRef {
    Arc::new((0..rows).map(|_| (chance.below(10) > 0).then(|| chance.below(500) as i64)).collect::<Int64Array>())
}

fn texts(chance: &mut Chance, rows: usize, bytes: usize) -> ArrayRef {
    let letters = "abcdefghij".repeat(TEXT_BYTES_MAX / 10);
    let mut text = || (chance.below(10) > 0).then(|| &letters[..chance.below(bytes + 1)]);
    Arc::new((0..rows).map(|_| text()).collect::<StringArray>())
}

fn named<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    let columns = columns.map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of as many rows")
}

#[test]
fn what_gives_its_input_back_does_not_grow() {
    stays("identity", 2 << 20, |chance, rows, bytes| {
        named([("n", numbers(chance, rows)), ("t", texts(chance, rows, bytes))])
    });
}

#[test]
fn what_takes_rows_does_not_grow() {
    stays("filter-project", 3 << 20, |chance, rows, bytes| {
        named([("a", numbers(chance, rows)), ("t", texts(chance, rows, bytes))])
    });
}

#[test]
fn what_makes_texts_and_refuses_rows_does_not_grow() {
    stays("enrich-flight", 6 << 20, |chance, rows, bytes| {
        let floats = |chance: &mut Chance| -> ArrayRef {
            Arc::new((0..rows).map(|_| Some(chance.below(2_000) as f64)).collect::<Float64Array>())
        };
        named([
            ("origin", texts(chance, rows, bytes)),
            ("dest", texts(chance, rows, bytes)),
            ("dep_delay", numbers(chance, rows)),
            ("arr_delay", numbers(chance, rows)),
            ("air_time", numbers(chance, rows)),
            ("distance", floats(chance)),
        ])
    });
}
