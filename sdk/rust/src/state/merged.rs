//! The merged row of a row's key, for row-wise functions: read when it is asked for, added to after the last row.

use super::ahead::Ahead;
use super::shared::Shared;
use super::{MergeFunction, MergeRow, MergeState, StateError};

/// The merged row of a key: what a row-wise function takes as `&mut Merged<T>`, with `#[state(merge = "sum")]` in front of it.
/// Rows are added to it, column by column by `sum`, `min` or `max`.
///
/// [`add`](Self::add) and [`clear`](Self::clear) read nothing: a function that only adds costs no read at all.
/// [`get`](Self::get) reads, once in a batch, and where many keys of a batch are asked for, those of several in one call of the
/// host. What is added is seen at once, and reaches the host row by row after the last row of the batch: sums of floats are
/// those of the rows in their order, however they are cut into batches.
///
/// Where the host refuses to read, or a sum of integers does not fit, the call fails once the function has returned, whatever it
/// made of finding nothing; nothing of the call is stored. Of a sum that does not fit the host looks for the row that made it so:
/// that one goes to `errors`, is dropped, or stops the job.
pub struct Merged<'s, T: MergeRow> {
    shared: &'s Shared<'s>,
    state: MergeState<T>,
    name: &'static str,
    functions: &'static [MergeFunction],
    groups: &'s [u32],
    /// For each group what is known of its row.
    merged: Vec<OfKey<T>>,
    /// The place of the group that is under way.
    at: usize,
    ahead: Ahead,
}

/// What is known of a merged row.
struct OfKey<T> {
    /// What the batch has added, in order.
    added: Vec<T>,
    /// All that there is, if it was read.
    sum: Option<T>,
    is_read: bool,
    /// Whether what the host has has to go.
    is_cleared: bool,
}

impl<T: MergeRow> Merged<'_, T> {
    /// What there is: all rows that were added, merged; `None` where none was.
    pub fn get(&mut self) -> Option<&T> {
        self.know();
        self.merged[self.at].sum.as_ref()
    }

    /// Adds a row. In a column that is an `Option`, `None` adds nothing.
    pub fn add(&mut self, row: T) {
        let merged = &mut self.merged[self.at];
        merged.added.push(row);
        if merged.is_read {
            self.merge(self.at, row);
        }
    }

    /// Removes what there is. Nothing is read.
    pub fn clear(&mut self) {
        let merged = &mut self.merged[self.at];
        merged.added.clear();
        (merged.is_read, merged.sum, merged.is_cleared) = (true, None, true);
    }

    fn merge(&mut self, place: usize, row: T) {
        let sum = &mut self.merged[place].sum;
        *sum = match *sum {
            None => Some(row),
            Some(before) => before.with(row, self.functions),
        };
        if sum.is_none() {
            self.shared.fail_by_row(StateError(format!("a sum of the state `{}` does not fit its column", self.name)));
        }
    }

    /// Sees to it that it is known what there is.
    fn know(&mut self) {
        let all = &self.merged;
        let Some((places, groups)) = self.ahead.ask(self.at, self.groups, |place| all[place].is_read) else { return };
        let Some(stored) = self.shared.ask(|cx| self.state.get(cx, &groups)) else { return };
        // Rows of numbers are so short that how many bytes they have does not matter.
        self.ahead.took(places.len(), 0);
        for (place, stored) in places.into_iter().zip(stored) {
            let place = place as usize;
            (self.merged[place].is_read, self.merged[place].sum) = (true, stored);
            for at in 0..self.merged[place].added.len() {
                self.merge(place, self.merged[place].added[at]);
            }
        }
    }
}

impl<'s, T: MergeRow> Merged<'s, T> {
    /// The merged rows of these groups, each of which occurs once; nothing is read.
    #[doc(hidden)]
    #[must_use]
    pub fn new(
        shared: &'s Shared<'s>,
        place: u32,
        groups: &'s [u32],
        name: &'static str,
        functions: &'static [MergeFunction],
    ) -> Self {
        let row = |_| OfKey { added: Vec::new(), sum: None, is_read: false, is_cleared: false };
        let merged = groups.iter().map(row).collect();
        Self { shared, state: MergeState::at(place), name, functions, groups, merged, at: 0, ahead: Ahead::default() }
    }

    /// The merged row of the group at this place.
    #[doc(hidden)]
    pub fn at(&mut self, place: u32) -> &mut Self {
        self.at = place as usize;
        self
    }

    /// Writes what was added.
    #[doc(hidden)]
    pub fn store(self) {
        let (mut cleared, mut groups, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (merged, group) in self.merged.into_iter().zip(self.groups) {
            if merged.is_cleared {
                cleared.push(*group);
            }
            groups.extend(merged.added.iter().map(|_| *group));
            rows.extend(merged.added);
        }
        let (state, name) = (self.state, self.name);
        self.shared.ask(|cx| state.remove(cx, &cleared));
        // Rows of these columns are refused where a sum does not fit, and by limits, which are some row's fault too. What the
        // host cannot store fails the call whatever becomes of it here.
        if let Some(Err(error)) = self.shared.ask(|cx| Ok(state.add(cx, &groups, rows))) {
            self.shared.fail_by_row(StateError(format!("rows were not added to the state `{name}`: {error}")));
        }
    }
}
