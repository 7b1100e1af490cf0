//! Memory and CPU time of one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use volley_telemetry::Gauge;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::CORE_PARTS_MAX;
use crate::options::PluginLimits;
use crate::trap::TrapReason;

/// Decides on growth, and remembers what it refused so that a trap that follows can be explained.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements_max: usize,
    budget: Arc<HostBudget>,
    /// Shows the memory of all instances of the operator.
    shown: Gauge,
    /// What the present call asked for in vain.
    pub(crate) refused: Option<TrapReason>,
}

impl Limiter {
    pub(crate) fn new(limits: &PluginLimits, budget: &Arc<HostBudget>, shown: Gauge) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes_max,
            memory_bytes: 0,
            table_elements_max: limits.table_elements_max,
            budget: Arc::clone(budget),
            shown,
            refused: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The engine asks here first and then refuses growth beyond the memory's own maximum: that must not count.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(more);
        // The guest sees a failed `memory.grow`, which interpreters survive and Rust turns into an abort.
        if total > self.memory_bytes_max {
            self.refused = Some(TrapReason::Memory { wanted_bytes: total, limit_bytes: self.memory_bytes_max });
            return Ok(false);
        }
        if let Err(words) = self.budget.take_memory(more) {
            self.refused = Some(TrapReason::HostBudget(words));
            return Ok(false);
        }
        self.memory_bytes = total;
        self.shown.add(more as u64);
        Ok(true)
    }

    // Whether `maximum` is the table's own or the pool's cannot be told from here.
    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= self.table_elements_max {
            return Ok(true);
        }
        let limit_elements = self.table_elements_max;
        self.refused = Some(TrapReason::Table { wanted_elements: desired, limit_elements });
        Ok(false)
    }

    fn instances(&self) -> usize {
        CORE_PARTS_MAX as usize
    }

    fn tables(&self) -> usize {
        CORE_PARTS_MAX as usize
    }

    fn memories(&self) -> usize {
        CORE_PARTS_MAX as usize
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.give_memory_back(self.memory_bytes);
        self.shown.sub(self.memory_bytes as u64);
    }
}

/// What all plugins of a host may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLimits {
    /// Bytes of linear memory of all instances. Default: 8 GiB.
    pub memory_bytes_max: usize,
    /// Instances alive at once. Default: 1,000.
    pub instances_max: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self { memory_bytes_max: 8 << 30, instances_max: 1_000 }
    }
}

/// What is left of the [`HostLimits`].
#[derive(Debug)]
pub(crate) struct HostBudget {
    limits: HostLimits,
    memory_bytes: AtomicUsize,
    instances: AtomicUsize,
}

impl HostBudget {
    pub(crate) fn new(limits: HostLimits) -> Self {
        Self { limits, memory_bytes: AtomicUsize::new(0), instances: AtomicUsize::new(0) }
    }

    fn take_memory(&self, bytes: usize) -> Result<(), String> {
        let limit = self.limits.memory_bytes_max;
        take(&self.memory_bytes, bytes, limit)
            .map_err(|seen| format!("{seen} bytes of memory for all plugins together; the host's limit is {limit}"))
    }

    fn give_memory_back(&self, bytes: usize) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Room for one more instance, for as long as the permit lives.
    pub(crate) fn instance(self: &Arc<Self>) -> Result<InstancePermit, String> {
        let limit = self.limits.instances_max;
        take(&self.instances, 1, limit)
            .map_err(|seen| format!("{seen} instances of all plugins together; the host's limit is {limit}"))?;
        Ok(InstancePermit(Arc::clone(self)))
    }
}

/// Adds `more` unless that passes the limit; the error is what it would have come to.
fn take(sum: &AtomicUsize, more: usize, limit: usize) -> Result<(), usize> {
    let fits = |seen: usize| seen.checked_add(more).filter(|sum| *sum <= limit);
    sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|seen| seen.saturating_add(more))
}

/// Stands for one instance alive.
#[derive(Debug)]
pub(crate) struct InstancePermit(Arc<HostBudget>);

impl Drop for InstancePermit {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bytes that crossed in the call under way, both ways together.
#[derive(Debug)]
pub(crate) struct Transfer {
    bytes_max: usize,
    bytes: usize,
    /// Bytes of the message that the next call is handed.
    incoming: usize,
}

/// More bytes crossed in one call than may.
#[derive(Debug, thiserror::Error)]
#[error("{seen} bytes crossed in one call; `limits.transfer` is {limit}")]
pub(crate) struct TransferExceeded {
    seen: usize,
    limit: usize,
}

impl Transfer {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self { bytes_max: limits.transfer_bytes_max, bytes: 0, incoming: 0 }
    }

    /// The next call will be handed so many bytes.
    pub(crate) fn prepare(&mut self, bytes: usize) {
        self.incoming = bytes;
    }

    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.bytes = std::mem::take(&mut self.incoming);
    }

    /// Bytes that the next call is handed.
    pub(crate) fn incoming(&self) -> usize {
        self.incoming
    }

    /// Bytes that crossed in the call so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts bytes, before they are copied.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), TransferExceeded> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.bytes_max {
            return Ok(());
        }
        Err(TransferExceeded { seen: self.bytes, limit: self.bytes_max })
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

    /// CPU time that the host used on the guest's thread, which does not count.
    pub(crate) fn exclude(&mut self, used: Duration) {
        if let Some(first) = &mut self.at_first_tick {
            *first += used;
        }
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

pub(crate) fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        let limits = PluginLimits { memory_bytes_max: 100, table_elements_max: 10, ..PluginLimits::default() };
        let host = HostLimits { memory_bytes_max: 150, instances_max: 2 };
        Limiter::new(&limits, &Arc::new(HostBudget::new(host)), Gauge::default())
    }

    #[test]
    fn tables_have_a_limit() {
        let mut limiter = limiter();
        assert!(limiter.table_growing(0, 10, None).expect("never fails"));
        assert!(!limiter.table_growing(10, 11, None).expect("never fails"));
        assert_eq!(limiter.refused, Some(TrapReason::Table { wanted_elements: 11, limit_elements: 10 }));
    }

    #[test]
    fn a_host_has_one_budget_for_all() {
        let one = limiter();
        let budget = Arc::clone(&one.budget);
        let mut one = one;
        let shown = Gauge::default();
        let mut two = Limiter::new(&PluginLimits::default(), &budget, shown.clone());
        assert!(one.memory_growing(0, 90, None).expect("never fails"));
        assert!(!two.memory_growing(0, 90, None).expect("never fails"));
        assert!(matches!(&two.refused, Some(TrapReason::HostBudget(words)) if words.contains("180 bytes")));
        drop(one);
        assert!(two.memory_growing(0, 90, None).expect("never fails"), "given back");
        assert_eq!(shown.get(), 90, "what was refused is not shown");
        drop(two);
        assert_eq!(shown.get(), 0);
        let permits = [budget.instance(), budget.instance()];
        assert!(budget.instance().expect_err("two are alive").contains("3 instances"));
        drop(permits);
        assert!(budget.instance().is_ok());
    }

    #[test]
    fn bytes_that_cross_are_added_up_per_call() {
        let mut transfer = Transfer::new(&PluginLimits { transfer_bytes_max: 10, ..PluginLimits::default() });
        assert!(transfer.add(6).is_ok() && transfer.add(4).is_ok());
        assert!(transfer.add(1).expect_err("one too many").to_string().contains("11 bytes"));
        transfer.begin();
        assert!(transfer.add(10).is_ok() && transfer.add(usize::MAX).is_err());
        transfer.prepare(8);
        transfer.begin();
        assert!(transfer.add(2).is_ok() && transfer.add(1).is_err(), "what goes in counts too");
    }

    #[test]
    fn memories_are_counted_together() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 60, None).expect("never fails"));
        assert!(!limiter.memory_growing(0, 60, None).expect("never fails"), "a second memory");
        assert_eq!(limiter.refused, Some(TrapReason::Memory { wanted_bytes: 120, limit_bytes: 100 }));
        assert!(limiter.memory_growing(60, 100, None).expect("never fails"));
    }

    #[test]
    fn growth_beyond_a_memorys_own_maximum_does_not_count() {
        let mut limiter = limiter();
        for _ in 0..3 {
            assert!(!limiter.memory_growing(10, 60, Some(50)).expect("never fails"));
        }
        assert_eq!(limiter.refused, None, "no limit of the host's");
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
