//! Calls that can be made again.

use arrow::array::RecordBatch;

use super::tape::Answer;
use crate::hooks::HookCall;
use crate::http::HttpAnswer;
use crate::imports::emitter::Parents;
use crate::inspect::PluginKind;
use crate::path::{AggregateCall, CodecCall, KeyedCall};
use crate::plugin::ENCODE;
use crate::violation::Violation;

/// What an instance was told, in order.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A call.
    Call(Box<Logged>),
    /// That all numbers of keys are void.
    Forget,
}

/// Which function is called, and with what besides a batch.
#[derive(Debug, Clone)]
pub(crate) enum Called {
    /// The one function of the kind, with the rows alone.
    Rows,
    /// A function of a process.
    Keyed(KeyedCall),
    /// A function of a codec.
    Codec(CodecCall),
    /// A function of an aggregate.
    Aggregate(AggregateCall),
    /// A function of the interface `snapshot`.
    Hook(HookCall),
}

impl Called {
    /// The exported function.
    pub(crate) fn function(&self, kind: PluginKind) -> &'static str {
        match self {
            Self::Rows | Self::Codec(CodecCall::Decode { .. }) => kind.function(),
            Self::Keyed(call) => call.function(),
            Self::Codec(CodecCall::Encode) => ENCODE,
            Self::Aggregate(call) => call.function(),
            Self::Hook(call) => call.function(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            // Functions of `snapshot` are in no log.
            Self::Rows | Self::Codec(_) | Self::Hook(_) => 0,
            Self::Keyed(call) => call.bytes(),
            Self::Aggregate(call) => call.numbers_bytes(),
        }
    }
}

/// A call as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    /// Keys that were new, from that number on, as they crossed.
    pub(crate) keys: Option<(u32, RecordBatch)>,
    pub(crate) call: Called,
    /// The rows, as they crossed; of functions that take states, the states.
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
    /// A call that is about to be made; what comes of it is put in afterwards.
    pub(crate) fn new(call: Called, batch: Option<RecordBatch>, parents: Parents, number: u64) -> Self {
        Self {
            keys: None,
            call,
            batch,
            parents,
            number,
            random: 0,
            now_ms: None,
            answers: Vec::new(),
            http: Vec::new(),
            exceeded: None,
            has_failed: false,
        }
    }

    /// About how many bytes of memory it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let batch = |batch: &RecordBatch| batch.get_array_memory_size();
        let keys = self.keys.as_ref().map_or(0, |(_, keys)| batch(keys));
        let answers: usize = self.answers.iter().map(Answer::bytes).sum();
        let http: usize = self.http.iter().flatten().flatten().map(|response| response.size_bytes()).sum();
        size_of::<Self>() + self.call.bytes() + self.batch.as_ref().map_or(0, batch) + keys + answers + http
    }
}
