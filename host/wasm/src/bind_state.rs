//! What an aggregate agrees to beside its columns: its state, and how its results stand.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use volley_ipc::decode_schema;

use crate::Result;
use crate::contract::{Particulars, WriteMode};
use crate::guest::broke;
use crate::plugin::Who;
use crate::text::visible;
use crate::violation::Violation;

/// What is shown of a problem, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// The columns of the state.
pub(crate) fn check(who: &Who, particulars: Option<Particulars>) -> Result<SchemaRef> {
    let broke = |problem: String| broke(who, "open", Violation::BadBinding, problem);
    let message = match particulars {
        Some(Particulars::Aggregate(message)) => message,
        Some(_) => {
            return Err(broke("it agrees to particulars of another world; an aggregate gives its state".to_owned()));
        }
        None => return Err(broke("an aggregate gives the columns of its state, and it gives none".to_owned())),
    };
    let shown = |error: &dyn std::error::Error| visible(&error.to_string(), PROBLEM_BYTES_MAX);
    let state =
        decode_schema(&message).map_err(|error| broke(format!("the schema of its state: {}", shown(&error))))?;
    if state.fields().is_empty() {
        return Err(broke("its state has no column".to_owned()));
    }
    // State is kept as bytes of Arrow's rows.
    let is_kept = |field: &&Arc<arrow::datatypes::Field>| {
        !RowConverter::supports_fields(&[SortField::new(field.data_type().clone())])
    };
    if let Some(field) = state.fields().iter().find(is_kept) {
        let (name, data_type) = (visible(field.name(), PROBLEM_BYTES_MAX), field.data_type());
        return Err(broke(format!("the column `{name}` of its state is {data_type}, which cannot be kept")));
    }
    Ok(Arc::new(state))
}

/// Whether results are what the contract has them be.
pub(crate) fn check_results(who: &Who, writes: WriteMode, results: &Schema) -> Result<()> {
    let broke = |problem: String| Err(broke(who, "open", Violation::BadBinding, problem));
    if writes != WriteMode::Append {
        return broke("the results of an aggregate go behind the key (`append`), and its own do not".to_owned());
    }
    if results.fields().is_empty() {
        return broke("it has no column of results".to_owned());
    }
    Ok(())
}
