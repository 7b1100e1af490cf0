//! Calls of operators that are made twice. Those of operators with keys, which depend on state, see [`again`](super::again).

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use volley_api::RowReject;

use super::{Input, Part, PluginOperator, Treated, TreatedRows};
use crate::text::visible;
use crate::twice::{Heard, Second, failed_again};
use crate::{Error, Result};

/// What is shown of a result, in bytes.
const SHOWN_BYTES_MAX: usize = 256;

impl PluginOperator {
    /// Makes a call, and sees whether it is made again: the result is that of the first.
    pub(super) fn attempt_sampled(&mut self, input: &Input, part: Part) -> Result<Treated> {
        // With keys it is seen to before what the call has written is stored.
        if self.keyed.is_some() || !self.sample.has(self.calls) {
            return self.attempt(input, part);
        }
        Heard::listen(self.instances.guest()?);
        let treated = self.attempt(input, part);
        let heard = Heard::of(self.instances.guest()?, self.calls);
        let treated = treated?;
        self.call_again(input, part, &treated, heard);
        Ok(treated)
    }

    fn call_again(&mut self, input: &Input, part: Part, treated: &Treated, heard: Heard) {
        let Some(mut second) = self.sample.second(&self.instances) else { return };
        second.hear(heard);
        let Second { guest, declared, .. } = second;
        let first = self.instances.exchange(Some(guest));
        let last = self.last.take();
        let again = self.call_once(input, part);
        self.last = last;
        self.instances.exchange(first);
        self.encoded = None;
        let difference = match again {
            Ok(Some(again)) => difference(part.rows, treated, &again),
            // It asked for another try.
            Ok(None) => None,
            Err(error) => failed_again(&error).map(|words| (None, words)),
        };
        let Some((row, words)) = difference else { return };
        self.tell_difference(input, part, declared, row, &words);
    }

    /// Reports what differs between two calls on a part, where it can be told from which row on.
    pub(super) fn tell_difference(
        &mut self,
        input: &Input,
        part: Part,
        declared: &'static str,
        row: Option<usize>,
        words: &str,
    ) {
        let place = row.map_or_else(
            || format!("a batch of {} rows", part.rows),
            // Its values are nobody's who reads logs: the place says where to look.
            |row| self.place(&part.of(&input.record), part, row),
        );
        self.sample.report(&self.instances, declared, || place, words);
    }

    /// One call of the present instance, gated; `None` where it wants to be called again.
    fn call_once(&mut self, input: &Input, part: Part) -> Result<Option<Treated>> {
        self.encode(input, part)?;
        self.encoded = None;
        let reply = match self.call(input, part)? {
            Ok(reply) => reply,
            Err(crate::contract::Failure::Retry(_)) => return Ok(None),
            Err(crate::contract::Failure::RejectBatch(message)) => {
                return Ok(Some(Treated { rows: TreatedRows::None, rejects: self.reject_batch(part, &message)? }));
            }
            Err(crate::contract::Failure::Fatal(message)) => {
                return Err(Error::Fatal {
                    operator: self.context.node.to_string(),
                    plugin: self.instances.who().to_string(),
                    message: visible(&message, SHOWN_BYTES_MAX),
                });
            }
        };
        let rejects = self.take_rejects(input, part, reply.rejects)?;
        let rows = self.gated(input, part, reply.output, &rejects)?;
        Ok(Some(Treated { rows, rejects }))
    }
}

/// The first row in which two results of a call on so many rows differ, where it can be told, and how.
pub(super) fn difference(rows: usize, first: &Treated, again: &Treated) -> Option<(Option<usize>, String)> {
    if let Some((row, words)) = rejects_differ(&first.rejects, &again.rejects) {
        return Some((Some(row), words));
    }
    match (&first.rows, &again.rows) {
        (TreatedRows::None, TreatedRows::None) => None,
        (TreatedRows::Kept(first), TreatedRows::Kept(again)) => {
            let bit = |bits: &[u8], row: usize| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
            let row = (0..rows).find(|row| bit(first, *row) != bit(again, *row))?;
            let word = |kept: bool| if kept { "kept" } else { "dropped" };
            Some((Some(row), format!("first it was {}, then {}", word(bit(first, row)), word(bit(again, row)))))
        }
        (TreatedRows::Mapped(first), TreatedRows::Mapped(again)) => {
            let (first, again) = (&first.batch, &again.batch);
            if first.columns() == again.columns() {
                return None;
            }
            let same = |row: &usize| first.slice(*row, 1).columns() == again.slice(*row, 1).columns();
            let row = (0..first.num_rows().min(again.num_rows())).find(|row| !same(row));
            let column = row.and_then(|row| {
                (0..first.num_columns()).find(|at| first.column(*at).slice(row, 1) != again.column(*at).slice(row, 1))
            });
            let name =
                column.map_or_else(String::new, |at| format!(" in column `{}`", first.schema().field(at).name()));
            let value = |batch: &RecordBatch| shown(batch.column(column?), row?);
            let (first, again) = (value(first).unwrap_or_default(), value(again).unwrap_or_default());
            Some((row, format!("first it gave {first}, then {again}{name}")))
        }
        (TreatedRows::Emitted(first), TreatedRows::Emitted(again)) => super::flat_map::difference(first, again),
        _ => Some((None, "first some rows were put out and then none, or the other way round".to_owned())),
    }
}

fn rejects_differ(first: &[RowReject], again: &[RowReject]) -> Option<(usize, String)> {
    let words = |reject: Option<&RowReject>| {
        reject.map_or_else(
            || "was not refused".to_owned(),
            |reject| visible(&format!("was refused with `{}: {}`", reject.code, reject.message), SHOWN_BYTES_MAX),
        )
    };
    let row = first.iter().chain(again).map(|reject| reject.row).filter(|row| {
        let of = |rejects: &[RowReject]| rejects.iter().find(|reject| reject.row == *row).cloned();
        of(first) != of(again)
    });
    let row = row.min()?;
    let of = |rejects: &[RowReject]| words(rejects.iter().find(|reject| reject.row == row));
    Some((row, format!("first it {}, then it {}", of(first), of(again))))
}

/// One value in words, cut.
pub(crate) fn shown(values: &ArrayRef, row: usize) -> Option<String> {
    let text = array_value_to_string(values, row).ok()?;
    Some(format!("`{}`", visible(&text, SHOWN_BYTES_MAX)))
}
