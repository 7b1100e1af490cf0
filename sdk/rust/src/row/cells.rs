//! The output columns of one row: tuples, and structs with `#[derive(Columns)]`.

use super::output::{Output, output_type};
use crate::build::Builder;
use crate::kernels::TURN;
use crate::{Array, DataType};

/// The values of one output row, one per column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of output columns",
    label = "not a row",
    note = "return a struct with #[derive(volley_sdk::Columns)], or name the columns: `output = \"…\"` for one value, `outputs = [\"…\", \"…\"]` for a tuple"
)]
pub trait Cells: Sized {
    /// Collects the columns.
    type Builders;

    /// The types as the component announces them.
    const TYPES: &'static [&'static str];

    /// The types of the columns.
    fn data_types() -> Vec<DataType>;

    /// Empty columns.
    fn builders() -> Self::Builders;

    /// Empty columns with room for so many rows.
    #[doc(hidden)]
    fn builders_for(_rows: usize) -> Self::Builders {
        Self::builders()
    }

    /// Adds one row.
    fn push(self, builders: &mut Self::Builders);

    /// Adds eight rows.
    #[doc(hidden)]
    #[inline(always)]
    fn push_eight(rows: [Self; TURN], builders: &mut Self::Builders) {
        rows.into_iter().for_each(|row| row.push(builders));
    }

    /// Adds a row of nulls.
    fn push_nulls(builders: &mut Self::Builders);

    /// The columns, in order.
    fn finish(builders: Self::Builders) -> Vec<Array>;
}

/// A row whose columns have names: what `#[derive(Columns)]` makes of a struct.
#[diagnostic::on_unimplemented(
    message = "the columns of `{Self}` have no names",
    label = "which columns?",
    note = "return a struct with #[derive(volley_sdk::Columns)], or name the columns: `output = \"…\"` for one value, `outputs = [\"…\", \"…\"]` for a tuple"
)]
pub trait Columns: Cells {
    /// Names of the columns, in order.
    const NAMES: &'static [&'static str];
}

/// A row without columns, for side outputs that carry nothing of their own.
pub type NoColumns = ();

impl Cells for () {
    type Builders = ();
    const TYPES: &'static [&'static str] = &[];

    fn data_types() -> Vec<DataType> {
        Vec::new()
    }

    fn builders() -> Self::Builders {}

    fn push(self, (): &mut Self::Builders) {}

    fn push_nulls((): &mut Self::Builders) {}

    fn finish((): Self::Builders) -> Vec<Array> {
        Vec::new()
    }
}

impl Columns for () {
    const NAMES: &'static [&'static str] = &[];
}

macro_rules! tuples {
    ($(($($cell:ident $index:tt),+);)*) => {$(
        impl<$($cell: Output),+> Cells for ($($cell,)+) {
            type Builders = ($($cell::Builder,)+);
            const TYPES: &'static [&'static str] = &[$($cell::TYPE),+];

            fn data_types() -> Vec<DataType> {
                vec![$(output_type::<$cell>()),+]
            }

            fn builders() -> Self::Builders {
                ($($cell::builder(),)+)
            }

            fn builders_for(rows: usize) -> Self::Builders {
                let mut builders = Self::builders();
                $(builders.$index.reserve(rows);)+
                builders
            }

            #[inline]
            fn push(self, builders: &mut Self::Builders) {
                $(self.$index.write(&mut builders.$index);)+
            }

            #[inline(always)]
            fn push_eight(rows: [Self; TURN], builders: &mut Self::Builders) {
                let [a, b, c, d, e, f, g, h] = rows;
                $($cell::write_eight(
                    [a.$index, b.$index, c.$index, d.$index, e.$index, f.$index, g.$index, h.$index],
                    &mut builders.$index,
                );)+
            }

            fn push_nulls(builders: &mut Self::Builders) {
                $(builders.$index.push_null();)+
            }

            fn finish(builders: Self::Builders) -> Vec<Array> {
                crate::row::collect([$(builders.$index.finish()),+])
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
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
