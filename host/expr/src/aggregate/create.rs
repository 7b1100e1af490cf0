//! Which accumulator serves which function and type, and what its state is called.

use std::sync::Arc;

use arrow::array::{BinaryArray, BinaryViewArray, LargeBinaryArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, IntervalDayTime, IntervalMonthDayNano,
    IntervalUnit, UInt64Type, i256,
};
use half::f16;

use super::accumulator::Accumulator;
use super::approx_distinct::ApproxDistinct;
use super::average::Average;
use super::count::Count;
use super::distinct::CountDistinct;
use super::extreme::Extreme;
use super::first_last::FirstLast;
use super::function::{Function, Types};
use super::kind::{Bytes, Fixed, Flags};
use super::sum::Sum;
use super::variance::Variance;

/// Evaluates an expression for the kind `$kind` of a type's values; `None` for types that are not kept.
macro_rules! for_kind {
    ($data_type:expr, $kind:ident => $made:expr) => {
        for_kind!($data_type, $kind => $made;
            DataType::Int8 => Fixed<i8>,
            DataType::Int16 => Fixed<i16>,
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) | DataType::Decimal32(..)
                | DataType::Interval(IntervalUnit::YearMonth) => Fixed<i32>,
            DataType::Int64 | DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(..)
                | DataType::Duration(_)
                | DataType::Decimal64(..) => Fixed<i64>,
            DataType::UInt8 => Fixed<u8>,
            DataType::UInt16 => Fixed<u16>,
            DataType::UInt32 => Fixed<u32>,
            DataType::UInt64 => Fixed<u64>,
            DataType::Float16 => Fixed<f16>,
            DataType::Float32 => Fixed<f32>,
            DataType::Float64 => Fixed<f64>,
            DataType::Decimal128(..) => Fixed<i128>,
            DataType::Decimal256(..) => Fixed<i256>,
            DataType::Interval(IntervalUnit::DayTime) => Fixed<IntervalDayTime>,
            DataType::Interval(IntervalUnit::MonthDayNano) => Fixed<IntervalMonthDayNano>,
            DataType::Boolean => Flags,
            DataType::Utf8 | DataType::Binary | DataType::FixedSizeBinary(_) => Bytes<BinaryArray>,
            DataType::LargeUtf8 | DataType::LargeBinary => Bytes<LargeBinaryArray>,
            DataType::Utf8View | DataType::BinaryView => Bytes<BinaryViewArray>
        )
    };
    ($data_type:expr, $kind:ident => $made:expr; $($pattern:pat => $type:ty),*) => {
        match $data_type {
            $($pattern => {
                type $kind = $type;
                Some(Box::new($made) as Box<dyn Accumulator>)
            })*
            _ => None,
        }
    };
}

/// An empty accumulator; `None` for types that [`Function::types`] does not give.
pub(super) fn create(function: Function, types: &Types) -> Option<Box<dyn Accumulator>> {
    let value = types.argument.clone();
    match function {
        Function::Count => Some(Box::new(Count::default())),
        Function::Sum => match &value {
            DataType::Int64 => Some(Box::new(Sum::<Int64Type>::new(value))),
            DataType::UInt64 => Some(Box::new(Sum::<UInt64Type>::new(value))),
            DataType::Float64 => Some(Box::new(Sum::<Float64Type>::new(value))),
            DataType::Decimal128(..) => Some(Box::new(Sum::<Decimal128Type>::new(value))),
            _ => None,
        },
        Function::Avg => match &value {
            DataType::Float64 => Some(Box::new(Average::<Float64Type>::new(value, types.result.clone()))),
            DataType::Decimal128(..) => Some(Box::new(Average::<Decimal128Type>::new(value, types.result.clone()))),
            _ => None,
        },
        Function::Stddev | Function::StddevPop | Function::Var | Function::VarPop => {
            Some(Box::new(Variance::new(function.spread())))
        }
        Function::Min => for_kind!(&types.argument, K => Extreme::<K, false>::new(value)),
        Function::Max => for_kind!(&types.argument, K => Extreme::<K, true>::new(value)),
        Function::First => for_kind!(&types.argument, K => FirstLast::<K, false>::new(value)),
        Function::Last => for_kind!(&types.argument, K => FirstLast::<K, true>::new(value)),
        Function::CountDistinct => for_kind!(&types.argument, K => CountDistinct::<K>::new(item(value))),
        Function::ApproxDistinct => for_kind!(&types.argument, K => ApproxDistinct::<K>::new()),
    }
}

/// The columns of an aggregate's state, `name` being that of its result.
pub(super) fn state(name: &str, function: Function, types: &Types) -> Vec<FieldRef> {
    let field = |part: &str, data_type: DataType, nullable: bool| {
        Arc::new(Field::new(format!("{name}.{part}"), data_type, nullable))
    };
    let value = || types.argument.clone();
    match function {
        Function::Count => vec![field("count", DataType::Int64, false)],
        Function::Sum => vec![field("sum", value(), true)],
        Function::Avg => vec![field("count", DataType::Int64, false), field("sum", value(), false)],
        Function::Min => vec![field("min", value(), true)],
        Function::Max => vec![field("max", value(), true)],
        Function::First | Function::Last => {
            vec![field("time", DataType::Int64, true), field("value", value(), true)]
        }
        Function::Stddev | Function::StddevPop | Function::Var | Function::VarPop => vec![
            field("count", DataType::Int64, false),
            field("mean", DataType::Float64, false),
            field("m2", DataType::Float64, false),
        ],
        Function::CountDistinct => vec![field("values", DataType::List(item(value())), false)],
        Function::ApproxDistinct => vec![field("sketch", DataType::Binary, false)],
    }
}

/// The items of lists of values.
fn item(value: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(value, true))
}
