//! Calls of functions and codecs that are made twice.

use arrow::array::RecordBatch;

use super::Calls;
use crate::contract::Failure;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::path::{CodecCall, Reply};
use crate::text::visible;
use crate::twice::{Heard, failed_again};
use crate::{Error, Result};

/// What a call came to the second time.
pub(crate) struct Again {
    declared: &'static str,
    answer: Result<std::result::Result<Reply, String>>,
}

/// How two calls differ.
pub(crate) struct Differs {
    declared: &'static str,
    words: String,
}

impl Again {
    /// How it differs from the first time. `gate` makes of the reply what counts, `differ` says in words how that is another.
    pub(crate) fn differs<T>(
        self,
        gate: impl FnOnce(Reply) -> Result<T>,
        differ: impl FnOnce(&T) -> Option<String>,
    ) -> Option<Differs> {
        let words = match self.answer {
            Ok(Ok(reply)) => match gate(reply) {
                Ok(again) => differ(&again),
                Err(error) => failed_again(&error),
            },
            Ok(Err(message)) => Some(format!("then it refused all: {}", visible(&message, MESSAGE_BYTES_MAX))),
            Err(error) => failed_again(&error),
        };
        words.map(|words| Differs { declared: self.declared, words })
    }
}

impl Calls {
    /// [`Calls::call`], and what it was told where it is one that is made twice: where calls of one number are several, the
    /// first.
    pub(crate) fn call_heard(
        &mut self,
        wire: &RecordBatch,
        is_encoded: bool,
        codec_call: CodecCall,
    ) -> (Result<std::result::Result<Reply, String>>, Option<Heard>) {
        if !self.sample.takes(self.number) {
            return (self.call(wire, is_encoded, codec_call), None);
        }
        match self.instances.guest() {
            Ok(guest) => Heard::listen(guest),
            Err(error) => return (Err(error), None),
        }
        let answer = self.call(wire, is_encoded, codec_call);
        // An instance that has failed is there still.
        let heard = self.instances.guest().ok().map(|guest| Heard::of(guest, self.number));
        (answer, heard)
    }

    /// Makes a call again in a fresh instance; `None` where that is not to be, or it asks for another try.
    pub(crate) fn again(&mut self, wire: &RecordBatch, codec_call: CodecCall, heard: Heard) -> Option<Again> {
        let mut second = self.sample.second(&self.instances)?;
        let number = second.hear(heard);
        let guest = &mut second.guest;
        let answer = guest.encode(wire).and_then(|_| {
            guest.codec_call(codec_call);
            guest.process(wire.num_rows(), number)
        });
        let answer = match answer {
            Ok(Ok(reply)) => Ok(Ok(reply)),
            Ok(Err(Failure::RejectBatch(message))) => Ok(Err(message)),
            Ok(Err(Failure::Retry(_))) => return None,
            Ok(Err(Failure::Fatal(message))) => {
                let (operator, plugin) = (self.node.to_string(), self.instances.who().to_string());
                Err(Error::Fatal { operator, plugin, message: visible(&message, MESSAGE_BYTES_MAX) })
            }
            Err(error) => Err(error),
        };
        Some(Again { declared: second.declared, answer })
    }

    /// Reports that a call came to something else the second time.
    pub(crate) fn report(&mut self, of: impl FnOnce() -> String, differs: &Differs) {
        self.sample.report(&self.instances, differs.declared, of, &differs.words);
    }
}
