//! Frames to rows: calls of bounded size, gated rows, and what becomes of bytes that the plugin cannot get over.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow::compute::concat_batches;
use volley_api::{DecodedFrames, FrameDecoder, FrameReject, Framing};

use crate::bind_values::frames_schema;
use crate::calls::Calls;
use crate::contract::{self, Reject};
use crate::guest::MESSAGE_BYTES_MAX;
use crate::metrics::{Metered, Nowhere};
use crate::path::{CodecCall, Reply, ReplyOutput};
use crate::refusals::{CODE_BYTES_MAX, REJECT_BATCH};
use crate::text::{cut, visible};
use crate::violation::Violation;
use crate::{Error, Result};

/// The code of bytes that a codec has left over where a stream ends.
const UNFINISHED: &str = "unfinished-frame";

/// The decoder of one split.
pub(super) struct Decoder {
    calls: Calls,
}

/// Why frames were not read.
enum NotRead {
    /// The plugin refused them together, in its words.
    Refused(String),
    /// The call has failed, and its instance is gone.
    Failed(Violation, Error),
}

impl Decoder {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls }
    }

    /// One call. What is not a matter of the frames is the outer error.
    fn attempt(
        &mut self,
        framing: Framing,
        frames: &BinaryArray,
        end: bool,
    ) -> Result<std::result::Result<DecodedFrames, NotRead>> {
        let column: ArrayRef = Arc::new(frames.clone());
        let wire = RecordBatch::try_new(frames_schema(), vec![column])?;
        let called = match framing {
            Framing::Messages => contract::Framing::Messages,
            Framing::Stream => contract::Framing::Stream,
        };
        self.calls.next();
        let call = CodecCall::Decode { framing: called, end };
        let (answer, heard) = self.calls.call_heard(&wire, false, call);
        let outcome = match answer {
            Ok(Err(message)) => return Ok(Err(NotRead::Refused(message))),
            Ok(Ok(reply)) => self.gated(framing, frames, end, reply.output, reply.rejects, true),
            Err(error) => Err(error),
        };
        if let (Ok(decoded), Some(heard)) = (&outcome, heard)
            && let Some(again) = self.calls.again(&wire, call, heard)
        {
            let gate = |reply: Reply| self.gated(framing, frames, end, reply.output, reply.rejects, false);
            if let Some(differs) = again.differs(gate, |again| difference(decoded, again)) {
                self.calls.report(|| format!("`decode` of {} frames", frames.len()), &differs);
            }
        }
        match outcome {
            Ok(decoded) => Ok(Ok(decoded)),
            Err(error) => {
                let (violation, error) = self.calls.failed(error)?;
                Ok(Err(NotRead::Failed(violation, error)))
            }
        }
    }

    /// What a call gave, checked; what it did wrong is counted where `counts` is true.
    fn gated(
        &self,
        framing: Framing,
        frames: &BinaryArray,
        end: bool,
        output: ReplyOutput,
        rejects: Vec<Reject>,
        counts: bool,
    ) -> Result<DecodedFrames> {
        let ReplyOutput::Decoded { rows: message, frames: of_rows, rest_bytes } = output else {
            return Err(self.calls.broke(Violation::OtherContract, "it answers as another kind of operator"));
        };
        let limits = self.calls.instances.limits();
        let (rows_max, per_frame_max) = (limits.output_rows_max, limits.rows_per_row_max);
        let rows = self.calls.gated(&message, &self.calls.instances.bound().ports[0].own, rows_max)?;
        if of_rows.len() != rows.num_rows() {
            let problem = format!("the frames of {} rows, and {} rows", of_rows.len(), rows.num_rows());
            return Err(self.calls.broke(Violation::WrongRows, problem));
        }
        let known = frames.len();
        if let Some(beyond) = of_rows.iter().find(|frame| **frame as usize >= known) {
            let problem = format!("a row of frame {beyond}, where {known} were given");
            return Err(self.calls.broke(Violation::BadFrames, problem));
        }
        if let Some(pair) = of_rows.windows(2).find(|pair| pair[0] > pair[1]) {
            let problem = format!("a row of frame {} after one of frame {}: frames ascend", pair[1], pair[0]);
            return Err(self.calls.broke(Violation::BadFrames, problem));
        }
        if framing == Framing::Messages
            && let Some(frame) = of_rows.chunk_by(|a, b| a == b).find(|rows| rows.len() > per_frame_max)
        {
            let problem =
                format!("{} rows for one frame; the limit is {per_frame_max} (`limits.rows_per_row`)", frame.len());
            return Err(self.calls.too_much(Violation::Amplification, problem));
        }
        let mut rejects = self.rejects(rejects, known)?;
        let last = frames.value_length(known - 1).max(0) as usize;
        let mut rest_bytes = usize::try_from(rest_bytes).unwrap_or(usize::MAX);
        if rest_bytes > last {
            let problem = format!("{rest_bytes} bytes are left of a frame that has {last}");
            return Err(self.calls.broke(Violation::BadFrames, problem));
        }
        if rest_bytes > 0 && (end || framing == Framing::Messages) {
            // It is counted, and nothing is lost: nobody will bring the rest of these bytes.
            if counts {
                self.calls.instances.count(Violation::BadFrames);
            }
            let message = format!("{rest_bytes} bytes are left over where the frame ends");
            rejects.push(FrameReject { frame: known - 1, code: UNFINISHED.to_owned(), message });
            rest_bytes = 0;
        }
        if rest_bytes == last && last > 0 && known == 1 && (!of_rows.is_empty() || !rejects.is_empty()) {
            let problem = "it gives rows or rejects, and has used no byte";
            return Err(self.calls.broke(Violation::BadFrames, problem));
        }
        Ok(DecodedFrames { rows, frames: of_rows, rejects, rest_bytes })
    }

    fn rejects(&self, rejects: Vec<Reject>, frames: usize) -> Result<Vec<FrameReject>> {
        let rows_max = self.calls.instances.limits().output_rows_max;
        if rejects.len() > rows_max {
            let problem = format!("{} rejects; the limit is {rows_max} (`limits.output_rows`)", rejects.len());
            return Err(self.calls.too_much(Violation::OutputRows, problem));
        }
        let mut last = 0;
        let reject = |reject: Reject| {
            let frame = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if frame >= frames || frame < last {
                let problem = format!("it rejects frame {frame} after {last} of {frames}: rejects ascend");
                return Err(self.calls.broke(Violation::BadRejects, problem));
            }
            last = frame;
            let (code, message) = (cut(&reject.code, CODE_BYTES_MAX), cut(&reject.message, MESSAGE_BYTES_MAX));
            Ok(FrameReject { frame, code: code.to_owned(), message: message.to_owned() })
        };
        rejects.into_iter().map(reject).collect()
    }

    /// Messages have nothing to do with each other: those that cannot be read are put aside, one by one.
    fn messages(&mut self, frames: &BinaryArray) -> Result<DecodedFrames> {
        let none = RecordBatch::new_empty(Arc::clone(&self.calls.instances.bound().ports[0].own));
        let mut all = DecodedFrames { rows: none.clone(), frames: Vec::new(), rejects: Vec::new(), rest_bytes: 0 };
        let mut batches = Vec::new();
        // Its depth is bounded: each entry has at most half the frames of the one below it.
        let mut waiting = vec![(0, frames.len())];
        while let Some((first, count)) = waiting.pop() {
            let part = frames.slice(first, count);
            let mut read = self.attempt(Framing::Messages, &part, false)?;
            if count == 1 && matches!(read, Err(NotRead::Failed(..))) {
                // Blamed only after failing alone twice.
                read = self.attempt(Framing::Messages, &part, false)?;
            }
            match read {
                Ok(decoded) => {
                    batches.push(decoded.rows);
                    all.frames.extend(decoded.frames.into_iter().map(|frame| frame + first as u32));
                    let moved = |reject: FrameReject| FrameReject { frame: reject.frame + first, ..reject };
                    all.rejects.extend(decoded.rejects.into_iter().map(moved));
                }
                Err(_) if count > 1 => {
                    let left = count / 2;
                    waiting.push((first + left, count - left));
                    waiting.push((first, left));
                }
                Err(NotRead::Refused(message)) => {
                    let message = cut(&message, MESSAGE_BYTES_MAX).to_owned();
                    all.rejects.push(FrameReject { frame: first, code: REJECT_BATCH.to_owned(), message });
                }
                Err(NotRead::Failed(violation, error)) => {
                    let code = format!("plugin-{}", violation.as_str().replace('_', "-"));
                    let error = error.to_string();
                    self.calls.bundle(&error);
                    let message = cut(&error, MESSAGE_BYTES_MAX).to_owned();
                    all.rejects.push(FrameReject { frame: first, code, message });
                }
            }
        }
        all.rows = concat_batches(&none.schema(), &batches)?;
        Ok(all)
    }

    /// Nobody but the codec knows where in a stream the next record begins. So what it cannot get over ends the job; all that
    /// comes before it is read, and the error says how few bytes are to blame.
    fn stream(&mut self, piece: &BinaryArray, end: bool) -> Result<DecodedFrames> {
        let mut problem = match self.attempt(Framing::Stream, piece, end)? {
            Ok(decoded) => return Ok(decoded),
            Err(not_read) => self.words(not_read)?,
        };
        // Calls that are good may follow the one that says most.
        let mut failed = self.calls.last.take();
        let bytes = piece.value(0);
        let (mut too_few, mut too_many) = (0, bytes.len());
        while too_many - too_few > 1 {
            let half = too_few + (too_many - too_few) / 2;
            let part = BinaryArray::from_iter_values([&bytes[..half]]);
            match self.attempt(Framing::Stream, &part, false)? {
                Ok(mut decoded) => {
                    if decoded.rows.num_rows() > 0 || !decoded.rejects.is_empty() || decoded.rest_bytes < half {
                        decoded.rest_bytes += bytes.len() - half;
                        return Ok(decoded);
                    }
                    too_few = half;
                }
                Err(not_read) => {
                    problem = self.words(not_read)?;
                    failed = self.calls.last.take();
                    too_many = half;
                }
            }
        }
        // What failed once may have failed by chance; alone and twice is its own fault.
        let part = BinaryArray::from_iter_values([&bytes[..too_many]]);
        match self.attempt(Framing::Stream, &part, end && too_many == bytes.len())? {
            Ok(mut decoded) if decoded.rest_bytes < too_many || too_many == bytes.len() => {
                decoded.rest_bytes += bytes.len() - too_many;
                return Ok(decoded);
            }
            Ok(_) => {}
            Err(not_read) => {
                problem = self.words(not_read)?;
                failed = self.calls.last.take();
            }
        }
        self.calls.last = failed;
        let source_name = self.calls.node().to_string();
        Err(self.calls.kept(Error::Unreadable { source_name, bytes: too_many, problem }))
    }

    /// Why a piece of a stream was not read. A broken promise holds for every piece, and ends here.
    fn words(&self, not_read: NotRead) -> Result<String> {
        match not_read {
            NotRead::Refused(message) => {
                let message = visible(&message, MESSAGE_BYTES_MAX);
                Ok(format!("{} cannot read on: {message}", self.calls.instances.who()))
            }
            NotRead::Failed(_, error @ Error::Contract { .. }) => Err(self.calls.kept(error)),
            NotRead::Failed(_, error) => Ok(error.to_string()),
        }
    }
}

/// How frames came to something else the second time, in words: where, and not what.
fn difference(first: &DecodedFrames, again: &DecodedFrames) -> Option<String> {
    let (one, other) = (&first.rows, &again.rows);
    if (one.num_rows(), first.rejects.len()) != (other.num_rows(), again.rejects.len()) {
        let words = |of: &DecodedFrames| format!("{} rows and {} rejects", of.rows.num_rows(), of.rejects.len());
        return Some(format!("first {}, then {}", words(first), words(again)));
    }
    if one.columns() != other.columns() {
        let is_other = |row: &usize| one.slice(*row, 1).columns() != other.slice(*row, 1).columns();
        let row = (0..one.num_rows()).find(is_other).unwrap_or_default();
        let frame = first.frames.get(row).copied().unwrap_or_default();
        return Some(format!("row {row}, of frame {frame}, is another"));
    }
    if first.frames != again.frames {
        return Some("rows are of other frames".to_owned());
    }
    if let Some((reject, _)) = first.rejects.iter().zip(&again.rejects).find(|(one, other)| one != other) {
        return Some(format!("what is refused of frame {} is another", reject.frame));
    }
    let (one, other) = (first.rest_bytes, again.rest_bytes);
    (one != other).then(|| format!("first {one} bytes were left, then {other}"))
}

impl FrameDecoder for Decoder {
    fn decode(&mut self, framing: Framing, frames: &BinaryArray, end: bool) -> volley_api::Result<DecodedFrames> {
        if frames.is_empty() {
            return Err(volley_api::Error::internal("a decoder was called without a frame"));
        }
        let metrics = self.calls.metrics();
        let (mut nowhere, mut cpu) = (Nowhere, std::mem::take(&mut self.calls.cpu));
        let outcome = {
            let _metered = Metered::begin(&metrics, &mut cpu, frames.len(), &mut nowhere);
            match framing {
                Framing::Messages => self.messages(frames),
                Framing::Stream if frames.len() == 1 => self.stream(frames, end),
                Framing::Stream => {
                    let whole: Vec<u8> = frames.iter().flatten().flatten().copied().collect();
                    self.stream(&BinaryArray::from_iter_values([whole]), end)
                }
            }
        };
        self.calls.cpu = cpu;
        let decoded = outcome?;
        metrics.rows(decoded.rows.num_rows(), decoded.rejects.len());
        Ok(decoded)
    }

    fn close(&mut self) -> volley_api::Result<()> {
        Ok(self.calls.close()?)
    }
}
