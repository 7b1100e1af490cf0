//! The promises of a state with a time to live: what was not written for so long is gone, wherever one looks.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use volley_api::{
    ErrorKind, KeyGroup, KeyGroupRange, KeyedState, ManualClock, Namespace, StateBackend, StateContext, StateEntry,
    StateKey, StateTtl, SubtaskId,
};

use crate::snapshot::{Taken, taken};
use crate::state::{EVERYTHING, Key, all, context, get, key, keyed_state_contract, put, scanned};

/// How long entries live, and when a test begins.
const TTL_MS: u64 = 1_000;
const BEGIN_MS: u64 = 1_700_000_000_000;
/// How many sequences of random steps are compared with the model.
const MODEL_CASES: u32 = 48;

/// Holds keyed state with a time to live to its promises, in states that the backend opens.
///
/// - An entry is there until just before its time has passed since it was last written, and then for no call: `get_many`,
///   `scan` in steps of any size, `namespaces`. Reading it does not let it live longer; writing it does, and it can be put
///   again when it has gone.
/// - What is restored is as old as it was, also where it is dealt out to other instances, and by a time to live that is
///   another than before.
/// - Parts with and without a time to live are refused where the other is wanted, as an error of configuration that names
///   both.
/// - A state without one keeps everything, and one whose clock stands still is a state like any other.
/// - Random steps in the course of time do what they do to a `BTreeMap` with times, restores among them.
///
/// # Panics
/// When a promise is broken, or the state fails.
pub fn keyed_state_ttl_contract(backend: &dyn StateBackend) {
    let suite = Suite { backend, clock: Arc::new(ManualClock::at(BEGIN_MS)), count: AtomicUsize::new(0) };
    suite.entries_live_so_long_and_no_longer();
    suite.scans_pass_over_what_has_gone();
    suite.what_is_restored_is_as_old_as_it_was();
    suite.parts_of_the_other_sort_are_refused();
    suite.others_keep_everything();
    let mut runner = TestRunner::new(Config { cases: MODEL_CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(step(), 1..40), |steps| suite.steps_do_what_the_model_does(&steps));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    suite.clock.set(BEGIN_MS);
    keyed_state_contract(|context| suite.open(StateContext { ttl: suite.ttl(TTL_MS), ..context }));
}

struct Suite<'a> {
    backend: &'a dyn StateBackend,
    clock: Arc<ManualClock>,
    count: AtomicUsize,
}

impl Suite<'_> {
    fn open(&self, context: StateContext) -> Box<dyn KeyedState> {
        self.backend.open(context).expect("opens")
    }

    fn ttl(&self, ms: u64) -> Option<StateTtl> {
        Some(StateTtl { ms: NonZeroU64::new(ms)?, clock: self.clock.clone() })
    }

    /// The context of a state of its own, at the beginning of time.
    fn fresh(&self) -> StateContext {
        self.clock.set(BEGIN_MS);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        StateContext { ttl: self.ttl(TTL_MS), ..context(&format!("ttl-{number}"), "contract") }
    }

    fn at(&self, ms: u64) {
        self.clock.set(BEGIN_MS + ms);
    }

    fn entries_live_so_long_and_no_longer(&self) {
        let mut state = self.open(self.fresh());
        let (a, b) = (key(0, b"a"), key(1, b"b"));
        put(&mut *state, 0, a, b"1");
        put(&mut *state, 7, b, b"2");
        self.at(TTL_MS - 1);
        assert_eq!(get(&mut *state, 0, &[a]), [Some("1".into())], "an entry is there until its time has passed");
        put(&mut *state, 7, b, b"3");
        self.at(TTL_MS);
        assert_eq!(get(&mut *state, 0, &[a, a]), [None, None], "an entry is gone when its time has passed");
        assert_eq!(state.namespaces().expect("namespaces"), [Namespace(7)], "a namespace goes with its last entry");
        self.at(2 * TTL_MS - 2);
        assert_eq!(get(&mut *state, 7, &[b]), [Some("3".into())], "an entry that was written again lives anew");
        put(&mut *state, 0, a, b"");
        assert_eq!(get(&mut *state, 0, &[a]), [Some("".into())], "what has gone can be put again");
        self.at(2 * TTL_MS - 1);
        assert_eq!(all(&mut *state).len(), 1, "an entry is gone when its time has passed");
        self.at(4 * TTL_MS);
        assert_eq!(state.namespaces().expect("namespaces"), [], "namespaces go with their last entries");
        assert_eq!(all(&mut *state), [], "nothing is left");
    }

    fn scans_pass_over_what_has_gone(&self) {
        for steps in [1, 2, 3, 7, 1000] {
            let mut state = self.open(self.fresh());
            let names: Vec<[u8; 2]> = (0..200_u16).map(u16::to_be_bytes).collect();
            let group_of = |name: &[u8; 2]| KeyGroup(64 + name[1] % 3);
            for namespace in [0_u8, 1] {
                for name in &names {
                    let state_key = StateKey { group: group_of(name), key: name };
                    put(&mut *state, i64::from(namespace), state_key, b"old");
                }
            }
            self.at(TTL_MS / 2);
            for name in names.iter().filter(|name| name[1] % 10 == 5) {
                put(&mut *state, 1, StateKey { group: group_of(name), key: name }, b"new");
            }
            self.at(TTL_MS);
            let found = scanned(&mut *state, EVERYTHING, steps);
            assert_eq!(found.len(), 20, "a scan in steps of {steps} gives what lives, and all of it");
            assert!(found.iter().all(|entry| entry.namespace == Namespace(1) && entry.value == "new"));
            let gone = StateEntry { namespace: Namespace(0), key: names[3].to_vec().into(), ..found[0].clone() };
            let behind = state.scan(EVERYTHING, Some(&gone), 1).expect("scan");
            assert_eq!(behind, found[..1], "a scan goes on behind an entry whose time has passed");
        }
    }

    fn what_is_restored_is_as_old_as_it_was(&self) {
        let own = self.fresh();
        let mut state = self.open(own.clone());
        put(&mut *state, 0, key(0, b"first"), b"1");
        self.at(600);
        put(&mut *state, 0, key(40, b"second"), b"2");
        let part = self.taken(&own, &mut *state);
        let keys = |state: &mut dyn KeyedState| -> Vec<_> { all(state).into_iter().map(|entry| entry.key).collect() };
        // The same instance, one that has less, and one that has more.
        for (index, parallelism) in [(1, 4), (2, 8), (0, 1)] {
            let subtask = SubtaskId { index, parallelism };
            let key_groups = KeyGroupRange::of(subtask);
            let context = StateContext { subtask, key_groups, restored: vec![part.part.clone()], ..own.clone() };
            self.at(700);
            let mut early = self.open(context.clone());
            let has_second = key_groups.contains(KeyGroup(104));
            assert_eq!(keys(&mut *early).len(), 1 + usize::from(has_second), "what lives is restored");
            self.at(1_100);
            for mut state in [early, self.open(context)] {
                let expected: &[&str] = if has_second { &["second"] } else { &[] };
                assert_eq!(keys(&mut *state), expected, "what is restored is as old as it was");
                self.at(1_600);
                assert_eq!(keys(&mut *state), [""; 0], "what is restored is as old as it was");
                self.at(1_100);
            }
        }
        self.at(1_100);
        let longer = StateContext { ttl: self.ttl(10 * TTL_MS), restored: vec![part.part.clone()], ..own };
        assert_eq!(keys(&mut *self.open(longer)).len(), 2, "how long entries live may change");
    }

    fn parts_of_the_other_sort_are_refused(&self) {
        let with = self.fresh();
        let without = StateContext { ttl: None, ..with.clone() };
        for (writer, reader) in [(&with, &without), (&without, &with)] {
            let mut state = self.open(writer.clone());
            put(&mut *state, 0, key(0, b"a"), b"1");
            let part = self.taken(writer, &mut *state);
            let refused = self.backend.open(StateContext { restored: vec![part.part.clone()], ..reader.clone() });
            let Err(error) = refused else {
                panic!("a part was taken whose values are told apart by a time of writing")
            };
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains("with time of writing, ttl-1"), "{error}");
        }
    }

    fn others_keep_everything(&self) {
        let with = self.fresh();
        let mut state = self.open(StateContext { ttl: None, ..with });
        put(&mut *state, 0, key(0, b"a"), b"");
        self.at(1_000 * TTL_MS);
        assert_eq!(get(&mut *state, 0, &[key(0, b"a")]), [Some("".into())], "without a time to live all stays");
    }

    fn taken(&self, context: &StateContext, state: &mut dyn KeyedState) -> Taken {
        let mut snapshot = state.snapshot().expect("snapshot");
        let files = snapshot.files().expect("files");
        taken(context.subtask, &context.stored_layout(), self.backend.format(), &files)
    }

    fn steps_do_what_the_model_does(&self, steps: &[Step]) -> Result<(), TestCaseError> {
        let own = self.fresh();
        let mut state = self.open(own.clone());
        let (mut now_ms, mut model) = (0_u64, Model::new());
        for step in steps {
            match step {
                Step::Put(namespace, entries) => {
                    let keys: Vec<_> = entries.iter().map(|(group, name)| key(*group, name)).collect();
                    let values: Vec<_> = entries.iter().map(|_| now_ms.to_le_bytes()).collect();
                    let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
                    state.put_many(Namespace(*namespace), &keys, &values).expect("put_many");
                    model.extend(entries.iter().map(|key| ((*namespace, key.clone()), now_ms)));
                }
                Step::Remove(namespace, name) => {
                    state.remove_many(Namespace(*namespace), &[key(name.0, &name.1)]).expect("remove_many");
                    model.remove(&(*namespace, name.clone()));
                }
                Step::Get(namespace, name) => {
                    let found = get(&mut *state, *namespace, &[key(name.0, &name.1)]).remove(0);
                    let expected = model.get(&(*namespace, name.clone())).map(|at| at.to_le_bytes().to_vec().into());
                    prop_assert_eq!(found, expected, "the value that lives");
                }
                Step::Scan(from, to, steps) => {
                    let found = scanned(&mut *state, Namespace(*from)..=Namespace(*to), *steps);
                    prop_assert_eq!(found.len(), model.keys().filter(|(of, _)| (*from..=*to).contains(of)).count());
                }
                Step::Wait(ms) => {
                    now_ms += ms;
                    self.at(now_ms);
                    model.retain(|_, at| now_ms - *at < TTL_MS);
                }
                Step::Restore => {
                    let part = self.taken(&own, &mut *state);
                    state = self.open(StateContext { restored: vec![part.part.clone()], ..own.clone() });
                }
            }
            let expected: Vec<_> = model.iter().map(|(key, at)| (key.clone(), at.to_le_bytes().to_vec())).collect();
            let found = state
                .scan(EVERYTHING, None, usize::MAX)
                .expect("scan")
                .into_iter()
                .map(|entry| ((entry.namespace.0, (entry.group.0 - 64, entry.key.to_vec())), entry.value.to_vec()));
            prop_assert_eq!(found.collect::<Vec<_>>(), expected, "what lives");
            let mut namespaces: Vec<_> = model.keys().map(|(namespace, _)| Namespace(*namespace)).collect();
            namespaces.dedup();
            prop_assert_eq!(state.namespaces().expect("namespaces"), namespaces);
        }
        Ok(())
    }
}

/// When each entry was written, of those that live.
type Model = BTreeMap<(i64, Key), u64>;

#[derive(Debug, Clone)]
enum Step {
    Put(i64, Vec<Key>),
    Remove(i64, Key),
    Get(i64, Key),
    Scan(i64, i64, usize),
    Wait(u64),
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    const NAMESPACES: RangeInclusive<i64> = -1..=1;
    let key = || (0..3_u8, prop::collection::vec(0..3_u8, 0..3));
    prop_oneof![
        4 => (NAMESPACES, prop::collection::vec(key(), 0..9)).prop_map(|(n, keys)| Step::Put(n, keys)),
        1 => (NAMESPACES, key()).prop_map(|(n, key)| Step::Remove(n, key)),
        2 => (NAMESPACES, key()).prop_map(|(n, key)| Step::Get(n, key)),
        1 => (NAMESPACES, NAMESPACES, 1..9_usize).prop_map(|(from, to, step)| Step::Scan(from, to, step)),
        4 => prop::sample::select(vec![1, 300, 499, 500, 999]).prop_map(Step::Wait),
        1 => Just(Step::Restore),
    ]
}
