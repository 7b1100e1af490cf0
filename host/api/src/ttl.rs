//! What an operator may ask of a state beyond its layout: how long its entries live, and how many of them a cache keeps.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use crate::Clock;

/// What an operator may ask of a state beside its layout. Default: entries live until they are removed, and caches are
/// bounded by their bytes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateOptions {
    /// How long after its last write an entry lives, in milliseconds by the host's clock. It may change from one start to
    /// the next, but not come or go: values of a state with a time to live carry when they were written.
    pub ttl_ms: Option<NonZeroU64>,
    /// How many entries a backend on disk keeps in memory in front of it, beside the bound on their bytes. No effect on state
    /// in memory.
    pub cache_entries_max: Option<NonZeroUsize>,
}

impl StateOptions {
    /// How a checkpoint names a state of this layout: it says whether values carry when they were written.
    #[must_use]
    pub fn stored_layout(&self, layout: &Arc<str>) -> Arc<str> {
        stored_layout(layout, self.ttl_ms.is_some())
    }
}

/// How long entries of a state live, by which clock.
///
/// An entry that was written at `t` is there for every call before `t + ms`, and for none from then on. Writing it again
/// counts, reading it does not. A clock that goes back lets entries live longer, and brings none back that was removed.
#[derive(Debug, Clone)]
pub struct StateTtl {
    /// How long, in milliseconds.
    pub ms: NonZeroU64,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
}

impl StateTtl {
    /// Whether an entry that was written at `written_ms` is gone at `now_ms`.
    #[must_use]
    pub fn has_passed(&self, written_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(written_ms) >= self.ms.get()
    }
}

/// What follows a layout whose values carry when they were written. The last word is the version of how that stands there.
const WITH_TIMES: &str = "; with time of writing, ttl-1";

/// A layout as checkpoints name it.
pub(crate) fn stored_layout(layout: &Arc<str>, has_ttl: bool) -> Arc<str> {
    if has_ttl { format!("{layout}{WITH_TIMES}").into() } else { Arc::clone(layout) }
}

/// Whether a layout, as a checkpoint names it, is one of values that carry when they were written.
pub(crate) fn has_write_times(layout: &str) -> bool {
    layout.ends_with(WITH_TIMES)
}
