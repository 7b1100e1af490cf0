//! Pages of the documentation whose pipelines are run, and must give what stands beside them.

use crate::support::{Folder, plugin, repository, sorted_lines};

/// A fenced block: language, name behind it, text.
struct Block {
    language: String,
    name: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let (language, name) = info.split_once(' ').unwrap_or((info, ""));
        let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        blocks.push(Block { language: language.to_owned(), name: name.to_owned(), text });
    }
    blocks
}

/// Blocks with a name are files: in front of the commands they are written, behind them they are compared, without the order of
/// lines; a folder is all that lies in it. Each line of a block of commands is run.
#[test]
fn checkpoints() {
    let path = repository().join("docs/checkpoints.md");
    let folder = Folder::new();
    let (mut commands, mut outputs) = (0, 0);
    for Block { language, name, text } in blocks(&std::fs::read_to_string(path).expect("the page")) {
        if language == "sh" {
            for line in text.lines() {
                let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
                assert_eq!(words.next(), Some("volley-host"), "{line}");
                folder.succeed(&words.collect::<Vec<_>>());
                commands += 1;
            }
        } else if name.is_empty() {
            assert_eq!(language, "text", "{text}");
        } else if commands == 0 {
            folder.write(&name, &text);
        } else {
            let head = text.lines().next().expect("a header");
            let parts = folder.files().into_iter().filter(|file| file.starts_with(&name));
            let rows: String = parts
                .flat_map(|part| folder.read(&part).lines().skip(1).map(|line| format!("{line}\n")).collect::<Vec<_>>())
                .collect();
            assert_eq!(sorted_lines(&format!("{head}\n{rows}")), sorted_lines(&text), "{name}");
            outputs += 1;
        }
    }
    assert!(commands >= 4 && outputs >= 1, "{commands} commands, {outputs} outputs: where did they go?");
}

/// A block with a name is a file: of the input before the first pipeline, and of the output behind one. Lines are compared
/// without their order, which is none where rows are dealt out by key.
#[test]
fn windows_and_aggregates() {
    let (pipelines, outputs) = pipelines_of("windows-and-aggregates", &Folder::new());
    assert!(pipelines >= 4 && outputs >= 8, "{pipelines} pipelines, {outputs} outputs: where did they go?");
}

/// A folder with some of the example operators.
fn with_plugins(names: &[&str]) -> Folder {
    let folder = Folder::new();
    for name in names {
        folder.write(&format!("{name}.wasm"), std::fs::read(plugin(name)).expect("a component"));
    }
    folder
}

#[test]
fn process_plugins() {
    let (pipelines, outputs) = pipelines_of("process-plugins", &with_plugins(&["sessionizer"]));
    assert_eq!((pipelines, outputs), (1, 1), "where did they go?");
}

#[test]
fn row_plugins() {
    let (pipelines, outputs) = pipelines_of("row-plugins", &with_plugins(&["threshold", "explode"]));
    assert_eq!((pipelines, outputs), (1, 2), "where did they go?");
}

#[test]
fn aggregate_plugins() {
    let (pipelines, outputs) = pipelines_of("aggregate-plugins", &with_plugins(&["sum-avg", "quantile-sketch"]));
    assert!(pipelines >= 2 && outputs >= 2, "{pipelines} pipelines, {outputs} outputs: where did they go?");
}

/// Runs the pipelines of a page and compares their outputs; how many there were of each. Code is another test's.
fn pipelines_of(page: &str, folder: &Folder) -> (usize, usize) {
    let path = repository().join(format!("docs/{page}.md"));
    let (mut pipelines, mut outputs) = (0, 0);
    for Block { language, name, text } in blocks(&std::fs::read_to_string(path).expect("the page")) {
        if language == "rust" {
            continue;
        }
        if language == "yaml" {
            folder.write("p.yaml", &text);
            folder.succeed(&["run", "p.yaml", "-q"]);
            pipelines += 1;
        } else if pipelines == 0 {
            folder.write(&name, &text);
        } else {
            assert_eq!(sorted_lines(&folder.read(&name)), sorted_lines(&text), "{name} of pipeline {pipelines}");
            outputs += 1;
        }
    }
    (pipelines, outputs)
}
