//! What calls leave in the states, seen through their views, is what a model of each state holds.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::Schema;
use serde_json::{Value, json};
use volley_api::{
    KeyGroupRange, KeyRows, KeyedState, Namespace, NodeName, StateBackend, StateContext, SubtaskId, dead_letter,
    split_mix_64,
};
use volley_ipc::encode_schema;
use volley_state::MemoryBackend;

use super::super::check_declared;
use super::super::columns::{Columns, RowBytes};
use super::super::groups::Groups;
use super::super::several::Several;
use super::super::single::Single;
use super::super::timers::Timers;
use super::*;
use crate::contract::{MergeFunction, StateDeclaration, TimeDomain, Timer};

const USERS: [Option<&str>; 4] = [Some("ann"), Some("bob"), Some(""), None];
const TTL_MS: u64 = 1_000;

fn schema(fields: &[(&str, DataType)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    encode_schema(&Schema::new(fields.collect::<Vec<_>>())).expect("encodes")
}

/// One state of each kind; the value has a column of the key's name, and a time to live, as has the list.
fn declared() -> Vec<Declared> {
    let state = |name: &str, kind, values: &[(&str, DataType)]| StateDeclaration {
        name: name.to_owned(),
        kind,
        map_keys: None,
        values: schema(values),
        version: 1,
        ttl_ms: None,
    };
    let number = [("n", DataType::Int64)];
    check_declared(vec![
        StateDeclaration { ttl_ms: Some(TTL_MS), ..state("last", StateKind::Value, &[("user", DataType::Int64)]) },
        state("sums", StateKind::Merge(vec![MergeFunction::Sum]), &number),
        StateDeclaration {
            map_keys: Some(schema(&[("page", DataType::Int64)])),
            ..state("pages", StateKind::Map, &number)
        },
        StateDeclaration { ttl_ms: Some(TTL_MS), ..state("seen", StateKind::List, &number) },
        state("marked", StateKind::Value, &[]),
    ])
    .expect("good")
}

fn open(name: &'static str) -> Box<dyn KeyedState> {
    let context = StateContext {
        node: NodeName::new("node").expect("a name"),
        name,
        subtask: SubtaskId::SINGLE,
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        ttl: None,
        cache_entries_max: None,
        restored: Vec::new(),
    };
    MemoryBackend::new(1 << 30).open(context).expect("opens")
}

fn keys() -> (Vec<FieldRef>, KeyRows) {
    let users: ArrayRef = Arc::new(StringArray::from(USERS.to_vec()));
    let codec = KeyCodec::new(&[DataType::Utf8]).expect("keys");
    (vec![column("user", DataType::Utf8)], codec.encode(&[users]).expect("keys"))
}

/// The rows that a view shows of a state, as JSON texts.
fn shown(view: &StateView, state: &mut dyn KeyedState) -> BTreeSet<String> {
    let all = state.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX).expect("scan");
    let entries: Vec<StateEntry> = all.into_iter().filter(|entry| view.shows(entry)).collect();
    let (of, batch) = view.decode(&entries).expect("its own layout");
    assert_eq!(of, (0..entries.len()).collect::<Vec<_>>(), "one row for each");
    let rows = dead_letter::rows_as_json(&batch).expect("JSON");
    let rows = rows.as_any().downcast_ref::<StringArray>().expect("texts").iter().flatten();
    let value = |row: &str| serde_json::from_str::<Value>(row).expect("JSON").to_string();
    let texts: BTreeSet<String> = rows.map(value).collect();
    assert_eq!(texts.len(), entries.len(), "no row is there twice");
    texts
}

fn time(at_ms: i64) -> Value {
    let time = arrow::temporal_conversions::timestamp_ms_to_datetime(at_ms).expect("a time");
    let short = at_ms.rem_euclid(1_000) == 0;
    json!(time.format(if short { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" }).to_string())
}

fn number(columns: &Columns, number: i64) -> RowBytes {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![number]));
    let batch = RecordBatch::try_new(Arc::clone(&columns.schema), vec![array]).expect("a row");
    columns.rows(&batch).expect("a row")
}

#[test]
fn views_show_what_calls_have_left() {
    let (key_fields, key_rows) = keys();
    let declared = declared();
    let views = views(&key_fields, &declared).expect("views");
    let by_name = |name: &str| views.iter().find(|view| view.name() == name).expect("a view");
    let columns = |index: usize| Columns::new(&declared[index].values).expect("columns");
    let life = |index: usize| Life(declared[index].ttl_ms);
    let mut last = Single::new(columns(0), life(0), open("last"));
    let mut sums = Single::new(columns(1), life(1), open("sums"));
    let map_keys = Columns::new(declared[2].map_keys.as_ref().expect("a map")).expect("columns");
    let mut pages = Several::new(columns(2), Some(map_keys), life(2), open("pages"));
    let mut seen = Several::new(columns(3), None, life(3), open("seen"));
    let mut marked = Single::new(columns(4), life(4), open("marked"));
    let mut timers = Timers::new(open(EVENT_TIMERS), open(CLOCK_TIMERS), open(TIMER_COUNTS));
    // By user: value and when it was written; value; by page; by index; marked.
    let mut last_model: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    let mut sums_model: BTreeMap<usize, i64> = BTreeMap::new();
    let mut pages_model: BTreeMap<(usize, i64), i64> = BTreeMap::new();
    let mut seen_model: BTreeMap<(usize, u64), (i64, i64)> = BTreeMap::new();
    let mut marked_model: BTreeSet<usize> = BTreeSet::new();
    let mut timers_model: BTreeSet<(usize, bool, i64, u32)> = BTreeSet::new();
    let mut chance = 7_u64;
    let mut below = |limit: u64| {
        chance = chance.wrapping_add(1);
        split_mix_64(chance) % limit
    };
    let mut groups = Groups::default();
    for now_ms in 1_700_000_000_000..1_700_000_000_400_i64 {
        groups.begin();
        let user = below(4) as usize;
        let (key, hash) = key_rows.key(user);
        let group = groups.of_call(volley_api::StateKey { group: volley_api::KeyGroup::of_hash(hash), key });
        let value = below(1_000) as i64;
        match below(10) {
            0 | 1 => {
                last.put(&groups, &[group], &number(&last.columns, value));
                last_model.insert(user, (value, now_ms));
            }
            2 => {
                last.remove(&groups, &[group]);
                last_model.remove(&user);
            }
            3 => {
                sums.put(&groups, &[group], &number(&sums.columns, value));
                sums_model.insert(user, value);
            }
            4 => {
                let page = value % 5;
                let keys = number(pages.map_keys.as_ref().expect("a map"), page);
                let row = number(&pages.columns, value);
                pages.map_put(&groups, &[group], &keys, &row, now_ms).expect("stored").expect("few");
                pages_model.insert((user, page), value);
            }
            5 => {
                let page = value % 5;
                let keys = number(pages.map_keys.as_ref().expect("a map"), page);
                pages.map_remove(&groups, &[group], &keys).expect("stored");
                pages_model.remove(&(user, page));
            }
            6 => {
                let row = number(&seen.columns, value);
                seen.append(&groups, &[group], &row, now_ms).expect("stored").expect("few");
                let index = seen_model.keys().filter(|(of, _)| *of == user).count() as u64;
                seen_model.insert((user, index), (value, now_ms));
            }
            7 => {
                marked.put(&groups, &[group], &RowBytes::Empty(1));
                marked_model.insert(user);
            }
            kind => {
                let (is_event, at_ms, tag) = (value % 2 == 0, value * 700 - 9_000, value as u32 % 3);
                let domain = if is_event { TimeDomain::EventTime } else { TimeDomain::ProcessingTime };
                let timer = Timer { group, at_ms, domain, tag };
                if kind == 8 || timers_model.is_empty() {
                    timers.register(&groups, &[timer]).expect("stored").expect("few");
                    timers_model.insert((user, is_event, at_ms, tag));
                } else {
                    timers.delete(&groups, &[timer]).expect("stored").expect("known");
                    timers_model.remove(&(user, is_event, at_ms, tag));
                }
            }
        }
        for state in [&mut last, &mut sums, &mut marked] {
            state.commit(&groups, now_ms).expect("stored");
        }
        for state in [&mut pages, &mut seen] {
            state.commit(&groups).expect("stored");
        }
        timers.commit(&groups).expect("stored");
    }
    let user = |user: usize| USERS[user];
    let texts = |rows: Vec<Value>| rows.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    let expected = |rows: Vec<Value>| {
        assert!(!rows.is_empty(), "chance has left something of each");
        texts(rows)
    };
    let rows = last_model
        .iter()
        .map(|(of, (value, at_ms))| json!({ "user": user(*of), "state_user": value, "written_at": time(*at_ms) }));
    assert_eq!(shown(by_name("last"), last.state()), expected(rows.collect()));
    let rows = sums_model.iter().map(|(of, value)| json!({ "user": user(*of), "n": value }));
    assert_eq!(shown(by_name("sums"), sums.state()), expected(rows.collect()));
    let rows = pages_model.iter().map(|((of, page), n)| json!({ "user": user(*of), "page": page, "n": n }));
    assert_eq!(shown(by_name("pages"), pages.state()), expected(rows.collect()));
    let rows = seen_model.iter().map(
        |((of, index), (n, at_ms))| json!({ "user": user(*of), "index": index, "n": n, "written_at": time(*at_ms) }),
    );
    assert_eq!(shown(by_name("seen"), seen.state()), expected(rows.collect()));
    let rows = marked_model.iter().map(|of| json!({ "user": user(*of) }));
    assert_eq!(shown(by_name("marked"), marked.state()), expected(rows.collect()));
    let of_kind = |wanted: bool, domain: &str| {
        let of_kind = timers_model.iter().filter(|(_, is_event, ..)| *is_event == wanted);
        let row = |(of, _, at_ms, tag): &(usize, bool, i64, u32)| json!({ "user": user(*of), "at": time(*at_ms), "domain": domain, "tag": tag });
        expected(of_kind.map(row).collect())
    };
    let counts = (0..USERS.len()).map(|of| (of, timers_model.iter().filter(|timer| timer.0 == of).count()));
    let counts = counts.filter(|(_, timers)| *timers > 0);
    let counts = counts.map(|(of, timers)| json!({ "user": user(of), "timers": timers })).collect();
    let [event, clock, numbers] = timers.states();
    assert_eq!(shown(by_name(EVENT_TIMERS), event), of_kind(true, "event-time"));
    assert_eq!(shown(by_name(CLOCK_TIMERS), clock), of_kind(false, "processing-time"));
    assert_eq!(shown(by_name(TIMER_COUNTS), numbers), expected(counts));
}

#[test]
fn other_bytes_are_an_error_or_a_row_and_never_a_panic() {
    let (keys, _) = keys();
    for view in views(&keys, &declared()).expect("views") {
        for bytes in [&b""[..], b"\x01", b"12345678", &[0; 12], &[255; 30], &[2; 41]] {
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            let group = volley_api::KeyGroup(0);
            let entry = StateEntry { group, namespace: Namespace(0), key: bytes.clone(), value: bytes };
            if let Ok((of, batch)) = view.decode(&[entry]) {
                assert_eq!(of.len(), batch.num_rows());
            }
        }
    }
}
