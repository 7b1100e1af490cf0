//! Calls that can be made again.

use arrow::array::RecordBatch;

use super::tape::Answer;
use crate::http::HttpAnswer;
use crate::imports::emitter::Parents;
use crate::path::KeyedCall;
use crate::violation::Violation;

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
    /// What servers answered, request by request of each `send`.
    pub(crate) http: Vec<Vec<HttpAnswer>>,
    /// The limit of state or timers that it passed, where it did: the host knows, and nothing of the answers says which.
    pub(crate) exceeded: Option<(Violation, String)>,
    /// Whether the plugin answered with a failure.
    pub(crate) has_failed: bool,
}

impl Logged {
    /// About how many bytes of memory it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let batch = |batch: &RecordBatch| batch.get_array_memory_size();
        let keys = self.keys.as_ref().map_or(0, |(_, keys)| batch(keys));
        let answers: usize = self.answers.iter().map(Answer::bytes).sum();
        let http: usize = self.http.iter().flatten().flatten().map(|response| response.size_bytes()).sum();
        size_of::<Self>()
            + self.call.as_ref().map_or(0, KeyedCall::bytes)
            + self.batch.as_ref().map_or(0, batch)
            + keys
            + answers
            + http
    }
}
