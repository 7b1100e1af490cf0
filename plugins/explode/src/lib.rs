//! A flat-map that splits a delimited text: one row for each item; rows without items go to the side output `empty`.
//!
//! Which column, the configuration says; so the operator is written batch-wise.

use serde::Deserialize;
use volley_sdk::build::{Builder as _, Int64Builder, StringBuilder};
use volley_sdk::{
    Batch, Binding, DataType, Emitter, Failure, Field, FlatMapOperator, OpenError, Rejects, Schema, WriteMode,
};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text column to split.
    pub column: String,
    /// What stands between two items; a comma by default.
    #[serde(default = "comma")]
    pub separator: String,
}

fn comma() -> String {
    ",".to_owned()
}

/// The operator.
pub struct Explode {
    separator: String,
}

impl FlatMapOperator for Explode {
    type Config = Config;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        if config.separator.is_empty() {
            return Err(OpenError::InvalidConfig("separator: it is empty, give one character or more".to_owned()));
        }
        let column = input.require(&config.column)?;
        if !matches!(column.data_type, DataType::Utf8 | DataType::LargeUtf8) {
            let (name, found) = (&column.name, &column.data_type);
            return Err(OpenError::InvalidInput(format!("column `{name}` is {found}, wanted Utf8")));
        }
        let items = Schema::new([
            Field::new("item", DataType::Utf8).required(),
            Field::new("item_index", DataType::Int64).required(),
        ]);
        let binding = Binding::reads([config.column]).append(items).port("empty", Schema::default(), WriteMode::Append);
        let separator = config.separator;
        Ok((Self { separator }, binding))
    }

    fn flat_map(&mut self, batch: &Batch<'_>, out: &mut Emitter<'_>) -> Result<Rejects, Failure> {
        let texts = batch.at(0).as_str()?;
        let (mut items, mut indices) = (StringBuilder::new(), Int64Builder::new());
        let (mut parents, mut empty) = (Vec::new(), Vec::new());
        for (row, text) in (0_u32..).zip(texts.iter()) {
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                empty.push(row);
                continue;
            };
            for (index, item) in (0..).zip(split(text, &self.separator)) {
                items.push(item);
                indices.push(index);
                parents.push(row);
            }
        }
        if !parents.is_empty() {
            out.emit("out", &parents, vec![items.finish(), indices.finish()])?;
        }
        if !empty.is_empty() {
            out.emit("empty", &empty, Vec::new())?;
        }
        Ok(Rejects::new())
    }
}

/// The parts of a text. `str::split` does the same; its search is made for long patterns, and a tenth of this component.
fn split<'a>(text: &'a str, separator: &str) -> impl Iterator<Item = &'a str> {
    let (bytes, wanted) = (text.as_bytes(), separator.as_bytes());
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let found = (from..bytes.len()).find(|at| bytes[*at] == wanted[0] && bytes[*at..].starts_with(wanted));
        start = found.map(|at| at + wanted.len());
        text.get(from..found.unwrap_or(bytes.len()))
    })
}

volley_sdk::export_flat_map!(Explode);

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn each_item_is_a_row_and_rows_without_items_go_aside() {
        let input = batch! { "id" => [1, 2, 3, 4], "tags" => [Some("a,b"), None, Some(""), Some("c,,d")] };
        let outcome = testing::flat_map::<Explode>(json!({ "column": "tags" }), &input).unwrap();
        let wanted = batch! {
            "id" => [1, 1, 4, 4, 4],
            "tags" => ["a,b", "a,b", "c,,d", "c,,d", "c,,d"],
            "item" => ["a", "b", "c", "", "d"],
            "item_index" => [0_i64, 1, 0, 1, 2],
        };
        assert_eq!(outcome.port("out").columns(), wanted.columns());
        assert_eq!(outcome.port("empty"), &batch! { "id" => [2, 3], "tags" => [None, Some("")] });
    }

    #[test]
    fn the_separator_may_be_long() {
        let input = batch! { "path" => ["a :: b"] };
        let config = json!({ "column": "path", "separator": " :: " });
        let outcome = testing::flat_map::<Explode>(config, &input).unwrap();
        assert_eq!(outcome.port("out").column("item").unwrap().as_str().unwrap().get(1), Some("b"));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let input = batch! { "id" => [1], "tags" => ["a"] };
        for (config, wanted) in [
            (json!({ "column": "id" }), "column `id` is Int32"),
            (json!({ "column": "tag" }), "no column `tag`"),
            (json!({ "column": "tags", "separator": "" }), "separator"),
            (json!({}), "missing field `column`"),
        ] {
            let error = testing::flat_map::<Explode>(config, &input).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
