//! JSON text, read value by value.

use std::borrow::Cow;

use serde::de::{Error as _, Expected, Unexpected};

use super::error::Error;

/// Values are nested at most this deep.
const NESTING_MAX: usize = 64;

/// What is left of the text.
pub(super) struct Text<'de> {
    json: &'de str,
    at: usize,
    depth: usize,
}

/// A number, in the narrowest kind that holds it.
pub(super) enum Number<'de> {
    Unsigned(u64),
    Signed(i64),
    /// As it is written: only a configuration that has floats has the code that reads them.
    Float(&'de str),
}

impl Number<'_> {
    pub(super) fn found(&self) -> Unexpected<'static> {
        match self {
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            // The value is not shown.
            Self::Float(_) => Unexpected::Float(0.0),
        }
    }
}

impl<'de> Text<'de> {
    pub(super) fn new(json: &'de str) -> Self {
        Self { json, at: 0, depth: 0 }
    }

    /// The next byte that is no white space; it stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn byte(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    /// Takes this byte, if it is the next that is no white space.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(super) fn error(&self, wanted: &str) -> Error {
        Error::syntax(self.at, wanted)
    }

    pub(super) fn expect(&mut self, byte: u8, wanted: &str) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.error(wanted)) }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.peek().map_or(Ok(()), |_| Err(self.error("nothing was expected after the value")))
    }

    /// A list or a map begins.
    pub(super) fn enter(&mut self) -> Result<(), Error> {
        self.at += 1;
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(Error::custom(format_args!("nested deeper than {NESTING_MAX} values")));
        }
        Ok(())
    }

    /// A list or a map ends here.
    pub(super) fn leave(&mut self, end: u8) -> Result<(), Error> {
        let wanted = if end == b']' { "expected the end of a list" } else { "expected the end of a map" };
        self.expect(end, wanted)?;
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Error> {
        if !self.json.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A text, borrowed where nothing in it is escaped.
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Error> {
        self.expect(b'"', "expected a text")?;
        let mut unescaped = String::new();
        let mut start = self.at;
        loop {
            match self.byte() {
                None => return Err(self.error("a text is not closed")),
                Some(b'"') => {
                    let tail = self.between(start);
                    self.at += 1;
                    return Ok(if unescaped.is_empty() {
                        Cow::Borrowed(tail)
                    } else {
                        unescaped.push_str(tail);
                        Cow::Owned(unescaped)
                    });
                }
                Some(b'\\') => {
                    unescaped.push_str(self.between(start));
                    self.at += 1;
                    unescaped.push(self.escaped()?);
                    start = self.at;
                }
                Some(0..0x20) => return Err(self.error("a control character in a text")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// The text from a place up to here; both stand before or behind a quote or a backslash, so between characters.
    fn between(&self, start: usize) -> &'de str {
        self.json.get(start..self.at).unwrap_or_default()
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Result<char, Error> {
        let byte = self.byte().ok_or_else(|| self.error("a text is not closed"))?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    self.word("\\u")?;
                    let second = self.hex()?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    low.map(|low| 0x10000 + ((first - 0xd800) << 10 | low))
                } else {
                    Some(first)
                };
                code.and_then(char::from_u32).ok_or_else(|| self.error("an escape that is no character"))?
            }
            _ => return Err(self.error("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.json.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let digit = |code: Option<u32>, byte: &u8| Some(code? << 4 | char::from(*byte).to_digit(16)?);
        let code = digits.iter().fold(Some(0), digit).filter(|_| digits.len() == 4);
        let code = code.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// A number: a whole one where it is written as one and fits, else the nearest float.
    pub(super) fn number(&mut self) -> Result<Number<'de>, Error> {
        let begin = self.at;
        let negative = self.take(b'-');
        let start = self.at;
        // None once they do not fit.
        let mut whole = Some(0_u64);
        let count = self.digits(|digit| {
            whole = whole.and_then(|whole| whole.checked_mul(10)?.checked_add(u64::from(digit)));
        });
        if count == 0 || (count > 1 && self.json.as_bytes()[start] == b'0') {
            return Err(Error::syntax(start, "expected a number"));
        }
        if self.byte() == Some(b'.') {
            whole = None;
            self.at += 1;
            if self.digits(drop) == 0 {
                return Err(self.error("expected digits behind the point"));
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            whole = None;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            if self.digits(drop) == 0 {
                return Err(self.error("expected the digits of an exponent"));
            }
        }
        match (whole, negative) {
            (Some(whole), false) => return Ok(Number::Unsigned(whole)),
            (Some(whole @ 1..), true) => {
                if let Some(value) = 0_i64.checked_sub_unsigned(whole) {
                    return Ok(Number::Signed(value));
                }
            }
            (Some(0), true) | (None, _) => {}
        }
        Ok(Number::Float(self.json.get(begin..self.at).unwrap_or_default()))
    }

    /// Reads a float as [`Text::number`] left it.
    pub(super) fn float(&self, number: &str) -> Result<f64, Error> {
        let value = crate::float::parse(number);
        if value.is_finite() { Ok(value) } else { Err(Error::syntax(self.at - number.len(), "a number out of range")) }
    }

    /// Something else than the next value was wanted.
    pub(super) fn unexpected(&mut self, wanted: &dyn Expected) -> Error {
        match self.try_unexpected(wanted) {
            Ok(error) | Err(error) => error,
        }
    }

    fn try_unexpected(&mut self, wanted: &dyn Expected) -> Result<Error, Error> {
        let text;
        let found = match self.peek() {
            Some(b'n') => self.word("null").map(|()| Unexpected::Unit)?,
            Some(b't') => self.word("true").map(|()| Unexpected::Bool(true))?,
            Some(b'f') => self.word("false").map(|()| Unexpected::Bool(false))?,
            Some(b'"') => {
                text = self.string()?;
                Unexpected::Str(&text)
            }
            Some(b'-' | b'0'..=b'9') => self.number()?.found(),
            Some(b'[') => Unexpected::Seq,
            Some(b'{') => Unexpected::Map,
            _ => return Err(self.error("expected a value")),
        };
        Ok(Error::invalid_type(found, wanted))
    }

    /// Passes over a value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let end = match self.peek() {
            Some(b'n') => return self.word("null"),
            Some(b't') => return self.word("true"),
            Some(b'f') => return self.word("false"),
            Some(b'"') => return self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => return self.number().map(drop),
            Some(b'[') => b']',
            Some(b'{') => b'}',
            _ => return Err(self.error("expected a value")),
        };
        self.enter()?;
        let mut first = true;
        while self.next(end, &mut first)? {
            if end == b'}' {
                self.peek();
                self.string()?;
                self.expect(b':', "expected a colon")?;
            }
            self.skip()?;
        }
        self.leave(end)
    }

    /// Whether another item or entry comes before the list or map ends; takes the comma in front of it.
    pub(super) fn next(&mut self, end: u8, first: &mut bool) -> Result<bool, Error> {
        if self.peek() == Some(end) {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "expected a comma")?;
        }
        Ok(true)
    }

    /// Takes digits; gives how many.
    fn digits(&mut self, mut each: impl FnMut(u8)) -> usize {
        let start = self.at;
        while let Some(byte @ b'0'..=b'9') = self.byte() {
            each(byte - b'0');
            self.at += 1;
        }
        self.at - start
    }
}
