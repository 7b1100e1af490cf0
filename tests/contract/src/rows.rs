//! Rows as text, to compare what was written with what is read back, whatever the order.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Each row of the batches as one line, in order: values by position, nulls apart from empty text.
///
/// # Panics
/// When a value cannot be shown, which no type of the supported formats causes.
#[must_use]
pub fn rows_as_text(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("␀");
    let mut rows = Vec::new();
    for batch in batches {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("a type that can be shown"))
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = formatters.iter().map(|formatter| formatter.value(row).to_string()).collect();
            rows.push(values.join(" | "));
        }
    }
    rows
}
