//! Makes a call of a bundle again, and compares.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::{BUNDLE, FORMAT, INPUT, REPRO_BYTES_MAX, decode};
use crate::engine::PluginEngine;
use crate::guest::Guest;
use crate::held::Entry;
use crate::plugin::Plugin;
use crate::store::JobParts;
use crate::{Error, Result};

/// How a call of a bundle is made again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplayOptions {
    /// Where the component lies. Default: where it lay when the job ran.
    pub component: Option<PathBuf>,
    /// Takes a component of another digest than the bundle's, to see whether that one gets over the call. Default: it is
    /// refused.
    pub allow_other: bool,
}

/// What became of a call that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The operator's name in its job, and which of its instances it was, out of how many.
    pub operator: (String, u32, u32),
    /// The exported function that was called.
    pub function: String,
    /// Calls that were made before it, to get the instance to where it was.
    pub calls_before: usize,
    /// What happened when the job ran, in words that differ wherever anything does: the error of the call with code offsets, or
    /// the digest of what it gave back where the host refused that.
    pub before: String,
    /// What happened now, likewise.
    pub now: String,
    /// The error that the job had.
    pub error: String,
    /// The error now, for people; `None` where the call succeeded.
    pub error_now: Option<String>,
    /// SHA-256 of the component that ran in the job, in hex.
    pub digest: String,
    /// SHA-256 of the component that ran now.
    pub digest_now: String,
}

impl Replayed {
    /// Whether the same happened again, to the last byte and code offset.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.before == self.now
    }

    /// Whether the component is the one of the bundle.
    #[must_use]
    pub fn same_component(&self) -> bool {
        self.digest == self.digest_now
    }
}

/// Makes the call of a bundle again, in a fresh instance that is first brought to where the one of the job was. Nothing is asked
/// of the outside: the host's answers, and those of servers, are those of the bundle.
///
/// # Errors
/// When the bundle cannot be read, the component is not there, or is another one and that was not allowed, or it does not get to
/// where the call was made.
pub fn replay(engine: &Arc<PluginEngine>, folder: &Path, options: &ReplayOptions) -> Result<Replayed> {
    let shown = folder.display().to_string();
    let bad = |problem: String| Error::Bundle { path: shown.clone(), problem };
    let bundle: Value = serde_json::from_slice(&read(folder, BUNDLE)?).map_err(|error| bad(error.to_string()))?;
    let format: u64 = decode::number(&bundle, "format").map_err(bad)?;
    if !(1..=FORMAT).contains(&format) {
        return Err(bad(format!("it is of version {format}; this host knows versions 1 to {FORMAT}")));
    }
    let nothing = Value::Null;
    let part = |name: &str| bundle.get(name).unwrap_or(&nothing);
    let of = part("component");
    let digest = decode::text(of, "digest").map_err(bad)?;
    let file = of.get("file").and_then(Value::as_str).map(Path::new);
    let path = options.component.as_deref().or(file).ok_or_else(|| {
        bad(format!("it does not say where its component lies: name the file of sha256 {digest} with --component"))
    })?;
    if options.component.is_none() && !path.exists() {
        let path = path.display();
        return Err(bad(format!(
            "its component is not at {path} any more: name the file of sha256 {digest} with --component"
        )));
    }
    let plugin = Plugin::load(engine, path)?;
    let digest_now = plugin.info().digest.clone();
    if digest_now != digest && !options.allow_other {
        let path = path.display();
        return Err(bad(format!(
            "it is of the component sha256 {digest}, and {path} is sha256 {digest_now}: name the other file with --component, \
             or see with --allow-other what this one does"
        )));
    }
    let limits = decode::limits(part("limits")).map_err(bad)?;
    let input = decode::input(part("input")).map_err(bad)?;
    let rows = decode::stream(&read(folder, INPUT)?).map_err(bad)?;
    let call = decode::call(part("call"), rows).map_err(bad)?;
    let (parts, log) = decode::held(&bundle).map_err(bad)?;
    let text = |name: &str| decode::text(&bundle, name).map(str::to_owned).map_err(bad);
    let (config, before, error) = (text("config")?, text("came_to")?, text("error")?);
    let operator = decode::operator(part("operator")).map_err(bad)?;
    let mut guest = Guest::instantiate(&plugin, &limits, JobParts::default())?;
    guest.open(&config, &input)?;
    if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
        guest.restore(&parts)?;
    }
    for entry in &log {
        match entry {
            Entry::Forget => guest.forget()?,
            Entry::Call(call) => guest.repeat(call)?,
        }
    }
    let (now, error_now) = guest.outcome(&call)?;
    let calls_before = log.iter().filter(|entry| matches!(entry, Entry::Call(_))).count();
    let function = guest.function_of(&call).to_owned();
    Ok(Replayed {
        operator,
        function,
        calls_before,
        before,
        now,
        error,
        error_now,
        digest: digest.to_owned(),
        digest_now,
    })
}

/// A file of a bundle; more than one may have is not read.
fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(&path).and_then(|file| file.take(REPRO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    match file {
        Ok(_) if bytes.len() > REPRO_BYTES_MAX => {
            let problem = format!("it has more than {REPRO_BYTES_MAX} bytes, and no bundle has");
            Err(Error::Bundle { path: shown, problem })
        }
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let problem = format!("it has no file `{name}`: name the folder of one bundle, as the host has printed it");
            Err(Error::Bundle { path: folder.display().to_string(), problem })
        }
        Err(source) => Err(Error::ReadBundle { path: shown, source }),
    }
}
