//! Against a twin that makes no call twice: the second call reads what the first read, leaves nothing behind, and differs where
//! it does something else.

use std::collections::HashMap;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use volley_api::{
    KeyGroup, KeyRows, ManualClock, Namespace, NodeName, OperatorContext, OriginDirectory, SeedSource, StateEntry,
    SubtaskId,
};
use volley_ipc::{encode_batch, encode_schema};
use volley_state::MemoryBackend;

use super::super::*;
use crate::contract::{MergeFunction, StateDeclaration, StateKind, TimeDomain, Timer};

/// The states, by their place: a value that ends, a value that does not, a sum, a map, a list.
const ENDS: u32 = 0;
const VALUE: u32 = 1;
const SUM: u32 = 2;
const MAP: u32 = 3;
const LIST: u32 = 4;

const USERS: [&str; 5] = ["ann", "bob", "cleo", "a user of a name that is longer than a word", ""];

/// What a call does, for a user by place.
#[derive(Debug, Clone)]
enum Op {
    Put(u32, usize, i64),
    Remove(u32, usize),
    Add(usize, i64),
    MapPut(usize, i64, i64),
    MapRemove(usize, i64),
    Append(usize, i64),
    Timer(bool, usize, i64),
}

fn numbers() -> Schema {
    Schema::new(vec![Field::new("n", DataType::Int64, true)])
}

fn message(number: i64) -> Buffer {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
    let batch = RecordBatch::try_new(Arc::new(numbers()), vec![column]).expect("one column");
    Buffer::from_slice_ref(encode_batch(&batch).expect("encodes"))
}

fn opened() -> Keyed {
    let schema = || encode_schema(&numbers()).expect("encodes");
    let state = |name: &str, kind: StateKind, ttl_ms| StateDeclaration {
        name: name.to_owned(),
        map_keys: (kind == StateKind::Map).then(schema),
        kind,
        values: schema(),
        version: 1,
        ttl_ms,
    };
    let declared = vec![
        state("ends", StateKind::Value, Some(1_000_000)),
        state("value", StateKind::Value, None),
        state("sum", StateKind::Merge(vec![MergeFunction::Sum]), None),
        state("map", StateKind::Map, Some(1_000_000)),
        state("list", StateKind::List, None),
    ];
    let declared = check_declared(declared).expect("good");
    let user = Arc::new(Field::new("user", DataType::Utf8, true));
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: Arc::new(Schema::new(vec![Arc::clone(&user)])),
        event_time: None,
        state: Arc::new(MemoryBackend::new(16 << 20)),
        restored: Default::default(),
        errors_attached: false,
        clock: Arc::new(ManualClock::at(1_234)),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    Keyed::open(&context, &[user], &declared, |_, _| Ok(())).expect("opens")
}

fn rows(keyed: &Keyed, users: &[usize]) -> KeyRows {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(users.iter().map(|user| USERS[*user])));
    keyed.key_rows(&[names]).expect("keys")
}

fn key(keys: &KeyRows, row: usize) -> StateKey<'_> {
    let (key, hash) = keys.key(row);
    StateKey { group: KeyGroup::of_hash(hash), key }
}

type Numbers = HashMap<usize, u32>;

fn numbered(users: &[usize], groups: &[u32]) -> Numbers {
    users.iter().copied().zip(groups.iter().copied()).collect()
}

/// Does it, for users that are in the call; gives what the host answered, as far as it does not name numbers.
fn apply(keyed: &mut Keyed, of: &Numbers, ops: &[Op]) -> Vec<String> {
    let mut answers = Vec::new();
    for op in ops {
        let (Op::Put(_, user, _)
        | Op::Remove(_, user)
        | Op::Add(user, _)
        | Op::MapPut(user, ..)
        | Op::MapRemove(user, _)
        | Op::Append(user, _)
        | Op::Timer(_, user, _)) = op;
        let Some(group) = of.get(user).copied() else { continue };
        let groups = [group];
        answers.push(match op {
            Op::Put(state, _, n) => format!("{:?}", keyed.put(*state, &groups, &message(*n))),
            Op::Remove(state, _) => format!("{:?}", keyed.remove(*state, &groups)),
            Op::Add(_, n) => format!("{:?}", keyed.merge(SUM, &groups, &message(*n))),
            Op::MapPut(_, at, n) => format!("{:?}", keyed.map_put(MAP, &groups, &message(*at), &message(*n))),
            Op::MapRemove(_, at) => format!("{:?}", keyed.map_remove(MAP, &groups, &message(*at))),
            Op::Append(_, n) => format!("{:?}", keyed.append(LIST, &groups, &message(*n))),
            Op::Timer(register, _, at_ms) => {
                let timer = Timer { group, at_ms: *at_ms, domain: TimeDomain::EventTime, tag: 0 };
                format!("{:?}", keyed.change_timers(&[timer], *register))
            }
        });
        let present = [ENDS, VALUE, SUM].map(|state| keyed.get(state, &groups).expect("is read").present);
        let entries = [MAP, LIST].map(|state| keyed.get_entries(state, &groups).expect("is read").groups.len());
        answers.push(format!("{present:?} {entries:?}"));
    }
    answers
}

/// All that is stored.
fn stored(keyed: &mut Keyed) -> Vec<Vec<StateEntry>> {
    let all = Namespace(i64::MIN)..=Namespace(i64::MAX);
    let mut stored = Vec::new();
    for state in &mut keyed.states {
        let state = match &mut state.store {
            Store::Single(single) => single.state(),
            Store::Several(several) => several.state(),
        };
        stored.push(state.scan(all.clone(), None, 10_000).expect("is read"));
    }
    stored.extend(keyed.timers.states().map(|state| state.scan(all.clone(), None, 10_000).expect("is read")));
    stored
}

/// Makes a call on rows of these users; made once more with other operations, where there are some: how it differs then.
fn call(keyed: &mut Keyed, users: &[usize], ops: &[Op], again: Option<&[Op]>) -> Option<Option<String>> {
    let keys = rows(keyed, users);
    let first = keyed.begin_rows(&keys, 0..users.len(), None).expect("begins");
    let answers = apply(keyed, &numbered(users, &first.groups), ops);
    let differs = again.map(|again| {
        let (aside, second) = keyed.begin_again((0..users.len()).map(|row| key(&keys, row))).expect("begins once more");
        let (first_number, columns) = second.new.expect("it knows no key");
        let mut distinct = users.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((first_number, columns[0].len()), (0, distinct.len()), "it is told those of the call");
        let in_order = |pair: &[(&u32, &u32)]| pair[0].0.cmp(pair[1].0) == pair[0].1.cmp(pair[1].1);
        let pairs: Vec<(&u32, &u32)> = first.groups.iter().zip(&second.groups).collect();
        assert!(pairs.windows(2).all(in_order), "numbers are in the same order: {pairs:?}");
        let answers_again = apply(keyed, &numbered(users, &second.groups), again);
        let is_same = format!("{ops:?}") == format!("{again:?}");
        assert!(!is_same || answers == answers_again, "{answers:?} and {answers_again:?}");
        let written = keyed.end_again(aside);
        keyed.differs(&written).expect("is compared")
    });
    keyed.commit().expect("is stored");
    differs
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (user, n) = (0..USERS.len(), -3_i64..4);
    let op = prop_oneof![
        (ENDS..=VALUE, user.clone(), n.clone()).prop_map(|(state, user, n)| Op::Put(state, user, n)),
        (ENDS..=LIST, user.clone()).prop_map(|(state, user)| Op::Remove(state, user)),
        (user.clone(), n.clone()).prop_map(|(user, n)| Op::Add(user, n)),
        (user.clone(), 0_i64..3, n.clone()).prop_map(|(user, at, n)| Op::MapPut(user, at, n)),
        (user.clone(), 0_i64..3).prop_map(|(user, at)| Op::MapRemove(user, at)),
        (user.clone(), n).prop_map(|(user, n)| Op::Append(user, n)),
        (any::<bool>(), user, 0_i64..4).prop_map(|(register, user, at_ms)| Op::Timer(register, user, at_ms)),
    ];
    prop::collection::vec(op, 0..12)
}

fn users() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..USERS.len(), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_call_that_does_the_same_again_differs_in_nothing_and_leaves_nothing(
        calls in prop::collection::vec((users(), ops()), 1..5),
    ) {
        let (mut keyed, mut twin) = (opened(), opened());
        for (users, ops) in &calls {
            prop_assert_eq!(call(&mut keyed, users, ops, Some(ops)), Some(None));
            call(&mut twin, users, ops, None);
            prop_assert_eq!(stored(&mut keyed), stored(&mut twin));
        }
    }

    #[test]
    fn a_call_that_does_something_else_differs_and_leaves_nothing(
        (before, ops, other) in ((users(), ops()), ops(), ops()),
        more in 0..5_usize,
    ) {
        let (mut keyed, mut twin) = (opened(), opened());
        let everybody: Vec<usize> = (0..USERS.len()).rev().collect();
        call(&mut keyed, &before.0, &before.1, None);
        call(&mut twin, &before.0, &before.1, None);
        call(&mut keyed, &everybody, &ops, Some(&other));
        call(&mut twin, &everybody, &ops, None);
        prop_assert_eq!(stored(&mut keyed), stored(&mut twin));
        // One thing more that nothing else does.
        let (odd, words) = [
            (Op::Put(VALUE, 1, 1_000), "`value`"),
            (Op::Put(ENDS, 1, 1_000), "`ends`"),
            (Op::MapPut(1, 1_000, 5), "`map`"),
            (Op::Append(1, 1_000), "`list`"),
            (Op::Timer(true, 1, 1_000), "timers"),
        ][more].clone();
        let with: Vec<Op> = ops.iter().cloned().chain([odd]).collect();
        let differs = call(&mut keyed, &everybody, &ops, Some(&with)).flatten();
        prop_assert!(differs.as_ref().is_some_and(|said| said.contains(words)), "{:?} should say {}", differs, words);
        let differs = call(&mut keyed, &everybody, &with, Some(&ops)).flatten();
        prop_assert!(differs.as_ref().is_some_and(|said| said.contains(words)), "{:?} should say {}", differs, words);
    }
}

#[test]
fn what_is_written_as_it_is_stored_is_no_difference() {
    let mut keyed = opened();
    let writes = [Op::Put(VALUE, 0, 5), Op::Put(ENDS, 0, 6), Op::MapPut(0, 1, 7)];
    call(&mut keyed, &[0, 1], &writes, None);
    assert_eq!(call(&mut keyed, &[1, 0], &[], Some(&writes)), Some(None));
    assert_eq!(call(&mut keyed, &[1, 0], &writes, Some(&[])), Some(None));
    // What is not there can be removed by one of the two alone.
    assert_eq!(call(&mut keyed, &[1], &[Op::Remove(VALUE, 1)], Some(&[])), Some(None));
}
