//! What a run costs the process.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall_ms: u128,
    pub(crate) cpu_ms: i64,
    /// The most memory that the process had until now.
    pub(crate) peak_mib: u64,
}

/// Runs something and says what it took.
pub(crate) fn measure<T>(run: impl FnOnce() -> Result<T, String>) -> Result<(T, Cost), String> {
    let (cpu_ms, begin) = (cpu_ms(), Instant::now());
    let result = run()?;
    let (wall_ms, cpu_ms) = (begin.elapsed().as_millis(), self::cpu_ms() - cpu_ms);
    Ok((result, Cost { wall_ms, cpu_ms, peak_mib: peak_mib() }))
}

fn cpu_ms() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// 0 where the system does not say it in this way.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
