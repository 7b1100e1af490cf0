//! The columns of declared states, as their messages cross.

use super::{StateDeclaration, StateError};
use crate::buffer::Buffer;
use crate::layout::Place;
use crate::wire::{self, Frame, Message, Template};
use crate::{Array, Batch, OpenError, Schema};

/// Columns as they cross.
pub(crate) struct ColumnsWire {
    pub(crate) schema: Schema,
    places: Vec<Place>,
    template: Template,
}

impl ColumnsWire {
    pub(crate) fn new(schema: &Schema) -> Result<Self, OpenError> {
        let schema = schema.unpacked();
        let places = wire::places(&schema).map_err(|field| {
            OpenError::Failed(format!("column `{}`: {} cannot be state", field.name, field.data_type))
        })?;
        let template = Template::new(places.last().copied().unwrap_or_default());
        Ok(Self { schema, places, template })
    }

    /// Writes columns of so many rows.
    pub(crate) fn encode(&self, columns: &[Array], rows: usize, out: &mut Buffer) -> Result<(), StateError> {
        let fields = self.schema.fields();
        let fits =
            |(field, column): (&crate::Field, &Array)| column.data_type() == &field.data_type && column.len() == rows;
        if fields.len() != columns.len() || !fields.iter().zip(columns).all(fits) {
            return Err(StateError(format!("columns of state do not fit its declaration, or {rows} groups")));
        }
        let mut message = Message::begin(out, &self.template, rows);
        columns.iter().for_each(|column| message.column(column.column("")));
        message.finish();
        Ok(())
    }

    /// Reads a message.
    pub(crate) fn read<R>(
        &self,
        message: &[u8],
        read: impl FnOnce(&Batch<'_>) -> Result<R, StateError>,
    ) -> Result<R, StateError> {
        let mut aligned = Buffer::new();
        let message = if message.as_ptr().addr().is_multiple_of(align_of::<u64>()) {
            message
        } else {
            aligned.extend(message);
            aligned.bytes()
        };
        let frame = Frame::open(message, &self.schema, &self.places)
            .map_err(|error| StateError(format!("the host's state cannot be read: {error}")))?;
        read(&Batch::of_message(&self.schema, &frame, &self.places))
    }
}

/// The columns of one state.
pub(crate) struct StateWire {
    pub(crate) values: ColumnsWire,
    /// Of a map; without columns otherwise.
    pub(crate) map_keys: ColumnsWire,
}

impl StateWire {
    pub(crate) fn new(declaration: &StateDeclaration) -> Result<Self, OpenError> {
        let map_keys = declaration.map_keys.clone().unwrap_or_default();
        Ok(Self { values: ColumnsWire::new(&declaration.values)?, map_keys: ColumnsWire::new(&map_keys)? })
    }
}
