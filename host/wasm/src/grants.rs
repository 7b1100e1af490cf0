//! What a pipeline grants one plugin beyond its world: which columns it may see, and whom it may ask by HTTP.
//!
//! Two defaults, since the two are different matters. Columns are data that the pipeline hands to the plugin anyway: without
//! a list it sees the names and types of all, and gets those that it reads. Everything that reaches out of the process is
//! refused until it is granted, by name.

use std::collections::HashSet;

use arrow::datatypes::Schema;

use crate::http::Origin;
use crate::input::PluginInput;
use crate::inspect::PluginInfo;
use crate::plugin::{Plugin, Who};
use crate::violation::Violation;
use crate::{Error, Result};

/// Names that a message lists before it stops.
const NAMES_SHOWN_MAX: usize = 24;

/// The import that needs a grant, without package and version.
pub(crate) const HTTP: &str = "http";

/// What a pipeline grants one plugin (`grants`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The columns that it may see (`grants.columns`); no other ever enters its memory, and it is not told of their names
    /// either. Default: all.
    pub columns: Option<Vec<String>>,
    /// Whom it may send requests to (`grants.http`). Default: nobody, and a plugin that imports `http` is not loaded.
    pub http: Vec<Origin>,
}

impl Grants {
    /// The input of a plugin as far as it is granted; a plugin that imports what is not granted is refused.
    ///
    /// # Errors
    /// As [`Grants::check_imports`] and [`Grants::narrow`].
    pub(crate) fn apply(&self, plugin: &Plugin, input: PluginInput) -> Result<PluginInput> {
        self.check_imports(plugin.who(), plugin.info(), plugin.engine().http().is_some())?;
        self.narrow(plugin.who(), input)
    }

    /// Refuses a component that imports what is not granted, naming the import and the grant.
    fn check_imports(&self, who: &Who, info: &PluginInfo, has_client: bool) -> Result<()> {
        let Some(import) = info.imports.iter().find(|import| is_http(import)) else { return Ok(()) };
        let refused = |problem: String| {
            Err(Error::Load { plugin: who.to_string(), violation: Violation::ImportNotGranted, problem })
        };
        if self.http.is_empty() {
            return refused(format!(
                "it imports {import}, which is not granted: write `grants: {{ http: [\"https://host:port\"] }}` beside \
                 `component` (--grant-http https://host:port on the command line), with the servers that it may ask"
            ));
        }
        if !has_client {
            return refused(format!(
                "it imports {import}, and this host was built without an HTTP client: build it with the feature `http`"
            ));
        }
        Ok(())
    }

    /// The input as far as it is granted.
    ///
    /// # Errors
    /// When a column is granted that the input does not have, or a key is not granted.
    fn narrow(&self, who: &Who, input: PluginInput) -> Result<PluginInput> {
        let Some(columns) = &self.columns else { return Ok(input) };
        let invalid = |message: String| Error::InvalidInput { plugin: who.to_string(), message };
        for name in columns {
            if input.schema.index_of(name).is_err() {
                let names: Vec<&str> = input.schema.fields().iter().map(|field| field.name().as_str()).collect();
                let nearest = nearest(name, &names).map(|near| format!("; did you mean `{near}`?"));
                let (nearest, listed) = (nearest.unwrap_or_default(), listed(&names));
                return Err(invalid(format!("`grants.columns` has `{name}`{nearest} (the input has {listed})")));
            }
        }
        if let Some(key) = input.keys.iter().find(|key| !columns.contains(key)) {
            return Err(invalid(format!(
                "`key_by` names the column `{key}`, which `grants.columns` does not have: add it there, since a plugin may \
                 ask for its keys"
            )));
        }
        Ok(PluginInput { granted: Some(columns.clone()), ..input })
    }
}

/// Whether an import is the contract's `http`, of whatever version.
fn is_http(import: &str) -> bool {
    let interface = import.strip_prefix(crate::contract::PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    interface.and_then(|rest| rest.split_once('@')).is_some_and(|(name, _)| name == HTTP)
}

/// The columns of the input that are not granted.
pub(crate) fn hidden<'a>(schema: &'a Schema, granted: Option<&[String]>) -> Vec<&'a str> {
    let Some(granted) = granted else { return Vec::new() };
    let granted: HashSet<&str> = granted.iter().map(String::as_str).collect();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    names.filter(|name| !granted.contains(name)).collect()
}

/// Names in words, not all where there are many.
pub(crate) fn listed(names: &[&str]) -> String {
    let more = if names.len() > NAMES_SHOWN_MAX { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMES_SHOWN_MAX)].join(", "))
}

/// The name that differs from `wanted` by the fewest slips of the finger, when those are few for its length.
fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let slips = |name: &&&'a str| strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase());
    let best = names.iter().take(1_000).filter(|name| name.len() <= 256).min_by_key(slips)?;
    let allowed = (wanted.chars().count().max(best.chars().count()) / 3).max(1);
    (wanted.len() <= 256 && slips(&best) <= allowed).then_some(best)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn who() -> Who {
        Who { name: "p".into(), digest: "0".repeat(64), file: None }
    }

    fn input(keys: &[&str]) -> PluginInput {
        let fields: Vec<Field> = ["user", "amount", "card"].map(|name| Field::new(name, DataType::Utf8, true)).into();
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        PluginInput { keys, ..PluginInput::new(Arc::new(Schema::new(fields))) }
    }

    fn columns(names: &[&str]) -> Grants {
        Grants { columns: Some(names.iter().map(|name| (*name).to_owned()).collect()), http: Vec::new() }
    }

    #[test]
    fn what_is_not_granted_is_not_shown() {
        let narrowed = columns(&["amount", "user"]).narrow(&who(), input(&[])).expect("granted columns are there");
        let shown: Vec<String> =
            narrowed.shown().expect("a schema").fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(shown, ["user", "amount"], "in the order of the input");
        assert_eq!(hidden(&narrowed.schema, narrowed.granted.as_deref()), ["card"]);
        let all = Grants::default().narrow(&who(), input(&[])).expect("nothing to check");
        assert_eq!(all.shown().expect("a schema").fields().len(), 3);
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_the_nearest() {
        let message = |names: &[&str]| columns(names).narrow(&who(), input(&[])).expect_err("refused").to_string();
        assert!(message(&["amuont"]).contains("`amuont`; did you mean `amount`? (the input has user, amount, card)"));
        assert!(!message(&["zzzzzzzz"]).contains("did you mean"));
    }

    #[test]
    fn keys_have_to_be_granted() {
        let error = columns(&["amount"]).narrow(&who(), input(&["user"])).expect_err("refused").to_string();
        assert!(error.contains("`user`") && error.contains("grants.columns"), "{error}");
        assert!(columns(&["user"]).narrow(&who(), input(&["user"])).is_ok());
    }

    #[test]
    fn the_import_is_told_by_its_name_alone() {
        assert!(is_http("volley:operator/http@0.1.0") && is_http("volley:operator/http@0.1.7"));
        for other in ["wasi:http/types@0.2.0", "volley:operator/https@0.1.0", "volley:operator/http", "http"] {
            assert!(!is_http(other), "{other}");
        }
    }
}
