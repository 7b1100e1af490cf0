//! Loops over whole columns, for operators to which nanoseconds matter.
//!
//! Inside a component every turn of a loop costs a check of the host's clock, which slows a tight loop several times.
//! These loops do eight rows in a turn, most of them without a branch. They work on the slices that
//! [`Values::values`](crate::column::Values::values) gives; where rows may be null, a [`BitsBuilder`](crate::BitsBuilder)
//! of a comparison is combined with the column's validity by [`and`].
//!
//! | for | kernel |
//! |---|---|
//! | which rows | [`test`], [`test_pairs`] give a bitmap; [`and`], [`or`], [`not`] combine bitmaps; [`Rows`] numbers rows |
//! | values of some rows | [`take`], [`take_map`], [`take_text`] by number, [`filter`] by bitmap |
//! | values from values | [`map`], [`map_pairs`], and [`try_map`], which can fail |
//! | one value of all | [`sum`], [`min`], [`max`] |
//! | anything else, row by row | [`in_turns`] |

mod arithmetic;
mod bitmap;
mod rows;
mod take;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use arithmetic::max_u32;
pub use arithmetic::{Number, map, map_pairs, max, min, sum, try_map};
pub use bitmap::{and, not, or, test, test_pairs};
pub use rows::Rows;
pub use take::{filter, take, take_map, take_text, text_bytes};
pub use turns::in_turns;

/// How many rows a loop does in one turn.
pub(crate) const TURN: usize = 8;
