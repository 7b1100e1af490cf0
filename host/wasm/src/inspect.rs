//! What a component is and wants, told before any of its code runs.

use std::fmt;

use wasmtime_wasmparser::{BinaryReaderError, Parser, Payload};

use crate::contract::PACKAGE;
use crate::grants::HTTP;
use crate::imports::{EMITTER, GRANTED, KEYED, TYPES_ONLY, wasi};
use crate::violation::Violation;

/// The largest component, in bytes: Python ones come to about 40 MB.
pub const COMPONENT_BYTES_MAX: usize = 256 << 20;

/// The interface that every operator exports.
pub(crate) const LIFECYCLE: &str = "lifecycle";

/// The interface of operators that hold state themselves.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// The minor version of the package that this host speaks.
const MINOR: (u64, u64) = (0, 1);

/// What kind of operator a component is, which the host learns from what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PluginKind {
    /// One row out for every row in.
    Map,
    /// Some of the rows, unchanged.
    Filter,
    /// Any number of rows out for every row in, on one or more ports.
    FlatMap,
    /// The same for rows of keys, with state and timers.
    Process,
    /// Many rows of a group to one row, behind `key_by`.
    Aggregate,
    /// A function for expressions: one value for every row.
    Scalar,
    /// A format of bytes: frames to rows and back.
    Codec,
}

impl PluginKind {
    const ALL: [Self; 7] =
        [Self::Map, Self::Filter, Self::FlatMap, Self::Process, Self::Aggregate, Self::Scalar, Self::Codec];

    /// The interface that makes the kind: `map`, `filter`, `flat-map`, `process`, `aggregate`, `scalar`, `codec`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Filter => "filter",
            Self::FlatMap => "flat-map",
            Self::Process => "process",
            Self::Aggregate => "aggregate",
            Self::Scalar => "scalar",
            Self::Codec => "codec",
        }
    }

    /// The function of that interface that is called with batches; of an aggregate, that for rows; of a codec, that which
    /// reads.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Map | Self::Filter | Self::FlatMap | Self::Process => self.as_str(),
            Self::Aggregate => "update",
            Self::Scalar => "call",
            Self::Codec => "decode",
        }
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can be told of a component without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    /// The kind of operator.
    pub kind: PluginKind,
    /// The world it was built for: `volley:operator/filter-operator@0.1.0`.
    pub world: String,
    /// The version of the contract it was built for: `0.1.0`.
    pub contract_version: String,
    /// SHA-256 of the component, in lower-case hex: its identity.
    pub digest: String,
    /// Bytes of the component.
    pub size_bytes: u64,
    /// Names of what it imports, in its own order.
    pub imports: Vec<String>,
    /// Names of what it exports, in its own order.
    pub exports: Vec<String>,
}

impl PluginInfo {
    /// Whether it can ask for nothing that differs from one run to the next: the time, chance, a server.
    pub(crate) fn is_closed(&self) -> bool {
        let asks = |name: &str| self.imports.iter().any(|import| import.contains(&format!("/{name}@")));
        !["clock", "random", HTTP].into_iter().any(asks)
    }
}

/// The full names under which a component exports what the host calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportNames {
    pub(crate) lifecycle: String,
    pub(crate) kind: String,
    /// Where it holds state itself, or brings state over.
    pub(crate) snapshot: Option<String>,
}

/// Whether the bytes can be a component at all; the error says what they are instead and what to do.
pub(crate) fn check_bytes(bytes: &[u8]) -> Result<(), String> {
    const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {COMPONENT_BYTES_MAX} are accepted", bytes.len()));
    }
    if bytes.starts_with(COMPONENT) {
        return Ok(());
    }
    Err(if bytes.starts_with(CORE_MODULE) {
        "this is a core module; run `volley plugin build`, which makes a component of it".to_owned()
    } else if bytes.starts_with(b"\x7fELF") {
        "this is a precompiled artefact (.cwasm), which is never loaded; give the .wasm component it was made from"
            .to_owned()
    } else if bytes.starts_with(b"\0asm") {
        "this is WebAssembly of a version that is not known; build it with `volley plugin build`".to_owned()
    } else if bytes.trim_ascii_start().starts_with(b"(component") || bytes.trim_ascii_start().starts_with(b"(module") {
        "this is WebAssembly text; assemble it first (`wasm-tools parse`)".to_owned()
    } else if bytes.is_empty() {
        "the file is empty".to_owned()
    } else {
        let start = &bytes[..bytes.len().min(8)];
        format!("it begins with `{}`; build a plugin with `volley plugin build`", start.escape_ascii())
    })
}

/// The outer names of a component.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Surface {
    /// Reads the names and nothing else: code is skipped. The error says where the bytes are damaged.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let damaged = |error: BinaryReaderError| error.to_string();
        let mut surface = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(damaged)? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                // The outermost header counts too.
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        surface.imports.push(import.map_err(damaged)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.push(export.map_err(damaged)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }
}

/// Checks what a component imports and exports; the error says what is wrong with it, for programs and people.
pub(crate) fn check(
    surface: Surface,
    digest: String,
    size_bytes: u64,
) -> Result<(PluginInfo, ExportNames), (Violation, String)> {
    let Surface { imports, exports } = surface;
    let (kind, names, contract_version) =
        check_exports(&exports).map_err(|problem| (Violation::UnknownWorld, problem))?;
    check_imports(&imports, kind).map_err(|problem| (Violation::ImportNotGranted, problem))?;
    let world = format!("{PACKAGE}/{kind}-operator@{contract_version}");
    Ok((PluginInfo { kind, world, contract_version, digest, size_bytes, imports, exports }, names))
}

fn check_exports(exports: &[String]) -> Result<(PluginKind, ExportNames, String), String> {
    let of_contract: Vec<(&String, Interface<'_>)> =
        exports.iter().filter_map(|name| Some((name, Interface::parse(name)?))).collect();
    for (name, interface) in &of_contract {
        interface.check_version(name)?;
    }
    let kinds: Vec<(PluginKind, &String, &str)> = of_contract
        .iter()
        .filter_map(|(name, interface)| {
            let kind = PluginKind::ALL.into_iter().find(|kind| kind.as_str() == interface.name)?;
            Some((kind, *name, interface.version))
        })
        .collect();
    let [(kind, kind_name, version)] = kinds[..] else {
        let wanted = PluginKind::ALL.map(PluginKind::as_str).join(", ");
        return Err(match &kinds[..] {
            [] if exports.is_empty() => format!("it exports nothing; an operator exports one of {wanted}"),
            [] => format!("it exports {} and none of {PACKAGE}'s {wanted}", exports.join(", ")),
            several => {
                let found: Vec<&str> = several.iter().map(|(kind, ..)| kind.as_str()).collect();
                format!("it exports {}: one component is one operator, so exactly one is due", found.join(" and "))
            }
        });
    };
    let lifecycle = of_contract.iter().find(|(_, interface)| interface.name == LIFECYCLE);
    let (lifecycle, _) = lifecycle.ok_or_else(|| format!("it exports {kind} but not {PACKAGE}/{LIFECYCLE}"))?;
    let snapshot = of_contract.iter().find(|(_, interface)| interface.name == SNAPSHOT).map(|(name, _)| *name);
    if let Some(name) = snapshot
        && kind != PluginKind::Process
    {
        return Err(format!("it exports {name}, which is for operators with state; it is a {kind}"));
    }
    let names = ExportNames { lifecycle: (*lifecycle).clone(), kind: kind_name.clone(), snapshot: snapshot.cloned() };
    Ok((kind, names, version.to_owned()))
}

fn check_imports(imports: &[String], kind: PluginKind) -> Result<(), String> {
    for import in imports {
        if let Some(checked) = wasi::check(import) {
            checked?;
            continue;
        }
        let Some(interface) = Interface::parse(import) else {
            return Err(not_granted(import));
        };
        interface.check_version(import)?;
        let granted = GRANTED.contains(&interface.name) || interface.name == TYPES_ONLY;
        if granted {
            continue;
        }
        match (interface.name, kind) {
            (EMITTER, PluginKind::FlatMap | PluginKind::Process) => {}
            (EMITTER, _) => {
                return Err(format!("it imports {import}, which only a flat-map and a process may; it is a {kind}"));
            }
            (name, PluginKind::Process) if KEYED.contains(&name) => {}
            (name, _) if KEYED.contains(&name) => {
                return Err(format!("it imports {import}, which only a process may; it is a {kind}"));
            }
            // Whether the pipeline grants it is seen where there is one.
            (HTTP, _) => {}
            _ => return Err(not_granted(import)),
        }
    }
    Ok(())
}

fn not_granted(import: &str) -> String {
    let granted = format!(
        "plugins may import {} of {PACKAGE}, flat-maps and processes {EMITTER} besides, processes {} too, and {HTTP} where the \
         pipeline grants it",
        GRANTED.join(", "),
        KEYED.join(" and "),
    );
    format!("it imports {import}, which is not granted; {granted}")
}

/// A name of the form `volley:operator/NAME@VERSION`.
struct Interface<'a> {
    name: &'a str,
    version: &'a str,
}

impl<'a> Interface<'a> {
    fn parse(full: &'a str) -> Option<Self> {
        let (name, version) = full.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')?;
        Some(Self { name, version })
    }

    /// Any patch of 0.1 will do; pre-releases will not.
    fn check_version(&self, full: &str) -> Result<(), String> {
        let mut parts = self.version.split('.').map(|part| part.parse::<u64>().ok());
        let (major, minor, patch, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        let fits = (major, minor) == (Some(Some(MINOR.0)), Some(Some(MINOR.1)))
            && matches!(patch, Some(Some(_)))
            && rest.is_none();
        if fits {
            return Ok(());
        }
        let (major, minor) = MINOR;
        Err(format!(
            "it was built for {full}; this host speaks {PACKAGE}@{major}.{minor}: build it against that contract, or run it in a host \
             that speaks its own"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_world_follows_from_the_exports() {
        let exports = names(&["volley:operator/lifecycle@0.1.0", "volley:operator/flat-map@0.1.7", "other:thing/x"]);
        let (kind, found, version) = check_exports(&exports).expect("one operator");
        assert_eq!((kind, version.as_str()), (PluginKind::FlatMap, "0.1.7"));
        assert_eq!(found.kind, "volley:operator/flat-map@0.1.7");
        for (exports, word) in [
            (names(&[]), "nothing"),
            (names(&["volley:operator/lifecycle@0.1.0"]), "none of"),
            (names(&["volley:operator/map@0.1.0"]), "lifecycle"),
            (names(&["volley:operator/map@0.1.0", "volley:operator/filter@0.1.0"]), "map and filter"),
            (names(&["volley:operator/map@0.2.0"]), "0.2.0"),
            (names(&["volley:operator/map@0.1.0-rc.1"]), "rc.1"),
        ] {
            let problem = check_exports(&exports).expect_err(word);
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn imports_beyond_the_world_are_named() {
        let good = names(&["wasi:io/poll@0.2.0", "volley:operator/log@0.1.3", "volley:operator/emitter@0.1.0"]);
        assert!(check_imports(&good, PluginKind::FlatMap).is_ok());
        assert!(check_imports(&good, PluginKind::Map).expect_err("no emitter").contains("emitter"));
        // The pipeline decides on it.
        assert!(check_imports(&names(&["volley:operator/http@0.1.0"]), PluginKind::Filter).is_ok());
        for import in ["wasi:sockets/tcp@0.2.6", "volley:operator/state@0.1.0", "env", "volley:operator/log@0.2.0"] {
            let problem = check_imports(&names(&[import]), PluginKind::Map).expect_err(import);
            assert!(problem.contains(import), "{problem}");
        }
    }
}
