//! Calls that are made once more: in a fresh instance that is to get to where another was, or from a bundle.

use sha2::{Digest as _, Sha256};
use volley_ipc::encode_batch;

use crate::cache::hex;
use crate::contract::{Failure, Part, Reject};
use crate::guest::Guest;
use crate::held::{Called, Logged, Tape};
use crate::hooks::words_of;
use crate::imports::emitter::Emission;
use crate::path::{AggregateCall, AggregateReply, Reply, ReplyOutput};
use crate::repro::Last;
use crate::violation::Violation;
use crate::{Error, Result};

/// What a call answers: an error is a trap or a limit, a failure inside is the plugin's own.
pub(crate) type Answered<R = Reply> = Result<std::result::Result<R, Failure>>;

/// What a function gives back, in the form in which it is compared.
pub(crate) trait Gives {
    fn gave(&self) -> Reply;
}

impl Gives for Reply {
    fn gave(&self) -> Reply {
        self.clone()
    }
}

impl Gives for AggregateReply {
    fn gave(&self) -> Reply {
        let (output, rejects) = match self {
            Self::Updated(rejects) => (ReplyOutput::Emitted, rejects.clone()),
            Self::Merged => (ReplyOutput::Emitted, Vec::new()),
            Self::Columns(columns) => (ReplyOutput::Columns(columns.clone()), Vec::new()),
        };
        Reply { output, rejects }
    }
}

/// What a call came to.
#[derive(Debug)]
pub(crate) enum CameTo {
    /// An error or a failure, in words that differ wherever anything does.
    Failed(String),
    /// It gave this back. The digest is made where it is wanted.
    Gave { reply: Reply, emissions: Vec<Emission> },
}

impl CameTo {
    /// In words that differ wherever anything does: the error with code offsets, or the digest of what was given back.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Failed(words) => words.clone(),
            Self::Gave { reply: Reply { output, rejects }, emissions } => {
                format!("returned, sha256 {}", digest(output, rejects, emissions))
            }
        }
    }
}

impl Guest {
    /// Answers of the host are noted in the next call; what servers answer too, unless that is given from somewhere.
    pub(crate) fn note(&mut self) {
        let state = self.store.data_mut();
        state.tape = Tape::Noting(Vec::new());
        state.notes_http = state.http.is_plain();
        if state.notes_http {
            state.http.record(true);
        }
    }

    /// Puts what was noted in the last call into it: answers, time, chance.
    pub(crate) fn noted(&mut self, call: &mut Logged) {
        let state = self.store.data_mut();
        call.answers = state.tape.take();
        call.http = state.http.recorded();
        if std::mem::take(&mut state.notes_http) {
            state.http.record(false);
        }
        (call.random, call.now_ms) = (state.random.seed(), state.now_ms);
    }

    /// Makes a call with what the host answers in it noted, and says what it came to.
    pub(crate) fn noting<R: Gives>(
        &mut self,
        mut call: Box<Logged>,
        make: impl FnOnce(&mut Self) -> Answered<R>,
    ) -> (Answered<R>, Last) {
        self.note();
        let answer = make(self);
        self.noted(&mut call);
        call.has_failed = matches!(answer, Ok(Err(_)));
        let came_to = self.came_to(&answer);
        (answer, Last { call, came_to })
    }

    /// Makes a call again that was made in an earlier instance. What it puts out is dropped. What it came to where that is
    /// something else than then can be asked for.
    pub(crate) fn repeat(&mut self, call: &Logged) -> Result<()> {
        let function = self.function_of(call);
        let mut answer = self.once_more(function, call)?;
        let left_over = self.store.data_mut().tape.left_over();
        let diverged = |guest: &Self, problem: String| guest.broke(function, Violation::Diverged, problem);
        if let (Ok(_), Some(import)) = (&answer, left_over) {
            let problem = format!("it does not call `{import}` as it did when the call was made first");
            answer = Err(diverged(self, problem));
        }
        let is_otherwise = !matches!(&answer, Ok(answer) if answer.is_err() == call.has_failed);
        if is_otherwise {
            self.note_failed(&answer);
        }
        drop(self.take_emissions());
        match answer {
            Err(error) => Err(error),
            Ok(_) if is_otherwise => {
                Err(diverged(self, "it answers otherwise than when the call was made first".to_owned()))
            }
            Ok(_) => Ok(()),
        }
    }

    /// The exported function that a call is of.
    pub(crate) fn function_of(&self, call: &Logged) -> &'static str {
        call.call.function(self.kind)
    }

    fn once_more(&mut self, function: &'static str, call: &Logged) -> Result<Answered> {
        match (&call.call, &call.batch) {
            (Called::Aggregate(AggregateCall::Merge(_) | AggregateCall::Evaluate), Some(states)) => {
                self.encode_state(states)?;
            }
            // It hands rows over itself.
            (Called::Hook(_), _) | (_, None) => {}
            (_, Some(batch)) => {
                self.encode(batch)?;
            }
        }
        match &call.call {
            Called::Keyed(what) => {
                let keys = call.keys.as_ref().map(|(first, keys)| (*first, keys));
                self.prepare(keys, what.clone())?;
            }
            Called::Codec(what) => self.codec_call(*what),
            Called::Rows | Called::Aggregate(_) | Called::Hook(_) => {}
        }
        let state = self.store.data_mut();
        state.tape = Tape::Playing(call.answers.clone().into(), call.now_ms);
        state.http.replay(call.http.clone().into());
        state.random.fix(call.random);
        let answer = match &call.call {
            Called::Aggregate(what) => {
                self.aggregate(what.clone(), call.number).map(|answer| answer.map(|reply| reply.gave()))
            }
            Called::Hook(what) => {
                let rows = call.batch.as_ref().map(encode_batch).transpose();
                let rows = rows.map_err(|source| Error::Wire { plugin: self.who.to_string(), source })?;
                self.hook(what.clone(), rows.unwrap_or_default())
            }
            _ => self.run(function, call.parents, call.number),
        };
        let state = self.store.data_mut();
        state.random.unfix();
        state.http.record(false);
        Ok(answer)
    }

    /// Makes a call again, and says what it comes to: see [`CameTo::words`]; and in words for people, where it fails.
    pub(crate) fn outcome(&mut self, call: &Logged) -> Result<(String, Option<String>)> {
        let function = self.function_of(call);
        let answer = self.once_more(function, call)?;
        let left_over = self.store.data_mut().tape.left_over();
        let answer = match (answer, &call.exceeded, left_over) {
            (Ok(_), _, Some(import)) => {
                let problem = format!("it does not call `{import}` as it did in the job");
                Err(self.broke(function, Violation::Diverged, problem))
            }
            // It asked for the same, and the host refused the same.
            (Ok(_), Some((violation, problem)), None) => Err(self.exceeded(function, *violation, problem.clone())),
            (answer, ..) => answer,
        };
        let message = match &answer {
            Ok(Ok(_)) => None,
            Ok(Err(failure)) => Some(words_of(failure)),
            Err(error) => Some(error.to_string()),
        };
        Ok((self.came_to(&answer).words(), message))
    }

    /// What a call came to.
    pub(crate) fn came_to<R: Gives>(&self, answer: &Answered<R>) -> CameTo {
        let reply = match answer {
            Ok(Ok(reply)) => reply.gave(),
            Ok(Err(failure)) => return CameTo::Failed(format!("{failure:?}")),
            // How much time was used differs from run to run, and so does where it ended.
            Err(Error::Trap(trap)) if trap.reason.violation() == Violation::Deadline => {
                return CameTo::Failed(format!("{} in {}", Violation::Deadline, trap.function));
            }
            Err(Error::Trap(trap)) => {
                let offset = |offset: Option<usize>| offset.map_or("?".to_owned(), |offset| format!("{offset:#x}"));
                let frames: Vec<String> = trap.frames.iter().map(|frame| offset(frame.code_offset)).collect();
                let (function, reason) = (&trap.function, trap.reason.violation());
                return CameTo::Failed(format!("trap in {function}: {reason}; at {}", frames.join(" < ")));
            }
            Err(Error::Limit { function, violation, .. } | Error::Contract { function, violation, .. }) => {
                return CameTo::Failed(format!("{violation} in {function}"));
            }
            Err(error) => return CameTo::Failed(error.to_string()),
        };
        let emissions = self.store.data().emitter.emissions().to_vec();
        CameTo::Gave { reply, emissions }
    }
}

fn digest(output: &ReplyOutput, rejects: &[Reject], emissions: &[Emission]) -> String {
    let mut digest = Sha256::new();
    match output {
        ReplyOutput::Emitted => {}
        ReplyOutput::Keep(bytes) | ReplyOutput::Columns(bytes) => digest.update(bytes.as_slice()),
        ReplyOutput::Decoded { rows, frames, rest_bytes } => {
            digest.update(rows.as_slice());
            digest.update(format!("{frames:?} {rest_bytes}"));
        }
        ReplyOutput::Encoded { frames, rows } => {
            digest.update(frames.as_slice());
            digest.update(format!("{rows:?}"));
        }
        ReplyOutput::Parts(parts) => {
            for Part { key_group, version, bytes } in parts {
                digest.update(format!("{key_group:?} {version} {} ", bytes.len()));
                digest.update(bytes);
            }
        }
    }
    digest.update(format!("{rejects:?}"));
    for emission in emissions {
        digest.update(format!("{} {:?}", emission.port, emission.parents.values()));
        digest.update(encode_batch(&emission.batch).unwrap_or_default());
    }
    hex(&digest.finalize())
}
