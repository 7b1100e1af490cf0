//! How the memory for what is written behind is dealt out: the same to every open state.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the caches of all states may take.
#[derive(Debug)]
pub(crate) struct Shares {
    bytes: usize,
    states: AtomicUsize,
}

impl Shares {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, states: AtomicUsize::new(0) })
    }

    /// A share for one more state, of at most so many entries; those of the others shrink, and they notice at their next
    /// write.
    pub(crate) fn take(self: &Arc<Self>, entries_max: Option<NonZeroUsize>) -> Share {
        self.states.fetch_add(1, Ordering::Relaxed);
        Share { shares: Arc::clone(self), entries_max: entries_max.map_or(usize::MAX, NonZeroUsize::get) }
    }
}

/// How much a cache may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    pub(crate) entries: usize,
}

impl Room {
    /// Whether so much is more than this.
    pub(crate) fn is_exceeded(self, bytes: usize, entries: usize) -> bool {
        bytes > self.bytes || entries > self.entries
    }

    /// A part of it.
    pub(crate) fn part(self, divisor: usize) -> Self {
        Self { bytes: self.bytes / divisor, entries: self.entries / divisor }
    }

    /// What is left of it.
    pub(crate) fn without(self, bytes: usize, entries: usize) -> Self {
        Self { bytes: self.bytes.saturating_sub(bytes), entries: self.entries.saturating_sub(entries) }
    }
}

/// The part of one state, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    entries_max: usize,
}

impl Share {
    /// What the state's cache may take at present.
    pub(crate) fn room(&self) -> Room {
        let bytes = self.shares.bytes / self.shares.states.load(Ordering::Relaxed).max(1);
        Room { bytes, entries: self.entries_max }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.states.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_share_alike() {
        let shares = Shares::new(100);
        let first = shares.take(None);
        let room = |bytes, entries| Room { bytes, entries };
        assert_eq!(first.room(), room(100, usize::MAX));
        let second = shares.take(NonZeroUsize::new(7));
        assert_eq!((first.room(), second.room()), (room(50, usize::MAX), room(50, 7)));
        drop(first);
        assert_eq!(second.room(), room(100, 7));
    }

    #[test]
    fn either_bound_is_one() {
        let room = Room { bytes: 10, entries: 4 };
        assert!(!room.is_exceeded(10, 4) && room.is_exceeded(11, 0) && room.is_exceeded(0, 5));
        assert_eq!(room.part(2).without(1, 9), Room { bytes: 4, entries: 0 });
    }
}
