//! What an operator opens by its context: states with and without a time to live, by the context's clock.

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::datatypes::Schema;
use volley_api::{
    ErrorKind, KeyGroup, ManualClock, Namespace, NodeName, OperatorContext, OperatorState, OriginDirectory, SeedSource,
    StateKey, StateOptions, StatePart, SubtaskId,
};
use volley_state::MemoryBackend;

fn context(clock: &Arc<ManualClock>) -> OperatorContext {
    OperatorContext {
        node: NodeName::new("visits").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: Arc::new(Schema::empty()),
        event_time: None,
        state: Arc::new(MemoryBackend::new(usize::MAX)),
        restored: OperatorState::default(),
        errors_attached: false,
        clock: clock.clone(),
        seeds: SeedSource::new(0),
        origins: OriginDirectory::default(),
    }
}

#[test]
fn a_time_to_live_goes_by_the_clock_of_the_context_and_stands_in_the_layout() {
    let clock = Arc::new(ManualClock::at(7));
    let mut context = context(&clock);
    let options = StateOptions { ttl_ms: NonZeroU64::new(100), ..StateOptions::default() };
    let mut state = context.open_state_with("seen", "bytes", options).expect("opens");
    let key = StateKey { group: KeyGroup(0), key: b"a" };
    state.put_many(Namespace(0), &[key], &[b"1"]).expect("put_many");
    let snapshot = context.snapshot_of_with("seen", &"bytes".into(), options, &mut *state).expect("snapshot");
    assert_eq!(&*snapshot.layout, "bytes; with time of writing, ttl-1");
    clock.set(106);
    assert!(state.get_many(Namespace(0), &[key]).expect("get_many")[0].is_some());
    clock.set(107);
    assert_eq!(state.get_many(Namespace(0), &[key]).expect("get_many"), [None]);
    // It may be another time, but not none.
    let part = StatePart {
        key_groups: context.key_groups(),
        layout: snapshot.layout,
        format: snapshot.format.to_owned(),
        files: Vec::new(),
    };
    context.restored.keyed.insert("seen".to_owned(), vec![part]);
    let longer = StateOptions { ttl_ms: NonZeroU64::new(1_000), ..options };
    context.open_state_with("seen", "bytes", longer).map(drop).expect("another time");
    let refused = context.open_state("seen", "bytes").err().expect("the checkpoint has times");
    assert_eq!(refused.kind(), ErrorKind::Config);
    for part in ["state `seen` of `visits`", "(bytes; with time of writing, ttl-1)", "(bytes)"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
}
