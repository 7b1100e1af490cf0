//! Process operators: rows with the numbers of their keys, timers, watermarks.
//!
//! What a call writes to state is stored when the call has succeeded and its output has passed the gate; so calls that fail
//! are made again, in halves, like those of other kinds. Timers fire in time order, those of one key one time after another.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use volley_api::{Output, PortIndex, StreamRecord, Watermark};

use super::flat_map::{Carried, Rows};
use super::{Input, Part, PluginOperator, RETRIES_MAX, RETRY_WAIT_MS_MAX};
use crate::contract::{self, Failure, TimeDomain};
use crate::guest::MESSAGE_BYTES_MAX;
use crate::imports::emitter::Parents;
use crate::keyed::{CallKeys, Due, Keyed};
use crate::path::{KeyedCall, Reply};
use crate::refusals::REJECT_BATCH;
use crate::repro::Last;
use crate::text::visible;
use crate::{Error, Result};

/// Calls on timers of the clock before whoever drives the operator has its turn.
const CLOCK_ROUNDS_MAX: usize = 64;

impl PluginOperator {
    pub(super) fn keyed_side(&mut self) -> Result<&mut Keyed> {
        self.keyed.as_deref_mut().ok_or_else(|| Error::Engine("a process operator without its state".to_owned()))
    }

    /// Calls the plugin on a part that was encoded, for an instance that has met its keys.
    pub(super) fn call(&mut self, input: &Input, part: Part) -> Result<std::result::Result<Reply, Failure>> {
        let Some(keys) = &input.keys else {
            let calls = self.calls;
            let batch = self.instances.repro().map(|_| input.wire.slice(part.offset, part.rows));
            let called = self.logged(None, None, batch, Parents::Rows(part.rows));
            let guest = self.instances.guest()?;
            let Some(mut called) = called else { return guest.process(part.rows, calls) };
            guest.note();
            let answer = guest.process(part.rows, calls);
            guest.noted(&mut called);
            self.last = Some(Last { call: called, came_to: guest.came_to(&answer) });
            return answer;
        };
        let rows = part.offset..part.offset + part.rows;
        let begun = self.keyed_side()?.begin_rows(keys, rows, input.record.max_event_time);
        let CallKeys { groups, new } = begun.map_err(Error::State)?;
        let is_kept = self.held.is_some() || self.instances.repro().is_some();
        let batch = is_kept.then(|| input.wire.slice(part.offset, part.rows));
        self.call_keyed(new, KeyedCall::Rows(groups), batch, Parents::Rows(part.rows))
    }

    fn call_keyed(
        &mut self,
        new: Option<(u32, Vec<ArrayRef>)>,
        call: KeyedCall,
        batch: Option<RecordBatch>,
        parents: Parents,
    ) -> Result<std::result::Result<Reply, Failure>> {
        let function = call.function();
        let wire = |source| Error::Wire { plugin: self.instances.who().to_string(), source };
        let crossing = match (&new, &self.instances.bound().keys) {
            (Some((first, columns)), Some(bound)) => {
                bound.crossing(columns).map_err(wire)?.map(|batch| (*first, batch))
            }
            _ => None,
        };
        let logged = self.logged(crossing.as_ref(), Some(&call), batch, parents);
        let Self { instances, keyed, calls, held, last, .. } = self;
        let is_kept = instances.repro().is_some();
        let guest = instances.guest()?;
        guest.prepare(crossing.as_ref().map(|(first, batch)| (*first, batch)), call)?;
        let Some(mut logged) = logged else { return guest.process_keyed(function, parents, *calls, keyed) };
        guest.note();
        let answer = guest.process_keyed(function, parents, *calls, keyed);
        guest.noted(&mut logged);
        logged.has_failed = matches!(answer, Ok(Err(_)));
        if let Err(Error::Limit { violation, problem, .. }) = &answer
            && logged.answers.iter().any(|answer| answer.is_limit())
        {
            logged.exceeded = Some((*violation, problem.clone()));
        }
        if is_kept {
            *last = Some(Last { call: logged.clone(), came_to: guest.came_to(&answer) });
        }
        let Some(held) = held else { return answer };
        match &answer {
            Ok(Ok(_)) => held.under_way = Some(logged),
            Ok(Err(_)) => held.push(logged),
            Err(_) => {}
        }
        answer
    }

    /// Sees to it that the instance and the host mean the same keys by their numbers.
    pub(super) fn meet(&mut self, rows: usize) -> Result<()> {
        if self.keyed.is_none() {
            return Ok(());
        }
        // A fresh instance has to be told what the one before held.
        self.ensure()?;
        self.instances.guest()?;
        let instance = self.instances.number();
        let keyed = self.keyed_side()?;
        if !keyed.is_met_by(instance) {
            keyed.forget();
        } else if keyed.is_full(rows) {
            keyed.forget();
            if let Err(error) = self.instances.guest()?.forget() {
                // No row is to blame, and none is lost: a fresh instance knows no keys either.
                let Some(violation) = error.violation() else { return Err(error) };
                self.instances.count(violation);
                self.instances.discard();
                self.encoded = None;
                tracing::warn!(target: "volley::plugin", operator = %self.context.node, "a fresh instance goes on: {error}");
                return self.meet(rows);
            }
            if let Some(held) = &mut self.held {
                held.forgot();
            }
        }
        Ok(())
    }

    /// A call has succeeded, and what it put out is good: what it wrote is stored.
    pub(super) fn commit(&mut self) -> Result<()> {
        self.keep_call();
        let Some(keyed) = self.keyed.as_deref_mut() else { return Ok(()) };
        keyed.commit().map_err(Error::State)?;
        self.clock_due_ms = keyed.timers().next_clock_ms().map_err(Error::State)?;
        Ok(())
    }

    /// What rows of a part carry on ports of mode `keyed`.
    pub(super) fn keyed_rows(&self, input: &Input, part: Part) -> Result<Option<StreamRecord>> {
        let (Some(keys), Some(keyed), Some(bound)) = (&input.keys, self.keyed.as_deref(), &self.instances.bound().keys)
        else {
            return Ok(None);
        };
        let bytes = (part.offset..part.offset + part.rows).map(|row| keys.key(row).0);
        let columns = keyed.columns(bytes).map_err(Error::State)?;
        let rows = part.of(&input.record);
        let batch = bound.of_rows(columns, &rows.batch)?;
        Ok(Some(rows.with_columns_of(batch)))
    }

    /// Event time has advanced: timers fire, then the plugin is told.
    pub(super) fn advance(&mut self, watermark: Watermark, output: &mut dyn Output) -> volley_api::Result<()> {
        self.keyed_side()?.advance(watermark);
        let (until_ms, told) = match watermark {
            Watermark::AtMs(at_ms) => (at_ms, contract::Watermark::AtMs(at_ms)),
            Watermark::End => (i64::MAX, contract::Watermark::End),
        };
        self.fire(TimeDomain::EventTime, until_ms, output)?;
        self.tell(told, output)?;
        self.keyed_side()?.sweep()
    }

    /// Timers of the clock that are due fire.
    pub(super) fn fire_clock(&mut self, output: &mut dyn Output) -> volley_api::Result<()> {
        let now_ms = i64::try_from(self.context.clock.now_ms()).unwrap_or(i64::MAX);
        self.fire(TimeDomain::ProcessingTime, now_ms, output)?;
        // Also where no call has succeeded: timers that were dropped are due no more.
        self.clock_due_ms = self.keyed_side()?.timers().next_clock_ms()?;
        Ok(())
    }

    fn fire(&mut self, domain: TimeDomain, until_ms: i64, output: &mut dyn Output) -> volley_api::Result<()> {
        // The clock waits for nobody: after some rounds it is a barrier's turn, however many timers are due by then.
        let rounds_max = if domain == TimeDomain::ProcessingTime { CLOCK_ROUNDS_MAX } else { usize::MAX };
        for _ in 0..rounds_max {
            let timers_max = self.call_timers_max;
            let due = self.keyed_side()?.timers().due(domain, until_ms, timers_max)?;
            if due.is_empty() {
                break;
            }
            self.calls += 1;
            self.fire_some(&due, domain, output)?;
        }
        self.keyed_side()?.timers().fired_all();
        Ok(())
    }

    /// Calls the plugin on timers; where a call fails, in halves, until the guilty ones stand alone.
    fn fire_some(&mut self, due: &[Due], domain: TimeDomain, output: &mut dyn Output) -> volley_api::Result<()> {
        let mut waiting = vec![due.to_vec()];
        let mut alone_before = false;
        let (mut most_fired, mut has_blamed) = (0, false);
        while let Some(due) = waiting.pop() {
            // What was called before may have deleted others of its key.
            let due = if alone_before || !waiting.is_empty() {
                self.keyed_side()?.timers().registered(domain, due)?
            } else {
                due
            };
            if due.is_empty() {
                continue;
            }
            let error = match self.attempt_timers(&due, domain) {
                Ok(fired) => {
                    most_fired = most_fired.max(due.len());
                    self.deliver_timers(&due, domain, fired, output)?;
                    continue;
                }
                Err(error) => error,
            };
            let (violation, error) = self.failed(error)?;
            // What the failed call has fired is registered still.
            self.keyed_side()?.discard();
            alone_before = true;
            if due.len() > 1 {
                let (first, second) = due.split_at(due.len() / 2);
                waiting.extend([second.to_vec(), first.to_vec()]);
                continue;
            }
            // A timer is blamed only after failing alone twice.
            match self.attempt_timers(&due, domain) {
                Ok(fired) => self.deliver_timers(&due, domain, fired, output)?,
                Err(again) => {
                    self.failed(again)?;
                    self.blame_timer(&due, domain, violation, error, output)?;
                    has_blamed = true;
                }
            }
        }
        // Larger calls fail, and no timer is guilty.
        if alone_before && !has_blamed && most_fired > 0 {
            self.call_timers_max = most_fired;
        }
        Ok(())
    }

    /// One call on timers, again where the plugin asks for that. `Err` inside: it refused them.
    fn attempt_timers(
        &mut self,
        due: &[Due],
        domain: TimeDomain,
    ) -> Result<std::result::Result<Vec<(PortIndex, Rows)>, String>> {
        let mut retries = 0;
        loop {
            self.ensure()?;
            self.meet(due.len())?;
            let begun = self.keyed_side()?.begin_timers(due, domain).map_err(Error::State)?;
            let (CallKeys { new, .. }, timers) = begun;
            let parents = Parents::Timers(due.len());
            let (answer, heard) =
                self.hearing(|operator| operator.call_keyed(new, KeyedCall::Timers(timers), None, parents))?;
            match answer? {
                Ok(_) => {
                    let rows = self.emitted(Part { offset: 0, rows: due.len() }, &[])?;
                    if let Some(heard) = heard {
                        self.timers_again(due, domain, &rows, heard);
                    }
                    self.commit()?;
                    return Ok(Ok(rows));
                }
                Err(Failure::RejectBatch(message)) => return Ok(Err(message)),
                Err(failure) => self.again(failure, &mut retries)?,
            }
        }
    }

    /// Waits where the plugin asks to be called again, and gives up where it has asked too often or has given up itself.
    fn again(&self, failure: Failure, retries: &mut u32) -> Result<()> {
        let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
        match failure {
            Failure::Retry(_) if *retries == RETRIES_MAX => {
                Err(Error::RetriesExhausted { operator, plugin, retries: *retries })
            }
            Failure::Retry(after_ms) => {
                *retries += 1;
                std::thread::sleep(Duration::from_millis(after_ms.min(RETRY_WAIT_MS_MAX)));
                Ok(())
            }
            Failure::Fatal(message) | Failure::RejectBatch(message) => {
                Err(Error::Fatal { operator, plugin, message: visible(&message, MESSAGE_BYTES_MAX) })
            }
        }
    }

    fn deliver_timers(
        &mut self,
        due: &[Due],
        domain: TimeDomain,
        fired: std::result::Result<Vec<(PortIndex, Rows)>, String>,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        match fired {
            Ok(ports) if ports.is_empty() => Ok(()),
            Ok(ports) => {
                let keyed = self.timer_rows(due, domain)?;
                self.send_emitted(&Carried { rows: keyed.clone(), keyed: Some(keyed) }, ports, output)
            }
            Err(message) if self.stops_at_failures() => Err(self
                .kept(Error::RejectedBatch {
                    operator: self.context.node.to_string(),
                    plugin: self.instances.who().to_string(),
                    rows: due.len(),
                    message: visible(&message, MESSAGE_BYTES_MAX),
                })
                .into()),
            Err(message) => self.drop_timers(due, domain, REJECT_BATCH, &message, output),
        }
    }

    /// What rows from timers carry.
    fn timer_rows(&self, due: &[Due], domain: TimeDomain) -> Result<StreamRecord> {
        let (Some(keyed), Some(bound)) = (self.keyed.as_deref(), &self.instances.bound().keys) else {
            return Err(Error::Engine("timers of an operator without keys".to_owned()));
        };
        let clock_row_ms = keyed.clock_row_ms();
        let time = |due: &Due| match domain {
            TimeDomain::EventTime => Some(due.at_ms),
            TimeDomain::ProcessingTime => clock_row_ms,
        };
        let times: Vec<Option<i64>> = due.iter().map(time).collect();
        let columns = keyed.columns(due.iter().map(|due| &due.key[..])).map_err(Error::State)?;
        let record = StreamRecord::new(bound.of_timers(columns, &times)?);
        let times = || times.iter().copied().flatten();
        Ok(StreamRecord { min_event_time: times().min(), max_event_time: times().max(), ..record })
    }

    /// Tells the plugin how far event time has come. It has a second chance, in a fresh instance; there is nothing to leave
    /// out.
    fn tell(&mut self, watermark: contract::Watermark, output: &mut dyn Output) -> volley_api::Result<()> {
        self.calls += 1;
        let (mut retries, mut failures) = (0, 0);
        loop {
            self.ensure()?;
            self.meet(0)?;
            self.keyed_side()?.begin_watermark();
            let call = KeyedCall::Watermark(watermark);
            let (answer, heard) = self.hearing(|operator| operator.call_keyed(None, call, None, Parents::None))?;
            let ports = match answer {
                Ok(Ok(_)) => self.emitted(Part { offset: 0, rows: 1 }, &[]),
                Ok(Err(failure)) => match self.again(failure, &mut retries) {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match ports {
                Ok(ports) => {
                    if let Some(heard) = heard {
                        self.watermark_again(watermark, &ports, heard);
                    }
                    self.keep_call();
                    let options = RecordBatchOptions::new().with_row_count(Some(1));
                    let nothing = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options);
                    let rows = StreamRecord::new(nothing.map_err(Error::from)?);
                    return self.send_emitted(&Carried { rows, keyed: None }, ports, output);
                }
                Err(error) => {
                    let (_, error) = self.failed(error)?;
                    failures += 1;
                    if failures > 1 {
                        return Err(self.kept(error).into());
                    }
                }
            }
        }
    }
}
