//! The promises of [`Source`]: stable splits, rows that do not depend on the size of batches, exact replay.

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use volley_api::{
    Boundedness, Positions, ReadEvent, ReadOptions, Replay, Source, SourceReject, Split, SplitOffset, SplitReader,
};

/// How often in a row a reader may have nothing before the suite gives up.
const IDLE_POLLS_MAX: usize = 10_000;
/// The sizes of batches that every split is read with.
const BATCH_ROWS: [usize; 4] = [1, 3, 64, 8192];
/// With more rows than this, a split is not resumed behind each of its batches but behind about as many of them.
const RESUMES_MAX: usize = 64;

/// Holds a source that ends to its promises, reading all of it several times.
///
/// - `discover` gives the same splits again, without a name twice.
/// - Each split gives the same rows, positions and refused records whatever the size of batches; batches keep to the
///   maximum and to the schema, and are not empty; positions ascend.
/// - Opened at the offset behind any batch, a split gives exactly the rest ([`Replay::Exact`]).
/// - Opened at the offset behind its end, it ends at once.
/// - Progress does not go beyond the size of the split.
///
/// # Panics
/// When a promise is broken, or the source fails.
pub async fn source_contract(source: &dyn Source) {
    assert_eq!(source.boundedness(), Boundedness::Bounded, "an endless source needs source_prefix_contract");
    check(source, usize::MAX).await;
}

/// As [`source_contract`] for the first `rows` rows of each split, so that a source may be endless.
///
/// # Panics
/// When a promise is broken, or the source fails.
pub async fn source_prefix_contract(source: &dyn Source, rows: usize) {
    check(source, rows).await;
}

async fn check(source: &dyn Source, rows_max: usize) {
    assert!(!source.label().is_empty(), "a source has a label");
    let splits = source.discover().await.expect("discover");
    assert!(!splits.is_empty(), "a source has a split, or refuses to start");
    assert_eq!(splits, source.discover().await.expect("discover again"), "discover is stable");
    let mut names: Vec<_> = splits.iter().map(|split| &split.id).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), splits.len(), "no two splits have one name");
    for split in &splits {
        check_split(source, split, rows_max).await;
    }
}

async fn check_split(source: &dyn Source, split: &Split, rows_max: usize) {
    let whole = read(source, split, None, BATCH_ROWS[BATCH_ROWS.len() - 1], rows_max).await;
    for batch_rows in BATCH_ROWS {
        let again = read(source, split, None, batch_rows, rows_max).await;
        again.same_as(&whole, &format!("split {} in batches of {batch_rows}", split.id));
        if source.replay() != Replay::Exact {
            continue;
        }
        let step = again.stops.len().div_ceil(RESUMES_MAX).max(1);
        // The first stop is the beginning, the last one the end or the limit of this suite.
        let last = again.stops.len() - 1;
        for stop in again.stops.iter().step_by(step).chain([&again.stops[last]]) {
            let rest = read(source, split, Some(&stop.offset), batch_rows, rows_max.saturating_sub(stop.rows)).await;
            let expected = whole.behind(stop);
            let place = format!("split {} resumed behind row {} in batches of {batch_rows}", split.id, stop.rows);
            rest.same_as(&expected, &place);
        }
    }
}

/// Where a reader stood, and what it had given until then.
struct Stop {
    offset: SplitOffset,
    rows: usize,
    rejects: usize,
}

/// All that a reader gave.
struct Reading {
    rows: RecordBatch,
    positions: Vec<i64>,
    rejects: Vec<SourceReject>,
    stops: Vec<Stop>,
    ended: bool,
}

impl Reading {
    fn same_as(&self, other: &Self, place: &str) {
        assert_eq!(self.positions, other.positions, "positions of {place}");
        assert_eq!(self.rows, other.rows, "rows of {place}");
        assert_eq!(self.rejects, other.rejects, "refused records of {place}");
        assert_eq!(self.ended, other.ended, "the end of {place}");
    }

    fn behind(&self, stop: &Stop) -> Self {
        Self {
            rows: self.rows.slice(stop.rows, self.rows.num_rows() - stop.rows),
            positions: self.positions[stop.rows..].to_vec(),
            rejects: self.rejects[stop.rejects..].to_vec(),
            stops: Vec::new(),
            ended: self.ended,
        }
    }
}

/// Reads a split to its end, or until it gave `rows_max` rows; what is beyond in the last batch is cut off.
async fn read(
    source: &dyn Source,
    split: &Split,
    from: Option<&SplitOffset>,
    batch_rows: usize,
    rows_max: usize,
) -> Reading {
    let options = ReadOptions { batch_rows_max: NonZeroUsize::new(batch_rows).expect("not zero") };
    let mut reader = source.open(split, from, options).await.expect("open");
    let schema = source.schema();
    let (mut batches, mut positions, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    let mut stops = vec![Stop { offset: reader.offset(), rows: 0, rejects: 0 }];
    let mut progress = 0;
    let mut ended = false;
    while positions.len() < rows_max {
        let Some(read) = next(&mut *reader).await else {
            ended = true;
            break;
        };
        let rows = read.batch.num_rows();
        assert_eq!(read.batch.schema(), schema, "a batch has the source's schema");
        assert!(rows <= batch_rows, "a batch of {rows} rows where {batch_rows} were the most");
        assert!(rows > 0 || !read.rejects.is_empty(), "a batch has rows or refused records");
        assert!(read.rejects.is_empty() || source.can_reject(), "only who can reject does");
        let before = positions.last().copied();
        extend(&mut positions, &read.positions, rows);
        let fresh = &positions[positions.len() - rows..];
        assert!(before.iter().chain(fresh).is_sorted_by(|a, b| a < b), "positions ascend: {before:?}, {fresh:?}");
        progress += read.progress_units;
        batches.push(read.batch);
        rejects.extend(read.rejects);
        stops.push(Stop { offset: reader.offset(), rows: positions.len(), rejects: rejects.len() });
    }
    if let Some(size) = split.size_units {
        assert!(progress <= size, "progress of {progress} in split {} of size {size}", split.id);
    }
    let rows = concat_batches(&schema, &batches).expect("batches of one schema");
    let kept = positions.len().min(rows_max);
    positions.truncate(kept);
    stops.retain(|stop| stop.rows <= kept);
    Reading { rows: rows.slice(0, kept), positions, rejects, stops, ended }
}

/// The next batch, or `None` at the end.
async fn next(reader: &mut dyn SplitReader) -> Option<volley_api::SourceBatch> {
    for _ in 0..IDLE_POLLS_MAX {
        match reader.next().await.expect("next") {
            ReadEvent::Batch(batch) => return Some(batch),
            ReadEvent::End => return None,
            ReadEvent::Idle(wait) => tokio::time::sleep(wait).await,
        }
    }
    panic!("the reader had nothing {IDLE_POLLS_MAX} times in a row");
}

fn extend(all: &mut Vec<i64>, positions: &Positions, rows: usize) {
    match positions {
        Positions::From(first) => all.extend((*first..).take(rows)),
        Positions::Each(each) => {
            assert_eq!(each.len(), rows, "one position for each row");
            all.extend(each.values());
        }
    }
}
