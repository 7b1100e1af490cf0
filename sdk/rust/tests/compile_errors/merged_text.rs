//! Texts are not merged.
use volley_sdk::{Emit, Merged, process};

#[process(output = "n")]
fn longest(#[state(merge = "max")] longest: &mut Merged<String>, out: &mut Emit<(i64,)>) {
    longest.clear();
}

fn main() {}
