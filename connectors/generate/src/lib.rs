//! A source that makes its rows up: endless or of a given length, at full speed or at a given rate, and the same rows
//! again at every run.
//!
//! Each row has a number `n` and ten uniform random numbers `u0` … `u9`, which are functions of seed, column and `n`
//! alone. Expressions make the columns of the output of them. So the rows, as a set, depend neither on the number of
//! splits nor on the size of batches, and reading can go on at any row.
//!
//! The crate must know nothing but `volley-api`. What evaluates the expressions is handed in as a [`ColumnEvaluator`].
#![forbid(unsafe_code)]

mod base;
mod error;
mod evaluator;
mod options;
mod pace;
mod source;

pub use base::base_schema;
pub use error::{Error, Result};
pub use evaluator::ColumnEvaluator;
pub use options::{ColumnList, GenerateOptions};
pub use source::GenerateSource;
