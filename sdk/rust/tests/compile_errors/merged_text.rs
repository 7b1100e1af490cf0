//! Texts are not merged.
use volley_sdk::{Emit, Merged, process};

#[process(output = "n")]
fn longest(#[state(merge = "max")] _longest: &mut Merged<String>, _out: &mut Emit<(i64,)>) {}

fn main() {}
