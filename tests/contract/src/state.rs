//! The promises of [`KeyedState`]: what was put is there, in order, and nothing else.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use volley_api::{
    ErrorKind, KeyGroup, KeyGroupRange, KeyedState, Namespace, NodeName, StateContext, StateEntry, StateKey, SubtaskId,
};

/// The instance whose state is opened: one in the middle, so that there are foreign key groups on both sides.
const SUBTASK: SubtaskId = SubtaskId { index: 1, parallelism: 4 };
/// How many sequences of random steps are compared with the model.
const MODEL_CASES: u32 = 64;

/// Holds keyed state to its promises. `open` opens a state as the context says, empty; several may be open at once.
///
/// - `get_many` gives what was put last, for each key in its place, repeated keys too; `remove_many` passes over what is
///   not there. Empty keys and empty values are keys and values.
/// - Namespaces do not see one another, and neither do states of other names or operators.
/// - `scan` gives every entry of its namespaces once, in order, whatever the size of its steps, and goes on behind an
///   entry that has been removed in the meantime.
/// - `remove_namespace` and `namespaces` agree with what a scan finds.
/// - Keys of foreign key groups are refused as a fault of the host, and nothing of their batch is written.
/// - Random steps do what they do to a `BTreeMap`.
///
/// # Panics
/// When a promise is broken, or the state fails.
pub fn keyed_state_contract(open: impl Fn(StateContext) -> Box<dyn KeyedState>) {
    let count = AtomicUsize::new(0);
    let fresh = || open(context(&format!("node-{}", count.fetch_add(1, Ordering::Relaxed)), "contract"));
    values_are_what_was_put_last(&mut *fresh());
    batches_may_be_empty(&mut *fresh());
    foreign_key_groups_are_refused(&mut *fresh());
    scans_go_on_behind_any_entry(&mut *fresh());
    states_are_apart(&open);
    let mut runner = TestRunner::new(Config { cases: MODEL_CASES, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec(step(), 1..40);
    let outcome = runner.run(&steps, |steps| steps.iter().try_fold(Checked::new(fresh()), Checked::after).map(drop));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

pub(crate) fn context(node: &str, name: &'static str) -> StateContext {
    let node = NodeName::new(node).expect("a name");
    StateContext {
        node,
        name,
        subtask: SUBTASK,
        key_groups: KeyGroupRange::of(SUBTASK),
        layout: "bytes".into(),
        ttl: None,
        cache_entries_max: None,
        restored: Vec::new(),
    }
}

/// A key whose group is that many behind the first of the instance.
pub(crate) fn key(group: u8, key: &[u8]) -> StateKey<'_> {
    StateKey { group: KeyGroup(64 + group), key }
}

pub(crate) fn get(state: &mut dyn KeyedState, namespace: i64, keys: &[StateKey<'_>]) -> Vec<Option<Bytes>> {
    state.get_many(Namespace(namespace), keys).expect("get_many")
}

pub(crate) fn put(state: &mut dyn KeyedState, namespace: i64, key: StateKey<'_>, value: &[u8]) {
    state.put_many(Namespace(namespace), &[key], &[value]).expect("put_many");
}

pub(crate) const EVERYTHING: RangeInclusive<Namespace> = Namespace(i64::MIN)..=Namespace(i64::MAX);

pub(crate) fn all(state: &mut dyn KeyedState) -> Vec<StateEntry> {
    state.scan(EVERYTHING, None, usize::MAX).expect("scan")
}

fn values_are_what_was_put_last(state: &mut dyn KeyedState) {
    let (a, b, nothing) = (key(0, b"a"), key(0, b"b"), key(3, b""));
    assert_eq!(get(state, 0, &[a, b]), [None, None], "a state is empty at first");
    state.put_many(Namespace(0), &[a, b, a, nothing], &[b"1", b"2", b"3", b""]).expect("put_many");
    let some = |value: &'static [u8]| Some(Bytes::from_static(value));
    let found = get(state, 0, &[b, a, b, key(1, b"a"), nothing]);
    assert_eq!(found, [some(b"2"), some(b"3"), some(b"2"), None, some(b"")], "values in the order of the keys");
    assert_eq!(get(state, 1, &[a]), [None], "namespaces are apart");
    state.remove_many(Namespace(0), &[a, key(9, b"never put"), a]).expect("remove_many");
    state.remove_many(Namespace(7), &[b]).expect("remove_many in an empty namespace");
    assert_eq!(get(state, 0, &[a, b]), [None, some(b"2")], "what was removed is gone, and nothing else");
    put(state, 0, a, b"again");
    assert_eq!(get(state, 0, &[a]), [some(b"again")], "what was removed can be put again");
}

fn batches_may_be_empty(state: &mut dyn KeyedState) {
    assert_eq!(get(state, 0, &[]), []);
    state.put_many(Namespace(0), &[], &[]).expect("put_many");
    state.remove_many(Namespace(0), &[]).expect("remove_many");
    state.remove_namespace(Namespace(0)).expect("remove_namespace");
    assert_eq!(state.namespaces().expect("namespaces"), [], "nothing was put");
    assert_eq!((all(state), state.scan(EVERYTHING, None, 0).expect("scan")), (vec![], vec![]));
    put(state, 0, key(0, b"a"), b"1");
    assert_eq!(state.scan(EVERYTHING, None, 0).expect("scan"), [], "no more than was asked for");
    let backwards = RangeInclusive::new(Namespace(1), Namespace(-1));
    assert_eq!(state.scan(backwards, None, 9).expect("scan"), [], "a range without namespaces");
}

fn foreign_key_groups_are_refused(state: &mut dyn KeyedState) {
    let range = KeyGroupRange::of(SUBTASK);
    for group in [0, range.start - 1, range.end, 255] {
        let foreign = StateKey { group: KeyGroup(u8::try_from(group).expect("a key group")), key: b"a" };
        let keys = [key(0, b"a"), foreign];
        let errors = [
            state.get_many(Namespace(0), &keys).err(),
            state.put_many(Namespace(0), &keys, &[b"1", b"2"]).err(),
            state.remove_many(Namespace(0), &keys).err(),
        ];
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("a key of the foreign key group {group} was taken"));
            assert_eq!(error.kind(), ErrorKind::Internal, "a foreign key group is a fault of the host: {error}");
        }
        assert_eq!(all(state), [], "nothing of a refused batch is written");
    }
    let ends = [range.start, range.end - 1].map(|group| KeyGroup(u8::try_from(group).expect("a key group")));
    state.put_many(Namespace(0), &ends.map(|group| StateKey { group, key: b"a" }), &[b"1", b"2"]).expect("own groups");
    let uneven = state.put_many(Namespace(0), &[key(0, b"b")], &[]);
    assert!(uneven.is_err(), "a key without a value was taken");
}

fn scans_go_on_behind_any_entry(state: &mut dyn KeyedState) {
    let mut expected = Vec::new();
    for namespace in [-5, 0, 3] {
        for group in [0, 1, 63] {
            for key_bytes in [&b""[..], b"\0", b"a", b"a\0", b"ab", b"\xff"] {
                let value = format!("{namespace} {group} {key_bytes:?}").into_bytes();
                put(state, namespace, key(group, key_bytes), &value);
                expected.push(StateEntry {
                    group: KeyGroup(64 + group),
                    namespace: Namespace(namespace),
                    key: Bytes::copy_from_slice(key_bytes),
                    value: value.into(),
                });
            }
        }
    }
    for step in [1, 2, 5, 6, 7, 54, 1000] {
        assert_eq!(scanned(state, EVERYTHING, step), expected, "a scan in steps of {step}");
    }
    let middle = Namespace(-4)..=Namespace(2);
    assert_eq!(scanned(state, middle.clone(), 4), expected[18..36], "a scan of a part");
    let from = |state: &mut dyn KeyedState, after| state.scan(middle.clone(), Some(after), 2).expect("scan");
    assert_eq!(from(state, &expected[3]), expected[18..20], "behind an entry before the namespaces");
    assert_eq!(from(state, &expected[36]), [], "behind an entry after the namespaces");
    let gone = &expected[20];
    state.remove_many(gone.namespace, &[StateKey { group: gone.group, key: &gone.key }]).expect("remove_many");
    assert_eq!(from(state, gone), expected[21..23], "behind an entry that is gone");
}

/// All entries of `namespaces`, read in steps.
pub(crate) fn scanned(
    state: &mut dyn KeyedState,
    namespaces: RangeInclusive<Namespace>,
    step: usize,
) -> Vec<StateEntry> {
    let mut entries = Vec::new();
    loop {
        let found = state.scan(namespaces.clone(), entries.last(), step).expect("scan");
        let is_last = found.len() < step;
        assert!(found.len() <= step, "a scan gave {} entries where {step} were the most", found.len());
        entries.extend(found);
        if is_last {
            return entries;
        }
    }
}

fn states_are_apart(open: &impl Fn(StateContext) -> Box<dyn KeyedState>) {
    let contexts = [context("apart", "a"), context("apart", "b"), context("apart-b", "a")];
    let mut states = contexts.map(open);
    for (value, state) in [b"0", b"1", b"2"].into_iter().zip(&mut states) {
        put(&mut **state, 0, key(0, b"k"), value);
    }
    for (value, state) in [&b"0"[..], b"1", b"2"].into_iter().zip(&mut states) {
        let found = get(&mut **state, 0, &[key(0, b"k")]);
        assert_eq!(found, [Some(Bytes::from_static(value))], "states of other names are apart");
    }
}

pub(crate) type Key = (u8, Vec<u8>);

/// A step of the random test.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put(i64, Vec<(Key, Vec<u8>)>),
    Remove(i64, Vec<Key>),
    RemoveNamespace(i64),
    Get(i64, Vec<Key>),
    Scan(i64, i64, usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let namespace = || -2..2_i64;
    // Few keys, so that they meet.
    // Short ones and long ones, around what a state may keep in another way.
    let long = (prop_oneof![Just(7_usize), Just(8), 15..17_usize, 22..25_usize, Just(60)], 0..2_u8)
        .prop_map(|(length, last)| [vec![1; length - 1], vec![last]].concat());
    let bytes = move || prop_oneof![3 => prop::collection::vec(0..3_u8, 0..3), 2 => long.clone()];
    let key = move || (0..3_u8, bytes());
    let keys = {
        let key = key.clone();
        move || prop::collection::vec(key(), 0..6)
    };
    let value = || {
        prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..4),
            1 => prop::collection::vec(any::<u8>(), 22..26),
            1 => prop::collection::vec(any::<u8>(), 60),
        ]
    };
    // More than a state looks up together, and the same ones again.
    let many = prop::collection::vec((0..3_u8, 0..40_u8, value()), 60..80)
        .prop_map(|many| many.into_iter().map(|(group, key, value)| ((group, vec![key; 2]), value)).collect());
    prop_oneof![
        4 => (namespace(), prop::collection::vec((key(), value()), 0..12)).prop_map(|(n, put)| Step::Put(n, put)),
        1 => (namespace(), many).prop_map(|(n, put)| Step::Put(n, put)),
        2 => (namespace(), keys()).prop_map(|(n, keys)| Step::Remove(n, keys)),
        1 => namespace().prop_map(Step::RemoveNamespace),
        2 => (namespace(), keys()).prop_map(|(n, keys)| Step::Get(n, keys)),
        2 => (namespace(), namespace(), 1..9_usize).prop_map(|(from, to, step)| Step::Scan(from, to, step)),
    ]
}

/// A state beside its model.
pub(crate) struct Checked {
    pub(crate) state: Box<dyn KeyedState>,
    pub(crate) model: Model,
}

/// What a state is to have.
pub(crate) type Model = BTreeMap<(i64, Key), Vec<u8>>;

impl Checked {
    pub(crate) fn new(state: Box<dyn KeyedState>) -> Self {
        Self { state, model: BTreeMap::new() }
    }

    /// Both after a step; they must agree on everything that can be seen.
    pub(crate) fn after(mut self, step: &Step) -> Result<Self, TestCaseError> {
        let Self { state, model } = &mut self;
        match step {
            Step::Put(namespace, entries) => {
                let keys: Vec<_> = entries.iter().map(|(key, _)| state_key(key)).collect();
                let values: Vec<_> = entries.iter().map(|(_, value)| &value[..]).collect();
                state.put_many(Namespace(*namespace), &keys, &values).expect("put_many");
                model.extend(entries.iter().map(|(key, value)| ((*namespace, key.clone()), value.clone())));
            }
            Step::Remove(namespace, keys) => {
                let state_keys: Vec<_> = keys.iter().map(state_key).collect();
                state.remove_many(Namespace(*namespace), &state_keys).expect("remove_many");
                model.retain(|(of, key), _| of != namespace || !keys.contains(key));
            }
            Step::RemoveNamespace(namespace) => {
                state.remove_namespace(Namespace(*namespace)).expect("remove_namespace");
                model.retain(|(of, _), _| of != namespace);
            }
            Step::Get(namespace, keys) => {
                let state_keys: Vec<_> = keys.iter().map(state_key).collect();
                let found = get(&mut **state, *namespace, &state_keys);
                let expected = keys.iter().map(|key| model.get(&(*namespace, key.clone())).cloned().map(Bytes::from));
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
            Step::Scan(from, to, step) => {
                let found = scanned(&mut **state, Namespace(*from)..=Namespace(*to), *step);
                let expected = entries(model).filter(|entry| (*from..=*to).contains(&entry.namespace.0));
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(all(&mut **state), entries(model).collect::<Vec<_>>());
        let mut namespaces: Vec<_> = model.keys().map(|(namespace, _)| Namespace(*namespace)).collect();
        namespaces.dedup();
        prop_assert_eq!(state.namespaces().expect("namespaces"), namespaces);
        Ok(self)
    }
}

fn state_key((group, bytes): &Key) -> StateKey<'_> {
    key(*group, bytes)
}

pub(crate) fn entries(model: &Model) -> impl Iterator<Item = StateEntry> {
    model.iter().map(|((namespace, (group, key)), value)| StateEntry {
        group: KeyGroup(64 + group),
        namespace: Namespace(*namespace),
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
    })
}
