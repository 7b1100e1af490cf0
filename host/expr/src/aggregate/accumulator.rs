//! What every aggregate is driven by: a few whole-column calls over dense group numbers.

use arrow::array::{ArrayRef, Int64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::error::ArrowError;

/// The state of one aggregate for all groups, in vectors by group. The calls and their order are those of
/// [`volley_api::Aggregator`].
pub(super) trait Accumulator: Send {
    /// Takes in the rows of a batch.
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure>;

    /// Takes in state that [`Accumulator::drain`] gave out, of the types that were agreed.
    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure>;

    /// Gives out the state of the groups `0..groups_total` and is empty afterwards.
    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure>;

    /// Gives out the results of the groups `0..groups_total` and is empty afterwards.
    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure>;

    /// About how many bytes it holds.
    fn memory_bytes(&self) -> usize;
}

/// Why an accumulator cannot go on. Who calls it adds the aggregate's name.
#[derive(Debug)]
pub(super) enum Failure {
    /// A result beyond its type, in words.
    Overflow(String),
    /// What cannot be, in words.
    Broken(String),
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What an accumulator gets of a batch.
pub(super) struct Input<'a> {
    pub(super) rows: Rows<'a>,
    /// The argument's values, one a row; `None` for `count(*)`.
    pub(super) values: Option<&'a ArrayRef>,
    /// The rows' event times, for the aggregates that need them.
    pub(super) times: Option<&'a Int64Array>,
}

impl<'a> Input<'a> {
    pub(super) fn values(&self) -> Result<&'a ArrayRef, Failure> {
        self.values.ok_or_else(|| Failure::Broken("it has no argument".into()))
    }

    pub(super) fn times(&self) -> Result<&'a Int64Array, Failure> {
        self.times.ok_or_else(|| Failure::Broken("there are no event times".into()))
    }
}

/// Which rows belong to which groups.
pub(super) struct Rows<'a> {
    /// The group of each row.
    pub(super) groups: &'a [usize],
    /// Greater than every one of them.
    pub(super) groups_total: usize,
    /// The rows that count, where some do not.
    pub(super) counted: Option<&'a BooleanBuffer>,
}

impl<'a> Rows<'a> {
    /// All rows of state but those that are null.
    pub(super) fn of_state(groups: &'a [usize], groups_total: usize, nulls: Option<&'a NullBuffer>) -> Self {
        Self { groups, groups_total, counted: nulls.map(NullBuffer::inner) }
    }

    /// Calls `each` with row and group of every row that counts, in order.
    pub(super) fn for_each(&self, mut each: impl FnMut(usize, usize)) {
        match self.counted {
            None => self.groups.iter().enumerate().for_each(|(row, &group)| each(row, group)),
            Some(counted) => counted.set_indices().for_each(|row| each(row, self.groups[row])),
        }
    }

    /// Calls `each` with group and value of every row that counts, in order, until it fails. Without a branch or a bound
    /// check for rows where all rows count, which is what the speed of most jobs hangs on.
    #[inline]
    pub(super) fn try_for_each_value<N: Copy, E>(
        &self,
        values: &[N],
        mut each: impl FnMut(usize, N) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.counted {
            None => self.groups.iter().zip(values).try_for_each(|(&group, &value)| each(group, value)),
            Some(counted) => {
                for row in counted.set_indices() {
                    each(self.groups[row], values[row])?;
                }
                Ok(())
            }
        }
    }
}

/// Which groups have seen a value.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<bool>);

impl Seen {
    pub(super) fn grow(&mut self, groups_total: usize) {
        grow(&mut self.0, groups_total);
    }

    pub(super) fn add(&mut self, group: usize) {
        self.0[group] = true;
    }

    pub(super) fn has(&self, group: usize) -> bool {
        self.0[group]
    }

    /// The groups without a value as nulls. It is empty afterwards.
    pub(super) fn take_nulls(&mut self, groups_total: usize) -> Option<NullBuffer> {
        let seen = take(&mut self.0, groups_total);
        if seen.iter().all(|&seen| seen) { None } else { Some(NullBuffer::from(seen)) }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity()
    }
}

/// Makes room for the groups below `groups_total`.
pub(super) fn grow<T: Clone + Default>(by_group: &mut Vec<T>, groups_total: usize) {
    if by_group.len() < groups_total {
        by_group.resize(groups_total, T::default());
    }
}

/// What is known of the groups below `groups_total`, leaving nothing behind.
pub(super) fn take<T: Clone + Default>(by_group: &mut Vec<T>, groups_total: usize) -> Vec<T> {
    let mut taken = std::mem::take(by_group);
    taken.resize(groups_total, T::default());
    taken
}

/// The bytes that a vector holds.
pub(super) fn vec_bytes<T>(vector: &Vec<T>) -> usize {
    vector.capacity() * size_of::<T>()
}
