//! Values from values, and one value from all.

use super::TURN;

/// `out[row] = change(values[row])`, such as `|value| value.wrapping_mul(2)`.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn map<T: Copy, U>(values: &[T], out: &mut [U], change: impl Fn(T) -> U) {
    assert!(values.len() == out.len(), "one result for each value");
    let ((turns, rest), (outs, out_rest)) = (values.as_chunks::<TURN>(), out.as_chunks_mut::<TURN>());
    for (turn, out) in turns.iter().zip(outs) {
        for at in 0..TURN {
            out[at] = change(turn[at]);
        }
    }
    rest.iter().zip(out_rest).for_each(|(value, out)| *out = change(*value));
}

/// `out[row] = change(left[row], right[row])`, such as `i64::wrapping_add`.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn map_pairs<T: Copy, U: Copy, V>(left: &[T], right: &[U], out: &mut [V], change: impl Fn(T, U) -> V) {
    assert!(left.len() == right.len() && left.len() == out.len(), "one result for each pair of values");
    let (turns, rest) = left.as_chunks::<TURN>();
    let (others, other_rest) = right.as_chunks::<TURN>();
    let (outs, out_rest) = out.as_chunks_mut::<TURN>();
    for ((turn, other), out) in turns.iter().zip(others).zip(outs) {
        for at in 0..TURN {
            out[at] = change(turn[at], other[at]);
        }
    }
    rest.iter().zip(other_rest).zip(out_rest).for_each(|((left, right), out)| *out = change(*left, *right));
}

/// As [`map`], with a change that may fail, such as `|value| value.checked_mul(2)`. What stands in `out` at rows that
/// failed means nothing.
///
/// # Errors
/// The first row that failed.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn try_map<T: Copy, U: Default>(values: &[T], out: &mut [U], change: impl Fn(T) -> Option<U>) -> Result<(), usize> {
    assert!(values.len() == out.len(), "one result for each value");
    for (turn, (values, out)) in values.chunks(TURN).zip(out.chunks_mut(TURN)).enumerate() {
        let mut whole = true;
        for (value, out) in values.iter().zip(out) {
            let result = change(*value);
            whole &= result.is_some();
            *out = result.unwrap_or_default();
        }
        if !whole {
            let at = values.iter().position(|value| change(*value).is_none()).unwrap_or_default();
            return Err(turn * TURN + at);
        }
    }
    Ok(())
}

/// A number that can be summed and compared.
pub trait Number: Copy + PartialOrd {
    /// Nothing.
    const ZERO: Self;

    /// The sum; integers wrap around.
    #[must_use]
    fn plus(self, other: Self) -> Self;
}

macro_rules! numbers {
    ($($integer:ty),*; $($float:ty),*) => {
        $(impl Number for $integer {
            const ZERO: Self = 0;

            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
        })*
        $(impl Number for $float {
            const ZERO: Self = 0.0;

            #[inline]
            fn plus(self, other: Self) -> Self {
                self + other
            }
        })*
    };
}

numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64; f32, f64);

/// The sum of all values; integers wrap around. Floats are added in eight columns, whose sums are added last.
#[inline]
pub fn sum<T: Number>(values: &[T]) -> T {
    folded(values, [T::ZERO; TURN], T::plus).into_iter().fold(T::ZERO, T::plus)
}

/// The least value; NaN is never the least. `None` when there is no value.
#[inline]
pub fn min<T: Number>(values: &[T]) -> Option<T> {
    best(values, |one, other| if other < one { other } else { one })
}

/// The greatest value; NaN is never the greatest. `None` when there is no value.
#[inline]
pub fn max<T: Number>(values: &[T]) -> Option<T> {
    best(values, |one, other| if other > one { other } else { one })
}

/// The greatest of these numbers.
// Four at a time: every host runs these instructions, and this is done for each row of an aggregate.
#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn max_u32(values: &[u32]) -> Option<u32> {
    max(values)
}

#[inline]
fn best<T: Number>(values: &[T], better: impl Fn(T, T) -> T) -> Option<T> {
    // NaN is the only number that differs from itself: it is better than nothing, and worse than any other.
    let first = values.iter().copied().find(|value| value.partial_cmp(value).is_some());
    let first = first.or_else(|| values.first().copied())?;
    Some(folded(values, [first; TURN], &better).into_iter().fold(first, better))
}

/// Eight results, each of every eighth value.
#[inline]
fn folded<T: Copy>(values: &[T], mut results: [T; TURN], fold: impl Fn(T, T) -> T) -> [T; TURN] {
    let (turns, rest) = values.as_chunks::<TURN>();
    for turn in turns {
        for at in 0..TURN {
            results[at] = fold(results[at], turn[at]);
        }
    }
    for (result, value) in results.iter_mut().zip(rest) {
        *result = fold(*result, *value);
    }
    results
}
