//! Memory and CPU time of one store.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::options::PluginLimits;

/// Elements of one table: Python components need some tens of thousands.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Core instances, memories and tables of one component: Python components have about 39 of the first.
const CORE_PARTS_MAX: usize = 50;

/// Decides on growth, and remembers what it refused so that a trap that follows can be explained.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// Bytes of memory that the present call asked for in vain.
    pub(crate) refused_bytes: Option<usize>,
}

impl Limiter {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self { memory_bytes_max: limits.memory_bytes_max, memory_bytes: 0, refused_bytes: None }
    }

    pub(crate) fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The engine asks here first and then refuses growth beyond the memory's own maximum: that must not count.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            self.refused_bytes = Some(total);
            // The guest sees a failed `memory.grow`, which interpreters survive and Rust turns into an abort.
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_PARTS_MAX
    }

    fn tables(&self) -> usize {
        CORE_PARTS_MAX
    }

    fn memories(&self) -> usize {
        CORE_PARTS_MAX
    }
}

/// The deadline of the call under way, in CPU time of its thread.
///
/// The thread's clock is read at ticks only, since reading it costs about as much as a whole call: time counts from
/// the first tick within the call.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    name: &'static str,
    limit: Duration,
    at_first_tick: Option<Duration>,
}

/// The call took more CPU time than it may.
#[derive(Debug, thiserror::Error)]
#[error("used {used_ms} ms of CPU time; {name} is {limit_ms} ms")]
pub(crate) struct DeadlineExceeded {
    name: &'static str,
    used_ms: u128,
    limit_ms: u128,
}

impl Deadline {
    /// A call begins; `name` is how messages call its limit.
    pub(crate) fn begin(&mut self, name: &'static str, limit: Duration) {
        *self = Self { name, limit, at_first_tick: None };
    }

    /// Called by the guest's own thread when it notices a tick.
    pub(crate) fn on_tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = thread_cpu_time();
        let used = now.saturating_sub(*self.at_first_tick.get_or_insert(now));
        if used <= self.limit {
            return Ok(UpdateDeadline::Continue(1));
        }
        Err(DeadlineExceeded { name: self.name, used_ms: used.as_millis(), limit_ms: self.limit.as_millis() }.into())
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        let mut limiter = Limiter::new(&PluginLimits { memory_bytes_max: 100, ..PluginLimits::default() });
        assert!(limiter.memory_growing(0, 60, None).expect("never fails"));
        assert!(!limiter.memory_growing(0, 60, None).expect("never fails"), "a second memory");
        assert_eq!(limiter.refused_bytes, Some(120));
        assert!(limiter.memory_growing(60, 100, None).expect("never fails"));
    }

    #[test]
    fn growth_beyond_a_memorys_own_maximum_does_not_count() {
        let mut limiter = Limiter::new(&PluginLimits { memory_bytes_max: 100, ..PluginLimits::default() });
        for _ in 0..3 {
            assert!(!limiter.memory_growing(10, 60, Some(50)).expect("never fails"));
        }
        assert_eq!(limiter.refused_bytes, None, "no limit of the host's");
        assert!(limiter.memory_growing(0, 100, None).expect("never fails"));
    }

    #[test]
    fn a_deadline_ends_a_call_that_burns_cpu_and_spares_one_that_does_not() {
        let mut deadline = Deadline::default();
        deadline.begin("x", Duration::from_secs(3600));
        assert!(deadline.on_tick().is_ok());
        assert!(deadline.on_tick().is_ok());
        deadline.begin("x", Duration::ZERO);
        assert!(deadline.on_tick().is_ok(), "the first tick starts the count");
        let start = thread_cpu_time();
        while thread_cpu_time() == start {
            std::hint::spin_loop();
        }
        assert!(deadline.on_tick().is_err());
    }
}
