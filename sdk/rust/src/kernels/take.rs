//! Values of some rows, by the numbers of the rows or by a bitmap.

use super::TURN;
use crate::Bits;

/// So many texts are copied between two looks at the time: fewer than numbers, because each takes longer and more code.
const TEXT_TURN: usize = 4;

/// The values of these rows.
///
/// # Panics
/// When there is no such row, or `out` is not as long as `rows`.
#[inline]
pub fn take<T: Copy>(values: &[T], rows: &[u32], out: &mut [T]) {
    take_map(values, rows, out, |value| value);
}

/// What `change` makes of the values of these rows.
///
/// # Panics
/// When there is no such row, or `out` is not as long as `rows`.
#[inline]
pub fn take_map<T: Copy, U>(values: &[T], rows: &[u32], out: &mut [U], change: impl Fn(T) -> U) {
    assert!(rows.len() == out.len(), "one value for each row");
    let ((turns, rest), (outs, out_rest)) = (rows.as_chunks::<TURN>(), out.as_chunks_mut::<TURN>());
    for (turn, out) in turns.iter().zip(outs) {
        for at in 0..TURN {
            out[at] = change(values[turn[at] as usize]);
        }
    }
    for (row, out) in rest.iter().zip(out_rest) {
        *out = change(values[*row as usize]);
    }
}

/// How many bytes the texts of these rows have together.
///
/// # Panics
/// When there is no such row.
#[inline]
#[must_use]
pub fn text_bytes(offsets: &[i32], rows: &[u32]) -> usize {
    let len = |row: &u32| (offsets[*row as usize + 1] - offsets[*row as usize]) as usize;
    let (turns, rest) = rows.as_chunks::<TURN>();
    let mut sum = 0;
    for turn in turns {
        for row in turn {
            sum += len(row);
        }
    }
    sum + rest.iter().map(len).sum::<usize>()
}

/// The texts of these rows: `offsets` and `data` are as Arrow has them, so are `out_offsets` (one longer than `rows`) and
/// `out`, which is as long as [`text_bytes`] says.
///
/// # Panics
/// When there is no such row, or lengths do not fit.
#[inline]
pub fn take_text(offsets: &[i32], data: &[u8], rows: &[u32], out_offsets: &mut [i32], out: &mut [u8]) {
    let (first, ends) = out_offsets.split_first_mut().expect("one offset more than rows");
    assert!(rows.len() == ends.len(), "one offset more than rows");
    *first = 0;
    let mut end = 0;
    let mut one = |row: u32, out_end: &mut i32| {
        let (from, to) = (offsets[row as usize] as usize, offsets[row as usize + 1] as usize);
        copy_short(&data[from..], &mut out[end..], to - from);
        end += to - from;
        *out_end = end as i32;
    };
    let ((turns, rest), (outs, out_rest)) = (rows.as_chunks::<TEXT_TURN>(), ends.as_chunks_mut::<TEXT_TURN>());
    for (turn, outs) in turns.iter().zip(outs) {
        for at in 0..TEXT_TURN {
            one(turn[at], &mut outs[at]);
        }
    }
    rest.iter().zip(out_rest).for_each(|(row, out)| one(*row, out));
}

/// Texts up to this long are copied in two steps of fixed width, where there is room: a call would cost more.
const SHORT_BYTES: usize = 16;

/// Copies the first `len` bytes; those behind them in `out` are written later, or by the next text.
#[inline]
fn copy_short(from: &[u8], out: &mut [u8], len: usize) {
    match (from.first_chunk::<SHORT_BYTES>(), out.first_chunk_mut::<SHORT_BYTES>()) {
        (Some(from), Some(out)) if len <= SHORT_BYTES => *out = *from,
        _ => out[..len].copy_from_slice(&from[..len]),
    }
}

/// The values of the rows whose bit is 1; gives how many. They are written to the front of `out`.
///
/// # Panics
/// When `bits` and `values` differ in length, or `out` is too short.
pub fn filter<T: Copy>(values: &[T], bits: Bits<'_>, out: &mut [T]) -> usize {
    assert!(bits.len() == values.len(), "one bit for each value");
    let mut next = 0;
    for (index, turn) in values.chunks(TURN).enumerate() {
        let byte = bits.eight(index);
        match (turn.first_chunk::<TURN>(), out[next..].first_chunk_mut::<TURN>()) {
            (Some(turn), Some(out)) => {
                let mut kept = 0;
                for (at, value) in turn.iter().enumerate() {
                    out[kept % TURN] = *value;
                    kept += usize::from(byte >> at & 1);
                }
                next += kept;
            }
            // The end, of the values or of the room for them.
            _ => {
                for (at, value) in turn.iter().enumerate() {
                    if byte >> at & 1 == 1 {
                        out[next] = *value;
                        next += 1;
                    }
                }
            }
        }
    }
    next
}
