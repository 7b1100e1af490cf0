//! What is compared, as the lock file has it: versions of the contestants and of the engine under each.

/// The lock file that this program was built with.
const LOCK: &str = include_str!("../Cargo.lock");

/// The contestants: the crate that calls guests, and what people call it.
const CONTESTANTS: [(&str, &str); 3] =
    [("volley-wasm", "Volley"), ("arrow-udf-runtime", "arrow-udf-runtime"), ("extism", "Extism")];

/// Prints a line for each contestant.
pub(crate) fn print() {
    for (package, name) in CONTESTANTS {
        let version = field(package, "version = ").unwrap_or("of an unknown version");
        let engine = field(package, "\"wasmtime ").unwrap_or("of an unknown version");
        eprintln!("peers: {name} {version} on wasmtime {engine}");
    }
    eprintln!("peers: arrow {} on both sides of every boundary", field("arrow", "version = ").unwrap_or("unknown"));
}

/// What follows these characters in the first line of a package's entry that begins with them.
fn field(package: &str, begin: &str) -> Option<&'static str> {
    let entry = LOCK.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
    let rest = entry.lines().find_map(|line| line.trim().strip_prefix(begin))?;
    Some(rest.trim_matches(['"', ',']))
}
