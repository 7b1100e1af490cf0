//! Where the values of a column lie: in a message of the host, or in an array that was built.

use crate::array::ArrayData;
use crate::layout::{Place, children};
use crate::wire::Frame;
use crate::{DataType, Field};

/// The buffers of a column.
#[derive(Clone, Copy)]
pub(crate) enum Store<'a> {
    Message(&'a Frame<'a>, Place),
    Array(&'a ArrayData),
}

impl<'a> Store<'a> {
    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Message(frame, place) => frame.len(*place).unwrap_or_default(),
            Self::Array(data) => data.len,
        }
    }

    /// How many of them are null.
    #[inline]
    pub(crate) fn null_count(&self) -> usize {
        match self {
            Self::Message(frame, place) => frame.null_count(*place),
            Self::Array(data) => data.null_count,
        }
    }

    /// One bit per value, 1 where there is one. Of use only when values are null.
    #[inline]
    pub(crate) fn validity(&self) -> &'a [u8] {
        match self {
            Self::Message(frame, place) => frame.buffer(*place, 0),
            Self::Array(data) => data.validity.bytes(),
        }
    }

    /// Values, bits or offsets.
    #[inline]
    pub(crate) fn values(&self) -> &'a [u8] {
        match self {
            Self::Message(frame, place) => frame.buffer(*place, 1),
            Self::Array(data) => data.values.bytes(),
        }
    }

    /// What the offsets of text and bytes point into.
    #[inline]
    pub(crate) fn data(&self) -> &'a [u8] {
        match self {
            Self::Message(frame, place) => frame.buffer(*place, 2),
            Self::Array(data) => data.data.bytes(),
        }
    }

    /// The child at `index` of a column of this type.
    pub(crate) fn child(&self, data_type: &'a DataType, index: usize) -> Option<(&'a Field, Self)> {
        match self {
            Self::Message(frame, place) => {
                let field = children(data_type).get(index)?;
                Some((field, Self::Message(frame, place.child(data_type, index)?)))
            }
            Self::Array(data) => Some((children(data_type).get(index)?, Self::Array(data.children.get(index)?.data()))),
        }
    }
}
