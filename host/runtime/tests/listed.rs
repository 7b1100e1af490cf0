//! A plan that cannot go on from a checkpoint is refused before anything is begun, without a look into its state.

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use common::{Fate, Step, name, numbers, plan, port};
use volley_api::{
    ErrorKind, JobState, KeyGroupRange, NoState, OperatorFactory, OperatorState, SplitId, SplitOffset, SplitPosition,
    SplitState, StateBackend, StateFile, StatePart,
};
use volley_connector_memory::MemorySink;
use volley_expr::Aggregates;
use volley_runtime::{ListedPlan, Window, WindowFactory};
use volley_state::MemoryBackend;

fn window(sql: &str) -> Arc<dyn OperatorFactory> {
    let results = vec![("n".to_owned(), sql.to_owned())];
    Arc::new(WindowFactory::new(vec!["x".to_owned()], Window::Global, Arc::new(Aggregates::new(results))))
}

async fn listed(operator: Arc<dyn OperatorFactory>) -> ListedPlan {
    let mut plan = plan(2);
    plan.add_source(name("in"), numbers(10, 5, 2), None).expect("a source");
    plan.add_operator(name("totals"), vec![port("in")], operator, NonZeroU32::new(2)).expect("an operator");
    plan.add_sink(name("out"), vec![port("totals")], Arc::new(MemorySink::new()), None).expect("a sink");
    ListedPlan::of(plan.check().expect("a plan").chain()).await.expect("listed")
}

/// A checkpoint with one state, whose file is not there: nobody may look into it.
fn restored(state: &str, layout: &str, format: &str) -> JobState {
    let part = |start, end| StatePart {
        key_groups: KeyGroupRange { start, end },
        layout: layout.into(),
        format: format.to_owned(),
        files: vec![StateFile { name: "entries".to_owned(), path: PathBuf::from("/nowhere/entries") }],
    };
    let keyed = BTreeMap::from([(state.to_owned(), vec![part(0, 128), part(128, 256)])]);
    let operator = OperatorState { watermark: None, keyed };
    JobState { operators: BTreeMap::from([(name("totals"), operator)]), ..JobState::default() }
}

/// What is said of it; nothing when it will do.
async fn said(operator: Arc<dyn OperatorFactory>, restored: &JobState, state: Arc<dyn StateBackend>) -> String {
    match listed(operator).await.check_restored(restored, &state) {
        Ok(()) => String::new(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
            error.report()
        }
    }
}

fn memory() -> Arc<dyn StateBackend> {
    Arc::new(MemoryBackend::new(1 << 20))
}

/// What the operator itself calls its layout, from the message that refuses another.
async fn layout_of(operator: Arc<dyn OperatorFactory>, state: &str) -> String {
    let said = said(operator, &restored(state, "another", "memory-1"), memory()).await;
    let (_, wanted) = said.split_once("the plan wants it as (").unwrap_or_else(|| panic!("{said}"));
    wanted.split_once("): put").expect("a layout").0.to_owned()
}

#[tokio::test]
async fn states_are_compared_with_what_operators_keep() {
    let count = || window("count(*)");
    let layout = layout_of(count(), "windows").await;
    let good = restored("windows", &layout, "memory-1");
    assert_eq!(said(count(), &good, memory()).await, "");
    let filter = Step::factory(|_| Fate::Keep);
    for (what, operator, restored, parts) in [
        ("another aggregate", window("sum(x)"), &good, ["`totals`", &layout, "--fresh"]),
        ("another operator", filter, &good, ["`totals`", "state `windows`", "keeps none of that name"]),
        ("another state", count(), &restored("runs", &layout, "memory-1"), ["`totals`", "state `runs`", "--fresh"]),
        ("another format", count(), &restored("windows", &layout, "rocksdb-1"), ["`totals`", "rocksdb-1", "memory-1"]),
    ] {
        let said = said(operator, restored, memory()).await;
        for part in parts {
            assert!(said.contains(part), "{what}: no `{part}` in: {said}");
        }
    }
    assert!(said(count(), &good, Arc::new(NoState)).await.contains("without a state backend"));
}

#[tokio::test]
async fn nodes_and_splits_that_are_gone_are_named() {
    let at = |position| SplitState { position, reached_ms: None };
    let splits = |source: &str, split: &str, position| JobState {
        splits: BTreeMap::from([(name(source), BTreeMap::from([(SplitId::new(split), at(position))]))]),
        ..JobState::default()
    };
    let begun = || SplitPosition::At(SplitOffset(Vec::<u8>::new().into()));
    let check = async |restored: JobState| said(window("count(*)"), &restored, memory()).await;
    assert_eq!(check(splits("in", "gone", SplitPosition::Ended)).await, "");
    assert!(check(splits("in", "gone", begun())).await.contains("`in` had read a part of gone"));
    assert!(check(splits("rows", "0", begun())).await.contains("state of `rows`, and the pipeline has no node"));
}
