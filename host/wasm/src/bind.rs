//! What an operator agreed to in `open`, checked against the contract and the input.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{OperatorBinding, OutputPort, PortName};
use volley_ipc::{decode_schema, wire_schema};

use crate::bind_keys::BoundKeys;
use crate::bind_state;
use crate::bind_values;
use crate::contract::{self, NullHandling, WriteMode};
use crate::grants::hidden;
use crate::guest::broke;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::keyed::Declared;
use crate::plugin::Who;
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// Outputs that one operator may have.
pub const PORTS_MAX: usize = 64;

/// What is shown of a name from a plugin, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// A binding that keeps the contract, made ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The columns that cross, as indices into the input.
    pub(crate) reads: Vec<usize>,
    /// Their names.
    pub(crate) read_names: Vec<String>,
    /// Their schema in wire form.
    pub(crate) wire: SchemaRef,
    /// The outputs; a filter has one too, made by the host.
    pub(crate) ports: Vec<BoundPort>,
    /// What a scalar does about nulls.
    pub(crate) nulls: Option<NullHandling>,
    /// The columns of an aggregate's state, in wire form.
    pub(crate) state: Option<SchemaRef>,
    /// What a process agreed to besides.
    pub(crate) keys: Option<BoundKeys>,
}

/// One output, made ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundPort {
    pub(crate) name: PortName,
    /// The plugin's own columns, in wire form.
    pub(crate) own: SchemaRef,
    /// All columns that leave through the port.
    pub(crate) schema: SchemaRef,
    pub(crate) mode: WriteMode,
    /// Where each column of `schema` comes from.
    columns: Vec<ColumnFrom>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnFrom {
    Input(usize),
    Own(usize),
}

impl Bound {
    /// The binding as the plan sees it.
    pub(crate) fn to_operator_binding(&self) -> OperatorBinding {
        let port = |port: &BoundPort| OutputPort::new(port.name.clone(), Arc::clone(&port.schema));
        OperatorBinding { outputs: self.ports.iter().map(port).collect(), reads: self.read_names.clone() }
    }
}

impl BoundPort {
    fn new(name: PortName, own: SchemaRef, writes: WriteMode, input: &SchemaRef) -> Self {
        let columns = match writes {
            WriteMode::Replace => (0..own.fields().len()).map(ColumnFrom::Own).collect(),
            WriteMode::Append | WriteMode::Keyed => appended(input, &own),
        };
        let field = |from: &ColumnFrom| -> FieldRef {
            match *from {
                ColumnFrom::Input(index) => Arc::clone(&input.fields()[index]),
                ColumnFrom::Own(index) => Arc::clone(&own.fields()[index]),
            }
        };
        let fields: Vec<FieldRef> = columns.iter().map(field).collect();
        let schema = match writes {
            WriteMode::Append if own.fields().is_empty() => Arc::clone(input),
            WriteMode::Append | WriteMode::Keyed => {
                Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()))
            }
            WriteMode::Replace => Arc::clone(&own),
        };
        Self { name, own, schema, mode: writes, columns }
    }

    /// The rows of the port: `own` are the plugin's columns, `input` the rows that they belong to, one for one (in mode
    /// `keyed`: what such rows carry).
    pub(crate) fn compose(&self, input: &RecordBatch, own: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let column = |from: &ColumnFrom| -> ArrayRef {
            match *from {
                ColumnFrom::Input(index) => Arc::clone(input.column(index)),
                ColumnFrom::Own(index) => Arc::clone(own.column(index)),
            }
        };
        let columns = self.columns.iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(own.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

/// The input's columns with those of the same name replaced, then the new ones.
fn appended(input: &Schema, own: &Schema) -> Vec<ColumnFrom> {
    let own_index = |name: &str| own.fields().iter().position(|field| field.name() == name);
    let mut columns: Vec<ColumnFrom> = input
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| own_index(field.name()).map_or(ColumnFrom::Input(index), ColumnFrom::Own))
        .collect();
    let known: HashSet<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
    let new = own.fields().iter().enumerate().filter(|(_, field)| !known.contains(field.name().as_str()));
    columns.extend(new.map(|(index, _)| ColumnFrom::Own(index)));
    columns
}

/// Checks what `open` answered; `states` are those that `describe` declared.
pub(crate) fn check(
    kind: PluginKind,
    who: &Who,
    input: &PluginInput,
    binding: contract::Binding,
    states: Vec<Declared>,
) -> Result<Bound> {
    let mut state = None;
    let keys = match kind {
        PluginKind::Scalar => return bind_values::scalar(who, &input.schema, binding),
        PluginKind::Codec => {
            let hidden = hidden(&input.schema, input.granted.as_deref());
            return bind_values::codec(who, &input.schema, &hidden, binding);
        }
        PluginKind::Process => Some(BoundKeys::check(who, input, binding.particulars, states)?),
        PluginKind::Aggregate => {
            state = Some(bind_state::check(who, binding.particulars)?);
            None
        }
        PluginKind::Map | PluginKind::Filter | PluginKind::FlatMap if binding.particulars.is_none() => None,
        PluginKind::Map | PluginKind::Filter | PluginKind::FlatMap => {
            let problem = format!("it agrees to particulars of another world; a {kind} has none");
            return Err(broke(who, "open", Violation::BadBinding, problem));
        }
    };
    let granted = input.granted.as_deref();
    let input = &input.schema;
    let hidden = hidden(input, granted);
    let reads = reads(who, input, &hidden, &binding.reads)?;
    let projected = input.project(&reads)?;
    let wire = wire_schema(&projected).map_err(|source| Error::Wire { plugin: who.to_string(), source })?;
    let ports = ports(kind, who, input, keys.as_ref().map(|keys| &keys.carried), binding.outputs)?;
    for port in ports.iter().filter(|port| port.mode == WriteMode::Append) {
        if let Some(field) = port.own.fields().iter().find(|field| hidden.contains(&field.name().as_str())) {
            let (port, name) = (&port.name, field.name());
            let message = format!(
                "its output `{port}` would take the place of the column `{name}`, which `grants.columns` does not have: \
                 add it there, or rename one of the two"
            );
            return Err(Error::InvalidInput { plugin: who.to_string(), message });
        }
    }
    Ok(Bound { reads, read_names: binding.reads, wire: Arc::new(wire), ports, nulls: None, state, keys })
}

pub(crate) fn reads(who: &Who, input: &Schema, hidden: &[&str], names: &[String]) -> Result<Vec<usize>> {
    let mut seen = HashSet::new();
    let mut indices = Vec::with_capacity(names.len().min(input.fields().len()));
    for name in names {
        let shown = visible(name, NAME_BYTES_MAX);
        if !seen.insert(name) {
            return Err(broke(who, "open", Violation::BadBinding, format!("it reads the column `{shown}` twice")));
        }
        if hidden.contains(&name.as_str()) {
            let message = format!("it reads the column `{shown}`, which `grants.columns` does not have: add it there");
            return Err(Error::InvalidInput { plugin: who.to_string(), message });
        }
        let mut found = input.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
        let Some((index, _)) = found.next() else {
            let columns: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
            let message = format!("it reads the column `{shown}`; the input has {}", columns.join(", "));
            return Err(Error::InvalidInput { plugin: who.to_string(), message });
        };
        if found.next().is_some() {
            let message = format!("it reads the column `{shown}`, of which the input has two");
            return Err(Error::InvalidInput { plugin: who.to_string(), message });
        }
        indices.push(index);
    }
    Ok(indices)
}

pub(crate) fn ports(
    kind: PluginKind,
    who: &Who,
    input: &SchemaRef,
    carried: Option<&SchemaRef>,
    outputs: Vec<contract::OutputPort>,
) -> Result<Vec<BoundPort>> {
    let broke = |problem: String| broke(who, "open", Violation::BadBinding, problem);
    match (kind, outputs.len()) {
        (PluginKind::Filter, 0) => {
            let nothing = Arc::new(Schema::empty());
            return Ok(vec![BoundPort::new(PortName::main(), nothing, WriteMode::Append, input)]);
        }
        (PluginKind::Filter, count) => {
            return Err(broke(format!("a filter has no outputs of its own, it names {count}")));
        }
        (PluginKind::Map | PluginKind::Aggregate, 1) | (PluginKind::FlatMap | PluginKind::Process, 1..=PORTS_MAX) => {}
        (PluginKind::Map | PluginKind::Aggregate, count) => {
            return Err(broke(format!("a {kind} has exactly one output, it names {count}")));
        }
        (PluginKind::FlatMap | PluginKind::Process, count) => {
            return Err(broke(format!("a {kind} has 1 to {PORTS_MAX} outputs, it names {count}")));
        }
        // Checked by `bind_values`.
        (PluginKind::Scalar | PluginKind::Codec, _) => {}
    }
    let mut ports: Vec<BoundPort> = Vec::with_capacity(outputs.len());
    for output in outputs {
        let name = PortName::new(&output.name).map_err(|error| broke(format!("an output is misnamed: {error}")))?;
        if ports.is_empty() && name != PortName::main() {
            return Err(broke(format!("its first output is `{name}` and should be `{}`", PortName::main())));
        }
        if name == PortName::errors() {
            return Err(broke(format!("an output is named `{name}`, which is the host's own")));
        }
        if ports.iter().any(|port| port.name == name) {
            return Err(broke(format!("two outputs are named `{name}`")));
        }
        let own = decode_schema(&output.schema).map_err(|error| {
            broke(format!("the schema of output `{name}`: {}", visible(&error.to_string(), 1 << 10)))
        })?;
        let beside = match (output.writes, carried) {
            (WriteMode::Keyed, Some(carried)) => carried,
            (WriteMode::Keyed, None) => {
                return Err(broke(format!("output `{name}` is to have the columns of a key, which a {kind} has not")));
            }
            _ => input,
        };
        if output.writes == WriteMode::Replace && own.fields().is_empty() {
            return Err(broke(format!("output `{name}` replaces all columns by none")));
        }
        if kind == PluginKind::Aggregate {
            // Its results stand behind keys and windows, of which it knows nothing.
            bind_state::check_results(who, output.writes, &own)?;
            let nothing = Arc::new(Schema::empty());
            ports.push(BoundPort::new(name, Arc::new(own), output.writes, &nothing));
            continue;
        }
        ports.push(BoundPort::new(name, Arc::new(own), output.writes, beside));
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use volley_ipc::encode_schema;

    fn who() -> Who {
        Who { name: "p".into(), digest: "0".repeat(64), file: None }
    }

    fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
        let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
        Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
    }

    fn port(name: &str, columns: &[(&str, DataType)], writes: WriteMode) -> contract::OutputPort {
        let schema = encode_schema(&schema(columns)).expect("encodes");
        contract::OutputPort { name: name.to_owned(), schema, writes }
    }

    fn bind(kind: PluginKind, reads: &[&str], outputs: Vec<contract::OutputPort>) -> Result<Bound> {
        let input = schema(&[("a", DataType::Int64), ("b", DataType::Utf8View)]);
        let reads = reads.iter().map(|name| (*name).to_owned()).collect();
        let binding = contract::Binding { reads, outputs, particulars: None };
        check(kind, &who(), &PluginInput::new(input), binding, Vec::new())
    }

    #[test]
    fn appended_columns_replace_those_of_their_name_and_follow_the_others() {
        let own = [("b", DataType::Int64), ("c", DataType::Utf8)];
        let bound = bind(PluginKind::Map, &["b"], vec![port("out", &own, WriteMode::Append)]).expect("good");
        let names: Vec<&str> = bound.ports[0].schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(bound.ports[0].schema.field(1).data_type(), &DataType::Int64);
        assert_eq!(bound.wire.field(0).data_type(), &DataType::Utf8, "views cross as Utf8");
        let batch = |names: &SchemaRef, columns| RecordBatch::try_new(Arc::clone(names), columns).expect("one length");
        let numbers = |n: i64| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
        let words = |w: &str| Arc::new(StringArray::from(vec![w])) as ArrayRef;
        let input = batch(&schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]), vec![numbers(1), words("x")]);
        let added = batch(&schema(&own), vec![numbers(2), words("y")]);
        let out = bound.ports[0].compose(&input, &added).expect("fits");
        assert_eq!(out.column(1), &numbers(2));
        assert_eq!(out.column(2), &words("y"));
    }

    #[test]
    fn a_filter_keeps_the_schema() {
        let bound = bind(PluginKind::Filter, &["a"], vec![]).expect("good");
        assert_eq!(bound.ports[0].schema.fields().len(), 2);
        assert_eq!(bound.reads, [0]);
    }

    #[test]
    fn a_codec_that_writes_reads_no_column_that_is_not_granted() {
        let input = schema(&[("id", DataType::Int64), ("card", DataType::Utf8)]);
        let bind = |granted: &[&str]| {
            let granted = Some(granted.iter().map(|name| (*name).to_owned()).collect());
            let binding = contract::Binding { reads: vec!["card".to_owned()], outputs: Vec::new(), particulars: None };
            let input = PluginInput { granted, ..PluginInput::new(Arc::clone(&input)) };
            check(PluginKind::Codec, &who(), &input, binding, Vec::new())
        };
        let error = bind(&["id"]).expect_err("not granted").to_string();
        assert!(error.contains("`card`") && error.contains("`grants.columns`"), "{error}");
        assert_eq!(bind(&["id", "card"]).expect("granted").reads, [1]);
    }

    #[test]
    fn bindings_that_break_the_contract_are_refused() {
        let append = |name: &str| port(name, &[("x", DataType::Int64)], WriteMode::Append);
        let views = || port("out", &[("x", DataType::Utf8View)], WriteMode::Append);
        let garbage = || contract::OutputPort { schema: vec![1, 2, 3], ..append("out") };
        let nothing = || port("out", &[], WriteMode::Replace);
        let cases = [
            (PluginKind::Map, vec!["nope"], vec![append("out")], "`nope`; the input has a, b"),
            (PluginKind::Map, vec!["a", "a"], vec![append("out")], "twice"),
            (PluginKind::Map, vec![], vec![], "exactly one"),
            (PluginKind::Map, vec![], vec![append("out"), append("more")], "exactly one"),
            (PluginKind::Filter, vec![], vec![append("out")], "no outputs"),
            (PluginKind::FlatMap, vec![], vec![], "1 to 64"),
            (PluginKind::FlatMap, vec![], vec![append("main")], "should be `out`"),
            (PluginKind::FlatMap, vec![], vec![append("out"), append("errors")], "host's own"),
            (PluginKind::FlatMap, vec![], vec![append("out"), append("side"), append("side")], "two outputs"),
            (PluginKind::FlatMap, vec![], vec![append("out"), append("Side")], "misnamed"),
            (PluginKind::Map, vec![], vec![views()], "views never cross"),
            (PluginKind::Map, vec![], vec![garbage()], "schema of output"),
            (PluginKind::Map, vec![], vec![nothing()], "by none"),
            (PluginKind::Map, vec![], vec![port("out", &[], WriteMode::Keyed)], "columns of a key"),
        ];
        for (kind, reads, outputs, words) in cases {
            let error = bind(kind, &reads, outputs).expect_err(words).to_string();
            assert!(error.contains(words), "{error} should say {words}");
        }
    }
}
