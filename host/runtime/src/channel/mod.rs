//! Channels with a lane for each producer, bounded in items and in bytes, between chain threads and the tokio runtime in
//! every combination.
//!
//! A receiver takes what lies in its lanes several items at a time, and may leave a lane alone while others go on: that is
//! how barriers are aligned. A sender that waits for room is woken when half of its lane has been worked off, once for
//! several items: waking a thread costs more than many a batch takes to be filtered.

mod receiver;
mod sender;
mod wait;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

pub(crate) use receiver::{Received, Receiver};
pub(crate) use sender::Sender;

/// The fewest items that a lane holds, however many lanes share the bounds of their channel.
const LANE_ITEMS_MIN: usize = 2;

/// How much may wait in all lanes of one channel together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) items_max: usize,
    pub(crate) bytes_max: usize,
}

/// The other side has gone: the job is being torn down, and its cause is reported elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A channel while it is put together: lanes are added, then the receiver is taken.
pub(crate) struct Channel<T>(Arc<Shared<T>>);

impl<T> Channel<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = State { lanes: Vec::new(), receiver: None, receiver_gone: false };
        Self(Arc::new(Shared { bounds, state: Mutex::new(state) }))
    }

    /// Adds a lane, for one producer. Lanes are numbered from 0 in the order in which they are added.
    pub(crate) fn lane(&self) -> Sender<T> {
        let mut state = self.0.lock();
        state.lanes.push(Lane::default());
        let lane = state.lanes.len() - 1;
        Sender::new(Arc::clone(&self.0), lane)
    }

    /// The end that takes from all lanes that were added before. There is one.
    pub(crate) fn receiver(&self) -> Receiver<T> {
        Receiver::new(Arc::clone(&self.0))
    }

    /// Something that can tell how full the channel is.
    pub(crate) fn gauge(&self) -> Gauge
    where
        T: Send + 'static,
    {
        // It keeps no item and no end of the channel alive.
        let shared = Arc::downgrade(&self.0);
        Gauge(Arc::new(move || shared.upgrade().map_or(0.0, |shared| shared.utilization())))
    }
}

/// Tells how full a channel is, from 0 to 1.
#[derive(Clone)]
pub(crate) struct Gauge(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Gauge {
    pub(crate) fn utilization(&self) -> f64 {
        (self.0)()
    }
}

struct Shared<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
}

struct State<T> {
    lanes: Vec<Lane<T>>,
    /// Set while the receiver waits for an item.
    receiver: Option<Waker>,
    receiver_gone: bool,
}

/// What one producer has sent. The counts include what the receiver has taken and not worked off.
struct Lane<T> {
    queue: VecDeque<(T, usize)>,
    items: usize,
    bytes: usize,
    /// Set while the producer waits for room.
    sender: Option<Waker>,
    sender_gone: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), items: 0, bytes: 0, sender: None, sender_gone: false }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The share of one lane.
    fn lane_bounds(&self, lanes: usize) -> Bounds {
        let lanes = lanes.max(1);
        Bounds {
            items_max: self.bounds.items_max.div_ceil(lanes).max(LANE_ITEMS_MIN),
            bytes_max: self.bounds.bytes_max / lanes,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    fn utilization(&self) -> f64 {
        let state = self.lock();
        let bounds = self.lane_bounds(state.lanes.len());
        let fullest = |lane: &Lane<T>| {
            let items = lane.items as f64 / bounds.items_max as f64;
            items.max(lane.bytes as f64 / bounds.bytes_max.max(1) as f64).min(1.0)
        };
        state.lanes.iter().map(fullest).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests;
