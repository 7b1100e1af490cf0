//! A row-wise function has no type parameters.
use volley_sdk::filter;

#[filter]
fn positive<T: Into<f64>>(n: T) -> bool {
    n.into() > 0.0
}

fn main() {}
