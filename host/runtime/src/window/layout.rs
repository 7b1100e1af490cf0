//! How state of windows is laid out, in words that a checkpoint keeps: what says something else is refused at a restore.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::FieldRef;

use super::Window;
use crate::time::ms;

/// The layout of what is kept by key: `keys [user: Int64]; state [sum: Int64]; tumbling 60000 ms; rows-1`. The last word is
/// the version of the bytes.
pub(crate) fn layout(keys: &[FieldRef], state: &[FieldRef], window: Window, lateness: Duration) -> Arc<str> {
    let window = match window {
        Window::Tumbling { size } => format!("tumbling {} ms", ms(size)),
        Window::Sliding { size, slide } => format!("sliding {} ms by {} ms", ms(size), ms(slide)),
        Window::Session { gap } => format!("session {} ms", ms(gap)),
        Window::Count { rows } => format!("every {rows} rows"),
        Window::Global => "global".to_owned(),
    };
    let mut layout = format!("keys [{}]; state [{}]; {window}", listed(keys), listed(state));
    if !lateness.is_zero() {
        // Writing to a text cannot fail.
        let _ = write!(layout, "; {} ms late", ms(lateness));
    }
    layout.push_str("; rows-1");
    layout.into()
}

/// Columns by name and type.
pub(crate) fn listed(fields: &[FieldRef]) -> String {
    let field = |field: &FieldRef| format!("{}: {}", field.name(), field.data_type());
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}
