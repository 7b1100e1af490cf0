//! Arrow types as text: `int64`, `timestamp(ms, UTC)`, `list<struct<a: int64, b: utf8>>` … and back.

use std::sync::Arc;

use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, Fields, TimeUnit,
};

/// How deep types may be nested in one text.
const NESTING_MAX: usize = 32;

/// A text that is not a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a type: {detail}. Types are bool, int8 … int64, uint8 … uint64, float32, float64, utf8, binary, \
     date32, time(us), timestamp(ms, UTC), duration(ms), decimal(10, 2), list<int64>, struct<a: int64, b: utf8>, \
     map<utf8, int64> and dictionary<int32, utf8>"
)]
pub struct SchemaTextError {
    text: String,
    detail: String,
}

/// Reads a type. Names are case-insensitive:
///
/// | text | Arrow type |
/// |---|---|
/// | `bool`, `boolean` | Boolean |
/// | `int8` … `int64`, `uint8` … `uint64` | Int8 … UInt64 |
/// | `float16`/`half`, `float32`/`float`, `float64`/`double` | Float16, Float32, Float64 |
/// | `utf8`/`string`/`text`, `large_utf8`, `utf8_view` | Utf8, LargeUtf8, Utf8View |
/// | `binary`, `large_binary`, `binary_view`, `fixed_binary(n)` | Binary, LargeBinary, BinaryView, FixedSizeBinary |
/// | `date`/`date32`, `date64` | Date32, Date64 |
/// | `time(s\|ms\|us\|ns)` | Time32 (s, ms), Time64 (us, ns) |
/// | `timestamp(unit)`, `timestamp(unit, zone)` | Timestamp; without brackets: milliseconds, no zone |
/// | `duration(unit)` | Duration |
/// | `decimal(p, s)`, `decimal256(p, s)` | Decimal128 (p ≤ 38; beyond that Decimal256), Decimal256 |
/// | `list<T>`, `large_list<T>` | List, LargeList of nullable items |
/// | `struct<name: T, …>` | Struct; a field ending in ` not null` is not nullable |
/// | `map<K, V>` | Map |
/// | `dictionary<K, V>` | Dictionary |
/// | `null` | Null |
///
/// # Errors
/// When the text is not one of these, or nests deeper than 32.
pub fn parse_type(text: &str) -> Result<DataType, SchemaTextError> {
    let mut parser = Parser { text, rest: text };
    let data_type = parser.data_type(0)?;
    parser.end()?;
    Ok(data_type)
}

/// Reads a column: a type as in [`parse_type`], nullable unless it ends in ` not null`.
///
/// # Errors
/// Those of [`parse_type`].
pub fn parse_field(name: &str, text: &str) -> Result<Field, SchemaTextError> {
    let mut parser = Parser { text, rest: text };
    let data_type = parser.data_type(0)?;
    let nullable = !parser.not_null();
    parser.end()?;
    Ok(Field::new(name, data_type, nullable))
}

/// Writes a type so that [`parse_type`] reads it; types that have no text of their own are written as Arrow does.
#[must_use]
pub fn type_text(data_type: &DataType) -> String {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::LargeUtf8 => "large_utf8".to_owned(),
        DataType::Utf8View => "utf8_view".to_owned(),
        DataType::LargeBinary => "large_binary".to_owned(),
        DataType::BinaryView => "binary_view".to_owned(),
        DataType::FixedSizeBinary(bytes) => format!("fixed_binary({bytes})"),
        DataType::Time32(of) | DataType::Time64(of) => format!("time({})", unit(of)),
        DataType::Timestamp(of, None) => format!("timestamp({})", unit(of)),
        DataType::Timestamp(of, Some(zone)) => format!("timestamp({}, {zone})", unit(of)),
        DataType::Duration(of) => format!("duration({})", unit(of)),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Decimal256(precision, scale) => format!("decimal256({precision}, {scale})"),
        DataType::List(item) => format!("list<{}>", type_text(item.data_type())),
        DataType::LargeList(item) => format!("large_list<{}>", type_text(item.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| field_text(field)).collect();
            format!("struct<{}>", fields.join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                format!("map<{}, {}>", type_text(pair[0].data_type()), type_text(pair[1].data_type()))
            }
            _ => data_type.to_string(),
        },
        DataType::Dictionary(key, value) => format!("dictionary<{}, {}>", type_text(key), type_text(value)),
        plain => plain.to_string().to_lowercase(),
    }
}

fn field_text(field: &Field) -> String {
    let end = if field.is_nullable() { "" } else { " not null" };
    format!("{}: {}{end}", field.name(), type_text(field.data_type()))
}

/// Reads from the front of `rest`; `text` is the whole, for messages.
struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn fail<T>(&self, detail: impl Into<String>) -> Result<T, SchemaTextError> {
        Err(SchemaTextError { text: self.text.to_owned(), detail: detail.into() })
    }

    fn end(&self) -> Result<(), SchemaTextError> {
        match self.rest.trim() {
            "" => Ok(()),
            rest => self.fail(format!("`{rest}` follows")),
        }
    }

    /// Takes the longest front made of word characters; may be empty.
    fn word(&mut self, also: &str) -> String {
        self.rest = self.rest.trim_start();
        let end =
            self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || also.contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn take(&mut self, symbol: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, symbol: char) -> Result<(), SchemaTextError> {
        if self.take(symbol) {
            return Ok(());
        }
        match self.rest.trim_start().chars().next() {
            Some(found) => self.fail(format!("`{symbol}` expected instead of `{found}`")),
            None => self.fail(format!("`{symbol}` expected at the end")),
        }
    }

    fn not_null(&mut self) -> bool {
        let before = self.rest;
        let found = self.word("").eq_ignore_ascii_case("not") && self.word("").eq_ignore_ascii_case("null");
        if !found {
            self.rest = before;
        }
        found
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType, SchemaTextError> {
        if depth > NESTING_MAX {
            return self.fail(format!("more than {NESTING_MAX} levels"));
        }
        let name = self.word("").to_lowercase();
        if let Some(plain) = plain_type(&name) {
            return Ok(plain);
        }
        match name.as_str() {
            "time" => self.time(),
            "timestamp" => self.timestamp(),
            "duration" => self.in_brackets(|parser| Ok(DataType::Duration(parser.unit()?))),
            "fixed_binary" => self.in_brackets(|parser| Ok(DataType::FixedSizeBinary(parser.number("a length")?))),
            "decimal" | "decimal128" | "decimal256" => self.decimal(&name),
            "list" => Ok(DataType::List(self.item(depth)?)),
            "large_list" => Ok(DataType::LargeList(self.item(depth)?)),
            "struct" => self.fields(depth),
            "map" => self.map(depth),
            "dictionary" => {
                let (key, value) = self.pair(depth)?;
                if key.is_dictionary_key_type() {
                    Ok(DataType::Dictionary(Box::new(key), Box::new(value)))
                } else {
                    self.fail("the key of a dictionary is an integer type")
                }
            }
            "" => self.fail("a type is missing"),
            other => self.fail(format!("`{other}` is not known")),
        }
    }

    fn in_brackets<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SchemaTextError>,
    ) -> Result<T, SchemaTextError> {
        self.expect('(')?;
        let value = inner(self)?;
        self.expect(')')?;
        Ok(value)
    }

    fn number<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, SchemaTextError> {
        let word = self.word("-");
        word.parse().or_else(|_| self.fail(format!("`{word}` is not {what}")))
    }

    fn unit(&mut self) -> Result<TimeUnit, SchemaTextError> {
        match self.word("").to_lowercase().as_str() {
            "s" => Ok(TimeUnit::Second),
            "ms" => Ok(TimeUnit::Millisecond),
            "us" => Ok(TimeUnit::Microsecond),
            "ns" => Ok(TimeUnit::Nanosecond),
            other => self.fail(format!("`{other}` is not a unit: use s, ms, us or ns")),
        }
    }

    fn time(&mut self) -> Result<DataType, SchemaTextError> {
        self.in_brackets(Self::unit).map(|unit| match unit {
            TimeUnit::Second | TimeUnit::Millisecond => DataType::Time32(unit),
            TimeUnit::Microsecond | TimeUnit::Nanosecond => DataType::Time64(unit),
        })
    }

    fn timestamp(&mut self) -> Result<DataType, SchemaTextError> {
        if !self.rest.trim_start().starts_with('(') {
            return Ok(DataType::Timestamp(TimeUnit::Millisecond, None));
        }
        self.in_brackets(|parser| {
            let unit = parser.unit()?;
            let zone = if parser.take(',') { Some(parser.zone()?) } else { None };
            Ok(DataType::Timestamp(unit, zone))
        })
    }

    fn zone(&mut self) -> Result<Arc<str>, SchemaTextError> {
        let zone = self.word("/+-:");
        match zone.parse::<arrow::array::timezone::Tz>() {
            Ok(_) => Ok(zone.into()),
            Err(_) => self.fail(format!("`{zone}` is not a time zone: use `UTC`, `+02:00` or `Europe/Paris`")),
        }
    }

    fn decimal(&mut self, name: &str) -> Result<DataType, SchemaTextError> {
        let (precision, scale) = self.in_brackets(|parser| {
            let precision: u8 = parser.number("a precision")?;
            let scale: i8 = if parser.take(',') { parser.number("a scale")? } else { 0 };
            Ok((precision, scale))
        })?;
        if precision == 0 || precision > DECIMAL256_MAX_PRECISION || i16::from(scale) > i16::from(precision) {
            return self.fail(format!(
                "decimal({precision}, {scale}): a precision is 1 to {DECIMAL256_MAX_PRECISION}, a scale at most that"
            ));
        }
        if name == "decimal256" || precision > DECIMAL128_MAX_PRECISION {
            Ok(DataType::Decimal256(precision, scale))
        } else {
            Ok(DataType::Decimal128(precision, scale))
        }
    }

    fn item(&mut self, depth: usize) -> Result<FieldRef, SchemaTextError> {
        self.expect('<')?;
        let item = self.data_type(depth + 1)?;
        self.expect('>')?;
        Ok(Arc::new(Field::new_list_field(item, true)))
    }

    fn pair(&mut self, depth: usize) -> Result<(DataType, DataType), SchemaTextError> {
        self.expect('<')?;
        let first = self.data_type(depth + 1)?;
        self.expect(',')?;
        let second = self.data_type(depth + 1)?;
        self.expect('>')?;
        Ok((first, second))
    }

    fn map(&mut self, depth: usize) -> Result<DataType, SchemaTextError> {
        let (key, value) = self.pair(depth)?;
        let entries = Fields::from(vec![Field::new("keys", key, false), Field::new("values", value, true)]);
        Ok(DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false))
    }

    fn fields(&mut self, depth: usize) -> Result<DataType, SchemaTextError> {
        self.expect('<')?;
        let mut fields = Vec::new();
        loop {
            let name = self.word("-");
            if name.is_empty() {
                return self.fail("the name of a field is missing");
            }
            self.expect(':')?;
            let data_type = self.data_type(depth + 1)?;
            fields.push(Field::new(name, data_type, !self.not_null()));
            if !self.take(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(DataType::Struct(fields.into()))
    }
}

fn plain_type(name: &str) -> Option<DataType> {
    Some(match name {
        "bool" | "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" | "half" => DataType::Float16,
        "float32" | "float" => DataType::Float32,
        "float64" | "double" => DataType::Float64,
        "utf8" | "string" | "text" => DataType::Utf8,
        "large_utf8" => DataType::LargeUtf8,
        "utf8_view" => DataType::Utf8View,
        "binary" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "binary_view" => DataType::BinaryView,
        "date" | "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        "null" => DataType::Null,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_own_text() {
        for text in [
            "bool",
            "int8",
            "uint64",
            "float16",
            "float32",
            "float64",
            "utf8",
            "large_utf8",
            "utf8_view",
            "binary",
            "large_binary",
            "binary_view",
            "fixed_binary(16)",
            "date32",
            "date64",
            "time(s)",
            "time(ns)",
            "timestamp(ms)",
            "timestamp(us, UTC)",
            "timestamp(s, +02:00)",
            "timestamp(ns, Europe/Paris)",
            "duration(ms)",
            "decimal(10, 2)",
            "decimal256(60, -3)",
            "list<list<int64>>",
            "large_list<utf8>",
            "struct<a: int64 not null, b-c: list<utf8>>",
            "map<utf8, int64>",
            "dictionary<int32, utf8>",
            "null",
        ] {
            let parsed = parse_type(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(type_text(&parsed), text);
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let same = |a: &str, b: &str| assert_eq!(parse_type(a), parse_type(b), "{a} {b}");
        same("Double", "float64");
        same("STRING", " utf8 ");
        same("decimal(10)", "decimal( 10 ,0 )");
        same("timestamp", "timestamp(ms)");
        same("decimal(50, 2)", "decimal256(50, 2)");
        assert!(!parse_field("a", "int64 NOT NULL").expect("a field").is_nullable());
        assert!(parse_field("a", "int64").expect("a field").is_nullable());
    }

    #[test]
    fn what_is_not_a_type_is_named() {
        for (text, detail) in [
            ("int65", "`int65` is not known"),
            ("", "a type is missing"),
            ("list<int64", "`>` expected at the end"),
            ("int64 nullable", "`nullable` follows"),
            ("timestamp(m)", "`m` is not a unit"),
            ("timestamp(ms, Mars/Base)", "`Mars/Base` is not a time zone"),
            ("decimal(2, 3)", "a precision is 1 to 76"),
            ("decimal(0)", "a precision is 1 to 76"),
            ("dictionary<utf8, utf8>", "an integer type"),
            ("struct<: int64>", "name of a field"),
            ("time(s", "`)` expected"),
        ] {
            let error = parse_type(text).expect_err(text).to_string();
            assert!(error.contains(detail), "{text}: {error}");
        }
        let deep = "list<".repeat(40) + "int8" + &">".repeat(40);
        assert!(parse_type(&deep).expect_err("too deep").to_string().contains("levels"));
    }
}
