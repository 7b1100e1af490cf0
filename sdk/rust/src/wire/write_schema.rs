//! Writes a Schema message. Schemas cross once, when an operator is opened.

use super::flatbuffer::{Output, Slot};
use super::{HEADER_SCHEMA, VERSION_V5, WireError};
use crate::layout::children;
use crate::{DataType, Field, IntervalUnit, Schema, TimeUnit};

/// Writes a Schema message. Types that do not cross are an error.
pub(crate) fn write_schema(schema: &Schema) -> Result<Vec<u8>, WireError> {
    let (mut output, root) = Output::new();
    let message = [Slot::I16(VERSION_V5), Slot::U8(HEADER_SCHEMA), Slot::Link, Slot::I64(0)];
    let [_, _, header, _] = output.table(root, message);
    let [_, columns] = output.table(header, [Slot::I16(0), Slot::Link]);
    fields(&mut output, columns, schema.fields())?;
    Ok(output.into_message())
}

/// Writes a vector of fields.
fn fields(output: &mut Output, from: usize, fields: &[Field]) -> Result<(), WireError> {
    let first = output.vector(from, fields.len(), 4, 4);
    (0..).zip(fields).try_for_each(|(index, one)| field(output, first + index * 4, one))
}

fn field(output: &mut Output, from: usize, field: &Field) -> Result<(), WireError> {
    let (kind, details) = kind(&field.data_type)?;
    let slots = [Slot::Link, Slot::U8(field.nullable.into()), Slot::U8(kind), Slot::Link, Slot::Absent, Slot::Link];
    let [name, _, _, of_type, _, inner] = output.table(from, slots);
    output.text(name, &field.name);
    let places = output.table(of_type, details);
    if let DataType::Timestamp(_, Some(zone)) = &field.data_type {
        output.text(places[1], zone);
    }
    fields(output, inner, children(&field.data_type))
}

/// The number of a type in the format, and the fields of its table.
fn kind(data_type: &DataType) -> Result<(u8, [Slot; 3]), WireError> {
    use Slot::{Absent, I16, I32, U8};
    let none = [Absent; 3];
    let integer = |bits, signed: bool| (2, [I32(bits), U8(signed.into()), Absent]);
    let decimal = |precision: u8, scale: i8, bits| (7, [I32(precision.into()), I32(scale.into()), I32(bits)]);
    Ok(match data_type {
        DataType::Null => (1, none),
        DataType::Int8 => integer(8, true),
        DataType::Int16 => integer(16, true),
        DataType::Int32 => integer(32, true),
        DataType::Int64 => integer(64, true),
        DataType::UInt8 => integer(8, false),
        DataType::UInt16 => integer(16, false),
        DataType::UInt32 => integer(32, false),
        DataType::UInt64 => integer(64, false),
        DataType::Float16 => (3, [I16(0), Absent, Absent]),
        DataType::Float32 => (3, [I16(1), Absent, Absent]),
        DataType::Float64 => (3, [I16(2), Absent, Absent]),
        DataType::Binary => (4, none),
        DataType::Utf8 => (5, none),
        DataType::Boolean => (6, none),
        DataType::Decimal128(precision, scale) => decimal(*precision, *scale, 128),
        DataType::Decimal256(precision, scale) => decimal(*precision, *scale, 256),
        DataType::Date32 => (8, [I16(0), Absent, Absent]),
        DataType::Date64 => (8, [I16(1), Absent, Absent]),
        DataType::Time32(of) => (9, [I16(unit(*of)), I32(32), Absent]),
        DataType::Time64(of) => (9, [I16(unit(*of)), I32(64), Absent]),
        DataType::Timestamp(of, None) => (10, [I16(unit(*of)), Absent, Absent]),
        DataType::Timestamp(of, Some(_)) => (10, [I16(unit(*of)), Slot::Link, Absent]),
        DataType::Interval(IntervalUnit::YearMonth) => (11, [I16(0), Absent, Absent]),
        DataType::Interval(IntervalUnit::DayTime) => (11, [I16(1), Absent, Absent]),
        DataType::Interval(IntervalUnit::MonthDayNano) => (11, [I16(2), Absent, Absent]),
        DataType::List(_) => (12, none),
        DataType::Struct(_) => (13, none),
        DataType::FixedSizeBinary(width) => (15, [I32(*width), Absent, Absent]),
        DataType::FixedSizeList(_, size) => (16, [I32(*size), Absent, Absent]),
        DataType::Map(_, sorted) => (17, [U8((*sorted).into()), Absent, Absent]),
        DataType::Duration(of) => (18, [I16(unit(*of)), Absent, Absent]),
        DataType::LargeBinary => (19, none),
        DataType::LargeUtf8 => (20, none),
        DataType::LargeList(_) => (21, none),
        DataType::Dictionary(_) | DataType::Other(_) => {
            return Err(WireError::schema(format!("columns of type {data_type} cannot be written")));
        }
    })
}

fn unit(unit: TimeUnit) -> i16 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}
