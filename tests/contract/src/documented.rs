//! The page of guarantees says what connectors say of themselves.

use volley_api::{Replay, Sink, Source};

/// The page, as it stood when this was built.
const PAGE: &str = include_str!("../../../docs/guarantees.md");

/// Checks that `docs/guarantees.md` says of a source, in the row that begins with `name`, what the source says itself.
///
/// # Panics
/// When it says something else, or has no such row.
pub fn assert_source_documented(name: &str, source: &dyn Source) {
    let replay = match source.replay() {
        Replay::Exact => "exact",
        Replay::None => "none",
    };
    assert_eq!(second_cell("## Sources", name), replay, "what the page says of {name}");
}

/// Checks that `docs/guarantees.md` says of a sink, in the row that begins with `name`, what the sink says itself.
///
/// # Panics
/// When it says something else, or has no such row.
pub fn assert_sink_documented(name: &str, sink: &dyn Sink) {
    assert_eq!(second_cell("## Sinks", name), sink.guarantee().as_str(), "what the page says of {name}");
}

/// The second cell of the row with that first cell, in the table below a heading.
fn second_cell(heading: &str, name: &str) -> &'static str {
    let table = PAGE.split("\n\n").skip_while(|part| *part != heading).nth(1).unwrap_or_default();
    let rows = table.lines().map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let cells = rows.filter(|cells| cells.get(1) == Some(&name)).find_map(|cells| cells.get(2).copied());
    cells.unwrap_or_else(|| panic!("{heading} has no row `{name}`"))
}
