//! The standing documents name only what exists: a path that moved must move in the text too.

use crate::Finding;

/// Folders that a command makes, so that a fresh clone does not have them.
const MADE_BY_COMMANDS: [&str; 2] = ["build/", "demo/out/"];

/// Paths named in the text of a document for which `exists` says no.
///
/// Seen as paths are, outside fenced blocks: inline code without spaces, with a slash and made of the characters of
/// paths (`host/api`, `wit/volley-operator@0.1.0/map.wit`); inline code that ends in `.md`; and targets of links that
/// lead nowhere outside. Paths count from the root of the repository.
pub fn check(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let prose = without_fences(text);
    inline_code(&prose)
        .into_iter()
        .filter(|code| looks_like_a_path(code))
        .chain(link_targets(&prose))
        .filter(|path| !MADE_BY_COMMANDS.iter().any(|made| path.starts_with(made)) && !exists(path))
        .map(|path| format!("{document} names {path}, which does not exist"))
        .collect()
}

/// The fenced blocks of a language, in order: examples that a test can compare with the files they stand for.
pub fn fenced(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            if info.trim() == language {
                blocks.push(block.join("\n") + "\n");
            }
        }
    }
    blocks
}

/// The rows of a table of exit codes, as `| code | meaning |`, made from the help text inside a source file: lines of
/// a number, two spaces or more, and words.
pub fn exit_code_rows(source: &str) -> Vec<String> {
    let row = |line: &str| {
        let (code, meaning) = line.trim().split_once("  ")?;
        let is_code = code.parse::<u8>().is_ok();
        let meaning = meaning.trim().trim_end_matches([';', '"']);
        is_code.then(|| format!("| {code} | {meaning} |"))
    };
    source.lines().filter_map(row).collect()
}

fn without_fences(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        if !fenced && !is_fence {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

fn inline_code(prose: &str) -> Vec<&str> {
    prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

fn looks_like_a_path(code: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./@".contains(c);
    let relative = code.starts_with(|c: char| c.is_ascii_alphanumeric()) || code.starts_with(".ci/");
    relative && code.chars().all(allowed) && (code.contains('/') || code.ends_with(".md"))
}

fn link_targets(prose: &str) -> Vec<&str> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        check("A.md", text, |path| ["host/api", "README.md"].contains(&path))
    }

    #[test]
    fn a_departed_path_is_found_in_code_and_in_links() {
        assert_eq!(findings("The crate `host/gone` knows."), ["A.md names host/gone, which does not exist"]);
        assert_eq!(findings("See `GONE.md`."), ["A.md names GONE.md, which does not exist"]);
        assert_eq!(findings("[x](docs/gone.md#part)"), ["A.md names docs/gone.md, which does not exist"]);
        assert_eq!(findings("| `host/api` | `.ci/gone` |"), ["A.md names .ci/gone, which does not exist"]);
    }

    #[test]
    fn fenced_blocks_are_taken_out_by_language() {
        let text = "```sh\nmake\n```\ntext\n```yaml\na: 1\nb: 2\n```\n```yaml\nc: 3\n```\n";
        assert_eq!(fenced(text, "yaml"), ["a: 1\nb: 2\n", "c: 3\n"]);
        assert_eq!(fenced(text, "rust"), [""; 0]);
    }

    #[test]
    fn exit_codes_are_found_in_help_text() {
        let source =
            "pub const HELP: &str = \"\\\nExit codes:\n  0    done\n  130  interrupted; twice\";\nlet x = 1;\n";
        assert_eq!(exit_code_rows(source), ["| 0 | done |", "| 130 | interrupted; twice |"]);
    }

    #[test]
    fn what_exists_or_is_no_path_passes() {
        for text in [
            "`host/api` and [the readme](README.md)",
            "`make demo`, `a::b`, `--out x/y`, `rate: 1/s`, `demo/out/flights.csv`, `data/*.csv`",
            "```\nhost/gone\n`host/gone`\n```",
            "[site](https://example.org/a/b) and [below](#part)",
        ] {
            assert_eq!(findings(text), [""; 0], "{text}");
        }
    }
}
