//! Functions and formats as operators, so that they are asked the same as all others.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{
    CodecContext, CodecFactory, Error, FrameDecoder, FrameEncoder, Framing, ManualClock, NodeName, Operator, Output,
    Result, RowReject, ScalarContext, ScalarFunction, ScalarFunctionFactory, ScalarOutcome, SeedSource, StreamRecord,
    SubtaskId,
};
use volley_wasm::{PluginCodec, PluginScalar};

use crate::directives::Drive;

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

/// A format as an operator, which reads, or writes rows of these columns.
pub(crate) fn codec(codec: &PluginCodec, drive: Drive, rows: &SchemaRef) -> Result<Box<dyn Operator>> {
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    let context = CodecContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds };
    if drive == Drive::Encode {
        codec.check_rows(rows)?;
        return Ok(Box::new(Write(codec.encoder(rows, context)?)));
    }
    codec.decoded_schema()?;
    let decoder = codec.decoder(context)?;
    Ok(match drive {
        Drive::File => Box::new(ReadFile { decoder, waiting: Vec::new() }),
        _ => Box::new(Read(decoder)),
    })
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

/// Reads `name` of all rows as a piece of a file, as a file source does.
struct ReadFile {
    decoder: Box<dyn FrameDecoder>,
    waiting: Vec<u8>,
}

impl ReadFile {
    /// Reads on until nothing more comes of what there is.
    fn read(&mut self, end: bool, output: &mut dyn Output) -> Result<()> {
        while !self.waiting.is_empty() {
            let piece = BinaryArray::from_vec(vec![&self.waiting]);
            let read = self.decoder.decode(Framing::Stream, &piece, end)?;
            if read.rest_bytes == self.waiting.len() {
                assert!(read.rows.num_rows() == 0 && read.rejects.is_empty(), "rows of no bytes");
                break;
            }
            self.waiting.drain(..self.waiting.len() - read.rest_bytes);
            output.emit(0, StreamRecord::new(read.rows))?;
        }
        Ok(())
    }
}

impl Operator for ReadFile {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        self.waiting.extend(record.batch.column(1).as_string::<i32>().iter().flatten().flat_map(str::bytes));
        self.read(false, output)
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<()> {
        self.read(true, output)?;
        assert!(self.waiting.is_empty(), "{} bytes are left where the file ends", self.waiting.len());
        self.decoder.close()
    }
}

/// Writes all rows. One that is refused stops the job, as in a sink.
struct Write(Box<dyn FrameEncoder>);

impl Operator for Write {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let written = self.0.encode(&record.batch)?;
        assert_eq!(written.frames.null_count(), 0);
        if let Some(reject) = written.rejects.first() {
            return Err(Error::data(format!("row {} is refused: {}: {}", reject.row, reject.code, reject.message)));
        }
        let schema = Schema::new(vec![Field::new("frame", DataType::Binary, false)]);
        let frames = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(written.frames)]).expect("one column");
        output.emit(0, StreamRecord::new(frames))
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<()> {
        self.0.close()
    }
}

fn node() -> NodeName {
    NodeName::new("node").expect("a name")
}
