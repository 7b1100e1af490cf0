//! How the values of each type lie in memory: which buffers a column has, and how wide its values are.

use crate::{DataType, IntervalUnit};

/// How a column lies in buffers. Every column but those of [`Layout::Null`] has a validity bitmap in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Nothing at all.
    Null,
    /// One bit per value.
    Bits,
    /// So many bytes per value.
    Fixed(usize),
    /// Offsets of so many bytes each, then bytes.
    Variable(usize),
    /// Offsets of so many bytes each, and one child.
    List(usize),
    /// One child with so many values per row.
    FixedList(usize),
    /// Children with one value per row.
    Struct,
    /// Keys of four bytes, and the values they point to; never part of a message.
    Dictionary,
    /// This SDK does not know.
    Unknown,
}

impl Layout {
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bits,
            DataType::Int8 | DataType::UInt8 => Self::Fixed(1),
            DataType::Int16 | DataType::UInt16 | DataType::Float16 => Self::Fixed(2),
            DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 | DataType::Time32(_) => {
                Self::Fixed(4)
            }
            DataType::Interval(IntervalUnit::YearMonth) => Self::Fixed(4),
            DataType::Int64
            | DataType::UInt64
            | DataType::Float64
            | DataType::Date64
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Duration(_)
            | DataType::Interval(IntervalUnit::DayTime) => Self::Fixed(8),
            DataType::Decimal128(..) | DataType::Interval(IntervalUnit::MonthDayNano) => Self::Fixed(16),
            DataType::Decimal256(..) => Self::Fixed(32),
            DataType::FixedSizeBinary(width) => Self::Fixed(usize::try_from(*width).unwrap_or_default()),
            DataType::Utf8 | DataType::Binary => Self::Variable(4),
            DataType::LargeUtf8 | DataType::LargeBinary => Self::Variable(8),
            DataType::List(_) | DataType::Map(..) => Self::List(4),
            DataType::LargeList(_) => Self::List(8),
            DataType::FixedSizeList(_, size) => Self::FixedList(usize::try_from(*size).unwrap_or_default()),
            DataType::Struct(_) => Self::Struct,
            DataType::Dictionary(_) => Self::Dictionary,
            DataType::Other(_) => Self::Unknown,
        }
    }
}

/// Where a column begins in the lists of a message: its own node, its own first buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) buffer: usize,
}

impl Place {
    /// The place behind a column of this type and all of its children; `None` when a type cannot cross.
    pub(crate) fn behind(self, data_type: &DataType) -> Option<Self> {
        let own = match Layout::of(data_type) {
            Layout::Null => 0,
            Layout::FixedList(_) | Layout::Struct => 1,
            Layout::Bits | Layout::Fixed(_) | Layout::List(_) => 2,
            Layout::Variable(_) => 3,
            Layout::Dictionary | Layout::Unknown => return None,
        };
        let first = Self { node: self.node + 1, buffer: self.buffer + own };
        children(data_type).iter().try_fold(first, |place, child| place.behind(&child.data_type))
    }

    /// The place of the child at `index`.
    pub(crate) fn child(self, data_type: &DataType, index: usize) -> Option<Self> {
        let own = match Layout::of(data_type) {
            Layout::List(_) => 2,
            Layout::FixedList(_) | Layout::Struct => 1,
            _ => return None,
        };
        let first = Self { node: self.node + 1, buffer: self.buffer + own };
        children(data_type).iter().take(index).try_fold(first, |place, child| place.behind(&child.data_type))
    }
}

/// The columns inside a column.
pub(crate) fn children(data_type: &DataType) -> &[crate::Field] {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => std::slice::from_ref(item),
        DataType::Struct(fields) => fields,
        _ => &[],
    }
}
