//! Small texts for messages, with little code: what the standard library has for them knows all of Unicode.

use std::fmt::{self, Display, Write as _};

/// A text in quotation marks: quotation marks, backslashes and control characters are escaped, as `{:?}` does it; all
/// other characters stay, also those that `{:?}` would escape because few people see anything in them.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(character)?;
                }
                '\0'..' ' | '\x7f' => {
                    let digit = |digit: u32| char::from_digit(digit, 16).unwrap_or_default();
                    let code = u32::from(character);
                    f.write_str("\\u{")?;
                    if code > 0xf {
                        f.write_char(digit(code >> 4))?;
                    }
                    f.write_char(digit(code & 0xf))?;
                    f.write_char('}')?;
                }
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

/// A whole number of any width. Each width that is printed has code of its own: so only one is.
pub(crate) struct Whole(pub(crate) i128);

impl Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        // Widths up to 64 bits come here.
        Display::fmt(&(self.0.unsigned_abs() as u64), f)
    }
}

/// These texts with commas between.
pub(crate) fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for text in texts {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(text);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_debug_does_it() {
        for text in ["", "plain", "a \"b\" \\ c", "schön 😀", "\n\r\t\u{1}\u{1f}\u{7f}"] {
            assert_eq!(Quoted(text).to_string(), format!("{text:?}"));
        }
    }

    #[test]
    fn numbers_are_printed_as_they_are() {
        for number in [0, -1, i64::MIN.into(), u64::MAX.into(), 1_000_000_i128] {
            assert_eq!(Whole(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn lists_have_commas_between() {
        assert_eq!(listed(["a", "b", "c"].into_iter()), "a, b, c");
        assert_eq!(listed([].into_iter()), "");
    }
}
