//! A filter decides.
use volley_sdk::filter;

#[filter]
fn keep(n: f64) -> f64 {
    n
}

fn main() {}
