//! A function by which no state is merged.
use volley_sdk::{Emit, Merged, process};

#[process(output = "n")]
fn counted(#[state(merge = "avg")] total: &mut Merged<f64>, out: &mut Emit<(i64,)>) {
    total.add(1.0);
}

fn main() {}
