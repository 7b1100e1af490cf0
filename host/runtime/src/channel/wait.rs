//! Waiting on a thread of one's own, without a runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Wakes the thread that made it.
struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Polls until it is ready, and parks the thread in between; `None` when `until` passes first.
pub(super) fn block_on<R>(until: Option<Instant>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Option<R> {
    // Most are ready at once, and need no waker that works.
    if let Poll::Ready(ready) = poll(&mut Context::from_waker(Waker::noop())) {
        return Some(ready);
    }
    let parked = Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Arc::clone(&parked).into();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(ready) = poll(&mut context) {
            return Some(ready);
        }
        while !parked.woken.swap(false, Ordering::Acquire) {
            match until {
                None => thread::park(),
                Some(until) => match until.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => thread::park_timeout(left),
                    _ => return None,
                },
            }
        }
    }
}
