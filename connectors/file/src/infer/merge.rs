//! Brings the types that different records and files show for one column together.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

use crate::{Error, type_text};

/// Columns with the types seen so far, in the order of their first appearance. `Null` is a column without a value.
pub(crate) type Columns = Vec<(String, DataType)>;

/// Adds what another record or file shows.
pub(crate) fn merge_columns(columns: &mut Columns, more: Columns, path: &str) -> Result<(), Error> {
    for (name, data_type) in more {
        match columns.iter_mut().find(|(known, _)| *known == name) {
            None => columns.push((name, data_type)),
            Some((_, known)) => {
                *known = merge(known, &data_type).ok_or_else(|| {
                    let (known, new) = (type_text(known), type_text(&data_type));
                    let fix = "declare `schema` in a pipeline file";
                    Error::damaged(path, format!("column `{name}` is {known} here and {new} there; {fix}"))
                })?;
            }
        }
    }
    Ok(())
}

/// The schema of columns; those without a value are text.
pub(crate) fn to_schema(columns: &Columns) -> Schema {
    let field = |(name, data_type): &(String, DataType)| Field::new(name, settle(data_type), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// The columns without a value in the sample, or with lists or objects that have none inside.
pub(crate) fn untyped(columns: &Columns) -> Vec<&str> {
    fn is_untyped(data_type: &DataType) -> bool {
        match data_type {
            DataType::Null => true,
            DataType::List(item) => is_untyped(item.data_type()),
            DataType::Struct(fields) => fields.iter().any(|field| is_untyped(field.data_type())),
            _ => false,
        }
    }
    columns.iter().filter(|(_, data_type)| is_untyped(data_type)).map(|(name, _)| name.as_str()).collect()
}

/// A type that both kinds of values fit in; `None` for lists and structs against anything else.
fn merge(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::{Date32, Float64, Int64, List, Null, Struct, Timestamp, Utf8};
    Some(match (one, other) {
        (a, b) if a == b => a.clone(),
        (Null, b) => b.clone(),
        (a, Null) => a.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        // A day has no zone.
        (Date32, Timestamp(unit, _)) | (Timestamp(unit, _), Date32) => Timestamp(*unit, None),
        (Timestamp(a, zone), Timestamp(b, other)) => Timestamp(finer(*a, *b), zone.clone().filter(|_| zone == other)),
        (List(a), List(b)) => List(Arc::new(Field::new_list_field(merge(a.data_type(), b.data_type())?, true))),
        (Struct(a), Struct(b)) => Struct(merge_fields(a, b)?),
        (List(_) | Struct(_), _) | (_, List(_) | Struct(_)) => return None,
        _ => Utf8,
    })
}

fn merge_fields(one: &Fields, other: &Fields) -> Option<Fields> {
    let mut merged: Vec<Field> = one.iter().map(|field| field.as_ref().clone()).collect();
    for field in other {
        match merged.iter_mut().find(|known| known.name() == field.name()) {
            None => merged.push(field.as_ref().clone()),
            Some(known) => *known = Field::new(field.name(), merge(known.data_type(), field.data_type())?, true),
        }
    }
    Some(merged.into())
}

fn finer(one: TimeUnit, other: TimeUnit) -> TimeUnit {
    one.max(other)
}

fn settle(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null => DataType::Utf8,
        DataType::List(item) => DataType::List(Arc::new(Field::new_list_field(settle(item.data_type()), true))),
        DataType::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| Field::new(field.name(), settle(field.data_type()), true)).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_type;

    #[test]
    fn types_widen_until_everything_fits() {
        for (one, other, both) in [
            ("null", "int64", "int64"),
            ("int64", "float64", "float64"),
            ("int64", "bool", "utf8"),
            ("date32", "timestamp(s)", "timestamp(s)"),
            ("timestamp(s)", "timestamp(us)", "timestamp(us)"),
            ("timestamp(s, UTC)", "timestamp(ms, UTC)", "timestamp(ms, UTC)"),
            ("timestamp(s, UTC)", "timestamp(s)", "timestamp(s)"),
            ("date32", "timestamp(s, UTC)", "timestamp(s)"),
            ("timestamp(s)", "int64", "utf8"),
            ("list<int64>", "list<float64>", "list<float64>"),
            ("list<null>", "list<utf8>", "list<utf8>"),
            ("struct<a: int64>", "struct<b: utf8, a: float64>", "struct<a: float64, b: utf8>"),
        ] {
            let parse = |text| parse_type(text).expect("a type");
            assert_eq!(merge(&parse(one), &parse(other)).as_ref().map(type_text), Some(both.to_owned()));
        }
        let parse = |text| parse_type(text).expect("a type");
        assert_eq!(merge(&parse("list<int64>"), &parse("int64")), None);
        assert_eq!(merge(&parse("utf8"), &parse("struct<a: int64>")), None);
    }

    #[test]
    fn conflicts_name_the_column() {
        let mut columns = vec![("a".to_owned(), DataType::Int64)];
        let list = parse_type("list<int64>").expect("a type");
        let error = merge_columns(&mut columns, vec![("a".to_owned(), list)], "t.jsonl").expect_err("conflict");
        assert_eq!(
            error.to_string(),
            "t.jsonl: column `a` is int64 here and list<int64> there; declare `schema` in a pipeline file"
        );
    }

    #[test]
    fn columns_without_values_are_text() {
        let schema = to_schema(&vec![("a".to_owned(), parse_type("list<null>").expect("a type"))]);
        assert_eq!(type_text(schema.field(0).data_type()), "list<utf8>");
        let columns = ["null", "int64", "list<null>", "struct<a: null, b: utf8>"];
        let columns = columns.map(|text| (text.to_owned(), parse_type(text).expect("a type")));
        assert_eq!(untyped(&columns.into()), ["null", "list<null>", "struct<a: null, b: utf8>"]);
    }
}
