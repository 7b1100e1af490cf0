//! The shape of refused rows: one schema for every `errors` port (design §4.5).

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, Int64Builder, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{NodeName, OperatorIdentity, OriginDirectory, RowReject, SourceReject, SplitId, StreamRecord};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("operator", DataType::Utf8, false),
        Field::new("digest", DataType::Utf8, true),
        Field::new("code", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, true),
        Field::new("split", DataType::Utf8, true),
        Field::new("position", DataType::Int64, true),
        Field::new("event_time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new("row", DataType::Utf8, false),
    ]))
});

/// The columns of every `errors` port:
///
/// | column | type | meaning |
/// |---|---|---|
/// | `operator` | Utf8 | the node that refused the row (a source, for records it could not read) |
/// | `digest` | Utf8, nullable | SHA-256 of the plugin's component; null for built-in nodes |
/// | `code` | Utf8 | short, stable name of the reason |
/// | `message` | Utf8 | a sentence |
/// | `source`, `split`, `position` | Utf8, Utf8, Int64, nullable | where the row came from (see [`crate::Origin`]) |
/// | `event_time` | Timestamp(ms, UTC), nullable | the row's event time; null until a source declares one |
/// | `row` | Utf8 | the whole input row as a JSON object; for a record that could not be read, its raw text |
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The rows of an `errors` port for rows of `input` that `node` refused. `input` is compacted.
///
/// # Errors
/// Those of Arrow: an index out of bounds, or more text than an array holds.
///
/// # Panics
/// When a reject's row is not one of `input`.
pub fn from_rows(
    node: &NodeName,
    identity: &OperatorIdentity,
    origins: &OriginDirectory,
    input: &StreamRecord,
    rejects: &[RowReject],
) -> Result<RecordBatch, ArrowError> {
    let indices: UInt32Array = rejects.iter().map(|reject| u32::try_from(reject.row).ok()).collect();
    let rows = rows_as_json(&input.take(&indices)?.batch)?;
    let mut sources = StringBuilder::new();
    let mut splits = StringBuilder::new();
    let mut positions = Int64Builder::with_capacity(rejects.len());
    for reject in rejects {
        let origin = input.origins.as_ref().map(|column| column.get(reject.row));
        let names = origin.and_then(|origin| origins.resolve(origin));
        sources.append_option(names.as_ref().map(|(source, _)| source.as_str()));
        splits.append_option(names.as_ref().map(|(_, split)| split.as_str()));
        positions.append_option(origin.map(|origin| origin.position));
    }
    let same = |text: Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(rejects.iter().map(|_| text))) };
    RecordBatch::try_new(
        schema(),
        vec![
            same(Some(node.as_str())),
            same(identity.digest.as_deref()),
            Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| &reject.code))),
            Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| &reject.message))),
            Arc::new(sources.finish()),
            Arc::new(splits.finish()),
            Arc::new(positions.finish()),
            no_event_time(rejects.len()),
            rows,
        ],
    )
}

/// The rows of an `errors` port for records that a source could not read.
///
/// # Errors
/// None that is known; the type is Arrow's.
pub fn from_source(node: &NodeName, split: &SplitId, rejects: &[SourceReject]) -> Result<RecordBatch, ArrowError> {
    let each = |text: fn(&SourceReject) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rejects.iter().map(text)))
    };
    let same = |text: Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(rejects.iter().map(|_| text))) };
    let mut positions = Int64Builder::with_capacity(rejects.len());
    rejects.iter().for_each(|reject| positions.append_value(reject.position));
    RecordBatch::try_new(
        schema(),
        vec![
            same(Some(node.as_str())),
            same(None),
            each(|reject| &reject.code),
            each(|reject| &reject.message),
            same(Some(node.as_str())),
            same(Some(split.as_str())),
            Arc::new(positions.finish()),
            no_event_time(rejects.len()),
            each(|reject| &reject.raw),
        ],
    )
}

fn no_event_time(rows: usize) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::new_null(rows).with_timezone("UTC"))
}

/// Each row of a batch as the text of one JSON object, nulls written out.
///
/// # Errors
/// None for the types of the supported formats: a column that JSON has no form for is written as Arrow shows it.
pub fn rows_as_json(batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    if batch.num_columns() == 0 {
        // A batch without columns has rows but writes no lines of its own.
        return Ok(Arc::new(StringArray::from(vec!["{}"; batch.num_rows()])));
    }
    let text = match json_lines(batch) {
        Ok(text) => text,
        Err(_) => json_lines(&with_text_for_what_has_no_json(batch)?)?,
    };
    Ok(Arc::new(StringArray::from_iter_values(text.lines().collect::<Vec<_>>())))
}

fn json_lines(batch: &RecordBatch) -> Result<String, ArrowError> {
    let mut text = Vec::new();
    let mut writer: LineDelimitedWriter<_> = WriterBuilder::new().with_explicit_nulls(true).build(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    String::from_utf8(text).map_err(|error| ArrowError::JsonError(error.to_string()))
}

/// The same rows with each column that cannot be JSON (a map whose keys are not text) as text.
fn with_text_for_what_has_no_json(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let alone = RecordBatch::try_from_iter_with_nullable([(field.name(), Arc::clone(column), true)])?;
        if json_lines(&alone).is_ok() {
            return Ok((field.name().clone(), Arc::clone(column), true));
        }
        let options = FormatOptions::default();
        let format = ArrayFormatter::try_new(column.as_ref(), &options)?;
        let text = (0..column.len()).map(|row| column.is_valid(row).then(|| format.value(row).to_string()));
        let text: ArrayRef = Arc::new(StringArray::from_iter(text));
        Ok((field.name().clone(), text, true))
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Float64Array, MapBuilder};

    use crate::{OriginColumn, Positions};

    #[test]
    fn refused_rows_carry_reason_origin_and_the_whole_row() -> Result<(), Box<dyn std::error::Error>> {
        let directory = OriginDirectory::new();
        let flights = NodeName::new("flights")?;
        let (source, split) = directory.register(&flights, &SplitId::new("a.csv"));
        let fare: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(-2.0)]));
        let name: ArrayRef = Arc::new(StringArray::from(vec!["x", "y\n", "z"]));
        let input = StreamRecord::new(RecordBatch::try_from_iter([("fare", fare), ("name", name)])?)
            .with_origins(OriginColumn::of_split(source, split, &Positions::From(2), 3));
        let rejects = [1, 2].map(|row| RowReject { row, code: "bad".into(), message: format!("row {row}") });
        let enrich = NodeName::new("enrich")?;
        let identity = OperatorIdentity { digest: Some("abc".into()) };
        let batch = from_rows(&enrich, &identity, &directory, &input, &rejects)?;
        assert_eq!(batch.schema(), schema());
        let rows = batch.column_by_name("row").expect("in the schema").as_string::<i32>();
        assert_eq!(rows.value(0), r#"{"fare":null,"name":"y\n"}"#);
        assert_eq!(rows.value(1), r#"{"fare":-2.0,"name":"z"}"#);
        let positions = batch.column_by_name("position").expect("in the schema");
        assert_eq!(positions.as_primitive::<arrow::datatypes::Int64Type>().values(), &[3, 4]);
        assert_eq!(batch.column_by_name("split").expect("in the schema").as_string::<i32>().value(0), "a.csv");
        Ok(())
    }

    #[test]
    fn what_json_has_no_form_for_is_written_as_text() -> Result<(), Box<dyn std::error::Error>> {
        let mut map = MapBuilder::new(None, Int64Builder::new(), Int64Builder::new());
        map.keys().append_value(1);
        map.values().append_value(2);
        map.append(true)?;
        map.append(false)?;
        let map: ArrayRef = Arc::new(map.finish());
        let fare: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.0]));
        let rows = rows_as_json(&RecordBatch::try_from_iter_with_nullable([("m", map, true), ("fare", fare, true)])?)?;
        assert_eq!(rows.as_string::<i32>().value(0), r#"{"m":"{1: 2}","fare":0.5}"#);
        assert_eq!(rows.as_string::<i32>().value(1), r#"{"m":null,"fare":1.0}"#);
        Ok(())
    }

    #[test]
    fn records_that_could_not_be_read_keep_their_text() -> Result<(), Box<dyn std::error::Error>> {
        let reject = SourceReject {
            position: 7,
            code: "malformed-csv".into(),
            message: "a.csv line 7: 4 fields, expected 3".into(),
            raw: "1,2,3,4".into(),
        };
        let batch = from_source(&NodeName::new("flights")?, &SplitId::new("a.csv"), &[reject])?;
        assert_eq!(batch.schema(), schema());
        assert_eq!(batch.column_by_name("row").expect("in the schema").as_string::<i32>().value(0), "1,2,3,4");
        Ok(())
    }
}
