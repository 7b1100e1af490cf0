//! A type that no column is read as.
use volley_sdk::filter;

struct Money(f64);

#[filter]
fn rich(amount: Money) -> bool {
    amount.0 > 1000.0
}

fn main() {}
