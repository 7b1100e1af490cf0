//! A map returns its column.
use volley_sdk::map;

#[map(output = "double")]
fn double(n: f64) {
    let _ = n * 2.0;
}

fn main() {}
