//! The custom section `volley-operator`: the columns that a row-wise operator reads and writes, as JSON, put together
//! while it compiles.

/// `{"reads":[{"name":…,"type":…}],"writes":[…]}` is this long for these columns.
#[must_use]
pub const fn section_len(reads: &[(&str, &str)], writes: &[(&[&str], &[&str])]) -> usize {
    write_section::<0>(reads, writes).1
}

/// The text itself; `N` is what [`section_len`] says. Names and types must not need escapes in JSON; the macros see
/// to it.
#[must_use]
pub const fn section_bytes<const N: usize>(reads: &[(&str, &str)], writes: &[(&[&str], &[&str])]) -> [u8; N] {
    write_section::<N>(reads, writes).0
}

/// Writes as much as fits and counts all.
const fn write_section<const N: usize>(reads: &[(&str, &str)], writes: &[(&[&str], &[&str])]) -> ([u8; N], usize) {
    let mut text = ([0; N], 0);
    text = push(text, "{\"reads\":[");
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
    push(text, "]}")
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

    #[test]
    fn the_section_is_json() {
        const READS: &[(&str, &str)] = &[("a", "Int64"), ("b", "Utf8")];
        const WRITES: &[(&[&str], &[&str])] = &[(&["c"], &["Float64"])];
        const LEN: usize = section_len(READS, WRITES);
        const TEXT: [u8; LEN] = section_bytes(READS, WRITES);
        let json: serde_json::Value = serde_json::from_slice(&TEXT).unwrap();
        assert_eq!(json["reads"][1]["name"], "b");
        assert_eq!(json["reads"][1]["type"], "Utf8");
        assert_eq!(json["writes"][0]["type"], "Float64");
        assert_eq!(std::str::from_utf8(&TEXT).unwrap().trim_end_matches('\0').len(), LEN);
    }
}
