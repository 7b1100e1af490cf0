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
use crate::contract::StateDeclaration;

const TTL_MS: u64 = 100;
/// When the value was written.
const WRITTEN_MS: i64 = 1_000;

fn numbers() -> Schema {
    Schema::new(vec![Field::new("n", DataType::Int64, true)])
}

/// One key, with a value that was just written.
fn written() -> Keyed {
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
        event_time: Some(EventTimeColumn::new("at")),
        state: Arc::new(MemoryBackend::new(1 << 20)),
        restored: Default::default(),
        errors_attached: false,
        clock: Arc::new(ManualClock::at(9_999_999)),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    let mut keyed = Keyed::open(&context, &[user], &declared, |_, _| Ok(())).expect("opens");
    put(&mut keyed);
    keyed
}

fn put(keyed: &mut Keyed) {
    let user: ArrayRef = Arc::new(StringArray::from(vec!["ann"]));
    let keys = keyed.key_rows(&[user]).expect("keys");
    keyed.begin_rows(&keys, 0..1, Some(WRITTEN_MS)).expect("begins");
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let value = RecordBatch::try_new(Arc::new(numbers()), vec![column]).expect("one column");
    let message = Buffer::from_slice_ref(encode_batch(&value).expect("encodes"));
    keyed.put(0, &[0], &message).expect("is written");
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
