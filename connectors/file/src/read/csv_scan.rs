//! Where CSV records begin and end, by the same state machine that `arrow-csv` splits them with.

use arrow::array::Int64Array;
use arrow::csv::reader::Format;
use csv_core::ReadRecordResult;
use memchr::{memchr_iter, memrchr};
use volley_api::Positions;

/// What stands between and around fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
}

impl Dialect {
    /// The state machine of records.
    pub(crate) fn parser(self) -> csv_core::Reader {
        csv_core::ReaderBuilder::new().delimiter(self.delimiter).quote(self.quote).build()
    }

    /// The same, for Arrow's decoder.
    pub(crate) fn format(self) -> Format {
        Format::default().with_delimiter(self.delimiter).with_quote(self.quote)
    }
}

/// One record within a stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its first byte.
    pub(crate) begin: usize,
    /// Behind its line break, or behind its last byte where it has none.
    pub(crate) end: usize,
    /// The line that it begins on.
    pub(crate) line: u64,
    /// How many fields it has; 0 where that was not counted.
    pub(crate) fields: usize,
    /// Whether it ends outside quotes.
    pub(crate) is_closed: bool,
}

impl Span {
    /// The record without its line break.
    pub(crate) fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let text = &bytes[self.begin..self.end];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text)
    }
}

/// The complete records at the front of a stretch.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) spans: Vec<Span>,
    /// Behind the last record, and blank lines after it.
    pub(crate) consumed: usize,
    /// The line there.
    pub(crate) line: u64,
}

/// Finds up to `rows_max` records from the beginning of `bytes`, which lies on `line` outside a record. At the end of
/// the file, what has no line break is a record too.
pub(crate) fn scan(dialect: Dialect, bytes: &[u8], line: u64, rows_max: usize, at_end: bool) -> Scan {
    let mut parser = dialect.parser();
    let mut found = Scan { spans: Vec::new(), consumed: 0, line };
    while found.spans.len() < rows_max {
        skip_blank(bytes, &mut found);
        let begin = found.consumed;
        if begin == bytes.len() {
            break;
        }
        let Some((end, fields, is_closed)) = record(&mut parser, bytes, begin, at_end) else { break };
        found.spans.push(Span { begin, end, line: found.line, fields, is_closed });
        found.line += count_line_breaks(&bytes[begin..end]);
        found.consumed = end;
    }
    found
}

/// Line breaks between records, which the decoder passes over as well.
fn skip_blank(bytes: &[u8], found: &mut Scan) {
    let blank = bytes[found.consumed..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    found.line += count_line_breaks(&bytes[found.consumed..found.consumed + blank]);
    found.consumed += blank;
}

/// End, fields and closedness of the record at `begin`; `None` when it is not complete.
fn record(parser: &mut csv_core::Reader, bytes: &[u8], begin: usize, at_end: bool) -> Option<(usize, usize, bool)> {
    // Fields are not wanted here, only their number.
    let (mut text, mut ends) = ([0; 512], [0; 64]);
    let (mut at, mut fields, mut is_closed) = (begin, 0, true);
    loop {
        let rest: &[u8] = match (at < bytes.len(), at_end, is_closed) {
            (true, ..) => &bytes[at..],
            (false, false, _) => return None,
            // A line break ends any record that is not inside quotes …
            (false, true, true) => b"\n",
            // … and the end of the input ends those that are.
            (false, true, false) => b"",
        };
        let is_synthetic = at == bytes.len();
        let (result, read, _, new_fields) = parser.read_record(rest, &mut text, &mut ends);
        fields += new_fields;
        at += if is_synthetic { 0 } else { read };
        match result {
            ReadRecordResult::Record => return Some((at, fields, is_closed)),
            ReadRecordResult::End => return None,
            ReadRecordResult::InputEmpty if is_synthetic => is_closed = false,
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
        }
    }
}

/// The fields of one record, not yet checked to be UTF-8. `parser` is one of [`Dialect::parser`]: it takes longer to make
/// than most records take to read.
pub(crate) fn fields(parser: &mut csv_core::Reader, record: &[u8]) -> Vec<Vec<u8>> {
    let mut text = vec![0; record.len() + 1];
    let mut ends = vec![0; record.len() + 2];
    parser.reset();
    let (_, _, text_used, ends_used) = parser.read_record(record, &mut text, &mut ends);
    // A line break ends the last field; inside a quote that never ends it does not, and the end of input does.
    let mut used = (text_used, ends_used);
    for end in [&b"\n"[..], b""] {
        let (result, _, more_text, more_ends) = parser.read_record(end, &mut text[used.0..], &mut ends[used.1..]);
        used = (used.0 + more_text, used.1 + more_ends);
        if matches!(result, ReadRecordResult::Record | ReadRecordResult::End) {
            break;
        }
    }
    let mut begin = 0;
    let take = |end: &usize| text[std::mem::replace(&mut begin, *end)..*end].to_vec();
    ends[..used.1].iter().map(take).collect()
}

/// The lines of `rows` records decoded from `region`, which begins on `line` outside a record, and the line behind.
///
/// The usual case, one record per line, is settled by counting line breaks.
pub(crate) fn positions(dialect: Dialect, region: &[u8], line: u64, rows: usize) -> (Positions, u64) {
    let line_behind = line + count_line_breaks(region);
    let blank = region.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let first = line + count_line_breaks(&region[..blank]);
    let records = &region[blank..];
    let breaks_within = match memrchr(b'\n', records) {
        Some(at) if at + 1 == records.len() => line_behind - first - 1,
        _ => line_behind - first,
    };
    if breaks_within + 1 == rows as u64 && every_return_is_in_a_break(records) {
        return (Positions::From(first as i64), line_behind);
    }
    let found = scan(dialect, region, line, rows, true);
    (Positions::Each(found.spans.iter().map(|span| span.line as i64).collect::<Int64Array>()), line_behind)
}

/// A lone carriage return ends a record too, but is not counted as a line break.
fn every_return_is_in_a_break(records: &[u8]) -> bool {
    memchr_iter(b'\r', records).all(|at| records.get(at + 1).is_none_or(|next| *next == b'\n'))
}

fn count_line_breaks(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect { delimiter: b',', quote: b'"' };

    fn lines(text: &str, at_end: bool) -> Vec<(&str, u64, usize, bool)> {
        let found = scan(DIALECT, text.as_bytes(), 1, 100, at_end);
        let show = |span: &Span| (&text[span.begin..span.end], span.line, span.fields, span.is_closed);
        found.spans.iter().map(show).collect()
    }

    #[test]
    fn records_with_their_lines_and_fields() {
        let text = "a,b\n\n\"x\ny\",2,3\r\nlast,";
        assert_eq!(lines(text, false), [("a,b\n", 1, 2, true), ("\"x\ny\",2,3\r", 3, 3, true)]);
        assert_eq!(lines(text, true)[2], ("last,", 5, 2, true));
        assert_eq!(lines("1\n\"open\n2,\n", true), [("1\n", 1, 1, true), ("\"open\n2,\n", 2, 1, false)]);
        assert_eq!(lines("1\n\"open\n2,\n", false).len(), 1);
        assert_eq!(lines("\n\r\n", true), []);
    }

    #[test]
    fn wide_records_are_counted_in_full() {
        let wide = format!("{}\n", vec!["field-of-some-length"; 1000].join(","));
        let found = scan(DIALECT, wide.as_bytes(), 1, 2, true);
        assert_eq!((found.spans[0].fields, found.consumed), (1000, wide.len()));
    }

    #[test]
    fn fields_are_unquoted() {
        let split = |text: &str| {
            fields(&mut DIALECT.parser(), text.as_bytes())
                .into_iter()
                .map(|f| String::from_utf8(f).expect("utf8"))
                .collect::<Vec<_>>()
        };
        assert_eq!(split("a,\"b\"\"c\",,d"), ["a", "b\"c", "", "d"]);
        assert_eq!(split("a,"), ["a", ""]);
        assert_eq!(split("a,\"open"), ["a", "open\n"]);
        assert_eq!(split("\"x\ny\",2"), ["x\ny", "2"]);
    }

    #[test]
    fn positions_count_lines_not_records() {
        let each = |text: &str, rows: usize| match positions(DIALECT, text.as_bytes(), 5, rows) {
            (Positions::From(first), behind) => ((first..first + rows as i64).collect::<Vec<_>>(), behind),
            (Positions::Each(lines), behind) => (lines.values().to_vec(), behind),
        };
        assert_eq!(each("a\nb\n", 2), (vec![5, 6], 7));
        assert_eq!(each("a\nb", 2), (vec![5, 6], 6));
        assert_eq!(each("\na\r\nb\r", 2), (vec![6, 7], 7));
        assert_eq!(each("a\n\nb\n", 2), (vec![5, 7], 8));
        assert_eq!(each("\"x\ny\"\nb\n", 2), (vec![5, 7], 8));
        // A quoted break and a lone return cancel each other out in a mere count.
        assert_eq!(each("\"x\ny\"\rb\n", 2), (vec![5, 6], 7));
        assert_eq!(each("a\rb\n", 2), (vec![5, 5], 6));
    }
}
