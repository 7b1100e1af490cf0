//! Finds the schema of a source from the starts of its files.

mod csv;
mod json;
mod merge;

use std::io::{self, Read};

use crate::Error;

pub(crate) use csv::infer_csv;
pub(crate) use json::infer_jsonl;
pub(crate) use merge::{Columns, merge_columns, to_schema};

/// The most bytes that are looked at in one file, however few records they hold.
const INFER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much is read at first; doubled until there are enough records.
const INFER_READ_BYTES: usize = 64 * 1024;

/// The start of a text.
struct Head {
    bytes: Vec<u8>,
    /// Whether the text ends there.
    has_ended: bool,
}

/// Reads a text until `is_enough` says so, it ends, or it becomes too much.
fn head(input: &mut dyn Read, name: &str, is_enough: impl Fn(&[u8]) -> bool) -> Result<Head, Error> {
    let (mut bytes, mut step) = (Vec::new(), INFER_READ_BYTES);
    loop {
        let has_ended = match input.take(step as u64).read_to_end(&mut bytes) {
            Ok(read) => read < step,
            // What could be read decides; whoever reads the rows meets the damage behind them.
            Err(_) if !bytes.is_empty() => return Ok(Head { bytes, has_ended: false }),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::damaged(name, format!("the compressed stream is cut off: {error}")));
            }
            Err(error) => return Err(Error::io("read", name, error)),
        };
        if has_ended || is_enough(&bytes) || bytes.len() >= INFER_BYTES_MAX {
            return Ok(Head { bytes, has_ended });
        }
        step *= 2;
    }
}
