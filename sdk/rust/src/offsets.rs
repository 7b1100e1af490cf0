//! Offsets of lists, texts and bytes, in 32 or 64 bits.

use std::ops::Sub;

use bytemuck::Pod;

/// A number that says where a value begins.
pub(crate) trait Offset: Pod + Default + PartialEq + Sub<Output = Self> {
    /// The place. A negative offset is beyond any buffer.
    fn as_usize(self) -> usize;

    /// The offset of a place.
    ///
    /// # Panics
    /// When it does not fit, which is more than a component's memory holds.
    fn from_usize(place: usize) -> Self;
}

macro_rules! offsets {
    ($($width:ty),*) => {$(
        impl Offset for $width {
            #[inline]
            fn as_usize(self) -> usize {
                usize::try_from(self).unwrap_or(usize::MAX)
            }

            #[inline]
            fn from_usize(place: usize) -> Self {
                match Self::try_from(place) {
                    Ok(offset) => offset,
                    // Not `expect`: it prints the reason too, with code of its own.
                    Err(_) => panic!("at most 2 GiB of values in a column"),
                }
            }
        }
    )*};
}

offsets!(i32, i64);

/// The offsets of a column: one more than it has rows, or none when it has no rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl Offsets<'_> {
    /// Number of rows.
    #[inline]
    pub(crate) fn rows(&self) -> usize {
        let offsets = match self {
            Self::Small(offsets) => offsets.len(),
            Self::Large(offsets) => offsets.len(),
        };
        offsets.saturating_sub(1)
    }

    /// Where the values of the row begin and end.
    #[inline]
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        match self {
            Self::Small(offsets) => offsets[row].as_usize()..offsets[row + 1].as_usize(),
            Self::Large(offsets) => offsets[row].as_usize()..offsets[row + 1].as_usize(),
        }
    }
}
