//! How the memory for what is written behind is dealt out: the same to every open state.

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

    /// A share for one more state; those of the others shrink, and they notice at their next write.
    pub(crate) fn take(self: &Arc<Self>) -> Share {
        self.states.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }
}

/// The part of one state, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share(Arc<Shares>);

impl Share {
    /// What the state's cache may take at present.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes / self.0.states.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.states.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_share_alike() {
        let shares = Shares::new(100);
        let first = shares.take();
        assert_eq!(first.bytes(), 100);
        let second = shares.take();
        assert_eq!((first.bytes(), second.bytes()), (50, 50));
        drop(first);
        assert_eq!(second.bytes(), 100);
    }
}
