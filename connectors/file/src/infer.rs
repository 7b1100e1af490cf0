//! Finds the schema of a source from the starts of its files.

mod csv;
mod json;
mod merge;

use std::io;
use std::time::{Duration, Instant};

use crate::Error;
use crate::input::LiveRead;

pub(crate) use csv::infer_csv;
pub(crate) use json::infer_jsonl;
pub(crate) use merge::{Columns, merge_columns, to_schema, untyped};

/// The most bytes that are looked at in one file, however few records they hold.
const INFER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much is read at once, and how much before it is looked at first; that is doubled until there are enough records.
const INFER_READ_BYTES: usize = 64 * 1024;

/// How long a stream may be silent until what has come is the sample: longer than a busy writer pauses, shorter than
/// somebody at a terminal minds.
const STREAM_PAUSE: Duration = Duration::from_millis(200);
/// How long a stream that never pauses, and is slower than the sample is large, is listened to.
const STREAM_SAMPLE_MAX: Duration = Duration::from_secs(2);

/// The start of a text.
struct Head {
    bytes: Vec<u8>,
    /// Whether the text ends there.
    has_ended: bool,
}

/// Reads a text until `is_enough` says so, it ends, or it becomes too much. Of a stream, which may stay silent for ever
/// while somebody waits for its first rows, what has come counts when `is_usable` says so and it pauses, or when it
/// has been waited for long enough.
fn head(
    input: &mut dyn LiveRead,
    name: &str,
    is_enough: impl Fn(&[u8]) -> bool,
    is_usable: impl Fn(&[u8]) -> bool,
) -> Result<Head, Error> {
    let (mut bytes, mut goal) = (Vec::new(), INFER_READ_BYTES);
    let begin = Instant::now();
    loop {
        let is_late = begin.elapsed() >= STREAM_SAMPLE_MAX;
        let has_paused = !input.wait(if is_late { Duration::ZERO } else { STREAM_PAUSE });
        if has_paused && is_usable(&bytes) {
            return Ok(Head { bytes, has_ended: false });
        }
        let before = bytes.len();
        bytes.resize(goal.min(before + INFER_READ_BYTES), 0);
        let outcome = input.read(&mut bytes[before..]);
        bytes.truncate(before + outcome.as_ref().map_or(0, |read| *read));
        match outcome {
            Ok(0) => return Ok(Head { bytes, has_ended: true }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What could be read decides; whoever reads the rows meets the damage behind them.
            Err(_) if !bytes.is_empty() => return Ok(Head { bytes, has_ended: false }),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::damaged(name, format!("the compressed stream is cut off: {error}")));
            }
            Err(error) => return Err(Error::io("read", name, error)),
        }
        if bytes.len() == goal {
            if is_enough(&bytes) || bytes.len() >= INFER_BYTES_MAX {
                return Ok(Head { bytes, has_ended: false });
            }
            goal = (goal * 2).min(INFER_BYTES_MAX);
        }
    }
}
