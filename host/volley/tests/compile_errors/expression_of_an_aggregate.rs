//! An aggregate is no expression of one row.
use volley::prelude::*;

fn main() {
    let env = StreamExecutionEnvironment::new();
    let schema = arrow::datatypes::Schema::empty();
    let stream = env.from_batches(schema, Vec::new());
    let _ = stream.filter_expr(sum("amount"));
}
