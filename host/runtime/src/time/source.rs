//! The event time of a source within one subtask: split by split, from the rows that came.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use arrow::array::Int64Array;
use arrow::compute;
use volley_api::{EventTimeColumn, Result, SplitId, StreamRecord, Watermark};

use super::{Control, EventTime, WatermarkStrategy, ms};

/// How often a source says how far event time has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After this time at the latest …
    pub(crate) interval: Duration,
    /// … or this many rows.
    pub(crate) rows: usize,
}

impl Pace {
    /// Nothing is told. (A century, since an instant has its limits.)
    pub(crate) const NEVER: Self = Self { interval: Duration::from_secs(100 * 365 * 24 * 60 * 60), rows: usize::MAX };
}

/// Turns the rows of a source's splits into watermarks.
pub(crate) struct SourceTime {
    column: EventTimeColumn,
    strategy: Strategy,
    /// Splits that were not opened yet hold event time back, unless they follow in order.
    unopened: usize,
    is_ordered: bool,
    splits: HashMap<u32, SplitTime>,
    /// How far splits had come that were begun before the job was restored.
    restored: HashMap<SplitId, i64>,
    pace: Pace,
    told: Option<Watermark>,
    told_at: Instant,
    rows_since: usize,
    /// Whether anything has changed since.
    has_news: bool,
    is_idle: bool,
}

enum Strategy {
    /// Milliseconds behind the latest row, less one.
    Behind(i64),
    Column(EventTimeColumn),
}

#[derive(Debug, Clone, Default)]
struct SplitTime {
    /// Its name, once it was opened.
    id: Option<SplitId>,
    /// The watermark that the split's rows allow, in milliseconds.
    reached: Option<i64>,
    is_idle: bool,
}

impl SourceTime {
    /// For a subtask that will see rows of so many splits. `restored` says how far those had come that were begun before,
    /// as watermarks in milliseconds.
    pub(crate) fn new(spec: &EventTime, splits: usize, restored: HashMap<SplitId, i64>, pace: Pace) -> Self {
        let strategy = match &spec.strategy {
            WatermarkStrategy::BoundedOutOfOrderness(bound) => Strategy::Behind(ms(*bound)),
            WatermarkStrategy::Monotonous => Strategy::Behind(0),
            WatermarkStrategy::Column(name) => Strategy::Column(EventTimeColumn::new(name)),
        };
        Self {
            column: spec.column.clone(),
            strategy,
            unopened: splits,
            is_ordered: spec.ordered,
            splits: HashMap::new(),
            restored,
            pace,
            told: None,
            told_at: Instant::now(),
            rows_since: 0,
            has_news: false,
            is_idle: false,
        }
    }

    /// The event times of a record, and its bounds filled in. A null means that the row has no usable event time.
    pub(crate) fn read(&self, mut record: StreamRecord) -> Result<(StreamRecord, Int64Array)> {
        let times = self.column.times(&record.batch)?;
        (record.min_event_time, record.max_event_time) = times.bounds.unzip();
        Ok((record, times.ms))
    }

    /// Takes in the rows of a split, after they have been sent on.
    pub(crate) fn rows(&mut self, split: u32, record: &StreamRecord) -> Result<()> {
        let reached = match &self.strategy {
            Strategy::Behind(ms) => record.max_event_time.map(|time| time.saturating_sub(*ms).saturating_sub(1)),
            // Rows may follow that are as early as the greatest value.
            Strategy::Column(column) => compute::max(&column.ms(&record.batch)?).map(|time| time.saturating_sub(1)),
        };
        let split = self.splits.entry(split).or_default();
        split.reached = split.reached.max(reached);
        self.rows_since += record.batch.num_rows();
        self.has_news = true;
        Ok(())
    }

    /// A split was opened.
    pub(crate) fn opened(&mut self, split: u32, id: SplitId) {
        self.unopened = self.unopened.saturating_sub(1);
        let time = self.splits.entry(split).or_default();
        let restored = self.restored.remove(&id);
        time.reached = time.reached.max(restored);
        // A split without new rows says all the same how far it had come.
        self.has_news |= restored.is_some();
        time.id = Some(id);
    }

    /// How far each open split has come, as a watermark in milliseconds.
    pub(crate) fn reached(&self) -> impl Iterator<Item = (&SplitId, i64)> {
        let begun = self.splits.values().filter_map(|split| Some((split.id.as_ref()?, split.reached?)));
        // What waits to be opened again has come as far as it had.
        begun.chain(self.restored.iter().map(|(id, reached)| (id, *reached)))
    }

    /// A split is polled and has had nothing for long enough.
    pub(crate) fn idle(&mut self, split: u32) {
        self.splits.entry(split).or_default().is_idle = true;
        self.has_news = true;
    }

    /// A split gives rows. To be told before they are sent on, when the whole source had been idle.
    pub(crate) fn active(&mut self, split: u32) -> Option<Control> {
        self.splits.entry(split).or_default().is_idle = false;
        std::mem::take(&mut self.is_idle).then_some(Control::Active)
    }

    /// A split has ended.
    pub(crate) fn ended(&mut self, split: u32) {
        // One that ended before it was opened here counts as seen.
        self.splits.remove(&split);
        self.has_news = true;
    }

    /// When there may be something to say though no row comes.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.has_news.then(|| self.told_at + self.pace.interval)
    }

    /// What the source has to say, if the time has come.
    pub(crate) fn tell(&mut self, now: Instant) -> Option<Control> {
        let is_due = self.rows_since >= self.pace.rows || now.duration_since(self.told_at) >= self.pace.interval;
        if !self.has_news || !is_due {
            return None;
        }
        (self.told_at, self.rows_since, self.has_news) = (now, 0, false);
        let holds_back = self.unopened > 0 && !self.is_ordered;
        let counting = self.splits.values().filter(|split| !split.is_idle);
        let reached = match counting.map(|split| split.reached).min() {
            _ if holds_back => None,
            Some(reached) => reached.map(Watermark::AtMs),
            None if !self.splits.is_empty() => {
                return (!std::mem::replace(&mut self.is_idle, true)).then_some(Control::Idle);
            }
            None => None,
        };
        if reached <= self.told {
            return None;
        }
        self.told = reached;
        reached.map(Control::Watermark)
    }

    /// The column of the event time.
    pub(crate) fn column(&self) -> &EventTimeColumn {
        &self.column
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch};

    const EVERY_BATCH: Pace = Pace { interval: Duration::ZERO, rows: 1 };

    fn source(spec: &EventTime, splits: usize) -> SourceTime {
        let mut time = SourceTime::new(spec, splits, HashMap::new(), EVERY_BATCH);
        (0..2).for_each(|split| time.opened(split, SplitId::new(&split.to_string())));
        time
    }

    fn rows(time: &mut SourceTime, split: u32, times: &[i64]) -> Option<Control> {
        let column: ArrayRef = Arc::new(Int64Array::from(times.to_vec()));
        let batch = RecordBatch::try_from_iter([("t", column)]).expect("one column");
        let (record, _) = time.read(batch.into()).expect("a time");
        assert_eq!(time.active(split), None);
        time.rows(split, &record).expect("a time");
        time.tell(Instant::now())
    }

    fn at(ms: i64) -> Option<Control> {
        Some(Control::Watermark(Watermark::AtMs(ms)))
    }

    #[test]
    fn the_split_that_is_furthest_behind_decides() {
        let mut time = source(&EventTime::bounded("t", Duration::from_millis(10)), 2);
        assert_eq!(rows(&mut time, 0, &[100, 50]), None, "nothing came of the other yet");
        assert_eq!(rows(&mut time, 1, &[60]), at(49), "60 less 10 less 1");
        assert_eq!(rows(&mut time, 1, &[55]), None);
        assert_eq!(rows(&mut time, 1, &[500]), at(89));
        time.ended(0);
        assert_eq!(time.tell(Instant::now()), at(489));
    }

    #[test]
    fn an_unopened_split_holds_back_unless_splits_are_ordered() {
        let mut spec = EventTime { strategy: WatermarkStrategy::Monotonous, ..EventTime::bounded("t", Duration::ZERO) };
        let mut time = source(&spec, 3);
        time.ended(1);
        assert_eq!(rows(&mut time, 0, &[100]), None);
        spec.ordered = true;
        let mut time = source(&spec, 3);
        time.ended(1);
        assert_eq!(rows(&mut time, 0, &[100]), at(99));
    }

    #[test]
    fn idle_splits_are_not_waited_for() {
        let mut time = source(&EventTime::bounded("t", Duration::ZERO), 2);
        assert_eq!(rows(&mut time, 0, &[100]), None);
        time.idle(1);
        assert_eq!(time.tell(Instant::now()), at(99));
        time.idle(0);
        assert_eq!(time.tell(Instant::now()), Some(Control::Idle));
        assert_eq!(time.active(1), Some(Control::Active));
        assert_eq!(rows(&mut time, 1, &[50]), None, "it never goes back");
    }

    #[test]
    fn a_restored_split_goes_on_where_it_was() {
        let (old, new) = (SplitId::new("old"), SplitId::new("new"));
        let restored = HashMap::from([(old.clone(), 70)]);
        let spec = EventTime::bounded("t", Duration::ZERO);
        let mut time = SourceTime::new(&spec, 2, restored, EVERY_BATCH);
        assert_eq!(time.reached().collect::<Vec<_>>(), [(&old, 70)], "not open again yet");
        time.opened(0, new.clone());
        time.opened(1, old.clone());
        assert!(time.due_at().is_some(), "it has something to say without a row");
        assert_eq!(rows(&mut time, 0, &[101]), at(70));
        let mut reached: Vec<_> = time.reached().collect();
        reached.sort();
        assert_eq!(reached, [(&new, 100), (&old, 70)]);
    }

    #[test]
    fn the_pace_is_kept() {
        let pace = Pace { interval: Duration::from_secs(60), rows: 3 };
        let mut time = SourceTime::new(&EventTime::bounded("t", Duration::ZERO), 1, HashMap::new(), pace);
        time.opened(0, SplitId::new("0"));
        assert_eq!(rows(&mut time, 0, &[1, 2]), None);
        assert!(time.due_at().is_some());
        assert_eq!(rows(&mut time, 0, &[3]), at(2));
        assert_eq!(time.due_at(), None, "nothing new");
    }
}
