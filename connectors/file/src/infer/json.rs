//! The columns of the start of a JSON Lines file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use memchr::memchr_iter;
use serde_json::Value;

use super::merge::{Columns, merge_columns};
use super::{Head, head};
use crate::Error;
use crate::input::LiveRead;

/// Names and types as the first `rows` lines show them; `None` for a file without lines. Lines that are not objects
/// show nothing: they are refused when the rows are read.
pub(crate) fn infer_jsonl(input: &mut dyn LiveRead, name: &str, rows: usize) -> Result<Option<Columns>, Error> {
    let is_enough = |bytes: &[u8]| memchr_iter(b'\n', bytes).count() >= rows;
    let is_usable = |bytes: &[u8]| memchr_iter(b'\n', bytes).any(|end| !bytes[..end].trim_ascii().is_empty());
    let Head { bytes, .. } = head(input, name, is_enough, is_usable)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (mut columns, mut seen, mut understood) = (Columns::new(), 0, 0);
    for line in lines.take(rows) {
        seen += 1;
        if let Ok(Value::Object(object)) = serde_json::from_slice(line) {
            understood += 1;
            let record = object.iter().map(|(key, value)| Ok((key.clone(), data_type(value, key, name)?)));
            merge_columns(&mut columns, record.collect::<Result<_, Error>>()?, name)?;
        }
    }
    match (seen, understood) {
        (0, _) => Ok(None),
        (seen, 0) => Err(Error::damaged(name, format!("none of the first {seen} lines is a JSON object"))),
        _ => Ok(Some(columns)),
    }
}

fn data_type(value: &Value, key: &str, name: &str) -> Result<DataType, Error> {
    Ok(match value {
        Value::Null => DataType::Null,
        Value::Bool(_) => DataType::Boolean,
        Value::Number(number) if number.is_i64() => DataType::Int64,
        // Beyond 64 bits with sign: text loses no digit.
        Value::Number(number) if number.is_u64() => DataType::Utf8,
        Value::Number(_) => DataType::Float64,
        Value::String(_) => DataType::Utf8,
        Value::Array(items) => {
            let mut merged = vec![(key.to_owned(), DataType::Null)];
            for item in items {
                merge_columns(&mut merged, vec![(key.to_owned(), data_type(item, key, name)?)], name)?;
            }
            DataType::List(Arc::new(Field::new_list_field(merged.remove(0).1, true)))
        }
        Value::Object(object) => {
            let field = |(key, value): (&String, &Value)| Ok(Field::new(key, data_type(value, key, name)?, true));
            DataType::Struct(object.iter().map(field).collect::<Result<_, Error>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::merge::to_schema;
    use crate::type_text;

    fn infer(text: &str) -> Result<Option<Vec<String>>, Error> {
        let columns = infer_jsonl(&mut text.as_bytes(), "t.jsonl", 100)?;
        let show = |columns: Columns| -> Vec<String> {
            let schema = to_schema(&columns);
            schema.fields().iter().map(|field| format!("{}: {}", field.name(), type_text(field.data_type()))).collect()
        };
        Ok(columns.map(show))
    }

    #[test]
    fn types_of_all_lines_in_order_of_appearance() {
        let text = "{\"z\":1,\"a\":[1,2.5]}\n\nbad\n{\"z\":2.5,\"n\":null,\"s\":{\"y\":true,\"x\":\"t\"}}\n{\"s\":{\"w\":18446744073709551615}}";
        let columns = infer(text).expect("columns").expect("records");
        assert_eq!(columns, ["z: float64", "a: list<float64>", "n: utf8", "s: struct<y: bool, x: utf8, w: utf8>"]);
    }

    #[test]
    fn empty_and_foreign_files() {
        assert!(infer("\n \n").expect("no error").is_none());
        assert!(infer("[1]\n5\n").expect_err("no objects").to_string().contains("none of the first 2 lines"));
    }
}
