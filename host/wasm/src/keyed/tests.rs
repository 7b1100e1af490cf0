//! Values that have an end: what a timer finds is what was there at its time, however far the watermark leaps.

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use volley_api::{
    EventTimeColumn, KeyGroup, ManualClock, NodeName, OriginDirectory, SeedSource, StateKey as Key, SubtaskId,
};
use volley_ipc::{encode_batch, encode_schema};
use volley_state::MemoryBackend;

use super::*;
use crate::contract::{StateDeclaration, TimerError};

const TTL_MS: u64 = 100;
/// When the value was written.
const WRITTEN_MS: i64 = 1_000;

fn numbers() -> Schema {
    Schema::new(vec![Field::new("n", DataType::Int64, true)])
}

/// One key, with a value that was just written.
fn written() -> Keyed {
    let mut keyed = opened(Some(EventTimeColumn::new("at")), Arc::new(ManualClock::at(9_999_999)));
    put(&mut keyed);
    keyed
}

fn opened(event_time: Option<EventTimeColumn>, clock: Arc<ManualClock>) -> Keyed {
    let declared = check_declared(vec![StateDeclaration {
        name: "last".to_owned(),
        kind: StateKind::Value,
        map_keys: None,
        values: encode_schema(&numbers()).expect("encodes"),
        version: 1,
        ttl_ms: Some(TTL_MS),
    }])
    .expect("good");
    let user = Arc::new(Field::new("user", DataType::Utf8, true));
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: Arc::new(Schema::new(vec![Arc::clone(&user)])),
        event_time,
        state: Arc::new(MemoryBackend::new(1 << 20)),
        restored: Default::default(),
        errors_attached: false,
        clock,
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    Keyed::open(&context, &[user], &declared, |_, _| Ok(())).expect("opens")
}

fn put(keyed: &mut Keyed) {
    put_for(keyed, "ann", Some(WRITTEN_MS));
}

fn put_for(keyed: &mut Keyed, user: &str, event_time_ms: Option<i64>) {
    let user: ArrayRef = Arc::new(StringArray::from(vec![user]));
    let keys = keyed.key_rows(&[user]).expect("keys");
    let groups = keyed.begin_rows(&keys, 0..1, event_time_ms).expect("begins").groups;
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let value = RecordBatch::try_new(Arc::new(numbers()), vec![column]).expect("one column");
    let message = Buffer::from_slice_ref(encode_batch(&value).expect("encodes"));
    keyed.put(0, &groups, &message).expect("is written");
    keyed.commit().expect("is stored");
}

/// Whether a timer of that time finds the value.
fn finds(keyed: &mut Keyed, at_ms: i64, domain: TimeDomain) -> bool {
    let Key { group, key } = keyed.groups.key(0);
    let due = Due { group: KeyGroup(group.0), key: Bytes::copy_from_slice(key), at_ms, tag: 0 };
    keyed.begin_timers(&[due], domain).expect("begins");
    let found = keyed.get(0, &[0]).expect("is read").present[0] & 1 == 1;
    keyed.discard();
    found
}

#[test]
fn a_timer_finds_what_was_there_at_its_time() {
    for watermark in [Watermark::AtMs(50_000), Watermark::End] {
        let mut keyed = written();
        keyed.advance(watermark);
        assert!(finds(&mut keyed, WRITTEN_MS + 99, TimeDomain::EventTime), "{watermark:?}");
        assert!(!finds(&mut keyed, WRITTEN_MS + 100, TimeDomain::EventTime), "{watermark:?}");
        // By the clock it is as late as the watermark says.
        assert!(!finds(&mut keyed, WRITTEN_MS, TimeDomain::ProcessingTime), "{watermark:?}");
    }
}

/// The watermark is far behind when rows come from where it has not been yet.
#[test]
fn a_value_lives_from_the_time_of_its_row_on() {
    let mut keyed = written();
    keyed.advance(Watermark::AtMs(WRITTEN_MS - 900));
    put(&mut keyed);
    keyed.advance(Watermark::AtMs(WRITTEN_MS + 99));
    assert!(finds(&mut keyed, WRITTEN_MS, TimeDomain::ProcessingTime));
    keyed.advance(Watermark::AtMs(WRITTEN_MS + 100));
    assert!(!finds(&mut keyed, WRITTEN_MS, TimeDomain::ProcessingTime));
}

#[test]
fn what_has_gone_does_not_come_back_for_a_timer_of_a_time_that_had_passed() {
    let mut keyed = written();
    keyed.advance(Watermark::AtMs(50_000));
    keyed.advance(Watermark::AtMs(60_000));
    assert!(!finds(&mut keyed, WRITTEN_MS, TimeDomain::EventTime));
    assert!(!finds(&mut keyed, 55_000, TimeDomain::EventTime));
}

#[test]
fn what_is_written_while_the_last_timers_fire_is_there_for_the_next_of_them() {
    let mut keyed = written();
    keyed.advance(Watermark::End);
    assert!(finds(&mut keyed, WRITTEN_MS + 90, TimeDomain::EventTime));
    let Key { group, key } = keyed.groups.key(0);
    let due = Due { group, key: Bytes::copy_from_slice(key), at_ms: WRITTEN_MS + 90, tag: 0 };
    keyed.begin_timers(&[due], TimeDomain::EventTime).expect("begins");
    let column: ArrayRef = Arc::new(Int64Array::from(vec![8]));
    let value = RecordBatch::try_new(Arc::new(numbers()), vec![column]).expect("one column");
    let message = Buffer::from_slice_ref(encode_batch(&value).expect("encodes"));
    keyed.put(0, &[0], &message).expect("is written");
    keyed.commit().expect("is stored");
    assert!(finds(&mut keyed, WRITTEN_MS + 180, TimeDomain::EventTime));
    assert!(!finds(&mut keyed, WRITTEN_MS + 190, TimeDomain::EventTime));
}

/// A timer of the only key that fires, and sets another.
fn set_anew(keyed: &mut Keyed, domain: TimeDomain, fired_ms: i64, at_ms: i64) -> std::result::Result<(), TimerError> {
    let Key { group, key } = keyed.groups.key(0);
    let due = Due { group, key: Bytes::copy_from_slice(key), at_ms: fired_ms, tag: 0 };
    let (keys, _) = keyed.begin_timers(&[due], domain).expect("begins");
    keyed.change_timers(&[Timer { group: keys.groups[0], domain, at_ms, tag: 0 }], true)?;
    keyed.commit().expect("is stored");
    Ok(())
}

#[test]
fn a_timer_that_is_set_anew_for_a_time_that_is_over_waits_its_turn() {
    for domain in [TimeDomain::EventTime, TimeDomain::ProcessingTime] {
        let mut keyed = written();
        keyed.advance(Watermark::AtMs(50_000));
        set_anew(&mut keyed, domain, 1_000, 1_000).expect("is registered");
        assert!(keyed.timers().due(domain, 50_000, 10).expect("is read").is_empty(), "{domain:?}");
        keyed.timers().fired_all();
        assert_eq!(keyed.timers().due(domain, 50_000, 10).expect("is read").len(), 1, "{domain:?}");
    }
}

#[test]
fn timers_that_set_each_other_under_one_watermark_come_to_an_end() {
    let mut keyed = written();
    keyed.advance(Watermark::AtMs(10_000_000));
    let last = (0..).find(|at_ms| set_anew(&mut keyed, TimeDomain::EventTime, *at_ms, at_ms + 1).is_err());
    assert_eq!(last, Some(i64::from(TIMERS_PER_WATERMARK_MAX)));
    assert!(matches!(keyed.take_exceeded(), Some((Violation::Timers, words)) if words.contains("one watermark")));
    // Later ones wait for later watermarks, however many there are.
    keyed.discard();
    set_anew(&mut keyed, TimeDomain::EventTime, 0, 10_000_001).expect("is registered");
    keyed.advance(Watermark::AtMs(10_000_002));
    set_anew(&mut keyed, TimeDomain::EventTime, 10_000_001, 10_000_002).expect("is registered");
}

#[test]
fn values_that_have_come_to_their_end_go_as_others_are_written() {
    let clock = Arc::new(ManualClock::at(0));
    let mut keyed = opened(None, clock.clone());
    for user in 0..20_000_u64 {
        clock.set(user);
        put_for(&mut keyed, &format!("user {user}"), None);
    }
    let Store::Single(single) = &mut keyed.states[0].store else { panic!("a value") };
    // A hundred are alive at a time, and they are looked at by five hundred.
    let stored = single.state().scan(VALUES..=VALUES, None, 20_000).expect("is read").len();
    assert!(stored < 2_000, "{stored}");
}
