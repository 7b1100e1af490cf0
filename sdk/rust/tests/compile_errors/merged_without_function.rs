//! Merged state says how rows come together.
use volley_sdk::{Emit, Merged, process};

#[process(output = "n")]
fn counted(total: &mut Merged<(i64, f64)>, out: &mut Emit<(i64,)>) {
    total.add((1, 1.0));
}

#[process(output = "n")]
fn counted_alone(#[state(version = 2)] total: &mut Merged<i64>, out: &mut Emit<(i64,)>) {
    total.add(1);
}

fn main() {}
