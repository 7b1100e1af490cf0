//! Numbers of rows: what passes a test, for a flat-map's parents and for taking values.

use std::ops::Deref;

use super::TURN;
use crate::Bits;

/// Numbers of rows, ascending. Its memory is used again: keep one in the operator.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The first `len` are the numbers; the rest is room.
    rows: Vec<u32>,
    len: usize,
}

impl Rows {
    /// No rows.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: Vec::new(), len: 0 }
    }

    /// The rows whose value passes, and no others.
    #[inline]
    pub fn select<T: Copy>(&mut self, values: &[T], passes: impl Fn(T) -> bool) {
        let (turns, rest) = values.as_chunks::<TURN>();
        let mut next = self.begin(values.len());
        for (first, turn) in (0..).step_by(TURN).zip(turns) {
            next += numbered(&mut self.rows[next..], first, turn.map(|value| usize::from(passes(value))));
        }
        for (row, value) in (turns.len() * TURN..).zip(rest) {
            self.rows[next] = row as u32;
            next += usize::from(passes(*value));
        }
        self.len = next;
    }

    /// The rows whose bit is 1, and no others.
    #[inline]
    pub fn select_bits(&mut self, bits: Bits<'_>) {
        let mut next = self.begin(bits.len());
        for index in 0..bits.len().div_ceil(TURN) {
            let byte = bits.eight(index);
            let passed: [usize; TURN] = std::array::from_fn(|at| usize::from(byte >> at & 1));
            next += numbered(&mut self.rows[next..], (index * TURN) as u32, passed);
        }
        self.len = next;
    }

    /// Room for so many rows, and for one turn more, which is written before it is known what passes.
    fn begin(&mut self, rows: usize) -> usize {
        assert!(u32::try_from(rows).is_ok(), "{rows} rows in a batch, which has at most {}", u32::MAX);
        let room = rows.next_multiple_of(TURN) + TURN;
        if self.rows.len() < room {
            self.rows.resize(room, 0);
        }
        0
    }
}

/// Numbers those of eight rows that passed; gives how many.
#[inline]
fn numbered(out: &mut [u32], first: u32, passed: [usize; TURN]) -> usize {
    let out: &mut [u32; TURN] = out.first_chunk_mut().expect("there is room for one turn more");
    let mut next = 0;
    for (row, passed) in (first..).zip(passed) {
        // At most seven passed before: the mask only tells the compiler.
        out[next % TURN] = row;
        next += passed;
    }
    next
}

impl Deref for Rows {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.rows[..self.len]
    }
}
