//! What a plugin is bound to: columns, keys and event time of its input.

use arrow::datatypes::SchemaRef;
use volley_api::{EventTimeColumn, StreamType};

use crate::contract;

/// What a plugin is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInput {
    /// All columns of the input.
    pub schema: SchemaRef,
    /// The columns by which rows are dealt out; none where rows have no key.
    pub keys: Vec<String>,
    /// Where the event time of the rows is, if they have any.
    pub event_time: Option<EventTimeColumn>,
}

impl PluginInput {
    /// Rows of these columns, without a key and without event time.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, keys: Vec::new(), event_time: None }
    }

    /// The rows of a stream, by these keys.
    #[must_use]
    pub fn of_stream(stream: &StreamType, keys: &[String]) -> Self {
        Self { schema: stream.schema.clone(), keys: keys.to_vec(), event_time: stream.event_time.clone() }
    }

    /// As it crosses; `schema` is the schema's message.
    pub(crate) fn to_contract(&self, schema: Vec<u8>) -> contract::Input {
        let event_time = self
            .event_time
            .as_ref()
            .map(|column| contract::EventTimeColumn { name: column.name.to_string(), offset_ms: column.offset_ms });
        contract::Input { schema, keys: self.keys.clone(), event_time }
    }
}
