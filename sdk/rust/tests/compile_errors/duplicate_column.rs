//! Two arguments read one column.
use volley_sdk::map;

#[map(output = "sum")]
fn sum(n: f64, #[column("n")] again: f64) -> f64 {
    n + again
}

fn main() {}
