//! What a plugin is bound to: columns, keys and event time of its input.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
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
    /// The columns that it may see; `None`: all. See [`Grants`](crate::Grants).
    pub granted: Option<Vec<String>>,
}

impl PluginInput {
    /// Rows of these columns, without a key and without event time.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, keys: Vec::new(), event_time: None, granted: None }
    }

    /// The rows of a stream, by these keys.
    #[must_use]
    pub fn of_stream(stream: &StreamType, keys: &[String]) -> Self {
        let (schema, keys) = (stream.schema.clone(), keys.to_vec());
        Self { schema, keys, event_time: stream.event_time.clone(), granted: None }
    }

    /// The columns that it may see, in the order of the input.
    pub(crate) fn shown(&self) -> Result<SchemaRef, ArrowError> {
        let Some(granted) = &self.granted else { return Ok(Arc::clone(&self.schema)) };
        let fields = self.schema.fields().iter().enumerate();
        let places: Vec<usize> =
            fields.filter(|(_, field)| granted.contains(field.name())).map(|(place, _)| place).collect();
        // Metadata of the whole may name any column.
        let shown = self.schema.project(&places)?.with_metadata(Default::default());
        Ok(Arc::new(shown))
    }

    fn shows(&self, column: &str) -> bool {
        self.granted.as_ref().is_none_or(|granted| granted.iter().any(|name| name == column))
    }

    /// As it crosses; `schema` is the schema's message.
    pub(crate) fn to_contract(&self, schema: Vec<u8>) -> contract::Input {
        let event_time = self
            .event_time
            .as_ref()
            .filter(|column| self.shows(&column.name))
            .map(|column| contract::EventTimeColumn { name: column.name.to_string(), offset_ms: column.offset_ms });
        contract::Input { schema, keys: self.keys.clone(), event_time }
    }
}
