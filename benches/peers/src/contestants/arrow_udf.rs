//! arrow-udf: a module of functions, called through its runtime, which encodes and decodes Arrow IPC files itself.

use std::error::Error;
use std::fs;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow_udf_runtime::wasm::{FunctionHandle, Runtime, TableFunctionHandle};

use super::Contestant;
use crate::data::Shape;

/// A function over whole columns: a column of structs comes back, null where a row goes, and the nulls are left out here.
struct Batch {
    runtime: Runtime,
    function: FunctionHandle,
}

/// A table function: batches of 1,024 rows at most come back, each with a column of row numbers before the structs.
struct Table {
    runtime: Runtime,
    function: TableFunctionHandle,
}

/// Where the structs stand in what each kind of function gives.
const BATCH_COLUMN: usize = 0;
const TABLE_COLUMN: usize = 1;

pub(crate) fn batch(guests: &Path) -> Result<Box<dyn Contestant>, Box<dyn Error>> {
    let runtime = load(guests)?;
    let function = runtime.find_function("filter_project_batch", arguments(), returned())?;
    Ok(Box::new(Batch { runtime, function }))
}

pub(crate) fn table(guests: &Path) -> Result<Box<dyn Contestant>, Box<dyn Error>> {
    let runtime = load(guests)?;
    let function = runtime.find_table_function("filter_project", arguments(), returned())?;
    Ok(Box::new(Table { runtime, function }))
}

fn load(guests: &Path) -> Result<Runtime, Box<dyn Error>> {
    let path = guests.join("peer_arrow_udf.wasm");
    let module = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Runtime::new(&module)?)
}

fn arguments() -> Vec<DataType> {
    Shape::Numbers.schema().fields().iter().map(|field| field.data_type().clone()).collect()
}

fn returned() -> DataType {
    let field = |name| arrow::datatypes::Field::new(name, DataType::Int64, true);
    DataType::Struct(["b", "a2", "c"].map(field).into_iter().collect())
}

impl Contestant for Batch {
    fn call(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
        let output = self.runtime.call(&self.function, batch)?;
        let structs = output.column(BATCH_COLUMN);
        let kept = arrow::compute::filter(structs, &arrow::compute::is_not_null(structs)?)?;
        Ok(vec![RecordBatch::from(kept.as_struct())])
    }
}

impl Contestant for Table {
    fn call(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
        let output = self.runtime.call_table_function(&self.function, batch)?;
        output.map(|batch| Ok(columns(&batch?, TABLE_COLUMN))).collect()
    }
}

/// The fields of a column of structs as columns: no value is copied.
fn columns(batch: &RecordBatch, structs: usize) -> RecordBatch {
    RecordBatch::from(batch.column(structs).as_struct())
}
