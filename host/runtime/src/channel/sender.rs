//! A producer's end of its lane.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::wait::block_on;
use super::{Closed, Shared};

/// Sends into one lane. Dropping it closes the lane.
pub(crate) struct Sender<T> {
    shared: Arc<Shared<T>>,
    lane: usize,
}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, lane: usize) -> Self {
        Self { shared, lane }
    }

    /// Waits for room and sends. An item larger than the whole bound waits until the lane is empty.
    pub(crate) async fn send(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let mut item = Some((item, bytes));
        poll_fn(|context| self.poll_send(context, &mut item)).await
    }

    /// As [`Sender::send`], from a thread that may wait.
    pub(crate) fn send_blocking(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let mut item = Some((item, bytes));
        // Without a deadline it does not end before it is ready.
        block_on(None, |context| self.poll_send(context, &mut item)).unwrap_or(Err(Closed))
    }

    fn poll_send(&self, context: &mut Context<'_>, item: &mut Option<(T, usize)>) -> Poll<Result<(), Closed>> {
        let receiver = {
            let mut state = self.shared.lock();
            if state.receiver_gone {
                return Poll::Ready(Err(Closed));
            }
            let bounds = self.shared.lane_bounds(state.lanes.len());
            let lane = &mut state.lanes[self.lane];
            let Some((_, bytes)) = item else { return Poll::Ready(Ok(())) };
            let has_room = lane.items < bounds.items_max && lane.bytes + *bytes <= bounds.bytes_max;
            if !has_room && lane.items > 0 {
                lane.sender = Some(context.waker().clone());
                return Poll::Pending;
            }
            lane.items += 1;
            lane.bytes += *bytes;
            lane.queue.extend(item.take());
            state.receiver.take()
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let receiver = {
            let mut state = self.shared.lock();
            state.lanes[self.lane].sender_gone = true;
            state.receiver.take()
        };
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}
