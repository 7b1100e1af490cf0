//! Rows one by one, eight to a turn.

use super::TURN;

/// Calls `each` for each of so many rows, from 0 on, eight rows in a turn: for loops that no other kernel is.
///
/// ```
/// let (groups, values, mut sums) = ([0, 1, 0], [1.5, 2.0, 3.0], [0.0; 2]);
/// volley_sdk::kernels::in_turns(groups.len(), |row| sums[groups[row]] += values[row]);
/// assert_eq!(sums, [4.5, 2.0]);
/// ```
#[inline(always)]
pub fn in_turns(rows: usize, mut each: impl FnMut(usize)) {
    let mut row = 0;
    for _ in 0..rows / TURN {
        for place in 0..TURN {
            each(row + place);
        }
        row += TURN;
    }
    while row < rows {
        each(row);
        row += 1;
    }
}
