//! What the host answered in a call, so that the call can be made again to the same effect.

use std::collections::VecDeque;

use crate::abi::message::Outgoing;
use crate::contract::{Entries, Found, StateError, TimerError};

/// Whether answers are noted, or given from what was noted.
#[derive(Debug, Default)]
pub(crate) enum Tape {
    /// Neither.
    #[default]
    Off,
    /// Answers are noted.
    Noting(Vec<Answer>),
    /// Answers are those of an earlier call; and the time that it was told.
    Playing(VecDeque<Answer>, Option<u64>),
}

/// One answer, and the function that gave it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) import: &'static str,
    pub(crate) given: Given,
}

/// What an answer was.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    Done(Result<(), StateError>),
    Found(Result<Found<Outgoing>, StateError>),
    Entries(Result<Entries<Outgoing>, StateError>),
    Timers(Result<(), TimerError>),
    KeyGroups(Result<Vec<u8>, StateError>),
}

/// An answer that can be noted.
pub(crate) trait Taped: Sized + Clone {
    fn into_given(self) -> Given;

    fn of_given(given: Given) -> Option<Self>;
}

macro_rules! taped {
    ($type:ty, $variant:ident) => {
        impl Taped for $type {
            fn into_given(self) -> Given {
                Given::$variant(self)
            }

            fn of_given(given: Given) -> Option<Self> {
                match given {
                    Given::$variant(answer) => Some(answer),
                    _ => None,
                }
            }
        }
    };
}

taped!(Result<(), StateError>, Done);
taped!(Result<Found<Outgoing>, StateError>, Found);
taped!(Result<Entries<Outgoing>, StateError>, Entries);
taped!(Result<(), TimerError>, Timers);
taped!(Result<Vec<u8>, StateError>, KeyGroups);

/// A call that is made again asks for something else than it did.
#[derive(Debug, thiserror::Error)]
#[error("it calls `{import}` where it called {before} when the call was made first")]
pub(crate) struct Diverged {
    import: &'static str,
    before: String,
}

impl Tape {
    /// The answer of an earlier call, where there is one to be given.
    pub(crate) fn play<T: Taped>(&mut self, import: &'static str) -> Result<Option<T>, Diverged> {
        let Self::Playing(answers, _) = self else { return Ok(None) };
        let Some(Answer { import: before, given }) = answers.pop_front() else {
            return Err(Diverged { import, before: "nothing more".to_owned() });
        };
        let diverged = || Diverged { import, before: format!("`{before}`") };
        if before != import {
            return Err(diverged());
        }
        T::of_given(given).map(Some).ok_or_else(diverged)
    }

    /// Notes an answer, where they are noted.
    pub(crate) fn note<T: Taped>(&mut self, import: &'static str, answer: &T) {
        if let Self::Noting(answers) = self {
            answers.push(Answer { import, given: answer.clone().into_given() });
        }
    }

    /// What was noted; the tape is off then.
    pub(crate) fn take(&mut self) -> Vec<Answer> {
        match std::mem::take(self) {
            Self::Noting(answers) => answers,
            Self::Off | Self::Playing(..) => Vec::new(),
        }
    }

    /// Whether a call is being made again.
    pub(crate) fn is_playing(&self) -> bool {
        matches!(self, Self::Playing(..))
    }

    /// Answers that a call which was made again has not asked for; the tape is off then.
    pub(crate) fn left_over(&mut self) -> Option<&'static str> {
        match std::mem::take(self) {
            Self::Playing(answers, _) => answers.front().map(|answer| answer.import),
            Self::Off | Self::Noting(_) => None,
        }
    }

    /// The time that an earlier call was told.
    pub(crate) fn now_ms(&self) -> Option<u64> {
        match self {
            Self::Playing(_, now_ms) => *now_ms,
            Self::Off | Self::Noting(_) => None,
        }
    }
}

impl Answer {
    /// Whether it says that a limit is passed.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(
            self.given,
            Given::Done(Err(StateError::LimitExceeded(_)))
                | Given::Found(Err(StateError::LimitExceeded(_)))
                | Given::Entries(Err(StateError::LimitExceeded(_)))
                | Given::KeyGroups(Err(StateError::LimitExceeded(_)))
                | Given::Timers(Err(TimerError::LimitExceeded(_)))
        )
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.given {
                Given::Found(Ok(found)) => found.present.len() + found.values.0.size_bytes(),
                Given::Entries(Ok(entries)) => {
                    4 * entries.groups.len() + entries.map_keys.0.size_bytes() + entries.values.0.size_bytes()
                }
                Given::KeyGroups(Ok(groups)) => groups.len(),
                Given::KeyGroups(Err(_))
                | Given::Found(Err(_))
                | Given::Entries(Err(_))
                | Given::Done(_)
                | Given::Timers(_) => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Done = Result<(), StateError>;

    #[test]
    fn what_was_noted_is_given_again_in_order() {
        let mut tape = Tape::Noting(Vec::new());
        let answers: [Done; 2] = [Ok(()), Err(StateError::UnknownState(7))];
        answers.iter().for_each(|answer| tape.note("state.put", answer));
        let noted = tape.take();
        let mut tape = Tape::Playing(noted.into(), Some(5));
        assert_eq!(tape.now_ms(), Some(5));
        for answer in &answers {
            assert_eq!(tape.play::<Done>("state.put").expect("the same").as_ref(), Some(answer));
        }
        assert!(tape.play::<Done>("state.put").expect_err("no more").to_string().contains("nothing more"));
        assert_eq!(tape.left_over(), None);
        assert!(tape.play::<Done>("state.put").expect("off").is_none());
    }

    #[test]
    fn a_call_that_asks_for_something_else_is_found_out() {
        let answer = |import| Answer { import, given: Given::Done(Ok(())) };
        let mut tape = Tape::Playing([answer("state.put"), answer("state.remove")].into(), None);
        let error = tape.play::<Result<(), TimerError>>("timers.delete").expect_err("another import").to_string();
        assert!(error.contains("`timers.delete` where it called `state.put`"), "{error}");
        assert_eq!(tape.left_over(), Some("state.remove"));
    }
}
