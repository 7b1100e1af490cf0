//! There is a function for each column, whatever name the row goes by.
use volley_sdk::{Emit, Merged, process};

type Moments = (i64, f64, f64);

#[process(output = "n")]
fn counted(#[state(merge = ["sum", "max"])] total: &mut Merged<(i64, f64, f64)>, _out: &mut Emit<(i64,)>) {
    total.add((1, 1.0, 1.0));
}

#[process(output = "n")]
fn named(#[state(merge = "sum")] total: &mut Merged<Moments>, _out: &mut Emit<(i64,)>) {
    total.add((1, 1.0, 1.0));
}

fn main() {}
