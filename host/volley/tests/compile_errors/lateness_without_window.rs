//! Only windows have late rows.
use std::time::Duration;

use volley::prelude::*;

fn main() {
    let env = StreamExecutionEnvironment::new();
    let schema = arrow::datatypes::Schema::empty();
    let stream = env.from_batches(schema, Vec::new());
    stream.key_by(["carrier"]).allowed_lateness(Duration::from_secs(1));
}
