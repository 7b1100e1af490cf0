//! Turns the core module that cargo linked into a component that hosts load.

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use super::contract::{self, Operator, PACKAGE, Surface};
use crate::Error;

/// Encodes a core module, with the interface description that the SDK's macros left in it, as a component.
///
/// Code, data and custom sections of the module go over unchanged; nothing is stripped. The result is valid.
///
/// # Errors
/// [`Error::Encode`] with the encoder's reason and, where it is known, what usually causes it.
pub fn encode(plugin: &str, module: &[u8]) -> Result<Vec<u8>, Error> {
    let ordered = ordered(module);
    let module = ordered.as_deref().unwrap_or(module);
    let encode = || ComponentEncoder::default().module(module)?.validate(true).encode();
    encode().map_err(|error| {
        let why = format!("{error:#}");
        let advice = advice(&why);
        Error::Encode { plugin: plugin.to_owned(), why: format!("{why}{advice}") }
    })
}

/// What the names of sections begin with that describe interfaces.
const DESCRIPTION: &str = "component-type:";

/// The part of the SDK's description that others build on.
const LIFECYCLE: &str = ":lifecycle-part:";

/// The module with its descriptions of interfaces at the end, that of `lifecycle` before all others: `snapshot` uses its types,
/// the encoder takes them in the order in which they stand, and linkers put them in any. `None` for what is no module, which the
/// encoder refuses in its own words.
fn ordered(module: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut first, mut others) = (module.get(..8)?.to_vec(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        let to = match &payload {
            Payload::CustomSection(section) if section.name().starts_with(DESCRIPTION) => {
                if section.name().contains(LIFECYCLE) { &mut first } else { &mut others }
            }
            _ => &mut out,
        };
        if let Some((id, range)) = payload.as_section() {
            let content = module.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
            to.push(id);
            leb128(content.len(), to);
            to.extend_from_slice(content);
        }
    }
    Some([out, first, others].concat())
}

/// A length as modules have it.
fn leb128(mut number: usize, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn advice(why: &str) -> &'static str {
    if why.contains("wasm_bindgen") || why.contains("wbindgen") {
        "\nA dependency is compiled for browsers (wasm-bindgen): look for it with `cargo tree --target \
         wasm32-unknown-unknown -i wasm-bindgen` and turn that feature off"
    } else if why.contains("wasi_snapshot_preview1") {
        "\nA dependency talks to WASI, which plugins built by this tool do not have"
    } else if why.contains("module requires an import interface") || why.contains("`env`") {
        "\nA dependency expects a function from outside the plugin (often a C library that was not linked)"
    } else {
        ""
    }
}

/// Checks that a component is exactly one operator which imports nothing but the contract, and that hosts would
/// compile it.
///
/// # Errors
/// [`Error::Contract`].
pub fn check(plugin: &str, component: &[u8]) -> Result<Operator, Error> {
    let refuse = |why: String| Error::Contract { plugin: plugin.to_owned(), why };
    let surface = Surface::read(component).map_err(refuse)?;
    let foreign = contract::foreign(&surface);
    if !foreign.is_empty() {
        return Err(refuse(format!("it imports {}; a plugin imports only {PACKAGE}/…", foreign.join(", "))));
    }
    let operator = surface.operator().map_err(refuse)?;
    let refused = surface.refused(Some(operator.kind));
    if !refused.is_empty() {
        return Err(refuse(format!(
            "a host does not offer a {} operator {}",
            operator.kind.name(),
            refused.join(", ")
        )));
    }
    contract::validate(component).map_err(refuse)?;
    Ok(operator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_an_interface_is_no_operator() {
        let module = wat::parse_str("(module (func (export \"f\")))").unwrap();
        let component = encode("lonely", &module).unwrap();
        let message = check("lonely", &component).unwrap_err().to_string();
        assert!(message.contains("`lonely`") && message.contains("no operator kind"), "{message}");
    }

    #[test]
    fn descriptions_stand_behind_all_else_and_that_of_the_lifecycle_comes_first() {
        let section = |name: &str| format!("(@custom \"{DESCRIPTION}x{name}\" \"{}\")", "y".repeat(300));
        let names = [":snapshot-part:", LIFECYCLE, ":process-part:"];
        let sections: String = names.iter().map(|name| section(name)).collect();
        let text = format!("(module {sections} (func (export \"f\") nop) (@custom \"other\" \"z\"))");
        let module = wat::parse_str(text).unwrap();
        let ordered = ordered(&module).expect("a module");
        assert_eq!(ordered.len(), module.len());
        let found: Vec<String> = Parser::new(0)
            .parse_all(&ordered)
            .filter_map(|payload| match payload.unwrap() {
                Payload::CustomSection(section) => Some(section.name().to_owned()),
                Payload::CodeSectionStart { .. } => Some("code".to_owned()),
                _ => None,
            })
            .collect();
        let described = [names[1], names[0], names[2]].map(|name| format!("{DESCRIPTION}x{name}"));
        assert_eq!(found, [vec!["code".to_owned(), "other".to_owned()], described.to_vec()].concat());
        assert_eq!(super::ordered(b"no module"), None);
    }

    #[test]
    fn an_import_that_nobody_defines_is_named() {
        let module =
            wat::parse_str(r#"(module (import "__wbindgen_placeholder__" "now" (func)) (func (export "f")))"#).unwrap();
        let message = encode("browser", &module).unwrap_err().to_string();
        assert!(message.contains("__wbindgen_placeholder__") && message.contains("cargo tree"), "{message}");
    }

    #[test]
    fn imports_beside_the_contract_are_named() {
        let component = wat::parse_str(
            r#"(component
                (import "wasi:io/poll@0.2.6" (instance))
                (instance $i)
                (export "volley:operator/lifecycle@0.1.0" (instance $i))
                (export "volley:operator/map@0.1.0" (instance $i)))"#,
        )
        .unwrap();
        let message = check("chatty", &component).unwrap_err().to_string();
        assert!(message.contains("wasi:io/poll@0.2.6"), "{message}");
    }
}
