//! From a core module in text to a component of one of the contract's worlds.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The contract that components are built for.
const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/volley-operator@0.1.0");

/// Worlds with WASI beside the contract.
const WASI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../host/wasm/tests/wasi");

/// Wraps a core module with the exports of the world of `kind` (`map`, `filter`, `flat-map`, `process`); with `wasi`, which only a
/// filter can have, it may import WASI.
///
/// # Panics
/// When the text is no valid module, or not one of the world.
#[must_use]
pub fn component(kind: &str, wasi: bool, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let has_more = text.contains(HTTP) || text.contains(SNAPSHOT);
    let (resolve, world) = if has_more { own_world(kind, text) } else { world(kind, wasi) };
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).expect("a module of the world");
    encoder.encode().expect("a component")
}

/// How a guest that sends requests names the import.
const HTTP: &str = "volley:operator/http@";

/// How a guest that holds state itself names the export.
const SNAPSHOT: &str = "volley:operator/snapshot@";

/// The world of a kind with the import or export that no world has of itself, as an author would write it.
fn own_world(kind: &str, text: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    resolve.push_dir(WIT).expect("the contract parses");
    let import = if text.contains(HTTP) { "import volley:operator/http@0.1.0;" } else { "" };
    let export = if text.contains(SNAPSHOT) { "export volley:operator/snapshot@0.1.0;" } else { "" };
    let own = format!(
        "package guest:written; world written {{ include volley:operator/{kind}-operator@0.1.0; {import} {export} }}"
    );
    let package = resolve.push_str("written.wit", &own).expect("a world");
    let world = resolve.select_world(&[package], Some("written")).expect("the world exists");
    (resolve, world)
}

/// The world of a kind, with or without WASI.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn world(kind: &str, wasi: bool) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (mut package, _) = resolve.push_dir(WIT).expect("the contract parses");
    if wasi {
        (package, _) = resolve.push_dir(WASI).expect("WASI parses");
    }
    let world = resolve.select_world(&[package], Some(&format!("{kind}-operator"))).expect("the world exists");
    (resolve, world)
}
