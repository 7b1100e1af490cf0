//! An aggregate needs a key.
use volley::prelude::*;

fn main() {
    let env = StreamExecutionEnvironment::new();
    let schema = arrow::datatypes::Schema::empty();
    let stream = env.from_batches(schema, Vec::new());
    stream.aggregate_expr([count()]);
}
