//! JSON text, read value by value.

use std::borrow::Cow;

use super::error::Error;

/// Values are nested at most this deep.
const NESTING_MAX: usize = 64;

/// Powers of ten that a float holds exactly.
const EXACT_POWER_MAX: u32 = 22;

/// Exponents beyond this make zero or infinity of every number of digits that fit.
const EXPONENT_MAX: i32 = 400;

/// What is left of the text.
pub(super) struct Text<'de> {
    json: &'de str,
    at: usize,
    depth: usize,
}

/// A number, in the narrowest kind that holds it.
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
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
            return Err(serde::de::Error::custom(format_args!("nested deeper than {NESTING_MAX} values")));
        }
        Ok(())
    }

    /// A list or a map ended.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
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

    /// A number. Floats of up to fifteen digits are exact, longer ones are off by a few units in the last place at most.
    pub(super) fn number(&mut self) -> Result<Number, Error> {
        let negative = self.take(b'-');
        let start = self.at;
        let mut digits = Digits { value: 0, exponent: 0, whole: true };
        let count = self.digits(|byte| digits.add(byte, false));
        if count == 0 || (count > 1 && self.json.as_bytes()[start] == b'0') {
            return Err(Error::syntax(start, "expected a number"));
        }
        let mut float = false;
        if self.byte() == Some(b'.') {
            float = true;
            self.at += 1;
            if self.digits(|byte| digits.add(byte, true)) == 0 {
                return Err(self.error("expected digits behind the point"));
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            float = true;
            self.at += 1;
            digits.exponent = digits.exponent.saturating_add(self.exponent()?);
        }
        let Digits { value: digits, exponent, whole } = digits;
        Ok(match (float || !whole, negative) {
            (false, false) => Number::Unsigned(digits),
            (false, true) if digits == 0 => Number::Float(-0.0),
            (false, true) => match 0_i64.checked_sub_unsigned(digits) {
                Some(value) => Number::Signed(value),
                None => Number::Float(-(digits as f64)),
            },
            (true, _) => {
                let value = scaled(digits, exponent);
                if value.is_infinite() {
                    return Err(Error::syntax(start, "a number out of range"));
                }
                Number::Float(if negative { -value } else { value })
            }
        })
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

    fn exponent(&mut self) -> Result<i32, Error> {
        let negative = self.byte() == Some(b'-');
        if let Some(b'+' | b'-') = self.byte() {
            self.at += 1;
        }
        let mut exponent = 0_i32;
        if self.digits(|digit| exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit))) == 0 {
            return Err(self.error("expected the digits of an exponent"));
        }
        Ok(if negative { -exponent } else { exponent })
    }
}

/// The digits of a number without its point, and the exponent that puts it back.
struct Digits {
    value: u64,
    exponent: i32,
    /// Whether all digits fitted.
    whole: bool,
}

impl Digits {
    fn add(&mut self, digit: u8, behind_point: bool) {
        let longer = self.value.checked_mul(10).and_then(|ten| ten.checked_add(u64::from(digit)));
        match longer.filter(|_| self.whole) {
            Some(value) => {
                self.value = value;
                self.exponent -= i32::from(behind_point);
            }
            // Digits from here on only move the point.
            None => {
                self.whole = false;
                self.exponent = self.exponent.saturating_add(i32::from(!behind_point));
            }
        }
    }
}

/// `digits × 10^exponent`.
fn scaled(digits: u64, exponent: i32) -> f64 {
    let mut value = digits as f64;
    if digits == 0 {
        return value;
    }
    let mut left = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    while left != 0 {
        let step = left.unsigned_abs().min(EXACT_POWER_MAX);
        let power = (0..step).fold(1.0, |power, _| power * 10.0);
        if left > 0 {
            value *= power;
            left -= step as i32;
        } else {
            value /= power;
            left += step as i32;
        }
    }
    value
}
