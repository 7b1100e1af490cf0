//! An option that there is not.
use volley_sdk::map;

#[map(column = "double")]
fn double(n: f64) -> f64 {
    n * 2.0
}

fn main() {}
