//! Columns to bitmaps, and bitmaps combined.

use super::TURN;
use crate::bits::{Bits, BitsBuilder, pack};
use crate::buffer::Buffer;

/// One bit per value: whether it passes.
#[inline]
pub fn test<T: Copy>(values: &[T], passes: impl Fn(T) -> bool) -> BitsBuilder {
    let mut bits = Buffer::new();
    let packed = bits.extend_any(values.len().div_ceil(8));
    let (turns, rest) = values.as_chunks::<TURN>();
    for (byte, turn) in packed.iter_mut().zip(turns) {
        *byte = pack(turn.map(&passes));
    }
    if let Some(last) = packed.get_mut(turns.len()) {
        *last = rest.iter().enumerate().fold(0, |byte, (at, value)| byte | u8::from(passes(*value)) << at);
    }
    BitsBuilder::from_buffer(bits, values.len())
}

/// One bit per pair of values of the same row: whether it passes.
///
/// # Panics
/// When the columns differ in length.
#[inline]
pub fn test_pairs<T: Copy, U: Copy>(left: &[T], right: &[U], passes: impl Fn(T, U) -> bool) -> BitsBuilder {
    assert!(left.len() == right.len(), "rows of two columns");
    let mut bits = Buffer::new();
    let packed = bits.extend_any(left.len().div_ceil(8));
    let ((turns, rest), (others, others_rest)) = (left.as_chunks::<TURN>(), right.as_chunks::<TURN>());
    for ((byte, turn), other) in packed.iter_mut().zip(turns).zip(others) {
        let mut passed = [false; TURN];
        for at in 0..TURN {
            passed[at] = passes(turn[at], other[at]);
        }
        *byte = pack(passed);
    }
    if let Some(last) = packed.get_mut(turns.len()) {
        let pairs = rest.iter().zip(others_rest).enumerate();
        *last = pairs.fold(0, |byte, (at, (left, right))| byte | u8::from(passes(*left, *right)) << at);
    }
    BitsBuilder::from_buffer(bits, left.len())
}

/// A bit is 1 where both are.
///
/// # Panics
/// When the bitmaps differ in length.
#[inline]
#[must_use]
pub fn and(left: Bits<'_>, right: Bits<'_>) -> BitsBuilder {
    combined(left, right, |left, right| left & right)
}

/// A bit is 1 where one is, or both.
///
/// # Panics
/// When the bitmaps differ in length.
#[inline]
#[must_use]
pub fn or(left: Bits<'_>, right: Bits<'_>) -> BitsBuilder {
    combined(left, right, |left, right| left | right)
}

/// A bit is 1 where it was 0.
#[inline]
#[must_use]
pub fn not(bits: Bits<'_>) -> BitsBuilder {
    combined(bits, bits, |bits, _| !bits)
}

#[inline]
fn combined(left: Bits<'_>, right: Bits<'_>, combine: impl Fn(u8, u8) -> u8) -> BitsBuilder {
    assert!(left.len() == right.len(), "bits of two bitmaps");
    let mut buffer = Buffer::new();
    buffer.extend_filled(left.len().div_ceil(8), 0);
    let mut bits = BitsBuilder::from_buffer(buffer, left.len());
    for (index, byte) in bits.bytes_mut().iter_mut().enumerate() {
        *byte = combine(left.eight(index), right.eight(index));
    }
    bits
}
