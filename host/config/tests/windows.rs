//! Event time, keys and windows of a good pipeline file: what the structs hold, and that they survive being written out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::num::NonZeroU32;
use std::time::Duration;

use support::{WINDOWS, parse};
use volley_api::{NodeName, PortName};
use volley_config::{
    Action, AggregateSpec, ByteCount, PipelineSpec, RestartStrategy, SlidingSpec, StateBackendKind, Strategy, TimeSpan,
    WatermarkSpec, WindowKind,
};

fn good() -> PipelineSpec {
    parse(WINDOWS).unwrap_or_else(|errors| panic!("{}", errors.report()))
}

fn keyed<'a>(spec: &'a PipelineSpec, name: &str) -> &'a AggregateSpec {
    let operator = spec.operators.iter().find(|operator| operator.name.as_str() == name).expect(name);
    let Action::Aggregate(keyed) = &operator.action else { panic!("{name}") };
    keyed
}

fn minutes(minutes: u64) -> TimeSpan {
    TimeSpan(Duration::from_secs(60 * minutes))
}

#[test]
fn sources_have_event_time() {
    let spec = good();
    let times: Vec<_> = spec.sources.iter().map(|source| source.event_time.as_ref().unwrap()).collect();
    assert_eq!(*times[0].column, "time_hour");
    assert_eq!(times[0].column.place.to_string(), "p.yaml:10:27: sources.flights.event_time.column");
    assert_eq!(times[0].place.to_string(), "p.yaml:10:17: sources.flights.event_time");
    assert_eq!(times[0].watermark, WatermarkSpec::MaxOutOfOrderness(minutes(24 * 60)));
    assert_eq!((times[0].idle_after, times[0].ordered), (Some(TimeSpan(Duration::from_secs(30))), false));
    assert_eq!((times[1].column.as_str(), times[1].ordered), ("data", true));
    assert_eq!(times[1].watermark, WatermarkSpec::Strategy(Strategy::Monotonous));
    let WatermarkSpec::WatermarkColumn(column) = &times[2].watermark else { panic!() };
    assert_eq!(**column, "wm");
}

#[test]
fn windows_are_read() {
    let spec = good();
    let hourly = keyed(&spec, "hourly");
    let keys: Vec<&str> = hourly.key_by.iter().map(|key| key.as_str()).collect();
    assert_eq!(keys, ["carrier", "origin"]);
    let results: Vec<_> = hourly.aggregate.0.iter().map(|result| (result.name.as_str(), result.sql.as_str())).collect();
    assert_eq!(results, [("flights", "count(*)"), ("mean_delay", "avg(dep_delay)")]);
    let window = hourly.window.as_ref().unwrap();
    assert_eq!((window.kind, window.allowed_lateness), (WindowKind::Tumbling(minutes(60)), Some(minutes(10))));
    assert_eq!(window.late, Some(PortName::new("late_rows").unwrap()));
    let sliding = keyed(&spec, "sliding");
    assert_eq!(*sliding.key_by[0], "carrier");
    let window = sliding.window.as_ref().unwrap();
    assert_eq!(window.kind, WindowKind::Sliding(SlidingSpec { size: minutes(60), slide: minutes(5) }));
    assert_eq!((window.allowed_lateness, window.late.as_ref()), (None, None));
    assert_eq!(keyed(&spec, "sessions").window.as_ref().unwrap().kind, WindowKind::Session(minutes(30)));
    let hundred = NonZeroU32::new(100).unwrap();
    assert_eq!(keyed(&spec, "hundreds").window.as_ref().unwrap().kind, WindowKind::Count(hundred));
    assert_eq!(keyed(&spec, "all").window, None);
    let Action::Dedupe(dedupe) = &spec.operators[0].action else { panic!() };
    assert_eq!((dedupe.by.len(), dedupe.within), (2, minutes(60)));
}

#[test]
fn the_job_has_state_and_restarts() {
    let spec = good();
    assert_eq!(spec.watermark_interval, Some(TimeSpan(Duration::ZERO)));
    let checkpoint = spec.checkpoint.unwrap();
    assert_eq!(
        (checkpoint.location.as_str(), checkpoint.interval),
        ("./checkpoints", Some(TimeSpan(Duration::from_secs(5))))
    );
    assert_eq!((checkpoint.tolerable_failures, checkpoint.retain), (Some(0), Some(4)));
    assert_eq!((checkpoint.timeout, checkpoint.pending_epochs), (Some(minutes(1)), NonZeroU32::new(2)));
    assert_eq!(spec.state.backend.unwrap().value, StateBackendKind::Memory);
    assert_eq!(spec.state.memory, Some(ByteCount::mebibytes(64)));
    assert_eq!(spec.state.max_cache_entries.map(NonZeroU32::get), Some(100_000));
    assert_eq!(spec.state.max_pending_windows.map(NonZeroU32::get), Some(24));
    assert_eq!(spec.restart.strategy.unwrap().value, RestartStrategy::Exponential);
    assert_eq!(spec.restart.attempts, NonZeroU32::new(5));
    assert_eq!(spec.restart.max_delay, Some(minutes(1)));
}

#[test]
fn written_out_it_reads_the_same() {
    let spec = good();
    let text = serde_json::to_string_pretty(&spec).unwrap();
    assert_eq!(parse(&text).unwrap(), spec);
    assert!(text.contains("${DATA}"), "{text}");
}

#[test]
fn late_rows_have_a_reader() {
    let spec = good();
    let (node, port) = (NodeName::new("hourly").unwrap(), PortName::new("late_rows").unwrap());
    assert_eq!(spec.readers(&node, &port).count(), 1);
}

#[test]
fn a_plugin_may_have_a_key_and_a_window() {
    let text = "name: p
sources: { s: { file: { path: in.csv } } }
operators:
  w:
    from: s
    key_by: [user]
    window: { tumbling: 1m, late: late_rows }
    plugin: { component: sum.wasm }
sinks: { o: { from: w, memory: {} }, l: { from: w.late_rows, memory: {} } }
";
    let spec = parse(text).unwrap_or_else(|errors| panic!("{}", errors.report()));
    let Action::Plugin(action) = &spec.operators[0].action else { panic!() };
    assert_eq!(*action.key_by[0], "user");
    assert!(action.window.as_ref().is_some_and(|window| window.kind.is_of_time()));
    for (from, to, words) in [
        ("    key_by: [user]\n", "", "`window` cuts the rows of a key: add `key_by` beside `plugin`"),
        ("tumbling: 1m", "tumbling: 1m, session: 1m", "a window is cut in one way"),
        (", l: { from: w.late_rows, memory: {} }", "", "`late` sends rows to `w.late_rows`, which nobody reads"),
    ] {
        let errors = parse(&text.replace(from, to)).expect_err(words).report();
        assert!(errors.contains(words), "{errors} should say {words}");
    }
}
