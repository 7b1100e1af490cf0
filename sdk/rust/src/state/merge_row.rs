//! Rows that can be merged: numbers, and tuples of them.

use super::MergeFunction;
use super::row::{StateRow, StateValue};

/// A type that a column of merged state may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column of merged state",
    label = "not a number that can be merged",
    note = "use i64, u64, f64, or Option of one of them"
)]
pub trait MergeValue: StateValue + Copy {
    /// Both in one; `None` when a sum does not fit.
    fn merged(self, more: Self, function: MergeFunction) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty: $have:ident, $more:ident => $sum:expr;)*) => {$(
        impl MergeValue for $number {
            #[inline]
            fn merged(self, $more: Self, function: MergeFunction) -> Option<Self> {
                let $have = self;
                // As the host does it, for NaN too.
                match function {
                    MergeFunction::Sum => $sum,
                    MergeFunction::Min => Some(if $more < $have { $more } else { $have }),
                    MergeFunction::Max => Some(if $more > $have { $more } else { $have }),
                }
            }
        }
    )*};
}

numbers! {
    i64: have, more => have.checked_add(more);
    u64: have, more => have.checked_add(more);
    f64: have, more => Some(have + more);
}

/// `None` adds nothing.
impl<T: MergeValue> MergeValue for Option<T> {
    #[inline]
    fn merged(self, more: Self, function: MergeFunction) -> Option<Self> {
        match (self, more) {
            (Some(have), Some(more)) => have.merged(more, function).map(Some),
            (have, more) => Some(have.or(more)),
        }
    }
}

/// A row of merged state: what `T` of `Merged<T>` can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a row of merged state",
    label = "not a row that can be merged",
    note = "use i64, u64, f64, or a tuple of up to six of them, each perhaps an Option"
)]
pub trait MergeRow: StateRow + Copy {
    /// Both in one, with a function for each column; `None` when a sum does not fit.
    ///
    /// # Panics
    /// When there are fewer functions than columns.
    fn with(self, more: Self, functions: &[MergeFunction]) -> Option<Self>;
}

macro_rules! single {
    ($($number:ty),*) => {$(
        impl MergeRow for $number {
            #[inline]
            fn with(self, more: Self, functions: &[MergeFunction]) -> Option<Self> {
                MergeValue::merged(self, more, functions[0])
            }
        }
    )*};
}

single! { i64, u64, f64 }

macro_rules! tuples {
    ($(($($value:ident $index:tt),+);)*) => {$(
        impl<$($value: MergeValue),+> MergeRow for ($($value,)+) {
            #[inline]
            fn with(self, more: Self, functions: &[MergeFunction]) -> Option<Self> {
                Some(($(MergeValue::merged(self.$index, more.$index, functions[$index])?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_merged_each_by_its_function() {
        use MergeFunction::{Max, Min, Sum};
        let functions = [Sum, Min, Max];
        assert_eq!((1_i64, 0.5, 7_u64).with((2, 0.25, 3), &functions), Some((3, 0.25, 7)));
        assert_eq!((Some(1_i64), None::<f64>).with((None, Some(2.0)), &[Sum, Max]), Some((Some(1), Some(2.0))));
        assert_eq!(i64::MAX.with(1, &[Sum]), None);
        assert_eq!((0_i64, 1_u64).with((0, u64::MAX), &[Sum, Sum]), None);
        // What is there stays where nothing compares.
        assert!(f64::NAN.with(1.0, &[Min]).is_some_and(f64::is_nan));
        assert_eq!(1.0.with(f64::NAN, &[Max]), Some(1.0));
    }
}
