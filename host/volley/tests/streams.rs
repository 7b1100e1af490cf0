//! Streams without keys: closures, expressions, unions, side outputs, and what is said of mistakes.

mod common;

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{self, kernels::cmp};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use common::{batch, collected, refused, rows, some_rows, stream};
use volley::prelude::*;
use volley::{DiscardSink, MemorySink};

fn env() -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::new()
}

fn x_schema() -> Schema {
    Schema::new(vec![Field::new("x", DataType::Int64, true)])
}

fn amounts(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    RecordBatch::try_new(Arc::new(x_schema()), vec![Arc::clone(batch.column(1))])
}

#[test]
fn closures_filter_map_and_flat_map() {
    let env = env();
    let some = stream(&env).filter(|batch| Ok(cmp::gt(batch.column(1), &Int64Array::new_scalar(1))?));
    assert_eq!(collected(&some), ["ann 3 1500", "cid 4 2500"], "null is not more than 1");
    let doubled = some.map(x_schema(), |batch| {
        let x = batch.column(1).as_primitive::<Int64Type>().unary::<_, Int64Type>(|x| 2 * x);
        Ok(RecordBatch::try_new(Arc::new(x_schema()), vec![Arc::new(x)])?)
    });
    assert_eq!(collected(&doubled), ["6", "8"]);
    let twice = doubled.flat_map(x_schema(), |batch| {
        Ok(vec![batch.slice(0, 0), batch.clone(), compute::concat_batches(&batch.schema(), [&batch])?])
    });
    assert_eq!(collected(&twice), ["6", "6", "8", "8"]);
    assert_eq!(collected(&twice.filter(|batch| Ok(BooleanArray::from(vec![None; batch.num_rows()])))), [""; 0]);
}

#[test]
fn expressions_are_built_or_written() {
    let env = env();
    let built = stream(&env)
        .filter_expr(col("amount").gt_eq(lit(1)))
        .with_column("twice", col("amount") * lit(2))
        .select_expr([col("who"), call("upper", [col("who")]).alias("loud"), col("twice")]);
    let written = stream(&env).filter_expr("amount >= 1").with_column("twice", "amount * 2").select_expr([
        "who",
        "upper(who) AS loud",
        "twice",
    ]);
    assert_eq!(collected(&built), ["ann ANN 2", "ann ANN 6", "cid CID 8"]);
    assert_eq!(collected(&built), collected(&written));
    let several = stream(&env).with_columns([("amount", lit(0)), ("next", col("at") + lit(1))]);
    assert_eq!(collected(&several)[0], "ann 0 0 1");
}

#[test]
fn unions_and_several_readers() {
    let env = env();
    let all = stream(&env);
    let both = all.filter_expr("amount < 2").union(all.filter_expr("amount > 3")).union(stream(&env));
    assert_eq!(collected(&both).len(), 6);
    let elsewhere = stream(&StreamExecutionEnvironment::new());
    let error = refused(&all.union(elsewhere));
    assert_eq!(error, "union-3: the two streams belong to different environments, which are jobs of their own");
}

#[test]
fn iterators_are_read_once() {
    let env = env().set_batch_rows(2);
    let batches = (0..5).map(|index| batch(&[("a", Some(index), 0), ("b", None, 0), ("c", Some(7), 1)]));
    let read = env.from_iter(some_rows().schema(), batches);
    let found = read.collect_blocking().expect("runs");
    assert!(found.iter().all(|batch| batch.num_rows() <= 2));
    assert_eq!(rows(&found).len(), 15);
    assert_eq!(rows(&found)[..4], ["a 0 0", "b null 0", "c 7 1", "a 1 0"]);
    let error = read.collect_blocking().expect_err("gone").to_string();
    assert!(error.contains("an iterator is read once"), "{error}");
    let other = env.from_iter(x_schema(), [some_rows()]);
    let error = refused(&other);
    assert!(error.contains("a batch has the columns (who: Utf8, amount: Int64, at: Int64), and (x: Int64)"), "{error}");
}

#[test]
fn a_job_has_sinks_and_a_report() {
    let env = env();
    let sink = MemorySink::new();
    let seen = sink.handle();
    let all = stream(&env);
    all.filter_expr("amount > 1").to_sink("out", sink);
    let counted = DiscardSink::new();
    let count = counted.handle();
    let report = all.to_sink("gone", counted).execute_blocking("two-sinks").expect("runs");
    assert_eq!(report.progress.rows_written(), 6);
    assert_eq!((seen.num_rows(), count.num_rows()), (2, 4));
}

#[test]
fn no_name_is_kept_from_the_program() {
    let collect = stream(&env()).filter_expr("amount > 3").uid("collect");
    assert_eq!(collected(&collect), ["cid 4 2500"]);
}

#[tokio::test]
async fn within_a_runtime_one_awaits() {
    let env = env();
    let all = stream(&env);
    assert_eq!(rows(&all.collect().await.expect("runs")).len(), 4);
    let error = all.collect_blocking().expect_err("blocks").to_string();
    assert!(error.contains("await the method without `_blocking`"), "{error}");
    all.discard();
    let job = env.start("started").await.expect("starts");
    assert_eq!(job.wait().await.expect("runs").progress.rows_read(), 4);
}

#[test]
fn mistakes_are_told_with_the_name_of_the_node() {
    let all = || stream(&env());
    for (stream, wanted) in [
        (all().filter_expr("amont > 1"), "filter-1: expression `amont > 1` reads `amont` (column 1)"),
        (all().filter_expr(col("amount")).uid("some"), "some: filter `amount` gives Int64"),
        (all().select_expr([col("amount") + lit(1)]), "select-1: `amount + 1` makes a column without a name"),
        (all().uid("Not a name"), "`Not a name` is not a name"),
        (all().filter_expr("amount > 1").uid("memory-1"), "two nodes are called `memory-1`"),
        (all().set_parallelism(0), "memory-1: the parallelism is 0"),
        (env().from_batches(x_schema(), vec![some_rows()]), "memory-1: batch 0 of split 0 has the schema"),
        (all().side_output(OutputTag::new("aside")), "there is no `memory-1.aside`"),
        (all().plugin("nowhere.wasm", serde_json::Value::Null), "plugin-1: "),
        (all().with_late_data_sink("late", DiscardSink::new()), "late: it takes the late rows of windows"),
        (all().filter_expr("true").with_watermarks(WatermarkStrategy::monotonous("at")), "filter-1: with_watermarks"),
        (all().with_watermarks(WatermarkStrategy::monotonous("when")), "`when`"),
    ] {
        let error = stream.collect_blocking().expect_err("refused").report();
        assert!(error.contains(wanted), "{error}");
        let explained = stream.with_sink().expect_err("refused").report();
        assert!(explained.contains(wanted), "{explained}");
    }
}

/// So that what is explained has the node in question in it.
trait WithSink {
    fn with_sink(&self) -> volley::Result<volley::PlanView>;
}

impl WithSink for DataStream {
    fn with_sink(&self) -> volley::Result<volley::PlanView> {
        self.discard().explain()
    }
}

#[test]
fn what_closures_do_wrong_stops_the_job() {
    let env = env();
    let all = stream(&env);
    for (stream, wanted) in [
        (all.filter(|_| Ok(BooleanArray::from(vec![true]))), "node `filter-1`: the closure gave 1 answers for 4 rows"),
        (all.map(x_schema(), |batch| Ok(amounts(&batch.slice(0, 1))?)), "node `map-1`: the closure made 1 rows of 4"),
        (all.map(x_schema(), Ok), "node `map-2`: a batch has the columns (who: Utf8"),
        (
            all.map(Schema::new(vec![Field::new("x", DataType::Int64, false)]), |batch| Ok(amounts(&batch)?)),
            "node `map-3`: a batch does not fit the schema that was declared",
        ),
        (all.filter(|_| Err("no reason".into())), "node `filter-2`: no reason"),
        (all.flat_map(x_schema(), |_| panic!("told to panic")), "told to panic"),
    ] {
        let error = refused(&stream);
        assert!(error.contains(wanted), "{error}");
    }
    let plugin = all.filter(|_| Err(volley::Error::external("the disk is on fire").into()));
    assert_eq!(plugin.collect_blocking().expect_err("fails").kind(), volley::ErrorKind::External);
}

#[test]
fn what_nobody_reads_is_refused_when_executed() {
    let env = env();
    let all = stream(&env);
    let _unread = all.filter_expr("amount > 1");
    assert_eq!(collected(&all).len(), 4, "another stream is looked at");
    let error = all.discard().execute_blocking("job").expect_err("refused").to_string();
    assert_eq!(
        error,
        "nobody reads `filter-1`: its rows would be lost in silence; attach a sink (`discard` drops them knowingly)"
    );
}

#[test]
fn plans_are_drawn() {
    let env = env().set_job_name("drawn").set_parallelism(2);
    let late = stream(&env).set_parallelism(1).uid("flights").filter_expr(col("amount").gt(lit(1)));
    late.uid("late").to_sink("out", MemorySink::new()).set_parallelism(1);
    let view = env.explain().expect("fits");
    let drawing = view.to_string();
    assert!(drawing.contains("≡ late"), "{drawing}");
    assert!(drawing.contains("filter amount > 1  ×2"), "{drawing}");
    assert_eq!(env.explain_json().expect("fits")["name"], "drawn");
}

#[test]
fn parallel_instances_share_one_closure() {
    let env = env().set_parallelism(4);
    let splits = (0..4).map(|split| vec![batch(&[("x", Some(split), 0)])]).collect();
    let source = volley::MemorySource::new(some_rows().schema(), splits).expect("one schema");
    let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let counted = env.from_source("numbers", source).filter(move |batch| {
        count.fetch_add(batch.num_rows(), std::sync::atomic::Ordering::Relaxed);
        Ok(BooleanArray::from(vec![true; batch.num_rows()]))
    });
    assert_eq!(collected(&counted), ["x 0 0", "x 1 0", "x 2 0", "x 3 0"]);
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 4);
}
