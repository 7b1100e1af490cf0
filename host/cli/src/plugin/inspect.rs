//! `volley plugin inspect`: what a component is and wants, read from its bytes; nothing of it ever runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmparser::{BinaryReader, Parser, Payload, ProducersSectionReader};

use super::contract::{self, Surface, grant_for, granted};
use super::sections::{CoreModule, core_modules, outer_custom};
use super::{digest, read};
use crate::Error;

/// The custom section in which SDKs state name and version of an operator, and the columns of a row-wise one.
pub const OPERATOR_SECTION: &str = "volley-operator";

/// All that can be known about a component without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// What it calls itself, where its SDK states it: the name of its crate.
    pub name: Option<String>,
    /// Its own version, where its SDK states it.
    pub version: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// Its identity, `sha256:…`.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// `map`, `filter` or `flat-map`; absent when the exports do not say.
    pub kind: Option<&'static str>,
    /// The world it was built for, for example `volley:operator/map-operator@0.1.0`.
    pub world: Option<String>,
    /// The version of the contract.
    pub contract: Option<String>,
    /// What it wants from the host.
    pub imports: Vec<Import>,
    /// What it offers.
    pub exports: Vec<String>,
    /// The columns it reads and writes, where its SDK states them; operators that decide in `open` do not.
    pub columns: Option<Columns>,
    /// The keyed states that it declares, where its SDK states them.
    pub states: Option<Vec<StatedState>>,
    /// Bytes of linear memory that it begins with, all its modules together.
    pub memory_bytes: u64,
    /// Languages and tools that made it, as `field → name version`.
    pub producers: BTreeMap<String, Vec<String>>,
    /// Whether it carries source lines.
    pub debug_info: bool,
    /// Why hosts of this release would refuse it; empty when they would not.
    pub problems: Vec<String>,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// Whether hosts of this release link it for an operator of this kind.
    pub granted: bool,
    /// The key of `grants` under which the pipeline has to grant it besides; absent where it need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'static str>,
}

/// A keyed state, as an SDK states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedState {
    /// Its name.
    pub name: String,
    /// `value`, `map`, `list` or `merge`; a state that does not say is a `value`.
    #[serde(default = "value")]
    pub kind: String,
    /// The columns of a map's keys, as the SDK words them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// What the columns of a merged state are merged by: `sum`, `min` or `max` for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<String>,
    /// The columns of its values, as the SDK words them.
    pub values: String,
    /// The version of its form.
    pub version: u32,
    /// After how long without a write an entry is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

fn value() -> String {
    "value".to_owned()
}

impl fmt::Display for StatedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.kind)?;
        if let Some(functions) = &self.functions {
            write!(f, " by {functions}")?;
        }
        f.write_str(" of ")?;
        if let Some(keys) = &self.keys {
            write!(f, "{keys} → ")?;
        }
        write!(f, "{}, version {}", self.values, self.version)?;
        if let Some(ttl_ms) = self.ttl_ms {
            write!(f, ", for {ttl_ms} ms")?;
        }
        f.write_str(")")
    }
}

/// The columns that an operator reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Columns {
    /// Columns of the input that cross the boundary.
    pub reads: Vec<Column>,
    /// Columns of the output that it makes.
    pub writes: Vec<Column>,
}

/// What the section holds; SDKs may state any part of it.
#[derive(Debug, Default, Deserialize)]
struct Statement {
    name: Option<String>,
    version: Option<String>,
    reads: Option<Vec<Column>>,
    writes: Option<Vec<Column>>,
    states: Option<Vec<StatedState>>,
}

impl Statement {
    fn columns(reads: Option<Vec<Column>>, writes: Option<Vec<Column>>) -> Option<Columns> {
        let stated = reads.is_some() || writes.is_some();
        stated.then(|| Columns { reads: reads.unwrap_or_default(), writes: writes.unwrap_or_default() })
    }
}

/// A column as an SDK states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the SDK words it.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// Reads a file and says what it is. A component that hosts would refuse is no error; see [`Inspection::problems`].
///
/// # Errors
/// [`Error::Io`], [`Error::TooLarge`], and [`Error::NotAComponent`] for anything that is not one.
pub fn inspect(path: &Path) -> Result<Inspection, Error> {
    let bytes = read(path)?;
    inspect_bytes(path, &bytes).map_err(|why| Error::NotAComponent { path: path.into(), why })
}

pub(super) fn inspect_bytes(path: &Path, bytes: &[u8]) -> Result<Inspection, String> {
    let surface = Surface::read(bytes)?;
    let modules = core_modules(bytes)?;
    let mut problems = Vec::new();
    let operator = surface.operator().map_err(|why| problems.push(why)).ok();
    let kind = operator.as_ref().map(|operator| operator.kind);
    problems.extend(surface.refused(kind).into_iter().map(|name| format!("no host of this release offers {name}")));
    problems.extend(contract::validate(bytes).err());
    let Statement { name, version, reads, writes, states } = statement(bytes, &modules).unwrap_or_else(|why| {
        problems.push(why);
        Statement::default()
    });
    let imports = surface
        .imports
        .iter()
        .map(|name| Import { name: name.clone(), granted: granted(name, kind), grant: grant_for(name) })
        .collect();
    Ok(Inspection {
        name,
        version,
        file: path.into(),
        digest: digest(bytes),
        bytes: bytes.len() as u64,
        kind: kind.map(contract::Kind::name),
        world: operator.as_ref().map(|o| format!("{}/{}@{}", contract::PACKAGE, o.kind.world(), o.version)),
        contract: operator.map(|operator| operator.version),
        imports,
        exports: surface.exports,
        columns: Statement::columns(reads, writes),
        states,
        memory_bytes: memory_bytes(&modules),
        producers: producers(bytes, &modules),
        debug_info: modules.iter().any(CoreModule::has_lines),
        problems,
    })
}

/// What it states of itself: in the component's own section, or in that of one of its modules.
fn statement(bytes: &[u8], modules: &[CoreModule<'_>]) -> Result<Statement, String> {
    let outer = outer_custom(bytes)?;
    let mut stated = outer
        .iter()
        .chain(modules.iter().flat_map(|module| &module.custom))
        .filter(|(name, _)| *name == OPERATOR_SECTION)
        .map(|(_, data)| *data);
    let Some(data) = stated.next() else { return Ok(Statement::default()) };
    serde_json::from_slice(data).map_err(|error| {
        format!("its section `{OPERATOR_SECTION}`, which states its name and columns, cannot be read: {error}")
    })
}

/// The pages that its modules begin with. What cannot be read has none: the validator says so.
fn memory_bytes(modules: &[CoreModule<'_>]) -> u64 {
    let payloads = modules.iter().flat_map(|module| Parser::new(0).parse_all(module.bytes).map_while(Result::ok));
    let memories = payloads.filter_map(|payload| match payload {
        Payload::MemorySection(memories) => Some(memories),
        _ => None,
    });
    let pages = memories.flat_map(|memories| memories.into_iter().map_while(Result::ok)).map(|memory| memory.initial);
    pages.fold(0, u64::saturating_add).saturating_mul(64 << 10)
}

/// Who made it; sections that cannot be read say nothing, since nobody depends on them.
fn producers(bytes: &[u8], modules: &[CoreModule<'_>]) -> BTreeMap<String, Vec<String>> {
    let outer = outer_custom(bytes).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sections = outer.iter().chain(modules.iter().flat_map(|module| &module.custom));
    for (_, data) in sections.filter(|(name, _)| *name == "producers") {
        let Ok(fields) = ProducersSectionReader::new(BinaryReader::new(data, 0)) else { continue };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                let text = format!("{} {}", value.name, value.version).trim_end().to_owned();
                let values = found.entry(field.name.to_owned()).or_default();
                if !values.contains(&text) {
                    values.push(text);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(text: &str) -> Inspection {
        inspect_bytes(Path::new("x.wasm"), &wat::parse_str(text).unwrap()).unwrap()
    }

    const MAP: &str = r#"(component
        (import "volley:operator/log@0.1.0" (instance))
        IMPORTS
        (core module (@custom "volley-operator"
            "{\22reads\22:[{\22name\22:\22distance\22,\22type\22:\22Float64\22}],\22writes\22:[{\22name\22:\22km\22,\22type\22:\22Float64\22}]}"))
        (instance $i)
        (export "volley:operator/lifecycle@0.1.0" (instance $i))
        (export "volley:operator/map@0.1.0" (instance $i)))"#;

    #[test]
    fn world_version_imports_and_columns_are_told() {
        let told = inspected(&MAP.replace("IMPORTS", ""));
        assert_eq!(told.kind, Some("map"));
        assert_eq!(told.world.as_deref(), Some("volley:operator/map-operator@0.1.0"));
        assert_eq!(told.contract.as_deref(), Some("0.1.0"));
        assert_eq!(told.imports, [Import { name: "volley:operator/log@0.1.0".into(), granted: true, grant: None }]);
        let columns = told.columns.unwrap();
        assert_eq!((columns.reads[0].name.as_str(), columns.reads[0].data_type.as_str()), ("distance", "Float64"));
        assert_eq!(columns.writes[0].name, "km");
        assert!(told.problems.is_empty() && !told.debug_info, "{:?}", told.problems);
        assert!(told.digest.starts_with("sha256:") && told.digest.len() == 71);
    }

    #[test]
    fn imports_that_a_host_refuses_are_problems() {
        let told = inspected(&MAP.replace("IMPORTS", r#"(import "wasi:http/outgoing-handler@0.2.6" (instance))"#));
        assert!(!told.imports[1].granted);
        assert_eq!(told.problems, ["no host of this release offers wasi:http/outgoing-handler@0.2.6"]);
    }

    #[test]
    fn a_component_that_is_no_operator_is_described_all_the_same() {
        let told = inspected("(component)");
        assert_eq!((told.kind, told.columns.is_none(), told.problems.len()), (None, true, 1));
    }

    #[test]
    fn operators_may_state_who_they_are_and_no_columns() {
        let text = |json: &str| {
            format!(r#"(component (core module (@custom "volley-operator" "{}")))"#, json.replace('"', "\\22"))
        };
        let told = inspected(&text(r#"{"name":"threshold","version":"0.1.0"}"#));
        assert_eq!((told.name.as_deref(), told.version.as_deref()), (Some("threshold"), Some("0.1.0")));
        assert_eq!(told.columns, None);
        let told = inspected(&text(r#"{"name":"keep","version":"2.0.0","reads":[],"writes":[]}"#));
        assert_eq!(told.columns, Some(Columns::default()));
    }

    #[test]
    fn states_of_each_kind_are_told() {
        let stated = |states: &str| {
            let json = format!(r#"{{"name":"a","states":[{states}]}}"#).replace('"', "\\22").replace('\n', " ");
            let text = format!(r#"(component (core module (@custom "volley-operator" "{json}")))"#);
            let states = inspected(&text).states.unwrap();
            states.iter().map(StatedState::to_string).collect::<Vec<_>>().join("; ")
        };
        let told = stated(
            r#"{"name":"a","kind":"value","values":"Int64","version":2,"ttl_ms":5},
               {"name":"b","kind":"map","keys":"Int64, Utf8","values":"Int64","version":1},
               {"name":"c","kind":"list","values":"Utf8","version":1},
               {"name":"d","kind":"merge","functions":"sum, max","values":"Int64, Float64","version":1}"#,
        );
        assert_eq!(
            told,
            "a (value of Int64, version 2, for 5 ms); b (map of Int64, Utf8 → Int64, version 1); \
             c (list of Utf8, version 1); d (merge by sum, max of Int64, Float64, version 1)"
        );
        // One that says nothing of its kind is a value; what a later SDK says besides is passed over.
        let told = stated(r#"{"name":"a","values":"Int64","version":1,"shape":"round"}"#);
        assert_eq!(told, "a (value of Int64, version 1)");
    }

    #[test]
    fn a_broken_statement_is_a_problem() {
        let told = inspected(r#"(component (core module (@custom "volley-operator" "{")))"#);
        assert!(told.problems.iter().any(|why| why.contains("cannot be read")), "{:?}", told.problems);
    }

    #[test]
    fn the_json_form_uses_the_words_of_the_text() {
        let json = serde_json::to_value(inspected(&MAP.replace("IMPORTS", ""))).unwrap();
        assert_eq!(json["columns"]["reads"][0]["type"], "Float64");
        assert_eq!(json["imports"][0]["granted"], true);
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("flights.csv");
        std::fs::write(&file, "a,b\n").unwrap();
        let message = inspect(&file).unwrap_err().to_string();
        assert!(message.contains("flights.csv") && message.contains("text file"), "{message}");
    }
}
