//! Windows: which rows of a key belong together, and when what is known of them is put out.
//!
//! Tumbling and sliding windows are made of [`panes`](panes::PaneWindows): each row is added to one pane, and a window is the
//! sum of its panes. Sessions and windows of so many rows are [`runs`](runs::RunWindows) of a key's rows.

mod aggregators;
mod base;
mod combine;
mod factory;
mod index;
mod input;
mod late;
mod layout;
mod pane;
mod panes;
mod results;
mod revisions;
mod runs;
mod sliding;
mod spec;
mod times;
mod view;
mod waiting;

pub use factory::WindowFactory;
pub use late::late_schema;
pub(crate) use layout::listed;
pub use spec::Window;
pub(crate) use spec::text;
pub(crate) use view::numbers;

/// Name of the column with the beginning of a result's window.
pub(crate) const WINDOW_START: &str = "window_start";
/// Name of the column with the end of a result's window, which is not part of it.
pub(crate) const WINDOW_END: &str = "window_end";
