//! The gate for schemas.
//!
//! Arrow's own conversion from flatbuffers panics on what it does not expect, so this one is written out: a total
//! function over a verified flatbuffer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{
    ArrowNativeType, DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION,
    DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit,
};
use arrow::ipc;

use crate::envelope::{self, MetadataLimits};
use crate::scan::width_bytes;
use crate::{Error, Result};

/// The longest Schema message: 1 MiB.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;

/// The most columns of a schema from outside, children not counted.
pub const COLUMNS_MAX: usize = 4_096;

/// The most fields of a schema from outside, children counted.
pub const FIELDS_MAX: usize = 4_096;

/// The longest name of a field, in bytes.
pub const FIELD_NAME_BYTES_MAX: usize = 256;

/// The most metadata of all fields together, in bytes: 64 KiB.
pub const FIELD_METADATA_BYTES_MAX: usize = 64 << 10;

/// The deepest nesting of a type: a plain column has depth 0.
pub const TYPE_DEPTH_MAX: usize = 24;

/// The most bytes that every row takes, whatever is in it: 16 MiB. Sizes of lists and binaries multiply, and one row of
/// nulls made by the host takes as much as one that was sent.
pub const ROW_BYTES_MAX: usize = 16 << 20;

/// What the metadata of a schema may cost to verify. Each field is a table beside that of its type; what is left over is for
/// pairs of metadata. Nesting is refused by [`TYPE_DEPTH_MAX`] first, with a better message. Honest metadata is looked at
/// three times or so: a name, a length, a default.
const METADATA_LIMITS: MetadataLimits = MetadataLimits {
    tables_max: 4 * FIELDS_MAX,
    depth_max: TYPE_DEPTH_MAX + 8,
    apparent_bytes_max: 8 * SCHEMA_BYTES_MAX,
};

/// Decodes one encapsulated Schema message from outside. The schema is in wire form, its column names are unique.
///
/// # Errors
/// When the message is damaged or beyond [`SCHEMA_BYTES_MAX`], or the schema has types that never cross, two columns
/// of one name, more than [`COLUMNS_MAX`] columns or [`FIELDS_MAX`] fields, types nested deeper than
/// [`TYPE_DEPTH_MAX`], a name beyond [`FIELD_NAME_BYTES_MAX`], metadata beyond [`FIELD_METADATA_BYTES_MAX`] or rows
/// beyond [`ROW_BYTES_MAX`].
pub fn decode_schema(bytes: &[u8]) -> Result<Schema> {
    let envelope = envelope::open(bytes, SCHEMA_BYTES_MAX, &METADATA_LIMITS)?;
    let Some(schema) = envelope.message.header_as_schema() else {
        return Err(Error::Unsupported("another message where a Schema is due".to_owned()));
    };
    if schema.endianness() != ipc::Endianness::Little {
        return Err(Error::Unsupported("only little-endian data is accepted".to_owned()));
    }
    let fields = schema.fields().ok_or_else(|| Error::Unsupported("a schema without a list of fields".to_owned()))?;
    if fields.len() > COLUMNS_MAX {
        return Err(Error::Unsupported(format!("{} columns; at most {COLUMNS_MAX} are accepted", fields.len())));
    }
    let mut budget = Budget { fields: FIELDS_MAX, metadata_bytes: FIELD_METADATA_BYTES_MAX };
    let mut names = HashSet::new();
    for name in fields.iter().filter_map(|field| field.name()) {
        if !names.insert(name) {
            return Err(Error::schema(name, "two columns have this name"));
        }
    }
    let fields = fields.iter().map(|field| read_field(&field, "", 0, &mut budget)).collect::<Result<Fields>>()?;
    let row_bytes = fields.iter().fold(0, |sum: usize, field| sum.saturating_add(row_bytes(field.data_type())));
    if row_bytes > ROW_BYTES_MAX {
        return Err(Error::Unsupported(format!(
            "each row takes {row_bytes} bytes; at most {ROW_BYTES_MAX} are accepted"
        )));
    }
    Ok(Schema::new(fields))
}

/// Bytes that a value takes even when it is null. One that takes none counts for one.
fn row_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeList(item, size) => row_bytes(item.data_type()).saturating_mul(size.as_usize()),
        DataType::Struct(fields) => {
            fields.iter().fold(1, |sum: usize, field| sum.saturating_add(row_bytes(field.data_type())))
        }
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(..) => size_of::<i32>(),
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => size_of::<i64>(),
        other => width_bytes(other).unwrap_or(1),
    }
}

/// What a schema may still cost. Flatbuffers may point at one field from many places: a few bytes can stand for many.
struct Budget {
    fields: usize,
    metadata_bytes: usize,
}

impl Budget {
    fn spend_field(&mut self, parent: &str, name: &str) -> Result<()> {
        if name.len() > FIELD_NAME_BYTES_MAX {
            let bytes = name.len();
            let problem = format!("a name has {bytes} bytes; at most {FIELD_NAME_BYTES_MAX} are accepted");
            return Err(Error::schema(parent, problem));
        }
        let left = self.fields.checked_sub(1);
        self.fields =
            left.ok_or_else(|| Error::schema(parent, format!("more than {FIELDS_MAX} fields with children counted")))?;
        Ok(())
    }

    fn spend_metadata(&mut self, path: &str, bytes: usize) -> Result<()> {
        let left = self.metadata_bytes.checked_sub(bytes);
        self.metadata_bytes = left.ok_or_else(|| {
            Error::schema(path, format!("more than {FIELD_METADATA_BYTES_MAX} bytes of metadata in all fields"))
        })?;
        Ok(())
    }
}

fn read_field(field: &ipc::Field<'_>, parent: &str, depth: usize, budget: &mut Budget) -> Result<FieldRef> {
    let name = field.name().ok_or_else(|| Error::schema(parent, "a field has no name"))?;
    budget.spend_field(parent, name)?;
    let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    if depth > TYPE_DEPTH_MAX {
        return Err(Error::schema(&path, format!("nested more than {TYPE_DEPTH_MAX} deep")));
    }
    if field.dictionary().is_some() {
        return Err(Error::schema(&path, "dictionaries never cross: declare the type of the values"));
    }
    let data_type = read_type(field, &path, depth, budget)?;
    let mut metadata = HashMap::new();
    for pair in field.custom_metadata().into_iter().flatten() {
        let (Some(key), Some(value)) = (pair.key(), pair.value()) else { continue };
        budget.spend_metadata(&path, key.len() + value.len())?;
        metadata.insert(key.to_owned(), value.to_owned());
    }
    Ok(Arc::new(Field::new(name, data_type, field.nullable()).with_metadata(metadata)))
}

fn read_type(field: &ipc::Field<'_>, path: &str, depth: usize, budget: &mut Budget) -> Result<DataType> {
    let unknown = || Error::schema(path, "its type is incomplete or not known");
    let data_type = match field.type_type() {
        ipc::Type::Null => DataType::Null,
        ipc::Type::Bool => DataType::Boolean,
        ipc::Type::Utf8 => DataType::Utf8,
        ipc::Type::LargeUtf8 => DataType::LargeUtf8,
        ipc::Type::Binary => DataType::Binary,
        ipc::Type::LargeBinary => DataType::LargeBinary,
        ipc::Type::Int => integer(&field.type_as_int().ok_or_else(unknown)?).ok_or_else(unknown)?,
        ipc::Type::FloatingPoint => match field.type_as_floating_point().ok_or_else(unknown)?.precision() {
            ipc::Precision::HALF => DataType::Float16,
            ipc::Precision::SINGLE => DataType::Float32,
            ipc::Precision::DOUBLE => DataType::Float64,
            _ => return Err(unknown()),
        },
        ipc::Type::Decimal => decimal(&field.type_as_decimal().ok_or_else(unknown)?)
            .ok_or_else(|| Error::schema(path, "its decimal type has an impossible width, precision or scale"))?,
        ipc::Type::FixedSizeBinary => match field.type_as_fixed_size_binary().ok_or_else(unknown)?.byteWidth() {
            size if size > 0 => DataType::FixedSizeBinary(size),
            size => return Err(Error::schema(path, format!("{size} is not a size of binaries"))),
        },
        ipc::Type::Date | ipc::Type::Time | ipc::Type::Timestamp | ipc::Type::Interval | ipc::Type::Duration => {
            temporal(field, path)?.ok_or_else(unknown)?
        }
        ipc::Type::List => DataType::List(only_child(field, path, depth, budget)?),
        ipc::Type::LargeList => DataType::LargeList(only_child(field, path, depth, budget)?),
        ipc::Type::FixedSizeList => match field.type_as_fixed_size_list().ok_or_else(unknown)?.listSize() {
            size if size > 0 => DataType::FixedSizeList(only_child(field, path, depth, budget)?, size),
            size => return Err(Error::schema(path, format!("{size} is not a size of lists"))),
        },
        ipc::Type::Struct_ => {
            let children = field.children().into_iter().flatten();
            DataType::Struct(children.map(|child| read_field(&child, path, depth + 1, budget)).collect::<Result<_>>()?)
        }
        ipc::Type::Map => {
            let sorted = field.type_as_map().ok_or_else(unknown)?.keysSorted();
            let entries = only_child(field, path, depth, budget)?;
            match entries.data_type() {
                DataType::Struct(pair) if pair.len() != 2 => {
                    return Err(Error::schema(path, "the entries of a map are structs of a key and a value"));
                }
                DataType::Struct(pair) if entries.is_nullable() || pair[0].is_nullable() => {
                    return Err(Error::schema(
                        path,
                        "the entries and the keys of a map are never null: declare them so",
                    ));
                }
                DataType::Struct(_) => DataType::Map(entries, sorted),
                _ => return Err(Error::schema(path, "the entries of a map are structs of a key and a value")),
            }
        }
        ipc::Type::Utf8View | ipc::Type::BinaryView | ipc::Type::ListView | ipc::Type::LargeListView => {
            return Err(Error::schema(path, "views never cross: declare Utf8, Binary or a list"));
        }
        other => {
            let name = other.variant_name().unwrap_or("without a name");
            return Err(Error::schema(path, format!("columns of type {name} never cross")));
        }
    };
    Ok(data_type)
}

fn only_child(field: &ipc::Field<'_>, path: &str, depth: usize, budget: &mut Budget) -> Result<FieldRef> {
    let children = field.children().filter(|children| children.len() == 1);
    let children = children.ok_or_else(|| Error::schema(path, "a list or map has exactly one child"))?;
    read_field(&children.get(0), path, depth + 1, budget)
}

fn integer(int: &ipc::Int<'_>) -> Option<DataType> {
    Some(match (int.bitWidth(), int.is_signed()) {
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

fn decimal(decimal: &ipc::Decimal<'_>) -> Option<DataType> {
    let precision = u8::try_from(decimal.precision()).ok()?;
    let scale = i8::try_from(decimal.scale()).ok()?;
    let (precision_max, make): (u8, fn(u8, i8) -> DataType) = match decimal.bitWidth() {
        32 => (DECIMAL32_MAX_PRECISION, DataType::Decimal32),
        64 => (DECIMAL64_MAX_PRECISION, DataType::Decimal64),
        128 => (DECIMAL128_MAX_PRECISION, DataType::Decimal128),
        256 => (DECIMAL256_MAX_PRECISION, DataType::Decimal256),
        _ => return None,
    };
    let scale_fits = i16::from(scale) <= i16::from(precision) && scale >= -i8::try_from(precision_max).ok()?;
    ((1..=precision_max).contains(&precision) && scale_fits).then(|| make(precision, scale))
}

fn temporal(field: &ipc::Field<'_>, path: &str) -> Result<Option<DataType>> {
    if let Some(timestamp) = field.type_as_timestamp() {
        let zone = timestamp.timezone();
        if let Some(zone) = zone.filter(|zone| zone.parse::<Tz>().is_err()) {
            return Err(Error::schema(path, format!("`{}` is not a time zone", zone.escape_default())));
        }
        return Ok(time_unit(timestamp.unit()).map(|unit| DataType::Timestamp(unit, zone.map(Into::into))));
    }
    if let Some(time) = field.type_as_time() {
        return Ok(match (time.bitWidth(), time_unit(time.unit())) {
            (32, Some(unit @ (TimeUnit::Second | TimeUnit::Millisecond))) => Some(DataType::Time32(unit)),
            (64, Some(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond))) => Some(DataType::Time64(unit)),
            _ => None,
        });
    }
    if let Some(duration) = field.type_as_duration() {
        return Ok(time_unit(duration.unit()).map(DataType::Duration));
    }
    if let Some(date) = field.type_as_date() {
        return Ok(match date.unit() {
            ipc::DateUnit::DAY => Some(DataType::Date32),
            ipc::DateUnit::MILLISECOND => Some(DataType::Date64),
            _ => None,
        });
    }
    Ok(field.type_as_interval().and_then(|interval| match interval.unit() {
        ipc::IntervalUnit::YEAR_MONTH => Some(DataType::Interval(IntervalUnit::YearMonth)),
        ipc::IntervalUnit::DAY_TIME => Some(DataType::Interval(IntervalUnit::DayTime)),
        ipc::IntervalUnit::MONTH_DAY_NANO => Some(DataType::Interval(IntervalUnit::MonthDayNano)),
        _ => None,
    }))
}

fn time_unit(unit: ipc::TimeUnit) -> Option<TimeUnit> {
    match unit {
        ipc::TimeUnit::SECOND => Some(TimeUnit::Second),
        ipc::TimeUnit::MILLISECOND => Some(TimeUnit::Millisecond),
        ipc::TimeUnit::MICROSECOND => Some(TimeUnit::Microsecond),
        ipc::TimeUnit::NANOSECOND => Some(TimeUnit::Nanosecond),
        _ => None,
    }
}
