//! Floats as decimal text, both ways, exactly.
//!
//! What the standard library has for this is made for speed, with tables: 40 KB of a component. Configurations are read
//! once, and a float in a message is not on the hot path, so long arithmetic on a handful of words does.

use std::cmp::Ordering;
use std::fmt;

/// More digits of a text than these change nothing but whether a half is exact.
const DIGITS_MAX: usize = 800;

/// As many digits tell every `f64` from every other.
const DIGITS_UNIQUE: i32 = 17;

const MANTISSA_BITS: i32 = 52;
const EXPONENT_BIAS: i32 = 1023;
/// The power of two of the smallest normal number.
const EXPONENT_MIN: i32 = 1 - EXPONENT_BIAS;

/// A natural number of any length: words of 32 bits, the lowest first, the highest not zero.
struct Big(Vec<u32>);

impl Big {
    fn new(value: u64) -> Self {
        let mut big = Self(vec![value as u32, (value >> 32) as u32]);
        big.trim();
        big
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// `self * factor + addend`
    fn multiply(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn multiply_power_of_ten(&mut self, power: u32) {
        (0..power).for_each(|_| self.multiply(10, 0));
    }

    fn double(&mut self, times: u32) {
        let words = (times / 32) as usize;
        self.multiply(1 << (times % 32), 0);
        if !self.0.is_empty() {
            let mut longer = vec![0; words];
            longer.extend_from_slice(&self.0);
            self.0 = longer;
        }
    }

    fn bits(&self) -> i32 {
        self.0.last().map_or(0, |high| self.0.len() as i32 * 32 - high.leading_zeros() as i32)
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes `other` away, if there is as much; whether there was.
    fn take(&mut self, other: &Self) -> bool {
        if self.compare(other) == Ordering::Less {
            return false;
        }
        let mut borrow = 0;
        for (index, word) in self.0.iter_mut().enumerate() {
            let less = i64::from(*word) - i64::from(other.0.get(index).copied().unwrap_or_default()) + borrow;
            *word = less as u32;
            borrow = less >> 32;
        }
        self.trim();
        true
    }
}

/// The nearest float to a number as JSON writes it; infinite when it is too large.
pub(crate) fn parse(number: &str) -> f64 {
    let mut digits = Big::new(0);
    let mut count = 0;
    let (mut behind_point, mut exponent) = (false, 0_i32);
    let mut dropped = false;
    let bytes = number.as_bytes();
    let (negative, bytes) = match bytes.split_first() {
        Some((b'-', bytes)) => (true, bytes),
        _ => (false, bytes),
    };
    let (mantissa, power) = match bytes.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    for byte in mantissa {
        if *byte == b'.' {
            behind_point = true;
            continue;
        }
        if count == DIGITS_MAX {
            dropped |= *byte != b'0';
            exponent += i32::from(!behind_point);
            continue;
        }
        digits.multiply(10, u32::from(*byte - b'0'));
        count += usize::from(digits.bits() > 0);
        exponent -= i32::from(behind_point);
    }
    if dropped {
        digits.multiply(10, 1);
        exponent -= 1;
    }
    let power_digits = power.iter().filter(|byte| byte.is_ascii_digit());
    let size = power_digits.fold(0_i32, |size, byte| size.saturating_mul(10).saturating_add(i32::from(*byte - b'0')));
    exponent = exponent.saturating_add(if power.first() == Some(&b'-') { -size } else { size });
    let value = nearest(digits, exponent, count as i32);
    if negative { -value } else { value }
}

/// The nearest float to `digits * 10^exponent`; there are so many digits.
fn nearest(digits: Big, exponent: i32, count: i32) -> f64 {
    let magnitude = exponent.saturating_add(count);
    if digits.bits() == 0 || magnitude < -330 {
        return 0.0;
    }
    if magnitude > 310 {
        return f64::INFINITY;
    }
    let (mut over, mut under) = (digits, Big::new(1));
    let scaled = if exponent < 0 { &mut under } else { &mut over };
    scaled.multiply_power_of_ten(exponent.unsigned_abs());
    // Both are brought to where their quotient is between one and two.
    let mut two = over.bits() - under.bits();
    let shorter = if two < 0 { &mut over } else { &mut under };
    shorter.double(two.unsigned_abs());
    if over.compare(&under) == Ordering::Less {
        over.double(1);
        two -= 1;
    }
    if two > EXPONENT_BIAS {
        return f64::INFINITY;
    }
    // Small numbers have fewer bits.
    let bits = MANTISSA_BITS + 1 + (two - EXPONENT_MIN).min(0);
    if bits < 0 {
        return 0.0;
    }
    let mut mantissa = 0_u64;
    for _ in 0..bits {
        mantissa = mantissa << 1 | u64::from(over.take(&under));
        over.double(1);
    }
    let up = match over.compare(&under) {
        Ordering::Less => false,
        Ordering::Equal => mantissa & 1 == 1,
        Ordering::Greater => true,
    };
    mantissa += u64::from(up);
    if two < EXPONENT_MIN {
        return f64::from_bits(mantissa);
    }
    // A mantissa that was rounded up to one bit more adds to the exponent; beyond the largest lies infinity.
    let biased = (two + EXPONENT_BIAS) as u64;
    f64::from_bits(((biased - 1) << MANTISSA_BITS) + mantissa)
}

/// How many digits are wanted, and how the rest is rounded.
#[derive(Clone, Copy)]
enum Wanted {
    /// So many in all, a half upwards: of two shortest texts that are equally near, the standard library takes the larger.
    Digits(i32),
    /// So many in all, and anything behind them upwards.
    DigitsUp(i32),
    /// All in front of the point, and so many behind it, a half to even.
    Places(i32),
}

/// The first digits of a finite number above zero, rounded; and the power of ten of the first.
#[inline(never)]
fn digits(value: f64, wanted: Wanted) -> (Vec<u8>, i32) {
    let bits = value.to_bits();
    let (biased, fraction) = ((bits >> MANTISSA_BITS) as i32, bits & ((1 << MANTISSA_BITS) - 1));
    let mantissa = if biased == 0 { fraction } else { fraction | 1 << MANTISSA_BITS };
    let two = biased.max(1) - EXPONENT_BIAS - MANTISSA_BITS;
    let (mut over, mut under) = (Big::new(mantissa), Big::new(1));
    let scaled = if two < 0 { &mut under } else { &mut over };
    scaled.double(two.unsigned_abs());
    // Below the true power at first: 1233 / 4096 is a little less than the logarithm of 2.
    let mut ten = (((over.bits() - under.bits() - 1) * 1233) >> 12) - 1;
    let scaled = if ten < 0 { &mut over } else { &mut under };
    scaled.multiply_power_of_ten(ten.unsigned_abs());
    let mut above = Big(under.0.clone());
    above.multiply(10, 0);
    while over.compare(&above) != Ordering::Less {
        under.multiply(10, 0);
        above.multiply(10, 0);
        ten += 1;
    }
    let count = match wanted {
        Wanted::Digits(count) | Wanted::DigitsUp(count) => count,
        Wanted::Places(places) => ten.saturating_add(1).saturating_add(places),
    };
    let mut digits = Vec::new();
    for _ in 0..count {
        let mut digit = 0;
        while over.take(&under) {
            digit += 1;
        }
        digits.push(digit);
        over.multiply(10, 0);
    }
    // What is left stands one place further now.
    under.multiply(5, 0);
    let up = match (over.compare(&under), wanted) {
        (_, Wanted::DigitsUp(_)) => over.bits() > 0,
        (Ordering::Less, _) => false,
        (Ordering::Equal, Wanted::Digits(_)) => true,
        (Ordering::Equal, Wanted::Places(_)) => digits.last().is_some_and(|last| last % 2 == 1),
        (Ordering::Greater, _) => count >= 0,
    };
    if up {
        while digits.last() == Some(&9) {
            digits.pop();
        }
        match digits.last_mut() {
            Some(last) => *last += 1,
            None => {
                digits.push(1);
                ten += 1;
            }
        }
    }
    (digits, ten)
}

/// Prints a float as `{}` and `{:.2}` print it, with a tenth of the code: `format!("{} km/h", Float(speed))`.
///
/// It is slower than printing an `f64`, which does not matter in the message of a refused row and may matter in a column.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Float(pub f64);

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        if self.0.is_sign_negative() {
            f.write_str("-")?;
        }
        let value = self.0.abs();
        if value.is_infinite() {
            return f.write_str("inf");
        }
        let places = f.precision().map_or(0, |places| places as i32);
        let (digits, ten) = if value == 0.0 {
            (Vec::new(), 0)
        } else if f.precision().is_some() {
            digits(value, Wanted::Places(places))
        } else {
            shortest(value)
        };
        let digit = |power: i32| {
            let digit = usize::try_from(ten - power).ok().and_then(|index| digits.get(index));
            char::from(b'0' + digit.copied().unwrap_or_default())
        };
        let last = if f.precision().is_some() { -places } else { (ten + 1 - digits.len() as i32).min(0) };
        let mut text = String::new();
        for power in (last..=ten.max(0)).rev() {
            if power == -1 {
                text.push('.');
            }
            text.push(digit(power));
        }
        f.write_str(&text)
    }
}

/// The digits of the shortest text that reads as this number, and the power of ten of the first.
fn shortest(value: f64) -> (Vec<u8>, i32) {
    for count in 1..DIGITS_UNIQUE {
        // Below a power of two floats lie closer together than above it: the nearest text may read as the one below when
        // the next larger reads as this one.
        for wanted in [Wanted::Digits(count), Wanted::DigitsUp(count)] {
            let (some, ten) = digits(value, wanted);
            let read = some.iter().fold(Big::new(0), |mut big, digit| {
                big.multiply(10, u32::from(*digit));
                big
            });
            let len = some.len() as i32;
            if nearest(read, ten + 1 - len, len) == value {
                return (some, ten);
            }
        }
    }
    digits(value, Wanted::Digits(DIGITS_UNIQUE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Halves between two floats, the borders of the subnormal numbers and of all, and more digits than are kept.
    #[test]
    fn hard_numbers_are_read_as_the_nearest() {
        let long = format!("1{}e-999", "0".repeat(900));
        let half = format!("9007199254740993.{}1", "0".repeat(900));
        for text in [
            "0",
            "-0",
            "0.0e5",
            "1",
            "10",
            "0.1",
            "1e22",
            "1e23",
            "9007199254740993",
            "9007199254740993.00001",
            &half,
            &long,
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.4703282292062329e-324",
            "1e-400",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "1e99999999999",
            "1e-99999999999",
            "-1.5E+3",
        ] {
            let wanted: f64 = text.parse().unwrap();
            assert_eq!(parse(text).to_bits(), wanted.to_bits(), "{text} as {}", parse(text));
        }
    }

    #[test]
    fn hard_numbers_are_printed_as_the_standard_library_prints_them() {
        let numbers =
            [0.0, -0.0, 0.5, 1.5, 2.5, 9.5, 99.95, 0.05, 0.25, 1e21, 1e-7, f64::MAX, 5e-324, f64::NAN, -f64::INFINITY];
        // Half way between two texts that both read as the number.
        let ties = [-7_228_568_891_513_801.0 / 4.0, 7_228_568_891_513_803.0 / 4.0];
        let powers = (-1074..1024).map(|power| 2_f64.powi(power));
        let numbers = numbers.into_iter().chain(ties).chain(powers);
        for number in numbers {
            assert_eq!(Float(number).to_string(), number.to_string());
            for places in [0, 1, 2, 20] {
                assert_eq!(format!("{:.places$}", Float(number)), format!("{number:.places$}"), "{places} places");
            }
        }
    }

    proptest! {
        #[test]
        fn floats_are_read_and_printed_as_the_standard_library_does(number: f64, short in -9_999_999_i32..9_999_999, places in 0_usize..9) {
            for number in [number, f64::from(short) / 1000.0] {
                prop_assert_eq!(Float(number).to_string(), number.to_string());
                prop_assert_eq!(format!("{:.places$}", Float(number)), format!("{number:.places$}"));
                prop_assume!(number.is_finite());
                for text in [number.to_string(), format!("{number:e}"), format!("{number:.places$e}")] {
                    prop_assert_eq!(parse(&text).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
                }
            }
        }
    }
}
