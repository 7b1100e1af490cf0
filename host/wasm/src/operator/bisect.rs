//! A call that failed: which rows are to blame, and what becomes of them (design §4.5).
//!
//! A trap, an exceeded limit or a broken promise discards the instance and everything that the call put out. A fresh
//! instance gets the rows in halves, in order, until the guilty ones stand alone; a row is blamed only after failing
//! alone twice. Operators keep nothing between calls by contract, so the rest comes out as if the guilty rows had never
//! been there, however the rows were batched. Each guilty row costs about as many instances as its batch can be halved,
//! and the restart budget bounds them all. Where both halves of what has failed are good, their number was too large: later
//! calls are made no larger than those halves.

use volley_api::{Output, RowReject};

use super::filter::Keep;
use super::{Input, Part, PluginOperator, Treated, TreatedRows};
use crate::guest::MESSAGE_BYTES_MAX;
use crate::options::OnError;
use crate::repro::is_of_a_call;
use crate::text::cut;
use crate::violation::Violation;
use crate::{Error, Result};

/// A part that is still to be tried.
struct Waiting {
    part: Part,
    /// Which half it is of the part with that number.
    half: Option<Half>,
}

enum Half {
    First(usize),
    Second(usize),
}

impl PluginOperator {
    /// Deals with a part whose call has failed with `error`; parts that succeed are delivered in order.
    pub(super) fn bisect(
        &mut self,
        input: &Input,
        part: Part,
        error: Error,
        keep: &mut Keep,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        self.failed(error)?;
        // Its depth is bounded: each entry has at most half the rows of the one below it.
        let mut waiting = vec![Waiting { part, half: None }];
        // Of each part that was halved, whether its first half has succeeded as a whole.
        let mut firsts_good: Vec<bool> = Vec::new();
        let mut known_to_fail = true;
        while let Some(Waiting { part, half }) = waiting.pop() {
            // What is known to be too many rows for any call is not tried.
            if !std::mem::take(&mut known_to_fail) && part.rows <= self.call_rows_max {
                match self.attempt(input, part) {
                    Ok(treated) => {
                        self.deliver(input, part, treated, keep, output)?;
                        match half {
                            Some(Half::First(of)) => firsts_good[of] = true,
                            // Both halves of what has failed are good, so it was their number that was not.
                            Some(Half::Second(of)) if firsts_good[of] => self.call_rows_max = part.rows,
                            _ => {}
                        }
                        continue;
                    }
                    Err(error) => drop(self.failed(error)?),
                }
            }
            if part.rows > 1 {
                let left = part.rows / 2;
                let of = firsts_good.len();
                firsts_good.push(false);
                let second = Part { offset: part.offset + left, rows: part.rows - left };
                waiting.push(Waiting { part: second, half: Some(Half::Second(of)) });
                let first = Part { offset: part.offset, rows: left };
                waiting.push(Waiting { part: first, half: Some(Half::First(of)) });
                continue;
            }
            let treated = match self.attempt(input, part) {
                Ok(treated) => treated,
                Err(error) => {
                    let (violation, error) = self.failed(error)?;
                    self.blamed(input, part, violation, error)?
                }
            };
            self.deliver(input, part, treated, keep, output)?;
        }
        Ok(())
    }

    /// Counts a failed call and lets go of its instance; an error that rows are not to blame for stops the job.
    pub(super) fn failed(&mut self, error: Error) -> Result<(Violation, Error)> {
        let Some(violation) = error.violation() else { return Err(error) };
        self.instances.count(violation);
        if !error.may_be_of_rows() {
            return Err(if is_of_a_call(&error) { self.kept(error) } else { error });
        }
        // What a broken promise says of the plugin holds for every row: with nobody to take rows, it ends here.
        if matches!(error, Error::Contract { .. }) && self.stops_at_failures() {
            return Err(self.kept(error));
        }
        self.instances.discard();
        self.encoded = None;
        Ok((violation, error))
    }

    /// The one row of `part` is guilty.
    fn blamed(&self, input: &Input, part: Part, violation: Violation, error: Error) -> Result<Treated> {
        if self.stops_at_failures() {
            let row = part.of(&input.record);
            let error = error.at_row(&format!("{}; row: {}", self.place(&row, part, 0), self.shown(&row, 0)));
            return Err(self.kept(error));
        }
        self.bundle(&error);
        let code = format!("plugin-{}", violation.as_str().replace('_', "-"));
        let message = cut(&error.to_string(), MESSAGE_BYTES_MAX).to_owned();
        Ok(Treated { rows: TreatedRows::None, rejects: vec![RowReject { row: 0, code, message }] })
    }

    /// Whether a row that makes the plugin fail stops the job: the policy says so, or nobody would take the row.
    pub(super) fn stops_at_failures(&self) -> bool {
        self.on_error == OnError::Fail || !self.may_go_on()
    }
}
