//! What the benches share: contestants in turns, and the line that tells a ratio.
#![forbid(unsafe_code)]

pub mod timing;
