//! What scalars and codecs agree to in `open`, checked against the contract.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_ipc::wire_schema;

use crate::bind::{Bound, ports, reads};
use crate::contract::{Binding, Particulars, WriteMode};
use crate::guest::broke;
use crate::inspect::PluginKind;
use crate::plugin::Who;
use crate::violation::Violation;
use crate::{Error, Result};

static FRAMES: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("frame", DataType::Binary, false)])));

/// The one column that frames cross as.
pub(crate) fn frames_schema() -> SchemaRef {
    Arc::clone(&FRAMES)
}

/// A scalar: all arguments in order, one column out, and what it does about nulls.
pub(crate) fn scalar(who: &Who, input: &SchemaRef, binding: Binding) -> Result<Bound> {
    let broke = |problem: &str| broke(who, "open", Violation::BadBinding, problem.to_owned());
    let Some(Particulars::Scalar(nulls)) = binding.particulars else {
        return Err(broke("a scalar says in its particulars what it does about nulls, this one does not"));
    };
    let arguments = input.fields().iter().map(|field| field.name());
    if !arguments.eq(binding.reads.iter()) {
        return Err(broke("a scalar reads all its arguments, `arg0`, `arg1`, …, in order"));
    }
    if binding.outputs.len() != 1 || binding.outputs[0].writes != WriteMode::Replace {
        return Err(broke("a scalar has exactly one output, which replaces all columns"));
    }
    let ports = ports(PluginKind::Scalar, who, input, None, binding.outputs)?;
    if ports[0].own.fields().len() != 1 {
        return Err(broke(&format!("a scalar's output has one column, its has {}", ports[0].own.fields().len())));
    }
    let reads = reads(who, input, &[], &binding.reads)?;
    let wire = wire_schema(input).map_err(|source| Error::Wire { plugin: who.to_string(), source })?;
    Ok(Bound {
        reads,
        read_names: binding.reads,
        wire: Arc::new(wire),
        ports,
        nulls: Some(nulls),
        state: None,
        keys: None,
    })
}

/// A codec: rows of its own when the input has no columns, otherwise no output. Of `hidden` columns it is not to know.
pub(crate) fn codec(who: &Who, input: &SchemaRef, hidden: &[&str], binding: Binding) -> Result<Bound> {
    let broke = |problem: String| broke(who, "open", Violation::BadBinding, problem);
    if binding.particulars.is_some() {
        return Err(broke("it agrees to particulars of another world; a codec has none".to_owned()));
    }
    let found = binding.outputs.len();
    if !input.fields().is_empty() {
        if found > 0 {
            return Err(broke(format!("a codec that writes has no outputs, it names {found}")));
        }
        let reads = reads(who, input, hidden, &binding.reads)?;
        let wire = wire_schema(&input.project(&reads)?);
        let wire = wire.map_err(|source| Error::Wire { plugin: who.to_string(), source })?;
        return Ok(Bound {
            reads,
            read_names: binding.reads,
            wire: Arc::new(wire),
            ports: Vec::new(),
            nulls: None,
            state: None,
            keys: None,
        });
    }
    if found != 1 || binding.outputs[0].writes != WriteMode::Replace {
        return Err(broke("a codec that reads has exactly one output, which replaces all columns".to_owned()));
    }
    // There are no columns to read: whoever names one is told so.
    let reads = reads(who, input, &[], &binding.reads)?;
    let ports = ports(PluginKind::Codec, who, input, None, binding.outputs)?;
    Ok(Bound { reads, read_names: binding.reads, wire: frames_schema(), ports, nulls: None, state: None, keys: None })
}
