//! What panes and revisions keep, as rows for whoever looks at a checkpoint.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use volley_api::{Error, Result, StateDecoder, StateEntry, StateRows, StateView, StreamType};

use super::base::WINDOWS;
use super::factory::{Planned, REVISION};
use super::layout::layout;
use super::revisions::REVISIONS;
use super::spec::Grid;
use super::{WINDOW_END, WINDOW_START, Window, WindowFactory, runs};
use crate::keyed::{KeyCodec, RowCodec};

/// The states of a windowed aggregate.
pub(crate) fn views(factory: &WindowFactory, input: &StreamType) -> Result<Vec<StateView>> {
    let Planned { columns, state, .. } = factory.plan(input)?;
    let keys = columns.key_fields();
    let layout = layout(&keys, &state, factory.window, factory.allowed_lateness);
    let codec = || KeyCodec::new(&columns.key_types());
    if matches!(factory.window, Window::Session { .. } | Window::Count { .. }) {
        return runs::view::views(factory.window, &keys, &state, &layout, codec);
    }
    let grid = factory.window.grid();
    let panes = Panes { keys: codec()?, states: RowCodec::new(state.iter().map(|field| field.data_type()))?, grid };
    let bounds = grid.map_or_else(Vec::new, |grid| bounds(grid).map(StateView::time).to_vec());
    let others = bounds.into_iter().chain(state_columns(&state));
    let mut views = vec![StateView::new(WINDOWS, "aggregates", &layout, &keys, others, Arc::new(panes))];
    if let (true, Some(grid)) = (factory.revises(), grid) {
        let revisions = Fired { keys: codec()?, size_ms: grid.size_ms };
        let revision: FieldRef = Arc::new(Field::new(REVISION, DataType::Int64, false));
        let others = [StateView::time(WINDOW_START), StateView::time(WINDOW_END), revision];
        views.push(StateView::new(REVISIONS, "last revisions", &layout, &keys, others, Arc::new(revisions)));
    }
    Ok(views)
}

/// The columns of aggregates' state, under names that an expression can have: `mean.count` is `mean_count`.
pub(super) fn state_columns(state: &[FieldRef]) -> impl Iterator<Item = FieldRef> {
    state.iter().map(|field| Arc::new(field.as_ref().clone().with_name(field.name().replace('.', "_"))))
}

/// A pane is a window, or a part of several.
fn bounds(grid: Grid) -> [&'static str; 2] {
    if grid.pane_ms == grid.size_ms { [WINDOW_START, WINDOW_END] } else { ["pane_start", "pane_end"] }
}

/// What [`super::base::Base`] keeps.
#[derive(Debug)]
struct Panes {
    keys: KeyCodec,
    states: RowCodec,
    /// `None` for the global window, which has no bounds.
    grid: Option<Grid>,
}

impl StateDecoder for Panes {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let mut columns = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        if let Some(grid) = self.grid {
            columns.extend(bounds_of(entries, grid.pane_ms));
        }
        columns.extend(self.states.decode(entries.iter().map(|entry| &entry.value[..]))?);
        Ok(StateRows::one_each(entries, columns))
    }
}

/// What [`super::revisions::Revisions`] keeps.
#[derive(Debug)]
struct Fired {
    keys: KeyCodec,
    size_ms: i64,
}

impl StateDecoder for Fired {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let mut columns = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        columns.extend(bounds_of(entries, self.size_ms));
        columns.push(Arc::new(numbers(entries)?));
        Ok(StateRows::one_each(entries, columns))
    }
}

/// Beginning and end of stretches of time that namespaces are the beginnings of.
fn bounds_of(entries: &[StateEntry], length_ms: i64) -> [ArrayRef; 2] {
    let start_ms = |entry: &StateEntry| entry.namespace.0;
    [
        StateView::times(entries.iter().map(|entry| Some(start_ms(entry)))),
        StateView::times(entries.iter().map(|entry| start_ms(entry).checked_add(length_ms))),
    ]
}

/// Values of eight bytes: numbers, or times in milliseconds.
pub(crate) fn numbers(entries: &[StateEntry]) -> Result<Int64Array> {
    let number = |entry: &StateEntry| {
        let number = entry.value.as_array().copied().map(i64::from_le_bytes);
        number.ok_or_else(|| Error::external(format!("a stored number has {} bytes, not eight", entry.value.len())))
    };
    entries.iter().map(number).collect()
}
