//! The list of a row's key, for row-wise functions: read when it is asked for, written after the last row.

use super::ahead::Ahead;
use super::shared::Shared;
use super::{ListState, StateRow};

/// The list of a key: what a row-wise function takes as `&mut List<T>`. It holds rows, in the order in which they came.
///
/// [`push`](Self::push) and [`clear`](Self::clear) read nothing. [`get`](Self::get) and [`take`](Self::take) read the whole list,
/// once in a batch, and where many keys of a batch are asked for, those of several in one call of the host. What is written is
/// seen at once, and reaches the host after the last row of the batch.
///
/// Where the host refuses to read, the call fails once the function has returned, whatever it made of finding nothing; nothing
/// of the call is stored.
pub struct List<'s, T: StateRow> {
    shared: &'s Shared<'s>,
    state: ListState<T>,
    groups: &'s [u32],
    /// For each group what is known of its list.
    lists: Vec<OfKey<T>>,
    /// The place of the group that is under way.
    at: usize,
    ahead: Ahead,
}

/// What is known of a list.
struct OfKey<T> {
    /// What is stored, if it was read, and what the batch has put behind it.
    rows: Vec<T>,
    /// How many of them are stored.
    stored: usize,
    is_read: bool,
    /// Whether what the host has of the list has to go.
    is_cleared: bool,
}

impl<T: StateRow> List<'_, T> {
    /// All rows, the first one first.
    pub fn get(&mut self) -> &[T] {
        self.know();
        &self.lists[self.at].rows
    }

    /// Puts a row behind the others.
    pub fn push(&mut self, row: T) {
        self.lists[self.at].rows.push(row);
    }

    /// Removes all rows; gives what there was. Rows that are put back live as long as new ones do.
    pub fn take(&mut self) -> Vec<T> {
        self.know();
        let rows = std::mem::take(&mut self.lists[self.at].rows);
        self.clear();
        rows
    }

    /// Removes all rows. Nothing is read.
    pub fn clear(&mut self) {
        let list = &mut self.lists[self.at];
        list.rows.clear();
        // Also of a list that was read and is empty: the host may have rows whose time is over.
        (list.is_cleared, list.is_read, list.stored) = (true, true, 0);
    }

    /// Sees to it that the list is known.
    fn know(&mut self) {
        let all = &self.lists;
        let Some((places, groups)) = self.ahead.ask(self.at, self.groups, |place| all[place].is_read) else { return };
        let Some((rows, bytes)) = self.shared.ask(|cx| self.state.read(cx, &groups)) else { return };
        self.ahead.took(places.len(), bytes);
        // Rows come list by list.
        let mut rows = rows.into_iter().peekable();
        for (of, place) in (0_u32..).zip(places) {
            let list = &mut self.lists[place as usize];
            let mut all = Vec::new();
            while let Some((_, row)) = rows.next_if(|(place, _)| *place == of) {
                all.push(row);
            }
            (list.is_read, list.stored) = (true, all.len());
            all.append(&mut list.rows);
            list.rows = all;
        }
    }
}

impl<'s, T: StateRow> List<'s, T> {
    /// The lists of these groups, each of which occurs once; nothing is read.
    #[doc(hidden)]
    #[must_use]
    pub fn new(shared: &'s Shared<'s>, place: u32, groups: &'s [u32]) -> Self {
        let list = |_| OfKey { rows: Vec::new(), stored: 0, is_read: false, is_cleared: false };
        let lists = groups.iter().map(list).collect();
        Self { shared, state: ListState::at(place), groups, lists, at: 0, ahead: Ahead::default() }
    }

    /// The list of the group at this place.
    #[doc(hidden)]
    pub fn at(&mut self, place: u32) -> &mut Self {
        self.at = place as usize;
        self
    }

    /// Writes what has changed.
    #[doc(hidden)]
    pub fn store(self) {
        let (mut cleared, mut groups, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (list, group) in self.lists.into_iter().zip(self.groups) {
            if list.is_cleared {
                cleared.push(*group);
            }
            for row in list.rows.into_iter().skip(list.stored) {
                groups.push(*group);
                rows.push(row);
            }
        }
        let state = self.state;
        self.shared.ask(|cx| {
            state.remove(cx, &cleared)?;
            state.append(cx, &groups, rows)
        });
    }
}
