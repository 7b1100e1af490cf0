//! One call on some rows, from the message in to gated records out. Nothing leaves the operator here: a batch is atomic.

use std::time::Duration;

use arrow::buffer::Buffer;
use volley_api::{PortIndex, RowReject, StreamRecord};

use super::flat_map::Rows;
use super::{Input, Part, PluginOperator, RETRIES_MAX, RETRY_WAIT_MS_MAX};
use crate::contract::Failure;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::path::ReplyOutput;
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// What became of the rows of one call.
pub(super) struct Treated {
    pub(super) rows: TreatedRows,
    /// The refused ones, ascending, by their index in the part.
    pub(super) rejects: Vec<RowReject>,
}

/// What goes on.
pub(super) enum TreatedRows {
    /// Nothing: all were refused.
    None,
    /// A filter's bitmap, of the right length.
    Kept(Buffer),
    /// A map's rows.
    Mapped(Box<StreamRecord>),
    /// A flat-map's rows, port by port. They get what they carry along when they are sent on.
    Emitted(Vec<(PortIndex, Rows)>),
}

impl PluginOperator {
    /// Calls the plugin on a part, again where it asks for that, and gates what comes back.
    pub(super) fn attempt(&mut self, input: &Input, part: Part) -> Result<Treated> {
        let mut retries = 0;
        loop {
            // Before the rows are handed over: it may take a fresh instance.
            self.meet(part.rows)?;
            if self.encoded != Some(part) {
                self.encode(input, part)?;
            }
            self.encoded = None;
            let (answer, heard) = self.hearing(|operator| operator.call(input, part))?;
            match answer? {
                Ok(reply) => {
                    let rejects = self.take_rejects(input, part, reply.rejects)?;
                    let rows = self.gated(input, part, reply.output, &rejects)?;
                    let treated = Treated { rows, rejects };
                    if let Some(heard) = heard {
                        self.rows_again(input, part, &treated, heard);
                    }
                    self.commit()?;
                    return Ok(treated);
                }
                Err(Failure::Retry(_)) if retries == RETRIES_MAX => return Err(self.retries_exhausted(retries)),
                Err(Failure::Retry(after_ms)) => {
                    retries += 1;
                    std::thread::sleep(Duration::from_millis(after_ms.min(RETRY_WAIT_MS_MAX)));
                }
                Err(Failure::RejectBatch(message)) => {
                    let rejects = self.reject_batch(part, &message).map_err(|error| self.kept(error))?;
                    return Ok(Treated { rows: TreatedRows::None, rejects });
                }
                Err(Failure::Fatal(message)) => {
                    return Err(Error::Fatal {
                        operator: self.context.node.to_string(),
                        plugin: self.instances.who().to_string(),
                        message: visible(&message, MESSAGE_BYTES_MAX),
                    });
                }
            }
        }
    }

    pub(super) fn gated(
        &mut self,
        input: &Input,
        part: Part,
        output: ReplyOutput,
        rejects: &[RowReject],
    ) -> Result<TreatedRows> {
        Ok(match output {
            ReplyOutput::Keep(bitmap) => {
                self.check_bitmap(part, &bitmap)?;
                TreatedRows::Kept(bitmap)
            }
            ReplyOutput::Columns(message) => {
                TreatedRows::Mapped(Box::new(self.mapped(&input.record, part, &message, rejects)?))
            }
            ReplyOutput::Emitted => TreatedRows::Emitted(self.emitted(part, rejects)?),
            // No operator has such a path: the kind was checked when it was bound.
            ReplyOutput::Decoded { .. } | ReplyOutput::Encoded { .. } | ReplyOutput::Parts(_) => {
                return Err(self.broke(Violation::OtherContract, "it answers as another kind of operator"));
            }
        })
    }

    fn retries_exhausted(&self, retries: u32) -> Error {
        let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
        Error::RetriesExhausted { operator, plugin, retries }
    }
}
