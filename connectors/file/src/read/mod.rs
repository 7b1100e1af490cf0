//! Reading one split, in blocking calls: one file per format.

pub(crate) mod arrow;
pub(crate) mod avro;
pub(crate) mod codec;
pub(crate) mod csv;
pub(crate) mod csv_scan;
pub(crate) mod jsonl;
pub(crate) mod parquet;
pub(crate) mod recover;
pub(crate) mod rows;
pub(crate) mod text;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use volley_api::{SourceBatch, SplitOffset};

use crate::Error;

/// The outcome of one poll.
pub(crate) enum Step {
    /// Rows, rejects, or both.
    Batch(SourceBatch),
    /// A file that grows has nothing more at present.
    Wait,
    /// The split has ended.
    End,
}

/// A reader of one split. Calls block.
pub(crate) trait BlockingRead: Send {
    /// Reads on.
    fn next(&mut self) -> Result<Step, Error>;

    /// Where it stands: behind the last row and reject given.
    fn offset(&self) -> Offset;
}

/// The version of the encoding of offsets.
const OFFSET_VERSION: u32 = 1;

/// Where a reader stands: JSON text of version 1, `{"v":1,"text":{"byte":…,"line":…}}`, `{"v":1,"rows":…}` or
/// `{"v":1,"codec":{"byte":…,"row":…,"skip":…}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Offset {
    /// Text: decompressed bytes before the next record, and the line that these bytes end in.
    Text {
        /// Decompressed bytes from the beginning.
        byte: u64,
        /// The line that the next byte belongs to, from 1.
        line: u64,
    },
    /// Rows before the next one.
    Rows(u64),
    /// What a codec reads.
    Codec {
        /// Decompressed bytes that were used up: what was left of a record that had begun is not among them.
        byte: u64,
        /// Rows that were given.
        row: u64,
        /// Those of them that come from behind `byte`, and are to be passed over.
        skip: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    v: u32,
    #[serde(flatten)]
    offset: Offset,
}

impl Offset {
    pub(crate) fn encode(self) -> SplitOffset {
        let text = serde_json::to_vec(&Versioned { v: OFFSET_VERSION, offset: self });
        SplitOffset(text.expect("numbers are always written").into())
    }

    pub(crate) fn decode(offset: &SplitOffset) -> Result<Self, Error> {
        let fail = |detail: String| Error::Foreign { what: "an offset", detail };
        let versioned: Versioned = serde_json::from_slice(&offset.0).map_err(|error| fail(error.to_string()))?;
        if versioned.v != OFFSET_VERSION {
            return Err(fail(format!("version {}, expected {OFFSET_VERSION}", versioned.v)));
        }
        Ok(versioned.offset)
    }

    /// Which of two lies further on; `None` where they are not of one kind. Of a codec rows are what is counted: how many bytes
    /// its last call took depends on where reading began, and so a place between two rows has more than one offset.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text { byte, .. }, Self::Text { byte: other, .. }) => Some(byte.cmp(&other)),
            (Self::Rows(rows), Self::Rows(other)) => Some(rows.cmp(&other)),
            (Self::Codec { row, .. }, Self::Codec { row: other, .. }) => Some(row.cmp(&other)),
            _ => None,
        }
    }

    /// The position in a text; the beginning when there is no offset.
    pub(crate) fn text(from: Option<Self>) -> Result<(u64, u64), Error> {
        match from {
            None => Ok((0, 1)),
            Some(Self::Text { byte, line }) => Ok((byte, line)),
            Some(Self::Rows(_)) => Err(Error::Foreign { what: "an offset", detail: "rows in a text file".to_owned() }),
            Some(Self::Codec { .. }) => {
                Err(Error::Foreign { what: "an offset", detail: "one of a codec in a text file".to_owned() })
            }
        }
    }

    /// Bytes, rows and rows to pass over in what a codec reads; the beginning when there is no offset.
    pub(crate) fn codec(from: Option<Self>) -> Result<(u64, u64, u64), Error> {
        match from {
            None => Ok((0, 0, 0)),
            Some(Self::Codec { byte, row, skip }) if skip <= row => Ok((byte, row, skip)),
            Some(_) => Err(Error::Foreign { what: "an offset", detail: "not one of a codec".to_owned() }),
        }
    }

    /// The number of rows before; 0 when there is no offset.
    pub(crate) fn rows(from: Option<Self>) -> Result<u64, Error> {
        match from {
            None => Ok(0),
            Some(Self::Rows(rows)) => Ok(rows),
            Some(Self::Text { .. } | Self::Codec { .. }) => {
                Err(Error::Foreign { what: "an offset", detail: "bytes in a binary file".to_owned() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_and_strangers_are_refused() {
        let codec = Offset::Codec { byte: 7, row: 3, skip: 2 };
        assert_eq!(
            &codec.encode().0[..],
            br#"{"v":1,"codec":{"byte":7,"row":3,"skip":2}}"#,
            "checkpoints hold this form"
        );
        assert!(Offset::text(Some(codec)).is_err() && Offset::rows(Some(codec)).is_err());
        assert!(Offset::codec(Some(Offset::Rows(1))).is_err());
        for (other, order) in [
            (Offset::Codec { byte: 9, row: 3, skip: 0 }, Some(Ordering::Equal)),
            (Offset::Codec { byte: 7, row: 4, skip: 3 }, Some(Ordering::Less)),
            (Offset::Codec { byte: 0, row: 2, skip: 2 }, Some(Ordering::Greater)),
            (Offset::Rows(3), None),
        ] {
            assert_eq!(codec.compare(other), order, "{codec:?} and {other:?}");
        }
        assert!(Offset::codec(Some(Offset::Codec { byte: 0, row: 1, skip: 2 })).is_err());
        for offset in [Offset::Text { byte: 7, line: 2 }, Offset::Rows(9), codec] {
            assert_eq!(Offset::decode(&offset.encode()).expect("own"), offset);
        }
        assert_eq!(&Offset::Rows(9).encode().0[..], br#"{"v":1,"rows":9}"#);
        assert_eq!(
            &Offset::Text { byte: 7, line: 2 }.encode().0[..],
            br#"{"v":1,"text":{"byte":7,"line":2}}"#,
            "checkpoints hold this form"
        );
        for bad in [&b"{}"[..], b"x", br#"{"v":2,"rows":9}"#] {
            assert!(Offset::decode(&SplitOffset(bad.to_vec().into())).is_err());
        }
        assert!(Offset::rows(Some(Offset::Text { byte: 0, line: 1 })).is_err());
    }
}
