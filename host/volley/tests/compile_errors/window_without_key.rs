//! A window needs a key.
use std::time::Duration;

use volley::prelude::*;

fn hourly(stream: &DataStream) -> WindowedKeyedStream {
    KeyedStream::window(stream, Tumbling::of(Duration::from_secs(3600)))
}

fn main() {}
