//! The kernel as a plug-in of Extism: an Arrow IPC stream of one batch in, and one out.

// The macro exports the function under its own name.
#![allow(unsafe_code, missing_docs)]

#[path = "../../kernel.rs"]
mod kernel;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;
use extism_pdk::{FnResult, plugin_fn};

#[plugin_fn]
pub fn filter_project(input: Vec<u8>) -> FnResult<Vec<u8>> {
    let schema = Arc::new(Schema::new(kernel::fields()));
    let mut output = StreamWriter::try_new(Vec::with_capacity(input.len()), &schema)?;
    for batch in StreamReader::try_new(input.as_slice(), None)? {
        let batch = batch?;
        let column = |index: usize| batch.column(index).as_primitive::<Int64Type>();
        let columns = kernel::filter_project(column(0), column(1), column(2))?;
        output.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    Ok(output.into_inner()?)
}
