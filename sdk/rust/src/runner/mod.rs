//! An opened operator between messages: what is the same for all three kinds. The exports of a component and the
//! native tests both run through here, so that tests see what a host would see.

mod kinds;

pub use kinds::{FilterRunner, FlatMapRunner, MapRunner};

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use serde::de::DeserializeOwned;

use crate::arrow::{types, wire};
use crate::{Array, Batch, Binding, Failure, OpenError, Port, Schema};

/// What one call refuses: rows with their reasons, ascending.
pub(crate) type RejectedRows = Vec<(u32, crate::Reject)>;

/// How many outputs a kind of operator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// A filter's.
    None,
    /// A map's.
    One,
    /// A flat-map's.
    OneOrMore,
}

/// What the lifecycle of a component needs of an opened operator.
#[doc(hidden)]
pub trait Runner: Sized + 'static {
    /// Opens the operator: configuration as JSON, input as a Schema message.
    fn open(config: &str, input: &[u8]) -> Result<Self, OpenError>;

    /// What it agreed to.
    fn bound(&self) -> &Bound;

    /// The last call of a clean end.
    fn close(&mut self);
}

/// The binding of an opened operator, ready for batches.
pub struct Bound {
    pub(crate) binding: Binding,
    /// The columns of `reads`, for the operator and for the decoder.
    reads: Schema,
    reads_arrow: SchemaRef,
    /// One for each port.
    pub(crate) port_schemas: Vec<SchemaRef>,
}

/// Reads configuration and input schema, and opens the operator with them.
pub(crate) fn open<C: DeserializeOwned, Op>(
    config: &str,
    input: &[u8],
    outputs: Outputs,
    open: impl FnOnce(C, &Schema) -> Result<(Op, Binding), OpenError>,
) -> Result<(Op, Bound), OpenError> {
    let config = parse_config(config)?;
    let input_arrow = wire::read_schema(input).map_err(|error| OpenError::Failed(error.to_string()))?;
    let input = types::schema_from_arrow(&input_arrow);
    let (operator, binding) = open(config, &input)?;
    let bound = Bound::new(binding, outputs, &input, &input_arrow)?;
    Ok((operator, bound))
}

/// Errors name the key: `minimum: invalid type: string "a", expected f64`.
fn parse_config<C: DeserializeOwned>(config: &str) -> Result<C, OpenError> {
    let mut json = serde_json::Deserializer::from_str(config);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let key = error.path().to_string();
        let reason = error.into_inner().to_string();
        // Positions in the JSON text mean nothing to someone who wrote YAML.
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        OpenError::InvalidConfig(if key == "." { reason } else { format!("{key}: {reason}") })
    })
}

impl Bound {
    fn new(binding: Binding, outputs: Outputs, input: &Schema, input_arrow: &ArrowSchema) -> Result<Self, OpenError> {
        check_ports(&binding.ports, outputs)?;
        let mut fields = Vec::new();
        let mut arrow_fields = Vec::new();
        for name in &binding.reads {
            let field = input.require(name)?;
            if fields.contains(field) {
                return Err(OpenError::Failed(format!("the operator reads column `{name}` twice")));
            }
            fields.push(field.clone());
            arrow_fields.push(Arc::clone(&input_arrow.fields()[input.index_of(name).unwrap_or_default()]));
        }
        let port_schemas: Result<Vec<SchemaRef>, OpenError> = binding.ports.iter().map(port_schema).collect();
        Ok(Self {
            binding,
            reads: Schema::new(fields),
            reads_arrow: Arc::new(ArrowSchema::new(arrow_fields)),
            port_schemas: port_schemas?,
        })
    }

    /// Reads the batch of a call.
    pub(crate) fn decode(&self, message: Vec<u8>) -> Result<RecordBatch, Failure> {
        wire::read_batch(message, &self.reads_arrow)
            .map_err(|error| Failure::Fatal(format!("the host's batch cannot be read: {error}")))
    }

    /// The batch as the operator sees it.
    pub(crate) fn view<'a>(&'a self, batch: &'a RecordBatch) -> Batch<'a> {
        Batch::new(&self.reads, batch.columns().iter(), batch.num_rows())
    }

    /// Writes the columns of a port.
    pub(crate) fn encode(&self, port: usize, columns: &[Array], rows: usize) -> Result<Vec<u8>, Failure> {
        check_columns(&self.binding.ports[port], columns, rows).map_err(Failure::Fatal)?;
        let columns = columns.iter().map(|column| Arc::clone(column.inner()));
        wire::crossing_batch(Arc::clone(&self.port_schemas[port]), columns, rows)
            .and_then(|batch| wire::write_batch(&batch))
            .map_err(|error| Failure::Fatal(format!("the output cannot be written: {error}")))
    }
}

fn port_schema(port: &Port) -> Result<SchemaRef, OpenError> {
    let mut names: Vec<&str> = port.schema.fields().iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(OpenError::Failed(format!("port `{}` has two columns `{}`", port.name, twice[0])));
    }
    match types::schema_to_arrow(&port.schema.unpacked()) {
        Ok(schema) => Ok(Arc::new(schema)),
        Err(error) => Err(OpenError::Failed(format!("port `{}`: {error}", port.name))),
    }
}

fn check_ports(ports: &[Port], outputs: Outputs) -> Result<(), OpenError> {
    let wrong = |rule: &str| {
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        Err(OpenError::Failed(format!("{rule}, this one binds: [{}]", names.join(", "))))
    };
    match outputs {
        Outputs::None if !ports.is_empty() => return wrong("a filter binds no outputs"),
        Outputs::One if ports.len() != 1 || ports[0].name != "out" => {
            return wrong("a map binds one output, `out`");
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
    }
    Ok(())
}

/// Rejects in the contract's order, none beyond the batch.
pub(crate) fn sorted(rejects: crate::Rejects, rows: usize) -> Result<RejectedRows, Failure> {
    let rejects = rejects.into_sorted();
    match rejects.last() {
        Some((row, _)) if *row as usize >= rows => {
            Err(Failure::Fatal(format!("a reject of row {row} in a batch of {rows} rows")))
        }
        _ => Ok(rejects),
    }
}
