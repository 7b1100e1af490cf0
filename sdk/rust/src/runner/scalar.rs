//! A scalar between messages.

use super::{Bound, Memory, Outputs, Runner, open};
use crate::{Array, Batch, Binding, Failure, Field, NullHandling, OpenError, ProcessInput, ScalarOperator, Schema};

/// The name of the one column that a scalar writes.
const RESULT: &str = "result";

/// An opened scalar.
pub struct ScalarRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
    memory: Memory,
}

impl<Op: ScalarOperator> Runner for ScalarRunner<Op> {
    const DETERMINISM: crate::Determinism = Op::DETERMINISM;
    const NULLS: Option<NullHandling> = Some(Op::NULLS);

    fn open_for(config: &str, input: &ProcessInput) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, &input.schema, Outputs::One, |config, arguments| {
            let (operator, result) = Op::open(config, arguments)?;
            Ok((operator, binding(arguments, Field::new(RESULT, result))))
        })?;
        Ok(Self { operator, bound, memory: Memory::default() })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

#[inline(never)]
fn binding(arguments: &Schema, result: Field) -> Binding {
    let mut binding = Binding::default();
    for field in arguments.fields() {
        binding.reads.push(field.name.clone());
    }
    binding.replace(Schema::new([result]))
}

impl<Op: ScalarOperator> ScalarRunner<Op> {
    /// The message of the results.
    pub(crate) fn call(&mut self, message: &[u8]) -> Result<&[u8], Failure> {
        let Self { operator, bound, memory } = self;
        call(bound, memory, message, &mut |batch| operator.call(batch))
    }
}

/// One batch, whatever the operator.
#[inline(never)]
fn call<'a>(
    bound: &Bound,
    memory: &'a mut Memory,
    message: &[u8],
    call: &mut dyn FnMut(&Batch<'_>) -> Result<Array, Failure>,
) -> Result<&'a [u8], Failure> {
    let (message, out) = memory.align(message);
    let frame = bound.decode(message)?;
    let columns = crate::array::collect([call(&bound.view(&frame))?]);
    bound.wires[0].encode(&bound.binding.ports[0], &columns, frame.rows, out)?;
    crate::array::spare(columns);
    Ok(memory.out.bytes())
}
