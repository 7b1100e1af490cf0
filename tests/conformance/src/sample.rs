//! The rows that a component is tried with: columns by name and type, and values made up from the number of their row.
//!
//! One value in seven is null where it may be; texts are empty, short, long and not ASCII. The same number gives the same row,
//! whatever the batch that it is in.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampMillisecondArray, UInt16Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

/// Different keys that rows have.
const KEYS: u64 = 11;

/// From one row to the next, in milliseconds of event time.
pub(crate) const STEP_MS: i64 = 1_000;

/// What a component is configured with and bound to. Read from TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its configuration; none unless told.
    #[serde(default)]
    pub config: serde_json::Value,
    /// The columns of its input, each `name: Type`, or `name: Type!` where nulls may not be. Types are `Boolean`, `Int32`, `Int64`,
    /// `UInt16`, `Float64`, `Utf8` and `Timestamp` (in milliseconds). A codec that reads has none.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The columns of the key, of an aggregate and a process.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The column of the event time: a `Timestamp!` or `Int64!`.
    pub event_time: Option<String>,
    /// Texts that columns of the type `Utf8` take by turns, instead of made-up ones.
    #[serde(default)]
    pub values: BTreeMap<String, Vec<String>>,
    /// Whether it may ask servers: all of them answer, with something that depends on the request alone.
    #[serde(default)]
    pub http: bool,
}

impl Sample {
    /// Reads one.
    ///
    /// # Errors
    /// When the text is no TOML, or names something that there is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let sample: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        sample.fields()?;
        for name in sample.keys.iter().chain(&sample.event_time).chain(sample.values.keys()) {
            if sample.schema().index_of(name).is_err() {
                return Err(format!("there is no column `{name}` among {:?}", sample.columns));
            }
        }
        Ok(sample)
    }

    fn fields(&self) -> Result<Vec<Field>, String> {
        let field = |column: &String| {
            let (name, data_type) = column.split_once(": ").ok_or_else(|| format!("`{column}` is not `name: Type`"))?;
            let (data_type, nullable) = data_type.strip_suffix('!').map_or((data_type, true), |name| (name, false));
            let data_type = match data_type {
                "Boolean" => DataType::Boolean,
                "Int32" => DataType::Int32,
                "Int64" => DataType::Int64,
                "UInt16" => DataType::UInt16,
                "Float64" => DataType::Float64,
                "Utf8" => DataType::Utf8,
                "Timestamp" => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
                other => return Err(format!("no rows can be made up of the type `{other}`")),
            };
            Ok(Field::new(name, data_type, nullable))
        };
        self.columns.iter().map(field).collect()
    }

    /// The columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        // Looked at when it was parsed.
        Arc::new(Schema::new(self.fields().unwrap_or_default()))
    }

    /// Rows of the columns, from that number on.
    pub(crate) fn rows(&self, first: usize, count: usize) -> RecordBatch {
        self.rows_of(&self.schema(), first, count)
    }

    /// Rows of any columns.
    pub(crate) fn rows_of(&self, schema: &SchemaRef, first: usize, count: usize) -> RecordBatch {
        let columns: Vec<ArrayRef> =
            schema.fields().iter().map(|field| self.column(field, first as u64..(first + count) as u64)).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).expect("columns of one length")
    }

    fn column(&self, field: &Field, rows: std::ops::Range<u64>) -> ArrayRef {
        let name = field.name();
        if self.event_time.as_ref() == Some(name) {
            let times = rows.map(|row| i64::try_from(row).unwrap_or(i64::MAX).saturating_mul(STEP_MS));
            return match field.data_type() {
                DataType::Int64 => Arc::new(Int64Array::from_iter_values(times)),
                _ => Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC")),
            };
        }
        let is_key = self.keys.contains(name);
        let draw = |row: u64| scrambled(if is_key { row % KEYS } else { row }, name);
        let drawn = rows.map(|row| {
            let drawn = draw(row);
            (!field.is_nullable() || drawn % 7 != 3).then_some(drawn)
        });
        let number = |drawn: u64| i64::try_from(drawn % 2_001).unwrap_or(0) - 1_000;
        match field.data_type() {
            DataType::Boolean => {
                Arc::new(drawn.map(|drawn| drawn.map(|drawn| drawn % 2 == 1)).collect::<BooleanArray>())
            }
            DataType::Int32 => Arc::new(
                drawn.map(|drawn| drawn.map(|drawn| i32::try_from(number(drawn)).unwrap_or(0))).collect::<Int32Array>(),
            ),
            DataType::Int64 => Arc::new(drawn.map(|drawn| drawn.map(number)).collect::<Int64Array>()),
            DataType::UInt16 => Arc::new(
                drawn
                    .map(|drawn| drawn.map(|drawn| u16::try_from(drawn % 65_536).unwrap_or(0)))
                    .collect::<UInt16Array>(),
            ),
            DataType::Float64 => {
                Arc::new(drawn.map(|drawn| drawn.map(|drawn| number(drawn) as f64 / 4.0)).collect::<Float64Array>())
            }
            DataType::Timestamp(..) => Arc::new(
                drawn
                    .map(|drawn| drawn.map(|drawn| number(drawn) * STEP_MS))
                    .collect::<TimestampMillisecondArray>()
                    .with_timezone("UTC"),
            ),
            _ => {
                let given = self.values.get(name).filter(|given| !given.is_empty());
                let text = |drawn: u64| match given {
                    Some(given) => given[(drawn % given.len() as u64) as usize].clone(),
                    None => text(drawn),
                };
                Arc::new(drawn.map(|drawn| drawn.map(text)).collect::<StringArray>())
            }
        }
    }
}

/// Any text.
fn text(drawn: u64) -> String {
    match drawn % 6 {
        0 => String::new(),
        1 => "a".to_owned(),
        2 => format!("größer {}", drawn % 13),
        3 => format!("{}, x;; y ", drawn % 5),
        4 => "\u{1f3d0} ".repeat((drawn % 90) as usize),
        _ => format!("{drawn:x}"),
    }
}

/// A number that looks as if it were drawn by lot, of a row and the name of a column.
fn scrambled(row: u64, name: &str) -> u64 {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut drawn = row.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    drawn ^ (drawn >> 31)
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    #[test]
    fn a_row_is_the_same_in_every_batch_and_has_nulls_where_it_may() {
        let sample = Sample::parse(
            "columns = ['id: Int64!', 'user: Utf8', 'at: Timestamp!']\nkeys = ['user']\nevent_time = 'at'",
        )
        .expect("parses");
        let all = sample.rows(0, 500);
        assert_eq!(all.slice(100, 50), sample.rows(100, 50));
        assert_eq!(all.column(0).null_count(), 0);
        assert!(
            sample
                .rows_of(&Arc::new(Schema::new(vec![Field::new("x", DataType::Utf8, true)])), 0, 500)
                .column(0)
                .null_count()
                > 20
        );
        assert!(Sample::parse("columns = ['x: Map']").is_err());
        assert!(Sample::parse("columns = ['x: Int64']\nkeys = ['y']").is_err());
    }
}
