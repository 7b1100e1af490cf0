//! Arbitrary schemas and batches: every type that the file formats produce, nested up to three deep, with nulls,
//! slices, unreached values and no rows at all.
//!
//! [`wire_batches`] holds to the types that cross; [`batches`] adds those that the host writes out first: dictionaries,
//! views, list views and run ends. Shapes shrink; the values follow from one seed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;
use proptest::prelude::*;

use super::Chance;

/// The most columns of a batch.
const COLUMNS_MAX: usize = 5;

/// The most rows of a batch: enough for bitmaps of several bytes.
const ROWS_MAX: usize = 70;

/// The most rows that a slice leaves out at either end.
const MARGIN_MAX: usize = 20;

/// The deepest nesting: a list of lists of lists.
const DEPTH_MAX: u32 = 3;

/// Batches of any type that the host may hold.
pub(crate) fn batches() -> impl Strategy<Value = RecordBatch> {
    schemas().prop_flat_map(|schema| filled(Arc::new(schema)))
}

/// Batches in wire form.
pub(crate) fn wire_batches() -> impl Strategy<Value = RecordBatch> {
    wire_schemas().prop_flat_map(|schema| filled(Arc::new(schema)))
}

/// Schemas of any type that the host may hold.
pub(crate) fn schemas() -> impl Strategy<Value = Schema> {
    schemas_of(host_types().boxed())
}

/// Schemas in wire form.
pub(crate) fn wire_schemas() -> impl Strategy<Value = Schema> {
    schemas_of(wire_types().boxed())
}

/// Batches of one schema, often slices of larger ones.
pub(crate) fn filled(schema: SchemaRef) -> impl Strategy<Value = RecordBatch> {
    let margin = || prop_oneof![2 => Just(0), 1 => 0..MARGIN_MAX];
    let rows = prop_oneof![1 => Just(0), 8 => 0..ROWS_MAX];
    (margin(), rows, margin(), any::<u64>()).prop_map(move |(skipped, rows, rest, seed)| {
        batch_of(&schema, skipped + rows + rest, seed).slice(skipped, rows)
    })
}

/// A batch of `schema` whose values and nulls follow from `seed`.
pub(crate) fn batch_of(schema: &SchemaRef, rows: usize, seed: u64) -> RecordBatch {
    let mut chance = Chance(seed);
    let columns = schema.fields().iter().map(|field| column(field.data_type(), rows, field.is_nullable(), &mut chance));
    let columns = columns.collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).expect("made to fit")
}

fn schemas_of(types: BoxedStrategy<DataType>) -> impl Strategy<Value = Schema> {
    prop::collection::vec(fields(types), 0..=COLUMNS_MAX).prop_map(|fields| {
        let named = |(at, field): (usize, Field)| {
            let name = format!("{}{at}", field.name());
            field.with_name(name)
        };
        Schema::new(fields.into_iter().enumerate().map(named).collect::<Vec<_>>())
    })
}

/// Fields of these types. A column of type Null says that it can be null: Arrow is of two minds about the others.
fn fields(types: BoxedStrategy<DataType>) -> impl Strategy<Value = Field> {
    let names = prop::sample::select(vec!["", "item", "größe", "a.b", "two words"]);
    (names, types, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(name, data_type, nullable, noted)| {
        let nullable = nullable || data_type == DataType::Null;
        let metadata = if noted { HashMap::from([("unit".to_owned(), "µs".to_owned())]) } else { HashMap::new() };
        Field::new(name, data_type, nullable).with_metadata(metadata)
    })
}

fn wire_types() -> impl Strategy<Value = DataType> {
    plain_types().prop_recursive(DEPTH_MAX, 12, 3, |inner| nested_types(inner.boxed()).boxed())
}

fn host_types() -> impl Strategy<Value = DataType> {
    let leaves = prop_oneof![3 => plain_types(), 1 => host_only_types()];
    leaves.prop_recursive(DEPTH_MAX, 12, 3, |inner| {
        let inner = inner.boxed();
        let items = fields(inner.clone()).prop_map(Arc::new).boxed();
        prop_oneof![
            4 => nested_types(inner),
            1 => items.clone().prop_map(DataType::ListView),
            1 => items.prop_map(DataType::LargeListView),
        ]
        .boxed()
    })
}

/// Types without children that cross as they are.
pub(crate) fn plain_types() -> impl Strategy<Value = DataType> {
    use DataType::*;
    use TimeUnit::*;
    let fixed = vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Date32,
        Date64,
        Time32(Second),
        Time32(Millisecond),
        Time64(Microsecond),
        Time64(Nanosecond),
        Timestamp(Second, None),
        Timestamp(Millisecond, Some("Europe/Berlin".into())),
        Timestamp(Microsecond, Some("+05:30".into())),
        Timestamp(Nanosecond, Some("UTC".into())),
        Duration(Second),
        Duration(Millisecond),
        Duration(Microsecond),
        Duration(Nanosecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
        Decimal32(9, 2),
        Decimal64(18, -3),
        Decimal128(38, 10),
        Decimal256(76, 0),
    ];
    prop_oneof![
        8 => prop::sample::select(fixed),
        4 => prop::sample::select(vec![Utf8, LargeUtf8, Binary, LargeBinary]),
        1 => (1..20).prop_map(FixedSizeBinary),
        1 => Just(Null),
    ]
}

/// Types that the host writes out before they cross.
fn host_only_types() -> impl Strategy<Value = DataType> {
    use DataType::*;
    let values = vec![Utf8, LargeUtf8, Binary, Int64, Float32, Boolean, Decimal128(20, 2), Date32, FixedSizeBinary(3)];
    let values = || prop::sample::select(values.clone());
    let keys = prop::sample::select(vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64]);
    let ends = prop::sample::select(vec![Int16, Int32, Int64]);
    let run_ends = |(ends, values)| {
        RunEndEncoded(Arc::new(Field::new("run_ends", ends, false)), Arc::new(Field::new("values", values, true)))
    };
    prop_oneof![
        2 => prop::sample::select(vec![Utf8View, BinaryView]),
        2 => (keys, values()).prop_map(|(keys, values)| Dictionary(Box::new(keys), Box::new(values))),
        1 => (ends, values()).prop_map(run_ends),
    ]
}

/// Types with children of the given ones.
fn nested_types(inner: BoxedStrategy<DataType>) -> impl Strategy<Value = DataType> {
    let items = fields(inner.clone()).prop_map(Arc::new).boxed();
    let keys = plain_types().prop_filter("keys are never null", |data_type| *data_type != DataType::Null);
    let maps = (keys, fields(inner.clone()), any::<bool>()).prop_map(|(keys, values, sorted)| {
        let pair = Fields::from(vec![Field::new("key", keys, false), values.with_name("value")]);
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), sorted)
    });
    let structs = prop::collection::vec(fields(inner), 0..=3).prop_map(|fields| DataType::Struct(fields.into()));
    prop_oneof![
        2 => items.clone().prop_map(DataType::List),
        1 => items.clone().prop_map(DataType::LargeList),
        2 => (items, 1..4).prop_map(|(item, size)| DataType::FixedSizeList(item, size)),
        2 => structs,
        1 => maps,
    ]
}

/// A column of `rows` values, with nulls where they may be.
pub(crate) fn column(data_type: &DataType, rows: usize, nullable: bool, chance: &mut Chance) -> ArrayRef {
    let nulls = (nullable && chance.below(4) > 0).then(|| NullBuffer::new(bits(rows, chance)));
    let builder = ArrayData::builder(data_type.clone()).len(rows).align_buffers(true);
    let builder = match data_type {
        DataType::Null => builder,
        DataType::Boolean => builder.add_buffer(bits(rows, chance).into_inner()).nulls(nulls),
        DataType::Utf8 | DataType::Binary => variable(builder, DataType::Int32, rows, chance).nulls(nulls),
        DataType::LargeUtf8 | DataType::LargeBinary => variable(builder, DataType::Int64, rows, chance).nulls(nulls),
        DataType::Utf8View => return cast(&column(&DataType::Utf8, rows, nullable, chance), data_type).expect("text"),
        DataType::BinaryView => {
            return cast(&column(&DataType::Binary, rows, nullable, chance), data_type).expect("bytes");
        }
        DataType::List(item) | DataType::Map(item, _) => {
            let (offsets, items) = offsets(rows, chance);
            builder
                .add_buffer(integers(offsets, &DataType::Int32))
                .child_data(children([item], items, chance))
                .nulls(nulls)
        }
        DataType::LargeList(item) => {
            let (offsets, items) = offsets(rows, chance);
            builder
                .add_buffer(integers(offsets, &DataType::Int64))
                .child_data(children([item], items, chance))
                .nulls(nulls)
        }
        DataType::ListView(item) => list_view(builder, item, &DataType::Int32, rows, chance).nulls(nulls),
        DataType::LargeListView(item) => list_view(builder, item, &DataType::Int64, rows, chance).nulls(nulls),
        DataType::FixedSizeList(item, size) => {
            let items = rows * usize::try_from(*size).expect("small");
            builder.child_data(children([item], items, chance)).nulls(nulls)
        }
        DataType::Struct(fields) => builder.child_data(children(fields, rows, chance)).nulls(nulls),
        DataType::Dictionary(keys, values) => {
            let count = 1 + chance.below(5);
            let values = column(values, count, nullable, chance);
            let indices = (0..rows).map(|_| chance.below(count) as i64).collect();
            builder.add_buffer(integers(indices, keys)).add_child_data(values.to_data()).nulls(nulls)
        }
        DataType::RunEndEncoded(ends, values) => {
            let run_ends = run_ends(rows, chance);
            let values = column(values.data_type(), run_ends.len(), nullable, chance);
            let run_ends = cast(&Int64Array::from(run_ends), ends.data_type()).expect("small numbers");
            builder.child_data(vec![run_ends.to_data(), values.to_data()])
        }
        fixed => builder.add_buffer(noise(rows * width_bytes(fixed), chance)).nulls(nulls),
    };
    make_array(builder.build().expect("made to fit"))
}

fn children<'a>(fields: impl IntoIterator<Item = &'a FieldRef>, rows: usize, chance: &mut Chance) -> Vec<ArrayData> {
    let child = |field: &FieldRef| column(field.data_type(), rows, field.is_nullable(), chance).to_data();
    fields.into_iter().map(child).collect()
}

/// Offsets and values of strings or binaries; both are text, sometimes with text before the first value.
fn variable(builder: ArrayDataBuilder, offsets: DataType, rows: usize, chance: &mut Chance) -> ArrayDataBuilder {
    let mut values = ["", "", "ß", "unreached"][chance.below(4)].to_owned();
    let mut ends = vec![values.len() as i64];
    for _ in 0..rows {
        values.push_str(["", "a", "grün", "日本", "thirteen char"][chance.below(5)]);
        ends.push(values.len() as i64);
    }
    values.push_str(["", "", "tail"][chance.below(3)]);
    builder.add_buffer(integers(ends, &offsets)).add_buffer(Buffer::from(values.into_bytes()))
}

/// Offsets of `rows` lists, and how many items there must be: some lie before the first list, some behind the last.
fn offsets(rows: usize, chance: &mut Chance) -> (Vec<i64>, usize) {
    let mut ends = vec![[0, 0, 3][chance.below(3)]];
    for _ in 0..rows {
        ends.push(ends[ends.len() - 1] + chance.below(4) as i64);
    }
    let items = usize::try_from(ends[rows]).expect("not negative") + chance.below(3);
    (ends, items)
}

/// Lists that overlap and stand in any order.
fn list_view(
    builder: ArrayDataBuilder,
    item: &FieldRef,
    offsets: &DataType,
    rows: usize,
    chance: &mut Chance,
) -> ArrayDataBuilder {
    let items = rows + 4;
    let sizes: Vec<usize> = (0..rows).map(|_| chance.below(4)).collect();
    let begins = sizes.iter().map(|size| chance.below(items - size) as i64).collect();
    let sizes = sizes.iter().map(|size| *size as i64).collect();
    builder.add_buffer(integers(begins, offsets)).add_buffer(integers(sizes, offsets)).child_data(children(
        [item],
        items,
        chance,
    ))
}

/// Where each run ends: ascending, the last at `rows`.
fn run_ends(rows: usize, chance: &mut Chance) -> Vec<i64> {
    let mut ends = Vec::new();
    let mut end = 0;
    while end < rows {
        end = (end + 1 + chance.below(5)).min(rows);
        ends.push(end as i64);
    }
    ends
}

fn integers(values: Vec<i64>, data_type: &DataType) -> Buffer {
    cast(&Int64Array::from(values), data_type).expect("small numbers").to_data().buffers()[0].clone()
}

fn bits(count: usize, chance: &mut Chance) -> BooleanBuffer {
    BooleanBuffer::new(noise(count.div_ceil(8), chance), 0, count)
}

/// Bytes that mean something to every type of fixed width: any bits are a value.
fn noise(bytes: usize, chance: &mut Chance) -> Buffer {
    let words: Vec<u64> = (0..bytes.div_ceil(8)).map(|_| chance.next()).collect();
    Buffer::from_vec(words).slice_with_length(0, bytes)
}

fn width_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeBinary(size) => usize::try_from(*size).expect("positive"),
        other => other.primitive_width().expect("of fixed width"),
    }
}
