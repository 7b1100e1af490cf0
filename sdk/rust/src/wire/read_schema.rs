//! Reads a Schema message, as the columns will cross: dictionaries unpacked, views as plain text and bytes.

use super::flatbuffer::Table;
use super::{HEADER_SCHEMA, NESTING_MAX, WireError, header, split};
use crate::{DataType, Field, IntervalUnit, Schema, TimeUnit};

/// Reads a Schema message.
pub(crate) fn read_schema(message: &[u8]) -> Result<Schema, WireError> {
    let (metadata, _) = split(message).map_err(WireError::schema)?;
    let schema = header(metadata, HEADER_SCHEMA).map_err(WireError::schema)?;
    if schema.i16(0, 0) != 0 {
        return Err(WireError::schema("its columns are big-endian"));
    }
    let fields = fields(&schema, 1, 0).ok_or_else(|| WireError::schema("a field is broken, or nested too deep"))?;
    Ok(Schema::new(fields))
}

/// The fields in a vector of tables.
fn fields(table: &Table<'_>, slot: usize, depth: usize) -> Option<Vec<Field>> {
    table.tables(slot)?.iter().map(|table| field(table, depth)).collect()
}

fn field(table: &Table<'_>, depth: usize) -> Option<Field> {
    if depth == NESTING_MAX {
        return None;
    }
    // A dictionary's type is that of its values, which is what crosses.
    let data_type = data_type(table, fields(table, 5, depth + 1)?)?;
    let name = if table.vector(0, 1).is_some() { table.text(0)? } else { "" };
    Some(Field { name: name.to_owned(), data_type, nullable: table.bool(1) })
}

fn data_type(field: &Table<'_>, mut children: Vec<Field>) -> Option<DataType> {
    let details = field.table(3)?;
    let other = |name: &str| Some(DataType::Other(name.to_owned()));
    Some(match field.u8(2, 0) {
        1 => DataType::Null,
        2 => integer(details.i32(0, 0), details.bool(1))?,
        3 => match details.i16(0, 0) {
            0 => DataType::Float16,
            1 => DataType::Float32,
            2 => DataType::Float64,
            _ => return None,
        },
        4 | 23 => DataType::Binary,
        5 | 24 => DataType::Utf8,
        6 => DataType::Boolean,
        7 => {
            let (precision, scale) = (u8::try_from(details.i32(0, 0)).ok()?, i8::try_from(details.i32(1, 0)).ok()?);
            match details.i32(2, 128) {
                128 => DataType::Decimal128(precision, scale),
                256 => DataType::Decimal256(precision, scale),
                bits => return other(&format!("Decimal{bits}({precision}, {scale})")),
            }
        }
        8 => match details.i16(0, 1) {
            0 => DataType::Date32,
            1 => DataType::Date64,
            _ => return None,
        },
        9 => match (details.i32(1, 32), unit(details.i16(0, 1))?) {
            (32, unit) => DataType::Time32(unit),
            (64, unit) => DataType::Time64(unit),
            _ => return None,
        },
        10 => DataType::Timestamp(unit(details.i16(0, 0))?, details.text(1).map(str::to_owned)),
        11 => DataType::Interval(match details.i16(0, 0) {
            0 => IntervalUnit::YearMonth,
            1 => IntervalUnit::DayTime,
            2 => IntervalUnit::MonthDayNano,
            _ => return None,
        }),
        12 => DataType::List(only(children)?),
        13 => DataType::Struct(children),
        14 => return other("Union"),
        15 => DataType::FixedSizeBinary(not_negative(details.i32(0, 0))?),
        16 => DataType::FixedSizeList(only(children)?, not_negative(details.i32(0, 0))?),
        17 => {
            // Views read entries as structs of two.
            let entry = children.pop()?;
            let two = matches!(&entry.data_type, DataType::Struct(fields) if fields.len() == 2);
            let map = DataType::Map(Box::new(entry), details.bool(0));
            return (two && children.is_empty()).then_some(map);
        }
        18 => DataType::Duration(unit(details.i16(0, 1))?),
        19 => DataType::LargeBinary,
        20 => DataType::LargeUtf8,
        21 => DataType::LargeList(only(children)?),
        22 => return other("RunEndEncoded"),
        25 => return other("ListView"),
        26 => return other("LargeListView"),
        kind => return other(&format!("type {kind}")),
    })
}

fn integer(bits: i32, signed: bool) -> Option<DataType> {
    Some(match (bits, signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return None,
    })
}

fn unit(unit: i16) -> Option<TimeUnit> {
    Some(match unit {
        0 => TimeUnit::Second,
        1 => TimeUnit::Millisecond,
        2 => TimeUnit::Microsecond,
        3 => TimeUnit::Nanosecond,
        _ => return None,
    })
}

fn only(mut children: Vec<Field>) -> Option<Box<Field>> {
    let child = children.pop()?;
    children.is_empty().then(|| Box::new(child))
}

fn not_negative(number: i32) -> Option<i32> {
    (number >= 0).then_some(number)
}
