//! Two outputs have one name.
use volley_sdk::{Columns, map};

#[map(outputs = ["a", "a"])]
fn twice(n: f64) -> (f64, f64) {
    (n, n)
}

#[derive(Columns)]
struct Row {
    a: f64,
    #[column("a")]
    b: f64,
}

fn main() {}
