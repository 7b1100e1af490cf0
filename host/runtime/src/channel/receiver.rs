//! The end that takes from all lanes of a channel.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::wait::block_on;
use super::{Bounds, Lane, Shared};

/// Takes from all lanes in turn.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    lanes: Vec<Taken<T>>,
    /// The share of each lane.
    bounds: Bounds,
    /// The lane whose turn it is.
    turn: usize,
}

/// What was taken from a lane at once and not handed out yet.
struct Taken<T> {
    items: VecDeque<(T, usize)>,
    /// Whether it is left alone.
    is_held: bool,
    /// Handed out, and still counted in the lane.
    done_items: usize,
    done_bytes: usize,
}

/// What a wait on a channel brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<T> {
    /// An item, and the lane it came from.
    Item(usize, T),
    TimedOut,
    /// Every producer has gone, and everything was taken; or only lanes that are held have anything left.
    Closed,
}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        let lanes = shared.lock().lanes.len();
        let empty = || Taken { items: VecDeque::new(), is_held: false, done_items: 0, done_bytes: 0 };
        let bounds = shared.lane_bounds(lanes);
        Self { shared, lanes: (0..lanes).map(|_| empty()).collect(), bounds, turn: 0 }
    }

    /// How many lanes there are.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Waits for the next item; `None` as [`Received::Closed`].
    pub(crate) async fn recv(&mut self) -> Option<(usize, T)> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Waits from a thread that may, at most until the time given.
    pub(crate) fn recv_blocking(&mut self, until: Option<Instant>) -> Received<T> {
        if let Some((lane, item)) = self.next() {
            return Received::Item(lane, item);
        }
        match block_on(until, |context| self.poll_recv(context)) {
            Some(Some((lane, item))) => Received::Item(lane, item),
            Some(None) => Received::Closed,
            None => Received::TimedOut,
        }
    }

    /// Whether the next item is at hand, so that the receiver would not wait for it.
    pub(crate) fn has_taken(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_held && !lane.items.is_empty())
    }

    /// Leaves a lane alone until [`Receiver::release_all`]: what is sent into it waits, and in the end its producer.
    pub(crate) fn hold(&mut self, lane: usize) {
        self.lanes[lane].is_held = true;
    }

    /// Takes from every lane again.
    pub(crate) fn release_all(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.is_held = false);
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, T)>> {
        if !self.has_taken() && !self.take(context) {
            let state = self.shared.lock();
            let over =
                |(lane, taken): (&Lane<T>, &Taken<T>)| taken.is_held || lane.sender_gone && lane.queue.is_empty();
            let is_over = state.lanes.iter().zip(&self.lanes).all(over);
            return if is_over { Poll::Ready(None) } else { Poll::Pending };
        }
        Poll::Ready(self.next())
    }

    /// Takes what lies in the lanes that are not held; when there is nothing, the receiver will be woken. Whether there
    /// was something.
    fn take(&mut self, context: &mut Context<'_>) -> bool {
        let mut senders = Vec::new();
        let mut has_taken = false;
        {
            let mut state = self.shared.lock();
            for (lane, taken) in state.lanes.iter_mut().zip(&mut self.lanes) {
                senders.extend(taken.settle(lane, self.bounds));
                if !taken.is_held {
                    std::mem::swap(&mut lane.queue, &mut taken.items);
                    has_taken |= !taken.items.is_empty();
                }
            }
            if !has_taken {
                state.receiver = Some(context.waker().clone());
            }
        }
        senders.into_iter().for_each(Waker::wake);
        has_taken
    }

    /// The next item at hand.
    fn next(&mut self) -> Option<(usize, T)> {
        let lanes = self.lanes.len();
        let mut at = (0..lanes).map(|step| (self.turn + step) % lanes);
        let lane = at.find(|&lane| !self.lanes[lane].is_held && !self.lanes[lane].items.is_empty())?;
        self.turn = (lane + 1) % lanes;
        let taken = &mut self.lanes[lane];
        let (item, bytes) = taken.items.pop_front()?;
        taken.done_items += 1;
        taken.done_bytes += bytes;
        if taken.done_items * 2 >= self.bounds.items_max || taken.done_bytes * 2 >= self.bounds.bytes_max {
            let sender = taken.settle(&mut self.shared.lock().lanes[lane], self.bounds);
            if let Some(sender) = sender {
                sender.wake();
            }
        }
        Some((lane, item))
    }
}

impl<T> Taken<T> {
    /// Counts what was handed out as worked off. The producer, if it waits and there is room enough to be worth it.
    fn settle(&mut self, lane: &mut Lane<T>, bounds: Bounds) -> Option<Waker> {
        lane.items -= std::mem::take(&mut self.done_items);
        lane.bytes -= std::mem::take(&mut self.done_bytes);
        let has_room = lane.items * 2 <= bounds.items_max && lane.bytes * 2 <= bounds.bytes_max;
        if has_room || lane.items == 0 { lane.sender.take() } else { None }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let senders: Vec<Waker> = {
            let mut state = self.shared.lock();
            state.receiver_gone = true;
            state.lanes.iter_mut().for_each(|lane| lane.queue.clear());
            state.lanes.iter_mut().filter_map(|lane| lane.sender.take()).collect()
        };
        senders.into_iter().for_each(Waker::wake);
    }
}
