//! What every operator promises: who it is, what it binds to, and a clean end.

use volley_wasm::{PluginInput, PluginKind, PluginLimits};

use crate::Promise;
use crate::host::Subject;

pub(crate) const PROMISES: &[Promise] = &[
    ("`describe` answers the same always", describes_itself),
    ("`open` is pure: the same configuration and input give the same binding, in every instance", binds_purely),
];

fn describes_itself(subject: &Subject<'_>) -> Result<(), String> {
    let ask = || subject.plugin.describe(&PluginLimits::default()).map_err(|error| error.to_string());
    let (one, other) = (ask()?, ask()?);
    if one != other {
        return Err(format!("it is {one:?}, and then {other:?}"));
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    if is_name(&one.name) { Ok(()) } else { Err(format!("its name is `{}`; names match [a-z][a-z0-9_-]*", one.name)) }
}

fn binds_purely(subject: &Subject<'_>) -> Result<(), String> {
    let input = match subject.plugin.info().kind {
        PluginKind::Scalar => PluginInput::new(crate::scalar::arguments(subject)),
        _ => subject.input(),
    };
    let bind = || {
        let bound = subject.plugin.bind(&subject.sample.config, &input, &PluginLimits::default());
        bound.map_err(|error| error.to_string())
    };
    let (one, other) = (bind()?, bind()?);
    if one == other { Ok(()) } else { Err(format!("it binds to {one:?}, and then to {other:?}")) }
}
