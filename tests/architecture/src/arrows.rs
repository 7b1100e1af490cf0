//! The arrows: which crate may know which. The tables here are the one place where they are written down.
//!
//! Only what is compiled into a crate counts: normal and build dependencies. Tests may run against any real backend,
//! so dev-dependencies are free.

use crate::Finding;
use crate::manifest::{Manifest, Section};

/// Stands for "every crate of the project".
const ANY: &str = "*";

/// For each crate of the project, the crates of the project that it may know.
pub const MAY_KNOW: &[(&str, &[&str])] = &[
    // The bottom: everything may know it, it knows nobody.
    ("volley-api", &[]),
    // Places where tests crash the host, and faults that they plant: whatever has something to crash may know it.
    ("volley-fail-point", &[]),
    // The gate for foreign bytes, plans as data, and expressions: each stands on the data model alone.
    ("volley-ipc", &["volley-api"]),
    // What attacks it knows it.
    ("volley-ipc-fuzz", &["volley-ipc"]),
    ("volley-config", &["volley-api"]),
    ("volley-expr", &["volley-api"]),
    // Keeps bytes by key: who reads them, and when a checkpoint takes them, is not its business.
    ("volley-state", &["volley-api", "volley-fail-point"]),
    // Decides when an epoch is complete and its output committed, and keeps what makes it so: which source, state or sink
    // stands behind a name is not its business.
    ("volley-checkpoint", &["volley-api", "volley-fail-point"]),
    // Numbers and their page: whose numbers they are is not its business.
    ("volley-telemetry", &[]),
    // Foreign bytes come out of guests, so the plugin boundary goes through the gate.
    ("volley-wasm", &["volley-api", "volley-fail-point", "volley-ipc", "volley-telemetry"]),
    // Drives traits: which source, sink, expression or plugin stands behind one is not its business.
    ("volley-runtime", &["volley-api", "volley-fail-point"]),
    // Connectors know the traits and one client library each, never one another.
    ("volley-connector-memory", &["volley-api"]),
    ("volley-connector-generate", &["volley-api"]),
    ("volley-connector-nexmark", &["volley-api"]),
    ("volley-connector-file", &["volley-api", "volley-fail-point"]),
    // The composition roots: the only places that name concrete backends. This one is for programs that embed the
    // engine; connectors other than the process's own memory are for the program to name.
    (
        "volley",
        &["volley-api", "volley-connector-memory", "volley-expr", "volley-runtime", "volley-state", "volley-wasm"],
    ),
    ("volley-host", &[ANY]),
    // The author's tool works on components and manifests; it runs no pipeline.
    ("volley-cli", &[]),
    // Guests meet the host in the interface text and nowhere else.
    ("volley-sdk", &["volley-sdk-macros"]),
    ("volley-sdk-macros", &[]),
    // Suites that connectors and state backends run against themselves: the traits, and none of them.
    ("volley-test-contract", &["volley-api"]),
    // Makes components for tests; what crosses is written by the gate's own encoder.
    ("volley-test-guests", &["volley-ipc"]),
    // Runs hostile guests against the plugin boundary as it is.
    ("volley-test-hostile", &["volley-api", "volley-ipc", "volley-state", "volley-test-guests", "volley-wasm"]),
    // Holds any component to the promises of its world, and knows none.
    ("volley-test-conformance", &["volley-api", "volley-state", "volley-test-contract", "volley-wasm"]),
    // Crashes whole programs from outside, at the places that the host names.
    ("volley-test-chaos", &["volley-fail-point"]),
    // Sees the repository as text.
    ("volley-test-architecture", &[]),
    // Drives operators and a job itself, with plugins and without.
    (
        "volley-bench-boundary",
        &[
            "volley-api",
            "volley-bench-support",
            "volley-connector-memory",
            "volley-expr",
            "volley-runtime",
            "volley-state",
            // A guest that no author would write: it spins.
            "volley-test-guests",
            "volley-wasm",
        ],
    ),
    // Drives whole jobs without plugins, beside loops by hand.
    (
        "volley-bench-engine",
        &[
            "volley-api",
            "volley-bench-support",
            "volley-checkpoint",
            "volley-connector-memory",
            "volley-expr",
            "volley-runtime",
            "volley-state",
            "volley-wasm",
        ],
    ),
    // Measures; knows nothing of what is measured.
    ("volley-bench-support", &[]),
    // The boundary alone, beside others'; their guests know nothing of ours.
    ("volley-bench-peers", &["volley-api", "volley-wasm"]),
    ("peer-arrow-udf", &[]),
    ("peer-extism", &[]),
    // Another engine, on its own.
    ("peer-timely", &[]),
    // Measures whole programs from outside, against the same written by hand.
    ("volley-bench-flights", &[]),
];

/// What an example operator may know: the folder `plugins` is outside the table, since authors' crates look the same.
pub const PLUGINS_MAY_KNOW: &[&str] = &["volley-sdk"];

/// Third-party crates that are shielded by one crate of ours, so that their types and versions stay behind its door.
/// A name that ends in `*` is a prefix.
pub const SHIELDED: &[(&str, &str)] = &[
    ("wasmtime*", "volley-wasm"),
    ("datafusion*", "volley-expr"),
    ("parquet", "volley-connector-file"),
    ("arrow-avro", "volley-connector-file"),
    ("arrow-csv", "volley-connector-file"),
    ("flatbuffers", "volley-ipc"),
    ("object_store", "volley-checkpoint"),
    ("libfuzzer-sys", "volley-ipc-fuzz"),
    ("saphyr-parser", "volley-config"),
    ("rocksdb", "volley-state"),
    ("wit-component", "volley-cli"),
    ("wit-bindgen", "volley-sdk"),
];

/// Peers in benches are written with the libraries themselves; guests of tests are wrapped as the author's tool wraps its own.
const UNSHIELDED: &[&str] = &["volley-bench-flights", "volley-test-guests"];

/// Dependencies that the tables above do not allow, and packages that the first table does not mention.
pub fn check(manifests: &[Manifest]) -> Vec<Finding> {
    manifests.iter().flat_map(check_one).collect()
}

fn check_one(manifest: &Manifest) -> Vec<Finding> {
    let Some(package) = manifest.package() else { return Vec::new() };
    let is_plugin = manifest.path.starts_with("plugins/");
    let allowed = match MAY_KNOW.iter().find(|(name, _)| *name == package) {
        _ if is_plugin => PLUGINS_MAY_KNOW,
        Some((_, allowed)) => allowed,
        None => return vec![format!("{package}: not in MAY_KNOW; say there which crates it may know")],
    };
    let mut findings = Vec::new();
    for dependency in manifest.dependencies().iter().filter(|d| d.section != Section::Dev) {
        let name = dependency.name.as_str();
        let ours = MAY_KNOW.iter().any(|(known, _)| *known == name);
        if ours && !allowed.contains(&ANY) && !allowed.contains(&name) {
            findings.push(format!("{package} must not know {name} ({})", manifest.path));
        }
        if let Some(owner) = owner_of(name)
            && owner != package
            && !UNSHIELDED.contains(&package)
        {
            findings.push(format!("{package} must not use {name}: {owner} shields it ({})", manifest.path));
        }
    }
    findings
}

/// The crate of ours that shields a third-party crate.
fn owner_of(name: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    SHIELDED.iter().find(|(pattern, _)| fits(pattern)).map(|(_, owner)| *owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, package: &str, section: &str, dependency: &str) -> Vec<Finding> {
        let text = format!("[package]\nname = \"{package}\"\n[{section}]\n{dependency} = {{ workspace = true }}\n");
        check(&[Manifest::parse(path, &text)])
    }

    #[test]
    fn an_arrow_against_the_stream_is_found() {
        let found = findings("host/api/Cargo.toml", "volley-api", "dependencies", "volley-ipc");
        assert_eq!(found, ["volley-api must not know volley-ipc (host/api/Cargo.toml)"]);
        assert_eq!(findings("x/Cargo.toml", "volley-runtime", "build-dependencies", "volley-wasm").len(), 1);
        let target = "target.'cfg(unix)'.dependencies";
        assert_eq!(findings("x/Cargo.toml", "volley-connector-file", target, "volley-connector-memory").len(), 1);
        assert_eq!(findings("x/Cargo.toml", "volley-sdk", "dependencies", "volley-api").len(), 1);
    }

    #[test]
    fn an_arrow_with_the_stream_passes() {
        assert!(findings("x/Cargo.toml", "volley-wasm", "dependencies", "volley-ipc").is_empty());
        assert!(findings("x/Cargo.toml", "volley-host", "dependencies", "volley-runtime").is_empty());
        assert!(findings("x/Cargo.toml", "volley-runtime", "dev-dependencies", "volley-expr").is_empty());
    }

    #[test]
    fn a_shielded_library_is_found_outside_its_shield() {
        let found = findings("x/Cargo.toml", "volley-runtime", "dependencies", "datafusion-expr");
        assert_eq!(found, ["volley-runtime must not use datafusion-expr: volley-expr shields it (x/Cargo.toml)"]);
        assert!(findings("x/Cargo.toml", "volley-expr", "dependencies", "datafusion-expr").is_empty());
        assert!(findings("x/Cargo.toml", "volley-bench-flights", "dependencies", "parquet").is_empty());
    }

    #[test]
    fn a_crate_that_nobody_placed_is_found() {
        let found = findings("host/new/Cargo.toml", "volley-new", "dependencies", "serde");
        assert_eq!(found, ["volley-new: not in MAY_KNOW; say there which crates it may know"]);
    }

    #[test]
    fn an_operator_knows_the_sdk_and_no_part_of_the_host() {
        assert!(findings("plugins/a/Cargo.toml", "a", "dependencies", "volley-sdk").is_empty());
        assert_eq!(findings("plugins/a/Cargo.toml", "a", "dependencies", "volley-api").len(), 1);
    }
}
