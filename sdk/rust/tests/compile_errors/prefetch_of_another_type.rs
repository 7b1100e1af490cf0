//! What is fetched is a key of the map.
use volley_sdk::{Emit, Map, process};

#[process(output = "n")]
fn counted(item: &str, #[state(prefetch = item)] counts: &mut Map<String, i64>, _out: &mut Emit<(i64,)>) {
    counts.remove(item);
}

fn main() {}
