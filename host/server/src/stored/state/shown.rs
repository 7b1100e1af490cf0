//! Rows of state on standard output, as they come: lines of JSON, or tables.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use volley_api::{Result, dead_letter};

use super::scan::internal;
use crate::output::print;
use crate::stored::table;

/// A table has so many rows at most; then comes the next one.
const TABLE_ROWS: usize = 1_000;
/// What is shown of a value in a table, in characters. JSON has all of it.
const CELL_CHARS: usize = 60;

/// Prints rows.
pub(super) struct Shown {
    json: bool,
    rows: Vec<Vec<String>>,
    has_printed: bool,
}

impl Shown {
    pub(super) fn new(json: bool) -> Self {
        Self { json, rows: Vec::new(), has_printed: false }
    }

    /// Takes rows, all of the same columns.
    pub(super) fn rows(&mut self, batch: RecordBatch) -> Result<()> {
        if self.json {
            let lines = dead_letter::rows_as_json(&batch).map_err(internal)?;
            let lines: String = lines.as_string::<i32>().iter().flatten().flat_map(|line| [line, "\n"]).collect();
            return print(&lines);
        }
        let options = FormatOptions::default().with_null("null");
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(internal)?;
        for row in 0..batch.num_rows() {
            self.rows.push(columns.iter().map(|column| cell(&column.value(row).to_string())).collect());
            if self.rows.len() == TABLE_ROWS {
                self.table(&batch.schema())?;
            }
        }
        Ok(())
    }

    /// Prints what is left: a table at least, so that columns are seen where there are no rows.
    pub(super) fn finish(&mut self, schema: &SchemaRef) -> Result<()> {
        if self.json || self.has_printed && self.rows.is_empty() { Ok(()) } else { self.table(schema) }
    }

    fn table(&mut self, schema: &SchemaRef) -> Result<()> {
        let heads: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let words = schema.fields().iter().filter(|field| !field.data_type().is_numeric());
        let words: Vec<&str> = words.map(|field| field.name().as_str()).collect();
        let rows = std::mem::take(&mut self.rows);
        self.has_printed = true;
        print(&format!("{}\n", table(&heads, &rows, &words, heads.len())))
    }
}

/// A value without what would move the cursor, cut where it is long.
fn cell(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| {
        let (plain, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
        plain.into_iter().chain(escaped.into_iter().flatten())
    });
    let mut shown: String = escaped.take(CELL_CHARS + 1).collect();
    if let Some((end, _)) = shown.char_indices().nth(CELL_CHARS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_in_its_place() {
        assert_eq!(cell("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(cell(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(cell(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
