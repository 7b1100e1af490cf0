//! What a process puts out, with what rows carry besides.

use super::{Process, Row, stacked};
use crate::testing::{Crossed, TestError, batch, broken, joined, read, taken};
use crate::{Array, Field, ProcessOperator, RecordBatch, Schema, WriteMode};

impl<Op: ProcessOperator> Process<Op> {
    /// What rows of mode `keyed` carry, by parent.
    pub(super) fn carried(&self, groups: &[u32], time: impl Fn(usize) -> Row) -> Vec<Row> {
        let of = |(row, group): (usize, &u32)| {
            let mut carried = self.key_rows[*group as usize].clone();
            if self.is_time_carried() {
                carried.extend(time(row));
            }
            carried
        };
        groups.iter().enumerate().map(of).collect()
    }

    fn is_time_carried(&self) -> bool {
        self.time.as_ref().is_some_and(|(_, place)| !self.keys.contains(place))
    }

    pub(super) fn outputs(
        &self,
        emitted: &[(usize, Vec<u32>, Vec<u8>)],
        crossed: Option<&Crossed>,
        keyed: &[Row],
        rejected: &[u32],
    ) -> Result<Vec<(String, RecordBatch)>, TestError> {
        let bound = &self.runner.bound;
        let mut carried: Vec<Field> = self.keys.iter().map(|place| self.schema.fields()[*place].clone()).collect();
        if let Some((_, place)) = self.time.as_ref().filter(|_| self.is_time_carried()) {
            carried.push(self.schema.fields()[*place].clone());
        }
        let carried = Schema::new(carried);
        let mut outputs = Vec::new();
        for (index, port) in bound.binding.ports.iter().enumerate() {
            let own_schema = &bound.wires[index].schema;
            let beside = match port.writes {
                WriteMode::Replace => Schema::default(),
                WriteMode::Keyed => carried.clone(),
                WriteMode::Append => self.schema.clone(),
            };
            let mut batches = Vec::new();
            for (_, parents, message) in emitted.iter().filter(|(port, ..)| *port == index) {
                let own = read(own_schema, message)?;
                let count = if parents.is_empty() { own.first().map_or(0, Array::len) } else { parents.len() };
                let kept: Vec<usize> = (0..count)
                    .filter(|row| parents.get(*row).is_none_or(|parent| !rejected.contains(parent)))
                    .collect();
                let of: Vec<usize> =
                    kept.iter().filter_map(|row| parents.get(*row)).map(|parent| *parent as usize).collect();
                let columns = match (port.writes, crossed) {
                    (WriteMode::Keyed, _) => {
                        let rows: Vec<Row> = of.iter().map(|parent| keyed[*parent].clone()).collect();
                        carried.fields().iter().cloned().zip(stacked(&carried, &rows)).collect()
                    }
                    (WriteMode::Append, Some(crossed)) => crossed.carried(&of),
                    (WriteMode::Append, None) => return Err(broken("a port of mode append has no rows from timers")),
                    (WriteMode::Replace, _) => Vec::new(),
                };
                batches.push(put_together(columns, taken(own_schema, &own, &kept), kept.len()));
            }
            let nothing = |schema: &Schema| -> Vec<(Field, Array)> {
                schema
                    .fields()
                    .iter()
                    .map(|field| (field.clone(), crate::gather::gather(&field.data_type, &[], &[])))
                    .collect()
            };
            let empty = put_together(nothing(&beside), nothing(own_schema), 0);
            outputs.push((port.name.clone(), joined(&empty, &batches)));
        }
        Ok(outputs)
    }
}

fn put_together(mut columns: Vec<(Field, Array)>, mut own: Vec<(Field, Array)>, rows: usize) -> RecordBatch {
    for (field, column) in &mut columns {
        if let Some(place) = own.iter().position(|(other, _)| other.name == field.name) {
            (*field, *column) = own.remove(place);
        }
    }
    columns.append(&mut own);
    batch(columns, rows)
}

/// A time as a column of event time: of Int64 or a timestamp in milliseconds.
pub(super) fn time_array(field: &Field, at_ms: i64) -> Array {
    use crate::build::{Builder as _, Int64Builder};
    let mut times = match &field.data_type {
        crate::DataType::Timestamp(unit, zone) => Int64Builder::timestamp(*unit, zone.as_deref()),
        _ => Int64Builder::new(),
    };
    times.push(at_ms);
    times.finish()
}
