//! Names of functions that ship in a component, so that a trap can be told by name.
//!
//! All names together are a fifth of a component. What helps to recognise a trap is the name of the author's own function
//! that was running; those of the libraries below it are in the build with source lines, where `volley plugin where`
//! finds them. So that a host does not take a library's function for the author's, those have no name at all.

use wasmparser::{BinaryReader, Name, NameSectionReader};

use super::compact::write_number;

/// Names that ship take at most this many bytes: those of the author's crate first.
const NAMES_BYTES_MAX: usize = 4096;

/// The longest name that ships; the head of a longer one says what it is.
const NAME_BYTES_MAX: usize = 120;

/// Crates whose functions are under every operator.
const LIBRARIES: [&str; 12] = [
    "alloc",
    "bytemuck",
    "compiler_builtins",
    "core",
    "dlmalloc",
    "rustc_demangle",
    "serde",
    "serde_core",
    "std",
    "thiserror",
    "volley_sdk",
    "wit_bindgen",
];

/// The subsection of the name section with the names of functions.
const FUNCTIONS: u8 = 1;

/// The contents of a name section with the names that ship, made from the contents of a whole one; `None` when no name
/// is left.
pub(crate) fn shipped(names: &[u8], crate_name: &str) -> Option<Vec<u8>> {
    let mut own = Vec::new();
    let mut others = Vec::new();
    for subsection in NameSectionReader::new(BinaryReader::new(names, 0)) {
        let Ok(Name::Function(map)) = subsection else { continue };
        for naming in map.into_iter().map_while(Result::ok) {
            let name = readable(naming.name);
            match crate_of(&name) {
                Some(of) if of == crate_name => own.push((naming.index, name)),
                Some(of) if !LIBRARIES.contains(&of) => others.push((naming.index, name)),
                _ => {}
            }
        }
    }
    let mut room = NAMES_BYTES_MAX;
    let mut kept: Vec<(u32, String)> = own.into_iter().chain(others).collect();
    kept.retain(|(_, name)| {
        let fits = name.len() <= room;
        room -= if fits { name.len() } else { 0 };
        fits
    });
    kept.sort();
    (!kept.is_empty()).then(|| section(&kept))
}

/// Demangled, without what tells two builds apart, and not too long.
fn readable(name: &str) -> String {
    let mut name = format!("{:#}", rustc_demangle::demangle(name));
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

/// The crate that a function's path begins with: `mine` of `mine::rows`, `<mine::Map as core::fmt::Debug>::fmt` and
/// `<&mut mine::Map as …>`.
fn crate_of(name: &str) -> Option<&str> {
    let path = name.trim_start_matches(['<', '&', '*', '[', '(']);
    let path = path.strip_prefix("mut ").unwrap_or(path);
    let (first, _) = path.split_once("::")?;
    first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(first)
}

fn section(names: &[(u32, String)]) -> Vec<u8> {
    let mut map = Vec::new();
    write_number(names.len(), &mut map);
    for (index, name) in names {
        write_number(*index as usize, &mut map);
        write_number(name.len(), &mut map);
        map.extend_from_slice(name.as_bytes());
    }
    let mut section = vec![FUNCTIONS];
    write_number(map.len(), &mut section);
    section.extend(map);
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(u32, &str)]) -> Vec<u8> {
        let names: Vec<(u32, String)> = names.iter().map(|(index, name)| (*index, (*name).to_owned())).collect();
        section(&names)
    }

    #[test]
    fn the_authors_functions_keep_their_names_and_libraries_do_not() {
        let all = names(&[
            (0, "_ZN4mine5trips17h0123456789abcdefE"),
            (1, "_ZN4core9panicking5panic17h0123456789abcdefE"),
            (2, "_ZN65_$LT$mine..Trips$u20$as$u20$volley_sdk..operator..MapOperator$GT$3map17h0123456789abcdefE"),
            (3, "volley:operator/map@0.1.0#map"),
            (4, "memcpy"),
            (5, "_ZN10volley_sdk6runner6sorted17h0123456789abcdefE"),
            (6, "_ZN6helper3run17h0123456789abcdefE"),
        ]);
        let left =
            [(0, "mine::trips"), (2, "<mine::Trips as volley_sdk::operator::MapOperator>::map"), (6, "helper::run")];
        assert_eq!(shipped(&all, "mine"), Some(names(&left)));
        assert_eq!(shipped(&names(&[(4, "memcpy")]), "mine"), None);
        assert_eq!(shipped(b"no names", "mine"), None);
    }

    #[test]
    fn names_are_bounded_and_the_authors_come_first() {
        let long: Vec<String> = (0..200).map(|index| format!("helper::{index}{}", "x".repeat(200))).collect();
        let mut all: Vec<(u32, &str)> = (0..).zip(long.iter().map(String::as_str)).collect();
        all.push((200, "mine::trips"));
        let left = shipped(&names(&all), "mine").unwrap();
        assert!(left.len() < NAMES_BYTES_MAX + 200, "{}", left.len());
        assert!(left.ends_with(b"mine::trips"));
        assert_eq!(crate_of("<&mut mine::Map as core::fmt::Debug>::fmt"), Some("mine"));
    }
}
