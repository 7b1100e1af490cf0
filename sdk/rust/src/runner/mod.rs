//! An opened operator between messages: what is the same for all kinds. The exports of a component and the
//! native tests both run through here, so that tests see what a host would see.

mod aggregate;
mod codec;
mod kinds;
mod process;
mod scalar;
mod snapshot;
#[cfg(test)]
mod steady;

pub use aggregate::AggregateRunner;
pub use codec::CodecRunner;
pub(crate) use kinds::Answer;
pub use kinds::{FilterRunner, FlatMapRunner, MapRunner};
pub use process::ProcessRunner;
pub use scalar::ScalarRunner;

use std::mem::ManuallyDrop;

use serde::de::DeserializeOwned;

use crate::buffer::Buffer;
use crate::column::Column;
use crate::layout::Place;
use crate::text::listed;
use crate::wire::{self, Frame, Message, Template};
use crate::{Array, Batch, Binding, EmitError, Failure, Field, OpenError, Port, ProcessInput, Schema, Writer};

/// What one call refuses: rows with their reasons, ascending.
pub(crate) type RejectedRows = Vec<(u32, crate::Reject)>;

/// How many outputs a kind of operator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// A filter's.
    None,
    /// A map's, and an aggregate's.
    One,
    /// A flat-map's.
    OneOrMore,
}

/// What the lifecycle of a component needs of an opened operator.
#[doc(hidden)]
pub trait Runner: Sized + 'static {
    /// What the operator's results depend on.
    const DETERMINISM: crate::Determinism;

    /// What a scalar does about nulls; `None` for other kinds.
    const NULLS: Option<crate::NullHandling> = None;

    /// Opens the operator: configuration as JSON, and what it is to be bound to. Nothing that is generic owns what it is handed:
    /// code that frees it would be in every component as often as there are ways out.
    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError>;

    /// The same with the input as a Schema message.
    ///
    /// # Errors
    /// When the operator refuses.
    fn open(config: &str, input: &[u8]) -> Result<Self, OpenError> {
        Self::open_keyed(config, input, Vec::new(), None)
    }

    /// The same with what rows are dealt out by and where their event time is. Only a process wants to know.
    ///
    /// # Errors
    /// When the operator refuses.
    fn open_keyed(
        config: &str,
        input: &[u8],
        keys: Vec<String>,
        event_time: Option<crate::EventTime>,
    ) -> Result<Self, OpenError> {
        Self::open_for(config, &ProcessInput { schema: read_input(input)?, keys, event_time })
    }

    /// Whether it may have states: the others have no code to tell of them.
    const HAS_STATES: bool = false;

    /// Its states as `describe` gives them; only a process has code for that.
    #[cfg(target_arch = "wasm32")]
    fn wit_states() -> Vec<crate::guest::lifecycle::exports::volley::operator::lifecycle::StateDeclaration> {
        Vec::new()
    }

    /// The states that it declares. Only a process has any.
    fn states() -> Vec<crate::state::StateDeclaration> {
        Vec::new()
    }

    /// What it agreed to.
    fn bound(&self) -> &Bound;

    /// The last call of a clean end.
    fn close(&mut self);
}

/// The binding of an opened operator, ready for batches.
pub struct Bound {
    pub(crate) binding: Binding,
    /// The columns of `reads`.
    reads: Schema,
    /// Where they stand in a message.
    places: Vec<Place>,
    /// One for each port.
    pub(crate) wires: Vec<PortWire>,
}

/// A port as its batches cross.
pub(crate) struct PortWire {
    /// Its columns, dictionaries unpacked.
    pub(crate) schema: Schema,
    template: Template,
    /// Whether its columns are those that are read.
    same_as_read: bool,
}

/// Memory for messages, used again by every call.
#[derive(Default)]
pub(crate) struct Memory {
    /// What the call gives back.
    pub(crate) out: Buffer,
    /// The call's message, when it came unaligned.
    aligned: Buffer,
}

impl Memory {
    /// The message, where values can be read from it in place; and memory for the answer.
    fn align<'a>(&'a mut self, message: &'a [u8]) -> (&'a [u8], &'a mut Buffer) {
        if message.as_ptr().addr().is_multiple_of(align_of::<u64>()) {
            return (message, &mut self.out);
        }
        self.aligned.clear();
        self.aligned.extend(message);
        (self.aligned.bytes(), &mut self.out)
    }
}

/// Reads the configuration, and opens the operator with it.
pub(crate) fn open<C: DeserializeOwned, Op>(
    config: &str,
    input: &Schema,
    outputs: Outputs,
    open: impl FnOnce(C, &Schema) -> Result<(Op, Binding), OpenError>,
) -> Result<(Op, Bound), OpenError> {
    let (operator, binding) = open(crate::config::parse(config)?, input)?;
    bound_to(operator, Bound::new(binding, outputs, input))
}

/// The operator with what came of its binding; where that is nothing, the operator is let be, and not freed.
pub(crate) fn bound_to<Op, B>(operator: Op, bound: Result<B, OpenError>) -> Result<(Op, B), OpenError> {
    let operator = ManuallyDrop::new(operator);
    let bound = bound?;
    Ok((ManuallyDrop::into_inner(operator), bound))
}

/// What does not depend on the operator is compiled once, and for size: `#[inline(never)]` here and elsewhere.
#[inline(never)]
pub(crate) fn read_input(input: &[u8]) -> Result<Schema, OpenError> {
    wire::read_schema(input).map_err(|error| OpenError::Failed(format!("{error}")))
}

impl Bound {
    #[inline(never)]
    fn new(binding: Binding, outputs: Outputs, input: &Schema) -> Result<Self, OpenError> {
        check_ports(&binding.ports, outputs)?;
        let mut fields = Vec::new();
        for name in &binding.reads {
            let field = input.require(name)?;
            if fields.contains(field) {
                return Err(OpenError::Failed(format!("the operator reads column `{name}` twice")));
            }
            fields.push(field.clone());
        }
        let reads = Schema::new(fields);
        let places = wire::places(&reads).map_err(|field| {
            let Field { name, data_type, .. } = field;
            OpenError::InvalidInput(format!("column `{name}` is {data_type}, which this SDK cannot read"))
        })?;
        let mut wires = Vec::with_capacity(binding.ports.len());
        for port in &binding.ports {
            wires.push(PortWire::new(port, &reads)?);
        }
        Ok(Self { binding, reads, places, wires })
    }

    /// Opens the message of a call.
    fn decode<'a>(&self, message: &'a [u8]) -> Result<Frame<'a>, Failure> {
        Frame::open(message, &self.reads, &self.places)
            .map_err(|error| Failure::Fatal(format!("the host's batch cannot be read: {error}")))
    }

    /// The batch as the operator sees it.
    fn view<'a>(&'a self, frame: &'a Frame<'a>) -> Batch<'a> {
        Batch::of_message(&self.reads, frame, &self.places)
    }
}

impl PortWire {
    fn new(port: &Port, reads: &Schema) -> Result<Self, OpenError> {
        let fields = port.schema.fields();
        let is_second =
            |(index, field): &(usize, &Field)| fields[..*index].iter().any(|other| other.name == field.name);
        if let Some((_, twice)) = fields.iter().enumerate().find(is_second) {
            return Err(OpenError::Failed(format!("port `{}` has two columns `{}`", port.name, twice.name)));
        }
        let schema = port.schema.unpacked();
        let places = wire::places(&schema).map_err(|field| {
            OpenError::Failed(format!("port `{}`: columns of type {} cannot be written", port.name, field.data_type))
        })?;
        let pairs = || schema.fields().iter().zip(reads.fields());
        let same_as_read = schema.len() == reads.len() && pairs().all(|(own, read)| own.data_type == read.data_type);
        Ok(Self { schema, template: Template::new(places.last().copied().unwrap_or_default()), same_as_read })
    }

    /// Writes a batch of these columns.
    pub(crate) fn encode(
        &self,
        port: &Port,
        columns: &[Array],
        rows: usize,
        out: &mut Buffer,
    ) -> Result<(), EmitError> {
        check_columns(port, columns, rows).map_err(EmitError::InvalidBatch)?;
        let mut message = Message::begin(out, &self.template, rows);
        columns.iter().for_each(|column| message.column(column.column("")));
        message.finish();
        Ok(())
    }

    /// Writes a batch column by column.
    pub(crate) fn writer<'a>(&'a self, rows: usize, out: &'a mut Buffer) -> Writer<'a> {
        Writer::new(Message::begin(out, &self.template, rows), self.schema.fields(), rows)
    }
}

fn check_ports(ports: &[Port], outputs: Outputs) -> Result<(), OpenError> {
    let wrong = |rule: &str| {
        let names = listed(ports.iter().map(|port| port.name.as_str()));
        Err(OpenError::Failed(format!("{rule}, this one binds: [{names}]")))
    };
    match outputs {
        Outputs::None if !ports.is_empty() => return wrong("a filter binds no outputs"),
        Outputs::One if ports.len() != 1 || ports[0].name != "out" => {
            return wrong("a map or an aggregate binds one output, `out`");
        }
        Outputs::OneOrMore if ports.first().is_none_or(|port| port.name != "out") => {
            return wrong("a flat-map's first output is `out`");
        }
        _ => {}
    }
    for (index, port) in ports.iter().enumerate() {
        if !valid_name(&port.name) || port.name == "errors" {
            return wrong("ports are named [a-z][a-z0-9_-]*, and `errors` is the host's");
        }
        if ports[..index].iter().any(|other| other.name == port.name) {
            return wrong("each port has a name of its own");
        }
    }
    Ok(())
}

fn valid_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

/// Whether columns are those of a port; the message says which is not.
pub(crate) fn check_columns(port: &Port, columns: &[Array], rows: usize) -> Result<(), String> {
    let fields = port.schema.fields();
    if fields.len() != columns.len() {
        return Err(format!("port `{}` has {} columns, got {}", port.name, fields.len(), columns.len()));
    }
    for (field, column) in fields.iter().zip(columns) {
        if column.data_type() != &field.data_type {
            let (name, wanted, found) = (&field.name, &field.data_type, column.data_type());
            return Err(format!("column `{name}` of port `{}` is {wanted}, got {found}", port.name));
        }
        if column.len() != rows {
            let (name, found) = (&field.name, column.len());
            return Err(format!("column `{name}` of port `{}` has {found} values for {rows} rows", port.name));
        }
        check_nulls(field, column.column(""))?;
    }
    Ok(())
}

/// Whether a column has nulls only if it may.
pub(crate) fn check_nulls(field: &Field, column: Column<'_>) -> Result<(), String> {
    match column.null_count() {
        0 => Ok(()),
        _ if field.nullable => Ok(()),
        nulls => Err(format!("column `{}` is declared without nulls and has {nulls}", field.name)),
    }
}

/// Rejects in the contract's order, none beyond the batch.
pub(crate) fn sorted(rejects: crate::Rejects, rows: usize) -> Result<RejectedRows, Failure> {
    rejects.into_sorted(rows).map_err(|row| Failure::Fatal(format!("a reject of row {row} in a batch of {rows} rows")))
}
