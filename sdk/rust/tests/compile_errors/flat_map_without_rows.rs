//! A flat-map gives rows.
use volley_sdk::flat_map;

#[flat_map(output = "word")]
fn words(text: &str) -> String {
    text.to_owned()
}

fn main() {}
