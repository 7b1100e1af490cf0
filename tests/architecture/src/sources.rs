//! A source file is one idea and says which: it opens with `//!`, and it is not too long to be read.

use crate::Finding;

/// The longest a source file may be.
pub const LINES_MAX: usize = 1_000;

/// What is wrong with one source file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let opening = text.lines().next().unwrap_or_default();
    if opening.strip_prefix("//!").is_none_or(|words| words.trim().is_empty()) {
        findings.push(format!("{path}: open it with `//!` and one line on what it is for"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(format!("{path}: {lines} lines, at most {LINES_MAX}; a file is one idea"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_opening_line_is_found() {
        for text in ["", "use std::fmt;\n", "//!\n//! Late.\n", "// Not a doc comment.\n"] {
            assert_eq!(check("a.rs", text).len(), 1, "{text:?}");
        }
        assert!(check("a.rs", "//! What it is for.\n").is_empty());
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let text = |lines: usize| format!("//! Long.\n{}", "x\n".repeat(lines - 1));
        assert!(check("a.rs", &text(LINES_MAX)).is_empty());
        assert_eq!(check("a.rs", &text(LINES_MAX + 1)), ["a.rs: 1001 lines, at most 1000; a file is one idea"]);
    }
}
