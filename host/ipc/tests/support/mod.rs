//! Batches to send: one with every type that the file formats produce, and arbitrary ones.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod arbitrary;
mod chance;

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::*;
use arrow::ipc::root_as_message;

pub(crate) use chance::Chance;

/// The messages of a stream as arrow-ipc writes it, without the mark of its end.
pub(crate) fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    loop {
        let metadata = usize::try_from(u32::from_le_bytes(stream[4..8].try_into().expect("4 bytes"))).expect("small");
        if metadata == 0 {
            return frames;
        }
        let message = root_as_message(&stream[8..8 + metadata]).expect("own message");
        let (frame, rest) = stream.split_at(8 + metadata + usize::try_from(message.bodyLength()).expect("small"));
        frames.push(frame);
        stream = rest;
    }
}

/// A copy of `bytes` that begins `shift` bytes after an address that suits every type.
pub(crate) fn shifted(bytes: &[u8], shift: usize) -> Buffer {
    let mut copy = MutableBuffer::from_len_zeroed(shift);
    copy.extend_from_slice(bytes);
    Buffer::from(copy).slice(shift)
}

/// A batch of `rows` rows whose values and nulls follow from `seed`.
pub(crate) fn batch(rows: usize, seed: u64) -> RecordBatch {
    let mut chance = Chance(seed);
    let columns = columns(rows, &mut chance);
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("one length")
}

impl Chance {
    fn option<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.below(4) == 0 { None } else { Some(make(self)) }
    }
}

fn primitive<T: ArrowPrimitiveType>(rows: usize, chance: &mut Chance, make: fn(u64) -> T::Native) -> PrimitiveArray<T> {
    (0..rows).map(|_| chance.option(|chance| make(chance.next()))).collect()
}

fn strings(rows: usize, chance: &mut Chance) -> Vec<Option<String>> {
    (0..rows).map(|_| chance.option(|chance| "grün ".repeat(chance.below(5)))).collect()
}

fn columns(rows: usize, chance: &mut Chance) -> Vec<(&'static str, ArrayRef)> {
    let mut out: Vec<(&'static str, ArrayRef)> = Vec::new();
    macro_rules! numbers {
        ($($name:literal $type:ty, $make:expr;)*) => {
            $(out.push(($name, Arc::new(primitive::<$type>(rows, chance, $make))));)*
        };
    }
    numbers! {
        "i8" Int8Type, |n| n as i8;
        "i16" Int16Type, |n| n as i16;
        "i32" Int32Type, |n| n as i32;
        "i64" Int64Type, |n| n as i64;
        "u8" UInt8Type, |n| n as u8;
        "u16" UInt16Type, |n| n as u16;
        "u32" UInt32Type, |n| n as u32;
        "u64" UInt64Type, |n| n;
        "f32" Float32Type, |n| n as f32;
        "f64" Float64Type, |n| n as f64;
        "date32" Date32Type, |n| n as i32;
        "date64" Date64Type, |n| (n as i64 % 40_000) * 86_400_000;
        "time32s" Time32SecondType, |n| (n % 86_400) as i32;
        "time32ms" Time32MillisecondType, |n| (n % 86_400_000) as i32;
        "time64us" Time64MicrosecondType, |n| (n % 86_400_000_000) as i64;
        "time64ns" Time64NanosecondType, |n| (n % 86_400_000_000_000) as i64;
        "ts_s" TimestampSecondType, |n| n as i64;
        "ts_us" TimestampMicrosecondType, |n| n as i64;
        "ts_ns" TimestampNanosecondType, |n| n as i64;
        "duration" DurationMillisecondType, |n| n as i64;
        "months" IntervalYearMonthType, |n| n as i32;
        "days" IntervalDayTimeType, |n| IntervalDayTime::new(n as i32, 7);
        "mdn" IntervalMonthDayNanoType, |n| IntervalMonthDayNano::new(1, 2, n as i64);
    }
    let zoned = primitive::<TimestampMillisecondType>(rows, chance, |n| n as i64).with_timezone("Europe/Berlin");
    out.push(("ts_zone", Arc::new(zoned)));
    let small = primitive::<Decimal128Type>(rows, chance, |n| i128::from(n % 1_000_000));
    out.push(("dec128", Arc::new(small.with_precision_and_scale(20, 2).expect("fits"))));
    let large = primitive::<Decimal256Type>(rows, chance, |n| i256::from_i128(i128::from(n)));
    out.push(("dec256", Arc::new(large.with_precision_and_scale(60, 3).expect("fits"))));
    let truths: BooleanArray = (0..rows).map(|_| chance.option(|chance| chance.below(2) == 0)).collect();
    out.push(("bool", Arc::new(truths)));
    out.push(("null", Arc::new(NullArray::new(rows))));
    out.push(("utf8", Arc::new(StringArray::from(strings(rows, chance)))));
    out.push(("large_utf8", Arc::new(LargeStringArray::from(strings(rows, chance)))));
    out.push(("view", Arc::new(StringViewArray::from_iter(strings(rows, chance)))));
    let bytes = strings(rows, chance);
    out.push(("binary", Arc::new(BinaryArray::from_iter(bytes.iter().map(|text| text.as_deref().map(str::as_bytes))))));
    let fixed = (0..rows).map(|_| chance.option(|chance| chance.next().to_le_bytes()[..3].to_vec()));
    out.push(("fixed", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 3).expect("sizes"))));
    let words: DictionaryArray<Int32Type> =
        (0..rows).map(|_| chance.option(|chance| ["a", "b", "c"][chance.below(3)])).collect();
    out.push(("dictionary", Arc::new(words)));
    out.extend(nested(rows, chance));
    out
}

fn nested(rows: usize, chance: &mut Chance) -> Vec<(&'static str, ArrayRef)> {
    let mut lists = ListBuilder::new(Int64Builder::new());
    let mut large = LargeListBuilder::new(StringBuilder::new());
    let mut pairs = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..rows {
        for item in 0..chance.below(4) {
            lists.values().append_option(chance.option(|_| item as i64));
            large.values().append_option(chance.option(|_| "ö".repeat(item)));
            maps.keys().append_value(format!("{row}-{item}"));
            maps.values().append_option(chance.option(|_| item as i32));
        }
        lists.append(chance.below(4) != 0);
        large.append(chance.below(4) != 0);
        maps.append(chance.below(4) != 0).expect("keys and values in step");
        pairs.values().append_slice(&[row as f32, 1.0]);
        pairs.append(chance.below(4) != 0);
    }
    let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    let inner = StructArray::new(
        Fields::from(vec![field("x", DataType::Int64), field("y", DataType::Utf8)]),
        vec![
            Arc::new(primitive::<Int64Type>(rows, chance, |n| n as i64)) as ArrayRef,
            Arc::new(StringArray::from(strings(rows, chance))),
        ],
        Some((0..rows).map(|_| chance.below(4) != 0).collect::<Vec<_>>().into()),
    );
    vec![
        ("list", Arc::new(lists.finish()) as ArrayRef),
        ("large_list", Arc::new(large.finish())),
        ("pair", Arc::new(pairs.finish())),
        ("map", Arc::new(maps.finish())),
        ("struct", Arc::new(inner)),
    ]
}
