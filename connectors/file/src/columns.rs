//! Matches the columns of a file to those of the source, by name.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};

use crate::{Error, type_text};

/// What to do about columns that the source does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtraColumns {
    /// Leave them: the user has declared which columns to read.
    Leave,
    /// Refuse them: nobody said that they are not wanted.
    Refuse,
}

/// For each column of `schema`, its place in the file, whose columns are `names`.
pub(crate) fn by_name(names: &[String], schema: &Schema, path: &str, extra: ExtraColumns) -> Result<Vec<usize>, Error> {
    let unknown = |name: &&String| schema.column_with_name(name).is_none();
    if let (ExtraColumns::Refuse, Some(column)) = (extra, names.iter().find(unknown)) {
        return Err(Error::ExtraColumn { path: path.to_owned(), column: column.clone() });
    }
    let place = |column: &String| {
        names.iter().position(|name| name == column).ok_or_else(|| Error::MissingColumn {
            path: path.to_owned(),
            column: column.clone(),
            found: if names.is_empty() { "none".to_owned() } else { names.join(", ") },
        })
    };
    schema.fields().iter().map(|field| place(field.name())).collect()
}

/// For each column of `schema`, its place in `file`, whose types must be the same.
pub(crate) fn by_name_and_type(
    file: &Schema,
    schema: &Schema,
    path: &str,
    extra: ExtraColumns,
) -> Result<Vec<usize>, Error> {
    let names: Vec<String> = file.fields().iter().map(|field| field.name().clone()).collect();
    let places = by_name(&names, schema, path, extra)?;
    for (field, place) in schema.fields().iter().zip(&places) {
        let found = file.field(*place).data_type();
        if !found.equals_datatype(field.data_type()) {
            return Err(Error::ColumnType {
                path: path.to_owned(),
                column: field.name().clone(),
                found: type_text(found),
                expected: type_text(field.data_type()),
            });
        }
    }
    Ok(places)
}

/// The columns of `batch` at `places`, as a batch of `schema`. Types may differ in the names of nested fields only.
pub(crate) fn conform(
    batch: &RecordBatch,
    places: &[usize],
    schema: &SchemaRef,
    path: &str,
) -> Result<RecordBatch, Error> {
    let fail = |error| Error::damaged(path, format!("{error}"));
    let column = |(place, field): (&usize, &Arc<arrow::datatypes::Field>)| -> Result<ArrayRef, Error> {
        let column = batch.column(*place);
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        cast(column, field.data_type()).map_err(fail)
    };
    let columns = places.iter().zip(schema.fields()).map(column).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type};

    fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
        let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
        Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
    }

    #[test]
    fn order_does_not_matter_names_and_types_do() {
        let file = schema(&[("b", DataType::Utf8), ("a", DataType::Int64)]);
        let source = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
        let places = by_name_and_type(&file, &source, "f", ExtraColumns::Refuse).expect("same columns");
        assert_eq!(places, [1, 0]);
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["x"])), Arc::new(Int64Array::from(vec![7]))];
        let batch = RecordBatch::try_new(file, columns).expect("a batch");
        let batch = conform(&batch, &places, &source, "f").expect("conforms");
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(batch.schema(), source);
    }

    #[test]
    fn differences_name_file_and_column() {
        let source = schema(&[("a", DataType::Int64)]);
        let fail = |columns: &[(&str, DataType)], extra| {
            by_name_and_type(&schema(columns), &source, "f.parquet", extra).expect_err("different").to_string()
        };
        let extra = [("a", DataType::Int64), ("z", DataType::Int64)];
        assert!(fail(&extra, ExtraColumns::Refuse).contains("f.parquet: column `z`"));
        assert!(by_name_and_type(&schema(&extra), &source, "f", ExtraColumns::Leave).is_ok());
        assert_eq!(fail(&[("b", DataType::Int64)], ExtraColumns::Leave), "f.parquet: no column `a`; the file has b");
        let wrong = fail(&[("a", DataType::Utf8)], ExtraColumns::Leave);
        assert_eq!(wrong, "f.parquet: column `a` is utf8, expected int64");
    }
}
