//! Timers that a plugin refuses, or that make it fail: what becomes of them.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use volley_api::{Output, RowReject, StreamRecord};

use super::PluginOperator;
use crate::contract::TimeDomain;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::keyed::Due;
use crate::text::cut;
use crate::violation::Violation;
use crate::{Error, Result};

/// The columns of a refused timer, behind those of its key.
const TIMER_AT: &str = "timer_at_ms";
const TIMER_TAG: &str = "timer_tag";

impl PluginOperator {
    pub(super) fn blame_timer(
        &mut self,
        due: &[Due],
        domain: TimeDomain,
        violation: Violation,
        error: Error,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        if self.stops_at_failures() {
            let rows = self.refused_timers(due)?;
            let error = error.at_row(&format!("a timer; row: {}", self.shown(&rows, 0)));
            return Err(self.kept(error).into());
        }
        self.bundle(&error);
        let code = format!("plugin-{}", violation.as_str().replace('_', "-"));
        let message = cut(&error.to_string(), MESSAGE_BYTES_MAX).to_owned();
        self.drop_timers(due, domain, &code, &message, output)
    }

    /// Refused timers are registered no more, and their keys are reported.
    pub(super) fn drop_timers(
        &mut self,
        due: &[Due],
        domain: TimeDomain,
        code: &str,
        message: &str,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        self.keyed_side()?.drop_timers(due, domain)?;
        let rows = self.refused_timers(due)?;
        let message = cut(message, MESSAGE_BYTES_MAX);
        let reject = |row| RowReject { row, code: code.to_owned(), message: message.to_owned() };
        output.reject(&rows, (0..due.len()).map(reject).collect())
    }

    /// Timers as rows that are refused: their keys, their times and their tags.
    fn refused_timers(&self, due: &[Due]) -> Result<StreamRecord> {
        let (Some(keyed), Some(bound)) = (self.keyed.as_deref(), &self.instances.bound().keys) else {
            return Err(Error::Engine("timers of an operator without keys".to_owned()));
        };
        let own = [Field::new(TIMER_AT, DataType::Int64, false), Field::new(TIMER_TAG, DataType::UInt32, false)];
        let fields: Vec<FieldRef> = bound.fields.iter().cloned().chain(own.map(Arc::new)).collect();
        let mut columns = keyed.columns(due.iter().map(|due| &due.key[..])).map_err(Error::State)?;
        columns.push(Arc::new(Int64Array::from_iter_values(due.iter().map(|due| due.at_ms))));
        columns.push(Arc::new(UInt32Array::from_iter_values(due.iter().map(|due| due.tag))));
        Ok(StreamRecord::new(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?))
    }
}
