//! The values of a batch's keys, for row-wise functions: read before the first row, written after the last.

use super::handles::built;
use super::{StateError, StateRow, ValueState};
use crate::process::Context;

/// The value of a key: what a row-wise function takes as `&mut Value<T>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Value<T> {
    value: Option<T>,
    changed: bool,
}

impl<T> Value<T> {
    /// A value that is stored already.
    #[must_use]
    pub fn stored(value: Option<T>) -> Self {
        Self { value, changed: false }
    }

    /// What there is.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Sets it.
    pub fn set(&mut self, value: T) {
        (self.value, self.changed) = (Some(value), true);
    }

    /// Removes it; gives what there was.
    pub fn take(&mut self) -> Option<T> {
        self.changed |= self.value.is_some();
        self.value.take()
    }

    /// Removes it.
    pub fn clear(&mut self) {
        self.take();
    }
}

/// The values of all keys of one call.
#[doc(hidden)]
pub struct Values<T> {
    state: ValueState<T>,
    values: Vec<Value<T>>,
}

impl<T: StateRow> Values<T> {
    /// Reads the values of these groups, each of which occurs once.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn load(cx: &mut Context<'_>, place: u32, groups: &[u32]) -> Result<Self, StateError> {
        let state = ValueState::at(place);
        let values = state.get(cx, groups)?.into_iter().map(Value::stored).collect();
        Ok(Self { state, values })
    }

    /// The value of the group at this place.
    ///
    /// # Panics
    /// When there are not so many groups.
    pub fn at(&mut self, place: u32) -> &mut Value<T> {
        &mut self.values[place as usize]
    }

    /// Writes what has changed; `groups` are those of [`Values::load`].
    ///
    /// # Errors
    /// [`StateError`] when the host refuses.
    pub fn store(self, cx: &mut Context<'_>, place: u32, groups: &[u32]) -> Result<(), StateError> {
        let (mut set, mut gone, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (value, group) in self.values.into_iter().zip(groups).filter(|(value, _)| value.changed) {
            match value.value {
                Some(value) => {
                    set.push(*group);
                    rows.push(value);
                }
                None => gone.push(*group),
            }
        }
        if !set.is_empty() {
            let (columns, count) = built(rows);
            cx.states[place as usize].values.encode(&columns, count, cx.message)?;
            crate::array::spare(columns);
            cx.host.put(place, &set, cx.message.bytes())?;
        }
        self.state.remove(cx, &gone)
    }
}
