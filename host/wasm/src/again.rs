//! Calls that are made once more: in a fresh instance that is to get to where another was, or from a bundle.

use sha2::{Digest as _, Sha256};
use volley_ipc::encode_batch;

use crate::cache::hex;
use crate::contract::Failure;
use crate::guest::Guest;
use crate::held::{Logged, Tape, TapeAnswer};
use crate::path::{KeyedCall, Reply, ReplyOutput};
use crate::violation::Violation;
use crate::{Error, Result};

/// What a call answers: an error is a trap or a limit, a failure inside is the plugin's own.
type Answered = Result<std::result::Result<Reply, Failure>>;

impl Guest {
    /// Answers of the host are noted in the next call.
    pub(crate) fn note(&mut self) {
        self.store.data_mut().tape = Tape::Noting(Vec::new());
    }

    /// What was noted in the last call, and the time that it was told.
    pub(crate) fn noted(&mut self) -> (Vec<TapeAnswer>, Option<u64>) {
        let state = self.store.data_mut();
        (state.tape.take(), state.now_ms)
    }

    /// Makes a call again that was made in an earlier instance. What it puts out is dropped.
    pub(crate) fn repeat(&mut self, call: &Logged) -> Result<()> {
        let function = call.call.as_ref().map_or(self.kind.as_str(), KeyedCall::function);
        let answer = self.once_more(function, call)?;
        let left_over = self.store.data_mut().tape.left_over();
        drop(self.take_emissions());
        let diverged = |problem: String| Err(self.broke(function, Violation::Diverged, problem));
        match (answer?, left_over) {
            (_, Some(import)) => {
                diverged(format!("it does not call `{import}` as it did when the call was made first"))
            }
            (answer, None) if answer.is_err() != call.has_failed => {
                diverged("it answers otherwise than when the call was made first".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn once_more(&mut self, function: &'static str, call: &Logged) -> Result<Answered> {
        if let Some(batch) = &call.batch {
            self.encode(batch)?;
        }
        if let Some(what) = &call.call {
            let keys = call.keys.as_ref().map(|(first, keys)| (*first, keys));
            self.prepare(keys, what.clone())?;
        }
        let state = self.store.data_mut();
        state.tape = Tape::Playing(call.answers.clone().into(), call.now_ms);
        state.random.fix(call.random);
        let answer = self.run(function, call.parents, call.number);
        self.store.data_mut().random.unfix();
        Ok(answer)
    }

    /// Makes a call again, and says what it comes to: see [`Guest::told`].
    pub(crate) fn outcome(&mut self, call: &Logged) -> Result<String> {
        let function = call.call.as_ref().map_or(self.kind.as_str(), KeyedCall::function);
        let answer = self.once_more(function, call)?;
        self.store.data_mut().tape.left_over();
        Ok(self.told(&answer))
    }

    /// What a call came to, in words that differ wherever anything does: the error with code offsets, or the digest of what it
    /// gave back.
    pub(crate) fn told(&self, answer: &Answered) -> String {
        match answer {
            // Time that was used differs from run to run, and what it is called in a job.
            Err(Error::Trap(trap)) => {
                let frames: Vec<String> = trap.frames.iter().map(|frame| format!("{:?}", frame.code_offset)).collect();
                format!("trap in {}: {}; at {}", trap.function, trap.reason.violation(), frames.join(", "))
            }
            Err(Error::Limit { function, violation, .. } | Error::Contract { function, violation, .. }) => {
                format!("{violation} in {function}")
            }
            Err(error) => error.to_string(),
            Ok(Err(failure)) => format!("{failure:?}"),
            Ok(Ok(reply)) => format!("returned, sha256 {}", self.digest(reply)),
        }
    }

    fn digest(&self, reply: &Reply) -> String {
        let mut digest = Sha256::new();
        if let ReplyOutput::Keep(bytes) | ReplyOutput::Columns(bytes) = &reply.output {
            digest.update(bytes.as_slice());
        }
        digest.update(format!("{:?}", reply.rejects));
        for emission in self.store.data().emitter.emissions() {
            digest.update(format!("{} {:?}", emission.port, emission.parents.values()));
            digest.update(encode_batch(&emission.batch).unwrap_or_default());
        }
        hex(&digest.finalize())
    }

    /// Where the random numbers of the last call began, and the time that it was told.
    pub(crate) fn chance(&self) -> (u64, Option<u64>) {
        let state = self.store.data();
        (state.random.seed(), state.now_ms)
    }
}
