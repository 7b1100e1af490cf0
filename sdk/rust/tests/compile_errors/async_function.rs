//! A row-wise function is not async.
use volley_sdk::map;

#[map(output = "double")]
async fn double(n: f64) -> f64 {
    n * 2.0
}

fn main() {}
