//! One record on its way through a plugin: its rows in and out, and the CPU time between.

use std::time::Duration;

use volley_api::{Output, PortIndex, Result, RowReject, StreamRecord};

use super::PluginMetrics;
use crate::limits::thread_cpu_time;

/// Records of one subtask whose CPU time is read, each; after them one in [`SAMPLED_EVERY`].
const SAMPLED_FIRST: u64 = 16;

/// Reading the clock of a thread is a call of the system and costs about as much as a short call of a plugin: so most
/// records are left out, and one that is not stands for them.
const SAMPLED_EVERY: u64 = 32;

/// Decides, in one subtask, of which records the CPU time is read.
#[derive(Debug, Default)]
pub(crate) struct CpuSampler {
    records: u64,
    /// Rows of the records since the last one that was read, which the next one stands for.
    rows_waiting: u64,
}

impl CpuSampler {
    /// A record of so many rows, at least one; how many rows its CPU time stands for, if it is to be read.
    fn next(&mut self, rows: u64) -> Option<u64> {
        let number = self.records;
        self.records += 1;
        self.rows_waiting += rows;
        let sampled = number < SAMPLED_FIRST || number.is_multiple_of(SAMPLED_EVERY);
        sampled.then(|| std::mem::take(&mut self.rows_waiting))
    }
}

/// The output of an operator, with everything that passes counted. What the operators after this one do in the meantime
/// is not its CPU time.
pub(crate) struct Metered<'a> {
    metrics: &'a PluginMetrics,
    output: &'a mut dyn Output,
    cpu: Option<CpuMeter>,
}

struct CpuMeter {
    /// The rows of the record, and the rows that it stands for.
    rows: u64,
    stands_for: u64,
    used: Duration,
    since: Duration,
}

impl<'a> Metered<'a> {
    /// A record of so many rows has come.
    pub(crate) fn begin(
        metrics: &'a PluginMetrics,
        sampler: &mut CpuSampler,
        rows: usize,
        output: &'a mut dyn Output,
    ) -> Self {
        let rows = rows as u64;
        metrics.rows_in.add(rows);
        let cpu = sampler.next(rows).map(|stands_for| CpuMeter {
            rows,
            stands_for,
            used: Duration::ZERO,
            since: thread_cpu_time(),
        });
        Self { metrics, output, cpu }
    }

    /// Runs something that is not this operator's.
    fn elsewhere(&mut self, run: impl FnOnce(&mut dyn Output) -> Result<()>) -> Result<()> {
        if let Some(cpu) = &mut self.cpu {
            cpu.used += thread_cpu_time().saturating_sub(cpu.since);
        }
        let outcome = run(self.output);
        if let Some(cpu) = &mut self.cpu {
            cpu.since = thread_cpu_time();
        }
        outcome
    }
}

/// The output of what is no operator: nothing passes.
pub(crate) struct Nowhere;

impl Output for Nowhere {
    fn emit(&mut self, _: PortIndex, _: StreamRecord) -> Result<()> {
        Ok(())
    }

    fn reject(&mut self, _: &StreamRecord, _: Vec<RowReject>) -> Result<()> {
        Ok(())
    }
}

impl Output for Metered<'_> {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()> {
        self.metrics.rows_out.add(record.num_rows() as u64);
        self.elsewhere(|output| output.emit(port, record))
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        self.metrics.rows_rejected.add(rejects.len() as u64);
        self.elsewhere(|output| output.reject(input, rejects))
    }
}

impl Drop for Metered<'_> {
    /// The record is done, well or badly.
    fn drop(&mut self) {
        if let Some(cpu) = &self.cpu {
            let used = cpu.used + thread_cpu_time().saturating_sub(cpu.since);
            let nanos = used.as_nanos() * u128::from(cpu.stands_for) / u128::from(cpu.rows.max(1));
            self.metrics.cpu_time.add(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use arrow::datatypes::Schema;

    /// An operator after the metered one, which burns CPU time.
    struct Burning;

    fn burn() -> Duration {
        let start = thread_cpu_time();
        while thread_cpu_time() == start {
            std::hint::spin_loop();
        }
        thread_cpu_time().saturating_sub(start)
    }

    impl Output for Burning {
        fn emit(&mut self, _: PortIndex, _: StreamRecord) -> Result<()> {
            (0..100).for_each(|_| {
                burn();
            });
            Ok(())
        }

        fn reject(&mut self, _: &StreamRecord, _: Vec<RowReject>) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_row_is_stood_for_once() {
        let mut sampler = CpuSampler::default();
        let mut stood_for = 0;
        for number in 0..1_000_u64 {
            match sampler.next(number + 1) {
                Some(rows) if number < SAMPLED_FIRST => assert_eq!(rows, number + 1),
                Some(rows) => {
                    assert!(number.is_multiple_of(SAMPLED_EVERY), "{number}");
                    stood_for += rows;
                }
                None => assert!(number >= SAMPLED_FIRST),
            }
        }
        let last = 1_000 - 1_000 % SAMPLED_EVERY;
        assert_eq!(stood_for, (SAMPLED_FIRST..=last).map(|number| number + 1).sum::<u64>());
    }

    #[test]
    fn cpu_time_is_the_operators_own() {
        let (metrics, mut sampler, mut output) = (PluginMetrics::default(), CpuSampler::default(), Burning);
        let record = StreamRecord::new(RecordBatch::new_empty(Arc::new(Schema::empty())));
        let before = thread_cpu_time();
        let mut metered = Metered::begin(&metrics, &mut sampler, 3, &mut output);
        let own = burn();
        let at_emit = thread_cpu_time();
        metered.emit(0, record).expect("nothing fails");
        let elsewhere = thread_cpu_time().saturating_sub(at_emit);
        drop(metered);
        let all = thread_cpu_time().saturating_sub(before);
        let counted = Duration::from_nanos(metrics.cpu_time.get());
        assert!(counted >= own, "{counted:?} of {own:?}");
        assert!(counted <= all, "{counted:?} of {all:?}");
        // The clock reads of the metering itself lie on both sides; a hundred steps of the clock do not.
        assert!(all.saturating_sub(counted) >= elsewhere / 2, "{counted:?} of {all:?}, {elsewhere:?} elsewhere");
        assert_eq!(metrics.snapshot().rows_in, 3);
    }
}
