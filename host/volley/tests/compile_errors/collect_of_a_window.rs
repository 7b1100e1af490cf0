//! A window has no rows until something is computed of it.
use volley::prelude::*;

fn main() {
    let env = StreamExecutionEnvironment::new();
    let schema = arrow::datatypes::Schema::empty();
    let stream = env.from_batches(schema, Vec::new());
    stream.key_by(["carrier"]).window(Count::of(10)).collect_blocking();
}
