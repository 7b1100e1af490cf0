//! A keyed stream has no rows of its own.
use volley::prelude::*;

fn main() {
    let env = StreamExecutionEnvironment::new();
    let schema = arrow::datatypes::Schema::empty();
    let stream = env.from_batches(schema, Vec::new());
    stream.key_by(["carrier"]).to_sink("out", volley::DiscardSink::new());
}
