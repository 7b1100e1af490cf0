//! The custom section `volley-operator`: name and version of an operator and, when it is row-wise, the columns that it
//! reads and writes and the state that it keeps, as JSON, put together while it compiles.

/// What a component says of itself to tools that do not run it.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// The crate's name.
    pub name: &'a str,
    /// The crate's version.
    pub version: &'a str,
    /// Of row-wise operators. Others may decide on their columns when they are opened.
    pub columns: Option<SectionColumns<'a>>,
}

/// The columns of a row-wise operator, each with its name and the name of its type.
#[derive(Debug, Clone, Copy)]
pub struct SectionColumns<'a> {
    /// What it reads.
    pub reads: &'a [(&'a str, &'a str)],
    /// What it writes: names and types of one row, for as many rows as make up the main output.
    pub writes: &'a [(&'a [&'a str], &'a [&'a str])],
    /// Its keyed state; `None` for kinds that cannot have any.
    pub states: Option<&'a [SectionState<'a>]>,
}

/// What is kept for each key.
#[derive(Debug, Clone, Copy)]
pub struct SectionState<'a> {
    /// The name under which checkpoints know it.
    pub name: &'a str,
    /// Of what kind it is.
    pub kind: SectionKind<'a>,
    /// The types of its columns.
    pub types: &'a [&'a str],
    /// The version of its form.
    pub version: u32,
    /// After how many milliseconds without a write it is gone.
    pub ttl_ms: Option<u64>,
}

/// The kind of a state.
#[derive(Debug, Clone, Copy)]
pub enum SectionKind<'a> {
    /// One row.
    Value,
    /// Rows under keys.
    Map {
        /// The types of the keys' columns.
        keys: &'a [&'a str],
    },
    /// Rows in order.
    List,
    /// One row, to which rows are added.
    Merge {
        /// `sum`, `min` or `max` for each column.
        functions: &'a [&'a str],
    },
}

/// `{"name":…,"version":…,"reads":[{"name":…,"type":…}],"writes":[…]}` is this long.
#[must_use]
pub const fn section_len(section: &Section<'_>) -> usize {
    write_section::<0>(section).1
}

/// The text itself; `N` is what [`section_len`] says. Names, version and types must not need escapes in JSON: cargo sees
/// to it for crates, the macros do for columns.
#[must_use]
pub const fn section_bytes<const N: usize>(section: &Section<'_>) -> [u8; N] {
    write_section::<N>(section).0
}

/// Writes as much as fits and counts all.
const fn write_section<const N: usize>(section: &Section<'_>) -> ([u8; N], usize) {
    let mut text = ([0; N], 0);
    text = push(text, "{\"name\":\"");
    text = push(text, section.name);
    text = push(text, "\",\"version\":\"");
    text = push(text, section.version);
    text = push(text, "\"");
    if let Some(columns) = section.columns {
        text = push_columns(text, columns);
    }
    push(text, "}")
}

const fn push_columns<const N: usize>(mut text: ([u8; N], usize), columns: SectionColumns<'_>) -> ([u8; N], usize) {
    let SectionColumns { reads, writes, states } = columns;
    text = push(text, ",\"reads\":[");
    let mut column = 0;
    while column < reads.len() {
        let (name, data_type) = reads[column];
        text = push_column(text, name, data_type, column == 0);
        column += 1;
    }
    text = push(text, "],\"writes\":[");
    let mut first = true;
    let mut group = 0;
    while group < writes.len() {
        let (names, types) = writes[group];
        let mut at = 0;
        while at < names.len() && at < types.len() {
            text = push_column(text, names[at], types[at], first);
            first = false;
            at += 1;
        }
        group += 1;
    }
    let text = push(text, "]");
    match states {
        Some(states) => push_states(text, states),
        None => text,
    }
}

const fn push_states<const N: usize>(text: ([u8; N], usize), states: &[SectionState<'_>]) -> ([u8; N], usize) {
    let mut text = push(text, ",\"states\":[");
    let mut at = 0;
    while at < states.len() {
        let SectionState { name, kind, types, version, ttl_ms } = states[at];
        text = push(text, if at == 0 { "{\"name\":\"" } else { ",{\"name\":\"" });
        text = push(text, name);
        text = push(text, "\",\"kind\":\"");
        text = match kind {
            SectionKind::Value => push(text, "value"),
            SectionKind::Map { keys } => push_list(push(text, "map\",\"keys\":\""), keys),
            SectionKind::List => push(text, "list"),
            SectionKind::Merge { functions } => push_list(push(text, "merge\",\"functions\":\""), functions),
        };
        text = push_list(push(text, "\",\"values\":\""), types);
        text = push(text, "\",\"version\":");
        text = push_number(text, version as u64);
        if let Some(ttl_ms) = ttl_ms {
            text = push(text, ",\"ttl_ms\":");
            text = push_number(text, ttl_ms);
        }
        text = push(text, "}");
        at += 1;
    }
    push(text, "]")
}

const fn push_list<const N: usize>(mut text: ([u8; N], usize), words: &[&str]) -> ([u8; N], usize) {
    let mut at = 0;
    while at < words.len() {
        text = push(text, if at == 0 { "" } else { ", " });
        text = push(text, words[at]);
        at += 1;
    }
    text
}

const fn push_number<const N: usize>(text: ([u8; N], usize), number: u64) -> ([u8; N], usize) {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let text = if number > 9 { push_number(text, number / 10) } else { text };
    push(text, DIGITS[(number % 10) as usize])
}

const fn push_column<const N: usize>(
    text: ([u8; N], usize),
    name: &str,
    data_type: &str,
    first: bool,
) -> ([u8; N], usize) {
    let text = push(text, if first { "{\"name\":\"" } else { ",{\"name\":\"" });
    let text = push(text, name);
    let text = push(text, "\",\"type\":\"");
    let text = push(text, data_type);
    push(text, "\"}")
}

const fn push<const N: usize>((mut bytes, mut len): ([u8; N], usize), part: &str) -> ([u8; N], usize) {
    let part = part.as_bytes();
    let mut at = 0;
    while at < part.len() {
        if len < N {
            bytes[len] = part[at];
        }
        len += 1;
        at += 1;
    }
    (bytes, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn state<'a>(
        name: &'a str,
        kind: SectionKind<'a>,
        types: &'a [&'a str],
        version: u32,
        ttl_ms: Option<u64>,
    ) -> SectionState<'a> {
        SectionState { name, kind, types, version, ttl_ms }
    }

    #[test]
    fn the_section_is_json() {
        const SECTION: Section<'_> = Section {
            name: "mine",
            version: "1.2.3-rc.1+4",
            columns: Some(SectionColumns {
                reads: &[("a", "Int64"), ("b", "Utf8")],
                writes: &[(&["c"], &["Float64"])],
                states: Some(&[
                    state("seen", SectionKind::Value, &["Int64", "Utf8"], 12, Some(86_400_000)),
                    state("last", SectionKind::Value, &["Boolean"], 1, None),
                    state("counts", SectionKind::Map { keys: &["Int64", "Utf8"] }, &["Int64"], 1, Some(5)),
                    state("told", SectionKind::List, &["Utf8"], 1, None),
                    state("sums", SectionKind::Merge { functions: &["sum", "max"] }, &["Int64", "Float64"], 1, None),
                ]),
            }),
        };
        const LEN: usize = section_len(&SECTION);
        const TEXT: [u8; LEN] = section_bytes(&SECTION);
        let json: serde_json::Value = serde_json::from_slice(&TEXT).unwrap();
        assert_eq!((&json["name"], &json["version"]), (&"mine".into(), &"1.2.3-rc.1+4".into()));
        assert_eq!(json["reads"][1]["name"], "b");
        assert_eq!(json["reads"][1]["type"], "Utf8");
        assert_eq!(json["writes"][0]["type"], "Float64");
        assert_eq!(
            json["states"],
            serde_json::json!([
                { "name": "seen", "kind": "value", "values": "Int64, Utf8", "version": 12, "ttl_ms": 86_400_000 },
                { "name": "last", "kind": "value", "values": "Boolean", "version": 1 },
                { "name": "counts", "kind": "map", "keys": "Int64, Utf8", "values": "Int64", "version": 1, "ttl_ms": 5 },
                { "name": "told", "kind": "list", "values": "Utf8", "version": 1 },
                { "name": "sums", "kind": "merge", "functions": "sum, max", "values": "Int64, Float64", "version": 1 },
            ])
        );
        assert_eq!(std::str::from_utf8(&TEXT).unwrap().trim_end_matches('\0').len(), LEN);
    }

    #[test]
    fn columns_that_the_configuration_decides_are_not_stated() {
        const SECTION: Section<'_> = Section { name: "mine", version: "0.1.0", columns: None };
        const LEN: usize = section_len(&SECTION);
        const TEXT: [u8; LEN] = section_bytes(&SECTION);
        assert_eq!(std::str::from_utf8(&TEXT).unwrap(), r#"{"name":"mine","version":"0.1.0"}"#);
    }
}
