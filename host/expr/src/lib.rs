//! SQL expressions over the columns of one schema, the operators made of them (`filter`, `select`, `with_columns` and
//! `union`), and the built-in aggregates over them.
//!
//! Built on DataFusion's sub-crates, which read the text, settle the types and evaluate; this crate decides what an
//! expression of a pipeline may be, and what is said when it is not one:
//!
//! - Names of columns are case-sensitive and taken as they stand in the schema: `dep_delay`, `"Dep Delay"`.
//!   Names of functions are not case-sensitive.
//! - An expression sees one row. Aggregates, which have a place of their own ([`Aggregates`]), window functions,
//!   subqueries and `*` are refused.
//! - An expression is a function of its row: `now()`, `random()` and `uuid()` are refused, since a replay must give
//!   the same rows.
//! - Text and numbers are not compared with each other unasked, since the outcome would be that of comparing texts.
//! - **The outcome does not depend on how rows are cut into batches.** A batch that cannot be evaluated as a whole
//!   (DataFusion evaluates `10 / x` for every row even in `x <> 0 AND 10 / x > 1`, unless whole batches allow it to
//!   leave that out) is evaluated in ever smaller parts, and fails only if a row fails alone.
//! - Integer arithmetic wraps around; division by zero and casts that do not succeed are errors, which `NULLIF` and
//!   `TRY_CAST` avoid.
//!
//! - Functions that somebody brings ([`Functions`]) may do more than compute: what they are is behind a trait.
//!
//! What it must not know: connectors, plugins, the pipeline file, the runtime.
#![deny(unsafe_code)]

mod aggregate;
mod call_site;
mod comparison;
mod context;
mod error;
mod expression;
mod functions;
mod given;
mod operators;
mod plan;
mod projection;
mod select_item;
mod syntax;
mod wording;

pub use aggregate::Aggregates;
pub use error::{Error, Result};
pub use expression::Expression;
pub use given::Functions;
pub use operators::{FilterFactory, SelectFactory, UnionFactory, WithColumnsFactory};
pub use projection::Projection;
pub use select_item::SelectItem;
