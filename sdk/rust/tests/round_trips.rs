//! What builders make, views give back: for every type, with nulls, through the encoding of the boundary.

use proptest::prelude::*;
use volley_sdk::build::{
    BinaryBuilder, BooleanBuilder, Builder, Decimal128Builder, Decimal256Builder, DictionaryBuilder, FixedBuilder,
    Float16Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
};
use volley_sdk::column::{Column, Fixed};
use volley_sdk::testing::{self, json};
use volley_sdk::{
    Array, Batch, Binding, DataType, Emitter, Failure, Field, FilterOperator, Filtered, FlatMapOperator, Int256,
    MapOperator, Mapped, NoConfig, OpenError, RecordBatch, Rejects, Schema, TimeUnit, WriteMode,
};

/// Keeps every row: its output is its input, decoded and taken apart once.
struct All;

impl FilterOperator for All {
    type Config = NoConfig;

    fn open(_: NoConfig, input: &Schema) -> Result<(Self, Binding), OpenError> {
        Ok((Self, Binding::reads(input.fields().iter().map(|field| field.name.clone()))))
    }

    fn filter(&mut self, batch: &Batch<'_>) -> Result<Filtered, Failure> {
        Ok(Filtered::new(vec![true; batch.len()]))
    }
}

/// The column after a trip across the boundary, as an operator would see it.
fn crossed(array: Array) -> RecordBatch {
    let input = RecordBatch::new([("c", array)]);
    testing::filter::<All>(json!({}), &input).expect("a filter of all rows").output
}

/// What `look` sees of a column, before and after the trip, and in a slice of it.
fn seen<T: PartialEq + std::fmt::Debug>(array: Array, look: impl Fn(Column<'_>) -> Vec<T>) -> Vec<T> {
    let before = look(array.column("c"));
    if let Some(tail) = array.len().checked_sub(1) {
        assert_eq!(look(array.column("c").slice(1, tail)), before[1..], "a slice sees the same");
    }
    let batch = crossed(array);
    assert_eq!(look(batch.column("c").expect("the column")), before, "the same after the trip");
    before
}

/// NaN differs from itself: floats are compared by their bits.
fn bits(values: Vec<Option<f64>>) -> Vec<Option<u64>> {
    values.into_iter().map(|value| value.map(f64::to_bits)).collect()
}

fn fixed<T: Fixed>(mut builder: FixedBuilder<T>, values: &[Option<T>]) -> Array {
    values.iter().for_each(|value| builder.push_option(*value));
    builder.finish()
}

fn rows<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Option<T>>> {
    prop::collection::vec(prop::option::of(value), 0..40)
}

macro_rules! plain {
    ($($test:ident: $native:ty, $method:ident;)*) => {
        proptest! {$(
            #[test]
            fn $test(values in rows(any::<$native>())) {
                let array = fixed(FixedBuilder::<$native>::new(), &values);
                prop_assert_eq!(seen(array, |c| c.$method().unwrap().iter().collect()), values);
            }
        )*}
    };
}

plain! {
    i8_values: i8, as_i8;
    i16_values: i16, as_i16;
    i32_values: i32, as_i32;
    i64_values: i64, as_i64;
    u8_values: u8, as_u8;
    u16_values: u16, as_u16;
    u32_values: u32, as_u32;
    u64_values: u64, as_u64;
}

proptest! {
    #[test]
    fn floats(values in rows(any::<f64>())) {
        let array = fixed(FixedBuilder::<f64>::new(), &values);
        let found = seen(array, |c| bits(c.as_f64().unwrap().iter().collect()));
        prop_assert_eq!(found, bits(values.clone()));
        let halves: Vec<Option<f32>> = values.iter().map(|value| value.map(|v| (v % 8.0).trunc() as f32)).collect();
        let array = fixed(FixedBuilder::<f32>::new(), &halves);
        let wide = |values: Vec<Option<f32>>| bits(values.into_iter().map(|value| value.map(f64::from)).collect());
        prop_assert_eq!(seen(array, |c| wide(c.as_f32().unwrap().iter().collect())), wide(halves.clone()));
        let mut builder = Float16Builder::new();
        halves.iter().for_each(|half| builder.push_option(*half));
        let array = builder.finish();
        prop_assert_eq!(array.data_type(), &DataType::Float16);
        prop_assert_eq!(seen(array, |c| wide(c.as_f16().unwrap().iter().collect())), wide(halves));
    }

    #[test]
    fn booleans(values in rows(any::<bool>())) {
        let mut builder = BooleanBuilder::new();
        values.iter().for_each(|value| builder.push_option(*value));
        prop_assert_eq!(seen(builder.finish(), |c| c.as_bool().unwrap().iter().collect()), values);
    }

    #[test]
    fn texts(values in rows(".{0,12}"), large: bool) {
        let mut builder = if large { StringBuilder::large() } else { StringBuilder::new() };
        values.iter().for_each(|value| builder.push_option(value.as_deref()));
        let look = |c: Column<'_>| c.as_str().unwrap().iter().map(|text| text.map(str::to_owned)).collect();
        prop_assert_eq!(seen(builder.finish(), look), values);
    }

    #[test]
    fn bytes(values in rows(prop::array::uniform3(any::<u8>())), kind in 0..3) {
        let mut builder = match kind {
            0 => BinaryBuilder::new(),
            1 => BinaryBuilder::large(),
            _ => BinaryBuilder::fixed(3),
        };
        values.iter().for_each(|value| builder.push_option(value.as_ref().map(<[u8; 3]>::as_slice)));
        let look = |c: Column<'_>| c.as_bytes().unwrap().iter().map(|bytes| bytes.map(<[u8]>::to_vec)).collect();
        let wanted: Vec<Option<Vec<u8>>> = values.iter().map(|value| value.map(|value| value.to_vec())).collect();
        prop_assert_eq!(seen(builder.finish(), look), wanted);
    }

    #[test]
    fn decimals(values in rows(-99_999_999_i128..99_999_999)) {
        let array = fixed(Decimal128Builder::decimal(10, 2), &values);
        let look = |c: Column<'_>| {
            let decimals = c.as_decimal128().unwrap();
            assert_eq!((decimals.precision, decimals.scale), (10, 2));
            decimals.iter().collect()
        };
        prop_assert_eq!(seen(array, look), values.clone());
        let mut builder = Decimal256Builder::new(40, 2);
        values.iter().for_each(|value| builder.push_option(*value));
        let wide: Vec<Option<Int256>> = values.iter().map(|value| value.map(Int256::from)).collect();
        let array = builder.finish();
        let floats: Vec<Option<f64>> = values.iter().map(|value| value.map(|v| v as f64 / 100.0)).collect();
        prop_assert_eq!(array.column("c").numbers().unwrap().iter().collect::<Vec<_>>(), floats);
        prop_assert_eq!(seen(array, |c| c.as_decimal256().unwrap().iter().collect()), wide);
    }

    #[test]
    fn times(values in rows(0_i32..86_400), unit in 0..4_usize, zoned: bool) {
        let days = fixed(Int32Builder::date32(), &values);
        prop_assert_eq!(seen(days, |c| c.as_date32().unwrap().iter().collect()), values.clone());
        let wide: Vec<Option<i64>> = values.iter().map(|value| value.map(i64::from)).collect();
        let whole_days: Vec<Option<i64>> = wide.iter().map(|value| value.map(|v| v * 86_400_000)).collect();
        let array = fixed(Int64Builder::date64(), &whole_days);
        prop_assert_eq!(seen(array, |c| c.as_date64().unwrap().iter().collect()), whole_days);
        let unit = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][unit];
        let array = match unit {
            TimeUnit::Second | TimeUnit::Millisecond => fixed(Int32Builder::time32(unit), &values),
            TimeUnit::Microsecond | TimeUnit::Nanosecond => fixed(Int64Builder::time64(unit), &wide),
        };
        prop_assert_eq!(seen(array, |c| c.as_time().unwrap().iter().collect()), wide.clone());
        let zone = zoned.then_some("Europe/Zurich");
        let array = fixed(Int64Builder::timestamp(unit, zone), &wide);
        let look = |c: Column<'_>| {
            let timestamps = c.as_timestamp().unwrap();
            assert_eq!((timestamps.unit, timestamps.zone), (unit, zone));
            timestamps.iter().collect()
        };
        prop_assert_eq!(seen(array, look), wide.clone());
        let array = fixed(Int64Builder::duration(unit), &wide);
        prop_assert_eq!(seen(array, |c| c.as_duration().unwrap().iter().collect()), wide);
    }

    #[test]
    fn lists(values in rows(prop::collection::vec(prop::option::of(any::<i64>()), 0..5))) {
        let mut builder = ListBuilder::new(Int64Builder::new());
        for value in &values {
            match value {
                Some(items) => {
                    items.iter().for_each(|item| builder.items().push_option(*item));
                    builder.push();
                }
                None => builder.push_null(),
            }
        }
        let look = |c: Column<'_>| {
            let lists = c.as_list().unwrap();
            let items = lists.items().as_i64().unwrap();
            let by_range: Vec<Vec<Option<i64>>> =
                (0..lists.len()).map(|row| lists.range(row).map(|at| items.get(at)).collect()).collect();
            let by_row: Vec<Option<Vec<Option<i64>>>> =
                lists.iter().map(|items| items.map(|items| items.as_i64().unwrap().iter().collect())).collect();
            assert_eq!(by_range, by_row.iter().map(|items| items.clone().unwrap_or_default()).collect::<Vec<_>>());
            by_row
        };
        prop_assert_eq!(seen(builder.finish(), look), values);
    }

    #[test]
    fn structs(values in rows((any::<i64>(), prop::option::of("[a-z]{0,3}")))) {
        let (mut numbers, mut texts) = (Int64Builder::new(), StringBuilder::new());
        for value in &values {
            numbers.push(value.as_ref().map_or(0, |value| value.0));
            texts.push_option(value.as_ref().and_then(|value| value.1.as_deref()));
        }
        let nulls: Vec<bool> = values.iter().map(Option::is_none).collect();
        let array = StructBuilder::new().field("n", numbers.finish()).field("t", texts.finish()).nulls(&nulls).finish();
        let look = |c: Column<'_>| {
            let structs = c.as_struct().unwrap();
            let (numbers, texts) = (structs.field("n").unwrap(), structs.field("t").unwrap());
            let (numbers, texts) = (numbers.as_i64().unwrap(), texts.as_str().unwrap());
            let row = |row| (!structs.is_null(row)).then(|| (numbers.get(row).unwrap(), texts.get(row).map(str::to_owned)));
            (0..structs.len()).map(row).collect()
        };
        prop_assert_eq!(seen(array, look), values);
    }

    #[test]
    fn dictionaries_cross_as_their_texts(values in rows("[ab]{0,2}")) {
        let mut builder = DictionaryBuilder::new();
        values.iter().for_each(|value| builder.push_option(value.as_deref()));
        let array = builder.finish();
        let column = array.column("c");
        let dictionary = column.as_dictionary().unwrap();
        let distinct: std::collections::BTreeSet<_> = values.iter().flatten().collect();
        prop_assert_eq!(dictionary.values().len(), distinct.len());
        let text = |one: Option<Column<'_>>| one.map(|one| one.as_str().unwrap().get(0).unwrap().to_owned());
        prop_assert_eq!(dictionary.iter().map(text).collect::<Vec<_>>(), values.clone());
        let batch = crossed(array);
        let crossed = batch.column("c").unwrap();
        prop_assert_eq!(crossed.data_type(), &DataType::Utf8);
        let texts: Vec<Option<String>> = crossed.as_str().unwrap().iter().map(|t| t.map(str::to_owned)).collect();
        prop_assert_eq!(texts, values);
    }

    #[test]
    fn integers_widen_without_loss(values in rows(any::<u32>())) {
        let array = fixed(FixedBuilder::<u32>::new(), &values);
        let column = array.column("c");
        let wide: Vec<Option<i64>> = column.read::<i64>().unwrap().iter().collect();
        prop_assert_eq!(wide, values.iter().map(|value| value.map(i64::from)).collect::<Vec<_>>());
        prop_assert!(column.read::<i32>().is_err());
        let floats: Vec<Option<f64>> = column.numbers().unwrap().iter().collect();
        prop_assert_eq!(floats, values.iter().map(|value| value.map(f64::from)).collect::<Vec<_>>());
    }
}

#[test]
fn a_view_of_another_type_says_what_it_found() {
    let array = fixed(Int64Builder::new(), &[Some(1)]);
    let error = array.column("amount").as_str().unwrap_err().to_string();
    assert_eq!(error, "column `amount` is Int64, wanted Utf8");
    let error = array.column("amount").as_timestamp().unwrap_err().to_string();
    assert_eq!(error, "column `amount` is Int64, wanted Timestamp");
    // The same bits with another meaning are another type.
    let days = fixed(Int32Builder::date32(), &[Some(1)]);
    assert!(days.column("day").as_i32().is_err());
}

#[test]
fn a_failed_comparison_can_be_read() {
    let batch = volley_sdk::batch! { "n" => [Some(1), None], "t" => ["a", "b"], "l" => [vec![1.5], vec![]] };
    let text = format!("{batch:?}");
    let wanted = "
| n: Int32 | t: Utf8 | l: List(Float64) |
| 1        | \"a\"     | [1.5]            |
| null     | \"b\"     | []               |
(2 rows)";
    assert_eq!(text, wanted);
}

/// Writes what its configuration says, right or wrong.
struct Sloppy {
    what: String,
}

#[derive(serde::Deserialize)]
struct SloppyConfig {
    what: String,
}

impl MapOperator for Sloppy {
    type Config = SloppyConfig;

    fn open(config: SloppyConfig, _: &Schema) -> Result<(Self, Binding), OpenError> {
        let columns = Schema::new([Field::new("x", DataType::Int64)]);
        let binding = match config.what.as_str() {
            "unknown" => Binding::reads(["nowhere"]).append(columns),
            "twice" => Binding::reads(["n", "n"]).append(columns),
            "no-port" => Binding::reads(["n"]),
            "other-port" => Binding::reads(["n"]).port("other", columns, WriteMode::Append),
            "same-names" => Binding::reads(["n"]).append([("x", DataType::Int64), ("x", DataType::Utf8)]),
            _ => Binding::reads(["n"]).append(columns),
        };
        Ok((Self { what: config.what }, binding))
    }

    fn map(&mut self, batch: &Batch<'_>) -> Result<Mapped, Failure> {
        let mut column = fixed(Int64Builder::new(), &vec![Some(1); batch.len()]);
        let mut rejects = Rejects::new();
        match self.what.as_str() {
            "type" => column = fixed(Int32Builder::new(), &vec![Some(1); batch.len()]),
            "rows" => column = fixed(Int64Builder::new(), &[Some(1)]),
            "columns" => return Ok(Mapped::new(Vec::new())),
            "reject" => rejects.push(batch.len(), "beyond"),
            _ => {}
        }
        Ok(Mapped::with_rejects(vec![column], rejects))
    }
}

#[test]
fn operators_that_break_the_contract_are_told_how() {
    let input = volley_sdk::batch! { "n" => [1_i64, 2] };
    for (what, wanted) in [
        ("unknown", "no column `nowhere`; it has: n"),
        ("twice", "reads column `n` twice"),
        ("no-port", "a map or an aggregate binds one output, `out`"),
        ("other-port", "a map or an aggregate binds one output, `out`, this one binds: [other]"),
        ("same-names", "two columns `x`"),
        ("type", "column `x` of port `out` is Int64, got Int32"),
        ("rows", "has 1 values for 2 rows"),
        ("columns", "has 1 columns, got 0"),
        ("reject", "a reject of row 2 in a batch of 2 rows"),
    ] {
        let error = testing::map::<Sloppy>(json!({ "what": what }), &input).unwrap_err().to_string();
        assert!(error.contains(wanted), "{what}: {error}");
    }
    assert!(testing::map::<Sloppy>(json!({ "what": "right" }), &input).is_ok());
}

/// Emits where its configuration says.
struct Strewing {
    port: String,
    parent: u32,
}

#[derive(serde::Deserialize)]
struct StrewingConfig {
    port: String,
    parent: u32,
}

impl FlatMapOperator for Strewing {
    type Config = StrewingConfig;

    fn open(config: StrewingConfig, _: &Schema) -> Result<(Self, Binding), OpenError> {
        let binding = Binding::reads(["n"]).replace([("copy", DataType::Int64)]).port(
            "side",
            Schema::default(),
            WriteMode::Append,
        );
        Ok((Self { port: config.port, parent: config.parent }, binding))
    }

    fn flat_map(&mut self, _: &Batch<'_>, out: &mut Emitter<'_>) -> Result<Rejects, Failure> {
        out.emit(0, &[0, 1], vec![fixed(Int64Builder::new(), &[Some(10), Some(11)])])?;
        out.emit(self.port.as_str(), &[self.parent], Vec::new())?;
        let mut rejects = Rejects::new();
        rejects.push(1, "not this one");
        Ok(rejects)
    }
}

#[test]
fn emitted_rows_are_checked_and_those_of_rejected_rows_dropped() {
    let input = volley_sdk::batch! { "n" => [1_i64, 2] };
    let run =
        |port: &str, parent: u32| testing::flat_map::<Strewing>(json!({ "port": port, "parent": parent }), &input);
    let outcome = run("side", 0).unwrap();
    assert_eq!(outcome.port("out"), &volley_sdk::batch! { "copy" => [10_i64] });
    assert_eq!(outcome.port("side"), &volley_sdk::batch! { "n" => [1_i64] });
    assert_eq!(run("nowhere", 0).unwrap_err().to_string(), "no output port `nowhere`");
    assert_eq!(run("side", 2).unwrap_err().to_string(), "parent 2 in a batch of 2 rows");
    assert_eq!(run("out", 0).unwrap_err().to_string(), "port `out` has 1 columns, got 0");
}
