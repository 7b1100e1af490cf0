//! States, or results, of some groups, and how they become columns of all groups.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, RecordBatch, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::{Fields, SchemaRef};

use crate::Result;

/// The groups of rows.
#[derive(Debug, Clone)]
pub(super) enum Groups {
    /// So many from 0 on, each once, in order: so it is where one window is open.
    First(u32),
    /// These.
    These(Vec<u32>),
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::First(count) => *count as usize,
            Self::These(groups) => groups.len(),
        }
    }

    pub(super) fn numbers(&self) -> Cow<'_, [u32]> {
        match self {
            Self::First(count) => Cow::Owned((0..*count).collect()),
            Self::These(groups) => Cow::Borrowed(groups),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::First(_) => 0,
            Self::These(groups) => groups.capacity() * size_of::<u32>(),
        }
    }
}

/// Columns with the group of each row.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) groups: Groups,
    pub(super) columns: Vec<ArrayRef>,
}

impl Piece {
    /// What the runtime hands over as state: rows without any are left out.
    pub(super) fn of_state(state: &ArrayRef, groups: &[usize]) -> Result<Self> {
        let state = state.as_struct();
        let numbers = groups.iter().map(|group| number(*group));
        let Some(nulls) = state.nulls().filter(|nulls| nulls.null_count() > 0) else {
            return Ok(Self { groups: Groups::These(numbers.collect()), columns: state.columns().to_vec() });
        };
        let present = |row: &usize| nulls.is_valid(*row);
        let rows: Vec<usize> = (0..state.len()).filter(present).collect();
        let indices = UInt32Array::from_iter_values(rows.iter().map(|row| number(*row)));
        let columns = state.columns().iter().map(|column| take(column, &indices, None));
        Ok(Self {
            groups: Groups::These(rows.iter().map(|row| number(groups[*row])).collect()),
            columns: columns.collect::<std::result::Result<_, _>>()?,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn batch(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(schema), self.columns.clone())?)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
        self.groups.memory_bytes() + columns.sum::<usize>()
    }
}

/// Numbers of groups and rows fit: batches have fewer rows than that.
pub(super) fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Columns with one row for each of `0..total`, and which groups are there, where not all are. No group stands in `pieces` twice.
pub(super) fn assembled(
    fields: &Fields,
    pieces: &[Piece],
    total: usize,
) -> Result<(Vec<ArrayRef>, Option<BooleanBuffer>)> {
    if let [only] = pieces {
        return placed(only, total);
    }
    // The first array is what stands at groups that are not there.
    let mut places = vec![(0, 0); total];
    let mut present = BooleanBufferBuilder::new(total);
    present.append_n(total, false);
    for (number, piece) in (1..).zip(pieces) {
        for (row, group) in piece.groups.numbers().iter().enumerate() {
            places[*group as usize] = (number, row);
            present.set_bit(*group as usize, true);
        }
    }
    let columns = fields.iter().enumerate().map(|(index, field)| {
        let nothing = new_null_array(field.data_type(), 1);
        let parts = std::iter::once(&nothing).chain(pieces.iter().map(|piece| &piece.columns[index]));
        interleave(&parts.map(|part| &**part).collect::<Vec<&dyn Array>>(), &places)
    });
    let columns = columns.collect::<std::result::Result<_, _>>()?;
    let present = present.finish();
    Ok((columns, (present.count_set_bits() < total).then_some(present)))
}

/// The same of one piece.
fn placed(piece: &Piece, total: usize) -> Result<(Vec<ArrayRef>, Option<BooleanBuffer>)> {
    if let Groups::First(count) = piece.groups
        && count as usize == total
    {
        return Ok((piece.columns.clone(), None));
    }
    let mut places = vec![0_u32; total];
    let mut present = BooleanBufferBuilder::new(total);
    present.append_n(total, false);
    for (row, group) in (0..).zip(piece.groups.numbers().iter()) {
        places[*group as usize] = row;
        present.set_bit(*group as usize, true);
    }
    let present = present.finish();
    let some_missing = piece.rows() < total;
    let nulls = some_missing.then(|| NullBuffer::new(present.clone()));
    let places = UInt32Array::new(places.into(), nulls);
    let columns = piece.columns.iter().map(|column| take(column, &places, None));
    Ok((columns.collect::<std::result::Result<_, _>>()?, some_missing.then_some(present)))
}

/// The plugin's columns of state as the one column that the runtime keeps.
pub(super) fn as_state(fields: &Fields, columns: Vec<ArrayRef>, present: Option<BooleanBuffer>) -> Result<ArrayRef> {
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, present.map(NullBuffer::new))?))
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn piece(groups: &[u32], values: &[i64]) -> Piece {
        Piece { groups: Groups::These(groups.to_vec()), columns: vec![Arc::new(Int64Array::from(values.to_vec()))] }
    }

    #[test]
    fn groups_are_put_in_order_and_those_that_are_not_there_are_null() {
        let fields = Fields::from(vec![Field::new("n", DataType::Int64, false)]);
        let pieces = [piece(&[3, 0], &[30, 1]), piece(&[1], &[10])];
        let (columns, present) = assembled(&fields, &pieces, 4).expect("fits");
        let state = as_state(&fields, columns, present).expect("nulls are masked");
        assert_eq!(state.nulls().expect("one is not there").iter().collect::<Vec<_>>(), [true, true, false, true]);
        let back = Piece::of_state(&state, &[5, 6, 7, 8]).expect("a state");
        assert_eq!(*back.groups.numbers(), [5, 6, 8]);
        assert_eq!(&*back.columns[0], &Int64Array::from(vec![1, 10, 30]));
        let seven = Int64Array::from(vec![7, 8]);
        let first = Piece { groups: Groups::First(2), ..piece(&[], &[7, 8]) };
        for of_one in [first.clone(), piece(&[0, 1], &[7, 8]), piece(&[1, 0], &[8, 7])] {
            let (columns, present) = assembled(&fields, &[of_one], 2).expect("fits");
            assert_eq!((&*columns[0], present), (&seven as &dyn Array, None));
        }
        let (columns, present) = assembled(&fields, &[first], 3).expect("fits");
        let present = present.expect("one is not there");
        assert_eq!(present.iter().collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(&*columns[0].slice(0, 2), &seven as &dyn Array);
    }
}
