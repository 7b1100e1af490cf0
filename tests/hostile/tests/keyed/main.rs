//! What a process has written counts when its call has succeeded, and not before: rows and timers that make it crash take
//! nothing of the others with them.

mod keys;
mod timers;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{
    EventTimeColumn, ManualClock, NodeName, Operator, OperatorContext, OperatorFactory, OriginDirectory, Output,
    PortIndex, Result, RowReject, SeedSource, StreamRecord, StreamType, SubtaskId,
};
use volley_state::MemoryBackend;
use volley_test_guests::{Guest, words_to_bytes};
use volley_wasm::{CompileIn, Crossing, EngineSettings, OnError, Plugin, PluginEngine, PluginFactory, PluginOptions};

/// Rows of a record; more than one batch of state has.
const ROWS: usize = 300;

/// An `on-timers` that does nothing.
const NOTHING: &str = "(i32.const %unit)";

const IMPORTS: &str = r#"
  (import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))
  (import "volley:operator/state@0.1.0" "get" (func $get (param i32 i32 i32 i32)))
  (import "volley:operator/state@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))
  (import "volley:operator/timers@0.1.0" "register" (func $register (param i32 i32 i32)))"#;

fn schema(name: &str) -> Schema {
    Schema::new(vec![Field::new(name, DataType::Int64, true)])
}

/// Emits for each row what was known of its key, and then knows the row's `x`. Its answers to `get` go out as they come.
/// A row of `poison` makes it crash at the end, when everything is written. `after` is done then, `on_timers` when
/// timers fire, and `forget` when it is to forget its keys. In them stand for addresses: `%timer` (room for one), `%answer` (room
/// for the host's), `%unit` (success), `%refused` (a fatal failure), `%rejected` (a batch refused); `%check` fails where the
/// host's answer is no success.
fn remembers(poison: i64, after: &str, on_timers: &str, forget: &str) -> Vec<u8> {
    let mut guest = Guest::new("process", &["x"]).output("out", &schema("known"), false).imports(IMPORTS);
    let parents: Vec<u32> = (0..).take(ROWS).collect();
    let parents = guest.put(&words_to_bytes(&parents));
    let answer = guest.put(&[0; 32]);
    let timer = guest.put(&[0; 24]);
    let done = guest.emitted(&[]);
    let refused = guest.failure(2, "refused", 0);
    let rejected = guest.failure(0, "not these", 0);
    let unit = guest.put(&[0; 24]);
    let check = format!("(if (i32.load8_u (i32.const {answer})) (then (return (i32.const {refused}))))");
    let addressed = |text: &str| {
        let places =
            [("%timer", timer), ("%answer", answer), ("%unit", unit), ("%refused", refused), ("%rejected", rejected)];
        let text = text.replace("%check", &check);
        places.iter().fold(text, |text, (name, address)| text.replace(name, &address.to_string()))
    };
    let (after, on_timers, forget) = (addressed(after), addressed(on_timers), addressed(forget));
    guest
        .state("seen", &schema("known"))
        .on_timers(&on_timers)
        .forget(&forget)
        .process(&format!(
            "(call $get (i32.const 0) (local.get $groups) (local.get $group_count) (i32.const {answer})) {check}
             (call $emit (i32.const 0) (i32.const {parents}) (local.get $group_count)
               (i32.load (i32.const {})) (i32.load (i32.const {})) (i32.const {answer})) {check}
             (call $put (i32.const 0) (local.get $groups) (local.get $group_count) (local.get $ptr) (local.get $len)
               (i32.const {answer})) {check}
             {after}
             (local.set $i (local.get $ptr))
             (loop $next
               (if (i64.eq (i64.load (local.get $i)) (i64.const {poison})) (then unreachable))
               (local.set $i (i32.add (local.get $i) (i32.const 8)))
               (br_if $next (i32.lt_u (local.get $i) (i32.add (local.get $ptr) (local.get $len)))))
             (i32.const {done})",
            answer + 12,
            answer + 16
        ))
        .build()
}

fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("x", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("at", DataType::Int64, false),
    ]))
}

/// A row for each name, `x` from `first` on.
fn input(first: i64) -> StreamRecord {
    input_of(first, (0..ROWS).map(|row| format!("name {row}")).collect())
}

/// A row for each of these names.
fn input_of(first: i64, names: Vec<String>) -> StreamRecord {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((first..).take(names.len())));
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(names.len())));
    let names: ArrayRef = Arc::new(StringArray::from(names));
    StreamRecord::new(RecordBatch::try_new(input_schema(), vec![numbers, names, times]).expect("fits"))
}

fn operator(component: &[u8], crossing: Crossing, on_error: OnError) -> Box<dyn Operator> {
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    let engine = PluginEngine::new(&settings).expect("starts");
    let plugin = Plugin::from_bytes(&engine, "remembers", component).expect("loads");
    let options = PluginOptions { on_error, crossing, ..PluginOptions::default() };
    let factory = PluginFactory::new(plugin, options).with_keys(vec!["name".to_owned()]);
    let event_time = Some(EventTimeColumn::new("at"));
    let stream =
        StreamType { schema: input_schema(), event_time: event_time.clone(), is_bounded: true, is_revised: false };
    factory.bind_stream(&stream).expect("binds");
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: input_schema(),
        event_time,
        state: Arc::new(MemoryBackend::new(256 << 20)),
        restored: Default::default(),
        errors_attached: on_error == OnError::DeadLetter,
        clock: Arc::new(ManualClock::at(1_234)),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    factory.create(context).expect("starts")
}

#[derive(Default)]
struct Seen {
    /// `x` and `known` of each row that came out.
    rows: Vec<(i64, Option<i64>)>,
    /// Code and row of what was refused, as JSON.
    refused: Vec<(String, String)>,
}

impl Output for Seen {
    fn emit(&mut self, _: PortIndex, record: StreamRecord) -> Result<()> {
        let batch = record.compact().expect("compacts").batch;
        let column = |name: &str| batch.column_by_name(name).expect("there").as_primitive::<Int64Type>().clone();
        let (x, known) = (column("x"), column("known"));
        self.rows
            .extend((0..batch.num_rows()).map(|row| (x.value(row), known.is_valid(row).then(|| known.value(row)))));
        Ok(())
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        for reject in rejects {
            let json = volley_api::dead_letter::rows_as_json(&input.batch.slice(reject.row, 1)).expect("JSON");
            self.refused.push((reject.code, json.as_string::<i32>().value(0).to_owned()));
        }
        Ok(())
    }
}

#[test]
fn a_crash_takes_nothing_of_the_other_rows_with_it() {
    let poison = 117;
    for crossing in [Crossing::Direct, Crossing::Stock] {
        let mut operator = operator(&remembers(poison, "", NOTHING, ""), crossing, OnError::DeadLetter);
        let mut seen = Seen::default();
        operator.process(input(0), &mut seen).expect("goes on");
        let others = (0..ROWS as i64).filter(|x| *x != poison);
        assert_eq!(seen.rows, others.clone().map(|x| (x, None)).collect::<Vec<_>>());
        let [(code, row)] = &seen.refused[..] else { panic!("{:?}", seen.refused) };
        assert!(code == "plugin-unreachable" && row.contains("\"x\":117"), "{code}: {row}");
        // What the guilty call had written is not there: nothing is known of its key, and of all others the row before.
        let mut seen = Seen::default();
        operator.process(input(1_000), &mut seen).expect("goes on");
        let known = (0..ROWS as i64).map(|x| (1_000 + x, (x != poison).then_some(x)));
        assert_eq!(seen.rows, known.collect::<Vec<_>>());
    }
}
