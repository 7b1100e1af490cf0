//! Two readers of standard input would share its rows out between them.

use serde_json::Value;
use volley_api::{Error, Result};
use volley_config::{ConnectorSection, PipelineSpec};

/// What a standard stream is called in a pipeline.
const STREAM: &str = "-";

/// Refuses a pipeline in which two sources read standard input.
pub(crate) fn check(spec: &PipelineSpec) -> Result<()> {
    let mut readers = spec.sources.iter().filter(|source| is_stream(&source.connector));
    let (Some(first), Some(second)) = (readers.next(), readers.next()) else { return Ok(()) };
    let (first, name) = (&*first.name, &*second.name);
    let message = format!("`{first}` and `{name}` both read standard input: join them in one source");
    Err(Error::config(message).within(&second.name.place))
}

/// Whether a connector reads or writes a standard stream.
pub(crate) fn is_stream(connector: &ConnectorSection) -> bool {
    let path = connector.options.to_json().ok().and_then(|options| options.get("path").cloned());
    connector.kind == "file" && path.as_ref().and_then(Value::as_str) == Some(STREAM)
}
