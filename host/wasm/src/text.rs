//! Text from plugins, made fit for a log or a terminal.

/// The longest character of UTF-8, in bytes.
pub(crate) const CHARACTER_BYTES_MAX: usize = 4;

/// At most `bytes_max` bytes of a text, cut where a character ends.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// A text of at most `bytes_max` bytes with every control character made visible, so that a plugin can neither forge
/// a line of the log nor drive the reader's terminal.
pub(crate) fn visible(text: &str, bytes_max: usize) -> String {
    let shown = cut(text, bytes_max);
    let mut out = String::with_capacity(shown.len());
    for character in shown.chars() {
        if character.is_control() || is_invisible(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    if shown.len() < text.len() {
        out.push('…');
    }
    out
}

/// A text as one word of a shell's command line: as it is, or between quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Characters that reorder or hide text though they are no control characters.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(visible("a\u{1b}[31mred\nnext", 100), "a\\u{1b}[31mred\\nnext");
        assert_eq!(visible("über\u{202e}", 100), "über\\u{202e}");
    }

    #[test]
    fn words_of_a_shell_are_quoted_where_they_must_be() {
        assert_eq!(shell_word("/tmp/repro/late-0-1"), "/tmp/repro/late-0-1");
        assert_eq!(shell_word("my job's"), r"'my job'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(visible("äöü", 3), "ä…");
        assert_eq!(cut("äöü", 4), "äö");
        assert_eq!(visible("abc", 3), "abc");
    }
}
