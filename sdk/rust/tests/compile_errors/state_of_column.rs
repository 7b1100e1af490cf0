//! A column is no state.
use volley_sdk::{Emit, process};

#[process(output = "n")]
fn counted(#[state(version = 2)] count: i64, out: &mut Emit<(i64,)>) {
    out.push((count,));
}

fn main() {}
