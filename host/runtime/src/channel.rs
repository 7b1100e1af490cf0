//! Channels bounded in items and in bytes, between chain threads and the tokio runtime in every combination.
//!
//! A receiver takes several items at a time, up to half of what may wait. A sender that waits for room is thus woken once
//! for several items: waking a thread costs more than many a batch takes to be filtered.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes are counted in units of this many, since a semaphore counts to 2²⁹ only.
const BYTES_PER_PERMIT: usize = 1024;

/// How much may wait in one channel: in its queue, and behind the item that its receiver is at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) items_max: usize,
    pub(crate) bytes_max: usize,
}

/// The other side has gone: the job is being torn down, and its cause is reported elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

pub(crate) struct Sender<T> {
    queue: mpsc::Sender<Envelope<T>>,
    bytes: Arc<Semaphore>,
    permits_max: usize,
}

pub(crate) struct Receiver<T> {
    queue: mpsc::Receiver<Envelope<T>>,
    /// What was taken from the queue and not handed out yet, the last first. Its bytes still count.
    taken: Vec<Envelope<T>>,
    take_max: usize,
}

struct Envelope<T> {
    item: T,
    _permit: OwnedSemaphorePermit,
}

/// What a wait on a channel brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<T> {
    Item(T),
    TimedOut,
    Closed,
}

pub(crate) fn bounded<T>(bounds: Bounds) -> (Sender<T>, Receiver<T>) {
    let permits_max = (bounds.bytes_max / BYTES_PER_PERMIT).clamp(1, Semaphore::MAX_PERMITS);
    let items_max = bounds.items_max.max(1);
    let take_max = items_max.div_ceil(2);
    // The first of those that are taken is being worked on and does not wait.
    let (sender, queue) = mpsc::channel(items_max + 1 - take_max);
    let sender = Sender { queue: sender, bytes: Arc::new(Semaphore::new(permits_max)), permits_max };
    (sender, Receiver { queue, taken: Vec::with_capacity(take_max), take_max })
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bytes: Arc::clone(&self.bytes), permits_max: self.permits_max }
    }
}

impl<T: Send> Sender<T> {
    /// Waits for room and sends. An item larger than the whole bound waits until the channel is empty.
    pub(crate) async fn send(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let permit = Arc::clone(&self.bytes).acquire_many_owned(self.permits(bytes)).await.map_err(|_| Closed)?;
        self.queue.send(Envelope { item, _permit: permit }).await.map_err(|_| Closed)
    }

    /// As [`Sender::send`], from a thread that is not the runtime's.
    pub(crate) fn send_blocking(&self, runtime: &Handle, item: T, bytes: usize) -> Result<(), Closed> {
        match Arc::clone(&self.bytes).try_acquire_many_owned(self.permits(bytes)) {
            Ok(permit) => self.queue.blocking_send(Envelope { item, _permit: permit }).map_err(|_| Closed),
            Err(_) => runtime.block_on(self.send(item, bytes)),
        }
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from((bytes / BYTES_PER_PERMIT).clamp(1, self.permits_max)).unwrap_or(u32::MAX)
    }
}

impl<T> Receiver<T> {
    /// Waits for the next item; `None` when all senders have gone.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            self.take().await;
        }
        self.next()
    }

    /// Waits from a thread that is not the runtime's, at most for `patience` where one is given.
    pub(crate) fn recv_blocking(&mut self, runtime: &Handle, patience: Option<Duration>) -> Received<T> {
        if self.taken.is_empty() {
            match patience {
                None => {
                    self.queue.blocking_recv_many(&mut self.taken, self.take_max);
                    self.taken.reverse();
                }
                Some(patience) => {
                    // The first poll comes before the time is looked at, so what is there is taken.
                    let waited = runtime.block_on(async { tokio::time::timeout(patience, self.take()).await });
                    if waited.is_err() {
                        return Received::TimedOut;
                    }
                }
            }
        }
        self.next().map_or(Received::Closed, Received::Item)
    }

    /// Whether the next item is at hand, so that the receiver would not wait for it.
    pub(crate) fn has_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// Waits until something could be taken or all senders have gone. May be given up at any time.
    async fn take(&mut self) {
        self.queue.recv_many(&mut self.taken, self.take_max).await;
        self.taken.reverse();
    }

    fn next(&mut self) -> Option<T> {
        self.taken.pop().map(|envelope| envelope.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { items_max: 4, bytes_max: 10 * BYTES_PER_PERMIT };

    #[tokio::test]
    async fn bytes_hold_a_sender_back_until_the_reader_takes() {
        let (sender, mut receiver) = bounded::<u32>(BOUNDS);
        sender.send(1, 8 * BYTES_PER_PERMIT).await.expect("room");
        let second = sender.send(2, 8 * BYTES_PER_PERMIT);
        tokio::pin!(second);
        assert!(futures_poll(&mut second).await.is_none(), "no room for another eight");
        assert_eq!(receiver.recv().await, Some(1));
        second.await.expect("room again");
        assert_eq!(receiver.recv().await, Some(2));
    }

    #[tokio::test]
    async fn what_a_receiver_has_taken_counts_as_waiting() {
        let (sender, mut receiver) = bounded::<usize>(Bounds { items_max: 8, bytes_max: 10 * BYTES_PER_PERMIT });
        for item in 0..5 {
            sender.send(item, 2 * BYTES_PER_PERMIT).await.expect("room");
        }
        assert_eq!(receiver.recv().await, Some(0), "three more were taken along");
        let sixth = sender.send(5, 4 * BYTES_PER_PERMIT);
        tokio::pin!(sixth);
        assert!(futures_poll(&mut sixth).await.is_none(), "the bytes of those that were taken still count");
        assert_eq!(receiver.recv().await, Some(1));
        sixth.await.expect("room again");
    }

    #[tokio::test]
    async fn an_item_above_the_whole_bound_still_passes() {
        let (sender, mut receiver) = bounded::<u32>(BOUNDS);
        sender.send(7, 1000 * BYTES_PER_PERMIT).await.expect("waits for an empty channel only");
        assert_eq!(receiver.recv().await, Some(7));
    }

    #[tokio::test]
    async fn a_waiting_sender_learns_that_the_reader_has_gone() {
        let (sender, receiver) = bounded::<u32>(BOUNDS);
        sender.send(1, 10 * BYTES_PER_PERMIT).await.expect("room");
        let waiting = tokio::spawn(async move { sender.send(2, 10 * BYTES_PER_PERMIT).await });
        drop(receiver);
        assert_eq!(waiting.await.expect("no panic"), Err(Closed));
    }

    #[test]
    fn threads_and_tasks_meet() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let handle = runtime.handle().clone();
        let (sender, mut receiver) = bounded::<u32>(BOUNDS);
        let reader = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let mut sum = 0;
            loop {
                match receiver.recv_blocking(runtime.handle(), Some(Duration::from_millis(1))) {
                    Received::Item(item) => sum += item,
                    Received::TimedOut => {}
                    Received::Closed => return sum,
                }
            }
        });
        for item in 0..1000 {
            sender.send_blocking(&handle, item, 3 * BYTES_PER_PERMIT).expect("the reader is there");
        }
        drop(sender);
        assert_eq!(reader.join().expect("no panic"), 499_500);
    }

    /// Polls a future once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
