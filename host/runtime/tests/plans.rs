//! Plans: what is refused, how inputs unite, how nodes are chained and drawn.

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use common::{Fate, Step, name, numbers, plan, port};
use volley_api::{ErrorKind, Source};
use volley_connector_memory::{DiscardSink, MemorySink, MemorySource};
use volley_runtime::LogicalPlan;

fn operator(plan: &mut LogicalPlan, node: &str, inputs: &[&str], parallelism: Option<u32>) {
    let inputs = inputs.iter().map(|input| port(input)).collect();
    let parallelism = parallelism.and_then(NonZeroU32::new);
    plan.add_operator(name(node), inputs, Step::factory(|_| Fate::Keep), parallelism).expect("a fresh name");
}

fn sink(plan: &mut LogicalPlan, node: &str, inputs: &[&str]) {
    let inputs = inputs.iter().map(|input| port(input)).collect();
    plan.add_sink(name(node), inputs, Arc::new(DiscardSink::new()), None).expect("a fresh name");
}

fn refusal(plan: LogicalPlan) -> String {
    let error = plan.check().expect_err("cannot run");
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn plans_that_cannot_run_say_why() {
    let mut base = plan(1);
    base.add_source(name("a"), numbers(1, 1, 1), None).expect("a fresh name");
    assert!(base.add_source(name("a"), numbers(1, 1, 1), None).expect_err("taken").to_string().contains("`a`"));
    let many = NonZeroU32::new(5000);
    assert!(base.add_source(name("z"), numbers(1, 1, 1), many).expect_err("too many").to_string().contains("1024"));

    let refused = |build: fn(&mut LogicalPlan)| {
        let mut plan = base.clone();
        build(&mut plan);
        refusal(plan)
    };
    assert_eq!(refused(|plan| sink(plan, "s", &["b"])), "`s` reads from `b`, which does not exist");
    assert_eq!(
        refused(|plan| {
            operator(plan, "b", &["a"], None);
            sink(plan, "s", &["b.nope"]);
        }),
        "s: there is no `b.nope`; the outputs of `b` are: `out`, `aside`, `errors`"
    );
    assert_eq!(
        refused(|plan| {
            sink(plan, "s", &["a"]);
            sink(plan, "t", &["s"]);
        }),
        "t: `s` is a sink and has no output to read"
    );
    assert_eq!(
        refused(|plan| {
            operator(plan, "b", &["c"], None);
            operator(plan, "c", &["b"], None);
        }),
        "`b` cannot be reached from any source: its inputs form a cycle"
    );
    assert_eq!(refused(|plan| sink(plan, "s", &[])), "s: there is no input to read");
}

#[test]
fn every_source_has_an_errors_output_and_unread_outputs_are_listed() {
    let mut plan = plan(1);
    plan.add_source(name("a"), numbers(1, 1, 1), None).expect("a fresh name");
    operator(&mut plan, "b", &["a"], None);
    sink(&mut plan, "s", &["a.errors"]);
    let unread = plan.check().expect("a good plan").unread_outputs();
    assert_eq!(unread.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "b.aside"]);
}

/// A sink that says where it writes.
#[derive(Debug)]
struct At(&'static str);

#[async_trait::async_trait]
impl volley_api::Sink for At {
    fn label(&self) -> String {
        self.0.to_owned()
    }

    fn guarantee(&self) -> volley_api::DeliveryGuarantee {
        volley_api::DeliveryGuarantee::Immediate
    }

    fn target(&self) -> Option<String> {
        Some(self.0.to_owned())
    }

    fn check(&self, _: &arrow::datatypes::SchemaRef) -> volley_api::Result<()> {
        Ok(())
    }

    async fn open(&self, _: volley_api::SinkContext) -> volley_api::Result<Box<dyn volley_api::SinkWriter>> {
        Err(volley_api::Error::internal("only its plan is checked"))
    }

    async fn commit(&self, _: &volley_api::Committable) -> volley_api::Result<()> {
        Ok(())
    }

    async fn lookup(&self, _: &volley_api::Committable) -> volley_api::Result<volley_api::CommitStatus> {
        Ok(volley_api::CommitStatus::Unknown)
    }

    async fn abort(&self, _: &volley_api::Committable) -> volley_api::Result<()> {
        Ok(())
    }
}

#[test]
fn two_sinks_of_one_target_are_refused() {
    let check = |targets: [&'static str; 2]| {
        let mut plan = plan(1);
        plan.add_source(name("a"), numbers(1, 1, 1), None).expect("a fresh name");
        for (node, target) in ["s", "t"].into_iter().zip(targets) {
            plan.add_sink(name(node), vec![port("a")], Arc::new(At(target)), None).expect("a fresh name");
        }
        plan.check().map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(check(["/x/a", "/x/b"]), Ok(()));
    let expected = "t: `s` and `t` both write to /x/a: give each its own";
    assert_eq!(check(["/x/a", "/x/a"]), Err(expected.to_owned()));
}

fn source_of(columns: Vec<(&str, ArrayRef)>) -> Arc<dyn Source> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), column.null_count() > 0))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("fits");
    Arc::new(MemorySource::new(schema, vec![vec![batch]]).expect("one schema"))
}

fn ints(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn words(values: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_union_matches_columns_by_name() {
    let mut plan = plan(1);
    let first = source_of(vec![("x", ints(vec![Some(1)])), ("w", words(vec!["one"]))]);
    let second = source_of(vec![("w", words(vec!["none", "two"])), ("x", ints(vec![None, Some(2)]))]);
    plan.add_source(name("first"), first, None).expect("a fresh name");
    plan.add_source(name("second"), second, None).expect("a fresh name");
    operator(&mut plan, "both", &["first", "second"], None);
    let out = MemorySink::new();
    let handle = out.handle();
    plan.add_sink(name("out"), vec![port("both")], Arc::new(out), None).expect("a fresh name");
    let checked = plan.check().expect("the types fit");
    let schema = checked.schema_of(&port("both")).expect("there is such a port");
    assert_eq!(schema.field(0), &Field::new("x", DataType::Int64, true), "nullable, since the second is");
    let job = volley_runtime::start(checked.chain(), Default::default()).await.expect("starts");
    job.wait().await.expect("ends well");
    let mut rows = common::texts(&handle.batches(), "w");
    rows.sort();
    assert_eq!(rows, ["none", "one", "two"]);
    assert!(handle.batches().iter().all(|batch| batch.schema() == schema));
}

#[test]
fn a_union_of_different_columns_is_refused() {
    let refused = |second: Arc<dyn Source>| {
        let mut plan = plan(1);
        plan.add_source(name("first"), source_of(vec![("x", ints(vec![Some(1)]))]), None).expect("a fresh name");
        plan.add_source(name("second"), second, None).expect("a fresh name");
        sink(&mut plan, "out", &["first", "second"]);
        refusal(plan)
    };
    assert_eq!(
        refused(source_of(vec![("x", words(vec!["1"]))])),
        "out: `first` and `second` cannot be united: column `x` is Int64 here and Utf8 there"
    );
    assert_eq!(
        refused(source_of(vec![("y", ints(vec![Some(1)]))])),
        "out: `first` and `second` cannot be united: only `second` has a column `y`"
    );
}

#[test]
fn nodes_of_one_parallelism_share_a_thread_and_others_are_drawn_apart() {
    let mut plan = plan(2);
    plan.add_source(name("flights"), numbers(1, 1, 1), None).expect("a fresh name");
    operator(&mut plan, "departed", &["flights"], None);
    operator(&mut plan, "enriched", &["departed"], Some(4));
    operator(&mut plan, "joined", &["departed", "enriched"], None);
    sink(&mut plan, "out", &["joined"]);
    sink(&mut plan, "dead", &["enriched.errors"]);
    let plan = plan.check().expect("a good plan").chain();
    let parallelism: Vec<u32> = plan.chains().iter().map(|chain| chain.parallelism).collect();
    assert_eq!(parallelism, [2, 4, 2], "rows never go back to a chain that they came from");
    let drawn = plan.view().to_string();
    let expected = "\
flights                   memory (1 rows)  ×2
└── departed              step  ×2
    ├≡≡ enriched          step  ×4
    │   ├≡≡ joined        step  ×2
    │   │   └══ out       discard  ×2
    │   └═ errors ═ dead  discard  ×2
    └══ joined            (see above)

flights         x: Int64?
departed        as flights
departed.aside  as flights
enriched        as departed
enriched.aside  as departed
joined          as departed
joined.aside    as departed
";
    assert_eq!(drawn, expected, "\n{drawn}");
}
