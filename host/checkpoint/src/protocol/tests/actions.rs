//! What may happen in the simulated world.

use volley_api::Epoch;

use crate::protocol::CommittableId;

/// Something that the driver is doing, and that is to be answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Order {
    Store(Epoch),
    Write(Epoch),
    Commit(CommittableId),
    LookUp(CommittableId),
    Abort(CommittableId),
    Remove(Vec<Epoch>),
}

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Good,
    /// Nobody learns whether it was done.
    Lost {
        was_done: bool,
    },
    Fails {
        is_retryable: bool,
    },
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Read(u8),
    Pass(u8),
    Finish(u8),
    End(Order, Outcome),
    Wake,
    Crash { orders_are_done: bool },
    TaskFails(u8),
    HigherIncarnation,
    AskCheckpoint { is_savepoint: bool },
    AskStop { drain: bool },
}

/// How likely an action is, or what it takes from a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    Normal,
    Time,
    Fault,
    Crash,
    Wish,
}

/// By what the protocol is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Judge {
    /// By each decision and by the rows that are visible.
    Rules,
    /// By the rows alone.
    Rows,
}
