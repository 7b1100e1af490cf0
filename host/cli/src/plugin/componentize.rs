//! Turns the core module that cargo linked into a component that hosts load.

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
    let encode = || ComponentEncoder::default().module(module)?.validate(true).encode();
    encode().map_err(|error| {
        let why = format!("{error:#}");
        let advice = advice(&why);
        Error::Encode { plugin: plugin.to_owned(), why: format!("{why}{advice}") }
    })
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
