//! Makes a call of a bundle again, and compares.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{BUNDLE, FORMAT, INPUT, decode};
use crate::engine::PluginEngine;
use crate::guest::Guest;
use crate::held::Entry;
use crate::plugin::Plugin;
use crate::store::JobParts;
use crate::{Error, Result};

/// What became of a call that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What happened when the job ran, in words: the error of the call, or the digest of what it gave back where the host
    /// refused that.
    pub before: String,
    /// What happened now, likewise.
    pub now: String,
    /// The error that the job had.
    pub error: String,
    /// Whether the component is the one of the bundle.
    pub same_component: bool,
}

impl Replayed {
    /// Whether the same happened again, to the last byte and code offset.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.before == self.now
    }
}

/// Makes the call of a bundle again, with its component or another one.
///
/// # Errors
/// When the bundle cannot be read, the component is not there or not the one of the bundle (unless another was named), or it
/// does not get to where the call was made.
pub fn replay(engine: &Arc<PluginEngine>, folder: &Path, component: Option<&Path>) -> Result<Replayed> {
    let shown = folder.display().to_string();
    let bad = |problem: String| Error::Bundle { path: shown.clone(), problem };
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| Error::Read { path: path.display().to_string(), source })
    };
    let bundle: Value = serde_json::from_slice(&read(BUNDLE)?).map_err(|error| bad(error.to_string()))?;
    let format: u64 = decode::number(&bundle, "format").map_err(bad)?;
    if format != FORMAT {
        return Err(bad(format!("it is of version {format}; this host knows version {FORMAT}")));
    }
    let of = bundle.get("component").unwrap_or(&Value::Null);
    let digest = decode::text(of, "digest").map_err(bad)?;
    let file = of.get("file").and_then(Value::as_str);
    let path = component.or(file.map(Path::new)).ok_or_else(|| {
        bad(format!("it does not say where its component lies (sha256 {digest}): name it with --component"))
    })?;
    let plugin = Plugin::load(engine, path)?;
    let same_component = plugin.info().digest == digest;
    if !same_component && component.is_none() {
        let (path, found) = (path.display(), &plugin.info().digest);
        return Err(bad(format!(
            "its component is sha256 {digest}, and {path} is {found} now: name the component with --component"
        )));
    }
    let nothing = Value::Null;
    let part = |name: &str| bundle.get(name).unwrap_or(&nothing);
    let limits = decode::limits(part("limits")).map_err(bad)?;
    let input = decode::input(part("input")).map_err(bad)?;
    let rows = decode::stream(&read(INPUT)?).map_err(bad)?;
    let call = decode::call(part("call"), rows).map_err(bad)?;
    let (parts, log) = decode::held(&bundle).map_err(bad)?;
    let config = decode::text(&bundle, "config").map_err(bad)?;
    let error = decode::text(&bundle, "error").map_err(bad)?.to_owned();
    let mut guest = Guest::instantiate(&plugin, &limits, JobParts::default())?;
    guest.open(config, &input)?;
    if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
        guest.restore(&parts)?;
    }
    for entry in &log {
        match entry {
            Entry::Forget => guest.forget()?,
            Entry::Call(call) => guest.repeat(call)?,
        }
    }
    let now = guest.outcome(&call)?;
    let before = call.returned.unwrap_or_default();
    Ok(Replayed { before, now, error, same_component })
}
