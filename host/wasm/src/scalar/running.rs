//! A running scalar: columns in, calls of bounded size, one gated column out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, filter_record_batch, take};
use arrow::datatypes::{DataType, Schema};
use volley_api::{ScalarFunction, ScalarOutcome};
use volley_ipc::columns_to_wire;

use crate::calls::Calls;
use crate::contract::NullHandling;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::metrics::{Metered, Nowhere};
use crate::operator::CALL_ROWS_MAX;
use crate::operator::twice::shown;
use crate::operator::weigh::row_bytes;
use crate::options::OnNoValue;
use crate::path::{CodecCall, Reply, ReplyOutput};
use crate::text::visible;
use crate::twice::Heard;
use crate::violation::Violation;
use crate::{Error, Result};

/// One place of an expression at work.
pub(super) struct Running {
    calls: Calls,
    on_no_value: OnNoValue,
    /// The most rows of a call: fewer where larger calls have failed though no row was guilty.
    call_rows_max: usize,
    /// Rows of the smallest call that has failed of late, and rows of which calls were good since.
    suspect: Option<(usize, usize)>,
    /// Whether some rows were refused in the batch under way.
    refused: usize,
    /// Whether what is asked for is a single row: what has no value then has none in the end.
    is_alone: bool,
}

/// What became of the rows of one call.
enum Attempt {
    Values(ArrayRef),
    /// The plugin refused them together, in its words.
    Refused(String),
}

impl Running {
    pub(super) fn new(calls: Calls, on_no_value: OnNoValue) -> Self {
        Self { calls, on_no_value, call_rows_max: CALL_ROWS_MAX, suspect: None, refused: 0, is_alone: false }
    }

    fn result_type(&self) -> DataType {
        self.calls.instances.bound().ports[0].own.field(0).data_type().clone()
    }

    /// The values of a batch; rows with a null among the arguments cross only where the function wants to see them.
    fn values(&mut self, arguments: &RecordBatch) -> Result<ScalarOutcome> {
        let rows = arguments.num_rows();
        let bound = self.calls.instances.bound();
        let wire = columns_to_wire(arguments.columns().iter(), rows, &bound.wire)
            .map_err(|source| Error::Wire { plugin: self.calls.instances.who().to_string(), source })?;
        if bound.nulls == Some(NullHandling::See) {
            return self.dense(&wire);
        }
        let nulls = wire.columns().iter().map(|column| column.logical_nulls());
        let nulls = nulls.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()));
        let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return self.dense(&wire) };
        if nulls.null_count() == rows {
            return Ok(ScalarOutcome::Values(new_null_array(&self.result_type(), rows)));
        }
        let known = filter_record_batch(&wire, &BooleanArray::new(nulls.inner().clone(), None))?;
        Ok(match self.dense(&known)? {
            ScalarOutcome::Values(values) => ScalarOutcome::Values(spread(&values, &nulls)?),
            failed @ ScalarOutcome::NotTogether(_) => failed,
        })
    }

    /// The values of rows that all cross, in calls of bounded size.
    fn dense(&mut self, wire: &RecordBatch) -> Result<ScalarOutcome> {
        let mut values: Vec<ArrayRef> = Vec::with_capacity(1);
        let (mut offset, mut rows_max) = (0, self.call_rows_max);
        while offset < wire.num_rows() {
            let mut part = slice(wire, offset, rows_max.min(wire.num_rows() - offset));
            while self.calls.encode(&part)? > self.calls.bytes_max() && part.num_rows() > 1 {
                rows_max = part.num_rows().div_ceil(2);
                part = slice(wire, offset, rows_max);
            }
            offset += part.num_rows();
            self.calls.next();
            match self.attempt(&part, true) {
                Ok(Attempt::Values(array)) => {
                    self.good(part.num_rows());
                    values.push(array);
                }
                Ok(Attempt::Refused(message)) if self.on_no_value == OnNoValue::Fail => {
                    return Ok(self.not_together(self.no_value(&message)));
                }
                Ok(Attempt::Refused(_)) => self.narrow(&part, false, &mut values)?,
                Err(error) => {
                    let error = self.failed(error, part.num_rows())?;
                    if self.on_no_value == OnNoValue::Null {
                        self.narrow(&part, true, &mut values)?;
                    } else if part.num_rows() > 1 {
                        return Ok(ScalarOutcome::NotTogether(error.into()));
                    } else {
                        // A row is blamed only after failing alone twice.
                        match self.attempt(&part, false) {
                            Ok(Attempt::Values(array)) => values.push(array),
                            Ok(Attempt::Refused(message)) => {
                                return Ok(self.not_together(self.no_value(&message)));
                            }
                            Err(error) => {
                                let error = self.failed(error, 1)?;
                                return Ok(self.not_together(error));
                            }
                        }
                    }
                }
            }
        }
        if let [values] = &values[..] {
            return Ok(ScalarOutcome::Values(Arc::clone(values)));
        }
        let parts: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        Ok(ScalarOutcome::Values(concat(&parts)?))
    }

    /// Tries a part that has failed, or was refused, in halves, in order; rows that fail alone become null.
    fn narrow(&mut self, part: &RecordBatch, has_failed: bool, values: &mut Vec<ArrayRef>) -> Result<()> {
        // Its depth is bounded: each entry has at most half the rows of the one below it.
        let mut waiting = vec![part.clone()];
        let mut is_known = true;
        let mut fresh = has_failed;
        while let Some(part) = waiting.pop() {
            let rows = part.num_rows();
            if !std::mem::take(&mut is_known) {
                match self.attempt(&part, false) {
                    Ok(Attempt::Values(array)) => {
                        self.good(rows);
                        values.push(array);
                        continue;
                    }
                    Ok(Attempt::Refused(_)) => fresh = false,
                    Err(error) => {
                        self.failed(error, rows)?;
                        fresh = true;
                    }
                }
            }
            if rows > 1 {
                let left = rows / 2;
                waiting.push(slice(&part, left, rows - left));
                waiting.push(slice(&part, 0, left));
                continue;
            }
            // What it refuses it has looked at; what made it fail alone gets a second try.
            if fresh {
                match self.attempt(&part, false) {
                    Ok(Attempt::Values(array)) => {
                        values.push(array);
                        continue;
                    }
                    Ok(Attempt::Refused(_)) => {}
                    Err(error) => {
                        let error = self.failed(error, rows)?;
                        self.calls.bundle(&error.to_string());
                    }
                }
            }
            self.refused += 1;
            values.push(new_null_array(&self.result_type(), 1));
        }
        Ok(())
    }

    fn attempt(&mut self, part: &RecordBatch, is_encoded: bool) -> Result<Attempt> {
        let (answer, heard) = self.calls.call_heard(part, is_encoded, CodecCall::default());
        let values = match answer? {
            Ok(reply) => self.gated(part, reply)?,
            Err(message) => return Ok(Attempt::Refused(message)),
        };
        if let Some(heard) = heard {
            self.call_again(part, heard, &values);
        }
        Ok(Attempt::Values(values))
    }

    fn gated(&self, part: &RecordBatch, reply: Reply) -> Result<ArrayRef> {
        let ReplyOutput::Columns(message) = reply.output else {
            return Err(self.calls.broke(Violation::OtherContract, "it answers as another kind of operator"));
        };
        let expected = &self.calls.instances.bound().ports[0].own;
        let own = self.calls.gated(&message, expected, part.num_rows())?;
        if own.num_rows() != part.num_rows() {
            let problem = format!("{} rows for {}", own.num_rows(), part.num_rows());
            return Err(self.calls.broke(Violation::WrongRows, problem));
        }
        let limit = self.calls.instances.limits().bytes_per_row_max;
        if message.len() > limit
            && let Some(seen) = row_bytes(&own).into_iter().max().filter(|seen| *seen > limit)
        {
            let problem = format!("{seen} bytes for one row; the limit is {limit} (`limits.bytes_per_row`)");
            return Err(self.calls.too_much(Violation::Amplification, problem));
        }
        Ok(Arc::clone(own.column(0)))
    }

    /// Makes a call again that gave these values, and sees whether it gives them again.
    fn call_again(&mut self, part: &RecordBatch, heard: Heard, values: &ArrayRef) {
        let Some(again) = self.calls.again(part, CodecCall::default(), heard) else { return };
        let differs = again.differs(|reply| self.gated(part, reply), |again| difference(values, again));
        if let Some(differs) = differs {
            self.calls.report(|| format!("a call on {} rows", part.num_rows()), &differs);
        }
    }

    /// Counts a failed call; what is not a matter of its rows ends here.
    fn failed(&mut self, error: Error, rows: usize) -> Result<Error> {
        let is_promise = matches!(error, Error::Contract { .. });
        let (_, error) = self.calls.failed(error)?;
        // What a broken promise says of the plugin holds for every row.
        if is_promise && self.on_no_value == OnNoValue::Fail {
            return Err(self.calls.kept(error));
        }
        self.suspect = (rows > 1).then_some((rows, 0));
        Ok(error)
    }

    /// Where all rows of a call that has failed are good in smaller calls, their number was too large.
    fn good(&mut self, rows: usize) {
        let Some((failed, good)) = &mut self.suspect else { return };
        *good += rows;
        if *good >= *failed {
            self.call_rows_max = self.call_rows_max.min(*failed / 2).max(1);
            self.suspect = None;
        }
    }

    /// There are no values; where that is the end of it the call is kept.
    fn not_together(&self, error: Error) -> ScalarOutcome {
        let error = if self.is_alone { self.calls.kept(error) } else { error };
        ScalarOutcome::NotTogether(error.into())
    }

    fn no_value(&self, message: &str) -> Error {
        let plugin = self.calls.instances.who().to_string();
        Error::NoValue { plugin, message: visible(message, MESSAGE_BYTES_MAX) }
    }
}

/// The first value that is another the second time, in words.
fn difference(first: &ArrayRef, again: &ArrayRef) -> Option<String> {
    if first == again {
        return None;
    }
    let row = (0..first.len()).find(|row| first.slice(*row, 1) != again.slice(*row, 1))?;
    let shown = |values: &ArrayRef| shown(values, row).unwrap_or_default();
    Some(format!("for row {row} of it first {}, then {}", shown(first), shown(again)))
}

/// Rows of a batch.
fn slice(batch: &RecordBatch, offset: usize, rows: usize) -> RecordBatch {
    if offset == 0 && rows == batch.num_rows() { batch.clone() } else { batch.slice(offset, rows) }
}

/// The values at the rows that are not null, in order, and nulls at the others.
fn spread(values: &ArrayRef, nulls: &NullBuffer) -> Result<ArrayRef> {
    let mut next = 0_u32;
    let indices: UInt32Array = nulls
        .iter()
        .map(|is_valid| {
            is_valid.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    Ok(take(values, &indices, None)?)
}

impl ScalarFunction for Running {
    fn call(&mut self, arguments: &RecordBatch) -> volley_api::Result<ScalarOutcome> {
        let rows = arguments.num_rows();
        let arguments = match arguments.num_columns() {
            // Functions without arguments read a batch of rows and no columns.
            0 => {
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
                    .map_err(Error::from)?
            }
            _ => arguments.clone(),
        };
        let metrics = self.calls.metrics();
        let mut nowhere = Nowhere;
        let mut cpu = std::mem::take(&mut self.calls.cpu);
        (self.refused, self.is_alone) = (0, rows == 1);
        let outcome = {
            let _metered = Metered::begin(&metrics, &mut cpu, rows, &mut nowhere);
            self.values(&arguments)
        };
        self.calls.cpu = cpu;
        let outcome = outcome?;
        if matches!(outcome, ScalarOutcome::Values(_)) {
            metrics.rows(rows - self.refused, self.refused);
        }
        Ok(outcome)
    }

    fn close(&mut self) -> volley_api::Result<()> {
        Ok(self.calls.close()?)
    }
}
