//! Flat-maps: what was emitted, with what the host carries along by the rows' parents.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, concat_batches, filter, filter_record_batch};
use arrow::datatypes::Schema;
use volley_api::{Output, PortIndex, RowReject, StreamRecord};

use super::map::all_but;
use super::weigh::{chunk_rows, row_bytes};
use super::{Part, PluginOperator};
use crate::contract::WriteMode;
use crate::imports::emitter::Emission;
use crate::{Error, Result};

impl PluginOperator {
    /// The outputs of one call, port by port, without the rows of refused parents: the plugin's own columns alone.
    pub(super) fn emitted(&mut self, part: Part, rejects: &[RowReject]) -> Result<Vec<(PortIndex, Rows)>> {
        let emissions = self.instances.guest()?.take_emissions();
        self.check_emitted(part, &emissions)?;
        let mut ports = Vec::with_capacity(1);
        for port in 0..self.instances.bound().ports.len() {
            let of_port: Vec<&Emission> = emissions.iter().filter(|emission| emission.port == port).collect();
            let Some(mut rows) = join(&of_port)? else { continue };
            if !rejects.is_empty() {
                rows = without(rows, part.rows, rejects)?;
            }
            ports.push((port, rows));
        }
        Ok(ports)
    }

    /// Sends the rows of one call on. Those that carry columns of what they came from go in records of bounded size, one at a
    /// time: a few bytes from the plugin can ask for many copies of a long row.
    pub(super) fn send_emitted(
        &self,
        carried: &Carried,
        ports: Vec<(PortIndex, Rows)>,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        // Weighed when a port carries columns along, and only then: it takes a look at every row.
        let (mut weighed, mut weighed_keyed): (Option<Vec<usize>>, Option<Vec<usize>>) = (None, None);
        for (port, rows) in ports {
            let (input, carried_bytes): (&StreamRecord, &[usize]) = match self.instances.bound().ports[port].mode {
                WriteMode::Replace => (&carried.rows, &[]),
                WriteMode::Append => (&carried.rows, weighed.get_or_insert_with(|| row_bytes(&carried.rows.batch))),
                WriteMode::Keyed => {
                    let keyed = carried.keyed.as_ref();
                    let keyed = keyed.ok_or_else(|| Error::Engine("rows of a key without the key".to_owned()))?;
                    (keyed, weighed_keyed.get_or_insert_with(|| row_bytes(&keyed.batch)))
                }
            };
            let mut start = 0;
            while start < rows.batch.num_rows() {
                let length = chunk_rows(&rows.parents.values()[start..], carried_bytes);
                if start == 0 && length == rows.batch.num_rows() {
                    output.emit(port, self.carried(input, port, &rows)?)?;
                    break;
                }
                output.emit(port, self.carried(input, port, &rows.slice(start, length))?)?;
                start += length;
            }
        }
        Ok(())
    }

    /// The emitted rows with the columns (modes `append` and `keyed`), origins and times of their parents.
    fn carried(&self, input: &StreamRecord, port: PortIndex, rows: &Rows) -> Result<StreamRecord> {
        let port = &self.instances.bound().ports[port];
        let replaces = port.mode == WriteMode::Replace;
        if replaces && input.origins.is_none() {
            // Nothing travels beside the columns but bounds and the trace, which are the whole record's.
            return Ok(StreamRecord { batch: port.compose(&input.batch, &rows.batch)?, ..input.clone() });
        }
        let carried = if replaces {
            // No column of the input is wanted: gather only what travels beside them.
            let options = RecordBatchOptions::new().with_row_count(Some(input.batch.num_rows()));
            let nothing = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
            input.clone().with_columns_of(nothing).take(&rows.parents)?
        } else {
            input.take(&rows.parents)?
        };
        let batch = port.compose(&carried.batch, &rows.batch)?;
        Ok(carried.with_columns_of(batch))
    }
}

/// What emitted rows carry along: the rows or timers that they came from.
pub(super) struct Carried {
    /// With all columns of the input, where there are rows.
    pub(super) rows: StreamRecord,
    /// With the columns of mode `keyed`.
    pub(super) keyed: Option<StreamRecord>,
}

/// What a call emitted on one port, gated.
pub(super) struct Rows {
    parents: UInt32Array,
    batch: RecordBatch,
}

impl Rows {
    fn slice(&self, start: usize, length: usize) -> Self {
        Self { parents: self.parents.slice(start, length), batch: self.batch.slice(start, length) }
    }
}

/// The row of the input whose rows differ first between two results of one call, and how.
pub(super) fn difference(first: &[(PortIndex, Rows)], again: &[(PortIndex, Rows)]) -> Option<(Option<usize>, String)> {
    let words = |rows: usize, port: usize| format!("{rows} rows on output {port}");
    for ((port, first), (other, again)) in first.iter().zip(again) {
        if port != other {
            return Some((None, format!("first it put out rows on output {port}, then on output {other}")));
        }
        let rows = first.batch.num_rows().min(again.batch.num_rows());
        let same = |row: &usize| {
            let parents = first.parents.value(*row) == again.parents.value(*row);
            parents && first.batch.slice(*row, 1).columns() == again.batch.slice(*row, 1).columns()
        };
        let is_same = first.parents == again.parents && first.batch.columns() == again.batch.columns();
        if is_same {
            continue;
        }
        let row = (0..rows).find(|row| !same(row));
        let parent = row.and_then(|row| usize::try_from(first.parents.value(row)).ok());
        let (first, again) = (words(first.batch.num_rows(), *port), words(again.batch.num_rows(), *port));
        return Some((parent, format!("first it gave {first}, then {again}, and some are others")));
    }
    let (count, other) = (first.len(), again.len());
    (count != other).then(|| (None, format!("first it put out rows on {count} outputs, then on {other}")))
}

/// Many small emits become one batch, in order.
fn join(emissions: &[&Emission]) -> Result<Option<Rows>> {
    let Some(first) = emissions.first() else { return Ok(None) };
    if emissions.len() == 1 {
        return Ok(Some(Rows { parents: first.parents.clone(), batch: first.batch.clone() }));
    }
    let parents: Vec<&dyn Array> = emissions.iter().map(|emission| &emission.parents as &dyn Array).collect();
    let parents = concat(&parents)?;
    let batch = concat_batches(&first.batch.schema(), emissions.iter().map(|emission| &emission.batch))?;
    Ok(Some(Rows { parents: parents.to_data().into(), batch }))
}

fn without(rows: Rows, input_rows: usize, rejects: &[RowReject]) -> Result<Rows> {
    let kept = all_but(input_rows, rejects);
    let keep: BooleanArray = rows.parents.values().iter().map(|parent| Some(kept.value(*parent as usize))).collect();
    let parents = filter(&rows.parents, &keep)?;
    Ok(Rows { parents: parents.to_data().into(), batch: filter_record_batch(&rows.batch, &keep)? })
}
