//! The wire form of the host's data: dictionaries unpacked, views and run ends written out.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::schema::TYPE_DEPTH_MAX;
use crate::{Error, Result};

/// A schema as it crosses: dictionaries and run-end encodings become their values, string and binary views become Utf8
/// and Binary, list views become lists, at every depth. Names, nullability and the metadata of fields stay; the
/// metadata of the schema itself does not cross.
///
/// # Errors
/// When a column has a type that cannot cross: a union, a list or binary of fixed size 0, or nesting beyond
/// [`crate::TYPE_DEPTH_MAX`].
pub fn wire_schema(schema: &Schema) -> Result<Schema> {
    let fields: Fields =
        schema.fields().iter().map(|field| wire_field(field, field.name(), 0)).collect::<Result<_>>()?;
    Ok(Schema::new(fields))
}

/// A batch with the columns converted to those of `wire`, which is the [`wire_schema`] of its own schema. Columns
/// that are in wire form already are not copied.
///
/// # Errors
/// When `wire` is not the wire form of the batch's schema, or a value cannot be converted.
pub fn to_wire(batch: &RecordBatch, wire: &SchemaRef) -> Result<RecordBatch> {
    columns_to_wire(batch.columns().iter(), batch.num_rows(), wire)
}

/// As [`to_wire`], for some columns of a batch of `rows` rows.
///
/// # Errors
/// As [`to_wire`].
pub fn columns_to_wire<'a>(
    columns: impl ExactSizeIterator<Item = &'a ArrayRef>,
    rows: usize,
    wire: &SchemaRef,
) -> Result<RecordBatch> {
    if columns.len() != wire.fields().len() {
        let (found, wanted) = (columns.len(), wire.fields().len());
        return Err(Error::Unsupported(format!("the batch has {found} columns and its wire form {wanted}")));
    }
    let columns =
        columns.zip(wire.fields()).map(|(column, field)| column_to_wire(column, field)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(wire), columns, &options)?)
}

fn column_to_wire(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    Ok(cast(column, field.data_type())?)
}

fn wire_field(field: &FieldRef, path: &str, depth: usize) -> Result<FieldRef> {
    let data_type = wire_type(field.data_type(), path, depth)?;
    if &data_type == field.data_type() {
        return Ok(Arc::clone(field));
    }
    if !can_cast_types(field.data_type(), &data_type) {
        return Err(Error::schema(path, format!("columns of type {} cannot cross to a plugin", field.data_type())));
    }
    Ok(Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone())))
}

fn wire_type(data_type: &DataType, path: &str, depth: usize) -> Result<DataType> {
    if depth > TYPE_DEPTH_MAX {
        return Err(Error::schema(path, format!("nested more than {TYPE_DEPTH_MAX} deep")));
    }
    let child = |field: &FieldRef| wire_field(field, &format!("{path}.{}", field.name()), depth + 1);
    Ok(match data_type {
        DataType::Dictionary(_, values) => wire_type(values, path, depth + 1)?,
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type(), path, depth + 1)?,
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => DataType::List(child(item)?),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(child(item)?),
        DataType::FixedSizeList(item, size) if *size > 0 => DataType::FixedSizeList(child(item)?, *size),
        DataType::FixedSizeList(..) | DataType::Union(..) => {
            return Err(Error::schema(path, format!("columns of type {data_type} cannot cross to a plugin")));
        }
        DataType::FixedSizeBinary(size) if *size < 1 => {
            return Err(Error::schema(path, "a binary column of size 0 cannot cross to a plugin"));
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(child).collect::<Result<_>>()?),
        DataType::Map(entries, sorted) => DataType::Map(child(entries)?, *sorted),
        plain => plain.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Array, AsArray, DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    };
    use arrow::datatypes::{Int32Type, UnionFields, UnionMode};

    #[test]
    fn dictionaries_and_views_are_written_out_at_every_depth() -> Result<(), Box<dyn std::error::Error>> {
        let dictionary: DictionaryArray<Int32Type> = [Some("a"), None, Some("a")].into_iter().collect();
        let views = StringViewArray::from(vec![Some("a string longer than twelve bytes"), None, Some("b")]);
        let nested = StructArray::from(vec![(
            Arc::new(Field::new("v", DataType::Utf8View, true)),
            Arc::new(views.clone()) as ArrayRef,
        )]);
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, Some(vec![])]);
        let batch = RecordBatch::try_from_iter([
            ("d", Arc::new(dictionary) as ArrayRef),
            ("v", Arc::new(views) as ArrayRef),
            ("s", Arc::new(nested) as ArrayRef),
            ("l", Arc::new(list) as ArrayRef),
        ])?;
        let wire = Arc::new(wire_schema(&batch.schema())?);
        let out = to_wire(&batch, &wire)?;
        assert_eq!(out.column(0).as_ref(), &StringArray::from(vec![Some("a"), None, Some("a")]) as &dyn Array);
        assert_eq!(out.column(1).data_type(), &DataType::Utf8);
        assert_eq!(out.column(2).as_struct().column(0).as_string::<i32>().value(2), "b");
        assert!(Arc::ptr_eq(out.column(3), batch.column(3)), "wire form already: not copied");
        Ok(())
    }

    #[test]
    fn a_batch_without_columns_keeps_its_rows() -> Result<(), Box<dyn std::error::Error>> {
        let rows = RecordBatchOptions::new().with_row_count(Some(5));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows)?;
        assert_eq!(to_wire(&batch, &Arc::new(Schema::empty()))?.num_rows(), 5);
        Ok(())
    }

    #[test]
    fn unions_are_refused_by_name() {
        let union = DataType::Union(UnionFields::empty(), UnionMode::Dense);
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("u", union, true)]);
        let error = wire_schema(&schema).expect_err("unions cannot cross").to_string();
        assert!(error.contains("`u`"), "{error}");
    }

    #[test]
    fn a_batch_of_another_schema_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("a", column)])?;
        assert!(to_wire(&batch, &Arc::new(Schema::empty())).is_err());
        Ok(())
    }
}
