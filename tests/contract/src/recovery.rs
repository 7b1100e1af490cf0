//! The promises of [`Sink`] across failures: what one process prepared, another finishes or throws away.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, ShownBeyond, Sink, SinkContext, SinkWriter,
    SubtaskId, SystemClock,
};

use crate::rows_as_text;

/// The fewest rows of a sample: more than are staged at one time.
const SAMPLE_ROWS_MIN: usize = 6;

/// Holds a sink that takes part in checkpoints to its promises when its process is killed. `make` gives a fresh value for
/// the same target, empty at first, as another process would make it. `sample` and `read_back` are those of
/// [`crate::sink_contract`].
///
/// A killed process is a writer that is never dropped, and a sink value that is not used again. Then, by fresh values that
/// know nothing but committables:
///
/// - Nothing that was only prepared is visible; `lookup` says `NotCommitted`; it can be committed, in any order and by two at
///   once, and once more later, and its rows are there once.
/// - What is aborted stays away: a second abort succeeds, a commit fails, `lookup` never says `Committed`.
/// - What is committed is not aborted: the rows stay, and `lookup` goes on saying `Committed`.
/// - `clean_up` throws away what earlier incarnations staged, but for what is kept; it touches neither what is committed, nor
///   what a later or the same incarnation, another sink or another job has staged.
/// - Writers of a later incarnation go on in the same target, and nothing of theirs takes the place of anything earlier.
/// - `shows_beyond` tells of what is committed and of nothing else: not of what is staged, nor of earlier epochs and runs, nor
///   to other jobs and sinks. A sink may also say, always, that it cannot tell.
/// - A committable names its run, sink, subtask and epoch; under other names, or with other bytes, its token is refused.
///
/// # Panics
/// When a promise is broken, the sink fails, or the sample has fewer than six rows.
pub async fn sink_recovery_contract<S: Sink>(
    make: impl Fn() -> S,
    sample: &RecordBatch,
    read_back: impl Fn() -> Vec<RecordBatch>,
) {
    let mut suite = Suite::begin(make, sample, read_back);
    suite.another_process_commits().await;
    suite.epochs_in_any_order().await;
    suite.aborts_stay().await;
    suite.tokens_are_their_own().await;
    suite.clean_up_takes_what_nobody_asks_for().await;
    suite.clean_up_leaves_what_is_not_its_own().await;
    suite.what_is_shown_beyond_an_epoch().await;
    suite.an_epoch_without_rows().await;
}

struct Suite<'a, M, F> {
    make: M,
    read_back: F,
    sample: &'a RecordBatch,
    rows_taken: usize,
    /// What has been committed until now.
    visible: Vec<RecordBatch>,
    incarnation: u64,
    epoch: u64,
}

/// What was prepared, with its rows.
struct Prepared {
    committable: Committable,
    rows: RecordBatch,
}

impl<'a, S: Sink, M: Fn() -> S, F: Fn() -> Vec<RecordBatch>> Suite<'a, M, F> {
    fn begin(make: M, sample: &'a RecordBatch, read_back: F) -> Self {
        assert!(sample.num_rows() >= SAMPLE_ROWS_MIN, "the sample needs {SAMPLE_ROWS_MIN} rows");
        let sink = make();
        let guarantee = sink.guarantee();
        assert_eq!(guarantee, DeliveryGuarantee::ExactlyOnce, "this suite is for sinks that deliver exactly once");
        assert!(!sink.is_single_epoch(), "this suite is for sinks that take part in checkpoints");
        sink.check(&sample.schema()).expect("the sample can be written");
        let suite = Self { make, read_back, sample, rows_taken: 0, visible: Vec::new(), incarnation: 1, epoch: 0 };
        suite.expect("before anything is written");
        suite
    }

    /// What subtask 0 and subtask 1 prepared is committed by others, the latter first and by two at once.
    async fn another_process_commits(&mut self) {
        let subtasks = if (self.make)().parallelism_max().is_some_and(|most| most < 2) { 1 } else { 2 };
        let epoch = self.next_epoch();
        let mut prepared = Vec::new();
        let sink = (self.make)();
        for index in 0..subtasks {
            let mut writer = self.writer(&sink, SubtaskId { index, parallelism: subtasks }, false).await;
            prepared.push(self.prepare(&mut *writer, epoch).await);
            std::mem::forget(writer);
        }
        drop(sink);
        self.expect("behind prepare");
        let kept: Vec<_> = prepared.iter().map(|prepared| prepared.committable.clone()).collect();
        self.fail_and_clean_up(&kept).await;
        for Prepared { committable, rows } in prepared.into_iter().rev() {
            self.expect_status(&committable, CommitStatus::NotCommitted, "by another process").await;
            let (one, other) = ((self.make)(), (self.make)());
            let (first, second) = tokio::join!(one.commit(&committable), other.commit(&committable));
            first.and(second).expect("a commit by two at once");
            self.committed(&committable, rows, "behind a commit by another process").await;
        }
        self.fail_and_clean_up(&kept).await;
        for committable in &kept {
            self.expect_status(committable, CommitStatus::Committed, "after the next failure").await;
            (self.make)().commit(committable).await.expect("a commit after the next failure");
            self.expect("behind a commit after the next failure");
        }
    }

    /// One writer prepares three epochs before the first is committed; the last is first.
    async fn epochs_in_any_order(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let mut prepared = Vec::new();
        for _ in 0..3 {
            let epoch = self.next_epoch();
            prepared.push(self.prepare(&mut *writer, epoch).await);
        }
        for at in [2, 0, 1] {
            let Prepared { committable, rows } = &prepared[at];
            self.expect_status(committable, CommitStatus::NotCommitted, "while other epochs are committed").await;
            (self.make)().commit(committable).await.expect("commit");
            self.committed(committable, rows.clone(), "behind commits in another order").await;
        }
    }

    async fn aborts_stay(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let (first, second) = (self.next_epoch(), self.next_epoch());
        let thrown = self.prepare(&mut *writer, first).await.committable;
        let Prepared { committable, rows } = self.prepare(&mut *writer, second).await;
        for time in ["behind abort", "behind a second abort"] {
            (self.make)().abort(&thrown).await.expect("abort");
            self.expect_refused(&thrown, time).await;
        }
        self.expect_status(&committable, CommitStatus::NotCommitted, "behind the abort of another").await;
        (self.make)().commit(&committable).await.expect("commit behind the abort of another");
        self.committed(&committable, rows, "behind the abort of another").await;
        // Nobody may ask for it; a sink that refuses, or does nothing, keeps what people have seen.
        drop((self.make)().abort(&committable).await);
        self.expect("behind the abort of what is committed");
        self.expect_status(&committable, CommitStatus::Committed, "behind a late abort").await;
    }

    async fn tokens_are_their_own(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let epoch = self.next_epoch();
        let Prepared { committable, rows } = self.prepare(&mut *writer, epoch).await;
        let run = |job: &str, incarnation| JobRun { job: job.into(), incarnation };
        let own = committable.clone();
        for (other, part) in [
            (Committable { run: run("other", self.incarnation), ..own.clone() }, "job"),
            (Committable { run: run(JOB, self.incarnation + 1), ..own.clone() }, "incarnation"),
            (Committable { sink: node("other"), ..own.clone() }, "sink"),
            (Committable { subtask: own.subtask + 1, ..own.clone() }, "subtask"),
            (Committable { epoch: Epoch(own.epoch.0 + 1), ..own.clone() }, "epoch"),
            (Committable { token: Bytes::from_static(b"no token"), ..own.clone() }, "encoding"),
            (Committable { token: Bytes::new(), ..own.clone() }, "encoding"),
        ] {
            let time = format!("of a token under another {part}");
            assert!((self.make)().abort(&other).await.is_err(), "an abort {time} succeeded");
            self.expect_refused(&other, &time).await;
        }
        self.expect_status(&committable, CommitStatus::NotCommitted, "behind foreign tokens").await;
        (self.make)().commit(&committable).await.expect("commit");
        self.committed(&committable, rows, "behind foreign tokens").await;
    }

    /// A process dies with an epoch that is kept, one that no checkpoint knows, and rows that it had not prepared.
    async fn clean_up_takes_what_nobody_asks_for(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let (first, second) = (self.next_epoch(), self.next_epoch());
        let kept = self.prepare(&mut *writer, first).await;
        let forgotten = self.prepare(&mut *writer, second).await;
        writer.write(self.next_rows()).await.expect("write");
        std::mem::forget(writer);
        drop(sink);
        self.fail_and_clean_up(std::slice::from_ref(&kept.committable)).await;
        self.expect_refused(&forgotten.committable, "behind the clean-up").await;
        // The job may fail again before it has got any further.
        self.fail_and_clean_up(std::slice::from_ref(&kept.committable)).await;
        self.expect_status(&kept.committable, CommitStatus::NotCommitted, "of what is kept").await;
        (self.make)().commit(&kept.committable).await.expect("a commit of what is kept");
        self.committed(&kept.committable, kept.rows, "behind the commit of what is kept").await;
        self.fail_and_clean_up(&[]).await;
        self.expect_status(&kept.committable, CommitStatus::Committed, "behind all clean-ups").await;
    }

    async fn clean_up_leaves_what_is_not_its_own(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let epoch = self.next_epoch();
        let Prepared { committable, rows } = self.prepare(&mut *writer, epoch).await;
        let run = |job: &str, incarnation| JobRun { job: job.into(), incarnation };
        for (run, sink, whose) in [
            (run(JOB, self.incarnation - 1), "out", "an earlier incarnation"),
            (run(JOB, self.incarnation), "out", "the same incarnation"),
            (run(JOB, u64::MAX), "other", "another sink"),
            (run(JOB, u64::MAX), "ou", "another sink"),
            (run("other", u64::MAX), "out", "another job"),
        ] {
            (self.make)().clean_up(&run, &node(sink), &[]).await.expect("clean-up");
            let time = format!("behind the clean-up of {whose}");
            self.expect_status(&committable, CommitStatus::NotCommitted, &time).await;
        }
        (self.make)().commit(&committable).await.expect("a commit behind clean-ups of others");
        self.committed(&committable, rows, "behind clean-ups of others").await;
    }

    async fn what_is_shown_beyond_an_epoch(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let (first, second) = (self.next_epoch(), self.next_epoch());
        let shown = self.prepare(&mut *writer, first).await;
        let staged = self.prepare(&mut *writer, second).await;
        (self.make)().commit(&shown.committable).await.expect("commit");
        self.committed(&shown.committable, shown.rows, "before it is asked for").await;
        let run = |job: &str, incarnation| JobRun { job: job.into(), incarnation };
        let own = self.incarnation;
        for (since, sink, epoch, expected, what) in [
            (run(JOB, 1), "out", 0, Some(first), "of everything"),
            (run(JOB, own), "out", first - 1, Some(first), "beyond the epoch before"),
            (run(JOB, own), "out", first, None, "beyond the last that is visible"),
            (run(JOB, own + 1), "out", first - 1, None, "of later runs"),
            (run(JOB, own), "ou", first - 1, None, "of another sink"),
            (run("other", own), "out", first - 1, None, "of another job"),
        ] {
            let told = (self.make)().shows_beyond(&since, &node(sink), Epoch(epoch)).await.expect("an answer");
            let expected = expected.map_or(ShownBeyond::Nothing, |epoch| ShownBeyond::UpTo(Epoch(epoch)));
            assert!(
                told == ShownBeyond::Unknown || told == expected,
                "what is shown {what}: {told:?}, not {expected:?}"
            );
        }
        (self.make)().abort(&staged.committable).await.expect("abort");
    }

    async fn an_epoch_without_rows(&mut self) {
        let sink = (self.make)();
        let mut writer = self.writer(&sink, SubtaskId::SINGLE, true).await;
        let nothing = writer.prepare(Epoch(self.next_epoch())).await.expect("prepare");
        assert_eq!(nothing, None, "an epoch without rows has nothing to commit");
    }

    /// The job fails and goes on: a new process cleans up.
    async fn fail_and_clean_up(&mut self, kept: &[Committable]) {
        self.incarnation += 1;
        let run = JobRun { job: JOB.into(), incarnation: self.incarnation };
        (self.make)().clean_up(&run, &node("out"), kept).await.expect("clean-up");
        self.expect("behind the clean-up");
    }

    async fn writer(&self, sink: &S, subtask: SubtaskId, is_restored: bool) -> Box<dyn SinkWriter> {
        let single = SinkContext::single(node("out"), self.sample.schema(), Arc::new(SystemClock));
        let run = JobRun { job: JOB.into(), incarnation: self.incarnation };
        sink.open(SinkContext { subtask, run, is_restored, ..single }).await.expect("open")
    }

    /// Writes two batches and prepares them.
    async fn prepare(&mut self, writer: &mut dyn SinkWriter, epoch: u64) -> Prepared {
        let rows = self.next_rows();
        writer.write(rows.slice(0, 1)).await.expect("write");
        writer.write(rows.slice(1, rows.num_rows() - 1)).await.expect("write");
        let committable = writer.prepare(Epoch(epoch)).await.expect("prepare").expect("rows were written");
        let run = JobRun { job: JOB.into(), incarnation: self.incarnation };
        let named = (&committable.run, committable.sink.as_str(), committable.epoch);
        assert_eq!(named, (&run, "out", Epoch(epoch)), "a committable names its run, sink and epoch");
        self.expect("behind prepare");
        Prepared { committable, rows }
    }

    fn next_rows(&mut self) -> RecordBatch {
        let at = self.rows_taken % (self.sample.num_rows() - 1);
        self.rows_taken += 2;
        self.sample.slice(at, 2)
    }

    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    async fn expect_status(&self, committable: &Committable, expected: CommitStatus, time: &str) {
        let status = (self.make)().lookup(committable).await;
        assert!(status.as_ref().is_ok_and(|status| *status == expected), "lookup {time}: {status:?}, not {expected:?}");
    }

    /// Takes note of a commit, and checks that it and a second one have made the rows visible once.
    async fn committed(&mut self, committable: &Committable, rows: RecordBatch, time: &str) {
        self.visible.push(rows);
        self.expect(time);
        self.expect_status(committable, CommitStatus::Committed, time).await;
        (self.make)().commit(committable).await.expect("a second commit");
        self.expect(&format!("{time}, and a second one"));
    }

    /// Checks that something cannot be committed and is not called committed.
    async fn expect_refused(&self, committable: &Committable, time: &str) {
        let status = (self.make)().lookup(committable).await;
        assert!(!matches!(status, Ok(CommitStatus::Committed)), "lookup {time}: {status:?}");
        assert!((self.make)().commit(committable).await.is_err(), "a commit {time} succeeded");
        self.expect(time);
    }

    /// Compares what is visible with what has been committed, whatever the order.
    fn expect(&self, time: &str) {
        let mut seen = rows_as_text(&(self.read_back)());
        let mut committed = rows_as_text(&self.visible);
        seen.sort();
        committed.sort();
        assert_eq!(seen, committed, "what is visible {time}");
    }
}

/// The job's name.
const JOB: &str = "contract";

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}
