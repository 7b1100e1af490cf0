//! Runs, and when they are due, as rows for whoever looks at a checkpoint.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use volley_api::{Result, StateDecoder, StateEntry, StateRows, StateView};

use super::due::DUE;
use super::run::{self, Run};
use crate::keyed::{KeyCodec, RowCodec};
use crate::window::base::WINDOWS;
use crate::window::factory::REVISION;
use crate::window::input::internal;
use crate::window::view::{numbers, state_columns};
use crate::window::{WINDOW_END, WINDOW_START, Window};

/// The states of a window that is made of runs.
pub(in crate::window) fn views(
    window: Window,
    keys: &[FieldRef],
    state: &[FieldRef],
    layout: &Arc<str>,
    codec: impl Fn() -> Result<KeyCodec>,
) -> Result<Vec<StateView>> {
    let are_sessions = matches!(window, Window::Session { .. });
    let column = |name: &str, data_type: DataType| -> FieldRef { Arc::new(Field::new(name, data_type, true)) };
    let rows = column("rows", DataType::UInt64);
    let mut others = vec![rows];
    if are_sessions {
        let revision = [column(REVISION, DataType::Int64), column("is_changed", DataType::Boolean)];
        others = [StateView::time(WINDOW_START), StateView::time(WINDOW_END)].into_iter().chain(others).collect();
        others.extend(revision);
    }
    others.extend(state_columns(state));
    let states = RowCodec::new(state.iter().map(|field| field.data_type()))?;
    let kind = if are_sessions { "sessions" } else { "windows of rows" };
    let runs = Runs { keys: codec()?, states, are_sessions };
    let mut views = vec![StateView::new(WINDOWS, kind, layout, keys, others, Arc::new(runs))];
    if are_sessions {
        let due = Dues { keys: codec()? };
        views.push(StateView::new(
            DUE,
            "times to look at keys",
            layout,
            keys,
            [StateView::time("due_at")],
            Arc::new(due),
        ));
    }
    Ok(views)
}

/// What [`super::store::Store`] keeps: the runs of a key as one value.
#[derive(Debug)]
struct Runs {
    keys: KeyCodec,
    states: RowCodec,
    /// Windows of so many rows have no time.
    are_sessions: bool,
}

impl StateDecoder for Runs {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let (mut of, mut runs): (Vec<usize>, Vec<Run>) = (Vec::new(), Vec::new());
        for (number, entry) in entries.iter().enumerate() {
            let decoded = run::decode(&entry.value)?;
            of.resize(of.len() + decoded.len(), number);
            runs.extend(decoded);
        }
        let keys = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        let places: UInt32Array = of.iter().map(|number| u32::try_from(*number).ok()).collect();
        let keys = keys.iter().map(|column| take(column, &places, None).map_err(internal));
        let mut columns: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        if self.are_sessions {
            columns.push(StateView::times(runs.iter().map(|run| Some(run.start_ms))));
            columns.push(StateView::times(runs.iter().map(|run| Some(run.end_ms))));
        }
        columns.push(Arc::new(UInt64Array::from_iter_values(runs.iter().map(|run| run.rows))));
        if self.are_sessions {
            columns.push(Arc::new(runs.iter().map(|run| run.revision).collect::<Int64Array>()));
            columns.push(Arc::new(runs.iter().map(|run| Some(run.is_changed)).collect::<BooleanArray>()));
        }
        columns.extend(self.states.decode(runs.iter().map(|run| &run.state[..]))?);
        Ok(StateRows { entries: of, columns })
    }
}

/// What [`super::due::Due`] keeps.
#[derive(Debug)]
struct Dues {
    keys: KeyCodec,
}

impl StateDecoder for Dues {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let mut columns = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        columns.push(StateView::times(&numbers(entries)?));
        Ok(StateRows::one_each(entries, columns))
    }
}
