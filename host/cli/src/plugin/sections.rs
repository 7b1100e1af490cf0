//! A component as nested lists of sections: taking out what hosts do not need, finding core modules and what they carry.

use std::ops::Range;

use wasmparser::{BinaryReader, CustomSectionReader};

use super::compact::{compact, write_number};
use super::names;

/// Bytes before the first section: magic and version.
const HEADER_BYTES: usize = 8;
/// Section ids: the same number for both kinds of file.
const CUSTOM: u8 = 0;
/// In a component.
const CORE_MODULE: u8 = 1;
/// In a component.
const NESTED_COMPONENT: u8 = 4;
/// In a core module.
const CODE: u8 = 10;
/// How deep components may nest before the tool takes them for an attack.
const DEPTH_MAX: usize = 16;

/// One section: its id and where it and its contents lie in the file.
struct Section {
    id: u8,
    whole: Range<usize>,
    contents: Range<usize>,
}

/// A core module within a component: its place and the sections that tools look at.
#[derive(Debug)]
pub struct CoreModule<'a> {
    /// Its index, counted over the file.
    pub index: usize,
    /// Contents of the code section: where in the file. Addresses of debug information count from its start.
    pub code: Option<Range<usize>>,
    /// Custom sections: name and contents, in the order of the file.
    pub custom: Vec<(&'a str, &'a [u8])>,
    /// The module's bytes.
    pub bytes: &'a [u8],
}

impl<'a> CoreModule<'a> {
    /// Contents of the first custom section of that name.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.custom.iter().find(|(found, _)| *found == name).map(|(_, data)| *data)
    }

    /// Whether it carries source lines.
    pub fn has_lines(&self) -> bool {
        self.section(".debug_line").is_some_and(|data| !data.is_empty())
    }
}

/// Lists the core modules of a component, nested components included.
///
/// # Errors
/// Words for a person, when the bytes are damaged.
pub fn core_modules(component: &[u8]) -> Result<Vec<CoreModule<'_>>, String> {
    let mut found = Vec::new();
    collect(component, 0..component.len(), 0, &mut found)?;
    Ok(found)
}

/// The custom sections of the component itself, outside its modules: name and contents.
///
/// # Errors
/// Words for a person, when the bytes are damaged.
pub fn outer_custom(component: &[u8]) -> Result<Vec<(&str, &[u8])>, String> {
    sections(component, 0..component.len())?
        .into_iter()
        .filter(|section| section.id == CUSTOM)
        .map(|section| custom(component, &section))
        .collect()
}

/// The component as it ships: without debug sections (`.debug_*` and links to debug files), with the names of the
/// functions of `crate_name` alone, and with code whose numbers are short. It does what the whole one does.
///
/// Code does not keep its place: an offset is one in the file that ran, and `volley plugin where`, which is given that
/// file, finds the same instruction in the whole one.
///
/// # Errors
/// Words for a person, when the bytes are damaged.
pub fn ship(component: &[u8], crate_name: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(component.len());
    copy_component(component, 0..component.len(), 0, crate_name, &mut out)?;
    Ok(out)
}

/// Whether a custom section is there for debuggers only.
pub fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_") || name == "external_debug_info" || name == "sourceMappingURL"
}

/// What the compiler was allowed to use, which the code itself shows.
const FEATURES: &str = "target_features";
/// Names of functions in a module.
const NAMES: &str = "name";
/// Names of a component's parts, which hosts never print.
const COMPONENT_NAMES: &str = "component-name";
/// Such custom sections say something of instructions by their place in the code.
const ABOUT_CODE: &str = "metadata.code.";

fn collect<'a>(
    bytes: &'a [u8],
    range: Range<usize>,
    depth: usize,
    found: &mut Vec<CoreModule<'a>>,
) -> Result<(), String> {
    for section in nested(bytes, range, depth)? {
        match section.id {
            NESTED_COMPONENT => collect(bytes, section.contents, depth + 1, found)?,
            CORE_MODULE => found.push(core_module(bytes, section.contents, found.len())?),
            _ => {}
        }
    }
    Ok(())
}

fn core_module(bytes: &[u8], range: Range<usize>, index: usize) -> Result<CoreModule<'_>, String> {
    let mut module = CoreModule { index, code: None, custom: Vec::new(), bytes: &bytes[range.clone()] };
    for section in sections(bytes, range)? {
        match section.id {
            CODE => module.code = Some(section.contents),
            CUSTOM => module.custom.push(custom(bytes, &section)?),
            _ => {}
        }
    }
    Ok(module)
}

fn copy_component(
    bytes: &[u8],
    range: Range<usize>,
    depth: usize,
    crate_name: &str,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let sections = nested(bytes, range.clone(), depth)?;
    out.extend_from_slice(&bytes[range.start..range.start + HEADER_BYTES]);
    for section in sections {
        let mut inner = Vec::new();
        match section.id {
            NESTED_COMPONENT => copy_component(bytes, section.contents, depth + 1, crate_name, &mut inner)?,
            CORE_MODULE => copy_module(bytes, section.contents, crate_name, &mut inner)?,
            CUSTOM if custom(bytes, &section)?.0 == COMPONENT_NAMES => continue,
            _ => {
                out.extend_from_slice(&bytes[section.whole]);
                continue;
            }
        }
        write_section(section.id, &inner, out);
    }
    Ok(())
}

fn copy_module(bytes: &[u8], range: Range<usize>, crate_name: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let module = core_module(bytes, range.clone(), 0)?;
    let code_stays = module.custom.iter().any(|(name, _)| name.starts_with(ABOUT_CODE));
    out.extend_from_slice(&bytes[range.start..range.start + HEADER_BYTES]);
    for section in sections(bytes, range)? {
        match section.id {
            CODE if !code_stays => write_section(CODE, &compact(&bytes[section.contents]), out),
            CUSTOM => match custom(bytes, &section)? {
                (NAMES, all) => {
                    if let Some(names) = names::shipped(all, crate_name) {
                        let mut named = vec![NAMES.len() as u8];
                        named.extend_from_slice(NAMES.as_bytes());
                        named.extend(names);
                        write_section(CUSTOM, &named, out);
                    }
                }
                (name, _) if is_debug(name) || name == FEATURES => {}
                _ => out.extend_from_slice(&bytes[section.whole]),
            },
            _ => out.extend_from_slice(&bytes[section.whole]),
        }
    }
    Ok(())
}

fn write_section(id: u8, contents: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    write_number(contents.len(), out);
    out.extend_from_slice(contents);
}

fn nested(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<Vec<Section>, String> {
    if depth > DEPTH_MAX {
        return Err(format!("components nest more than {DEPTH_MAX} deep"));
    }
    sections(bytes, range)
}

fn sections(bytes: &[u8], range: Range<usize>) -> Result<Vec<Section>, String> {
    let damaged = |at: usize| format!("the file is damaged or cut off at offset {at:#x}");
    let mut reader = BinaryReader::new(&bytes[range.clone()], range.start as u64);
    reader.read_bytes(HEADER_BYTES).map_err(|_| damaged(range.start))?;
    let mut found = Vec::new();
    while !reader.eof() {
        let start = range.start + reader.current_position();
        let id = reader.read_u8().map_err(|_| damaged(start))?;
        let size = reader.read_var_u32().map_err(|_| damaged(start))? as usize;
        let contents = range.start + reader.current_position();
        reader.read_bytes(size).map_err(|_| damaged(start))?;
        found.push(Section { id, whole: start..contents + size, contents: contents..contents + size });
    }
    Ok(found)
}

fn custom<'a>(bytes: &'a [u8], section: &Section) -> Result<(&'a str, &'a [u8]), String> {
    let reader = BinaryReader::new(&bytes[section.contents.clone()], section.contents.start as u64);
    let reader = CustomSectionReader::new(reader).map_err(|error| error.to_string())?;
    Ok((reader.name(), reader.data()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(debug_bytes: usize) -> Vec<u8> {
        let debug = "x".repeat(debug_bytes);
        wat::parse_str(format!(
            r#"(component $named
                (core module (@custom ".debug_line" "{debug}") (@custom "keep" "kept") (func $mine::f unreachable) (func $core::g unreachable))
                (component (core module (func) (@custom ".debug_str" "{debug}")))
                (@custom "outer" "o"))"#
        ))
        .unwrap()
    }

    #[test]
    fn what_hosts_do_not_need_goes_and_all_else_stays() {
        let full = component(20_000);
        let stripped = ship(&full, "mine").unwrap();
        assert!(stripped.len() < 300, "{}", stripped.len());
        crate::plugin::contract::validate(&stripped).unwrap();
        let (before, after) = (core_modules(&full).unwrap(), core_modules(&stripped).unwrap());
        assert_eq!((before.len(), after.len()), (2, 2));
        for (before, after) in before.iter().zip(&after) {
            let code = |bytes: &[u8], module: &CoreModule<'_>| bytes[module.code.clone().unwrap()].to_vec();
            assert_eq!(code(&full, before), code(&stripped, after));
        }
        assert!(before[0].has_lines() && !after[0].has_lines());
        assert_eq!(after[0].section("keep"), Some(&b"kept"[..]));
        let names = String::from_utf8_lossy(after[0].section("name").unwrap());
        assert!(names.contains("mine::f") && !names.contains("core::g"), "{names}");
        assert!(outer_custom(&full).unwrap().iter().any(|(name, _)| *name == COMPONENT_NAMES));
        assert!(outer_custom(&stripped).unwrap().iter().all(|(name, _)| *name != COMPONENT_NAMES));
        assert_eq!(outer_custom(&stripped).unwrap().last().unwrap(), &("outer", &b"o"[..]));
    }

    #[test]
    fn code_that_something_is_said_about_stays_as_wide_as_it_is() {
        let code = [0x01, 0x86, 0x80, 0x00, 0x00, 0x41, 0x80, 0x00, 0x1a, 0x0b];
        let module = |custom: &str| {
            let mut bytes = b"\0asm\x01\0\0\0".to_vec();
            bytes.extend([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]);
            write_section(CUSTOM, &[&[custom.len() as u8][..], custom.as_bytes()].concat(), &mut bytes);
            write_section(CODE, &code, &mut bytes);
            bytes
        };
        let shipped = |custom: &str| {
            let (bytes, mut out) = (module(custom), Vec::new());
            copy_module(&bytes, 0..bytes.len(), "mine", &mut out).unwrap();
            (bytes.len(), out.len())
        };
        let (before, after) = shipped("metadata.code.branch_hint");
        assert_eq!(before, after);
        let (before, after) = shipped("anything");
        assert!(after < before);
    }

    #[test]
    fn stripping_twice_changes_nothing() {
        let once = ship(&component(300), "mine").unwrap();
        assert_eq!(ship(&once, "mine").unwrap(), once);
    }

    #[test]
    fn any_cut_is_an_error_or_a_shorter_list_but_never_a_panic() {
        let full = component(40);
        for length in 0..full.len() {
            let _ = core_modules(&full[..length]);
            let _ = ship(&full[..length], "mine");
        }
        assert!(core_modules(&full[..full.len() / 2]).is_err());
    }
}
