//! Counts of values by bucket: which bucket a value is in, and how a sketch is written.
//!
//! The stored form of few values: the bucket of each, ascending, four bytes little-endian. Of many: a mark that is no bucket, then
//! for each bucket in use, ascending, the difference to the one before (signed) and the count, as variable-length numbers of seven
//! bits a byte. Which of the two it is depends on the number of values alone.

/// Bits of a float's mantissa.
const MANTISSA_BITS: u32 = 52;

/// So many values are few.
pub(crate) const FEW: usize = 32;

/// What a sketch of many values begins with: the bucket of no value.
const MANY: [u8; 4] = i32::MIN.to_le_bytes();

/// What is sorted by its bucket.
pub(crate) trait Bucketed: Copy + Default {
    fn bucket(self) -> i32;
}

/// A value alone.
impl Bucketed for i32 {
    #[inline]
    fn bucket(self) -> i32 {
        self
    }
}

impl Bucketed for Counted {
    #[inline]
    fn bucket(self) -> i32 {
        self.bucket
    }
}

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

    /// How many bits of the mantissa count.
    pub(crate) fn bits(self) -> u32 {
        MANTISSA_BITS - self.shift
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
#[inline]
pub(crate) fn sort<T: Bucketed>(items: &mut [T]) {
    // Few values of a group come between two drains, as a rule.
    if items.len() > 16 {
        return sort_many(items);
    }
    for at in 1..items.len() {
        let item = items[at];
        let mut place = at;
        while place > 0 && items[place - 1].bucket() > item.bucket() {
            items[place] = items[place - 1];
            place -= 1;
        }
        items[place] = item;
    }
}

#[inline(never)]
fn sort_many<T: Bucketed>(items: &mut [T]) {
    // A heap, of which the greatest leaves time after time.
    let mut first = items.len() / 2;
    let mut end = items.len();
    while end > 1 {
        if first > 0 {
            first -= 1;
        } else {
            end -= 1;
            items.swap(0, end);
        }
        let mut at = first;
        loop {
            let mut child = 2 * at + 1;
            if child + 1 < end && items[child].bucket() < items[child + 1].bucket() {
                child += 1;
            }
            if child >= end || items[at].bucket() >= items[child].bucket() {
                break;
            }
            items.swap(at, child);
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

/// Writes what sorted buckets come to.
#[inline(never)]
pub(crate) fn write(sorted: &[Counted], bytes: &mut Vec<u8>) {
    let total = sorted.iter().fold(0_u64, |total, counted| total.saturating_add(counted.count));
    if total <= FEW as u64 {
        for Counted { bucket, count } in sorted {
            (0..*count).for_each(|_| bytes.extend(bucket.to_le_bytes()));
        }
        return;
    }
    bytes.extend(MANY);
    let mut before = 0_i64;
    for Counted { bucket, count } in summed(sorted) {
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

/// The values of a stored sketch of few, each as [`value`] reads it.
#[inline]
pub(crate) fn few(bytes: &[u8]) -> Option<&[[u8; 4]]> {
    let (values, rest) = bytes.as_chunks();
    (rest.is_empty() && values.first() != Some(&MANY)).then_some(values)
}

/// The bucket with the value of that rank, of few.
#[inline]
pub(crate) fn quantile_of_few(values: &[[u8; 4]], quantile: f64) -> Option<i32> {
    let rank = (quantile * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).map(|value| i32::from_le_bytes(*value))
}

/// The buckets of a stored sketch.
pub(crate) fn read(bytes: &[u8]) -> Stored<'_> {
    match bytes.strip_prefix(&MANY) {
        Some(bytes) => Stored { bytes, before: 0, are_few: false },
        None => Stored { bytes, before: 0, are_few: true },
    }
}

/// A stored sketch, bucket by bucket.
pub(crate) struct Stored<'a> {
    bytes: &'a [u8],
    before: i64,
    are_few: bool,
}

impl Stored<'_> {
    fn counted(&mut self) -> Option<Counted> {
        if self.are_few {
            let (value, rest) = self.bytes.split_first_chunk()?;
            self.bytes = rest;
            return Some(Counted { bucket: i32::from_le_bytes(*value), count: 1 });
        }
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
