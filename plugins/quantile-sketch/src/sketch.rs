//! Counts of values by bucket: which bucket a value is in, and how a sketch is written.
//!
//! The stored form: for each bucket in use, ascending, the difference to the one before (signed) and the count, as variable-length
//! numbers of seven bits a byte.

/// Bits of a float's mantissa.
const MANTISSA_BITS: u32 = 52;

/// So many values of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) bucket: i32,
    pub(crate) count: u64,
}

/// How values are cut into buckets: by the exponent and the first bits of the mantissa. Negative values are in negative buckets,
/// zero is in bucket 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buckets {
    /// Bits of the mantissa that are left out.
    shift: u32,
}

impl Buckets {
    /// The middle of a bucket is within this relative error of each value in it.
    pub(crate) fn of_accuracy(accuracy: f64) -> Self {
        let mut bits = 0;
        let mut error = 0.5;
        while error > accuracy && bits < MANTISSA_BITS - 1 {
            bits += 1;
            error /= 2.0;
        }
        Self { shift: MANTISSA_BITS - bits }
    }

    /// The bucket of a value; NaN has none.
    #[inline]
    pub(crate) fn of(self, value: f64) -> Option<i32> {
        if value == 0.0 {
            return Some(0);
        }
        if value.is_nan() {
            return None;
        }
        // At most 11 bits of exponent and ten of mantissa: it fits.
        let magnitude = (value.abs().to_bits() >> self.shift) as i32 + 1;
        Some(if value < 0.0 { -magnitude } else { magnitude })
    }

    /// The value that stands for a bucket.
    pub(crate) fn middle(self, bucket: i32) -> f64 {
        if bucket == 0 {
            return 0.0;
        }
        let least = u64::from(bucket.unsigned_abs() - 1) << self.shift;
        let infinity = f64::INFINITY.to_bits();
        let bits = if least >= infinity { infinity } else { least | 1 << (self.shift - 1) };
        let magnitude = f64::from_bits(bits);
        if bucket < 0 { -magnitude } else { magnitude }
    }
}

/// By bucket. The standard library's sort would be a tenth of this component.
#[inline(never)]
pub(crate) fn sort(counted: &mut [Counted]) {
    // Few values of a group come between two drains, as a rule.
    if counted.len() <= 16 {
        for at in 1..counted.len() {
            let mut place = at;
            while place > 0 && counted[place - 1].bucket > counted[place].bucket {
                counted.swap(place - 1, place);
                place -= 1;
            }
        }
        return;
    }
    // A heap, of which the greatest leaves time after time.
    let mut first = counted.len() / 2;
    let mut end = counted.len();
    while end > 1 {
        if first > 0 {
            first -= 1;
        } else {
            end -= 1;
            counted.swap(0, end);
        }
        let mut at = first;
        loop {
            let mut child = 2 * at + 1;
            if child + 1 < end && counted[child].bucket < counted[child + 1].bucket {
                child += 1;
            }
            if child >= end || counted[at].bucket >= counted[child].bucket {
                break;
            }
            counted.swap(at, child);
            at = child;
        }
    }
}

/// Each bucket once, of sorted ones.
pub(crate) fn summed(sorted: &[Counted]) -> impl Iterator<Item = Counted> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut sum = *sorted.get(at)?;
        at += 1;
        while let Some(next) = sorted.get(at).filter(|next| next.bucket == sum.bucket) {
            sum.count = sum.count.saturating_add(next.count);
            at += 1;
        }
        Some(sum)
    })
}

/// Writes buckets, each of which comes once, ascending.
pub(crate) fn write(counted: impl Iterator<Item = Counted>, bytes: &mut Vec<u8>) {
    let mut before = 0_i64;
    for Counted { bucket, count } in counted {
        let step = i64::from(bucket) - before;
        write_number((step << 1 ^ step >> 63) as u64, bytes);
        write_number(count, bytes);
        before = i64::from(bucket);
    }
}

#[inline(never)]
fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The buckets of a stored sketch.
pub(crate) fn read(bytes: &[u8]) -> Stored<'_> {
    Stored { bytes, before: 0 }
}

/// A stored sketch, bucket by bucket.
pub(crate) struct Stored<'a> {
    bytes: &'a [u8],
    before: i64,
}

impl Stored<'_> {
    fn counted(&mut self) -> Option<Counted> {
        let step = read_number(&mut self.bytes)?;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        let bucket = i32::try_from(self.before.checked_add(step)?).ok()?;
        self.before = i64::from(bucket);
        Some(Counted { bucket, count: read_number(&mut self.bytes)? })
    }
}

impl Iterator for Stored<'_> {
    type Item = Result<Counted, String>;

    // Once, though two loops are over it.
    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let counted = self.counted();
        if counted.is_none() {
            self.bytes = &[];
        }
        Some(counted.ok_or_else(|| "a stored sketch is cut off, or is another operator's".to_owned()))
    }
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The bucket with the value of that rank: the least such that this part of all values is not above it.
#[inline(never)]
pub(crate) fn quantile(counted: &[Counted], quantile: f64) -> Option<i32> {
    let total = counted.iter().fold(0_u64, |total, counted| total.saturating_add(counted.count));
    let rank = ((quantile * total as f64).ceil() as u64).clamp(1, total.max(1));
    let mut seen = 0_u64;
    let reached = counted.iter().find(|counted| {
        seen = seen.saturating_add(counted.count);
        seen >= rank
    });
    reached.or(counted.last()).map(|counted| counted.bucket)
}
