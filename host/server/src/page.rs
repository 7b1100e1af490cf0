//! A table of rows that fits a page: long cells are cut, and columns in the middle give way.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use volley_api::dead_letter;

/// How wide a table may be, in characters.
const WIDTH_MAX: usize = 120;
/// How wide a cell may be, in characters.
const CELL_WIDTH_MAX: usize = 36;
/// The same where the message counts.
const DEAD_LETTER_CELL_WIDTH_MAX: usize = 76;
/// What a cell takes beside its text.
const CELL_PADDING: usize = 3;
const CUT: &str = "…";

/// What a person wants to know first of a refused row.
const DEAD_LETTER_COLUMNS: [&str; 4] = ["operator", "code", "message", "position"];

/// Draws a batch. Columns are kept from both ends, since operators append theirs behind; of refused rows, those that say
/// why.
pub(crate) fn render(rows: &RecordBatch) -> Result<String, ArrowError> {
    if rows.schema() == dead_letter::schema() {
        let columns = DEAD_LETTER_COLUMNS.map(|name| rows.schema_ref().index_of(name));
        let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
        return table(&rows.project(&columns)?, DEAD_LETTER_CELL_WIDTH_MAX);
    }
    table(rows, CELL_WIDTH_MAX)
}

fn table(rows: &RecordBatch, cell_width_max: usize) -> Result<String, ArrowError> {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let options = FormatOptions::default();
        let format = ArrayFormatter::try_new(column.as_ref(), &options)?;
        let cells = (0..rows.num_rows()).map(|row| cut(&format.value(row).to_string(), cell_width_max));
        Ok(std::iter::once(cut(field.name(), cell_width_max)).chain(cells).collect())
    });
    let columns = fit(columns.collect::<Result<_, ArrowError>>()?);
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    let line = |row: usize| columns.iter().map(move |column: &Vec<String>| column[row].clone());
    table.set_header(line(0));
    for row in 1..=rows.num_rows() {
        table.add_row(line(row));
    }
    Ok(table.to_string())
}

fn cut(text: &str, width_max: usize) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.chars().count() <= width_max {
        return line;
    }
    line.chars().take(width_max - 1).collect::<String>() + CUT
}

/// The columns that fit, taken in turn from the front and from the back; one of dots stands for those left out.
fn fit(columns: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let rows = columns.first().map_or(0, Vec::len);
    let width = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0) + CELL_PADDING;
    let dots = vec![CUT.to_owned(); rows];
    let mut left = columns.iter().map(width).sum::<usize>();
    if left <= WIDTH_MAX {
        return columns;
    }
    left = WIDTH_MAX - width(&dots);
    let mut waiting = VecDeque::from(columns);
    let (mut front, mut back) = (Vec::new(), VecDeque::new());
    while let Some(next) = if front.len() <= back.len() { waiting.pop_front() } else { waiting.pop_back() } {
        if width(&next) > left {
            break;
        }
        left -= width(&next);
        if front.len() <= back.len() { front.push(next) } else { back.push_front(next) }
    }
    front.push(dots);
    front.extend(back);
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    fn wide(columns: usize, text: &str) -> RecordBatch {
        let column = |number: usize| -> (String, ArrayRef) {
            (format!("column_{number}"), Arc::new(StringArray::from(vec![Some(text), None])))
        };
        RecordBatch::try_from_iter_with_nullable((0..columns).map(column).map(|(n, c)| (n, c, true))).expect("equal")
    }

    #[test]
    fn refused_rows_show_why() -> Result<(), Box<dyn std::error::Error>> {
        let reject = volley_api::SourceReject {
            position: 7,
            code: "malformed-csv".into(),
            message: "a.csv line 7: 4 fields, expected 3".into(),
            raw: "1,2,3,4".into(),
        };
        let split = volley_api::SplitId::new("a.csv");
        let text = render(&dead_letter::from_source(&volley_api::NodeName::new("flights")?, &split, &[reject])?)?;
        assert!(text.contains("malformed-csv") && text.contains("line 7: 4 fields, expected 3"), "{text}");
        assert!(!text.contains("event_time"), "{text}");
        Ok(())
    }

    #[test]
    fn narrow_tables_are_shown_whole() {
        let text = render(&wide(2, "a\nb")).expect("text");
        assert!(text.contains("column_0") && text.contains("column_1") && text.contains("a b"), "{text}");
        assert!(!text.contains(CUT));
    }

    #[test]
    fn wide_tables_keep_both_ends_and_stay_on_the_page() {
        let text = render(&wide(40, &"x".repeat(100))).expect("text");
        assert!(text.contains("column_0") && text.contains("column_39") && !text.contains("column_20"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MAX + 2), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }
}
