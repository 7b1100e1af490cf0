//! Floats are no keys of a map.
use volley_sdk::{Emit, Map, process};

#[process(output = "n")]
fn counted(counts: &mut Map<(i64, f64), i64>, out: &mut Emit<(i64,)>) {
    counts.clear();
}

fn main() {}
