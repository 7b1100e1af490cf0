//! As many names as values.
use volley_sdk::map;

#[map(outputs = ["a", "b"])]
fn three(n: f64) -> (f64, f64, f64) {
    (n, n, n)
}

fn main() {}
