//! Typed handles to declared states, for whole batches of keys.

use std::marker::PhantomData;

use super::wire::ColumnsWire;
use super::{StateError, StateRow};
use crate::bits::Bits;
use crate::process::Context;

/// Rows of state by key: `None` where there is none.
type Rows<T> = Result<Vec<Option<T>>, StateError>;

/// Entries, and how many bytes they had on the way.
type Counted<E> = Result<(Vec<E>, usize), StateError>;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident<$($type:ident),+>) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<$($type),+> {
            state: u32,
            of: PhantomData<fn() -> ($($type,)+)>,
        }

        impl<$($type: StateRow),+> $name<$($type),+> {
            /// The state at this place of [`ProcessOperator::states`](crate::ProcessOperator::states).
            #[must_use]
            pub const fn at(place: u32) -> Self {
                Self { state: place, of: PhantomData }
            }

            /// Removes all that there is of groups.
            ///
            /// # Errors
            /// [`StateError`] when the host refuses.
            pub fn remove(&self, cx: &mut Context<'_>, groups: &[u32]) -> Result<(), StateError> {
                if groups.is_empty() { Ok(()) } else { cx.host.remove(self.state, groups) }
            }
        }
    };
}

handle! {
    /// One row for each key, or none.
    ValueState<T>
}
handle! {
    /// Rows for each key, under keys of their own.
    MapState<K, V>
}
handle! {
    /// Rows for each key, in order.
    ListState<T>
}
handle! {
    /// One row for each key, to which rows are added without being read.
    MergeState<T>
}

/// The rows that were found.
fn found<T: StateRow>(wire: &ColumnsWire, present: &[u8], message: &[u8]) -> Rows<T> {
    wire.read(message, |batch| {
        let mut rows = T::read(batch).map_err(|error| StateError(error.to_string()))?;
        let bits = Bits::new(present, 0, rows.len());
        let absent = rows.iter_mut().enumerate().filter(|(row, _)| !bits.get(*row));
        absent.for_each(|(_, value)| *value = None);
        Ok(rows)
    })
}

/// The columns of rows, and how many.
pub(super) fn built<T: StateRow>(rows: impl IntoIterator<Item = T>) -> (Vec<crate::Array>, usize) {
    let mut builders = T::builders();
    let mut count = 0;
    for row in rows {
        row.push_row(&mut builders);
        count += 1;
    }
    (T::finish(builders), count)
}

fn check(rows: usize, groups: &[u32]) -> Result<(), StateError> {
    if rows == groups.len() { Ok(()) } else { Err(StateError(format!("{rows} rows for {} groups", groups.len()))) }
}

impl<T: StateRow> ValueState<T> {
    /// The values of groups.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn get(&self, cx: &mut Context<'_>, groups: &[u32]) -> Rows<T> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let (present, message) = cx.host.get(self.state, groups)?;
        found(&cx.states[self.state as usize].values, &present, &message)
    }

    /// Sets the values of groups, one for each.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn put(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), StateError> {
        let (columns, rows) = built(values);
        check(rows, groups)?;
        if rows == 0 {
            return Ok(());
        }
        cx.states[self.state as usize].values.encode(&columns, rows, cx.message)?;
        cx.host.put(self.state, groups, cx.message.bytes())
    }
}

impl<T: StateRow> MergeState<T> {
    /// What there is of groups.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn get(&self, cx: &mut Context<'_>, groups: &[u32]) -> Rows<T> {
        ValueState::<T>::at(self.state).get(cx, groups)
    }

    /// Adds a row to each group; one that occurs several times gets all of its rows.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses, or a sum does not fit.
    pub fn add(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        rows: impl IntoIterator<Item = T>,
    ) -> Result<(), StateError> {
        let (columns, rows) = built(rows);
        check(rows, groups)?;
        if rows == 0 {
            return Ok(());
        }
        cx.states[self.state as usize].values.encode(&columns, rows, cx.message)?;
        cx.host.merge(self.state, groups, cx.message.bytes())
    }
}

impl<T: StateRow> ListState<T> {
    /// Puts a row behind what there is of each group, in order.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn append(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        rows: impl IntoIterator<Item = T>,
    ) -> Result<(), StateError> {
        let (columns, rows) = built(rows);
        check(rows, groups)?;
        if rows == 0 {
            return Ok(());
        }
        cx.states[self.state as usize].values.encode(&columns, rows, cx.message)?;
        cx.host.append(self.state, groups, cx.message.bytes())
    }

    /// All rows of groups, each with the place of its group in `groups`. No group may occur twice.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn entries(&self, cx: &mut Context<'_>, groups: &[u32]) -> Result<Vec<(u32, T)>, StateError> {
        self.read(cx, groups).map(|(entries, _)| entries)
    }

    /// The same, counted.
    pub(super) fn read(&self, cx: &mut Context<'_>, groups: &[u32]) -> Counted<(u32, T)> {
        let (places, _, message) = cx.host.entries(self.state, groups)?;
        let values = all::<T>(&cx.states[self.state as usize].values, &message)?;
        Ok((places.into_iter().zip(values).collect(), message.len()))
    }
}

fn all<T: StateRow>(wire: &ColumnsWire, message: &[u8]) -> Result<Vec<T>, StateError> {
    wire.read(message, |batch| {
        let rows = T::read(batch).map_err(|error| StateError(error.to_string()))?;
        rows.into_iter()
            .map(|row| row.ok_or_else(|| StateError("an entry of state without a value".to_owned())))
            .collect()
    })
}

impl<K: StateRow, V: StateRow> MapState<K, V> {
    fn with_keys<R>(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        keys: impl IntoIterator<Item = K>,
        then: impl FnOnce(&mut Context<'_>, &[u8]) -> Result<R, StateError>,
    ) -> Result<R, StateError> {
        let (columns, rows) = built(keys);
        check(rows, groups)?;
        let mut message = crate::buffer::Buffer::new();
        cx.states[self.state as usize].map_keys.encode(&columns, rows, &mut message)?;
        then(cx, message.bytes())
    }

    /// For each group the value under a key.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn get(&self, cx: &mut Context<'_>, groups: &[u32], keys: impl IntoIterator<Item = K>) -> Rows<V> {
        let state = self.state;
        let (present, message) = self.with_keys(cx, groups, keys, |cx, keys| cx.host.map_get(state, groups, keys))?;
        found(&cx.states[state as usize].values, &present, &message)
    }

    /// Sets for each group the value under a key.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn put(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        keys: impl IntoIterator<Item = K>,
        values: impl IntoIterator<Item = V>,
    ) -> Result<(), StateError> {
        let (columns, rows) = built(values);
        check(rows, groups)?;
        let state = self.state;
        self.with_keys(cx, groups, keys, |cx, keys| {
            cx.states[state as usize].values.encode(&columns, rows, cx.message)?;
            cx.host.map_put(state, groups, keys, cx.message.bytes())
        })
    }

    /// Removes for each group the entry of a key.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn remove_keys(
        &self,
        cx: &mut Context<'_>,
        groups: &[u32],
        keys: impl IntoIterator<Item = K>,
    ) -> Result<(), StateError> {
        let state = self.state;
        self.with_keys(cx, groups, keys, |cx, keys| cx.host.map_remove(state, groups, keys))
    }

    /// All entries of groups in the order of their keys, each with the place of its group in `groups`. No group may occur
    /// twice.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn entries(&self, cx: &mut Context<'_>, groups: &[u32]) -> Result<Vec<(u32, K, V)>, StateError> {
        self.read(cx, groups).map(|(entries, _)| entries)
    }

    /// The same, counted.
    pub(super) fn read(&self, cx: &mut Context<'_>, groups: &[u32]) -> Counted<(u32, K, V)> {
        let (places, keys, values) = cx.host.entries(self.state, groups)?;
        let (wire, bytes) = (&cx.states[self.state as usize], keys.len() + values.len());
        let (keys, values) = (all::<K>(&wire.map_keys, &keys)?, all::<V>(&wire.values, &values)?);
        let entries = places.into_iter().zip(keys).zip(values).map(|((place, key), value)| (place, key, value));
        Ok((entries.collect(), bytes))
    }
}
