//! What is no merged state has no functions, and what is no map nothing to fetch.
use volley_sdk::{Emit, List, Value, process};

#[process(output = "n")]
fn last(#[state(merge = "max")] last: &mut Value<i64>, out: &mut Emit<(i64,)>) {
    last.set(1);
}

#[process(output = "n")]
fn all(item: i64, #[state(prefetch = item)] all: &mut List<i64>, out: &mut Emit<(i64,)>) {
    all.push(item);
}

fn main() {}
