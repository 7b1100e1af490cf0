//! A source that makes up the events of the Nexmark benchmark: an auction house with persons, auctions and bids.
//!
//! Every value is a function of the seed, the column and the number of the event alone. So a kind of event is made
//! without the others, a column without its neighbours, and reading can go on at any row; which rows there are depends
//! neither on the number of splits nor on the size of batches.
//!
//! The crate must know nothing but `volley-api`.
#![forbid(unsafe_code)]

mod auctions;
mod bids;
mod column;
mod error;
mod events;
mod kind;
mod model;
mod options;
mod persons;
mod price;
mod random;
mod source;
mod texts;

pub use error::{Error, Result};
pub use kind::EventKind;
pub use options::NexmarkOptions;
pub use source::NexmarkSource;
