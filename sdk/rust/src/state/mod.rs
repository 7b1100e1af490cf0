//! Keyed state that the host holds for a process operator: what is declared, and typed handles to it.
//!
//! An operator declares its states once, in [`ProcessOperator::states`](crate::ProcessOperator::states), and knows each by
//! its place there. Handles read and write whole batches, by the numbers of keys: [`ValueState`], [`MapState`],
//! [`ListState`], [`MergeState`]. A row-wise function takes what its row's key has: `&mut` [`Value`], [`Map`], [`List`] or
//! [`Merged`].

mod ahead;
mod handles;
mod host;
mod list;
mod map;
mod merge_row;
mod merged;
mod row;
mod shared;
#[cfg(test)]
mod tests;
mod values;
mod wire;

pub use handles::{ListState, MapState, MergeState, ValueState};
pub(crate) use host::{Found, FoundEntries, Host};
pub use list::List;
pub use map::Map;
pub use merge_row::{MergeRow, MergeValue};
pub use merged::Merged;
pub use row::{StateRow, StateValue};
pub use shared::Shared;
pub use values::{Value, Values};
pub(crate) use wire::{ColumnsWire, StateWire};

use thiserror::Error;

use crate::{Failure, Field, Schema};

/// How the values of a merged state come together, column by column. Its columns are `i64`, `u64` or `f64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MergeFunction {
    /// Their sum.
    Sum,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
}

/// What there is for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateKind {
    /// One row, or none.
    Value,
    /// Rows, each under a row of map keys.
    Map,
    /// Rows, in the order in which they were appended.
    List,
    /// One row, or none, to which rows are added without being read: a function for each column.
    Merge(Vec<MergeFunction>),
}

/// A piece of keyed state that the host holds for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDeclaration {
    /// Unique within the operator; `[a-z][a-z0-9_-]*`. Checkpoints know the state by it.
    pub name: String,
    /// What there is for each key.
    pub kind: StateKind,
    /// The columns of a map's keys.
    pub map_keys: Option<Schema>,
    /// The columns of the values.
    pub values: Schema,
    /// Counts up whenever what the values mean has changed.
    pub version: u32,
    /// After how many milliseconds without a write a value is gone.
    pub ttl_ms: Option<u64>,
}

impl StateDeclaration {
    fn new(name: &str, kind: StateKind, map_keys: Option<Schema>, values: Schema) -> Self {
        Self { name: name.to_owned(), kind, map_keys, values, version: 1, ttl_ms: None }
    }

    /// One row of `T` for each key.
    #[must_use]
    pub fn value<T: StateRow>(name: &str) -> Self {
        Self::new(name, StateKind::Value, None, columns::<T>("value"))
    }

    /// Rows of `V` for each key, under rows of `K`.
    #[must_use]
    pub fn map<K: StateRow, V: StateRow>(name: &str) -> Self {
        Self::new(name, StateKind::Map, Some(columns::<K>("key")), columns::<V>("value"))
    }

    /// Rows of `T` for each key, in order.
    #[must_use]
    pub fn list<T: StateRow>(name: &str) -> Self {
        Self::new(name, StateKind::List, None, columns::<T>("value"))
    }

    /// One row of `T` for each key, to which rows are added by these functions, one for each column.
    #[must_use]
    pub fn merge<T: StateRow>(name: &str, functions: impl Into<Vec<MergeFunction>>) -> Self {
        Self::new(name, StateKind::Merge(functions.into()), None, columns::<T>("value"))
    }

    /// With this version; 1 unless told.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Gone after so many milliseconds without a write: of event time, or of the host's clock where rows have none.
    #[must_use]
    pub fn with_ttl_ms(mut self, ttl_ms: u64) -> Self {
        self.ttl_ms = Some(ttl_ms);
        self
    }
}

/// The columns of a row type: `value`, or `value0`, `value1`, …
fn columns<T: StateRow>(name: &str) -> Schema {
    let types = T::data_types();
    let several = types.len() > 1;
    let field = |(index, data_type)| match several {
        true => Field::new(format!("{name}{index}"), data_type),
        false => Field::new(name, data_type),
    };
    Schema::new(types.into_iter().enumerate().map(field))
}

/// State or timers were refused. It turns into a fatal [`Failure`] with `?`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct StateError(pub String);

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Fatal(error.0)
    }
}
