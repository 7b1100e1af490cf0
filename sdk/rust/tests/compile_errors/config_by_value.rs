//! The configuration is lent.
use volley_sdk::filter;

struct Config;

#[filter]
fn keep(#[config] config: Config, n: f64) -> bool {
    n > 0.0
}

fn main() {}
