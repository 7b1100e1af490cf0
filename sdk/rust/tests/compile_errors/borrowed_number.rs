//! Numbers are taken by value.
use volley_sdk::map;

#[map(output = "double")]
fn double(n: &f64) -> f64 {
    n * 2.0
}

fn main() {}
