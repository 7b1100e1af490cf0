//! A run that is kept, and a key's runs as bytes.

use volley_api::{Error, Result};

/// A run that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) rows: u64,
    /// That of the last result; `None` before the first.
    pub(super) revision: Option<i64>,
    /// Whether rows have come since.
    pub(super) is_changed: bool,
    /// What its aggregates know, in Arrow's row format.
    pub(super) state: Box<[u8]>,
}

/// Stands for no revision; revisions count from 0.
const NO_REVISION: i64 = -1;

/// Runs as one value of keyed state: of each its start, end, rows, revision (eight bytes each), whether it has changed (one
/// byte), the length of its state (four bytes) and that; numbers are little-endian.
pub(super) fn encode(runs: &[Run]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(runs.iter().map(|run| 37 + run.state.len()).sum());
    for run in runs {
        let state_bytes = u32::try_from(run.state.len()).map_err(|_| {
            Error::data(format!("the state of one run takes {} bytes, and the limit is 4 GiB", run.state.len()))
        })?;
        bytes.extend(run.start_ms.to_le_bytes());
        bytes.extend(run.end_ms.to_le_bytes());
        bytes.extend(run.rows.to_le_bytes());
        bytes.extend(run.revision.unwrap_or(NO_REVISION).to_le_bytes());
        bytes.push(u8::from(run.is_changed));
        bytes.extend(state_bytes.to_le_bytes());
        bytes.extend(&run.state);
    }
    Ok(bytes)
}

/// The runs of a value that [`encode`] made.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    while !bytes.is_empty() {
        runs.push(decode_one(&mut bytes).ok_or_else(|| Error::external("stored runs of a key end within a run"))?);
    }
    Ok(runs)
}

fn decode_one(bytes: &mut &[u8]) -> Option<Run> {
    let start_ms = i64::from_le_bytes(part(bytes)?);
    let end_ms = i64::from_le_bytes(part(bytes)?);
    let rows = u64::from_le_bytes(part(bytes)?);
    let revision = Some(i64::from_le_bytes(part(bytes)?)).filter(|revision| *revision != NO_REVISION);
    let is_changed = part(bytes)? != [0];
    let state_bytes = u32::from_le_bytes(part(bytes)?) as usize;
    let state = bytes.split_off(..state_bytes)?.into();
    Some(Run { start_ms, end_ms, rows, revision, is_changed, state })
}

fn part<const BYTES: usize>(bytes: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (part, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_what_is_cut_off_is_refused() {
        let run = |revision, state: &[u8]| Run {
            start_ms: -5,
            end_ms: 1 << 40,
            rows: 7,
            revision,
            is_changed: revision.is_none(),
            state: state.into(),
        };
        let runs = vec![run(None, b""), run(Some(0), b"abc"), run(Some(9), &[0; 300])];
        let bytes = encode(&runs).expect("short");
        assert_eq!(decode(&bytes).expect("whole"), runs);
        assert_eq!(decode(&[]).expect("nothing"), []);
        for end in [1, 36, 38, bytes.len() - 1] {
            assert!(decode(&bytes[..end]).expect_err("cut off").to_string().contains("end within a run"));
        }
    }
}
