//! Data types and schemas, ours to arrow-rs's and back.

use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field as ArrowField, Fields, Schema as ArrowSchema, TimeUnit as ArrowUnit};

use super::ArrowError;
use crate::{DataType, Field, Schema, TimeUnit};

/// An arrow schema as its columns cross the boundary: dictionaries unpacked, views as plain text and bytes.
pub(crate) fn crossing_schema(schema: &ArrowSchema) -> ArrowSchema {
    ArrowSchema::new(schema.fields().iter().map(|field| crossing_field(field)).collect::<Vec<_>>())
}

fn crossing_field(field: &ArrowField) -> ArrowField {
    ArrowField::new(field.name(), crossing_type(field.data_type()), field.is_nullable())
}

fn crossing_type(data_type: &ArrowType) -> ArrowType {
    match data_type {
        ArrowType::Dictionary(_, value) => crossing_type(value),
        ArrowType::Utf8View => ArrowType::Utf8,
        ArrowType::BinaryView => ArrowType::Binary,
        ArrowType::List(item) => ArrowType::List(Arc::new(crossing_field(item))),
        ArrowType::LargeList(item) => ArrowType::LargeList(Arc::new(crossing_field(item))),
        ArrowType::FixedSizeList(item, size) => ArrowType::FixedSizeList(Arc::new(crossing_field(item)), *size),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(|field| crossing_field(field)).collect()),
        other => other.clone(),
    }
}

/// Our words for an arrow schema; types without a view become [`DataType::Other`].
pub(crate) fn schema_from_arrow(schema: &ArrowSchema) -> Schema {
    Schema::new(schema.fields().iter().map(|field| field_from_arrow(field)))
}

fn field_from_arrow(field: &ArrowField) -> Field {
    Field { name: field.name().clone(), data_type: type_from_arrow(field.data_type()), nullable: field.is_nullable() }
}

fn type_from_arrow(data_type: &ArrowType) -> DataType {
    match data_type {
        ArrowType::Null => DataType::Null,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::Int8,
        ArrowType::Int16 => DataType::Int16,
        ArrowType::Int32 => DataType::Int32,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::UInt8 => DataType::UInt8,
        ArrowType::UInt16 => DataType::UInt16,
        ArrowType::UInt32 => DataType::UInt32,
        ArrowType::UInt64 => DataType::UInt64,
        ArrowType::Float16 => DataType::Float16,
        ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        ArrowType::Decimal256(precision, scale) => DataType::Decimal256(*precision, *scale),
        ArrowType::Date32 => DataType::Date32,
        ArrowType::Date64 => DataType::Date64,
        ArrowType::Time32(unit) => DataType::Time32(unit_from_arrow(*unit)),
        ArrowType::Time64(unit) => DataType::Time64(unit_from_arrow(*unit)),
        ArrowType::Timestamp(unit, zone) => {
            DataType::Timestamp(unit_from_arrow(*unit), zone.as_deref().map(str::to_owned))
        }
        ArrowType::Duration(unit) => DataType::Duration(unit_from_arrow(*unit)),
        ArrowType::Utf8 => DataType::Utf8,
        ArrowType::LargeUtf8 => DataType::LargeUtf8,
        ArrowType::Binary => DataType::Binary,
        ArrowType::LargeBinary => DataType::LargeBinary,
        ArrowType::FixedSizeBinary(width) => DataType::FixedSizeBinary(*width),
        ArrowType::List(item) => DataType::List(Box::new(field_from_arrow(item))),
        ArrowType::LargeList(item) => DataType::LargeList(Box::new(field_from_arrow(item))),
        ArrowType::Struct(fields) => DataType::Struct(fields.iter().map(|field| field_from_arrow(field)).collect()),
        other => DataType::Other(other.to_string()),
    }
}

/// arrow-rs's words for one of our schemas.
pub(crate) fn schema_to_arrow(schema: &Schema) -> Result<ArrowSchema, ArrowError> {
    let fields: Result<Vec<ArrowField>, ArrowError> = schema.fields().iter().map(field_to_arrow).collect();
    Ok(ArrowSchema::new(fields?))
}

pub(crate) fn field_to_arrow(field: &Field) -> Result<ArrowField, ArrowError> {
    Ok(ArrowField::new(&field.name, type_to_arrow(&field.data_type)?, field.nullable))
}

pub(crate) fn type_to_arrow(data_type: &DataType) -> Result<ArrowType, ArrowError> {
    Ok(match data_type {
        DataType::Null => ArrowType::Null,
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int8 => ArrowType::Int8,
        DataType::Int16 => ArrowType::Int16,
        DataType::Int32 => ArrowType::Int32,
        DataType::Int64 => ArrowType::Int64,
        DataType::UInt8 => ArrowType::UInt8,
        DataType::UInt16 => ArrowType::UInt16,
        DataType::UInt32 => ArrowType::UInt32,
        DataType::UInt64 => ArrowType::UInt64,
        DataType::Float16 => ArrowType::Float16,
        DataType::Float32 => ArrowType::Float32,
        DataType::Float64 => ArrowType::Float64,
        DataType::Decimal128(precision, scale) => ArrowType::Decimal128(*precision, *scale),
        DataType::Decimal256(precision, scale) => ArrowType::Decimal256(*precision, *scale),
        DataType::Date32 => ArrowType::Date32,
        DataType::Date64 => ArrowType::Date64,
        DataType::Time32(unit) => ArrowType::Time32(unit_to_arrow(*unit)),
        DataType::Time64(unit) => ArrowType::Time64(unit_to_arrow(*unit)),
        DataType::Timestamp(unit, zone) => ArrowType::Timestamp(unit_to_arrow(*unit), zone.as_deref().map(Arc::from)),
        DataType::Duration(unit) => ArrowType::Duration(unit_to_arrow(*unit)),
        DataType::Utf8 => ArrowType::Utf8,
        DataType::LargeUtf8 => ArrowType::LargeUtf8,
        DataType::Binary => ArrowType::Binary,
        DataType::LargeBinary => ArrowType::LargeBinary,
        DataType::FixedSizeBinary(width) => ArrowType::FixedSizeBinary(*width),
        DataType::List(item) => ArrowType::List(Arc::new(field_to_arrow(item)?)),
        DataType::LargeList(item) => ArrowType::LargeList(Arc::new(field_to_arrow(item)?)),
        DataType::Struct(fields) => {
            ArrowType::Struct(fields.iter().map(field_to_arrow).collect::<Result<Fields, _>>()?)
        }
        DataType::Dictionary(value) => {
            ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(type_to_arrow(value)?))
        }
        DataType::Other(_) => return Err(ArrowError::Unwritable(data_type.clone())),
    })
}

fn unit_from_arrow(unit: ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second => TimeUnit::Second,
        ArrowUnit::Millisecond => TimeUnit::Millisecond,
        ArrowUnit::Microsecond => TimeUnit::Microsecond,
        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

fn unit_to_arrow(unit: TimeUnit) -> ArrowUnit {
    match unit {
        TimeUnit::Second => ArrowUnit::Second,
        TimeUnit::Millisecond => ArrowUnit::Millisecond,
        TimeUnit::Microsecond => ArrowUnit::Microsecond,
        TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_schema_has_no_dictionaries_and_no_views() {
        let dictionary = ArrowType::Dictionary(Box::new(ArrowType::Int8), Box::new(ArrowType::Utf8View));
        let list = ArrowType::List(Arc::new(ArrowField::new("item", dictionary, true)));
        let crossed = crossing_schema(&ArrowSchema::new(vec![
            ArrowField::new("l", list, true),
            ArrowField::new("b", ArrowType::BinaryView, false),
        ]));
        let item = Arc::new(ArrowField::new("item", ArrowType::Utf8, true));
        assert_eq!(crossed.field(0).data_type(), &ArrowType::List(item));
        assert_eq!(crossed.field(1).data_type(), &ArrowType::Binary);
    }

    #[test]
    fn printed_types_are_the_ones_arrow_prints() {
        for data_type in [
            DataType::Int64,
            DataType::Utf8,
            DataType::Decimal128(10, 2),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Time32(TimeUnit::Second),
            DataType::FixedSizeBinary(3),
            DataType::List(Box::new(Field::new("item", DataType::Float64))),
        ] {
            let arrow = type_to_arrow(&data_type).unwrap();
            assert_eq!(type_from_arrow(&arrow), data_type);
            assert_eq!(arrow.to_string(), data_type.to_string());
        }
    }
}
