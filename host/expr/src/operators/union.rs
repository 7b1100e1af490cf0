//! `union`: a node that only brings several inputs together under one name.

use arrow::datatypes::SchemaRef;
use volley_api::{
    Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Replayed, Result, StreamRecord, StreamType,
};

/// Makes operators that pass every record on as it is. The union itself is the work of the node's `from`, where the
/// runtime matches columns by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnionFactory;

impl OperatorFactory for UnionFactory {
    fn label(&self) -> String {
        "union".into()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(input.clone(), Vec::new()))
    }

    fn replayed(&self, _: &StreamType) -> Replayed {
        Replayed::RowByRow
    }

    fn create(&self, _context: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Union))
    }
}

struct Union;

impl Operator for Union {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        output.emit(0, record)
    }
}
