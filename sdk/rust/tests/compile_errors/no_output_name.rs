//! A plain value needs the name of its column.
use volley_sdk::map;

#[map]
fn double(n: f64) -> f64 {
    n * 2.0
}

fn main() {}
