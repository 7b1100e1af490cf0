//! Hostile guests: what strangers may try, each in a file of its own, and what becomes of it.
//!
//! A [`Case`] is one file under `guests/`: what the guest tries, how far it gets, and its code. [`check`] runs it in a
//! host of the test's own process, as a job would: load, bind, one record, the end. Then it asks what must hold after
//! *every* guest: it ended where the file says, with the reason counted and named; the host still runs under the same
//! process id; no call held more of the host's memory than twice what its limits allow; texts that came out of it are
//! short and harmless; and another plugin of the same engine gives the rows that it gave before. [`aggregates`] are made of
//! what an honest one does, and are run by a test of their own.

mod aggregates;
mod case;
mod check;
mod component;
mod directives;
mod host;
mod log;
mod message;
mod stored;
mod text;
mod values;

pub use aggregates::{AggregateCase, aggregates};
pub use case::{CLASSES, Case, Class, Outcome, Stage, cases, folders};
pub use check::{Verdict, check};
pub use component::{POISON, component};
pub use directives::Limits;
