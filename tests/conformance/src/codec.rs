//! What a codec promises: frames can be cut anywhere, what is written is read, and no bytes are beyond it.

use std::sync::Arc;

use arrow::array::{BinaryArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use volley_api::{CodecFactory, FrameDecoder, Framing};
use volley_wasm::{Crossing, PluginCodec, PluginOptions};

use crate::Promise;
use crate::compare::same;
use crate::host::{REPEATABLE, Subject, codec_context, never_differed, texts};

pub(crate) const PROMISES: &[Promise] = &[
    ("what is encoded is what is decoded", writes_what_it_reads),
    ("a stream that is cut into pieces of any size gives the same rows", streams_can_be_cut),
    ("rows give the same bytes in calls of any size", rows_can_be_cut),
    ("messages are whole: each gives its rows, together with others or alone", messages_are_whole),
    ("a stream that ends in the middle of something says so, and gives what came before", ends_are_noticed),
    ("bytes that mean nothing are refused, and used up", garbage_is_refused),
    ("each way across the boundary gives the same", crossings_agree),
    (REPEATABLE, calls_are_repeatable),
];

/// Rows of a stream.
const ROWS: usize = 200;

/// A codec that reads and writes the same rows.
struct Both {
    codec: PluginCodec,
    schema: SchemaRef,
    rows: RecordBatch,
    /// The bytes of each frame.
    frames: Vec<Vec<u8>>,
}

fn said(error: volley_api::Error) -> String {
    error.to_string()
}

impl Both {
    fn new(subject: &Subject<'_>, crossing: Crossing) -> Result<Self, String> {
        Self::with(subject, subject.options(crossing))
    }

    fn with(subject: &Subject<'_>, options: PluginOptions) -> Result<Self, String> {
        let codec = PluginCodec::new(Arc::clone(&subject.plugin), options);
        let schema = codec.decoded_schema().map_err(said)?;
        codec.check_rows(&schema).map_err(said)?;
        let mut both = Self { codec, rows: subject.sample.rows_of(&schema, 0, ROWS), schema, frames: Vec::new() };
        // Rows that it does not write are none that it reads.
        let mut encoder = both.codec.encoder(&both.schema, codec_context()).map_err(said)?;
        let encoded = encoder.encode(&both.rows).map_err(said)?;
        let is_written = |row: usize| Some(encoded.rejects.iter().all(|reject| reject.row != row));
        both.rows = filter_record_batch(&both.rows, &(0..ROWS).map(is_written).collect()).map_err(|e| e.to_string())?;
        both.frames = encoded.frames.iter().flatten().map(<[u8]>::to_vec).collect();
        encoder.close().map_err(said)?;
        if both.rows.num_rows() < ROWS / 4 {
            return Err(format!("of {ROWS} rows of its own columns it writes {}", both.rows.num_rows()));
        }
        Ok(both)
    }

    fn decoder(&self) -> Result<Box<dyn FrameDecoder>, String> {
        self.codec.decoder(codec_context()).map_err(said)
    }

    fn stream(&self) -> Vec<u8> {
        self.frames.concat()
    }

    /// Reads a stream as a source does, in pieces of so many bytes: what it holds, and how much of it was refused.
    fn read(&self, stream: &[u8], piece_bytes: usize) -> Result<(Vec<String>, Vec<String>), String> {
        let mut decoder = self.decoder()?;
        let (mut rows, mut refused): (Vec<RecordBatch>, Vec<String>) = (Vec::new(), Vec::new());
        let mut waiting: Vec<u8> = Vec::new();
        let mut pieces = stream.chunks(piece_bytes.max(1)).peekable();
        let mut has_ended = false;
        let mut calls = 0;
        while !has_ended {
            waiting.extend(pieces.next().unwrap_or_default());
            let is_last = pieces.peek().is_none();
            let decoded =
                decoder.decode(Framing::Stream, &BinaryArray::from_vec(vec![&waiting]), is_last).map_err(said)?;
            has_ended = is_last && (decoded.rest_bytes == 0 || decoded.rest_bytes == waiting.len());
            waiting.drain(..waiting.len() - decoded.rest_bytes);
            rows.push(decoded.rows);
            refused.extend(decoded.rejects.into_iter().map(|reject| reject.code));
            calls += 1;
            if calls > stream.len() + 16 {
                return Err(format!("{calls} calls for {} bytes: it makes no progress", stream.len()));
            }
        }
        decoder.close().map_err(said)?;
        let rows = concat_batches(&self.schema, &rows).map_err(|error| error.to_string())?;
        Ok((texts(&rows), refused))
    }
}

fn writes_what_it_reads(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let (found, refused) = both.read(&both.stream(), usize::MAX)?;
    same("read again,", &found, &texts(&both.rows))?;
    if refused.is_empty() { Ok(()) } else { Err(format!("what it has written is refused: {refused:?}")) }
}

fn streams_can_be_cut(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let due = both.read(&both.stream(), usize::MAX)?.0;
    for piece_bytes in (1..=40).chain([64, 100, 1_000]) {
        let (found, refused) = both.read(&both.stream(), piece_bytes)?;
        same(&format!("in pieces of {piece_bytes} bytes"), &found, &due)?;
        if !refused.is_empty() {
            return Err(format!("in pieces of {piece_bytes} bytes {refused:?} is refused, and else nothing"));
        }
    }
    Ok(())
}

fn rows_can_be_cut(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let mut encoder = both.codec.encoder(&both.schema, codec_context()).map_err(said)?;
    for at_once in [1, 7] {
        let mut stream = Vec::new();
        for first in (0..both.rows.num_rows()).step_by(at_once) {
            let part = both.rows.slice(first, at_once.min(both.rows.num_rows() - first));
            let encoded = encoder.encode(&part).map_err(said)?;
            stream.extend(encoded.frames.iter().flatten().flatten().copied());
        }
        let found = both.read(&stream, usize::MAX)?.0;
        same(&format!("written with {at_once} rows at a time"), &found, &texts(&both.rows))?;
    }
    Ok(())
}

fn messages_are_whole(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let mut decoder = both.decoder()?;
    let frames = BinaryArray::from_iter_values(&both.frames);
    let together = decoder.decode(Framing::Messages, &frames, false).map_err(said)?;
    same("all messages in one call:", &texts(&together.rows), &texts(&both.rows))?;
    let mut alone = Vec::new();
    for (number, frame) in (0_u32..).zip(&both.frames) {
        let decoded = decoder.decode(Framing::Messages, &BinaryArray::from_vec(vec![frame]), false).map_err(said)?;
        let here = together.frames.iter().filter(|from| **from == number).count();
        if decoded.rows.num_rows() != here {
            let rows = decoded.rows.num_rows();
            return Err(format!("message {number} has {rows} rows alone, and {here} among others"));
        }
        alone.extend(texts(&decoded.rows));
    }
    same("each message in a call of its own:", &alone, &texts(&both.rows))
}

fn ends_are_noticed(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let whole = texts(&both.rows);
    let last = both.frames.iter().rev().take(3).map(Vec::len).sum::<usize>();
    let stream = both.stream();
    for end in stream.len() - last..stream.len() {
        let (found, refused) = both.read(&stream[..end], 4_096)?;
        let due = &whole[..found.len().min(whole.len())];
        same(&format!("of the first {end} of {} bytes", stream.len()), &found, due)?;
        let is_whole = both.frames.iter().scan(0, |sum, frame| {
            *sum += frame.len();
            Some(*sum)
        });
        if refused.is_empty() && end > 0 && !is_whole.into_iter().any(|at| at == end) {
            return Err(format!("of the first {end} of {} bytes nothing is refused", stream.len()));
        }
    }
    Ok(())
}

fn garbage_is_refused(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::new(subject, Crossing::Direct)?;
    let mut drawn = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..12 {
        let mut garbage = both.stream();
        garbage.truncate(2_000);
        // A few bytes that are others, up to all of them.
        for _ in 0..1 << round {
            drawn ^= drawn << 13;
            drawn ^= drawn >> 7;
            drawn ^= drawn << 17;
            let at = (drawn >> 8) as usize % garbage.len();
            garbage[at] = drawn.to_le_bytes()[0];
        }
        let due = both.read(&garbage, usize::MAX)?.0;
        same("of bytes that mean nothing, cut into pieces,", &both.read(&garbage, 333)?.0, &due)?;
    }
    Ok(())
}

fn crossings_agree(subject: &Subject<'_>) -> Result<(), String> {
    let [direct, stock] = [Crossing::Direct, Crossing::Stock].map(|by| Both::new(subject, by));
    let (direct, stock) = (direct?, stock?);
    if direct.frames != stock.frames {
        return Err("by the stock way it writes other bytes".to_owned());
    }
    same("by the stock way", &stock.read(&stock.stream(), 50)?.0, &direct.read(&direct.stream(), 50)?.0)
}

fn calls_are_repeatable(subject: &Subject<'_>) -> Result<(), String> {
    let both = Both::with(subject, subject.twice())?;
    let mut encoder = both.codec.encoder(&both.schema, codec_context()).map_err(said)?;
    for first in (0..both.rows.num_rows()).step_by(20) {
        encoder.encode(&both.rows.slice(first, 20.min(both.rows.num_rows() - first))).map_err(said)?;
    }
    both.read(&both.stream(), 150)?;
    never_differed(&both.codec.metrics())
}
