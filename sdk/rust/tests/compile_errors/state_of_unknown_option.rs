//! An option of a state that there is not.
use volley_sdk::{Emit, Value, process};

#[process(output = "n")]
fn counted(#[state(ttl = 1000)] count: &mut Value<i64>, out: &mut Emit<(i64,)>) {
    count.set(1);
}

fn main() {}
