//! What columns are made of: data types, fields and schemas, as an operator sees them.

use std::fmt;

use crate::text::{Quoted, Whole, listed};

/// The unit of a time, timestamp or duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "µs",
            Self::Nanosecond => "ns",
        })
    }
}

/// What an interval counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalUnit {
    /// Months, in 32 bits.
    YearMonth,
    /// Days and milliseconds, in 32 bits each.
    DayTime,
    /// Months and days in 32 bits each, nanoseconds in 64.
    MonthDayNano,
}

impl fmt::Display for IntervalUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YearMonth => "YearMonth",
            Self::DayTime => "DayTime",
            Self::MonthDayNano => "MonthDayNano",
        })
    }
}

/// The type of a column, in Arrow's words.
///
/// New variants may come; match with a wildcard arm.
#[derive(Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// Nothing but nulls.
    Null,
    /// True or false.
    Boolean,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 8 bits.
    UInt8,
    /// Unsigned, 16 bits.
    UInt16,
    /// Unsigned, 32 bits.
    UInt32,
    /// Unsigned, 64 bits.
    UInt64,
    /// IEEE half precision; read and built as `f32`.
    Float16,
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
    /// Exact decimal of up to 38 digits: precision, scale.
    Decimal128(u8, i8),
    /// Exact decimal of up to 76 digits: precision, scale.
    Decimal256(u8, i8),
    /// Days since 1970-01-01.
    Date32,
    /// Milliseconds since 1970-01-01, whole days.
    Date64,
    /// Time of day in 32 bits: seconds or milliseconds.
    Time32(TimeUnit),
    /// Time of day in 64 bits: microseconds or nanoseconds.
    Time64(TimeUnit),
    /// A point in time since 1970-01-01T00:00:00: unit, and the time zone if it has one.
    Timestamp(TimeUnit, Option<String>),
    /// A length of time.
    Duration(TimeUnit),
    /// Text, up to 2 GiB per batch.
    Utf8,
    /// Text with 64-bit offsets.
    LargeUtf8,
    /// Bytes, up to 2 GiB per batch.
    Binary,
    /// Bytes with 64-bit offsets.
    LargeBinary,
    /// Bytes of the same length in every row.
    FixedSizeBinary(i32),
    /// A list of values per row.
    List(Box<Field>),
    /// A list of values per row, with 64-bit offsets.
    LargeList(Box<Field>),
    /// A list of as many values in every row as the number says.
    FixedSizeList(Box<Field>, i32),
    /// Several columns under one name.
    Struct(Vec<Field>),
    /// A list of keys and values per row: the field is a struct of the two. Whether keys are sorted.
    Map(Box<Field>, bool),
    /// A length of time in calendar units.
    Interval(IntervalUnit),
    /// Values stored once, with a 32-bit key per row. Crosses the boundary unpacked, as the type named here.
    Dictionary(Box<DataType>),
    /// A type that this SDK has no view for (its name as Arrow prints it). Such a column can be in the input, but
    /// not be read.
    Other(String),
}

impl DataType {
    /// The type as it crosses the boundary: dictionaries are replaced by the type of their values, at every depth.
    #[must_use]
    pub fn unpacked(&self) -> Self {
        let mut data_type = self.value_type().clone();
        match &mut data_type {
            Self::List(item) | Self::LargeList(item) | Self::FixedSizeList(item, _) | Self::Map(item, _) => {
                item.data_type = item.data_type.unpacked();
            }
            Self::Struct(fields) => {
                for field in fields {
                    field.data_type = field.data_type.unpacked();
                }
            }
            _ => {}
        }
        data_type
    }

    /// The type, or the type of its values if it is a dictionary.
    pub(crate) fn value_type(&self) -> &Self {
        let mut data_type = self;
        while let Self::Dictionary(value) = data_type {
            data_type = value;
        }
        data_type
    }

    /// Whether values are numbers that [`Column::numbers`](crate::Column::numbers) reads: integers, floats, decimals.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.is_integer()
            || matches!(
                self,
                Self::Float16 | Self::Float32 | Self::Float64 | Self::Decimal128(..) | Self::Decimal256(..)
            )
    }

    /// Whether values are integers of any width.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
        matches!(self, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64)
    }
}

impl DataType {
    /// Its name in Arrow's words, without what belongs to it.
    fn name(&self) -> &str {
        match self {
            Self::Null => "Null",
            Self::Boolean => "Boolean",
            Self::Int8 => "Int8",
            Self::Int16 => "Int16",
            Self::Int32 => "Int32",
            Self::Int64 => "Int64",
            Self::UInt8 => "UInt8",
            Self::UInt16 => "UInt16",
            Self::UInt32 => "UInt32",
            Self::UInt64 => "UInt64",
            Self::Float16 => "Float16",
            Self::Float32 => "Float32",
            Self::Float64 => "Float64",
            Self::Decimal128(..) => "Decimal128",
            Self::Decimal256(..) => "Decimal256",
            Self::Date32 => "Date32",
            Self::Date64 => "Date64",
            Self::Time32(_) => "Time32",
            Self::Time64(_) => "Time64",
            Self::Timestamp(..) => "Timestamp",
            Self::Duration(_) => "Duration",
            Self::Utf8 => "Utf8",
            Self::LargeUtf8 => "LargeUtf8",
            Self::Binary => "Binary",
            Self::LargeBinary => "LargeBinary",
            Self::FixedSizeBinary(_) => "FixedSizeBinary",
            Self::List(_) => "List",
            Self::LargeList(_) => "LargeList",
            Self::FixedSizeList(..) => "FixedSizeList",
            Self::Struct(_) => "Struct",
            Self::Map(..) => "Map",
            Self::Interval(_) => "Interval",
            Self::Dictionary(_) => "Dictionary",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut before = "(";
        match self {
            Self::Decimal128(precision, scale) | Self::Decimal256(precision, scale) => {
                f.write_str("(")?;
                Whole((*precision).into()).fmt(f)?;
                f.write_str(", ")?;
                Whole((*scale).into()).fmt(f)?;
            }
            Self::Time32(unit) | Self::Time64(unit) | Self::Timestamp(unit, None) | Self::Duration(unit) => {
                f.write_str("(")?;
                unit.fmt(f)?;
            }
            Self::Timestamp(unit, Some(zone)) => {
                f.write_str("(")?;
                unit.fmt(f)?;
                f.write_str(", ")?;
                Quoted(zone).fmt(f)?;
            }
            Self::Interval(unit) => {
                f.write_str("(")?;
                unit.fmt(f)?;
            }
            Self::FixedSizeBinary(width) => {
                f.write_str("(")?;
                Whole((*width).into()).fmt(f)?;
            }
            Self::FixedSizeList(item, size) => {
                f.write_str("(")?;
                Whole((*size).into()).fmt(f)?;
                f.write_str(" x ")?;
                item.data_type.fmt(f)?;
            }
            Self::List(item) | Self::LargeList(item) | Self::Map(item, _) => {
                f.write_str("(")?;
                item.data_type.fmt(f)?;
            }
            Self::Dictionary(value) => {
                f.write_str("(")?;
                value.fmt(f)?;
            }
            Self::Struct(fields) if fields.is_empty() => f.write_str("(")?,
            Self::Struct(fields) => {
                for field in fields {
                    f.write_str(before)?;
                    f.write_str(&field.name)?;
                    f.write_str(": ")?;
                    field.data_type.fmt(f)?;
                    before = ", ";
                }
            }
            _ => return Ok(()),
        }
        f.write_str(")")
    }
}

/// By hand, so that there is one in a component: a derived one is compiled into each crate that calls it.
impl Clone for DataType {
    fn clone(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Boolean => Self::Boolean,
            Self::Int8 => Self::Int8,
            Self::Int16 => Self::Int16,
            Self::Int32 => Self::Int32,
            Self::Int64 => Self::Int64,
            Self::UInt8 => Self::UInt8,
            Self::UInt16 => Self::UInt16,
            Self::UInt32 => Self::UInt32,
            Self::UInt64 => Self::UInt64,
            Self::Float16 => Self::Float16,
            Self::Float32 => Self::Float32,
            Self::Float64 => Self::Float64,
            Self::Decimal128(precision, scale) => Self::Decimal128(*precision, *scale),
            Self::Decimal256(precision, scale) => Self::Decimal256(*precision, *scale),
            Self::Date32 => Self::Date32,
            Self::Date64 => Self::Date64,
            Self::Time32(unit) => Self::Time32(*unit),
            Self::Time64(unit) => Self::Time64(*unit),
            Self::Timestamp(unit, zone) => Self::Timestamp(*unit, zone.clone()),
            Self::Duration(unit) => Self::Duration(*unit),
            Self::Utf8 => Self::Utf8,
            Self::LargeUtf8 => Self::LargeUtf8,
            Self::Binary => Self::Binary,
            Self::LargeBinary => Self::LargeBinary,
            Self::FixedSizeBinary(width) => Self::FixedSizeBinary(*width),
            Self::List(item) => Self::List(item.clone()),
            Self::LargeList(item) => Self::LargeList(item.clone()),
            Self::FixedSizeList(item, size) => Self::FixedSizeList(item.clone(), *size),
            Self::Struct(fields) => Self::Struct(fields.clone()),
            Self::Map(entry, sorted) => Self::Map(entry.clone(), *sorted),
            Self::Interval(unit) => Self::Interval(*unit),
            Self::Dictionary(value) => Self::Dictionary(value.clone()),
            Self::Other(name) => Self::Other(name.clone()),
        }
    }
}

/// A named column of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// The column's type.
    pub data_type: DataType,
    /// Whether a row may have no value.
    pub nullable: bool,
}

impl Field {
    /// A column that may hold nulls.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, nullable: true }
    }

    /// The same column, without nulls.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }
}

/// The columns of a batch, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Schema {
    fields: Vec<Field>,
}

impl Schema {
    /// A schema of these columns.
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        Self { fields: fields.into_iter().collect() }
    }

    /// All columns.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first column of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The place of the first column of that name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The column of that name, or the error that `open` should return: it names the columns that there are.
    ///
    /// # Errors
    /// [`OpenError::InvalidInput`](crate::OpenError::InvalidInput) when there is no such column.
    pub fn require(&self, name: &str) -> Result<&Field, crate::OpenError> {
        self.field(name).ok_or_else(|| {
            let known = listed(self.fields.iter().map(|field| field.name.as_str()));
            let known = if self.fields.is_empty() { "none" } else { &known };
            crate::OpenError::InvalidInput(format!("the input has no column `{name}`; it has: {known}"))
        })
    }

    /// The schema as it crosses the boundary, see [`DataType::unpacked`].
    #[must_use]
    pub fn unpacked(&self) -> Self {
        let mut schema = self.clone();
        for field in &mut schema.fields {
            field.data_type = field.data_type.unpacked();
        }
        schema
    }
}

impl<const N: usize> From<[(&str, DataType); N]> for Schema {
    fn from(columns: [(&str, DataType); N]) -> Self {
        Self::new(columns.map(|(name, data_type)| Field::new(name, data_type)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_in_arrow_words() {
        assert_eq!(DataType::Int64.to_string(), "Int64");
        let zoned = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        assert_eq!(zoned.to_string(), "Timestamp(ms, \"UTC\")");
        let list = DataType::List(Box::new(Field::new("item", DataType::Utf8)));
        let nested = DataType::Struct(vec![Field::new("a", list), Field::new("b", DataType::Decimal128(10, 2))]);
        assert_eq!(nested.to_string(), "Struct(a: List(Utf8), b: Decimal128(10, 2))");
    }

    #[test]
    fn unpacking_reaches_nested_dictionaries() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Utf8));
        let nested = DataType::List(Box::new(Field::new("item", dictionary)));
        assert_eq!(nested.unpacked(), DataType::List(Box::new(Field::new("item", DataType::Utf8))));
    }

    #[test]
    fn a_missing_column_is_named_with_those_there_are() {
        let schema = Schema::from([("a", DataType::Int64), ("b", DataType::Utf8)]);
        let error = schema.require("c").unwrap_err().to_string();
        assert!(error.contains("`c`") && error.contains("a, b"), "{error}");
    }
}
