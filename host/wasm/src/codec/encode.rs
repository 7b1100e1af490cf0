//! Rows to frames: calls of bounded size, gated frames, refused rows by their index.

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::compute::concat;
use volley_api::{EncodedRows, FrameEncoder, RowReject};
use volley_ipc::columns_to_wire;

use crate::bind_values::frames_schema;
use crate::calls::Calls;
use crate::contract::Reject;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::metrics::{Metered, Nowhere};
use crate::operator::CALL_ROWS_MAX;
use crate::path::{CodecCall, Reply, ReplyOutput};
use crate::refusals::{CODE_BYTES_MAX, REJECT_BATCH};
use crate::text::cut;
use crate::violation::Violation;
use crate::{Error, Result};

/// The encoder of one writer.
pub(super) struct Encoder {
    calls: Calls,
}

/// What became of the rows of one call.
enum Attempt {
    Written(BinaryArray, Vec<RowReject>),
    /// Code and message, for a row that is alone.
    Not(String, String),
}

/// Frames, and the rows that are in none.
type Written = (BinaryArray, Vec<RowReject>);

impl Encoder {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<EncodedRows> {
        let bound = self.calls.instances.bound();
        let columns = bound.reads.iter().map(|index| batch.column(*index));
        let wire = columns_to_wire(columns, batch.num_rows(), &bound.wire)
            .map_err(|source| Error::Wire { plugin: self.calls.instances.who().to_string(), source })?;
        let (mut frames, mut rejects): (Vec<BinaryArray>, Vec<RowReject>) = Default::default();
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        let mut offset = 0;
        while offset < wire.num_rows() || !waiting.is_empty() {
            let (first, mut count) = waiting.pop().unwrap_or_else(|| {
                let next = (offset, CALL_ROWS_MAX.min(wire.num_rows() - offset));
                offset += next.1;
                next
            });
            let mut part = wire.slice(first, count);
            while self.calls.encode(&part)? > self.calls.bytes_max() && count > 1 {
                let left = count / 2;
                waiting.push((first + left, count - left));
                (count, part) = (left, wire.slice(first, left));
            }
            self.calls.next();
            let mut attempt = self.attempt(&part, true)?;
            if count == 1 && matches!(&attempt, Attempt::Not(code, _) if code != REJECT_BATCH) {
                // Blamed only after failing alone twice.
                attempt = self.attempt(&part, false)?;
                if let Attempt::Not(code, message) = &attempt
                    && code != REJECT_BATCH
                {
                    self.calls.bundle(message);
                }
            }
            match attempt {
                Attempt::Written(written, refused) => {
                    frames.push(written);
                    rejects.extend(refused.into_iter().map(|reject| RowReject { row: reject.row + first, ..reject }));
                }
                Attempt::Not(..) if count > 1 => {
                    let left = count / 2;
                    waiting.push((first + left, count - left));
                    waiting.push((first, left));
                }
                Attempt::Not(code, message) => rejects.push(RowReject { row: first, code, message }),
            }
        }
        let parts: Vec<&dyn Array> = frames.iter().map(|frames| frames as &dyn Array).collect();
        let frames = match parts.as_slice() {
            [] => BinaryArray::from_iter_values(std::iter::empty::<&[u8]>()),
            parts => concat(parts)?.as_binary::<i32>().clone(),
        };
        Ok(EncodedRows { frames, rejects })
    }

    fn attempt(&mut self, part: &RecordBatch, is_encoded: bool) -> Result<Attempt> {
        let (answer, heard) = self.calls.call_heard(part, is_encoded, CodecCall::Encode);
        let outcome = match answer {
            Ok(Err(message)) => {
                return Ok(Attempt::Not(REJECT_BATCH.to_owned(), cut(&message, MESSAGE_BYTES_MAX).to_owned()));
            }
            Ok(Ok(reply)) => self.gated(part.num_rows(), reply.output, reply.rejects),
            Err(error) => Err(error),
        };
        if let (Ok(written), Some(heard)) = (&outcome, heard)
            && let Some(again) = self.calls.again(part, CodecCall::Encode, heard)
        {
            let gate = |reply: Reply| self.gated(part.num_rows(), reply.output, reply.rejects);
            if let Some(differs) = again.differs(gate, |again| difference(written, again)) {
                self.calls.report(|| format!("`encode` of {} rows", part.num_rows()), &differs);
            }
        }
        match outcome {
            Ok((frames, rejects)) => Ok(Attempt::Written(frames, rejects)),
            Err(error) => {
                let (violation, error) = self.calls.failed(error)?;
                let code = format!("plugin-{}", violation.as_str().replace('_', "-"));
                Ok(Attempt::Not(code, cut(&error.to_string(), MESSAGE_BYTES_MAX).to_owned()))
            }
        }
    }

    fn gated(&self, rows: usize, output: ReplyOutput, rejects: Vec<Reject>) -> Result<Written> {
        let ReplyOutput::Encoded { frames: message, rows: firsts } = output else {
            return Err(self.calls.broke(Violation::OtherContract, "it answers as another kind of operator"));
        };
        let rejects = self.rejects(rows, rejects)?;
        let batch = self.calls.gated(&message, &frames_schema(), rows)?;
        if batch.num_rows() != firsts.len() {
            let problem = format!("the first rows of {} frames, and {} frames", firsts.len(), batch.num_rows());
            return Err(self.calls.broke(Violation::WrongRows, problem));
        }
        let is_refused = |row: u32| rejects.binary_search_by_key(&(row as usize), |reject| reject.row).is_ok();
        let wrong = firsts.windows(2).any(|pair| pair[0] >= pair[1])
            || firsts.iter().any(|row| *row as usize >= rows || is_refused(*row));
        // Each row is in a frame, or refused: those before the first frame can only be refused.
        let before = firsts.first().map_or(rows, |row| *row as usize);
        let begin = rejects.iter().take(before).enumerate().filter(|(at, reject)| reject.row == *at).count();
        if wrong || begin < before {
            let problem = "the first rows of its frames do not ascend, or some rows are in no frame and not refused";
            return Err(self.calls.broke(Violation::BadFrames, problem));
        }
        Ok((batch.column(0).as_binary::<i32>().clone(), rejects))
    }

    fn rejects(&self, rows: usize, rejects: Vec<Reject>) -> Result<Vec<RowReject>> {
        let mut next = 0;
        let reject = |reject: Reject| {
            let row = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if row >= rows || row < next {
                let problem = format!("it rejects row {row} of a batch of {rows} rows, or not in order");
                return Err(self.calls.broke(Violation::BadRejects, problem));
            }
            next = row + 1;
            let (code, message) = (cut(&reject.code, CODE_BYTES_MAX), cut(&reject.message, MESSAGE_BYTES_MAX));
            Ok(RowReject { row, code: code.to_owned(), message: message.to_owned() })
        };
        rejects.into_iter().map(reject).collect()
    }
}

/// How rows came to something else the second time, in words: where, and not what.
fn difference((first, first_rejects): &Written, (again, again_rejects): &Written) -> Option<String> {
    if (first.len(), first_rejects.len()) != (again.len(), again_rejects.len()) {
        let words = |frames: &BinaryArray, rejects: &[RowReject]| {
            format!("{} frames and {} refused rows", frames.len(), rejects.len())
        };
        return Some(format!("first {}, then {}", words(first, first_rejects), words(again, again_rejects)));
    }
    if let Some((reject, _)) = first_rejects.iter().zip(again_rejects).find(|(one, other)| one != other) {
        return Some(format!("row {} is refused otherwise, or not at all", reject.row));
    }
    let frame = (0..first.len()).find(|frame| first.value(*frame) != again.value(*frame))?;
    Some(format!("frame {frame} has other bytes"))
}

impl FrameEncoder for Encoder {
    fn encode(&mut self, rows: &RecordBatch) -> volley_api::Result<EncodedRows> {
        let metrics = self.calls.metrics();
        let (mut nowhere, mut cpu) = (Nowhere, std::mem::take(&mut self.calls.cpu));
        let outcome = {
            let _metered = Metered::begin(&metrics, &mut cpu, rows.num_rows(), &mut nowhere);
            self.write(rows)
        };
        self.calls.cpu = cpu;
        let encoded = outcome?;
        metrics.rows(rows.num_rows() - encoded.rejects.len(), encoded.rejects.len());
        Ok(encoded)
    }

    fn close(&mut self) -> volley_api::Result<()> {
        Ok(self.calls.close()?)
    }
}
