//! A component as nested lists of sections: taking debug sections out, finding core modules and what they carry.

use std::ops::Range;

use wasmparser::{BinaryReader, CustomSectionReader};

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

/// The component without debug sections (`.debug_*` and links to debug files) in its modules; names of functions stay.
///
/// The size of each module is written as wide as it was, so that code keeps its place in the file: an offset printed
/// for the one is right for the other.
///
/// # Errors
/// Words for a person, when the bytes are damaged.
pub fn strip_debug(component: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(component.len());
    copy_component(component, 0..component.len(), 0, &mut out)?;
    Ok(out)
}

/// Whether a custom section is there for debuggers only.
pub fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_") || name == "external_debug_info" || name == "sourceMappingURL"
}

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

fn copy_component(bytes: &[u8], range: Range<usize>, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let sections = nested(bytes, range.clone(), depth)?;
    out.extend_from_slice(&bytes[range.start..range.start + HEADER_BYTES]);
    for section in sections {
        let mut inner = Vec::new();
        match section.id {
            NESTED_COMPONENT => copy_component(bytes, section.contents.clone(), depth + 1, &mut inner)?,
            CORE_MODULE => copy_module(bytes, section.contents.clone(), &mut inner)?,
            _ => {
                out.extend_from_slice(&bytes[section.whole]);
                continue;
            }
        }
        out.push(section.id);
        let width = section.contents.start - section.whole.start - 1;
        write_size(inner.len(), width, out);
        out.extend_from_slice(&inner);
    }
    Ok(())
}

fn copy_module(bytes: &[u8], range: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
    let sections = sections(bytes, range.clone())?;
    out.extend_from_slice(&bytes[range.start..range.start + HEADER_BYTES]);
    for section in sections {
        if section.id != CUSTOM || !is_debug(custom(bytes, &section)?.0) {
            out.extend_from_slice(&bytes[section.whole]);
        }
    }
    Ok(())
}

/// LEB128 in exactly `width` bytes; what is stripped is never larger than what was, so it fits.
fn write_size(size: usize, width: usize, out: &mut Vec<u8>) {
    let mut rest = size;
    for position in 1..=width {
        let more = if position < width { 0x80 } else { 0 };
        out.push((rest & 0x7f) as u8 | more);
        rest >>= 7;
    }
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
            r#"(component
                (core module (@custom ".debug_line" "{debug}") (@custom "keep" "kept") (func $f unreachable))
                (component (core module (func) (@custom ".debug_str" "{debug}")))
                (@custom "outer" "o"))"#
        ))
        .unwrap()
    }

    #[test]
    fn debug_sections_go_and_all_else_stays_in_place() {
        let full = component(20_000);
        let stripped = strip_debug(&full).unwrap();
        assert!(stripped.len() < 1_000, "{}", stripped.len());
        crate::plugin::contract::validate(&stripped).unwrap();
        let (before, after) = (core_modules(&full).unwrap(), core_modules(&stripped).unwrap());
        assert_eq!((before.len(), after.len()), (2, 2));
        for (before, after) in before.iter().zip(&after) {
            let code = |bytes: &[u8], module: &CoreModule<'_>| bytes[module.code.clone().unwrap()].to_vec();
            assert_eq!(code(&full, before), code(&stripped, after));
        }
        assert!(before[0].has_lines() && !after[0].has_lines());
        assert_eq!(after[0].section("keep"), Some(&b"kept"[..]));
        assert!(after[0].section("name").is_some(), "names of functions stay");
        assert_eq!(outer_custom(&stripped).unwrap().last().unwrap(), &("outer", &b"o"[..]));
    }

    #[test]
    fn code_in_front_of_debug_sections_keeps_its_offset_in_the_file() {
        // A size of 20,000 takes three bytes and one of 60 takes one: the offset stays all the same.
        let debug = "x".repeat(20_000);
        let full = wat::parse_str(format!(
            r#"(component (core module (func unreachable) (@custom ".debug_line" (after last) "{debug}")))"#
        ))
        .unwrap();
        let stripped = strip_debug(&full).unwrap();
        let code = |bytes: &[u8]| core_modules(bytes).unwrap()[0].code.clone();
        assert_eq!(code(&full), code(&stripped));
        crate::plugin::contract::validate(&stripped).unwrap();
    }

    #[test]
    fn stripping_twice_changes_nothing() {
        let once = strip_debug(&component(300)).unwrap();
        assert_eq!(strip_debug(&once).unwrap(), once);
    }

    #[test]
    fn any_cut_is_an_error_or_a_shorter_list_but_never_a_panic() {
        let full = component(40);
        for length in 0..full.len() {
            let _ = core_modules(&full[..length]);
            let _ = strip_debug(&full[..length]);
        }
        assert!(core_modules(&full[..full.len() / 2]).is_err());
    }
}
