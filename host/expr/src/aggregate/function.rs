//! The aggregate functions by name, and which types they take and give.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};

use super::variance::Spread;

/// How many digits an average of decimals has behind the point more than its values, as far as there is room.
const AVERAGE_SCALE_MORE: i8 = 4;

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Stddev,
    StddevPop,
    Var,
    VarPop,
    CountDistinct,
    ApproxDistinct,
}

/// All names: those that messages list, and behind them those that SQL also knows.
const NAMES: [(&str, Function); 19] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("avg", Function::Avg),
    ("min", Function::Min),
    ("max", Function::Max),
    ("first", Function::First),
    ("last", Function::Last),
    ("stddev", Function::Stddev),
    ("stddev_pop", Function::StddevPop),
    ("var", Function::Var),
    ("var_pop", Function::VarPop),
    ("count_distinct", Function::CountDistinct),
    ("approx_distinct", Function::ApproxDistinct),
    ("mean", Function::Avg),
    ("first_value", Function::First),
    ("last_value", Function::Last),
    ("stddev_samp", Function::Stddev),
    ("var_samp", Function::Var),
    ("variance", Function::Var),
];
const NAMES_LISTED: usize = 13;

/// The function of that name, in lower case.
pub(super) fn get(name: &str) -> Option<Function> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The names for messages: `count, sum, … or approx_distinct`.
pub(super) fn list() -> String {
    let names: Vec<&str> = names().take(NAMES_LISTED).collect();
    let (last, others) = names.split_last().map_or(("", &names[..]), |(last, others)| (*last, others));
    format!("{} or {last}", others.join(", "))
}

/// The types of an aggregate over values of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Types {
    /// What the argument is cast to beforehand.
    pub(super) argument: DataType,
    /// What comes out.
    pub(super) result: DataType,
}

impl Function {
    /// Whether it orders rows by event time.
    pub(super) fn needs_event_time(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    /// Whether null is a value for it like any other.
    pub(super) fn takes_nulls(self) -> bool {
        self.needs_event_time()
    }

    /// Whether it is a number even for no rows.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Count | Self::CountDistinct | Self::ApproxDistinct)
    }

    /// What `stddev` and its like make of the moments.
    pub(super) fn spread(self) -> Spread {
        let population = matches!(self, Self::StddevPop | Self::VarPop);
        Spread { population, root: matches!(self, Self::Stddev | Self::StddevPop) }
    }

    /// The types for an argument of that type.
    ///
    /// # Errors
    /// What it takes instead.
    pub(super) fn types(self, argument: &DataType) -> Result<Types, &'static str> {
        let value = unpacked(argument);
        let same = |data_type: DataType| Types { argument: data_type.clone(), result: data_type };
        match self {
            Self::Count => Ok(Types { argument: value, result: DataType::Int64 }),
            Self::Sum => summed(&value).map(same).ok_or("numbers"),
            Self::Avg => match (summed(&value), decimal(&value)) {
                (Some(sum), Some((precision, scale))) => {
                    let end = |value: i8| value.min(DECIMAL128_MAX_PRECISION as i8);
                    let precision = (precision + AVERAGE_SCALE_MORE as u8).min(DECIMAL128_MAX_PRECISION);
                    Ok(Types {
                        argument: sum,
                        result: DataType::Decimal128(precision, end(scale + AVERAGE_SCALE_MORE)),
                    })
                }
                (Some(_), None) => Ok(same(DataType::Float64)),
                _ => Err("numbers"),
            },
            Self::Stddev | Self::StddevPop | Self::Var | Self::VarPop if value.is_numeric() => {
                Ok(same(DataType::Float64))
            }
            Self::Stddev | Self::StddevPop | Self::Var | Self::VarPop => Err("numbers"),
            Self::Min | Self::Max if is_kept(&value) && !matches!(value, DataType::Interval(_)) => Ok(same(value)),
            Self::Min | Self::Max => Err("values that have an order: numbers, times, texts, binary, true and false"),
            Self::First | Self::Last if is_kept(&value) => Ok(same(value)),
            Self::CountDistinct | Self::ApproxDistinct if is_kept(&value) => {
                Ok(Types { argument: value, result: DataType::Int64 })
            }
            _ => Err("single values, not lists or structs"),
        }
    }
}

/// The type of a dictionary's values; other types are what they are.
fn unpacked(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => unpacked(value),
        other => other.clone(),
    }
}

/// The type of sums of such values.
fn summed(value: &DataType) -> Option<DataType> {
    match value {
        value if value.is_signed_integer() => Some(DataType::Int64),
        value if value.is_unsigned_integer() => Some(DataType::UInt64),
        value if value.is_floating() => Some(DataType::Float64),
        value => decimal(value).map(|(_, scale)| DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)),
    }
}

/// Digits of a decimal, all of them and those behind the point, where sums of it fit into 128 bits.
fn decimal(value: &DataType) -> Option<(u8, i8)> {
    match value {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
        _ => None,
    }
}

/// Whether values of the type can be kept one by one.
fn is_kept(value: &DataType) -> bool {
    value.is_primitive()
        || value.is_string()
        || value.is_binary()
        || matches!(value, DataType::Boolean | DataType::FixedSizeBinary(_))
}
