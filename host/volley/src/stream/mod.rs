//! Streams: what can be said of one is a matter of its type.

mod closures;
mod data;
mod ends;
mod expressions;
mod keyed;
mod sink;
mod tag;
mod windowed;

pub use data::DataStream;
pub use keyed::KeyedStream;
pub use sink::DataStreamSink;
pub use tag::OutputTag;
pub use windowed::WindowedKeyedStream;
