//! Aligned columns for people: no lines, no colours, one row a line.

/// Text in columns, each as wide as its widest cell; the last is not padded.
///
/// ```
/// let mut table = volley_cli::table::Table::new(["tool", "version"]);
/// table.row(["cargo", "1.95.0"]);
/// assert_eq!(table.to_string(), "tool   version\ncargo  1.95.0\n");
/// ```
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a row of headings.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row; rows may differ in length. Ends of lines within a cell become visible: one row is one line.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let line = |cell: S| {
            let cell: String = cell.into();
            if cell.contains('\n') { cell.replace('\n', "\\n") } else { cell }
        };
        self.rows.push(cells.into_iter().map(line).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Bytes for people: `812 B`, `14.2 kB`, `1.6 MB` (powers of 1000).
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_end_without_blanks() {
        let mut table = Table::new(["a", "long heading", "z"]);
        table.row(["größer", "x", ""]);
        assert_eq!(table.to_string(), "a       long heading  z\ngrößer  x\n");
    }

    #[test]
    fn a_cell_cannot_forge_a_line() {
        let mut table = Table::default();
        table.row(["name", "x\nproblem: none"]);
        assert_eq!(table.to_string(), "name  x\\nproblem: none\n");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [bytes(999), bytes(1_000), bytes(54_321), bytes(1_600_000)],
            ["999 B", "1.0 kB", "54.3 kB", "1.6 MB"]
        );
    }
}
