//! Calls that can be made again.

use arrow::array::RecordBatch;

use super::tape::Answer;
use crate::imports::emitter::Parents;
use crate::path::KeyedCall;

/// What an instance was told, in order.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A call.
    Call(Box<Logged>),
    /// That all numbers of keys are void.
    Forget,
}

/// A call of a process operator as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    /// Keys that were new, from that number on, as they crossed.
    pub(crate) keys: Option<(u32, RecordBatch)>,
    /// What a process is called for; other kinds have one function, of the rows alone.
    pub(crate) call: Option<KeyedCall>,
    /// The rows, as they crossed.
    pub(crate) batch: Option<RecordBatch>,
    pub(crate) parents: Parents,
    /// Its number, on which chance depends.
    pub(crate) number: u64,
    /// Where its stream of random numbers begins.
    pub(crate) random: u64,
    /// The time that it was told.
    pub(crate) now_ms: Option<u64>,
    pub(crate) answers: Vec<Answer>,
    /// Whether the plugin answered with a failure.
    pub(crate) has_failed: bool,
    /// What it came to, in words that are the same only where it does the same; for bundles.
    pub(crate) returned: Option<String>,
}

impl Logged {
    /// About how many bytes of memory it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let batch = |batch: &RecordBatch| batch.get_array_memory_size();
        let keys = self.keys.as_ref().map_or(0, |(_, keys)| batch(keys));
        let answers: usize = self.answers.iter().map(Answer::bytes).sum();
        size_of::<Self>()
            + self.call.as_ref().map_or(0, KeyedCall::bytes)
            + self.batch.as_ref().map_or(0, batch)
            + keys
            + answers
    }
}
