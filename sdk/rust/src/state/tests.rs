//! Handles of row-wise functions against a model, over a host that counts its calls.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::buffer::Buffer;
use crate::process::{Context, Marks, Timer};
use crate::testing::process::held::Held;
use crate::{Emitter, Port};

type Maps<'s> = Map<'s, String, i64>;
type Lists<'s> = List<'s, String>;
type Sums<'s> = Merged<'s, (i64, f64)>;

const FUNCTIONS: [MergeFunction; 2] = [MergeFunction::Sum, MergeFunction::Max];

/// Host of a test, which writes down what it is asked for and perhaps refuses to read.
struct Counted {
    held: Held,
    calls: Vec<(&'static str, u32)>,
    refuses: bool,
}

impl Counted {
    fn note(&mut self, call: &'static str, state: u32) -> Result<(), StateError> {
        self.calls.push((call, state));
        let is_read = matches!(call, "get" | "map_get" | "entries");
        if self.refuses && is_read { Err(StateError(format!("refused {call} of {state}"))) } else { Ok(()) }
    }
}

macro_rules! counted {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $name(&mut self, state: u32, $($argument: $type),*) -> Result<$answer, StateError> {
            self.note(stringify!($name), state)?;
            self.held.$name(state, $($argument),*)
        }
    )*};
}

impl Host for Counted {
    counted! {
        get(groups: &[u32]) -> Found;
        put(groups: &[u32], values: &[u8]) -> ();
        remove(groups: &[u32]) -> ();
        merge(groups: &[u32], values: &[u8]) -> ();
        map_get(groups: &[u32], map_keys: &[u8]) -> Found;
        map_put(groups: &[u32], map_keys: &[u8], values: &[u8]) -> ();
        map_remove(groups: &[u32], map_keys: &[u8]) -> ();
        entries(groups: &[u32]) -> FoundEntries;
        append(groups: &[u32], values: &[u8]) -> ();
    }

    fn key_groups(&mut self, groups: &[u32]) -> Result<Vec<u8>, StateError> {
        self.held.key_groups(groups)
    }

    fn change_timers(&mut self, timers: &[Timer], register: bool) -> Result<(), StateError> {
        self.held.change_timers(timers, register)
    }
}

/// A state of each kind that has a handle of its own, call by call.
struct Job {
    host: Counted,
    wires: Vec<StateWire>,
}

impl Job {
    fn new() -> Self {
        let declared = vec![
            StateDeclaration::map::<String, i64>("map"),
            StateDeclaration::list::<String>("list"),
            StateDeclaration::merge::<(i64, f64)>("sums", FUNCTIONS),
        ];
        let wires = declared.iter().map(|declared| StateWire::new(declared).unwrap()).collect();
        Self { host: Counted { held: Held::new(declared), calls: Vec::new(), refuses: false }, wires }
    }

    /// A call for these groups, as the generated code makes one; gives what the host was asked for.
    fn call(
        &mut self,
        groups: &[u32],
        run: impl FnOnce(&mut Maps<'_>, &mut Lists<'_>, &mut Sums<'_>),
    ) -> (Vec<(&'static str, u32)>, Result<(), StateError>) {
        let (mut out, mut message, mut marks) = (Buffer::new(), Buffer::new(), Marks::default());
        let mut emit = |_: u32, _: &[u32], _: &[u8]| Ok(());
        let ports: [Port; 0] = [];
        let out = Emitter::new(&ports, &[], 0, &mut out, &mut emit);
        let mut cx =
            Context { out, host: &mut self.host, states: &self.wires, message: &mut message, marks: &mut marks };
        let shared = Shared::new(&mut cx);
        let mut map = Maps::new(&shared, 0, groups);
        let mut list = Lists::new(&shared, 1, groups);
        let mut sums = Sums::new(&shared, 2, groups, "sums", &FUNCTIONS);
        run(&mut map, &mut list, &mut sums);
        map.store();
        list.store();
        sums.store();
        let checked = shared.check();
        (std::mem::take(&mut self.host.calls), checked)
    }
}

/// What a row does to the state of its key.
#[derive(Debug, Clone)]
enum Deed {
    Get(String),
    Insert(String, i64),
    Remove(String),
    TakeEntry(String),
    Iter,
    ClearMap,
    Push(String),
    Rows,
    TakeRows,
    ClearList,
    Add(i64, f64),
    Sum,
    ClearSum,
}

impl Deed {
    fn reads(&self) -> bool {
        matches!(self, Self::Get(_) | Self::TakeEntry(_) | Self::Iter | Self::Rows | Self::TakeRows | Self::Sum)
    }

    /// Does it; in words what was read.
    fn on(&self, map: &mut Maps<'_>, list: &mut Lists<'_>, sums: &mut Sums<'_>) -> String {
        match self {
            Self::Get(key) => return format!("{:?}", map.get(key.as_str())),
            Self::Insert(key, value) => map.insert(key.clone(), *value),
            Self::Remove(key) => map.remove(key),
            Self::TakeEntry(key) => return format!("{:?}", map.take(key)),
            Self::Iter => return format!("{:?}", map.iter().collect::<Vec<_>>()),
            Self::ClearMap => map.clear(),
            Self::Push(row) => list.push(row.clone()),
            Self::Rows => return format!("{:?}", list.get()),
            Self::TakeRows => return format!("{:?}", list.take()),
            Self::ClearList => list.clear(),
            Self::Add(count, most) => sums.add((*count, *most)),
            Self::Sum => return format!("{:?}", sums.get()),
            Self::ClearSum => sums.clear(),
        }
        String::new()
    }

    /// The same, on the model.
    fn on_model(&self, model: &mut Model) -> String {
        let (map, list, sum) = model;
        match self {
            Self::Get(key) => return format!("{:?}", map.get(key)),
            Self::Insert(key, value) => {
                map.insert(key.clone(), *value);
            }
            Self::Remove(key) => {
                map.remove(key);
            }
            Self::TakeEntry(key) => return format!("{:?}", map.remove(key)),
            Self::Iter => return format!("{:?}", map.iter().collect::<Vec<_>>()),
            Self::ClearMap => map.clear(),
            Self::Push(row) => list.push(row.clone()),
            Self::Rows => return format!("{list:?}"),
            Self::TakeRows => return format!("{:?}", std::mem::take(list)),
            Self::ClearList => list.clear(),
            Self::Add(count, most) => {
                let (before, greatest) = sum.unwrap_or((0, f64::NEG_INFINITY));
                *sum = Some((before + count, greatest.max(*most)));
            }
            Self::Sum => return format!("{sum:?}"),
            Self::ClearSum => *sum = None,
        }
        String::new()
    }
}

/// What a key has.
type Model = (BTreeMap<String, i64>, Vec<String>, Option<(i64, f64)>);

fn deeds() -> impl Strategy<Value = Deed> {
    let key = || prop::sample::select(vec!["", "a", "b", "ü"]).prop_map(str::to_owned);
    prop_oneof![
        3 => key().prop_map(Deed::Get),
        4 => (key(), -9..9_i64).prop_map(|(key, value)| Deed::Insert(key, value)),
        2 => key().prop_map(Deed::Remove),
        1 => key().prop_map(Deed::TakeEntry),
        2 => Just(Deed::Iter),
        1 => Just(Deed::ClearMap),
        4 => key().prop_map(Deed::Push),
        2 => Just(Deed::Rows),
        1 => Just(Deed::TakeRows),
        1 => Just(Deed::ClearList),
        4 => (-9..9_i64, -9..9_i32).prop_map(|(count, most)| Deed::Add(count, f64::from(most))),
        2 => Just(Deed::Sum),
        1 => Just(Deed::ClearSum),
    ]
}

/// Which calls write.
const WRITES: [&str; 6] = ["put", "remove", "merge", "map_put", "map_remove", "append"];

proptest! {
    /// Each read gives what rows before it have left, in the same batch and in earlier ones; each kind of write is one call.
    #[test]
    fn handles_are_like_the_model(batches in prop::collection::vec(prop::collection::vec((0..6_u32, deeds()), 1..40), 1..6)) {
        let (mut job, mut models) = (Job::new(), BTreeMap::<u32, Model>::new());
        for batch in batches {
            let distinct = Marks::default().distinct(batch.iter().map(|(group, _)| *group));
            let mut found = Vec::new();
            let (calls, checked) = job.call(&distinct.groups, |map, list, sums| {
                for (place, (_, deed)) in distinct.places.iter().zip(&batch) {
                    found.push(deed.on(map.at(*place), list.at(*place), sums.at(*place)));
                }
            });
            prop_assert_eq!(checked, Ok(()));
            let due = batch.iter().map(|(group, deed)| deed.on_model(models.entry(*group).or_default()));
            prop_assert_eq!(found, due.collect::<Vec<_>>());
            for call in &calls {
                let is_write = WRITES.contains(&call.0);
                prop_assert!(!is_write || calls.iter().filter(|other| other == &call).count() == 1, "{calls:?}");
                prop_assert!(is_write || batch.iter().any(|(_, deed)| deed.reads()), "{calls:?}");
            }
        }
    }
}

fn group_numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn what_only_writes_reads_nothing() {
    let mut job = Job::new();
    let groups = group_numbers(3);
    let (calls, _) = job.call(&groups, |map, list, sums| {
        for place in 0..3 {
            map.at(place).insert("a".to_owned(), 1);
            map.at(place).remove("b");
            list.at(place).push("a".to_owned());
            sums.at(place).add((1, 1.0));
        }
    });
    assert_eq!(calls, [("map_remove", 0), ("map_put", 0), ("append", 1), ("merge", 2)]);
    let (calls, _) = job.call(&groups, |map, list, sums| {
        map.at(1).clear();
        list.at(1).clear();
        sums.at(1).clear();
        // What is known to be gone is not asked for.
        assert_eq!((map.at(1).get("a"), list.at(1).get().len(), sums.at(1).get()), (None, 0, None));
    });
    assert_eq!(calls, [("remove", 0), ("remove", 1), ("remove", 2)]);
    assert_eq!(job.call(&groups, |_, _, _| {}).0, []);
}

#[test]
fn entries_that_are_fetched_before_are_asked_for_once() {
    let mut job = Job::new();
    let groups = group_numbers(100);
    let (calls, _) = job.call(&groups, |map, _, _| {
        for turn in 0..2 {
            (0..100).for_each(|place| map.want(place, format!("{}", place % 7 + turn)));
        }
        map.prefetch();
        for place in 0..100 {
            let key = format!("{}", place % 7);
            let map = map.at(place);
            let count = map.get(&key).copied().unwrap_or(0);
            map.insert(key, count + 1);
        }
    });
    assert_eq!(calls, [("map_get", 0), ("map_put", 0)]);
    let (calls, _) = job.call(&groups, |map, _, _| {
        for _ in 0..2 {
            assert_eq!(map.at(8).get("1"), Some(&1));
            assert_eq!(map.at(8).get("2"), None);
        }
    });
    assert_eq!(calls, [("map_get", 0), ("map_get", 0)], "each entry once");
}

#[test]
fn keys_that_are_read_one_after_another_are_read_together() {
    let mut job = Job::new();
    let groups = group_numbers(1_000);
    let (_, checked) = job.call(&groups, |map, list, sums| {
        for place in 0..1_000 {
            map.at(place).insert(format!("{place}"), 1);
            list.at(place).push(format!("{place}"));
            sums.at(place).add((i64::from(place), 0.5));
        }
    });
    assert_eq!(checked, Ok(()));
    let (calls, _) = job.call(&groups, |map, list, sums| {
        for place in 0..1_000 {
            list.at(place).push("more".to_owned());
            assert_eq!(map.at(place).iter().next(), Some((&format!("{place}"), &1)));
            assert_eq!(list.at(place).get(), [format!("{place}"), "more".to_owned()]);
            sums.at(place).add((1, 0.25));
            assert_eq!(sums.at(place).get(), Some(&(i64::from(place) + 1, 0.5)));
        }
    });
    let reads = calls.iter().filter(|(call, _)| matches!(*call, "entries" | "get")).count();
    assert!(reads <= 3 * 7, "{calls:?}");
}

/// Sums of floats are those of rows one by one, whatever is read in between and however rows are cut into batches.
#[test]
fn floats_are_added_in_their_order() {
    let functions: &'static [MergeFunction] = &[MergeFunction::Sum];
    let rows: Vec<f64> = (0..200_i32).map(|row| 0.1 * f64::from(row).exp2().rem_euclid(7.3) - 0.3).collect();
    let declared = || vec![StateDeclaration::merge::<f64>("sum", functions)];
    let straight = rows.iter().copied().reduce(|sum, row| sum + row).unwrap();
    for (at_once, reads) in [(1, false), (7, true), (200, true), (200, false)] {
        let mut job = Job::new();
        job.wires = declared().iter().map(|declared| StateWire::new(declared).unwrap()).collect();
        job.host.held = Held::new(declared());
        for batch in rows.chunks(at_once) {
            add_floats(&mut job, batch, functions, reads);
        }
        assert_eq!(add_floats(&mut job, &[], functions, true), Some(straight), "{at_once} at once, read: {reads}");
    }
}

fn add_floats(job: &mut Job, rows: &[f64], functions: &'static [MergeFunction], reads: bool) -> Option<f64> {
    let (mut out, mut message, mut marks) = (Buffer::new(), Buffer::new(), Marks::default());
    let mut emit = |_: u32, _: &[u32], _: &[u8]| Ok(());
    let out = Emitter::new(&[], &[], 0, &mut out, &mut emit);
    let mut cx = Context { out, host: &mut job.host, states: &job.wires, message: &mut message, marks: &mut marks };
    let shared = Shared::new(&mut cx);
    let mut sum = Merged::<f64>::new(&shared, 0, &[4], "sum", functions);
    for (at, row) in rows.iter().enumerate() {
        sum.add(*row);
        if reads && at == rows.len() / 2 {
            sum.get();
        }
    }
    let found = if reads { sum.get().copied() } else { None };
    sum.store();
    shared.check().unwrap();
    found
}

#[test]
fn what_the_host_refuses_ends_the_call_and_nothing_is_written() {
    let mut job = Job::new();
    job.host.refuses = true;
    let (calls, checked) = job.call(&[3], |map, list, sums| {
        sums.add((1, 1.0));
        assert_eq!((map.get("a"), list.get().len(), sums.get()), (None, 0, None));
        map.insert("a".to_owned(), 1);
    });
    assert_eq!(checked, Err(StateError("refused map_get of 0".to_owned())), "the first error");
    assert_eq!(calls, [("map_get", 0)], "nothing is asked any more");
    // A sum that does not fit is told by the name of its state.
    job.host.refuses = false;
    let (_, checked) = job.call(&[3], |_, _, sums| {
        sums.add((i64::MAX, 0.0));
        assert!(sums.get().is_some());
        sums.add((1, 0.0));
    });
    assert!(checked.unwrap_err().0.contains("`sums`"));
}
