//! A struct without the derive is not a row.
use volley_sdk::map;

struct Row {
    a: f64,
}

#[map]
fn row(n: f64) -> Row {
    Row { a: n }
}

fn main() {}
