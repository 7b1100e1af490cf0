//! The contract of `wit/`, as far as names go: which exports make an operator, which imports a host links.
//!
//! Reading names never runs anything; whether the functions behind them have the right types is for the host to
//! check, which links them by type.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::Error;

/// The package that operators and hosts share.
pub const PACKAGE: &str = "volley:operator";

/// The versions of [`PACKAGE`] that this release understands: `0.1.x`.
pub const SUPPORTED: &str = "0.1";

/// The import that hosts link only where the pipeline grants it.
const HTTP: &str = "http";

/// Imports that every operator may have.
const IMPORTS: [&str; 5] = ["types", "log", "metrics", "clock", "random"];

/// The versions of WASI that hosts have: `0.2.x`.
const WASI_SUPPORTED: &str = "0.2";

/// Interfaces of WASI that hosts link, so that a language's runtime starts; they reach nothing.
const WASI: [(&str, &[&str]); 5] = [
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:filesystem", &["types", "preopens"]),
];

/// What the engine of the host takes: WebAssembly 2.0, constant expressions, components; no threads, no exceptions,
/// no garbage collection, no 64-bit or several memories, no tail calls, no relaxed SIMD, no asynchronous components.
const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::EXTENDED_CONST);

/// The kinds of operator that this release runs.
pub const KINDS: [Kind; 7] =
    [Kind::Map, Kind::Filter, Kind::FlatMap, Kind::Process, Kind::Aggregate, Kind::Scalar, Kind::Codec];

/// What an operator does with rows; it follows from the interface that the component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One row out for each row in.
    Map,
    /// Some of the rows.
    Filter,
    /// Any number of rows for each row, on one or more ports.
    FlatMap,
    /// The same for the rows of keys, with state and timers.
    Process,
    /// One row for the rows of each key and window.
    Aggregate,
    /// A function for expressions.
    Scalar,
    /// A format of bytes.
    Codec,
}

impl Kind {
    /// The interface's name: `map`, `filter`, `flat-map`, `process`, `aggregate`, `scalar`, `codec`.
    pub fn name(self) -> &'static str {
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

    /// The world's name: `map-operator` …
    pub fn world(self) -> String {
        format!("{}-operator", self.name())
    }
}

/// The outer names of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// What it wants from the host, in the order of the file.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

/// An operator, as its exports show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Its kind.
    pub kind: Kind,
    /// The version of the contract that it was built for, for example `0.1.0`.
    pub version: String,
}

/// Why bytes are not a component, in words with advice; `None` when they begin as one.
pub fn not_a_component(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [] => "the file is empty".to_owned(),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return None,
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            "it is a core WebAssembly module; `volley plugin build` turns a plugin's crate into a component".to_owned()
        }
        [0, b'a', b's', b'm', rest @ ..] => format!(
            "it is WebAssembly of a version that this tool does not know ({:02x?})",
            rest.get(..4).unwrap_or(rest)
        ),
        [0x7f, b'E', b'L', b'F', ..] => {
            "it is machine code (a native library, or a component compiled ahead of time: .cwasm), which hosts refuse \
             from outside; pass the .wasm it was made from"
                .to_owned()
        }
        _ => match std::str::from_utf8(&bytes[..bytes.len().min(512)]) {
            Ok(text) if text.trim_start().starts_with('(') => {
                "it is WebAssembly text; `wasm-tools parse` turns it into binary".to_owned()
            }
            Ok(_) => "it is a text file".to_owned(),
            Err(_) => "it does not begin like WebAssembly".to_owned(),
        },
    };
    Some(text)
}

impl Surface {
    /// Reads the outer imports and exports of a component.
    ///
    /// # Errors
    /// Words for a person, when the bytes are no component or are damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if let Some(why) = not_a_component(bytes) {
            return Err(why);
        }
        let mut surface = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| format!("the file is damaged or cut off: {error}"))? {
                // The outermost header counts too, so that the outer level is 1.
                Payload::Version { encoding, .. } => {
                    if depth == 0 && encoding != Encoding::Component {
                        return Err("it is a core module".to_owned());
                    }
                    depth += 1;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        surface.imports.push(import.map_err(|error| error.to_string())?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.push(export.map_err(|error| error.to_string())?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    /// What kind of operator the exports make.
    ///
    /// # Errors
    /// Words for a person: no kind, several kinds, no lifecycle, or a version of the contract that is not supported.
    pub fn operator(&self) -> Result<Operator, String> {
        let ours: Vec<(&str, &str)> = self
            .exports
            .iter()
            .filter_map(|name| interface(name))
            .filter(|(package, ..)| *package == PACKAGE)
            .map(|(_, name, version)| (name, version))
            .collect();
        let found: Vec<(Kind, &str)> = ours
            .iter()
            .filter_map(|(name, version)| Some((KINDS.into_iter().find(|kind| kind.name() == *name)?, *version)))
            .collect();
        let (kind, version) = match found[..] {
            [one] => one,
            [] => return Err(self.no_kind()),
            _ => {
                let names: Vec<_> = found.iter().map(|(kind, _)| kind.name()).collect();
                return Err(format!(
                    "it exports {} operators ({}): one component is one operator",
                    found.len(),
                    names.join(", ")
                ));
            }
        };
        if !supported(version) {
            return Err(format!(
                "it is built for {PACKAGE}@{version}; this release takes {SUPPORTED}.x: build it with a matching SDK"
            ));
        }
        if !ours.contains(&("lifecycle", version)) {
            return Err(format!("it exports {0} but not {PACKAGE}/lifecycle@{version}", kind.name()));
        }
        Ok(Operator { kind, version: version.to_owned() })
    }

    fn no_kind(&self) -> String {
        let exports = match &self.exports[..] {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        format!(
            "it exports {exports}, and no operator kind ({PACKAGE}/{}): a Rust plugin has one function under an \
             attribute of volley-sdk such as `#[volley_sdk::map]`",
            Error::kinds()
        )
    }

    /// The imports that no host of this release links for such an operator.
    pub fn refused(&self, kind: Option<Kind>) -> Vec<&str> {
        self.imports.iter().map(String::as_str).filter(|name| !granted(name, kind)).collect()
    }
}

/// Whether hosts of this release link this import for an operator of that kind: the contract, and an inert WASI 0.2
/// without sockets and HTTP.
pub fn granted(import: &str, kind: Option<Kind>) -> bool {
    let Some((package, name, version)) = interface(import) else { return false };
    if package != PACKAGE {
        let known = WASI.iter().any(|(wasi, names)| *wasi == package && names.contains(&name));
        return known && patch_of(version, WASI_SUPPORTED);
    }
    // For its types alone.
    let known = IMPORTS.contains(&name)
        || name == "lifecycle"
        || match name {
            "emitter" => matches!(kind, Some(Kind::FlatMap | Kind::Process)),
            "state" | "timers" => kind == Some(Kind::Process),
            HTTP => kind.is_some(),
            _ => false,
        };
    known && supported(version)
}

/// What the pipeline has to grant for an import, as a key of `grants`; `None` for those that need nothing.
pub fn grant_for(import: &str) -> Option<&'static str> {
    interface(import).filter(|(package, name, _)| *package == PACKAGE && *name == HTTP).map(|_| "http")
}

/// Imports outside [`PACKAGE`], which a plugin built by this tool must not have.
pub fn foreign(surface: &Surface) -> Vec<&str> {
    let ours = |name: &str| interface(name).is_some_and(|(package, _, _)| package == PACKAGE);
    surface.imports.iter().map(String::as_str).filter(|name| !ours(name)).collect()
}

/// Checks every byte as the host's engine would before it compiles.
///
/// # Errors
/// Words for a person: damaged, or using a proposal that hosts switch off.
pub fn validate(bytes: &[u8]) -> Result<(), String> {
    match Validator::new_with_features(FEATURES).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the host's engine would refuse it: {error}")),
    }
}

/// Any patch of the contract's supported minor version; pre-releases are not.
fn supported(version: &str) -> bool {
    patch_of(version, SUPPORTED)
}

/// Whether a version is one of `minor`, whatever its patch.
fn patch_of(version: &str, minor: &str) -> bool {
    let patch = version.strip_prefix(minor).and_then(|rest| rest.strip_prefix('.'));
    patch.is_some_and(|patch| patch.parse::<u64>().is_ok())
}

/// Splits `package:name/interface@version`.
fn interface(name: &str) -> Option<(&str, &str, &str)> {
    let (package, rest) = name.split_once('/')?;
    let (interface, version) = rest.split_once('@')?;
    Some((package, interface, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(imports: &[&str], exports: &[&str]) -> Surface {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Surface { imports: own(imports), exports: own(exports) }
    }

    const LIFECYCLE: &str = "volley:operator/lifecycle@0.1.0";

    #[test]
    fn exports_make_the_kind() {
        let operator = surface(&[], &[LIFECYCLE, "volley:operator/flat-map@0.1.0", "other:thing/map@1.0.0"]).operator();
        assert_eq!(operator, Ok(Operator { kind: Kind::FlatMap, version: "0.1.0".into() }));
    }

    #[test]
    fn none_several_and_strange_versions_are_named() {
        let why = |exports: &[&str]| surface(&[], exports).operator().unwrap_err();
        assert!(why(&[]).contains("exports nothing"));
        assert!(why(&[LIFECYCLE]).contains("map, filter, flat-map, process, aggregate, scalar or codec"));
        assert!(
            why(&[LIFECYCLE, "volley:operator/map@0.1.0", "volley:operator/filter@0.1.0"]).contains("(map, filter)")
        );
        assert!(why(&[LIFECYCLE, "volley:operator/map@0.2.0"]).contains("volley:operator@0.2.0"));
        assert!(why(&["volley:operator/map@0.1.0"]).contains("lifecycle@0.1.0"));
        assert!(why(&["volley:operator/map@0.10.0"]).contains("0.1.x"));
        assert!(why(&["volley:operator/map@0.1.0-rc.1"]).contains("0.1.x"));
    }

    #[test]
    fn imports_are_granted_by_name_version_and_kind() {
        assert!(granted("volley:operator/log@0.1.7", Some(Kind::Map)));
        assert!(granted("volley:operator/emitter@0.1.0", Some(Kind::FlatMap)));
        assert!(!granted("volley:operator/emitter@0.1.0", Some(Kind::Map)));
        assert!(!granted("volley:operator/state@0.1.0", Some(Kind::Map)));
        assert!(!granted("volley:operator/log@0.2.0", Some(Kind::Map)));
        assert!(granted("wasi:io/streams@0.2.6", Some(Kind::Map)));
        assert!(!granted("wasi:io/streams@0.3.0", Some(Kind::Map)));
        assert!(!granted("wasi:sockets/tcp@0.2.6", Some(Kind::Map)));
        assert!(!granted("wasi:http/outgoing-handler@0.2.6", Some(Kind::Map)));
        assert!(!granted("plain", Some(Kind::Map)));
        assert!(granted("volley:operator/http@0.1.0", Some(Kind::Filter)));
        assert_eq!(grant_for("volley:operator/http@0.1.3"), Some("http"));
        assert_eq!((grant_for("volley:operator/log@0.1.0"), grant_for("wasi:http/types@0.2.0")), (None, None));
    }

    #[test]
    fn other_files_are_called_by_their_name() {
        let why = |bytes: &[u8]| not_a_component(bytes).unwrap();
        assert!(why(b"").contains("empty"));
        assert!(why(b"\0asm\x01\0\0\0").contains("core WebAssembly module"));
        assert!(why(b"\x7fELF\x02").contains(".cwasm"));
        assert!(why(b"  (component)").contains("WebAssembly text"));
        assert!(why(b"a,b\n1,2\n").contains("text file"));
        assert!(why(b"\0asm").contains("version"));
        assert!(why(&[0xff, 0xfe, 0x00]).contains("does not begin"));
        assert_eq!(not_a_component(b"\0asm\x0d\0\x01\0"), None);
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let whole = wat::parse_str(r#"(component (import "a:b/c@0.1.0" (instance)))"#).unwrap();
        assert_eq!(Surface::read(&whole).unwrap(), surface(&["a:b/c@0.1.0"], &[]));
        assert!(Surface::read(&whole[..whole.len() - 3]).unwrap_err().contains("cut off"));
    }

    #[test]
    fn names_inside_nested_components_do_not_count() {
        let bytes = wat::parse_str(
            r#"(component (component (import "x:y/inner@0.1.0" (instance))) (import "x:y/outer@0.1.0" (instance)))"#,
        )
        .unwrap();
        assert_eq!(Surface::read(&bytes).unwrap().imports, ["x:y/outer@0.1.0"]);
    }

    #[test]
    fn proposals_that_hosts_switch_off_are_refused() {
        let threads = wat::parse_str(r#"(component (core module (memory 1 1 shared)))"#).unwrap();
        assert!(validate(&threads).unwrap_err().contains("would refuse"));
        let plain = wat::parse_str(r#"(component (core module (memory 1)))"#).unwrap();
        assert_eq!(validate(&plain), Ok(()));
    }
}
