//! Reads a Schema message, as the columns will cross: dictionaries unpacked, views as plain text and bytes.

use super::flatbuffer::Table;
use super::{HEADER_SCHEMA, NESTING_MAX, WireError, header, split};
use crate::text::Whole;
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
    let tables = table.tables(slot)?;
    let mut fields = Vec::with_capacity(tables.len());
    for table in &tables {
        fields.push(field(table, depth)?);
    }
    Some(fields)
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
    let kind = field.u8(2, 0);
    // The first field of the type's table, as wide as it is there, and its default.
    let first = match kind {
        3 | 10 | 11 => details.i16(0, 0).into(),
        8 | 9 | 18 => details.i16(0, 1).into(),
        _ => details.i32(0, 0),
    };
    Some(match kind {
        1 => DataType::Null,
        2 => integer(first, details.bool(1))?,
        3 => match first {
            0 => DataType::Float16,
            1 => DataType::Float32,
            2 => DataType::Float64,
            _ => return None,
        },
        4 | 23 => DataType::Binary,
        5 | 24 => DataType::Utf8,
        6 => DataType::Boolean,
        7 => {
            let (precision, scale) = (u8::try_from(first).ok()?, i8::try_from(details.i32(1, 0)).ok()?);
            match details.i32(2, 128) {
                128 => DataType::Decimal128(precision, scale),
                256 => DataType::Decimal256(precision, scale),
                bits => {
                    let [bits, precision, scale] =
                        [bits, precision.into(), scale.into()].map(|number| Whole(number.into()));
                    return other(&format!("Decimal{bits}({precision}, {scale})"));
                }
            }
        }
        8 => match first {
            0 => DataType::Date32,
            1 => DataType::Date64,
            _ => return None,
        },
        9 => match (details.i32(1, 32), unit(first)?) {
            (32, unit) => DataType::Time32(unit),
            (64, unit) => DataType::Time64(unit),
            _ => return None,
        },
        10 => DataType::Timestamp(unit(first)?, details.text(1).map(str::to_owned)),
        11 => DataType::Interval(match first {
            0 => IntervalUnit::YearMonth,
            1 => IntervalUnit::DayTime,
            2 => IntervalUnit::MonthDayNano,
            _ => return None,
        }),
        12 => DataType::List(only(children)?),
        13 => DataType::Struct(children),
        14 => return other("Union"),
        15 => DataType::FixedSizeBinary(not_negative(first)?),
        16 => DataType::FixedSizeList(only(children)?, not_negative(first)?),
        17 => {
            // Views read entries as structs of two.
            let entry = children.pop()?;
            let two = matches!(&entry.data_type, DataType::Struct(fields) if fields.len() == 2);
            let map = DataType::Map(Box::new(entry), details.bool(0));
            return (two && children.is_empty()).then_some(map);
        }
        18 => DataType::Duration(unit(first)?),
        19 => DataType::LargeBinary,
        20 => DataType::LargeUtf8,
        21 => DataType::LargeList(only(children)?),
        22 => return other("RunEndEncoded"),
        25 => return other("ListView"),
        26 => return other("LargeListView"),
        kind => return other(&format!("type {}", Whole(kind.into()))),
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

fn unit(unit: i32) -> Option<TimeUnit> {
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
