//! Cells and tables as text, for failed assertions.

use std::fmt;

use crate::column::Column;
use crate::{Array, DataType, Schema};

/// At most this many rows of a table are printed.
const ROWS_MAX: usize = 100;

/// One value of a column, printed as Rust would write it; `null` when there is none.
pub(crate) struct Cell<'a> {
    column: Column<'a>,
    row: usize,
}

impl<'a> Column<'a> {
    pub(crate) fn cell(&self, row: usize) -> Cell<'a> {
        Cell { column: *self, row }
    }
}

impl fmt::Debug for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, row } = self;
        if column.is_null(*row) {
            return f.write_str("null");
        }
        // One row is enough to look at.
        let column = column.slice(*row, 1);
        if let Ok(values) = column.as_str() {
            return write!(f, "{:?}", values.get(0).unwrap_or_default());
        }
        if let Ok(values) = column.as_bytes() {
            return write!(f, "{:02x?}", values.get(0).unwrap_or_default());
        }
        match column.data_type() {
            DataType::Boolean => value(f, column.as_bool().map(|values| values.get(0))),
            DataType::Decimal128(..) => value(f, column.as_decimal128().map(|values| Raw(values.get(0), values.scale))),
            DataType::Decimal256(..) => value(f, column.as_decimal256().map(|values| values.get(0))),
            DataType::List(_) | DataType::LargeList(_) => list(f, column),
            DataType::Struct(_) => structure(f, column),
            DataType::Dictionary(_) => match column.as_dictionary().ok().and_then(|values| values.get(0)) {
                Some(entry) => write!(f, "{:?}", entry.cell(0)),
                None => f.write_str("null"),
            },
            _ => number(f, column),
        }
    }
}

/// Integer and scale of a decimal.
struct Raw(Option<i128>, i8);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(integer) => write!(f, "{integer}e{}", -i16::from(self.1)),
            None => f.write_str("null"),
        }
    }
}

fn value<T: fmt::Debug, E>(f: &mut fmt::Formatter<'_>, value: Result<T, E>) -> fmt::Result {
    match value {
        Ok(value) => {
            let text = format!("{value:?}");
            // An option that is not null is printed without its wrapper.
            let bare = text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')'));
            f.write_str(bare.unwrap_or(&text))
        }
        Err(_) => f.write_str("?"),
    }
}

fn number(f: &mut fmt::Formatter<'_>, column: Column<'_>) -> fmt::Result {
    match column.data_type() {
        DataType::Int64 => value(f, column.as_i64().map(|values| values.get(0))),
        DataType::UInt64 => value(f, column.as_u64().map(|values| values.get(0))),
        DataType::Float64 => value(f, column.as_f64().map(|values| values.get(0))),
        DataType::Float32 => value(f, column.as_f32().map(|values| values.get(0))),
        DataType::Float16 => value(f, column.as_f16().map(|values| values.get(0))),
        data_type if data_type.is_integer() => value(f, column.read::<i64>().map(|values| values.get(0))),
        // Dates and times: the number, whose meaning stands in the head of the column.
        _ => match (column.fixed::<i32>(), column.fixed::<i64>()) {
            (Some(values), _) => value::<_, ()>(f, Ok(values.get(0))),
            (_, Some(values)) => value::<_, ()>(f, Ok(values.get(0))),
            _ => f.write_str("?"),
        },
    }
}

fn list(f: &mut fmt::Formatter<'_>, column: Column<'_>) -> fmt::Result {
    match column.as_list().ok().and_then(|lists| lists.get(0)) {
        Some(items) => f.debug_list().entries((0..items.len()).map(|row| items.cell(row))).finish(),
        None => f.write_str("?"),
    }
}

fn structure(f: &mut fmt::Formatter<'_>, column: Column<'_>) -> fmt::Result {
    let Ok(structs) = column.as_struct() else {
        return f.write_str("?");
    };
    let mut map = f.debug_map();
    for field in structs.fields() {
        if let Ok(inner) = structs.field(&field.name) {
            map.entry(&field.name, &inner.cell(0));
        }
    }
    map.finish()
}

/// A table with a head of names and types.
pub(crate) fn table(f: &mut fmt::Formatter<'_>, schema: &Schema, columns: &[Array], rows: usize) -> fmt::Result {
    let shown = rows.min(ROWS_MAX);
    let texts: Vec<Vec<String>> = schema
        .fields()
        .iter()
        .zip(columns)
        .map(|(field, array)| {
            let column = array.column(&field.name);
            let head = format!("{}: {}", field.name, field.data_type);
            std::iter::once(head).chain((0..shown).map(|row| format!("{:?}", column.cell(row)))).collect()
        })
        .collect();
    let widths: Vec<usize> =
        texts.iter().map(|text| text.iter().map(|t| t.chars().count()).max().unwrap_or(0)).collect();
    writeln!(f)?;
    for line in 0..=shown {
        for (text, width) in texts.iter().zip(&widths) {
            write!(f, "| {:width$} ", text[line])?;
        }
        writeln!(f, "|")?;
    }
    if shown < rows {
        writeln!(f, "… and {} rows more", rows - shown)?;
    }
    write!(f, "({rows} rows)")
}
