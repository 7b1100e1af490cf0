//! The rows that `dedupe` has kept, for whoever looks at a checkpoint.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use volley_api::{Result, StateDecoder, StateEntry, StateRows, StateView};

use super::kept::KEPT;
use crate::keyed::KeyCodec;
use crate::window::numbers;

/// The state of an operator with these keys.
pub(super) fn view(keys: &[FieldRef], codec: KeyCodec, layout: &Arc<str>) -> StateView {
    let decoder = Arc::new(KeptRows { keys: codec });
    StateView::new(KEPT, "rows kept", layout, keys, [StateView::time("kept_at")], decoder)
}

/// What [`super::kept::Kept`] keeps.
#[derive(Debug)]
struct KeptRows {
    keys: KeyCodec,
}

impl StateDecoder for KeptRows {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let mut columns = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        columns.push(StateView::times(&numbers(entries)?));
        Ok(StateRows::one_each(entries, columns))
    }
}
