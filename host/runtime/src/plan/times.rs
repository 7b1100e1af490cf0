//! Which column holds the event time of each edge's rows.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use volley_api::{EventTimeColumn, OutputPort, OutputTime, Result, StreamType};

use crate::Error;
use crate::time::{EventTime, WatermarkStrategy};

/// What is known of the time of one input.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) event_time: Option<&'a EventTimeColumn>,
    pub(super) is_bounded: bool,
    pub(super) is_revised: bool,
}

/// Whether a source's rows can have this event time.
pub(super) fn check(event_time: &EventTime, schema: &SchemaRef) -> Result<()> {
    check_column(&event_time.column.name, schema)?;
    match &event_time.strategy {
        WatermarkStrategy::Column(name) => check_column(name, schema),
        WatermarkStrategy::BoundedOutOfOrderness(_) | WatermarkStrategy::Monotonous => Ok(()),
    }
}

fn check_column(name: &str, schema: &SchemaRef) -> Result<()> {
    let Ok(field) = schema.field_with_name(name) else {
        let known = schema.fields().iter().map(|field| field.name().as_str());
        return Err(Error::unknown_column("event time", name, known).into());
    };
    if EventTimeColumn::fits(field.data_type()) {
        return Ok(());
    }
    Err(Error::EventTimeType { column: name.to_owned(), found: field.data_type().to_string() }.into())
}

/// Several inputs as one, of that schema.
pub(super) fn united(inputs: &[Input<'_>], schema: SchemaRef) -> StreamType {
    let first = inputs.first().and_then(|input| input.event_time);
    let is_same = inputs.iter().all(|input| input.event_time == first);
    StreamType {
        schema,
        event_time: first.filter(|_| is_same).cloned(),
        is_bounded: inputs.iter().all(|input| input.is_bounded),
        is_revised: inputs.iter().any(|input| input.is_revised),
    }
}

/// What leaves by a port, given the node's input, or for a source its event time and whether it ends.
pub(super) fn output(
    port: &OutputPort,
    input: Option<&StreamType>,
    source: Option<(Option<&EventTime>, bool)>,
) -> StreamType {
    let is_bounded = source.map_or_else(|| input.is_none_or(|input| input.is_bounded), |(_, is_bounded)| is_bounded);
    let of_source = source.and_then(|(event_time, _)| event_time).map(|event_time| event_time.column.clone());
    let event_time = match &port.event_time {
        OutputTime::In(column) => Some(column.clone()),
        OutputTime::None => None,
        OutputTime::Kept => of_source.or_else(|| input.and_then(|input| kept(input, &port.schema))),
    };
    let is_revised = port.is_revised || input.is_some_and(|input| input.is_revised);
    StreamType { schema: Arc::clone(&port.schema), event_time, is_bounded, is_revised }
}

/// The input's event time, as long as its column is still there.
fn kept(input: &StreamType, output: &SchemaRef) -> Option<EventTimeColumn> {
    let column = input.event_time.as_ref()?;
    let type_of = |schema: &SchemaRef| schema.field_with_name(&column.name).ok().map(|field| field.data_type().clone());
    (type_of(output) == type_of(&input.schema)).then(|| column.clone())
}
