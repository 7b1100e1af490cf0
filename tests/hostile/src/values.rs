//! Functions and formats as operators, so that they are asked the same as all others.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use volley_api::{
    CodecContext, CodecFactory, FrameDecoder, Framing, ManualClock, NodeName, Operator, Output, Result, RowReject,
    ScalarContext, ScalarFunction, ScalarFunctionFactory, ScalarOutcome, SeedSource, StreamRecord, SubtaskId,
};
use volley_wasm::{PluginCodec, PluginScalar};

/// Calls a function with `x` for every row, as an expression does: what has no values together is tried in halves.
struct Called(Box<dyn ScalarFunction>);

/// A function as an operator.
pub(crate) fn scalar(scalar: &PluginScalar) -> Result<Box<dyn Operator>> {
    let arguments = Arc::new(Schema::new(vec![Field::new("arg0", DataType::Int64, true)]));
    scalar.bind(&arguments)?;
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    let context = ScalarContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds };
    Ok(Box::new(Called(scalar.create(&arguments, context)?)))
}

impl Called {
    fn call(&mut self, arguments: &RecordBatch) -> Result<()> {
        match self.0.call(arguments)? {
            ScalarOutcome::Values(values) => {
                assert_eq!(values.len(), arguments.num_rows());
                Ok(())
            }
            ScalarOutcome::NotTogether(error) if arguments.num_rows() == 1 => Err(error),
            ScalarOutcome::NotTogether(_) => {
                let half = arguments.num_rows() / 2;
                self.call(&arguments.slice(0, half))?;
                self.call(&arguments.slice(half, arguments.num_rows() - half))
            }
        }
    }
}

impl Operator for Called {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let arguments = Schema::new(vec![Field::new("arg0", DataType::Int64, true)]);
        let x = Arc::clone(record.batch.column(0));
        let batch = RecordBatch::try_new(Arc::new(arguments), vec![x]).expect("one column");
        self.call(&batch)?;
        output.emit(0, record)
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<()> {
        self.0.close()
    }
}

/// Reads `name` of every row as a message.
struct Read(Box<dyn FrameDecoder>);

/// A format as an operator.
pub(crate) fn codec(codec: &PluginCodec) -> Result<Box<dyn Operator>> {
    codec.decoded_schema()?;
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    Ok(Box::new(Read(codec.decoder(CodecContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds })?)))
}

impl Operator for Read {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let names = record.batch.column(1).as_string::<i32>();
        let frames = BinaryArray::from_iter_values(names.iter().flatten());
        let read = self.0.decode(Framing::Messages, &frames, false)?;
        assert_eq!(read.frames.len(), read.rows.num_rows());
        let reject = |reject: volley_api::FrameReject| RowReject {
            row: reject.frame,
            code: reject.code,
            message: reject.message,
        };
        output.reject(&record, read.rejects.into_iter().map(reject).collect())?;
        output.emit(0, StreamRecord::new(read.rows))
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<()> {
        self.0.close()
    }
}

fn node() -> NodeName {
    NodeName::new("node").expect("a name")
}
