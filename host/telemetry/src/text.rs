//! The text format of Prometheus, version 0.0.4: what a page looks like.

use std::fmt::{self, Write};

use crate::description::Unit;
use crate::exposition::{Exposition, Series, Value};

/// The `Content-Type` of a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the page: families by name, series by their labels.
pub(crate) fn render(exposition: &Exposition) -> String {
    let mut page = String::new();
    for series in exposition.families.values() {
        family(&mut page, series).expect("a String takes everything");
    }
    page
}

fn family(page: &mut String, series: &Series) -> fmt::Result {
    let description = &series.description;
    let name = description.name.as_ref();
    page.write_str("# HELP ")?;
    page.write_str(name)?;
    page.write_str(" ")?;
    escape(page, &description.help, false)?;
    writeln!(page, "\n# TYPE {name} {}", description.kind.as_str())?;
    for (values, value) in &series.values {
        let line = Line { name, labels: description.labels, values, unit: description.unit };
        match value {
            Value::Whole(number) => line.write(page, "", None, &line.shown(*number))?,
            Value::Float(number) => line.write(page, "", None, &float(*number))?,
            Value::Histogram(seen) => {
                let mut below = 0;
                for (bound, count) in seen.bounds.iter().zip(&seen.counts) {
                    below += count;
                    line.write(page, "_bucket", Some(&line.shown(*bound)), &below.to_string())?;
                }
                line.write(page, "_bucket", Some("+Inf"), &seen.count().to_string())?;
                line.write(page, "_sum", None, &line.shown(seen.sum))?;
                line.write(page, "_count", None, &seen.count().to_string())?;
            }
            Value::Summary { count, sum } => {
                line.write(page, "_sum", None, &float(*sum))?;
                line.write(page, "_count", None, &count.to_string())?;
            }
        }
    }
    Ok(())
}

/// What the lines of one series have in common.
struct Line<'a> {
    name: &'a str,
    labels: &'static [&'static str],
    values: &'a [String],
    unit: Unit,
}

impl Line<'_> {
    fn write(&self, page: &mut String, suffix: &str, le: Option<&str>, value: &str) -> fmt::Result {
        page.write_str(self.name)?;
        page.write_str(suffix)?;
        let own = self.labels.iter().copied().zip(self.values.iter().map(String::as_str));
        let mut before = "{";
        for (label, value) in own.chain(le.map(|bound| ("le", bound))) {
            write!(page, "{before}{label}=\"")?;
            escape(page, value, true)?;
            page.write_str("\"")?;
            before = ",";
        }
        if before == "," {
            page.write_str("}")?;
        }
        writeln!(page, " {value}")
    }

    /// What a handle counted, in the unit of the page.
    fn shown(&self, number: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "the page's numbers are 64-bit floats for every reader")]
        self.unit.divisor().map_or_else(|| number.to_string(), |divisor| float(number as f64 / divisor))
    }
}

/// A number as the format has it: as Go reads floats.
fn float(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if size != 0.0 && !(1e-9..1e17).contains(&size) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// Writes text so that it ends neither its line nor, in a label, its quotation.
fn escape(page: &mut String, text: &str, quoted: bool) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\\' => page.write_str("\\\\")?,
            '\n' => page.write_str("\\n")?,
            '"' if quoted => page.write_str("\\\"")?,
            _ => page.write_char(character)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads an escaped text back, up to where it ends: the closing quotation mark, or the end of the line.
    fn unescape(text: &str, quoted: bool) -> (String, &str) {
        let (mut read, mut characters) = (String::new(), text.chars());
        loop {
            let rest = characters.as_str();
            match characters.next() {
                Some('\\') => read.push(match characters.next() {
                    Some('n') => '\n',
                    Some(other) => other,
                    None => panic!("a lone backslash ends {text:?}"),
                }),
                Some('"') if quoted => return (read, rest),
                Some('\n') | None => return (read, rest),
                Some(other) => read.push(other),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_what_follows_it_too(text in "(?s)[\\\\\"\n\r\u{85}\u{2028}a-zé{},= ]{0,40}", any in ".*") {
            for text in [text, any] {
                for (quoted, end) in [(true, "\"} 1\n"), (false, "\n# TYPE x gauge\n")] {
                    let mut page = String::new();
                    escape(&mut page, &text, quoted).expect("a String");
                    prop_assert!(!page.contains('\n'));
                    page.push_str(end);
                    prop_assert_eq!(unescape(&page, quoted), (text.clone(), end));
                }
            }
        }

        #[test]
        fn any_number_comes_back(number in any::<f64>()) {
            let shown = float(number);
            prop_assert!(shown.len() < 30, "{}", shown);
            // Rust reads what Go reads: both know `+Inf`, `NaN` and exponents.
            let read: f64 = shown.parse().expect("a number");
            prop_assert!(read.to_bits() == number.to_bits() || (read.is_nan() && number.is_nan()), "{shown}");
        }
    }

    #[test]
    fn numbers_that_are_none_have_names() {
        let shown = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e300, 5e-324, 0.25].map(float);
        assert_eq!(shown, ["NaN", "+Inf", "-Inf", "0", "1e300", "5e-324", "0.25"]);
    }
}
