//! Nodes as an aligned table: while a job runs, at its end, and for those who ask from outside.

use comfy_table::presets::{NOTHING, UTF8_BORDERS_ONLY};
use comfy_table::{CellAlignment, Table};
use volley_runtime::{JobProgress, NodeProgress, NodeRole};

use crate::summary::grouped;

/// When the table shows the nodes.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    /// At their end: how far event time and queues are means nothing any more.
    Past,
    /// While they run.
    Present {
        /// The clock, in milliseconds since the Unix epoch.
        now_ms: i64,
        /// Rows per second by node, as far as they are known.
        rates: Vec<Option<u64>>,
    },
}

/// A column: its head, and what it says of a node and its rate.
type Column = (&'static str, fn(&NodeProgress, &Facts) -> String);

/// What a column is told beside the node.
struct Facts {
    now_ms: Option<i64>,
    rate: Option<u64>,
}

/// The columns. Those behind the first [`ALWAYS`] are left out where they have nothing to say.
const COLUMNS: [Column; 10] = [
    ("node", |node, _| node.name.clone()),
    ("", |node, _| role(node.role).to_owned()),
    ("rows in", |node, _| if node.role == NodeRole::Source { String::new() } else { grouped(node.rows_in) }),
    ("rows out", |node, _| if node.role == NodeRole::Sink { String::new() } else { grouped(node.rows_out) }),
    ("rejected", |node, _| unless_zero(node.rows_rejected)),
    ("rows/s", |node, facts| match facts.rate {
        Some(rate) if node.role == NodeRole::Source => grouped(rate),
        _ => String::new(),
    }),
    (
        "late",
        |node, _| if node.windows_pending.is_some() { grouped(node.rows_late) } else { unless_zero(node.rows_late) },
    ),
    ("pending", |node, _| node.windows_pending.map_or_else(String::new, grouped)),
    ("lag", |node, facts| lag_of(node, facts.now_ms).unwrap_or_default()),
    ("queue", |node, facts| fill_of(node).filter(|_| facts.now_ms.is_some()).unwrap_or_default()),
];
/// How many of them a table in a frame has in any case.
const ALWAYS: usize = 5;

/// The table in a frame.
pub(crate) fn framed(progress: &JobProgress, moment: &Moment) -> String {
    let mut table = of(progress, moment, &COLUMNS, ALWAYS);
    table.load_preset(UTF8_BORDERS_ONLY);
    table.trim_fmt()
}

/// The table without a frame and without what everybody knows, so that it fits into 80 columns.
pub(crate) fn narrow(progress: &JobProgress, moment: &Moment) -> String {
    let columns: Vec<Column> = COLUMNS.into_iter().filter(|(head, _)| !head.is_empty()).collect();
    let mut table = of(progress, moment, &columns, 1);
    table.load_preset(NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Those of the columns that come first in any case, and those that have something to say.
fn of(progress: &JobProgress, moment: &Moment, columns: &[Column], always: usize) -> Table {
    let facts = |node: usize| match moment {
        Moment::Past => Facts { now_ms: None, rate: None },
        Moment::Present { now_ms, rates } => Facts { now_ms: Some(*now_ms), rate: rates.get(node).copied().flatten() },
    };
    let columns = columns.iter().enumerate().filter_map(|(number, (head, cell))| {
        let cells: Vec<String> =
            progress.nodes.iter().enumerate().map(|(index, node)| cell(node, &facts(index))).collect();
        (number < always || cells.iter().any(|cell| !cell.is_empty())).then_some((*head, cells))
    });
    let columns: Vec<(&str, Vec<String>)> = columns.collect();
    let mut table = Table::new();
    table.set_header(columns.iter().map(|(head, _)| *head));
    for row in 0..progress.nodes.len() {
        table.add_row(columns.iter().map(|(_, cells)| cells[row].as_str()));
    }
    for (column, (head, _)) in table.column_iter_mut().zip(&columns) {
        // Names and roles are words, everything else is a number.
        if !matches!(*head, "node" | "") {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Source => "source",
        NodeRole::Operator => "operator",
        NodeRole::Sink => "sink",
    }
}

fn unless_zero(number: u64) -> String {
    if number == 0 { String::new() } else { grouped(number) }
}

/// How far a node's watermark is behind the clock, for people.
pub(crate) fn lag_of(node: &NodeProgress, now_ms: Option<i64>) -> Option<String> {
    let lag_ms = now_ms?.saturating_sub(node.watermark_ms?).max(0);
    let seconds = lag_ms / 1_000;
    Some(match seconds {
        0..60 => format!("{seconds}.{} s", lag_ms % 1_000 / 100),
        60..3_600 => format!("{} m {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d", grouped(seconds.unsigned_abs() / 86_400)),
    })
}

/// How full the channel before a node is, for people.
pub(crate) fn fill_of(node: &NodeProgress) -> Option<String> {
    node.queue_fill.map(|fill| format!("{:.0}%", fill * 100.0))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn node(name: &str, role: NodeRole, rows: u64) -> NodeProgress {
        NodeProgress {
            name: name.to_owned(),
            role,
            rows_in: rows,
            rows_out: rows,
            rows_rejected: 0,
            rows_late: 0,
            windows_pending: None,
            watermark_ms: None,
            queue_fill: None,
            progress_units: 0,
            size_units: None,
            dead_letters: false,
        }
    }

    /// A source, an operator and a sink, without event time.
    pub(crate) fn progress() -> JobProgress {
        let nodes = vec![
            node("flights", NodeRole::Source, 12_345),
            node("hourly", NodeRole::Operator, 12_000),
            node("out", NodeRole::Sink, 24),
        ];
        JobProgress { nodes }
    }

    /// The same with event time, windows and queues.
    pub(crate) fn timed() -> JobProgress {
        let mut progress = progress();
        progress.nodes[0].watermark_ms = Some(1_000);
        let hourly = &mut progress.nodes[1];
        (hourly.watermark_ms, hourly.queue_fill) = (Some(0), Some(0.25));
        (hourly.windows_pending, hourly.rows_late) = (Some(3), 7);
        progress.nodes[2].queue_fill = Some(0.0);
        progress
    }

    #[test]
    fn columns_without_a_word_are_left_out() {
        let past = framed(&progress(), &Moment::Past);
        let head: Vec<&str> = past.lines().nth(1).expect("a head").split_whitespace().collect();
        assert_eq!(head, ["│", "node", "rows", "in", "rows", "out", "rejected", "│"], "{past}");
        let past = framed(&timed(), &Moment::Past);
        assert!(past.contains("late") && past.contains("pending"), "{past}");
        assert!(!past.contains("lag") && !past.contains("queue"), "{past}");
    }

    #[test]
    fn the_present_has_rates_lag_and_queues_in_columns() {
        let moment = Moment::Present { now_ms: 61_500, rates: vec![Some(56_789), Some(1), None] };
        let table = narrow(&timed(), &moment);
        let lines: Vec<&str> = table.lines().collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[1]), "flights 12,345 56,789 1 m 0 s", "{table}");
        assert_eq!(words(lines[2]), "hourly 12,000 12,000 7 3 1 m 1 s 25%", "{table}");
        assert_eq!(words(lines[3]), "out 24 0%", "{table}");
        assert_eq!(lines[1].find("1 m 0 s"), lines[2].find("1 m 1 s"), "{table}");
        assert!(lines.iter().all(|line| line.len() < 80), "{table}");
    }

    #[test]
    fn lag_is_short() {
        let lag = |ms: i64| {
            let mut node = node("in", NodeRole::Source, 0);
            node.watermark_ms = Some(0);
            lag_of(&node, Some(ms)).expect("both are known")
        };
        for (ms, text) in
            [(-5, "0.0 s"), (1_250, "1.2 s"), (61_000, "1 m 1 s"), (3_720_000, "1 h 2 m"), (400_000_000_000, "4,629 d")]
        {
            assert_eq!(lag(ms), text);
        }
    }
}
