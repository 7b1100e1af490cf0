//! The README shows what a test runs.

/// The Rust blocks of a page that use this crate.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("use volley::")).collect()
}

#[test]
fn its_example_is_one_of_the_page() {
    let shown = examples(include_str!("../../../README.md"));
    let run = examples(include_str!("../../../docs/rust-api.md"));
    assert_eq!(shown.len(), 1);
    assert!(run.contains(&shown[0]), "copy the first example of docs/rust-api.md into README.md");
}
