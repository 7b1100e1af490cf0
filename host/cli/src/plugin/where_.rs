//! `volley plugin where`: from the code offset in a trap to function, file and line of the author's own build.
//!
//! Hosts print offsets as the engine counts them: from the first byte of the component, whatever module the code lies
//! in. Debug information counts from the contents of the module's code section. The two meet through the place of
//! that section in the file, which is why the component that ran is asked for, and not only the build with lines.

use std::path::{Path, PathBuf};

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian};
use serde::Serialize;
use wasmparser::{BinaryReader, CodeSectionReader, Name, NameSectionReader, Parser, Payload, TypeRef};

use super::compact::address_in;
use super::sections::{CoreModule, core_modules};
use super::{contract, debug_build, read};
use crate::Error;

/// Where one offset lies: the innermost function first, then those it was inlined into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The offset asked about.
    pub offset: u64,
    /// The functions; never empty.
    pub frames: Vec<Frame>,
}

/// A function, and the line in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The function's name, with its path where the name section has it.
    pub function: String,
    /// The source file, where it is known.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
}

/// Reads an offset as hosts print it: hexadecimal after `0x`, else decimal.
///
/// # Errors
/// [`Error::BadOffset`].
pub fn parse_offset(text: &str) -> Result<u64, Error> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| Error::BadOffset { text: text.to_owned() })
}

/// Finds the places of code offsets in a component.
///
/// Lines come from the component when it was built with `--debug-info`, else from `debug_build`, else from the build
/// that `volley plugin build` kept in the target folder.
///
/// # Errors
/// [`Error::NotAComponent`], [`Error::OffsetOutside`], [`Error::NoDebugBuild`], [`Error::OtherCode`],
/// [`Error::Dwarf`].
pub fn find(component: &Path, offsets: &[u64], debug_build: Option<&Path>) -> Result<Vec<Place>, Error> {
    let bytes = read(component)?;
    let damaged = |why: String| Error::NotAComponent { path: component.into(), why };
    if let Some(why) = contract::not_a_component(&bytes) {
        return Err(damaged(why));
    }
    let modules = core_modules(&bytes).map_err(damaged)?;
    let places = offsets.iter().map(|offset| locate(component, &modules, *offset)).collect::<Result<Vec<_>, _>>()?;
    let (lines_path, full) = lines_for(component, &bytes, &modules, debug_build)?;
    let with_lines = core_modules(&full).map_err(|why| Error::Dwarf { path: lines_path.clone(), why })?;
    let code = |bytes: &'_ [u8], module: &CoreModule<'_>| module.code.clone().map(|range| bytes[range].to_vec());
    let resolve = |(offset, (module, address)): (&u64, (usize, u64))| {
        // What ships has shorter code than the build with lines.
        let codes = code(&full, &with_lines[module]).zip(code(&bytes, &modules[module]));
        let address = codes.and_then(|(full, shipped)| address_in(&full, &shipped, address)).unwrap_or(address);
        let frames =
            frames(&with_lines[module], address).map_err(|why| Error::Dwarf { path: lines_path.clone(), why })?;
        Ok(Place { offset: *offset, frames })
    };
    offsets.iter().zip(places).map(resolve).collect()
}

/// The module and the address within its code section.
fn locate(path: &Path, modules: &[CoreModule<'_>], offset: u64) -> Result<(usize, u64), Error> {
    let code = |module: &CoreModule<'_>| module.code.clone().map(|range| (module.index, range));
    modules
        .iter()
        .filter_map(code)
        .find(|(_, range)| (range.start as u64..range.end as u64).contains(&offset))
        .map(|(index, range)| (index, offset - range.start as u64))
        .ok_or_else(|| {
            let ranges =
                modules.iter().filter_map(code).map(|(_, range)| format!("{:#x}–{:#x}", range.start, range.end));
            let ranges = ranges.collect::<Vec<_>>();
            let ranges = if ranges.is_empty() { "it has none".to_owned() } else { ranges.join(", ") };
            Error::OffsetOutside { path: path.into(), offset, ranges }
        })
}

/// The bytes of the component with source lines, and where they come from.
fn lines_for(
    component: &Path,
    bytes: &[u8],
    modules: &[CoreModule<'_>],
    debug_build: Option<&Path>,
) -> Result<(PathBuf, Vec<u8>), Error> {
    if let Some(debug) = debug_build {
        let candidate = read(debug)?;
        return match debug_build::same_code(bytes, &candidate) {
            true => Ok((debug.into(), candidate)),
            false => Err(Error::OtherCode { path: component.into(), debug: debug.into() }),
        };
    }
    if modules.iter().any(CoreModule::has_lines) {
        return Ok((component.into(), bytes.to_vec()));
    }
    Ok((component.into(), debug_build::find(component, bytes)?))
}

/// The functions at an address, by debug information where it covers the address, else by the name section.
fn frames(module: &CoreModule<'_>, address: u64) -> Result<Vec<Frame>, String> {
    let section = |id: addr2line::gimli::SectionId| -> Result<_, addr2line::gimli::Error> {
        Ok(EndianSlice::new(module.section(id.name()).unwrap_or(&[]), LittleEndian))
    };
    let dwarf = Dwarf::load(section).map_err(|error| error.to_string())?;
    let context = Context::from_dwarf(dwarf).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let mut frames = context.find_frames(address).skip_all_loads().map_err(|error| error.to_string())?;
    while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
        let name = frame.function.as_ref().and_then(|name| name.demangle().ok()).map(|name| name.into_owned());
        let place = frame.location;
        found.push(Frame {
            function: name.unwrap_or_default(),
            file: place.as_ref().and_then(|place| place.file).map(str::to_owned),
            line: place.as_ref().and_then(|place| place.line),
            column: place.and_then(|place| place.column),
        });
    }
    if found.is_empty() {
        found.push(Frame { function: String::new(), file: None, line: None, column: None });
    }
    // Line tables name functions without their path, and not at all where no compiler unit claims the code; the name
    // section has the path of the function that was really called, which is the last one.
    if let (Some(last), Some(name)) = (found.last_mut(), function_name(module, address)?) {
        last.function = name;
    }
    for frame in &mut found {
        if frame.function.is_empty() {
            frame.function = "an unnamed function".to_owned();
        }
    }
    Ok(found)
}

/// The name of the function at an address within the code section, from the module's own tables.
fn function_name(module: &CoreModule<'_>, address: u64) -> Result<Option<String>, String> {
    let Some(index) = function_index(module, address)? else { return Ok(None) };
    let names = module.section("name").unwrap_or(&[]);
    for subsection in NameSectionReader::new(BinaryReader::new(names, 0)) {
        let Ok(Name::Function(map)) = subsection else { continue };
        for naming in map.into_iter().map_while(Result::ok) {
            if naming.index == index {
                return Ok(Some(format!("{:#}", rustc_demangle::demangle(naming.name))));
            }
        }
    }
    Ok(None)
}

/// The index of the function whose body holds the address; imported functions come first in that count.
fn function_index(module: &CoreModule<'_>, address: u64) -> Result<Option<u32>, String> {
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(module.bytes) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| error.to_string())?;
                    imported += u32::from(matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                }
            }
            Payload::CodeSectionStart { range, .. } => {
                let contents = &module.bytes[range.start as usize..range.end as usize];
                let bodies =
                    CodeSectionReader::new(BinaryReader::new(contents, 0)).map_err(|error| error.to_string())?;
                for (index, body) in (imported..).zip(bodies) {
                    let body = body.map_err(|error| error.to_string())?;
                    if body.range().contains(&address) {
                        return Ok(Some(index));
                    }
                }
                return Ok(None);
            }
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_hosts_print_them() {
        assert_eq!(parse_offset("0x1a2b").unwrap(), 0x1a2b);
        assert_eq!(parse_offset("26").unwrap(), 26);
        for bad in ["1a2b", "0x", "", "-3", "0xfffffffffffffffff"] {
            assert!(parse_offset(bad).unwrap_err().to_string().contains("0x1a2b"), "{bad}");
        }
    }

    fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    }

    /// Debug information that is there and empty: names must come from the name section.
    const NAMED: &str = r#"(component (core module
        (import "env" "f" (func))
        (func $first nop nop nop)
        (func $_ZN4mine5trips17h0123456789abcdefE unreachable)
        (@custom ".debug_line" (after last) "\00")))"#;

    #[test]
    fn names_come_from_the_name_section_where_debug_information_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), "named.wasm", NAMED);
        let bytes = std::fs::read(&path).unwrap();
        let code = core_modules(&bytes).unwrap()[0].code.clone().unwrap();
        // The last function's body ends the section: unreachable, end.
        let places = find(&path, &[code.end as u64 - 2], None).unwrap();
        assert_eq!(places[0].frames[0].function, "mine::trips");
        let message = find(&path, &[bytes.len() as u64], None).unwrap_err().to_string();
        assert!(message.contains("outside the code") && message.contains(&format!("{:#x}", code.start)), "{message}");
    }

    #[test]
    fn a_build_of_other_code_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let shipped = file(dir.path(), "shipped.wasm", "(component (core module (func nop)))");
        let other = file(dir.path(), "other.wasm", NAMED);
        let bytes = std::fs::read(&shipped).unwrap();
        let inside = core_modules(&bytes).unwrap()[0].code.clone().unwrap().start as u64 + 2;
        let error = find(&shipped, &[inside], Some(&other)).unwrap_err();
        assert!(matches!(error, Error::OtherCode { .. }), "{error}");
        let error = find(&shipped, &[inside], None).unwrap_err();
        assert!(matches!(error, Error::NoDebugBuild { .. }), "{error}");
    }
}
