//! The columns of the start of a CSV file.

use std::io::Cursor;
use std::sync::LazyLock;

use arrow::datatypes::DataType;
use regex::bytes::Regex;

use super::merge::Columns;
use super::{Head, head};
use crate::Error;
use crate::input::LiveRead;
use crate::read::csv::{CsvSettings, Header, read_header};
use crate::read::csv_scan::{fields, scan};
use crate::read::text::TextBuffer;

/// What a time with a zone looks like, where Arrow's inference has found that it is a time.
static ZONED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A.{19}(?:\.[0-9]+)?(?:[Zz]| *[+-][0-9]{2}(?::?[0-9]{2})?)\z").expect("a pattern"));

/// Names and types as the first `rows` records show them; `None` for a file without records. Records that are
/// malformed show nothing: they are refused when the rows are read.
pub(crate) fn infer_csv(
    input: &mut dyn LiveRead,
    name: &str,
    settings: &CsvSettings,
    rows: usize,
    is_growing: bool,
) -> Result<Option<Columns>, Error> {
    let dialect = settings.dialect;
    let wanted = rows.saturating_add(1);
    let has = |bytes: &[u8], records| scan(dialect, bytes, 1, records, false).spans.len() >= records;
    let least = 1 + usize::from(settings.has_header);
    let Head { bytes, has_ended } = head(input, name, |bytes| has(bytes, wanted), |bytes| has(bytes, least))?;
    // Of a file that grows, what has no line break yet is half a record.
    let found = scan(dialect, &bytes, 1, wanted, has_ended && !is_growing);
    let Some(first) = found.spans.first() else { return Ok(None) };
    let names = names(&bytes, name, settings, first.fields)?;
    let mut good = Vec::with_capacity(bytes.len());
    for span in &found.spans[usize::from(settings.has_header)..] {
        let record = &bytes[span.begin..span.end];
        let is_good = span.fields == first.fields && span.is_closed && std::str::from_utf8(record).is_ok();
        if is_good {
            good.extend_from_slice(span.text(&bytes));
            good.push(b'\n');
        }
    }
    let types = types(&good, name, settings)?;
    let of = |at: usize| types.get(at).cloned().unwrap_or(DataType::Null);
    Ok(Some(names.into_iter().enumerate().map(|(at, name)| (name, of(at))).collect()))
}

fn names(bytes: &[u8], name: &str, settings: &CsvSettings, fields: usize) -> Result<Vec<String>, Error> {
    if !settings.has_header {
        return Ok((1..=fields).map(|at| format!("column_{at}")).collect());
    }
    let mut text = TextBuffer::of_bytes(bytes.to_vec(), name);
    match read_header(&mut text, settings.dialect)? {
        Header::Fields(names) => Ok(names),
        Header::NotYet | Header::Empty => Ok(Vec::new()),
    }
}

fn types(records: &[u8], name: &str, settings: &CsvSettings) -> Result<Vec<DataType>, Error> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let mut format = settings.dialect.format();
    if let Some(nulls) = &settings.nulls {
        format = format.with_null_regex(nulls.clone());
    }
    let inferred = format.infer_schema(Cursor::new(records), None);
    let (schema, _) = inferred.map_err(|error| Error::damaged(name, format!("cannot infer types: {error}")))?;
    let mut types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    set_zones(&mut types, records, settings);
    Ok(types)
}

/// Arrow infers times without a zone from texts with one, and reads them as UTC. The type says so where every value does.
fn set_zones(types: &mut [DataType], records: &[u8], settings: &CsvSettings) {
    let is_time = |at: &usize| matches!(types[*at], DataType::Timestamp(_, None));
    let mut zoned: Vec<usize> = (0..types.len()).filter(is_time).collect();
    if zoned.is_empty() {
        return;
    }
    let mut parser = settings.dialect.parser();
    for span in scan(settings.dialect, records, 1, usize::MAX, false).spans {
        let texts = fields(&mut parser, span.text(records));
        let is_null = |text: &[u8]| match &settings.nulls {
            Some(nulls) => std::str::from_utf8(text).is_ok_and(|text| nulls.is_match(text)),
            None => text.is_empty(),
        };
        zoned.retain(|at| texts.get(*at).is_none_or(|text| is_null(text) || ZONED.is_match(text)));
    }
    for at in zoned {
        if let DataType::Timestamp(_, zone) = &mut types[at] {
            *zone = Some("UTC".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::ExtraColumns;
    use crate::read::csv_scan::Dialect;
    use crate::type_text;

    fn infer(values: &[&str]) -> String {
        let settings = CsvSettings {
            dialect: Dialect { delimiter: b',', quote: b'"' },
            has_header: true,
            nulls: Some(regex::Regex::new(r"\A(?:|NA)\z").expect("a pattern")),
            extra_columns: ExtraColumns::Refuse,
        };
        let text: String = values.iter().map(|value| format!("1,{value}\n")).collect();
        let columns = infer_csv(&mut format!("n,at\n{text}").as_bytes(), "t.csv", &settings, 100, false);
        type_text(&columns.expect("columns").expect("records")[1].1)
    }

    #[test]
    fn times_have_a_zone_where_every_value_does() {
        for (values, expected) in [
            (&["2013-01-01T10:00:00Z", "", "NA", "\"2013-01-01 10:00:00+01:00\""][..], "timestamp(s, UTC)"),
            (&["2013-01-01T10:00:00.125-0830", "2013-01-01T10:00:00z"], "timestamp(ms, UTC)"),
            (&["2013-01-01T10:00:00.125625 +01"], "timestamp(us, UTC)"),
            (&["2013-01-01T10:00:00Z", "2013-01-01T10:00:00"], "timestamp(s)"),
            (&["2013-01-01T10:00:00Z", "2013-01-01"], "timestamp(s)"),
            (&["2013-01-01T10:00:00"], "timestamp(s)"),
            (&["2013-01-01T10:00:00 Europe/Berlin"], "timestamp(s)"),
            (&["2013-01-01"], "date32"),
            (&["2013-01-01T10:00:00Z", "soon"], "utf8"),
        ] {
            assert_eq!(infer(values), expected, "{values:?}");
        }
    }
}
