//! The pipeline of a command line without a file, in the same form as one from a file.

use serde_json::{Map, Value, json};
use volley_api::{Error, Result};
use volley_config::{LimitsSpec, OnError, PipelineSpec, SinglePlugin, Trust};

use crate::args::{self, Single};
use crate::connectors;

/// The pipeline that the options describe.
pub(crate) fn spec(single: &Single) -> Result<PipelineSpec> {
    let Some(component) = &single.plugin else {
        return Err(Error::config("name a pipeline file (`volley-host run FILE`) or a component (`--plugin FILE`)"));
    };
    if single.on_error == args::OnError::DeadLetter && single.errors.is_none() {
        return Err(Error::config("--on-error dead-letter needs --errors FILE to take the rows"));
    }
    let mut config = Map::new();
    for setting in &single.settings {
        volley_config::set(&mut config, setting)?;
    }
    let plugin = SinglePlugin {
        component: component.display().to_string(),
        config,
        limits: LimitsSpec { memory: single.memory, deadline: single.deadline, ..LimitsSpec::default() },
        on_error: match single.on_error {
            args::OnError::Fail => OnError::Fail,
            args::OnError::DeadLetter => OnError::DeadLetter,
            args::OnError::Skip => OnError::Skip,
        },
        trust: match single.trust {
            args::Trust::Untrusted => Trust::Untrusted,
            args::Trust::Trusted => Trust::Trusted,
        },
        columns: (!single.grant_columns.is_empty()).then(|| single.grant_columns.clone()),
        http: single.grant_http.clone(),
        parallelism: Some(single.parallelism.get()),
        batch_rows: single.how.batch_rows.map(std::num::NonZeroU32::get),
        input: file(&single.input, single.input_format.as_deref()),
        output: file(&single.output, single.output_format.as_deref()),
        errors: single.errors.as_deref().map(json_lines),
        sides: single.sides.iter().map(|side| side_output(side)).collect::<Result<_>>()?,
    };
    Ok(plugin.spec(&connectors::KNOWN)?)
}

fn file(path: &str, format: Option<&str>) -> (String, Value) {
    let mut options = json!({ "path": path });
    if let Some(format) = format {
        options["format"] = format.into();
    }
    ("file".to_owned(), options)
}

fn side_output(side: &str) -> Result<(String, (String, Value))> {
    let (port, path) = side
        .split_once('=')
        .filter(|(port, path)| !port.is_empty() && !path.is_empty())
        .ok_or_else(|| Error::config(format!("--side {side}: write PORT=FILE")))?;
    Ok((port.to_owned(), json_lines(path)))
}

/// Rows beside the main output are JSON Lines unless the extension names a format.
fn json_lines(path: &str) -> (String, Value) {
    let named = volley_connector_file::FileFormat::of_path(path.as_ref()).is_some();
    file(path, (!named).then_some("jsonl"))
}
