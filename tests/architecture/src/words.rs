//! The files of the project hold on every machine: no absolute path of somebody's own, no host of a package registry.

use crate::Finding;

/// Pieces of text that belong to one machine or name a registry's host. Each is written in two halves, so that this
/// file does not find itself.
const FOREIGN: &[(&str, &str)] = &[
    ("/ro", "ot/"),
    ("/wo", "rk/"),
    ("/home", "/"),
    ("/Use", "rs/"),
    ("static.", "crates.io"),
    ("index.", "crates.io"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("deb.", "debian.org"),
    ("registry.", "npmjs.org"),
];

/// The lines of a text file that name such a thing.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let foreign: Vec<String> = FOREIGN.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in foreign.iter().filter(|word| stands_alone(line, word)) {
            findings.push(format!("{path}:{}: names {word}, which other machines do not have", index + 1));
        }
    }
    findings
}

/// Whether the word occurs and is not the middle of a longer path (`tests/work/x`).
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/') || before.is_none_or(|c| !c.is_alphanumeric() && !"._-}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for (first, second) in FOREIGN {
            let line = format!("see {first}{second}x");
            assert_eq!(check("a.md", &line).len(), 1, "{line}");
        }
        assert_eq!(check("a.md", &format!("one\n\"{}{}x\"", "/wo", "rk/"))[0].split(' ').next(), Some("a.md:2:"));
    }

    #[test]
    fn the_middle_of_a_longer_path_passes() {
        assert!(check("a.md", "tests/work/x and ${A}/root/b").is_empty());
    }
}
