//! Types, fields and schemas in both forms.

use std::sync::Arc;

use arrow_schema::{ArrowError, DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};

use crate::{DataType, Field, IntervalUnit, Schema, TimeUnit};

impl Schema {
    /// The schema as arrow-rs has it.
    ///
    /// # Errors
    /// When a column is of a type that this SDK has no view for.
    pub fn to_arrow(&self) -> Result<ArrowSchema, ArrowError> {
        Ok(ArrowSchema::new(self.fields().iter().map(Field::to_arrow).collect::<Result<Vec<_>, _>>()?))
    }

    /// A schema of arrow-rs, as it would cross the boundary.
    #[must_use]
    pub fn from_arrow(schema: &ArrowSchema) -> Self {
        Self::new(schema.fields().iter().map(|field| Field::from_arrow(field)))
    }
}

impl Field {
    /// The field as arrow-rs has it.
    ///
    /// # Errors
    /// See [`Schema::to_arrow`].
    pub fn to_arrow(&self) -> Result<ArrowField, ArrowError> {
        Ok(ArrowField::new(&self.name, self.data_type.to_arrow()?, self.nullable))
    }

    /// A field of arrow-rs, as it would cross the boundary; its metadata is left out.
    #[must_use]
    pub fn from_arrow(field: &ArrowField) -> Self {
        let data_type = DataType::from_arrow(field.data_type());
        Self { name: field.name().clone(), data_type, nullable: field.is_nullable() }
    }
}

/// Variants that both have: alone, with what they hold unchanged, with a unit, with one field.
macro_rules! types {
    ([$($plain:ident),*] [$($unit:ident),*] [$($list:ident),*]) => {
        impl DataType {
            /// The type as arrow-rs has it.
            ///
            /// # Errors
            /// See [`Schema::to_arrow`].
            pub fn to_arrow(&self) -> Result<ArrowType, ArrowError> {
                Ok(match self {
                    $(Self::$plain => ArrowType::$plain,)*
                    $(Self::$unit(unit) => ArrowType::$unit(unit_to_arrow(*unit)),)*
                    $(Self::$list(item) => ArrowType::$list(Arc::new(item.to_arrow()?)),)*
                    Self::Decimal128(precision, scale) => ArrowType::Decimal128(*precision, *scale),
                    Self::Decimal256(precision, scale) => ArrowType::Decimal256(*precision, *scale),
                    Self::Timestamp(unit, zone) => {
                        ArrowType::Timestamp(unit_to_arrow(*unit), zone.as_deref().map(Arc::from))
                    }
                    Self::Interval(unit) => ArrowType::Interval(match unit {
                        IntervalUnit::YearMonth => arrow_schema::IntervalUnit::YearMonth,
                        IntervalUnit::DayTime => arrow_schema::IntervalUnit::DayTime,
                        IntervalUnit::MonthDayNano => arrow_schema::IntervalUnit::MonthDayNano,
                    }),
                    Self::FixedSizeBinary(width) => ArrowType::FixedSizeBinary(*width),
                    Self::FixedSizeList(item, size) => ArrowType::FixedSizeList(Arc::new(item.to_arrow()?), *size),
                    Self::Struct(fields) => {
                        ArrowType::Struct(fields.iter().map(Field::to_arrow).collect::<Result<_, _>>()?)
                    }
                    Self::Map(entry, sorted) => ArrowType::Map(Arc::new(entry.to_arrow()?), *sorted),
                    Self::Dictionary(value) => {
                        ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(value.to_arrow()?))
                    }
                    Self::Other(name) => {
                        return Err(ArrowError::NotYetImplemented(format!("columns of type {name}")));
                    }
                })
            }

            /// A type of arrow-rs, as it would cross the boundary: dictionaries as their values, views as plain text and
            /// bytes.
            #[must_use]
            pub fn from_arrow(data_type: &ArrowType) -> Self {
                match data_type {
                    $(ArrowType::$plain => Self::$plain,)*
                    $(ArrowType::$unit(unit) => Self::$unit(unit_from_arrow(unit)),)*
                    $(ArrowType::$list(item) => Self::$list(Box::new(Field::from_arrow(item))),)*
                    ArrowType::Decimal128(precision, scale) => Self::Decimal128(*precision, *scale),
                    ArrowType::Decimal256(precision, scale) => Self::Decimal256(*precision, *scale),
                    ArrowType::Timestamp(unit, zone) => {
                        Self::Timestamp(unit_from_arrow(unit), zone.as_deref().map(str::to_owned))
                    }
                    ArrowType::Interval(unit) => Self::Interval(match unit {
                        arrow_schema::IntervalUnit::YearMonth => IntervalUnit::YearMonth,
                        arrow_schema::IntervalUnit::DayTime => IntervalUnit::DayTime,
                        arrow_schema::IntervalUnit::MonthDayNano => IntervalUnit::MonthDayNano,
                    }),
                    ArrowType::FixedSizeBinary(width) => Self::FixedSizeBinary(*width),
                    ArrowType::FixedSizeList(item, size) => Self::FixedSizeList(Box::new(Field::from_arrow(item)), *size),
                    ArrowType::Struct(fields) => {
                        Self::Struct(fields.iter().map(|field| Field::from_arrow(field)).collect())
                    }
                    ArrowType::Map(entry, sorted) => Self::Map(Box::new(Field::from_arrow(entry)), *sorted),
                    ArrowType::Dictionary(_, value) => Self::from_arrow(value),
                    ArrowType::Utf8View => Self::Utf8,
                    ArrowType::BinaryView => Self::Binary,
                    other => Self::Other(other.to_string()),
                }
            }
        }
    };
}

types! {
    [
        Null, Boolean, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64, Date32, Date64,
        Utf8, LargeUtf8, Binary, LargeBinary
    ]
    [Time32, Time64, Duration]
    [List, LargeList]
}

fn unit_to_arrow(unit: TimeUnit) -> arrow_schema::TimeUnit {
    match unit {
        TimeUnit::Second => arrow_schema::TimeUnit::Second,
        TimeUnit::Millisecond => arrow_schema::TimeUnit::Millisecond,
        TimeUnit::Microsecond => arrow_schema::TimeUnit::Microsecond,
        TimeUnit::Nanosecond => arrow_schema::TimeUnit::Nanosecond,
    }
}

fn unit_from_arrow(unit: &arrow_schema::TimeUnit) -> TimeUnit {
    match unit {
        arrow_schema::TimeUnit::Second => TimeUnit::Second,
        arrow_schema::TimeUnit::Millisecond => TimeUnit::Millisecond,
        arrow_schema::TimeUnit::Microsecond => TimeUnit::Microsecond,
        arrow_schema::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}
