//! Calls of operators with keys that are made twice. The second reads the state from before the first, and nothing that it
//! writes is stored; it is made before what the first has written is. An operator that holds state itself is first brought to
//! where the first instance was.

use arrow::array::RecordBatch;
use volley_api::{KeyGroup, PortIndex, StateKey};

use super::flat_map::{Rows, difference as ports_differ};
use super::twice::difference;
use super::{Input, Part, PluginOperator, Treated, TreatedRows};
use crate::contract::{self, Failure, TimeDomain, Timer};
use crate::guest::{Guest, MESSAGE_BYTES_MAX};
use crate::imports::emitter::Parents;
use crate::keyed::{CallKeys, Due, Keyed, Written};
use crate::path::{KeyedCall, Reply};
use crate::text::visible;
use crate::twice::{Heard, Second, failed_again};
use crate::violation::Violation;
use crate::{Error, Result};

/// What a process is called for, as the host has it.
#[derive(Clone, Copy)]
enum Of<'a> {
    Rows(&'a Input, Part),
    Timers(&'a [Due], TimeDomain),
    Watermark(contract::Watermark),
}

/// What a call put out: what it refused, and rows by port.
type Out = Result<Treated>;

/// What a call came to that was made once more.
struct Again {
    declared: &'static str,
    /// `None` where it asks for another try.
    out: Option<Out>,
    written: Written,
}

impl PluginOperator {
    /// Makes a call of an operator with keys, and keeps what it is told where it is one that is made twice.
    pub(super) fn hearing<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> Result<(T, Option<Heard>)> {
        if self.keyed.is_none() || !self.sample.takes(self.calls) {
            return Ok((call(self), None));
        }
        Heard::listen(self.instances.guest()?);
        let came = call(self);
        // An instance that has failed is there still.
        let heard = Heard::of(self.instances.guest()?, self.calls);
        Ok((came, Some(heard)))
    }

    /// Makes a call on rows again whose results are not stored yet.
    pub(super) fn rows_again(&mut self, input: &Input, part: Part, treated: &Treated, heard: Heard) {
        let Some(again) = self.made_again(Of::Rows(input, part), heard) else { return };
        let declared = again.declared;
        let differs = self.compared(again, |out| difference(part.rows, treated, out));
        if let Some((row, words)) = differs {
            self.tell_difference(input, part, declared, row, &words);
        }
    }

    /// The same on timers.
    pub(super) fn timers_again(&mut self, due: &[Due], domain: TimeDomain, ports: &[(PortIndex, Rows)], heard: Heard) {
        let of = || format!("a call on {} timers", due.len());
        self.ports_again(Of::Timers(due, domain), ports, heard, of);
    }

    /// The same on a watermark.
    pub(super) fn watermark_again(&mut self, at: contract::Watermark, ports: &[(PortIndex, Rows)], heard: Heard) {
        self.ports_again(Of::Watermark(at), ports, heard, || "a call on a watermark".to_owned());
    }

    fn ports_again(&mut self, of: Of<'_>, ports: &[(PortIndex, Rows)], heard: Heard, place: impl FnOnce() -> String) {
        let Some(again) = self.made_again(of, heard) else { return };
        let declared = again.declared;
        let differs = self.compared(again, |out| match &out.rows {
            TreatedRows::Emitted(again) => ports_differ(ports, again),
            _ => Some((None, "then it refused all of it".to_owned())),
        });
        if let Some((_, words)) = differs {
            self.sample.report(&self.instances, declared, place, &words);
        }
    }

    /// How what a call put out and wrote differs the second time.
    fn compared(
        &mut self,
        again: Again,
        differ: impl FnOnce(&Treated) -> Option<(Option<usize>, String)>,
    ) -> Option<(Option<usize>, String)> {
        let out = match again.out? {
            Ok(out) => out,
            Err(error) => return failed_again(&error).map(|words| (None, words)),
        };
        if let Some(difference) = differ(&out) {
            return Some(difference);
        }
        match self.keyed.as_mut()?.differs(&again.written) {
            Ok(words) => words.map(|words| (None, words)),
            Err(error) => {
                tracing::debug!(operator = %self.context.node, %error, "what was written twice is not compared");
                None
            }
        }
    }

    /// Makes a call once more; all is as it was before then.
    fn made_again(&mut self, of: Of<'_>, heard: Heard) -> Option<Again> {
        let mut second = self.sample.second(&self.instances)?;
        if let Some(held) = &self.held
            && let Err(error) = held.bring(&mut second.guest, &mut None)
        {
            let words = match error.violation() {
                Some(Violation::HostBudget | Violation::Deadline) | None => return None,
                Some(_) => format!("an instance that got the same calls did not come to where it was: {error}"),
            };
            let of = || "the calls since it gave its state last".to_owned();
            self.sample.report(&self.instances, second.declared, of, &words);
            return None;
        }
        let number = second.hear(heard);
        let keyed = self.keyed.as_mut()?;
        let begun = match of {
            Of::Rows(input, part) => {
                let keys = input.keys.as_ref()?;
                let key = |row| {
                    let (key, hash) = keys.key(row);
                    StateKey { group: KeyGroup::of_hash(hash), key }
                };
                keyed.begin_again((part.offset..part.offset + part.rows).map(key))
            }
            Of::Timers(due, _) => keyed.begin_again(due.iter().map(|due| StateKey { group: due.group, key: &due.key })),
            Of::Watermark(_) => keyed.begin_again(std::iter::empty()),
        };
        let (laid_aside, keys) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::debug!(operator = %self.context.node, %error, "a call is not made twice");
                return None;
            }
        };
        let Second { guest, declared, .. } = second;
        let first = self.instances.exchange(Some(guest));
        let out = self.call_once_more(of, keys, number);
        self.instances.exchange(first);
        let written = self.keyed.as_mut()?.end_again(laid_aside);
        Some(Again { declared, out: out.transpose(), written })
    }

    /// One call of the present instance, which knows no keys, gated.
    fn call_once_more(&mut self, of: Of<'_>, keys: CallKeys, number: u64) -> Result<Option<Treated>> {
        let CallKeys { groups, new } = keys;
        let (call, parents) = match of {
            Of::Rows(_, part) => (KeyedCall::Rows(groups), Parents::Rows(part.rows)),
            Of::Timers(due, domain) => {
                let timer =
                    |(due, group): (&Due, &u32)| Timer { group: *group, at_ms: due.at_ms, domain, tag: due.tag };
                let timers: Vec<Timer> = due.iter().zip(&groups).map(timer).collect();
                self.keyed_side()?.fire_again(&timers).map_err(Error::State)?;
                (KeyedCall::Timers(timers), Parents::Timers(due.len()))
            }
            Of::Watermark(watermark) => (KeyedCall::Watermark(watermark), Parents::None),
        };
        let wire = |source| Error::Wire { plugin: self.instances.who().to_string(), source };
        let crossing: Option<(u32, RecordBatch)> = match (&new, &self.instances.bound().keys) {
            (Some((first, columns)), Some(bound)) => {
                bound.crossing(columns).map_err(wire)?.map(|batch| (*first, batch))
            }
            _ => None,
        };
        let Self { instances, keyed, .. } = self;
        let answer = called(instances.guest()?, of, crossing.as_ref(), call, parents, number, keyed)?;
        let reply = match answer {
            Ok(reply) => reply,
            Err(Failure::Retry(_)) => return Ok(None),
            Err(Failure::RejectBatch(message)) => {
                let rejects = match of {
                    Of::Rows(_, part) => self.reject_batch(part, &message)?,
                    Of::Timers(..) | Of::Watermark(_) => Vec::new(),
                };
                return Ok(Some(Treated { rows: TreatedRows::None, rejects }));
            }
            Err(Failure::Fatal(message)) => {
                let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
                return Err(Error::Fatal { operator, plugin, message: visible(&message, MESSAGE_BYTES_MAX) });
            }
        };
        let (part, rejects) = match of {
            Of::Rows(input, part) => (part, self.take_rejects(input, part, reply.rejects)?),
            Of::Timers(due, _) => (Part { offset: 0, rows: due.len() }, Vec::new()),
            Of::Watermark(_) => (Part { offset: 0, rows: 1 }, Vec::new()),
        };
        Ok(Some(Treated { rows: TreatedRows::Emitted(self.emitted(part, &rejects)?), rejects }))
    }
}

fn called(
    guest: &mut Guest,
    of: Of<'_>,
    keys: Option<&(u32, RecordBatch)>,
    call: KeyedCall,
    parents: Parents,
    number: u64,
    keyed: &mut Option<Box<Keyed>>,
) -> Result<std::result::Result<Reply, Failure>> {
    if let Of::Rows(input, part) = of {
        guest.encode(&input.wire.slice(part.offset, part.rows))?;
    }
    let function = call.function();
    guest.prepare(keys.map(|(first, batch)| (*first, batch)), call)?;
    guest.process_keyed(function, parents, number, keyed)
}
